"""A process for the tests of ``run_fresh``: prints JSON, sleeps, or fails."""

import json
import sys
import time

if __name__ == "__main__":
    if sys.argv[1] == "sleep":
        time.sleep(60)
    try:
        print(json.dumps(json.loads(sys.argv[1])))
    except ValueError:
        sys.exit(sys.argv[1])

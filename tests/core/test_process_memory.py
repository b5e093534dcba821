"""The peak of a process, against a block of known size in a fresh one."""

import subprocess
import sys

BLOCK = """
from nbhelpers.core.process_memory import peak_megabytes
before = peak_megabytes()
block = bytearray(200 * 2**20)
block[::4096] = b"1" * len(range(0, len(block), 4096))  # each page is written
full = peak_megabytes()
del block
print(full - before, peak_megabytes() - full)
"""


def test_peak_rises_by_a_block_and_does_not_fall_when_it_goes():
    done = subprocess.run([sys.executable, "-c", BLOCK], capture_output=True, text=True, check=True)
    rise, fall = map(float, done.stdout.split())
    assert 190 < rise < 215
    assert fall > -1

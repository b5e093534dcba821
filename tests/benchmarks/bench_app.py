"""The app under load: lists for one person alone, and for 40 who click at once, on loopback.

The title tells latencies by the clock, at a real uvicorn in a process of its own: each person
keeps a connection and asks for ten lists, one after the other, without a pause. So 40 at once are
far more than 40 readers, who look at a list before they ask for the next one. The cases compare
the models, without a server.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nbhelpers.app.movielens_demo import movielens_service
from nbhelpers.app.service import Service
from tests.benchmarks.measure import Benchmark, Case

SEED, N_PEOPLE, N_LISTS, N_LIKES = 42, 40, 10, 5
HOST, START_LIMIT = "127.0.0.1", 120  # seconds
ROOT = Path(__file__).parents[2]
Likes = Sequence[list[int]]


class Load(NamedTuple):
    """What people met: answers that were no list, and seconds of every answer."""

    n_people: int
    n_errors: int
    seconds: Sequence[float]

    def __str__(self) -> str:
        half, most = 1e3 * np.quantile(self.seconds, [0.5, 0.95])
        who = "1 person alone" if self.n_people == 1 else f"{self.n_people} people at once"
        return f"{who}: {self.n_errors} errors, p50 {half:.0f} ms, p95 {most:.0f} ms"


def benchmark() -> Benchmark:
    """The app on the default data set."""
    service = movielens_service()
    with served() as port:
        loads = [load_of(port, likes_of(service, n_people)) for n_people in (1, N_PEOPLE)]
    return of(service, loads)


def of(service: Service, loads: Sequence[Load]) -> Benchmark:
    """The benchmark of any service, with loads that were met before."""
    (likes,) = likes_of(service, 1)
    cases = [
        Case(name, partial(partial, lists_of, service, likes, name)) for name in service.models
    ]
    title = f"{N_LISTS} lists of the app; served over loopback to {'; to '.join(map(str, loads))}"
    return Benchmark(title, cases, "items listed", float)


def lists_of(service: Service, likes: Likes, model: str) -> int:
    """Make the lists of one person, and count what is on them."""
    return sum(len(service.list_for(liked, model=model)["items"]) for liked in likes)


def likes_of(service: Service, n_people: int) -> Sequence[Likes]:
    """For each person, what they like at each of their questions: one of the better-known items."""
    rng = np.random.default_rng(SEED)
    known = np.argsort(-service.catalog.counts)[:300]
    return [
        [
            rng.choice(known, min(N_LIKES, len(known)), replace=False).tolist()
            for _ in range(N_LISTS)
        ]
        for _ in range(n_people)
    ]


def load_of(port: int, people: Sequence[Likes]) -> Load:
    """Let all people ask at once, each for one list after the other."""
    with ThreadPoolExecutor(len(people)) as pool:
        answers = [answer for own in pool.map(partial(asked, port), people) for answer in own]
    n_errors = sum(not is_list for is_list, _ in answers)
    return Load(len(people), n_errors, [seconds for _, seconds in answers])


def asked(port: int, likes: Likes) -> list[tuple[bool, float]]:
    """Whether one person got each list, and in how many seconds."""
    connection = HTTPConnection(HOST, port, timeout=60)
    answers = []
    for liked in likes:
        started = time.perf_counter()
        try:
            body = json.dumps({"liked": liked})
            connection.request("POST", "/api/list", body)
            answer = connection.getresponse()
            content = json.loads(answer.read())
            is_list = bool(answer.status == 200 and content["items"])
        except (OSError, HTTPException, ValueError):
            connection.close()  # the next request opens it again
            is_list = False
        answers.append((is_list, time.perf_counter() - started))
    connection.close()
    return answers


@contextmanager
def served() -> Iterator[int]:
    """The app in a process of its own; gives its port."""
    with socket.socket() as door:
        door.bind((HOST, 0))
        port = int(door.getsockname()[1])
    command = [sys.executable, "-m", "nbhelpers", "app", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, server.poll)
        yield port
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int, ended: Callable[[], int | None]) -> None:
    """Return as soon as something answers at a port.

    Raises
    ------
    RuntimeError
        If the server ends, or does not answer in time.
    """
    for _ in range(10 * START_LIMIT):
        if ended() is not None:
            raise RuntimeError(f"the app ended with exit code {ended()} before it answered")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the app did not answer within {START_LIMIT} s")

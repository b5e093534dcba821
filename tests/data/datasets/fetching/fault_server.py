"""A server on loopback that misbehaves on request, and a tiny data set for it to publish.

Run as a script, it fetches that data set: ``python fault_server.py ADDRESS CACHE [FILE_LIMIT]``.
"""

import hashlib
import io
import random
import ssl
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from nbhelpers.data.datasets.registry import Dataset, Member

N_RATINGS = 10_000
Answer = Callable[[BaseHTTPRequestHandler], None]


def tiny_files() -> dict[str, bytes]:
    """Two files in the layout of the newer MovieLens sets; always the same bytes."""
    rng = random.Random(7)
    rows = [f"{i // 50 + 1},{rng.randrange(900)},{rng.randrange(1, 6)},{rng.randrange(10**9)}"
            for i in range(N_RATINGS)]  # fmt: skip
    ratings = "\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n"
    movies = "movieId,title,genres\n" + "".join(f"{i},Film {i} (1990),Drama\n" for i in range(900))
    return {"ratings.csv": ratings.encode(), "movies.csv": movies.encode()}


def pack(files: dict[str, bytes], *, inside: str = "tiny") -> bytes:
    """A zip archive of files, byte for byte the same at every call."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{inside}/{name}"), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tiny_dataset(address: str) -> Dataset:
    """The tiny data set as published by a server at ``address``."""
    files = tiny_files()
    archive = pack(files)
    return Dataset(
        name="tiny",
        url=f"{address}/tiny.zip",
        digest=f"sha256:{sha256(archive)}",
        archive_bytes=len(archive),
        members={name: Member(max_bytes=len(content)) for name, content in files.items()},
        n_ratings=N_RATINGS,
        n_users=200,
        n_items=900,
        n_listed=900,
    )


def send(body: bytes, *, status: int = 200, kind: str = "application/zip") -> Answer:
    """Answer with a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def cut(body: bytes, share: float) -> Answer:
    """Promise the whole body, send a share of it and hang up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: int(len(body) * share)])

    return answer


def slow(body: bytes, *, n_pieces: int, pause: float) -> Answer:
    """Send the body in pieces with a pause before each."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        step = -(-len(body) // n_pieces)
        for start in range(0, len(body), step):
            time.sleep(pause)
            request.wfile.write(body[start : start + step])

    return answer


def stall(body: bytes) -> Answer:
    """Send half of the body, then nothing until the client hangs up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        cut(body, 0.5)(request)
        request.wfile.flush()
        request.connection.recv(1)

    return answer


class Pause:
    """An answer that stops after a share of the body, says so, and goes on when it is told."""

    def __init__(self, body: bytes, share: float) -> None:
        self.body, self.share = body, share
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        cut(self.body, self.share)(request)
        request.wfile.flush()
        self.reached.set()
        self.go_on.wait()
        request.wfile.write(self.body[int(len(self.body) * self.share) :])


def endless(request: BaseHTTPRequestHandler) -> None:
    """Begin like an archive and never end."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b"PK\x03\x04")
    for _ in range(1000):
        request.wfile.write(bytes(100_000))


def send_on(address: str) -> Answer:
    """Redirect to another address."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", address)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def reset(request: BaseHTTPRequestHandler) -> None:
    """Hang up without a word."""
    request.connection.close()


class FaultServer:
    """Serves ``self.answer`` on 127.0.0.1 and counts the requests."""

    def __init__(self, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.n_requests = 0
        counting = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with counting:
                    outer.n_requests += 1
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass  # a client that hangs up is part of the game

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.address = f"{scheme}://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "FaultServer":
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def main(address: str, cache: str, file_limit: str = "") -> None:
    """Fetch the tiny data set; ``file_limit`` is the size at which the disk counts as full."""
    from nbhelpers.data.datasets.fetching import http
    from nbhelpers.data.datasets.fetching.fetch import fetch_from

    http.STALL_SECONDS = 600.0  # the server says when to go on, not a clock
    if file_limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_limit), int(file_limit)))
    print(fetch_from(tiny_dataset(address), cache=Path(cache), home=None))


if __name__ == "__main__":
    main(*sys.argv[1:])

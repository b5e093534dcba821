"""The app as a web server on this machine, and on no other."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from functools import lru_cache
from json import JSONDecodeError
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from nbhelpers.app.page_source import page_html, page_part
from nbhelpers.app.posters import poster
from nbhelpers.app.service import RequestError, Service

HOST = "127.0.0.1"  # loopback: nobody else can reach it
LARGEST_REQUEST = 100_000  # bytes
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def web_app(service: Service) -> Starlette:
    """The app for any ASGI server.

    Parameters
    ----------
    service : Service

    Returns
    -------
    Starlette
        It answers requests to this machine's own names only.
    """
    page = page_html(
        title=service.title,
        about=service.about,
        engine=page_part("from_server.js"),
        policy=POLICY,
    )

    async def index(_: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    async def describe(_: Request) -> Response:
        return JSONResponse(service.describe(), headers=_HEADERS)

    async def search(request: Request) -> Response:
        text = request.query_params.get("text", "")[:200]
        return JSONResponse(await run_in_threadpool(service.search, text), headers=_HEADERS)

    @lru_cache(maxsize=4096)
    def drawn(item: int) -> str:
        facts = service.catalog.facts[item]
        return poster(facts.title, year=facts.year, genres=facts.genres)

    async def picture(request: Request) -> Response:
        item = int(request.path_params["item"])
        if item >= len(service.catalog.facts):
            return JSONResponse({"error": f"there is no {service.noun} {item}"}, status_code=404)
        headers = {**_HEADERS, "cache-control": "max-age=86400"}
        return Response(drawn(item), media_type="image/svg+xml", headers=headers)

    routes = [
        Route("/", index),
        Route("/api/describe", describe),
        Route("/api/search", search),
        Route("/api/poster/{item:int}.svg", picture),
        Route("/api/list", _answer(service.list_for, positional="liked"), methods=["POST"]),
        Route("/api/similar", _answer(service.similar_to, positional="item"), methods=["POST"]),
        Route("/api/history", _answer(service.history_of, positional="person"), methods=["POST"]),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=routes, middleware=[hosts])


def _answer(ask: Callable[..., dict[str, Any]], *, positional: str) -> Callable[..., Any]:
    """A door for JSON: its fields become arguments, and what cannot be answered is said."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        try:
            if len(body) > LARGEST_REQUEST:
                raise RequestError(f"a question may have {LARGEST_REQUEST:,} bytes")
            given = await request.json()
            if not isinstance(given, dict) or positional not in given:
                raise RequestError(f"an object with the field {positional!r} is required")
            content = await run_in_threadpool(ask, given.pop(positional), **given)
        except (RequestError, TypeError, JSONDecodeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400, headers=_HEADERS)
        return JSONResponse(content, headers=_HEADERS)

    return answer


def serve(service: Service, *, port: int = 0, open_browser: bool = False) -> None:
    """Serve the app until it is interrupted, and print its address.

    Parameters
    ----------
    service : Service
    port : int, default 0
        0 takes any that is free.
    open_browser : bool, default False

    Raises
    ------
    OSError
        If the port is taken.
    """
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((HOST, port))
    address = f"http://{HOST}:{door.getsockname()[1]}/"
    print(f"{service.title} {address} (Ctrl-C stops it)", flush=True)
    if open_browser:
        threading.Timer(0.5, webbrowser.open, args=[address]).start()
    settings = uvicorn.Config(web_app(service), log_level="warning", access_log=False)
    uvicorn.Server(settings).run(sockets=[door])

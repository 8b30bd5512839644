"""The server's own page: its files, and the JSON that they ask for. The files have no secrets and need no key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from elman.errors import ElmanError
from elman.serve import page_answers
from elman.serve.api_error import ApiError
from elman.serve.body import parsed, read_body
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.served_model import ServedModel
from elman.serve.waiting import one_text, unless_gone, until

FILES = {
    "/": "page.html", "/static/page.css": "page.css", "/static/page.js": "page.js", "/static/server.js": "server.js",
    "/static/tokens.js": "tokens.js", "/static/reading.js": "reading.js", "/static/sampling.js": "sampling.js",
}  # fmt: skip
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Scripts and styles of this server alone, none inside the page; what a text says is never run."""

Answer = Callable[[Mapping[str, ServedModel], Limits, Mapping[str, Any], Callable[[], bool]], dict[str, Any]]
ANSWERS: dict[str, Answer] = {
    "/page/surprise": page_answers.surprise,
    "/page/next": page_answers.following,
    "/page/gradient": page_answers.gradient,
}


def page_routes(models: Mapping[str, ServedModel], limits: Limits, metrics: Metrics, pool: Executor) -> list[Route]:
    """The routes of the page. pool: the threads that read texts."""

    async def about(request: Request) -> Response:
        return JSONResponse(page_answers.models(models))

    def answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            deadline = asyncio.get_running_loop().time() + limits.seconds
            async with until(deadline):
                body = parsed(await read_body(request, limits.body))
            over = threading.Event()

            async def work() -> Response:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(pool, lambda: answer(models, limits, body, over.is_set))
                return JSONResponse(found)

            try:
                with one_text(metrics, limits):
                    async with until(deadline):
                        return await unless_gone(request, work())
            except ElmanError as error:  # an overflow of the network
                raise ApiError(500, str(error)) from None
            finally:
                over.set()

        return answered

    return [
        *(Route(path, _file(name)) for path, name in FILES.items()),
        Route("/page/about", about),
        *(Route(path, answering(answer), methods=["POST"]) for path, answer in ANSWERS.items()),
    ]


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (resources.files("elman.serve") / "static" / name).read_bytes()
    kind = TYPES[name.rpartition(".")[2]]

    async def answered(request: Request) -> Response:
        return Response(content, headers=HEADERS | {"Content-Type": kind})

    return answered

"""The server's own page: its files, and the JSON that they ask for. The files have no secrets and need no key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from elman.errors import ElmanError
from elman.notes.report.controls import SCRIPT
from elman.notes.report.style import STYLE
from elman.serve import page_answers
from elman.serve.api_error import ApiError
from elman.serve.body import Fields, parsed, read_body
from elman.serve.check_pool import CheckPool
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.page_words import language_of_page, words_script
from elman.serve.served_model import ServedModel
from elman.serve.waiting import Deadlines, one_text, unless_gone

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

FILES = {
    "/": "page.html", "/static/page.css": "page.css", "/static/page.js": "page.js", "/static/server.js": "server.js",
    "/static/tokens.js": "tokens.js", "/static/reading.js": "reading.js", "/static/sampling.js": "sampling.js",
    "/static/checking.js": "checking.js", "/static/report.html": "report.html",
}  # fmt: skip
SHORTER = "header>.kind,header>h1,header>.sum{display:none}body{padding-top:1rem}\n"
"""In the frame, what the page says already is not shown."""
WRITTEN = {"/static/report.css": STYLE + SHORTER, "/static/report.js": SCRIPT}
"""Files that are texts of the package: those of the HTML report of `elman check`, which is shown in a frame."""
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
"""Scripts and styles of this server alone, none inside a page; what a text says is never run."""
HEADERS = {
    "Content-Security-Policy": POLICY + "connect-src 'self'; frame-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
IN_FRAME = HEADERS | {"Content-Security-Policy": POLICY + "style-src-attr 'unsafe-inline'; frame-ancestors 'self'"}
"""For the report: its tables and its bar have style attributes of their own."""

Answer = Callable[[Mapping[str, ServedModel], Limits, Mapping[str, Any], Callable[[], bool]], Json]
ANSWERS: dict[str, Answer] = {
    "/page/surprise": page_answers.surprise,
    "/page/next": page_answers.following,
    "/page/gradient": page_answers.gradient,
}


class Page:
    """The routes of the page. pool: the threads that read texts; notes: what the tab of checks begins with."""

    def __init__(
        self, models: Mapping[str, ServedModel], limits: Limits, metrics: Metrics, pool: Executor, checks: CheckPool,
        notes: str, deadlines: Deadlines,
    ) -> None:  # fmt: skip
        self._models, self._limits, self._metrics, self._pool = models, limits, metrics, pool
        self._checks, self._notes, self._deadlines = checks, notes, deadlines

    def routes(self) -> list[Route]:
        """The routes of its files and of what they ask."""
        answers = {path: self._of_models(answer) for path, answer in ANSWERS.items()} if self._models else {}
        answers["/page/check"] = self._check
        return [
            *(Route(path, _file(path, _content(name))) for path, name in FILES.items()),
            *(Route(path, _file(path, text.encode())) for path, text in WRITTEN.items()),
            Route("/static/words.js", self._words),
            Route("/page/about", self._about),
            *(Route(path, self._asked(answer), methods=["POST"]) for path, answer in answers.items()),
        ]

    async def _words(self, request: Request) -> Response:
        language = language_of_page(request.headers.get("accept-language", ""))
        headers = HEADERS | {"Content-Type": TYPES["js"], "Vary": "Accept-Language"}
        return Response(words_script(language), headers=headers)

    async def _about(self, request: Request) -> Response:
        return JSONResponse(page_answers.models(self._models) | {"notes": self._notes})

    def _asked(self, answer: Callable[[Json], Coroutine[Any, Any, Json]]) -> Handler:
        """A handler of POST requests: the answer to the body as JSON, within the limits of the server."""

        async def answered(request: Request) -> Response:
            deadline = self._deadlines.of_request()
            async with self._deadlines.until(deadline):
                body = parsed(await read_body(request, self._limits.body))

            async def work() -> Response:
                return JSONResponse(await answer(body))

            with one_text(self._metrics, self._limits):
                async with self._deadlines.until(deadline):
                    return await unless_gone(request, work())

        return answered

    def _of_models(self, answer: Answer) -> Callable[[Json], Coroutine[Any, Any, Json]]:
        async def answered(body: Json) -> Json:
            over = threading.Event()
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, lambda: answer(self._models, self._limits, body, over.is_set)
                )
            except ElmanError as error:  # an overflow of the network
                raise ApiError(500, str(error)) from None
            finally:
                over.set()

        return answered

    async def _check(self, body: Json) -> Json:
        text = Fields(body, ("text",)).text("text") or ""
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ApiError(400, "text has half of a character (a surrogate)", "text", "invalid_value") from None
        return await self._checks.check(text)


def _content(name: str) -> bytes:
    return (resources.files("elman.serve") / "static" / name).read_bytes()


def _file(path: str, content: bytes) -> Handler:
    kind = TYPES[path.rpartition(".")[2] if "." in path else "html"]
    headers = (IN_FRAME if path.startswith("/static/report") else HEADERS) | {"Content-Type": kind}

    async def answered(request: Request) -> Response:
        return Response(content, headers=headers)

    return answered

"""The routes of the server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from elman.serve import answer, tokens
from elman.serve.api_error import ApiError
from elman.serve.body import parsed, read_body
from elman.serve.check_pool import CheckPool
from elman.serve.completions import Completions
from elman.serve.engine import Engine
from elman.serve.gate import Gate, error_response
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.openapi import openapi, page
from elman.serve.page_routes import Page
from elman.serve.served_model import ServedModel, choose_model
from elman.serve.waiting import Deadlines

READERS = 2
"""Threads that read and score texts, beside the engine's."""


def application(
    models: Mapping[str, ServedModel], limits: Limits, key: str | None, local_only: bool,
    report: Callable[[str], None], notes: str = "", deadlines: Deadlines | None = None,
) -> ASGIApp:  # fmt: skip
    """The server as an ASGI application; without models it only checks pages, and `notes` is the first page.

    For key, local_only and report see `Gate`. deadlines: of its requests, so that the caller may stop them.
    """
    deadlines = deadlines or Deadlines(limits.seconds)
    metrics = Metrics()
    engine = Engine(metrics)
    checks = CheckPool()
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="elman-reader")
    completions = Completions(dict(models), limits, metrics, engine, pool, deadlines)
    created = int(time.time())
    description = openapi(models, limits, key is not None)

    async def list_models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [answer.model_card(name, created) for name in models]})

    async def one_model(request: Request) -> Response:
        return JSONResponse(answer.model_card(choose_model(models, request.path_params["model"]).name, created))

    async def health(request: Request) -> Response:
        if not engine.alive:
            raise ApiError(503, "the server has stopped drawing; start it again")
        return JSONResponse({"status": "ok"})

    async def show_metrics(request: Request) -> Response:
        return PlainTextResponse(metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def show_openapi(request: Request) -> Response:
        return JSONResponse(description)

    async def show_page(request: Request) -> Response:
        return HTMLResponse(
            page(description), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    async def show_tokenizer(request: Request) -> Response:
        return JSONResponse(tokens.tokenizer_info(models))

    async def tokenize(request: Request) -> Response:
        return JSONResponse(tokens.tokenize(models, limits, parsed(await read_body(request, limits.body))))

    async def detokenize(request: Request) -> Response:
        return JSONResponse(tokens.detokenize(models, limits, parsed(await read_body(request, limits.body))))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        engine.start()
        try:
            yield
        finally:
            engine.stop()
            await checks.close()
            pool.shutdown(cancel_futures=True)

    of_models = [
        Route("/v1/completions", completions.answer, methods=["POST"]),
        Route("/v1/models", list_models),
        Route("/v1/models/{model:path}", one_model),
        Route("/tokenizer_info", show_tokenizer),
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/detokenize", detokenize, methods=["POST"]),
    ]
    routes = [
        *(of_models if models else ()),
        Route("/health", health),
        Route("/metrics", show_metrics),
        Route("/openapi.json", show_openapi),
        Route("/docs", show_page),
        *Page(models, limits, metrics, pool, checks, notes, deadlines).routes(),
    ]
    app = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={ApiError: _api_error, HTTPException: _http_error}
    )
    app.router.redirect_slashes = False
    paths = [route.path.replace(":path", "") for route in routes]
    return Gate(app, metrics, key, local_only, report, paths)


def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    headers: dict[str, Any] = dict(error.headers or {})
    messages = {404: "there is nothing at this path; /docs lists what there is", 405: "this path has other methods"}
    message = messages.get(error.status_code, error.detail)
    return error_response(ApiError(error.status_code, message, headers=headers))

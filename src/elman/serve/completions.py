"""`POST /v1/completions`: a request becomes jobs for the engine, and their texts an answer or a stream of parts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from elman.errors import ElmanError
from elman.serve import answer
from elman.serve.api_error import ApiError
from elman.serve.body import parsed, read_body
from elman.serve.choice import Choice
from elman.serve.completion_request import CompletionRequest, read_request
from elman.serve.drawing import Drawing
from elman.serve.engine import Engine, Job
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics
from elman.serve.prompt import Prompt, read_prompt
from elman.serve.served_model import Scored, Scorer, ServedModel, choose_model
from elman.serve.waiting import Deadlines, take_on, unless_gone

Result = TypeVar("Result")


@dataclass(eq=False)
class Part:
    """One prompt of a request, with its texts. scores: of the prompt, where they are asked for."""

    prompt: Prompt
    job: Job
    scorers: list[Scorer]
    scores: list[Scored]


@dataclass(eq=False)
class Work:
    """A request while it is answered."""

    request: CompletionRequest
    model: ServedModel
    deadline: float
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    parts: list[Part] = field(default_factory=list)
    cancelled: bool = False

    @property
    def choices(self) -> list[tuple[Part, int, Choice]]:
        """Each text with its part and its place there, in the order of the answer."""
        return [(part, k, choice) for part in self.parts for k, choice in enumerate(part.job.choices)]

    def usage(self) -> dict[str, int]:
        """The tokens read and drawn."""
        read = sum(len(part.prompt.ids) for part in self.parts)
        return answer.usage(read, sum(len(choice.tokens) for _, _, choice in self.choices))

    def cancel(self) -> None:
        """Nobody waits any more: what still runs for it ends soon."""
        self.cancelled = True
        for part in self.parts:
            part.job.cancelled = True


class Completions:
    """Answers completion requests. pool: the threads that read and score prompts, beside the engine's."""

    def __init__(
        self, models: dict[str, ServedModel], limits: Limits, metrics: Metrics, engine: Engine, pool: Executor,
        deadlines: Deadlines,
    ) -> None:  # fmt: skip
        self._models, self._limits, self._metrics, self._engine, self._pool = models, limits, metrics, engine, pool
        self._deadlines = deadlines
        self._drawings = {name: Drawing(model) for name, model in models.items()}

    async def answer(self, request: Request) -> Response:
        """The answer to a request. Raises ApiError."""
        deadline = self._deadlines.of_request()
        async with self._deadlines.until(deadline):
            body = await read_body(request, self._limits.body)
        given = read_request(parsed(body), self._limits)
        work = Work(given, choose_model(self._models, given.model), deadline)
        texts = len(given.prompts) * given.n
        take_on(self._metrics, self._limits, texts)

        def done() -> None:
            work.cancel()
            self._metrics.texts -= texts

        if given.stream:
            try:
                async with self._deadlines.until(deadline):
                    await self._begin(work)
            except BaseException:
                done()
                raise
            return _EventStream(self._events(work), done, self._deadlines.while_sent(deadline))
        try:
            async with self._deadlines.until(deadline):
                return await unless_gone(request, self._whole(work))
        finally:
            done()

    async def _in_pool(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _begin(self, work: Work) -> None:
        """Reads the prompts and starts to draw."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(work.changed.set)

        try:
            work.parts = await self._in_pool(lambda: self._read(work, tell))
        except ElmanError as error:  # an overflow of the network
            raise ApiError(500, str(error)) from None
        for part in work.parts:
            if not part.job.ended:
                self._engine.submit(part.job)

    def _read(self, work: Work, tell: Callable[[], None]) -> list[Part]:
        """The parts of a request, with their prompts read and scored."""
        most = self._limits.prompt_tokens
        prompts = [read_prompt(work.model, prompt, most) for prompt in work.request.prompts]
        return [self._part(work, prompt, tell) for prompt in prompts]

    def _part(self, work: Work, prompt: Prompt, tell: Callable[[], None]) -> Part:
        given, drawing = work.request, self._drawings[work.model.name]

        def stopped() -> bool:
            return work.cancelled

        before = [*prompt.context, *prompt.ids]
        scorers: list[Scorer] = []
        scores: list[Scored] = []
        if given.logprobs is not None:
            known = 0 if not given.echo else len(prompt.context) or 1  # tokens before the first that is scored
            scorer = Scorer(work.model, before[:known] if given.echo else before, stopped)
            if given.echo:
                scores = [] if prompt.context else [Scored(before[0], None, None)]
                scores += scorer.read(before[known:], given.logprobs)
            scorers = [scorer.copy() for _ in range(given.n)]
        choices = drawing.begin(before, prompt.ids, given.sampling, given.seed, given.n, stopped)
        return Part(prompt, Job(drawing, choices, tell, each_round=given.stream), scorers, scores)

    async def _whole(self, work: Work) -> Response:
        """The answer when all is drawn."""
        await self._begin(work)
        while not all(part.job.ended for part in work.parts):
            await work.changed.wait()
            work.changed.clear()
        _raise_errors(work)
        shown = [_Shown(work, *each) for each in work.choices]
        choices = [answer.choice(index, *await self._news(each)) for index, each in enumerate(shown)]
        counted = self._counted(work)
        whole = answer.completion(_new_id(), int(time.time()), work.model.name, choices)
        return JSONResponse(whole | {"usage": counted})

    def _counted(self, work: Work) -> dict[str, int]:
        """The tokens of a request that was answered, which the metrics have from now on."""
        usage = work.usage()
        self._metrics.completed(work.model.name, usage["prompt_tokens"], usage["completion_tokens"])
        return usage

    async def _news(self, shown: _Shown) -> tuple[str, dict[str, Any] | None, str | None]:
        """What has come since the last call, its scores computed in the pool."""
        return await self._in_pool(shown.news) if shown.scored else shown.news()

    async def _events(self, work: Work) -> AsyncIterator[str]:
        """The parts of a stream, as server-sent events."""
        id_, created = _new_id(), int(time.time())
        usage = {"usage": None} if work.request.usage_in_stream else {}

        def event(choices: Sequence[dict[str, Any]], also: dict[str, Any]) -> str:
            return _event(answer.completion(id_, created, work.model.name, choices) | also)

        try:
            live = {index: _Shown(work, *each) for index, each in enumerate(work.choices)}
            while live:
                for index, shown in list(live.items()):
                    # not around a yield: the time may be up while a part is sent
                    async with self._deadlines.until(work.deadline):
                        text, logprobs, reason = await self._news(shown)
                    if text or reason or (logprobs and logprobs["tokens"]):
                        yield event([answer.choice(index, text, logprobs, reason)], usage)
                    if reason:
                        del live[index]
                if not live:
                    break
                _raise_errors(work)
                async with self._deadlines.until(work.deadline):
                    await work.changed.wait()
                work.changed.clear()
            counted = self._counted(work)
            if work.request.usage_in_stream:
                yield event([], {"usage": counted})
        except ApiError as error:
            yield _event(error.as_dict())
        yield "data: [DONE]\n\n"


class _Shown:
    """A text of a request, and how much of it the client has."""

    def __init__(self, work: Work, part: Part, place: int, choice: Choice) -> None:
        self._part, self._choice, self._given = part, choice, work.request
        self._names = work.model.lm.tokenizer.tokens if work.request.logprobs is not None else []
        self._scorer = part.scorers[place] if part.scorers else None
        self._text, self._tokens, self._begun = 0, 0, False

    @property
    def scored(self) -> bool:
        """Whether the client asked for scores."""
        return self._scorer is not None

    def news(self) -> tuple[str, dict[str, Any] | None, str | None]:
        """The text, the scores of the tokens, and the reason of the end, as far as they are new."""
        choice, prompt = self._choice, self._part.prompt
        reason = choice.finish_reason  # before the text: where it is set, the text is whole
        whole = choice.text
        text, self._text = whole[self._text :], len(whole)
        echoed = self._given.echo and not self._begun
        self._begun = True
        if echoed:
            text = prompt.text + text
        if self._scorer is None:
            return text, None, reason
        n = len(choice.tokens)
        offsets = choice.offsets[:n]
        if reason != "length":  # tokens after the text's end, or whose text is not sure yet, are not shown
            n = next((k for k in range(n) if offsets[k] >= len(whole)), n)
        new = range(self._tokens, n)
        self._tokens = max(n, self._tokens)
        scores = self._scorer.read([choice.tokens[k] for k in new], self._given.logprobs or 0)
        shift = len(prompt.text) if self._given.echo else 0
        places = [shift + offsets[k] for k in new]
        if echoed:
            scores, places = self._part.scores + scores, prompt.offsets + places
        return text, answer.logprobs(self._names, scores, places[: len(scores)]), reason


class _EventStream(StreamingResponse):
    """A stream that says when it is over, also where the client goes before it begins. It is sent within `sending`."""

    def __init__(
        self, events: AsyncIterator[str], done: Callable[[], None], sending: AbstractAsyncContextManager[None]
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._done, self._sending = done, sending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._sending:
                await super().__call__(scope, receive, send)
        finally:
            self._done()


def _raise_errors(work: Work) -> None:
    for part in work.parts:
        if part.job.error is not None:
            raise ApiError(500, str(part.job.error))


def _new_id() -> str:
    return f"cmpl-{uuid.uuid4().hex}"


def _event(value: Any) -> str:
    return f"data: {json.dumps(value, allow_nan=False)}\n\n"

"""One text that is being drawn: its tokens, where each begins in the text, and why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from elman.inference.generate import Sampling
from elman.inference.stops import StopSearch
from elman.text.tokenizer import Decoder


class Choice:
    """A text after a prompt.

    state: of the model's predictor after the last token so far, which the drawing keeps. seen: the tokens of `prompt`
    and those drawn, which a repetition penalty counts. `finish_reason` is set last, so that another thread that sees it
    sees the whole text.
    """

    def __init__(
        self, state: Any, sampling: Sampling, generator: np.random.Generator, decoder: Decoder,
        prompt: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.seen = set(prompt)
        self.state, self.sampling, self.generator = state, sampling, generator
        self.tokens: list[int] = []
        self.offsets: list[int] = []
        self.text = ""
        self.finish_reason: Literal["stop", "length"] | None = None
        self._decoder, self._search, self._decoded = decoder, StopSearch(sampling.stop), 0
        if not sampling.max_tokens:
            self.finish_reason = "length"

    def take(self, token: int) -> None:
        """Appends a token that was drawn, and ends the text where it has a stop string or all its tokens."""
        piece = self._decoder.push(token)
        self.offsets.append(self._decoded)
        self.tokens.append(token)
        self.seen.add(token)
        self._decoded += len(piece)
        text, ended = self.text + self._search.push(piece), len(self.tokens) == self.sampling.max_tokens
        if ended and not self._search.found:
            text += self._search.push(self._decoder.flush())
            if not self._search.found:
                text += self._search.flush()
        self.text = text
        if self._search.found:
            self.finish_reason = "stop"
        elif ended:
            self.finish_reason = "length"

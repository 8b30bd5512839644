"""The next token of every text that is being drawn; each text is what `elman generate` alone draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.generate import Sampling, choose
from elman.inference.overflow import require_numbers
from elman.model.network import hidden_states, log_probabilities
from elman.serve.choice import Choice
from elman.serve.served_model import ServedModel, read_tokens

Floats = NDArray[np.floating[Any]]


class Drawing:
    """Draws for one model. `begin` may be called from any thread, `step` from one at a time."""

    def __init__(self, model: ServedModel) -> None:
        self._p, self._unk, self._tokenizer = model.lm.p, model.lm.tokenizer.unk, model.lm.tokenizer
        p, self._sampler = self._p, None
        if (sampler_of := p.kernels.sampler_kernel(p.dtype)) is not None and not p.above:  # it is of one layer
            inputs = p.kernels.product(p.E, p.W_e, b_transposed=True, bias=p.b_1)  # W_e e + b_1 of each token
            self._sampler = sampler_of(inputs, p.W_h, p.U, p.b_2, p.activation)

    def begin(
        self, before: Sequence[int], prompt: Sequence[int], sampling: Sampling, seed: int | None, n: int,
        stopped: Callable[[], bool],
    ) -> list[Choice]:  # fmt: skip
        """n texts after the tokens `before`, of which `prompt` is the text. Raises ShapeError for overflows.

        The k-th has the random numbers that `elman generate --count` gives its k-th text where none ends early.
        """
        p = self._p
        with np.errstate(all="ignore"):  # an overflow shows in the result
            h, last = read_tokens(p, before, stopped)
            next_h = hidden_states(p, np.array([[last]]), h).h_T
            require_numbers(log_probabilities(p, next_h[0]), "the probability of a token")
        choices = []
        for k in range(n):
            bits = np.random.PCG64(seed)
            if seed is not None:
                bits.advance(k * sampling.max_tokens)
            decoder = self._tokenizer.decoder(after=prompt)
            choices.append(Choice(h[0].copy(), last, sampling, np.random.Generator(bits), decoder))
        return choices

    def step(self, choices: Sequence[Choice]) -> None:
        """Draws one more token of each of the texts."""
        for choice in choices:
            choice.take(self._draw(choice))

    def _draw(self, choice: Choice) -> int:
        sampling, banned = choice.sampling, None if choice.sampling.unknown else self._unk
        if self._sampler is not None:
            limits = (sampling.temperature, sampling.top_k, sampling.top_p, -1 if banned is None else banned)
            return int(self._sampler.draw(choice.h, choice.last, choice.generator.random(1), *limits)[0])
        with np.errstate(all="ignore"):
            choice.h = hidden_states(self._p, np.array([[choice.last]]), choice.h[None]).h_T[0]
            log_probs = log_probabilities(self._p, choice.h).astype(np.float64)
        require_numbers(log_probs, "the probability of a token")
        if banned is not None:
            log_probs[banned] = -np.inf
        return choose(log_probs, sampling, choice.generator)

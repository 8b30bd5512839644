"""The next token of every text that is being drawn; each text is what `elman generate` alone draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.generate import Sampling, choose, is_native, network_sampler, penalise
from elman.inference.overflow import require_numbers
from elman.kernels.protocol import Sampler
from elman.model.network import hidden_states, log_probabilities
from elman.serve.choice import Choice
from elman.serve.served_model import ServedModel, read_tokens

Floats = NDArray[np.floating[Any]]

OVERFLOW = 1e37
"""Logits below this are numbers in float32, and so are their differences."""
TOGETHER = 64
"""The most texts of one network step; more would need more memory for their logits."""


class Drawing:
    """Draws for one model. `begin` may be called from any thread, `step` from one at a time."""

    def __init__(self, model: ServedModel) -> None:
        self._p, self._unk, self._tokenizer = model.lm.p, model.lm.tokenizer.unk, model.lm.tokenizer
        p = self._p
        self._sum_of_weights = float(np.abs(p.U).sum(axis=1, dtype=np.float64).max())  # |θ| ≤ max |h| of this + bias
        if p.tails:  # whose logits have another bound: every text's first probabilities are looked at
            self._sum_of_weights = np.inf
        self._bias = float(np.abs(p.b_2).max())
        self._sampler = network_sampler(p)

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
            if not np.abs(next_h).max() * self._sum_of_weights + self._bias < OVERFLOW:  # NaN included
                require_numbers(log_probabilities(p, next_h[0]), "the probability of a token")
        choices = []
        for k in range(n):
            bits = np.random.PCG64(seed)
            if seed is not None:
                bits.advance(k * sampling.max_tokens)
            decoder = self._tokenizer.decoder(after=prompt)
            choices.append(Choice(h[0].copy(), last, sampling, np.random.Generator(bits), decoder, prompt))
        return choices

    def step(self, choices: Sequence[Choice]) -> None:
        """Draws one more token of each of the texts: with native kernels, of TOGETHER texts in one network step,
        but for those with min-p or a penalty.
        """
        others = choices
        if self._sampler is not None:
            native = [choice for choice in choices if is_native(choice.sampling)]
            others = [choice for choice in choices if not is_native(choice.sampling)]
            for start in range(0, len(native), TOGETHER):
                together = native[start : start + TOGETHER]
                for choice, token in zip(together, self._draw_each(self._sampler, together), strict=True):
                    choice.take(token)
        for choice in others:
            choice.take(self._draw(choice))

    def _draw_each(self, sampler: Sampler, choices: Sequence[Choice]) -> list[int]:
        h = np.stack([choice.h for choice in choices])
        unk = -1 if self._unk is None else self._unk
        samplings = [choice.sampling for choice in choices]
        drawn = sampler.draw_each(
            h,
            np.array([choice.last for choice in choices]),
            np.array([choice.generator.random() for choice in choices]),
            np.array([float(each.temperature) for each in samplings]),
            np.array([each.top_k for each in samplings]),
            np.array([float(each.top_p) for each in samplings]),
            np.array([-1 if each.unknown else unk for each in samplings]),
        )
        for choice, state in zip(choices, h, strict=True):
            choice.h = state
        tokens: list[int] = drawn.tolist()
        return tokens

    def _draw(self, choice: Choice) -> int:
        with np.errstate(all="ignore"):
            choice.h = hidden_states(self._p, np.array([[choice.last]]), choice.h[None]).h_T[0]
            log_probs = log_probabilities(self._p, choice.h).astype(np.float64)
        require_numbers(log_probs, "the probability of a token")
        if choice.sampling.repetition_penalty != 1:
            penalise(log_probs, list(choice.seen), choice.sampling.repetition_penalty)
        if self._unk is not None and not choice.sampling.unknown:
            log_probs[self._unk] = -np.inf
        return choose(log_probs, choice.sampling, choice.generator)

"""The next token of every text that is being drawn; each text is what `elman generate` alone draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.distributions import step
from elman.inference.generate import Sampling, choose, is_native, network_sampler, penalise
from elman.inference.overflow import require_numbers
from elman.inference.predictor import NetworkPredictor, NetworkState
from elman.kernels.protocol import Sampler
from elman.serve.choice import Choice
from elman.serve.served_model import ServedModel, state_after

Floats = NDArray[np.floating[Any]]

OVERFLOW = 1e37
"""Logits below this are numbers in float32, and so are their differences."""
TOGETHER = 64
"""The most texts of one network step; more would need more memory for their logits."""


class Drawing:
    """Draws for one model. `begin` may be called from any thread, `step` from one at a time."""

    def __init__(self, model: ServedModel) -> None:
        self._tokenizer, self._unk = model.lm.tokenizer, model.lm.tokenizer.unk
        self._predictor = model.lm.fast_predictor
        self._sampler: Sampler | None = None
        self._bounds: tuple[float, float] | None = None
        if isinstance(self._predictor, NetworkPredictor):
            p = self._predictor.p
            self._sampler = network_sampler(p)
            if not p.tails:  # whose logits have another bound
                of_weights = np.abs(p.U).sum(axis=1, dtype=np.float64).max()
                self._bounds = float(of_weights), float(np.abs(p.b_2).max())

    def begin(
        self, before: Sequence[int], prompt: Sequence[int], sampling: Sampling, seed: int | None, n: int,
        stopped: Callable[[], bool],
    ) -> list[Choice]:  # fmt: skip
        """n texts after the tokens `before`, of which `prompt` is the text. Raises ShapeError for overflows.

        The k-th has the random numbers that `elman generate --count` gives its k-th text where none ends early.
        """
        with np.errstate(all="ignore"):  # an overflow shows in the result
            state = state_after(self._predictor, before, stopped)
            if not self._is_bounded(state):
                require_numbers(self._predictor.next(state), "the probability of a token")
        choices = []
        for k in range(n):
            bits = np.random.PCG64(seed)
            if seed is not None:
                bits.advance(k * sampling.max_tokens)
            decoder = self._tokenizer.decoder(after=prompt)
            choices.append(Choice(state, sampling, np.random.Generator(bits), decoder, prompt))
        return choices

    def _is_bounded(self, state: Any) -> bool:
        """Whether no logit after this state of the network can overflow: |θ| ≤ max |h| Σ |U| + |b_2|."""
        if self._bounds is None or not isinstance(self._predictor, NetworkPredictor):
            return False
        of_weights, of_bias = self._bounds
        largest = np.abs(self._predictor.h_after(state)).max() * of_weights + of_bias
        return bool(largest < OVERFLOW)  # not for NaN

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
        h = np.concatenate([choice.state.h for choice in choices])
        unk = -1 if self._unk is None else self._unk
        samplings = [choice.sampling for choice in choices]
        drawn = sampler.draw_each(
            h,
            np.array([choice.state.last for choice in choices]),
            np.array([choice.generator.random() for choice in choices]),
            np.array([float(each.temperature) for each in samplings]),
            np.array([each.top_k for each in samplings]),
            np.array([float(each.top_p) for each in samplings]),
            np.array([-1 if each.unknown else unk for each in samplings]),
        )
        tokens: list[int] = drawn.tolist()
        for k, (choice, token) in enumerate(zip(choices, tokens, strict=True)):
            choice.state = NetworkState(h[k : k + 1], token)
        return tokens

    def _draw(self, choice: Choice) -> int:
        with np.errstate(all="ignore"):
            log_probs, after = step(self._predictor, choice.state)
        require_numbers(log_probs, "the probability of a token")
        if choice.sampling.repetition_penalty != 1:
            penalise(log_probs, list(choice.seen), choice.sampling.repetition_penalty)
        if self._unk is not None and not choice.sampling.unknown:
            log_probs[self._unk] = -np.inf
        token = choose(log_probs, choice.sampling, choice.generator)
        choice.state = after(token)
        return token

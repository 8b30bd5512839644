"""The likeliest continuation of a prompt: beam search (Lowerre 1976; of networks Graves 2012, Sutskever et al. 2014).

A continuation ends at the first line end, or else has `max_tokens` tokens. No continuation is the beginning of another
one, so their probabilities add to 1, and the likeliest maximises

    ln p(y_1 … y_n | prompt) = Σ_t ln p(y_t | prompt, y_1 … y_{t-1}).

Of the beginnings of each length, only the `beams` likeliest are kept. One beam always takes the likeliest token; as
many as there are beginnings find the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from elman.inference.overflow import require_numbers
from elman.inference.predictor import Predictor


class Continuation(NamedTuple):
    """A continuation of a prompt: its text, without the line end, and its log probability, the line end included."""

    text: str
    log_prob: float


@dataclass(frozen=True)
class Hypothesis:
    """Tokens after the prompt, ln p of them, and the predictor's state after them."""

    tokens: tuple[int, ...]
    log_prob: float
    state: Any


def beam_search(
    predictor: Predictor, state: Any, eos: int, *, beams: int, max_tokens: int, banned: Sequence[int] = ()
) -> Hypothesis:
    """The likeliest continuation that the search finds; its last token is `eos` where it ended before `max_tokens`.

    state: after the prompt; banned: ids that no continuation has, whose probability is lost. Raises ShapeError where
    a probability is not a number.
    """
    live, ended = [Hypothesis((), 0.0, state)], None
    for _ in range(max_tokens):
        best = sorted(_continued(predictor, live, beams, banned), key=lambda found: (-found[0], found[1:]))[:beams]
        kept = []
        for log_prob, k, token in best:
            before = live[k]
            if token == eos:
                if ended is None or log_prob > ended.log_prob:
                    ended = Hypothesis((*before.tokens, token), log_prob, before.state)
            else:
                after = predictor.after(before.state, [token])
                kept.append(Hypothesis((*before.tokens, token), log_prob, after))
        live = kept
        if not live or (ended is not None and ended.log_prob >= live[0].log_prob):
            break  # longer ones only lose
    if ended is not None and (not live or ended.log_prob >= live[0].log_prob):
        return ended
    return live[0]


def _continued(
    predictor: Predictor, live: Sequence[Hypothesis], beams: int, banned: Sequence[int]
) -> list[tuple[float, int, int]]:
    """Of each hypothesis, the likeliest next tokens: (ln p of all, the hypothesis' index, the token)."""
    found = []
    for k, hypothesis in enumerate(live):
        with np.errstate(all="ignore"):  # an overflow shows in the result
            log_probs = predictor.next(hypothesis.state)
        require_numbers(log_probs, "the probability of a token")
        log_probs[list(banned)] = -np.inf
        order = np.argsort(-log_probs, kind="stable")[:beams]
        found += [(hypothesis.log_prob + float(log_probs[token]), k, token) for token in order.tolist()]
    return found

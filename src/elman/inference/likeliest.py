"""The tokens that most probably come next."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from elman.inference.overflow import require_numbers
from elman.inference.predictor import Predictor
from elman.text.tokenizer import Tokenizer


class NextToken(NamedTuple):
    """A token that may come next: its text, and its probability, 0 to 1."""

    token: str
    probability: float


def likeliest(predictor: Predictor, tokenizer: Tokenizer, state: Any, top: int | None = None) -> list[NextToken]:
    """The `top` likeliest tokens after a state, the likeliest first, of equal ones the first in the vocabulary.

    top: at most V; None for all, whose probabilities add to 1. Raises ShapeError where a probability is not a number.
    """
    with np.errstate(all="ignore"):  # an overflow shows in the result
        log_probs = predictor.next(state)
    require_numbers(log_probs, "the probability of a token")
    order = np.argsort(-log_probs, kind="stable")[:top]
    return [NextToken(tokenizer.tokens[k], float(np.exp(log_probs[k]))) for k in order.tolist()]

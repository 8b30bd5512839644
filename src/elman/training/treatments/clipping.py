"""Clipping: how a gradient that is too long is made shorter, before a step is taken with it.

norm      the whole gradient is scaled down to `clip` where its norm is over it (Pascanu, Mikolov and Bengio 2013)
adaptive  the same, with `clip_adaptive` times the running mean of the norm as the limit (they advise half to ten times
          the average); where both are set, the smaller limit holds
elements  every entry is limited to ±clip_elements (Mikolov 2012; char-rnn's 5)

(Mikolov's rnnlm limits not the gradient but the error in the backward pass: `clip_errors`, in the recurrence itself.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.config import TrainingConfig
from elman.model.parameters import Gradients

MEMORY = 100
"""Steps that the running mean of the norm looks back; it is a plain mean until there have been so many."""


def clip_elements(gradients: Gradients, most: float) -> Any:
    """Limits every entry to ±most, in place; whether one was larger, a value where the gradients are."""
    over: Any = False
    for values in gradients.arrays():
        over = over | (values.max() > most) | (values.min() < -most)
        gradients.kernels.xp.clip(values, -most, most, out=values)
    return over


def limit(settings: TrainingConfig, mean_norm: Any, xp: Any = np) -> Any:
    """The largest norm allowed now, ∞ where there is no limit. mean_norm: of the steps before; 0 before the first.

    xp: the array namespace of mean_norm, which may be a number on a device; then so is the limit.
    """
    most = settings.clip or float("inf")
    if not settings.clip_adaptive:
        return most
    return xp.clip(xp.where(mean_norm > 0, settings.clip_adaptive * mean_norm, float("inf")), None, most)


def running_mean(mean: Any, norm: Any, count: Any, xp: Any = np) -> Any:
    """The mean after one more norm, with `count` before it; xp as in `limit`."""
    return mean + (norm - mean) / xp.clip(count + 1, 1, MEMORY)

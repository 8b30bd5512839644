"""What is done to a gradient that is too long, before a step is taken with it.

norm      the whole gradient is scaled down to `clip` where its norm is over it (Pascanu, Mikolov and Bengio 2013)
adaptive  the same, with `clip_adaptive` times the running mean of the norm as the limit (they advise half to ten times
          the average); where both are set, the smaller limit holds
elements  every entry is held within ±clip_elements (Mikolov 2012; char-rnn's 5)

(Mikolov's rnnlm cuts not the gradient but the error on its way back: `clip_errors`, in the recurrence itself.)
"""

from __future__ import annotations

from typing import Any

from elman.config import TrainingConfig
from elman.kernels import backend_of
from elman.model.parameters import Gradients

MEMORY = 100
"""Steps over which the running mean of the norm forgets; it is a plain mean until there have been so many."""


def clip_elements(gradients: Gradients, most: float) -> Any:
    """Holds every entry within ±most, in place; whether there was one over it, told where the gradients are."""
    over: Any = False
    for values in gradients.arrays():
        over = over | (values.max() > most) | (values.min() < -most)
        backend_of(values).xp.clip(values, -most, most, out=values)
    return over


def limit(settings: TrainingConfig, mean_norm: float) -> float:
    """The largest norm allowed now, ∞ where there is no limit. mean_norm: of the steps before; 0 before the first."""
    found = settings.clip or float("inf")
    if settings.clip_adaptive and mean_norm > 0:
        found = min(found, settings.clip_adaptive * mean_norm)
    return found


def running_mean(mean: float, norm: float, count: int) -> float:
    """The mean after one more norm, `count` before it."""
    return mean + (norm - mean) / min(count + 1, MEMORY)

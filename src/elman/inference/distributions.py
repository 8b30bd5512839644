"""The whole distribution of the next token, of any predictor: step by step as a text is drawn, or all of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.mixture import Mixture
from elman.inference.predictor import NetworkPredictor, NetworkState, Predictor
from elman.model.network import hidden_states

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def step(predictor: Predictor, state: Any) -> tuple[Floats, Callable[[int], Any]]:
    """ln p of every token after `state`, float64 [V], and a function from the chosen token to the state after it.

    They are those of `next` and `after`, but a network computes its layers once for both.
    """
    if isinstance(predictor, Mixture):
        steps = [step(part, s) for part, s in zip(predictor.parts, state, strict=True)]
        log_probs = predictor.of([found for found, _ in steps])
        return log_probs, lambda token: tuple(after(token) for _, after in steps)
    if isinstance(predictor, NetworkPredictor):
        h = predictor.h_after(state)
        return predictor.log_probs_of(h), lambda token: NetworkState(h, token)
    return predictor.next(state), lambda token: predictor.after(state, [token])


def distributions(predictor: Predictor, state: Any, ids: Integers | Sequence[int]) -> tuple[Floats, Any]:
    """ln p of every token at the place of each of `ids` [n], float64 [n,V], and the state after them."""
    if isinstance(predictor, Mixture):
        parts = [distributions(part, s, ids) for part, s in zip(predictor.parts, state, strict=True)]
        return predictor.of([found for found, _ in parts]), tuple(after for _, after in parts)
    if isinstance(predictor, NetworkPredictor) and state.last is not None and len(ids):
        x = np.array([state.last, *ids[:-1]])
        forward = hidden_states(predictor.p, x[:, None], state.h)
        log_probs = predictor.p.output.log_probabilities(forward.h_out[:, 0])
        return log_probs.astype(np.float64), NetworkState(forward.h_T, int(ids[-1]))
    found = np.empty((len(ids), predictor.V))
    for k, token in enumerate(ids):
        found[k], after = step(predictor, state)
        state = after(int(token))
    return found, state

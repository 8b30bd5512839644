"""How fast this machine trains at the moment, measured: how large a network is best in a given time depends on it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from elman.config import Level
from elman.kernels import host_kernels
from elman.model.bptt import loss_and_gradients
from elman.model.parameters import Parameters
from elman.training.defaults import SETTINGS, SIZES, operations_per_token

_LARGEST_V = 2048
"""Tokens of the vocabulary that is measured with: a larger one takes longer for the same figure."""
_STEPS = 5
_SHARE = 0.05
"""Of the time for training, what measuring may take; one step to warm up and one that is measured are always made."""


def operations_per_second(
    level: Level, V: float, seconds: float, bf16: bool = False, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Floating-point operations a second, as `operations_per_token` counts them, of training at the level's sizes.

    V: of the vocabulary, or of one whose full output layer has as much work; seconds: for the whole training.
    """
    d, Dh = int(SIZES[level]["d"]), int(SIZES[level]["Dh"])
    T, B = int(SETTINGS[level]["T"]), int(SETTINGS[level]["B"])
    V = min(round(V), _LARGEST_V)
    p = Parameters.initialise(V, d, Dh, seed=1).with_kernels(host_kernels("bf16" if bf16 else "float32"))
    x, y = np.random.default_rng(1).integers(0, V, (2, T, B))
    loss_and_gradients(p, x, y)  # starts the threads, and takes the memory
    began, steps = clock(), 0
    while steps < 1 or (steps < _STEPS and clock() - began < _SHARE * seconds):
        loss_and_gradients(p, x, y)
        steps += 1
    return steps * T * B * operations_per_token(V, d, Dh) / max(clock() - began, 1e-9)

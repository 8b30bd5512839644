"""The gradient flow of a few sequences, measured while a network learns (`--watch-gradients`)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ShapeError
from elman.gradient_flow import decompose, diagnose, norms_by_lag
from elman.model.parameters import Parameters
from elman.training.problem import Batch
from elman.training.records import FlowRecord

SEQUENCES = 2
"""How many sequences of a batch are measured."""


def look(step: int, p: Parameters, batch: Batch, h: NDArray[Any]) -> FlowRecord | None:
    """The gradient of the batch's first sequences by time step; None where the states are no longer finite.

    batch: of tokens. Every step has a loss here: where the problem's own is at the end, the earlier steps predict its
    first answer too.
    """
    began, few = time.perf_counter(), slice(0, SEQUENCES)
    x, answers = batch.x[:, few], batch.y[:, few]
    y = np.concatenate([np.repeat(answers[:1], batch.first, axis=0), answers])
    try:
        flow = decompose(p, x, y, h[few])
    except ShapeError:  # an overflow: the trainer handles it
        return None
    found = diagnose(flow)
    by_lag = [round(float(norm), 4) if np.isfinite(norm) else None for norm in norms_by_lag(flow)]
    numbers = found.numbers
    return FlowRecord(
        step=step, sequences=x.shape[1], T=len(x), verdict=found.verdict, decay_rate=numbers.decay_rate,
        reach=numbers.reach, mean_slope=numbers.mean_slope, flat=numbers.flat, sigma_max=numbers.sigma_max,
        spectral_radius=numbers.spectral_radius, cancellation=numbers.cancellation, log10_norms_by_lag=by_lag,
        seconds=round(time.perf_counter() - began, 4),
    )  # fmt: skip

"""The decision about a step: the one rule of the host and the device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from elman.config import TrainingConfig
from elman.errors import ShapeError
from elman.training.problem import Batch
from elman.training.update import decide


def namespaces() -> list[Any]:
    try:
        import torch
    except ImportError:
        return [np]
    return [np, torch]


@pytest.mark.parametrize("xp", namespaces(), ids=lambda xp: str(xp.__name__))
@pytest.mark.parametrize(
    ("J", "norm", "mean_norm", "settings", "expected"),
    [
        (2.0, 0.5, 0.0, {"clip": 1.0}, (True, 1.0, False)),
        (2.0, 4.0, 0.0, {"clip": 1.0}, (True, 0.25, True)),
        (2.0, 4.0, 0.0, {"clip": 0.0}, (True, 1.0, False)),
        (2.0, 4.0, 1.0, {"clip": 0.0, "clip_adaptive": 2.0}, (True, 0.5, True)),
        (2.0, 4.0, 0.0, {"clip": 0.0, "clip_adaptive": 2.0}, (True, 1.0, False)),
        (2.0, 4.0, 1.0, {"clip": 1.0, "clip_adaptive": 2.0}, (True, 0.25, True)),
        (math.nan, 4.0, 1.0, {"clip": 1.0}, (False, 0.0, True)),
        (2.0, math.nan, 1.0, {"clip": 1.0}, (False, 0.0, False)),
        (2.0, math.inf, 1.0, {"clip": 1.0}, (False, 0.0, True)),
    ],
)
def test_a_step_is_taken_scaled_or_left_out(
    xp: Any, J: float, norm: float, mean_norm: float, settings: dict[str, Any], expected: tuple[bool, float, bool]
) -> None:
    number = np.float64 if xp is np else lambda value: xp.tensor(value, dtype=xp.float64)
    numbers = (number(J), number(norm**2))
    for entries_clipped in (False, True):
        found = decide(*numbers, entries_clipped, number(mean_norm), TrainingConfig(**settings), xp)
        take, scale, clipped = bool(found.take), float(found.scale), bool(found.clipped)
        assert (take, scale, clipped) == (*expected[:2], expected[2] or entries_clipped)
        assert float(found.norm) == pytest.approx(norm, nan_ok=True)


def test_token_ids_are_checked_before_a_step() -> None:
    fits = Batch(np.array([[0, 4]]), np.array([[3, 1]]))
    fits.require_ids(5)
    with pytest.raises(ShapeError, match="x holds token id 4, expected ids from 0 to 3"):
        fits.require_ids(4)
    Batch(np.full((2, 1, 3), 7.5), np.full((1, 1), 0.3)).require_ids(3)  # real inputs are no ids

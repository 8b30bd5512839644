"""What a checkpoint holds besides the weights: counters, the generator, and arrays. All is checked before use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elman.checkpoint import RESTORE, Shapes, require_arrays
from elman.errors import CheckpointError
from elman.schema import COUNTER, FINITE, Range, Source, limits, read
from elman.training.records import Progress
from elman.training.schedule import MikolovRule

Arrays = Mapping[str, NDArray[Any]]

_BITS_128 = limits(Range("a whole number of 128 bits", 0, 2**128, without_high=True, whole=True))
_BIT = limits(Range("0 or 1", 0, 1, whole=True))
_BITS_32 = limits(Range("a whole number of 32 bits", 0, 2**32, without_high=True, whole=True))


@dataclass(frozen=True)
class Position:
    """Where a PCG64 generator is."""

    state: int = field(metadata=_BITS_128)
    inc: int = field(metadata=_BITS_128)


@dataclass(frozen=True)
class GeneratorState:
    """The state of the generator, as NumPy gives it."""

    bit_generator: Literal["PCG64"]
    state: Position
    has_uint32: int = field(metadata=_BIT)
    uinteger: int = field(metadata=_BITS_32)

    def as_dict(self) -> dict[str, Any]:
        """As NumPy takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Counters:
    """All that decides how a run goes on, besides its arrays."""

    progress: Progress
    mikolov: MikolovRule
    generator: GeneratorState


def read_counters(values: Any, path: Path, windows: int) -> Counters:
    """The counters of a checkpoint in a run whose passes have so many windows.

    Raises CheckpointError where one is missing, of another type, out of range, or contradicts another.
    """
    source = Source(f"{path}", CheckpointError, RESTORE)
    counters = read(Counters, values, source, "counters", {int: COUNTER, float: FINITE})
    now = counters.progress
    if now.window >= windows:
        raise source.refuse("counters.progress.window", now.window, f"under {windows:,}, the windows of a pass")
    if now.step != now.epoch * windows + now.window:
        expected = f"{now.epoch * windows + now.window:,}, after {now.epoch:,} passes of {windows:,} and {now.window:,}"
        raise source.refuse("counters.progress.step", now.step, expected)
    return counters


def check_arrays(arrays: Arrays, expected: Shapes, dtype: str, path: Path, steps: int) -> None:
    """Raises CheckpointError unless a checkpoint has just the arrays that training goes on from.

    expected: of those of the weights' type; the COUNTS are one whole number each, at most `steps`.
    """
    source = Source(f"{path}", CheckpointError, RESTORE)
    counts = {name: array for name, array in arrays.items() if name in COUNTS}
    wanted = {name: (1,) for name in expected if name in COUNTS}
    require_arrays(counts, wanted, "int64", path)
    for name, count in counts.items():
        if not 0 <= count[0] <= steps:
            raise source.refuse(name, int(count[0]), f"a number of steps, from 0 to {steps:,}")
    floats = {name: array for name, array in arrays.items() if name not in COUNTS}
    require_arrays(floats, {name: shape for name, shape in expected.items() if name not in COUNTS}, dtype, path)
    for name, array in floats.items():
        if np.isnan(array).any():
            raise source.fault(f"{name} has numbers that are NaN")
        finite = name.startswith((ADAM_MEANS, AVERAGE))  # a mean of squares may overflow, as g² does
        if finite and np.isinf(array).any():
            raise source.fault(f"{name} has numbers that are infinite")
        if name.startswith(ADAM_SQUARES) and (array < 0).any():
            raise source.fault(f"{name} has negative numbers, and they are means of squares")


ADAM_MEANS, ADAM_SQUARES = "adam.m.", "adam.v."
"""How the names of the running means of gradients, and of their squares, begin."""
AVERAGE = "average."
"""How the names of the averages of weights begin."""
ADAM_COUNT, AVERAGE_COUNT = "adam.count", "averaged.count"
"""How many steps were taken."""
COUNTS = (ADAM_COUNT, AVERAGE_COUNT)
"""The arrays that are not of the weights' type."""

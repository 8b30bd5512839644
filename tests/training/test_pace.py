"""The speed of the machine, by a clock of the test's own."""

from __future__ import annotations

from itertools import count

import pytest

from elman.config import Level
from elman.kernels import native_in_use
from elman.training.defaults import SETTINGS, SIZES, operations_per_token
from elman.training.pace import operations_per_second


@pytest.mark.parametrize(("level", "V", "bf16"), [("word", 5e4, False), ("char", 65, False), ("byte", 256, True)])
def test_the_speed_is_that_of_the_steps_made(level: Level, V: float, bf16: bool) -> None:
    """By a clock that goes a second further each time it is read; of a short time little is taken."""
    if bf16 and not native_in_use():
        pytest.skip("bfloat16 needs the native kernels")
    found = {}
    for time in (1.0, 1e6):
        ticks = count(1.0)
        found[time] = operations_per_second(level, V, time, bf16, lambda ticks=ticks: next(ticks))
    d, Dh = SIZES[level]["d"], SIZES[level]["Dh"]
    one = SETTINGS[level]["B"] * SETTINGS[level]["T"] * operations_per_token(min(V, 2048), d, Dh)
    assert found == {1.0: pytest.approx(one / 2), 1e6: pytest.approx(5 * one / 5)}

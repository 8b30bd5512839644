"""What callers from Python may pass: a wrong type or value is one sentence of our error family, never a surprise later.

The command line and run folders have their own checks (config.py, schema.py); these are for the public functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from elman.errors import ConfigError, ShapeError
from elman.schema import Range, expected, fits, in_words

Item = TypeVar("Item")

WHOLE_FROM_0 = Range("a whole number from 0 to 2^63 - 1", 0, 2**63, without_high=True, whole=True)
WHOLE_FROM_1 = Range("a whole number from 1 to 2^63 - 1", 1, 2**63, without_high=True, whole=True)
SEED = Range("a whole number, at least 0", 0, 2**256, whole=True)
BASE = Range("a finite number, over 0 and not 1", 0, without_low=True, without_high=True)


def require(name: str, value: Any, kind: type, allowed: Range | None = None) -> None:
    """Raises ConfigError unless the value is an int, float, bool or str, as `kind` says, and in the range.

    A number of NumPy is one of Python.
    """
    plain = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
    if not fits(kind, plain, allowed):
        raise ConfigError(f"{name} is {in_words(value)}; it must be {expected(kind, allowed, plain)}")


def require_base(base: float) -> None:
    """Raises ConfigError unless it can be the base of a logarithm."""
    require("base", base, float, BASE)
    if base == 1:
        raise ConfigError(f"base is {base!r}; it must be {BASE.words}")


def several(name: str, values: Iterable[Item]) -> Iterable[Item]:
    """The values, which must be several: one text alone would be taken letter by letter. Raises ConfigError."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} is {in_words(values)}; it must be several, as in [{in_words(values)}]")
    return values


def require_array(name: str, value: Any, shape: str) -> None:
    """Raises ShapeError unless the value is an array, of NumPy or of PyTorch. shape: as the message says it."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise ShapeError(f"{name} is {in_words(value)}, expected an array {shape}: make one with numpy.array")

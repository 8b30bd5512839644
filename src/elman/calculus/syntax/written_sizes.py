"""Sizes as they are written: a name, a small number, or a large number, which is treated as a name.

A formula is evaluated at small sizes: D_h may be 5 there, and so may 784, as no array has to be that large. A number
beyond `LARGEST` is a name of a size like any other: the same size wherever it is written, and different from all
others.
"""

from __future__ import annotations

from elman.calculus.syntax.names import fold
from elman.errors import FormulaError

LARGEST = 9  # a written size up to here is that many entries


def is_written(size: str) -> bool:
    """Whether a size is written as a number, of whatever size."""
    return size.isascii() and size.isdigit()


def is_number(size: str) -> bool:
    """Whether a size is a number that means that many entries: 1 … 9."""
    return len(size) == 1 and is_written(size) and size != "0"


def size_of(text: str, column: int | None = None) -> str:
    """The canonical spelling of a size: D_h is Dh, 07 is 7; `FormulaError` for 0 and for an empty text."""
    size = fold(text)
    if is_written(size):
        size = size.lstrip("0")
        if not size:
            raise FormulaError("a size of 0 is given where one from 1 on is expected: write a number or a name", column)
    if not size:
        raise FormulaError("a size is expected here, and none is given: write a number or a name", column)
    return size

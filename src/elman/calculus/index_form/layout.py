"""Layouts: which indices of a derivative are its rows and which are its columns.

    derivative of                                   denominator   numerator   shape
    a scalar with respect to a matrix X [m,n]       [m,n]         [n,m]       [m,n]
    a vector f [m] with respect to a vector x [n]   [n,m]         [m,n]       [m,n]
    a matrix F [m,n] with respect to a scalar       [n,m]         [m,n]       [m,n]
    a scalar by a vector x [n] and a vector y [p]   [n,p]         [n,p]       [n,p]

"shape" is the convention of most papers on networks: a gradient has the shape of what it is taken with respect to, and
a Jacobian is in numerator layout.
"""

from __future__ import annotations

from elman.calculus.index_form.terms import TensorIndex
from elman.errors import FormulaError

LAYOUTS = ("denominator", "numerator", "shape")


def arrange(
    of: tuple[TensorIndex | None, TensorIndex | None], by: tuple[TensorIndex | None, TensorIndex | None], layout: str
) -> tuple[TensorIndex | None, TensorIndex | None] | None:
    """The index of the rows and that of the columns of ∂of/∂by; None where the derivative has more than two indices.

    Raises `FormulaError` for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise FormulaError(f"the layout {layout!r} is not known: write one of {', '.join(LAYOUTS)}")
    above, below = [i for i in of if i is not None], [i for i in by if i is not None]
    if len(above) + len(below) > 2:
        return None
    if not above:
        return by[::-1] if layout == "numerator" else by
    if not below:
        return of[::-1] if layout == "denominator" else of
    return (below[0], above[0]) if layout == "denominator" else (above[0], below[0])


def arrange_second(
    of: tuple[TensorIndex | None, TensorIndex | None],
    first: tuple[TensorIndex | None, TensorIndex | None],
    second: tuple[TensorIndex | None, TensorIndex | None],
    layout: str,
) -> tuple[TensorIndex | None, TensorIndex | None] | None:
    """The index of the rows and that of the columns of ∂²of/∂first ∂second: of a Hessian, the first symbol's index and
    the second's; None where it has more than two indices.
    """
    rows, columns = ([i for i in frame if i is not None] for frame in (first, second))
    if not rows or not columns:
        return arrange(of, first if rows else second, layout)
    if of == (None, None) and len(rows) == len(columns) == 1:
        return rows[0], columns[0]
    return None

"""Layouts: in which order the indices of a derivative stand as rows and columns.

    of a scalar by a matrix X [m,n]          denominator [m,n]   numerator [n,m]   shape [m,n]
    of a vector f [m] by a vector x [n]      denominator [n,m]   numerator [m,n]   shape [m,n]
    of a matrix by a scalar                  denominator turned  numerator as is   shape as is

"shape" is the convention of most papers on networks: a gradient has the shape of what it is taken by, a Jacobian the
numerator layout.
"""

from __future__ import annotations

from elman.calculus.index_form.terms import TensorIndex
from elman.errors import FormulaError

LAYOUTS = ("denominator", "numerator", "shape")


def arrange(
    of: tuple[TensorIndex | None, TensorIndex | None], by: tuple[TensorIndex | None, TensorIndex | None], layout: str
) -> tuple[TensorIndex | None, TensorIndex | None] | None:
    """The index of the rows and that of the columns of ∂of/∂by; None where a derivative has more than two indices."""
    if layout not in LAYOUTS:
        raise FormulaError(f"the layout {layout!r} is not known: write one of {', '.join(LAYOUTS)}")
    above, below = [i for i in of if i is not None], [i for i in by if i is not None]
    if len(above) + len(below) > 2:
        return None
    if not above:  # by a vector or a matrix
        return by[::-1] if layout == "numerator" else by
    if not below:
        return of[::-1] if layout == "denominator" else of
    return (below[0], above[0]) if layout == "denominator" else (above[0], below[0])

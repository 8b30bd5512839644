"""Matrix calculus: expressions with shapes, their derivatives in either layout, as text, LaTeX, NumPy and JSON.

`derive("a^T X b", wrt="X")` is the front door; what it returns knows its text, its LaTeX and its value.
"""

from __future__ import annotations

from elman.calculus.derive_formula import Derived, derivative, derive
from elman.calculus.index_form.layout import LAYOUTS
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, text

__all__ = ["LAYOUTS", "Derived", "derivative", "derive", "latex", "python", "text"]

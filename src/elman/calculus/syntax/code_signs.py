"""Code that is nearly Python: the signs of mathematics in it, and functions of NumPy and PyTorch that are operators."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from elman.calculus.expression import (
    Call,
    Cases,
    Expression,
    Identity,
    Inverse,
    Number,
    Ones,
    Power,
    Product,
    Subtract,
    Transpose,
)
from elman.errors import FormulaError

# What people write in code that is not Python → how Python writes it.
_SIGNS = {"^T": ".T", "^⊤": ".T", "ᵀ": ".T", "⊤": ".T", "⊙": "*", "∘": "*", "·": "@", "−": "-", "²": "**2", "×": "*"}
_SIGN = re.compile("|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True))))


def as_python(text: str) -> tuple[str, list[int]]:
    """Code with the signs of mathematics in it as Python, and for each offset in it (and its end) that in `text`."""
    pieces: list[str] = []
    places: list[int] = []
    at = 0
    for match in _SIGN.finditer(text):
        if match.group().endswith(("T", "ᵀ", "⊤")) and text[match.end() : match.end() + 1].isalnum():
            raise FormulaError("a product has no sign here: write x.T @ A", match.end() + 1)
        new = _SIGNS[match.group()]
        pieces += [text[at : match.start()], new]
        places += [*range(at, match.start()), *([match.start()] * len(new))]
        at = match.end()
    return "".join([*pieces, text[at:]]), [*places, *range(at, len(text) + 1)]


def einsum(pattern: str, arrays: list[Expression]) -> Expression | None:
    """The product of two matrices or columns that a pattern such as `ij,jk->ik` says; None for any other."""
    match = re.fullmatch(r"([a-z]{1,2}),([a-z]{1,2})->([a-z]{0,2})", pattern.replace(" ", ""))
    if match is None or len(arrays) != 2:
        return None
    (left, right), result = match.groups()[:2], match.group(3)
    a, b = arrays
    shared = set(left) & set(right)
    if left == right == result:
        return Product(a, b, "∘")
    if left == right and result == "":
        return Call("sum", (Product(a, b, "∘"),))
    if not shared and result == left + right and len(result) == 2:
        return Product(a, b, "⊗")
    if len(shared) != 1 or shared & set(result):
        return None
    (over,) = shared
    if len(left) == 2 and left[0] == over:
        a, left = Transpose(a), left[::-1]
    if len(right) == 2 and right[1] == over:
        b, right = Transpose(b), right[::-1]
    product = Product(a if len(left) == 2 else Transpose(a), b, "")
    outer = left.replace(over, "") + right.replace(over, "")
    if len(left) == 1 and len(right) == 2:
        return Transpose(product) if result == outer else None
    return product if result == outer else Transpose(product) if result == outer[::-1] else None


SIZED: dict[str, Callable[[str], Expression]] = {"eye": Identity, "ones": Ones}

# A function of NumPy or PyTorch that is an operator here → how many arguments it takes, and the expression.
CALLS: dict[str, tuple[int, Callable[..., Expression]]] = {
    "inv": (1, Inverse),
    "transpose": (1, Transpose),
    "outer": (2, lambda a, b: Product(a, b, "⊗")),
    **dict.fromkeys(("dot", "matmul", "mm", "mv", "vdot", "bmm"), (2, lambda a, b: Product(a, b, "@"))),
    "where": (3, lambda condition, a, b: Cases((a, b), (condition, Number(Fraction(1))))),
    "rowsum": (1, lambda a: Call("sum", (a,), axis=1)),
    "colsum": (1, lambda a: Call("sum", (a,), axis=0)),
    **dict.fromkeys(("multiply", "mul"), (2, lambda a, b: Product(a, b, "∘"))),
    "diagflat": (1, lambda a: Call("diag", (a,), operand="vector")),
    "matrix_power": (2, Power),
    "heaviside": (2, lambda a, b: Call("step", (a,))),
    "mse_loss": (2, lambda a, b: Call("mean", (Power(Subtract(a, b), Number(Fraction(2)), elementwise=True),))),
    "square": (1, lambda a: Power(a, Number(Fraction(2)), elementwise=True)),
}

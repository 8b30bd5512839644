"""What an answer takes for granted, in words: the derivative that is taken where a function has none."""

from __future__ import annotations

from collections.abc import Iterator

from elman.calculus.expression import BigProduct, Call, Cases, Comparison, Symbol, symbols, walk
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.printing.render import text
from elman.calculus.shapes.inference import Shapes

_OF_MATRICES = ("norm2", "nuclear", "pinv")
_SINGULAR = "of the singular value decomposition X = u_1 s_1 v_1^T + … = U S V^T"
_KINKS = {
    "nuclear": f"polar(X) is U V^T {_SINGULAR}; X is taken to have full rank",
    "norm2": f"leading(X) is u_1 v_1^T {_SINGULAR}; s_1 is taken to be larger than the others",
    "prod": "no factor of the product is taken to be 0",
    "norminf": "one entry is taken to have the largest modulus alone",
    "normp": "at 0, where an absolute value has no derivative, 0 is taken",
    "pinv": "the argument of pinv is taken to have full rank",
    "logdet": "logdet is the logarithm of a determinant that is taken to be positive",
    "max": "where the arguments of max are equal, the derivative of one of them is taken",
    "min": "where the arguments of min are equal, the derivative of one of them is taken",
    "clip": "where clip meets a bound, one of its two slopes is taken",
    "norm1": "at 0, where an absolute value has no derivative, 0 is taken",
}


_STRUCTURES = {
    "symmetric": "{0} is symmetric: the gradient is the symmetric G with df = tr(G d{0}); by the entries on and above "
    "the diagonal the derivatives are those of 2 G - G ∘ I",
    "diagonal": "{0} is diagonal: the derivative is by the entries on the diagonal, with zeros elsewhere",
}


def conventions(shapes: Shapes, wrt: tuple[Symbol, ...]) -> tuple[str, ...]:
    """A sentence for each convention that the derivative of the formula `shapes.tree` by `wrt` uses."""
    return tuple(dict.fromkeys((*_of_structures(shapes, wrt), *_conventions(shapes))))


def _of_structures(shapes: Shapes, wrt: tuple[Symbol, ...]) -> Iterator[str]:
    for s in sorted(symbols(shapes.tree), key=lambda s: s.name):
        if s.structure:
            sentence = _STRUCTURES[s.structure] if s in wrt else f"{{0}} is {s.structure}"
            yield sentence.format(text(s))


def _conventions(shapes: Shapes) -> Iterator[str]:
    for node in walk(shapes.tree):
        if isinstance(node, Call) and node.function in ELEMENTWISE:
            kink = ELEMENTWISE[node.function].kink
        elif isinstance(node, Call) and node.function in _OF_MATRICES and "1" in shapes.of(node.arguments[0]):
            kink = ""
        elif isinstance(node, Call):
            kink = _KINKS.get(node.function, "")
        elif isinstance(node, BigProduct):
            kink = _KINKS["prod"]
        elif isinstance(node, Comparison) or (isinstance(node, Cases) and _compares_values(node)):
            kink = "where a condition changes, the derivative of the case that holds there is taken"
        else:
            kink = ""
        if kink:
            yield kink


def _compares_values(e: Cases) -> bool:
    return any(isinstance(node, Comparison) for condition in e.conditions for node in walk(condition))

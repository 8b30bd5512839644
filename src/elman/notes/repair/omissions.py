"""What a formula may have left out: a term of σ - 1, the square of g, the tanh of c; and the other axis of a sum, the
other size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Call, Expression, Number, Power, Subtract, Symbol, walk
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.printing.render import text
from elman.notes.judge.verdict import Verdict
from elman.notes.oracle.oracle import Oracle

ONE, TWO = Number(Fraction(1)), Number(Fraction(2))


def other_sizes(e: Symbol, oracle: Oracle) -> Iterator[tuple[Expression, Verdict, str]]:
    """Other sizes of the page in place of a size: M for N."""
    sizes = dict(oracle.point.sizes)
    if e.name in sizes and e.name not in oracle.model.equations and e.name not in oracle.model.shapes:
        for name in sizes:
            if name != e.name:
                yield Symbol(name), Verdict.ARGUMENT, f"{name}, not {e.name}"


def omissions(e: Expression, oracle: Oracle) -> Iterator[tuple[Expression, Verdict, str]]:
    """What may be left out around a letter or a function value: a square, a function of the page, a 1 beside it."""
    if isinstance(e, Symbol) and e.name not in oracle.model.named:
        yield Power(e, TWO, elementwise=True), Verdict.FALSE, f"{text(e)} squared"
        for function in functions_of(oracle):
            yield Call(function, (e,)), Verdict.ARGUMENT, f"{function} of {text(e)}"
    if isinstance(e, Call) and e.function in ELEMENTWISE and not e.primes:
        yield Subtract(e, ONE), Verdict.FALSE, f"{text(e)} - 1"
        yield Subtract(ONE, e), Verdict.FALSE, f"1 - {text(e)}"


def other_axis(e: Call) -> Iterator[tuple[Call, Verdict, str]]:
    """A sum or a mean over the other axis."""
    if e.function in ("sum", "mean") and e.axis is not None:
        yield replace(e, axis=1 - e.axis), Verdict.BATCH, f"over axis {1 - e.axis}, not {e.axis}"


def functions_of(oracle: Oracle) -> list[str]:
    """The elementwise functions of the page's equations."""
    values = [d.value for found in oracle.model.equations.values() for d in found]
    return sorted(
        {n.function for v in values for n in walk(v) if isinstance(n, Call) and n.function in ELEMENTWISE}
        - {"ln", "exp"}
    )

"""What to write so that a claim which was not checked can be, by the reason that stopped the judge."""

from __future__ import annotations

import re

from elman.calculus.expression import Derivative, Expression
from elman.calculus.printing.render import text

_ADVICE = (
    (r"^the index .* is bound nowhere", "put a sum over it, or write it on the left side too"),
    (r"^an index leaves the shape", "declare the shapes of the letters with indices"),
    (r"^the bound .* is not known$", "declare a shape that has this size"),
    (r"^the dimension .* is not known$", "declare a shape that has this size"),
    (r"^this has no finite value$", "it is infinite, or not real, at the points that were tried"),
    (r"^there is no time step at which this has a value$", "say where its time steps begin and end"),
    (r"has no time step -?\d+$", "write the range of its time steps"),
    (r"^a derivative is by one symbol$", "give a name to what it is by"),
    (r"^this chain has four indices", "write it by entries"),
    (r"singular$", "write what makes this matrix invertible"),
)


def with_advice(reason: str) -> str:
    """The reason with what to write, where it does not say that itself."""
    for pattern, advice in _ADVICE:
        if re.search(pattern, reason):
            return f"{reason}: {advice}"
    return reason


def no_dependence(derivative: Expression) -> str:
    """The reason where a derivative is zero everywhere, as the page was read."""
    assert isinstance(derivative, Derivative)
    of, wrt = text(derivative.of), text(derivative.wrt)
    return f"as the page was read, {of} does not depend on {wrt}: write how it does"

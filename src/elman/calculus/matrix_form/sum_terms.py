"""Terms as pieces of a sum, and what several of them share."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

from elman.calculus.expression import Add, Expression, Product, Subtract
from elman.calculus.matrix_form.matrix_products import Chain, Part, added, expression, factors, parts_chain, powered


@dataclass(frozen=True, slots=True)
class Piece:
    """One term: a number, scalars with powers, and a chain (empty for a scalar) or the parts of a Hadamard product."""

    coefficient: Fraction
    scalars: tuple[Part, ...]
    chain: Chain = ()
    parts: tuple[Part, ...] = ()

    def full(self) -> Chain:
        """Its chain, the parts of a product entry by entry as one element."""
        return self.chain or (parts_chain(list(self.parts)) if self.parts else ())


def scalar(part: Part) -> Expression:
    """A scalar with its power."""
    chain, exponent = part
    return powered(expression(chain), exponent, elementwise=False)


def positive(p: Piece) -> Piece:
    """The piece without its sign."""
    return replace(p, coefficient=abs(p.coefficient))


def entrywise_parts(p: Piece) -> tuple[Part, ...]:
    """The parts of a piece that is a product entry by entry; the whole chain, if it is none."""
    if p.parts or len(p.chain) != 1:
        return p.parts or (((p.chain, Fraction(1)),) if p.chain else ())
    stack, found = [p.chain[0]], []
    while stack:
        e = stack.pop()
        if isinstance(e, Product) and e.operator == "∘":
            stack += [e.right, e.left]
        else:
            found.append((factors(e), Fraction(1)))
    return tuple(found)


def as_piece(p: Piece, parts: tuple[Part, ...]) -> Piece:
    """The piece with other parts."""
    if len(parts) == 1 and parts[0][1] == 1:
        return replace(p, chain=parts[0][0], parts=())
    return replace(p, chain=(), parts=parts)


def shared_parts(listed: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The parts that stand in every list, as often as they do in all of them."""
    first, *others = (Counter(parts) for parts in listed)
    for other in others:
        first &= other
    return tuple(first.elements())


def without(parts: tuple[Part, ...], shared: tuple[Part, ...]) -> tuple[Part, ...]:
    """`parts` without `shared`, each as often as it stands there."""
    rest = list(parts)
    for part in shared:
        rest.remove(part)
    return tuple(rest)


def as_powers(parts: tuple[Part, ...]) -> list[Part]:
    """Equal scalars as one with a higher power."""
    powers: dict[Chain, Fraction] = {}
    for chain, exponent in parts:
        powers[chain] = powers.get(chain, Fraction(0)) + exponent
    return [(chain, exponent) for chain, exponent in powers.items() if exponent]


def common_number(coefficients: list[Fraction]) -> Fraction:
    """What to take out of a sum: its greatest common divisor, its only size, a minus where nothing is positive."""
    sign = -1 if all(c < 0 for c in coefficients) else 1
    sizes = {abs(c) for c in coefficients}
    if len(sizes) == 1:
        return sign * sizes.pop()
    if all(c.denominator == 1 for c in sizes):
        return Fraction(sign * math.gcd(*(int(c) for c in sizes)))
    return Fraction(sign)


def flat_sum(parts: list[tuple[Fraction, Expression]]) -> Expression:
    """A sum of sums without parentheses."""
    flat: list[tuple[Fraction, Expression]] = []
    for sign, e in parts:
        stack = [(sign, e)]
        while stack:
            s, node = stack.pop()
            if isinstance(node, Add | Subtract):
                stack.append((-s if isinstance(node, Subtract) else s, node.right))
                stack.append((s, node.left))
            else:
                flat.append((s, node))
    return added(flat)

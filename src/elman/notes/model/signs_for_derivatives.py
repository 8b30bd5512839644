"""A sign before a letter that stands for a derivative: δh for ∂E/∂h, and D_j S_i for ∂S_i/∂a_j.

The page says so in an equation, δh = ∂E/∂h, and has the sign nowhere but before letters: then it is no factor. A δ that
the page has only before letters and does not explain makes other letters of these.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Derivative,
    Entry,
    Expression,
    Product,
    Symbol,
    base_of,
    children,
    factors_of,
)
from elman.notes.model.page_model import Statement

_FEWEST_LETTERS = 2  # different letters behind a δ that is not explained
_SIGNS = frozenset({"delta", "Delta", "D", "d", "partial"})  # any other letter is a factor: A x = ∂f/∂x lacks a 2

Meaning = Callable[[Expression, Expression], Expression]
"""What a sign and the letter behind it are, both with their indices."""


def with_signs_for_derivatives(statements: Sequence[Statement], declared: Container[str]) -> tuple[Statement, ...]:
    """The statements with such signs and the letters behind them as the derivatives that they are.

    declared: the letters that have a shape, which are no signs.
    """
    found: dict[str, Meaning] = {}
    for s in statements:
        for sign, meaning in _meanings(s):
            if sign in _SIGNS and sign not in declared:
                found.setdefault(sign, meaning)
    if "delta" not in found and "delta" not in declared and _makes_letters(statements):
        found["delta"] = _letter_of_its_own
    for sign in [sign for sign in found if _stands_alone(sign, statements)]:
        del found[sign]
    if not found:
        return tuple(statements)
    return tuple(s.transformed(lambda e: _read(e, found)) for s in statements)


def _meanings(s: Statement) -> Iterator[tuple[str, Meaning]]:
    """The signs that an equation explains, δ of δh = ∂E/∂h and D of D_j S_i = ∂S_i/∂a_j."""
    pair = _pair(s.parts[0])
    derivatives = [part for part in s.parts[1:] if isinstance(part, Derivative) and part.at is None]
    if pair is None or not s.is_equation or not derivatives:
        return
    (sign, letter), d = pair, derivatives[0]
    by = base_of(d.wrt)
    if isinstance(sign, Symbol) and d.wrt == letter and isinstance(d.of, Symbol):
        yield sign.name, lambda _, e: Derivative(d.of, e, span=e.span)
    if d.of == letter and isinstance(by, Symbol) and _indices(sign) == _indices(d.wrt):
        yield (
            _name(sign),
            lambda own, e: Derivative(e, replace(own, of=by) if isinstance(own, Entry) else by, span=e.span),
        )


def _pair(e: Expression) -> tuple[Expression, Expression] | None:
    """The sign and the letter behind it that a product is; None for anything else."""
    factors = factors_of(e, ("",)) if isinstance(e, Product) else []
    if not factors or not all(_name(factor) for factor in factors):
        return None
    sign, letter, *others = factors
    return None if others else (sign, letter)


def _name(e: Expression) -> str:
    """The letter that an expression is, as a whole or an entry of it; empty for any other expression."""
    base = base_of(e)
    return base.name if isinstance(base, Symbol) else ""


def _indices(e: Expression) -> tuple[object, ...]:
    return e.indices if isinstance(e, Entry) else ()


def _makes_letters(statements: Sequence[Statement]) -> bool:
    """Whether a page has equations of products of a plain δ with several letters."""
    pairs = (_pair(s.parts[0]) for s in statements if s.is_equation)
    return len({_name(pair[1]) for pair in pairs if pair is not None and _is_plain_delta(pair[0])}) >= _FEWEST_LETTERS


def _is_plain_delta(e: Expression) -> bool:
    return isinstance(e, Symbol) and e.name == "delta" and e.time is None


def _letter_of_its_own(sign: Expression, e: Expression) -> Expression:
    letter = base_of(e)
    assert isinstance(letter, Symbol)
    own = replace(letter, name=f"delta_of_{letter.name}", latex=rf"\delta {letter.latex}")
    return replace(e, of=own) if isinstance(e, Entry) else own


def _stands_alone(sign: str, statements: Sequence[Statement]) -> bool:
    """Whether a page has a sign anywhere but before a letter."""
    return any(_is_left_over(sign, part) for s in statements for part in s.parts)


def _is_left_over(sign: str, e: Expression) -> bool:
    if _name(e) == sign:
        return True
    if not isinstance(e, Product) or e.operator:
        return any(_is_left_over(sign, child) for child in children(e))
    factors = factors_of(e, ("",))
    behind = {k + 1 for k, factor in enumerate(factors[:-1]) if _name(factor) == sign and _name(factors[k + 1])}
    rest = (f for k, f in enumerate(factors) if k + 1 not in behind and k not in behind)
    return any(_is_left_over(sign, factor) for factor in rest)


def _read(e: Expression, found: dict[str, Meaning]) -> Expression:
    """A product with each sign and the letter behind it as one factor."""
    if not isinstance(e, Product) or e.operator:
        return e
    factors: list[Expression] = []
    for factor in factors_of(e, ("",)):
        meaning = found.get(_name(factors[-1])) if factors else None
        if meaning is not None and _name(factor):
            factors[-1] = meaning(factors[-1], factor)
        else:
            factors.append(factor)
    whole, *rest = factors
    for factor in rest:
        whole = Product(whole, factor)
    return replace(whole, span=e.span)

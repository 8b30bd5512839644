"""Worked numbers: `z = 0.9 · 0.5 + 0.3 = 0.75` is an example, whose arithmetic is checked to the digits written."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod

import numpy as np

from elman.calculus.expression import Call, Expression, Matrix, Number, Symbol, children, symbols, transform, walk
from elman.calculus.functions import Array
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.counterexample import Counterexample

_OF_A_LETTER = re.compile(r"\\?[A-Za-z]+\([A-Za-z]\)")
_DECIMAL = re.compile(r"\d\.\d")
_ROUNDED = 2  # decimals that a rounded number has at least
_LOG = re.compile(r"(?<![A-Za-z])log(?![A-Za-z])")
_LAST_NUMBER = re.compile(r"\d+(?:\.(\d+))?(?!.*\d)", re.DOTALL)


def is_worked(statement: Statement, part: int) -> bool:
    """Whether a part is a number that was worked out: it has decimals, is computed, or follows such a part."""
    e = statement.parts[part]
    if not is_numeric(e):
        return False
    compound = any(children(child) for child in children(e)) or len(children(e)) > 1
    return (
        compound
        or _DECIMAL.search(statement.source(part)) is not None
        or (part > 1 and is_numeric(statement.parts[part - 1]))
    )


def with_its_letter(statement: Statement, part: int, statements: Sequence[Statement]) -> Expression | None:
    """What the page says elsewhere of the function of a letter that a statement is about, g(z) = 1/(1 + e^-z), where a
    part is this with a number for the letter, 1/(1 + e^-1): the letter is missing there, and nothing is worked out. The
    page says of no number that it is the letter. A function of the number shows that it is not g(z) = 1.
    """
    e, applied = statement.parts[part], "".join(statement.source(0).split())
    if len(statement.parts) > 2 or _OF_A_LETTER.fullmatch(applied) is None or not is_numeric(e):
        return None
    if not any(isinstance(n, Call) for n in walk(e)):
        return None
    numbers = {n for n in walk(e) if isinstance(n, Number)}
    for s in statements:
        if len(s.parts) < 2 or s.number == statement.number or "".join(s.source(0).split()) != applied:
            continue
        letters = {n.name for n in symbols(s.parts[1])}
        if len(letters) != 1 or any(_is_value(other, letters) for other in statements):
            continue
        if any(_with_number(s.parts[1], number) == e for number in numbers):
            return s.parts[1]
    return None


def _with_number(e: Expression, number: Number) -> Expression:
    """An expression with a number for its letters."""
    return transform(e, lambda n: number if isinstance(n, Symbol) else n)


def _is_value(s: Statement, letters: Collection[str]) -> bool:
    """Whether a statement gives one of some letters a number: z = 1."""
    left = s.parts[0]
    return isinstance(left, Symbol) and left.name in letters and any(map(is_numeric, s.parts[1:]))


def arithmetic(statement: Statement, part: int) -> Agreement:
    """Whether worked numbers equal those before them, rounded or cut off to the digits that they are written with. A
    logarithm that is not written ln may be to the base 10 or 2.
    """
    left, right = statement.parts[part - 1 : part + 1]
    found = _compared(statement, part, left, right)
    if found.plain or not any(_LOG.search(statement.source(k)) for k in (part - 1, part)):
        return found
    others = (_compared(statement, part, *(_to_base(base, e) for e in (left, right))) for base in ("log10", "log2"))
    return next((other for other in others if other.plain), found)


def may_be_rounded(statement: Statement, part: int) -> bool:
    """Whether a worked number is one off in its last digit, and the numbers that it is computed from, written with as
    many digits, may be rounded: 2.0 · 0.20 = 0.39, where 0.20 stands for 0.1966.
    """
    left, right = statement.parts[part - 1 : part + 1]
    try:
        value, written = _value(left), _value(right)
        digits = _digits(statement, part, written.shape)[0]
        unit = 10.0**-digits
        if value.size != 1 or written.size != 1 or digits < _ROUNDED or abs(value - written).item() > 1.01 * unit:
            return False
        text, spread = statement.formula.text, 0.0
        for number in {n for n in walk(left) if isinstance(n, Number)}:
            if len(text[slice(*number.span)].partition(".")[2]) == digits:
                moved = replace(number, value=number.value + Fraction(1, 2 * 10**digits))
                spread += abs(_value(transform(left, partial(_in_place, number, moved))) - value).item()
    except FormulaError:
        return False
    return abs(value - written).item() - spread <= 0.51 * unit


def _in_place(old: Expression, new: Expression, node: Expression) -> Expression:
    return new if node == old else node


def _to_base(base: str, e: Expression) -> Expression:
    """An expression with logarithms to another base."""
    return transform(e, lambda n: replace(n, function=base) if isinstance(n, Call) and n.function == "ln" else n)


def _compared(statement: Statement, part: int, left: Expression, right: Expression) -> Agreement:
    """Whether two parts, `left` and `right` as they are read, are equal to the digits written."""
    try:
        one, other = _value(left), _value(right)
    except FormulaError as error:
        return Agreement(error=error)
    shapes = ((one.shape[0], one.shape[1]), (other.shape[0], other.shape[1]))
    if one.shape != other.shape:
        return Agreement(counterexample=Counterexample({}, {}, {}, shapes))
    exact = not _DECIMAL.search(statement.source(part)) and not _DECIMAL.search(statement.source(part - 1))
    exact = exact and statement.relation.operators[part - 1] == "="
    digits = _digits(statement, part, other.shape)
    right_ones = [_is_rounded(a, b, n, exact) for a, b, n in zip(one.flat, other.flat, digits, strict=True)]
    if all(right_ones):
        return Agreement(plain=True)
    place = right_ones.index(False)
    row, column = divmod(place, one.shape[1])
    apart = Counterexample({}, {}, {}, shapes, (row + 1, column + 1), float(one.flat[place]), float(other.flat[place]))
    return Agreement(counterexample=apart)


def _digits(statement: Statement, part: int, shape: tuple[int, ...]) -> list[int]:
    """The decimals that each number of a part is written with; for a computed one the most that any of them has."""
    e = statement.parts[part]
    start, text = statement.relation.regions[part][0], statement.formula.text
    entries = [entry for row in e.rows for entry in row] if isinstance(e, Matrix) else [e]
    if len(entries) != prod(shape):
        entries = [e] * prod(shape)
    found = []
    for entry in entries:
        source = text[slice(*entry.span)] if entry is not e and entry.span[1] > start else statement.source(part)
        number = _LAST_NUMBER.search(source)
        found.append(len(number.group(1) or "") if number is not None else 0)
    return found


def _is_rounded(value: float, written: float, digits: int, exact: bool) -> bool:
    """Whether a number is a value, rounded or cut off to its digits."""
    slack = 1e-9 * max(1.0, abs(value)) if exact else 0.51 * 10.0**-digits
    cut_off = digits > 0 and 0 <= abs(value) - abs(written) < 10.0**-digits and value * written >= 0
    return abs(value - written) <= slack or cut_off


def _value(e: Expression) -> Array:
    """The numbers of a part, [m,n]."""

    def no_letter(*_: object) -> None:
        raise FormulaError("a letter in a worked number")

    value = np.asarray(evaluate(e, Environment(no_letter)).real)  # type: ignore[arg-type]
    if not np.isfinite(value).all():
        raise FormulaError("this has no finite value")
    return value

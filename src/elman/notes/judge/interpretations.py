"""Under which reading a formula would hold: error letters as rows or columns, neighbours multiplied as matrices or
entry by entry, a derivative of an elementwise function as a diagonal matrix.

A formula that holds under a reading of its own is not repaired by it: a page has one reading or none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    Call,
    Expression,
    Product,
    Symbol,
    Transpose,
    symbols,
    transform,
)
from elman.calculus.printing.render import text
from elman.notes.judge.checker import Checker, Judgement
from elman.notes.oracle.agreement import agreement, shape_names
from elman.notes.repair.edits import flatten

_FACTORS = 5


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What has to be assumed, in words; none: the page's own reading."""

    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        return "true only " + " and ".join(self.assumptions) if self.assumptions else "true as it is read"


def interpretations_of(checker: Checker, j: Judgement, left: Expression, part: Expression) -> list[Interpretation]:
    """Every reading under which `left = part` holds, the one with the fewest assumptions first."""
    factors, operators, _ = flatten(part) if isinstance(part, Product) else ([part], [], set())
    if not 2 <= len(factors) <= _FACTORS or any(o not in ("", "·") for o in operators):
        return []
    oracles = checker.sampling.oracles(j.statement)
    single = next((w for w in oracles if w.point.label == "B = 1"), None)
    found: list[Interpretation] = []
    for oracle, condition in ((oracles[0], ()), (single, ("for B = 1",))):
        if oracle is None:
            continue
        for turned, turn_words in _turned(checker, part):
            for diagonal, diagonal_words in _diagonal(turned) if condition else [(turned, ())]:
                for joined, join_words in _joined(diagonal):
                    words = (*condition, *turn_words, *diagonal_words, *join_words)
                    if not any(set(r.assumptions) <= set(words) for r in found) and agreement(oracle, left, joined).any:
                        found.append(Interpretation(words))
    return sorted(found, key=lambda r: len(r.assumptions))


def _turned(checker: Checker, part: Expression) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """The part with none, one or all of its error letters lying the other way."""
    names = sorted({s.name for s in symbols(part)} & set(checker.model.named))
    for size in range(len(names) + 1):
        for chosen in itertools.combinations(names, size):
            words = []
            for name in names:
                if name in chosen or not checker.sampling.lies_surely(name):
                    words += _lies(checker, part, name, name in chosen)
            yield _with_turned(part, chosen), tuple(words)


def _lies(checker: Checker, part: Expression, name: str, turned: bool) -> list[str]:
    """How a letter lies, in words: `with γ as [B,Dh]`; none where it has no value."""
    letter = next(s for s in symbols(part) if s.name == name)
    oracle = next(iter(checker.sampling.plain_oracles()))
    shape = oracle.shape_of(name)
    if shape is None:
        return []
    return [f"with {text(replace(letter, time=None))} as {shape_names(oracle, shape[::-1] if turned else shape)}"]


def _with_turned(part: Expression, names: Sequence[str]) -> Expression:
    def change(node: Expression) -> Expression:
        return Transpose(node) if isinstance(node, Symbol) and node.name in names else node

    return transform(part, change) if names else part


def _diagonal(part: Expression) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """The part as it is, and with every f'(z) a diagonal matrix."""
    yield part, ()
    seen: list[Expression] = []

    def change(node: Expression) -> Expression:
        if isinstance(node, Call) and node.primes:
            seen.append(node)
            return Call("diag", (node,))
        return node

    diagonal = transform(part, change)
    if seen:
        first = seen[0]
        assert isinstance(first, Call)
        yield (
            diagonal,
            (f"with {first.latex.lstrip(chr(92)) or first.function}′ as a diagonal matrix".replace("sigma", "σ"),),
        )


def _joined(part: Expression) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """The chain with some of its neighbours multiplied entry by entry, in every grouping."""
    if not isinstance(part, Product):
        yield part, ()
        return
    factors, _, _ = flatten(part)
    for pattern in itertools.product(("", "∘"), repeat=len(factors) - 1):
        words = ("with neighbours multiplied entry by entry (∘)",) if "∘" in pattern else ()
        for tree in _trees(factors, pattern):
            yield tree, words


def _trees(factors: Sequence[Expression], operators: Sequence[str]) -> Iterator[Expression]:
    if len(factors) == 1:
        yield factors[0]
        return
    for cut in range(1, len(factors)):
        for a in _trees(factors[:cut], operators[: cut - 1]):
            for b in _trees(factors[cut:], operators[cut:]):
                yield Product(a, b, operators[cut - 1])


def compare(tried: Sequence[tuple[Judgement, list[Interpretation]]]) -> Iterator[str]:
    """Where formulas under one heading hold each under a reading of its own, if at all: says so."""
    groups: dict[str, list[tuple[Judgement, list[Interpretation]]]] = {}
    for j, readings in tried:
        groups.setdefault(j.statement.formula.heading, []).append((j, readings))
    for group in groups.values():
        if len(group) < 2 or not any(readings for _, readings in group):
            continue
        sets: list[set[tuple[str, ...]]] = [{r.assumptions for r in readings} for _, readings in group]
        common = sets[0].intersection(*sets[1:])
        lines = ", ".join(str(j.line) for j, _ in group)
        if common:
            words = " and ".join(sorted(common, key=len)[0])
            yield f"formulas of lines {lines}: one reading makes them true, {words}"
        else:
            each = "; ".join(
                f"line {j.line} is {readings[0] if readings else 'true in no reading'}" for j, readings in group
            )
            yield f"formulas of lines {lines}: no one reading makes them agree ({each})"

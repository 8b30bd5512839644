"""The interpretations under which a formula would hold: error letters as rows or columns, neighbours multiplied as
matrices or entry by entry, the derivative of an elementwise function as a diagonal matrix.

A page has one interpretation or none: an interpretation of a single formula is no repair of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

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
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.budget import Budget
from elman.notes.repair.edits import flatten
from elman.notes.repair.explanation import Explanation, Interpretation

_FACTORS = 5


def interpretations_of(
    checker: Checker, j: Judgement, left: Expression, part: Expression, budget: Budget
) -> tuple[Interpretation, ...]:
    """Every interpretation under which `left = part` holds, the one with the fewest assumptions first."""
    factors, operators, _ = flatten(part) if isinstance(part, Product) else ([part], [], set())
    if not 2 <= len(factors) <= _FACTORS or any(o not in ("", "·", "@") for o in operators):
        return ()
    oracles = checker.sampling.oracles(j.statement)
    single = next((w for w in oracles if w.point.label == "B = 1"), None)
    found: list[Interpretation] = []
    for oracle, condition in ((oracles[0], ()), (single, ("for B = 1",))):
        if oracle is None:
            continue
        for words, joined in _variants(checker, part, condition):
            if budget.is_exhausted():
                break
            if not any(set(r.assumptions) <= set(words) for r in found) and agreement(oracle, left, joined).any:
                found.append(Interpretation(words))
    return tuple(sorted(found, key=lambda r: len(r.assumptions)))


def _variants(
    checker: Checker, part: Expression, condition: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Expression]]:
    """The ways to read a part, each with what it assumes; diagonal matrices for one column only."""
    for turned, turn_words in _turned(checker, part):
        for diagonal, diagonal_words in _diagonal(turned) if condition else [(turned, ())]:
            for joined, join_words in _joined(diagonal):
                yield (*condition, *turn_words, *diagonal_words, *join_words), joined


def _turned(checker: Checker, part: Expression) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """The part with every choice of its error letters transposed."""
    names = sorted({s.name for s in symbols(part)} & set(checker.model.named))
    for size in range(len(names) + 1):
        for chosen in itertools.combinations(names, size):
            words = []
            for name in names:
                if name in chosen or not checker.sampling.has_known_orientation(name):
                    words += _orientation(checker, part, name, name in chosen)
            yield _with_turned(part, chosen), tuple(words)


def _orientation(checker: Checker, part: Expression, name: str, turned: bool) -> list[str]:
    """The shape of a letter, in words: `with γ as [B,Dh]`; none where it has no value."""
    letter = next(s for s in symbols(part) if s.name == name)
    oracle = next(iter(checker.sampling.plain_oracles()))
    shape = oracle.values.shape_of(name)
    if shape is None:
        return []
    return [f"with {text(replace(letter, time=None))} as {oracle.sizes.as_text(shape[::-1] if turned else shape)}"]


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
    """The product with some of its neighbours multiplied entry by entry, in every grouping."""
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


def compare(explanations: Iterable[Explanation]) -> Iterator[str]:
    """A remark on each section with formulas that do not hold: whether one interpretation fits them all."""
    groups: dict[str, list[tuple[Judgement, tuple[Interpretation, ...]]]] = {}
    for e in explanations:
        if e.interpretations is not None:
            groups.setdefault(e.judgement.statement.formula.heading, []).append((e.judgement, e.interpretations))
    for group in groups.values():
        if len(group) < 2 or not any(found for _, found in group):
            continue
        sets: list[set[tuple[str, ...]]] = [{r.assumptions for r in found} for _, found in group]
        common = sorted(sets[0].intersection(*sets[1:]), key=lambda words: (len(words), words))
        lines = ", ".join(str(j.line) for j, _ in group)
        if common:
            words = " and ".join(common[0])
            yield f"the formulas of lines {lines} hold under one interpretation: {words}"
        else:
            each = "; ".join(f"line {j.line} {found[0] if found else NO_INTERPRETATION}" for j, found in group)
            yield f"the formulas of lines {lines} hold under no common interpretation ({each})"


NO_INTERPRETATION = "holds under no interpretation"

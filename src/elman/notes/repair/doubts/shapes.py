"""Doubts about shapes: a letter that is declared twice or only below, a row for a column, a number for a letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from elman.calculus.expression import (
    Derivative,
    Entry,
    Expression,
    Symbol,
    Transpose,
    has_derivative,
    symbols,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.syntax.written_sizes import is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.advice import no_dependence
from elman.notes.judge.checker import Checker
from elman.notes.judge.declared_anew import shapes_of_part
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import (
    everything_in,
)
from elman.notes.oracle.agreement import agreement
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Candidate, Explanation
from elman.notes.repair.readings import as_written, given_letters, holds_with

_ARRANGED = frozenset(
    {Verdict.MISSING_TRANSPOSE, Verdict.EXTRA_TRANSPOSE, Verdict.ORDER, Verdict.OPERATOR, Verdict.TRACE}
)
_TRANSPOSED = frozenset({Verdict.MISSING_TRANSPOSE, Verdict.EXTRA_TRANSPOSE})
_SAYS_WHICH = re.compile(r"\brow|\bcolumn|行|列|\\in\b|∈|\bshape", re.I)  # a row or a column: R^n has columns
_AROUND = 24  # letters beside a written size in which that is said
_MOST_TURNED = 4  # vectors that are tried as a row for a column
_FAR = 12  # formulas between a letter and its declaration further below


def declared_twice(checker: Checker, e: Explanation) -> str:
    """A clash of shapes is none where the page declares a letter several times, for several parts of it; and shapes
    that were made to fit one of them are no evidence.
    """
    j = e.judgement
    if not _is_misfit(j) and checker.declares_shapes(j):
        return ""
    declared: dict[str, set[tuple[str, str]]] = {}
    own = frozenset(s.number for s in checker.model.own_statements())
    for line in shapes_of_part(checker.page, checker.read, own):
        declared.setdefault(checker.model.aliases.get(line.name, line.name), set()).add((line.rows, line.columns))
    for node in everything_in(checker.model, (j.left, j.expression)):
        shapes = sorted(declared.get(node.name, ())) if isinstance(node, Symbol) else ()
        if len(shapes) > 1:
            letter, listed = text(node), " and as ".join(f"[{rows},{columns}]" for rows, columns in shapes)
            return f"the page declares {letter} as {listed}: write another letter for one of them"
    return ""


def said_to_be_square(checker: Checker, e: Explanation) -> str:
    """A clash of shapes is none where the page declares A as [m,n] for one thing and says of another A that it is
    square.
    """
    j, model = e.judgement, checker.model
    if not _is_misfit(j):
        return ""
    for node in everything_in(model, (j.left, j.expression)):
        if not isinstance(node, Symbol) or "square" not in checker.page.properties.get(node.name, ()):
            continue
        rows, columns = model.shapes.get(node.name, ("", ""))
        if rows != columns:
            return f"the page says that {text(node)} is square and declares it as [{rows},{columns}]: declare it anew"
    return ""


def declared_below(checker: Checker, e: Explanation) -> str:
    """A clash of shapes is none where the page declares a letter only below, under another heading or many formulas
    away: it may use the letter for something else there. A claim that a small repair makes hold speaks for the shapes.
    """
    j = e.judgement
    if not _is_misfit(j) or e.candidates:
        return ""
    here = j.statement.formula
    headings = [(f.start, f.heading) for f in checker.page.formulas]
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Symbol)):
        shape = checker.model.shapes.get(node.name)
        lines = [line for line in checker.page.shapes if line.name == node.name and line.start >= 0]
        starts = [line.start for line in lines if shape in (None, (line.rows, line.columns))]
        if starts and min(starts) > here.start:
            there = [heading for start, heading in headings if start <= min(starts)][-1:]
            between = sum(here.start < start < min(starts) for start, _ in headings)
            if there != [here.heading] or between >= _FAR:
                return f"the page declares {text(node)} further below: declare it above this formula"
        elsewhere = bool(starts) and all(
            [heading for start, heading in headings if start <= at][-1:] != [here.heading] for at in starts
        )
        if elsewhere and j.defines is not None and here.is_within_text:
            return f"the page declares {text(node)} under another heading: declare it above this formula"
    return ""


def number_or_letter(checker: Checker, e: Explanation) -> str:
    """A letter that is declared with a number may have the size that is a letter in its equation: 10 and n."""
    j = e.judgement
    if j.defines is None or isinstance(j.result.error, MisfitError):
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    declared, actual = oracle.sizes.shape(j.defines.name), oracle.values.shape_of(j.defines.name)
    names = {size: name for name, size in oracle.point.sizes}
    for one, other in zip(declared or (), actual or (), strict=False):
        number, letter = names.get(one, "1"), names.get(other, "1")
        if is_written(number) and not is_written(letter):
            return f"whether {letter} is {number} is not known: write one of the two in all shapes"
    return ""


def _is_misfit(j: Judgement) -> bool:
    """Whether a claim fails as shapes do not fit, its sides or what is in one of them."""
    return j.result.counterexample is None or j.result.counterexample.entry is None


def without_small_repair(checker: Checker, e: Explanation) -> str:
    """A doubtful claim is a mistake only if a small repair holds; where its shapes do not fit and most of them were
    guessed, only if another arrangement of the same factors does.
    """
    j = e.judgement
    small = e.candidates
    if not is_mostly_declared(checker, j):
        small = tuple(f for f in small if f.cost <= EDIT and (not _is_misfit(j) or _is_arranged(checker, j, f)))
    return j.unchecked if j.doubtful and not small else ""


def needs_small_repair(checker: Checker, j: Judgement) -> bool:
    """Whether nothing but a repair of one edit shows that a claim is a mistake."""
    return j.doubtful and not is_mostly_declared(checker, j)


def is_mostly_declared(checker: Checker, j: Judgement) -> bool:
    """Whether the page declares more than half of the given letters that a claim depends on."""
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}
    return len(given & guessed_letters(checker, j)) < len(given) / 2


def _is_arranged(checker: Checker, j: Judgement, f: Candidate) -> bool:
    """Whether a repair has the same factors in another arrangement; a vector that was guessed may be a row or a column,
    so that its transpose is no other one.
    """
    turned = set(_turned(f.part)) ^ set(_turned(j.expression))
    guessed = turned & guessed_letters(checker, j)
    return _ARRANGED.issuperset(f.verdicts) and not any(
        _is_vector(checker, j, name) and not _fits_one_way(checker, j, name) for name in guessed
    )


def _fits_one_way(checker: Checker, j: Judgement, name: str) -> bool:
    """Whether what a claim differentiates writes a vector out, as ∂(a^T X b)/∂X does, and does not fit with its
    transpose: then the vector is no row for a column.
    """
    of = j.left.of if isinstance(j.left, Derivative) else None
    shape = checker.model.shapes.get(name) or checker.sampling.local_shapes(j.statement).get(name)
    if of is None or isinstance(of, Symbol) or shape is None or name not in {s.name for s in symbols(of)}:
        return False
    turned = {name: shape[::-1]}
    model = replace(checker.model, shapes={**checker.model.shapes, **turned})
    sampled = checker.sampling.oracles(j.statement)[0]
    try:
        value = checker.oracles.new(model, sampled.point, {**sampled.local, **turned}, sampled.conditions)
        return bool(value.evaluate(of, {}).shape[-2:] != sampled.evaluate(of, {}).shape[-2:])
    except FormulaError:
        return True


def guessed_letters(checker: Checker, j: Judgement) -> set[str]:
    """The letters whose shapes the page does not declare."""
    return {*checker.model.assumed, *checker.sampling.local_shapes(j.statement)}


def _is_vector(checker: Checker, j: Judgement, name: str) -> bool:
    """Whether a letter was read as a row or a column, and could as well be the other."""
    shape = checker.model.shapes.get(name) or checker.sampling.local_shapes(j.statement).get(name)
    return name in checker.model.families or shape is None or "1" in shape


def _turned(e: Expression) -> Iterator[str]:
    """The letters that are transposed in an expression."""
    return (n.of.name for n in walk(e) if isinstance(n, Transpose) and isinstance(n.of, Symbol))


def entry_of_a_number(checker: Checker, e: Explanation) -> str:
    """∂f_i/∂x_j beside f(x) = x^3, a number: f_i is an entry of another f; or where the page has no equation of f."""
    j = e.judgement
    values = checker.sampling.oracles(j.statement)[0].values
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry)):
        of = node.of
        if not isinstance(of, Symbol) or of.time is not None or of.name not in checker.model.equations:
            continue
        if not checker.model.equations[of.name][0].indices and values.shape_of(of.name) == (1, 1):
            return f"{text(of)} is a number by its equation and has an index here: write another letter for one of them"
    for d in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Derivative)):
        letter = d.of.of if isinstance(d.of, Entry) else None
        if _is_misfit(j) and isinstance(letter, Symbol) and letter.name not in checker.model.equations:
            return no_dependence(d)
    return ""


def number_or_column(checker: Checker, e: Explanation) -> str:
    """x_j that was read as column j, where shapes do not fit and no repair is found, may be an entry of x."""
    j = e.judgement
    if not _is_misfit(j) or e.candidates:
        return ""
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry) and n.column):
        if isinstance(node.of, Symbol) and node.of.name in checker.model.families:
            entry, letter = text(node), text(node.of)
            return f"whether {entry} is a number or a column is not known: declare the shape of {letter}"
    return ""


def turned_gradient(checker: Checker, e: Explanation) -> str:
    """w - a ∂J/∂w, where nothing says what w is: the derivative may be a row or a column, as w may."""
    j = e.judgement
    if not e.candidates or not all(_TRANSPOSED.issuperset(f.verdicts) for f in e.candidates if f.cost <= EDIT):
        return ""
    for node in (n.of for f in e.candidates[:1] for n in walk(f.part) if isinstance(n, Transpose)):
        if not isinstance(node, Derivative) or not isinstance(node.wrt, Symbol):
            continue
        if node.wrt.name in guessed_letters(checker, j):
            letter = text(node.wrt)
            return f"whether the gradient by {letter} is a row or a column is not known: declare the shape of {letter}"
    return ""


def turned_vector(checker: Checker, e: Explanation) -> str:
    """A vector whose shape was guessed may be a row or a column, as a bias that is added to all rows is."""
    j = e.judgement
    shapes = {**checker.model.shapes, **checker.sampling.local_shapes(j.statement)}
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)} & guessed_letters(checker, j)
    vectors = [name for name in sorted(given) if (shapes.get(name, ("1", "1")).count("1")) == 1]
    for name in vectors[:_MOST_TURNED]:
        turned = {name: shapes[name][::-1]}
        if holds_with(checker, j, turned):
            letter, (rows, columns) = text(as_written(name, (j.left, j.expression))), turned[name]
            return f"it holds where {letter} is [{rows},{columns}]: declare its shape"
    return ""


def rows_for_columns(checker: Checker, e: Explanation) -> str:
    """x w^T of two vectors of which the page says the size alone, "w of n numbers": both may be rows."""
    j = e.judgement
    if has_derivative(j.left, j.expression):
        return ""
    shapes = {**checker.model.shapes, **checker.sampling.local_shapes(j.statement)}
    own = dict.fromkeys(n.name for n in walk(j.expression) if isinstance(n, Symbol))
    columns = [n for n in own if shapes.get(n, ("1", "1"))[0] != "1" == shapes.get(n, ("1", "1"))[1]]
    vectors = [name for name in columns if _is_of_either_shape(checker, j, name)]
    if not 1 < len(vectors) <= _MOST_TURNED:
        return ""
    if not holds_with(checker, j, {name: shapes[name][::-1] for name in vectors}):
        return ""
    names = ", ".join(text(as_written(name, (j.left, j.expression))) for name in vectors)
    return f"it holds where the vectors {names} are rows: declare their shapes"


def _is_of_either_shape(checker: Checker, j: Judgement, name: str) -> bool:
    """Whether a vector may be a row or a column: its shape was guessed, or the page says its size alone, in words."""
    declared = [line for line in checker.page.shapes if line.name == name]
    if not declared:
        return name in guessed_letters(checker, j)
    page = checker.page.text
    around = [page[max(0, d.start - _AROUND) : d.end + _AROUND] if d.start >= 0 else "row" for d in declared]
    return not any(_SAYS_WHICH.search(each) for each in around)


def turned_by_entries(checker: Checker, e: Explanation) -> str:
    """A vector that the page defines by its entries alone, μ_j = Σ_i x_ij, may be a row or a column."""
    j, model = e.judgement, checker.model
    by_entries = {n for n, found in model.equations.items() if n not in model.shapes and len(found[0].indices) == 1}
    if not _is_misfit(j) or not by_entries:
        return ""
    within = {id(n.of) for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry)}
    whole = [n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Symbol) and id(n) not in within]
    names = {s.name for s in whole} & by_entries
    turns = any(f.cost <= EDIT and _TRANSPOSED.issuperset(f.verdicts) for f in e.candidates)
    if not turns and not any(agreement(o, j.left, j.expression).turned for o in checker.sampling.oracles(j.statement)):
        return ""
    if not names:
        return ""
    return (
        f"{text(Symbol(min(names)))} is defined by its entries, so that it may be a row or a column: declare its shape"
    )

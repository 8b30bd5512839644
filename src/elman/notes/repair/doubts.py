"""What speaks against calling a single claim wrong: the reading under which it fails rests on a guess.

Each doubt takes a claim that fails and says what to write, so that it can be checked; empty where it does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import numpy as np

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Number,
    Power,
    Product,
    Symbol,
    Transpose,
    base_of,
    children,
    has_derivative,
    symbols,
    transform,
    walk,
    with_children,
)
from elman.calculus.printing.render import text
from elman.calculus.syntax.names import fold
from elman.calculus.syntax.written_sizes import is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.advice import no_dependence
from elman.notes.judge.checker import Checker
from elman.notes.judge.claim_kinds import is_condition, is_product_written_out
from elman.notes.judge.declared_anew import shapes_of_part
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.convolutions import is_about_convolutions, mentions_convolutions
from elman.notes.model.page_model import (
    Definition,
    PageModel,
    everything_in,
    free_indices,
    free_times,
    letter_of,
    names_in,
)
from elman.notes.model.statement_kinds import defined_letter, ends_in_zero, is_written_again
from elman.notes.oracle.agreement import MOST_OF_DIRECT_USE, agreement, agreement_of_direct_use, assignments, compare
from elman.notes.oracle.evaluation_point import OutOfRangeError
from elman.notes.oracle.oracle import Oracle
from elman.notes.page.page import SUPPLIED
from elman.notes.repair.edits import EDIT, over_other_indices
from elman.notes.repair.explanation import Candidate, Explanation, as_judged
from elman.notes.repair.no_claims import (
    a_differential,
    a_given_value,
    of_a_counted_size,
    of_any_shape,
    of_differentials,
    of_one_index,
    of_several_values,
    of_two_members,
    of_two_steps,
)
from elman.notes.repair.readings import as_written, given_letters, holds_in, holds_with, number_it_holds_for

_ARRANGED = frozenset(
    {Verdict.MISSING_TRANSPOSE, Verdict.EXTRA_TRANSPOSE, Verdict.ORDER, Verdict.OPERATOR, Verdict.TRACE}
)
_TRANSPOSED = frozenset({Verdict.MISSING_TRANSPOSE, Verdict.EXTRA_TRANSPOSE})
_OR = re.compile(r"\{\s*or\s*\}|或")  # one equation or the other
_STAR = re.compile(r"(?<![\^_{])\s*(?:\*|\\(?:circled)?ast(?![A-Za-z]))")
_BEGINS_WITH_OR = re.compile(r"(?:or|alternatively)\b|或", re.I)
_ANOTHER = re.compile(
    r"\b(?:example|case|exercise|problem|question|part|step)\s*\(?\d+\W*$|(?:例|情况|情形|问题|练习)\s*\d+\W*$"
    r"|(?:^|\s)[-*+•]\s+[^\s.:,;。：，；]+(?:\s[^\s.:,;。：，；]+){0,3}$|\bconsider\b[^.]{0,30}$|考虑[^。]{0,12}$",
    re.I,
)  # what another example begins with, or the title of an item
_ONE_EXAMPLE = re.compile(
    r"\b(?:for|of|on|with|consider\w*|take|using)\s+(?:just\s+|only\s+)?(?:one|an?|each|every)\s+(?:single\s+)?(?:training\s+)?"
    r"(?:example|sample|instance|data\s*point|observation)\b|(?:单个|一个|单一|每个|某个)(?:训练)?(?:样本|样例)",
    re.I,
)
_NEW_DEFINITION = "another equation of this letter differs from it: if this is a new definition, say so in words"
_SAYS_WHICH = re.compile(r"\brow|\bcolumn|行|列|\\in\b|∈|\bshape", re.I)  # a row or a column: R^n has columns
_POINT = re.compile(r"(?<![A-Za-z\\_^{])\b([A-Za-z])\s*=\s*(-?\d+(?:\.\d+)?)(?!\d|\.\d|[A-Za-z]|\s*[\\+*/^(-])")
_NEAR = 1200  # letters before a formula in which a point is named
_AROUND = 24  # letters beside a written size in which that is said
_AGAIN_AND_AGAIN = 3  # equations of one letter
_MOST_TURNED = 4  # vectors that are tried as a row for a column
_FAR = 12  # formulas between a letter and its declaration further below
_TRIED = 8  # time steps and indices at which a derivative is looked at


def doubt_of(checker: Checker, e: Explanation) -> str:
    """Why a claim that fails is not to be called wrong, and what to write; empty where nothing speaks against it."""
    readings = (_written_twice, _without_small_repair) if e.judgement.defines is not None else _OF_READINGS
    doubts = (*_OF_ALL, _declared_below, *readings)
    return next((why for why in (doubt(checker, e) for doubt in doubts) if why), "")


def doubt_before_repair(checker: Checker, j: Judgement) -> str:
    """A doubt that stands whatever repairs are found, so that none need be searched for; empty where there is none."""
    if j.defines is not None:
        doubts = _OF_ALL
    else:
        known = _is_mostly_declared(checker, j) or is_product_written_out(j.left, j.expression)
        guessed = () if known else (letter_on_one_side,)
        doubts = (*_OF_ALL, *guessed, *_OF_CLAIM)
    e = as_judged(j)
    return next((why for why in (doubt(checker, e) for doubt in doubts) if why), "")


def doubt_of_shapes(checker: Checker, j: Judgement) -> str:
    """A doubt that the shapes are those of the letters that a claim has, so that they clash; empty where there is
    none.
    """
    e = as_judged(j)
    return next((why for why in (doubt(checker, e) for doubt in (*_OF_ALL, _declared_below)) if why), "")


def _declared_twice(checker: Checker, e: Explanation) -> str:
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


def _said_to_be_square(checker: Checker, e: Explanation) -> str:
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


def _declared_below(checker: Checker, e: Explanation) -> str:
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


def _of_the_equation_above(checker: Checker, e: Explanation) -> str:
    """∂f/∂X of the f that is defined just above, f(X) = tr(X), on a page that defines several f in turn."""
    j, model = e.judgement, checker.model
    of = j.left.of if isinstance(j.left, Derivative) else None
    if (
        not isinstance(of, Symbol)
        or of.time is not None
        or of.name not in model.equations
        or j.result.error is not None
    ):
        return ""
    known = {d.value for d in model.equations[of.name]}
    above = [s for s in model.statements if s.number < j.statement.number and s.parts[0] == of and len(s.parts) > 1]
    if not above or above[-1].parts[1] in known or has_derivative(*above[-1].parts):
        return ""
    definition = replace(model.equations[of.name][0], value=above[-1].parts[1], indices=())
    other = replace(model, equations={**model.equations, of.name: (definition,)})
    sampled = checker.sampling.oracles(j.statement)
    if not holds_in((checker.oracles.new(other, o.point, o.local, o.conditions) for o in sampled), j):
        return ""
    return f"it holds for the equation of {text(of)} just above: write another letter for each of them"


def _by_itself(checker: Checker, e: Explanation) -> str:
    """∇f without the letter below it is by no letter that the page writes elsewhere, where that is f itself."""
    left = e.judgement.left
    by_itself = isinstance(left, Derivative) and left.of == left.wrt
    return "∇ needs below it the symbol by which to differentiate: ∇_W J" if by_itself else ""


def _number_or_letter(checker: Checker, e: Explanation) -> str:
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


def _may_be_convolution(checker: Checker, e: Explanation) -> str:
    """Y = W * X on a page that mentions convolutions may be no product; so may what follows from it. On a page about
    convolutions a * that was read stands between numbers.
    """
    if is_about_convolutions(checker.page) or not mentions_convolutions(checker.page):
        return ""
    j, model = e.judgement, checker.model
    names = names_in(model, (j.left, j.expression))
    above = {d.statement for name in names for d in model.equations.get(name, ())}
    statements = [j.statement, *(model.statements[n] for n in sorted(above) if n >= 0)]
    if not any(_STAR.search(s.formula.text) for s in statements):
        return ""
    return "the sign * may be a convolution here, which is not read"


def _is_misfit(j: Judgement) -> bool:
    """Whether a claim fails as shapes do not fit, its sides or what is in one of them."""
    return j.result.counterexample is None or j.result.counterexample.entry is None


def _without_small_repair(checker: Checker, e: Explanation) -> str:
    """A doubtful claim is a mistake only if a small repair holds; where its shapes do not fit and most of them were
    guessed, only if another arrangement of the same factors does.
    """
    j = e.judgement
    small = e.candidates
    if not _is_mostly_declared(checker, j):
        small = tuple(f for f in small if f.cost <= EDIT and (not _is_misfit(j) or _is_arranged(checker, j, f)))
    return j.unchecked if j.doubtful and not small else ""


def needs_small_repair(checker: Checker, j: Judgement) -> bool:
    """Whether nothing but a repair of one edit shows that a claim is a mistake."""
    return j.doubtful and not _is_mostly_declared(checker, j)


def _is_mostly_declared(checker: Checker, j: Judgement) -> bool:
    """Whether the page declares more than half of the given letters that a claim depends on."""
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}
    return len(given & _guessed(checker, j)) < len(given) / 2


def _is_arranged(checker: Checker, j: Judgement, f: Candidate) -> bool:
    """Whether a repair has the same factors in another arrangement; a vector that was guessed may be a row or a column,
    so that its transpose is no other one.
    """
    turned = set(_turned(f.part)) ^ set(_turned(j.expression))
    guessed = turned & _guessed(checker, j)
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


def _guessed(checker: Checker, j: Judgement) -> set[str]:
    """The letters whose shapes the page does not declare."""
    return {*checker.model.assumed, *checker.sampling.local_shapes(j.statement)}


def _is_vector(checker: Checker, j: Judgement, name: str) -> bool:
    """Whether a letter was read as a row or a column, and could as well be the other."""
    shape = checker.model.shapes.get(name) or checker.sampling.local_shapes(j.statement).get(name)
    return name in checker.model.families or shape is None or "1" in shape


def _turned(e: Expression) -> Iterator[str]:
    """The letters that are transposed in an expression."""
    return (n.of.name for n in walk(e) if isinstance(n, Transpose) and isinstance(n.of, Symbol))


def _defined_anew(checker: Checker, e: Explanation) -> str:
    """A second equation of a letter that no small repair makes equal to the first may be a new definition; so may one
    that applies a function to the first, one that the page writes twice, and an assignment in code.
    """
    j = e.judgement
    letter = defined_letter(j.left)
    if letter is None or has_derivative(j.expression) or j.result.error is not None:
        return ""
    known = checker.model.equations.get(letter.name, ())
    formula = j.statement.formula
    either = (
        _OR.search(formula.text) is not None
        or _BEGINS_WITH_OR.match(formula.before.lstrip(" ,.;，；。")) is not None
        or _ANOTHER.search(formula.before) is not None
    )
    around = isinstance(j.expression, Call) and any(d.value in j.expression.arguments for d in known)  # H = f(X W + b)
    again = formula.kind == "code" or is_written_again(checker.model.statements, j.statement)
    small = any(f.cost <= EDIT for f in e.candidates) and not (either or around or again)
    if small or not any(d.statement not in (j.statement.number, -1) for d in known):
        return ""
    return _NEW_DEFINITION


def _written_twice(checker: Checker, e: Explanation) -> str:
    """An equation that defines a letter, and that the page writes twice, is no slip."""
    return _NEW_DEFINITION if is_written_again(checker.model.statements, e.judgement.statement) else ""


def letter_on_one_side(checker: Checker, e: Explanation) -> str:
    """No equation holds for all values of a given letter that one of its sides alone depends on. It may be a slip for
    another letter, where that one repair makes it hold and the page declares nearly all others, or both sides are
    matrices written out.
    """
    j = e.judgement
    known = _is_mostly_declared(checker, j) or is_product_written_out(j.left, j.expression)
    if known and any(f.cost <= EDIT for f in e.candidates):
        return ""
    left, right = given_letters(checker, j, j.left), given_letters(checker, j, j.expression)
    alone = [name for name in right if name not in left]
    if not has_derivative(j.left):
        alone += [name for name in left if name not in right]
    guessed = _guessed(checker, j)
    for name in alone:
        if name in guessed:
            letter = text(as_written(name, (j.left, j.expression)))
            return f"one side alone depends on {letter}, which no equation of the page defines: write what it is"
    return ""


def _sizes_of(entry: Entry, index: str, model: PageModel) -> Iterator[str]:
    """The declared sizes over which an index runs in an entry; empty where none is declared."""
    letter = entry.of.name if isinstance(entry.of, Symbol) else ""
    if letter in model.families:
        return
    shape = model.shapes.get(letter, ("",) * len(entry.indices))
    yield from (size for place, size in zip(entry.indices, shape, strict=False) if place.variable == index)


def _runs_to_another_size(checker: Checker, e: Explanation) -> str:
    """Σ_{k=0}^{K-1} a_ik, where a is declared as [M,n] and nothing in the sum has K entries: K may be n, or a slip."""
    model = checker.model
    totals = [
        n
        for n in everything_in(model, (e.judgement.left, e.judgement.expression))
        if isinstance(n, BigSum | BigProduct)
    ]
    running = {total.index for total in totals}  # i of Σ_i Σ_{j=1}^{i-1} is no size
    for total in totals:
        if total.upper is None or total.upper.variable is None or total.upper.variable in running:
            continue
        upper = model.bounds.get(total.upper.variable, total.upper.variable)
        sizes = {
            size
            for entry in walk(total.body)
            if isinstance(entry, Entry)
            for size in _sizes_of(entry, total.index, model)
        }
        if not all(sizes):
            continue
        if sizes and fold(upper) not in map(fold, sizes):
            return f"whether {min(sizes)} is {upper} is not known: write one of the two in all shapes"
    return ""


def _entry_of_a_number(checker: Checker, e: Explanation) -> str:
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


def _size_on_one_side(checker: Checker, e: Explanation) -> str:
    """m_1 / φ - m_2 / (1 - φ), where nothing on the left side has m_1 terms or entries: it counts something unread."""
    j = e.judgement
    if j.result.error is not None or checker.declares_shapes(j):
        return ""
    model, sizes = checker.model, checker.sampling.sizes()
    known = set[str]()
    for node in everything_in(model, [j.left]):
        if isinstance(node, Symbol):
            known |= {node.name, *model.shapes.get(node.name, ()), *model.derived.get(node.name, ())}
        elif isinstance(node, BigSum | BigProduct) and node.upper is not None and node.upper.variable:
            known.add(node.upper.variable)
    known |= {model.bounds[name] for name in known if name in model.bounds}
    for node in walk(j.expression):
        if not isinstance(node, Symbol) or node.name not in sizes:
            continue
        if {node.name, model.bounds.get(node.name)}.isdisjoint(known):
            return f"one side alone depends on {text(node)}, which counts nothing on the other: write what it is"
    return ""


def _at_a_point(checker: Checker, e: Explanation) -> str:
    """∂s/∂x = 2 x = 6 where the words before it say "at x = 3": the number is the value there."""
    j = e.judgement
    if not isinstance(j.left, Derivative) or j.part < 2 or j.result.error is not None:
        return ""
    numbers = {n.value for n in walk(j.expression) if isinstance(n, Number)}
    before = j.statement.parts[1 : j.part]
    if numbers <= {n.value for part in before[:1] for n in walk(part) if isinstance(n, Number)}:
        return ""
    names = {n.name for part in (j.left, *before) for n in walk(part) if isinstance(n, Symbol)}
    here = j.statement.formula.start
    found = (m for m in _POINT.finditer(checker.page.text, max(0, here - _NEAR), here) if m.group(1) in names)
    point = next(found, None)
    return "" if point is None else f"it may be said at {point.group(1)} = {point.group(2)}: write the point behind it"


def _one_of_several(checker: Checker, e: Explanation) -> str:
    """`= y - 1 \\text{ or } y - 0`: each side of "or" may hold in a case of its own."""
    j = e.judgement
    start, end = j.statement.region(j.part)
    written = j.statement.formula.text
    first, last = max(written.rfind(r"\\", 0, start), 0), written.find(r"\\", end)
    row = written[first : last if last >= 0 else len(written)]
    if j.result.error is not None or _OR.search(row) is None:
        return ""
    return "it may be about one of several cases, as it says “or”: say where each of them holds"


def _constant_derivative(checker: Checker, e: Explanation) -> str:
    """A derivative on the right side that is zero everywhere shows that an equation was not read."""
    j = e.judgement
    small = any(f.cost <= EDIT for f in e.candidates)
    if j.result.error is not None or (small and checker.declares_shapes(j)):
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    for derivative in _outermost_derivatives(j.expression):
        if derivative.at is None and _is_zero(oracle, j, derivative):
            return no_dependence(derivative)
    return ""


def _index_of_one_entry(checker: Checker, e: Explanation) -> str:
    """An equation of one entry, E_i = -a_i b_i with nothing that binds i, says nothing of a sum over i; and it may mean
    that sum, as i occurs twice.
    """
    nodes = list(everything_in(checker.model, (e.judgement.left, e.judgement.expression)))
    summed = {n.index for n in nodes if isinstance(n, BigSum | BigProduct)}
    for name in sorted({n.name for n in nodes if isinstance(n, Symbol)}):
        for d in checker.model.equations.get(name, ()):
            letter = text(Symbol(name))
            if d.statement >= 0 and checker.model.statements[d.statement].formula.kind == SUPPLIED:
                continue  # said in words
            written = _arguments_of(checker, d)
            for index in sorted(free_indices(d.value) - set(d.indices)):
                if re.search(rf"(?<![A-Za-z\\]){index}(?![A-Za-z])", written):
                    continue  # P(X = o | Y = c), L(v_c, U): of one c, as it says
                if index in summed:
                    return f"the equation of {letter} is for one {index}: write that index behind its letter"
                if _occurrences(d.value, index) > 1:
                    return f"the equation of {letter} is for one {index}: write the sum if it is over all of them"
    return ""


def _arguments_of(checker: Checker, d: Definition) -> str:
    """What stands in parentheses on the left side of a definition, as the page writes it."""
    left = checker.model.statements[d.statement].source(0) if d.statement >= 0 else ""
    return left.partition("(")[2]


def _occurrences(e: Expression, index: str) -> int:
    return sum(isinstance(n, Entry) and any(i.variable == index for i in n.indices) for n in walk(e))


def _sum_of_equal_terms(checker: Checker, e: Explanation) -> str:
    """Σ_{i=1}^m (y - t)^2 over examples: its letters are those of example i, although they do not say so. But
    Σ_j a_il is a slip where Σ_l a_il, of a claim that has no other l, makes it hold.
    """
    left, part = e.judgement.left, e.judgement.expression
    for node in everything_in(checker.model, (left, part)):
        if isinstance(node, BigSum) and symbols(node.body) and not _has_index(node.body, node.index):
            if any(_holds_with_sum(checker, e.judgement, node, other) for other in over_other_indices(node)):
                continue
            return f"no letter of the sum over {node.index} has this index: write it at those that it runs over"
    return ""


def _holds_with_sum(checker: Checker, j: Judgement, node: BigSum, other: BigSum) -> bool:
    """Whether a claim holds with another sum in place of one on its right side, and has one free index less."""
    part = transform(j.expression, lambda n: other if n == node else n)
    if not free_indices(part) < free_indices(j.expression):
        return False
    return all(agreement(o, j.left, part).plain for o in checker.sampling.oracles(j.statement))


def _of_one_example(checker: Checker, e: Explanation) -> str:
    """ŷ - y where the loss is a mean over all examples: it is of one, where the words below the loss say so."""
    j = e.judgement
    of = j.left.of if isinstance(j.left, Derivative) else None
    if not isinstance(of, Symbol) or j.result.ratio is None:
        return ""
    for d in checker.model.equations.get(of.name, ()):
        if d.statement < 0 or not any(isinstance(n, BigSum | Call) for n in walk(d.value)):
            continue
        below = checker.model.statements[d.statement].formula.outer[1]
        if _ONE_EXAMPLE.search(checker.page.text, below, j.statement.formula.start):
            return f"it may be of one example, and {text(of)} is of all: write another letter for the loss of one"
    return ""


def _summed_over_its_step(checker: Checker, e: Explanation) -> str:
    """∂J_t/∂W = Σ_t ∂J_t/∂W: J_t of the left side is the sum, of no step t. So it is in the rows below."""
    s = e.judgement.statement
    free = free_indices(s.parts[0]) | free_times(s.parts[0])
    for total in (part for part in s.parts[1:] if isinstance(part, BigSum)):
        if total.index in free and total.body == s.parts[0]:
            return f"{total.index} is bound by the sum: write the left side without it"
    return ""


def _has_index(e: Expression, index: str) -> bool:
    """Whether an expression has an index, at an entry, as a time step or as a letter."""
    return index in free_indices(e) | free_times(e) | {s.name for s in symbols(e)}


def _number_or_column(checker: Checker, e: Explanation) -> str:
    """x_j that was read as column j, where shapes do not fit and no repair is found, may be an entry of x."""
    j = e.judgement
    if not _is_misfit(j) or e.candidates:
        return ""
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry) and n.column):
        if isinstance(node.of, Symbol) and node.of.name in checker.model.families:
            entry, letter = text(node), text(node.of)
            return f"whether {entry} is a number or a column is not known: declare the shape of {letter}"
    return ""


def _total_of_all(checker: Checker, e: Explanation) -> str:
    """E^N = Σ_{n=1}^N … beside E^n, that of one example: E^N is the sum, and not that of example N."""
    left = e.judgement.left
    last = left.time.variable if isinstance(left, Symbol) and left.time is not None else None
    if isinstance(left, Power) and isinstance(left.of, Symbol) and isinstance(left.exponent, Symbol):
        last = left.exponent.name if left.of.name in checker.model.timed else None
    sums = (n for n in walk(e.judgement.expression) if isinstance(n, BigSum) and n.upper is not None)
    if last is None or not any(n.upper is not None and n.upper.variable == last for n in sums):
        return ""
    return f"{text(left)} is of all {last}, and elsewhere of one: write another letter for one of them"


def _last_of_all(checker: Checker, e: Explanation) -> str:
    """1 - p_K = Σ_{k=1}^{K-1} p_k: p_K is the last of all, and not the one with any index K."""
    j = e.judgement
    ends = {n.upper.variable for n in walk(j.expression) if isinstance(n, BigSum) and n.upper is not None}
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry | Symbol)):
        below = {i.variable for i in node.indices} if isinstance(node, Entry) else {*node.name.split("_")[1:]}
        for index in sorted(str(end) for end in below & ends):
            return f"{text(node)} may be the last of all, as sums end at {index}: write another letter for one of them"
    return ""


def _turned_gradient(checker: Checker, e: Explanation) -> str:
    """w - a ∂J/∂w, where nothing says what w is: the derivative may be a row or a column, as w may."""
    j = e.judgement
    if not e.candidates or not all(_TRANSPOSED.issuperset(f.verdicts) for f in e.candidates if f.cost <= EDIT):
        return ""
    for node in (n.of for f in e.candidates[:1] for n in walk(f.part) if isinstance(n, Transpose)):
        if isinstance(node, Derivative) and isinstance(node.wrt, Symbol) and node.wrt.name in _guessed(checker, j):
            letter = text(node.wrt)
            return f"whether the gradient by {letter} is a row or a column is not known: declare the shape of {letter}"
    return ""


def _one_hot_entry(checker: Checker, e: Explanation) -> str:
    """Σ_w y_w ln ŷ_w = ln ŷ_o of a one-hot y holds for the o at which y is 1."""
    j = e.judgement
    if has_derivative(j.left, j.expression):
        return ""
    one_sided = free_indices(j.left) ^ free_indices(j.expression)
    for node in (n for part in (j.left, j.expression) for n in walk(part)):
        of = base_of(node)
        if isinstance(of, Symbol) and of.name in checker.page.one_hot and one_sided:
            return f"{text(of)} is one-hot, and this may be about the entry that is 1: say which it is"
    return ""


def _by_an_entry(checker: Checker, e: Explanation) -> str:
    """∂f/∂X = ∂f/∂X_kl sets a matrix of derivatives equal to one of its entries: to all, by their indices."""
    left, part = e.judgement.left, e.judgement.expression
    if not isinstance(left, Derivative) or not isinstance(left.wrt, Symbol):
        return ""
    free = free_indices(part) - free_indices(left)
    for n in walk(part):
        by = n.wrt if isinstance(n, Derivative) else None
        if isinstance(by, Entry) and base_of(by) == left.wrt and {i.variable for i in by.indices} & free:
            return f"the right side is differentiated by the entry {text(by)}: write the same entry on the left side"
    return ""


def _disconnected(checker: Checker, e: Explanation) -> str:
    """∂L/∂x = … ∂L/∂y … where, as the page was read, no such y depends on x."""
    j = e.judgement
    if not isinstance(j.left, Derivative) or (by := _differentiated_by(j.left)) is None:
        return ""
    nodes = [n for n in walk(j.expression) if isinstance(n, Derivative) and n.of == j.left.of]
    through = [letter for n in nodes if (letter := _differentiated_by(n)) is not None]
    if not through or any(by.name in names_in(checker.model, [letter]) for letter in through):
        return ""
    return no_dependence(Derivative(through[0], by))


def _written_out_above(checker: Checker, e: Explanation) -> str:
    """A derivative that its derivation takes of what z is, written out, where that has no value as it was read: z may
    be another expression there than in its equation.
    """
    j = e.judgement
    if not isinstance(j.left, Derivative) or j.part < 2:
        return ""
    oracle, left = checker.sampling.oracles(j.statement)[0], j.left
    derivatives = (part for part in j.statement.parts[1 : j.part] if isinstance(part, Derivative))
    written_out = (part for part in derivatives if part.wrt == left.wrt and letter_of(part.of) is None)
    if any(agreement(oracle, left, part).error is not None for part in written_out):
        return f"what {text(left.of)} is, as the row above writes it, has no value as it was read"
    return ""


def _differentiated_by(e: Derivative) -> Symbol | None:
    """The letter that a derivative is by, without its time step."""
    by = letter_of(e.wrt)
    return by if by is None else replace(by, time=None)


def _turned_vector(checker: Checker, e: Explanation) -> str:
    """A vector whose shape was guessed may be a row or a column, as a bias that is added to all rows is."""
    j = e.judgement
    shapes = {**checker.model.shapes, **checker.sampling.local_shapes(j.statement)}
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)} & _guessed(checker, j)
    vectors = [name for name in sorted(given) if (shapes.get(name, ("1", "1")).count("1")) == 1]
    for name in vectors[:_MOST_TURNED]:
        turned = {name: shapes[name][::-1]}
        if holds_with(checker, j, turned):
            letter, (rows, columns) = text(as_written(name, (j.left, j.expression))), turned[name]
            return f"it holds where {letter} is [{rows},{columns}]: declare its shape"
    return ""


def _rows_for_columns(checker: Checker, e: Explanation) -> str:
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
        return name in _guessed(checker, j)
    page = checker.page.text
    around = [page[max(0, d.start - _AROUND) : d.end + _AROUND] if d.start >= 0 else "row" for d in declared]
    return not any(_SAYS_WHICH.search(each) for each in around)


def _turned_by_entries(checker: Checker, e: Explanation) -> str:
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


def _supposed_equal(checker: Checker, e: Explanation) -> str:
    """A claim may hold with what the text supposes of a letter that nothing declares: A = x."""
    j = e.judgement
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)} & _guessed(checker, j)
    for s in checker.model.statements:
        left = s.parts[0]
        if len(s.parts) != 2 or not isinstance(left, Symbol) or left.name not in given or left in symbols(s.parts[1]):
            continue
        if not is_condition(s, checker.model):
            continue
        one, other = (_with(part, left, s.parts[1]) for part in (j.left, j.expression))
        found = [agreement(o, one, other) for o in checker.sampling.oracles(j.statement)]
        if all(a.plain or (a.turned and not j.result.turned) for a in found):  # not the transpose again
            return f"it holds where {text(left)} = {text(s.parts[1])}: say so in a display"
    return ""


def _with(e: Expression, letter: Symbol, value: Expression) -> Expression:
    return transform(e, lambda node: value if node == letter else node)


def _of_a_number(checker: Checker, e: Explanation) -> str:
    """What is said of one letter and its functions alone may be said of numbers: s'(x) = s(x) (1 - s(x))."""
    letter = number_it_holds_for(checker, e.judgement)
    if not letter:
        return ""
    return f"it holds where {letter} is a number: say so, or write the products entry by entry with \\odot"


def _direct_use(checker: Checker, e: Explanation) -> str:
    """∂u/∂v may mean the use of v in the equation of u alone, with the other letters in it held fixed."""
    j = e.judgement
    letter = base_of(j.left.of) if isinstance(j.left, Derivative) else None
    if not isinstance(j.left, Derivative) or not isinstance(letter, Symbol) or j.result.error is not None:
        return ""
    if letter.name not in checker.model.equations or letter.time is not None or j.left.at is not None:
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    direct = agreement_of_direct_use(oracle, j.left, j.expression)
    if direct is None or not _whole_differs(oracle, j.left, j.expression):
        return ""
    return f"it holds with the other letters in the equation of {text(letter)} held fixed: write that it is meant so"


def _letters_of_a_rule(checker: Checker, e: Explanation) -> str:
    """∂(x^T A x)/∂x = 2 A x of what is written out may be a rule for any A, not for one that an equation makes of x."""
    j, model = e.judgement, checker.model
    by = letter_of(j.left.wrt) if isinstance(j.left, Derivative) else None
    if not isinstance(j.left, Derivative) or by is None or isinstance(j.left.of, Symbol):
        return ""
    written = {s.name for s in symbols(j.left.of)}
    made = sorted(n for n in written & set(model.equations) if by.name in names_in(model, [Symbol(n)]) - {n})
    if by.name not in written or not made:
        return ""
    given = {name: found for name, found in model.equations.items() if name not in made}
    shapes = {name: model.derived[name] for name in made if name in model.derived}
    free = replace(model, equations=given, shapes={**model.shapes, **shapes})
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(free, o.point, {**o.local, **shapes}, o.conditions) for o in sampled)
    if not holds_in(tried, j):
        return ""
    letters = " and ".join(text(Symbol(name)) for name in made)
    return f"it holds for any {letters} held fixed: write another letter, or that it is meant so"


def _mended_by_a_name_used_again(checker: Checker, e: Explanation) -> str:
    """A repair that puts a letter which the page defines again and again: which of its equations counts is a guess. But
    one whose shape the page declares is one letter.
    """
    declared = {*checker.model.shapes} - checker.model.assumed
    put = {s.name for f in e.candidates[:1] for s in symbols(f.part) - symbols(e.judgement.expression)}
    for letter in sorted(put - declared):
        values = {
            s.parts[-1]
            for s in checker.model.statements
            if len(s.parts) > 1 and isinstance(s.parts[0], Symbol) and s.parts[0].name == letter
        }
        if len(values) >= _AGAIN_AND_AGAIN:
            return f"the page has several equations of {text(Symbol(letter))}: write a new letter for each"
    return ""


def _one_apart_from_a_sum(checker: Checker, e: Explanation) -> str:
    """ln σ(u_o) + Σ_k ln σ(-u_k) by u_o: the k of the sum may be others than o, as negative samples are."""
    j, model = e.judgement, checker.model
    by = base_of(j.left.wrt) if isinstance(j.left, Derivative) else None
    if not isinstance(by, Symbol) or j.result.error is not None:
        return ""
    equations = [d.value for name in names_in(model, (j.left, j.expression)) for d in model.equations.get(name, ())]
    nodes = [n for part in (j.left, j.expression, *equations) for n in walk(part)]
    terms = [n for value in equations for n in _outside_functions(value)]
    ones = {n.indices[0].variable for n in nodes if isinstance(n, Entry) and n.of == by} & model.fixed
    for one in sorted(name for name in ones if name is not None):
        if any(isinstance(n, BigSum) and n.index == one for n in nodes):
            continue
        running = {n.index for n in terms if isinstance(n, BigSum) and _has_entry(n.body, by, n.index)}
        if running and _holds_apart(checker, j, by, one):
            return f"it holds where {one} is none of the {min(running)} of the sum: say so"
    return ""


def _outside_functions(e: Expression) -> Iterator[Expression]:
    """The nodes of an expression that are not within a function or a denominator: a sum that normalises has all
    entries.
    """
    yield e
    for child in _outer_children(e):
        yield from _outside_functions(child)


def _outer_children(e: Expression) -> tuple[Expression, ...]:
    """The children of an expression that are not within a function or a denominator."""
    if isinstance(e, Call | Power):
        return ()
    return children(e)[:1] if isinstance(e, Product) and e.operator == "/" else children(e)


def _holds_apart(checker: Checker, j: Judgement, letter: Symbol, one: str) -> bool:
    """Whether a claim holds where no outer sum over the entries of a letter has the entry `one`."""
    apart = _with_sums_apart(checker.model, letter, one)
    others = sorted(free_indices(j.left) - {one})
    conditions = tuple(Iverson(Index(i), Index(one), "≠") for i in others)
    left, right = (_apart(part, letter, one) for part in (j.left, j.expression))
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(apart, o.point, o.local, (*o.conditions, *conditions)) for o in sampled)
    return all(agreement(o, left, right).any for o in tried)


def _with_sums_apart(model: PageModel, letter: Symbol, one: str) -> PageModel:
    """The model with outer sums over entries of a letter that leave out the entry `one`."""

    def changed(d: Definition) -> Definition:
        return replace(d, value=_apart(d.value, letter, one))

    return replace(model, equations={name: tuple(map(changed, found)) for name, found in model.equations.items()})


def _apart(e: Expression, letter: Symbol, one: str) -> Expression:
    """An expression without the entry `one` in its sums over the entries of a letter; a sum within a function or a
    denominator has all entries.
    """
    kept = {id(child) for child in children(e)} - {id(child) for child in _outer_children(e)}
    changed = (child if id(child) in kept else _apart(child, letter, one) for child in children(e))
    e = with_children(e, tuple(changed))
    if not isinstance(e, BigSum) or not _has_entry(e.body, letter, e.index):
        return e
    return replace(e, body=Product(Iverson(Index(e.index), Index(one), "≠"), e.body))


def _where_a_gradient_is_zero(checker: Checker, e: Explanation) -> str:
    """X^T X w = X^T y below ∂L/∂w = 0 holds for the w at which the derivative is zero, and for no other."""
    j = e.judgement
    if has_derivative(j.left, j.expression) or defined_letter(j.left) is not None:
        return ""
    names = {s.name for s in (*symbols(j.left), *symbols(j.expression))}
    above = [s for s in checker.model.statements if s.number < j.statement.number and has_derivative(s.parts[0])]
    if not above or not ends_in_zero(above[-1]) or above[-1].formula.heading != j.statement.formula.heading:
        return ""
    wrt = [n.wrt for n in walk(above[-1].parts[0]) if isinstance(n, Derivative)]
    if not any(s.name in names for by in wrt for s in symbols(by)):
        return ""
    return f"it holds where {above[-1].source(0).strip()} is zero: say so in words if it is said of all values"


def _has_entry(e: Expression, letter: Symbol, index: str) -> bool:
    """Whether an expression has an entry of a letter at an index."""
    return any(isinstance(n, Entry) and n.of == letter and Index(index) in n.indices for n in walk(e))


def _whole_differs(oracle: Oracle, left: Derivative, part: Expression) -> bool:
    """Whether the whole derivative differs from a part where its direct use is compared; not where it has no value."""
    differs = False
    try:
        for indices in islice(assignments(oracle, (left, part)), MOST_OF_DIRECT_USE):
            whole = oracle.jacobians.jacobian(left, dict(indices)).matrix()
            value = oracle.evaluate(part, indices)
            differs |= whole is None or not compare(whole, value, per_column=False).plain
    except FormulaError:
        return False
    return differs


def _outermost_derivatives(e: Expression) -> Iterator[Derivative]:
    if isinstance(e, Derivative):
        yield e
    else:
        for child in children(e):
            yield from _outermost_derivatives(child)


def _is_zero(oracle: Oracle, j: Judgement, derivative: Derivative) -> bool:
    """Whether a derivative is zero at all time steps and indices that were tried, one at least."""
    seen = False
    try:
        for indices in islice(assignments(oracle, (j.left, j.expression, derivative)), _TRIED):
            with suppress(OutOfRangeError):
                if np.abs(oracle.jacobians.jacobian(derivative, dict(indices)).tensor).max(initial=0.0) > 0:
                    return False
                seen = True
    except FormulaError:
        return False
    return seen


_OF_ALL = (
    _by_itself,
    _declared_twice,
    _said_to_be_square,
    _number_or_letter,
    of_any_shape,
    of_two_steps,
    of_two_members,
    of_one_index,
    _may_be_convolution,
)
_OF_CLAIM = (
    a_differential,
    of_differentials,
    a_given_value,
    of_a_counted_size,
    of_several_values,
    _at_a_point,
    _of_the_equation_above,
    _one_of_several,
    _where_a_gradient_is_zero,
    _index_of_one_entry,
    _sum_of_equal_terms,
    _summed_over_its_step,
    _total_of_all,
    _last_of_all,
    _turned_gradient,
    _of_one_example,
    _one_hot_entry,
    _by_an_entry,
    _disconnected,
    _written_out_above,
    _turned_vector,
    _rows_for_columns,
    _supposed_equal,
    _of_a_number,
    _direct_use,
    _letters_of_a_rule,
    _one_apart_from_a_sum,
    _entry_of_a_number,
    _size_on_one_side,
    _runs_to_another_size,
)
_OF_READINGS = (
    _turned_by_entries,
    _without_small_repair,
    _number_or_column,
    _defined_anew,
    letter_on_one_side,
    _constant_derivative,
    _mended_by_a_name_used_again,
    *_OF_CLAIM,
)

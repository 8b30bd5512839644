"""Slips that can be seen without values: a term that is there twice, a product of matrices that cannot fit, a quotient
where a derivative is meant, a number for a letter, a letter for a function, a number for the gradient by a matrix, and
cells that lack a part of the formula of all other cells, with which the claim holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from elman.calculus.expression import (
    Call,
    Cases,
    Derivative,
    Dots,
    Expression,
    Inverse,
    Matrix,
    Pattern,
    Product,
    Symbol,
    Transpose,
    factors_of,
    symbols,
    transform,
    walk,
)
from elman.calculus.matrix_form.sum_terms import summands
from elman.calculus.printing.render import text
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.judge.worked_numbers import with_its_letter
from elman.notes.model.bold_letters import is_bold
from elman.notes.model.page_model import letter_of
from elman.notes.repair.explanation import Explanation, as_seen

Key = tuple[int, int]


def with_slips_in_sight(checker: Checker, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that have such a slip."""
    found = dict(explanations)
    nodes = [n for s in checker.model.own_statements() for n in s.nodes()]
    names = {n.name for n in nodes if isinstance(n, Symbol)}
    derivatives = {pair for n in nodes if isinstance(n, Derivative) and (pair := _letters_of(n.of, n.wrt))}
    for key, e in explanations.items():
        if e.verdict.is_wrong:
            continue
        verdict, words = Verdict.ARGUMENT, _term_twice(e.judgement, names)
        if not words:
            verdict, words = Verdict.ARGUMENT, _number_for_a_letter(checker, e.judgement)
        if not words and not e.holds:
            verdict, words = Verdict.ARGUMENT, _letter_for_a_function(checker, e.judgement)
        if not words and not e.holds:
            verdict, words = Verdict.SHAPE, _cells_that_misfit(e.judgement.expression)
        if not words and not e.holds:
            verdict, words = Verdict.FALSE, _quotient_for_derivative(e.judgement, derivatives)
        if not words and not e.holds:
            verdict, words = Verdict.SHAPE, _number_for_a_matrix(checker, e.judgement)
        if not words and not e.holds:
            verdict, words = Verdict.FALSE, _cells_that_lack_a_part(checker, e.judgement)
        if words:
            found[key] = as_seen(e.judgement, verdict, words)
    return found


def _term_twice(j: Judgement, names: Iterable[str]) -> str:
    """Words for a definition J = J_a + J_a on a page that has a J_b: nobody writes 2 J_a so. Else empty."""
    if j.defines is None:
        return ""
    terms = Counter(t.name for t in summands(j.expression) if isinstance(t, Symbol))
    for name, count in terms.items():
        stem, _, label = name.partition("_")
        others = sorted(n for n in names if label and n.startswith(f"{stem}_") and n not in terms)
        if count > 1 and others:
            once, other = text(Symbol(name)), text(Symbol(others[0]))
            return f"{once} is a term of this sum twice: one of them may be {other}"
    return ""


def _number_for_a_letter(checker: Checker, j: Judgement) -> str:
    """Words for g(z) = 1/(1 + e^-1) on a page with g(z) = 1/(1 + e^-z); else empty."""
    meant = with_its_letter(j.statement, j.part, checker.model.statements)
    if meant is None:
        return ""
    (letter,) = {Symbol(s.name) for s in symbols(meant)}
    return f"a number stands for the letter {text(letter)} of {text(meant)}, which the page has elsewhere"


def _letter_for_a_function(checker: Checker, j: Judgement) -> str:
    """Words for W a + b = W δ(z) + b on a page with a = σ(z), where δ is a letter with layers; else empty."""
    if j.part < 2:
        return ""
    before, statements = j.statement.parts[j.part - 1], checker.model.statements
    layered = {n.name for s in statements for n in s.nodes() if isinstance(n, Symbol) and n.time is not None}
    applied = {n for n in symbols(j.expression) if n.time is None and n.name in layered}
    for s in statements:
        value = s.parts[-1]
        if not (isinstance(s.parts[0], Symbol) and isinstance(value, Call) and isinstance(value.arguments[0], Symbol)):
            continue
        for letter in applied:
            if not _is_applied(letter, j.statement.source(j.part)):
                continue
            if _with_value(j.expression, letter, value.arguments[0], s.parts[0]) == before:
                return f"{text(letter)} is a letter of the page and no function: {text(value)} is meant"
    return ""


def _is_applied(letter: Symbol, source: str) -> bool:
    """Whether a letter stands before a parenthesis, as a function does: δ(z)."""
    return re.search(rf"{letter.name.partition('_')[0]}\s*(?:\\left\s*)?\(", source) is not None


def _with_value(e: Expression, letter: Symbol, argument: Symbol, value: Symbol) -> Expression:
    """An expression with a value for a letter and its argument, which were read as two factors."""

    def change(node: Expression) -> Expression:
        if not isinstance(node, Product) or node.operator or node.right != argument:
            return node
        if node.left == letter:
            return value
        left = node.left
        is_last = isinstance(left, Product) and not left.operator and left.right == letter
        return replace(left, right=value) if is_last and isinstance(left, Product) else node

    return transform(e, change)


def _cells_that_misfit(e: Expression) -> str:
    """Words for a product of two matrices whose cells are written out, the first with another number of columns than
    the second has rows; empty where there is none. Two columns may be meant entry by entry.
    """
    for n in walk(e):
        if not (isinstance(n, Product) and n.operator == "" and isinstance(n.right, Matrix)):
            continue
        if not isinstance(n.left, Matrix) or any(isinstance(c, Dots) for c in walk(n)):
            continue
        (one, other) = ((len(m.rows), len(m.rows[0])) for m in (n.left, n.right))
        if one != other and one[1] != other[0] and (1, 1) not in (one, other):
            return f"a matrix of {one[0]} by {one[1]} cells cannot be multiplied by one of {other[0]} by {other[1]}"
    return ""


def _cells_that_lack_a_part(checker: Checker, j: Judgement) -> str:
    """Words for a matrix of which the claim holds if all cells are by the formula of most; else empty."""
    whole = transform(j.expression, _of_one_formula)
    if whole == j.expression or not checker.agree(j.statement, j.left, whole).any:
        return ""
    of_most, few = next(
        (n.body.values[-1], n.body.values[0])
        for n in walk(j.expression)
        if isinstance(n, Pattern) and isinstance(n.body, Cases) and n.has_slips
    )
    return f"some cells of this matrix are {text(few)}, and the others {text(of_most)}"


def _of_one_formula(node: Expression) -> Expression:
    """A matrix with the formula of most of its cells for all of them."""
    if not isinstance(node, Pattern) or not isinstance(node.body, Cases) or not node.has_slips:
        return node
    return replace(node, body=node.body.values[-1])


def _number_for_a_matrix(checker: Checker, j: Judgement) -> str:
    """Words for ∂f/∂L = c (x - m)^T A (x - m), of a bold capital L that the page transposes, and bold x and m: whatever
    the sizes are, the left side is a matrix and the right side a number. Empty for any other claim.
    """
    left, error = j.left, j.result.error
    if (
        not isinstance(left, Derivative)
        or not isinstance(left.wrt, Symbol)
        or not isinstance(error, MisfitError | None)
    ):
        return ""
    by = left.wrt
    statements = checker.model.own_statements()
    is_transposed = any(isinstance(n, Transpose) and n.of == by for s in statements for n in s.nodes())
    if not (is_bold(by) and _is_capital(by) and is_transposed) or not any(map(_is_square_form, walk(j.expression))):
        return ""
    try:
        value = checker.sampling.oracles(j.statement)[0].evaluate(j.expression, {})
    except FormulaError:
        return ""
    if value.shape != (1, 1):
        return ""
    return f"the gradient by the matrix {text(by)} is a matrix, and the right side is a number"


def _is_square_form(e: Expression) -> bool:
    """Whether a product has the factors a^T A a, where A is a capital and a is made of bold small letters."""
    factors = factors_of(e) if isinstance(e, Product) else []
    for turned, between, a in zip(factors, factors[1:], factors[2:], strict=False):
        middle = between.of if isinstance(between, Inverse) else between
        letters = list(symbols(a))
        is_vector = bool(letters) and all(is_bold(s) and not _is_capital(s) for s in letters)
        if turned == Transpose(a) and is_vector and isinstance(middle, Symbol) and _is_capital(middle):
            return True
    return False


def _is_capital(letter: Symbol) -> bool:
    return letter.name[:1].isupper()


def _letters_of(of: Expression, by: Expression) -> tuple[str, str] | None:
    """The names of a letter and of one that it is divided or differentiated by; None for anything but letters."""
    above, below = letter_of(of), letter_of(by)
    return None if above is None or below is None else (above.name, below.name)


def _quotient_for_derivative(j: Judgement, derivatives: Collection[tuple[str, str]]) -> str:
    """Words for E / w on the left side, where the page has ∂E/∂w of a loss E; empty for any other claim."""
    left = j.left
    if not isinstance(left, Product) or left.operator != "/" or not isinstance(left.left, Symbol):
        return ""
    pair = _letters_of(left.left, left.right)
    if pair not in derivatives or not is_called_a_loss(left.left.name):
        return ""
    return f"the signs of a derivative are missing: {text(Derivative(left.left, left.right))} is meant"

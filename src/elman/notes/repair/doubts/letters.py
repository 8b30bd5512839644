"""Doubts about letters: one that is defined anew, supposed equal to another, or meant as a rule for any value."""

from __future__ import annotations

import re
from dataclasses import replace

from elman.calculus.expression import (
    Call,
    Derivative,
    Expression,
    Symbol,
    has_derivative,
    symbols,
    transform,
)
from elman.calculus.printing.render import text
from elman.notes.judge.checker import Checker
from elman.notes.judge.claim_kinds import is_condition, is_product_written_out
from elman.notes.model.convolutions import is_about_convolutions, mentions_convolutions
from elman.notes.model.page_model import (
    letter_of,
    names_in,
)
from elman.notes.model.statement_kinds import defined_letter, is_written_again
from elman.notes.oracle.agreement import agreement
from elman.notes.repair.doubts.indices import OR
from elman.notes.repair.doubts.shapes import guessed_letters, is_mostly_declared
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Explanation
from elman.notes.repair.readings import as_written, given_letters, holds_in, number_it_holds_for

_STAR = re.compile(r"(?<![\^_{])\s*(?:\*|\\(?:circled)?ast(?![A-Za-z]))")
_BEGINS_WITH_OR = re.compile(r"(?:or|alternatively)\b|或", re.I)
_ANOTHER = re.compile(
    r"\b(?:example|case|exercise|problem|question|part|step)\s*\(?\d+\W*$|(?:例|情况|情形|问题|练习)\s*\d+\W*$"
    r"|(?:^|\s)[-*+•]\s+[^\s.:,;。：，；]+(?:\s[^\s.:,;。：，；]+){0,3}$|\bconsider\b[^.]{0,30}$|考虑[^。]{0,12}$",
    re.I,
)  # what another example begins with, or the title of an item
_NEW_DEFINITION = "another equation of this letter differs from it: if this is a new definition, say so in words"
_AGAIN_AND_AGAIN = 3  # equations of one letter


def of_the_equation_above(checker: Checker, e: Explanation) -> str:
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


def may_be_convolution(checker: Checker, e: Explanation) -> str:
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


def defined_anew(checker: Checker, e: Explanation) -> str:
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
        OR.search(formula.text) is not None
        or _BEGINS_WITH_OR.match(formula.before.lstrip(" ,.;，；。")) is not None
        or _ANOTHER.search(formula.before) is not None
    )
    around = isinstance(j.expression, Call) and any(d.value in j.expression.arguments for d in known)  # H = f(X W + b)
    again = formula.kind == "code" or is_written_again(checker.model.statements, j.statement)
    small = any(f.cost <= EDIT for f in e.candidates) and not (either or around or again)
    if small or not any(d.statement not in (j.statement.number, -1) for d in known):
        return ""
    return _NEW_DEFINITION


def named_by_another_letter(checker: Checker, e: Explanation) -> str:
    """g(w) = ∇f(w) below g(x) = ∇f(x): the page names the gradient of f by the letter to which it applies both."""
    j = e.judgement
    value = None if j.defines is None else j.defines.value
    by = letter_of(value.wrt) if isinstance(value, Derivative) else None
    if j.defines is None or by is None:
        return ""
    named = [d.value for d in checker.model.named.get(j.defines.name, ()) if d != j.defines]
    others = [other for d in named if isinstance(d, Derivative) and (other := letter_of(d.wrt)) is not None]
    return _NEW_DEFINITION if any(other.name != by.name for other in others) else ""


def written_twice(checker: Checker, e: Explanation) -> str:
    """An equation that defines a letter, and that the page writes twice, is no slip."""
    return _NEW_DEFINITION if is_written_again(checker.model.statements, e.judgement.statement) else ""


def letter_on_one_side(checker: Checker, e: Explanation) -> str:
    """No equation holds for all values of a given letter that one of its sides alone depends on. It may be a slip for
    another letter, where that one repair makes it hold and the page declares nearly all others, or both sides are
    matrices written out.
    """
    j = e.judgement
    known = is_mostly_declared(checker, j) or is_product_written_out(j.left, j.expression)
    if known and any(f.cost <= EDIT for f in e.candidates):
        return ""
    left, right = given_letters(checker, j, j.left), given_letters(checker, j, j.expression)
    alone = [name for name in right if name not in left]
    if not has_derivative(j.left):
        alone += [name for name in left if name not in right]
    guessed = guessed_letters(checker, j)
    for name in alone:
        if name in guessed:
            letter = text(as_written(name, (j.left, j.expression)))
            return f"one side alone depends on {letter}, which no equation of the page defines: write what it is"
    return ""


def supposed_equal(checker: Checker, e: Explanation) -> str:
    """A claim may hold with what the text supposes of a letter that nothing declares: A = x."""
    j = e.judgement
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)} & guessed_letters(checker, j)
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


def of_a_number(checker: Checker, e: Explanation) -> str:
    """What is said of one letter and its functions alone may be said of numbers: s'(x) = s(x) (1 - s(x))."""
    letter = number_it_holds_for(checker, e.judgement)
    if not letter:
        return ""
    return f"it holds where {letter} is a number: say so, or write the products entry by entry with \\odot"


def letters_of_a_rule(checker: Checker, e: Explanation) -> str:
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


def mended_by_a_name_used_again(checker: Checker, e: Explanation) -> str:
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

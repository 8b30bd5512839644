"""What a formula that fails as a claim may be instead: a differential, or a value that an example gives."""

from __future__ import annotations

from elman.calculus.expression import Apply, Entry, Expression, Symbol, base_of, symbols
from elman.calculus.printing.render import text
from elman.notes.judge.checker import Checker
from elman.notes.model.page_model import names_in
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.repair.explanation import Explanation


def a_differential(checker: Checker, e: Explanation) -> str:
    """dS = A dB beside S = A B, on a page where dB is ∂L/∂B: the gradient of what is computed does not come from those
    of what it is computed from.
    """
    left, differentials = e.judgement.left, checker.model.differentials
    if not isinstance(left, Symbol) or left.name not in differentials:
        return ""
    inputs = names_in(checker.model, [Symbol(left.name[1:].lstrip("_"))])
    others = {n.name for n in symbols(e.judgement.expression)} & differentials
    if not any(name[1:].lstrip("_") in inputs for name in others - {left.name}):
        return ""
    return f"{text(left)} is the gradient elsewhere and a differential here: write other letters for one of them"


def a_given_value(checker: Checker, e: Explanation) -> str:
    """f(s, a_2) = 1 beside f(s, a_1) = 3: an example gives values."""
    j = e.judgement
    if not is_numeric(j.expression) or not isinstance(j.left, Apply | Entry | Symbol):
        return ""
    name = _name(j.left)
    others = (s for s in checker.model.statements if s.number != j.statement.number)
    if not any(_name(s.parts[0]) == name and len(s.parts) > 1 and is_numeric(s.parts[1]) for s in others):
        return ""
    return f"several values are given to {text(j.left)}: write that they are those of an example"


def _name(node: Expression) -> str:
    letter = base_of(node)
    return letter.name if isinstance(letter, Apply | Symbol) else ""

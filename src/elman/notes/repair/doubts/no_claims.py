"""What a formula that fails as a claim may be instead: a differential, or a value that an example gives."""

from __future__ import annotations

import re
from collections.abc import Collection

from elman.calculus.expression import (
    Apply,
    BigProduct,
    BigSum,
    Comparison,
    Entry,
    Expression,
    Iverson,
    Number,
    Product,
    Symbol,
    base_of,
    factors_of,
    symbols,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.syntax.names import fold
from elman.calculus.values.environment import OutsideError
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.model.page_model import everything_in, names_in
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.repair.explanation import Explanation

_D = "d"  # the sign for a differential, where it is no letter
_TWO_ABOVE = re.compile(r"\^\s*\{\s*(?:\[[^\[\]]+\]\s*\([^()]+\)|\([^()]+\)\s*\[[^\[\]]+\])")
_TWO_STEPS = re.compile(r"_\s*\{?\s*(?:t|\\tau)\s*(?:[-+]\s*\d\s*)?\}?\s*\^\s*\{?\s*[\[(]?\s*[lL](?![A-Za-z])")


def a_differential(checker: Checker, e: Explanation) -> str:
    """dS = A dB beside S = A B, on a page where dB is ∂L/∂B: the gradient of what is computed does not come from those
    of what it is computed from. And dL = tr(G^T dB): dL is no gradient, so that dB is none here.
    """
    left, differentials = e.judgement.left, checker.model.differentials
    if not isinstance(left, Symbol) or left.name[0] != "d" or len(left.name) == 1:
        return ""
    others = {n.name for n in symbols(e.judgement.expression)} & differentials - {left.name}
    if left.name in differentials:
        inputs = names_in(checker.model, [Symbol(left.name[1:].lstrip("_"))])
        others = {name for name in others if name[1:].lstrip("_") in inputs}
    if not others:
        return ""
    letter = left if left.name in differentials else Symbol(min(others))
    return f"{text(letter)} is the gradient elsewhere and a differential here: write other letters for one of them"


def of_differentials(checker: Checker, e: Explanation) -> str:
    """dσ(W x) = σ'(W x) ∘ dW x, where d is no letter of the page: it stands first on the left, and on the right; or
    du = tr(B^T d(A) A^T B), where a row begins with the letter du and a d stands before a factor of what is compared.
    """
    j, model = e.judgement, checker.model
    if _has_differences(j, {*model.equations, *(model.shapes.keys() - model.assumed)}):
        return "Δ may be the sign for a difference here: declare it if it is a letter"
    if _D in model.equations or _D in model.shapes.keys() - model.assumed:
        return ""
    first = next(iter(factors_of(j.left)), None)
    named = isinstance(first, Symbol) and first.name == _D and first != j.left
    product = named and first in symbols(j.expression)
    if not product and not (_is_of_a_letter(j.statement.parts[0]) and _stands_before_a_factor(checker, j)):
        return ""
    return "d may be the sign for a differential here: declare it if it is a letter"


def _is_of_a_letter(e: Expression) -> bool:
    """Whether an expression is a letter du, which may be the differential of u."""
    return isinstance(e, Symbol) and e.name[0] == _D and e.name != _D


def _stands_before_a_factor(checker: Checker, j: Judgement) -> bool:
    """Whether a side has a product with a d that is no size, and that is not its last factor."""
    products = (n for side in (j.left, j.expression) for n in walk(side) if isinstance(n, Product))
    before = (f for n in products for f in list(factors_of(n))[:-1])
    return _D not in checker.sampling.sizes() and Symbol(_D) in map(_plain, before)


def _has_differences(j: Judgement, known: Collection[str]) -> bool:
    """Whether both sides of a claim have a Δ before a letter, ΔX, that is no letter of the page itself."""
    sides = ([n for n in walk(side) if isinstance(n, Product)] for side in (j.left, j.expression))
    return "Delta" not in known and all(any(Symbol("Delta") in map(_plain, factors_of(n)) for n in ns) for ns in sides)


def _plain(e: Expression) -> Expression:
    return Symbol(e.name) if isinstance(e, Symbol) else e


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


def of_several_values(checker: Checker, e: Explanation) -> str:
    """|det A| = 7 of the last of several matrices A that the page writes out in numbers, or x = 3 - u = 1 of the last
    of several numbers u.
    """
    model = checker.model
    for name in sorted(names_in(model, (e.judgement.left, e.judgement.expression))):
        if not any(is_numeric(d.value) for d in model.equations.get(name, ())):
            continue
        values = {s.parts[1] for s in model.statements if len(s.parts) > 1 and s.parts[0] == Symbol(name)}
        if sum(map(is_numeric, values)) > 1:
            return f"several values are given to {text(Symbol(name))}: write that they are those of an example"
    return ""


def of_a_counted_size(checker: Checker, e: Explanation) -> str:
    """Σ_{i=1}^{m_1} x_i, where m_1 = Σ_i [y_i = 1]: i runs over the examples of one class there, and not over the first
    ones of all.
    """
    model = checker.model
    counted = {
        fold(name): name
        for name, found in model.equations.items()
        if any(isinstance(n, Comparison | Iverson) for d in found for n in walk(d.value))
    }
    parts = (e.judgement.left, e.judgement.expression)
    for node in everything_in(model, parts) if counted else ():
        upper = node.upper.variable if isinstance(node, BigSum | BigProduct) and node.upper is not None else None
        if upper is not None and fold(upper) in counted:
            name = text(Symbol(counted[fold(upper)]))
            return f"sums up to {name}, which counts examples, are over these: write them over all, under a condition"
    return ""


def of_any_shape(checker: Checker, e: Explanation) -> str:
    """y = f(x) does not clash with the shape of y: the value of an unknown function may have any shape."""
    part = e.judgement.expression
    if not isinstance(part, Apply) or not may_have_any_shape(e.judgement):
        return ""
    return f"{text(part)} may have any shape: write what {part.name} is"


def of_two_steps(checker: Checker, e: Explanation) -> str:
    """z_t^l, of a letter with a time step and a layer, or z^{[1](i)}: it is read with one of the two, and z_t of the
    page may be of any layer.
    """
    j = e.judgement
    if any(_TWO_STEPS.search(j.statement.source(part)) for part in (j.beside, j.part)):
        return "a letter with a time step and a layer is read with one of them alone: write a letter for each layer"
    if any(_TWO_ABOVE.search(j.statement.source(part)) for part in (j.beside, j.part)):
        return "a letter with a layer and an example is read with one of them alone: write a letter for each layer"
    return ""


def of_one_index(checker: Checker, e: Explanation) -> str:
    """y_q of a matrix y that the page declares: whether it is a row, a column or an entry of one, the page does not
    say.
    """
    j, shapes = e.judgement, checker.model.shapes
    if not isinstance(j.result.error, OutsideError):
        return ""
    for n in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry) and len(n.indices) == 1):
        if isinstance(n.of, Symbol) and "1" not in shapes.get(n.of.name, ("1", "1")):
            return f"{text(n)} has one index and {text(n.of)} is a matrix: write both indices"
    return ""


def of_two_members(checker: Checker, e: Explanation) -> str:
    """w_1 = w_2, and w_1 = λ w_2, of two members of one family: the text may suppose it, or have found it."""
    one, other = (_member(side, checker) for side in (e.judgement.left, e.judgement.expression))
    if one is None or other is None or one == other or one.of != other.of:
        return ""
    return "whether two members of a family are equal depends on what they are: write what they are"


def _member(e: Expression, checker: Checker) -> Entry | None:
    """The entry w_1 of w_1 and λ w_1, which has numbers for indices; None of anything else."""
    factors = [f for f in factors_of(e) if not isinstance(f, Number)]
    entries = [f for f in factors if isinstance(f, Entry)]
    known = {*checker.model.equations, *checker.model.named}
    others = (f for f in factors if not isinstance(f, Entry))
    if len(entries) != 1 or any(not isinstance(f, Symbol) or f.name in known for f in others):
        return None
    return None if any(i.variable is not None for i in entries[0].indices) else entries[0]


def may_have_any_shape(j: Judgement) -> bool:
    """Whether a claim whose shapes do not fit is about the value of an unknown function."""
    apart = j.result.counterexample
    return isinstance(j.expression, Apply) and (apart is None or apart.entry is None)


def _name(node: Expression) -> str:
    letter = base_of(node)
    return letter.name if isinstance(letter, Apply | Symbol) else ""

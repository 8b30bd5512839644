"""What an equation of a page does: it defines or claims, or it only states a size, an example, an update, a solution.

Only what defines or claims enters the model and is judged: the update `w = w - η ∂L/∂w` is no circular definition, and
`x = 2` in an example says nothing of x elsewhere.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from typing import TypeGuard

from elman.calculus.expression import (
    Add,
    Apply,
    BigSum,
    Call,
    Constant,
    Derivative,
    Entry,
    Expression,
    Identity,
    Inverse,
    Matrix,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    children,
    has_derivative,
    symbols,
    walk,
)
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.calculus.syntax.names import INDEX_LETTERS, LAYER_LETTERS
from elman.notes.model.announced_lists import listed
from elman.notes.model.page_model import Statement


class StatementKind(StrEnum):
    """The kinds of equations; the values are the words of the report."""

    EQUATION = "an equation"
    SIZES = "it states sizes"
    UPDATE = "an update of a letter, not a claim about it"
    EXAMPLE = "the value of a letter in an example"
    SOLUTION = "a solution, as the gradient is set to zero"
    NAME = "it names a difference"
    DEPENDS = "it says what a letter depends on"
    FUNCTION = "it says what a function is"
    MISTAKE = "the text says that this is a mistake"
    GROWTH = "it says how fast something grows"


_DEFINER = re.compile(
    r"(?:\b(?:let|where|with|denote|denoting|define|defining|defined|set|put|write|writing|given|suppose|here|using|and|through|via|"
    r"for|as|by|is|model|i\.e\.|e\.g\.,?(?:\s[\w-]+){0,3}|know\s+that|recall\s+that)|其中|这里|令|设|记|定义|假设|给定|有|为|即|则)\W*$",
    re.IGNORECASE,
)
_SOLVING = re.compile(
    r"\b(?:sett?(?:ing)?|equat\w+|solv\w+|minimi[sz]er|optim\w+|solution|closed[- ]form|normal equations?)\b"
    r"|令|解得|求解|最优解",
    re.IGNORECASE,
)
_MISTAKEN = re.compile(
    r"(?:\b(?:mistakenly|wrongly|incorrectly|erroneously)\s+(?:writ\w+|comput\w+|us\w+)|误写(?:为|成)?|错写(?:为|成)|写错(?:为|成)?)"
    r"(?:\s+(?:as|this|it))?\W*$",
    re.IGNORECASE,
)
_LET = re.compile(r"令\W*$")  # "let" before a formula, and "set to" elsewhere
_GROWTH = re.compile(r"\s*(?:O|\\mathcal\s*(?:O|\{\s*O\s*\})|\\(?:Theta|Omega))\s*(?:\\left)?\s*\(.*\)\s*", re.DOTALL)
_TIMES = re.compile(r"\\times(?![A-Za-z])|×")
_SHAPE = re.compile(r"[(\[]\s*(?:\d+|\\?[A-Za-z_]+)\s*(?:\\times(?![A-Za-z])|×)\s*(?:\d+|\\?[A-Za-z_]+)\s*[)\]]")
_BETWEEN_SHAPES = re.compile(r"(?:[+*@⊙·]|\\(?:odot|cdot|circ|times|left|right|,|;|:|\s)|\s)*")
_OTHER_SIGNS = re.compile(r"[+^_]|\\(?:cdot|partial|frac|sum|nabla)(?![A-Za-z])|(?<![A-Za-z])-")


_LETTERS_OF_A_FORMULA = 3  # from which on it is not written twice by accident


def introduces(before: str) -> bool:
    """Whether the words before a formula announce a definition: "let", "where", "with", 其中, …"""
    return _DEFINER.search(before[-60:]) is not None


def kinds_of(statements: Sequence[Statement]) -> dict[int, StatementKind]:
    """The kind of each statement, by its number."""
    used, elsewhere = dict[str, int](), defaultdict[str, set[int]](set)
    by = _differentiated_by(statements)
    of = _differentiated(statements)
    for statement in statements:
        for k, part in enumerate(statement.parts):
            for letter in symbols(part):
                elsewhere[letter.name].add(statement.number)
                if k:
                    used.setdefault(letter.name, statement.number)
    zeros = [s.number for s in statements if ends_in_zero(s)]

    def together(name: str, before: int) -> set[str]:
        return _letters_beside(statements, name, before)

    examples = _matrices_in_numbers(statements)
    kinds = {
        s.number: StatementKind.EXAMPLE if s.number in examples else _kind(s, by, of, used, elsewhere, zeros, together)
        for s in statements
    }
    steps, in_lists = by & _computed(statements, kinds), set(listed(statements))
    for s in statements:
        if kinds[s.number] is StatementKind.SOLUTION and s.number in in_lists and not _is_announced(s, zeros):
            right = {n.name for part in s.parts[1:] for n in symbols(part)}
            kinds[s.number] = StatementKind.EQUATION if right & steps else StatementKind.SOLUTION
    return kinds


def _computed(statements: Sequence[Statement], kinds: Mapping[int, StatementKind]) -> set[str]:
    """The letters that equations without derivatives define, and that are no solutions."""
    equations = (s for s in statements if kinds[s.number] is StatementKind.EQUATION and s.is_equation)
    found = ((defined_letter(s.parts[0]), s.parts) for s in equations)
    return {letter.name for letter, parts in found if letter is not None and not has_derivative(*parts)}


def _is_announced(s: Statement, zeros: Sequence[int]) -> bool:
    """Whether the text says that a statement solves something, or a derivative above it is zero."""
    return any(z < s.number for z in zeros) or _SOLVING.search(_LET.sub("", s.formula.before)) is not None


def _matrices_in_numbers(statements: Sequence[Statement]) -> set[int]:
    """The statements that write a matrix out in numbers of which the page speaks under another heading before: an
    example of it.
    """
    headings, found = defaultdict[str, set[str]](set), set[int]()
    for s in statements:
        left, value = s.parts[0], s.parts[1] if len(s.parts) > 1 else None
        if isinstance(left, Symbol) and isinstance(value, Matrix) and is_numeric(value):
            found |= {s.number} if headings[left.name] - {s.formula.heading} else set()
        for name in {n.name for part in s.parts for n in symbols(part)}:
            headings[name].add(s.formula.heading)
    return found


def _kind(
    s: Statement,
    by: set[str],
    of: set[str],
    used: dict[str, int],
    elsewhere: Mapping[str, set[int]],
    zeros: Sequence[int],
    together: Callable[[str, int], set[str]],
) -> StatementKind:
    if _MISTAKEN.search(s.formula.before[-60:]):
        return StatementKind.MISTAKE
    if _states_sizes(s):
        return StatementKind.SIZES
    if len(s.parts) > 1 and all(_GROWTH.fullmatch(s.source(k)) for k in range(len(s.parts))):
        return StatementKind.GROWTH
    if is_update(s):
        return StatementKind.UPDATE
    left = s.parts[0]
    if _names_a_difference(left) or _names_a_small_difference(s):
        return StatementKind.NAME
    if _says_what_it_depends_on(s):
        return StatementKind.DEPENDS
    if len(s.parts) == 2 and is_of_entry(left, s.parts[1]):
        return StatementKind.FUNCTION
    letter = defined_letter(left)
    if s.formula.kind == "inline" and isinstance(left, Entry) and len(s.parts) > 1 and is_numeric(s.parts[1]):
        return StatementKind.EXAMPLE
    if letter is None or len(s.parts) < 2:
        return StatementKind.EQUATION
    if _is_of_numbered_step(letter) and any(map(_is_worked_out, s.parts[1:])):
        return StatementKind.EXAMPLE
    used_before = used.get(letter.name, s.number) < s.number
    given = s.formula.kind == "inline" or (s.formula.kind == "code" and letter.name in by)
    if given and letter.time is None and is_numeric(s.parts[1]) and elsewhere[letter.name] - {s.number}:
        return StatementKind.EXAMPLE
    is_whole = isinstance(left, Symbol) and (left.time is None or _is_member(left))
    if used_before and letter.name in by and is_whole:
        closed_form = _is_closed_form(s, together(letter.name, s.number))
        solved = letter.name not in of  # of ∂L/∂w, L is not
        if ((_is_announced(s, zeros) and solved) or closed_form) and not has_derivative(*s.parts):
            return StatementKind.SOLUTION
    return StatementKind.EQUATION


def _is_member(letter: Symbol) -> bool:
    """Whether a letter with a step is a member of a family, μ_k, and no state h_t."""
    return letter.below and letter.time is not None and letter.time.variable in INDEX_LETTERS


def _is_closed_form(s: Statement, together: set[str]) -> bool:
    """Whether an equation solves for a letter: with an inverse or a quotient, and no letters but those beside it.
    1 / (1 + e^{-z}) is a function of z and no solution.
    """
    right = s.parts[1]
    below = [n.right for n in walk(right) if isinstance(n, Product) and n.operator == "/"]
    if any(isinstance(n, Call) and n.function == "exp" for part in below for n in walk(part)):
        return False
    divides = any(isinstance(n, Inverse) or (isinstance(n, Product) and n.operator == "/") for n in walk(right))
    return divides and {n.name for n in symbols(right)} <= together


def _letters_beside(statements: Sequence[Statement], name: str, before: int) -> set[str]:
    """The letters of the equations before a statement that depend on a letter, through other equations too."""
    found, depend = {name}, {name}
    for s in statements:
        if s.number >= before:
            break
        right = {n.name for part in s.parts[1:] for n in symbols(part)}
        if right & depend:
            found |= right
            left = defined_letter(s.parts[0])
            if left is not None:
                depend.add(left.name)
    return found - {name}


def indices_of(left: Expression) -> tuple[str, ...]:
    """The indices of a left side such as z_ij."""
    return tuple(str(i.variable) for i in left.indices) if isinstance(left, Entry) else ()


def defined_letter(left: Expression) -> Symbol | None:
    """The letter that an equation with this left side may define: z of z, of z_j, of z_ij."""
    if isinstance(left, Entry) and isinstance(left.of, Symbol):
        return left.of if has_free_indices(left) and not left.column else None
    return left if isinstance(left, Symbol) else None


def has_free_indices(e: Entry) -> bool:
    """Whether all indices of an entry are letters, each another one: of z_ij, and not of z_ii, z_i1 or z_{i+1}."""
    names = [i.variable for i in e.indices]
    return all(names) and len(set(names)) == len(names) and not any(i.offset for i in e.indices)


def is_mention(s: Statement) -> bool:
    """Whether a formula within a line only names a letter that may be a function, φ, or that of a layer, φ^{l-1}; a
    loss J is a number.
    """
    letter = _without_layer(s.parts[0])
    f = s.formula
    within_a_line = f.kind == "inline" or (f.kind == "display" and not f.alone)  # some pages write $$φ$$ in a line
    if len(s.parts) != 1 or not within_a_line or not isinstance(letter, Symbol):
        return False
    return not is_called_a_loss(letter.name) or letter.name in ("l", "ell")


def _without_layer(e: Expression) -> Expression:
    """The letter φ of φ^l and φ^{l-1}; any other expression as it is."""
    if not isinstance(e, Power) or not isinstance(e.of, Symbol):
        return e
    layers = e.exponent.left if isinstance(e.exponent, Add | Subtract) else e.exponent
    return e.of if isinstance(layers, Symbol) and layers.name in LAYER_LETTERS else e


def defined_square(s: Statement) -> tuple[Expression, int, Expression] | None:
    """What an equation of squares e_ij^2 = (r_ij - s_ij)^2 defines, e_ij, with the number of the part that is squared,
    and what it is the square of; None for any other equation.
    """
    left = s.parts[0]
    if not _is_square(left) or defined_letter(left.of) is None:
        return None
    found = ((k, part) for k, part in enumerate(s.parts) if k and _is_square(part))
    return next(((left.of, k, part.of) for k, part in found if left.of not in list(walk(part))), None)


def _is_square(e: Expression) -> TypeGuard[Power]:
    return isinstance(e, Power) and e.exponent == Number(Fraction(2))


def is_of_entry(left: Expression, value: Expression) -> bool:
    """Whether left = value says what a function of one entry is that depends on others too, as e^{z_i} / Σ_j e^{z_j}
    of z_i.
    """
    if not isinstance(left, Call | Apply) or left.primes or len(left.arguments) != 1:
        return False
    (entry,) = left.arguments
    if not (isinstance(entry, Entry) and isinstance(entry.of, Symbol) and defined_letter(entry) is not None):
        return False
    others = {n.of for total in walk(value) if isinstance(total, BigSum) for n in walk(total) if isinstance(n, Entry)}
    return others == {entry.of} and symbols(value) == {entry.of}


def is_written_again(statements: Iterable[Statement], s: Statement) -> bool:
    """Whether another statement begins with the same equation: then it is no slip of the pen."""
    return any(other.number != s.number and other.parts[:2] == s.parts[:2] for other in statements)


def is_used_again(statements: Iterable[Statement], s: Statement) -> bool:
    """Whether the equation of another letter has the product or the sum in it that is the right side of this one: then
    it is no slip of the pen either.
    """
    value = s.parts[1] if len(s.parts) > 1 else None
    if not isinstance(value, Product | Add | Subtract) or len(set(symbols(value))) < _LETTERS_OF_A_FORMULA:
        return False
    others = (other for other in statements if other.is_equation and other.parts[0] != s.parts[0])
    return any(n == value for other in others for n in walk(other.parts[1]))


def is_numeric(e: Expression) -> bool:
    """Whether an expression consists of numbers alone: 0.9 · 0.5 + 0.3."""
    if isinstance(e, Number | Constant):
        return True
    below = children(e)
    return bool(below) and not isinstance(e, Derivative) and all(map(is_numeric, below))


def _is_of_numbered_step(letter: Symbol) -> bool:
    """Whether this is a letter at a step that has a number: h_2."""
    return letter.time is not None and letter.time.variable is None


def _is_worked_out(e: Expression) -> bool:
    """Whether an expression consists of numbers that are not all whole, as those of a worked example."""
    numbers = (n for n in walk(e) if isinstance(n, Number))
    return is_numeric(e) and any(n.value.denominator > 1 for n in numbers)


def _differentiated_by(statements: Iterable[Statement]) -> set[str]:
    found: set[str] = set()
    for statement in statements:
        for part in statement.parts:
            for node in walk(part):
                if isinstance(node, Derivative):
                    found |= {s.name for s in symbols(node.wrt)}
    return found


def _differentiated(statements: Iterable[Statement]) -> set[str]:
    """The letters whose derivatives the page has."""
    nodes = (n for s in statements for n in s.nodes())
    return {n.of.name for n in nodes if isinstance(n, Derivative) and isinstance(n.of, Symbol)}


def ends_in_zero(s: Statement) -> bool:
    """Whether a derivative is set to zero: ∂L/∂w = 0, or ∂L/∂w = … = 0."""
    last = s.parts[-1]
    return len(s.parts) > 1 and isinstance(last, Number) and last.value == 0 and has_derivative(s.parts[0])


def _states_sizes(s: Statement) -> bool:
    """(N × M)(M × 1) = N × 1: products of letters and numbers alone, with ×; (h × 1) ⊙ (h × 1) + (h × 1) = (h × 1)."""
    start, end = s.region(0)[0], s.region(len(s.parts) - 1)[1]
    text = s.formula.text[start:end]
    if len(s.parts) > 1 and all(_is_of_shapes(s.source(k)) for k in range(len(s.parts))):
        return True
    if (
        len(s.parts) < 2
        or not all(_TIMES.search(s.source(k)) for k in range(len(s.parts)))
        or _OTHER_SIGNS.search(text)
    ):
        return False
    nodes = list(s.nodes())
    return all(isinstance(n, Symbol | Number | Product) for n in nodes) and any(isinstance(n, Symbol) for n in nodes)


def _is_of_shapes(text: str) -> bool:
    """Whether a side has sizes in brackets alone, (m × n), with signs of products and sums between them."""
    return _SHAPE.search(text) is not None and _BETWEEN_SHAPES.fullmatch(_SHAPE.sub("", text)) is not None


def is_update(s: Statement) -> bool:
    """w = w - η g, w ← …, w := w - …, w^(k+1) = w^(k) - η ∂L/∂w; and in code w = w / n."""
    if s.relation.operators[:1] == ("←",):
        return True
    if len(s.parts) < 2:
        return False
    if _is_step(s.parts[0]) and isinstance(s.parts[1], Add | Subtract):
        names = {n.name for n in walk(s.parts[0]) if isinstance(n, Symbol | Apply)}
        return any(isinstance(n, Symbol | Apply) and n.name in names for n in walk(s.parts[1]))
    if isinstance(s.parts[0], Entry) and isinstance(s.parts[1], Add | Subtract):
        left = s.parts[0]
        if isinstance(left.of, Transpose) and "'" in s.source(0):  # w' is the new w
            left = replace(left, of=left.of.of)
        return left in list(_outside_derivatives(s.parts[1]))
    letter = s.parts[0] if isinstance(s.parts[0], Symbol) else None
    if letter is None:
        return False
    again = [n for n in _outside_derivatives(s.parts[1]) if isinstance(n, Symbol) and n.name == letter.name]
    if s.formula.kind == "code" and any(n.time == letter.time for n in again):
        return True  # an assignment
    difference = isinstance(s.parts[1], Add | Subtract)
    if any(n.time == letter.time for n in again) and difference:
        return True
    return bool(again) and difference and has_derivative(s.parts[1])


def _is_step(left: Expression) -> bool:
    """w(k+1), the step of an iteration."""
    if isinstance(left, Apply) and len(left.arguments) == 1:
        argument: Expression = left.arguments[0]
    elif isinstance(left, Product) and left.operator == "" and isinstance(left.left, Symbol):
        argument = left.right
    else:
        return False
    return isinstance(argument, Add) and isinstance(argument.left, Symbol) and isinstance(argument.right, Number)


def _says_what_it_depends_on(s: Statement) -> bool:
    """y = y(x)."""
    if len(s.parts) != 2 or not isinstance(s.parts[0], Symbol):
        return False
    name, right = s.parts[0].name, s.parts[1]
    if isinstance(right, Apply):
        return right.name == name
    return isinstance(right, Product) and right.left == s.parts[0] and re.search(r"\(.*\)\s*$", s.source(1)) is not None


def _outside_derivatives(e: Expression) -> Iterator[Expression]:
    yield e
    if not isinstance(e, Derivative):
        for child in children(e):
            yield from _outside_derivatives(child)


def _names_a_difference(left: Expression) -> bool:
    """Δw = …"""
    factors = [left.left, left.right] if isinstance(left, Product) and left.operator == "" else []
    return bool(factors) and factors[0] == Symbol("Delta") and isinstance(factors[1], Symbol | Entry)


def _names_a_small_difference(s: Statement) -> bool:
    """δf = f(A + δA) - f(A)."""
    small = [_letter_behind_delta(n) for part in s.parts[1:] for n in walk(part)]
    own = _letter_behind_delta(s.parts[0])
    others = {name for name in small if name is not None} - {own}
    everywhere = [n for part in s.parts for n in walk(part) if n == Symbol("delta")]
    deltas = sum(_letter_behind_delta(n) is not None for part in s.parts for n in walk(part))
    differs = any(isinstance(part, Add | Subtract) for part in s.parts[1:])
    return own is not None and bool(others) and len(everywhere) == deltas and differs


def _letter_behind_delta(e: Expression) -> str | None:
    """The name of f in δf; None for anything else."""
    if isinstance(e, Product) and e.operator == "" and e.left == Symbol("delta") and isinstance(e.right, Symbol):
        return e.right.name
    return None


def is_zero(e: Expression) -> bool:
    """Whether an expression is the number 0."""
    return isinstance(e, Number) and e.value == 0


def _is_plain_number(e: Expression) -> bool:
    """Whether an expression is a number, with a sign or without."""
    return isinstance(e, Number) or (isinstance(e, Negative) and isinstance(e.of, Number))


def may_be_condition(left: Expression, right: Expression) -> bool:
    """Whether an equation that fails may only ask for something: Σ_k y_k = 1, ‖d‖ = 1, A^T A = I, ∂E/∂w = 0."""
    if not symbols(left):
        return False
    if is_zero(right):
        return True
    if not (_is_plain_number(right) or isinstance(right, Identity | Ones)):
        return False
    if isinstance(left, Call):
        return left.function in ("norm", "sum", "norm1", "det", "trace")
    return not has_derivative(left) and not isinstance(left, Symbol | Entry | Power | Transpose)

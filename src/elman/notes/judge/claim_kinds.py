"""What kind of claim a formula makes, if it makes one."""

from __future__ import annotations

from collections.abc import Collection

from elman.calculus.expression import (
    Add,
    BigSum,
    Constant,
    Derivative,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Iverson,
    Matrix,
    Negative,
    Number,
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
from elman.errors import FormulaError
from elman.notes.model.page_model import PageModel, Statement, free_indices, free_times
from elman.notes.model.stated_sizes import states_a_size
from elman.notes.oracle.evaluation_point import FourIndicesError

EQUALITIES = ("=", ":=")
ELLIPSIS = "an ellipsis leaves it to the reader"


def index_that_meets(left: Expression, part: Expression) -> Iverson | None:
    """k = i for ∂r_k/∂x_ij = x_ij / r_i: the one index of the derivative that the right side lacks can but mean one of
    the indices of what it is by.
    """
    if not isinstance(left, Derivative) or not isinstance(left.of, Entry) or not isinstance(left.wrt, Entry):
        return None
    of, by = ([i.variable for i in e.indices if i.variable] for e in (left.of, left.wrt))
    right = free_indices(part)
    lacking = [i for i in of if i not in right and i not in by]
    if len(lacking) != 1 or not right or not right <= {*of, *by}:
        return None
    place = of.index(lacking[0])
    return Iverson(Index(lacking[0]), Index(by[place])) if place < len(by) and by[place] not in of else None


def is_condition(statement: Statement, model: PageModel) -> bool:
    """Whether an equation in running text only assumes something of a given letter, an index or a size: U = E^T, i = 1,
    d = D_h.
    """
    left = statement.parts[0]
    if states_a_size(statement, model.said):
        return True
    if isinstance(left, Entry) and isinstance(left.of, Symbol):
        left = left.of
    if not statement.formula.is_within_text or not isinstance(left, Symbol):
        return False
    if left.name in model.equations or left.name in model.named or (left.name, left.time) in model.start:
        return False
    return not has_derivative(*statement.parts)


def is_a_property(left: Expression, part: Expression, defined: Collection[str]) -> bool:
    """Whether an equation says what a given letter is like, by this letter alone: P^2 = P, A^T A = I, x^T x = 1.

    One side is the letter, a number or I; the other has nothing but products, powers, transposes and inverses of it.
    """
    simple, other = (left, part) if isinstance(left, Symbol | Number | Identity) else (part, left)
    letters = {n.name for side in (simple, other) for n in symbols(side)}
    if not isinstance(simple, Symbol | Number | Identity) or len(letters) != 1 or letters & {*defined}:
        return False
    return all(isinstance(n, Symbol | Number | Product | Power | Transpose | Inverse) for n in walk(other))


def only_derivatives(e: Expression) -> bool:
    """Whether `e` is a derivative, or sums and products of derivatives alone: such a claim is true in either layout."""
    if isinstance(e, Derivative):
        return True
    return not isinstance(e, Symbol) and bool(children(e)) and all(only_derivatives(child) for child in children(e))


def in_either_layout(left: Expression, part: Expression) -> bool:
    """Whether `left = part` is true in either layout: derivatives alone, or multiples of derivatives by what the left
    side is by, Σ_n ∂p_n/∂μ / p_n.
    """
    return only_derivatives(part) or (isinstance(left, Derivative) and _are_multiples(part, left.wrt))


def _are_multiples(e: Expression, by: Expression) -> bool:
    """Whether an expression is a sum of derivatives by one letter, each multiplied by numbers."""
    if isinstance(e, Derivative):
        return e.wrt == by
    if isinstance(e, Product):
        left, right = (_are_multiples(side, by) for side in (e.left, e.right))
        return (left and _is_of_entries(e.right)) or (right and e.operator != "/" and _is_of_entries(e.left))
    return isinstance(e, Add | Subtract | Negative | BigSum) and all(_are_multiples(c, by) for c in children(e))


def _is_of_entries(e: Expression) -> bool:
    """Whether an expression is a number by its form: of numbers and entries alone."""
    if isinstance(e, Entry):
        return not e.column
    if isinstance(e, Number | Constant):
        return True
    return isinstance(e, Add | Subtract | Negative | Product | Power) and all(map(_is_of_entries, children(e)))


def contains_itself(left: Expression, part: Expression) -> bool:
    """Whether the left side is the last term of the sum on the right: ∂J/∂W|_(t) = Σ_i ∂J/∂W|_(i)."""
    if not (isinstance(left, Derivative) and left.at is not None and isinstance(part, BigSum)):
        return False
    body = part.body
    if not (isinstance(body, Derivative) and body.of == left.of and body.wrt == left.wrt and body.at is not None):
        return False
    return body.at.variable == part.index and part.upper == left.at


def lacks_time(left: Expression, part: Expression) -> bool:
    """Whether a letter has a time step on the right and none on the left: h = σ(W h^(t-1) + …)."""
    if not (isinstance(left, Symbol) and left.time is None):
        return False
    free = free_times(part)
    return any(s.name == left.name and s.time is not None and s.time.variable in free for s in symbols(part))


def about_one_column(left: Expression, part: Expression, error: FormulaError) -> bool:
    """Whether a claim that fails with `error` is written for one column: by entries, or with derivatives of vectors by
    vectors.
    """
    by_entries = any(isinstance(n, Entry) for e in (left, part) for n in walk(e))
    return by_entries or isinstance(error, FourIndicesError)


def is_product_written_out(left: Expression, part: Expression) -> bool:
    """Whether a claim multiplies a matrix that is written out: [x y] [a b; c d] = [x a + y c, x b + y d]."""
    if not (isinstance(left, Product) and isinstance(part, Matrix)) or has_derivative(left, part):
        return False
    return isinstance(left.left, Matrix) or isinstance(left.right, Matrix)

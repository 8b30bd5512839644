"""One term of an index form as matrices: its indices are nodes, its factors edges, and the graph is reduced.

Series edges are a matrix product, parallel edges a Hadamard product, a loop is a trace, a vector on an index between
two matrices a diagonal, what is not connected an outer product. What is left at the free indices is the term.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from elman.calculus.expression import Call, Expression, Identity, Number, Ones, Symbol
from elman.calculus.index_form.terms import (
    Compound,
    Delta,
    Determinant,
    DimensionSize,
    Factor,
    FunctionValue,
    Group,
    InverseEntry,
    Softmax,
    Sum,
    SymbolEntry,
    TensorIndex,
    Term,
    matrix_slots,
    slots,
)
from elman.calculus.matrix_form.matrix_products import (
    Chain,
    Part,
    diag,
    diagonal,
    entrywise,
    expression,
    inverse,
    parts_chain,
    rank,
    transposes,
    turned,
    turned_chain,
)
from elman.calculus.syntax.written_sizes import is_number

_ONE = Fraction(1)


class NoMatrixForm(Exception):  # noqa: N818 - an answer, not a mistake
    """This index form cannot be written with matrices."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What the formula itself uses, so that the answer speaks its language: ‖x‖² or x^T x, sum(x) or 1^T x."""

    norms: bool = False
    sums: bool = False


@dataclass(slots=True, eq=False)
class Edge:
    """A matrix whose rows run along `start` and whose columns along `end`."""

    start: TensorIndex
    end: TensorIndex
    parts: list[Part]

    def chain(self, start: TensorIndex) -> Chain:
        """The product that leads from `start` to the other end."""
        chain = parts_chain(self.parts)
        return chain if start == self.start else turned_chain(chain)

    def other(self, i: TensorIndex) -> TensorIndex:
        """The other end."""
        return self.end if i == self.start else self.start


@dataclass(slots=True)
class Reduced:
    """A term reduced: number, scalars with their powers, and what stands at the free indices."""

    coefficient: Fraction
    scalars: list[Part]
    rows: list[Part] = field(default_factory=list)
    columns: list[Part] = field(default_factory=list)
    between: Chain | None = None


def reduce_term(
    t: Term,
    row: TensorIndex | None,
    column: TensorIndex | None,
    form: Callable[[Sum, TensorIndex | None, TensorIndex | None], Expression],
    habits: Habits,
) -> Reduced:
    """A term as matrices, its rows along `row` and its columns along `column`; `form` writes what is inside factors.

    Raises `NoMatrixForm`.
    """
    return _Graph(t, row, column, form, habits).reduced()


class _Graph:
    def __init__(
        self,
        t: Term,
        row: TensorIndex | None,
        column: TensorIndex | None,
        form: Callable[[Sum, TensorIndex | None, TensorIndex | None], Expression],
        habits: Habits,
    ) -> None:
        self.form, self.habits = form, habits
        self.free = [i for i in (row, column) if i is not None]
        self.row, self.column = row, column
        self.dummies = list(t.dummies)
        self.result = Reduced(t.coefficient, [])
        self.vectors: dict[TensorIndex, list[Part]] = {i: [] for i in (*self.free, *self.dummies)}
        self.edges: list[Edge] = []
        self.delta = False
        for f in t.factors:
            self.take(f)

    def take(self, f: Factor) -> None:
        """One factor into the graph."""
        if len(f.indices) > 2:
            raise NoMatrixForm
        if isinstance(f, Delta):
            if set(f.indices) != set(self.free):
                raise NoMatrixForm
            self.delta = True
        elif not f.indices:
            self.result.scalars.append(self.scalar(f))
        elif len(f.indices) == 1 or f.indices[0] == f.indices[1]:
            chain = self.written(f)
            if len(f.indices) == 2:
                chain = (diagonal(chain),)
            self.vectors[f.indices[0]].append((chain, f.exponent))
        else:
            self.edges.append(Edge(f.indices[0], f.indices[1], [(self.written(f), f.exponent)]))

    def written(self, f: Factor) -> Chain:
        """A factor as a column or a matrix, from its first index to its second, with as few transposes as can be."""
        if isinstance(f, SymbolEntry):
            return (f.atom,)
        assert isinstance(f, Compound)
        first, *second = slots(f.indices)
        if not second:
            return (_AROUND[type(f)](f, self.form(f.argument, first, None), False),)
        straight = _AROUND[type(f)](f, self.form(f.argument, first, second[0]), False)
        other = _AROUND[type(f)](f, self.form(f.argument, second[0], first), True)
        if isinstance(straight, Call) and straight.function == "diag":
            return (straight,)
        return (straight,) if transposes(straight) <= transposes(other) else (turned(other),)

    def scalar(self, f: Factor) -> Part:
        """A factor without indices, with its power; the root of a sum of squares is a norm."""
        if isinstance(f, SymbolEntry):
            return (f.atom,), f.exponent
        if isinstance(f, DimensionSize):
            e: Expression = Number(Fraction(f.dim)) if is_number(f.dim) else Symbol(f.dim)
            return (e,), f.exponent
        if isinstance(f, Determinant):
            a, b = matrix_slots(f.argument)
            inner = min((self.form(f.argument, a, b), self.form(f.argument, b, a)), key=transposes)
            return (Call("det", (inner,)),), f.exponent
        assert isinstance(f, Compound)
        if isinstance(f, Group) and len(f.argument.terms) == 1 and f.exponent.denominator == 2:
            inside = reduce_term(f.argument.terms[0], None, None, self.form, Habits(norms=True))
            if inside.coefficient == 1 and len(inside.scalars) == 1:
                chain, exponent = inside.scalars[0]
                if isinstance(chain[0], Call) and chain[0].function == "norm" and exponent == 2:
                    return chain, 2 * f.exponent
        return (_AROUND[type(f)](f, self.form(f.argument, None, None), False),), f.exponent

    # --- reduction ---

    def touching(self, i: TensorIndex) -> list[Edge]:
        return [e for e in self.edges if i in (e.start, e.end)]

    def reduced(self) -> Reduced:
        while self.dummies:
            if not self.step():
                raise NoMatrixForm
        self.join_parallel()
        result = self.result
        if self.row is not None:
            result.rows = self.vectors[self.row]
        if self.column is not None:
            result.columns = self.vectors[self.column]
        if self.edges:
            result.between = self.edges[0].chain(self.row)  # type: ignore[arg-type]
        elif self.delta:
            assert self.row is not None
            both = [*result.rows, *result.columns]
            result.rows, result.columns = [], []
            result.between = (diag(both) if both else Identity(self.row.dim),)
        return result

    def step(self) -> bool:
        """One index less, or one edge less; False where nothing can be done."""
        for wanted in (self.lone, self.leaf, self.loop, self.cycle, self.series, self.join_parallel):
            if wanted():
                return True
        return False

    def drop(self, i: TensorIndex) -> list[Part]:
        self.dummies.remove(i)
        return self.vectors.pop(i)

    def lone(self) -> bool:
        """Σ_i v_i w_i = v^T w."""
        for i in self.dummies:
            if not self.touching(i):
                self.result.scalars.append(self.inner(self.drop(i), i))
                return True
        return False

    def inner(self, parts: list[Part], i: TensorIndex) -> Part:
        """The sum of the entries of a product of vectors."""
        parts = sorted(parts, key=rank)
        plain = [p for p in parts if p[1] == 1]
        if len(parts) == 1 and parts[0][1] == 2:
            chain = parts[0][0]
            if self.habits.norms:
                return (Call("norm", (expression(chain),)),), Fraction(2)
            return turned_chain(chain) + chain, _ONE
        if len(parts) >= 2 and plain and all(e > 0 for _, e in parts):
            first = plain[0]
            rest = parts_chain([p for p in parts if p is not first])
            one, two = turned_chain(first[0]) + rest, turned_chain(rest) + first[0]
            return (one if transposes(one) <= transposes(two) else two), _ONE
        e = entrywise(parts)
        if self.habits.sums or not isinstance(e, Symbol):
            return (Call("sum", (e,)),), _ONE
        return (turned(Ones(i.dim)), e), _ONE

    def leaf(self) -> bool:
        """Σ_i A_ji v_i = (A v)_j."""
        for i in self.dummies:
            touching = self.touching(i)
            if len(touching) != 1 or touching[0].start == touching[0].end:
                continue
            (edge,) = touching
            j = edge.other(i)
            alone = not self.vectors[i] and not self.vectors[j] and j in self.dummies and len(self.touching(j)) == 1
            self.edges.remove(edge)
            if alone:  # a sum over all entries
                self.drop(i)
                self.drop(j)
                squared = len(edge.parts) == 1 and edge.parts[0][1] == 2
                e = expression(edge.parts[0][0]) if squared else entrywise(edge.parts)
                self.result.scalars.append(
                    ((Call("norm", (e,)),), Fraction(2)) if squared else ((Call("sum", (e,)),), _ONE)
                )
                return True
            parts = self.drop(i)
            vector = parts_chain(parts) if parts else (Ones(i.dim),)
            self.vectors[j].append((edge.chain(j) + vector, _ONE))
            return True
        return False

    def loop(self) -> bool:
        """An edge from an index to itself: a trace, or a diagonal."""
        for edge in self.edges:
            i = edge.start
            if i != edge.end:
                continue
            self.edges.remove(edge)
            chain = parts_chain(edge.parts)
            if i in self.dummies and not self.vectors[i] and not self.touching(i):
                self.drop(i)
                self.result.scalars.append(((Call("trace", (expression(_best_trace(chain)),)),), _ONE))
            else:
                self.vectors[i].append(((diagonal(chain),), _ONE))
            return True
        return False

    def cycle(self) -> bool:
        """Two indices joined by two matrices and nothing else: tr(A B)."""
        for i in self.dummies:
            touching = self.touching(i)
            if len(touching) != 2 or self.vectors[i] or any(len(e.parts) > 1 or e.parts[0][1] != 1 for e in touching):
                continue
            j, k = touching[0].other(i), touching[1].other(i)
            if j == k and j in self.dummies and not self.vectors[j] and len(self.touching(j)) == 2:
                chain = touching[0].chain(i) + touching[1].chain(j)
                self.edges = [e for e in self.edges if e not in touching]
                self.drop(i)
                self.drop(j)
                self.result.scalars.append(((Call("trace", (expression(_best_trace(chain)),)),), _ONE))
                return True
        return False

    def series(self) -> bool:
        """Σ_i A_ji v_i B_ik = (A diag(v) B)_jk."""
        for i in self.dummies:
            touching = self.touching(i)
            if len(touching) != 2 or touching[0].other(i) == touching[1].other(i):
                continue
            first, second = touching
            j, k = first.other(i), second.other(i)
            middle: Chain = (diag(self.vectors[i]),) if self.vectors[i] else ()
            self.drop(i)
            self.edges = [e for e in self.edges if e not in touching]
            self.edges.append(Edge(j, k, [(first.chain(j) + middle + second.chain(i), _ONE)]))
            return True
        return False

    def join_parallel(self) -> bool:
        """Edges between the same two indices: a Hadamard product."""
        for place, a in enumerate(self.edges):
            for b in self.edges[place + 1 :]:
                if {a.start, a.end} == {b.start, b.end} and a.start != a.end:
                    same = a.start == b.start
                    other = b.parts if same else [(turned_chain(c), e) for c, e in b.parts]
                    self.edges.remove(b)
                    a.parts = [*a.parts, *other]
                    if len(self.edges) > 1:
                        self.join_parallel()
                    return True
        return False


def _function_call(f: FunctionValue, inner: Expression, is_turned: bool) -> Expression:
    return Call(f.name, (inner,), primes=f.primes, latex=r"\sigma" if f.name == "sigmoid" else "")


# A factor around its argument as a matrix; True where that is the transpose.
_AROUND: dict[type[Compound], Callable[[Any, Expression, bool], Expression]] = {
    Group: lambda f, inner, is_turned: inner,
    FunctionValue: _function_call,
    Softmax: lambda f, inner, is_turned: Call("softmax", (inner,), axis=1 if is_turned else None),
    InverseEntry: lambda f, inner, is_turned: inverse(inner),
}


def _best_trace(chain: Chain) -> Chain:
    """The rotation of a chain, turned or not, with the fewest transposes; a trace does not see which."""
    rotations = [chain[k:] + chain[:k] for k in range(len(chain))]
    rotations += [turned_chain(c) for c in rotations]
    return min(rotations, key=transposes)

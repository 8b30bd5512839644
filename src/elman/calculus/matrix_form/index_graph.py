"""One term of an index form as matrices, by reducing the graph of its indices.

The indices of the term are the nodes, and its factors with two indices are the edges; a factor with one index is a
vector at its node. Edges in series are a matrix product, parallel edges a product entry by entry, a loop is a trace, a
vector between two edges a diagonal matrix. Each step removes a dummy index or an edge, until only the free indices are
left.

For example, Σ_jk A_ij B_jk x_k has the edges i-j and j-k and a vector at k: the leaf k gives the vector B x at j, the
leaf j gives the vector A B x at i. Nothing is left but the free index i, so the term is A B x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from elman.calculus.expression import Call, Constant, Expression, Identity, Number, Ones, Power, Symbol, Transpose
from elman.calculus.index_form.terms import (
    Below,
    Compound,
    Delta,
    Determinant,
    DimensionSize,
    Factor,
    FunctionValue,
    Group,
    InverseEntry,
    MatrixFunction,
    NamedConstant,
    OfMatrix,
    OfVector,
    Softmax,
    Sum,
    SymbolEntry,
    SymbolicPower,
    TensorIndex,
    Term,
    matrix_slots,
    slots,
)
from elman.calculus.matrix_form.matrix_products import (
    MatrixProduct,
    Powered,
    as_expression,
    as_matrix_product,
    diagonal_matrix,
    diagonal_of,
    display_rank,
    entrywise_product,
    factors,
    inverse,
)
from elman.calculus.matrix_form.transposes import count_transposes, transpose_factor, transpose_product
from elman.calculus.syntax.written_sizes import is_number

WriteSum = Callable[[Sum, TensorIndex | None, TensorIndex | None], Expression]


class NoMatrixFormError(Exception):
    """This index form cannot be written with matrices."""


@dataclass(frozen=True, slots=True)
class Notation:
    """What the formula itself uses, so that its derivative is written alike: ‖x‖^2 or x^T x, sum(x) or 1^T x."""

    norms: bool = False
    sums: bool = False


@dataclass(slots=True)
class ReducedTerm:
    """A term as matrices: a number, scalars, vectors along the rows and the columns, and a matrix between them."""

    coefficient: Fraction
    scalars: list[Powered]
    rows: list[Powered] = field(default_factory=list)
    columns: list[Powered] = field(default_factory=list)
    matrix: MatrixProduct | None = None


def reduce_term(
    t: Term, row: TensorIndex | None, column: TensorIndex | None, write_sum: WriteSum, notation: Notation
) -> ReducedTerm:
    """A term as matrices, its rows along `row` and its columns along `column`.

    `write_sum` writes the arguments of factors. Raises `NoMatrixFormError`.
    """
    return _Graph(t, row, column, write_sum, notation).reduced()


@dataclass(slots=True, eq=False)
class _Edge:
    """A matrix, the product entry by entry of `factors`, whose rows run along `start` and whose columns along `end`."""

    start: TensorIndex
    end: TensorIndex
    factors: list[Powered]

    def matrix(self, start: TensorIndex) -> MatrixProduct:
        """The matrix whose rows run along the end `start`."""
        found = as_matrix_product(self.factors)
        return found if start == self.start else transpose_product(found)

    def other_end(self, i: TensorIndex) -> TensorIndex:
        return self.end if i == self.start else self.start


class _Graph:
    def __init__(
        self, t: Term, row: TensorIndex | None, column: TensorIndex | None, write_sum: WriteSum, notation: Notation
    ) -> None:
        self.write_sum, self.notation = write_sum, notation
        self.row, self.column = row, column
        self.free = [i for i in (row, column) if i is not None]
        self.dummies = list(t.dummies)
        self.result = ReducedTerm(t.coefficient, [])
        self.vectors: dict[TensorIndex, list[Powered]] = {i: [] for i in (*self.free, *self.dummies)}
        self.edges: list[_Edge] = []
        self.has_delta = False
        for f in t.factors:
            self.add_factor(f)

    # --- factors as edges, vectors and scalars ---

    def add_factor(self, f: Factor) -> None:
        if len(f.indices) > 2 or isinstance(f, Below) or (isinstance(f, OfVector) and f.indices):
            raise NoMatrixFormError
        if isinstance(f, Delta):
            if set(f.indices) != set(self.free):
                raise NoMatrixFormError
            self.has_delta = True
        elif not f.indices:
            self.result.scalars.append(self.scalar(f))
        elif len(f.indices) == 1:
            self.vectors[f.indices[0]].append(Powered(self.vector_or_matrix(f), f.exponent))
        elif f.indices[0] == f.indices[1] and (f.exponent != 1 or f.indices[0] in self.free):
            diagonal = diagonal_of(self.vector_or_matrix(f))
            self.vectors[f.indices[0]].append(Powered((diagonal,), f.exponent))
        else:
            start, end = f.indices
            self.edges.append(_Edge(start, end, [Powered(self.vector_or_matrix(f), f.exponent)]))

    def vector_or_matrix(self, f: Factor) -> MatrixProduct:
        """A factor as a column along its one index, or as a matrix from its first index to its second.

        Of a matrix and the transpose of the same written the other way round, the one with fewer transposes.
        """
        if isinstance(f, SymbolEntry):
            return (f.atom,)
        assert isinstance(f, Compound)
        first, *second = slots(f.indices)
        if not second:
            return (self.around(f, self.write_sum(f.argument, first, None)),)
        straight = self.around(f, self.write_sum(f.argument, first, second[0]))
        other = self.around(f, self.write_sum(f.argument, second[0], first), is_transposed=True)
        if isinstance(straight, Call) and straight.function == "diag":
            return (straight,)
        fewer = count_transposes(straight) <= count_transposes(other)
        return (straight if fewer else transpose_factor(other),)

    def scalar(self, f: Factor) -> Powered:
        """A factor without indices, with its power; the root of a sum of squares is a norm."""
        if isinstance(f, SymbolEntry):
            return Powered((f.atom,), f.exponent)
        if isinstance(f, DimensionSize):
            size: Expression = Number(Fraction(f.dim)) if is_number(f.dim) else Symbol(f.dim)
            return Powered((size,), f.exponent)
        if isinstance(f, NamedConstant):
            return Powered((Constant(f.name),), f.exponent)
        if isinstance(f, OfVector):
            return Powered((Call(f.name, (self.write_sum(f.argument, TensorIndex(-1, f.dim), None),)),), f.exponent)
        if isinstance(f, OfMatrix):
            return Powered((self.of_matrix(f),), f.exponent)
        if isinstance(f, Determinant):
            a, b = matrix_slots(f.argument)
            matrices = self.write_sum(f.argument, a, b), self.write_sum(f.argument, b, a)
            return Powered((Call("det", (min(matrices, key=count_transposes),)),), f.exponent)
        assert isinstance(f, Compound)
        if isinstance(f, Group) and len(f.argument.terms) == 1 and f.exponent.denominator == 2:
            inside = reduce_term(f.argument.terms[0], None, None, self.write_sum, Notation(norms=True))
            if inside.coefficient == 1 and len(inside.scalars) == 1:
                base, exponent = inside.scalars[0]
                if isinstance(base[0], Call) and base[0].function == "norm" and exponent == 2:
                    return Powered(base, 2 * f.exponent)
        return Powered((self.around(f, self.write_sum(f.argument, None, None)),), f.exponent)

    def of_matrix(self, f: OfMatrix) -> Expression:
        """‖X‖_*, ‖X‖_2 or the trace of a function of X."""
        argument = self.write_sum(f.argument, *f.slots())
        if f.name in ("nuclear", "spectral"):
            return Call("nuclear" if f.name == "nuclear" else "norm2", (argument,))
        return Call("trace", (self.function_of_matrix(f, argument),))

    def function_of_matrix(self, f: OfMatrix | MatrixFunction, argument: Expression) -> Expression:
        """expm(X), X^k."""
        if f.name == "power":
            return Power(argument, self.write_sum(f.power, None, None))
        return Call(f.name, (argument,))

    def around(self, f: Compound, argument: Expression, is_transposed: bool = False) -> Expression:
        """A factor around its argument; `is_transposed`: as the transpose of the factor's matrix."""
        if isinstance(f, SymbolicPower):
            return Power(argument, self.write_sum(f.power, None, None), elementwise=bool(f.indices))
        if isinstance(f, MatrixFunction):
            found = self.function_of_matrix(f, argument)
            return Transpose(found) if f.name == "pinv" else found
        return _AROUND[type(f)](f, argument, is_transposed)

    # --- reduction ---

    def reduced(self) -> ReducedTerm:
        while self.dummies:
            if not self.step():
                raise NoMatrixFormError
        self.join_parallel_edges()
        result = self.result
        if self.row is not None:
            result.rows = self.vectors[self.row]
        if self.column is not None:
            result.columns = self.vectors[self.column]
        if self.edges:
            assert self.row is not None
            result.matrix = self.edges[0].matrix(self.row)
        elif self.has_delta:
            assert self.row is not None
            vectors = [*result.rows, *result.columns]
            result.rows, result.columns = [], []
            result.matrix = (diagonal_matrix(vectors) if vectors else Identity(self.row.dim),)
        return result

    def step(self) -> bool:
        """Removes one index or one edge; False where no rule applies."""
        rules = (
            self.sum_over_lone_index,
            self.remove_leaf,
            self.remove_loop,
            self.remove_cycle_of_two,
            self.join_series,
            self.join_parallel_edges,
        )
        return any(rule() for rule in rules)

    def edges_at(self, i: TensorIndex) -> list[_Edge]:
        return [e for e in self.edges if i in (e.start, e.end)]

    def remove_index(self, i: TensorIndex) -> list[Powered]:
        """Removes a dummy index and returns the vectors at it."""
        self.dummies.remove(i)
        return self.vectors.pop(i)

    def sum_over_lone_index(self) -> bool:
        """Σ_i v_i w_i = v^T w, at an index without edges."""
        for i in self.dummies:
            if not self.edges_at(i):
                self.result.scalars.append(self.sum_of_entries(self.remove_index(i), i))
                return True
        return False

    def sum_of_entries(self, vectors: list[Powered], i: TensorIndex) -> Powered:
        """The sum over `i` of a product of vectors."""
        vectors = sorted(vectors, key=display_rank)
        plain = [v for v in vectors if v.exponent == 1]
        if len(vectors) == 1 and vectors[0].exponent == 2:
            v = vectors[0].base
            return _norm_squared(as_expression(v)) if self.notation.norms else Powered(transpose_product(v) + v)
        if len(vectors) >= 2 and plain and all(v.exponent > 0 for v in vectors):
            first = plain[0]
            rest = as_matrix_product([v for v in vectors if v is not first])
            one, other = transpose_product(first.base) + rest, transpose_product(rest) + first.base
            return Powered(one if count_transposes(one) <= count_transposes(other) else other)
        e = entrywise_product(vectors)
        if isinstance(e, Call) and e.function == "diag" and e.operand == "matrix":
            return _trace(factors(e.arguments[0]))
        if self.notation.sums or not isinstance(e, Symbol):
            return Powered((Call("sum", (e,)),))
        return Powered((transpose_factor(Ones(i.dim)), e))

    def remove_leaf(self) -> bool:
        """Σ_i A_ji v_i = (A v)_j, at an index with one edge."""
        for i in self.dummies:
            at_i = self.edges_at(i)
            if len(at_i) != 1 or at_i[0].start == at_i[0].end:
                continue
            (edge,) = at_i
            j = edge.other_end(i)
            lone_edge = not self.vectors[i] and not self.vectors[j] and j in self.dummies and len(self.edges_at(j)) == 1
            self.edges.remove(edge)
            if lone_edge:
                self.remove_index(i)
                self.remove_index(j)
                self.result.scalars.append(_sum_of_all_entries(edge.factors))
                return True
            vectors = self.remove_index(i)
            vector = as_matrix_product(vectors) if vectors else (Ones(i.dim),)
            self.vectors[j].append(Powered(edge.matrix(j) + vector))
            return True
        return False

    def remove_loop(self) -> bool:
        """Σ_i A_ii = tr A; where i has other factors, the diagonal of A is a vector."""
        for edge in self.edges:
            i = edge.start
            if i != edge.end:
                continue
            self.edges.remove(edge)
            matrix = as_matrix_product(edge.factors)
            if i in self.dummies and not self.vectors[i] and not self.edges_at(i):
                self.remove_index(i)
                self.result.scalars.append(_trace(matrix))
            else:
                self.vectors[i].append(Powered((diagonal_of(matrix),)))
            return True
        return False

    def remove_cycle_of_two(self) -> bool:
        """Σ_ij A_ij B_ji = tr(A B), of two indices with nothing else."""
        for i in self.dummies:
            at_i = self.edges_at(i)
            if len(at_i) != 2 or self.vectors[i] or any(len(e.factors) > 1 or e.factors[0].exponent != 1 for e in at_i):
                continue
            first, second = at_i
            j = first.other_end(i)
            alone = j in self.dummies and not self.vectors[j] and len(self.edges_at(j)) == 2
            if j == second.other_end(i) and alone:
                matrix = first.matrix(i) + second.matrix(j)
                self.edges = [e for e in self.edges if e not in at_i]
                self.remove_index(i)
                self.remove_index(j)
                self.result.scalars.append(_trace(matrix))
                return True
        return False

    def join_series(self) -> bool:
        """Σ_i A_ji v_i B_ik = (A diag(v) B)_jk, at an index with two edges."""
        for i in self.dummies:
            at_i = self.edges_at(i)
            if len(at_i) != 2 or at_i[0].other_end(i) == at_i[1].other_end(i):
                continue
            first, second = at_i
            j, k = first.other_end(i), second.other_end(i)
            vectors = self.remove_index(i)
            middle: MatrixProduct = (diagonal_matrix(vectors),) if vectors else ()
            self.edges = [e for e in self.edges if e not in at_i]
            self.edges.append(_Edge(j, k, [Powered(first.matrix(j) + middle + second.matrix(i))]))
            return True
        return False

    def join_parallel_edges(self) -> bool:
        """A_ij B_ij = (A ∘ B)_ij, of two edges between the same indices."""
        for place, a in enumerate(self.edges):
            for b in self.edges[place + 1 :]:
                if {a.start, a.end} == {b.start, b.end} and a.start != a.end:
                    same_way = a.start == b.start
                    others = b.factors if same_way else [Powered(transpose_product(f), e) for f, e in b.factors]
                    self.edges.remove(b)
                    a.factors = [*a.factors, *others]
                    if len(self.edges) > 1:
                        self.join_parallel_edges()
                    return True
        return False


def _norm_squared(e: Expression) -> Powered:
    return Powered((Call("norm", (e,)),), Fraction(2))


def _sum_of_all_entries(factors: list[Powered]) -> Powered:
    """The sum of all entries of a matrix, as a norm where they are squares."""
    if len(factors) == 1 and factors[0].exponent == 2:
        return _norm_squared(as_expression(factors[0].base))
    return Powered((Call("sum", (entrywise_product(factors),)),))


def _trace(matrix: MatrixProduct) -> Powered:
    """The trace of a product, in the cyclic order, transposed or not, that has the fewest transposes."""
    rotations = [matrix[k:] + matrix[:k] for k in range(len(matrix))]
    rotations += [transpose_product(r) for r in rotations]
    return Powered((Call("trace", (as_expression(min(rotations, key=count_transposes)),)),))


# --- a factor around its argument, written as a matrix; `is_transposed`: as the transpose of the factor's matrix ---


def _function_call(f: FunctionValue, argument: Expression, is_transposed: bool) -> Expression:
    return Call(f.name, (argument,), primes=f.primes, latex=r"\sigma" if f.name == "sigmoid" else "")


_AROUND: dict[type[Compound], Callable[[Any, Expression, bool], Expression]] = {
    Group: lambda f, argument, is_transposed: argument,
    FunctionValue: _function_call,
    Softmax: lambda f, argument, is_transposed: Call("softmax", (argument,), axis=1 if is_transposed else None),
    InverseEntry: lambda f, argument, is_transposed: inverse(argument),
}

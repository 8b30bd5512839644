"""An index form written with matrices again, as a person would: common factors taken out, few transposes.

Each term becomes a `Summand` (`index_graph.py`), and the sum takes out what the summands have in common. For example,
Σ_i 2 A_ip A_iq x_q - Σ_i 2 A_ip b_i has the summands 2 A^T A x and -2 A^T b, and becomes 2 A^T (A x - b).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeGuard

from elman.calculus.expression import Expression, Identity, Number, Ones, Product, Transpose
from elman.calculus.index_form.arithmetic import apply_written_derivative, compound
from elman.calculus.index_form.terms import Factor, FunctionValue, Group, Sum, SymbolEntry, TensorIndex, Term, inside
from elman.calculus.matrix_form.index_graph import Notation, ReducedTerm, reduce_term
from elman.calculus.matrix_form.matrix_products import (
    MatrixProduct,
    Powered,
    as_expression,
    as_matrix_product,
    diagonal_matrix,
    entrywise_product,
    factors,
    negative,
    powers_joined,
    product,
    quotient,
    scaled,
    signed_sum,
)
from elman.calculus.matrix_form.sum_terms import (
    Summand,
    common_coefficient,
    common_factors,
    flat_sum,
    powers_added,
    scalar,
    without,
)
from elman.calculus.matrix_form.transposes import (
    count_transposes,
    transpose_expression,
    transpose_factor,
    transpose_product,
)

PLAIN = Notation()
ShapeOf = Callable[[Expression], tuple[str, str]]


def matrix_form(
    sum_: Sum,
    row: TensorIndex | None,
    column: TensorIndex | None,
    shape_of: ShapeOf,
    notation: Notation = PLAIN,
    as_argument: bool = False,
) -> Expression:
    """`sum_` as an expression whose rows run along `row` and whose columns along `column`.

    `shape_of` gives the dimensions of an expression. `as_argument` writes it as in the argument of a function, where a
    bias is added as a column. Raises `NoMatrixFormError` where the sum cannot be written with matrices.
    """
    writer = _Writer(shape_of, notation)
    return writer.argument(sum_, row, column) if as_argument else writer.sum(sum_, row, column)


class _Writer:
    def __init__(self, shape_of: ShapeOf, notation: Notation) -> None:
        self.shape_of, self.notation = shape_of, notation
        self.arguments: dict[tuple[Sum, TensorIndex | None, TensorIndex | None], Expression] = {}

    # --- index forms ---

    def sum(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        if row is None and column is not None:
            return transpose_expression(self.sum(sum_, column, None), self.is_scalar)
        if not sum_.terms:
            return _zero(row, column)
        return self.total([_summand(self.reduced(t, row, column), row, column) for t in sum_.terms])

    def argument(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        """The argument of a factor; equal arguments are written once."""
        key = sum_, row, column
        if key not in self.arguments:
            self.arguments[key] = self.broadcast_sum(sum_, row, column)
        return self.arguments[key]

    def broadcast_sum(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        """A sum in which a column, a row or a scalar may be added to all entries, as in W x + b or 1 - h."""
        if row is None or len(sum_.terms) < 2:
            return self.sum(sum_, row, column)
        reduced = [self.reduced(t, row, column) for t in sum_.terms]
        full = [_varies_along_all(r, row, column) for r in reduced]
        if not any(full) or all(full):
            return self.sum(sum_, row, column)
        return self.plain_sum(
            _summand(r, row, column, broadcast=not is_full) for r, is_full in zip(reduced, full, strict=True)
        )

    def reduced(self, t: Term, row: TensorIndex | None, column: TensorIndex | None) -> ReducedTerm:
        return reduce_term(_with_derivatives_written(t), row, column, self.argument, self.notation)

    def is_scalar(self, e: Expression) -> bool:
        return self.shape_of(e) == ("1", "1")

    # --- sums ---

    def total(self, summands: Sequence[Summand]) -> Expression:
        """The sum, with what the summands have in common taken out in front of it or behind it."""
        if len(summands) == 1:
            return self.single(summands[0])
        scalars = common_factors([s.scalars for s in summands])
        number = common_coefficient([s.coefficient for s in summands])
        if scalars or number != 1:
            rest = [
                replace(s, coefficient=s.coefficient / number, scalars=without(s.scalars, scalars)) for s in summands
            ]
            return self.times(number, scalars, factors(self.total(rest)))
        return (
            self.by_denominator(summands)
            or self.common_hadamard_factors(summands)
            or self.common_matrix_factors(summands)
            or self.plain_sum(summands)
        )

    def plain_sum(self, summands: Iterable[Summand]) -> Expression:
        """The sum, with nothing taken out."""
        return signed_sum((Fraction(1 if s.coefficient > 0 else -1), self.single(s.without_sign())) for s in summands)

    def sum_of_totals(self, groups: Iterable[Sequence[Summand]]) -> Expression:
        """The sum of the totals of groups."""
        totals = []
        for group in groups:
            sign = 1 if any(s.coefficient > 0 for s in group) else -1
            signed = [replace(s, coefficient=s.coefficient * sign) for s in group]
            totals.append((Fraction(sign), self.total(signed)))
        return flat_sum(totals)

    def by_denominator(self, summands: Sequence[Summand]) -> Expression | None:
        """Summands over one denominator together: (A + A^T) x / (x^T x) - 2 (x^T A x) x / (x^T x)^2."""
        groups: dict[tuple[Powered, ...], list[Summand]] = {}
        for s in summands:
            groups.setdefault(tuple(f for f in s.scalars if f.exponent < 0), []).append(s)
        return self.sum_of_totals(groups.values()) if len(groups) > 1 else None

    def common_hadamard_factors(self, summands: Sequence[Summand]) -> Expression | None:
        """s ∘ (g - s^T g): the factors that every product entry by entry has."""
        listed = [s.hadamard_factors() for s in summands]
        common = common_factors(listed)
        if all(len(found) <= 1 for found in listed) or not common or all(len(found) == len(common) for found in listed):
            return None
        rest = [s.with_hadamard(without(found, common)) for s, found in zip(summands, listed, strict=True)]
        return entrywise_product([*common, Powered(factors(self.total(rest)))])

    def common_matrix_factors(self, summands: Sequence[Summand]) -> Expression | None:
        """The prefix and the suffix that all matrix products share, or else the one that most of them share."""
        products = [s.matrix_product() for s in summands]
        if not all(products):
            return None
        first = products[0]
        if all(p == first for p in products):
            return product((self.total([s.with_product(()) for s in summands]), *first))
        if all(len(p) == 1 and isinstance(p[0], Transpose) for p in products):
            straight = [s.with_product(transpose_product(p)) for s, p in zip(summands, products, strict=True)]
            return Transpose(self.total(straight))
        prefix = _common_prefix(products)
        shorter = [p[prefix:] for p in products]
        suffix = _common_prefix([p[::-1] for p in shorter])
        if prefix or suffix:
            middles = [p[: len(p) - suffix] for p in shorter]
            behind = shorter[0][len(shorter[0]) - suffix :]
            return product((*first[:prefix], self.sum_between(summands, middles), *behind))
        return self.with_inner_products_opened(summands) or self.most_common_end(summands, products)

    def sum_between(self, summands: Sequence[Summand], middles: Sequence[MatrixProduct]) -> Expression:
        """The sum of what is left between prefix and suffix; the identity where nothing is left."""
        some = next((m for m in middles if m), None)
        if some is None:
            return self.total([s.with_product(()) for s in summands])
        pairs = list(zip(summands, middles, strict=True))
        if all(len(m) == 1 for m in middles):  # A + A^T rather than A^T + A
            pairs.sort(key=lambda pair: count_transposes(pair[1]))
        identity = Identity(self.shape_of(as_expression(some))[0])
        return self.total([s.with_product(m or (identity,)) for s, m in pairs])

    def with_inner_products_opened(self, summands: Sequence[Summand]) -> Expression | None:
        """(a b^T + b a^T) x, from (b^T x) a + (a^T x) b: inner products moved behind, where they end alike."""
        options: list[tuple[Summand, Summand]] = []
        for s in summands:
            inner_products = [f for f in s.scalars if len(f.base) > 1 and f.exponent == 1]
            if len(inner_products) != 1 or not s.product or self.shape_of(as_expression(s.product))[1] != "1":
                return None
            (inner,) = inner_products
            rest = tuple(f for f in s.scalars if f is not inner)
            one, other = s.product + inner.base, s.product + transpose_product(inner.base)
            options.append((replace(s, scalars=rest, product=one), replace(s, scalars=rest, product=other)))
        for last in dict.fromkeys(s.product[-1] for pair in options for s in pair):
            chosen = [next((s for s in pair if s.product[-1] == last), None) for pair in options]
            if all(s is not None for s in chosen):
                return self.total([s for s in chosen if s is not None])
        return None

    def most_common_end(self, summands: Sequence[Summand], products: Sequence[MatrixProduct]) -> Expression | None:
        """Some of the summands joined: A x + A^T x + b = (A + A^T) x + b."""
        having: dict[tuple[int, Expression], list[int]] = {}
        for k, p in enumerate(products):
            for end in (-1, 0) if len(p) > 1 else (-1,):
                having.setdefault((end, p[end]), []).append(k)
        most = max(having.values(), key=len)
        if len(most) < 2 or len(most) == len(summands) or all(len(products[k]) == 1 for k in most):
            return None
        return self.sum_of_totals([[summands[k] for k in most], [s for k, s in enumerate(summands) if k not in most]])

    # --- single summands ---

    def single(self, s: Summand) -> Expression:
        """One summand as an expression."""
        matrices = s.matrix_product()
        inner_products = [f for f in s.scalars if f.exponent == 1 and len(f.base) > 1]
        if matrices and len(inner_products) == 1 and abs(s.coefficient) == 1:
            # a (x^T b) c^T: behind the first column, since x^T b a c^T could be misread
            (inner,) = inner_products
            columns = (k for k in range(1, len(matrices) + 1) if self.shape_of(as_expression(matrices[:k]))[1] == "1")
            end = next(columns, 0)
            if end:
                rest = tuple(f for f in s.scalars if f is not inner)
                return self.times(s.coefficient, rest, (*matrices[:end], scalar(inner), *matrices[end:]))
        return self.times(s.coefficient, s.scalars, matrices)

    def times(self, number: Fraction, scalars: Iterable[Powered], matrices: MatrixProduct) -> Expression:
        """A number, scalars and a matrix product: positive powers in front, negative ones below a fraction line."""
        ordered = sorted(powers_added(scalars), key=lambda f: (len(f.base) > 1, count_transposes(f.base)))
        above = [scalar(f) for f in ordered if f.exponent > 0]
        below = [scalar(Powered(f.base, -f.exponent)) for f in ordered if f.exponent < 0]
        body = powers_joined(matrices)
        if len(body) == 1 and not above and isinstance(body[0], Product) and number == 1 and not below:
            return body[0]
        if len(body) == 1 and above and not below and _is_reciprocal(body[0]):
            below, body = [body[0].right], ()  # c / x rather than c (1 / x)
        if below and abs(number.numerator) == 1 and number.denominator > 1:
            below.insert(0, Number(Fraction(number.denominator)))
            number *= number.denominator
        if not below:
            return scaled(number, (*above, *body))
        result = quotient(scaled(abs(number), (*above, *body)), product(below))
        return negative(result) if number < 0 else result


def _is_reciprocal(e: Expression) -> TypeGuard[Product]:
    return isinstance(e, Product) and e.operator == "/" and e.left == Number(Fraction(1))


def _zero(row: TensorIndex | None, column: TensorIndex | None) -> Expression:
    if row is None and column is None:
        return Number(Fraction(0))
    ones: MatrixProduct = () if row is None else (Ones(row.dim),)
    ones += () if column is None else (transpose_factor(Ones(column.dim)),)
    return Product(Number(Fraction(0)), as_expression(ones))


def _common_prefix(products: Sequence[MatrixProduct]) -> int:
    """How many first factors all products share."""
    count = 0
    while all(len(p) > count and p[count] == products[0][count] for p in products):
        count += 1
    return count


# --- terms as summands ---


def _varies_along_all(r: ReducedTerm, row: TensorIndex | None, column: TensorIndex | None) -> bool:
    """Whether a term varies along its rows and its columns, rather than being the same along one of them."""
    return r.matrix is not None or bool((r.rows or row is None) and (r.columns or column is None))


def _summand(r: ReducedTerm, row: TensorIndex | None, column: TensorIndex | None, broadcast: bool = False) -> Summand:
    """A reduced term as a summand; with `broadcast`, only as large as what it varies along."""
    plain = Summand(r.coefficient, tuple(r.scalars))
    if row is None:
        return plain
    if column is None:
        return _vector(plain, r.rows, None if broadcast else row)
    if broadcast and not r.rows:
        columns = _vector(plain, r.columns, None)
        return columns.with_product(transpose_product(columns.matrix_product()))
    if broadcast and not r.columns:
        return _vector(plain, r.rows, None)
    if r.matrix is None:
        left = as_matrix_product(r.rows) if r.rows else (Ones(row.dim),)
        right = as_matrix_product(r.columns) if r.columns else (Ones(column.dim),)
        return plain.with_product(left + transpose_product(right))
    matrices = r.matrix
    if r.rows:
        matrices = (diagonal_matrix(r.rows), *matrices)
    if r.columns:
        matrices = (*matrices, diagonal_matrix(r.columns))
    return plain.with_product(matrices)


def _vector(plain: Summand, vectors: list[Powered], i: TensorIndex | None) -> Summand:
    """A number and scalars times a product of vectors along `i`: ones where there are none and `i` is not None."""
    if not vectors:
        return plain if i is None else plain.with_product((Ones(i.dim),))
    return plain.with_hadamard(tuple(vectors))


def _with_derivatives_written(t: Term) -> Term:
    """σ' and tanh' of a symbol by their formulas: σ(z) ∘ (1 - σ(z)), 1 - tanh(z)^2."""
    written: list[Factor] = []
    coefficient = t.coefficient
    for f in t.factors:
        if not (isinstance(f, FunctionValue) and f.primes and f.exponent == 1 and _is_symbol(f.argument)):
            written.append(f)
            continue
        derivative = apply_written_derivative(f.name, inside(f))
        if len(derivative.terms) == 1 and not derivative.terms[0].dummies:
            written.extend(derivative.terms[0].factors)
            coefficient *= derivative.terms[0].coefficient
        else:
            written.append(compound(Group, derivative, f.indices))
    return Term(coefficient, tuple(written), t.dummies)


def _is_symbol(argument: Sum) -> bool:
    if len(argument.terms) != 1:
        return False
    (t,) = argument.terms
    return (
        t.coefficient == 1
        and len(t.factors) == 1
        and isinstance(t.factors[0], SymbolEntry)
        and t.factors[0].exponent == 1
    )

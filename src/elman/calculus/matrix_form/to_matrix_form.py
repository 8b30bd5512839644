"""An index form written with matrices again, as a person would: common factors pulled out, few transposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Expression, Identity, Number, Ones, Product, Transpose
from elman.calculus.index_form.arithmetic import apply_written_derivative, compound
from elman.calculus.index_form.terms import Factor, FunctionValue, Group, Sum, SymbolEntry, TensorIndex, Term, inside
from elman.calculus.matrix_form.index_graph import Habits, NoMatrixForm, Reduced, reduce_term
from elman.calculus.matrix_form.matrix_products import (
    Chain,
    Part,
    added,
    diag,
    entrywise,
    expression,
    factors,
    negative,
    over,
    parts_chain,
    powers_joined,
    product,
    scaled,
    transposed,
    transposes,
    turned,
    turned_chain,
)
from elman.calculus.matrix_form.sum_terms import (
    Piece,
    as_piece,
    as_powers,
    common_number,
    entrywise_parts,
    flat_sum,
    positive,
    scalar,
    shared_parts,
    without,
)

NO_HABITS = Habits()
DimensionOf = Callable[[Expression], tuple[str, str]]


def matrix_form(
    sum_: Sum,
    row: TensorIndex | None,
    column: TensorIndex | None,
    shape_of: DimensionOf,
    habits: Habits = NO_HABITS,
    inside: bool = False,
) -> Expression:
    """`sum_` as an expression whose rows run along `row` and whose columns along `column`.

    `shape_of` tells the dimensions of an expression; `inside` writes it as the argument of a function is written, where
    a bias stands as a column. Raises `NoMatrixForm` where matrices cannot say it.
    """
    writer = _Writer(shape_of, habits)
    return writer.nested(sum_, row, column) if inside else writer.form(sum_, row, column)


class _Writer:
    def __init__(self, shape_of: DimensionOf, habits: Habits) -> None:
        self.shape_of, self.habits = shape_of, habits
        self.written: dict[tuple[Sum, TensorIndex | None, TensorIndex | None], Expression] = {}

    def form(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        if row is None and column is not None:
            return transposed(self.form(sum_, column, None), self.is_scalar)
        if not sum_.terms:
            return self.zero(row, column)
        reduced = [self.reduced(_spelled_out(t), row, column) for t in sum_.terms]
        return self.total([self.piece(r, row, column, False) for r in reduced])

    def nested(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        """A sum inside a factor, each written once: a scalar or a bias is added to all, as in W x + b or 1 - h."""
        key = sum_, row, column
        if key not in self.written:
            self.written[key] = self.broadcast(sum_, row, column)
        return self.written[key]

    def broadcast(self, sum_: Sum, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        """A sum of which some terms may be a column, a row or a scalar that is added to all."""
        if row is None or len(sum_.terms) < 2:
            return self.form(sum_, row, column)
        reduced = [self.reduced(_spelled_out(t), row, column) for t in sum_.terms]
        full = [self.covers(r, row, column) for r in reduced]
        if not any(full) or all(full):
            return self.form(sum_, row, column)
        pieces = [self.piece(r, row, column, not whole) for r, whole in zip(reduced, full, strict=True)]
        return self.plain_sum(pieces)

    def reduced(self, t: Term, row: TensorIndex | None, column: TensorIndex | None) -> Reduced:
        return reduce_term(t, row, column, self.nested, self.habits)

    def covers(self, r: Reduced, row: TensorIndex | None, column: TensorIndex | None) -> bool:
        """Whether a term varies along all of the rows and the columns."""
        return r.between is not None or bool((r.rows or row is None) and (r.columns or column is None))

    def is_scalar(self, e: Expression) -> bool:
        return self.shape_of(e) == ("1", "1")

    def zero(self, row: TensorIndex | None, column: TensorIndex | None) -> Expression:
        if row is None and column is None:
            return Number(Fraction(0))
        chain: Chain = () if row is None else (Ones(row.dim),)
        chain += () if column is None else (turned(Ones(column.dim)),)
        return Product(Number(Fraction(0)), expression(chain))

    def piece(self, r: Reduced, row: TensorIndex | None, column: TensorIndex | None, broadcast: bool) -> Piece:
        """One term as a piece; where `broadcast`, a part of its shape is enough."""
        scalars = tuple(r.scalars)
        if row is None:
            return Piece(r.coefficient, scalars)
        if column is None:
            return self.vector(r, scalars, r.rows, None if broadcast else row)
        if broadcast and not r.rows:
            p = self.vector(r, scalars, r.columns, None)
            return replace(p, chain=turned_chain(p.full()), parts=())
        if broadcast and not r.columns:
            return self.vector(r, scalars, r.rows, None)
        if r.between is None:
            left = parts_chain(r.rows) if r.rows else (Ones(row.dim),)
            right = parts_chain(r.columns) if r.columns else (Ones(column.dim),)
            return Piece(r.coefficient, scalars, left + turned_chain(right))
        chain = r.between
        if r.rows:
            chain = (diag(r.rows), *chain)
        if r.columns:
            chain = (*chain, diag(r.columns))
        return Piece(r.coefficient, scalars, chain)

    def vector(self, r: Reduced, scalars: tuple[Part, ...], parts: list[Part], i: TensorIndex | None) -> Piece:
        if not parts:
            return Piece(r.coefficient, scalars, () if i is None else (Ones(i.dim),))
        if len(parts) == 1 and parts[0][1] == 1:
            return Piece(r.coefficient, scalars, parts[0][0])
        return Piece(r.coefficient, scalars, (), tuple(parts))

    # --- sums ---

    def total(self, pieces: list[Piece]) -> Expression:
        """The sum of pieces, what they share in front of it or behind it."""
        if len(pieces) == 1:
            return self.single(pieces[0])
        shared = shared_parts([p.scalars for p in pieces])
        number = common_number([p.coefficient for p in pieces])
        if shared or number != 1:
            rest = [replace(p, coefficient=p.coefficient / number, scalars=without(p.scalars, shared)) for p in pieces]
            return self.times(number, shared, factors(self.total(rest)))
        by_denominator = self.by_denominator(pieces)
        if by_denominator is not None:
            return by_denominator
        if any(len(entrywise_parts(p)) > 1 for p in pieces):
            found = self.common_parts(pieces)
            if found is not None:
                return found
        chains = [p.full() for p in pieces]
        if all(chains):
            found = self.factored(pieces, chains)
            if found is not None:
                return found
        return self.plain_sum(pieces)

    def plain_sum(self, pieces: list[Piece]) -> Expression:
        """The sum of pieces, nothing pulled out."""
        return added((Fraction(1 if p.coefficient > 0 else -1), self.single(positive(p))) for p in pieces)

    def by_denominator(self, pieces: list[Piece]) -> Expression | None:
        """Pieces over one denominator together: (A + A^T) x / (x^T x) - 2 (x^T A x) x / (x^T x)^2."""
        groups: dict[tuple[Part, ...], list[Piece]] = {}
        for p in pieces:
            groups.setdefault(tuple(s for s in p.scalars if s[1] < 0), []).append(p)
        return self.sum_of(list(groups.values())) if len(groups) > 1 else None

    def sum_of(self, groups: list[list[Piece]]) -> Expression:
        """The sum of the totals of groups."""
        parts = []
        for group in groups:
            sign = 1 if any(p.coefficient > 0 for p in group) else -1
            signed = [replace(p, coefficient=p.coefficient * sign) for p in group]
            parts.append((Fraction(sign), self.total(signed)))
        return flat_sum(parts)

    def common_parts(self, pieces: list[Piece]) -> Expression | None:
        """s ∘ (g - s^T g): parts that stand in every product entry by entry."""
        listed = [entrywise_parts(p) for p in pieces]
        shared = shared_parts(listed)
        if not shared or all(len(parts) == len(shared) for parts in listed):
            return None
        rest = [as_piece(p, without(parts, shared)) for p, parts in zip(pieces, listed, strict=True)]
        return entrywise([*shared, (factors(self.total(rest)), Fraction(1))])

    def factored(self, pieces: list[Piece], chains: list[Chain]) -> Expression | None:
        """A prefix or a suffix that all chains share, or else the one that most of them share, pulled out."""
        first = chains[0]
        if all(c == first for c in chains):
            return product((self.total([replace(p, chain=(), parts=()) for p in pieces]), *first))
        if all(len(c) == 1 and isinstance(c[0], Transpose) for c in chains):
            straight = [replace(p, chain=turned_chain(c), parts=()) for p, c in zip(pieces, chains, strict=True)]
            return Transpose(self.total(straight))
        prefix = 0
        while all(len(c) > prefix and c[prefix] == first[prefix] for c in chains) and prefix < len(first):
            prefix += 1
        cut = [c[prefix:] for c in chains]
        suffix = 0
        while all(len(c) > suffix and c[-1 - suffix] == cut[0][-1 - suffix] for c in cut):
            suffix += 1
        if prefix or suffix:
            middles = [c[: len(c) - suffix] for c in cut]
            return product((*first[:prefix], self.inner(pieces, middles), *cut[0][len(cut[0]) - suffix :]))
        longer = self.behind(pieces)
        if longer is not None:
            return longer
        return self.partly(pieces, chains)

    def inner(self, pieces: list[Piece], middles: list[Chain]) -> Expression:
        """The sum of what is left between; where nothing is left, the identity."""
        some = next((m for m in middles if m), None)
        if some is None:
            return self.total([replace(p, chain=(), parts=()) for p in pieces])
        if all(len(m) == 1 for m in middles):  # A + A^T rather than A^T + A
            pairs = sorted(zip(pieces, middles, strict=True), key=lambda pair: transposes(pair[1]))
            pieces, middles = [p for p, _ in pairs], [m for _, m in pairs]
        identity = Identity(self.shape_of(expression(some))[0])
        rest = [replace(p, chain=m or (identity,), parts=()) for p, m in zip(pieces, middles, strict=True)]
        return self.total(rest)

    def behind(self, pieces: list[Piece]) -> Expression | None:
        """(a b^T + b a^T) x, from (b^T x) a + (a^T x) b: inner products taken into the chain where that is shared."""
        taken: list[Piece] = []
        for p in pieces:
            inner = [s for s in p.scalars if len(s[0]) > 1 and s[1] == 1]
            if len(inner) != 1 or not p.chain or self.shape_of(expression(p.chain))[1] != "1":
                return None
            rest = tuple(s for s in p.scalars if s is not inner[0])
            taken.append(replace(p, scalars=rest, chain=p.chain + inner[0][0]))
        options = [
            (t, replace(t, chain=p.chain + turned_chain(t.chain[len(p.chain) :])))
            for t, p in zip(taken, pieces, strict=True)
        ]
        for last in {o.chain[-1] for pair in options for o in pair}:
            chosen = [next((o for o in pair if o.chain[-1] == last), None) for pair in options]
            if all(c is not None for c in chosen):
                return self.total([c for c in chosen if c is not None])
        return None

    def partly(self, pieces: list[Piece], chains: list[Chain]) -> Expression | None:
        """Some of the pieces joined: A x + A^T x + b = (A + A^T) x + b."""
        counts: dict[tuple[int, Expression], list[int]] = {}
        for k, c in enumerate(chains):
            for side in (-1, 0) if len(c) > 1 else (-1,):
                counts.setdefault((side, c[side]), []).append(k)
        best = max(counts.values(), key=len)
        if len(best) < 2 or len(best) == len(pieces) or all(len(chains[k]) == 1 for k in best):
            return None
        return self.sum_of([[pieces[k] for k in best], [p for k, p in enumerate(pieces) if k not in best]])

    # --- single pieces ---

    def single(self, p: Piece) -> Expression:
        """One piece as an expression."""
        chain = p.full()
        compound = [s for s in p.scalars if s[1] == 1 and len(s[0]) > 1]
        if chain and len(compound) == 1 and abs(p.coefficient) == 1:  # a (x^T b), as x^T b a could be misread
            rest = tuple(s for s in p.scalars if s is not compound[0])
            ends = (k for k in range(1, len(chain) + 1) if self.shape_of(expression(chain[:k]))[1] == "1")
            end = next(ends, 0)
            if end:
                chain = (*chain[:end], scalar(compound[0]), *chain[end:])
                return self.times(p.coefficient, rest, chain)
        return self.times(p.coefficient, p.scalars, chain)

    def times(self, number: Fraction, scalars: tuple[Part, ...], chain: Chain) -> Expression:
        """A number, scalars and a chain: the positive powers in front, the negative ones below a fraction line."""
        ordered = sorted(as_powers(scalars), key=lambda s: (len(s[0]) > 1, transposes(s[0])))
        above = [scalar(s) for s in ordered if s[1] > 0]
        below = [scalar((c, -e)) for c, e in ordered if e < 0]
        body = powers_joined(chain)
        if len(body) == 1 and not above and isinstance(body[0], Product) and number == 1 and not below:
            return body[0]
        if below and abs(number.numerator) == 1 and number.denominator > 1:
            below.insert(0, Number(Fraction(number.denominator)))
            number *= number.denominator
        sign, size = (-1 if number < 0 else 1), abs(number)
        if below:
            result = over(scaled(size, (*above, *body)), product(below))
            return negative(result) if sign < 0 else result
        return scaled(number, (*above, *body))


def _spelled_out(t: Term) -> Term:
    """σ' and tanh' of a symbol written out: σ(z) ∘ (1 - σ(z)), 1 - tanh(z)^2."""
    factors: list[Factor] = []
    coefficient = t.coefficient
    for f in t.factors:
        if isinstance(f, FunctionValue) and f.primes and f.exponent == 1 and _is_symbol(f.argument):
            derivative = apply_written_derivative(f.name, inside(f))
            if len(derivative.terms) == 1 and not derivative.terms[0].dummies:
                factors.extend(derivative.terms[0].factors)
                coefficient *= derivative.terms[0].coefficient
            else:
                factors.append(compound(Group, derivative, f.indices))
        else:
            factors.append(f)
    return Term(coefficient, tuple(factors), t.dummies)


def _is_symbol(argument: Sum) -> bool:
    if len(argument.terms) != 1:
        return False
    t = argument.terms[0]
    return (
        t.coefficient == 1
        and len(t.factors) == 1
        and isinstance(t.factors[0], SymbolEntry)
        and t.factors[0].exponent == 1
    )


__all__ = ["Habits", "NoMatrixForm", "matrix_form"]

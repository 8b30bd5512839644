"""Index forms in canonical form: δ contracted, powers of one base joined, like terms added.

For example, Σ_ij δ_ip A_ij x_j + Σ_ij x_i A_ij δ_jp becomes Σ_j A_pj x_j + Σ_i A_ip x_i. Dummy indices are renumbered
and factors sorted, so that equal forms come out equal.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Expression, Transpose
from elman.calculus.index_form.cancel import multiplied_out, without_sigmoid_quotients
from elman.calculus.index_form.joined_powers import powers_joined
from elman.calculus.index_form.terms import (
    Below,
    Compound,
    Delta,
    Determinant,
    DimensionSize,
    Factor,
    Group,
    InverseEntry,
    MatrixFunction,
    OfMatrix,
    Softmax,
    Sum,
    SymbolEntry,
    TensorIndex,
    Term,
    factor_key,
    inside,
    rename,
)

_FIRST_DUMMY = 1_000_000_000  # canonical numbers of dummy indices, above those of `fresh`


def simplify(sum_: Sum, distributions: Collection[Expression] = ()) -> Sum:
    """`sum_` in canonical form: equal forms come out equal, except for symmetries that relabelling does not find.

    `distributions` are the symbols whose columns sum to 1, and the transposes of those whose rows do.
    """
    result = _collected(sum_, distributions)
    longer = multiplied_out(result)
    if longer is not None:
        shorter = _collected(longer, distributions)
        if len(shorter.terms) <= len(result.terms):
            return shorter
    return result


def _collected(sum_: Sum, distributions: Collection[Expression]) -> Sum:
    """The terms in canonical form, like terms added."""
    collected: dict[tuple[tuple[Factor, ...], tuple[TensorIndex, ...]], Fraction] = {}
    for term in sum_.terms:
        for t in _without_needless_groups(_without_nested_inverses(term)):
            simple = _canonical(_simplified(t, distributions))
            key = simple.factors, simple.dummies
            collected[key] = collected.get(key, Fraction(0)) + simple.coefficient
    found = tuple(Term(c, factors, dummies) for (factors, dummies), c in collected.items() if c)
    both = _both_orders(found)
    return simplify(Sum(both), distributions) if both is not None else Sum(found)


def _both_orders(terms: tuple[Term, ...]) -> tuple[Term, ...] | None:
    """The terms with [i < j] t + [j < i] t as t - δ_ij t, once; None where there is no such pair."""
    for t in terms:
        for place, f in enumerate(t.factors):
            if not isinstance(f, Below) or f.exponent != 1:
                continue
            rest = t.factors[:place] + t.factors[place + 1 :]
            other = _canonical(replace(t, factors=(*rest, Below(f.indices[::-1]))))
            if other in terms and other != t:
                without = Term(t.coefficient, rest, t.dummies)
                equal = Term(-t.coefficient, (*rest, Delta(f.indices)), t.dummies)
                return (*(u for u in terms if u not in (t, other)), without, equal)
    return None


def _without_needless_groups(t: Term) -> list[Term]:
    """A term without the groups that it does not need: those of one term, and one that is its only factor."""
    for place, f in enumerate(t.factors):
        if not isinstance(f, Group) or f.exponent.denominator != 1:
            continue
        rest = t.factors[:place] + t.factors[place + 1 :]
        terms = f.argument.terms
        if not terms:
            return []
        if len(terms) == 1 and (f.exponent == 1 or not terms[0].dummies):
            (inner,) = inside(f).terms
            powers = tuple(g.to_power(f.exponent) for g in inner.factors)
            coefficient = t.coefficient * inner.coefficient ** int(f.exponent)
            return _without_needless_groups(Term(coefficient, rest + powers, t.dummies + inner.dummies))
        if not rest and f.exponent == 1:
            return [
                u
                for inner in inside(f).terms
                for u in _without_needless_groups(
                    Term(t.coefficient * inner.coefficient, inner.factors, t.dummies + inner.dummies)
                )
            ]
    return [t]


def _simplified(t: Term, distributions: Collection[Expression]) -> Term:
    """The rules below, applied until none changes the term."""
    while True:
        contracted = powers_joined(_deltas_contracted(_without_nested_inverses(t)), simplify)
        once = _known_sums(without_sigmoid_quotients(contracted), distributions)
        if once == t:
            return t
        t = once


def _without_nested_inverses(t: Term) -> Term:
    """(X^-1)^-1 = X and det(X^-1) = 1 / det X."""
    return replace(t, factors=tuple(_without_nested_inverse(f) for f in t.factors))


def _without_nested_inverse(f: Factor) -> Factor:
    if not isinstance(f, InverseEntry | Determinant):
        return f
    inner = _only_factor(f.argument)
    if not isinstance(inner, InverseEntry) or inner.exponent != 1:
        return f
    if isinstance(f, Determinant):
        return replace(f, exponent=-f.exponent, argument=inner.argument)
    indices = f.indices if inner.indices[0].number == -1 else f.indices[::-1]
    return Group(indices, inner.argument, exponent=f.exponent)


def _only_factor(argument: Sum) -> Factor | None:
    """The factor that an argument consists of, if it is a single one with the coefficient 1 and no sum."""
    if len(argument.terms) != 1:
        return None
    (t,) = argument.terms
    return t.factors[0] if t.coefficient == 1 and len(t.factors) == 1 and not t.dummies else None


def _substituted(factors: list[Factor], old: TensorIndex, new: TensorIndex) -> list[Factor]:
    return [replace(f, indices=tuple(new if i == old else i for i in f.indices)) for f in factors]


def _deltas_contracted(t: Term) -> Term:
    """Every δ_ij over a dummy index removed, by renaming that index."""
    factors, dummies = list(t.factors), list(t.dummies)
    again = True
    while again:
        again = False
        for place, f in enumerate(factors):
            if not isinstance(f, Delta):
                continue
            i, j = f.indices
            if i == j:
                del factors[place]
            elif i in dummies or j in dummies:
                old, new = (i, j) if i in dummies else (j, i)
                del factors[place]
                factors = _substituted(factors, old, new)
                dummies.remove(old)
            else:
                continue
            again = True
            break
    if any(isinstance(f, Below) and f.indices[0] == f.indices[1] for f in factors):
        return Term(Fraction(0))
    pairs = sorted({tuple(sorted(f.indices, reverse=True)) for f in factors if isinstance(f, Delta)}, reverse=True)
    others = [f for f in factors if not isinstance(f, Delta)]
    for a, b in pairs:  # δ_pq of two free indices: write the rest in p alone
        others = _substituted(others, b, a)
    return Term(t.coefficient, (*(Delta((a, b)) for a, b in pairs), *others), tuple(dummies))


def _known_sums(t: Term, distributions: Collection[Expression]) -> Term:
    """One sum carried out: over no factor, a softmax, a distribution, or an inverse times its matrix."""
    for d in t.dummies:
        along = [f for f in t.factors if d in f.indices]
        rest = tuple(f for f in t.factors if d not in f.indices)
        dummies = tuple(i for i in t.dummies if i != d)
        if not along:
            return Term(t.coefficient, (*rest, DimensionSize((), d.dim)), dummies)
        if len(along) == 1 and _is_diagonal_of_function(along[0]):
            f = along[0]
            assert isinstance(f, MatrixFunction)
            trace = OfMatrix((), f.argument, f.name, d.dim, d.dim, f.power)
            return Term(t.coefficient, (*rest, trace), dummies)
        if len(along) == 1 and _sums_to_one(along[0], d, distributions):
            return Term(t.coefficient, rest, dummies)
        cancelled = _inverse_times_matrix(along, d)
        if cancelled is not None:
            return Term(t.coefficient, (*rest, cancelled), dummies)
    return t


def _is_diagonal_of_function(f: Factor) -> bool:
    """Whether it is f(X)_ii of a function whose trace has a derivative of its own."""
    if not isinstance(f, MatrixFunction) or f.exponent != 1 or f.indices[0] != f.indices[1]:
        return False
    return f.name in ("expm", "logm", "power")


def _sums_to_one(f: Factor, d: TensorIndex, distributions: Collection[Expression]) -> bool:
    """Whether the sum of `f` over `d` is 1."""
    if f.exponent != 1:
        return False
    if isinstance(f, SymbolEntry) and len(f.indices) == 2 and f.indices[1] == d != f.indices[0]:
        return Transpose(f.atom) in distributions
    if f.indices[0] != d or d in f.indices[1:]:
        return False
    return isinstance(f, Softmax) or (isinstance(f, SymbolEntry) and f.atom in distributions)


def _inverse_times_matrix(along: list[Factor], d: TensorIndex) -> Factor | None:
    """δ_ik for Σ_j X^-1_ij X_jk, where the argument of the inverse is the symbol X itself."""
    if len(along) != 2 or any(f.exponent != 1 or len(f.indices) != 2 for f in along):
        return None
    for inverse, matrix in (along, along[::-1]):
        if not isinstance(inverse, InverseEntry) or not isinstance(matrix, SymbolEntry):
            continue
        terms = inverse.argument.terms
        if len(terms) != 1 or len(terms[0].factors) != 1 or terms[0].coefficient != 1:
            continue
        (inner,) = terms[0].factors
        if not isinstance(inner, SymbolEntry) or inner.atom != matrix.atom or inner.exponent != 1:
            continue
        either_way = [matrix.indices, matrix.indices[::-1]] if inner.symbol.structure else [matrix.indices]
        for (i, j), (k, m) in ((inverse.indices, indices) for indices in either_way):
            if (j == k == d or i == m == d) and not (j == k and i == m):
                return Delta((i, m) if j == k else (k, j))
    return None


# --- the order of indices and factors ---


def _is_symmetric(f: Factor) -> bool:
    """Whether the two indices of a factor may be swapped."""
    if len(f.indices) != 2 or f.indices[0].dim != f.indices[1].dim:
        return False
    if isinstance(f, Delta):
        return True
    if isinstance(f, SymbolEntry):
        return bool(f.symbol.structure)
    if not isinstance(f, Compound) or isinstance(f, Softmax):
        return False
    dim = f.indices[0].dim
    a, b = TensorIndex(-1, dim), TensorIndex(-2, dim)
    return simplify(rename(f.argument, {a: b, b: a})) == f.argument


def _canonical(t: Term) -> Term:
    """The term with its dummy indices renumbered and its factors sorted by what they are."""
    symmetric = [_is_symmetric(f) for f in t.factors]
    numbers: dict[TensorIndex, TensorIndex] = {}
    if t.coefficient != 0 and t.dummies:
        ranked = _ranked_dummies(t, symmetric)
        numbers = {d: TensorIndex(_FIRST_DUMMY + k, d.dim) for k, d in enumerate(ranked)}
    factors: list[Factor] = []
    for f, is_symmetric in zip(t.factors, symmetric, strict=True):
        indices = tuple(numbers.get(i, i) for i in f.indices)
        factors.append(replace(f, indices=tuple(sorted(indices)) if is_symmetric else indices))
    factors.sort(key=lambda f: (factor_key(f), f.indices))
    return Term(t.coefficient, tuple(factors), tuple(numbers.values()))


def _ranked_dummies(t: Term, symmetric: list[bool]) -> list[TensorIndex]:
    """The dummy indices in an order that does not depend on their numbers: colour refinement, as for graphs.

    All dummy indices start with the same colour; each round separates those whose factors or neighbours differ.
    """
    keys = [factor_key(f) for f in t.factors]
    colour: dict[TensorIndex, int] = dict.fromkeys(t.dummies, 0)

    def appearance(i: TensorIndex) -> tuple[int, int, str]:
        return (1, colour[i], i.dim) if i in colour else (0, i.number, i.dim)

    def occurrences(d: TensorIndex) -> list[tuple[str, int, tuple[tuple[int, int, str], ...]]]:
        found = []
        for key, f, is_symmetric in zip(keys, t.factors, symmetric, strict=True):
            neighbours = tuple(map(appearance, f.indices))
            for place, i in enumerate(f.indices):
                if i == d:
                    found.append((key, 0, tuple(sorted(neighbours))) if is_symmetric else (key, place, neighbours))
        return sorted(found)

    def refine() -> None:
        for _ in t.dummies:
            signatures = {d: str((colour[d], d.dim, occurrences(d))) for d in t.dummies}
            order = sorted(set(signatures.values()))
            refined = {d: order.index(signature) for d, signature in signatures.items()}
            stable = len(order) == len(set(colour.values()))
            colour.update(refined)
            if stable:
                return

    refine()
    while len(set(colour.values())) < len(t.dummies):  # a symmetry: separate one index from its equals and go on
        values = list(colour.values())
        tied = min(v for v in values if values.count(v) > 1)
        for d in colour:
            colour[d] = 2 * colour[d] + 1
        colour[next(d for d in t.dummies if colour[d] == 2 * tied + 1)] -= 1
        refine()
    return sorted(t.dummies, key=lambda d: colour[d])

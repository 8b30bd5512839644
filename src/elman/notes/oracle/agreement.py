"""Whether two parts of a chain agree in value, at every time step and index that the claim speaks of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from typing import cast

import numpy as np

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Product,
    Subtract,
    Symbol,
    Transpose,
    base_of,
    factors_of,
    has_derivative,
    shift_time,
    symbols,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.values.environment import OrderError
from elman.calculus.values.evaluate import add, evaluate
from elman.calculus.values.sums import sum_range
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, free_indices, free_times
from elman.notes.oracle.counterexample import SHOWN, Counterexample, as_rows, differing
from elman.notes.oracle.evaluation_point import (
    HORIZON,
    FourIndicesError,
    InfiniteError,
    Jacobian,
    NothingToCompareError,
    OutOfRangeError,
    UncheckedError,
)
from elman.notes.oracle.oracle import Oracle
from elman.notes.oracle.ordered_products import written_out

TOLERANCE = 1e-9
MOST_ASSIGNMENTS = 5_000  # combinations of time steps and indices at which a claim is compared
MOST_OF_DIRECT_USE = 81  # the same, for the direct use of a letter


class BrokenChainError(FormulaError):
    """Two derivatives side by side that share no variable."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a part agrees with the left side of its claim: as written (`plain`), as its transpose (`turned`), or not.

    `error` says why there is no value; `ratio` is value / target where that is one number everywhere; `summed`: a loss
    per sequence was summed over the batch first; `chain`: the part is a chain of derivatives; `shape` is that of the
    part; `column`: the claim was evaluated for one column, B = 1; `nothing`: the true value is zero everywhere;
    `counterexample`: a point at which both sides have values that differ; `reading`: how the part is equal to a
    derivative that is no matrix, or that it gives the diagonal of; `symmetric`: it is its own transpose.
    """

    plain: bool = False
    turned: bool = False
    error: FormulaError | None = None
    ratio: float | None = None
    summed: bool = False
    chain: bool = False
    shape: tuple[int, int] | None = None
    column: bool = False
    nothing: bool = False
    counterexample: Counterexample | None = None
    reading: str = ""
    symmetric: bool = False

    @property
    def any(self) -> bool:
        """Whether it agrees as written or as its transpose."""
        return self.plain or self.turned


def assignments(oracle: Oracle, parts: Iterable[Expression], quick: bool = False) -> Iterator[dict[str, int]]:
    """The time steps and indices for which a claim of these parts is to be true; `quick`: an early step first.

    Raises `UncheckedError` after `MOST_ASSIGNMENTS` of them.
    """
    parts = tuple(parts)
    times, indices, sizes = set[str](), set[str](), dict[str, int]()
    for part in parts:
        times |= free_times(part, oracle.model.timed)
        indices |= free_indices(part)
    for part in parts:
        for node in walk(part):
            if isinstance(node, Entry):
                sizes |= _sizes_of(node, oracle, indices)
    last = oracle.sizes.last
    times.discard("T")
    loss = [3, last] if TIME in times or not times else [last]
    loss = [2, *loss] if quick else loss  # the fewer steps to unroll, the better
    others = sorted(times - {TIME})
    together = _step_of_letter(oracle, parts)  # of x^(l) = σ(β u^(l)), a bare β is that of l
    fixed = oracle.values.fixed
    ranges = [range(sizes.get(name, 1)) for name in sorted(indices)]
    ranges = [range(fixed[n], fixed[n] + 1) if n in fixed else r for n, r in zip(sorted(indices), ranges, strict=True)]
    if math.prod(len(r) for r in ranges) > 64:
        ranges = [range(min(len(r), 3)) for r in ranges]
    steps = [range(1, last + 1)] * len(others)  # no equation belongs to a step before the first
    names = (TIME, *others, *sorted(indices))
    for number, values in enumerate(itertools.product(loss, *steps, *ranges)):
        if number >= MOST_ASSIGNMENTS:
            raise UncheckedError(
                f"its {len(names) - 1} time steps and indices have more than {MOST_ASSIGNMENTS} combinations: "
                "check it with fewer"
            )
        found = dict(zip(names, values, strict=True))
        if together is not None:
            found[TIME] = found[together]
        if all(_is_met(oracle, condition, found) for condition in oracle.conditions):
            yield found


def _step_of_letter(oracle: Oracle, parts: Sequence[Expression]) -> str | None:
    """The variable l, where the parts are x^(l) and what it is, at no other steps; None for any other claim."""
    left = parts[0]
    variable = left.time.variable if isinstance(left, Symbol) and left.time is not None else None
    if variable is None or has_derivative(*parts) or any(free_times(part) - {variable} for part in parts):
        return None
    names = {n.name for part in parts for n in walk(part) if isinstance(n, Symbol)}
    return variable if variable not in (TIME, "T") and names.isdisjoint(oracle.model.named) else None


def _is_met(oracle: Oracle, condition: Expression, indices: dict[str, int]) -> bool:
    """Whether a condition of a claim holds in all entries."""
    known = {*indices, *oracle.values.fixed}
    if isinstance(condition, Iverson) and not all(
        i.variable is None or i.variable in known for i in (condition.left, condition.right)
    ):
        return True  # it is about other indices
    return bool(np.all(oracle.evaluate(condition, indices).real != 0))


def _sizes_of(node: Entry, oracle: Oracle, indices: set[str]) -> dict[str, int]:
    """How far the running indices of an entry run: the sizes of the letter that it is an entry of."""
    wanted = [(place, i.variable) for place, i in enumerate(node.indices) if i.variable in indices]
    if not wanted:
        return {}
    try:
        timed = node.of
        if isinstance(timed, Symbol) and timed.time is not None:
            timed = replace(timed, time=Index(None, 1))
        m, n = oracle.evaluate(timed, {TIME: HORIZON - 1}).shape[-2:]
    except FormulaError:
        return {}
    shape = (n,) if node.column or (len(node.indices) == 1 and m == 1) else (m, n)
    return {str(name): shape[place] for place, name in wanted if place < len(shape)}


def part_value(
    oracle: Oracle,
    e: Expression,
    indices: dict[str, int],
    direct: bool = False,
    one_of_many: bool = False,
    own: bool = False,
) -> tuple[Array, bool]:
    """The value of a part [m,n], and whether it is a chain of derivatives (then in the shape of what the last is by).

    `direct`: ∂z^(t)/∂W in a chain means the use of W at step t alone, as the bar on its left side says. `one_of_many`:
    the part is a term of a sum of chains, one for each path; there every derivative but the loss's is of the direct
    use: by all equations of the step, or, where `own`, by the equation of what is differentiated. Raises `FormulaError`
    where the part has no value.
    """
    e = _written_out(e, oracle, indices)
    if isinstance(e, BigSum) and (terms := _chains_of(e, oracle, indices)):
        values = [part_value(oracle, e.body, each, direct, one_of_many, own)[0] for each in terms]
        return reduce(np.add, values), True
    factors = chain_of(e, oracle)
    if factors is not None:
        try:
            return contract(oracle, factors, indices, direct, one_of_many, own), True
        except BrokenChainError:  # in denominator layout, the last derivative stands first
            if not all(isinstance(f, Derivative) for f in factors):
                raise
            return contract(oracle, factors[::-1], indices, direct, one_of_many, own), True
    if isinstance(e, Add | Subtract) and any(chain_of(n, oracle) or _is_weighted(n) for n in (e.left, e.right)):
        left, one = part_value(oracle, e.left, indices, direct, True, own)
        right, other = part_value(oracle, e.right, indices, direct, True, own)
        return add(left, right if isinstance(e, Add) else -right, e), one or other
    try:
        return oracle.evaluate(e, indices), False
    except FourIndicesError:
        found = _weighted(oracle, e, indices)
        if found is None:
            raise
        return found, True


def _chains_of(e: BigSum, oracle: Oracle, indices: dict[str, int]) -> list[dict[str, int]]:
    """The indices of each term of a sum over time steps of chains: Σ_k ∂L/∂h_t ∂h_t/∂h_k ∂h_k/∂W; none for any other
    sum. Nothing at step 0 depends on a weight.
    """
    if e.index not in free_times(e.body) or e.index in free_indices(e.body):
        return []
    steps = sum_range(e, oracle.values.scope(indices), evaluate)
    terms = [{**indices, e.index: step} for step in steps if step > 0]
    if not terms:
        return []
    inner = _written_out(e.body, oracle, terms[-1])
    nested = isinstance(inner, BigSum) and _chains_of(inner, oracle, terms[-1])
    return terms if nested or chain_of(inner, oracle) is not None else []


def _written_out(e: Expression, oracle: Oracle, indices: dict[str, int]) -> Expression:
    """A product with ∏_i ∂h_i/∂h_{i-1} written out, the last step first.

    Raises `OutOfRangeError` where it has no factor.
    """
    factors = factors_of(e)
    if not any(isinstance(f, BigProduct) and isinstance(f.body, Derivative) for f in factors):
        return e
    found: list[Expression] = []
    for factor in factors:
        if not isinstance(factor, BigProduct) or not isinstance(factor.body, Derivative):
            found.append(factor)
            continue
        steps = sum_range(factor, oracle.values.scope(indices), evaluate)
        found += [shift_time(factor.body, factor.index, Index(None, step)) for step in reversed(steps)]
    if not found:
        raise OutOfRangeError("this product has no factor here", e.span[0] + 1)
    return reduce(Product, found)


def _weighted(oracle: Oracle, e: Expression, indices: dict[str, int]) -> Array | None:
    """(ŷ - y) ∂(h W + b)/∂h: a derivative with four indices, each entry of what is differentiated times that of the
    factor before it; None for anything else.
    """
    *before, last = factors_of(e)
    if not _is_weighted(e) or not isinstance(last, Derivative):
        return None
    weights = reduce(Product, before)
    value, tensor = oracle.evaluate(weights, indices), oracle.jacobians.jacobian(last, dict(indices)).tensor
    if value.shape == tensor.shape[:-3:-1] and 1 in value.shape:  # δ^T ∂y/∂W, a row before what is differentiated
        return np.asarray(np.einsum("nm,rcmn->rc", value, tensor))
    if value.shape[-2:] != tensor.shape[:2]:
        value = np.swapaxes(value, -1, -2)
    return np.einsum("rc,rcmn->mn", value, tensor) if value.shape == tensor.shape[:2] else None


def _is_weighted(e: Expression) -> bool:
    """Whether an expression is a derivative by a letter with other factors before it."""
    *before, last = factors_of(e)
    return bool(before) and isinstance(last, Derivative) and not isinstance(last.wrt, Transpose)


def chain_of(e: Expression, oracle: Oracle) -> list[Expression] | None:
    """The factors of a product of two or more derivatives, the first of which may be a letter for one; else None."""
    factors = factors_of(e)
    first = factors[0]
    lettered = isinstance(first, Symbol) and first.name in oracle.model.named
    if len(factors) < 2 or not (lettered or isinstance(first, Derivative)):
        return None
    return factors if all(isinstance(f, Derivative) for f in factors[1:]) else None


def contract(
    oracle: Oracle,
    factors: list[Expression],
    indices: dict[str, int],
    direct: bool,
    one_of_many: bool = False,
    own: bool = False,
) -> Array:
    """The chain rule by value: every derivative with all its indices, neighbours contracted.

    Raises `FormulaError` where neighbours do not share a variable, and `FourIndicesError`.
    """
    found = Jacobian(_contracted(oracle, factors, indices, direct, one_of_many, own)).matrix()
    if found is None:
        raise FourIndicesError("this chain has four indices and is no matrix")
    return found


def _contracted(
    oracle: Oracle,
    factors: list[Expression],
    indices: dict[str, int],
    direct: bool,
    one_of_many: bool = False,
    own: bool = False,
) -> Array:
    """The same with all its indices, [r,c,m,n]."""
    total: Array | None = None
    before: Symbol | None = None
    scope = oracle.values.scope(indices)
    for factor in factors:
        steps = dict(indices)
        if isinstance(factor, Symbol):
            d, steps = oracle.jacobians.meaning(factor, oracle.values.time_of(factor, scope), scope)
            assert isinstance(d.value, Derivative)
            factor = d.value
        assert isinstance(factor, Derivative)
        if before is not None and not _same(oracle, before, factor.of, indices):
            raise BrokenChainError(
                f"the chain breaks: after ∂…/∂{before.name} a ∂{before.name}/∂… is expected", factor.span[0] + 1
            )
        equation = None
        later = one_of_many and total is not None
        if direct or later:
            letter = base_of(factor.of)
            timed = isinstance(letter, Symbol) and letter.name in oracle.model.timed
            factor, equation = _direct(factor, later, timed, own)
        jacobian = oracle.jacobians.jacobian(factor, steps, equation)
        total = jacobian.tensor if total is None else np.einsum("mnpq,rcmn->rcpq", total, jacobian.tensor)
        before = factor.wrt if isinstance(factor.wrt, Symbol) else None
    assert total is not None
    return total


def _direct(e: Derivative, of_states: bool, timed: bool, own: bool) -> tuple[Derivative, str | None]:
    """∂u/∂v as the direct use of v in u's own equation: of letters without time steps, or of any.

    Returns the derivative, with its bar where u has time steps, and the name u of that equation where u has none, or
    where `own` excludes the other equations of its step.
    """
    of, wrt = base_of(e.of), base_of(e.wrt)
    if not (isinstance(of, Symbol) and isinstance(wrt, Symbol)) or e.at is not None:
        return e, None
    if not timed:
        return e, of.name
    if not (isinstance(e.of, Symbol) and isinstance(e.wrt, Symbol)):
        return e, None
    if not of_states and e.wrt.time is not None:
        return e, None
    return replace(e, at=e.of.time or Index(TIME)), e.of.name if own else None


def _same(oracle: Oracle, a: Symbol, b: Expression, indices: dict[str, int]) -> bool:
    """Whether both are the same letter at the same time step, or `b` is what the equation of the letter `a` says."""
    if isinstance(b, Symbol) and a.name == b.name:
        scope = oracle.values.scope(indices)
        return oracle.values.time_of(a, scope) == oracle.values.time_of(b, scope)
    if a.name not in oracle.model.equations or not (symbols(b) or isinstance(b, Apply)):
        return False
    try:
        return close(oracle.evaluate(a, indices), oracle.evaluate(b, indices))
    except FormulaError:
        return False


def close(a: Array, b: Array) -> bool:
    """Whether two values are equal to rounding, relative to the largest entry (at least 0.001)."""
    if a.shape[-2:] != b.shape[-2:]:
        return False
    scale = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)), 1e-3)
    return bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * scale)


def scaled_to(a: Array, b: Array) -> Callable[[float], bool]:
    """Whether `a` may be close to `b`, of the same shape, multiplied by a positive number: a test of one entry, which
    says no of most numbers that `close` says no of.
    """
    at = np.unravel_index(np.abs(a).argmax(), a.shape)
    one, other = complex(a[at]), complex(b[at])
    largest, of_other = max(abs(one), 1e-3), float(np.abs(b).max())

    def may_be_close(factor: float) -> bool:
        return not abs(one - other * factor) > 2 * TOLERANCE * max(largest, of_other * factor)

    return may_be_close


def agreement(oracle: Oracle, target: Expression, part: Expression, quick: bool = False) -> Agreement:
    """How `part` agrees with `target` in this oracle, an error among the answers; `quick`: at the first time step and
    index where both have a value.
    """
    key = (target, part, quick)
    if key not in oracle.remembered:
        found = _agreement(oracle, target, part, quick)
        if isinstance(found.error, OrderError):
            ordered = (_agreement(oracle, target, part, quick, last_first) for last_first in (True, False))
            found = next((other for other in ordered if other.any), found)
        oracle.remembered[key] = found
    return cast(Agreement, oracle.remembered[key])


def _agreement(
    oracle: Oracle, target: Expression, whole: Expression, quick: bool, last_first: bool | None = None
) -> Agreement:
    """The agreement of `whole` with `target`; `last_first` is the order of the factors of products of matrices over
    time steps, None where these have no value.
    """
    kinds: list[Agreement] = []
    apart: tuple[dict[str, int], Array, Array] | None = None
    out_of_range: FormulaError | None = None
    barred = isinstance(target, Derivative) and target.at is not None
    per_column = is_per_column(oracle, target)
    try:
        for indices in assignments(oracle, (target, whole), quick):
            if isinstance(target, Derivative) and target.at is not None and _step_of(target.at, indices) < 1:
                continue  # no equation belongs to a step before the first
            part = whole
            try:
                if last_first is not None:
                    part = written_out(whole, oracle, indices, last_first)
                goal, _ = part_value(oracle, target, indices)
                value, chain = part_value(oracle, part, indices, direct=barred)
                found = compare(goal, value, chain, per_column)
                if chain and not found.any and not barred:
                    value, _ = part_value(oracle, part, indices, direct=True)
                    found = compare(goal, value, chain, per_column)
                if chain and not found.any:
                    value, _ = part_value(oracle, part, indices, direct=barred, own=True)
                    found = compare(goal, value, chain, per_column)
                diagonal = None if found.any or chain or not isinstance(target, Derivative) else _entries(goal, value)
                if diagonal is not None:
                    goal, value = diagonal
                    found = replace(compare(goal, value, per_column=False), turned=False)
                    found = replace(found, reading="entry by entry" if found.plain else "")
            except OutOfRangeError as error:
                out_of_range = out_of_range or error
                continue
            except FourIndicesError:
                by_entries = _with_four_indices(oracle, target, part, indices, barred)
                if by_entries is None:
                    raise
                kinds.append(by_entries)
                continue
            kinds.append(found)
            if apart is None and not found.any and found.error is None:
                if isinstance(target, Derivative) and not chain:
                    goal = _in_layout_of(goal, value)
                apart = indices, goal, value
            if quick:
                break
    except FormulaError as error:
        return Agreement(error=error)
    if not kinds:
        return Agreement(error=out_of_range or NothingToCompareError("there is no time step at which this has a value"))
    broken = next((k.error for k in kinds if k.error is not None), None)
    if broken is not None and apart is None:
        return Agreement(error=broken)
    ratios = {round(k.ratio, 7) if k.ratio is not None else None for k in kinds}
    return Agreement(
        plain=all(k.plain for k in kinds),
        turned=all(k.turned for k in kinds) and not all(k.plain for k in kinds),
        symmetric=all(k.plain and k.turned for k in kinds),
        ratio=kinds[0].ratio if len(ratios) == 1 else None,
        summed=any(k.summed for k in kinds),
        chain=any(k.chain for k in kinds),
        shape=kinds[0].shape,
        nothing=all(k.nothing for k in kinds),
        counterexample=None if apart is None else _counterexample(oracle, (target, whole), *apart),
        reading=next((k.reading for k in kinds if k.reading), "") if all(k.any for k in kinds) else "",
    )


def agreement_of_direct_use(oracle: Oracle, target: Derivative, part: Expression) -> Agreement | None:
    """The agreement of `part` with ∂u/∂v where the other letters in the equation of u are held fixed, at
    `MOST_OF_DIRECT_USE` time steps and indices; None where they differ, or where that equation does not have v.
    """
    letter = base_of(target.of)
    assert isinstance(letter, Symbol)
    uses = False  # whether the equation has the letter itself, so that something is left to differentiate
    try:
        for indices in itertools.islice(assignments(oracle, (target, part)), MOST_OF_DIRECT_USE):
            direct = oracle.jacobians.jacobian(target, dict(indices), letter.name).matrix()
            value = oracle.evaluate(part, indices)
            if direct is None or not compare(direct, value, per_column=False).plain:
                return None
            uses |= bool(np.abs(direct).max(initial=0.0) > 0)
    except FormulaError:
        return None
    return Agreement(plain=True) if uses else None


def _in_layout_of(goal: Array, value: Array) -> Array:
    """The gradient that a value is not equal to in either layout, in the layout of the value: a row for a row."""
    turned = goal.shape != value.shape and goal.shape[::-1] == value.shape
    return goal.T if turned else goal


# --- derivatives that are no matrix, or a diagonal one ---


def _entries(goal: Array, value: Array) -> tuple[Array, Array] | None:
    """The diagonal of a derivative ∂f(x)/∂x that is f'(x) entry by entry, and a column or a number for all entries that
    is said to be f'(x), as columns; None for a derivative that is not diagonal, and for any other value.
    """
    m, n = goal.shape[-2:]
    entries = np.diagonal(goal)[:, np.newaxis]
    if m != n or m == 1 or value.shape not in ((m, 1), (1, m), (1, 1)) or not close(goal, np.diagflat(entries)):
        return None
    return entries, np.broadcast_to(value.reshape(-1, 1), entries.shape)


def _with_four_indices(
    oracle: Oracle, target: Expression, part: Expression, indices: dict[str, int], barred: bool
) -> Agreement | None:
    """The agreement of two derivatives or chains of them, one of which is no matrix, with all their indices; and of
    such a derivative with what it multiplies in a chain. None where they do not agree.
    """
    goal = _tensor(oracle, target, indices, barred)
    if goal is None:
        return None
    other = _tensor(oracle, part, indices, barred)
    if other is not None:
        same = other.shape == goal.shape and close(goal.reshape(-1, 1), other.reshape(-1, 1))
        return Agreement(plain=True, chain=True) if same else None
    value = oracle.evaluate(part, indices)
    for factor, reading in _factors_of(goal):
        scalar = value.shape == (1, 1) and reading == "entry by entry"
        if close(factor, np.broadcast_to(value, factor.shape) if scalar else value) or close(factor, value.T):
            return Agreement(plain=True, shape=value.shape[-2:], reading=reading)
    return None


def _tensor(oracle: Oracle, e: Expression, indices: dict[str, int], barred: bool) -> Array | None:
    """A derivative, or a chain of them, with all its indices [r,c,m,n]; None for anything else."""
    factors = chain_of(e, oracle)
    if factors is not None:
        return _contracted(oracle, factors, indices, barred)
    if isinstance(e, Derivative) and not isinstance(e.wrt, Transpose):
        return oracle.jacobians.jacobian(e, indices).tensor
    return None


def _factors_of(tensor: Array) -> Iterator[tuple[Array, str]]:
    """The matrices that stand for a derivative with four indices in a chain rule: f'(X) for f(X) entry by entry, and
    the other factor for a product Y = A X or Y = X B by X.
    """
    r, c, m, n = tensor.shape
    if (r, c) == (m, n):
        entries = np.einsum("rcrc->rc", tensor)
        if close(tensor.reshape(-1, 1), np.einsum("rc,rm,cn->rcmn", entries, np.eye(r), np.eye(c)).reshape(-1, 1)):
            yield entries, "entry by entry"
    if c == n:
        left = tensor[:, 0, :, 0].T  # [m,r]
        if close(tensor.reshape(-1, 1), np.einsum("mr,cn->rcmn", left, np.eye(c)).reshape(-1, 1)):
            yield left, "as a factor of the chain rule"
    if r == m:
        right = tensor[0, :, 0, :]  # [c,n]
        if close(tensor.reshape(-1, 1), np.einsum("cn,rm->rcmn", right, np.eye(r)).reshape(-1, 1)):
            yield right, "as a factor of the chain rule"


def _counterexample(
    oracle: Oracle, parts: tuple[Expression, Expression], indices: dict[str, int], left: Array, right: Array
) -> Counterexample:
    """The point of an oracle at which two parts have these values."""
    entry, one, other = differing(left, right)
    used = {i for part in parts for i in free_indices(part)}
    times = {i for part in parts for i in free_times(part, oracle.model.timed)}
    shown = {i: n + (i in used) for i, n in indices.items() if i in used | times}
    letters = {}
    for name in sorted({s.name for part in parts for s in symbols(part)} - set(oracle.model.named)):
        with suppress(FormulaError):
            symbol = Symbol(name, Index(TIME) if name in oracle.model.timed else None)
            value = oracle.evaluate(symbol, indices)
            if value.size <= SHOWN and name not in dict(oracle.point.sizes):
                letters[name] = as_rows(value)
    rows, columns = left.shape[-2:]
    shapes = ((rows, columns), (right.shape[-2], right.shape[-1]))
    return Counterexample(dict(oracle.point.sizes), shown, letters, shapes, entry, one, other)


def _step_of(at: Index, indices: dict[str, int]) -> int:
    return at.at(indices) if at.variable is None or at.variable in indices else 1


def is_per_column(oracle: Oracle, target: Expression) -> bool:
    """Whether a row may stand for the scalar `target`, its sum: a loss for each sequence may, a derivative may not."""
    return not isinstance(target, Derivative) and not (isinstance(target, Symbol) and target.name in oracle.model.named)


def compare(goal: Array, value: Array, chain: bool = False, per_column: bool = True) -> Agreement:
    """How two values [m,n] agree; `per_column`: a row agrees with a scalar that is its sum."""
    if not (np.isfinite(goal).all() and np.isfinite(value).all()):
        return Agreement(error=InfiniteError("this has no finite value"))
    summed = False
    if not per_column:
        pass
    elif goal.shape[-2:] == (1, 1) and value.shape[-2] == 1 and value.shape[-1] > 1:
        value, summed = value.sum(-1, keepdims=True), True
    elif value.shape[-2:] == (1, 1) and goal.shape[-2] == 1 and goal.shape[-1] > 1:
        goal, summed = goal.sum(-1, keepdims=True), True
    if value.shape[-2:] == (1, 1) and goal.shape[-2:] != (1, 1) and close(goal, np.broadcast_to(value, goal.shape)):
        return Agreement(plain=True)  # a scalar for every entry: h^(0) = 0
    plain, turned = close(goal, value), close(goal, np.swapaxes(value, -1, -2))
    nothing = not np.abs(goal).max(initial=0.0) > 0
    ratio = None
    if not plain and goal.shape == value.shape:
        big = np.abs(goal) > 1e-9 * max(np.abs(goal).max(), 1e-300)
        quotients = value[big] / goal[big] if big.any() else np.array([])
        if quotients.size and np.allclose(quotients, quotients.flat[0], rtol=1e-8):
            ratio = float(quotients.flat[0])
    return Agreement(plain, turned, None, ratio, summed, chain, value.shape[-2:], nothing=nothing)

"""Products of matrices over time steps, ∏_{i=k}^{t-1} W diag(f'(z_i)): the sign does not say which factor is first."""

from __future__ import annotations

from functools import reduce

from elman.calculus.expression import BigProduct, Expression, Index, Product, factors_of, shift_time
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.sums import sum_range
from elman.notes.model.page_model import free_indices, free_times
from elman.notes.oracle.evaluation_point import OutOfRangeError
from elman.notes.oracle.oracle import Oracle


def written_out(e: Expression, oracle: Oracle, indices: dict[str, int], last_first: bool) -> Expression:
    """A product with such products as their factors, the last step first or the first; any other expression as it is.

    Raises `OutOfRangeError` where no factor is left, or the first step is behind the one after the last.
    """
    found: list[Expression] = []
    for factor in factors_of(e):
        if not isinstance(factor, BigProduct) or not _is_over_steps(factor):
            found.append(factor)
            continue
        steps = sum_range(factor, oracle.values.scope(indices), evaluate)
        if steps.start > steps.stop:
            raise OutOfRangeError("this product has no factor here", e.span[0] + 1)
        ordered = reversed(steps) if last_first else steps
        found += [shift_time(factor.body, factor.index, Index(None, step)) for step in ordered]
    if not found:
        raise OutOfRangeError("this product has no factor here", e.span[0] + 1)
    return reduce(Product, found)


def _is_over_steps(e: BigProduct) -> bool:
    return e.index in free_times(e.body) and e.index not in free_indices(e.body)

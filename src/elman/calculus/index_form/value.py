"""Values and text of index forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from elman.calculus.expression import Expression, Symbol, Transpose
from elman.calculus.functions import ELEMENTWISE, Array
from elman.calculus.index_form.terms import (
    DELTA,
    DET,
    DIMENSION,
    FUNCTION,
    GROUP,
    INVERSE,
    SOFTMAX,
    SYMBOL,
    Factor,
    Ix,
    Sum,
    Term,
    constant,
    inside,
)
from elman.calculus.printing.render import text_name
from elman.calculus.syntax.written_sizes import is_number
from elman.calculus.values.evaluate import transpose

Value = Callable[[Symbol], Array]


def index_value(sum_: Sum, axes: tuple[Ix, ...], value: Value, sizes: Mapping[str, int]) -> Array:
    """The values of an index form as an array with the axes `axes`; `value` gives a symbol as [m,n]."""
    total: Array = np.zeros(tuple(_size(i, sizes) for i in axes))
    for t in sum_.terms:
        total = total + _term(t, axes, value, sizes)
    return total


def _size(i: Ix, sizes: Mapping[str, int]) -> int:
    return int(i.dim) if is_number(i.dim) else sizes[i.dim]


def _term(t: Term, axes: tuple[Ix, ...], value: Value, sizes: Mapping[str, int]) -> Array:
    labels = {
        i: k for k, i in enumerate(dict.fromkeys([*axes, *t.dummies, *(i for f in t.factors for i in f.indices)]))
    }
    operands: list[Any] = []
    for f in t.factors:
        array = _factor(f, value, sizes)
        operands += [array if f.exponent == 1 else _powered(array, f.exponent), [labels[i] for i in f.indices]]
    for i in axes:  # an axis along which nothing changes
        operands += [np.ones(_size(i, sizes)), [labels[i]]]
    result = np.einsum(*operands, [labels[i] for i in axes], optimize="greedy") if operands else np.ones(())
    scaled: Array = np.asarray(result) * float(t.coefficient)
    return scaled


def _powered(a: Array, exponent: Fraction) -> Array:
    powered: Array = a ** (int(exponent) if exponent.denominator == 1 else float(exponent))
    return powered


def _factor(f: Factor, value: Value, sizes: Mapping[str, int]) -> Array:
    if f.kind == SYMBOL:
        assert f.atom is not None
        a = transpose(value(f.atom.of)) if isinstance(f.atom, Transpose) else value(_symbol(f.atom))  # type: ignore[arg-type]
        return a.reshape(tuple(_size(i, sizes) for i in f.indices))
    if f.kind == DELTA:
        return np.eye(_size(f.indices[0], sizes))
    if f.kind == DIMENSION:
        return np.asarray(float(f.name if is_number(f.name) else sizes[f.name]))
    assert f.argument is not None
    if f.kind == FUNCTION and f.name.endswith("'"):
        slots = tuple(Ix(-1 - k, i.dim) for k, i in enumerate(f.indices))
        return index_value(function_slope_written(replace(f, indices=slots)), slots, value, sizes)
    if f.kind in (INVERSE, DET):
        a = index_value(f.argument, matrix_slots(f.argument), value, sizes)
        return np.linalg.inv(a) if f.kind == INVERSE else np.asarray(np.linalg.det(a))
    a = index_value(f.argument, tuple(Ix(-1 - k, i.dim) for k, i in enumerate(f.indices)), value, sizes)
    if f.kind == GROUP:
        return a
    if f.kind == SOFTMAX:
        exp = np.exp(a - a.max(0, keepdims=True))
        softmax: Array = exp / exp.sum(0, keepdims=True)
        return softmax
    return ELEMENTWISE[f.name].value(a)


def function_slope_written(f: Factor) -> Sum:
    """σ' or tanh' of an argument, written out in σ or tanh."""
    from elman.calculus.index_form.to_index_form import POINT, _pointwise

    return _pointwise(ELEMENTWISE[f.name.rstrip("'")].derivative(POINT), inside(f))


def matrix_slots(argument: Sum) -> tuple[Ix, Ix]:
    """The slots -1 and -2 of a square matrix."""
    dim = next(
        i.dim
        for t in argument.terms
        for f in t.factors
        for i in f.indices
        if i.number in (-1, -2) and i not in t.dummies
    )
    return Ix(-1, dim), Ix(-2, dim)


def _symbol(e: Expression) -> Symbol:
    assert isinstance(e, Symbol)
    return e


# --- text ---


def index_text(sum_: Sum, names: Mapping[Ix, str], taken: Iterable[str] = ()) -> str:
    """An index form as people write it: `∑_a A_{ia} δ_{jl}`; `names` are those of the free indices."""
    shown = ""
    for t in sum_.terms or constant(0).terms:
        term = _term_text(t, names, set(taken) | set(names.values()))
        negative = term.startswith("-")
        shown += (" - " if negative else " + ") + term.removeprefix("-") if shown else term
    return shown or "0"


def _term_text(t: Term, names: Mapping[Ix, str], taken: set[str]) -> str:
    letters = (c for c in itertools.chain("abcdefghmnopqrs", (f"a{k}" for k in itertools.count(1))) if c not in taken)
    own = dict(zip(t.dummies, letters, strict=False))
    full = {**names, **own}
    ordered = sorted(t.factors, key=lambda f: f.kind != DELTA)
    above = [_factor_text(f, full, taken | set(own.values())) for f in ordered]
    magnitude = abs(t.coefficient)
    number = f"{magnitude} " if magnitude != 1 or not above else ""
    sums = f"∑_{{{','.join(own.values())}}} " if len(own) > 1 else "".join(f"∑_{name} " for name in own.values())
    return (("-" if t.coefficient < 0 else "") + number + sums + " ".join(above)).rstrip()


def _factor_text(f: Factor, names: Mapping[Ix, str], taken: set[str]) -> str:
    letters = [names[i] for i in f.indices]
    letters = sorted(letters) if f.kind == DELTA else letters
    below = ("" if all(len(c) == 1 for c in letters) else ",").join(letters)
    script = f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else ""
    inner = "" if f.argument is None else index_text(f.argument, _slot_names(f, names), taken)
    if f.kind == SYMBOL:
        symbol = _symbol(f.atom.of if isinstance(f.atom, Transpose) else f.atom)  # type: ignore[arg-type]
        name = text_name(symbol.name) + (f"^({symbol.time})" if symbol.time is not None else "")
        shown = (f"{{{name}}}" if "_" in name else name) + script if script else name
    elif f.kind == DELTA:
        shown = f"δ{script}"
    elif f.kind == DIMENSION:
        shown = f.name
    elif f.kind == GROUP:
        shown = f"({inner})"
    elif f.kind == FUNCTION:
        shown = f"{f.name.replace('sigmoid', 'σ')}({inner})"
    else:
        pair = _matrix_names(f) if f.kind in (INVERSE, DET) else {}
        full = {**_slot_names(f, names), **pair} if f.kind != INVERSE else pair
        matrix = index_text(f.argument, full, taken) if f.argument is not None and pair else inner
        shown = {DET: f"det[{matrix}]", INVERSE: f"([{matrix}]^-1){script}"}.get(
            f.kind, f"softmax_{letters[:1]}({inner})"
        )
        shown = shown.replace("['", "").replace("']", "")
    return shown if f.exponent == 1 else f"{shown}^{{{f.exponent}}}"


def _slot_names(f: Factor, names: Mapping[Ix, str]) -> dict[Ix, str]:
    if f.kind in (INVERSE, DET) and f.argument is not None:
        return _matrix_names(f)
    return {Ix(-1 - k, i.dim): names[i] for k, i in enumerate(f.indices)}


def _matrix_names(f: Factor) -> dict[Ix, str]:
    assert f.argument is not None
    first, second = matrix_slots(f.argument)
    return {first: "x", second: "y"}

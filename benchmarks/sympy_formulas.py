"""The formulas of formulas.json differentiated by SymPy, each compared with PyTorch, beside `elman derive`.

    python benchmarks/sympy_formulas.py [FORMULAS] [--seconds S] [--json]

Each formula's PyTorch code is read as SymPy matrix expressions (`@` a matrix product, `*` of two matrices a Hadamard
product, `torch.sin` an `applyfunc`), differentiated by `.diff`, and evaluated at the numbers that `formulas.py` uses.
SymPy is right where the value is that of PyTorch in any order of the axes; refused where it raises, leaves the
derivative as a `Derivative`, cannot evaluate it, or takes longer than S seconds (default 60); wrong else. A formula is
run in a process of its own. Needs PyTorch and SymPy.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import formulas
import numpy as np
import sympy as sp
from formulas import Array
from sympy.matrices.expressions import HadamardPower, hadamard_power, hadamard_product
from sympy.tensor.array.expressions.array_expressions import _ArrayExpr

DIMENSIONS = {name: sp.Integer(size) for name, size in formulas.SIZES.items()}


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A SymPy expression with PyTorch's operators; a scalar is a number, not a 1 by 1 matrix."""

    of: Any

    @property
    def is_matrix(self) -> bool:
        return isinstance(self.of, sp.MatrixExpr)

    @property
    def T(self) -> Wrapped:
        return Wrapped(self.of.T if self.is_matrix else self.of)

    def __matmul__(self, other: Wrapped) -> Wrapped:
        return Wrapped(self.of * other.of)

    def __mul__(self, other: Any) -> Wrapped:
        b = unwrapped(other)
        if self.is_matrix and isinstance(b, sp.MatrixExpr):
            if self.of.shape == b.shape and self.of.shape != (1, 1):
                return Wrapped(hadamard_product(self.of, b))
            return Wrapped(self.of * b)
        return Wrapped(self.of * b)

    def __rmul__(self, other: Any) -> Wrapped:
        return Wrapped(unwrapped(other) * self.of)

    def __truediv__(self, other: Any) -> Wrapped:
        b = unwrapped(other)
        if self.is_matrix and isinstance(b, sp.MatrixExpr) and self.of.shape == b.shape != (1, 1):
            return Wrapped(hadamard_product(self.of, hadamard_power(b, -1)))
        return Wrapped(self.of * b**-1)

    def __rtruediv__(self, other: Any) -> Wrapped:
        return Wrapped(unwrapped(other)) / self

    def __add__(self, other: Any) -> Wrapped:
        b = unwrapped(other)
        if self.is_matrix and not isinstance(b, sp.MatrixExpr):
            b = b * sp.OneMatrix(*self.of.shape)
        return Wrapped(self.of + b)

    def __sub__(self, other: Any) -> Wrapped:
        return Wrapped(self.of - unwrapped(other))

    def __neg__(self) -> Wrapped:
        return Wrapped(-self.of)

    def __pow__(self, other: Any) -> Wrapped:
        b = unwrapped(other)
        entry_by_entry = self.is_matrix and self.of.shape != (1, 1)
        return Wrapped(hadamard_power(self.of, b) if entry_by_entry else self.of**b)

    def sum(self) -> Wrapped:
        if not self.is_matrix:
            return self
        if isinstance(self.of, HadamardPower) and self.of.exp == 2:  # as a user of SymPy writes a sum of squares
            return Wrapped(sp.Trace(self.of.base.T * self.of.base))
        rows, columns = self.of.shape
        return Wrapped(sp.OneMatrix(1, rows) * self.of * sp.OneMatrix(columns, 1))


def unwrapped(value: Any) -> Any:
    """The SymPy value of an operand; a floating-point number as a fraction."""
    if isinstance(value, Wrapped):
        return value.of
    return sp.Rational(Fraction(value).limit_denominator(1000)) if isinstance(value, float) else sp.sympify(value)


def entry_by_entry(function: Any) -> Callable[[Wrapped], Wrapped]:
    return lambda x: Wrapped(x.of.applyfunc(function) if x.is_matrix else function(x.of))


def of_matrix(function: Any) -> Callable[[Wrapped], Wrapped]:
    return lambda x: Wrapped(function(x.of))


def norm(x: Wrapped, *kind: str) -> Wrapped:
    """The Euclidean or Frobenius norm."""
    if kind:
        raise NotImplementedError("SymPy has no nuclear norm")
    return Wrapped(sp.sqrt(sp.Trace(x.of.T * x.of)))


class Linalg:
    norm = staticmethod(norm)


class Torch:
    """The names of PyTorch that the formulas use, as SymPy's functions."""

    sin, tan, tanh = (staticmethod(entry_by_entry(f)) for f in (sp.sin, sp.tan, sp.tanh))
    exp, log, sqrt = (staticmethod(entry_by_entry(f)) for f in (sp.exp, sp.log, sp.sqrt))
    abs, sign = (staticmethod(entry_by_entry(f)) for f in (sp.Abs, sp.sign))
    relu = staticmethod(entry_by_entry(lambda x: sp.Max(x, 0)))
    trace = staticmethod(of_matrix(sp.Trace))
    logdet = staticmethod(of_matrix(lambda x: sp.log(sp.Determinant(x))))
    kron = staticmethod(lambda a, b: Wrapped(sp.KroneckerProduct(a.of, b.of)))
    ones_like = staticmethod(lambda x: Wrapped(sp.OneMatrix(*x.of.shape)))
    matrix_exp = staticmethod(of_matrix(sp.exp))
    linalg = Linalg


def derivative(case: Mapping[str, Any], values: Mapping[str, Array]) -> Array | str:
    """SymPy's derivative of a formula at these values, axes of 1 left out; or why there is none."""
    letters = {}
    for name, written in case["shapes"].items():
        rows, columns = [*(DIMENSIONS[size] for size in written.split(",")), sp.Integer(1)][:2]
        is_number = rows == columns == 1
        letters[name] = sp.Symbol(name, positive=True) if is_number else sp.MatrixSymbol(name, rows, columns)
    names = {
        "torch": Torch, "inv": of_matrix(sp.Inverse), "det": of_matrix(sp.Determinant),
        "power": lambda a, k: Wrapped(a.of ** sp.Integer(int(formulas.EXPONENT))),
    }  # fmt: skip
    formula = eval(case["torch"], names | {name: Wrapped(letter) for name, letter in letters.items()}).of
    found = formula.diff(letters[case["wrt"]])
    numbers = {
        letters[n]: sp.Matrix(v) if v.size > 1 else sp.Float(v.item()) for n, v in values.items() if n in letters
    }
    value = found.subs(numbers)
    if isinstance(value, sp.MatrixExpr | _ArrayExpr):
        value = value.doit()
    if hasattr(value, "as_explicit"):
        value = value.as_explicit()
    value = value.doit() if hasattr(value, "doit") else value
    if value.has(sp.Derivative):
        return "the derivative is left as it is"
    flat = value.tolist() if hasattr(value, "tolist") else value
    return np.squeeze(np.array(flat, dtype=object).astype(float))


def outcome(case: Mapping[str, Any]) -> tuple[str, str]:
    """What became of one formula, right, refused or wrong, and what SymPy said."""
    values = formulas.random_values(case["shapes"], np.random.default_rng(0))
    try:
        found = derivative(case, values)
    except Exception as error:
        return "refused", f"{type(error).__name__}: {str(error)[:100]}"
    if isinstance(found, str):
        return "refused", found
    true = formulas.jacobian(case, values)
    orders = itertools.permutations(range(true.ndim))
    close = any(
        found.shape == t.shape and np.allclose(found, t, rtol=1e-7) for t in (true.transpose(o) for o in orders)
    )
    return ("right", "") if close else ("wrong", f"shape {found.shape}, expected {true.shape} or a transpose")


def main() -> None:
    """Prints what SymPy does not have right, and the figures by source."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("formulas", type=Path, nargs="?", default=formulas.FORMULAS)
    parser.add_argument("--seconds", type=float, default=60, help="the limit of one formula")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    arguments = parser.parse_args()
    cases = [case for case in json.loads(arguments.formulas.read_text()) if case["torch"]]
    outcomes = []
    for case in cases:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            try:
                result, said = pool.apply_async(outcome, (case,)).get(arguments.seconds)
            except multiprocessing.TimeoutError:
                result, said = "refused", f"no answer within {arguments.seconds:g} s"
        outcomes.append({**case, "result": result, "said": said})
        if result != "right" and not arguments.json:
            print(f"{result:8} {case['formula']:50} by {case['wrt']:3} {said}")
    if arguments.json:
        print(json.dumps(outcomes, ensure_ascii=False, indent=1))
        return
    print(f"\n{'source':42} formulas  right  refused  wrong")
    for source in dict.fromkeys(o["source"] for o in outcomes):
        results = Counter(o["result"] for o in outcomes if o["source"] == source)
        print(f"{source:42} {results.total():8} {results['right']:6} {results['refused']:8} {results['wrong']:6}")


if __name__ == "__main__":
    main()

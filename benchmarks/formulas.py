"""How many formulas of other tools `elman derive` differentiates, each compared with PyTorch's automatic derivative.

    python benchmarks/formulas.py [FORMULAS] [--bare] [--json]

FORMULAS (formulas.json beside this script) has formulas of SymPy's tests of matrix derivatives, of matrixcalculus.org
and of the Matrix Cookbook, each with the letter to differentiate by, the shapes of its letters, and the same formula
as PyTorch code; a formula without code is to be refused. `--bare` derives without the shapes, as a person types, and
still compares at these shapes. A formula is right where the value of the derivative is that of PyTorch, refused where
`elman derive` says that it cannot, wrong else. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elman.calculus import derive
from elman.calculus.derive_formula import Derived
from elman.errors import ElmanError

FORMULAS = Path(__file__).with_name("formulas.json")
SIZES = {"m": 3, "n": 4, "p": 5, "k": 2, "1": 1}
EXPONENT = 3.0  # the value of the letter k where it is an exponent
TOLERANCE = 1e-7

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one formula: `result` is right, refused, wrong or crash."""

    formula: str
    wrt: str
    source: str
    result: str
    said: str


def outcome(case: Mapping[str, Any], bare: bool) -> Outcome:
    """The derivative of a formula, compared with PyTorch's."""

    def was(result: str, said: str) -> Outcome:
        return Outcome(case["formula"], case["wrt"], case["source"], result, said)

    try:
        found = derive(case["formula"], case["wrt"], shapes=None if bare else case["shapes"])
    except ElmanError as error:
        return was("refused" if case["torch"] else "right", str(error))
    except Exception as error:
        return was("crash", f"{type(error).__name__}: {error}")
    if not case["torch"]:
        return was("wrong", found.text)
    for seed in range(2):
        values = random_values(case["shapes"], np.random.default_rng(seed))
        try:
            value = found.evaluate({name: values[name] for name in case["shapes"]})
        except ElmanError as error:
            return was("wrong", f"{found.text}, which has no value at these shapes: {error}")
        if not agrees(found, value, jacobian(case, values)):
            return was("wrong", found.text)
    return was("right", found.text)


def random_values(shapes: Mapping[str, str], generator: np.random.Generator) -> dict[str, Array]:
    """A positive value of each letter, far from singular where it is a square matrix."""
    values = {}
    for name, written in shapes.items():
        rows, columns = [*(SIZES[size] for size in written.split(",")), 1][:2]
        value = generator.uniform(0.3, 1.2, (rows, columns))
        values[name] = value + 1.5 * np.eye(rows) if rows == columns > 1 else value
    return values | ({"k": np.array([[EXPONENT]])} if shapes.get("k") == "1" else {})


def jacobian(case: Mapping[str, Any], values: Mapping[str, Array]) -> Array:
    """∂f/∂wrt by automatic differentiation: [*shape of f, *shape of wrt], axes of 1 left out."""
    tensors = {name: torch.from_numpy(value) for name, value in values.items()}
    functions = {"torch": torch, "inv": torch.linalg.inv, "det": torch.linalg.det, "power": power}

    def f(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = eval(case["torch"], {**functions, **tensors, case["wrt"]: x})
        return found.reshape(found.shape if found.ndim == 2 else (1, 1))

    return np.asarray(torch.autograd.functional.jacobian(f, tensors[case["wrt"]]).squeeze())


def power(a: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """A matrix to a whole power."""
    return torch.linalg.matrix_power(a, int(exponent))


def agrees(found: Derived, value: Array, true: Array) -> bool:
    """Whether a derivative in denominator layout, or in index form, is PyTorch's [f, wrt]."""
    value = np.squeeze(value)
    by = sum(size != "1" for size in found.shapes.symbols[found.wrt.name])
    if found.expression is not None and true.ndim > by:  # the layout has wrt first
        true = true.T
    return value.shape == true.shape and np.allclose(value, true, rtol=TOLERANCE, atol=TOLERANCE)


def main() -> None:
    """Prints what is not right, and the figures by source."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("formulas", type=Path, nargs="?", default=FORMULAS)
    parser.add_argument("--bare", action="store_true", help="derive without the shapes of the letters")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    arguments = parser.parse_args()
    cases = json.loads(arguments.formulas.read_text())
    outcomes = [outcome(case, arguments.bare) for case in cases]
    if arguments.json:
        print(json.dumps([asdict(o) for o in outcomes], ensure_ascii=False, indent=1))
        return
    for o in outcomes:
        if o.result != "right":
            print(f"{o.result:8} {o.formula:50} by {o.wrt:3} {o.said}")
    print(f"\n{'source':42} formulas  right  refused  wrong")
    for source in dict.fromkeys(o.source for o in outcomes):
        results = Counter(o.result for o in outcomes if o.source == source)
        wrong = results["wrong"] + results["crash"]
        print(f"{source:42} {results.total():8} {results['right']:6} {results['refused']:8} {wrong:6}")


if __name__ == "__main__":
    main()

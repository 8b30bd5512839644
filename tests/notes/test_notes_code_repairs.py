"""Repairs of code run: each is executed with NumPy on arrays of the declared shapes, and gives the true gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from elman.notes.check_page import check
from elman.notes.page.reader import page_of

SIZES = {"N": 5, "D": 3}
SHAPES = {"X": ("N", "D"), "w": ("D", "1"), "y": ("N", "1"), "A": ("D", "D"), "v": ("D", "1")}


def softmax(x: np.ndarray) -> np.ndarray:
    exp = np.exp(x - x.max(0))
    return exp / exp.sum(0)


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": softmax,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
EQUATIONS = (
    ("p = X @ w - y\nJ = np.sum(p * p)", "dw = 2 * X @ p"),
    ("p = X @ w - y\nJ = N * np.sum(p * p)", "dw = 2 * X.T @ p"),  # a size as a factor is a scaling
    ("p = X @ w - y\nJ = np.sum(p * p) / N", "dw = 2 * X.T @ p"),
    ("p = A @ w\nJ = np.trace(A @ A)", "dA = -2 * A.T"),
    ("p = A @ w\nJ = np.linalg.norm(p)", "dw = A @ p / J"),
    ("p = np.tanh(A @ w)\nJ = np.sum(p)", "dw = A @ (1 - p * p)"),
    ("p = softmax(A @ w)\nJ = v.T @ p", "dw = A @ (np.diagflat(p) - p @ p.T) @ v"),
    ("p = A @ w\nJ = v.T @ (np.diagflat(w) @ w)", "dw = -2 * np.diagflat(w) @ v"),
    ("p = A @ w\nJ = w.T @ np.linalg.inv(A) @ w", "dw = (np.linalg.inv(A) - np.linalg.inv(A).T) @ w"),
    ("Z = X @ w\nJ = np.sum(Z)", "dw = X.T @ np.ones((D, 1))"),
    ("p = A @ w\nJ = v.T @ (np.eye(D) @ w)", "dw = -np.eye(D) @ v"),
)  # fmt: skip


@pytest.mark.parametrize(("forward", "wrong"), EQUATIONS)
def test_a_repair_of_code_runs_and_gives_the_true_gradient(forward: str, wrong: str) -> None:
    declared = "\n".join(f"{name}.shape = [{rows}, {columns}]" for name, (rows, columns) in SHAPES.items())
    report = check(page_of(f"```python\n{declared}\n{forward}\n{wrong}\n```\n"))
    (claim,) = (c for c in report.claims if not c.good)
    assert claim.fixes, claim
    generator = np.random.default_rng(0)
    given = {name: generator.normal(size=(SIZES.get(r, 1), SIZES.get(c, 1))) for name, (r, c) in SHAPES.items()}
    given["A"] += 3 * np.eye(SIZES["D"])
    by = claim.left.removeprefix("d")

    def loss(changed: np.ndarray) -> float:
        return float(np.asarray(values({**given, by: changed})["J"]).item())

    def values(letters: dict[str, np.ndarray]) -> dict[str, object]:
        known: dict[str, object] = {"np": np, **SIZES, **FUNCTIONS, **letters}
        exec(forward, known)
        return known

    expected = np.zeros_like(given[by])
    for place in np.ndindex(expected.shape):
        step = np.zeros_like(expected)
        step[place] = 1e-6
        expected[place] = (loss(given[by] + step) - loss(given[by] - step)) / 2e-6
    for fix in claim.fixes:
        result = np.asarray(eval(fix.formula, values(given)))
        assert result.shape == expected.shape, fix.formula
        assert np.allclose(result, expected, rtol=1e-5, atol=1e-6), fix.formula

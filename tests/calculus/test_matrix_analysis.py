"""Functions of square matrices and singular values: against NumPy's decompositions, and their complex step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from elman.calculus.values import matrix_analysis as analysis

Array = np.ndarray  # type: ignore[type-arg]
GENERATOR = np.random.default_rng(4)
SQUARE = GENERATOR.normal(size=(4, 4)) / 2 + 2 * np.eye(4)
TALL = GENERATOR.normal(size=(5, 3))


def by_eigenvalues(a: Array, f: Callable[[Array], Array]) -> Array:
    values, vectors = np.linalg.eig(a)
    return np.asarray((vectors * f(values.astype(complex))) @ np.linalg.inv(vectors)).real


def test_functions_of_a_square_matrix() -> None:
    for found, f in (
        (analysis.exponential, np.exp),
        (analysis.logarithm, np.log),
        (lambda a: analysis.square_roots(a)[0], np.sqrt),
        (lambda a: analysis.square_roots(a)[1], lambda v: 1 / np.sqrt(v)),
        (lambda a: analysis.matrix_power(a, np.array([[2.6]])), lambda v: v**2.6),
        (lambda a: analysis.matrix_power(a, np.array([[-3.0]])), lambda v: v**-3),
    ):
        assert np.allclose(found(SQUARE), by_eigenvalues(SQUARE, f), rtol=1e-11, atol=1e-12)
        assert np.allclose(found(np.stack([SQUARE, np.eye(4)]))[0], found(SQUARE), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("a", [TALL, TALL.T])
def test_functions_of_singular_values(a: Array) -> None:
    u, s, v = np.linalg.svd(a, full_matrices=False)
    assert np.allclose(analysis.nuclear_norm(a), s.sum())
    assert np.allclose(analysis.spectral_norm(a), s[0])
    assert np.allclose(analysis.polar_factor(a), u @ v)
    assert np.allclose(analysis.leading_factor(a), np.outer(u[:, 0], v[0]))
    assert np.allclose(analysis.pseudoinverse(a), np.linalg.pinv(a))


@pytest.mark.parametrize(
    "f",
    [
        analysis.exponential,
        analysis.logarithm,
        lambda a: analysis.square_roots(a)[0],
        lambda a: analysis.matrix_power(a, np.array([[1.7]])),
        analysis.nuclear_norm,
        analysis.spectral_norm,
        analysis.pseudoinverse,
        analysis.polar_factor,
    ],
)
def test_a_complex_step_passes_through(f: Callable[[Array], Array]) -> None:
    step = GENERATOR.normal(size=(4, 4))
    slope = f(SQUARE + 1e-30j * step).imag / 1e-30
    differences = (f(SQUARE + 1e-6 * step) - f(SQUARE - 1e-6 * step)) / 2e-6
    assert np.allclose(slope, differences, rtol=1e-6, atol=1e-7)


def test_what_has_no_value_is_not_a_number() -> None:
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.isnan(analysis.logarithm(-np.eye(2) + 1e-3 * rotation @ rotation)).all()


def test_a_power_is_computed_once_for_equal_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    half = np.array([[0.4375]])
    first = analysis.matrix_power(SQUARE, half)
    monkeypatch.setattr(analysis, "logarithm", lambda a: np.full_like(a, np.nan))
    assert np.array_equal(analysis.matrix_power(SQUARE.copy(), half), first)
    assert np.isnan(analysis.matrix_power(SQUARE + 1.0, half)).all()

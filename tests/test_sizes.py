"""Sizes written as numbers: 784 stands for a name, 0 is refused, and the number itself keeps its value."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from elman.calculus.derivation import derive
from elman.calculus.sizes import is_number, is_written, size_of
from elman.cli import main
from elman.errors import FormulaError


@pytest.mark.parametrize("text", ["²", "٣", "0", "", "n", "-1", "1.0", "10", "٠"])
def test_a_number_is_one_digit_from_1_on_in_ascii(text: str) -> None:
    assert not is_number(text)
    assert is_written(text) == (text in ("0", "10"))


def test_a_size_has_one_spelling() -> None:
    assert [size_of(text) for text in ("D_h", "007", "784", "9", "²")] == ["Dh", "7", "784", "9", "²"]
    for text in ("0", "000", "{}"):
        with pytest.raises(FormulaError, match="expected"):
            size_of(text)


# --- derivatives ---


@pytest.mark.parametrize("formula", ["1_0^T x", "I_0 x", r"\mathbf{1}_0^T x", r"\sum_{i=1}^{0} x_i", "1_{00}^T x"])
def test_derive_refuses_a_size_of_0_with_its_place(formula: str) -> None:
    with pytest.raises(FormulaError, match=r"column \d+: a size of 0 is given where one from 1 on is expected: write"):
        derive(formula, "x")


@pytest.mark.parametrize("shape", ["0", "0,n", "n,0", "²", "٣", "n,²"])
def test_derive_refuses_a_shape_that_is_none(shape: str) -> None:
    done = CliRunner().invoke(main, ["derive", "x^T x", "--wrt", "x", "--shape", f"x={shape}"])
    assert done.exit_code == 2
    assert f"the shape '{shape}' of x is not read: " in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("bound", ["n-1", "-3"])
def test_derive_refuses_a_sum_to_what_is_no_size(bound: str) -> None:
    with pytest.raises(FormulaError, match=f"this sum ends at {bound} where a size is expected"):
        derive(rf"\sum_{{i=1}}^{{{bound}}} x_i", "x")


@pytest.mark.parametrize("size", ["99999999999", "784", "10", "9" * 40])
def test_derive_takes_any_size(size: str) -> None:
    assert derive("x^T x", "x", shapes={"x": size}).shape == (size, "1")
    assert derive(rf"I_{{{size}}} x", "x").text == f"I_{{{size}}}"
    assert derive(rf"1_{{{size}}}^T x", "x").text == f"1_{{{size}}}"
    assert derive(rf"\sum_{{i=1}}^{{{size}}} x_i^2", "x").text == "2 x"


def test_different_written_sizes_do_not_fit() -> None:
    with pytest.raises(FormulaError, match=r"\[128,784\] times \[10,784\] does not fit"):
        derive("A B", "A", shapes={"A": "128,784", "B": "10,784"})


def test_a_number_keeps_its_value_beside_a_size() -> None:
    mean, written = (
        derive(formula, "x", shapes={"x": "784"}) for formula in (r"\mathrm{mean}(x)", r"\frac{1}{784} 1_{784}^T x")
    )
    x = np.zeros((784, 1))
    for found in (mean, written):
        np.testing.assert_allclose(found.evaluate({"x": x}), np.full((784, 1), 1 / 784), rtol=1e-15)
        assert "784" in found.latex
        assert "784" in found.numpy
    assert r"\mathrm{784}" not in mean.latex
    with pytest.raises(FormulaError, match=r"x is \[783, 1\], where 784 is 784"):
        mean.evaluate({"x": x[1:]})

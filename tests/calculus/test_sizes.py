"""Sizes written as numbers: 784 is a name, 0 is refused, and a factor of 784 keeps its value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from elman.calculus.derive_formula import derive
from elman.calculus.shapes.inference import infer
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse
from elman.calculus.syntax.written_sizes import is_number, is_written, size_of
from elman.calculus.values.verify import distinct_sizes, points
from elman.cli import main
from elman.errors import FormulaError
from elman.notes.check_page import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.oracle.sizes import sizes_of
from elman.notes.page.declarations import dimension
from elman.notes.page.reader import page_of

NETWORK = r"""
W_1.shape = [128,784]
b_1.shape = [128,1]
W_2.shape = [10,128]
b_2.shape = [10,1]
x.shape = [784,1]
y.shape = [10,1]

$$ z = W_1 x + b_1 $$
$$ h = \sigma(z) $$
$$ o = W_2 h + b_2 $$
$$ \hat y = \mathrm{softmax}(o) $$
$$ J = -\sum_{i=1}^{10} y_i \ln \hat y_i $$
$$ \mu = \frac{1}{784} \sum_{i=1}^{784} x_i $$
"""


def claims(page: str) -> list[Claim]:
    return list(check(page_of(page, "markdown")).claims)


def verdict(formula: str, page: str = NETWORK) -> Claim:
    """What is said of the last formula of a page."""
    return claims(f"{page}\n$$ {formula} $$\n")[-1]


@pytest.mark.parametrize("text", ["²", "٣", "0", "", "n", "-1", "1.0", "10", "٠"])
def test_a_number_is_one_digit_from_1_on_in_ascii(text: str) -> None:
    assert not is_number(text)
    assert is_written(text) == (text in ("0", "10"))


def test_a_size_has_one_spelling() -> None:
    assert [size_of(text) for text in ("D_h", "007", "784", "9", "²")] == ["Dh", "7", "784", "9", "²"]
    assert [dimension(text) for text in ("28*28", "4 D_h", "0128", "1*n", "0*n", "²", "٣")] == [
        "784", "4*Dh", "128", "n", "0", None, None,
    ]  # fmt: skip
    for text in ("0", "000", "{}"):
        with pytest.raises(FormulaError, match="expected"):
            size_of(text)


def test_written_sizes_get_different_primes_that_no_literal_size_has() -> None:
    sizes = sizes_of({"a": ("784", "128"), "b": ("784", "3"), "c": ("4*Dh", "5")})
    assert list(sizes) == ["784", "128", "Dh"]
    assert len({*sizes.values(), 3, 5}) == 5


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


def test_every_size_of_a_formula_gets_a_prime_of_its_own() -> None:
    terms = [f"1_{{{n}}}^T x_{{a{n}}}" for n in range(10, 40)] + ["x_b^T x_b", "1_3^T x_c", "1_5^T x_d"]
    names = [f"x_a{n}" for n in range(10, 40)] + ["x_b", "x_c", "x_d"]
    shapes = infer(parse(" + ".join(terms), Names.of(names)))
    assert len(shapes.dimensions()) == 31
    for point in points(shapes, set(), count=2):
        assert len({*point.sizes.values(), 3, 5}) == 33


def test_distinct_sizes_are_primes_in_a_known_order() -> None:
    assert distinct_sizes(15) == [3, 5, 2, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
    assert distinct_sizes(4, {3, 7}) == [5, 2, 11, 13]


def test_two_large_sizes_never_fit_together() -> None:
    with pytest.raises(FormulaError, match=r"\[1,10\] times \[784,1\] does not fit"):
        derive("1_{10}^T 1_{784} + x^T x", "x")


# --- notes ---


def test_a_network_of_784_and_128_is_checked_as_one_of_named_sizes() -> None:
    right = [
        r"\frac{\partial J}{\partial o} = \hat y - y",
        r"\frac{\partial J}{\partial W_1} = ((W_2^T (\hat y - y)) \circ h \circ (1 - h)) x^T",
        r"\mu = \mathrm{mean}(x)",
        r"\mu = \frac{1}{784} 1_{784}^T x",
        r"1_{784}^T 1_{784} = 784",
        r"I_{784} x = x",
        r"784 x = 780 x + 4 x",
        r"\mu = \frac{1}{2} \frac{1}{392} \sum_{i=1}^{784} x_i",
    ]
    assert {formula: verdict(formula).verdict for formula in right} == dict.fromkeys(right, Verdict.HOLDS)


@pytest.mark.parametrize(
    ("formula", "expected", "words"),
    [
        (r"\frac{\partial J}{\partial h} = W_2 (\hat y - y)", Verdict.MISSING_TRANSPOSE, "[10,128] times [10,1]"),
        (r"\mu = \frac{1}{784} 1_{128}^T x", Verdict.SHAPE, "[1,128] times [784,1] does not fit"),
        (r"\mu = \frac{1}{128} \sum_{i=1}^{784} x_i", Verdict.ARGUMENT, "the two sides differ"),
        (r"\mu = \frac{2}{784} \sum_{i=1}^{784} x_i", Verdict.FALSE, "the right side is 2 times the true value"),
        (r"\mu = \sum_{i=1}^{784} x_i", Verdict.BATCH, "the two sides differ"),
        (r"10 x = 3 x", Verdict.SEVERAL, "the two sides differ"),
        (r"I_{99999999999} x = x", Verdict.FALSE, "[99999999999,99999999999] times [784,1] does not fit"),
        (r"1_{784}^T 1_{784} = 783", Verdict.NOT_CHECKED, "783 may depend on the sizes 10, 128, 784"),
        (r"\mu = \sum_{i=1}^{400} x_i", Verdict.NOT_CHECKED, "an index is a number"),
        (r"1_0^T x = \mu", Verdict.NOT_READ, "a size of 0 is given where one from 1 on is expected"),
    ],
)
def test_what_is_wrong_with_written_sizes_is_said_and_no_more(formula: str, expected: Verdict, words: str) -> None:
    found = verdict(formula)
    assert found.verdict == expected
    assert words in found.diagnosis


def test_the_other_size_is_offered() -> None:
    assert verdict(r"\mu = \frac{1}{128} \sum_{i=1}^{784} x_i").fix == r"\frac{1}{784} (\sum_{i=1}^{784} x_i)"


def test_a_declared_size_of_0_is_not_read(tmp_path: Path) -> None:
    page = tmp_path / "notes.md"
    page.write_text("h.shape = [Dh,0]\nx.shape = [Dh,1]\n$$ h = 2 x $$\n")
    done = CliRunner().invoke(main, ["check", str(page)])
    assert done.exit_code == 0
    assert "a size of 0 is given where one from 1 on is expected: write a number or a name" in done.output


def test_a_product_of_many_sizes_is_not_checked() -> None:
    found = claims("A.shape = [a1*b1*c1*d1*e1*f1,g1*h1*i1]\n$$ L = \\mathrm{sum}(A \\circ A) $$\n")
    assert found[0].verdict == Verdict.NOT_CHECKED
    assert "an array of more than 5000 entries would be needed" in found[0].diagnosis


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (r"x^T x + 1_{10}^T 1_{784} = x^T x", "[1,10] times [784,1] does not fit"),
        (r"x^T x + 1_{785}^T 1_{792} = x^T x", "[1,785] times [792,1] does not fit"),
        ("s = 1_3^T x", "does not fit"),
        ("s = 1_5^T x", "[1,5] times [n,1] does not fit"),
        ("I_3 x = x", "does not fit"),
    ],
)
def test_two_sizes_of_a_page_never_fit_together(formula: str, words: str) -> None:
    found = verdict(formula, "x.shape = [n,1]\n\n$$ s = 1_n^T x $$\n")
    assert found.verdict not in (Verdict.HOLDS, Verdict.NOT_CHECKED)
    assert words in found.diagnosis


# --- sizes of which a page says what they are ---

SAID = r"""
x.shape = [N,1]
b.shape = [M,B]

Let $N = 28 \cdot 28$, $M = 4$ and $B = 32$; at $B = 1$ it is easy.

$$ N = 784 $$
$$ \mu = \frac{1}{784} \sum_{i=1}^{784} x_i $$
$$ s = \frac{1}{4} \sum_{j=1}^{4} b_j $$
$$ L = \frac{1}{2B} \mathrm{sum}(b \circ b) $$
"""


@pytest.mark.parametrize(
    "formula",
    [
        r"\mu = \mathrm{mean}(x)", r"\mu = \frac{1}{N} \sum_{i=1}^{N} x_i", r"\mu = \frac{1}{N} 1_{784}^T x",
        r"s = \frac{1}{M} 1_M^T b", r"s = \frac{1}{M} 1_4^T b", r"s 1_B = \frac{1}{4} 1_4^T b 1_{32}",
        r"\frac{\partial L}{\partial b} = \frac{1}{32} b", r"\frac{\partial L}{\partial b} = \frac{1}{B} b",
    ],
)  # fmt: skip
def test_a_size_and_the_number_that_it_is_said_to_be_are_one(formula: str) -> None:
    assert verdict(formula, SAID).verdict == Verdict.HOLDS


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("N = 784", Verdict.NOT_A_CLAIM),
        (r"\frac{\partial L}{\partial b} = -\frac{1}{32} b", Verdict.SIGN),
        (r"\mu = \frac{1}{N} 1_4^T x", Verdict.SHAPE),
        (r"\frac{\partial L}{\partial b} = \frac{1}{31} b", Verdict.NOT_CHECKED),
        (r"\mu = \frac{4}{784} 1_N^T x", Verdict.FALSE),
    ],
)
def test_what_is_wrong_with_a_size_that_is_said_is_found(formula: str, expected: Verdict) -> None:
    assert verdict(formula, SAID).verdict == expected


def test_a_small_number_stays_a_number_beside_a_size_of_it() -> None:
    page = "x.shape = [K,1]\n\nHere $K = 2$.\n\n$$ L = \\frac{1}{2} \\|x\\|^2 $$\n"
    assert verdict(r"\frac{\partial L}{\partial x} = x", page).verdict == Verdict.HOLDS
    wrong = verdict(r"\frac{\partial L}{\partial x} = -x", page)
    assert (wrong.verdict, wrong.fix) == (Verdict.SIGN, "x")


def test_a_time_step_beyond_the_last_is_not_judged() -> None:
    page = "W.shape = [D,D]\nx.shape = [D,1]\nh.shape = [D,1]\n$$ h^{(t)} = \\tanh(W h^{(t-1)} + x^{(t)}) $$\n"
    found = verdict(r"J = \sum_{t=1}^{100} h^{(t)T} h^{(t)}", page)
    assert found.verdict == Verdict.NOT_CHECKED
    assert "a time step after step 4, the last one in the check: write T" in found.diagnosis

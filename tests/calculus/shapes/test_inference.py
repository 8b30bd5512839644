"""What the letters of a formula are without a word on shapes: numbers, columns, matrices."""

from __future__ import annotations

import pytest

from elman.calculus.expression import Call, Expression, Product, Symbol, Transpose
from elman.calculus.shapes.inference import declared, infer, other_readings
from elman.calculus.syntax.parse import parse
from elman.errors import FormulaError


def kinds(formula: str | Expression, **given: str) -> str:
    """The letters by kind: "A: matrix, x: column"."""
    shapes = infer(parse(formula) if isinstance(formula, str) else formula, declared(given))
    words = {(True, True): "number", (False, True): "column", (True, False): "row", (False, False): "matrix"}
    return ", ".join(
        f"{name}: {words[rows == '1', columns == '1']}" for name, (rows, columns) in shapes.assumed.items()
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("v^T z + d", "v: column, z: column, d: number"),  # a column would make a column of the whole
        ("z^T M z + d^T z + g", "z: column, M: matrix, d: column, g: number"),
        ("M z + d", "M: matrix, z: column, d: column"),
        (r"\sigma(v^T z + d)", "v: column, z: column, d: number"),
        (r"\|s - M \omega\|^2", "s: column, M: matrix, omega: column"),
        (r"\omega^T z", "omega: column, z: column"),  # what is transposed is no number
        (r"(z - \nu)^T \Lambda (z - \nu)", "z: column, nu: column, Lambda: matrix"),
        (r"\frac{1}{K} \|M z - s\|^2", "K: number, M: matrix, z: column, s: column"),
        (r"\|M z - s\|^2 + \alpha \|z\|^2", "M: matrix, z: column, s: column, alpha: number"),
        ("v z + d", "v: number, z: number, d: number"),
        (r"\frac{1}{2} (z - s)^2", "z: number, s: number"),
        ("z^3", "z: number"),
        ("(z - 5)^2", "z: number"),
        (r"\frac{1}{1 + \exp(-z)}", "z: number"),
        (r"(M z - s)^T (M z - s)", "M: matrix, z: column, s: column"),
        (r"-s \ln q - (1 - s) \ln(1 - q)", "s: number, q: number"),
        (r"-(s^T \ln q + (1 - s)^T \ln(1 - q))", "s: column, q: column"),
        ("M Z + d 1_B^T", "M: matrix, Z: matrix, d: column"),
        ("M Z + d", "M: matrix, Z: matrix, d: column"),  # added to every column
        ("z M + d", "z: row, M: matrix, d: row"),
        (r"M + \alpha I", "M: matrix, alpha: number"),
        (r"M \beta", "M: matrix, beta: column"),
        (r"\beta M", "beta: number, M: matrix"),
        ("k z^T z", "k: number, z: column"),
        ("M z + k v^T z", "M: matrix, z: column, k: column, v: column"),
        (r"d \cdot z", "d: column, z: column"),
        (r"\sum_i d_i z_i^2", "d: column, z: column"),
        (r"\sum_i (v^T z_i - s_i)^2", "v: column, z: matrix, s: column"),
        (r"\sum_i \sum_j M_{ij} z_j", "M: matrix, z: column"),
        (r"\mathrm{softmax}(\theta)", "theta: column"),
        ("z", "z: column"),
    ],
)
def test_the_cheapest_reading_that_fits(formula: str, expected: str) -> None:
    assert kinds(formula) == expected


def test_declared_shapes_come_first() -> None:
    assert kinds("v^T z + d", d="n") == "v: column, z: column"
    assert kinds("c M d", d="n") == "c: number, M: matrix"
    assert kinds(r"\frac{1}{r} \|M z - s\|^2", M="r,d") == "r: number, z: column, s: column"
    assert infer(parse(r"\frac{1}{r} \|M z - s\|^2"), declared({"M": "r,d"})).sizes == {"r"}


def test_products_of_python() -> None:
    z, m, v = Symbol("z"), Symbol("M"), Symbol("v")
    assert kinds(Product(v, z, "@")) == "v: column, z: column"
    assert kinds(Product(Symbol("theta"), z, "@")) == "theta: column, z: column"
    quadratic = infer(Product(Product(z, m, "@"), z, "@"))
    assert quadratic.of(quadratic.tree) == ("1", "1")
    assert quadratic.tree == Product(Product(Transpose(z), m), z)


def test_what_depends_on_shapes_is_written_out() -> None:
    assert infer(parse(r"a \cdot z")).tree == parse("a^T z")
    assert infer(parse(r"a \cdot z"), declared({"a": "1"})).tree == parse(r"a \cdot z")
    bars = Call("det", (Symbol("z"),), latex="|")
    assert infer(bars).tree == Call("abs", (Symbol("z"),))
    assert infer(bars, {"z": ("n", "n")}).tree == bars


def test_other_usual_readings() -> None:
    (other,) = other_readings(parse(r"\sigma(z)"))
    assert infer(parse(r"\sigma(z)")).symbols["z"] == ("n", "1")
    assert other.symbols["z"] == ("1", "1")
    assert not list(other_readings(parse("v^T z + d")))
    assert not list(other_readings(parse(r"\sigma(z)"), {"z": ("k", "1")}))


def test_words_for_a_letter() -> None:
    shapes = infer(parse(r"\frac{1}{r} (v^T M z + d)"), {"M": ("r", "s")})
    assert [shapes.words(name, name) for name in shapes.symbols] == [
        "r is a size", "v is a column of r", "M is a matrix of r × s", "z is a column of s", "d is a number",
    ]  # fmt: skip


def test_a_misfit_names_the_shapes_of_the_usual_reading() -> None:
    with pytest.raises(FormulaError, match=r"\[m,n\] times \[p,1\] does not fit: the inner dimensions differ"):
        infer(parse("M z + d"), declared({"M": "m,n", "z": "p"}))


def test_a_long_formula_is_read_in_bounded_time() -> None:
    letters = "abcdfghkpqrsuvwxyz"
    formula = " + ".join(f"{c}_1^T {c}_2 {c}_3" for c in letters)
    names = infer(parse(formula)).symbols
    assert all(names[f"{c}_1"] == names[f"{c}_2"] for c in letters)


def test_a_bias_is_as_long_as_the_weights_have_outputs() -> None:
    assert kinds("W Z + d") == "W: matrix, Z: matrix, d: column"
    assert kinds("Z W + d") == "Z: matrix, W: matrix, d: row"


def test_a_factor_of_a_logarithm_is_a_number() -> None:
    assert kinds(r"s \ln \sigma(v^T z) + (1 - s) \ln(1 - \sigma(v^T z))") == "s: number, v: column, z: column"


def test_a_quotient_by_what_is_transposed_asks_for_parentheses() -> None:
    with pytest.raises(FormulaError, match="put the whole divisor in parentheses"):
        infer(parse("z^T M z / z^T z"))

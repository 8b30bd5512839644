"""Derivatives: 87 identities in both layouts, random expressions against the complex step, layouts, what is refused.

ELMAN_RANDOM_EXPRESSIONS=10000 runs the random tests at full length (about a minute); by default they are a few hundred.
"""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import Run
from identities import GROUPS, identities
from random_expressions import Grower

import elman
from elman.calculus import derive_formula
from elman.calculus.derive_formula import Derived, derivative, derive
from elman.calculus.expression import BigSum, Expression, Symbol, symbols, walk
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, names_of, text
from elman.calculus.shapes.inference import Shape, infer
from elman.calculus.syntax.parse import parse
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import complex_step, points, relative_error
from elman.cli import main
from elman.errors import DerivationError, FormulaError

RANDOM = int(os.environ.get("ELMAN_RANDOM_EXPRESSIONS", "400"))


def test_there_are_enough_identities_of_every_kind() -> None:
    assert len(identities()) >= 60
    assert set(GROUPS) == {"linear", "quadratic", "trace", "inverse", "determinant", "norm", "elementwise", "chain"}


@pytest.mark.parametrize(("formula", "wrt", "denominator", "numerator"), identities())
def test_identity_as_a_person_writes_it(formula: str, wrt: str, denominator: str, numerator: str) -> None:
    for layout, expected in (("denominator", denominator), ("numerator", numerator)):
        found = derive(formula, wrt, layout)
        assert found.text == expected
        assert found.error < 1e-9
        check_by_hand(found)


def check_by_hand(found: Derived) -> None:
    """The value of the answer, read back from its LaTeX and its text, against central differences of the formula."""
    point = next(points(found.shapes, set(found.distributions), seed=7, count=1))
    values = {s.name if s.time is None else f"{s.name}^({s.time})": v for s, v in point.values.items()}
    true = differences(found, point.values)
    arranged = found.evaluate(values)
    shape = found.shapes.symbols[found.wrt.name]
    scalar = true.shape[2:] == (1, 1)
    if scalar:
        expected = true[:, :, 0, 0]
        expected = expected.T if found.layout == "numerator" else expected
    else:
        assert "1" in shape
        expected = true.reshape(max(true.shape[:2]), max(true.shape[2:]))
        expected = expected.T if found.layout == "numerator" else expected
    assert arranged.shape == expected.shape
    assert np.allclose(arranged, expected, rtol=1e-5, atol=1e-6)
    assert found.expression is not None
    for shown in (found.latex, found.text):
        names = names_of(found.source, found.expression)
        again = evaluate(parse(shown, names, "latex"), point.scope())
        assert np.allclose(np.broadcast_to(again, arranged.shape), arranged, rtol=1e-9, atol=1e-12)


def softmax(x: np.ndarray, axis: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize(("formula", "wrt", "denominator", "numerator"), identities())
def test_the_numpy_code_runs(formula: str, wrt: str, denominator: str, numerator: str) -> None:
    for layout in ("denominator", "numerator"):
        found = derive(formula, wrt, layout)
        (point,) = points(found.shapes, set(found.distributions), seed=3, count=1)
        names = {f"{s.name}_" if s.name == "lambda" else s.name: v for s, v in point.values.items()}
        functions = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softmax": softmax, "step": lambda x: (x > 0) * 1.0}
        value = eval(found.numpy, {"np": np, **functions, **point.sizes, **names})
        assert found.expression is not None
        expected = evaluate(found.expression, point.scope())
        assert np.allclose(value, expected, rtol=1e-12, atol=1e-14), found.numpy


def differences(found: Derived, values: dict[Symbol, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
    """∂f/∂wrt by central differences: [rows, columns of wrt, rows, columns of f]."""
    point = next(points(found.shapes, set(found.distributions), seed=7, count=1))
    x = values[found.wrt]
    slopes = []
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-6
        moved = [
            evaluate(found.shapes.tree, point.scope({found.wrt: x + sign * step.reshape(x.shape)})) for sign in (1, -1)
        ]
        slopes.append((moved[0] - moved[1]) / 2e-6)
    return np.array(slopes).reshape(*x.shape, *slopes[0].shape)


def grown(seed: int) -> tuple[Expression, Symbol, Grower] | None:
    grower = Grower(seed)
    e = grower.grow(grower.any_shape(), grower.random.randint(1, 4))
    there = sorted(symbols(e), key=lambda s: (s.name, str(s.time)))
    return (e, grower.random.choice(there), grower) if there else None


@pytest.mark.parametrize("block", range(20))
def test_random_expressions_agree_with_the_complex_step(block: int) -> None:
    for seed in range(block * RANDOM // 20, (block + 1) * RANDOM // 20):
        found = grown(seed)
        if found is None:
            continue
        e, wrt, grower = found
        layout = grower.random.choice(("denominator", "numerator", "shape"))
        result = derivative(e, wrt, grower.shapes, layout, ())
        assert result.error < 1e-9, (seed, text(e))


@pytest.mark.parametrize("block", range(20))
def test_random_expressions_read_back_from_every_print(block: int) -> None:
    for seed in range(block * RANDOM // 20, (block + 1) * RANDOM // 20):
        found = grown(seed)
        if found is None:
            continue
        e, _, grower = found
        shapes = infer(e, grower.shapes)
        names = names_of(e)
        (point,) = points(shapes, set(), count=1)
        value = evaluate(e, point.scope())

        def shape_of(part: Expression, known: dict[str, Shape] = grower.shapes) -> Shape:
            inner = infer(part, known)
            return inner.of(inner.tree)

        prints = [(latex(e), "latex"), (text(e), "latex")]
        if not any(isinstance(node, BigSum) for node in walk(e)):  # a comprehension is not read back
            prints.append((python(e, shape_of), "python"))
        for shown, form in prints:
            again = evaluate(parse(shown, names, form), point.scope())
            assert again.shape == value.shape, (seed, shown)
            assert relative_error(again, value) < 1e-12, (seed, shown)


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive_formula, "complex_step", lambda *a: 1.001 * complex_step(*a))
    with pytest.raises(DerivationError, match="failed its check"):
        derive("x^T A x", "x")


def test_layouts_and_shapes() -> None:
    assert derive("A x", "x", "denominator", {"A": "m,n"}).shape == ("n", "m")
    assert derive("A x", "x", "numerator", {"A": "m,n"}).shape == ("m", "n")
    assert derive("A x", "x", "shape", {"A": "m,n"}).text == "A"
    assert derive("a^T X b", "X", "numerator", {"X": "m,n"}).shape == ("n", "m")
    assert derive("a^T X b", "X", "shape", {"X": "m,n"}).shape == ("m", "n")
    assert derive("c X", "c", "numerator", {"c": "1", "X": "m,n"}).text == "X"
    assert derive("c X", "c", "denominator", {"c": "1", "X": "m,n"}).text == "X^T"
    assert derive("r A x", "r", "denominator", {"r": ("1", "m"), "A": ("m", "n")}).text == "x^T A^T"
    with pytest.raises(FormulaError, match="layout 'rows' is not known"):
        derive("x^T x", "x", "rows")


def test_a_matrix_by_a_matrix_comes_with_indices_and_a_value() -> None:
    found = derive("A X", "X", shapes={"A": "m,n", "X": "n,p"})
    assert found.expression is None
    assert found.index == "∂f_{ij}/∂X_{kl} = δ_{jl} A_{ik}"
    assert found.shape == ("m", "p", "n", "p")
    assert found.json()["form"] == "index"
    assert found.numpy == ""
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(2, 3)), rng.normal(size=(3, 5))
    assert np.array_equal(found.evaluate({"A": a, "X": x}), np.einsum("jl,ik->ijkl", np.eye(5), a))


def test_time_steps_are_symbols_of_their_own() -> None:
    formula = r"\sigma(W_h h^{(t-1)} + W_e e^{(t)} + b_1)"
    assert derive(formula, "h^{(t-1)}", "numerator", {"h": "Dh", "e": "d", "W_e": "Dh,d", "W_h": "Dh,Dh"}).text == (
        "diag(σ'(W_h h^(t-1) + W_e e^(t) + b_1)) W_h"
    )
    with pytest.raises(FormulaError, match=r"occurs here at the times t-1: write one, as in h\^\(t-1\)"):
        derive("a^T h^{(t-1)}", "h")


def test_the_gradients_of_the_recurrent_network() -> None:
    shapes = {"h": "Dh,B", "U": "V,Dh", "Y": "V,B", "b_2": "V", "X": "d,B", "E": "Dh,d"}
    loss = "CE(Y, softmax(U h + b_2))"
    assert derive(loss, "U", shapes=shapes).text == "(softmax(U h + b_2) - Y) h^T"
    assert derive(loss, "h", shapes=shapes).text == "U^T (softmax(U h + b_2) - Y)"
    assert derive(loss, "b_2", shapes=shapes).text == "(softmax(U h + b_2) - Y) 1_B"
    found = derive(r"CE(Y, softmax(U \sigma(E X)))", "E", shapes=shapes)
    assert found.text == "((U^T (softmax(U σ(E X)) - Y)) ∘ σ'(E X)) X^T"
    assert found.shape == ("Dh", "d")
    assert found.distributions == ("Y",)


def test_facts_are_used_only_where_they_are_given() -> None:
    formula = r"-y^T \ln softmax(z)"
    assert derive(formula, "z").text == "softmax(z) (1_n^T y) - y"
    assert derive(formula, "z", distributions=["y"]).text == "softmax(z) - y"


def test_both_forms_and_all_prints() -> None:
    found = elman.calculus.derive("a.T @ X @ b", wrt="X")
    assert (found.text, found.latex, found.numpy, found.index) == ("a b^T", "a b^T", "a @ b.T", "∂f/∂X_{ij} = a_i b_j")
    assert derive(r"a^T \hat{y}", r"\hat{y}").text == "a"
    assert derive(r"\|A x - b\|^2", "x").numpy == "2 * A.T @ (A @ x - b)"
    assert derive(r"\|A x - b\|^2", "x").latex == "2 A^T (A x - b)"
    answer = found.json()
    assert json.loads(json.dumps(answer)) == answer
    assert answer["verification"]["largest_relative_error"] < 1e-12
    assert found.evaluate({"a": [1, 2], "X": np.zeros((2, 3)), "b": [3, 4, 5]}).tolist() == [[3, 4, 5], [6, 8, 10]]
    with pytest.raises(FormulaError, match="b has no value"):
        found.evaluate({"a": [1, 2], "X": np.zeros((2, 3))})
    with pytest.raises(FormulaError, match=r"is \[2, 1\], where n is 3|is \[2, 3\], where n is 2"):
        found.evaluate({"a": [1, 2], "X": np.zeros((2, 3)), "b": [3, 4]})


@pytest.mark.parametrize(
    ("formula", "wrt", "shapes", "column", "reason"),
    [
        ("a^T X ) b", "X", {}, 7, "closes nothing"),
        ("A x + B y", "x", {"A": "m,n", "B": "k,l", "x": "n", "y": "l"}, 1, "[m,1] plus [k,1] does not fit"),
        ("a + A B", "A", {"A": "m,n", "B": "p,q"}, 5, "[m,n] times [p,q] does not fit"),
        ("tr(A)", "A", {"A": "m,n"}, 1, "a trace needs a square matrix, not [m,n]"),
        ("a^T X b", "c", {}, None, "c does not occur"),
        ("a^T X b", "a X", {}, 1, "a derivative is by one symbol"),
        (r"x^T \frac{\partial J}{\partial x}", "x", {}, 5, "a derivative cannot stand"),
        (r"x + \dots", "x", {}, 5, "an ellipsis cannot stand"),
        (r"\sum_{t=1}^T h^{(t)}", "h^{(t)}", {}, 1, "this sum runs over no index"),
        ("A^{12} x", "A", {"A": "n,n"}, None, "powers up to 8"),
        (r"\ln(-x^T x)", "x", {}, None, "no point was found"),
        ("x", "x", {"x": "a+b"}, None, "the shape 'a+b' of x is not read"),
        ("a.T @ x" + " @ x" * 1000, "x", {}, 1, "this formula nests deeper than 120: name its parts"),
    ],
)
def test_what_is_refused_says_where(
    formula: str, wrt: str, shapes: dict[str, str], column: int | None, reason: str
) -> None:
    with pytest.raises(FormulaError) as caught:
        derive(formula, wrt, shapes=shapes)
    assert reason in str(caught.value)
    assert caught.value.column == column


def test_what_grows_too_large_is_refused_in_time() -> None:
    for formula in ("softmax(" * 12 + "x" + ")" * 12, "softmax(" * 10 + "x" + ")" * 10):
        with pytest.raises(FormulaError, match=r"name (its|the) parts"):
            derive(formula, "x")
    assert derive(r"\sigma(" * 25 + "W x" + ")" * 25, "x").error < 1e-9  # each argument is written once


def test_the_command(command: Run) -> None:
    done = command("derive", "a^T X b", "--wrt", "X", "--layout", "both", "--shape", "X=m,n")
    assert done.returncode == 0
    assert "denominator  a b^T   [m,n]" in done.stdout
    assert "numerator    b a^T   [n,m]" in done.stdout
    assert "assumed      a is a column of m, b is a column of n\n" in done.stdout
    assert "X [m,n]  " in done.stdout
    assert "by complex step at 3 random points, largest relative error" in done.stdout
    answer = json.loads(command("derive", "x.T @ A @ x", "--wrt", "x", "--json").stdout)
    assert answer["text"] == "(A + A^T) x"
    assert command("derive", r"\ln\det X", "--wrt", "X", "--as", "latex").stdout == "X^{-T}\n"
    assert "no matrix form" in command("derive", "A X", "--wrt", "X").stdout
    for wrong, sentence in (
        (["a^T X ) b", "--wrt", "X"], "column 7: ) closes nothing"),
        (["A X", "--wrt", "X", "--as", "numpy"], "take --as index"),
        (["x", "--wrt", "x", "--shape", "x"], "write NAME=ROWS,COLUMNS"),
        (["(" * 10_000 + "x" + ")" * 10_000, "--wrt", "x"], "column 4001: this formula is longer than 4000 signs"),
    ):
        done = command("derive", *wrong)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ([r"-(\ln \hat{y})^T y", "--wrt", "y", "--as", "text"], "-ln(ŷ)"),
        (["--wrt", "y", "--as", "text", r"-(\ln \hat{y})^T y"], "-ln(ŷ)"),
        (["--wrt", "y", r"-(\ln \hat{y})^T y", "--as=text"], "-ln(ŷ)"),
        (["--wrt", "y", "--as", "text", "--", r"-(\ln \hat{y})^T y"], "-ln(ŷ)"),
        (["-x.T @ x", "--as", "text", "--wrt", "x"], "-2 x"),
        (["-x", "--as", "text", "--wrt", "x"], "-I_n"),
        (["-2 x^T x", "--as", "text", "--wrt", "x"], "-4 x"),
        (["-wrt", "--as", "text", "--wrt", "w", "--shape", "w=1"], "-r t"),
    ],
)
def test_a_formula_may_begin_with_a_minus_sign(arguments: list[str], answer: str) -> None:
    done = CliRunner().invoke(main, ["derive", *arguments])
    assert (done.exit_code, done.output) == (0, f"{answer}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-x^T x", "--wtr", "x"], "elman: there is no option --wtr: write --wrt; a formula that begins with -- goes"),
        (["-x^T x", "--wtr=x"], "elman: there is no option --wtr: write --wrt; a formula that begins with -- goes"),
        (["x^T x", "--wrt", "x", "--zzz"], "elman: there is no option --zzz: see elman derive --help"),
        (["-x^T x", "-wrt", "x"], "elman: there is no option -wrt: write --wrt"),
        (["-x^T x", "--wrt"], "Error: Option '--wrt' requires an argument."),
        (["--wrt", "x"], "Error: Missing argument 'FORMULA'."),
        (["x^T x", "-x", "--wrt", "x"], "Error: Got unexpected extra argument (-x)"),
    ],
)
def test_a_mistyped_option_is_no_formula(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(main, ["derive", *arguments])
    assert done.exit_code == 2
    assert sentence in done.output


def test_a_shape_for_a_name_that_the_formula_does_not_have_is_refused() -> None:
    sentence = "a shape is given for Q, which is not in this formula; there are W1, b, x"
    done = CliRunner().invoke(main, ["derive", "W_1 x + b", "--wrt", "x", "--shape", "W1=m,n", "--shape", "Q=m"])
    assert (done.exit_code, done.output) == (2, f"elman: {sentence}\n")
    shapes = {"W1": "m,n", "Q": "m"}
    assert derive("W_1 x + b", "x", shapes=shapes).shape == ("n", "m")  # one table may serve several formulas
    with pytest.raises(FormulaError, match=sentence):
        derive("W_1 x + b", "x", shapes=shapes, strict=True)


@pytest.mark.parametrize("name", [r"\beta", "β", "beta"])
def test_a_shape_may_be_given_for_a_greek_letter_as_it_is_written(name: str) -> None:
    assert derive(r"\beta^T x", "x", shapes={name: "k"}, strict=True).shape == ("k", "1")


@pytest.mark.parametrize(
    ("formula", "entry", "derivative_by_it"),
    [
        ("a^T X b", "X_{ij}", "∂f/∂X_{ij} = a_i b_j"),
        (r"\sum_i x_i^2", "x_i", "∂f/∂x_i = 2 x_i"),
        (r"\mathrm{tr}(X)", "X_{k,l}", "∂f/∂X_{kl} = δ_{kl}"),
        (r"\ln \det X", "X_{ij}", "∂f/∂X_{ij} = (X^-1)_{ji}"),
        ("A X", "X_{ij}", "∂f_{kl}/∂X_{ij} = δ_{jl} A_{ki}"),
        ("a.T @ X @ b", "X[i, j]", "∂f/∂X_{ij} = a_i b_j"),
        ("x_1^2", "x_1", "2 x_1"),
    ],
)
def test_a_derivative_by_an_entry(formula: str, entry: str, derivative_by_it: str) -> None:
    assert derive(formula, entry).text == derivative_by_it


def test_an_entry_with_the_wrong_number_of_indices_is_refused() -> None:
    with pytest.raises(FormulaError, match=r"X is \[m,n\], so its entries have 2 indices, not 1"):
        derive("a^T X b", "X_i")

"""Unknown functions, cases, comparisons, matrices by entries, products over an index: values and printing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from elman.calculus.derive_formula import derive
from elman.calculus.expression import (
    Apply,
    BigProduct,
    BigSum,
    Cases,
    Comparison,
    Constant,
    Entry,
    Expression,
    Index,
    Iverson,
    Matrix,
    Number,
    Product,
    Relation,
    Symbol,
)
from elman.calculus.functions import Array
from elman.calculus.printing.mathml import mathml
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, text
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError

ZERO, ONE, TWO = (Number(Fraction(n)) for n in (0, 1, 2))
X = Symbol("x")
VALUES = {"x": np.array([[1.5], [-2.0], [0.5]]), "w": np.array([[2.0], [4.0], [6.0]])}


def scope(**indices: int) -> Environment:
    return Environment(lambda s, _: VALUES[s.name], lambda name: 3, indices=indices)


def entry(name: str, index: str) -> Entry:
    return Entry(Symbol(name), (Index(index),))


def test_a_comparison_is_one_where_it_holds() -> None:
    assert evaluate(Comparison(X, ZERO, ">"), scope()).ravel().tolist() == [1, 0, 1]
    with pytest.raises(FormulaError, match="equal shapes"):
        evaluate(Comparison(X, Matrix(((ONE, TWO),)), ">"), scope())


@pytest.mark.parametrize(("sign", "holds"), [("=", 0), ("≠", 1), ("<", 1), ("≤", 1), (">", 0), ("≥", 0)])
def test_indices_are_compared(sign: str, holds: int) -> None:
    assert evaluate(Iverson(Index("i"), Index("j"), sign), scope(i=0, j=2)).item() == holds


def test_a_written_entry_counts_from_one_and_a_time_step_as_written() -> None:
    assert evaluate(Iverson(Index("i"), Index(None, 1)), scope(i=0)).item() == 1
    assert evaluate(Iverson(Index("t"), Index(None, 1)), scope(t=1)).item() == 1


def test_cases_entry_by_entry_and_as_a_whole() -> None:
    relu = Cases((X, ZERO), (Comparison(X, ZERO, ">"), ONE))
    assert evaluate(relu, scope()).ravel().tolist() == [1.5, 0, 0.5]
    diagonal = Cases((TWO, ZERO), (Iverson(Index("i"), Index("j")), Iverson(Index("i"), Index("j"), "≠")))
    assert [evaluate(diagonal, scope(i=1, j=j)).item() for j in (0, 1)] == [0, 2]


def test_cases_of_which_none_holds_have_no_value() -> None:
    with pytest.raises(FormulaError, match="no case of this holds"):
        evaluate(Cases((X,), (Comparison(X, ZERO, ">"),)), scope())


def test_a_matrix_by_entries_of_blocks() -> None:
    assert evaluate(Matrix(((ONE, TWO), (ZERO, ONE))), scope()).tolist() == [[1, 2], [0, 1]]
    assert evaluate(Matrix(((X, X),)), scope()).shape == (3, 2)
    with pytest.raises(FormulaError, match="different lengths"):
        evaluate(Matrix(((ONE, TWO), (ONE,))), scope())
    with pytest.raises(FormulaError, match="do not fit together"):
        evaluate(Matrix(((ONE, X),)), scope())


def test_sums_and_products_from_one_and_from_zero_take_all_entries() -> None:
    body = entry("w", "k")
    for lower, upper in ((Index(None, 1), Index("n")), (Index(None, 0), Index("n", -1))):
        assert evaluate(BigProduct("k", body, lower, upper), scope()).item() == 48
        assert evaluate(BigSum("k", body, lower, upper), scope()).item() == 12


def test_a_product_of_matrices_over_an_index_is_refused() -> None:
    with pytest.raises(FormulaError, match="product of matrices"):
        evaluate(BigProduct("k", Matrix(((ONE, TWO), (ZERO, ONE))), Index(None, 1), Index("n")), scope())


def test_an_unknown_function_has_the_value_that_the_environment_gives() -> None:
    applied = Apply("phi", (X,))
    with pytest.raises(FormulaError, match="the function phi has no value"):
        evaluate(applied, scope())

    def cubed(e: Apply, arguments: tuple[Array, ...]) -> Array:
        value: Array = arguments[0] ** 3
        return value

    known = Environment(lambda s, _: VALUES[s.name], function=cubed)
    assert evaluate(applied, known)[0, 0] == pytest.approx(3.375)


def test_at_of_a_column_and_a_matrix_turns_the_column() -> None:
    pair = Matrix(((ONE, TWO), (ZERO, ONE), (ONE, ONE)))
    assert evaluate(Product(X, pair, "@"), scope()).tolist() == [[2, 1.5]]
    assert evaluate(Product(X, Symbol("w"), "@"), scope()).item() == -2


PRINTED: list[tuple[Expression, str, str, str]] = [
    (Apply("phi", (X, TWO), 1, r"\phi"), r"\phi'(x, 2)", "φ'(x, 2)", "phi_prime(x, 2)"),
    (Comparison(X, ZERO, "≥"), r"[x \ge 0]", "[x ≥ 0]", "(x >= 0)"),
    (Iverson(Index("i"), Index("j"), "≠"), r"[i \ne j]", "[i ≠ j]", "(i != j)"),
    (Constant("pi"), r"\pi", "π", "np.pi"),
    (Matrix(((ONE, X), (ZERO, TWO))), r"\begin{pmatrix} 1 & x \\ 0 & 2 \end{pmatrix}", "[1, x; 0, 2]",
     "np.array([[1, x], [0, 2]])"),
    (Cases((X, ZERO), (Comparison(X, ZERO, ">"), ONE)),
     r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}", "{x if x > 0; 0 otherwise}",
     "np.where((x > 0), x, 0)"),
    (BigProduct("k", entry("w", "k"), Index(None, 1), Index("K")), r"\prod_{k=1}^K w_k", "∏_{k=1}^K w_k",
     "np.prod([w[k] for k in range(1, K + 1)])"),
]  # fmt: skip


@pytest.mark.parametrize(("e", "as_latex", "as_text", "code"), PRINTED)
def test_each_prints_in_every_form(e: Expression, as_latex: str, as_text: str, code: str) -> None:
    assert (latex(e), text(e), python(e)) == (as_latex, as_text, code)
    assert mathml(e).startswith("<math")


def test_the_conditions_of_a_relation_are_behind_it() -> None:
    relation = Relation((X, ZERO), ("=",), (), (Iverson(Index("i"), Index("j"), "≠"),))
    assert (latex(relation), text(relation)) == (r"x = 0, i \ne j", "x = 0, i ≠ j")


@pytest.mark.parametrize("formula", [r"\begin{pmatrix} 1 & x \\ 0 & 1 \end{pmatrix}", r"\nabla x", "f(x, y)"])
def test_what_has_no_derivative_here_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        derive(formula, "x")

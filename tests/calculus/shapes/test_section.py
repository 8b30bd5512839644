"""The shapes of a section, settled together: definitions, claims, entries, families, unknown functions."""

from __future__ import annotations

import pytest

from elman.calculus.expression import Apply, Call, Entry, Expression, Index, Product, Symbol, Transpose, walk
from elman.calculus.shapes.section import CLAIM, DEFINITION, Constraint, Settled, resolved, settle
from elman.calculus.shapes.unification import Shape
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse, parse_statements

NAMES = Names.of([], ["s", "u", "o"], ["i", "j", "k"])


def section(*formulas: str, **declared: Shape) -> Settled:
    """The section of some formulas; those with := are definitions."""
    constraints = []
    for formula in formulas:
        for relation in parse_statements(formula.replace(":=", "="), NAMES):
            is_definition = ":=" in formula
            weight = DEFINITION if is_definition else CLAIM
            constraints.append(Constraint(relation.parts, weight, defines=is_definition))
    return settle(constraints, declared)


def kinds(settled: Settled) -> dict[str, str]:
    return {name: settled.kind(name) for name in settled.shapes}


def numbers(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "number")


def test_letters_that_only_meet_numbers_are_numbers() -> None:
    found = section("q := a r + c", r"E := \frac12 (q - s)^2", r"\frac{\partial E}{\partial q} = q - s")
    assert kinds(found) == numbers("q", "a", "r", "c", "E", "s")
    assert found.broken == ()
    assert kinds(section("g := a r", r"\frac{\partial g}{\partial a} = r")) == numbers("g", "a", "r")
    assert kinds(section("g := a + r", r"\frac{\partial g}{\partial a} = 1")) == numbers("g", "a", "r")


def test_a_layer_has_columns_and_a_matrix() -> None:
    found = section("q := A r + c", r"g := \sigma(q)", r"E := \frac12 \|g - s\|^2")
    assert kinds(found) == {"A": "matrix", "E": "number"} | dict.fromkeys("qrcgs", "column")
    rows, columns = found.shapes["A"]
    assert found.shapes["r"] == (columns, "1")
    assert found.shapes["c"] == found.shapes["s"] == (rows, "1")
    assert found.words("A") == f"A a matrix [{rows},{columns}]"
    assert found.words("E") == "E a number"


@pytest.mark.parametrize("letter", [r"\beta", r"\theta", r"\omega", "v"])
def test_what_a_matrix_is_multiplied_by_is_a_column(letter: str) -> None:
    found = section(
        rf"E := (p - A {letter})^T (p - A {letter})", rf"\frac{{\partial E}}{{\partial p}} = 2 (p - A {letter})"
    )
    assert kinds(found) == {"E": "number", "p": "column", "A": "matrix", letter.strip("\\"): "column"}


def test_a_definition_by_entries_defines_the_whole() -> None:
    found = section(
        r"q_j := \sum_i A_{ji} r_i + c_j",
        r"E := \sum_j (q_j - s_j)^2",
        r"\frac{\partial E}{\partial A_{ji}} = 2 (q_j - s_j) r_i",
    )
    assert kinds(found) == {"A": "matrix", "E": "number"} | dict.fromkeys("qrcs", "column")
    assert found.shapes["q"][0] == found.shapes["A"][0]
    assert found.broken == ()


def test_bounds_name_sizes() -> None:
    found = section(r"g := \frac{1}{M} \sum_{i=1}^{M} r_i", r"E := \sum_{j=0}^{K-1} p_j^2")
    assert found.shapes["r"] == ("M", "1")
    assert found.shapes["p"] == ("K", "1")
    assert found.sizes == {"M"}
    declared = section(r"E := \sum_{i=1}^{M} r_i^2", r=("d", "1"))  # another name for d
    assert declared.shapes["r"] == ("d", "1")
    assert declared.broken == ()
    part = section(r"E := \sum_{i=3}^{M} r_i^2")
    assert part.shapes["r"] != ("M", "1")


def test_a_letter_with_an_index_may_have_a_column_for_each() -> None:
    found = section(
        r"E := \sum_{i=1}^{m} (a^T r_i - s_i)^2", r"\frac{\partial E}{\partial a} = 2 \sum_{i=1}^m (a^T r_i - s_i) r_i"
    )
    assert found.families == {"r"}
    assert kinds(found)["s"] == "column"
    assert found.shapes["r"] == (found.shapes["a"][0], "m")
    assert found.words("r").startswith("r a column for each index")
    e = resolved(parse("a^T r_i", NAMES), found)
    assert [node.column for node in walk(e) if isinstance(node, Entry)] == [True]


def test_the_gradient_of_a_loss_has_the_shape_of_the_letter() -> None:
    found = section(
        "q := A r + c", r"\delta := \frac{\partial E}{\partial q}", r"\frac{\partial E}{\partial A} = \delta r^T",
        r"\frac{\partial E}{\partial r} = A^T \delta",
    )  # fmt: skip
    assert kinds(found)["delta"] == "column"
    assert kinds(found)["E"] == "number"
    assert found.broken == ()
    rows = section(
        "q := A r", r"\delta := \frac{\partial E}{\partial q}", r"\frac{\partial E}{\partial A} = \delta^T r^T"
    )
    assert kinds(rows)["delta"] == "row"


def test_a_chain_of_derivatives_is_not_constrained() -> None:
    found = section(
        "q := A r",
        r"E := q^T q",
        r"\frac{\partial E}{\partial A} = \frac{\partial E}{\partial q} \frac{\partial q}{\partial A}",
    )
    assert found.broken == ()
    assert kinds(found)["q"] == "column"


def test_a_claim_that_does_not_fit_is_given_up_and_leaves_the_reading() -> None:
    found = section(
        "q := A r", r"E := \frac12 \|q - s\|^2", r"\frac{\partial E}{\partial r} = A^T (q - s)",
        r"\frac{\partial E}{\partial A} = (q - s) r",
    )  # fmt: skip
    ((constraint, error),) = found.broken
    assert constraint.weight == CLAIM
    assert "does not fit" in error.reason
    assert kinds(found)["r"] == "column"


def test_declared_shapes_are_kept() -> None:
    found = section("q := A r", A=("m", "n"), r=("n", "B"))
    assert found.shapes["q"] == ("m", "B")
    assert found.declared == {"A", "r"}
    assert found.margin("A") == float("inf")
    assert found.is_certain("q")
    assert not section("g := a + c").is_certain("a")


def test_a_hint_decides() -> None:
    (relation,) = parse_statements("g = a + c", NAMES)
    constraint = Constraint(relation.parts, DEFINITION, defines=True)
    assert settle([constraint], hints={"a": {"column": 4.0}}).kind("a") == "number"
    scalar = Constraint((Symbol("g"),), DEFINITION, kind="scalar")
    assert kinds(settle([constraint, scalar])) == numbers("g", "a", "c")


def test_unknown_functions() -> None:
    q, h, y, loss = Symbol("q"), Symbol("h"), Symbol("y"), Symbol("L")
    product = Product(Symbol("A"), Symbol("r"))
    found = settle(
        [
            Constraint((q, product), DEFINITION, defines=True),
            Constraint((h, Apply("phi", (q,))), DEFINITION, defines=True),
            Constraint((loss, Apply("l", (h, y))), DEFINITION, defines=True),
        ]
    )
    assert found.functions == {"phi": "entrywise", "l": "number"}
    assert found.shapes["h"] == found.shapes["q"]
    assert found.kind("L") == "number"


def test_a_recurrent_letter_has_one_shape() -> None:
    found = section(r"s_t := \tanh(A s_{t-1} + B u_t + c)", r"o_t := C s_t", r"E := \sum_k o_k^2")
    assert found.shapes["A"] == (found.shapes["s"][0],) * 2
    assert kinds(found)["u"] == "column"
    assert found.broken == ()


def test_dot_products_and_moduli_are_written_out() -> None:
    found = section(r"g := a \cdot r", r"p := A r")
    assert found.kind("g") == "number"
    assert resolved(parse(r"a \cdot r"), found) == Product(Transpose(Symbol("a")), Symbol("r"), "")
    of_number = Call("det", (Symbol("g"),), latex="|")
    assert resolved(of_number, found) == Call("abs", (Symbol("g"),))
    square: Expression = Call("det", (parse("A A^T"),), latex="|")
    assert resolved(square, found) == square


def test_the_same_section_is_read_alike_each_time() -> None:
    formulas = ("q := A r + c", r"E := \frac12 \|q - s\|^2", r"\frac{\partial E}{\partial A} = (q - s) r")
    assert section(*formulas).shapes == section(*formulas).shapes
    assert section(*formulas).tries == section(*formulas).tries


def test_an_unread_index_is_no_obstacle() -> None:
    entry = Entry(Symbol("W"), (Index("i"), Index("j"), Index("k")))
    found = settle([Constraint((Symbol("g"), entry), DEFINITION, defines=True)])
    assert found.broken == ()


def test_a_declared_letter_with_an_index_may_be_that_of_each_example() -> None:
    found = section(r"E := \sum_i (a^T r_i - s_i)^2", r=("d", "1"))  # r_i ∈ R^d
    assert found.families == {"r"}
    assert found.shapes["r"][0] == found.shapes["a"][0] == "d"
    rows = section(r"E := \sum_i (R_i a - s_i)^2", R=("N", "d"))
    assert rows.families == frozenset()
    columns = section(r"E := \sum_i (a^T R_i - s_i)^2", R=("d", "N"))
    assert columns.families == {"R"}
    assert columns.shapes["s"] == ("N", "1")


def test_a_matrix_differentiated_by_a_letter_makes_it_a_number() -> None:
    found = section(r"\frac{\partial A^{-1}}{\partial r} = -A^{-1} \frac{\partial A}{\partial r} A^{-1}")
    assert kinds(found) == {"A": "matrix", "r": "number"}


def test_sizes_of_ones_and_identities_follow() -> None:
    found = section(r"p := (A + \lambda I) r", r"g := 1^T r", A=("d", "d"))
    assert found.broken == ()
    assert resolved(parse(r"(A + \lambda I) r"), found) == parse(r"(A + \lambda I_d) r")
    assert resolved(parse("1^T r"), found) == parse("1_d^T r")


def test_two_names_are_two_sizes_where_another_reading_keeps_them_apart() -> None:
    found = section(
        "O := H C + c", r"L := \sum_{i=1}^{N} \sum_{k=1}^{K} Y_{ik} O_{ik}",
        r"\frac{\partial L}{\partial c} = 1_N^T \frac{\partial L}{\partial O}",
    )  # fmt: skip
    assert found.shapes["O"] == ("N", "K")
    assert found.shapes["c"] == ("1", "K")


def test_a_derivative_by_what_the_page_says_elsewhere_is_no_obstacle() -> None:
    found = section(r"\nabla (a^T r) = a", r"E := a^T r")
    assert kinds(found)["a"] == "column"
    assert found.broken == ()

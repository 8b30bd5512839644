"""What the prose of a page says of its letters: kinds, sizes and properties, in English and in Chinese."""

from __future__ import annotations

import pytest

from elman.notes.page.page import Page
from elman.notes.page.reader import page_of

KINDS = {
    # English
    "Let z be a vector, Q a matrix and k a scalar.": "z column, Q matrix, k number",
    "Let $u$ and $v$ be vectors.": "u column, v column",
    r"where $\kappa$ is a small positive constant": "kappa number",
    "The scalar loss $E$ is minimised.": "E number",
    "the scalar $r$, the weight matrix $V$ and the bias vector $d$": "r number, V matrix, d column",
    "Consider a matrix A and a vector b.": "A matrix, b column",
    "the bias $b$ is a number": "b number",
    "a column vector $u$ and a row vector $w$": "u column, w row",
    r"Note that $\mathbf{u}_w$ is a vector while $q_1, q_2, \dots$ are scalars.": "u_w column, q_1 number, q_2 number",
    "Since the cost $J$ (which is a scalar) is small": "J number",
    "with $P$ a diagonal matrix and $g$ a vector": "P matrix, g column",
    "$d$ (scalar), $Q$ (a matrix)": "d number, Q matrix",
    "- `z`: the input vector": "z column",
    r"\(s\) denotes the state vector": "s column",
    "As $r$ is a vector and $M$ is a matrix, we": "r column, M matrix",
    "the vectors $u, v \\in \\mathbb{R}^n$": "u column, v column",
    "the vector $y = M u$": "y column",
    "the product of $A$ and the matrix $B$": "B matrix",
    "the norm of the vector $z$ is a scalar": "z column",
    "the transpose of the vector $z$ is a row vector": "z column",
    "the vector $z$ is a column vector": "z column",
    # Chinese
    "列向量 $z$": "z column",
    "设 $z$ 为列向量，$Q$ 为矩阵": "z column, Q matrix",
    "其中 $d$ 为偏置（标量）": "d number",
    "其中，$V$ 是权重矩阵，$d$ 是偏置向量。": "V matrix, d column",
    r"$\kappa$ 为常数": "kappa number",
    "损失 $E$ 是标量": "E number",
    "$u$、$v$ 都是向量": "u column, v column",
    "$w$ 是一个行向量": "w row",
    "k（标量），z（向量）": "k number, z column",
    "标量对向量 $z$ 求导": "z column",
}  # fmt: skip

SIZES = {
    "Let z be a vector of length p, Q an p × q matrix.": "z p 1, Q p q",
    "a $p$-dimensional vector $z$": "z p 1",
    r"the $p \times q$ matrix $Q$": "Q p q",
    "$Q$ is a p-by-q matrix": "Q p q",
    "Let Q be a pxq matrix.": "Q p q",
    "Q is a 3 x 4 matrix.": "Q 3 4",
    "$Q$ is a $p$ x $q$ matrix.": "Q p q",
    "matrices $P$ and $Q$ of shape $(p, q)$": "P p q, Q p q",
    "$z$ is a vector with $p$ entries": "z p 1",
    r"$z$ is a vector in $\mathbb{R}^p$": "z p 1",
    "$Q$ is a matrix with p rows and q columns": "Q p q",
    "a row vector $w$ of length $p$": "w 1 p",
    r"$w$ is a $1 \times p$ vector": "w 1 p",
    r"$Q$ ($p \times q$) maps $z$": "Q p q",
    r"The weight matrix $Q$ is of size $p \times q$.": "Q p q",
    r"The matrix $Q$ is $p \times q$.": "Q p q",
    r"the matrix $Q$ has dimensions $p \times q$": "Q p q",
    "$Q$ has shape $(p, q)$.": "Q p q",
    "The shape of $Q$ is $(p, q)$.": "Q p q",
    "- z: Inputs, of shape (N, D)": "z N D",
    r"$\hat{z}$ is a vector of dimensions $V \times 1$": "z_hat V 1",
    "$z$ 是 p 维列向量": "z p 1",
    r"$Q$ 为 $p\times q$ 矩阵": "Q p q",
    "矩阵 $Q$ 的大小为 p×q": "Q p q",
    "形状为 $(p, q)$ 的矩阵 $Q$": "Q p q",
    r"$p$ 维向量 $z$ 和 $p \times q$ 的矩阵 $Q$": "z p 1, Q p q",
    r"$Q$ 的形状为 $p \times q$，$d$ 的维度是 (p, 1)。": "Q p q, d p 1",
    "向量 $z$ 的维度为 $p$": "z p 1",
    r"$w$ 是 $1 \times p$ 的行向量": "w 1 p",
}  # fmt: skip

PROPERTIES = {
    "$S$ is symmetric positive definite.": "positive definite, symmetric",
    "Let $S$ be a symmetric matrix": "symmetric",
    "$S$ is symmetric and positive semi-definite.": "positive semidefinite, symmetric",
    "with the orthogonal matrix $S$": "orthogonal",
    "The matrix $S$ is invertible.": "invertible",
    "$S$ 是对称矩阵": "symmetric",
    "实对称正定矩阵 $S$": "positive definite, symmetric",
}

NOTHING = [
    "The norm of $z$ is a scalar.",
    "The transpose of $Q$ is a matrix.",
    "The derivative with respect to $z$ is a vector.",
    "the sum of $Q$ and $d$ is a matrix",
    "If $z$ is a vector, then the rule changes.",
    "When z is a matrix, use the trace.",
    "We ask whether $z$ is a scalar.",
    "Is $z$ a vector?",
    "$z$ is not a vector.",
    "$z$ can be a vector.",
    "$V$ is a vector space.",
    "$q$ is a matrix norm",
    "$z$ is a scalar multiple of the first",
    "$f$ is a scalar function",
    "$f$ is a vector-valued function",
    "a vector or matrix $Q$",
    "$z$ is a vector or a matrix",
    "For any scalar $z$ we have",
    "a matrix multiplication $Q$",
    r"$Q z$ is a vector",
    r"$z^T z$ is a scalar",
    "z^T u is a scalar, and z/u is a number.",
    "z u is a scalar",
    "$n$ is the number of classes",
    "a vector of the $z_i$",
    "a sequence of vectors $z$",
    "the $i$-th basis vector",
    "$n$-th input vector",
    "a dataset $D$ of size $N$",
    "I am a vector. A vector is good, a matrix a user reads.",
    "the matrix $QR$",
    "the vector $0$, the vector $\\mathbf{0}$ and the matrix $1$",
    "f(z) is a scalar.",
    "```\nz is a vector\n```",
    "<!-- $z$ is a vector -->",
    "如果 $z$ 是标量",
    "当 $z$ 为向量时",
    "$z$ 不是向量",
    "$z$ 是否为向量",
    "$Q$ 的转置为矩阵",
    "$z$ 的范数是标量",
    "$Q$ 乘以 $z$ 是向量",
    "$f$ 是标量函数",
    "向量空间 $V$",
    "矩阵乘法 $QR$",
    "对于标量 $z$",
    "向量或矩阵 $Q$",
    "$z$ 是两个向量",
    "$Q$ 和 $d$ 的和为向量",
]


def page(text: str) -> Page:
    return page_of(f"# Page\n\n{text}\n\n$$y = Q z$$\n")


def kinds(p: Page) -> str:
    return ", ".join(f"{name} {kind.kind}" for name, kind in p.kinds.items())


@pytest.mark.parametrize("text", KINDS)
def test_words_name_the_kind_of_a_letter(text: str) -> None:
    assert kinds(page(text)) == KINDS[text]


@pytest.mark.parametrize("text", SIZES)
def test_words_give_the_size_of_a_letter(text: str) -> None:
    assert ", ".join(f"{s.name} {s.rows} {s.columns}" for s in page(text).shapes) == SIZES[text]


@pytest.mark.parametrize("text", PROPERTIES)
def test_words_say_what_a_matrix_is(text: str) -> None:
    assert ", ".join(sorted(page(text).properties["S"])) == PROPERTIES[text]


@pytest.mark.parametrize("text", NOTHING)
def test_a_sentence_that_is_not_clear_says_nothing(text: str) -> None:
    found = page(text)
    assert (kinds(found), found.shapes, found.properties) == ("", (), {})


def test_the_evidence_has_its_place_and_its_words() -> None:
    p = page("Some words.\nLet $z$ be a\nvector of length $p$.")
    assert [(k.line, k.words, p.text[k.start]) for k in p.words] == [(4, "$z$ be a vector of length $p$", "$")]
    [line] = p.shapes
    assert (line.line, p.text[line.start : line.end]) == (5, "$p$")


def test_a_letter_that_is_called_two_things_has_no_kind() -> None:
    p = page("The vector $z$ is long. The scalar $d$ is not.\n\nLater $z$ is a matrix.")
    assert kinds(p) == "d number"
    assert [k.kind for k in p.words] == ["column", "number", "matrix"]


def test_declared_shapes_come_before_those_in_words() -> None:
    p = page(r"$z \in \mathbb{R}^{m}$. Here $z$ is a vector of length $k$, and $d$ is a vector of length $k$.")
    assert [(s.name, s.rows) for s in p.shapes] == [("z", "m"), ("d", "k")]
    assert page("$z$ is a vector of length $k$. Now $z$ is a vector of length $l$.").shapes == ()


def test_nothing_is_read_where_the_check_is_off() -> None:
    p = page("<!-- elman check: off -->\nLet $z$ be a vector.\n<!-- elman check: on -->\nLet $d$ be a vector.")
    assert kinds(p) == "d column"


def test_latex_pages_without_their_comments() -> None:
    p = page_of("Let $z$ be a \\emph{vector}. % and $d$ is a matrix\nThe scalar~$k$ is small.\n", "latex")
    assert kinds(p) == "z column, k number"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("p × q", "m × n"),
        ("$p \\times q$", "$m \\times n$"),
        ("p-by-q", "m-by-n"),
        ("3 x 4", "m x n"),
        ("(p, q)", "(m, n)"),
    ],
)
def test_a_shape_in_words_is_rewritten_in_its_style(written: str, expected: str) -> None:
    line = page("Let Q be a p × q matrix.").shapes[0]
    assert line.written("m", "n", written) == expected

"""Declared shapes: in sets, under letters, in lines of text, in comments and docstrings."""

from __future__ import annotations

import pytest

from elman.notes.page.reader import page_of

FORMULAS = {
    r"V \in \mathbb{R}^{gxk},\ T \in \mathbb{R}^{rxg},\ d \in \mathbb{R}^k": "V g k, T r g, d k 1",
    r"V \in \mathbb{R}^{3x4}": "V 3 4",
    r"V \in \mathbb{R}^{g x k}": "V g k",
    r"V \in \mathbb{R}^{g by k}": "V g k",
    r"V \in \mathbb{R}^{g*k}": "V g k",
    r"V \in \mathbb{R}^{4*H}": "V 4*H 1",
    r"V \in \mathbb{R}^{28*28}": "V 784 1",
    r"z \in \mathbb{R}^{dx}": "z dx 1",
    r"z \in \mathbb{R}^{n_x}": "z nx 1",
    r"V \in \mathbb R^{|K|\times d}": "V K d",
    r"V \in \mathbb{R}^{\lvert\mathcal{K}\rvert \times d}": "V K d",
    r"z \in \{0,1\}^K": "z K 1",
    r"z \in (0,1)^k": "z k 1",
    r"z \in [0, 1]^{k}": "z k 1",
    r"z \in \{-1, 1\}^{k \times r}": "z k r",
    r"z \in \{0,1\}": "z 1 1",
    r"i \in \{0,1\}": "",
    r"z \in \{1,\ldots,K\}": "",
    r"k \in \mathbb{R}, r \in \R, s \in \Re": "k 1 1, r 1 1, s 1 1",
    r"z \in \mathbf{R}^k": "z k 1",
    r"z \in \mathcal R^{k}": "z k 1",
    r"z \in R^{k \times r}": "z k r",
    r"z \in \mathbb{R}_{+}^k": "z k 1",
    r"k \in \mathbb{R}^{+}": "k 1 1",
    r"V, T \in \mathbb{R}^{k \times r}": "V k r, T k r",
    r"s = V_{k \times r} z_{r \times 1}": "V k r, z r 1",
    r"s = \underset{k\times r}{V} z": "V k r",
    r"s = \underset{(k, r)}{\mathbf{V}} z": "V k r",
    r"s = \underbrace{V}_{k \times r} z": "V k r",
    r"V: k \times r": "V k r",
    r"V \sim (k, r)": "V k r",
    r"V\ (k \times r)": "V k r",
    r"z \sim (0, 1)": "",
    r"z \sim (\mu, \sigma)": "",
    r"f(k, r)": "",
    r"(k \times r)(r \times 1)": "",
    r"\sum_{k \times r} z": "",
    r"I_{k \times k}": "",
    r"\underset{w,b}{\min}\ f": "",
    r"z \in S": "",
}

LINES = {
    "M.shape = [p,q], u.shape = [q,1], c.shape = [p,1]": "M p q, u q 1, c p 1",
    "where `M.shape = (p, q)` and `u.shape = (q,)`.": "M p q, u q 1",
    "the array has M.shape = [p,q]": "",
    "V: (k, r)": "V k r",
    "V: k x r, d: k x 1": "V k r, d k 1",
    "V ~ (k, r)": "V k r",
    "V (k×r)": "V k r",
    "- `x`: [batch, d]": "x batch d",
    "Note: (a, b) and see: [b, c]": "",
}

CODE = {
    "X = load(n)  # (N, D)": "X N D",
    "s = X @ V  # shape (N, C)": "s N C",
    "s = X @ V  # shape: N x C": "s N C",
    "s = X @ V  # N × C": "s N C",
    "q = 3  # (8)": "",
    "h = f(z)  # shape: (batch_size x num_classes)": "h batchsize numclasses",
    "q = 3  # see (a)": "",
    "'''\nx: Inputs, of shape (N, D)\n- w: weights with shape [D, C]\n'''": "x N D, w D C",
    "x: [batch, d]": "x batch d",
    "V: k x r": "V k r",
    "V ~ (k, r)": "V k r",
    "V.shape = [k, r], d.shape = [k, 1]": "V k r, d k 1",
    "assert V.shape == (k, r)": "V k r",
}


def shapes(text: str) -> str:
    return ", ".join(f"{s.name} {s.rows} {s.columns}" for s in page_of(text).shapes)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_declares_shapes(formula: str) -> None:
    assert shapes(f"Here ${formula}$ holds.\n") == FORMULAS[formula]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_text_declares_shapes(line: str) -> None:
    assert shapes(f"# Page\n\n{line}\n\n$$s = V z$$\n") == LINES[line]


@pytest.mark.parametrize("line", CODE)
def test_a_line_of_code_declares_shapes(line: str) -> None:
    assert shapes(f"```python\n{line}\n```\n") == CODE[line]


def test_an_example_in_numbers_does_not_change_a_shape_in_letters() -> None:
    code = "```python\nV = randn(10, 20)  # (10, 20)\nT = randn(3, 4)  # (3, 4)\n```\n"
    assert shapes(r"$V \in \mathbb{R}^{k \times r}$" + "\n\n" + code) == "V k r, T 3 4"

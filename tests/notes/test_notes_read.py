"""Reading a page: where formulas are, and where none are; declared shapes; hostile text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import FormulaError
from elman.notes.page.macros import expand, macros_of
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of, readable

NOTES = r"""
# RNN

$$e^{(t)} = Ex^{(t)}$$

$$ J^{(t)} = CE(y^{(t)},\hat{y}^{(t)}) =
\sum_{j = 1}^Vy_j^{(t)}ln\hat{y_j}^{(t)}$$
疑惑度:
$$ P(|)$$

## 记

``` python
'''
V: vocab size
Dh:hidden laver size
'''
x.shape = [V,B]
b1.shape = [Dh,1]
y_hat.shape = [V,B]

```

### 对于t时刻
先定义
$$
\delta_2^{(t)} =
\delta_1^{(t)}U z \otimes (1-z)
$$

    Solotion 里把分母布局的的结果又转置了一下,为了和e的shape相同

``` python
gamma1.shape = [B,V]
```
"""


def texts(page: Page) -> list[str]:
    for f in page.formulas:
        assert page.text[f.start : f.start + len(f.text)] == f.text
        assert f.outer[0] <= f.start < f.start + len(f.text) <= f.outer[1] <= len(page.text)
        assert page.place(f.start) == (f.line, f.column, f.cell)
    return [f.text for f in page.formulas]


def shapes(page: Page) -> list[tuple[str, str, str]]:
    return [(s.name, s.rows, s.columns) for s in page.shapes]


def test_notes_as_a_student_writes_them() -> None:
    page = page_of(NOTES)
    found = texts(page)
    assert [found[0], found[2]] == ["e^{(t)} = Ex^{(t)}", "P(|)"]
    assert len(found) == 4
    assert [(f.line, f.column, f.kind) for f in page.formulas] == [(4, 3, "display"), (6, 4, "display"),
                                                                  (9, 4, "display"), (27, 1, "display")]  # fmt: skip
    assert [f.heading for f in page.formulas] == ["RNN", "RNN", "RNN", "对于t时刻"]
    assert page.formulas[2].before == "疑惑度:"
    assert page.formulas[3].before == "先定义"
    expected = [("x", "V", "B"), ("b_1", "Dh", "1"), ("y_hat", "V", "B"), ("gamma_1", "B", "V")]
    assert shapes(page) == expected
    last = page.shapes[-1]
    assert page.text[last.start : last.end] == "[B,V]"
    assert last.line == 34
    assert last.source == "gamma1.shape = [B,V]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs $5 and $10, or \\$7.", []),
        ("from $x$ to $y+1$, $ no $ and $20,000 or so$3", ["x", "y+1"]),
        ("`$x$` and ``a`$y$`` but $z$", ["z"]),
        ("$`a = b`$ is GitHub's", ["a = b"]),
        ("\\(a\\) and \\[b\n=c\\] but \\[never closed", ["a", "b\n=c"]),
        ("\\begin{align*}a &= b \\\\\n c &= d\\end{align*}", ["a &= b \\\\\n c &= d"]),
        ("\\begin{alignat}{2}a &= b\\end{alignat}", ["a &= b"]),
        ("$$\\begin{aligned}a=b\\end{aligned}$$", ["\\begin{aligned}a=b\\end{aligned}"]),
        ("```math\na = b\n```\n~~~bash\n$x$\n~~~", ["a = b"]),
        ("$$ a = b\n\n$c$ and prose then $$d$$", ["a = b", "c", "d"]),
        ("$$\na = b\n\n+ c\n$$ more", ["a = b\n\n+ c"]),
        ("$$ a = b", ["a = b"]),
        ("$$$$ $$  $$ and $x$", ["x"]),
        ("<!-- $a$ --> $b$ <!-- open $c$", ["b", "c"]),
        ("`<!--` $a$ `-->`", ["a"]),
        ("---\ntitle: $x$\n---\n$y$", ["y"]),
        ("> $$a\n> = b$$", ["a\n> = b"]),
        ("a\n\n    indented $x$", ["x"]),
        ("$a$$b$", ["a", "b"]),
    ],
)
def test_markdown(text: str, expected: list[str]) -> None:
    assert texts(page_of(text)) == expected


def test_readable_without_the_marks_of_a_quotation() -> None:
    page = page_of("> $$a\n> = b$$")
    text, places = readable(page, page.formulas[0])
    assert text == "a\n  = b"
    assert list(places) == list(range(len(text) + 1))


def test_code() -> None:
    page = page_of(
        "```python\n# W_h: [Dh, Dh]\nh = sigmoid(W_h @ h + b)  # [Dh,B]\nz = W @ x\nlr = 0.1\nname = 'a'\n"
        "δ1 = (ŷ - y).T\nb.shape = (2*H,)\n```\n"
        "```\nimport numpy as np\nz = W @ x\n```\n```python\nfor t in x:\n    h = W @ h\n```\n"
        "```json\n{a = b}\n```\n```\nδ2 = δ1 U ∘ h\n```\n"
    )
    assert texts(page) == ["h = sigmoid(W_h @ h + b)", "z = W @ x", "δ1 = (ŷ - y).T", "δ2 = δ1 U ∘ h"]
    assert {f.kind for f in page.formulas} == {"code"}
    assert shapes(page) == [("W_h", "Dh", "Dh"), ("h", "Dh", "B"), ("b", "2*H", "1")]


def test_directives() -> None:
    page = page_of("$a$ <!-- elman check: off --> $b$\n\nx.shape = [A,B]\n<!-- elman check: on --> $c$")
    assert texts(page) == ["a", "c"]
    assert (page.skipped, page.shapes) == (1, ())
    assert page_of("$a$\n% elman check: off\n$b$", "latex").skipped == 1
    assert page_of("<!-- elman check: off -->$a$").skipped == 1


def test_tables_declare_shapes_and_one_hot() -> None:
    page = page_of(
        "| symbol | code | shape | meaning |\n|---|---|---|---|\n"
        "| $x^{(t)}, y^{(t)}$ | `x y` | $[V,B]$ one-hot | tokens |\n"
        "| $W_e, b_1$ | `We b_1` | $[D_h,d], [D_h,1]$ | weights |\n"
        "| $\\hat{y}^{(t)}$ | `probabilities` | (V × B) | |\n| $J$ | `J` | scalar | |\n"
        "| $A, B$ | | $[a,b], [c,d], [e,f]$ |\n"
    )
    expected = [
        ("x", "V", "B"),
        ("y", "V", "B"),
        ("W_e", "Dh", "d"),
        ("b_1", "Dh", "1"),
        ("y_hat", "V", "B"),
        ("J", "1", "1"),
    ]
    assert shapes(page) == expected
    assert page.one_hot == {"x", "y"}
    assert page.aliases == {"probabilities": "y_hat"}
    assert [page.text[s.start : s.end] for s in page.shapes][2:5] == ["[D_h,d]", "[D_h,1]", "(V × B)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"$W \in \mathbb{R}^{m \times n}$", [("W", "m", "n")]),
        (r"$$y = Wx + b, \quad W \in \R^{m\times n}, b \in \R^m$$", [("W", "m", "n"), ("b", "m", "1")]),
        (r"with $x, y \in \mathbb R^{d_{\text{in}}}$", [("x", "din", "1"), ("y", "din", "1")]),
        (r"$\lambda \in \mathbb{R}$, $X ∈ ℝ^{2H × |V|}$", [("lambda", "1", "1"), ("X", "2*H", "V")]),
        (r"$h^{(t)} \in \mathbb{R}^{D_h \times B}$", [("h", "Dh", "B")]),
        (r"$W_i \in \mathbb{R}^{H \times 4 \cdot H}$", [("W_i", "H", "4*H")]),
        (r"$f : \mathbb{R}^n \to \mathbb{R}$ and $A \in \mathbb{R}^{a \times b \times c}$", []),
        ("Note: [link](there)\nsee: (a)\n", []),
        ("z.shape = (Dh, B)\n", [("z", "Dh", "B")]),
        ("- `z.shape = [Dh]`\n", [("z", "Dh", "1")]),
        ("x.shape == [T,B,V]\n", []),
    ],
)
def test_shapes(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert shapes(page_of(text)) == expected


def test_a_shape_is_written_as_the_page_writes_it() -> None:
    page = page_of("a.shape = [B, V]\nb.shape = (B,V)\n$c \\in \\R^{m \\times n}$\n")
    written = [s.written("B", "Dh", page.text[s.start : s.end]) for s in page.shapes]
    assert written == ["[B, Dh]", "(B,Dh)", r"{B \times Dh}"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Since $y^{(t)}$ is one-hot, a column of $J$ is $-\\ln p$.", {"y"}),
        ("the one-hot vectors $x$ and $y$ of $V$", {"x", "y"}),
        ("其中 $x$ 是独热向量", {"x"}),
        ("the entries of a one-hot column sum to 1. And $q$", set()),
        ("```\nx.shape = [V,B]  # one-hot\n```", {"x"}),
    ],
)
def test_one_hot(text: str, names: set[str]) -> None:
    assert page_of(text).one_hot == names


def test_latex() -> None:
    page = page_of(
        r"""\documentclass{article}
\newcommand{\R}{\mathbb{R}} \def\vec#1{\mathbf{#1}}
\DeclareMathOperator{\softmax}{softmax}
\begin{document}
\section{Model} % $not this$ 5\% of
Costs \$5 and \verb|$x$|, but $y = \softmax(\vec z)$.
\begin{verbatim}
$z$
\end{verbatim}
\begin{equation}
a = b % $ a comment
\end{equation}
\[ W \in \R^{m \times n} \] and \(c\)
$$ d \\[2pt] e $$
\end{document} $f$
""",
        "latex",
    )
    assert texts(page) == [r"y = \softmax(\vec z)", "a = b", r"W \in \R^{m \times n}", "c", r"d \\[2pt] e"]
    assert page.formulas[0].heading == "Model"
    assert page.macros["vec"] == (1, r"\mathbf{#1}")
    text, places = readable(page, page.formulas[0])
    assert text == r"y = \operatorname{softmax}(\mathbf{z})"
    assert places[text.index("z}")] == page.formulas[0].text.index("z")
    assert places[len(text)] == len(page.formulas[0].text)
    assert shapes(page) == [("W", "m", "n")]


def test_macros_end() -> None:
    assert expand(r"x^\T y", {"T": (0, r"\top")})[0] == r"x^{\top} y"
    assert expand(r"\a b", {"a": (0, r"\beta")})[0] == r"\beta b"
    assert expand(r"\f{x}{y}", {"f": (2, "#2#1#2")})[0] == "yxy"
    for macros in ({"a": (0, r"\a")}, {"a": (0, r"\b\b"), "b": (0, r"\a\a")}, {"a": (1, r"\a{#1#1}")}):
        with pytest.raises(FormulaError, match="without end"):
            expand(r"x\a{yy}", macros)
    with pytest.raises(FormulaError, match="lacks an argument"):
        expand(r"\f{x}", {"f": (2, "#1")})
    assert macros_of(r"\newcommand{\a}[1][x]{#1} \newcommand\b[2]{#1#2} \def\c{{}} \newcommand{\d}{{") == {
        "b": (2, "#1#2"), "c": (0, "{}"),
    }  # fmt: skip
    assert texts(page_of("$$\\newcommand{\\R}{\\mathbb{R}}$$ and $x$")) == ["x"]


def test_plain_text() -> None:
    page = page_of(
        "The loss is J = -y^T ln(p), as always.\n(3) z = W x + b\nW: [m, n]\n"
        "where a == b or time = money\n导数: δ = ŷ − y 即可\nx = 3\n",
        "text",
    )
    assert texts(page) == ["J = -y^T ln(p)", "z = W x + b", "δ = ŷ − y"]
    assert shapes(page) == [("W", "m", "n")]
    assert texts(page_of("With $z = Wx$ at hand", "text")) == ["z = Wx"]


PIECES = [
    "$", "$$", "\\[", "\\]", "\\(", "a = b", "\n", "\n\n", "`", "```\n", "```math\n", "\\begin{align}", "\\def\\a{",
    "\\end{align}", "|", "|-|\n", "<!--", "-->", "%", "\\", "{", "}", "x.shape = [a,b]", "\\a", "# ", "é", "\\in", "> ",
    "\\R^{n}", " one-hot ", "elman check: off", "[V,B]", "scalar", "'''", "\r\n", "---\n", "\\verb",
    "\\section{", "\u2028",
]  # fmt: skip
KINDS = ["markdown", "latex", "text"]
HEAVY = ["$", "$ ", "$a\n\n", "\\[", "`", "<!--", "```\n", "{", "\\def\\a{", "\\section{", "|-|\n|"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=40), st.sampled_from(["markdown", "latex", "text"])
)
def test_any_text_is_read_and_offsets_are_true(pieces: list[str], kind: str) -> None:
    page = page_of("".join(pieces), kind)
    assert all(text and text == text.strip() for text in texts(page))
    starts = [f.start for f in page.formulas]
    assert starts == sorted(starts)
    for formula in page.formulas:
        try:
            text, places = readable(page, formula)
        except FormulaError:
            continue
        assert len(places) == len(text) + 1
        assert all(0 <= place <= len(formula.text) for place in places)


def seconds_of_work(text: str, kind: str) -> float:
    """The processor time that reading takes, whatever else the machine does."""
    began = time.process_time()
    page_of(text, kind)
    return time.process_time() - began


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", HEAVY)
def test_the_work_of_reading_grows_with_the_length_of_the_page(piece: str, kind: str) -> None:
    """Eight times the text may take 24 times the work, and the square of its length would take 64 times."""
    short, long = (piece * (size // len(piece)) for size in (2**14, 2**17))
    page_of(short, kind)
    for _ in range(3):
        if seconds_of_work(long, kind) <= 3 * 8 * max(seconds_of_work(short, kind), 0.001):
            return
    pytest.fail("reading takes more than linear work")

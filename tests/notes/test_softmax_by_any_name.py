"""The softmax as writers name it: σ(z)_j, S_i(z), p_k(a); and a σ that is the sigmoid beside it."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def softmax(name: str) -> str:
    """A page with the softmax and its derivative; in `name`, @ is the index."""
    row, other = name.replace("@", "r"), name.replace("@", "s")
    return (
        f"$$ {row} = \\frac{{e^{{a_r}}}}{{\\sum_{{k=1}}^K e^{{a_k}}}} $$\n\n"
        f"$$ \\frac{{\\partial {row}}}{{\\partial a_s}} = {row} (\\delta_{{rs}} - {other}) $$\n"
    )


NAMES = (r"\sigma(a)_@", r"\sigma(\mathbf{a})_@", r"\sigma_@(a)", "S_@(a)", r"p_@(\mathbf{a})")


@pytest.mark.parametrize("name", NAMES)
def test_the_softmax_is_read_by_its_equation(name: str) -> None:
    assert [c.verdict for c in claims(softmax(name))] == [Verdict.HOLDS, Verdict.HOLDS]
    first, wrong = claims(softmax(name).replace("rs} -", "rs} +"))
    assert first.good
    assert wrong.is_wrong


BESIDE = r"""
A neuron is $u = \sigma(w^T x + b)$, and

$$ \frac{\partial u}{\partial w} = u (1 - u) x $$

The softmax is

$$ \sigma(a)_r = \frac{e^{a_r}}{\sum_k e^{a_k}} $$

With $p = \sigma(a)$ and $C = -\sum_r y_r \log p_r$ where $\sum_r y_r = 1$:

$$ \frac{\partial p_r}{\partial a_s} = p_r (\delta_{rs} - p_s) $$
"""


def test_a_sigmoid_above_the_softmax_stays_one() -> None:
    assert all(c.good for c in claims(BESIDE))
    assert any(c.is_wrong for c in claims(BESIDE.replace("u (1 - u) x", "u (1 + u) x")))
    assert any(c.is_wrong for c in claims(BESIDE.replace("(\\delta_{rs} - p_s)", "(1 - p_s)")))


def test_a_sigmoid_that_is_defined_below_the_softmax_stays_one() -> None:
    softmax = BESIDE.split("The softmax is")[1]
    sigmoid = r"The logistic function is $\sigma(x) = \frac{1}{1 + e^{-x}}$."
    rule = r"$$ \frac{\partial \sigma(x)}{\partial x} = \sigma(x) (1 - \sigma(x)) $$"
    page = f"The softmax is {softmax}\n\n{sigmoid}\n\n{rule}\n"
    assert all(c.good for c in claims(page))
    assert any(c.is_wrong for c in claims(page.replace("(1 - \\sigma(x))", "(1 + \\sigma(x))")))
    assert any(c.is_wrong for c in claims(page.replace("(\\delta_{rs} - p_s)", "(1 - p_s)")))


def test_an_entry_of_a_function_is_no_product() -> None:
    text = "$$ h_j(x) = \\sum_i w_{ij} x_i + b_j $$\n\n$$ \\frac{\\partial h_j(x)}{\\partial b_j} = RIGHT $$\n"
    assert all(c.good for c in claims(text.replace("RIGHT", "1")))
    assert any(c.is_wrong for c in claims(text.replace("RIGHT", "2")))


ROWS = r"""
Let $Z \in \mathbb{R}^{A \times B}$. The softmax of each row is

$$ softmax(z_{rs}) = \frac{e^{z_{rs}}}{\sum_{k} e^{z_{rk}}} $$

For a function $g$ of it,

$$ \frac{\partial g(softmax(Z))}{\partial z_{rs}} =
 \sum_{u} \sum_{v} \frac{\partial g(softmax(Z))}{\partial softmax(z_{uv})}
 \frac{\partial softmax(z_{uv})}{\partial z_{rs}} $$

$$ \frac{\partial g(softmax(Z))}{\partial z_{rs}} = {softmax}(z_{rs}) (dg_{rs} - \sum_{v} dg_{rv} {softmax}(z_{rv})) $$
"""


def test_the_softmax_of_rows_is_a_matrix_by_whose_entries_a_page_differentiates() -> None:
    of_rows = claims(ROWS)
    assert [c.good for c in of_rows[1:]] == [True, True]
    assert claims(ROWS.replace("(dg_{rs} -", "(dg_{rs} +"))[-1].is_wrong
    assert not claims(ROWS.replace("softmax}(z_{rv}))", "softmax}(z_{rs}))"))[-1].good

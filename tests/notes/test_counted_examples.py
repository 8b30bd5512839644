"""Sums up to a number of examples that the page counts, n_1 = Σ_i 1{c_i = 1}: they run over the examples of a class."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

PAGE = r"""
There are $n_1$ points with $c=1$ and $n_0$ with $c=0$:

$$ \begin{align*}
n_1 &= \sum_{i=1}^{n} \mathbb{1}\{c^{(i)} = 1\} \\
n_0 &= \sum_{i=1}^{n} \mathbb{1}\{c^{(i)} = 0\} \\
n &= n_1 + n_0
\end{align*} $$

$$ \begin{align*}
\ell &= -\sum_{i=1}^{n_1} \frac{(u^{(i)} - a)^2}{2} + \sum_{i=1}^{n_1} \log q
 + \sum_{i=1}^{n_0} \log(1 - q) + r \sum_{i=1}^{n} c^{(i)} \\
&= -\sum_{i=1}^{n_1} \frac{(u^{(i)} - a)^2}{2} + n_1 \log q + n_0 \log(1 - q) + r \sum_{i=1}^{n} c^{(i)}
\end{align*} $$

$$ \frac{\partial \ell}{\partial q} = \frac{n_1}{q} - \frac{n_0}{1 - q} $$

$$ \frac{\partial \ell}{\partial a} = \sum_{i=1}^{n_1} (u^{(i)} - a) $$
"""


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def test_sums_over_the_examples_of_a_class_are_not_called_wrong() -> None:
    found = claims(PAGE)
    open_ = [c for c in found if not c.good]
    assert not any(c.is_wrong for c in found)
    assert open_
    assert all("n_1, which counts" in c.diagnosis for c in open_)


def test_a_mistake_that_no_sum_explains_is_no_right_claim() -> None:
    assert not claims(PAGE.replace(r"\frac{n_1}{q} -", r"\frac{n_1}{q} +"))[-2].good

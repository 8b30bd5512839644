"""Letters with another shape below another heading, shapes at the end of an equation, and sizes of an example."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.memberships import in_formula
from elman.notes.page.reader import page_of

PAGE = r"""
## Products

Let $M \in \mathbb{R}^{p \times q}$, $H \in \mathbb{R}^{q \times p}$, and $Y = M H$.

$$ \frac{\partial L}{\partial H} = M^T \frac{\partial L}{\partial Y} $$

## Scores

Let $K, G \in \mathbb{R}^{p \times d}$, and

$$ M = G K^T \in \mathbb{R}^{p \times p}, \quad E = M \odot M $$

$$ \frac{\partial L}{\partial M} = 2 M \odot \frac{\partial L}{\partial E} = \eta \in \mathbb{R}^{p \times p} $$

$$ \frac{\partial L}{\partial G} = \eta K $$
"""
CODE = """
```python
M = G @ K.T  # (10, 10)
E = M * M  # (10, 10)
```
"""


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def test_each_part_of_a_page_has_its_own_shapes() -> None:
    assert [c.formula for c in claims(PAGE) if not c.good] == []
    wrong = PAGE.replace(r"\eta K $$", r"\eta^T K $$")
    assert [c.is_wrong for c in claims(wrong) if not c.good] == [True]
    wrong = PAGE.replace(r"M^T \frac", r"M \frac")
    assert [c.good for c in claims(wrong)].count(False) == 1


def test_the_sizes_of_an_example_in_code_are_those_of_the_text() -> None:
    assert [c.formula for c in claims(PAGE + CODE) if not c.good] == []


def declared(formula: str) -> list[tuple[str, str, str]]:
    return [(d.name, d.rows, d.columns) for d in in_formula(formula, 0)]


def test_an_equation_declares_its_letter() -> None:
    assert declared(r"M &= \frac{G K^T}{c} \in \mathbb{R}^{p \times q}") == [("M", "p", "q")]
    assert declared(r"\frac{\partial L}{\partial V} = A^T B = \eta_1 \in \mathbb{R}^{p}") == [("eta_1", "p", "1")]
    assert declared(r"M = G K \in \mathbb{R}^{p \times q}") == [("M", "p", "q")]
    assert declared(r"a = b + c, d \in \mathbb{R}^{p}") == [("d", "p", "1")]
    assert declared(r"M = G K \\ G K \in \mathbb{R}^{p \times q}") == []


AFFINE = r"""
Let $X \in \mathbb{R}^{m \times d}$, $V \in \mathbb{R}^{d \times h}$ and $c \in \mathbb{R}^{1 \times h}$.

$$ A = X V + c $$

A function of each entry is applied to it, so that

$$ A = \tanh(X V + c) $$
"""


def test_an_equation_with_a_function_around_another_one_is_not_called_wrong() -> None:
    assert not any(c.is_wrong for c in claims(AFFINE))
    assert any(c.is_wrong for c in claims(AFFINE.replace(r"\tanh(X V + c)", "X V - c")))

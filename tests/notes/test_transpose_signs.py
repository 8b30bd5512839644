"""What a page writes for a transpose besides T: small t, Tr."""

from __future__ import annotations

import pytest

from elman.notes.model.transpose_signs import transpose_signs
from elman.notes.page.reader import page_of


@pytest.mark.parametrize(
    ("page", "signs"),
    [
        (r"$g = (B x)^t (B x)$ and $A^t = A$, $B^{t} c$", {"t"}),
        (r"$(M v)^{Tr}$", {"Tr"}),
        (r"$S = K (1 + r)^t$ and $R = K q^t$", set()),
        (r"$(A B)^t$, $A^t$, $B^t$ and $x_t = A x_{t-1}$", set()),
        (r"$X^{tr}$ and $Y^{tr}$", set()),
    ],
)
def test_a_page_says_by_its_brackets_what_a_superscript_is(page: str, signs: set[str]) -> None:
    assert transpose_signs(page_of(page)) == signs

"""Pages about convolutions, on which * is one: a * W is no product of matrices."""

from __future__ import annotations

import re

from elman.notes.page.page import Page

_WORD = re.compile(r"\bconvol(?:ution|utional|ve|ved|ving)s?\b|卷积|卷積", re.IGNORECASE)
_OFTEN = 5  # a page that names them once or twice is about something else


def is_about_convolutions(page: Page) -> bool:
    """Whether the words of a page are about convolutions."""
    return sum(1 for _ in _WORD.finditer(page.text)) >= _OFTEN

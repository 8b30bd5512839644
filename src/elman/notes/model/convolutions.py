"""Pages with convolutions, on which * may be one: a * W is then no product of matrices."""

from __future__ import annotations

import re

from elman.notes.page.page import Page

_WORD = re.compile(r"\bconvol(?:ution|utional|ve|ved|ving)s?\b|卷积|卷積", re.IGNORECASE)
_MENTION = re.compile(r"\bconvol|卷积", re.IGNORECASE)
_OFTEN = 5  # a page that names them once or twice is about something else


def mentions_convolutions(page: Page) -> bool:
    """Whether a page has a word for convolutions."""
    return _MENTION.search(page.text) is not None


def is_about_convolutions(page: Page) -> bool:
    """Whether the words of a page are about convolutions."""
    return sum(1 for _ in _WORD.finditer(page.text)) >= _OFTEN

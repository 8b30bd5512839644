"""The language in which a page is written."""

from __future__ import annotations

import re

from elman.notes.page.page import Page
from elman.translation import CHINESE, ENGLISH, wanted_language

_HAN = re.compile("[\u4e00-\u9fff]")
_KANA = re.compile("[\u3041-\u30ff]")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_CHARACTERS_OF_A_WORD = 1.5  # an English word is about so many Chinese characters


def language_for(page: Page, given: str | None = None) -> str:
    """The language of a report on a page: the one `given` or that of ELMAN_LANG, else Chinese where the locale or the
    page is, else English.
    """
    return wanted_language(given, lambda: CHINESE if is_chinese(page) else ENGLISH)


def is_chinese(page: Page) -> bool:
    """Whether the words of a page, outside its formulas, are mostly Chinese."""
    pieces, since = [], 0
    for formula in sorted(page.formulas, key=lambda f: f.start):
        pieces.append(page.text[since : max(formula.start, since)])
        since = max(since, formula.start + len(formula.text))
    prose = "".join([*pieces, page.text[since:]])
    if _KANA.search(prose):
        return False
    return len(_HAN.findall(prose)) > _CHARACTERS_OF_A_WORD * len(_WORD.findall(prose))

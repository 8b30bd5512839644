"""The words of plots and of the pages that hold them, in the current language, from its catalogue `figures`."""

from __future__ import annotations

import re

from elman.translation import ENGLISH, catalogue, current_language, translate

DOMAIN = "figures"
"""The name of the catalogue: figures.po. Its short words stay apart from the messages, where they are also names."""
_SAID = re.compile(r'\bsaid\("((?:[^"\\]|\\.)*)"')


def said(text: str) -> str:
    """A label, a heading or a sentence in the current language; unchanged where the catalogue does not have it."""
    return translate(text, DOMAIN)


def words_of(script: str) -> list[str]:
    """The texts that a page's script says, each in a call `said("…", {values})`."""
    return list(dict.fromkeys(_SAID.findall(script)))


def translated_words(script: str) -> dict[str, str]:
    """What a page's script says in the current language, by its English text; empty for English."""
    if current_language() == ENGLISH:
        return {}
    known = catalogue(current_language(), DOMAIN)
    return {text: known[text] for text in words_of(script) if text in known}

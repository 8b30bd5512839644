"""Tokens as text in which every character can be seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "<eos>": "⏎"}


def visible(token: str) -> str:
    """The token with signs for white space, and with code points for characters that have no shape of their own.

    Those are controls and marks of direction. A space beside other characters stays a space. A combining mark at the
    start gets a circle under it.
    """
    if token in SIGNS:
        return SIGNS[token]
    if token == "" or token.isspace():
        return "".join(SIGNS.get(c, f"⟨{ord(c):04X}⟩") for c in token) or "⟨⟩"
    body = "".join(_visible_character(c) for c in token)
    return f"◌{body}" if unicodedata.category(token[0]).startswith("M") else body


def _visible_character(character: str) -> str:
    if character == " ":
        return character
    if character in SIGNS:
        return SIGNS[character]
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"):
        return f"⟨{ord(character):04X}⟩"
    return character


def text_direction(tokens: Iterable[str]) -> str:
    """`rtl` where most letters belong to a script that is written from right to left, else `ltr`."""
    right = left = 0
    for token in tokens:
        for character in token:
            kind = unicodedata.bidirectional(character)
            right += kind in ("R", "AL")
            left += kind == "L"
    return "rtl" if right > left else "ltr"

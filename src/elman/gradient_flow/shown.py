"""Tokens as they are shown: every one visible, whatever its characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "<eos>": "⏎"}


def shown(token: str) -> str:
    """White space by signs; what has no shape of its own (controls, marks of direction) by its code point.

    A blank beside other characters stays a blank; a mark that combines with the letter before it gets a circle.
    """
    if token in SIGNS:
        return SIGNS[token]
    if token == "" or token.isspace():
        return "".join(SIGNS.get(c, f"⟨{ord(c):04X}⟩") for c in token) or "⟨⟩"
    body = "".join(_visible(c) for c in token)
    return f"◌{body}" if unicodedata.category(token[0]).startswith("M") else body


def _visible(character: str) -> str:
    if character == " ":
        return character
    if character in SIGNS:
        return SIGNS[character]
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"):
        return f"⟨{ord(character):04X}⟩"
    return character


def percent(share: float) -> str:
    """With two digits after the point; what they cannot tell from nothing is not shown as nothing."""
    return "<0.01%" if 0 < share < 5e-5 else f"{share:.2%}"


def decimals(nats: float) -> str:
    """With three digits after the point; of an exploded network's losses the first three alone."""
    return f"{nats:.3f}" if nats < 1e5 else f"{nats:.3g}"


def direction(tokens: Iterable[str]) -> str:
    """rtl where most letters are of a script that runs from right to left, else ltr."""
    right = left = 0
    for token in tokens:
        for character in token:
            kind = unicodedata.bidirectional(character)
            right += kind in ("R", "AL")
            left += kind == "L"
    return "rtl" if right > left else "ltr"

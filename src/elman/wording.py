"""Words for people: counts in English sentences, perplexities, and text in which every character can be seen."""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import MAX_EMAX, Decimal, localcontext

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls (C0, C1), marks that change the direction of writing or end a line, and surrogates, which are no text."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun: `1 claim`, `0 claims`, `1,204 claims`; `plural` where it is not noun + s."""
    return f"{number:,} {choose(number, noun, plural or noun + 's')}"


def choose(number: int, singular: str, plural: str) -> str:
    """The form that agrees with the number: `choose(n, "does", "do")`, `choose(n, "it is", "they are")`."""
    return singular if number == 1 else plural


def perplexity_in_words(nats: float, plain_below: float = 1e9) -> str:
    """exp(nats): `1,234.50`, from `plain_below` on `1.23e+45`, also where a float cannot hold it; `–` for NaN."""
    if math.isnan(nats):
        return "–"
    if math.isinf(nats):
        return "infinite"
    if nats < math.log(plain_below):
        return f"{math.exp(nats):,.2f}"
    log10 = nats / math.log(10)
    if log10 > MAX_EMAX:
        return f"10^{log10:.2e}"
    with localcontext(Emax=MAX_EMAX):
        return f"{Decimal(nats).exp():.2e}"


def printable(text: str, keep: str = "") -> str:
    """The text with each character that a terminal would obey as \\xNN or \\uNNNN, except for those in `keep`.

    A byte of a file name that is not UTF-8, which Python keeps as a surrogate, is \\xNN too.
    """
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(lambda m: _code(m[0], keep), text)


def columns(text: str) -> int:
    """The columns of a text on a terminal, where Chinese characters take two."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def padded(text: str, width: int) -> str:
    """The text with blanks up to so many columns."""
    return text + " " * (width - columns(text))


def escaped(token: str) -> str:
    """A token with escapes for what would break columns or lines."""
    return printable(token.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r"))


def json_escaped(json_text: str) -> str:
    """JSON with the same characters, other than line ends, as JSON escapes: the value stays what it is."""
    return _UNSAFE.sub(lambda m: m[0] if m[0] == "\n" else f"\\u{ord(m[0]):04x}", json_text)


def _code(character: str, keep: str) -> str:
    code = ord(character)
    if character in keep:
        return character
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

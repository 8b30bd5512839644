"""What a text is, for every command and every call: characters, and one rule for line ends.

A line ends with \\n, and \\r directly before it belongs to the line end. So a text reads the same whichever system
wrote it. Level byte alone reads any bytes, and leaves them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from elman.errors import TextError

_LINE_END = re.compile("\r+\n")
_MOST_HELD = 4096


def unix_line_ends(text: str) -> str:
    """The text with \\n for every line end."""
    return _LINE_END.sub("\n", text) if "\r" in text else text


def unix_line_ends_of(pieces: Iterable[str]) -> Iterator[str]:
    """The same for a text in pieces, which may be cut inside a line end."""
    held = ""
    for piece in pieces:
        require_text(piece)
        text = held + piece
        end = len(text.rstrip("\r"))
        if len(text) - end > _MOST_HELD:
            end = len(text)
        held = text[end:]
        if end:
            yield unix_line_ends(text[:end])
    if held:
        yield held


def utf8(text: str, any_bytes: bool = False) -> bytes:
    """The text as UTF-8; with `any_bytes`, bytes that Python keeps as surrogates (`surrogateescape`) are themselves.

    Raises TextError where it is no text, or has other surrogates, which are no characters.
    """
    require_text(text)
    try:
        return text.encode(errors="surrogateescape" if any_bytes else "strict")
    except UnicodeEncodeError as error:
        code, at = ord(text[error.start]), error.start
        if 0xDC80 <= code <= 0xDCFF:
            raise TextError(f"the text is not UTF-8: byte 0x{code - 0xDC00:02X} at character {at}") from None
        raise TextError(f"the text has the surrogate U+{code:04X} at character {at}, which is no character") from None


def require_text(value: object) -> None:
    """Raises TextError for what is no `str`."""
    if not isinstance(value, str):
        raise TextError(f"a text is expected, not {type(value).__name__}: {value!a:.60}")

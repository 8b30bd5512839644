"""Images of a page: those in its folder are embedded, so that the report fetches nothing; others are links."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import unquote

from elman.errors import FileError
from elman.files import read_bytes
from elman.notes.report.pieces import Close, Open, Piece, Text, Void, without_marks

_MAX_BYTES = 4 * 2**20
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
_EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*")


def image(address: str, words: str, folder: Path | None, in_link: bool = False) -> Iterator[Piece]:
    """An image as it is shown: its data where the page or its folder has them, else its words, as a link."""
    data = address if _EMBEDDED.fullmatch(address) else _data(address, folder)
    if data is not None:
        yield Void(f'<img src="{data}" alt="{escape(words)}">')
        return
    shown = Text(without_marks(words or address.rsplit("/", 1)[-1][:80] or "image"))
    if in_link or not re.match(r"https?://", address):
        yield from (Open("em"), shown, Close("em"))
    else:
        yield from (Open("a", f' href="{escape(address)}"'), shown, Close("a"))


def _data(address: str, folder: Path | None) -> str | None:
    """The image as a data address; None where the address is no image in the folder, or one that is too large."""
    if folder is None or not address or ":" in address or address.startswith(("/", "\\", "#")):
        return None
    try:
        path = (folder / unquote(address)).resolve()
        if not path.is_relative_to(folder.resolve()):
            return None
        content = read_bytes(path, _MAX_BYTES)
    except (FileError, OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links
        return None
    kind = next((kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "webp"
    return None if kind is None else f"data:image/{kind};base64,{b64encode(content).decode()}"

"""The raw HTML of a page, reduced to what is harmless: a short list of tags, without their attributes.

Nothing here runs a script, styles the report or makes it fetch anything. A tag that is not on a list is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

from elman.notes.report.images import image
from elman.notes.report.pieces import SLOT, Close, Open, Piece, Text, Void, without_marks

_INLINE_TAGS = frozenset(
    {"a", "abbr", "b", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "samp", "small", "strong", "sub",
     "sup", "u", "var"}
)  # fmt: skip
_BLOCK_TAGS = frozenset(
    {"blockquote", "dd", "details", "dl", "dt", "figcaption", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "p",
     "pre", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)  # fmt: skip
_VOID_TAGS = frozenset({"br", "hr", "wbr"})
_LEFT_OUT = frozenset({"center", "div", "figure", "font", "section", "span"})  # their content is shown, they are not
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(
    r"<(/?)([A-Za-z][A-Za-z0-9-]*+)((?:\s++[^\s\"'<>/=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))?+)*+)"
    r"\s*+/?>"
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'=<>`]++)))?+")
_SCHEME = re.compile(r"[^/?#]*?:")
_SCHEMES = re.compile(r"(?:https?|mailto):", re.IGNORECASE)


def safe_address(address: str) -> str | None:
    """The address of a link if a reader may follow it: the web, mail, or a place beside the page; else None."""
    address = SLOT.sub("", address).strip()
    if not address or any(ord(c) < 32 for c in address) or (_SCHEME.match(address) and not _SCHEMES.match(address)):
        return None
    return address


def raw_html(source: str, inline: bool, folder: Path | None) -> Iterator[Piece]:
    """The pieces of raw HTML; within a line (`inline`) without tags of blocks."""
    if "-->" in source:
        end = source.rindex("-->") + 3  # no comment is closed behind it, and none is searched for
        source = _COMMENT.sub(_marks, source[:end]) + source[end:]
    at = 0
    for tag in _TAG.finditer(source):
        yield from _text(source[at : tag.start()])
        at = tag.end()
        yield from _tag(tag, inline, folder)
    yield from _text(source[at:])


def _marks(comment: re.Match[str]) -> str:
    """The slots in a comment; the rest of it is not shown."""
    return "".join(mark.group() for mark in SLOT.finditer(comment.group()))


def _tag(found: re.Match[str], inline: bool, folder: Path | None) -> Iterator[Piece]:
    source, end, name = found.group(), bool(found.group(1)), found.group(2).lower()
    attributes = _attributes(found.group(3))
    if name in _VOID_TAGS:
        yield Void(f"<{name}>")
    elif name == "img":
        yield from image(attributes.get("src", ""), attributes.get("alt", ""), folder)
    elif name in _LEFT_OUT or (inline and name in _BLOCK_TAGS):
        pass
    elif name not in _INLINE_TAGS | _BLOCK_TAGS:
        yield Text(source)
    elif end:
        yield Close(name, source)
    else:
        yield Open(name, _kept(name, attributes), source)


def _attributes(source: str) -> dict[str, str]:
    return {
        m.group(1).lower(): SLOT.sub("", unescape(next((v for v in m.group(2, 3, 4) if v is not None), "")))
        for m in _ATTRIBUTE.finditer(source)
    }


def _kept(name: str, attributes: dict[str, str]) -> str:
    """The attributes that are kept: where a link goes, whether details are open, how many cells a cell spans."""
    if name == "a" and (address := safe_address(attributes.get("href", ""))) is not None:
        return f' href="{escape(address)}"'
    if name == "details" and "open" in attributes:
        return " open"
    if name in ("td", "th"):
        spans = {key: attributes.get(key, "") for key in ("colspan", "rowspan")}
        return "".join(f' {key}="{n}"' for key, n in spans.items() if re.fullmatch("[0-9]{1,3}", n))
    return ""


def _text(source: str) -> Iterator[Piece]:
    """Text between tags, its entities as characters, its slots in place."""
    at = 0
    for mark in SLOT.finditer(source):
        yield Text(without_marks(unescape(source[at : mark.start()])))
        yield Text(mark.group())
        at = mark.end()
    yield Text(without_marks(unescape(source[at:])))

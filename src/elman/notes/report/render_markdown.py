"""Markdown, plain text and code → HTML, with slots; markdown-it-py reads the Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize as common_emphasis
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from elman.notes.report.images import image
from elman.notes.report.pieces import (
    SLOT,
    Close,
    EndOfBlock,
    Open,
    Piece,
    Slot,
    Text,
    Void,
    without_marks,
    written,
)
from elman.notes.report.safe_html import raw_html, safe_address

_CJK = re.compile(r"[\u3000-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


def markdown_to_html(text: str, slots: Mapping[int, Slot], folder: Path | None = None) -> str:
    """The HTML of Markdown with slots; headings are one level lower, since the report has a title of its own.

    Images in `folder` are embedded; all other images are shown as their words.
    """
    return written(_blocks(_PARSER.parse(text), folder), slots, _numbers(text))


def plain_to_html(text: str, slots: Mapping[int, Slot]) -> str:
    """The HTML of plain text with slots: its paragraphs, line by line."""
    pieces: list[Piece] = []
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        if paragraph.strip():
            pieces += [Open("p", ' class="plain"'), Text(paragraph.strip("\n")), Close("p"), EndOfBlock()]
    return written(pieces, slots, _numbers(text))


def code_to_html(text: str, slots: Mapping[int, Slot]) -> str:
    """The HTML of a block of code with slots."""
    return written(_code(text), slots, _numbers(text))


def _numbers(text: str) -> list[int]:
    return [int(mark.group(1)) for mark in SLOT.finditer(text)]


# --- the parser ---


def _emphasis(state: StateInline, silent: bool) -> bool:
    """The rule for `*` and `_`; `*` beside Chinese, Japanese or Korean opens and closes without space around it.

    These are written without spaces, where CommonMark wants one: in `**注意：**这里` the first three are bold.
    """
    marker, start = state.src[state.pos], state.pos
    if silent or marker != "*":
        return common_emphasis(state, silent)
    end = start
    while end < state.posMax and state.src[end] == marker:
        end += 1
    before, behind = state.src[start - 1 : start] if start else "", state.src[end : min(end + 1, state.posMax)]
    if not (_CJK.match(before) or _CJK.match(behind)):
        return common_emphasis(state, silent)
    for _ in range(end - start):
        token = state.push("text", "", 0)
        token.content = marker
        place, opens, closes = len(state.tokens) - 1, bool(behind.strip()), bool(before.strip())
        state.delimiters.append(Delimiter(ord(marker), end - start, place, -1, opens, closes))
    state.pos = end
    return True


def _parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough.

    Characters that a page writes as entities stay apart from its text (no `text_join`): they never form a slot.
    """
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("text_join")
    parser.inline.ruler.at("emphasis", _emphasis)
    return parser


_PARSER = _parser()


# --- tokens → pieces ---


def _blocks(tokens: Sequence[Token], folder: Path | None) -> Iterator[Piece]:
    for token in tokens:
        match token.type:
            case "inline":
                yield from _inline(token.children or [], folder)
            case "fence":
                yield from _code(token.content)
            case "code_block":
                yield from (Open("pre", ' class="aside"'), Text(token.content.rstrip()), Close("pre"), EndOfBlock())
            case "html_block":
                yield from raw_html(token.content, False, folder)
                yield EndOfBlock()
            case "hr":
                yield Void("<hr>")
            case "table_open":
                yield from (Open("div", ' class="wide"'), Open("table"))
            case "table_close":
                yield from (Close("table"), Close("div"), EndOfBlock())
            case "paragraph_open" if token.hidden:  # in a list without blank lines
                pass
            case "paragraph_close" if token.hidden:
                yield EndOfBlock()
            case "heading_open":
                yield Open(_lower(token.tag))
            case "heading_close":
                yield from (Close(_lower(token.tag)), EndOfBlock())
            case "paragraph_close":
                yield from (Close("p"), EndOfBlock())
            case _:
                yield Open(token.tag, _attributes(token)) if token.nesting > 0 else Close(token.tag)


def _inline(tokens: Sequence[Token], folder: Path | None) -> Iterator[Piece]:
    links: list[bool] = []  # of the links around, whether each is shown
    for token in tokens:
        match token.type:
            case "text":
                yield Text(token.content)
            case "text_special":
                yield Text(without_marks(token.content))
            case "softbreak":
                yield Text("\n")
            case "hardbreak":
                yield Void("<br>\n")
            case "code_inline":
                yield from (Open("code"), Text(token.content), Close("code"))
            case "html_inline":
                yield from raw_html(token.content, True, folder)
            case "image":
                words = SLOT.sub("", "".join(child.content for child in token.children or []))
                yield from image(str(token.attrGet("src") or ""), words, folder, any(links))
            case "link_open":
                address = safe_address(str(token.attrGet("href") or ""))
                links.append(address is not None)
                if address is not None:
                    yield Open("a", f' href="{escape(address)}"')
            case "link_close":
                if links.pop():
                    yield Close("a")
            case _:
                yield Open(token.tag) if token.nesting > 0 else Close(token.tag)


def _code(text: str) -> tuple[Piece, ...]:
    return Open("pre"), Open("code"), Text(text.rstrip("\n")), Close("code"), Close("pre"), EndOfBlock()


def _lower(tag: str) -> str:
    return f"h{min(int(tag[1]) + 1, 6)}"


def _attributes(token: Token) -> str:
    """The attributes that markdown-it gives to blocks: the alignment of a cell, the first number of a list."""
    style, start = token.attrGet("style"), token.attrGet("start")
    return (f' style="{escape(str(style))}"' if style else "") + (f' start="{start}"' if start is not None else "")

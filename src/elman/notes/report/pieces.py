"""Pieces of HTML, in order, and the writer that puts them together with the slots of a page.

A slot is a mark in the text of a page (`slot(7)`) for HTML of this package: a typeset formula, a verdict. It is
inserted unescaped, everything else is escaped. Start and end tags that come from the page itself are written only in
pairs (`matched`), so that no page can leave an element open or close one of the report's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_START, _END = "\ue000", "\ue001"
SLOT = re.compile(f"{_START}(\\d+){_END}")
_MARKS = re.compile(f"[{_START}{_END}]")
_INLINE = frozenset(
    {"a", "abbr", "b", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "samp", "small", "strong", "sub",
     "sup", "u", "var"}
)  # fmt: skip
_BLOCKS_OF_TEXT = frozenset({"p", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_SPLIT = _INLINE | _BLOCKS_OF_TEXT  # what a block cannot stand in: closed before it, opened again behind it


@dataclass(frozen=True, slots=True)
class Slot:
    """What is inserted at a slot: `html`, whether it is a `block`, and what follows the block around it (`after`)."""

    html: str
    block: bool = False
    after: str = ""


def slot(number: int) -> str:
    """The mark of a slot."""
    return f"{_START}{number}{_END}"


def without_marks(text: str) -> str:
    """A page's own text without the two characters that mark slots; its length stays."""
    return _MARKS.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Open:
    """A start tag; `source` is how the page wrote it, where it is the page's own."""

    tag: str
    attributes: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """An end tag; `source` as of a start tag."""

    tag: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Text, which may have slots; it is escaped."""

    text: str


@dataclass(frozen=True, slots=True)
class Void:
    """An element without content, such as `<br>`."""

    html: str


@dataclass(frozen=True, slots=True)
class EndOfBlock:
    """The end of a block: what its slots say beside themselves comes here."""


Piece = Open | Close | Text | Void | EndOfBlock


def matched(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with those tags of the page that have no partner, at their level, turned into text."""
    found = list(pieces)
    opened: list[int] = []
    for i, piece in enumerate(pieces):
        if isinstance(piece, Open):
            opened.append(i)
        elif isinstance(piece, Close):
            partner = _partner(pieces, opened, piece)
            if partner is None:
                found[i] = Text(piece.source)
                continue
            while (last := opened.pop()) != partner:
                found[last] = _as_text(pieces[last])
    for i in opened:
        found[i] = _as_text(pieces[i])
    return found


def _partner(pieces: Sequence[Piece], opened: Sequence[int], close: Close) -> int | None:
    """The start tag that an end tag closes: both are the page's, or both the report's."""
    for i in reversed(opened):
        piece = pieces[i]
        assert isinstance(piece, Open)
        if piece.tag == close.tag and bool(piece.source) == bool(close.source):
            return i
        if close.source and not piece.source:
            return None
    return None


def _as_text(piece: Piece) -> Text:
    assert isinstance(piece, Open)
    return Text(piece.source)


def written(pieces: Iterable[Piece], slots: Mapping[int, Slot], numbers: Iterable[int]) -> str:
    """The HTML of the pieces. Of the slots with these numbers none is lost: those that are nowhere in the text of the
    pieces, since Markdown does not show them (in an address, in a title), come last.
    """
    writer = _Writer(slots)
    for piece in matched(list(pieces)):
        writer.write(piece)
    for number in numbers:
        writer.insert(number)
    writer.end_of_block()
    return "".join(writer.out).rstrip("\n")


class _Writer:
    """Writes pieces in order. The start tag of an element that a block can split waits until it has content."""

    def __init__(self, slots: Mapping[int, Slot]) -> None:
        self.slots = slots
        self.out: list[str] = []
        self.opened: list[Open] = []
        self.waiting = 0  # how many of the opened elements, the innermost, have no start tag yet
        self.after: list[str] = []
        self.inserted: set[int] = set()

    def write(self, piece: Piece) -> None:
        """Writes one piece."""
        match piece:
            case Open():
                self.opened.append(piece)
                self.waiting += 1
                if piece.tag not in _SPLIT:
                    self._start_tags()
            case Close():
                self._close()
            case Text():
                self._text(piece.text)
            case Void():
                self._html(piece.html)
            case EndOfBlock():
                if all(element.tag != "table" for element in self.opened):
                    self.end_of_block()

    def insert(self, number: int) -> None:
        """Inserts a slot, once."""
        content = self.slots.get(number)
        if content is None or number in self.inserted:
            return
        self.inserted.add(number)
        self.after.append(content.after)
        if content.block:
            self._block(content.html)
        else:
            self._html(content.html)

    def end_of_block(self) -> None:
        """Writes what the slots of a block say beside themselves."""
        if any(self.after):
            self._leave_text()
            self.out += self.after
        self.after.clear()
        self.out.append("\n")

    def _html(self, html: str) -> None:
        self._start_tags()
        self.out.append(html)

    def _start_tags(self) -> None:
        for element in self.opened[len(self.opened) - self.waiting :]:
            self.out.append(f"<{element.tag}{element.attributes}>")
        self.waiting = 0

    def _close(self) -> None:
        element = self.opened.pop()
        if self.waiting:
            self.waiting -= 1
        else:
            if self.out[-1] == "\n" and element.tag != "pre":
                self.out.pop()
            self.out.append(f"</{element.tag}>")

    def _text(self, text: str) -> None:
        at = 0
        for mark in SLOT.finditer(text):
            content = self.slots.get(int(mark.group(1)))
            before = text[at : mark.start()]
            self._escaped(before.rstrip() if content is not None and content.block else before)
            self.insert(int(mark.group(1)))
            at = mark.end()
        self._escaped(text[at:])

    def _escaped(self, text: str) -> None:
        if self.waiting and self.opened[-1].tag != "pre":
            outer = self.opened[len(self.opened) - self.waiting]
            text = text.lstrip() if outer.tag in _BLOCKS_OF_TEXT else text
        elif self.waiting:
            text = text.removeprefix("\n")
        if text:
            self._html(escape(text))

    def _block(self, html: str) -> None:
        """Writes a block: what it splits is closed before it, and opened again when more follows."""
        self._leave_text()
        self.out += ["\n", html, "\n"]

    def _leave_text(self) -> None:
        """Closes the innermost elements as far as none of them can hold a block; they wait to be opened again."""
        first = len(self.opened)
        while first and self.opened[first - 1].tag in _SPLIT:
            first -= 1
        started = self.opened[first : len(self.opened) - self.waiting]
        self.out += [f"</{element.tag}>" for element in reversed(started)]
        self.waiting = len(self.opened) - first

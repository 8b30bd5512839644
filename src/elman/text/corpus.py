"""Where text comes from: files, folders, stdin, the embedded corpus. It is streamed, never whole in memory.

A corpus is a list of byte sources. They are read in blocks of about 1 MiB, decoded strictly, and cut between words. So
a 5 GB file needs a few MB, and the error for a byte that is not UTF-8 gives its offset. At level byte, any bytes are
read: `Corpus.at_level`.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from elman.config import Level
from elman.errors import TextError
from elman.files import files_in, is_folder, open_input
from elman.text.plain_text import unix_line_ends, utf8

BLOCK = 2**20
"""The number of bytes read at a time."""
LARGEST_TEXT = 2**40
"""The most bytes of one file; a larger one is taken for a mistake."""
LONGEST_LINE = 16 * 2**20
"""The longest line, in bytes, that `read_lines` accepts."""
_BLANKS = "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's white space without the newline. Where no newline is near, a text may be cut after one of these."""
_BLANK_BYTES = re.compile(b"|".join(blank.encode() for blank in _BLANKS))


class _Opener(Protocol):
    def __call__(self) -> BinaryIO: ...


@dataclass(frozen=True)
class _Source:
    """Bytes that can be opened several times.

    skip       bytes to skip at the start: a byte order mark
    ends_line  whether the last byte is a newline
    any_bytes  whether bytes that are no text are read too
    encoding   by the byte order mark, where that is not UTF-8
    """

    name: str
    size: int
    open: _Opener
    skip: int = 0
    ends_line: bool = True
    any_bytes: bool = False
    encoding: str = ""

    def as_bytes(self) -> _Source:
        """The same, with every byte as it is."""
        return replace(self, size=self.size + self.skip, skip=0, any_bytes=True)


class Corpus:
    """Texts one after the other, as one text. A text that does not end in a newline gets one before the next text.

    name  the names of the texts
    size  the bytes of all texts, including added newlines

    Raises TextError where the texts are empty.
    """

    def __init__(self, name: str, sources: Sequence[_Source]) -> None:
        self.name = name
        self._sources = list(sources)
        self.size = sum(source.size for source in sources) + sum(not s.ends_line for s in self._sources[:-1])
        if self.size == 0:
            raise TextError(f"{name} is empty: give a text with something in it")

    @classmethod
    def from_paths(cls, paths: Sequence[Path | str]) -> Corpus:
        """Files, folders (all their .txt files, sorted) and "-" (stdin, kept in a temporary file).

        Raises TextError for a path that is missing, empty or not a text.
        """
        if not paths:
            raise TextError("no text was given: name a text file, a folder of .txt files, or - for stdin")
        sources = []
        for path in paths:
            if str(path) == "-":
                sources.append(_stdin())
            elif is_folder(Path(path)):
                files = files_in(Path(path), ".txt")
                if not files:
                    raise TextError(f"{path} is a folder without .txt files: name a folder that has some, or the files")
                sources += [_file(p) for p in files]
            else:
                sources.append(_file(Path(path)))
        names = [_name_of(path) if str(path) != "-" else "stdin" for path in paths]
        return cls(", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more", sources)

    @classmethod
    def embedded(cls) -> Corpus:
        """The English of Python's own documentation, from the standard library's `pydoc_data.topics`."""
        from pydoc_data.topics import topics

        text = "\n".join(topics[name].strip("\n") for name in sorted(topics)) + "\n"
        return cls._of_bytes("Python's own documentation (pydoc_data.topics)", text.encode())

    @classmethod
    def from_text(cls, text: str) -> Corpus:
        """A text that is already in memory."""
        return cls._of_bytes("a text", utf8(text))

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Corpus:
        """Texts that are already in memory, one after the other; each ends with a line end."""
        data = b"".join(utf8(text) if text.endswith("\n") else utf8(text) + b"\n" for text in texts)
        return cls._of_bytes("texts in memory", data)

    @classmethod
    def _of_bytes(cls, name: str, data: bytes) -> Corpus:
        return cls(name, [_Source(name, len(data), lambda: io.BytesIO(data), 0, data.endswith(b"\n"))])

    def at_level(self, level: Level) -> Corpus:
        """The same text, read as a level reads it: any bytes at level byte, UTF-8 at the others."""
        return Corpus(self.name, [source.as_bytes() for source in self._sources]) if level == "byte" else self

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yields the text of the bytes start to stop, in pieces of about 1 MiB that end after a line.

        A piece of 1 MiB without a line end ends after white space; without white space, between two characters.
        Raises TextError with file and byte offset where the text is binary or not UTF-8.
        """
        stop = self.size if stop is None else stop
        at = 0
        for k, source in enumerate(self._sources):
            newline = k + 1 < len(self._sources) and not source.ends_line
            first, last = max(start - at, 0), min(stop - at, source.size)
            if first < last:
                yield from _decoded(source, first, last)
            if newline and start <= at + source.size < stop:
                yield "\n"
            at += source.size + newline

    def held_out_start(self, share: float, limit: int | None = None) -> int:
        """The byte at which the held-out tail starts: `share` of the text, at most `limit` bytes, from a line's start.

        Where no line end is near, the tail starts after white space, or else between two characters.
        """
        tail = int(self.size * share)
        target = self.size - (min(tail, limit) if limit is not None else tail)
        at = 0
        for k, source in enumerate(self._sources):
            newline = k + 1 < len(self._sources) and not source.ends_line
            if target <= at:  # a text starts with a line
                return at
            if target < at + source.size:
                begin = target - at - 1  # the byte before may already end a line
                with _opened(source) as stream:
                    stream.seek(source.skip + begin)
                    block = stream.read(min(BLOCK, source.size - begin))
                if newline and begin + len(block) == source.size:
                    block += b"\n"
                last = k + 1 == len(self._sources) and begin + len(block) == source.size
                return at + begin + _first_boundary(block, last)
            at += source.size + newline
        return self.size


def _first_boundary(block: bytes, last: bool) -> int:
    """The offset in the block at which a new line starts; if there is none, a new word; if none, a new character.

    last: nothing follows the block, so a line end or a space at its end starts nothing.
    """
    end = len(block) - last
    start = block.find(b"\n", 0, end) + 1
    if not start and (blank := _BLANK_BYTES.search(block, 0, end)):
        start = blank.end()
    if 0 < start < len(block) + (not last):
        return start
    return next((k for k in range(1, min(5, len(block))) if block[k] & 0xC0 != 0x80), len(block))


def _opened(source: _Source) -> BinaryIO:
    try:
        return source.open()
    except TextError as error:
        raise TextError(f"{source.name} changed while it was read: {error}") from error


def _file(path: Path, name: str | None = None) -> _Source:
    name = name or _name_of(path)
    with _open_text(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(4)
        stream.seek(max(size - 1, 0))
        ends_line = stream.read(1) == b"\n"
    encoding = "UTF-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""
    skip = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    if size == skip:
        raise TextError(f"{name} is empty: give a text with something in it")
    return _Source(name, size - skip, lambda: _open_text(path), skip, ends_line, encoding=encoding)


def _name_of(path: Path | str) -> str:
    """A path as a text that can be written as UTF-8: bytes of a name that are none are shown as \\xNN."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _open_text(path: Path) -> BinaryIO:
    return open_input(path, LARGEST_TEXT, TextError, "give a text file, a folder of .txt files, or - for stdin")


def _stdin() -> _Source:
    """Stdin, copied to a temporary file that lives as long as the corpus, since a text is read more than once."""
    stream = standard_input()
    try:
        spooled = tempfile.NamedTemporaryFile(prefix="elman-")  # noqa: SIM115 (it lives as long as the source)
        while block := stream.read(BLOCK):
            spooled.write(block)
        spooled.flush()
    except OSError as error:
        raise TextError(f"cannot copy stdin to a temporary file: {error.strerror}; name a file instead") from error
    source = _file(Path(spooled.name), "stdin")
    path = Path(spooled.name)

    def open_again() -> BinaryIO:
        return path.open("rb")

    weakref.finalize(open_again, spooled.close)
    return replace(source, open=open_again)


def _decoded(source: _Source, first: int, last: int) -> Iterator[str]:
    """Yields the text of the bytes first to last of one source, in pieces."""
    if source.encoding and not source.any_bytes:
        raise TextError(
            f"{source.name} is {source.encoding}, expected UTF-8: convert it with iconv -f {source.encoding} -t UTF-8"
        )
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape" if source.any_bytes else "strict")
    pending = ""
    with _opened(source) as stream:
        stream.seek(source.skip + first)
        at = first
        while at < last:
            block = stream.read(min(BLOCK, last - at))
            if not block:
                raise TextError(f"{source.name} became shorter while it was read: try again without changing the file")
            pending += _checked(block, at, at + len(block) == last, decoder, source)
            at += len(block)
            cut = pending.rfind("\n") + 1
            if cut == 0 and len(pending) >= BLOCK:
                cut = max(pending.rfind(blank) for blank in _BLANKS) + 1 or len(pending)
            if cut:
                yield pending[:cut]
                pending = pending[cut:]
    if pending:
        yield pending


def _checked(block: bytes, at: int, final: bool, decoder: codecs.IncrementalDecoder, source: _Source) -> str:
    """The block decoded. Raises TextError with the offset of the byte that is not UTF-8."""
    zero = block.find(b"\0")
    if zero >= 0 and not source.any_bytes:
        raise TextError(
            f"{source.name} is binary: it has a zero byte at offset {source.skip + at + zero}; give a UTF-8 text "
            "(level byte alone reads any bytes)"
        )
    incomplete = bytes(decoder.getstate()[0])  # the first bytes of a character that the last block cut
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        offset = source.skip + at - len(incomplete) + error.start
        value = (incomplete + block)[error.start]
        raise TextError(
            f"{source.name} is not UTF-8: byte 0x{value:02X} at offset {offset} ({error.reason}); "
            "convert it with iconv -t UTF-8"
        ) from None


def read_lines(stream: BinaryIO, name: str, level: Level = "word", longest: int = LONGEST_LINE) -> Iterator[str]:
    """Yields the lines of a stream without their ends (plain_text.py). Raises TextError with line and byte offset.

    That is for a line over `longest` bytes, and, but at level byte, for a null byte and what is not UTF-8.
    """
    number, offset, any_bytes = 0, 0, level == "byte"
    while line := _line(stream, longest + 2, name):
        number += 1
        if len(line.removesuffix(b"\n").removesuffix(b"\r")) > longest:
            raise TextError(
                f"line {number} of {name} is longer than {longest / 2**20:g} MiB: give one sentence a line, "
                "or measure a long text with elman evaluate"
            )
        zero = line.find(b"\0")
        if zero >= 0 and not any_bytes:
            raise TextError(
                f"{name} is binary: line {number} has a zero byte at offset {offset + zero}; give UTF-8 text"
            )
        try:
            text = line.decode(errors="surrogateescape" if any_bytes else "strict")
        except UnicodeDecodeError as error:
            raise TextError(
                f"line {number} of {name} is not UTF-8: byte 0x{line[error.start]:02X} at offset "
                f"{offset + error.start}; convert it with iconv -t UTF-8"
            ) from None
        offset += len(line)
        if not any_bytes:
            text = unix_line_ends(text.removeprefix("\ufeff") if number == 1 else text)
        yield text.removesuffix("\n")


def standard_input() -> BinaryIO:
    """Stdin as bytes. Raises TextError where it is closed."""
    if sys.stdin is None:
        raise TextError("stdin is closed: name a file to read, or give stdin a text")
    return sys.stdin.buffer


def _line(stream: BinaryIO, most: int, name: str) -> bytes:
    try:
        return stream.readline(most)
    except OSError as error:
        raise TextError(f"cannot read {name}: {error.strerror}; give a text with one sentence a line") from error

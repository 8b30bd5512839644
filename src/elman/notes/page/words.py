"""What the prose of a page says of its letters, in English and in Chinese: kinds, sizes, properties."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from elman.calculus.syntax.names import fold
from elman.notes.page.chinese_words import chinese
from elman.notes.page.english_words import english
from elman.notes.page.page import ShapeLine
from elman.notes.page.prose import Said, sentences
from elman.notes.page.scanner import Scan


def said_in(text: str, start: int, end: int, scan: Scan, latex: bool = False) -> Iterator[Said]:
    """What a part of a page says of its letters, in order."""
    for sentence in sentences(text, start, end, scan, latex):
        yield from english(sentence)
        yield from chinese(sentence)


def with_shapes_in_words(declared: Sequence[ShapeLine], said: Iterable[ShapeLine]) -> list[ShapeLine]:
    """The shapes of a page, in order: those that it declares, and for other names those that its words give, unless the
    words give one name two shapes.
    """
    known = {fold(line.name) for line in declared}
    first: dict[str, ShapeLine] = {}
    unclear = set[str]()
    for line in said:
        earlier = first.setdefault(fold(line.name), line)
        if (earlier.rows, earlier.columns) != (line.rows, line.columns):
            unclear.add(fold(line.name))
    more = [line for key, line in first.items() if key not in known | unclear]
    return sorted([*declared, *more], key=lambda line: line.start) if more else list(declared)


def without_examples(declared: Sequence[ShapeLine], in_programs: Container[int]) -> list[ShapeLine]:
    """The declared shapes without those in numbers that code gives a name which has one in letters as well, and those
    of the same numbers: an example such as `W = randn(10, 20)  # (10, 20)` does not change W. `in_programs` are the
    starts of shapes in code.
    """
    general = {fold(line.name) for line in declared if not _in_numbers(line)}
    in_code = [line for line in declared if line.start in in_programs and _in_numbers(line)]
    sizes = {size for line in in_code if fold(line.name) in general for size in (line.rows, line.columns)}
    return [line for line in declared if line not in in_code or not {line.rows, line.columns} <= sizes | {"1"}]


def without_products(declared: Sequence[ShapeLine], in_programs: Container[int]) -> list[ShapeLine]:
    """The declared shapes without those of products: AB of `AB \\in \\mathbb{R}^{m \\times m}` is no name where A and B
    have shapes of their own. A name of code is one, and so is dW, a gradient. `in_programs`: see `without_examples`.
    """
    letters = {line.name for line in declared if len(line.name) == 1}
    return [line for line in declared if line.start in in_programs or not _is_product(line.name, letters)]


def _is_product(name: str, letters: Container[str]) -> bool:
    return len(name) > 1 and name[0] != "d" and all(letter in letters for letter in name)


def _in_numbers(line: ShapeLine) -> bool:
    return line.rows.isdigit() and line.columns.isdigit() and (line.rows, line.columns) != ("1", "1")

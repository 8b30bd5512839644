r"""Macros of `\newcommand`, `\def` and `\DeclareMathOperator`, and their expansion with the places they came from.

The page's text is never expanded, so that offsets in it stay valid; a formula is expanded when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from elman.errors import FormulaError

MAX_EXPANSIONS = 2_000
MAX_SIZE = 100_000
_MAX_BODY = 4_000
_MAX_BROKEN = 100
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?:\[([0-9])\])?(\[)?"
    r"|def\s*\\([A-Za-z]+)\s*((?:#[1-9]){0,9})"
    r"|(DeclareMathOperator)\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?)\s*(?=\{)"
)
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|#[1-9]|\s+|.", re.DOTALL)
_COMMAND = re.compile(r"\\[A-Za-z]+")


def definitions(
    text: str, start: int = 0, end: int | None = None
) -> list[tuple[int, int, str, tuple[int, str] | None]]:
    """The definitions in a text: start, end, name, and number of arguments with body (None where one has a
    default, which is not supported).
    """
    found: list[tuple[int, int, str, tuple[int, str] | None]] = []
    stop = len(text) if end is None else end
    at, broken = start, 0
    while broken < _MAX_BROKEN and (match := _DEFINITION.search(text, at, stop)) is not None:
        close = closing_brace(text, match.end(), min(stop, match.end() + _MAX_BODY))
        at = match.end()
        if close < 0:
            broken += 1
            continue
        body = text[match.end() + 1 : close]
        at = close + 1
        if match.group(6):
            found.append((match.start(), at, match.group(7), (0, rf"\operatorname{{{body}}}")))
        elif match.group(4):
            found.append((match.start(), at, match.group(4), (len(match.group(5)) // 2, body)))
        else:
            count = int(match.group(2) or 0)
            found.append((match.start(), at, match.group(1), None if match.group(3) else (count, body)))
    return found


def macros_of(text: str) -> dict[str, tuple[int, str]]:
    """The macros that a text defines, each with its number of arguments and its body; the last definition counts."""
    return {name: macro for _, _, name, macro in definitions(text) if macro is not None}


def closing_brace(text: str, at: int, stop: int) -> int:
    """Where the brace that opens at `at` is closed, or -1."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at, stop):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return -1


def without_definitions(text: str) -> str:
    """The text with spaces for its definitions; offsets stay the same."""
    if "\\def" not in text and "command" not in text and "MathOperator" not in text:
        return text
    pieces, at = [], 0
    for start, end, _, _ in definitions(text):
        pieces += [text[at:start], " " * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def expand(text: str, macros: Mapping[str, tuple[int, str]]) -> tuple[str, Sequence[int]]:
    """`text` with its macros expanded, and for each offset in the result (and its end) the offset in `text`.

    Raises `FormulaError` if the expansion does not end, is longer than 100 kB, or lacks an argument.
    """
    text = without_definitions(text)
    if not macros or not any(name[1:] in macros for name in _COMMAND.findall(text)):
        return text, range(len(text) + 1)
    pieces: list[str] = []
    places: list[int] = []
    stack = [(m.group(), m.start()) for m in _TOKEN.finditer(text)][::-1]
    expansions = size = pushed = 0
    while stack:
        token, place = stack.pop()
        name = token[1:]
        if token[0] == "\\" and name in macros:
            count, body = macros[name]
            arguments = [_argument(stack, token, place) for _ in range(count)]
            new = _substituted(body, arguments, place)
            if pieces and pieces[-1] in ("^", "_"):
                new = [("{", place), *new, ("}", place)]
            expansions, pushed = expansions + 1, pushed + len(new)
            if expansions > MAX_EXPANSIONS or pushed > MAX_SIZE:
                raise FormulaError(f"the macro {token} expands without end, or to more than 100 kB", place + 1)
            stack += reversed(new)
            continue
        if pieces and token[0].isalpha() and _COMMAND.fullmatch(pieces[-1]):
            token = " " + token
        pieces.append(token)
        places += range(place, place + len(token)) if text.startswith(token, place) else [place] * len(token)
        size += len(token)
        if size > max(MAX_SIZE, len(text)):
            raise FormulaError("the macros expand to more than 100 kB", place + 1)
    return "".join(pieces), [*places, len(text)]


def _argument(stack: list[tuple[str, int]], name: str, place: int) -> list[tuple[str, int]]:
    """The next argument: a group without its braces, or one token."""
    while stack and stack[-1][0].isspace():
        stack.pop()
    if not stack:
        raise FormulaError(f"the macro {name} lacks an argument", place + 1)
    first = stack.pop()
    if first[0] != "{":
        return [first]
    taken: list[tuple[str, int]] = []
    depth = 1
    while stack:
        token = stack.pop()
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return taken
        taken.append(token)
    raise FormulaError(f"an argument of the macro {name} is not closed", place + 1)


def _substituted(body: str, arguments: list[list[tuple[str, int]]], place: int) -> list[tuple[str, int]]:
    """The body's tokens, at the macro's place; those of its arguments keep their own."""
    new: list[tuple[str, int]] = []
    for match in _TOKEN.finditer(body):
        token = match.group()
        if token[0] == "#" and len(token) == 2:
            number = int(token[1])
            new += arguments[number - 1] if number <= len(arguments) else []
        else:
            new.append((token, place))
        if len(new) > MAX_SIZE:
            raise FormulaError("the macros expand to more than 100 kB", place + 1)
    return new

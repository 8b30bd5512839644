"""The sentences that the source makes: every constant and every f-string with words in it, as templates.

A hole of an f-string is `{}`. Where the hole chooses between words (`choose(n, "does", "do")`, `count(n, "line")`,
`"a" if b else "c"`), there is a template for each choice.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

HOLE = "{}"
HELP = ("help", "epilog", "metavar", "shown")
"""Arguments that are texts of `--help`, which is English."""
_PLACEHOLDER = re.compile(r"(?<!\{)\{[a-z_0-9]*\}(?!\})")
_WORDS = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}(?![A-Za-z])")


def skeleton(template: str) -> str:
    """A template without the names of its placeholders."""
    return _PLACEHOLDER.sub(HOLE, template).replace("{{", "{").replace("}}", "}")


def templates(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the template of every string with words in a file; docstrings, patterns and markup left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = set(_within_others(tree))
    for node in ast.walk(tree):
        if id(node) not in passed and isinstance(node, ast.JoinedStr | ast.Constant):
            for text in _texts(node):
                if _is_sentence(text):
                    yield node.lineno, text


def translated_templates(path: Path, function: str = "translate") -> Iterator[tuple[int, str]]:
    """The line and the template of every argument of `translate`, or of `said`, that is written in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            for text in _texts(node.args[0]):
                if re.search("[A-Za-z]", text):
                    yield node.lineno, text


def _is_sentence(text: str) -> bool:
    """Whether a string is for people: words with a blank between them, or a word beside a hole."""
    plain = text.replace(HOLE, "")
    if "\\" in plain or "<" in plain or "\n" in plain or "(?" in plain:
        return False
    return bool(_WORDS.search(plain)) and (" " in text.strip())


def _within_others(tree: ast.AST) -> Iterator[int]:
    """Strings that are no sentences of their own: docstrings, the pieces of f-strings, and what chooses words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count":
            yield from map(id, node.args)
        if isinstance(node, ast.keyword) and node.arg in HELP:
            yield from map(id, ast.walk(node.value))
        if isinstance(node, ast.JoinedStr):
            for piece in node.values:
                if isinstance(piece, ast.Constant):
                    yield id(piece)
                elif isinstance(piece, ast.FormattedValue):
                    yield from (id(n) for n in ast.walk(piece) if piece.format_spec is not None and n is not piece)
                    if len(list(_texts(piece.value))) > 1:
                        yield from (id(n) for n in ast.walk(piece.value))


def _choices(value: ast.expr) -> list[str]:
    """The texts that a piece of an f-string can be."""
    if isinstance(value, ast.FormattedValue):
        return list(_texts(value.value))
    return list(_texts(value))


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, as far as they are written in it; `{}` for what is not."""
    if isinstance(node, ast.Constant):
        yield node.value if isinstance(node.value, str) else HOLE
    elif isinstance(node, ast.JoinedStr):
        parts = [_choices(value) for value in node.values]
        several = {len(part) for part in parts if len(part) > 1}
        if len(several) == 1:  # they agree with one number: 1 formula was, 2 formulas were
            parts = [part * max(several) if len(part) == 1 else part for part in parts]
            yield from ("".join(choice) for choice in zip(*parts, strict=True))
        else:
            yield from ("".join(choice) for choice in itertools.product(*parts))
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "choose":
        yield from (text for word in node.args[1:] for text in _texts(word))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count":
        nouns = [text for word in node.args[1:] for text in _texts(word)]
        yield from (f"{HOLE} {noun}" for noun in (nouns if len(nouns) > 1 else [nouns[0], nouns[0] + "s"]))
    else:
        yield HOLE

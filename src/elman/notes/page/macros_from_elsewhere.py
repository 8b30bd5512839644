r"""Macros that a page uses and another file defines, by their names: \inputMatrix is a letter of that name, \VUvec{x}
and \vx are the letter x.

Only names that LaTeX and its packages do not have are read so, and only where the page uses them several times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

_COMMAND = re.compile(r"\\([A-Za-z]+)\s*(\{|\(|\\left\s*\()?")
_CAMEL = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
_OF_LATEX = re.compile(r".*(?:arrow|harpoon|vert|dash|triangle)|var[A-Z].*|operator.*|math[a-z]*", re.IGNORECASE)
_DRESS = re.compile(r"[A-Za-z]+(?:vec|vect|vector|mat|matrix|mtx|tensor)")
_ENDINGS_OF_LATEX = frozenset({"underrightvec", "overvec", "smallmatrix"})
_FIELD = re.compile(r"[A-Za-z]+field")
_LETTER = re.compile(r"v([a-z])|m([A-Z])|b([A-Zac-ln-z])")
_LETTERS_OF_LATEX = frozenset({"bf", "bb"})
_OFTEN = 2


def macros_from_elsewhere(formulas: Sequence[str], known: Collection[str]) -> dict[str, tuple[int, str]]:
    """The macros by the names of the commands in the formulas of a page, each with its number of arguments and its
    body; `known` are those that the page defines.
    """
    uses: Counter[str] = Counter()
    behind: dict[str, Counter[str]] = {}
    for text in formulas:
        for name, opening in _COMMAND.findall(text) if "\\" in text else ():
            uses[name] += 1
            behind.setdefault(name, Counter())[opening[-1:]] += 1
    often = [name for name, times in uses.items() if times >= _OFTEN and name not in known]
    return {name: macro for name in often if (macro := _macro(name, behind[name])) is not None}


def _macro(name: str, behind: Mapping[str, int]) -> tuple[int, str] | None:
    """The macro of a name; `behind` counts the brackets that open behind it, "" where none does."""
    if _OF_LATEX.fullmatch(name):
        return None
    if _CAMEL.fullmatch(name) and not behind.get("{"):
        applied = behind.get("(", 0) == sum(behind.values())
        return 0, rf"\operatorname{{{name}}}" if applied else rf"\mathrm{{{name}}}"
    if _DRESS.fullmatch(name) and name not in _ENDINGS_OF_LATEX and behind.get("{"):
        return 1, r"\mathbf{#1}"
    if _FIELD.fullmatch(name) and behind.get("{"):
        return 1, r"\mathbb{#1}"
    letter = _LETTER.fullmatch(name)
    if letter is not None and name not in _LETTERS_OF_LATEX and not behind.get("{"):
        return 0, rf"\mathbf{{{letter[1] or letter[2] or letter[3]}}}"
    return None

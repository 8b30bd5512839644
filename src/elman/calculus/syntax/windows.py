r"""Sums over a window around a place: \sum_{-m \le j \le m, j \ne 0} f(x_{t+j}) is \sum_j f(x_j).

The neighbours x_{t+j} of x_t are a list of their own, in which j counts; x_{t-m}, …, x_{t+m} is the whole of it. So is
\sum_{j=-m, j \ne 0}^m. A sum that has the place itself in it, without j ≠ 0, stays as it is, and so does one in which j
stands anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.calculus.syntax.decoration import partners
from elman.calculus.syntax.tokens import DOTS, Token

_AT_MOST = frozenset({"le", "leq", "leqslant"})
_ANOTHER = frozenset({"ne", "neq"})
_FILLING = ("{", "}", "quad")
_OFFSET = len("_{t+j}")


@dataclass(frozen=True, slots=True)
class _Window:
    """A sum over a window: its index j, its bound m, and the places of the tokens of its bounds."""

    index: str
    bound: str
    places: frozenset[int]


def with_windows_read(tokens: list[Token]) -> list[Token]:
    """The tokens with each such sum over all neighbours."""
    sums = [i for i, t in enumerate(tokens) if t.text == "sum"]
    closing = partners(tokens) if sums else {}
    windows = [w for i in sums if (w := _window(tokens, i, closing.get(i + 2))) is not None]
    if not windows or len({(w.index, w.bound) for w in windows}) != 1:
        return tokens
    index, bound = windows[0].index, windows[0].bound
    ranges = {i for w in windows for i in w.places}
    within = [i for i, t in enumerate(tokens) if t.text == index and i not in ranges]
    if not within or not all(_is_neighbour(tokens, i) for i in within):
        return tokens
    dropped = {place for i in within for place in (i - 2, i - 1)} | _lists(tokens, bound)
    for w in windows:
        dropped |= w.places - {min(i for i in w.places if tokens[i].text == index)}
    return [t for i, t in enumerate(tokens) if i not in dropped]


def _window(tokens: Sequence[Token], i: int, close: int | None) -> _Window | None:
    """The window of the sum sign at `i`, whose bounds below it are in braces that close at `close`."""
    if close is None or [t.kind for t in tokens[i + 1 : i + 3]] != ["_", "{"]:
        return None
    inner = [t for t in tokens[i + 3 : close] if t.kind not in _FILLING and t.text != "substack"]
    upper = tokens[close + 1 : close + 5]
    in_braces = len(upper) == len("^{m}") and [upper[k].kind for k in (0, 1, 3)] == ["^", "{", "}"]
    above = upper[2].text if in_braces else upper[1].text if len(upper) > 1 and upper[0].kind == "^" else ""
    texts = [t.text for t in inner]
    if (
        len(texts) == len("-m≤j≤m,j≠0")
        and texts[0] == "-"
        and {texts[2], texts[4]} <= _AT_MOST
        and texts[1] == texts[5]
    ):
        index, bound, last = texts[3], texts[1], close
    elif above and len(texts) == len("j=-m,j≠0") and texts[1:3] == ["=", "-"] and texts[3] == above:
        index, bound, last = texts[0], above, close + (4 if in_braces else 2)
    else:
        return None
    separated = inner[-4].kind in (",", "newline") and texts[-3] == index and texts[-2] in _ANOTHER and texts[-1] == "0"
    places = frozenset((*range(i + 3, close), *range(close + 1, last + 1)))
    return _Window(index, bound, places) if separated else None


def _is_neighbour(tokens: Sequence[Token], i: int) -> bool:
    """Whether the token at `i` is the j of a script _{t+j}."""
    around = [t.kind for t in tokens[max(i - 4, 0) : i + 2]]
    return len(around) == _OFFSET and around[:2] == ["_", "{"] and around[3] == "+" and around[5] == "}"


def _lists(tokens: Sequence[Token], bound: str) -> set[int]:
    r"""The places of x_{t-m}, \ldots, x_{t+m} but for its first letter x."""
    found = set[int]()
    for i in range(len(tokens) - _OFFSET):
        letter, script = tokens[i].text, [t.text for t in tokens[i + 1 : i + 7]]
        if script[:2] + script[3:] != ["_", "{", "-", bound, "}"]:
            continue
        place, k = script[2], i + 7
        while k < len(tokens) and (tokens[k].kind == "," or tokens[k].text in DOTS or tokens[k].kind == "."):
            k += 1
            while [t.text for t in tokens[k : k + 4]] == [letter, "_", "{", place] and tokens[k + 5].text.isdigit():
                k += 7
        if [t.text for t in tokens[k : k + 7]] == [letter, "_", "{", place, "+", bound, "}"]:
            found |= set(range(i + 1, k + 7))
    return found

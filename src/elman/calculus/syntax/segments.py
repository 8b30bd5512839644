r"""A formula → its segments: what is between two breaks, divided at the signs of relations.

formula    = segment { break segment }          a break is a row, a comma, an arrow, a gap, a remark, \forall
segment    = [ part ] { sign [ part ] }         = := < ≤ ∈ …
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.conditions import OTHERWISE, sign_of
from elman.calculus.syntax.grammar import is_operator
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.tokens import CLOSING, OPENING, TEXT, Token

_ENDS_IF = re.compile(
    r"\b(?:if|when|whenever|provided|case|iff|whereas)\W*$|(?:若|如果|当|當|时|時)\W*$", re.IGNORECASE
)
_ENDS_FOR = re.compile(r"\b(?:for|where|with|as|all|any|each|every)\W*$|(?:对于|對於|其中)\W*$", re.IGNORECASE)


@dataclass
class Segment:
    """What is between two breaks: parts with signs between them. `before` is the break before it; `is_first` whether
    it begins its row.
    """

    before: str
    is_first: bool
    parts: list[list[Token]] = field(default_factory=lambda: [[]])
    signs: list[tuple[str, Token]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.signs and not self.parts[0]

    @property
    def tokens(self) -> list[Token]:
        """All tokens, signs included."""
        found = list(self.parts[0])
        for (_, sign), part in zip(self.signs, self.parts[1:], strict=True):
            found += [sign, *part]
        return found


def segments_of(tokens: list[Token], names: Names) -> list[Segment]:
    """The segments of a formula, the empty ones left out."""
    found = [Segment("row", True)]
    depth = skip = 0
    for i, token in enumerate(tokens):
        depth += token.kind in OPENING
        if skip:
            skip -= 1
        elif depth:
            found[-1].parts[-1].append(token)
        elif (sign := _sign_at(tokens, i)) is not None:
            found[-1].signs.append((sign, replace(token, end=tokens[i + 1].end) if token.kind == ":" else token))
            found[-1].parts.append([])
            skip = 1 if token.kind == ":" else 0
        elif (kind := _break_at(tokens, i, names, found[-1])) == "":
            found[-1].parts[-1].append(token)
        elif kind != "nothing":
            if token.kind == "command" and token.text in TEXT:
                skip = _group_length(tokens, i + 1)
                depth = 0
            is_first = kind == "row" or (found[-1].is_first and found[-1].is_empty)
            found.append(Segment(kind, is_first))
        depth -= token.kind in CLOSING
    return [segment for segment in found if not segment.is_empty or segment.before == "otherwise"]


def _group_length(tokens: list[Token], at: int) -> int:
    """How many tokens the group in braces at `at` has."""
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i].kind == "{") - (tokens[i].kind == "}")
        if depth == 0:
            return i - at + 1
    return 0


def _sign_at(tokens: list[Token], i: int) -> str | None:
    """The relation sign that begins here."""
    token = tokens[i]
    if token.kind == ":" and i + 1 < len(tokens) and tokens[i + 1].kind == "=":
        return ":="
    return sign_of(token)


def _break_at(tokens: list[Token], i: int, names: Names, segment: Segment) -> str:
    """The kind of break that a token is: "" for none, "nothing" for a mark that means nothing here."""
    token = tokens[i]
    kind = token.kind
    if kind in (",", ";", ".", "!"):
        return "comma"
    if kind == ":":
        return "colon"
    if kind == "arrow":
        return "arrow"
    if kind == "prose":
        return _remark(token.text)
    if kind == "command" and token.text in ("forall", "exists"):
        return "forall"
    if kind == "command" and token.text in TEXT:
        return "" if _is_name(tokens, i, names) else "word"
    if kind in ("newline", "&", "quad"):
        return _gap(tokens, i, segment)
    return ""


def _remark(text: str) -> str:
    """The break that a remark is: "if" and "for" begin a condition where they are its last word."""
    if OTHERWISE.search(text):
        return "otherwise"
    return "if" if _ENDS_IF.search(text) else "for" if _ENDS_FOR.search(text) else "word"


def _gap(tokens: list[Token], i: int, segment: Segment) -> str:
    """The break that a line end, an & or a space is: none where the formula goes on behind it."""
    gaps = ("newline", "&", "quad")
    after = next((k for k in range(i + 1, len(tokens)) if tokens[k].kind not in gaps), None)
    before = next((t for t in reversed(tokens[:i]) if t.kind not in gaps), None)
    kind = tokens[i].kind
    if after is None or before is None:
        return "nothing"
    newlines = any(t.kind == "newline" for t in tokens[i:after])
    if is_operator(tokens[after]) or is_operator(before) or sign_of(before) is not None:
        return "nothing"
    if _sign_at(tokens, after) is not None:
        return "row" if kind == "newline" else "nothing"  # the row goes on with the relation above
    if newlines:
        return "row" if kind == "newline" else "nothing"
    return {"&": "cell", "quad": "gap"}[kind] if not segment.is_empty else "nothing"


def _is_name(tokens: list[Token], i: int, names: Names) -> bool:
    """Whether a `\\text{word}` is a name or a function rather than a remark."""
    end = i + 1 + _group_length(tokens, i + 1)
    word = "".join(t.text for t in tokens[i + 1 : end] if t.kind not in ("{", "}"))
    if word in SPELLINGS or names.resolve(word) is not None or word in names.functions:
        return True
    following = tokens[end] if end < len(tokens) else None
    before = next((t for t in reversed(tokens[:i]) if t.kind not in ("&", "quad", "newline")), None)
    if following is not None and (following.kind in ("(", "_", "^", "'") or is_operator(following)):
        return True
    joins = before is not None and (is_operator(before) or sign_of(before) is not None)
    return joins or (following is not None and _sign_at(tokens, end) is not None)

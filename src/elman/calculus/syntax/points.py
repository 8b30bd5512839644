r"""The points of a formula: ... is an ellipsis, A.T a transpose, A.dot(B) and a.b products; any other ends a sentence.

A point between two factors is a product, as in x_i . y_i, unless a relation begins behind it and a space beside it:
a = b. c = d is two, and a = b.c = d one.
"""

from __future__ import annotations

from elman.calculus.syntax.grammar import ENTRYWISE, PRODUCTS, RELATIONS
from elman.calculus.syntax.tokens import CLOSING, DOTS, FONTS, OPENING, TEXT, Token

_ENDS_FACTOR = {"letter", "number", ")", "]", "}", "end", "'", "norm", "|", "rangle"}
_BEGINS_FACTOR = {"letter", "number", "(", "[", "{", "begin", "norm", "langle"}
_NO_FACTORS = {*RELATIONS, *ENTRYWISE, *PRODUCTS, *TEXT, "forall", "exists", "prime", *DOTS}
_BREAKS = {",", ";", ".", ":", "newline", "&", "quad", "prose", "arrow"}
_SIGNS = {"=", "<", ">"}


def with_points_read(tokens: list[Token]) -> list[Token]:
    """The tokens of a formula with each point that is mathematics in place of the sign that it stands for."""
    found: list[Token] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind != ".":
            found.append(token)
            i += 1
            continue
        count = 1
        while i + count < len(tokens) and tokens[i + count].kind == ".":
            count += 1
        if count > 1:
            found.append(Token("command", "dots", token.start, tokens[i + count - 1].end))
        elif _is_transpose(tokens, i):
            found += [Token("^", "^", token.start, token.end), tokens[i + 1]]
            count = 2
        elif length := _length_of_dot(tokens, i):
            found.append(Token("@", "@", token.start, tokens[i + length - 1].end))
            count = length
        elif _is_product(tokens, i):
            found.append(Token("command", "cdot", token.start, token.end))
        else:
            found.append(token)
        i += count
    return found


def _is_transpose(tokens: list[Token], i: int) -> bool:
    """Whether a point is that of A.T, without a space: T is not applied and has no scripts."""
    if not _ends_factor(tokens, i - 1) or i + 1 >= len(tokens):
        return False
    mark = tokens[i + 1]
    behind = tokens[i + 2] if i + 2 < len(tokens) else None
    touching = tokens[i - 1].end == tokens[i].start and tokens[i].end == mark.start
    applied = behind is not None and behind.kind in ("(", "_", "^", "'")
    longer = behind is not None and behind.kind == "letter" and behind.start == mark.end
    return mark.text == "T" and touching and not applied and not longer


def _length_of_dot(tokens: list[Token], i: int) -> int:
    r"""How many tokens .dot before a parenthesis is, the word upright or not; 0 for anything else."""
    if not _ends_factor(tokens, i - 1):
        return 0
    upright = i + 2 < len(tokens) and tokens[i + 1].text in (*FONTS, *TEXT) and tokens[i + 2].kind == "{"
    spelled = [tokens[i + 1].text, *"{dot}"] if upright else [*"dot"]
    behind = [t.text for t in tokens[i + 1 : i + len(spelled) + 2]]
    return len(spelled) + 1 if behind == [*spelled, "("] else 0


def _is_product(tokens: list[Token], i: int) -> bool:
    """Whether a point is between two factors, and no relation begins behind it."""
    if not _ends_factor(tokens, i - 1) or not _begins_factor(tokens, i + 1):
        return False
    if tokens[i - 1].end == tokens[i].start and tokens[i].end == tokens[i + 1].start:
        return True
    depth = 0
    for token in tokens[i + 1 :]:
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        if depth < 0 or (depth == 0 and token.kind in _BREAKS - {"."}):
            return True
        if depth == 0 and (token.kind in _SIGNS or (token.kind == "command" and token.text in RELATIONS)):
            return False
    return True


def _ends_factor(tokens: list[Token], i: int) -> bool:
    if i < 0:
        return False
    token = tokens[i]
    return token.kind in _ENDS_FACTOR or (token.kind == "command" and token.text not in _NO_FACTORS)


def _begins_factor(tokens: list[Token], i: int) -> bool:
    if i >= len(tokens):
        return False
    token = tokens[i]
    return token.kind in _BEGINS_FACTOR or (token.kind == "command" and token.text not in _NO_FACTORS)

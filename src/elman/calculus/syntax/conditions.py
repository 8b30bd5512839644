"""Conditions and what is made of them: i = j, x > 0, indicators, cases; and tables of entries, which are written alike.

condition  = side sign side { sign side } { ( "," | "and" ) condition }     sign: = ≠ < ≤ > ≥
indicator  = ( "1" | "I" | nothing ) ( "(" condition ")" | "[" condition "]" | "{" condition "}" | "_" condition )
cases      = row { newline row }         row = sum ( "&" | "," | remark ) ( condition | "otherwise" )
matrix     = entries { newline entries } entries = sum { "&" sum }
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

from elman.calculus.expression import Call, Cases, Comparison, Expression, Iverson, Matrix, Number, Product
from elman.calculus.syntax.cursor import divided, split_at_commas
from elman.calculus.syntax.dotted_tables import dotted_table, has_dots
from elman.calculus.syntax.grammar import RELATIONS, Grammar
from elman.calculus.syntax.names import INDEX_LETTERS, Names
from elman.calculus.syntax.tokens import CLOSING, OPENING, Token, is_bracketed
from elman.errors import FormulaError

SIGNS = {"=", "≠", "<", "≤", ">", "≥"}
ALWAYS = Number(Fraction(1))
IF = re.compile(
    r"\b(?:if|for|when|whenever|where|case|provided|with|as|whereas)\b|若|如果|当|對於|对于|时|時", re.IGNORECASE
)
OTHERWISE = re.compile(
    r"\b(?:otherwise|else|elsewhere|other\s+cases|sonst|autrement)\b|否则|否則|其他|其它", re.IGNORECASE
)
_AND = re.compile(r"\band\b|且|和|,|，", re.IGNORECASE)


# --- conditions ---


def sign_of(token: Token) -> str | None:
    """The sign of a relation that a token is; None for any other token."""
    if token.kind == "command":
        return RELATIONS.get(token.text)
    return RELATIONS.get(token.kind) if token.kind in ("=", "<", ">") else None


def at_top(tokens: list[Token], start: int = 0) -> list[tuple[int, Token]]:
    """The tokens from `start` on that are in no bracket, with their positions; brackets themselves count."""
    found, depth = [], 0
    for i, token in enumerate(tokens[start:], start):
        if token.kind in CLOSING:
            depth -= 1
        if depth == 0:
            found.append((i, token))
        if token.kind in OPENING:
            depth += 1
    return found


def has_relation(tokens: list[Token]) -> bool:
    """Whether there is a relation sign among some tokens, outside their brackets."""
    return any(sign_of(token) in SIGNS for _, token in at_top(tokens))


def conditions(p: Grammar, tokens: list[Token]) -> tuple[Expression, ...]:
    """The conditions that some tokens are, each an `Iverson` or a `Comparison`."""
    found: list[Expression] = []
    for part in _separate(tokens):
        part = _without_brackets(part)
        signs = [(i, sign) for i, t in at_top(part) if (sign := sign_of(t)) is not None]
        if not signs or any(sign not in SIGNS for _, sign in signs):
            place = part[0].start if part else (tokens[0].start if tokens else 0)
            raise FormulaError("this condition is not read: write it as i = j, or x > 0", place + 1)
        edges = [-1, *(i for i, _ in signs), len(part)]
        sides = [part[a + 1 : b] for a, b in pairwise(edges)]
        found += [_condition(p, a, b, sign) for (_, sign), a, b in zip(signs, sides, sides[1:], strict=False)]
    return tuple(found)


def _separate(tokens: list[Token]) -> list[list[Token]]:
    """The parts of some tokens between commas and "and"; other remarks are left out."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "prose" and _AND.search(token.text):
            parts.append([])
        elif token.kind not in ("prose", "quad", "&", "newline", "."):
            parts[-1].append(token)
    split = [piece for part in parts for piece in split_at_commas(part) if piece]
    return [piece for part in split for piece in divided(part, _is_and, nested=True)]


def _is_and(token: Token) -> bool:
    return token.kind == "command" and token.text in ("land", "wedge")


def _without_brackets(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[0].kind == "(" and tokens[-1].kind == ")" and has_relation(tokens[1:-1]):
        tokens = tokens[1:-1]
    return tokens


def _condition(p: Grammar, left: list[Token], right: list[Token], sign: str) -> Expression:
    """One condition, between two sides: of indices where both are."""
    if not left or not right:
        raise p.cursor.error("a condition has two sides: i = j")
    span = (left[0].start, right[-1].end)
    if is_index(left, p.names) and is_index(right, p.names) and not (_is_number(left) and _is_number(right)):
        return Iverson(p.index(left), p.index(right), sign, span=span)
    return Comparison(p.group(left), p.group(right), sign, span=span)


def _is_number(tokens: list[Token]) -> bool:
    return all(t.kind == "number" for t in tokens)


def is_index(tokens: list[Token], names: Names) -> bool:
    """Whether tokens are an index letter, one with an offset as k+1, or a whole number."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if len(kept) == 1 and kept[0].kind == "number":
        return kept[0].text.isdigit()
    if not kept or kept[0].kind not in ("letter", "command"):
        return False
    word = kept[0].text
    if "".join(t.text for t in kept) in names.pointers:
        return True
    letter = word in names.indices or (word in (*INDEX_LETTERS, "t", "tau", "m") and names.resolve(word) is None)
    offset = len(kept) == 3 and kept[1].kind in ("+", "-") and kept[2].text.isdigit()
    return letter and (len(kept) == 1 or offset)


def product_of_conditions(p: Grammar, tokens: list[Token]) -> Expression:
    """Conditions that hold together, as one factor."""
    found = conditions(p, tokens)
    if not found:
        raise FormulaError(
            "a condition is expected here: write it as i = j, or x > 0", (tokens[0].start if tokens else 0) + 1
        )
    result = found[0]
    for condition in found[1:]:
        result = Product(result, condition)
    return result


def indicator(p: Grammar) -> Expression | None:
    """The condition behind a 1 or an I, already taken: 1(i = j), 1[y = k], 1_{x > 0}; None where none comes next."""
    cursor = p.cursor
    kind = cursor.kind()
    if kind in ("(", "[", "{") and has_relation(cursor.bracketed()):
        return product_of_conditions(p, cursor.take_bracket())
    if kind == "_" and cursor.kind(1) == "{" and has_relation(_inside(cursor.ahead(1))):
        cursor.skip()
        return product_of_conditions(p, _inside(cursor.take_bracket()))
    return None


def _inside(tokens: list[Token]) -> list[Token]:
    """What is in brackets, where these are all: of 1_{[x > 0]}."""
    return tokens[1:-1] if is_bracketed(tokens) else tokens


# --- tables ---


def table(p: Grammar) -> Expression:
    """The table whose \\begin comes next."""
    begin = p.cursor.peek()
    assert begin is not None
    inner = p.cursor.take_bracket()
    rows = [row for row in divided(inner, lambda t: t.kind == "newline") if row]
    if not rows:
        raise FormulaError("an empty table", begin.start + 1)
    if begin.text in ("cases", "dcases", "rcases"):
        return _cases(p, rows, begin)
    matrix = dotted_table(p, rows, begin.start) if has_dots(inner) else _matrix(p, rows, begin.start)
    if begin.text == "vmatrix":
        return Call("det", (matrix,), latex="|")
    if begin.text == "Vmatrix":
        return Call("norm", (matrix,), latex="‖")
    return matrix


def _matrix(p: Grammar, rows: list[list[Token]], start: int) -> Matrix:
    cells = _without_empty_columns([divided(row, lambda t: t.kind == "&") for row in rows])
    entries = tuple(tuple(p.group(cell) for cell in row) for row in cells)
    if len({len(row) for row in entries}) != 1:
        raise FormulaError("the rows of this matrix have different lengths", start + 1)
    return Matrix(entries)


def _without_empty_columns(rows: list[list[list[Token]]]) -> list[list[list[Token]]]:
    """The cells of a table without the columns that are empty in every row: of a && b, or of an & at the end."""
    if len({len(row) for row in rows}) != 1:
        return rows
    kept = [k for k in range(len(rows[0])) if any(row[k] for row in rows)]
    return [[row[k] for k in kept] for row in rows] if kept else rows


def _cases(p: Grammar, rows: list[list[Token]], begin: Token) -> Expression:
    values: list[Expression] = []
    found: list[Expression] = []
    for row in rows:
        value, condition = _case(row)
        if not value:
            raise FormulaError("a case has no value", row[0].start + 1)
        values.append(p.group(_without_comma(value)))
        if condition is None:
            raise FormulaError("a case needs a condition, or the word otherwise", row[0].start + 1)
        found.append(_condition_of_case(p, condition))
    return Cases(tuple(values), tuple(found), span=(begin.start, p.cursor.last_end))


def _case(row: list[Token]) -> tuple[list[Token], list[Token] | None]:
    """The value and the condition of a case, which is behind an &, a comma, a remark or a point."""
    marks = [i for i, t in at_top(row) if t.kind == "&"]
    if not marks:
        marks = [i for i, t in at_top(row) if t.kind in (",", "prose", "quad", ";")]
    if not marks:  # 0. x < 0
        marks = [i for i, t in at_top(row) if t.kind == "." and has_relation(row[i + 1 :])]
    if not marks:
        return row, None
    at = marks[0]
    return row[:at], row[at:] if row[at].kind == "prose" else row[at + 1 :]


def _without_comma(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].kind in (",", ";", "quad", ":"):
        tokens = tokens[:-1]
    return tokens


def _condition_of_case(p: Grammar, tokens: list[Token]) -> Expression:
    """The condition of a case; 1 for "otherwise"."""
    kept = [t for t in _without_comma(tokens) if t.kind not in ("&", "quad", ".") and not _is_if(t)]
    while kept and kept[0].kind in (",", ":"):
        kept = kept[1:]
    spelled = "".join(t.text for t in kept if t.kind in ("letter", "prose"))
    if OTHERWISE.search(spelled) and not has_relation(kept):
        return ALWAYS
    if not kept:
        raise FormulaError("a case needs a condition, or the word otherwise", (tokens[0].start if tokens else 0) + 1)
    return product_of_conditions(p, kept)


def _is_if(token: Token) -> bool:
    return token.kind == "prose" and IF.search(token.text) is not None and not OTHERWISE.search(token.text)

"""What stands above and below a letter: a time step, a transpose, a power, an entry, or a part of the name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from elman.calculus.expression import (
    Call,
    Entry,
    Expression,
    Index,
    Inverse,
    Number,
    Ones,
    Power,
    Symbol,
    Transpose,
)
from elman.calculus.syntax.names import INDEX_LETTERS, TIME_LETTERS, Names
from elman.calculus.syntax.tokens import Token
from elman.errors import FormulaError

if TYPE_CHECKING:
    from elman.calculus.syntax.latex import _Parser

_TRANSPOSES = {"T", "top", "intercal", "mathsfT", "mathbfT"}


@dataclass(frozen=True, slots=True)
class Base:
    """A letter that may still take scripts into its name: its word, accent, label, how it was written, its time."""

    word: str
    accent: str = ""
    label: str = ""
    latex: str = ""
    time: Index | None = None
    below: bool = False
    start: int = 0

    @property
    def name(self) -> str:
        """The canonical name: word, accent, label."""
        return "_".join(part for part in (self.word, self.accent, self.label) if part)

    def symbol(self, names: Names) -> Symbol:
        """The symbol, under the name that the page has for it."""
        name = names.resolve(self.name) or self.name
        return Symbol(name, self.time, self.latex, self.below)


def text_of(tokens: list[Token]) -> str:
    """The letters of a script, fonts and braces left out."""
    return "".join(t.text for t in tokens if t.kind not in ("{", "}") and t.text not in ("mathrm", "text", "rm"))


def index_of(tokens: list[Token], parser: _Parser) -> Index:
    """A time step or an index: `t-1`, `(i+1)`, `0`."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if kept and kept[0].kind == "(" and kept[-1].kind == ")":
        kept = kept[1:-1]
    where = (kept[0].start if kept else parser.place()) + 1
    shape = [t.kind for t in kept]
    if shape == ["number"] and kept[0].text.isdigit():
        return Index(None, int(kept[0].text))
    if shape == ["-", "number"] and kept[1].text.isdigit():
        return Index(None, -int(kept[1].text))
    if shape and shape[0] in ("letter", "command"):
        variable, rest = kept[0].text, kept[1:]
        while rest and rest[0].kind == "letter":  # several letters: Dh
            variable, rest = variable + rest[0].text, rest[1:]
        if len(rest) > 1 and rest[0].kind == "_":
            variable, rest = variable + "_" + rest[1].text, rest[2:]
        if not rest:
            return Index(variable)
        if len(rest) == 2 and rest[0].kind in "+-" and rest[1].text.isdigit():
            return Index(variable, int(rest[0].text + rest[1].text))
    raise FormulaError(f"{text_of(tokens)!r} is not read as an index: write i, t-1 or 0", where)


def _is_timelike(tokens: list[Token]) -> bool:
    """(t), t-1, (i+1), τ, in parentheses any index."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if not kept:
        return False
    if kept[0].kind == "(" and kept[-1].kind == ")":
        return True
    return kept[0].text in TIME_LETTERS and (len(kept) == 1 or (len(kept) == 3 and kept[1].kind in "+-"))


def with_time(node: Expression | Base, time: Index, names: Names, below: bool, where: int) -> Expression | Base:
    """The node at a time step; the time of an entry or of a transpose is that of its letter."""
    if isinstance(node, Base):
        return replace(node, time=time, below=below)
    if isinstance(node, Symbol) and node.time is None:
        return replace(node, time=time, below=below)
    if isinstance(node, Entry | Transpose):
        inner = with_time(node.of, time, names, below, where)
        return replace(node, of=inner.symbol(names) if isinstance(inner, Base) else inner)
    raise FormulaError("a time step belongs to a letter", where)


def subscript(node: Expression | Base, tokens: list[Token], parser: _Parser) -> Expression | Base:
    """What `_…` makes of a node."""
    names = parser.names
    where = (tokens[0].start if tokens else parser.place()) + 1
    text = text_of(tokens)
    if not text:
        raise FormulaError("an empty subscript", where)
    if isinstance(node, Base) and not node.label:
        plain = text.replace(",", "")
        labelled = replace(node, label=plain, latex=f"{node.latex}_{_source(tokens)}")
        if names.resolve(labelled.name) is not None:
            return labelled
        if node.name in names.families and node.time is None and len(found := _indices_in(tokens, names, True)) == 1:
            return Entry(node.symbol(names), found, column=True)
        known_timed = node.name in names.timed and names.resolve(node.name) is not None
        if node.time is None and (_is_timelike(tokens) or (text.isdigit() and known_timed)):
            return replace(node, time=index_of(tokens, parser), below=True)
        if not _indices_in(tokens, names) or _has_sister(labelled, names):
            return labelled
    elif _is_timelike(tokens) and isinstance(node, Base) and node.time is None:
        return replace(node, time=index_of(tokens, parser), below=True)
    inner = node.symbol(names) if isinstance(node, Base) else node
    found = _indices_in(tokens, names, numbers=not isinstance(node, Base) or bool(node.label))
    if not found:
        raise FormulaError(f"the subscript {text!r} is not read as an index", where)
    return Entry(inner, found)


def _source(tokens: list[Token]) -> str:
    """A subscript as LaTeX."""
    text = "".join(("\\" + t.text + " ") if t.kind == "command" else t.text for t in tokens)
    return text if len(tokens) == 1 else "{" + text.strip() + "}"


def _has_sister(labelled: Base, names: Names) -> bool:
    """Whether v_o is a name because v_c is one, v alone is none, and no sum runs over o."""
    if names.resolve(labelled.word) is not None or labelled.label in names.indices:
        return False
    stem = labelled.name.removesuffix(labelled.label)
    return any(name.startswith(stem) and name[len(stem) :] in INDEX_LETTERS for name in names.known)


def _indices_in(tokens: list[Token], names: Names, numbers: bool = False) -> tuple[Index, ...]:
    """The indices that a subscript consists of; none where it has anything else in it."""
    kept = [t for t in tokens if t.kind not in ("{", "}", ",")]
    letters = INDEX_LETTERS | names.indices
    if not all((t.kind == "letter" and t.text in letters) or (numbers and t.kind == "number") for t in kept):
        return ()
    return tuple(Index(t.text) if t.kind == "letter" else Index(None, int(t.text)) for t in kept)


def superscript(node: Expression | Base, tokens: list[Token], parser: _Parser) -> Expression | Base:
    """What `^…` makes of a node."""
    names = parser.names
    where = (tokens[0].start if tokens else parser.place()) + 1
    if not tokens:
        raise FormulaError("an empty superscript", where)
    close = next((i for i, t in enumerate(tokens) if t.kind == ")"), None)
    if tokens[0].kind == "(" and close is not None and _is_plain_index(tokens[1:close]):
        inside, rest = tokens[1:close], tokens[close + 1 :]
        timed = _timed(node, inside, names, parser, where)
        return superscript(timed, rest, parser) if rest else timed
    text = text_of(tokens)
    inner = node.symbol(names) if isinstance(node, Base) else node
    if text in _TRANSPOSES:
        return Transpose(Ones(span=inner.span) if inner == Number(Fraction(1)) else inner)  # 1^T x is a sum
    if text == "-1":
        return Inverse(inner)
    if text in ("-T", "-top"):
        return Transpose(Inverse(inner))
    if text == "prime":
        return Transpose(inner)
    if _is_timelike(tokens) and names.resolve(text) is None:
        return with_time(node, index_of(tokens, parser), names, False, where)
    elementwise = tokens[0].text in ("circ", "odot")
    exponent = parser.group_of(tokens[1:] if elementwise else tokens)
    exponent = exponent.symbol(names) if isinstance(exponent, Base) else exponent
    return Power(inner, exponent, elementwise or (isinstance(inner, Call) and not isinstance(exponent, Number)))


def _is_plain_index(tokens: list[Token]) -> bool:
    kinds = [t.kind for t in tokens]
    return bool(kinds) and all(k in ("letter", "command", "number", "+", "-", "_", "{", "}") for k in kinds)


def _timed(
    node: Expression | Base, inside: list[Token], names: Names, parser: _Parser, where: int
) -> Expression | Base:
    """A script in parentheses: a time step; a number on a letter without time steps is a part of its name, as in
    W^{(1)}.
    """
    index = index_of(inside, parser)
    if isinstance(node, Base) and index.variable is None and node.name not in names.timed and not node.label:
        return replace(node, label=str(index.offset), latex=f"{node.latex}^{{({index.offset})}}")
    return with_time(node, index, names, False, where)

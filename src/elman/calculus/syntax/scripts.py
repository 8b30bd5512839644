"""Subscripts and superscripts: a time step, a transpose, a power, an entry, or a part of the name.

`W_h` may be one name and `y_j` an entry of y; which it is follows from the names of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from elman.calculus.expression import (
    Apply,
    Call,
    Derivative,
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
from elman.calculus.functions import ELEMENTWISE, WHOLE
from elman.calculus.syntax.cursor import divided, split_at_commas
from elman.calculus.syntax.names import INDEX_LETTERS, TIME_LETTERS, Names
from elman.calculus.syntax.tokens import Token, is_bracketed
from elman.errors import FormulaError

_TRANSPOSES = {"T", "top", "intercal", "transpose"}
_FONTS = {"mathrm", "text", "rm", "mathbf", "mathsf", "mathit", "textrm", "boldsymbol", "bm", "operatorname", "mathtt"}
# Words of index letters that are labels: x_{in}, v_{min}.
_LABELS = {"in", "on", "or", "no", "min", "pos", "prior", "cls", "obs", "skip", "bin", "rms", "crop"}
# Letters above a weight that name it: those of attention.
_WEIGHTS, _ROLES = frozenset("WwBbU"), frozenset("QKVO")
# A sign above a letter that makes another letter of it → its name.
_MARKS = {"*": "star", "star": "star", "ast": "star", "prime": "prime", "+": "plus", "-": "minus", "'": "prime"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter whose name is still open, since a script may add to it: W, with its label W_h.

    `word` is the letter or the name as spelled, `accent` a hat or a bar, `label` what a script added, `latex` how it
    was written; `time` is its time step and `below` whether that was a subscript.
    """

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


Node: TypeAlias = Expression | Letter


def closed(node: Node, names: Names) -> Expression:
    """The expression that a node is, a letter's name no longer open."""
    return node.symbol(names) if isinstance(node, Letter) else node


# Two indices that are numbers, of which one has two digits, so that the comma must be seen: x_{1,10} is not x_{11,0}.
_LARGE_NUMBERS = re.compile(r"\d{2,},\d+|\d+,\d{2,}")


# --- indices ---


def index_of(tokens: list[Token], place: int) -> Index:
    """A time step or an index: `t-1`, `(i+1)`, `0`. `place`: where an error is shown if there are no tokens."""
    kept = [t for t in tokens if t.kind not in ("{", "}") and t.text not in _FONTS]
    if is_bracketed(kept):
        kept = kept[1:-1]
    where = (kept[0].start if kept else place) + 1
    kinds = [t.kind for t in kept]
    if kinds == ["number"] and kept[0].text.isdigit():
        return Index(None, int(kept[0].text))
    if kinds == ["-", "number"] and kept[1].text.isdigit():
        return Index(None, -int(kept[1].text))
    if kinds and kinds[0] in ("letter", "command"):
        variable, rest = kept[0].text, kept[1:]
        while rest and rest[0].kind == "letter":  # several letters: Dh
            variable, rest = variable + rest[0].text, rest[1:]
        if len(rest) > 1 and rest[0].kind == "_":
            variable, rest = variable + "_" + rest[1].text, rest[2:]
        if not rest:
            return Index(variable)
        if len(rest) == 2 and rest[0].kind in "+-" and rest[1].text.isdigit():
            return Index(variable, int(rest[0].kind + rest[1].text))
    raise FormulaError(f"{_letters_of(tokens)!r} is not read as an index: write i, t-1 or 0", where)


def _letters_of(tokens: list[Token]) -> str:
    """The letters of a script, fonts and braces left out."""
    return "".join(t.text.replace(" ", "") for t in tokens if t.kind not in ("{", "}") and t.text not in _FONTS)


def _is_time(tokens: list[Token]) -> bool:
    """Whether a script reads as a time step: t-1, τ, and in parentheses any index."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if not kept:
        return False
    if kept[0].kind == "(" and kept[-1].kind == ")":
        return not any(t.kind == "," for t in kept)  # E_{(w,b)} is a loss with its parameters
    return kept[0].text in TIME_LETTERS and (len(kept) == 1 or (len(kept) == 3 and kept[1].kind in "+-"))


def _indices_in(tokens: list[Token], names: Names, numbers: bool = False) -> tuple[Index, ...]:
    """The indices that a subscript consists of; none if it has anything else in it."""
    kept = [t for t in tokens if t.kind not in ("{", "}", ",") and t.text not in _FONTS]
    if not names.indices and "".join(t.text for t in kept) in _LABELS:
        return ()
    letters = INDEX_LETTERS | names.indices
    if not all((t.kind == "letter" and t.text in letters) or (numbers and t.kind == "number") for t in kept):
        return ()
    return tuple(Index(t.text) if t.kind == "letter" else Index(None, int(t.text)) for t in kept)


# --- subscripts ---


def subscript(node: Node, tokens: list[Token], names: Names, place: int) -> Node:
    """The node with a subscript: a part of its name, a time step, or entries by index.

    `place`: where an error is shown if there are no tokens.
    """
    if not tokens:  # z_{}^{(k)}
        return node
    where = tokens[0].start + 1
    text = _letters_of(tokens)
    if not text:
        raise FormulaError("an empty subscript", where)
    if (bracketed := _in_brackets(tokens)) is not None:
        label, found = bracketed
        return Entry(closed(subscript(node, label, names, place) if label else node, names), found)
    if isinstance(node, Letter):
        found_within = _time_and_entries(node, tokens, names, place) or _of_nested(node, tokens, names, place)
        if found_within is not None:
            return found_within
    if isinstance(node, Letter) and not node.label and node.time is None and _is_step(node, tokens, names):
        return replace(node, time=index_of(tokens, place), below=True)
    if isinstance(node, Letter) and not node.label:
        plain = re.sub(r"[(),]", "", "_".join(text.split(",")) if _LARGE_NUMBERS.fullmatch(text) else text)
        labelled = replace(node, label=plain, latex=f"{node.latex}_{_as_latex(tokens)}")
        if names.resolve(labelled.name) is not None:
            return labelled
        if node.name in names.families and node.time is None and len(found := _indices_in(tokens, names, True)) == 1:
            return Entry(node.symbol(names), found, column=True)
        known_timed = node.name in names.timed and names.resolve(node.name) is not None
        if node.time is None and (_is_time(tokens) or (text.isdigit() and known_timed)):
            return replace(node, time=index_of(tokens, place), below=True)
        if not _indices_in(tokens, names) or _is_one_of_several(labelled, names):
            return labelled
    elif isinstance(node, Letter) and node.time is None and _is_time(tokens):
        return replace(node, time=index_of(tokens, place), below=True)
    numbers = not isinstance(node, Letter) or bool(node.label)
    found = _indices_in(tokens, names, numbers)
    if not found:
        raise FormulaError(f"the subscript {text!r} is not read as an index", where)
    return Entry(closed(node, names), found)


def _in_brackets(tokens: list[Token]) -> tuple[list[Token], tuple[Index, ...]] | None:
    """What stands before the brackets of a subscript such as h[i,j], and the indices in them; None without brackets."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    opening = next((k for k, t in enumerate(kept) if t.kind == "["), None)
    if opening is None or kept[-1].kind != "]":
        return None
    inside = [t for t in kept[opening + 1 : -1] if t.kind != ","]
    if not inside or not all((t.kind == "letter" and len(t.text) == 1) or t.kind == "number" for t in inside):
        return None
    return kept[:opening], tuple(Index(t.text) if t.kind == "letter" else Index(None, int(t.text)) for t in inside)


def _time_and_entries(node: Letter, tokens: list[Token], names: Names, place: int) -> Node | None:
    """y_{t,i}: entry i at time t; None for any other subscript."""
    first, *rest = split_at_commas([t for t in tokens if t.kind not in ("{", "}")])
    if not rest and node.name in names.timed and len(tokens) > 3 and tokens[1].text in TIME_LETTERS:
        first, rest = first[:1], [first[1:]]  # y_{ti}
    if not rest or node.time is not None or not _is_time(first) or not all(rest):
        return None
    found = _indices_in([t for part in rest for t in part], names, numbers=True)
    if not found:
        return None
    return Entry(replace(node, time=index_of(first, place), below=True).symbol(names), found)


def _of_nested(node: Letter, tokens: list[Token], names: Names, place: int) -> Node | None:
    """A subscript with a subscript: s_{t_b}, entry b at time t; z_{2_j}, an entry of z_2; p_{y_i}, an entry whose index
    is data; u_{w_s}, one of a list of letters. None for any other, which is a part of the name.
    """
    split = _nested(tokens)
    if split is None or node.time is not None:
        return None
    first, second = split
    label, pointer = _letters_of(first), f"{_letters_of(first)}_{_letters_of(second)}"
    labelled = replace(
        node, label="_".join(filter(None, (node.label, label))), latex=f"{node.latex}_{_as_latex(first)}"
    )
    if names.resolve(f"{labelled.name}_{_letters_of(second)}") is not None:
        return None
    inner = _pointer(second, names) or _indices_in(second, names, numbers=True)
    if node.name in names.timed and _is_time(first) and inner:
        return Entry(replace(node, time=index_of(first, place), below=True).symbol(names), inner)
    if names.resolve(labelled.name) is not None and inner and label not in names.indices:
        return Entry(labelled.symbol(names), inner)
    if pointer in names.pointers:
        return Entry(node.symbol(names), (Index(pointer),))
    if labelled.name in names.lists and len(inner) == 1:
        return Entry(Symbol(f"{labelled.name}_each", latex=labelled.latex), inner)
    return None


def _nested(tokens: list[Token]) -> tuple[list[Token], list[Token]] | None:
    """A subscript and the one on it: `w` and `s` of w_s, `2` and `y_i` of 2_{y_i}; None where there are not two."""
    first, *rest = divided(tokens, lambda token: token.kind == "_")
    if not rest:
        within = tokens[1:-1] if len(tokens) > 2 and tokens[0].kind == "{" and tokens[-1].kind == "}" else []
        return _nested(within) if within else None
    return (first, rest[0]) if len(rest) == 1 and first and rest[0] else None


def _pointer(tokens: list[Token], names: Names) -> tuple[Index, ...]:
    """The index that a subscript is, where the data give it: y_i."""
    text = _letters_of(tokens)
    return (Index(text),) if text in names.pointers else ()


def _as_latex(tokens: list[Token]) -> str:
    """A subscript as LaTeX."""
    text = "".join(("\\" + t.text + " ") if t.kind == "command" else t.text for t in tokens)
    single = len(tokens) == 1 and (tokens[0].kind == "command" or len(text) == 1)
    return text if single else "{" + text.strip() + "}"


def _is_one_of_several(labelled: Letter, names: Names) -> bool:
    """Whether v_o is a name because v_c is one, v alone is none, and no sum runs over o."""
    if names.resolve(labelled.word) is not None or labelled.label in names.indices:
        return False
    stem = labelled.name.removesuffix(labelled.label)
    return any(name.startswith(stem) and name[len(stem) :] in INDEX_LETTERS for name in names.known)


# --- superscripts ---


def is_transpose(tokens: list[Token]) -> bool:
    """Whether a superscript is the sign of a transpose."""
    return _letters_of(tokens) in _TRANSPOSES


def superscript(
    node: Node, tokens: list[Token], names: Names, place: int, read_exponent: Callable[[list[Token]], Expression]
) -> Node:
    """The node with a superscript: a time step, a layer, a transpose, an inverse, a mark, or a power.

    `place`: where an error is shown if there are no tokens. `read_exponent` reads the tokens of an exponent.
    """
    where = (tokens[0].start if tokens else place) + 1
    if not tokens:
        raise FormulaError("an empty superscript", where)
    close = next((i for i, t in enumerate(tokens) if t.kind == _CLOSES.get(tokens[0].kind)), None)
    if close is not None and _is_plain_index(tokens[1:close]):
        inside, rest = tokens[1:close], tokens[close + 1 :]
        above = _with_index_above(node, index_of(inside, place), names, where, _as_latex(tokens[: close + 1]))
        return superscript(above, rest, names, place, read_exponent) if rest else above
    text = _letters_of(tokens)
    of = closed(node, names)
    if text in _TRANSPOSES or text in names.transposes:
        return Transpose(Ones(span=of.span) if of == Number(Fraction(1)) else of)  # 1^T x is a sum
    if text == "-1":
        return Inverse(of)
    if text in ("-T", "-top", "-intercal"):
        return Transpose(Inverse(of))
    if text in ("dagger",) or (text == "+" and isinstance(node, Letter) and node.word[:1].isupper()):
        return _pseudo_inverse(of, where)
    if text in _MARKS:
        return _marked(node, _MARKS[text], _as_latex(tokens), names, where)
    tokens = _without_example(tokens, names)
    if _is_level(tokens, names):
        return _with_time(node, index_of(tokens, place), names, where)
    if isinstance(node, Letter) and node.time is None and node.name in names.squares and text in ("2", "4", "6"):
        square = Symbol(f"{node.name}_squared", latex=f"{node.latex}^2")
        return square if text == "2" else Power(square, Number(Fraction(int(text) // 2)))
    if isinstance(node, Entry) and isinstance(node.of, Symbol) and node.of.name in names.squares and text == "2":
        return replace(node, of=replace(node.of, name=f"{node.of.name}_squared", latex=f"{node.of.latex}^2"))
    if _is_time(tokens) and names.resolve(text) is None:
        return _with_time(node, index_of(tokens, place), names, where)
    if _is_label_above(node, tokens, names):
        return _marked(node, text, _as_latex(tokens), names, where)
    elementwise = tokens[0].text in ("circ", "odot")
    exponent = read_exponent(tokens[1:] if elementwise else tokens)
    return Power(of, exponent, elementwise or (isinstance(of, Call) and not isinstance(exponent, Number)))


_CLOSES = {"(": ")", "[": "]"}


def _is_label_above(node: Node, tokens: list[Token], names: Names) -> bool:
    """Whether a superscript is a part of a letter's name: y^{true}, W^{hh}, W^Q. Letters that are indices, as in
    x^{ij}, and those above a number, as in 2^{nk}, are none.
    """
    letter = node.of if isinstance(node, Entry) else node
    if not isinstance(letter, Letter | Symbol):
        return False
    word = letter.word if isinstance(letter, Letter) else letter.name.split("_")[0]
    kept = [t for t in tokens if t.kind not in ("{", "}") and t.text not in _FONTS]
    if not kept or not all(t.kind == "letter" for t in kept):
        return False
    text = "".join(t.text for t in kept)
    if len(kept) == 1:
        weight = word in _WEIGHTS and text.isupper() and text not in names.levels
        return weight and (text in _ROLES or names.resolve(f"{word}_{text}") is not None)
    if any(t.text in _FONTS for t in tokens) or len(kept) > 2:
        return True
    return text in _LABELS or not set(text) <= INDEX_LETTERS | names.indices


def _is_plain_index(tokens: list[Token]) -> bool:
    kinds = [t.kind for t in tokens]
    return bool(kinds) and all(k in ("letter", "command", "number", "+", "-", "_", "{", "}") for k in kinds)


def _is_step(node: Letter, tokens: list[Token], names: Names) -> bool:
    """Whether a subscript is another letter for a time step, k or i-1, of a letter that has time steps."""
    return node.name in names.timed and _letter_of_step(tokens) in names.steps


def _is_level(tokens: list[Token], names: Names) -> bool:
    """Whether a superscript numbers a layer or an example: l, l-1."""
    return _letter_of_step(tokens) in names.levels


def _letter_of_step(tokens: list[Token]) -> str:
    """The letter of a script that is a letter, or a letter and a number, k or k-1; empty for any other script."""
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    step = len(kept) == 3 and kept[1].kind in "+-" and kept[2].text.isdigit()
    return kept[0].text if step or len(kept) == 1 else ""


def _without_example(tokens: list[Token], names: Names) -> list[Token]:
    """The layer of a^{x,l}, which is of the example x as all else in its equation."""
    example, *rest = split_at_commas([t for t in tokens if t.kind not in ("{", "}")])
    is_letter = len(example) == 1 and example[0].kind in ("letter", "command") and example[0].text not in names.levels
    if not is_letter or len(rest) != 1 or not rest[0] or not names.levels:
        return tokens
    is_number = len(rest[0]) == 1 and rest[0][0].text.isdigit()
    return rest[0] if _is_level(rest[0], names) or is_number else tokens


def _with_index_above(node: Node, index: Index, names: Names, where: int, written: str) -> Node:
    """A script in parentheses or brackets: a time step; a number on a letter without time steps is a part of its name,
    as in W^{(1)}.
    """
    if isinstance(node, Letter) and index.variable is None and node.name not in names.timed and not node.label:
        return replace(node, label=str(index.offset), latex=f"{node.latex}^{written}")
    if index == Index("T") and isinstance(node, Symbol) and node.time is not None:
        return Transpose(node)  # (W^{(l)})^{(T)}
    return _with_time(node, index, names, where)


def _with_time(node: Node, time: Index, names: Names, where: int) -> Node:
    """The node at a time step; the time of an entry or of a transpose is that of its letter."""
    if isinstance(node, Letter) or (isinstance(node, Symbol) and node.time is None):
        return replace(node, time=time, below=False)
    if isinstance(node, Entry | Transpose):
        return replace(node, of=closed(_with_time(node.of, time, names, where), names))
    raise FormulaError("a time step belongs to a letter: write ^T for a transpose", where)


def _pseudo_inverse(of: Expression, where: int) -> Expression:
    if "pinv" not in WHOLE:
        raise FormulaError("a pseudoinverse is not read: write what it is, as in (A^T A)^{-1} A^T", where)
    return Call("pinv", (of,))


def _marked(node: Node, mark: str, written: str, names: Names, where: int) -> Node:
    """x^*, x^+, x^\\prime: a letter of its own, at the time step and with the entries of x."""
    if isinstance(node, Letter):
        label = "_".join(part for part in (node.label, mark) if part)
        return replace(node, label=label, latex=f"{node.latex}^{written}")
    if isinstance(node, Entry) and isinstance(node.of, Symbol):
        symbol = node.of
        return replace(node, of=replace(symbol, name=f"{symbol.name}_{mark}", latex=f"{symbol.latex}^{written}"))
    raise FormulaError(f"the mark {mark!r} belongs to a letter", where)


def primed(node: Node, names: Names, mark: Token, start: int) -> Node:
    """A node with a prime: a letter of its own if the page has one, x', else the transpose."""
    if isinstance(node, Letter):
        name = f"{node.name}_prime"
        if names.resolve(name) is not None:
            return replace(node, label="_".join(p for p in (node.label, "prime") if p), latex=f"{node.latex}'")
        if node.name in names.functions or node.name == "sigma":
            return Derivative(replace(node.symbol(names), span=(start, mark.start)), Symbol(""), span=(start, mark.end))
    argument = _only_argument(node)
    if argument is not None:  # σ(x)'
        return Derivative(closed(node, names), argument, span=(start, mark.end))
    return Transpose(closed(node, names), span=(start, mark.end))


def _only_argument(node: Node) -> Symbol | None:
    """The letter x of f(x); None where f takes anything else, or is none that a number goes through."""
    elementwise = isinstance(node, Call) and node.function in ELEMENTWISE
    if not isinstance(node, Call | Apply) or not (elementwise or (isinstance(node, Apply) and not node.primes)):
        return None
    alone = node.arguments[0] if len(node.arguments) == 1 else None
    return alone if isinstance(alone, Symbol) else None

"""Sums, products, factors and their scripts: the part of the grammar that no letter and no command changes.

    sum        = [ "-" | "+" ] entrywise { ( "+" | "-" ) entrywise }
    entrywise  = product { ( "∘" | "⊗" ) product }
    product    = factor { [ "·" | "/" ] factor }        two factors side by side are a product; x / 2σ is x / (2σ)
    factor     = atom { script | application }
    script     = "_" argument | "^" argument | "'" | "|_" argument | "{" script "}"
    argument   = "{" … "}" | "(" … ")" | token

There is one method for each rule. What an atom is, and what a letter before a parenthesis means, is in
`latex_parser.py` and `applications.py`; `scripts.py` gives the meaning of scripts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from elman.calculus.expression import (
    Add,
    Derivative,
    Entry,
    Expression,
    Index,
    Inverse,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    factors_of,
)
from elman.calculus.syntax.cursor import Cursor
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.scripts import Letter, Node, closed, index_of, is_transpose, primed, subscript, superscript
from elman.calculus.syntax.tokens import CLOSING, OPENING, Token
from elman.errors import FormulaError

# A sign of a relation → the sign in `Relation.operators`.
RELATIONS = {
    "=": "=", ":=": ":=", "equiv": "=", "triangleq": ":=", "coloneqq": ":=", "doteq": ":=", "approx": "≈",
    "propto": "∝", "leftarrow": "←", "gets": "←", "mapsto": "→", "in": "∈", "notin": "∉", "subset": "⊂",
    "subseteq": "⊆", "<": "<", "ll": "<", ">": ">", "gg": ">", "le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥",
    "geq": "≥", "geqslant": "≥", "ne": "≠", "neq": "≠", "sim": "~", "simeq": "≈", "cong": "≈", "succeq": "⪰",
    "succ": "≻", "preceq": "⪯", "perp": "⊥",
}  # fmt: skip
ENTRYWISE = {"circ": "∘", "odot": "∘", "otimes": "⊗", "ast": "∘", "bigodot": "∘"}
_DEVIATIONS = frozenset({"sigma", "tau"})
PRODUCTS = {"cdot": "·", "times": "·", "/": "/", "*": "·", "@": "@", "bullet": "·", "div": "/"}
MAX_LEVELS = 60  # of factors within factors, whatever opens them: brackets, bars, functions, sums
_ENDS = {"_", "^", "&", "newline", ",", ";", ".", ":", "!", "prose", "arrow", "quad", ")", "]", "}", "end", "rangle"}

_BREAKS = ("newline", "&", "quad", "prose")

Handler: TypeAlias = "Callable[[Any, Token], Node]"


class Grammar(ABC):
    """A parser of one part of a formula, which has no relation signs.

    `names` are the names of the page; `commands` maps a command of LaTeX to the handler that reads what it begins, its
    own token already taken. `level` counts the factors around.
    """

    def __init__(self, cursor: Cursor, names: Names, commands: Mapping[str, Handler], level: int = 0) -> None:
        self.cursor = cursor
        self.names = names
        self.commands = commands
        self.level = level
        self.open_bars: list[str] = []
        self.bar_is_outside = False  # in ∂J/∂W|_(i) the bar belongs to the whole, not to W
        self.differentiated = False  # what comes next is differentiated: J(W) is J
        self.of_nabla = False  # what comes next is differentiated by a ∇: ∇ ln f(x) g(x) is (∇ ln f(x)) g(x)
        self.is_left = False  # this is the left side of a relation: J(W) is J

    def part(self, tokens: list[Token]) -> Grammar:
        """A parser of some tokens of this formula."""
        return type(self)(Cursor(tokens, self.cursor.length), self.names, self.commands, self.level)

    def group(self, tokens: list[Token], differentiated: bool = False) -> Expression:
        """The sum that all of some tokens are, remarks among them left out."""
        kept = joined(tokens)
        if not kept:
            raise self.cursor.error("an empty group")
        inner = self.part(kept)
        inner.differentiated = differentiated
        return inner.whole()

    def whole(self) -> Expression:
        """The sum that all of the tokens are."""
        result = self.sum()
        if not self.cursor.at_end:
            raise self.cursor.unexpected()
        return result

    def index(self, tokens: list[Token]) -> Index:
        """The time step or index that some tokens are."""
        return index_of(tokens, self.cursor.place())

    @abstractmethod
    def atom(self) -> Node:
        """What scripts may stand on."""

    @abstractmethod
    def applied(self, node: Node) -> Expression | None:
        """A letter applied to what is in the parentheses that come next; None where they are a factor of a product."""

    # --- sums and products ---

    def sum(self) -> Expression:
        """Terms with + and - between them, the first with a sign or without."""
        cursor = self.cursor
        start = cursor.place()
        sign = cursor.take().kind if cursor.kind() in ("-", "+") else ""
        left = self.entrywise()
        if sign == "-":
            left = Negative(left, span=cursor.span_from(start))
        while cursor.kind() in ("+", "-"):
            node = Add if cursor.take().kind == "+" else Subtract
            left = node(left, self.term(), span=cursor.span_from(start))
        return left

    def term(self) -> Expression:
        """A term behind a + or -, which may have a sign of its own: a + -b."""
        cursor = self.cursor
        if cursor.kind() not in ("+", "-"):
            return self.entrywise()
        sign = cursor.take()
        inner = self.entrywise()
        return Negative(inner, span=cursor.span_from(sign.start)) if sign.kind == "-" else inner

    def entrywise(self) -> Expression:
        """Products with ∘ and ⊗ between them."""
        start = self.cursor.place()
        return self.entrywise_after(self.product(), start)

    def entrywise_after(self, left: Expression, start: int) -> Expression:
        """`left` and the products that follow it behind ∘ and ⊗."""
        while (operator := ENTRYWISE.get(self.cursor.name())) is not None:
            self.cursor.skip()
            left = Product(left, self.product(), operator, span=self.cursor.span_from(start))
        return left

    def product(self) -> Expression:
        """Factors with ·, / or nothing between them."""
        start = self.cursor.place()
        return self.product_after(self.factor(), start)

    def product_after(self, left: Expression, start: int) -> Expression:
        """`left` and the factors that follow it."""
        cursor = self.cursor
        while True:
            operator = PRODUCTS.get(cursor.name())
            if cursor.kind() == "*" and self.names.has_convolutions and not _is_of_numbers(left):
                raise cursor.error("a convolution * is not read: write it by entries, as a sum")
            if operator is not None:
                cursor.skip()
            elif self.starts_factor():
                operator = ""
            else:
                return left
            signed = operator != "" and cursor.kind() == "-"  # a \cdot -b
            place = cursor.place()
            right = self.term() if signed else self.factor()
            if operator == "/" and self._goes_on_below(left, right):
                right = Product(right, self.factor(), span=cursor.span_from(place))
            left = Product(left, right, operator, span=cursor.span_from(start))

    def _goes_on_below(self, left: Expression, right: Expression) -> bool:
        """Whether the letter that comes next belongs to the divisor: σ of x / 2σ^2, of the density of a normal
        distribution, and m of 1/2m Σ, of a mean.
        """
        if not isinstance(right, Number):
            return False
        if self.cursor.name() in _DEVIATIONS:
            return not isinstance(left, Number)
        return self.cursor.kind() == "letter" and self.cursor.name(1) == "sum"

    def starts_factor(self) -> bool:
        """Whether the next token begins a factor."""
        kind = self.cursor.kind()
        if kind in ("letter", "number", "(", "[", "{", "begin", "langle", "bad"):
            return True
        if kind == "norm":
            return not (self.open_bars and self.open_bars[-1] == "norm")
        if kind == "|":
            return not self.open_bars and self.cursor.kind(1) != "_"
        if not kind.startswith("\\"):
            return False
        return not any(kind[1:] in table for table in (RELATIONS, ENTRYWISE, PRODUCTS, _ENDS))

    # --- factors and scripts ---

    def factor(self) -> Expression:
        """An atom and its scripts; one more level of the formula."""
        self.level += 1
        if self.level > MAX_LEVELS:
            raise self.cursor.error(f"this formula nests deeper than {MAX_LEVELS}: name its parts")
        try:
            start = self.cursor.place()
            return closed_at(self.with_scripts(self.atom(), start), self.names, self.cursor.span_from(start))
        finally:
            self.level -= 1

    def with_scripts(self, node: Node, start: int) -> Node:
        """A node with the scripts that follow it, and the bar of a derivative; a letter with its arguments."""
        cursor = self.cursor
        while True:
            kind = cursor.kind()
            if kind == "(" and isinstance(node, Letter) and node.label in ("max", "min") and self._is_unnamed(node):
                what = f"{node.word}_{node.label}"
                raise cursor.error(
                    f"{what}(…), an eigenvalue or a singular value, is not read: write \\|X\\|_2 or a letter"
                )
            if kind in ("(", "'", "^") and (applied := self.applied(node)) is not None:
                node = applied
            elif kind in ("_", "^"):
                letter = (start, cursor.last_end) if isinstance(node, Letter) else None
                sign = cursor.take()
                node = _placed(self._transposed_with_index(node, sign) or self.with_script(node, sign), letter)
            elif kind == "{" and cursor.kind(1) in ("_", "^"):  # \delta{_2}
                inner = self.part(cursor.take_bracket())
                node = inner.with_scripts(node, start)
                if not inner.cursor.at_end:
                    raise inner.cursor.unexpected()
            elif kind == "'":
                node = primed(node, self.names, cursor.take(), start)
            elif kind == "|" and cursor.kind(1) == "_" and not self.bar_is_outside:
                cursor.skip(2)
                node = self._with_bar(closed(node, self.names))
            else:
                return node
            if not isinstance(node, Letter):
                node = replace(node, span=cursor.span_from(start))

    def _is_unnamed(self, letter: Letter) -> bool:
        """Whether a letter such as λ_max is no quantity of the page."""
        return letter.word in ("lambda", "sigma", "rho", "s") and self.names.resolve(letter.name) is None

    def with_script(self, node: Node, sign: Token) -> Node:
        """A node with the script whose `_` or `^` was just taken."""
        tokens = self.cursor.take_argument()
        place = self.cursor.place()
        if sign.kind == "_":
            return subscript(node, tokens, self.names, place)
        return superscript(node, tokens, self.names, place, self.group)

    def _transposed_with_index(self, node: Node, sign: Token) -> Node | None:
        """u^T_k as u_k^T, which is printed in the same way, its `^` already taken; None for any other script."""
        cursor = self.cursor
        at = cursor.at
        if sign.kind == "^" and isinstance(node, Letter) and not cursor.at_end:
            tokens = cursor.take_argument()
            if is_transpose(tokens) and cursor.kind() == "_":
                cursor.skip()
                index = cursor.take_argument()
                if len(index) == 1:
                    found = subscript(node, index, self.names, cursor.place())
                    return superscript(found, tokens, self.names, cursor.place(), self.group)
        cursor.at = at
        return None

    def _with_bar(self, node: Expression) -> Expression:
        place = self.cursor.place()
        tokens = self.cursor.take_argument()
        if any(t.kind == "=" for t in tokens):
            raise FormulaError("a value at a point, written |_{x = a}, is not read: write the point into it", place + 1)
        if not isinstance(node, Derivative):
            raise self.cursor.error("a bar |_(i) belongs to a derivative")
        return replace(node, at=self.index(tokens))


def _is_of_numbers(e: Expression) -> bool:
    """Whether the last factor is a number by its form: 2, x_11 or x_ij."""
    last = factors_of(e, ("", "·", "/"))[-1]
    return isinstance(last, Entry | Number) or (isinstance(last, Symbol) and last.name.rpartition("_")[2].isdigit())


def joined(tokens: list[Token]) -> list[Token]:
    """Some tokens without the remarks, the spaces, and the line ends and alignment marks beside a sign, where a sum is
    broken over lines; what is in brackets stays.
    """
    kept: list[Token] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth += token.kind in OPENING
        if depth == 0 and token.kind in ("prose", "quad"):
            continue
        if depth == 0 and token.kind in _BREAKS:
            following = next((t for t in tokens[i + 1 :] if t.kind not in _BREAKS), None)
            if is_operator(following) or is_operator(kept[-1] if kept else None):
                continue
        depth -= token.kind in CLOSING
        kept.append(token)
    return kept


def is_operator(token: Token | None) -> bool:
    """Whether a token joins what is before it with what is behind it; the end of a formula does, too."""
    if token is None:
        return True
    return token.kind in ("+", "-", "/", "*", "@") or token.text in ENTRYWISE or token.text in PRODUCTS


def closed_at(node: Node, names: Names, span: tuple[int, int]) -> Expression:
    """The expression that a node is, with its place."""
    return replace(closed(node, names), span=span)


def _placed(node: Node, span: tuple[int, int] | None) -> Node:
    """A letter that just took a script, with its own place."""
    if span is not None and isinstance(node, Transpose | Inverse | Power | Entry) and isinstance(node.of, Symbol):
        return replace(node, of=replace(node.of, span=span))
    return node

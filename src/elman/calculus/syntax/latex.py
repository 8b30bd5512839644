"""LaTeX as people write it, read into expressions.

Precedence, loosest first: relations, + and -, Hadamard and outer products, juxtaposition and division, then scripts. A
function without parentheses takes the next factor; a sum takes the product behind it.
"""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import (
    Add,
    Derivative,
    Entry,
    Expression,
    Inverse,
    Negative,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.latex_atoms import atom
from elman.calculus.syntax.latex_commands import HADAMARD, TEXT
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.scripts import Base, index_of, subscript, superscript
from elman.calculus.syntax.tokens import Token, tokenize
from elman.errors import FormulaError

RELATIONS = {
    "=": "=", ":=": ":=", "equiv": "=", "triangleq": ":=", "coloneqq": ":=", "doteq": ":=", "approx": "≈",
    "propto": "∝", "leftarrow": "←", "gets": "←", "to": "→", "rightarrow": "→", "mapsto": "→", "Rightarrow": "→",
    "iff": "→", "in": "∈", "<": "<", "ll": "<", ">": ">", "gg": ">", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "sim": "~",
}  # fmt: skip
_SEPARATORS = {",", ";", ".", "newline", "prose", ":"}
_SPACES = {"quad", "qquad"}
_DIVIDE_OR_DOT = {"cdot": "·", "times": "·", "/": "/", "*": "·", "@": "·", "bullet": "·"}


MAX_LEVELS = 60  # of factors within factors, whatever opens them: brackets, bars, functions, sums


def parse_latex(text: str, names: Names) -> list[Relation]:
    """The statements of one formula: chains of relations, parted by commas, line ends and prose."""
    tokens = tokenize(text)
    return _Parser(tokens, names, len(text)).statements()


class _Parser:
    def __init__(self, tokens: list[Token], names: Names, length: int, depth: int = 0) -> None:
        self.tokens = tokens
        self.names = names
        self.at = 0
        self.stop = len(tokens)
        self.length = length
        self.bars: list[str] = []
        self.depth = depth
        self.in_slash = False

    # --- tokens ---

    def peek(self, ahead: int = 0) -> Token | None:
        i = self.at + ahead
        return self.tokens[i] if i < self.stop else None

    def kind(self, ahead: int = 0) -> str:
        """The kind of a token ahead, a command by its name with a backslash; "" at the end."""
        token = self.peek(ahead)
        if token is None:
            return ""
        return "\\" + token.text if token.kind == "command" else token.kind

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def place(self) -> int:
        """The place of the next token, or of the end."""
        token = self.peek()
        return token.start if token else (self.tokens[self.stop - 1].end if self.stop else self.length)

    def error(self, message: str) -> FormulaError:
        return FormulaError(message, self.place() + 1)

    def end_of(self, start: int) -> tuple[int, int]:
        """The span from `start` to what was read last."""
        return (start, self.tokens[self.at - 1].end if self.at else start)

    def partner(self) -> int:
        """Where the bracket at hand is closed."""
        depth = 0
        for i in range(self.at, self.stop):
            if self.tokens[i].kind in "([{":
                depth += 1
            elif self.tokens[i].kind in ")]}":
                depth -= 1
                if depth == 0:
                    return i
        raise self.error("this bracket is not closed")

    def inside(self) -> list[Token]:
        """The tokens within the brace at hand, which is stepped over; `(t-1)` whole, else a single token."""
        if self.peek() is None:
            raise self.error("something is missing at the end")
        if self.kind() == "(":
            start, self.at = self.at, self.partner() + 1
            return self.tokens[start : self.at]
        if self.kind() != "{":
            return [self.take()]
        close = self.partner()
        inner = self.tokens[self.at + 1 : close]
        self.at = close + 1
        return inner

    def sub_parser(self, tokens: list[Token]) -> _Parser:
        return _Parser(tokens, self.names, self.length, self.depth)

    # --- statements ---

    def statements(self) -> list[Relation]:
        found: list[Relation] = []
        while self.at < self.stop:
            if self._separator():
                continue
            found.append(self._relation())
            if self.at < self.stop and not self._separator():
                raise self.error(f"{self.tokens[self.at].text!r} is not expected here")
        return found

    def _separator(self) -> bool:
        """Steps over what parts two statements: a comma, a line end, prose."""
        kind = self.kind()
        if kind in _SEPARATORS or kind == "&" or kind.lstrip("\\") in _SPACES:
            self.at += 1
            return True
        if kind.lstrip("\\") in TEXT and self.kind(1) == "{" and self._word() is None:
            self.at += 1
            self.inside()
            return True
        return False

    def _word(self) -> str | None:
        """The function or name that `\\text{…}` at hand spells, or None where it is prose."""
        start = self.at
        self.at += 1
        inner = self.inside()
        self.at = start
        word = "".join(t.text for t in inner)
        letters = all(t.kind == "letter" for t in inner) and bool(inner)
        return word if letters and (word in SPELLINGS or self.names.resolve(word)) else None

    def _relation_sign(self) -> str | None:
        """The relation at hand, a line end or & before it stepped over; None where there is none."""
        ahead = 0
        while self.kind(ahead) in ("&", "newline"):
            ahead += 1
        kind = self.kind(ahead).lstrip("\\")
        if kind == ":" and self.kind(ahead + 1) == "=":
            self.at += ahead + 2
            return ":="
        if kind in RELATIONS and not (kind == "to" and self.kind(ahead) != "\\to"):
            self.at += ahead + 1
            return RELATIONS[kind]
        return None

    def _relation(self) -> Relation:
        start = self.tokens[self.at - 1].end if self.at else 0
        parts, operators = [self._left_side()], []
        regions = [(start, self.tokens[self.at - 1].end)]
        while (sign := self._relation_sign()) is not None:
            operators.append(sign)
            while self.kind() in ("&", "newline"):
                self.at += 1
            start = self.tokens[self.at - 1].end
            parts.append(self.sum())
            regions.append((start, self.tokens[self.at - 1].end))
        return Relation(tuple(parts), tuple(operators), tuple(regions))

    def _left_side(self) -> Expression:
        """The first part; `J(W, b) = …` names J, whatever it is said to depend on."""
        start = self.at
        first = self.factor() if self.kind() not in ("-", "+") else None
        if isinstance(first, Symbol) and self.kind() == "(":
            close = self.partner()
            listed = self.tokens[self.at + 1 : close]
            plain = all(t.kind in ("letter", "command", "number", ",", "_", "^", "{", "}", ";") for t in listed)
            bound = self.names.resolve(first.name) is None or "," in {t.kind for t in listed}
            after = self.tokens[close + 1].kind if close + 1 < self.stop else ""
            if plain and bound and listed and after in ("=", ":"):
                self.at = close + 1
                return first
        self.at = start
        return self.sum()

    # --- sums and products ---

    def sum(self) -> Expression:
        start = self.place()
        if self.kind() in ("-", "+"):
            sign = self.take()
            left: Expression = self.hadamard()
            if sign.kind == "-":
                left = Negative(left, span=self.end_of(start))
        else:
            left = self.hadamard()
        while True:
            ahead = 0
            while self.kind(ahead) in ("&", "newline"):  # a sum broken over lines
                ahead += 1
            if self.kind(ahead) not in ("+", "-"):
                return left
            self.at += ahead
            node = Add if self.take().kind == "+" else Subtract
            left = node(left, self.hadamard(), span=self.end_of(start))

    def hadamard(self) -> Expression:
        start = self.place()
        left = self.product()
        while (operator := HADAMARD.get(self.kind().lstrip("\\"))) is not None:
            self.at += 1
            left = Product(left, self.product(), operator, span=self.end_of(start))
        return left

    def product(self) -> Expression:
        start = self.place()
        left = self.factor()
        while True:
            operator = _DIVIDE_OR_DOT.get(self.kind().lstrip("\\"))
            if operator is not None:
                self.at += 1
            elif self._starts_factor():
                operator = ""
            else:
                return left
            left = Product(left, self.factor(), operator, span=self.end_of(start))

    def _starts_factor(self) -> bool:
        kind = self.kind()
        if kind in ("letter", "number", "(", "[", "{"):
            return True
        if kind == "norm":
            return not (self.bars and self.bars[-1] == "norm")
        if kind == "|":
            return not self.bars and self.kind(1) != "_"
        if not kind.startswith("\\"):
            return False
        name = kind[1:]
        if name in TEXT:
            return self._word() is not None
        return name not in RELATIONS and name not in HADAMARD and name not in _DIVIDE_OR_DOT and name not in _SPACES

    # --- factors ---

    def factor(self) -> Expression:
        """An atom and its scripts; one more level of the formula."""
        self.depth += 1
        if self.depth > MAX_LEVELS:
            raise self.error(f"this formula nests deeper than {MAX_LEVELS}: name its parts")
        try:
            return self._factor()
        finally:
            self.depth -= 1

    def _factor(self) -> Expression:
        start = self.place()
        return self._scripts(self.atom(), start)

    def atom(self) -> Expression | Base:
        """What scripts may stand on."""
        return atom(self)

    def _scripts(self, first: Expression | Base, start: int) -> Expression:
        """What stands above and below an atom, then the bar of a derivative."""
        node: Expression | Base = first
        while True:
            kind = self.kind()
            letter = (start, self.tokens[self.at - 1].end) if isinstance(node, Base) else None
            if kind == "_":
                self.at += 1
                node = _placed(subscript(node, self.inside(), self), letter)
            elif kind == "^":
                self.at += 1
                node = _placed(superscript(node, self.inside(), self), letter)
            elif kind == "'":
                mark = self.take()
                node = Transpose(self._named(node), span=(start, mark.end))
            elif (kind == "|" and self.kind(1) == "_") or (kind == "\\rvert" and self.kind(1) == "_"):
                self.at += 2
                if self.in_slash:  # ∂J/∂W|_(i): the bar belongs to the whole
                    self.at -= 2
                    break
                node = self._bar(self._named(node))
            else:
                break
            if not isinstance(node, Base):
                node = replace(node, span=self.end_of(start))
        return replace(self._named(node), span=self.end_of(start))

    def _named(self, node: Expression | Base) -> Expression:
        return node.symbol(self.names) if isinstance(node, Base) else node

    def _bar(self, node: Expression) -> Expression:
        index = index_of(self.inside(), self)
        if not isinstance(node, Derivative):
            raise self.error("a bar |_(i) belongs to a derivative")
        return replace(node, at=index)

    def group_of(self, tokens: list[Token]) -> Expression | Base:
        """A braced group: one name stays open for the scripts behind it, as in {\\delta_1}^T."""
        if not tokens:
            raise self.error("an empty group")
        inner = self.sub_parser(tokens)
        result = inner.sum()
        if inner.at < inner.stop:
            raise inner.error(f"{inner.tokens[inner.at].text!r} is not expected here")
        return result


def _placed(node: Expression | Base, span: tuple[int, int] | None) -> Expression | Base:
    """A letter that just took a script, with its own place."""
    if span is not None and isinstance(node, Transpose | Inverse | Power | Entry) and isinstance(node.of, Symbol):
        return replace(node, of=replace(node.of, span=span))
    return node

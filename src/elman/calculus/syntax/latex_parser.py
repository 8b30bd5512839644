"""The parser of LaTeX as people write it: tokens → statements.

    statements = relation { separator relation }        a separator is a comma, a line end, prose
    relation   = left { sign sum }                      = := < ≤ ∈ → …; left is a sum, or J(W, b) for J
    sum        = [ "-" | "+" ] entrywise { ( "+" | "-" ) entrywise }
    entrywise  = product { ( "∘" | "⊗" ) product }
    product    = factor { [ "·" | "/" ] factor }        two factors side by side are a product
    factor     = atom { script }
    script     = "_" argument | "^" argument | "'" | "|_" argument
    argument   = "{" … "}" | "(" … ")" | token
    atom       = number | letters | "(" sum ")" | "[" sum "]" | "{" sum "}" | "‖" sum "‖" | "|" sum "|" | command
    letters    = function arguments | name | letter
    arguments  = "(" sum { "," sum } ")" | factor       a function without parentheses takes the next factor

There is one method for each rule. The table `commands` has the handler of each command of LaTeX (see
`latex_commands.py`); `scripts.py` gives the meaning of scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from elman.calculus.expression import (
    Add,
    Call,
    Derivative,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Iverson,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import SPELLINGS, arity
from elman.calculus.syntax.cursor import Cursor, plain_text, split_at_commas
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.scripts import Letter, Node, closed, index_of, subscript, superscript
from elman.calculus.syntax.tokens import Token
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

RELATIONS = {
    "=": "=", ":=": ":=", "equiv": "=", "triangleq": ":=", "coloneqq": ":=", "doteq": ":=", "approx": "≈",
    "propto": "∝", "leftarrow": "←", "gets": "←", "to": "→", "rightarrow": "→", "mapsto": "→", "Rightarrow": "→",
    "iff": "→", "in": "∈", "<": "<", "ll": "<", ">": ">", "gg": ">", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "sim": "~",
}  # fmt: skip
ENTRYWISE = {"circ": "∘", "odot": "∘", "otimes": "⊗", "ast": "∘"}
PRODUCTS = {"cdot": "·", "times": "·", "/": "/", "*": "·", "@": "·", "bullet": "·"}
TEXT = {"text", "textrm", "textbf", "textit", "mbox"}
MAX_LEVELS = 60  # of factors within factors, whatever opens them: brackets, bars, functions, sums
LONGEST_NAME = 40  # letters
_SEPARATORS = {",", ";", ".", "newline", "prose", ":"}
_SPACES = {"quad", "qquad"}
_LINE_BREAKS = {"&", "newline"}

Handler: TypeAlias = "Callable[[Parser, Token], Node]"


class Parser:
    """A parser of one formula, or of a part of one.

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

    def part(self, tokens: list[Token]) -> Parser:
        """A parser of some tokens of this formula."""
        return Parser(Cursor(tokens, self.cursor.length), self.names, self.commands, self.level)

    def group(self, tokens: list[Token]) -> Expression:
        """The sum that all of some tokens are."""
        if not tokens:
            raise self.cursor.error("an empty group")
        inner = self.part(tokens)
        result = inner.sum()
        if not inner.cursor.at_end:
            raise inner.cursor.unexpected()
        return result

    def index(self, tokens: list[Token]) -> Index:
        """The time step or index that some tokens are."""
        return index_of(tokens, self.cursor.place())

    # --- statements and relations ---

    def statements(self) -> list[Relation]:
        """All statements of the formula."""
        found: list[Relation] = []
        while not self.cursor.at_end:
            if self._skip_separator():
                continue
            found.append(self.relation())
            if not self.cursor.at_end and not self._skip_separator():
                raise self.cursor.unexpected()
        return found

    def _skip_separator(self) -> bool:
        """Steps over a comma, a line end or prose; whether there was one."""
        cursor = self.cursor
        if cursor.kind() in _SEPARATORS or cursor.kind() == "&" or cursor.name() in _SPACES:
            cursor.skip()
            return True
        if cursor.name() in TEXT and cursor.kind(1) == "{" and self._spelled_name() is None:
            cursor.skip()
            cursor.take_argument()
            return True
        return False

    def _spelled_name(self) -> str | None:
        """The function or name that the `\\text{…}` coming next spells, or None if it is prose."""
        cursor = self.cursor
        start = cursor.at
        cursor.skip()
        inner = cursor.take_argument()
        cursor.at = start
        word = "".join(t.text for t in inner)
        letters = all(t.kind == "letter" for t in inner) and bool(inner)
        return word if letters and (word in SPELLINGS or self.names.resolve(word)) else None

    def relation(self) -> Relation:
        """A chain of sums with relation signs between them, or a single sum."""
        cursor = self.cursor
        start = cursor.last_end
        parts, operators = [self._left_side()], []
        regions = [(start, cursor.last_end)]
        while (sign := self._take_relation_sign()) is not None:
            operators.append(sign)
            while cursor.kind() in _LINE_BREAKS:
                cursor.skip()
            start = cursor.last_end
            parts.append(self.sum())
            regions.append((start, cursor.last_end))
        return Relation(tuple(parts), tuple(operators), tuple(regions))

    def _take_relation_sign(self) -> str | None:
        """The relation sign that comes next, with a line end or & before it; None if there is none."""
        cursor = self.cursor
        ahead = self._line_breaks()
        name = cursor.name(ahead)
        if name == ":" and cursor.kind(ahead + 1) == "=":
            cursor.skip(ahead + 2)
            return ":="
        if name in RELATIONS and not (name == "to" and cursor.kind(ahead) != "\\to"):
            cursor.skip(ahead + 1)
            return RELATIONS[name]
        return None

    def _line_breaks(self) -> int:
        """How many line ends and & come next."""
        ahead = 0
        while self.cursor.kind(ahead) in _LINE_BREAKS:
            ahead += 1
        return ahead

    def _left_side(self) -> Expression:
        """The first part of a relation; `J(W, b) = …` names J, whatever it depends on."""
        cursor = self.cursor
        start = cursor.at
        first = self.factor() if cursor.kind() not in ("-", "+") else None
        if isinstance(first, Symbol) and cursor.kind() == "(":
            close = cursor.closing()
            listed = cursor.bracketed()
            plain = all(t.kind in ("letter", "command", "number", ",", "_", "^", "{", "}", ";") for t in listed)
            bound = self.names.resolve(first.name) is None or "," in {t.kind for t in listed}
            after = cursor.tokens[close + 1].kind if close + 1 < len(cursor.tokens) else ""
            if plain and bound and listed and after in ("=", ":"):
                cursor.at = close + 1
                return first
        cursor.at = start
        return self.sum()

    # --- sums and products ---

    def sum(self) -> Expression:
        """Terms with + and - between them, the first with a sign or without."""
        cursor = self.cursor
        start = cursor.place()
        sign = cursor.take().kind if cursor.kind() in ("-", "+") else ""
        left = self.entrywise()
        if sign == "-":
            left = Negative(left, span=cursor.span_from(start))
        while True:
            ahead = self._line_breaks()  # a sum broken over lines
            if cursor.kind(ahead) not in ("+", "-"):
                return left
            cursor.skip(ahead)
            node = Add if cursor.take().kind == "+" else Subtract
            left = node(left, self.entrywise(), span=cursor.span_from(start))

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
        cursor = self.cursor
        start = cursor.place()
        left = self.factor()
        while True:
            operator = PRODUCTS.get(cursor.name())
            if operator is not None:
                cursor.skip()
            elif self.starts_factor():
                operator = ""
            else:
                return left
            left = Product(left, self.factor(), operator, span=cursor.span_from(start))

    def starts_factor(self) -> bool:
        """Whether the next token begins a factor."""
        kind = self.cursor.kind()
        if kind in ("letter", "number", "(", "[", "{"):
            return True
        if kind == "norm":
            return not (self.open_bars and self.open_bars[-1] == "norm")
        if kind == "|":
            return not self.open_bars and self.cursor.kind(1) != "_"
        if not kind.startswith("\\"):
            return False
        name = kind[1:]
        if name in TEXT:
            return self._spelled_name() is not None
        return not any(name in table for table in (RELATIONS, ENTRYWISE, PRODUCTS, _SPACES))

    # --- factors and scripts ---

    def factor(self) -> Expression:
        """An atom and its scripts; one more level of the formula."""
        self.level += 1
        if self.level > MAX_LEVELS:
            raise self.cursor.error(f"this formula nests deeper than {MAX_LEVELS}: name its parts")
        try:
            start = self.cursor.place()
            return self._with_scripts(self.atom(), start)
        finally:
            self.level -= 1

    def _with_scripts(self, node: Node, start: int) -> Expression:
        """A node with the scripts that follow it, and the bar of a derivative."""
        cursor = self.cursor
        while True:
            kind = cursor.kind()
            if kind in ("_", "^"):
                letter = (start, cursor.last_end) if isinstance(node, Letter) else None
                node = _placed(self.with_script(node, cursor.take()), letter)
            elif kind == "'":
                mark = cursor.take()
                node = Transpose(closed(node, self.names), span=(start, mark.end))
            elif kind == "|" and cursor.kind(1) == "_" and not self.bar_is_outside:
                cursor.skip(2)
                node = self._with_bar(closed(node, self.names))
            else:
                break
            if not isinstance(node, Letter):
                node = replace(node, span=cursor.span_from(start))
        return replace(closed(node, self.names), span=cursor.span_from(start))

    def with_script(self, node: Node, sign: Token) -> Node:
        """A node with the script whose `_` or `^` was just taken."""
        tokens = self.cursor.take_argument()
        place = self.cursor.place()
        if sign.kind == "_":
            return subscript(node, tokens, self.names, place)
        return superscript(node, tokens, self.names, place, self.group)

    def _with_bar(self, node: Expression) -> Expression:
        index = self.index(self.cursor.take_argument())
        if not isinstance(node, Derivative):
            raise self.cursor.error("a bar |_(i) belongs to a derivative")
        return replace(node, at=index)

    # --- atoms ---

    def atom(self) -> Node:
        """What scripts may stand on."""
        cursor = self.cursor
        token = cursor.peek()
        if token is None:
            raise cursor.error("something is missing at the end")
        if token.kind == "command":
            handler = self.commands.get(token.text)
            if handler is None:
                raise FormulaError(f"the command \\{token.text} is not read", token.start + 1)
            return handler(self, cursor.take())
        read = _ATOMS.get(token.kind)
        if read is None:
            raise cursor.unexpected()
        return read(self)

    def number(self) -> Expression:
        """A number, a vector of ones with its size below it, or [j = k] with a 1 before it."""
        token = self.cursor.take()
        if token.text == "1" and self.cursor.kind() == "_":
            return Ones(self.size_below(token.end))
        if token.text == "1" and self.comes_iverson():
            return self.bracket()
        return Number(Fraction(token.text))

    def size_below(self, place: int | None = None) -> str:
        """The size that the `_` coming next puts below a 1 or an I; `place`: where an error is shown, if not at it."""
        self.cursor.skip()
        place = self.cursor.place() if place is None else place
        return size_of(plain_text(self.cursor.take_argument()), place + 1)

    def comes_iverson(self) -> bool:
        """Whether brackets with a = in them come next."""
        return self.cursor.kind() in ("[", "(") and "=" in {t.kind for t in self.cursor.bracketed()}

    def parentheses(self) -> Expression:
        """What is in parentheses."""
        if not self.cursor.bracketed():
            raise self.cursor.error("empty parentheses")
        return self.group(self.cursor.take_bracket())

    def braces(self) -> Expression:
        """What is in braces."""
        return self.group(self.cursor.take_bracket())

    def bracket(self) -> Expression:
        """[j = k], or a group in brackets."""
        inner = self.cursor.take_bracket()
        signs = [i for i, t in enumerate(inner) if t.kind == "="]
        if len(signs) == 1:
            return Iverson(self.index(inner[: signs[0]]), self.index(inner[signs[0] + 1 :]))
        return self.group(inner)

    def bars(self) -> Expression:
        """‖x‖ and |X|: a norm, with its kind below; a determinant, which of a scalar is the modulus."""
        opened = self.cursor.take()
        self.open_bars.append(opened.kind)
        inner = self.sum()
        if self.cursor.kind() != opened.kind:
            raise FormulaError(f"{opened.text} is not closed", opened.start + 1)
        self.cursor.skip()
        self.open_bars.pop()
        if opened.kind == "|":
            return Call("det", (inner,), latex="|")
        name = "norm"
        if self.cursor.kind() == "_":
            self.cursor.skip()
            below = "".join(t.text for t in self.cursor.take_argument())
            if below not in ("1", "2", "F"):
                raise self.cursor.error(f"the norm {below} is not known: write 1, 2 or F")
            name = "norm1" if below == "1" else "norm"
        return Call(name, (inner,), latex="‖")

    def letters(self) -> Node:
        """A run of letters: a function, a name of the page, or one letter."""
        cursor = self.cursor
        run = self._run_of_letters()
        for size in range(len(run), 1, -1):
            if run[:size] in SPELLINGS:
                cursor.skip(size)
                return self.function_call(SPELLINGS[run[:size]])
        word = self.names.longest(run) or run[0]
        start = cursor.place()
        cursor.skip(len(word))
        if word == "I" and self.names.resolve("I") is None:
            return self.identity()
        if word == "e" and cursor.kind() == "^" and self.names.resolve("e") is None and cursor.kind(1) != "(":
            cursor.skip()
            return Call("exp", (self.group(cursor.take_argument()),))
        return Letter(word, latex=word, start=start)

    def _run_of_letters(self) -> str:
        """The letters that come next without a space between them."""
        run, end = "", None
        for ahead in range(LONGEST_NAME):
            token = self.cursor.peek(ahead)
            if token is None or token.kind != "letter" or end not in (None, token.start):
                break
            run, end = run + token.text, token.end
        return run

    def identity(self) -> Expression:
        """The identity matrix, its I already taken, with its size below it."""
        return Identity(self.size_below() if self.cursor.kind() == "_" else None)

    # --- functions ---

    def function_call(self, name: str, latex: str = "") -> Expression:
        """A function, its name already taken: primes and scripts, then its arguments."""
        cursor = self.cursor
        start = cursor.place()
        primes, axis, entry, exponent = 0, None, None, None
        while cursor.kind() in ("'", "_", "^"):
            sign = cursor.take()
            if sign.kind == "'":
                primes += 1
                continue
            tokens = cursor.take_argument()
            word = plain_text(tokens)
            if sign.kind == "^" and word in ("prime", "'"):
                primes += 1
            elif sign.kind == "^" and word.isdigit():
                exponent = Fraction(word)
            elif sign.kind == "_" and word[:3] in ("row", "col"):
                axis = 1 if word.startswith("row") else 0
            elif sign.kind == "_":
                entry = tokens
            else:
                raise FormulaError(f"the script {word!r} on a function is not read", sign.start + 1)
        node: Node = Call(name, self._arguments(name), primes, axis, latex, span=cursor.span_from(start))
        if entry is not None:
            node = subscript(node, entry, self.names, cursor.place())
        called = closed(node, self.names)
        return called if exponent is None else Power(called, Number(exponent), elementwise=True)

    def _arguments(self, name: str) -> tuple[Expression, ...]:
        """The arguments of a function: in parentheses, or the next factor."""
        cursor = self.cursor
        if cursor.at_end or not (self.starts_factor() or cursor.kind() == "\\sum"):
            raise cursor.error(f"{name} needs an argument")
        expected = arity(name)
        if cursor.kind() != "(":
            if expected > 1:
                raise cursor.error(f"{name} takes {expected} arguments: write them in parentheses, with commas")
            return (self.factor(),)
        parts = split_at_commas(cursor.bracketed())
        if len(parts) != expected or not all(parts):
            raise cursor.error(f"{name} takes {expected} argument{'s' * (expected > 1)}")
        cursor.take_bracket()
        return tuple(self.group(part) for part in parts)


_ATOMS: dict[str, Callable[[Parser], Node]] = {
    "number": Parser.number,
    "letter": Parser.letters,
    "(": Parser.parentheses,
    "{": Parser.braces,
    "[": Parser.bracket,
    "norm": Parser.bars,
    "|": Parser.bars,
}


def _placed(node: Node, span: tuple[int, int] | None) -> Node:
    """A letter that just took a script, with its own place."""
    if span is not None and isinstance(node, Transpose | Inverse | Power | Entry) and isinstance(node.of, Symbol):
        return replace(node, of=replace(node.of, span=span))
    return node

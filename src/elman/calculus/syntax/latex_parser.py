"""The parser of LaTeX as people write it: what stands where a factor does.

    atom     = number | letters | "(" sum ")" | "[" sum "]" | "{" sum "}" | "‖" sum "‖" | "|" sum "|"
             | "⟨" sum "," sum "⟩" | indicator | table | command
    letters  = call | application | name | letter

`relations.py` divides a formula into rows, relations and their parts; `grammar.py` reads a part as a sum of products of
factors; `applications.py` reads functions, `conditions.py` indicators and tables. The table `commands` has the handler
of each command of LaTeX (see `latex_commands.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Call, Expression, Identity, Matrix, Number, Ones, Product
from elman.calculus.functions import SPELLINGS, WHOLE
from elman.calculus.syntax.applications import MOMENTS, Applications
from elman.calculus.syntax.conditions import has_relation, indicator, product_of_conditions, table
from elman.calculus.syntax.cursor import plain_text, split_at_commas
from elman.calculus.syntax.derivatives import derivative_in_braces, slashed_differential
from elman.calculus.syntax.scripts import Letter, Node
from elman.calculus.syntax.tokens import DOTS, Token
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

# What is written below the bars of a norm; a number or one of `_EXPONENTS` is the exponent of a p-norm.
_NORMS = {
    "1": "norm1", "2": "norm", "F": "norm", "rmF": "norm", "*": "nuclear", "ast": "nuclear", "infty": "norminf",
}  # fmt: skip
_EXPONENTS = ("p", "q")
# What is written below an inner product whose sides are numbers, vectors or matrices.
_SPACES = frozenset({"F", "2", "R", "Fro", "HS"})


class Parser(Applications):
    """A parser of a part of a formula."""

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
        if token.text == "1" and (found := indicator(self)) is not None:
            return found
        if token.text == "1" and self.cursor.kind() == "_":
            return Ones(self.size_below(token.end))
        return Number(Fraction(token.text))

    def size_below(self, place: int | None = None) -> str:
        """The size that the `_` coming next puts below a 1 or an I; `place`: where an error is shown, if not at it."""
        self.cursor.skip()
        place = self.cursor.place() if place is None else place
        return size_of(plain_text(self.cursor.take_argument()), place + 1)

    # --- brackets ---

    def parentheses(self) -> Expression:
        """What is in parentheses."""
        if not self.cursor.bracketed():
            raise self.cursor.error("empty parentheses")
        return self.group(self.cursor.take_bracket())

    def braces(self) -> Node:
        """What is in braces: a group, a fraction with \\over, or a single letter, which may still take scripts."""
        found = derivative_in_braces(self)
        if found is not None:
            return found
        inner = self.cursor.take_bracket()
        if self.cursor.kind() == "(" and (called := self._function_in_braces(inner)) is not None:
            return called
        over = [i for i, t in enumerate(inner) if t.kind == "command" and t.text == "over"]
        if len(over) == 1:
            return Product(self.group(inner[: over[0]]), self.group(inner[over[0] + 1 :]), "/")
        if inner and inner[0].kind in ("letter", "command"):
            alone = self.part(inner)
            if len(inner) == 1 and inner[0].text == "nabla":
                return self.commands["nabla"](self, inner[0])
            try:
                node = alone.atom()
            except FormulaError:
                return self.group(inner)
            if isinstance(node, Letter) and alone.cursor.at_end:
                return node
        return self.group(inner)

    def _function_in_braces(self, inner: list[Token]) -> Expression | None:
        """{softmax}(z), its braces already taken, as softmax(z); None where no known function is in them."""
        word = plain_text(inner)
        known = len(inner) == len(word) > 1 and word in SPELLINGS
        return self.named_call(word, "", inner[0].start) if known else None

    def bracket(self) -> Expression:
        """[j = k], a row [a, b, c], or a group in brackets."""
        start = self.cursor.place()
        inner = self.cursor.take_bracket()
        if has_relation(inner):
            return product_of_conditions(self, inner)
        entries = split_at_commas(inner)
        if len(entries) > 1 and all(entries):
            if any(t.kind == "command" and t.text in DOTS for t in inner):
                raise FormulaError("a row with dots in it is not read: give it a name", start + 1)
            return Matrix((tuple(self.group(entry) for entry in entries),))
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
        if self.cursor.kind() != "_" or (opened.kind == "|" and self.bar_is_outside):
            return Call("det", (inner,), latex="|") if opened.kind == "|" else Call("norm", (inner,), latex="‖")
        at = self.cursor.place()
        self.cursor.skip()
        tokens = self.cursor.take_argument()
        below = plain_text(tokens)
        if opened.kind == "|" and below not in ("1", "2", "F"):
            raise FormulaError(f"the script {below!r} below a bar is not read", at + 1)
        if below in _NORMS:
            return Call(_NORMS[below], (inner,), latex="‖_2" if below == "2" else "‖")
        if not (below in _EXPONENTS or below.isdigit()):
            raise FormulaError(f"the norm {below} is not known: write 1, 2, F, *, p or \\infty", at + 1)
        return Call("normp", (inner, self.group(tokens)), latex="‖")

    def angle(self) -> Expression:
        """⟨a, b⟩: the inner product, with the space that it is of below it."""
        start = self.cursor.place()
        parts = split_at_commas(self.cursor.take_bracket(), also="|")
        if len(parts) != 2:
            raise FormulaError("an inner product has two sides: ⟨a, b⟩", start + 1)
        if "inner" not in WHOLE:
            raise FormulaError("an inner product ⟨a, b⟩ is not read: write a^T b, or tr(A^T B)", start + 1)
        if self.cursor.kind() == "_":
            self.cursor.skip()
            below = plain_text(self.cursor.take_argument())
            if below.removeprefix("mathbb") not in _SPACES:
                raise FormulaError(f"the script {below!r} below an inner product is not read", start + 1)
        return Call("inner", (self.group(parts[0]), self.group(parts[1])), latex="⟨")

    # --- letters ---

    def letters(self) -> Node:
        """A run of letters: a function, a name of the page, or one letter."""
        cursor = self.cursor
        found = slashed_differential(self)
        if found is not None:
            return found
        run = self.run_of_letters()
        start = cursor.place()
        name = self.names.longest(run)
        function = self.function_ahead()
        if function is not None and (name is None or len(name) < len(function)):
            cursor.skip(len(function))
            called = self.named_call(function, "", start)
            if called is not None:
                return called
        if name is None and len(run) > 2 and self._is_unknown_function(run):
            cursor.skip(len(run))
            applied = self.unknown_function(run, run, start)
            if applied is not None:
                return applied
        word = name or run[0]
        cursor.skip(len(word))
        node = self._letter(word, start)
        number = cursor.peek()
        touching = number is not None and number.kind == "number" and number.start == cursor.last_end
        if isinstance(node, Letter) and touching and number is not None and number.text.isdigit():  # x1 is x_1
            cursor.skip()
            label = number.text if len(number.text) == 1 else f"{{{number.text}}}"
            return replace(node, label=number.text, latex=f"{node.latex}_{label}")
        return node

    def _is_unknown_function(self, run: str) -> bool:
        """Whether a run of letters directly before a parenthesis is one name: erf(x), Var[x]; not W, x and h of the
        page.
        """
        behind = self.cursor.peek(len(run))
        last = self.cursor.peek(len(run) - 1)
        opens = behind is not None and (behind.kind == "(" or (behind.kind == "[" and run in MOMENTS))
        touching = behind is not None and last is not None and opens and behind.start == last.end
        return touching and not all(self.names.resolve(c) is not None for c in run)

    def _letter(self, word: str, start: int) -> Node:
        """One letter or name, already taken, by what it means on this page: I, e and E may be more than letters."""
        cursor = self.cursor
        own = self.names.is_letter(word)
        if word == "I" and not own:
            found = indicator(self)
            return self.identity() if found is None else found
        if word == "e" and (power := self.power_of_e()) is not None:
            return power
        if word == "E" and not own and cursor.kind() == "[":
            raise FormulaError("an expectation E[…] is not read: write it as a sum", start + 1)
        return Letter(word, latex=word, start=start)

    def power_of_e(self) -> Expression | None:
        """e to the power that comes next, its e already taken; None where e is a letter of the page."""
        if self.names.is_letter("e") or self.cursor.kind() != "^" or self._has_time():
            return None
        self.cursor.skip()
        return Call("exp", (self.group(self.cursor.take_argument()),))

    def _has_time(self) -> bool:
        """Whether the superscript that comes next makes a letter of e: e^{(t)}, e^T."""
        cursor = self.cursor
        if cursor.kind() != "^":
            return False
        at = cursor.at
        cursor.skip()
        inner = [] if cursor.at_end else [t for t in cursor.take_argument() if t.kind not in ("{", "}")]
        cursor.at = at
        if not inner:
            return False
        return (inner[0].kind == "(" and inner[-1].kind == ")" and len(inner) <= 5 and _is_index(inner[1:-1])) or (
            plain_text(inner) in ("T", "top", "intercal", "mathsfT")
        )

    def identity(self) -> Expression:
        """The identity matrix, its I already taken, with its size below it."""
        return Identity(self.size_below() if self.cursor.kind() == "_" else None)


def _is_index(tokens: list[Token]) -> bool:
    """Whether tokens are an index such as t-1."""
    return bool(tokens) and tokens[0].kind in ("letter", "number", "command") and len(tokens) in (1, 3)


_ATOMS: dict[str, Callable[[Parser], Node]] = {
    "number": Parser.number,
    "letter": Parser.letters,
    "(": Parser.parentheses,
    "{": Parser.braces,
    "[": Parser.bracket,
    "norm": Parser.bars,
    "|": Parser.bars,
    "langle": Parser.angle,
    "begin": table,
}

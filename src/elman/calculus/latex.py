"""LaTeX as people write it, read into expressions.

Precedence, loosest first: relations, + and -, Hadamard and outer products, juxtaposition and division, then scripts. A
function without parentheses takes the next factor; a sum takes the product behind it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
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
from elman.calculus.functions import SPELLINGS
from elman.calculus.names import ACCENTS, GREEK, INDEX_LETTERS, Names, fold
from elman.calculus.scripts import Base, index_of, subscript, superscript
from elman.calculus.tokens import Token, tokenize
from elman.errors import FormulaError

RELATIONS = {
    "=": "=", ":=": ":=", "equiv": "=", "triangleq": ":=", "coloneqq": ":=", "approx": "≈", "propto": "∝", "leftarrow": "←",
    "gets": "←", "to": "→", "rightarrow": "→", "in": "∈", "<": "<", ">": ">", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "sim": "~", "ll": "<", "gg": ">", "Rightarrow": "→", "mapsto": "→", "doteq": ":=", "iff": "→",
}  # fmt: skip
_SEPARATORS = {",", ";", ".", "newline", "prose", ":"}
_SPACES = {"quad", "qquad"}
_TEXT = {"text", "textrm", "textbf", "textit", "mbox"}
_FONTS = {
    "mathrm",
    "mathbf",
    "boldsymbol",
    "bm",
    "mathit",
    "mathsf",
    "mathcal",
    "mathbb",
    "operatorname",
    "mathtt",
    "vec",
}
_HADAMARD = {"circ": "∘", "odot": "∘", "otimes": "⊗", "ast": "∘"}
_DIVIDE_OR_DOT = {"cdot": "·", "times": "·", "/": "/", "*": "·", "@": "·", "bullet": "·"}
_FRACTIONS = {"frac", "dfrac", "tfrac", "cfrac"}
_DOTS = {"dots", "ldots", "cdots", "vdots", "dotsc", "dotsb"}


def parse_latex(text: str, names: Names) -> list[Relation]:
    """The statements of one formula: chains of relations, parted by commas, line ends and prose."""
    tokens = tokenize(text)
    return _Parser(tokens, names, len(text)).statements()


class _Parser:
    def __init__(self, tokens: list[Token], names: Names, length: int) -> None:
        self.tokens = tokens
        self.names = names
        self.at = 0
        self.stop = len(tokens)
        self.length = length
        self.bars: list[str] = []
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
        return _Parser(tokens, self.names, self.length)

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
        if kind.lstrip("\\") in _TEXT and self.kind(1) == "{" and self._word() is None:
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
        while (operator := _HADAMARD.get(self.kind().lstrip("\\"))) is not None:
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
        if name in _TEXT:
            return self._word() is not None
        return name not in RELATIONS and name not in _HADAMARD and name not in _DIVIDE_OR_DOT and name not in _SPACES

    # --- factors ---

    def factor(self) -> Expression:
        start = self.place()
        atom = self.atom()
        return self._scripts(atom, start)

    def _scripts(self, atom: Expression | Base, start: int) -> Expression:
        """What stands above and below an atom, then the bar of a derivative."""
        node: Expression | Base = atom
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

    def atom(self) -> Expression | Base:
        kind, token = self.kind(), self.peek()
        if token is None:
            raise self.error("something is missing at the end")
        if kind == "number":
            return self._number()
        if kind == "letter":
            return self._letters()
        if kind == "(":
            return self._group()
        if kind == "{":
            return self.group_of(self.inside())
        if kind == "[":
            return self._bracket()
        if kind in ("norm", "|"):
            return self._between_bars(kind)
        if token.kind == "command":
            return self._command(token)
        raise self.error(f"{token.text!r} is not expected here")

    def group_of(self, tokens: list[Token]) -> Expression | Base:
        """A braced group: one name stays open for the scripts behind it, as in {\\delta_1}^T."""
        if not tokens:
            raise self.error("an empty group")
        inner = self.sub_parser(tokens)
        result = inner.sum()
        if inner.at < inner.stop:
            raise inner.error(f"{inner.tokens[inner.at].text!r} is not expected here")
        return result

    def _group(self) -> Expression:
        close = self.partner()
        inner = self.tokens[self.at + 1 : close]
        if not inner:
            raise self.error("empty parentheses")
        self.at = close + 1
        result = self.group_of(inner)
        return self._named(result)

    def _bracket(self) -> Expression:
        close = self.partner()
        inner = self.tokens[self.at + 1 : close]
        self.at = close + 1
        signs = [i for i, t in enumerate(inner) if t.kind == "="]
        if len(signs) == 1:
            left, right = index_of(inner[: signs[0]], self), index_of(inner[signs[0] + 1 :], self)
            return Iverson(left, right)
        return self._named(self.group_of(inner))

    def _between_bars(self, kind: str) -> Expression:
        """‖x‖ and |X|: a norm, with its kind below; a determinant, which of a scalar is the modulus."""
        opened = self.take()
        self.bars.append(kind)
        inner = self.sum()
        if self.kind() != kind:
            raise FormulaError(f"{opened.text} is not closed", opened.start + 1)
        self.at += 1
        self.bars.pop()
        if kind == "|":
            return Call("det", (inner,), latex="|")
        name = "norm"
        if self.kind() == "_":
            self.at += 1
            below = "".join(t.text for t in self.inside())
            if below not in ("1", "2", "F"):
                raise self.error(f"of norms, those with 1, 2 and F are read, not {below}")
            name = "norm1" if below == "1" else "norm"
        return Call(name, (inner,), latex="‖")

    def _number(self) -> Expression:
        token = self.take()
        if token.text == "1" and self.kind() == "_":
            self.at += 1
            return Ones(fold(self._flat(self.inside())))
        if (
            token.text == "1"
            and self.kind() in ("[", "(")
            and "=" in {t.kind for t in self.tokens[self.at : self.partner()]}
        ):
            return self._bracket()
        return Number(Fraction(token.text))

    @staticmethod
    def _flat(tokens: list[Token]) -> str:
        return "".join(t.text for t in tokens if t.kind not in ("{", "}") and t.text != "mathrm")

    def _letters(self) -> Expression | Base:
        """A run of letters: a function, a name that the page declared, or one letter."""
        run, end = "", self.at
        while end < self.stop and self.tokens[end].kind == "letter" and (
            not run or self.tokens[end].start == self.tokens[end - 1].end
        ):  # fmt: skip
            run += self.tokens[end].text
            end += 1
        for size in range(len(run), 1, -1):
            if run[:size] in SPELLINGS:
                self.at += size
                return self.function(SPELLINGS[run[:size]], "")
        word = self.names.longest(run) or run[0]
        start = self.place()
        self.at += len(word)
        if word == "I" and self.names.resolve("I") is None:
            return self._identity()
        if word == "e" and self.kind() == "^" and self.names.resolve("e") is None and self.kind(1) != "(":
            return self._exponential()
        return Base(word, latex=word, start=start)

    def _identity(self) -> Expression:
        if self.kind() == "_":
            self.at += 1
            return Identity(fold(self._flat(self.inside())))
        return Identity()

    def _exponential(self) -> Expression:
        self.at += 1
        exponent = self.group_of(self.inside())
        return Call("exp", (self._named(exponent),))

    # --- commands ---

    def _command(self, token: Token) -> Expression | Base:
        name = token.text
        if name in _FRACTIONS:
            self.at += 1
            return self._fraction()
        if name == "partial":
            return self._slashed_derivative()
        if name == "nabla":
            return self._nabla()
        if name == "sum":
            self.at += 1
            return self._sum_sign()
        if name in _DOTS:
            self.at += 1
            return Dots()
        if name == "sqrt":
            self.at += 1
            return Call("sqrt", (self._named(self.group_of(self.inside())),))
        if name in ACCENTS and name != "vec":
            self.at += 1
            return self._accent(name, token.start)
        if name in _FONTS or name in _TEXT:
            return self._font(token)
        if name in GREEK:
            return self._greek(token)
        if name in SPELLINGS:
            self.at += 1
            return self.function(SPELLINGS[name], "")
        raise FormulaError(f"the command \\{name} is not read", token.start + 1)

    def _greek(self, token: Token) -> Expression | Base:
        name = token.text
        self.at += 1
        following = self.kind()
        if name == "sigma" and self.names.resolve("sigma") is None and (
            following in ("(", "'", "{", "letter") or following.startswith("\\") or following == "["
        ):  # fmt: skip
            return self.function("sigmoid", r"\sigma")
        plain = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}.get(name, name)
        return Base(plain, latex="\\" + name, start=token.start)

    def _accent(self, name: str, start: int) -> Expression | Base:
        inner_tokens = self.inside()
        inner = self.sub_parser(inner_tokens)
        atom = inner.atom()
        if not isinstance(atom, Base):
            raise self.error(f"\\{name} belongs over a letter")
        accented: Expression | Base = replace(
            atom, accent=ACCENTS[name], latex=f"\\{name}{{{atom.latex}}}", start=start
        )
        while inner.at < inner.stop:  # \hat{y_j}: the scripts belong to the accented letter
            sign = inner.take()
            if sign.kind == "_":
                accented = subscript(accented, inner.inside(), inner)
            elif sign.kind == "^":
                accented = superscript(accented, inner.inside(), inner)
            else:
                raise FormulaError(f"\\{name} belongs over one letter", sign.start + 1)
        return accented

    def _font(self, token: Token) -> Expression | Base:
        """\\mathrm{softmax}, \\mathbf{W}, \\mathbf{1}: a function, a name, a vector of ones."""
        self.at += 1
        inner = self.inside()
        word = self._flat(inner)
        if word == "1":
            dim = None
            if self.kind() == "_":
                self.at += 1
                dim = fold(self._flat(self.inside()))
            elif self.kind() in ("[", "(") and "=" in {t.kind for t in self.tokens[self.at : self.partner()]}:
                return self._bracket()
            return Ones(dim)
        if word in SPELLINGS and len(word) > 1:
            return self.function(SPELLINGS[word], "")
        if word == "I" and self.names.resolve("I") is None:
            return self._identity()
        if (len(inner) == 1 and inner[0].kind in ("letter", "command")) or self.names.resolve(word):
            latex = inner[0].text if inner[0].kind != "command" else "\\" + inner[0].text
            shown = f"\\{token.text}{{{latex if len(inner) == 1 else word}}}"
            return Base(word, latex=shown, start=token.start)
        if (token.text == "mathrm" and word == "d") or not word.isalpha():
            raise FormulaError(f"\\{token.text}{{{word}}} is not read here", token.start + 1)
        return Base(word, latex=f"\\{token.text}{{{word}}}", start=token.start)

    def _fraction(self) -> Expression:
        start = self.place()
        above = self.inside()
        below = self.inside()
        if above and below and _is_differential(above) and _is_differential(below):
            return self._derivative(above, below)
        left = self._named(self.group_of(above))
        right = self._named(self.group_of(below))
        return Product(left, right, "/", span=self.end_of(start))

    def _derivative(self, above: list[Token], below: list[Token]) -> Expression:
        if self._is_second(above) or self._is_second(below):
            raise FormulaError("second derivatives are not read", above[0].start + 1)
        wrt_parser = self.sub_parser(_strip_differential(below))
        wrt = wrt_parser.factor()
        if wrt_parser.at < wrt_parser.stop:
            raise wrt_parser.error("a derivative is by one symbol")
        rest = _strip_differential(above)
        if not rest:  # \frac{\partial}{\partial X} f
            return Derivative(self.product(), wrt)
        inner = self.sub_parser(rest)
        of = inner.sum()
        if inner.at < inner.stop:
            raise inner.error(f"{inner.tokens[inner.at].text!r} is not expected here")
        return Derivative(of, wrt)

    @staticmethod
    def _is_second(tokens: list[Token]) -> bool:
        return len(tokens) > 1 and tokens[0].text == "partial" and tokens[1].kind == "^"

    def _slashed_derivative(self) -> Expression:
        """∂J/∂W, written on the line."""
        start = self.take()
        if self.kind() == "^":
            raise FormulaError("second derivatives are not read", start.start + 1)
        of = self.factor()
        if self.kind() != "/" or self.kind(1) != "\\partial":
            raise self.error("∂ needs its denominator: ∂J/∂W")
        self.at += 2
        self.in_slash = True
        barred = self.factor()
        self.in_slash = False
        if self.kind() == "|" and self.kind(1) == "_":
            self.at += 2
            return Derivative(of, barred, index_of(self.inside(), self))
        return Derivative(of, barred)

    def _nabla(self) -> Expression:
        start = self.take()
        if self.kind() != "_":
            raise FormulaError("∇ needs below it the symbol by which to differentiate: ∇_W J", start.start + 1)
        self.at += 1
        wrt = self._named(self.group_of(self.inside()))
        return Derivative(self.factor(), wrt)

    def _sum_sign(self) -> Expression:
        start = self.place()
        lower = upper = None
        variables: list[str] = []
        while self.kind() in ("_", "^"):
            sign = self.take()
            tokens = self.inside()
            if sign.kind == "^":
                upper = index_of(tokens, self)
                continue
            variables, lower = self._running(tokens)
        if not variables:
            raise FormulaError("over what does this sum run? Write \\sum_i", start + 1)
        body = self.product()
        while _HADAMARD.get(self.kind().lstrip("\\")) is not None:
            operator = _HADAMARD[self.take().text]
            body = Product(body, self.product(), operator, span=self.end_of(start))
        for variable in reversed(variables):
            body = BigSum(variable, body, lower, upper, span=self.end_of(start))
        return body

    def _running(self, tokens: list[Token]) -> tuple[list[str], object]:
        signs = [i for i, t in enumerate(tokens) if t.kind == "="]
        if len(signs) == 1:
            variable = index_of(tokens[: signs[0]], self)
            if variable.variable is None or variable.offset:
                raise FormulaError("a sum runs over a letter", tokens[0].start + 1)
            return [variable.variable], index_of(tokens[signs[0] + 1 :], self)
        kept = [t for t in tokens if t.kind not in ("{", "}")]
        if len(kept) > 1 and all(t.kind == "letter" and t.text in INDEX_LETTERS for t in kept):
            return [t.text for t in kept], None  # \sum_{ij}
        parts: list[list[Token]] = [[]]
        for token in tokens:
            if token.kind == ",":
                parts.append([])
            else:
                parts[-1].append(token)
        found = [index_of(part, self) for part in parts]
        if any(i.variable is None or i.offset for i in found):
            raise FormulaError("a sum runs over letters", tokens[0].start + 1)
        return [str(i.variable) for i in found], None

    # --- functions ---

    def function(self, name: str, latex: str) -> Expression:
        """A function at hand, its name read: primes and scripts, then its argument."""
        start = self.place()
        primes, axis, entry, exponent = 0, None, None, None
        while self.kind() in ("'", "_", "^"):
            sign = self.take()
            if sign.kind == "'":
                primes += 1
                continue
            tokens = self.inside()
            word = self._flat(tokens)
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
        arguments = self._arguments(name)
        node: Expression = Call(name, arguments, primes, axis, latex, span=self.end_of(start))
        if entry is not None:
            node = self._named(subscript(node, entry, self))
        if exponent is not None:
            node = Power(node, Number(exponent), elementwise=True)
        return node

    def _arguments(self, name: str) -> tuple[Expression, ...]:
        if self.peek() is None or not (self._starts_factor() or self.kind() in ("\\sum",)):
            raise self.error(f"{name} needs an argument")
        expected = 2 if name == "cross_entropy" else 1
        if self.kind() != "(":
            if expected == 2:
                raise self.error("a cross-entropy needs two arguments: CE(y, \\hat{y})")
            return (self.factor(),)
        close = self.partner()
        inner = self.tokens[self.at + 1 : close]
        parts: list[list[Token]] = [[]]
        depth = 0
        for token in inner:
            depth += (token.kind in "([{") - (token.kind in ")]}")
            if token.kind == "," and depth == 0:
                parts.append([])
            else:
                parts[-1].append(token)
        if len(parts) != expected or not all(parts):
            raise self.error(f"{name} takes {expected} argument{'s' * (expected > 1)}")
        self.at = close + 1
        return tuple(self._named(self.group_of(part)) for part in parts)


def _placed(node: Expression | Base, span: tuple[int, int] | None) -> Expression | Base:
    """A letter that just took a script, with its own place."""
    if span is not None and isinstance(node, Transpose | Inverse | Power | Entry) and isinstance(node.of, Symbol):
        return replace(node, of=replace(node.of, span=span))
    return node


def _is_differential(tokens: list[Token]) -> bool:
    first = tokens[0]
    if first.text == "partial":
        return True
    if first.kind == "letter" and first.text == "d":
        return len(tokens) == 1 or tokens[1].kind in ("letter", "command")
    return first.text == "mathrm" and len(tokens) > 3 and tokens[2].text == "d"


def _strip_differential(tokens: list[Token]) -> list[Token]:
    return tokens[4:] if tokens[0].text == "mathrm" else tokens[1:]

"""Functions and their arguments: σ(z), \\ln \\det A X, φ(z), L(y, \\hat y).

call        = function { "'" | "_" argument | "^" number } arguments
arguments   = "(" sum { "," sum } ")" | operand
operand     = factor { factor }       a function without parentheses takes the product to its right, up to the
                                      next function, Σ or parenthesis; tr and det take parentheses, too
application = letter "(" sum { "," sum } ")"
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Apply, Call, Derivative, Entry, Expression, Index, Number, Power, Product, Symbol
from elman.calculus.functions import ELEMENTWISE, SPELLINGS, arity
from elman.calculus.syntax.conditions import at_top
from elman.calculus.syntax.cursor import Cursor, divided, plain_text, split_at_commas
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.names import GREEK, INDEX_LETTERS, LAYER_LETTERS, PROBABILITIES
from elman.calculus.syntax.scripts import Letter, Node, closed, subscript
from elman.calculus.syntax.tokens import FONTS, TEXT, Token
from elman.errors import FormulaError

# What is refused by name, with or without a known function of this name → what to do instead.
REFUSED = {
    "argmax": "it has no derivative", "argmin": "it has no derivative", "arg": "it has no derivative",
    "lim": "a limit is not read", "sup": "a supremum is not read", "inf": "an infimum is not read",
    "min": "a minimum over an index is not read", "max": "a maximum over an index is not read",
    "int": "an integral is not read", "binom": "a binomial coefficient is not read",
}  # fmt: skip
# A sum along the rows or down the columns, as one word → the function and its axis.
ALONG = {
    "rowsum": ("sum", 1), "rowsums": ("sum", 1), "colsum": ("sum", 0), "colsums": ("sum", 0), "rowmean": ("mean", 1),
    "colmean": ("mean", 0), "sumrows": ("sum", 1), "sumcols": ("sum", 0),
}  # fmt: skip
NORMAL = r"\mathcal{N}"
MOMENTS = frozenset({"Var", "Cov", "Std", "Corr", "Bias"})  # of what is in brackets behind them
_PLAIN = ("letter", "command", "number", ",", "_", "^", "{", "}", ";", "'")


class Applications(Grammar):
    """Reads functions, those of `functions.py` and those that only the page knows."""

    # --- functions that are known ---

    def function_call(self, name: str, latex: str = "") -> Expression:
        """A function, its name already taken: primes and scripts, then its arguments."""
        cursor = self.cursor
        start = cursor.place()
        if name == "prod" and cursor.kind() == "(" and len(split_at_commas(cursor.bracketed())) > 1:
            return self._product_of_listed(start)
        if name in ("max", "min") and (shift := self._shift(name, start)) is not None:
            return shift
        primes, axis, entry, exponent, base = 0, None, None, None, None
        while cursor.kind() in ("'", "_", "^"):
            sign = cursor.take()
            if sign.kind == "'":
                primes += 1
                continue
            tokens = cursor.take_argument()
            word = plain_text(tokens)
            if sign.kind == "^" and word in ("prime", "'"):
                primes += 1
            elif sign.kind == "^" and word in ("primeprime", "''"):
                primes += 2
            elif sign.kind == "^" and word.isdigit():
                exponent = Fraction(word)
            elif sign.kind == "^" and name in ELEMENTWISE and word.strip("()[]") in LAYER_LETTERS | self.names.levels:
                continue  # the function of layer l is the same for all, as far as the page says
            elif sign.kind == "^" and word == "-1":
                raise FormulaError(f"the inverse function of {name} is not read: give it a name", sign.start + 1)
            elif sign.kind == "_" and word[:3] in ("row", "col"):
                axis = 1 if word.startswith("row") else 0
            elif sign.kind == "_" and name == "ln" and word.isdigit():
                base = Number(Fraction(word))
            elif sign.kind == "_" and name in ("max", "min"):
                raise FormulaError(f"{REFUSED[name]}: write the entries, as in max(a, b)", sign.start + 1)
            elif sign.kind == "_":
                entry = tokens
            else:
                raise FormulaError(f"the script {word!r} on a function is not read", sign.start + 1)
        arguments = self._arguments(name)
        inner = arguments[0]
        node: Node
        if name == "softmax" and isinstance(inner, Entry) and not inner.column and entry is None:
            node = Call(name, (inner.of,), primes, axis, latex, span=cursor.span_from(start))
            node = replace(inner, of=node, span=cursor.span_from(start))  # an entry of softmax(x): of a number it is 1
        else:
            node = Call(name, arguments, primes, axis, latex, span=cursor.span_from(start))
        if base is not None:
            node = Product(closed(node, self.names), Call("ln", (base,)), "/", span=cursor.span_from(start))
        if entry is not None:
            node = subscript(node, entry, self.names, cursor.place())
        called = closed(node, self.names)
        return called if exponent is None else Power(called, Number(exponent), elementwise=True)

    def _shift(self, name: str, start: int) -> Symbol | None:
        """x_max of x_i - max(x) and x_i - max_j x_j, the name already taken: what is subtracted from all entries is one
        number, and a given one. None for any other maximum.
        """
        cursor = self.cursor
        at = cursor.at
        before = at - 1
        while before > 0 and cursor.tokens[before].kind == "letter":
            before -= 1
        if cursor.tokens[before].kind == "command":
            before -= 1
        if before < 0 or cursor.tokens[before].kind != "-":
            return None
        if cursor.kind() == "_":
            cursor.skip()
            cursor.take_argument()
        inner = cursor.bracketed() if cursor.kind() == "(" else []
        if (inner and len(split_at_commas(inner)) == 1) or (not inner and not cursor.at_end and self.starts_factor()):
            of = self.factor()
            letter = of.of if isinstance(of, Entry) else of
            if isinstance(letter, Symbol) and letter.time is None:
                latex = rf"\{name} {letter.latex or letter.name}"
                return Symbol(f"{letter.name}_{name}", latex=latex, span=cursor.span_from(start))
        cursor.at = at
        return None

    def _product_of_listed(self, start: int) -> Expression:
        """prod(A, B), the product of what is listed in the parentheses that come next."""
        first, *others = self.listed()
        for factor in others:
            first = Product(first, factor, "", span=self.cursor.span_from(start))
        return first

    def named_call(self, word: str, latex: str, start: int) -> Expression | None:
        """The function that a word names, already taken; None where it names none, or where no argument comes."""
        cursor = self.cursor
        if self.names.resolve(word) is not None and word not in self.names.functions:
            return None
        if word in self.names.functions:
            return self.application(word, latex, start)
        if word in ALONG:
            function, axis = ALONG[word]
            return Call(function, self._arguments(function), axis=axis, span=cursor.span_from(start))
        if word in SPELLINGS and len(word) > 1:
            return self.function_call(SPELLINGS[word], latex if SPELLINGS[word] != "sigmoid" else "")
        if word in REFUSED:
            raise FormulaError(f"{word} is not read: {REFUSED[word]}", start + 1)
        return None

    def _arguments(self, name: str) -> tuple[Expression, ...]:
        """The arguments of a function: in parentheses, or the product to its right."""
        cursor = self.cursor
        if cursor.at_end or not self.starts_factor():
            raise cursor.error(f"{name} needs an argument")
        expected = arity(name)
        kind = cursor.kind()
        if kind not in ("(", "[") and not (kind == "{" and cursor.kind(1) == "("):
            if expected > 1:
                raise cursor.error(f"{name} takes {expected} arguments: write them in parentheses, with commas")
            return (self.operand(name),)
        inner = cursor.bracketed()
        if kind == "{" and cursor.closing() > cursor.at:
            inner = self.part(inner).cursor.bracketed() if inner[-1].kind == ")" else inner
        parts = split_at_commas(inner)
        if name in ("max", "min") and len(parts) == 1:
            raise cursor.error(f"the {name} of all entries is not read: write a letter for it, or {name}(a, b)")
        if len(parts) != expected or not all(parts):
            raise cursor.error(f"{name} takes {expected} argument{'s' * (expected > 1)}")
        cursor.take_bracket()
        return tuple(self.group(part) for part in parts)

    def operand(self, name: str) -> Expression:
        """The product that a function without parentheses takes."""
        cursor = self.cursor
        start = cursor.place()
        stops = {"begin"} | ({"(", "["} if name in ELEMENTWISE else set())
        bars = cursor.kind() in ("|", "norm", "begin")
        left = self.factor()
        whole = bars or (self.of_nabla and cursor.tokens[cursor.at - 1].kind == ")")
        while not whole and self.starts_factor() and cursor.kind() not in stops and not self._starts_function():
            left = Product(left, self.factor(), "", span=cursor.span_from(start))
        return left

    def _starts_function(self) -> bool:
        """Whether a function or Σ comes next, before which the argument of the function before it ends."""
        kind, cursor = self.cursor.kind(), self.cursor
        if kind == "letter":
            return self.function_ahead() is not None
        name = kind.lstrip("\\")
        if name in ("sum", "prod", "frac", "partial", "nabla"):
            return name in ("sum", "prod", "nabla")
        if name == "sigma":
            return not self.names.is_letter("sigma") and cursor.kind(1) in ("(", "'")
        if name in FONTS or name in TEXT:
            return cursor.kind(1) == "{" and plain_text(cursor.ahead(1)) in SPELLINGS
        return name in SPELLINGS and kind.startswith("\\")

    def function_ahead(self) -> str | None:
        """The function whose name the letters that come next begin with."""
        run = self.run_of_letters()
        return next(
            (run[:size] for size in range(len(run), 1, -1) if run[:size] in SPELLINGS or run[:size] in ALONG), None
        )

    def run_of_letters(self) -> str:
        """The letters that come next without a space between them."""
        run, end = "", None
        for ahead in range(LONGEST_NAME):
            token = self.cursor.peek(ahead)
            if token is None or token.kind != "letter" or end not in (None, token.start):
                break
            run, end = run + token.text, token.end
        return run

    # --- functions that only the page knows ---

    def application(self, name: str, latex: str, start: int, primes: int = 0) -> Expression | None:
        """The function `name` of the page, already taken, with its primes and arguments; None without arguments."""
        cursor = self.cursor
        at = cursor.at
        while cursor.kind() == "'" or (cursor.kind() == "^" and self._prime_above()):
            if cursor.take().kind == "^":
                cursor.take_argument()
            primes += 1
        if cursor.kind() != "(":
            if primes:
                of = Symbol(name, latex=latex, span=cursor.span_from(start))
                return Derivative(of, Symbol(""), span=cursor.span_from(start))
            cursor.at = at
            return None
        return Apply(name, self.listed(), primes, latex, span=cursor.span_from(start))

    def _prime_above(self) -> bool:
        at = self.cursor.at
        self.cursor.skip()
        word = plain_text(self.cursor.take_argument()) if not self.cursor.at_end else ""
        self.cursor.at = at
        return word in ("prime", "'")

    def listed(self) -> tuple[Expression, ...]:
        """The sums in the parentheses that come next, between commas and semicolons."""
        cursor = self.cursor
        parts = split_at_commas(cursor.bracketed(), also=";")
        if not all(parts):
            raise cursor.error("an argument is missing")
        cursor.take_bracket()
        return tuple(self.group(part) for part in parts)

    def applied(self, node: Node) -> Expression | None:
        """A letter applied to what is in the parentheses that come next; None where they are a factor of a product.

        A name of `Names.functions` is applied. A list with a comma in it is no factor: the letter is then a function,
        too, but for a quantity of the page (`Names.known`), which J(W, b) names whatever it depends on. So does J(W)
        at the left of a relation, and where it is differentiated; and loss(W), of a word, everywhere.
        """
        cursor = self.cursor
        if isinstance(node, Letter) and (given := self._of_value(node) or self.conditional(node)) is not None:
            return given
        symbol = closed(node, self.names)
        if not isinstance(symbol, Symbol):
            return None
        start = cursor.tokens[cursor.at - 1].start if cursor.at else cursor.place()
        inner = cursor.bracketed() if cursor.kind() == "(" else []
        if symbol.name in self.names.functions and symbol.time is None:
            if inner and isinstance(node, Letter) and _has_letter(inner, node.latex):
                return None  # g(1 - g) is a product
            return self.application(symbol.name, symbol.latex, start)
        if cursor.kind() != "(":
            return None
        plain = bool(inner) and all(t.kind in _PLAIN for t in inner)
        several = len(split_at_commas(inner, also=";")) > 1
        known = self.names.resolve(symbol.name) is not None
        left = self.is_left and cursor.closing() == len(cursor.tokens) - 1
        word = isinstance(node, Letter) and known and len(node.word) > 2 and node.latex == node.word
        whole = ((left or self.differentiated) and symbol.name not in self.names.numbers) or word
        if plain and (whole or (several and known)):
            cursor.take_bracket()
            return symbol
        return self._apply(symbol, start) if several else None

    def conditional(self, letter: Letter) -> Symbol | Entry | Apply | None:
        """p(x | y) and P(O = o), a letter with what is in its parentheses as a part of its name, and the density
        N(x | m, S), a function of three arguments; None for any other.

        The indices there, n of p(x_n | θ), are those of the letter.
        """
        cursor = self.cursor
        if letter.latex == NORMAL and cursor.kind() == "(" and (density := self._normal_density(letter)) is not None:
            return density
        may_be_given = letter.word in PROBABILITIES
        if cursor.kind() != "(" or (letter.name in self.names.functions and not may_be_given):
            return None
        inner = cursor.bracketed()
        bars = sum(t.kind == "|" for _, t in at_top(inner))
        given = any(t.kind == "=" for _, t in at_top(inner)) and may_be_given
        if bars != 1 and not (given and bars == 0):
            return None
        start = letter.start
        cursor.take_bracket()
        plain, time, indices = self._indices_within(inner)
        kept = [t for t in plain if t.text not in (*FONTS, *TEXT) and (t.kind in _IN_NAMES or t.text.isalnum())]
        named = f"{letter.name}_{''.join(_IN_NAMES.get(t.kind, t.text) for t in kept)}"
        shown = "".join("\\" + t.text + " " if t.kind == "command" else t.text + " " * (t.kind == "|") for t in inner)
        symbol = Symbol(named, time or letter.time, f"{letter.latex}({shown})", span=cursor.span_from(start))
        if not indices:
            return symbol
        return Entry(replace(symbol, name=f"{named}_at", span=(0, 0)), indices, span=symbol.span)  # p(x | θ) is another

    def _of_value(self, letter: Letter) -> Apply | None:
        """R(x), or p_w(x | y), of an x over whose values sums of the page run, its letter already taken: a function of
        x, as a letter at a step of its own, of y, and of the w in its name. None for any other letter.
        """
        cursor = self.cursor
        inner = cursor.bracketed() if cursor.kind() == "(" and self.names.values and letter.time is None else []
        parts = divided(inner, lambda t: t.kind in (",", ";", "|"))
        if not any(len(part) == 1 and part[0].text in self.names.values for part in parts) or not all(parts):
            return None
        cursor.take_bracket()
        found = tuple(self._value(part) for part in parts)
        if letter.label.isalpha() and (len(letter.label) == 1 or letter.label in GREEK):
            shown = letter.label if len(letter.label) == 1 else "\\" + letter.label
            found = (Symbol(letter.label, latex=shown), *found)
        return Apply(letter.name, found, latex=letter.latex, span=cursor.span_from(letter.start))

    def _value(self, tokens: list[Token]) -> Expression:
        """An argument: x and x' of Σ_x and Σ_{x'} are the letter x at two steps; s beside s_t is another letter."""
        word = tokens[0].text
        if len(tokens) > 1 or word not in self.names.values:
            found = self.group(tokens)
            if isinstance(found, Symbol) and found.time is None and found.name in self.names.timed:
                return replace(found, name=f"{found.name}_any")
            return found
        name = word.rstrip("'")
        shown = "\\" + name if tokens[0].kind == "command" else name
        return Symbol(name, Index(word), shown, below=True, span=(tokens[0].start, tokens[0].end))

    def _normal_density(self, letter: Letter) -> Apply | None:
        """N(x | m, S) or N(x; m, S), its letter already taken; None where other things are in the parentheses."""
        parts = divided(self.cursor.bracketed(), lambda t: t.kind in ("|", ";"))
        arguments = [*parts[:1], *(split_at_commas(parts[1]) if len(parts) == 2 else [])]
        if len(arguments) != len("xmS") or not all(arguments):
            return None
        self.cursor.take_bracket()
        found = tuple(self.group(argument) for argument in arguments)
        return Apply("normal", found, latex=NORMAL, span=self.cursor.span_from(letter.start))

    def _indices_within(self, tokens: list[Token]) -> tuple[list[Token], Index | None, tuple[Index, ...]]:
        """The arguments p(y^{(i)} = k | x_n) without their indices; the step i above letters; and the indices n and k,
        which stand below a letter, or alone beside such. All arguments as they are where that is not so simple.
        """
        letters, cursor = INDEX_LETTERS | self.names.indices, Cursor(tokens, tokens[-1].end)
        plain: list[Token] = []
        above, below, alone = set[str](), dict[str, None](), dict[str, None]()
        while not cursor.at_end:
            token = cursor.take()
            if token.kind in ("_", "^") and plain and not cursor.at_end:
                script = [t for t in cursor.take_argument() if t.kind not in ("{", "}")]
                bracketed = len(script) == len("(i)") and script[0].kind == "("
                within = script[1:-1] if bracketed else script
                if len(within) != 1 or within[0].text not in letters or bracketed != (token.kind == "^"):
                    return tokens, None, ()
                above.update({within[0].text} if bracketed else ())
                below.update({} if bracketed else {within[0].text: None})
            elif token.kind == "letter" and token.text in self.names.indices and cursor.kind() not in ("_", "^"):
                alone[token.text] = None
            else:
                plain.append(token)
        indices = tuple(Index(name) for name in {**below, **alone})
        if not (above or below) or len(above) > 1 or len(indices) > len("ij"):
            return tokens, None, ()
        return plain, (Index(min(above)) if above else None), indices

    def _apply(self, symbol: Symbol, start: int) -> Expression:
        return Apply(symbol.name, self.listed(), 0, symbol.latex, span=self.cursor.span_from(start))

    def unknown_function(self, word: str, latex: str, start: int) -> Expression | None:
        """A word that names no function here, already taken, applied to the parentheses that come next."""
        if self.names.resolve(word) is not None or self.cursor.kind() not in ("(", "[", "'"):
            return None
        if self.cursor.kind() == "[":
            if word in MOMENTS:
                raise FormulaError(f"{word}[…] is not read: write it as a sum", start + 1)
            return None
        return self.application(word, latex, start)


def _has_letter(tokens: list[Token], latex: str) -> bool:
    """Whether a letter is among the tokens as a quantity: g in 1 - g, but not in g(z), g', g^k or g_k."""
    letters = (k for k, t in enumerate(tokens) if t.text == latex.lstrip("\\"))
    return any(k + 1 == len(tokens) or tokens[k + 1].kind not in ("(", "'", "^", "_") for k in letters)


_IN_NAMES = {"|": "given", "-": "minus"}
LONGEST_NAME = 40  # letters

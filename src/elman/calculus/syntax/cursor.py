"""A position in the tokens of a formula: look ahead, take a token, step over a bracket. It knows no grammar."""

from __future__ import annotations

from collections.abc import Callable

from elman.calculus.syntax.names import ACCENTS
from elman.calculus.syntax.tokens import CLOSING, FONTS, OPENING, TEXT, Token
from elman.errors import FormulaError

# A command that takes its arguments along where it is an argument → how many it has.
_ARGUMENTS = {**dict.fromkeys((*FONTS, *TEXT, *ACCENTS, "sqrt"), 1), "frac": 2, "tfrac": 2, "dfrac": 2}


class Cursor:
    """The tokens of a formula, or of a part of it, and the position `at` of the next one.

    `length` is the length of the whole formula: the place of an error in a part without tokens.
    """

    def __init__(self, tokens: list[Token], length: int) -> None:
        self.tokens = tokens
        self.length = length
        self.at = 0

    @property
    def at_end(self) -> bool:
        """Whether every token was taken."""
        return self.at >= len(self.tokens)

    @property
    def last_end(self) -> int:
        """Where the token taken last ends; 0 before the first."""
        return self.tokens[self.at - 1].end if self.at else 0

    def peek(self, ahead: int = 0) -> Token | None:
        """The next token, or one further ahead; None behind the last."""
        i = self.at + ahead
        return self.tokens[i] if i < len(self.tokens) else None

    def kind(self, ahead: int = 0) -> str:
        """The kind of a token ahead, a command by its name with a backslash; "" at the end."""
        token = self.peek(ahead)
        if token is None:
            return ""
        return "\\" + token.text if token.kind == "command" else token.kind

    def name(self, ahead: int = 0) -> str:
        """The kind of a token ahead, a command by its bare name: `circ`, `+`; "" at the end."""
        return self.kind(ahead).lstrip("\\")

    def take(self) -> Token:
        """The next token, which is stepped over."""
        token = self.tokens[self.at]
        self.at += 1
        return token

    def skip(self, count: int = 1) -> None:
        """Steps over some tokens."""
        self.at += count

    def place(self) -> int:
        """Where the next token begins, or where the last one ends."""
        token = self.peek()
        return token.start if token else (self.tokens[-1].end if self.tokens else self.length)

    def error(self, message: str) -> FormulaError:
        """An error at the next token."""
        return FormulaError(message, self.place() + 1)

    def unexpected(self) -> FormulaError:
        """The error for a next token that cannot stand here."""
        if self.kind() == "bad":
            return self.error(self.tokens[self.at].text)
        return self.error(f"{self.tokens[self.at].text!r} is not expected here")

    def span_from(self, start: int) -> tuple[int, int]:
        """The span from `start` to the end of the token taken last."""
        return start, self.last_end if self.at else start

    def closing(self) -> int:
        """The position of the bracket that closes the next token, an opening bracket."""
        depth = 0
        for i in range(self.at, len(self.tokens)):
            if self.tokens[i].kind in OPENING:
                depth += 1
            elif self.tokens[i].kind in CLOSING:
                depth -= 1
                if depth == 0:
                    return i
        raise self.error("this bracket is not closed")

    def ahead(self, count: int) -> list[Token]:
        """The tokens within the bracket that comes after some tokens; nothing is stepped over."""
        at = self.at
        self.at += count
        try:
            return self.bracketed()
        finally:
            self.at = at

    def bracketed(self) -> list[Token]:
        """The tokens within the bracket that comes next; nothing is stepped over."""
        return self.tokens[self.at + 1 : self.closing()]

    def take_bracket(self) -> list[Token]:
        """The tokens within the bracket that comes next, which is stepped over."""
        close = self.closing()
        inner = self.tokens[self.at + 1 : close]
        self.at = close + 1
        return inner

    def take_argument(self) -> list[Token]:
        """The argument of a command or a script: within braces, `(t-1)` with its parentheses, else a single token."""
        if self.at_end:
            raise self.error("something is missing at the end")
        if self.kind() == "(":
            start, self.at = self.at, self.closing() + 1
            return self.tokens[start : self.at]
        if self.kind() == "{":
            return self.take_bracket()
        found = [self.take()]
        for _ in range(_ARGUMENTS.get(found[0].text, 0) if found[0].kind == "command" else 0):
            if self.kind() == "{":  # x^\\mathsf{T}, x^\\frac{1}{2}
                start, self.at = self.at, self.closing() + 1
                found += self.tokens[start : self.at]
        return found


def split_at_commas(tokens: list[Token], nested: bool = False, also: str = ",") -> list[list[Token]]:
    """The parts of some tokens between commas, or another sign; `nested`: one within brackets separates, too."""
    return divided(tokens, lambda token: token.kind in (",", also), nested)


def divided(tokens: list[Token], separates: Callable[[Token], bool], nested: bool = False) -> list[list[Token]]:
    """The parts of some tokens between those that separate them; `nested`: one within brackets does, too."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        if (nested or depth == 0) and separates(token):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def plain_text(tokens: list[Token]) -> str:
    """The letters of some tokens, without braces and fonts."""
    return "".join(t.text for t in tokens if t.kind not in ("{", "}") and t.text not in _FONTS)


_FONTS = {"mathrm", "text", "mathbf", "textrm", "boldsymbol", "mathit", "operatorname"}

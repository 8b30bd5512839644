"""A formula that is no expression, sign by sign as MathML: `[D_h,B]`, `i = t-1, \\dots, 1`, `\\circ` alone."""

from __future__ import annotations

from html import escape

from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.names import ACCENTS, GREEK, GREEK_LETTERS
from elman.calculus.syntax.tokens import Token, tokenize
from elman.errors import FormulaError

_SIGNS = {
    "partial": "∂", "circ": "∘", "odot": "⊙", "otimes": "⊗", "cdot": "⋅", "times": "×", "sum": "∑", "prod": "∏",
    "nabla": "∇", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "to": "→",
    "rightarrow": "→",
    "leftarrow": "←", "gets": "←", "in": "∈", "propto": "∝", "dots": "…", "ldots": "…", "cdots": "⋯", "equiv": "≡",
    "infty": "∞", "mapsto": "↦", "Rightarrow": "⇒", "forall": "∀", "sim": "∼", "pm": "±", "mid": "∣", "top": "⊤",
    "langle": "⟨", "rangle": "⟩", "coloneqq": "≔", "int": "∫", "ell": "ℓ",
}  # fmt: skip
_WORDS = {
    "ln", "log", "exp", "max", "min", "argmax", "argmin", "tanh", "sin", "cos", "tan", "tr", "det", "lim", "Pr", "diag",
}  # fmt: skip
_LARGE = {"sum", "prod"}
_PROSE = {"text", "textrm", "textbf", "textit", "mbox"}
_FONTS = {"mathrm", "operatorname", "mathit", "mathsf", "mathcal", "mathbf", "boldsymbol", "bm", "mathtt", *_PROSE}
_SPACES = {"quad", "qquad"}
_LETTERS = {word: letter for letter, word in reversed(GREEK_LETTERS.items())} | {"varepsilon": "ε", "varphi": "φ"}
_ACCENTED = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙", "check": "ˇ", "vec": "→"}
_DOUBLE = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "C": "ℂ", "E": "𝔼", "P": "ℙ", "1": "𝟙"}


def mathml_loose(text: str, display: bool = False) -> str | None:
    """The `<math>` element of a formula of which every sign is known, else None."""
    try:
        tokens = tokenize(text)
        inner = _Row(tokens, text).row(len(tokens))
    except (FormulaError, IndexError):
        return None
    return f'<math displaystyle="true">{inner}</math>' if display else f"<math>{inner}</math>"


class _Row:
    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens, self.text = tokens, text
        self.at = 0

    def row(self, stop: int) -> str:
        """The signs up to `stop`, each with its scripts."""
        out = []
        while self.at < stop:
            large = self.tokens[self.at].text in _LARGE
            base = self.atom()
            below = above = ""
            while self.at < stop and self.tokens[self.at].kind in ("_", "^"):
                sign = self.tokens[self.at].kind
                self.at += 1
                script = f"<mrow>{self.atom()}</mrow>"
                below, above = (script, above) if sign == "_" else (below, script)
            if below and above:
                tag = "munderover" if large else "msubsup"
                base = f"<{tag}>{base}{below}{above}</{tag}>"
            elif below or above:
                tag = ("munder" if below else "mover") if large else "msub" if below else "msup"
                base = f"<{tag}>{base}{below or above}</{tag}>"
            out.append(base)
        return "".join(out)

    def group(self) -> str:
        """A group in braces, which opens at hand, or one sign."""
        if self.tokens[self.at].kind != "{":
            return self.atom()
        depth = 0
        for stop in range(self.at, len(self.tokens)):
            depth += {"{": 1, "}": -1}.get(self.tokens[stop].kind, 0)
            if depth == 0:
                break
        self.at += 1
        inner = self.row(stop)
        self.at = stop + 1
        return f"<mrow>{inner}</mrow>"

    def atom(self) -> str:
        """One sign, or a group."""
        token = self.tokens[self.at]
        if token.kind == "{":
            return self.group()
        self.at += 1
        if token.kind == "number":
            return f"<mn>{token.text}</mn>"
        if token.kind == "letter":
            return self.letters(token)
        if token.kind == "prose":
            return f"<mtext>{escape(token.text)}</mtext>"
        if token.kind == "'":
            return "<mo>′</mo>"
        if token.kind == "command":
            return self.command(token)
        shown = {"-": "−", "*": "∗", "norm": "‖", "newline": ";", "&": ""}.get(token.kind, token.kind)
        if shown == "/":
            return '<mo lspace="0" rspace="0">/</mo>'
        shown = token.text[-1] if token.text in ("\\{", "\\}") else shown
        return f'<mo stretchy="false">{escape(shown)}</mo>'

    def letters(self, token: Token) -> str:
        """A letter, or the letters that spell a function."""
        run, stop = token.text, self.at
        for following in self.tokens[stop : stop + 16]:
            if following.kind != "letter" or following.start != token.start + len(run):
                break
            run += following.text
        for size in range(len(run), 1, -1):
            if run[:size] in SPELLINGS:
                self.at += size - 1
                return f"<mi>{run[:size]}</mi>"
        return f"<mi>{token.text}</mi>"

    def command(self, token: Token) -> str:
        """A command."""
        name = token.text
        if name in GREEK:
            return f"<mi>{_LETTERS.get(name, name)}</mi>"
        if name == "partial":
            return "<mi>∂</mi>"
        if name in _LARGE:
            return f'<mo movablelimits="true">{_SIGNS[name]}</mo>'
        if name in _SIGNS:
            return f"<mo>{_SIGNS[name]}</mo>"
        if name in _WORDS:
            return f"<mi>{name}</mi><mo>&#x2061;</mo>"
        if name in _SPACES:
            return '<mspace width="1em"/>'
        if name in ("frac", "dfrac", "tfrac"):
            return f"<mfrac>{self.group()}{self.group()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.group()}</msqrt>"
        if name in ACCENTS:
            return f'<mover accent="true">{self.group()}<mo stretchy="false">{_ACCENTED[ACCENTS[name]]}</mo></mover>'
        if name in _PROSE and self.tokens[self.at].kind == "{":
            opened = self.tokens[self.at]
            self.group()
            return f"<mtext>{escape(self.text[opened.end : self.tokens[self.at - 1].start])}</mtext>"
        if name in _FONTS or name == "mathbb":
            return self.font(name)
        raise FormulaError(f"the command \\{name} is not known", token.start + 1)

    def font(self, name: str) -> str:
        """Letters in another font; a word of several stands upright."""
        start = self.at
        inner = self.group()
        word = "".join(t.text for t in self.tokens[start : self.at] if t.kind not in "{}")
        if name == "mathbb":
            return f"<mi>{_DOUBLE.get(word, word)}</mi>" if word.isalnum() else inner
        return f"<mi>{word}</mi>" if word.isalpha() and word.isascii() and len(word) > 1 else inner

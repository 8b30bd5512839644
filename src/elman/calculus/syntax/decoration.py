r"""Takes off what only decorates a formula: colours, frames, fonts around all of it, braces with a label.

The tokens that are left keep their places. A frame around a whole relation, as in `\boxed{a = b}`, goes with its
braces, so that the relation is seen; around a part of one, as in `a = \boxed{b + c} d`, the braces stay, and group.
"""

from __future__ import annotations

from itertools import pairwise

from elman.calculus.syntax.conditions import at_top
from elman.calculus.syntax.tokens import CLOSING, FONTS, OPENING, TEXT, Token

# Commands with one argument, of which only the argument counts.
_FRAMES = {
    "boxed", "fbox", "framebox", "cancel", "bcancel", "xcancel", "smash", "underline", "mathop", "mathbin", "mathrel",
    "mathord", "mathopen", "mathclose", "mathinner", "ensuremath", "overparen", "underparen", "Boxed", "hl",
}  # fmt: skip
# Commands whose first arguments, as many as given, say how what follows looks.
_COLOURS = {
    "color": 1, "textcolor": 1, "colorbox": 1, "fcolorbox": 2, "style": 1, "class": 1, "cssId": 1, "href": 1, "bbox": 0,
    "raisebox": 1, "definecolor": 3,
}  # fmt: skip
_BRACED = {"underbrace", "overbrace", "underbracket", "overbracket", "undergroup", "overgroup"}
_STACKED = {"overset", "underset", "stackrel"}
_BASES_WITH_A_RANGE = {"sum", "prod", "max", "min", "arg", "argmax", "argmin", "lim", "sup", "inf"}
_SWITCHES = {
    "rm": "mathrm", "bf": "mathbf", "it": "mathit", "cal": "mathcal", "sf": "mathsf", "tt": "mathtt",
    "bfseries": "mathbf", "scr": "mathscr", "mit": "mathit", "boldmath": "mathbf",
}  # fmt: skip
_TABLES = {
    "cases", "dcases", "rcases", "array", "matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix",
    "smallmatrix", "psmallmatrix", "bsmallmatrix",
}  # fmt: skip
_BARE = {"matrix", "smallmatrix", "array"}  # tables without brackets
_NEGATED = {"=": "ne", "in": "notin", "equiv": "ne"}
_RELATION_SIGNS = {
    "=", "<", ">", "le", "leq", "ge", "geq", "ne", "neq", "approx", "equiv", "coloneqq", "triangleq", "in", "leftarrow",
    "gets", "sim", "propto", "doteq", "leqslant", "geqslant",
}  # fmt: skip
_DEFINING = {"def", "triangle", "Delta", "mathrm", "text", "textrm", "rm"}


def without_decoration(tokens: list[Token]) -> list[Token]:
    """The tokens that are mathematics."""
    return _Decoration(tokens).result()


def partners(tokens: list[Token]) -> dict[int, int]:
    """The position of each opening bracket that is closed → that of the bracket which closes it."""
    found: dict[int, int] = {}
    open_: list[int] = []
    for i, token in enumerate(tokens):
        if token.kind in OPENING:
            open_.append(i)
        elif token.kind in CLOSING and open_:
            found[open_.pop()] = i
    return found


class _Decoration:
    """The tokens of a formula, and what is done to them: dropped, replaced, put before one or behind it."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.partner = partners(tokens)
        self.opening = {end: start for start, end in self.partner.items()}
        self.dropped: set[int] = set()
        self.replaced: dict[int, Token] = {}
        self.before: dict[int, list[Token]] = {}
        self.behind: dict[int, list[Token]] = {}

    def result(self) -> list[Token]:
        for i, token in enumerate(self.tokens):
            if i in self.dropped:
                continue
            if token.kind == "{" and self._is_empty_behind_script(i):
                self.dropped |= {i, i + 1}
                continue
            if token.kind == "command":
                self._command(i, token.text)
            elif token.kind == "begin":
                self._environment(i)
            elif token.kind == "{":
                self._loosen(i)
                self._open_sum(i)
        kept: list[Token] = []
        for i, token in enumerate(self.tokens):
            kept += self.before.get(i, [])
            if i not in self.dropped:
                kept.append(self.replaced.get(i, token))
            kept += self.behind.get(i, [])
        return kept

    # --- places ---

    def _is_empty_behind_script(self, i: int) -> bool:
        """Whether an empty pair of braces follows a subscript or superscript in braces, as in Σ_{k}{} a_k."""
        if self.partner.get(i) != i + 1 or self._kind(i - 1) != "}":
            return False
        opening = self.opening.get(i - 1, 0)
        return opening > 0 and self.tokens[opening - 1].kind in ("_", "^")

    def _kind(self, i: int) -> str:
        return self.tokens[i].kind if 0 <= i < len(self.tokens) else ""

    def _argument(self, i: int) -> range:
        """The positions of the argument that begins at `i`: a group with its braces, or one token."""
        if i >= len(self.tokens):
            return range(i, i)
        close = self.partner.get(i) if self._kind(i) == "{" else i
        return range(i, (len(self.tokens) - 1 if close is None else close) + 1)

    def _drop_argument(self, i: int) -> int:
        """Drops the argument that begins at `i`; returns where the next one begins."""
        argument = self._argument(i)
        self.dropped |= set(argument)
        return argument.stop

    def _loosen(self, i: int, always: bool = False) -> None:
        """Drops the braces that open at `i`, if there is a whole relation in them."""
        if self._kind(i) != "{" or (not always and self._kind(i - 1) in ("_", "^")):
            return
        if not always and self._kind(i - 1) == "command" and self.tokens[i - 1].text == "substack":
            return
        close = self.partner.get(i)
        if close is not None and (always or self._has_relation(i + 1, close)):
            self.dropped |= {i, close}

    def _is_word(self, i: int) -> bool:
        """Whether the braces that open at `i` have two letters or more in them, and nothing else."""
        close = self.partner.get(i) if self._kind(i) == "{" else None
        return close is not None and close > i + 2 and all(t.kind == "letter" for t in self.tokens[i + 1 : close])

    def _open_list(self, i: int) -> None:
        r"""Drops braces around a list: the commas of (\bf{x, y}) part arguments."""
        close = self.partner.get(i) if self._kind(i) == "{" else None
        if close is not None and any(t.kind == "," for _, t in at_top(self.tokens[i + 1 : close])):
            self.dropped |= {i, close}

    def _open_sum(self, i: int) -> None:
        """Drops braces around a sum that are no argument: nobody sees them, and (c){a + b} is read as c a + b."""
        close = self.partner.get(i)
        if i in self.dropped or close is None or not self._is_beside_sign(i) or self._kind(close + 1) == "/":
            return
        inner = [t for _, t in at_top(self.tokens[i + 1 : close])]
        if any(t.kind in ("+", "-") for t in inner[1:]) and not any(t.text in ("over", "atop") for t in inner):
            self.dropped |= {i, close}

    def _is_beside_sign(self, i: int) -> bool:
        """Whether what is before a position is no command, script or argument, which would take braces."""
        before = self._kind(i - 1)
        return before in ("", "(", "[", "+", "-", "*", "=", ",", ")", "&", "newline")

    def _has_relation(self, start: int, end: int) -> bool:
        """Whether there is a relation sign, or a new row, among some tokens and not within their brackets."""
        depth = 0
        for token in self.tokens[start:end]:
            depth += (token.kind in OPENING) - (token.kind in CLOSING)
            name = token.text if token.kind == "command" else token.kind
            if depth == 0 and (name in _RELATION_SIGNS or name in ("newline", "arrow")):
                return True
            if token.kind in ("begin", "end") and token.text not in _TABLES:
                return True
        return False

    # --- what is taken off ---

    def _command(self, i: int, name: str) -> None:
        if name == "mathop" and self._is_word(i + 1):  # \mathop{log}(x)
            self.replaced[i] = Token("command", "operatorname", self.tokens[i].start, self.tokens[i].end)
        elif name in _FRAMES:
            self.dropped.add(i)
            self._loosen(i + 1)
        elif name in _COLOURS:
            self._colour(i, _COLOURS[name])
        elif name in _BRACED:
            self.dropped.add(i)
            behind = self._argument(i + 1).stop
            if self._kind(behind) in ("_", "^"):
                self.dropped.add(behind)
                self._drop_argument(behind + 1)
        elif name in _STACKED:
            self._stacked(i)
        elif name in _SWITCHES:
            self._switch(i, _SWITCHES[name])
        elif name in FONTS or name in TEXT:
            self._font(i, i + 1, name)
        elif name == "not":
            negated = _NEGATED.get(self.tokens[i + 1].text) if i + 1 < len(self.tokens) else None
            if negated is not None:
                self.dropped.add(i)
                old = self.tokens[i + 1]
                self.replaced[i + 1] = Token("command", negated, old.start, old.end)
        elif name == "substack":
            self._substack(i)

    def _colour(self, i: int, arguments: int) -> None:
        self.dropped.add(i)
        at = i + 1
        if self._kind(at) == "[":
            close = self.partner.get(at)
            if close is not None:
                self.dropped |= set(range(at, close + 1))
                at = close + 1
        for _ in range(arguments):
            at = self._drop_argument(at)
        self._loosen(at)

    def _stacked(self, i: int) -> None:
        r"""\overset{!}{=}, \underset{i}{\sum}: what is above or below a sign is a remark, and below Σ its range."""
        first = self._argument(i + 1)
        second = self._argument(first.stop)
        base = [t for t in self.tokens[second.start : second.stop] if t.kind not in ("{", "}")]
        if not base:
            return
        self.dropped |= {i, *first}
        if self.tokens[i].text == "underset" and base[0].text in _BASES_WITH_A_RANGE:
            self.behind[second.stop - 1] = [
                Token("_", "_", base[-1].end, base[-1].end),
                *self.tokens[first.start : first.stop],
            ]
        label = {t.text for t in self.tokens[first.start : first.stop]}
        letters = "".join(t.text for t in self.tokens[first.start : first.stop] if t.kind == "letter")
        if base[0].kind == "=" and (label & {"triangle", "Delta"} or letters in ("def", "d", "defn")):
            at = next(k for k in second if self._kind(k) == "=")
            self.replaced[at] = Token("command", "coloneqq", self.tokens[at].start, self.tokens[at].end)
        self._loosen(second.start, always=len(base) == 1)

    def _switch(self, i: int, font: str) -> None:
        r"""{\rm softmax}: the same as \mathrm{softmax}."""
        self.dropped.add(i)
        self._open_list(i + 1)
        if self._kind(i - 1) != "{":
            return
        close = self.partner.get(i - 1)
        if close is not None and all(t.kind in ("letter", "number") for t in self.tokens[i + 1 : close]):
            token = self.tokens[i]
            self.before[i - 1] = [Token("command", font, self.tokens[i - 1].start, token.end)]
            self._font(i - 1, i - 1, font, i + 1)

    def _font(self, i: int, brace: int, name: str, first: int | None = None) -> None:
        r"""\mathrm{W x + b} is W x + b, and \mathrm{d} the sign of a differential; a font of one name stays."""
        if self._kind(brace) != "{":
            if name == "mathrm" and self._kind(brace) == "letter" and self.tokens[brace].text == "d":
                self.dropped.add(brace)
                self.replaced[i] = Token("command", "differential", self.tokens[i].start, self.tokens[brace].end)
            return
        close = self.partner.get(brace)
        if close is None:
            return
        inner = self.tokens[brace + 1 if first is None else first : close]
        if [t.text for t in inner] == ["d"] and name not in ("mathbf", "boldsymbol", "bm", "mathcal", "bold", "pmb"):
            self.dropped |= set(range(i, close + 1))
            self.behind[close] = [Token("command", "differential", self.tokens[i].start, self.tokens[close].end)]
            self.before.pop(brace, None)
            return
        together = all(a.end == b.start for a, b in pairwise(inner))
        word = all(t.kind in ("letter", "number") for t in inner) and (together or name in (*TEXT, "operatorname"))
        if word or (len(inner) == 1 and inner[0].kind == "command") or name in TEXT:
            return
        if name == "operatorname":  # \operatorname{arg\,max}, \operatorname{-}
            return
        self.dropped.add(i)
        self.before.pop(brace, None)
        self._loosen(brace)
        self._open_list(brace)

    def _substack(self, i: int) -> None:
        r"""\sum_{\substack{j \\ j \ne i}}: its rows are conditions, as with commas between them."""
        self.dropped.add(i)
        for k in self._argument(i + 1):
            if self._kind(k) == "newline":
                self.replaced[k] = Token(",", ",", self.tokens[k].start, self.tokens[k].end)

    # --- environments ---

    def _environment(self, i: int) -> None:
        r"""Takes off an environment that only places rows, as aligned does; \left\{ before one makes cases of it."""
        close = self.partner.get(i)
        if close is None:
            return
        name = self.tokens[i].text
        braced = self._kind(i - 1) == "(" and self.tokens[i - 1].text == "\\{" and i - 1 not in self.dropped
        braced = braced and self.partner.get(i - 1) is None
        if braced:
            self.dropped.add(i - 1)
        is_cases = braced or name in ("cases", "dcases", "rcases")
        if name in _BARE and not braced and (ends := self._broken_sum(i + 1, close)):
            self.dropped |= set(ends)
            self.replaced[i] = Token("{", "{", self.tokens[i].start, self.tokens[i].end)
            self.replaced[close] = Token("}", "}", self.tokens[close].start, self.tokens[close].end)
        elif name not in _TABLES and not braced:
            self.dropped |= {i, close}
        elif self._are_relations(i + 1, close) and not (is_cases and self._has_value_before(i)):
            self.dropped |= {i, close}  # rows of relations, or a system of equations
        elif braced:
            begin, end = self.tokens[i], self.tokens[close]
            self.replaced[i] = Token("begin", "cases", begin.start, begin.end)
            self.replaced[close] = Token("end", "cases", end.start, end.end)

    def _broken_sum(self, start: int, end: int) -> list[int]:
        r"""The line ends of a table without cells that is one sum, broken at its signs: a + \\ b + \\ c."""
        top = [start + k for k, _ in at_top(self.tokens[start:end])]
        ends = [k for k in top if self._kind(k) == "newline"]
        inner = [k for k in ends if k not in (top[0], top[-1])]
        joined = all(self._kind(k - 1) in ("+", "-") or self._kind(k + 1) in ("+", "-") for k in inner)
        return ends if inner and joined and not any(self._kind(k) == "&" for k in top) else []

    def _are_relations(self, start: int, end: int) -> bool:
        """Whether a row of a table is a relation: it has a cell that is a sign, or begins or ends with one."""
        depth, edge, first = 0, True, True
        for k in range(start, end):
            token = self.tokens[k]
            name = token.text if token.kind == "command" else token.kind
            if depth == 0 and name in _RELATION_SIGNS and (first or edge or self._kind(k + 1) == "&"):
                return True
            depth += (token.kind in OPENING) - (token.kind in CLOSING)
            if depth == 0 and token.kind in ("&", "newline"):
                edge, first = True, token.kind == "newline"
            else:
                edge = False
        return False

    def _has_value_before(self, i: int) -> bool:
        """Whether an environment is the right side of a relation."""
        k = i - 1
        while k >= 0 and (k in self.dropped or self._kind(k) in ("&", "quad", "newline", "(")):
            k -= 1
        return k >= 0 and (self.tokens[k].text if self._kind(k) == "command" else self._kind(k)) in _RELATION_SIGNS

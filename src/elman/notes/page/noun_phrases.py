"""English noun phrases over the tokens of a sentence: letters in a list, sizes, "a symmetric n × n matrix"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.notes.page.prose import LETTER, Token


def word_set(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


NOUNS = {
    "vector": "column", "vectors": "column", "matrix": "matrix", "matrices": "matrix", "scalar": "number",
    "scalars": "number", "number": "number", "numbers": "number", "constant": "number", "constants": "number",
}  # fmt: skip
PROPERTIES = {
    "symmetric": "symmetric", "diagonal": "diagonal", "orthogonal": "orthogonal", "invertible": "invertible",
    "nonsingular": "invertible", "square": "square",
}  # fmt: skip
_SCALAR_WHAT = word_set(
    "value loss output bias parameter hyperparameter cost error quantity number constant target variable "
    "input weight objective label score coefficient"
)
_SEVERAL = word_set("values losses outputs parameters weights variables inputs coefficients quantities")
ARTICLES = word_set("a an the some both all also two three our any simply just")
_NO_ADJECTIVE = word_set(
    "of a an the in to and or by with for per from that which is are be as on at not than into if when its it this "
    "these those whose where let we so then times each every between no neither nor either via "
    "has have like but"
)
_MEASURED = word_set(
    "matrix matrices vector vectors column row dimensional dimension dim d element real weight data design"
)
SIZE_WORDS = word_set("length size shape dimension dimensions dimensionality")
_ENTRIES = word_set("elements entries components dimensions numbers")


@dataclass(frozen=True, slots=True)
class Size:
    """One or two sizes, and their offsets in the page."""

    parts: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun phrase: "a symmetric n × n matrix"; `end` is the token behind it."""

    kind: str
    plural: bool
    oriented: bool
    size: Size | None
    properties: frozenset[str]
    end: int
    article: str


class Phrases:
    """The phrases of one sentence, each read at the number of its first token."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def text(self, i: int) -> str:
        """Token `i`, or "" outside the sentence."""
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def letters(self, i: int) -> tuple[tuple[str, ...], int]:
        """The names of letters joined by commas and "and", and the token behind them."""
        names: tuple[str, ...] = ()
        while self.text(i) == LETTER and self.tokens[i].names:
            names += self.tokens[i].names
            i += 1
            joint = i + (self.text(i) in (",", "、"))
            joint += self.text(joint) in ("and", "&")
            if joint == i or self.text(joint) != LETTER or not self.tokens[joint].names:
                break
            i = joint
        return names, i

    def size(self, i: int) -> tuple[Size | None, int]:
        """A size: `n`, `n × n`, `m by n`, `(m, n)`; and the token behind it."""
        first = i
        bracket = self.text(i) in ("(", "[")
        i += bracket
        if i >= len(self.tokens) or not self.tokens[i].size:
            return None, first
        parts, i = self.tokens[i].size, i + 1
        hyphen = self.text(i) == "-" and self.text(i + 1) == "by"
        joint = i + hyphen
        if len(parts) == 1 and self.text(joint) in ("×", "x", "by", "*", *([","] if bracket else [])):
            second = joint + 1 + (self.text(joint + 1) == "-")
            if second < len(self.tokens) and len(self.tokens[second].size) == 1:
                parts, i = (*parts, *self.tokens[second].size), second + 1
        if bracket:
            if self.text(i) not in (")", "]"):
                return None, first
            i += 1
        return Size(parts, self.tokens[first].start, self.tokens[i - 1].end), i

    def noun(self, i: int) -> Noun | None:
        """The noun phrase that begins at token `i`."""
        article = ""
        while self.text(i) in ARTICLES:
            article, i = self.text(i), i + 1
        size: Size | None = None
        properties = set[str]()
        words: list[str] = []
        for _ in range(6):
            word = self.text(i)
            if word == "scalar" and self.text(i + 1) in _SCALAR_WHAT | _SEVERAL:
                i += 1 + (self.text(i + 2) in _SCALAR_WHAT | _SEVERAL)
                return Noun("number", self.text(i) in _SEVERAL, True, None, frozenset(), i + 1, article)
            if word in NOUNS and self.text(i + 1) not in NOUNS:
                return self._whole(i, size, properties, words, article)
            found, after = self.size(i) if size is None else (None, i)
            if found is not None and self._measures(after):
                size, i = found, self._behind_dimensional(after)
            elif word.isalpha() and word.isascii() and word not in _NO_ADJECTIVE:
                if word in PROPERTIES:
                    properties.add(PROPERTIES[word])
                if word in ("definite", "semidefinite") and words[-1:] == ["positive"]:
                    properties.add(f"positive {word}")
                words.append(word)
                i += 1
                i += self.text(i) == "-" and self.text(i + 1).isalpha()
            else:
                return None
        return None

    def _measures(self, after: int) -> bool:
        """Whether a size before a noun is followed by what it measures, and is not a letter of its own."""
        word = self.text(after + 1) if self.text(after) == "-" else self.text(after)
        return word in _MEASURED or word in PROPERTIES

    def _behind_dimensional(self, i: int) -> int:
        i += self.text(i) == "-"
        return i + (self.text(i) in ("dimensional", "dimension", "dim", "d", "element"))

    def _whole(self, i: int, size: Size | None, properties: set[str], words: list[str], article: str) -> Noun:
        """The noun phrase whose noun is token `i`, with the size behind it."""
        word = self.text(i)
        row, column = words[-1:] == ["row"], words[-1:] == ["column"]
        kind = "row" if row and NOUNS[word] == "column" else NOUNS[word]
        after = i + 1
        if size is None and kind != "number":
            size, after = self.size_behind(after)
        oriented = row or column or kind != "column"
        return Noun(
            kind, word.endswith("s") or word == "matrices", oriented, size, frozenset(properties), after, article
        )

    def size_behind(self, i: int) -> tuple[Size | None, int]:
        """`of length n`, `of size m × n`, `with n entries`, `with m rows and n columns`, `in R^n`, `(n × 1)`."""
        word = self.text(i)
        if word in ("of", "with", "having", "has") or (word in ("whose",) and self.text(i + 2) == "is"):
            at = i + 1 + (self.text(i + 1) == "the")
            if self.text(at) in SIZE_WORDS:
                at += 1
                at += self.text(at) in ("of", "is", "=", ":")
                size, after = self.size(at)
                return (size, after) if size else (None, i)
            size, after = self.size(at)
            if size and len(size.parts) == 1 and self.text(after) in _ENTRIES:
                return size, after + 1
            if size and self.text(after) in ("rows", "row") and self.text(after + 1) == "and":
                other, behind = self.size(after + 2)
                if other and self.text(behind) in ("columns", "column") and len(size.parts + other.parts) == 2:
                    return Size(size.parts + other.parts, size.start, other.end), behind + 1
        if word == "in" and self.text(i + 1) == LETTER:
            field, token = self.tokens[i + 1].field, self.tokens[i + 1]
            if field and not token.names:
                return Size(field, token.start, token.end), i + 2
        if word in ("(", "["):
            size, after = self.size(i)
            if size and len(size.parts) == 2:
                return size, after
        return None, i

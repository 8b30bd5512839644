"""What English sentences call their letters: "Let x be a vector of length n", "the weight matrix W", "A is symmetric".

A small grammar over the tokens of a sentence. It is strict: a phrase that is not known says nothing, and neither does a
sentence with a condition ("if x is a vector") or with a choice ("a vector or a matrix X").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from elman.notes.page.page import kind_of
from elman.notes.page.prose import LETTER, Said, Token


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NOUNS = {
    "vector": "column", "vectors": "column", "matrix": "matrix", "matrices": "matrix", "scalar": "number",
    "scalars": "number", "number": "number", "numbers": "number", "constant": "number", "constants": "number",
}  # fmt: skip
PROPERTIES = {
    "symmetric": "symmetric", "diagonal": "diagonal", "orthogonal": "orthogonal", "invertible": "invertible",
    "nonsingular": "invertible", "square": "square",
}  # fmt: skip
_SCALAR_WHAT = _set(
    "value loss output bias parameter hyperparameter cost error quantity number constant target variable "
    "input weight objective label score coefficient"
)
_SEVERAL = _set("values losses outputs parameters weights variables inputs coefficients quantities")
_ARTICLES = _set("a an the some both all also two three our any simply just")
_NO_ADJECTIVE = _set(
    "of a an the in to and or by with for per from that which is are be as on at not than into if when its it this "
    "these those whose where let we so then times each every between no neither nor either via "
    "has have like but"
)
_DOUBT = _set("if when whether unless not cannot instead rather either neither otherwise except isn't aren't")
_VERBS = _set("is are be being denotes denote")
_FOLLOW = _set(
    "of with in that which whose where and so for we as because since containing having representing such on at but "
    "while then from holding consisting"
)
_SIGNS_FOLLOW = frozenset(",:()[]-–—，：（）")
_PREPOSITIONS = _set(
    "of in to by from with on over at between against than per times under respect into through for minus plus and"
)
_BOUNDARIES = _set(
    "where that let suppose assume assuming since because as here while but so thus then given say hence note"
) | set(",(，（")
_MEASURED = _set(
    "matrix matrices vector vectors column row dimensional dimension dim d element real weight data design"
)
_SIZE_WORDS = _set("length size shape dimension dimensions dimensionality")
_ENTRIES = _set("elements entries components dimensions numbers")
_GIVES = _set("with let given where , ， ; and")


@dataclass(frozen=True, slots=True)
class _Size:
    parts: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Noun:
    """A noun phrase: "a symmetric n × n matrix"; `end` is the token behind it."""

    kind: str
    plural: bool
    oriented: bool
    size: _Size | None
    properties: frozenset[str]
    end: int
    article: str


def english(sentence: Sequence[Token]) -> Iterator[Said]:
    """What a sentence says of its letters."""
    if any(token.text == LETTER for token in sentence):
        yield from _Sentence(sentence).read()


class _Sentence:
    """One sentence, read from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.found = False  # whether a letter was described before: "and c a scalar" is read only then
        doubts = [i for i, token in enumerate(tokens) if token.text in _DOUBT]
        self.sure_until = doubts[0] if doubts else len(tokens)

    def text(self, i: int) -> str:
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def read(self) -> Iterator[Said]:
        i = 0
        while i < self.sure_until:
            said, after = self._at(i)
            yield from said
            self.found = self.found or bool(said)
            i = max(after, i + 1)

    def _at(self, i: int) -> tuple[list[Said], int]:
        """What the phrase at token `i` says, and the token behind it."""
        if self.text(i) == LETTER:
            return self._subject(i)
        noun = self._noun(i)
        if noun is not None and self.text(noun.end) == LETTER and self.text(noun.end + 1) != "-":
            return self._named(i, noun)
        if self.text(i) in _SIZE_WORDS and self.text(i + 1) == "of":
            return self._size_of(i)
        return [], i + 1

    # --- letters, sizes and noun phrases ---

    def _letters(self, i: int) -> tuple[tuple[str, ...], int]:
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

    def _size(self, i: int) -> tuple[_Size | None, int]:
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
        return _Size(parts, self.tokens[first].start, self.tokens[i - 1].end), i

    def _noun(self, i: int) -> _Noun | None:
        """The noun phrase that begins at token `i`."""
        article = ""
        while self.text(i) in _ARTICLES:
            article, i = self.text(i), i + 1
        size: _Size | None = None
        properties = set[str]()
        words: list[str] = []
        for _ in range(6):
            word = self.text(i)
            if word == "scalar" and self.text(i + 1) in _SCALAR_WHAT | _SEVERAL:
                i += 1 + (self.text(i + 2) in _SCALAR_WHAT | _SEVERAL)
                return _Noun("number", self.text(i) in _SEVERAL, True, None, frozenset(), i + 1, article)
            if word in NOUNS and self.text(i + 1) not in NOUNS:
                return self._whole(i, size, properties, words, article)
            found, after = self._size(i) if size is None else (None, i)
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

    def _whole(self, i: int, size: _Size | None, properties: set[str], words: list[str], article: str) -> _Noun:
        """The noun phrase whose noun is token `i`, with the size behind it."""
        word = self.text(i)
        row, column = words[-1:] == ["row"], words[-1:] == ["column"]
        kind = "row" if row and NOUNS[word] == "column" else NOUNS[word]
        after = i + 1
        if size is None and kind != "number":
            size, after = self._size_behind(after)
        oriented = row or column or kind != "column"
        return _Noun(
            kind, word.endswith("s") or word == "matrices", oriented, size, frozenset(properties), after, article
        )

    def _size_behind(self, i: int) -> tuple[_Size | None, int]:
        """`of length n`, `of size m × n`, `with n entries`, `with m rows and n columns`, `in R^n`, `(n × 1)`."""
        word = self.text(i)
        if word in ("of", "with", "having", "has") or (word in ("whose",) and self.text(i + 2) == "is"):
            at = i + 1 + (self.text(i + 1) == "the")
            if self.text(at) in _SIZE_WORDS:
                at += 1
                at += self.text(at) in ("of", "is", "=", ":")
                size, after = self._size(at)
                return (size, after) if size else (None, i)
            size, after = self._size(at)
            if size and len(size.parts) == 1 and self.text(after) in _ENTRIES:
                return size, after + 1
            if size and self.text(after) in ("rows", "row") and self.text(after + 1) == "and":
                other, behind = self._size(after + 2)
                if other and self.text(behind) in ("columns", "column") and len(size.parts + other.parts) == 2:
                    return _Size(size.parts + other.parts, size.start, other.end), behind + 1
        if word == "in" and self.text(i + 1) == LETTER:
            field, token = self.tokens[i + 1].field, self.tokens[i + 1]
            if field and not token.names:
                return _Size(field, token.start, token.end), i + 2
        if word in ("(", "["):
            size, after = self._size(i)
            if size and len(size.parts) == 2:
                return size, after
        return None, i

    # --- phrases ---

    def _named(self, i: int, noun: _Noun) -> tuple[list[Said], int]:
        """ "the weight matrix W", "vectors u and v of length n"."""
        token = self.tokens[noun.end]
        if noun.plural:
            names, after = self._letters(noun.end)
            if len(names) == 1 and "_" not in names[0] and "^" not in token.written:
                return [], noun.end
        else:
            names, after = token.names, noun.end + 1
        before = self.text(i - 1)
        plain_number = noun.kind == "number" and self.text(noun.end - 1) in ("number", "numbers")
        if (
            before in ("or", "for", "per", "any", "every", "/", "-", "no")
            or plain_number
            or self._any_before(i, noun.end)
        ):
            return [], noun.end
        if noun.size is None and noun.kind != "number":
            size, behind = self._size_behind(after)
            noun = replace(noun, size=size)
            after = behind if size else after
        return self._say(names, noun, i, after), after

    def _any_before(self, i: int, end: int) -> bool:
        return any(self.text(k) in ("any", "all", "every") for k in range(i, end))

    def _subject(self, i: int) -> tuple[list[Said], int]:
        """What is said of the letters at token `i`: "x is a vector", "b (scalar)", "W is m × n", "and c a scalar"."""
        names, after = self._letters(i)
        if not names:
            return [], i + 1
        word = self.text(after)
        clear = self._is_whole_subject(i)
        if word in (",", "(") and self.text(after + 1) == "which" and self.text(after + 2) in _VERBS:
            return self._predicate(names, i, after + 2) if clear else ([], after)
        if word in _VERBS and clear:
            return self._predicate(names, i, after)
        if word in ("has", "have", "of", "with") and (clear or word in ("of", "with")):
            size, behind = self._size_behind(after) if word != "have" else self._size_behind_have(after)
            if size and len(size.parts) == 2:
                return self._sized(names, size, i, behind), behind
        if word == "(":
            return self._in_brackets(names, i, after)
        if word in (":", "–", "—", "-", "：", "~") and self._begins_item(i, after):
            return self._item(names, i, after + 1)
        return self._gapped(names, i, after)

    def _size_behind_have(self, i: int) -> tuple[_Size | None, int]:
        at = i + 1
        return self._size(at + 1) if self.text(at) in _SIZE_WORDS else (None, i)

    def _predicate(self, names: tuple[str, ...], i: int, verb: int) -> tuple[list[Said], int]:
        """`names` is / are / be …"""
        word = self.text(verb)
        if (len(names) > 1) != (word in ("are", "denote")) and word not in ("be", "being"):
            return [], verb
        if word == "be" and not any(self.text(k) in ("let", "suppose", "assume") for k in range(i)):
            return [], verb
        noun = self._noun(verb + 1)
        if noun is not None:
            return (self._say(names, noun, i, noun.end), noun.end) if self._ends(noun) else ([], verb)
        at = verb + 1 + (self.text(verb + 1) == "of")
        if self.text(at) in _SIZE_WORDS:
            at += 1
        size, after = self._size(at)
        if size and len(size.parts) == 2 and (not self.text(after) or self.text(after) in _FOLLOW | _SIGNS_FOLLOW):
            return self._sized(names, size, i, after), after
        return self._properties(names, i, verb + 1)

    def _properties(self, names: tuple[str, ...], i: int, at: int) -> tuple[list[Said], int]:
        """ "A is symmetric and positive definite"."""
        found = set[str]()
        while True:
            at += self.text(at) in ("both", "a", "real", "also")
            if self.text(at) == "positive":
                semi = self.text(at + 1) == "semi"
                last = at + 1 + semi + (semi and self.text(at + 2) == "-")
                if self.text(last) not in ("definite", "semidefinite"):
                    return [], at
                found.add("positive semidefinite" if semi or self.text(last) == "semidefinite" else "positive definite")
                at = last + 1
            elif self.text(at) in PROPERTIES:
                found.add(PROPERTIES[self.text(at)])
                at += 1
            else:
                break
            joint = at + (self.text(at) == ",")
            joint += self.text(joint) == "and"
            if joint > at and self.text(joint) not in ("positive", *PROPERTIES):
                break
            at = joint
        if not found or (self.text(at) and self.text(at) not in _FOLLOW - {"in", "on", "with"} | _SIGNS_FOLLOW):
            return [], at
        start, end = self.tokens[i].start, self.tokens[at - 1].end
        return [Said(name, "", start, end, properties=frozenset(found)) for name in names], at

    def _in_brackets(self, names: tuple[str, ...], i: int, bracket: int) -> tuple[list[Said], int]:
        """ "b (a scalar)", "W (m × n)"."""
        noun = self._noun(bracket + 1)
        if noun is not None and self.text(noun.end) in (")", ",", "）"):
            return self._say(names, noun, i, noun.end), noun.end
        size, after = self._size(bracket)
        times = any(self.text(k) in ("×", "x", "by") for k in range(bracket, after))
        formula = after == bracket + 3 and len(self.tokens[bracket + 1].size) == 2
        if size and len(size.parts) == 2 and (times or formula):
            return self._sized(names, size, i, after), after
        return [], bracket + 1

    def _begins_item(self, i: int, sign: int) -> bool:
        """Whether letters and a colon or dash begin a line: "- x: …", "x – …", but not "n-th"."""
        first = i == 0 or (i == 1 and self.text(0) == "-") or (self.found and self.text(i - 1) == ",")
        return first and (self.text(sign) in (":", "：") or self.tokens[sign - 1].end < self.tokens[sign].start)

    def _item(self, names: tuple[str, ...], i: int, at: int) -> tuple[list[Said], int]:
        """ "x: the input vector", "x: inputs, of shape (N, D)" at the start of a line."""
        noun = self._noun(at)
        if noun is not None and self._ends(noun):
            return self._say(names, noun, i, noun.end), noun.end
        size, after = self._size(at)
        if size and len(size.parts) == 2 and self.text(after) in ("", ","):
            return self._sized(names, size, i, after), after
        for k in range(at, len(self.tokens) - 2):
            if self.text(k) == LETTER:
                break
            if self.text(k) == "of" and self.text(k + 1) in ("shape", "size", "dimensions"):
                size, after = self._size(k + 2)
                if size and len(size.parts) == 2:
                    return self._sized(names, size, i, after), after
        return [], at

    def _gapped(self, names: tuple[str, ...], i: int, after: int) -> tuple[list[Said], int]:
        """ "and c a scalar", "with A a symmetric matrix"."""
        noun = self._noun(after)
        opened = self.found or self.text(i - 1) in ("with", "given", "where", "let")
        if noun is None or noun.article not in ("a", "an", "the") or not opened or self.text(i - 1) not in _GIVES:
            return [], after
        return (self._say(names, noun, i, noun.end), noun.end) if self._ends(noun) else ([], after)

    def _size_of(self, i: int) -> tuple[list[Said], int]:
        """ "the shape of W is (m, n)"."""
        at = i + 2
        while self.text(at) in _ARTICLES or self.text(at) in NOUNS or self.text(at) in ("weight", "input", "output"):
            at += 1
        names, after = self._letters(at)
        if names and self.text(after) in ("is", "are", ":", "="):
            size, behind = self._size(after + 1)
            if size and len(size.parts) == 2:
                return self._sized(names, size, at, behind), behind
        return [], i + 1

    # --- what a phrase is worth ---

    def _ends(self, noun: _Noun) -> bool:
        """Whether nothing behind a noun phrase changes what it means: "a vector space", "a vector or a matrix"."""
        word = self.text(noun.end)
        if word == "of" and (self.text(noun.end - 1) in ("number", "numbers") or self.text(noun.end + 1) in NOUNS):
            return False
        return not word or word in _FOLLOW or word in _SIGNS_FOLLOW

    def _is_whole_subject(self, i: int) -> bool:
        """Whether the letters at token `i` are the subject themselves: not so in "the norm of x is a number"."""
        segment: list[str] = []
        k = i - 1
        while k >= 0 and self.text(k) not in _BOUNDARIES:
            if self.text(k) == "and" and self._has_verb(k):
                break
            segment.append(self.text(k))
            k -= 1
        return not any(word in _PREPOSITIONS or not word.isalpha() or word == LETTER for word in segment)

    def _has_verb(self, end: int) -> bool:
        return any(self.text(k) in _VERBS for k in range(end))

    def _say(self, names: tuple[str, ...], noun: _Noun, first: int, after: int) -> list[Said]:
        """What a noun phrase says of letters; nothing where its size contradicts its noun."""
        start, end = self.tokens[first].start, self.tokens[after - 1].end
        if noun.size is None:
            return [Said(name, noun.kind, start, end, properties=noun.properties) for name in names]
        parts = noun.size.parts
        if len(parts) == 1:
            if noun.kind == "matrix":
                return [Said(name, noun.kind, start, end, properties=noun.properties) for name in names]
            parts = ("1", parts[0]) if noun.kind == "row" else (parts[0], "1")
        by_size = kind_of(parts[0], parts[1])
        kind = by_size if noun.kind == "column" and not noun.oriented and by_size == "row" else noun.kind
        if kind not in (by_size, "matrix"):
            return []
        place = (noun.size.start, noun.size.end)
        return [Said(n, kind, start, end, parts[0], parts[1], place, noun.properties) for n in names]

    def _sized(self, names: tuple[str, ...], size: _Size, first: int, after: int) -> list[Said]:
        """What a size alone says of letters."""
        start, end = self.tokens[first].start, self.tokens[after - 1].end
        return [Said(n, "", start, end, size.parts[0], size.parts[1], (size.start, size.end)) for n in names]

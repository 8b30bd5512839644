"""What English sentences call their letters: "Let x be a vector of length n", "the weight matrix W", "A is symmetric".

A small grammar over the tokens of a sentence. It is strict: a phrase that is not known says nothing, and neither does a
sentence with a condition ("if x is a vector") or with a choice ("a vector or a matrix X").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.notes.page.noun_phrases import ARTICLES, NOUNS, PROPERTIES, SIZE_WORDS, Noun, Phrases, Size, word_set
from elman.notes.page.page import kind_of
from elman.notes.page.prose import LETTER, Said, Token

_DOUBT = word_set("if when whether unless not cannot instead rather either neither otherwise except isn't aren't")
_VERBS = word_set("is are be being denotes denote")
_FOLLOW = word_set(
    "of with in that which whose where and so for we as because since containing having representing such on at but "
    "while then from holding consisting"
)
_SIGNS_FOLLOW = frozenset(",:()[]-–—，：（）")
_PREPOSITIONS = word_set(
    "of in to by from with on over at between against than per times under respect into through for minus plus and"
)
_BOUNDARIES = word_set(
    "where that let suppose assume assuming since because as here while but so thus then given say hence note"
) | set(",(，（")
_GIVES = word_set("with let given where , ， ; and")


def english(sentence: Sequence[Token]) -> Iterator[Said]:
    """What a sentence says of its letters."""
    if any(token.text == LETTER for token in sentence):
        yield from _Sentence(sentence).read()


class _Sentence(Phrases):
    """One sentence, read from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__(tokens)
        self.found = False  # whether a letter was described before: "and c a scalar" is read only then
        doubts = [i for i, token in enumerate(tokens) if token.text in _DOUBT]
        self.sure_until = doubts[0] if doubts else len(tokens)

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
        noun = self.noun(i)
        if noun is not None and self.text(noun.end) == LETTER and self.text(noun.end + 1) != "-":
            return self._named(i, noun)
        if self.text(i) in SIZE_WORDS and self.text(i + 1) == "of":
            return self._size_of(i)
        return [], i + 1

    def _named(self, i: int, noun: Noun) -> tuple[list[Said], int]:
        """ "the weight matrix W", "vectors u and v of length n"."""
        token = self.tokens[noun.end]
        if noun.plural:
            names, after = self.letters(noun.end)
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
            size, behind = self.size_behind(after)
            if size is not None:
                return self._say(names, replace(noun, size=size), i, behind), behind
        return self._say(names, noun, i, after), noun.end  # the letters may be the subject of what follows

    def _any_before(self, i: int, end: int) -> bool:
        return any(self.text(k) in ("any", "all", "every") for k in range(i, end))

    def _subject(self, i: int) -> tuple[list[Said], int]:
        """What is said of the letters at token `i`: "x is a vector", "b (scalar)", "W is m × n", "and c a scalar"."""
        names, after = self.letters(i)
        if not names:
            return [], i + 1
        word = self.text(after)
        clear = self._is_whole_subject(i)
        if word in (",", "(") and self.text(after + 1) == "which" and self.text(after + 2) in _VERBS:
            return self._predicate(names, i, after + 2) if clear else ([], after)
        if word in _VERBS and clear:
            return self._predicate(names, i, after)
        if word in ("has", "have", "of", "with") and (clear or word in ("of", "with")):
            size, behind = self.size_behind(after) if word != "have" else self._size_behind_have(after)
            if size and len(size.parts) == 2:
                return self._sized(names, size, i, behind), behind
        if word == "(":
            return self._in_brackets(names, i, after)
        if word in (":", "–", "—", "-", "：", "~") and self._begins_item(i, after):
            return self._item(names, i, after + 1)
        return self._gapped(names, i, after)

    def _size_behind_have(self, i: int) -> tuple[Size | None, int]:
        at = i + 1
        return self.size(at + 1) if self.text(at) in SIZE_WORDS else (None, i)

    def _predicate(self, names: tuple[str, ...], i: int, verb: int) -> tuple[list[Said], int]:
        """`names` is / are / be …"""
        word = self.text(verb)
        if (len(names) > 1) != (word in ("are", "denote")) and word not in ("be", "being"):
            return [], verb
        if word == "be" and not any(self.text(k) in ("let", "suppose", "assume") for k in range(i)):
            return [], verb
        noun = self.noun(verb + 1)
        if noun is not None:
            return (self._say(names, noun, i, noun.end), noun.end) if self._ends(noun) else ([], verb)
        at = verb + 1 + (self.text(verb + 1) == "of")
        if self.text(at) in SIZE_WORDS:
            at += 1
        size, after = self.size(at)
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
        noun = self.noun(bracket + 1)
        if noun is not None and self.text(noun.end) in (")", ",", "）"):
            return self._say(names, noun, i, noun.end), noun.end
        size, after = self.size(bracket)
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
        noun = self.noun(at)
        if noun is not None and self._ends(noun):
            return self._say(names, noun, i, noun.end), noun.end
        size, after = self.size(at)
        if size and len(size.parts) == 2 and self.text(after) in ("", ","):
            return self._sized(names, size, i, after), after
        for k in range(at, len(self.tokens) - 2):
            if self.text(k) == LETTER:
                break
            if self.text(k) == "of" and self.text(k + 1) in ("shape", "size", "dimensions"):
                size, after = self.size(k + 2)
                if size and len(size.parts) == 2:
                    return self._sized(names, size, i, after), after
        return [], at

    def _gapped(self, names: tuple[str, ...], i: int, after: int) -> tuple[list[Said], int]:
        """ "and c a scalar", "with A a symmetric matrix"."""
        noun = self.noun(after)
        opened = self.found or self.text(i - 1) in ("with", "given", "where", "let")
        if len(names) > 1 and noun is not None and noun.article in ("a", "an") and not noun.plural:
            names = names[-1:]  # "for x, and A a square matrix"
            opened |= self.text(i - 1) == "for"
            return (self._say(names, noun, i, noun.end), noun.end) if opened and self._ends(noun) else ([], after)
        if noun is None or noun.article not in ("a", "an", "the") or not opened or self.text(i - 1) not in _GIVES:
            return [], after
        return (self._say(names, noun, i, noun.end), noun.end) if self._ends(noun) else ([], after)

    def _size_of(self, i: int) -> tuple[list[Said], int]:
        """ "the shape of W is (m, n)"."""
        at = i + 2
        while self.text(at) in ARTICLES or self.text(at) in NOUNS or self.text(at) in ("weight", "input", "output"):
            at += 1
        names, after = self.letters(at)
        if names and self.text(after) in ("is", "are", ":", "="):
            size, behind = self.size(after + 1)
            if size and len(size.parts) == 2:
                return self._sized(names, size, at, behind), behind
        return [], i + 1

    # --- what a phrase is worth ---

    def _ends(self, noun: Noun) -> bool:
        """Whether nothing behind a noun phrase changes what it means: "a vector space", "a vector or a matrix"."""
        word = self.text(noun.end)
        if word == "of" and (self.text(noun.end - 1) in ("number", "numbers") or self.text(noun.end + 1) in NOUNS):
            return False
        if word == "-" and self.tokens[noun.end - 1].end == self.tokens[noun.end].start:  # vector-valued
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

    def _say(self, names: tuple[str, ...], noun: Noun, first: int, after: int) -> list[Said]:
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

    def _sized(self, names: tuple[str, ...], size: Size, first: int, after: int) -> list[Said]:
        """What a size alone says of letters."""
        start, end = self.tokens[first].start, self.tokens[after - 1].end
        return [Said(n, "", start, end, size.parts[0], size.parts[1], (size.start, size.end)) for n in names]

"""What Chinese sentences call their letters: "列向量 x", "矩阵 A 的大小为 m×n", "其中 b 为偏置（标量）".

As strict as the English grammar: patterns over the characters of a sentence, in which each formula is one sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from elman.notes.page.page import kind_of
from elman.notes.page.prose import LETTER, Said, Token

_L = LETTER
_LIST = rf"{_L}(?:[,，、和与及]{_L})*"
_ONE = rf"(?:{_L}|\d)"
_PAIR = rf"[(（\[]?{_ONE}[×*x,，乘]{_ONE}[)）\]]?"
_SIZE = rf"(?P<measure>{_PAIR}|{_ONE})"
_NOUN = r"(?P<noun>行向量|列向量|向量|矢量|矩阵|矩陣|标量|純量|实数|实数值|常数|常量)"
_KINDS = {"行向量": "row", "列向量": "column", "向量": "column", "矢量": "column", "矩阵": "matrix", "矩陣": "matrix"}
_WORD = r"(?:对[称角]|[^\W\d_a-zA-Z否不非和与或乘对由到两三多几数时的每某是为" + _L + r"])"
_IS = r"(?:都|均|也)?(?:是|为|表示|代表|指)(?:一个|一|个)?"
_MEASURING = rf"(?P<size>{_PAIR}|{_ONE}(?=维|阶)|{_L}(?=的?{_WORD}{{0,4}}(?:矩阵|行向量|列向量)))(?:维|阶)?的?"
_END = rf"(?=$|[,，、:：)）(（]|且|而|其中|并|(?:和|与)?{_L}(?:是|为))"
_MEASURE = r"(?:大小|形状|维度|尺寸|维数|长度)"
_BEFORE = r"(?:^|(?<=[,，:：、(（])|(?<=其中)|(?<=这里)|(?<=[设令记且而知定数置重入出失标签量阵果]))"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_BEFORE}(?P<names>{_LIST}){_IS}(?:{_MEASURING})?{_WORD}{{0,6}}?的?{_NOUN}{_END}",
        rf"{_BEFORE}(?P<names>{_LIST}){_IS}{_MEASURE}(?:为|是){_SIZE}的{_WORD}{{0,6}}?{_NOUN}{_END}",
        rf"{_BEFORE}(?P<names>{_LIST}){_IS}{_WORD}{{1,8}}[(（]{_NOUN}[)）]",
        rf"(?P<names>{_L})[(（](?:{_MEASURING})?{_NOUN}[)）]",
        rf"(?:{_MEASURING})?{_WORD}{{0,4}}?{_NOUN}(?P<names>{_L})的{_MEASURE}{_IS}(?P<behind>{_ONE}(?:[×*x]{_ONE})?){_END}",
        rf"{_MEASURE}(?:为|是){_SIZE}的{_WORD}{{0,6}}?{_NOUN}(?P<names>{_L})",
        rf"{_MEASURING}{_WORD}{{0,4}}?{_NOUN}(?P<names>{_L})",
        rf"{_NOUN}(?P<names>{_L}(?:、{_L})*)",
    )
)  # fmt: skip
_SIZED = re.compile(
    rf"(?P<names>{_L})的?{_MEASURE}(?:都|均)?(?:是|为|:|：|=)(?P<size>[(（\[]?{_ONE}(?:[×*x,，]{_ONE})?[)）\]]?){_END}"
)
_PROPERTY = re.compile(
    rf"{_BEFORE}(?P<names>{_LIST}){_IS}(?P<words>(?:实|对称|半正定|正定|正交|可逆|对角)+)(?:的|矩阵|阵)*{_END}"
)
_NAMED_PROPERTY = re.compile(rf"(?P<words>(?:对称|半正定|正定|正交|可逆|对角)+)(?:矩阵|阵)(?P<names>{_L})")
_PROPERTIES = {
    "对称": "symmetric", "半正定": "positive semidefinite", "正定": "positive definite", "正交": "orthogonal",
    "可逆": "invertible", "对角": "diagonal",
}  # fmt: skip
_PROPERTY_WORD = re.compile("半正定|对称|正定|正交|可逆|对角")
_DOUBT = re.compile(r"如果|假如|若|当|是否|还是|无论|不管|或|不是|并非|对于|任意|任何|每个|每一")


def chinese(sentence: Sequence[Token]) -> Iterator[Said]:
    """What a sentence says of its letters; nothing behind a condition or a choice."""
    marks = "".join("?" if len(token.text) > 1 and token.text.isalpha() else token.text[:1] for token in sentence)
    if LETTER not in marks or not re.search(r"[\u3400-\u9fff]", marks):
        return
    doubt = _DOUBT.search(marks)
    end = doubt.start() if doubt else len(marks)
    done: set[int] = set()
    for form in _FORMS:
        for match in form.finditer(marks, 0, end):
            if not done & set(range(*match.span("names"))):
                found = list(_said(sentence, match))
                done |= set(range(*match.span("names"))) if found else set()
                yield from found
    for match in _SIZED.finditer(marks, 0, end):
        if match.start("names") not in done:
            yield from _said(sentence, match)
    for form in (_PROPERTY, _NAMED_PROPERTY):
        for match in form.finditer(marks, 0, end):
            words = frozenset(_PROPERTIES[word] for word in _PROPERTY_WORD.findall(match.group("words")))
            for name in _names(sentence, match):
                yield Said(name, "", sentence[match.start()].start, sentence[match.end() - 1].end, properties=words)


def _names(sentence: Sequence[Token], match: re.Match[str]) -> tuple[str, ...]:
    letters = [token for token in sentence[slice(*match.span("names"))] if token.text == LETTER]
    return tuple(name for token in letters for name in token.names) if all(token.names for token in letters) else ()


def _said(sentence: Sequence[Token], match: re.Match[str]) -> Iterator[Said]:
    groups = match.groupdict()
    noun = groups.get("noun")
    kind = _KINDS.get(noun, "number") if noun else ""
    group = next((g for g in ("behind", "measure") if groups.get(g)), "size")
    place, parts = (-1, -1), tuple[str, ...]()
    if groups.get(group):
        tokens = sentence[slice(*match.span(group))]
        place, parts = (tokens[0].start, tokens[-1].end), tuple(part for token in tokens for part in token.size)
    if kind in ("column", "row") and len(parts) == 1 and (group != "size" or match.string[match.end(group)] in "维阶"):
        parts = (parts[0], "1") if kind == "column" else ("1", parts[0])
    if len(parts) != 2:
        place, parts = (-1, -1), ("", "")
        if not kind:
            return
    elif kind and kind not in ("matrix", kind_of(parts[0], parts[1])):
        return
    start, end = sentence[match.start()].start, sentence[match.end() - 1].end
    for name in _names(sentence, match):
        yield Said(name, kind, start, end, parts[0], parts[1], place)

"""LaTeX that is only displayed → MathML, with latex2mathml: matrices, cases, roots, `[D_h,B]`, `i = t-1, \\dots, 1`.

The library copies raw HTML and addresses from a page into its output, and draws a command that it does not know as a
letter. Therefore only its tree is used, and written here: with the elements and attributes of two lists, all text
escaped. A tree that has anything else in it is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

from elman.calculus.functions import SPELLINGS

_MAX_LENGTH = 4_000
_MAX_DEPTH = 60
_CHILDREN = {
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
_SCRIPTS = frozenset({"msub", "msup", "msubsup", "munder", "mover", "munderover"})
_TEXTS = frozenset({"mi", "mn", "mo", "mtext"})
_ELEMENTS = _TEXTS | frozenset(
    {*_CHILDREN, "math", "menclose", "mpadded", "mphantom", "mrow", "mspace", "msqrt", "mstyle", "mtable", "mtd", "mtr"}
)
_ATTRIBUTES = frozenset(
    {"accent", "accentunder", "depth", "displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace",
     "maxsize", "minsize", "movablelimits", "notation", "rspace", "scriptlevel", "stretchy", "voffset", "width"}
)  # fmt: skip
_VALUE = re.compile(r"[A-Za-z0-9.%+-]{1,20}")
_ALIGNMENTS = frozenset({"left", "center", "right"})
_NOT_TYPESET = frozenset({"&", "{", "}", "$", "#", "\\"})  # as a letter: the library did not understand it
_DEFINITION = re.compile(r"\\(?:def|newcommand|newenvironment|DeclareMathOperator)(?![A-Za-z])")
_LEFT_OUT = re.compile(r"\\(?:label|eqref|ref)\s*\{[^{}]*\}|\\(?:nonumber|notag|displaystyle)(?![A-Za-z])")
_BRACKET = re.compile(r"\\(?:(?P<opens>begin|left)|(?P<closes>end|right))(?![A-Za-z])|\\.|[{}]", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{(\w+\*?)\}")
_ENVIRONMENTS = {  # of the page → one that the library draws as a table
    "align": "align*", "aligned": "align*", "alignedat": "align*", "flalign": "align*", "eqnarray": "align*",
    "gather": "matrix", "gather*": "matrix", "gathered": "matrix", "dcases": "cases",
}  # fmt: skip
_CAPITALS = re.compile("[\u0391-\u03a9]")  # Greek capitals, which LaTeX sets upright
_PRIMES = frozenset({"′", "″", "‴"})
_THIN_SPACE = '<mspace width="0.17em"/>'
_FONTS = {
    "bold": "BOLD", "italic": "ITALIC", "bold-italic": "BOLD ITALIC", "script": "SCRIPT", "fraktur": "FRAKTUR",
    "double-struck": "DOUBLE-STRUCK", "sans-serif": "SANS-SERIF", "monospace": "MONOSPACE",
}  # fmt: skip


def displayed_math(latex: str, display: bool = False) -> str | None:
    """The `<math>` element of LaTeX whose macros are expanded; None where it is not all understood, or too large."""
    prepared = _prepared(latex)
    if prepared is None:
        return None
    try:
        tree = convert_to_element(prepared, display="block" if display else "inline")
        inner = _row(list(tree))
    except Exception:  # the library's errors have no family, and hostile text raises IndexError, StopIteration and more
        return None
    return f'<math displaystyle="true">{inner}</math>' if display else f"<math>{inner}</math>"


def _prepared(latex: str) -> str | None:
    """The LaTeX as the library reads it best, or None where it should not be given to it."""
    if len(latex) > _MAX_LENGTH or _DEFINITION.search(latex):
        return None
    latex = _LEFT_OUT.sub(" ", latex).strip()
    outside = _outside_groups(latex)
    if outside is None or not latex:
        return None
    latex = _ENVIRONMENT.sub(_environment, latex)
    if "&" in outside:
        return rf"\begin{{align*}}{latex}\end{{align*}}"
    return rf"\begin{{matrix}}{latex}\end{{matrix}}" if "\\\\" in outside else latex


def _outside_groups(latex: str) -> str | None:
    """What is in no group, no \\left…\\right and no environment, `\\&` left out; None where these are not closed, or
    nested too deeply.
    """
    depth = at = 0
    outside = []
    for sign in _BRACKET.finditer(latex):
        if depth == 0:
            outside.append(latex[at : sign.start()])
            if sign.group() == "\\\\":
                outside.append(sign.group())
        at = sign.end()
        if sign.group() == "{" or sign.group("opens"):
            depth += 1
        elif sign.group() == "}" or sign.group("closes"):
            depth -= 1
        if not 0 <= depth <= _MAX_DEPTH:
            return None
    return None if depth else "".join([*outside, latex[at:]])


def _environment(sign: re.Match[str]) -> str:
    """An environment in a group of its own, so that a script on it is a script on all of it."""
    name = _ENVIRONMENTS.get(sign.group(2), sign.group(2))
    return f"{{\\begin{{{name}}}" if sign.group(1) == "begin" else f"\\end{{{name}}}}}"


def _element(node: Element) -> str:
    """An element as text. Raises `ValueError` for what is on no list."""
    if node.tag not in _ELEMENTS or len(node) != _CHILDREN.get(node.tag, len(node)):
        raise ValueError(node.tag)
    attributes = "".join(
        f' {name}="{value}"' for name, value in node.attrib.items() if name in _ATTRIBUTES and _VALUE.fullmatch(value)
    )
    if node.attrib.get("columnalign") in _ALIGNMENTS:  # browsers align cells by style alone
        attributes += f' style="text-align:{node.attrib["columnalign"]}"'
    if node.tag not in _TEXTS:
        inner = "".join(map(_element, node)) if node.tag in _CHILDREN else _row(list(_with_words(node)))
        return f"<{node.tag}{attributes}>{inner}</{node.tag}>"
    text = node.text or ""
    if text in _NOT_TYPESET or re.match(r"\\[A-Za-z]", text):
        raise ValueError(text)
    text, variant = unescape(text), node.attrib.get("mathvariant", "")
    if len(text) == 1 and (variant == "normal" or (not variant and _CAPITALS.match(text))):
        attributes += ' mathvariant="normal"'
    tag = "mi" if _is_word(node) else node.tag  # an operator would have wide spaces around it
    tag = "mo" if text in _PRIMES else tag  # a letter would be drawn too small and too high
    return f"<{tag}{attributes}>{escape(_in_font(text, variant))}</{tag}>"


def _row(children: list[Element]) -> str:
    """Elements side by side, with a thin space between a function such as log and a letter or number beside it."""
    shown = []
    for before, node in zip([None, *children], children, strict=False):
        thin = before is not None and _needs_space(before, node)
        shown.append((_THIN_SPACE if thin else "") + _element(node))
    return "".join(shown)


def _needs_space(left: Element, right: Element) -> bool:
    functions = _is_function(left), _is_function(right)
    operators = [n.tag == "mo" and not f for n, f in zip((left, right), functions, strict=True)]
    return any(functions) and not any(operators) and not (functions[0] and _is_fenced(right))


def _is_function(node: Element) -> bool:
    """Whether an element is the name of a function, with or without scripts."""
    base = node[0] if node.tag in _SCRIPTS and len(node) else node
    while base.tag == "mrow" and len(base) == 1:
        base = base[0]
    return _is_word(base) or (base.tag == "mi" and len(base.text or "") > 1 and base.text in SPELLINGS)


def _is_word(node: Element) -> bool:
    """Whether an operator is a word: \\operatorname{Var}, \\max."""
    return node.tag == "mo" and len(node.text or "") > 1 and (node.text or "").isalpha()


def _is_fenced(node: Element) -> bool:
    return node.tag == "mrow" and len(node) > 0 and node[0].tag == "mo"


def _in_font(text: str, variant: str) -> str:
    """Letters in a font by their characters, since browsers do not read `mathvariant`."""
    return "".join(_character(c, _FONTS[variant]) for c in text) if variant in _FONTS else text


def _character(character: str, font: str) -> str:
    name = unicodedata.name(character, "").replace("LATIN ", "").replace("GREEK ", "").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL {font} {name}")
    except KeyError:
        return character


def _with_words(row: Iterable[Element]) -> Iterator[Element]:
    """The children of a row; upright letters and those that spell a function (`softmax`, `ln`) as one word each."""
    children = list(row)
    i = 0
    while i < len(children):
        stop = _end_of_word(children, i)
        last = children[stop - 1]
        if stop > i + 1:
            letter = _letter(last)
            assert letter is not None
            letter.text = "".join(_text(child) for child in children[i:stop])
        yield last
        i = stop


def _end_of_word(children: list[Element], start: int) -> int:
    """Where the word ends that begins at `start`; a letter that begins none is alone. Scripts end a word."""
    stop = start
    while stop < len(children) and _text(children[stop]) and _font(children[stop]) == _font(children[start]):
        stop += 1
        if children[stop - 1].tag in _SCRIPTS:
            break
    if stop <= start + 1 or children[start].tag in _SCRIPTS:
        return start + 1
    if _font(children[start]) == "normal":
        return stop
    letters = "".join(_text(child) for child in children[start:stop])
    return start + next((n for n in range(len(letters), 1, -1) if letters[:n] in SPELLINGS), 1)


def _letter(node: Element) -> Element | None:
    """The letter that an element is, or has scripts on."""
    if node.tag in _SCRIPTS and len(node):
        node = node[0]
    return node if node.tag == "mi" and len(node.text or "") == 1 and (node.text or "").isascii() else None


def _text(node: Element) -> str:
    letter = _letter(node)
    return (letter.text or "") if letter is not None and (letter.text or "").isalpha() else ""


def _font(node: Element) -> str:
    letter = _letter(node)
    return "" if letter is None else letter.attrib.get("mathvariant", "")

"""Messages in the reader's language: English sentences are made everywhere, and translated where they are shown.

The rooms make, sort and compare their sentences in English. What shows a sentence calls `translate`, which looks it up
in the gettext catalogue of the language (`locale/zh/LC_MESSAGES/elman.po`). The catalogue's msgids are the English
sentences, with named placeholders for what changes: `{name} is not defined on this page`. A sentence is found by the
template that it fits, the one with the most fixed text first, but one with `{sentence}` in it before all others:
`column {column}: {sentence}`. Sentences that are joined, and the text at a placeholder, are translated each by itself.
What the catalogue lacks stays English.
"""

from __future__ import annotations

import functools
import gettext
import locale
import os
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
VARIABLE = "ELMAN_LANG"
"""The environment variable that names the language of the reports."""
CATALOGUES = Path(__file__).parent / "locale"
MESSAGES = "elman"
"""The name of the catalogue of messages; that of `--help` is another, of long texts that are asked for rarely."""

_HAN = "\u3400-\u9fff"
_OPENING, _CLOSING = "（《「“", "，。；：、！？）》」”"
_FULL = _OPENING + _CLOSING  # full-width signs bring their own space
_NO_SPACE = re.compile(rf"(?<=[{_HAN}{_FULL}])[ ]+(?=[{_HAN}{_FULL}])|(?<=[{_FULL}])[ ]+|[ ]+(?=[{_FULL}])")
_JOINTS = {"; ": "；", ": ": "：", ", ": "，", " and ": "，且"}  # between sentences that the source joins
_SIGNS = {CHINESE: {**_JOINTS, ".": "。", " ": "", "(": "（", ")": "）"}}
_CLAUSE = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,} [a-z]{3,}(?![A-Za-z])")  # words, which are no value of a placeholder
_OF_USERS = frozenset({"path", "page", "run", "option", "text", "source"})  # placeholders with the user's own words
_BREAKS = re.compile(
    rf"[{_OPENING}\[]*(?:[{_HAN}]|[^{_HAN}{_OPENING}{_CLOSING}]+|[{_CLOSING}])[{_CLOSING}\]]*|[{_OPENING}\[]+"
)
_NUMBERS = re.compile(r"\d+(?:, \d+)+")
_MAX_LENGTH = 2000  # characters of a sentence; longer text is the page's own

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Within it, `translate` translates into `language`: en or zh. Each thread and task has its own language."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def current_language() -> str:
    """The language into which `translate` translates now."""
    return _language.get()


def chosen_language(given: str | None, environment: Mapping[str, str] | None = None) -> str | None:
    """The language that was asked for by name: an option, or else the variable ELMAN_LANG; None where neither is.

    A value of ELMAN_LANG that is no language of ours counts as none.
    """
    named = given or (os.environ if environment is None else environment).get(VARIABLE, "")
    language = re.split("[-_.@]", named.strip().lower())[0]
    return language if language in LANGUAGES else None


def wanted_language(given: str | None, otherwise: Callable[[], str] = lambda: ENGLISH) -> str:
    """The language of what is shown: the chosen one, else Chinese where the locale is, else `otherwise()`."""
    return chosen_language(given) or language_of_locale() or otherwise()


def language_of_locale(environment: Mapping[str, str] | None = None) -> str | None:
    """zh where the user's locale is Chinese, else None; the variables in gettext's order, then the system's locale."""
    found = os.environ if environment is None else environment
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if found.get(name):
            return CHINESE if found[name].lower().startswith("zh") else None
    system = locale.getlocale()[0] or ""
    return CHINESE if system.lower().startswith(("zh", "chinese")) else None


def translate(text: str, domain: str = MESSAGES) -> str:
    """An English sentence in the current language; unchanged in English, and where the catalogue does not have it.

    domain: the name of the catalogue.
    """
    language = _language.get()
    if language == ENGLISH or not text.strip():
        return text
    return _catalogue(language, domain).translation(text) or text


def sign(mark: str) -> str:
    """A mark of punctuation with its blank, such as `": "` or `"("`, as the current language writes it."""
    return _SIGNS.get(_language.get(), {}).get(mark, mark)


def joined(parts: Iterable[str], mark: str = ", ") -> str:
    """Translated parts with a mark between them."""
    return sign(mark).join(parts)


def listed(parts: Sequence[str]) -> str:
    """Translated parts as a list in a sentence: `4, 7 and 9`, `4、7 和 9`."""
    comma, last = ("、", " 和 ") if _language.get() == CHINESE else (", ", " and ")
    return last.join(filter(None, (comma.join(parts[:-1]), parts[-1])))


def sentence(clause: str) -> str:
    """A translated clause as a sentence: with a capital, and a full stop."""
    return clause[:1].upper() + clause[1:] + sign(".")


def broken_between(word: str) -> list[str]:
    """The pieces of a word between which a line may end: Chinese is written without blanks.

    A line neither ends with an opening bracket nor begins with a closing mark.
    """
    return _BREAKS.findall(word) if re.search(f"[{_HAN}{_FULL}]", word) else [word]


def wrapped(text: str, width: int, columns: Callable[[str], int]) -> list[str]:
    """A text in lines of at most `width` columns, as `columns` counts them; a word that is longer is not cut."""
    lines: list[str] = []
    for word in text.split():
        for number, piece in enumerate(broken_between(word)):
            blank = "" if number else " "
            if lines and columns(lines[-1] + blank + piece) <= width:
                lines[-1] += blank + piece
            else:
                lines.append(piece)
    return lines


@dataclass(frozen=True, slots=True)
class _Template:
    """A message with placeholders: its fixed pieces, the pattern of the whole, and its translation."""

    pieces: tuple[str, ...]
    pattern: re.Pattern[str]
    translated: str

    @classmethod
    def of(cls, msgid: str, msgstr: str) -> _Template:
        """The template of an entry of the catalogue."""
        pieces, pattern, seen = [], "", set()
        for fixed, name, _, _ in string.Formatter().parse(msgid):
            pieces.append(fixed)
            pattern += re.escape(fixed)
            if name is not None:
                pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
                seen.add(name)
        return cls(tuple(filter(None, pieces)), re.compile(pattern, re.DOTALL), msgstr)

    @property
    def joins(self) -> bool:
        """Whether it has a joint of sentences: it is asked before a sentence is taken apart there."""
        return any(joint in piece for piece in self.pieces for joint in _JOINTS)


class _Catalogue:
    """The messages of one language."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        named = {msgid for msgid in messages if placeholders(msgid)}
        self._whole = {msgid.format(): msgstr.format() for msgid, msgstr in messages.items() if msgid not in named}
        templates = [_Template.of(msgid, messages[msgid]) for msgid in named]
        templates.sort(key=lambda t: ("sentence" not in t.pattern.groupindex, -sum(map(len, t.pieces)), t.pieces))
        self._joining = [t for t in templates if t.joins]
        self._others = [t for t in templates if not t.joins]

    def translation(self, text: str) -> str | None:
        """The translation of a sentence; None where there is none."""
        if len(text) > _MAX_LENGTH:
            return None
        if text in self._whole:
            return self._whole[text]
        return self._fitted(text, self._joining) or self._joined(text) or self._fitted(text, self._others)

    def _fitted(self, text: str, templates: Iterable[_Template]) -> str | None:
        """The translation by the first template that the sentence fits, with the text at its placeholders."""
        for template in templates:
            if all(piece in text for piece in template.pieces) and (found := template.pattern.fullmatch(text)):
                parts = {name: self._part(name, part) for name, part in found.groupdict().items()}
                if None not in parts.values():
                    return _NO_SPACE.sub("", template.translated.format_map(parts))
        return None

    def _part(self, name: str, text: str) -> str | None:
        """The text at a placeholder; None for a clause that has no translation and is not the user's own."""
        if _NUMBERS.fullmatch(text):
            return text.replace(", ", "、")
        return self.translation(text) or (None if name not in _OF_USERS and _CLAUSE.search(text) else text)

    def _joined(self, text: str) -> str | None:
        """The translation of sentences that are joined, where each of them has one."""
        for joint, translated in _JOINTS.items():
            parts = [self.translation(part) for part in text.split(joint)] if joint in text else []
            if parts and all(parts):
                return translated.join(part for part in parts if part)
        return None


@functools.cache
def _catalogue(language: str, domain: str) -> _Catalogue:
    return _Catalogue(catalogue(language, domain))


def catalogue(language: str, domain: str = MESSAGES) -> dict[str, str]:
    """All messages of a language: msgid → msgstr."""
    path = CATALOGUES / language / "LC_MESSAGES" / f"{domain}.mo"
    with path.open("rb") as file:
        found = gettext.GNUTranslations(file)
    messages: dict[str, str] = found._catalog  # type: ignore[attr-defined]
    return {msgid: msgstr for msgid, msgstr in messages.items() if msgid}


def placeholders(message: str) -> list[str]:
    """The names of the placeholders of a message."""
    return [name for _, name, _, _ in string.Formatter().parse(message) if name is not None]

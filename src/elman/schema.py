"""What a file of a run must hold: a dataclass for each, checked once, where the file is read.

The fields of the dataclass are the keys, their annotations the types, and `limits(...)` gives the numbers that are
allowed. So what is read is of the declared types, or there is one sentence: which file, which key, what was given, what
was expected, and what to do. (Why no library does this: docs/measured.md.)
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from elman.errors import ElmanError

Kind = TypeVar("Kind")

LARGEST_COUNT = 2**53
"""Of counters: up to here float64 holds all whole numbers."""
_LONGEST = 40
"""Characters of a given text that a message repeats."""


@dataclass(frozen=True)
class Range:
    """The numbers that a value may be. `words` is how a message says it: "it must be at least 1"."""

    words: str
    low: float = float("-inf")
    high: float = float("inf")
    without_low: bool = False
    without_high: bool = False
    whole: bool = False

    def __contains__(self, value: Any) -> bool:
        if self.whole and not isinstance(value, int):
            return False
        above = value > self.low if self.without_low else value >= self.low
        return bool(above and (value < self.high if self.without_high else value <= self.high))


COUNTER = Range("a whole number, at least 0", 0, LARGEST_COUNT, whole=True)
FINITE = Range("a finite number", without_low=True, without_high=True)
AMOUNT = Range("a finite number, at least 0", 0, without_high=True)
AMOUNT_OR_INFINITE = Range("a number, at least 0", 0)


def limits(allowed: Range) -> dict[str, Range]:
    """The metadata of a field whose numbers are limited."""
    return {"range": allowed}


@dataclass(frozen=True)
class Source:
    """What is being checked: how its messages begin (a path), the class of its errors, and what to do."""

    name: str
    error: type[ElmanError]
    advice: str

    def fault(self, what: str) -> ElmanError:
        """The error for something that is wrong: "{name}: {what}; {advice}"."""
        return self.error(f"{self.name}: {what}; {self.advice}")

    def refuse(self, key: str, given: object, expected: str) -> ElmanError:
        """The error for a value that is not as expected."""
        return self.fault(f"{key or 'the content'} is {in_words(given)}, expected {expected}")

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turns whatever a library raises on damaged content into one error: also the panics of those in Rust."""
        try:
            yield
        except (ElmanError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
            raise
        except BaseException as error:  # pyo3's PanicException is no Exception
            raise self.fault(f"it cannot be read ({in_words(str(error))})") from error


def in_words(value: object) -> str:
    """A JSON value as a message repeats it: numbers and texts themselves, shortened; of the others their kind."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return f"a whole number of more than {_LONGEST} digits"
    text = ascii(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def parsed(data: bytes | str, source: Source) -> Any:
    """The value of a JSON text. Raises the source's error for what is none, and for what is nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError:
        raise source.fault("its brackets are nested too deeply") from None
    except UnicodeDecodeError as error:
        raise source.fault(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise source.fault(f"it is not JSON, line {error.lineno}: {error.msg}") from None
    except ValueError:
        raise source.fault("it is not JSON") from None


def mapping(value: Any, source: Source, key: str = "") -> dict[str, Any]:
    """The value itself, which must be an object."""
    if not isinstance(value, dict):
        raise source.refuse(key, value, "an object")
    return value


Ranges = Mapping[type, Range]


def read(
    kind: type[Kind],
    values: Any,
    source: Source,
    key: str = "",
    ranges: Ranges | None = None,
    *,
    null_is_nan: bool = False,
) -> Kind:
    """The dataclass with these values. Every value has its declared type, and every key is known and there.

    Only a key whose default is None may be missing: it was added later. key: where the values are in the file, for
    messages. ranges: of the numbers of each type whose fields have none of their own. null_is_nan: null stands for a
    number that is not finite.
    """
    given, known = mapping(values, source, key), fields_of(kind)
    prefix = f"{key}." if key else ""
    for name in given:
        if name not in known:
            raise source.fault(f"the key {prefix}{in_words(name).strip(chr(39))} is not known")
    content: dict[str, Any] = {}
    for name, (hint, field) in known.items():
        if name not in given:
            if field.default is None:
                continue
            raise source.fault(f"the key {prefix}{name} is missing")
        value = given[name]
        if null_is_nan and hint is float and value is None:
            content[name] = math.nan
            continue
        require(hint, value, source, f"{prefix}{name}", field.metadata.get("range", (ranges or {}).get(hint)))
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            value = read(hint, value, source, f"{prefix}{name}", ranges)
        content[name] = float(value) if hint is float else value
    return kind(**content)


def require(hint: Any, value: Any, source: Source, key: str, allowed: Range | None = None) -> None:
    """Raises the source's error where the value is not of the type, or a number outside its range."""
    if not fits(hint, value, allowed):
        raise source.refuse(key, value, expected(hint, allowed, value))


def fits(hint: Any, value: Any, allowed: Range | None = None) -> bool:
    """Whether a value is of an annotated type, and its numbers in the range.

    True is no number; NaN is none that is allowed; infinities and numbers of more than 64 bits are where a range says
    so. A text is one that UTF-8 can write.
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(fits(each, value, allowed) for each in get_args(hint))
    if origin is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if origin is list:
        (item,) = get_args(hint)
        return isinstance(value, list) and all(fits(item, each, allowed) for each in value)
    if hint is None or hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is str:
        return isinstance(value, str) and is_text(value)
    if hint is int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and value in (allowed or _ANY) and (abs(value) < 2**63 or _has_own_end(allowed))
    if hint is float:
        return _is_number(value) and value in (allowed or FINITE)
    return isinstance(value, dict)  # a dataclass: `read` checks what is in it


_ANY = Range("")


def _has_own_end(allowed: Range | None) -> bool:
    return allowed is not None and math.isfinite(allowed.high)


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return False
    try:
        float(value)
    except OverflowError:  # a whole number beyond the largest float
        return False
    return True


def is_text(value: str) -> bool:
    """Whether a text can be written as UTF-8: JSON's \\ud800 alone cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def expected(hint: Any, allowed: Range | None, given: Any) -> str:
    """How a message says what a value must be: its type where the one given is of another, and its range."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(expected(each, allowed, given) for each in get_args(hint))
    if origin is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if origin is list:
        return f"a list, each entry of which is {expected(get_args(hint)[0], allowed, None)}"
    if hint is None or hint is type(None):
        return "null"
    kind = {bool: "true or false", str: "a text", int: "a whole number", float: "a number"}.get(hint, "an object")
    if hint not in (int, float):
        return kind
    words = (allowed or (FINITE if hint is float else _ANY)).words
    is_one = isinstance(given, int if hint is int else int | float) and not isinstance(given, bool)
    return words if is_one or kind in words else f"{kind}, {words}" if words else kind


def fields_of(kind: type) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    """The annotation and the field of each key."""
    return _fields_of(kind)


@cache
def _fields_of(kind: Any) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], field) for field in dataclasses.fields(kind)}

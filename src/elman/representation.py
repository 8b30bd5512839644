"""How values are shown in a Python session: on one short line, arrays by type and shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

LONGEST_TEXT = 60
"""Characters of a field's text that are shown."""
LONGEST_LINE = 400
"""Characters of a whole line; what does not fit is `…`."""
MOST_ITEMS = 4
"""A collection of more items is shown by their number."""


def short_repr(value: Any) -> str:
    """A dataclass on one line: `Parameters(E=float32[2000,200], …, activation='sigmoid')`.

    Private fields and those with repr=False are left out. Use it as `__repr__`.
    """
    shown = [f for f in fields(value) if f.repr and not f.name.startswith("_")]
    return cut(
        f"{type(value).__name__}({', '.join(f'{f.name}={_short(getattr(value, f.name))}' for f in shown)})",
        LONGEST_LINE,
    )


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        return f"{value.dtype}[{','.join(map(str, shape))}]" if shape else repr(value.item())
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return cut(repr(value), LONGEST_TEXT)
    if is_dataclass(value) and not isinstance(value, type):
        text = repr(value)
        return text if len(text) <= LONGEST_TEXT else f"{type(value).__name__}(…)"
    if isinstance(value, Mapping):
        if len(value) > MOST_ITEMS:
            return f"{{{len(value):,} items}}"
        return cut("{" + ", ".join(f"{_short(k)}: {_short(v)}" for k, v in value.items()) + "}", LONGEST_TEXT * 2)
    if isinstance(value, Collection) and not isinstance(value, bytes | range):
        if len(value) > MOST_ITEMS:
            return f"<{len(value):,} items>"
        inner = ", ".join(map(_short, value))
        left, right = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return cut(f"{left}{inner}{right}" if isinstance(value, list | tuple) else f"{{{inner}}}", LONGEST_TEXT * 2)
    return cut(repr(value), LONGEST_TEXT)


def cut(text: str, longest: int) -> str:
    """The text; where it has more characters than `longest`, its beginning and its last one."""
    return text if len(text) <= longest else f"{text[: longest - 2]}…{text[-1]}"

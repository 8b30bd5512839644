"""Notebooks: the kinds and texts of their cells, and the notebook with new texts in its cells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from elman.errors import TextError

JOINT = "\n\n"


def cells_of(source: str, path: object = "the notebook") -> list[tuple[str, str]]:
    """Each cell's kind (markdown, code, raw) and text. Raises `TextError` if the source is not a notebook."""
    return [(str(cell.get("cell_type")), _text(cell)) for cell in _cells(_loaded(source, path), path)]


def _loaded(source: str, path: object) -> Any:
    try:
        return json.loads(source)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise TextError(f"{path} is not a notebook: its JSON is not valid{where}") from None


def _cells(notebook: Any, path: object) -> list[dict[str, Any]]:
    found = notebook.get("cells") if isinstance(notebook, Mapping) else None
    if found is None and isinstance(notebook, Mapping) and isinstance(notebook.get("worksheets"), list):
        sheets = notebook["worksheets"]
        found = sheets[0].get("cells") if sheets and isinstance(sheets[0], Mapping) else None
    if not isinstance(found, list) or not all(isinstance(cell, dict) for cell in found):
        raise TextError(f"{path} is not a notebook: it has no list of cells")
    for number, cell in enumerate(found, 1):
        _check(cell.get(_key(cell)), number, path)
    return found


def _key(cell: Mapping[str, Any]) -> str:
    return "source" if "source" in cell or "input" not in cell else "input"


def _check(value: object, number: int, path: object) -> None:
    lines = value if isinstance(value, list) else [value or ""]
    if not all(isinstance(line, str) for line in lines):
        raise TextError(f"{path} is not a notebook: the source of cell {number} is not text")


def _text(cell: Mapping[str, Any]) -> str:
    value = cell.get(_key(cell)) or ""
    return "".join(value) if isinstance(value, list) else str(value)


def rewritten(source: str, texts: Sequence[str]) -> str:
    """The notebook with these texts in its cells, one a cell; cells whose text is the same stay as they are."""
    notebook = _loaded(source, "the notebook")
    for cell, text in zip(_cells(notebook, "the notebook"), texts, strict=True):
        if text != _text(cell):
            key = _key(cell)
            cell[key] = text.splitlines(keepends=True) if isinstance(cell[key], list) else text
    indent = re.match(r"[{\[]\n?([ \t]*)", source.lstrip("\ufeff"))
    width: str | None = indent.group(1) if indent and indent.group(1) else None
    compact = (",", ":") if width is None and '": ' not in source[:2000] else None
    written = json.dumps(notebook, ensure_ascii=source.isascii(), indent=width, separators=compact)
    return written + ("\n" if source.endswith("\n") else "")

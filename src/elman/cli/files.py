"""Files that the command line writes: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from elman.errors import TextError


def write_whole(path: Path, text: str) -> None:
    """Writes a file under a temporary name and moves it into place; `TextError` where that cannot be done."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(text.encode())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TextError(f"cannot write {path}: {error.strerror}") from None

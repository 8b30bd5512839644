"""Where a command may write: not over its inputs, over files of a run, or into what is no file (or no folder)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from elman.errors import ConfigError
from elman.files import is_folder, output_fault, same_place


def require_output(path: Path, inputs: Iterable[Path], example: str) -> None:
    """Raises ConfigError where a file cannot be written to `path`, or would overwrite an input or a file of a run.

    example: the file name that the message proposes where the path is a folder.
    """
    if fault := output_fault(path):
        other = f"name the file to write, such as {path / example}" if "folder" in fault else "give another name"
        raise ConfigError(f"{path} {fault}: {other}")
    if any(same_place(path, each) for each in inputs):
        raise ConfigError(f"{path} is an input of this command: give another name to write to")
    for folder in (path.parent, path.parent.parent):
        if os.path.isfile(folder / "config.json") and _is_of_run(path, folder):  # noqa: PTH113 (does not raise)
            raise ConfigError(f"{path} is a file of the run {folder}: give another name to write to")


def require_folder(path: Path, option: str) -> None:
    """Raises ConfigError where a command cannot write into the folder `path`, as there is a file; it need not exist."""
    if os.path.exists(path) and not is_folder(path):  # noqa: PTH110 (does not raise)
        raise ConfigError(f"{path} is a file: {option} writes into a folder")


def _is_of_run(path: Path, folder: Path) -> bool:
    from elman.checkpoint import RunFolder

    return any(same_place(path, each) for each in RunFolder(folder).files)

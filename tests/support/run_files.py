"""Changes to the files of a run with their checksums made right again, and things that stand in the place of a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.numpy

from elman.checkpoint import RunFolder, json_checksum, packed


def change_config(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Applies `change` to config.json, and writes it with its checksum and that of tokenizer.json."""
    folder = RunFolder(run)
    content = json.loads(folder.config.read_text())
    del content["sha256"]
    change(content)
    if folder.tokenizer.is_file():
        content["tokenizer_sha256"] = hashlib.sha256(folder.tokenizer.read_bytes()).hexdigest()
    content["sha256"] = json_checksum(content)
    folder.config.write_text(json.dumps(content))


def change_tokenizer(run: Path, data: bytes) -> None:
    """Other bytes as tokenizer.json."""
    RunFolder(run).tokenizer.write_bytes(data)
    change_config(run, lambda content: None)


def change_arrays(path: Path, change: Callable[[dict[str, Any], dict[str, str]], Any]) -> None:
    """Applies `change` to the arrays and the metadata of a .safetensors file, and writes it with its checksum."""
    data = path.read_bytes()
    arrays = {name: array.copy() for name, array in safetensors.numpy.load(data).items()}
    metadata = metadata_of(data)
    del metadata["sha256"]
    change(arrays, metadata)
    path.write_bytes(packed(arrays, metadata))


def change_counters(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Applies `change` to the counters of a checkpoint."""

    def both(arrays: dict[str, Any], metadata: dict[str, str]) -> None:
        counters = json.loads(metadata["counters"])
        change(counters)
        metadata["counters"] = json.dumps(counters)

    change_arrays(path, both)


def with_metadata(path: Path, text: str) -> None:
    """Another text in the place of all metadata."""
    path.write_bytes(safetensors.numpy.save(safetensors.numpy.load(path.read_bytes()), {"elman": text}))


def metadata_of(data: bytes) -> dict[str, str]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(json.loads(header["__metadata__"]["elman"]))


def put(keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """The change that sets `training.B` or the like to a value; deletes it where the value is ...."""

    def change(content: dict[str, Any]) -> None:
        *parents, last = keys.split(".")
        for key in parents:
            content = content[key]
        if value is ...:
            del content[last]
        else:
            content[last] = value

    return change


@contextlib.contextmanager
def pipe_with(path: Path, data: bytes = b"the cat sat\n") -> Iterator[None]:
    """A named pipe at the path, with a writer: who opens it reads the data, at most 60,000 bytes, and is not kept
    waiting."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):
            path.write_bytes(data[:60_000])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
    finally:
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # where nobody read, the writer still waits for a reader
        writer.join()
        os.close(reader)


def giant(path: Path, size: int = 2**40 + 1) -> None:
    """A sparse file, which takes nothing on the disk."""
    with path.open("wb") as file:
        file.truncate(size)

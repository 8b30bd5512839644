"""Mutations of run folders: what an accident or an attacker may make of their files. Every one is drawn from a seed.

A mutation changes bytes, JSON values, array headers, arrays or counters, deletes a file, or puts something else in its
place: a folder, a pipe, a device, a loop of links, a sparse giant, the file of another run. Where asked for, the
checksums are recomputed, as an attacker would.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from elman.checkpoint import RunFolder, json_checksum, packed

GIANT = 10 * 2**30
"""Bytes of a sparse giant; on the disk it takes none."""
VALUES: tuple[Any, ...] = (
    None, True, False, [], {}, "", "x", "\ud800", "\x1b[2J", "9" * 5000, 0, 1, 2, 5, -1, 2**31, 2**53, 2**63, 10**30,
    0.5, 1.5, -0.0, 1e9, 1e308, -1e308, float("nan"), float("inf"), -float("inf"), [[[[]]]], {"a": 1}, [1, 2],
    "é" * 3000, {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
)  # fmt: skip
"""What JSON values are replaced with; the last makes the tokenizers library panic."""


def mutate(folder: Path, others: list[Path], chance: random.Random, with_checksums: bool) -> list[str]:
    """Mutates one to three files of a run folder in place; returns what was done. `others`: runs to take files from."""
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        path = chance.choice(RunFolder(folder).files)
        change = chance.choice(_changes(path))
        with contextlib.suppress(_CannotChangeError):
            done.append(f"{path.relative_to(folder)}: {change(path, others, chance)}")
    if with_checksums:
        _recompute(folder)
    return done


class _CannotChangeError(Exception):
    """The file is, after an earlier mutation, no longer of the kind that this one changes."""


Change = Callable[[Path, list[Path], random.Random], str]


def _changes(path: Path) -> list[Change]:
    """The mutations of a file, each as often as it is to be drawn."""
    common: list[Change] = [_bytes, _bytes, _cut, _stranger, _stranger, _of_another_run]
    if path.name == "lock":
        return [_stranger]
    if path.suffix == ".json":
        return [*common, *[_json_value] * 6]
    if path.suffix == ".jsonl":
        return [*common, *[_line] * 6]
    if path.suffix == ".npy":
        return [*common, *[_npy_header] * 4, *[_tokens] * 2]
    return [*common, _raw_header, *[_array] * 4, *[_metadata] * 4]


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 2**24:
        raise _CannotChangeError
    return path.read_bytes()


def _bytes(path: Path, others: list[Path], chance: random.Random) -> str:
    """A bit flipped, or bytes changed, removed, doubled, zeroed or added; half of them near the beginning."""
    data = _read(path)
    if not data:
        raise _CannotChangeError
    at = chance.randrange(min(len(data), 600) if chance.random() < 0.5 else len(data))
    length = chance.choice((1, 2, 8, 100))
    changes: dict[str, Callable[[], bytes]] = {
        "a bit": lambda: data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :],
        "a byte": lambda: data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        "removed": lambda: data[:at] + data[at + length :],
        "doubled": lambda: data[:at] + data[at : at + length] + data[at:],
        "zeroed": lambda: data[:at] + bytes(min(length, len(data) - at)) + data[at + length :],
        "brackets": lambda: data[:at] + b"[" * 100_000 + data[at:],
        "0xFF": lambda: data[:at] + b"\xff\xfe" + data[at:],
    }
    name = chance.choice(list(changes))
    path.write_bytes(changes[name]())
    return f"bytes, {name}, at {at}"


def _cut(path: Path, others: list[Path], chance: random.Random) -> str:
    data = _read(path)
    length = chance.choice((0, 1, 7, 8, 9, 127, 128, 129, chance.randrange(len(data) + 1)))
    path.write_bytes(data[:length])
    return f"cut to {length}"


def _stranger(path: Path, others: list[Path], chance: random.Random) -> str:
    """Nothing, or something else, in the place of a file."""
    if path.is_dir() and not path.is_symlink():
        raise _CannotChangeError
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    kind = chance.choice(
        ("nothing", "folder", "pipe", "zero", "random", "giant", "loop", "socket", "unreadable", "proc")
    )
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind in ("zero", "random"):
        path.symlink_to("/dev/zero" if kind == "zero" else "/dev/urandom")
    elif kind == "giant":
        with path.open("wb") as file:
            file.truncate(GIANT)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "socket":
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as bound:  # where the path is not too long
            bound.bind(str(path))
    elif kind == "unreadable":
        path.write_bytes(b"{}")
        path.chmod(0)
    elif kind == "proc":
        path.symlink_to("/proc/self/mem")
    return kind


def _of_another_run(path: Path, others: list[Path], chance: random.Random) -> str:
    source = chance.choice(RunFolder(chance.choice(others)).files)
    if not source.is_file() or path.is_dir():
        raise _CannotChangeError
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    shutil.copy(source, path)
    return f"{source.name} of another run"


def _json_value(path: Path, others: list[Path], chance: random.Random) -> str:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise _CannotChangeError from error
    content, done = _with_value(content, chance)
    path.write_text(json.dumps(content), encoding="utf-8")
    return done


def _with_value(content: Any, chance: random.Random) -> tuple[Any, str]:
    """The value with one of its parts replaced, removed or added, and what was done."""
    content = copy.deepcopy(content)
    places = list(_places(content))
    value = chance.choice(VALUES)
    if not places or chance.random() < 0.1:
        return value, f"all is {value!r:.20}"
    # of a long table only a few entries, so that the other keys are drawn too
    by_parent: dict[int, list[tuple[Any, Any]]] = {}
    for parent, key in places:
        by_parent.setdefault(id(parent), []).append((parent, key))
    parent, key = chance.choice(chance.choice(list(by_parent.values())))
    how = chance.random()
    if how < 0.7:
        parent[key] = value
        return content, f"{key!r:.20} is {value!r:.20}"
    if how < 0.9:
        del parent[key]
        return content, f"without {key!r:.20}"
    if isinstance(parent, dict):
        parent["x" * 300 if chance.random() < 0.3 else f"{key}2"] = value
    else:
        parent.append(value)
    return content, f"with more beside {key!r:.20}"


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every (object, key) and (list, number) in a JSON value."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from _places(content[key])


def _line(path: Path, others: list[Path], chance: random.Random) -> str:
    """A line of metrics.jsonl replaced, or with one of its values replaced."""
    lines = _read(path).splitlines(keepends=True)
    if not lines:
        raise _CannotChangeError
    k = chance.randrange(len(lines))
    if chance.random() < 0.4:
        lines[k] = chance.choice(
            (b"{}\n", b"5\n", b"null\n", b"[]\n", b"[" * 100_000 + b"\n", b"\n", b"\0" * 4096, b"{\n")
        )
        done = f"line {k} is {lines[k][:5]!r}"
    else:
        try:
            content, done = _with_value(json.loads(lines[k]), chance)
        except (ValueError, RecursionError) as error:
            raise _CannotChangeError from error
        lines[k] = (json.dumps(content) + "\n").encode()
    path.write_bytes(b"".join(lines))
    return done


def _npy_header(path: Path, others: list[Path], chance: random.Random) -> str:
    """Another type, order, shape, version or length in the header of an array file; or fewer numbers."""
    data = _read(path)
    old, new = chance.choice((
        (b"(", b"(-"), (b",)", b"9999999999,)"), (b",)", b")"), (b",)", b",2)"), (b"'<u2'", b"'<f2'"),
        (b"'|u1'", b"'|O'"), (b"'|u1'", b"'<u8'"), (b"'|u1'", b"'|b1'"), (b"False", b"True"), (b"'shape'", b"'shapes'"),
        (b"'descr'", b"(" * 200), (b"\x01\x00v\x00", b"\x02\x00v\x00\x00\xff"), (b"}", b"  "), (b"\x93", b"\x94"),
        (b"\x01\x00v\x00", b"\x01\x00\xff\xff"),
    ))  # fmt: skip
    path.write_bytes(data.replace(old, new, 1))
    return f"header, {old!r} is {new[:8]!r}"


def _tokens(path: Path, others: list[Path], chance: random.Random) -> str:
    """Token ids that no vocabulary has."""
    data = _read(path)
    at = chance.randrange(128, max(len(data), 129))
    path.write_bytes(data[:at] + b"\xff" * (len(data) - at))
    return f"ids of 255 from byte {at}"


def _raw_header(path: Path, others: list[Path], chance: random.Random) -> str:
    """Another length before the header of a .safetensors file, or a value in it."""
    data = _read(path)
    length = int.from_bytes(data[:8], "little")
    if chance.random() < 0.4:
        other = chance.choice((0, 1, length - 1, length + 1, 2**20, 2**30, 2**63))
        path.write_bytes(other.to_bytes(8, "little") + data[8:])
        return f"length of the header is {other}"
    try:
        header, done = _with_value(json.loads(data[8 : 8 + length]), chance)
    except (ValueError, RecursionError) as error:
        raise _CannotChangeError from error
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return f"header, {done}"


def _taken_apart(path: Path) -> tuple[dict[str, NDArray[Any]], Any]:
    """The arrays and the metadata."""
    data = _read(path)
    try:
        arrays = {name: array.copy() for name, array in safetensors.numpy.load(data).items()}
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return arrays, json.loads(header["__metadata__"]["elman"])
    except Exception as error:
        raise _CannotChangeError from error


def _put_together(path: Path, arrays: dict[str, NDArray[Any]], metadata: Any) -> None:
    """Writes them, with their checksum where the metadata allow one."""
    try:
        path.write_bytes(packed(arrays, {key: value for key, value in metadata.items() if key != "sha256"}))
    except Exception:  # such metadata or arrays have no checksum
        text = json.dumps(metadata)
        path.write_bytes(safetensors.numpy.save(arrays, {"elman": text}))


def _array(path: Path, others: list[Path], chance: random.Random) -> str:
    """An array of another type, shape or values, or none; or one more. The checksum is right."""
    arrays, metadata = _taken_apart(path)
    if not arrays:
        raise _CannotChangeError
    name = chance.choice(sorted(arrays))
    old = arrays[name]
    changes: dict[str, Callable[[], Any]] = {
        "int32": lambda: np.nan_to_num(old).astype(np.int32), "bool": lambda: old.astype(bool),
        "float16": lambda: old.astype(np.float16), "float64": lambda: old.astype(np.float64),
        "uint8": lambda: np.zeros(old.shape, np.uint8), "transposed": lambda: old.T.copy(),
        "flat": lambda: old.reshape(-1),
        "longer": lambda: np.concatenate([old, old]), "shorter": lambda: old[1:], "empty": lambda: old[:0],
        "one number": lambda: np.zeros((), old.dtype), "NaN": lambda: np.full(old.shape, np.nan).astype(old.dtype),
        "infinite": lambda: np.full(old.shape, np.inf).astype(old.dtype),
        "huge": lambda: np.full(old.shape, 3e38).astype(old.dtype), "one NaN": lambda: _with_nan(old),
        "negative": lambda: -np.abs(old) - 1,
    }  # fmt: skip
    change = chance.choice([*changes, "gone", "one more"])
    if change == "gone":
        del arrays[name]
    elif change == "one more":
        arrays[f"{name}2"] = old
    else:
        with np.errstate(all="ignore"):
            arrays[name] = changes[change]()
    _put_together(path, arrays, metadata)
    return f"{name} is {change}"


def _with_nan(array: NDArray[Any]) -> NDArray[Any]:
    changed = array.copy()
    if changed.size and changed.dtype.kind == "f":
        changed.reshape(-1)[-1] = np.nan
    return changed


def _metadata(path: Path, others: list[Path], chance: random.Random) -> str:
    """Another value in the metadata, or in the counters in it. The checksum is right, where there is one."""
    arrays, metadata = _taken_apart(path)
    if chance.random() < 0.2:
        metadata = chance.choice(([], 5, None, "x", True, {}, [[]]))
        done = f"metadata are {metadata!r}"
    elif isinstance(metadata, dict) and "counters" in metadata and chance.random() < 0.8:
        try:
            counters, done = _with_value(json.loads(metadata["counters"]), chance)
        except (ValueError, RecursionError, TypeError) as error:
            raise _CannotChangeError from error
        metadata["counters"] = "[" * 100_000 if chance.random() < 0.05 else json.dumps(counters)
        done = f"counters, {done}"
    else:
        metadata, done = _with_value(metadata, chance)
        done = f"metadata, {done}"
    _put_together(path, arrays, metadata)
    return done


def _recompute(folder: Path) -> None:
    """Makes every checksum right again, where the files still have one."""
    run = RunFolder(folder)
    for path in (run.model, run.state, run.stopped):
        with contextlib.suppress(_CannotChangeError):
            _put_together(path, *_taken_apart(path))
    with contextlib.suppress(_CannotChangeError, ValueError, RecursionError):
        content = json.loads(_read(run.config))
        if isinstance(content, dict):
            with contextlib.suppress(_CannotChangeError):
                content["tokenizer_sha256"] = hashlib.sha256(_read(run.tokenizer)).hexdigest()
            if isinstance(content.get("tokens_sha256"), dict):
                content["tokens_sha256"] |= _sums_of_tokens(run)
            content.pop("sha256", None)
            content["sha256"] = json_checksum(content)
            run.config.write_text(json.dumps(content), encoding="utf-8")


def _sums_of_tokens(run: RunFolder) -> dict[str, str]:
    """The checksum of the tokens, which follow a header of 128 bytes, of each file that is there."""
    sums = {}
    for path in (run.train_tokens, run.valid_tokens):
        with contextlib.suppress(_CannotChangeError):
            sums[path.name] = hashlib.sha256(_read(path)[128:]).hexdigest()
    return sums

"""A run folder on disk: written whole or not at all, and checked when read.

    config.json           settings, the format's version, the tokenizer's checksum, its own checksum
    tokenizer.json        Hugging Face tokenizers format
    model.safetensors     the best weights so far, named by the letters; the checksum in its metadata
    metrics.jsonl         a line a record of training
    training/             what exact resume needs; may be deleted once training is over
        state.safetensors     weights, optimizer, carried state; every counter in its metadata
        stopped.safetensors   the same, at the very step where Ctrl-C or the clock stopped the run
        train.npy valid.npy   the text as token ids

A file is written beside its place, flushed to the disk and renamed over it: a reader, or the next start
after a crash or on a full disk, finds the old file or the new one, never a part. `config.json` comes last, so
that a folder without it is one that never began. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from elman.config import RunConfig
from elman.errors import CheckpointError, ConfigError, ElmanError
from elman.files import PARTIAL, locked, read_bytes, remove_partial, sentence, write_whole
from elman.model.parameters import Parameters, shapes
from elman.text.tokenizer import Tokenizer

FORMAT = 1
"""The version of the folder's format; another one is refused."""
GO_ON = "the files of the run are as they were, so free some space or allow writing there, and go on with --resume"
"""What to do where a file of a run cannot be written."""

Arrays = Mapping[str, NDArray[Any]]
State = tuple[Parameters, dict[str, NDArray[Any]], Any]
"""A checkpoint: weights, other arrays (optimizer, carried h), and counters."""


class RunFolder:
    """The files of one run, by path."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.tokenizer = self.path / "tokenizer.json"
        self.model = self.path / "model.safetensors"
        self.metrics = self.path / "metrics.jsonl"
        self.training = self.path / "training"
        self.state = self.training / "state.safetensors"
        self.stopped = self.training / "stopped.safetensors"
        self.train_tokens = self.training / "train.npy"
        self.valid_tokens = self.training / "valid.npy"

    @property
    def latest_state(self) -> Path:
        """The checkpoint to go on from."""
        return self.stopped if self.stopped.exists() else self.state

    def require_new(self) -> None:
        """Raises CheckpointError where a run or other files are there; what an unfinished set-up left is allowed."""
        if self.config.exists():
            raise CheckpointError(
                f"{self.path} already holds a run: continue it with --resume {self.path}, or choose another --out"
            )
        strangers = [] if not self.path.exists() else _strangers(self)
        if strangers:
            raise CheckpointError(f"{self.path} exists and holds {strangers[0]}, no run: choose a new folder for --out")

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Turns an OSError while the run's files are written into a CheckpointError."""
        return sentence("write", self.path, CheckpointError, GO_ON)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Reserves the run for one process; raises CheckpointError while another trains it."""
        with self.writing():
            self.training.mkdir(parents=True, exist_ok=True)
        taken = f"{self.path} is being trained by another process: wait for it, or stop it first"
        with locked(self.training / "lock", taken, CheckpointError):
            for folder in (self.path, self.training):
                remove_partial(folder)
            yield


def _strangers(run: RunFolder) -> list[str]:
    if not run.path.is_dir():
        return ["a file"]
    ours = {run.tokenizer.name, run.training.name, run.model.name, run.metrics.name}
    return sorted(p.name for p in run.path.iterdir() if p.name not in ours and not p.name.startswith(PARTIAL))


def save_config(run: RunFolder, config: RunConfig, tokenizer_json: str) -> None:
    """tokenizer.json, then config.json, which names its checksum."""
    with run.writing():
        run.path.mkdir(parents=True, exist_ok=True)
    tokenizer_bytes = tokenizer_json.encode()
    _write(run.tokenizer, tokenizer_bytes)
    content = {"format": FORMAT, **config.as_dict(), "tokenizer_sha256": hashlib.sha256(tokenizer_bytes).hexdigest()}
    content["sha256"] = json_checksum(content)
    _write(run.config, (json.dumps(content, indent=2) + "\n").encode())


def load_config(run: RunFolder) -> tuple[RunConfig, str]:
    """The settings, and tokenizer.json's text. Raises CheckpointError where either is missing or damaged."""
    if not run.path.exists():
        raise CheckpointError(f"there is no run at {run.path}: give the folder that `elman train --out` wrote")
    if not run.config.exists():
        raise CheckpointError(f"{run.path} has no config.json, so it is no run: give a folder that `elman train` wrote")
    try:
        content = json.loads(_read(run.config))
        version, checksum = content["format"], content.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(run.config) from error
    if version != FORMAT:
        raise CheckpointError(
            f"{run.config} is of format {version!r}, this Elman reads format {FORMAT}: use the version that wrote it"
        )
    if checksum != json_checksum(content):
        raise _damaged(run.config)
    tokenizer_bytes = _read(run.tokenizer)
    if hashlib.sha256(tokenizer_bytes).hexdigest() != content.pop("tokenizer_sha256", None):
        raise _damaged(run.tokenizer)
    del content["format"]
    try:
        return RunConfig.from_dict(content), tokenizer_bytes.decode()
    except ConfigError as error:
        raise CheckpointError(f"{run.config}: {error}") from error


def save_model(run: RunFolder, p: Parameters) -> None:
    """model.safetensors: the weights by their letters, a tied one once."""
    _write(run.model, _pack(dict(p.distinct()), {"activation": p.activation}))


def load_model(run: RunFolder) -> tuple[RunConfig, Tokenizer, Parameters]:
    """Settings, tokenizer and weights, each checked against its checksum and against each other."""
    config, tokenizer_json = load_config(run)
    if not run.model.exists():
        raise CheckpointError(
            f"{run.path} has no model yet: it was stopped before its first validation; go on with "
            f"elman train --resume {run.path}"
        )
    arrays, metadata = _unpack(run.model)
    p = _parameters(arrays, metadata.get("activation", ""), config, run.model)
    return config, _tokenizer(tokenizer_json, config, run), p


def save_state(path: Path, p: Parameters, arrays: Arrays, counters: Mapping[str, Any]) -> None:
    """Writes all that an exact resume needs in one file: weights, other arrays, and counters as JSON."""
    weights = {f"parameters.{name}": array for name, array in p.distinct()}
    _write(path, _pack({**weights, **arrays}, {"activation": p.activation, "counters": json.dumps(counters)}))


def load_state(run: RunFolder, path: Path, config: RunConfig) -> State:
    """The inverse of `save_state`. Raises CheckpointError where the file is missing, damaged, or of another run."""
    arrays, metadata = _unpack(path)
    weights = {name.removeprefix("parameters."): a for name, a in arrays.items() if name.startswith("parameters.")}
    rest = {name: a for name, a in arrays.items() if not name.startswith("parameters.")}
    p = _parameters(weights, metadata.get("activation", ""), config, path)
    return p, rest, json.loads(metadata["counters"])


def _tokenizer(tokenizer_json: str, config: RunConfig, run: RunFolder) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_json(tokenizer_json)
    except ElmanError as error:
        raise _damaged(run.tokenizer) from error
    if tokenizer.V != config.model.V:
        raise CheckpointError(
            f"{run.tokenizer} has {tokenizer.V} tokens, config.json says {config.model.V}: they are of different runs"
        )
    return tokenizer


def _parameters(arrays: Arrays, activation: str, config: RunConfig, path: Path) -> Parameters:
    model = config.model
    expected = shapes(model.V, model.d, model.Dh)
    if model.tie:
        del expected["E"]
    given = {name: array.shape for name, array in arrays.items()}
    if given != expected or activation != model.activation or len({a.dtype for a in arrays.values()}) != 1:
        raise CheckpointError(f"{path} does not fit config.json beside it: the two are of different runs")
    return Parameters.from_distinct(arrays, activation)


def _pack(arrays: Arrays, metadata: dict[str, str]) -> bytes:
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {"format": str(FORMAT), **metadata}
    metadata["sha256"] = _checksum(contiguous, metadata)
    # all under one key: the library writes several keys in an order that changes from process to process
    return safetensors.numpy.save(contiguous, {"elman": json.dumps(metadata, sort_keys=True)})


def _unpack(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and metadata of a file whose checksum is right."""
    if not path.exists():
        raise CheckpointError(f"{path} is missing: the run was not copied whole, or its files were deleted")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = json.loads(file.metadata()["elman"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except Exception as error:  # a damaged file may raise anything in the reader
        raise _damaged(path) from error
    if metadata.pop("sha256", None) != _checksum(arrays, metadata):
        raise _damaged(path)
    return arrays, metadata


def _checksum(arrays: Arrays, metadata: Mapping[str, str]) -> str:
    """SHA-256 over every name, type, shape and byte, and the rest of the metadata."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def json_checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object, its keys sorted; config.json carries it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    write_whole(path, data, CheckpointError, GO_ON)


def _read(path: Path) -> bytes:
    return read_bytes(path, CheckpointError, "the run was not copied whole")


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: its content does not match its checksum; take a copy from elsewhere, or train again"
    )

"""A run folder on disk: written whole or not at all, and checked when read.

    config.json           settings, the format's version, the checksums of tokenizer and tokens, its own checksum
    tokenizer.json        Hugging Face tokenizers format
    tokenizer_config.json the class that opens it in transformers; never read by Elman
    model.safetensors     the best weights so far, named by the letters; the checksum in its metadata
    metrics.jsonl         a line a record of training
    training/             what exact resume needs; may be deleted once training is over
        state.safetensors     weights, optimizer, carried state; every counter in its metadata
        stopped.safetensors   the same, at the very step where Ctrl-C or the clock stopped the run
        train.npy valid.npy   the text as token ids

A file is written beside its place, flushed to the disk and renamed over it: a reader, or the next start
after a crash or on a full disk, finds the old file or the new one, never a part. `config.json` comes last, so
that a folder without it is one that never began. `metrics.jsonl` alone is appended to: it is flushed before a
checkpoint that counts its bytes is written. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from elman.config import RunConfig
from elman.errors import CheckpointError, ConfigError, TextError
from elman.files import (
    PARTIAL,
    is_there,
    locked,
    make_folder,
    open_input,
    read_bytes,
    remove_empty,
    remove_partial,
    sentence,
    write_whole,
)
from elman.model.parameters import Parameters, shapes
from elman.schema import Source, in_words, mapping, parsed, require
from elman.text.tokenizer import Tokenizer

FORMAT = 1
"""The version of the folder's format; another one is refused."""
GO_ON = "the files of the run are as they were, so free some space or allow writing there, and go on with --resume"
"""What to do where a file of a run cannot be written."""
START_AGAIN = "nothing of the run was kept, so free some space or allow writing there, and start it again"
"""The same before there is a run."""
RESTORE = "take a copy from elsewhere, or train again"
"""What to do where a file of a run is damaged."""

TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_input_names": ["input_ids", "attention_mask"],
    "clean_up_tokenization_spaces": False,
}
"""With these, transformers' AutoTokenizer opens the tokenizer of a run as it is."""

LARGEST_METRICS = 2**40
LARGEST_CONFIG = 2**20
LARGEST_TOKENIZER = 64 * 2**20
LARGEST_HEADER = 2**20
"""The most bytes of metrics.jsonl, config.json, tokenizer.json (two million words), and of the header of arrays."""

Arrays = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]
State = tuple[Parameters, dict[str, NDArray[Any]], Any]
"""A checkpoint: weights, other arrays (optimizer, carried h), and counters."""


class RunFolder:
    """The files of one run, by path."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.tokenizer = self.path / "tokenizer.json"
        self.tokenizer_config = self.path / "tokenizer_config.json"
        self.model = self.path / "model.safetensors"
        self.metrics = self.path / "metrics.jsonl"
        self.training = self.path / "training"
        self.state = self.training / "state.safetensors"
        self.stopped = self.training / "stopped.safetensors"
        self.lock = self.training / "lock"
        self.train_tokens = self.training / "train.npy"
        self.valid_tokens = self.training / "valid.npy"

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them; some may not exist."""
        return (
            self.config, self.tokenizer, self.tokenizer_config, self.model, self.metrics, self.state, self.stopped,
            self.train_tokens, self.valid_tokens, self.lock,
        )  # fmt: skip

    @property
    def latest_state(self) -> Path:
        """The checkpoint to go on from."""
        return self.stopped if is_there(self.stopped, CheckpointError, RESTORE) else self.state

    def require_new(self) -> None:
        """Raises CheckpointError where a run or other files are there; what a killed set-up left is allowed."""
        if is_there(self.config, CheckpointError, "choose another --out"):
            raise CheckpointError(
                f"{self.path} already holds a run: continue it with --resume {self.path}, or choose another --out"
            )
        with sentence("read", self.path, CheckpointError, "choose another --out"):
            strangers = _strangers(self) if self.path.exists() else []
        if strangers:
            raise CheckpointError(f"{self.path} exists and holds {strangers[0]}, no run: choose a new folder for --out")

    def require_run(self) -> None:
        """Raises CheckpointError where there is no run."""
        if not is_there(self.path, CheckpointError, "give the folder that `elman train --out` wrote"):
            raise CheckpointError(f"there is no run at {self.path}: give the folder that `elman train --out` wrote")
        if not is_there(self.config, CheckpointError, RESTORE):
            raise CheckpointError(
                f"{self.path} has no config.json, so it is no run: give a folder that `elman train` wrote"
            )

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Turns an OSError while the run's files are written into a CheckpointError."""
        return sentence("write", self.path, CheckpointError, self.advice)

    @property
    def advice(self) -> str:
        """What to do where a file of the run cannot be written."""
        return GO_ON if self.config.exists() else START_AGAIN

    @contextlib.contextmanager
    def begun(self) -> Iterator[RunFolder]:
        """Reserves a new run for one process before its first byte is written.

        Where the block fails before there is a run, all that it wrote is removed. Raises CheckpointError where the
        folder is taken, or holds anything.
        """
        self.require_new()
        with self._begun_in(make_folder(self.path, CheckpointError, START_AGAIN) or []):
            yield self

    @classmethod
    @contextlib.contextmanager
    def begun_unnamed(cls, parent: Path, name: str) -> Iterator[RunFolder]:
        """The same for a folder in `parent` that no other process has: of this name, or with -2, -3, … after it."""
        for k in itertools.count(1):
            run = cls(parent / (name if k == 1 else f"{name}-{k}"))
            made = make_folder(run.path, CheckpointError, START_AGAIN)
            if made is not None:
                with run._begun_in(made):
                    yield run
                return

    @contextlib.contextmanager
    def _begun_in(self, made: list[Path]) -> Iterator[None]:
        """`begun`, once the folder is there. made: the folders to remove where nothing comes of the run."""
        try:
            with self.locked():
                self.require_new()  # it may have been begun and released since
                try:
                    yield
                except BaseException:
                    if not self.config.exists():
                        self._remove_set_up()
                    raise
        except BaseException:
            remove_empty([self.training, *made])
            raise

    def _remove_set_up(self) -> None:
        for path in (
            self.tokenizer,
            self.tokenizer_config,
            self.state,
            self.stopped,
            self.train_tokens,
            self.valid_tokens,
            self.lock,
        ):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        for folder in (self.path, self.training):
            remove_partial(folder)

    @contextlib.contextmanager
    def resumed(self) -> Iterator[RunFolder]:
        """Reserves a run that is there for one process, before anything in it is changed.

        Raises CheckpointError where it is none, has no checkpoint, or is being trained.
        """
        self.require_run()
        if not is_there(self.latest_state, CheckpointError, RESTORE):
            raise missing(self.state)
        with self.locked():
            yield self

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Reserves the run for one process; raises CheckpointError while another trains it."""
        with self.writing():
            self.training.mkdir(exist_ok=True)
        taken = f"{self.path} is being trained by another process: wait for it, or stop it first"
        with locked(self.lock, taken, CheckpointError):
            for folder in (self.path, self.training):
                remove_partial(folder)
            yield


def _strangers(run: RunFolder) -> list[str]:
    if not run.path.is_dir():
        return ["a file"]
    ours = {
        run.tokenizer.name,
        run.tokenizer_config.name,
        run.training.name,
    }  # a killed set-up has no model and no metrics
    return sorted(p.name for p in run.path.iterdir() if p.name not in ours and not p.name.startswith(PARTIAL))


def save_config(
    run: RunFolder, config: RunConfig, tokenizer_json: str, tokens_sha256: Mapping[str, str] | None = None
) -> None:
    """tokenizer.json, then config.json, which has its checksum and those of the token files, by their names."""
    tokenizer_bytes = tokenizer_json.encode()
    if len(tokenizer_bytes) > LARGEST_TOKENIZER:
        raise CheckpointError(
            f"the vocabulary of {config.model.V:,} tokens takes {len(tokenizer_bytes):,} bytes, at most "
            f"{LARGEST_TOKENIZER:,} are read again: choose a smaller --vocab-size, or a larger --min-count"
        )
    _write(run, run.tokenizer, tokenizer_bytes)
    _write(run, run.tokenizer_config, (json.dumps(TOKENIZER_CONFIG, indent=2) + "\n").encode())
    content = {"format": FORMAT, **config.as_dict(), "tokenizer_sha256": hashlib.sha256(tokenizer_bytes).hexdigest()}
    if tokens_sha256:
        content["tokens_sha256"] = dict(tokens_sha256)
    content["sha256"] = json_checksum(content)
    _write(run, run.config, (json.dumps(content, indent=2) + "\n").encode())


def load_config(run: RunFolder) -> tuple[RunConfig, str]:
    """The settings, and tokenizer.json's text. Raises CheckpointError where either is missing or damaged."""
    return load_settings(run)[:2]


def load_settings(run: RunFolder) -> tuple[RunConfig, str, dict[str, str]]:
    """The same, and the checksums of the token files by their names; a run of an older version has none."""
    run.require_run()
    source = _source(run.config)
    content = mapping(parsed(_read(run.config, LARGEST_CONFIG), source), source)
    for key in ("format", "sha256", "tokenizer_sha256"):
        if key not in content:
            raise source.fault(f"the key {key} is missing")
    version, checksum, tokenizer_checksum = content["format"], content.pop("sha256"), content["tokenizer_sha256"]
    if version is True or version != FORMAT:
        raise CheckpointError(
            f"{run.config} is of format {in_words(version)}, this Elman reads format {FORMAT}: use the version that "
            "wrote it"
        )
    with source.reading():  # what is nested too deeply has no checksum
        if checksum != json_checksum(content):
            raise _damaged(run.config)
    tokenizer_bytes = _read(run.tokenizer, LARGEST_TOKENIZER)
    if hashlib.sha256(tokenizer_bytes).hexdigest() != tokenizer_checksum:
        raise _damaged(run.tokenizer)
    others = ("format", "tokenizer_sha256", "tokens_sha256")
    settings = {key: value for key, value in content.items() if key not in others}
    tokens_sha256 = mapping(content.get("tokens_sha256", {}), source, "tokens_sha256")
    for name, value in tokens_sha256.items():
        require(str, value, source, f"tokens_sha256.{in_words(name)}")
    try:
        return RunConfig.from_dict(settings), tokenizer_bytes.decode(), tokens_sha256
    except ConfigError as error:
        raise CheckpointError(f"{run.config}: {error}") from error
    except UnicodeDecodeError as error:
        raise _source(run.tokenizer).fault(f"it is not UTF-8 at byte {error.start}") from error


def save_model(run: RunFolder, p: Parameters) -> None:
    """model.safetensors: the weights by their letters, a tied one once."""
    _write(run, run.model, packed(dict(p.distinct()), {"activation": p.activation}))


def load_model(run: RunFolder) -> tuple[RunConfig, Tokenizer, Parameters]:
    """Settings, tokenizer and weights, each checked against its checksum and against each other."""
    config, tokenizer_json = load_config(run)
    if not is_there(run.model, CheckpointError, RESTORE):
        raise CheckpointError(
            f"{run.path} has no model yet: it was stopped before its first validation; go on with "
            f"elman train --resume {run.path}"
        )
    tokenizer = tokenizer_of(run, config, tokenizer_json)
    arrays, metadata = _unpack(run.model, _bytes_of_weights(config))
    p = _parameters(arrays, metadata, config, run.model)
    require_finite(p, run.model)
    return config, tokenizer, p


def save_state(run: RunFolder, path: Path, p: Parameters, arrays: Arrays, counters: Mapping[str, Any]) -> None:
    """Writes all that an exact resume needs in one file: weights, other arrays, and counters as JSON."""
    weights = {f"parameters.{name}": array for name, array in p.distinct()}
    _write(run, path, packed({**weights, **arrays}, {"activation": p.activation, "counters": json.dumps(counters)}))


def load_state(run: RunFolder, path: Path, config: RunConfig) -> State:
    """The inverse of `save_state`. Raises CheckpointError where the file is missing, damaged, or of another run."""
    # the optimizer and the average have three more numbers for each weight, and h is less than a batch of embeddings
    model, B = config.model, config.training.B
    arrays, metadata = _unpack(path, 4 * _bytes_of_weights(config) + 8 * B * model.layers * model.Dh)
    weights = {name.removeprefix("parameters."): a for name, a in arrays.items() if name.startswith("parameters.")}
    rest = {name: a for name, a in arrays.items() if not name.startswith("parameters.")}
    p = _parameters(weights, metadata, config, path)
    h = {name: array for name, array in rest.items() if name == "h"}
    require_arrays(h, {"h": (B, model.layers * model.Dh)}, config.training.dtype, path)
    if "counters" not in metadata:
        raise _source(path).fault("the key counters is missing")
    return p, rest, parsed(metadata["counters"], _source(path))


def require_finite(p: Parameters, path: Path) -> None:
    """Raises CheckpointError where a weight is NaN or infinite: such a network predicts nothing."""
    for name, array in p.distinct():
        if bad := int(array.size - np.isfinite(array).sum()):
            raise CheckpointError(
                f"{path}: {bad:,} of the {array.size:,} numbers of {name} are not finite, so the network predicts "
                f"nothing; {RESTORE} with a smaller --lr or --clip"
            )


def require_arrays(given: Arrays, expected: Shapes, dtype: str, path: Path) -> None:
    """Raises CheckpointError unless there are just these arrays, of these shapes and this type."""
    for name in sorted(given.keys() | expected.keys()):
        fault = ""
        if name not in given:
            fault = f"the array {name} is missing"
        elif name not in expected:
            fault = f"the array {in_words(name)} is not known"
        elif (given[name].shape, given[name].dtype) != (expected[name], np.dtype(dtype)):
            is_, wanted = f"{given[name].dtype} {list(given[name].shape)}", f"{dtype} {list(expected[name])}"
            fault = f"{name} is {is_}, expected {wanted}"
        if fault:
            raise CheckpointError(
                f"{path} does not fit config.json beside it: {fault}; the two are of different runs, or damaged: "
                f"{RESTORE}"
            )


def tokenizer_of(run: RunFolder, config: RunConfig, tokenizer_json: str) -> Tokenizer:
    """The tokenizer of a run. Raises CheckpointError where it is damaged, or does not fit the configuration."""
    try:
        tokenizer = Tokenizer.from_json(tokenizer_json)
    except TextError as error:
        raise CheckpointError(f"{run.tokenizer}: {error}") from error
    given, expected = (tokenizer.V, tokenizer.level), (config.model.V, config.text.level)
    if given != expected:
        raise CheckpointError(
            "{} has {} tokens of level {}, config.json says {} of level {}: they are of different runs".format(
                run.tokenizer, *given, *expected
            )
        )
    return tokenizer


def _parameters(arrays: Arrays, metadata: Mapping[str, str], config: RunConfig, path: Path) -> Parameters:
    model, activation = config.model, metadata.get("activation")
    expected = shapes(model.V, model.d, model.Dh, model.layers, model.cut_at)
    if model.tie:
        del expected["E"]
    require_arrays(arrays, expected, config.training.dtype, path)
    if activation != model.activation:
        raise CheckpointError(
            f"{path} does not fit config.json beside it: its activation is {in_words(activation)}, expected "
            f"{model.activation}; the two are of different runs"
        )
    return Parameters.from_distinct(arrays, model.activation, skip=model.skip)


def _bytes_of_weights(config: RunConfig) -> int:
    """Of all weights at their widest."""
    model = config.model
    expected = shapes(model.V, model.d, model.Dh, model.layers, model.cut_at)
    return sum(8 * math.prod(shape) for shape in expected.values())


def packed(arrays: Arrays, metadata: dict[str, str]) -> bytes:
    """The content of a .safetensors file with these arrays, these texts as metadata, and their checksum."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {"format": str(FORMAT), **metadata}
    metadata["sha256"] = _checksum(contiguous, metadata)
    # all under one key: the library writes several keys in an order that changes from process to process
    return safetensors.numpy.save(contiguous, {"elman": json.dumps(metadata, sort_keys=True)})


def _unpack(path: Path, most: int) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, of `most` bytes in all, and the metadata of a file whose checksum is right."""
    source = _source(path)
    if not is_there(path, CheckpointError, RESTORE):
        raise missing(path)
    with open_input(path, most + LARGEST_HEADER, CheckpointError, RESTORE) as file:
        header = int.from_bytes(file.read(8), "little")
    if header > LARGEST_HEADER:
        raise source.fault(f"its header has {header:,} bytes, expected at most {LARGEST_HEADER:,}")
    with source.reading(), safetensors.safe_open(path, framework="numpy") as file:
        held = file.metadata() or {}
        if "elman" not in held:
            raise source.fault("the key elman of its metadata is missing")
        metadata = mapping(parsed(held["elman"], source), source, "the metadata")
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    for key, value in metadata.items():
        require(str, value, source, in_words(key))
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


def _write(run: RunFolder, path: Path, data: bytes) -> None:
    write_whole(path, data, CheckpointError, run.advice)


def _read(path: Path, limit: int) -> bytes:
    return read_bytes(path, limit, CheckpointError, "the run was not copied whole")


def _source(path: Path) -> Source:
    return Source(f"{path}", CheckpointError, RESTORE)


def missing(path: Path) -> CheckpointError:
    """The error for a file of a run that is not there."""
    return CheckpointError(f"{path} is missing: the run was not copied whole, or its files were deleted")


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: its content does not match its checksum; {RESTORE}")

"""`export`: a model → a folder in another program's format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from elman.arguments import WHOLE_FROM_1, require
from elman.errors import ConfigError
from elman.export.arpa import arpa_file
from elman.export.contents import Content
from elman.export.onnx_graphs import onnx_files
from elman.export.torch_module import torch_files
from elman.export.transformers_folder import transformers_files
from elman.files import is_folder, make_folder, remove_empty, whole
from elman.inference.company import ORDER
from elman.language_model import LanguageModel
from elman.schema import in_words
from elman.wording import choose

_FILES: Mapping[str, Callable[[LanguageModel], Iterator[Content]]] = {
    "transformers": transformers_files, "onnx": onnx_files, "torch": torch_files,
}  # fmt: skip
FORMATS = (*_FILES, "arpa")


def export(lm: LanguageModel, to: str, out: str | os.PathLike[str], *, order: int | None = None) -> list[Path]:
    """Writes a model into a new folder in one of FORMATS; returns the files, in the order of their names.

    transformers  opens with AutoModelForCausalLM and AutoTokenizer (trust_remote_code=True)
    onnx          two graphs, of one step and of a window of any length; needs the onnx package
    torch         a state_dict for nn.RNN, and the module that loads it
    arpa          an n-gram model of the text of the run, of tokens up to `order` (5)

    Raises ConfigError for another format, a folder that is not empty, an order that is not for ARPA, a mixture, a model
    of a task, and skip connections for torch; MissingExtraError without the onnx package; CheckpointError where the
    run's text is missing.
    """
    if to not in FORMATS:
        raise ConfigError(f"the format is {in_words(to)}; it must be one of {', '.join(FORMATS)}")
    if not isinstance(out, str | os.PathLike):
        raise ConfigError(f"out is {in_words(out)}; it must be a text or a Path")
    if order is not None:
        require("order", order, int, WHOLE_FROM_1)
        if to != "arpa":
            raise ConfigError(f"order is for n-gram models, and the format is {to}: leave it out")
    if lm.config is not None and lm.config.task:
        raise ConfigError(f"this model was trained on {lm.config.corpus}, not on a text: it is no language model")
    if lm.company is not None:
        raise ConfigError("this model is a mixture, which no other format has: load the run without a mixture")
    if lm.p.skip and to == "torch":
        raise ConfigError("the model has skip connections (--skip), which nn.RNN does not have: use --to transformers")
    contents = arpa_file(lm, order or ORDER) if to == "arpa" else _FILES[to](lm)
    return _written(Path(out), contents)


def _written(folder: Path, contents: Iterator[Content]) -> list[Path]:
    """Writes the files. Where one cannot be written or made, none is left."""
    made = make_folder(folder, ConfigError, "choose another --out")
    if made is None and not is_folder(folder):
        raise ConfigError(f"{folder} is a file, expected a folder: choose another --out")
    if made is None and any(folder.iterdir()):
        raise ConfigError(f"{folder} is there and not empty: give a new folder, or an empty one")
    paths: list[Path] = []
    try:
        for content in contents:
            path = folder / content.name
            with whole(path, ConfigError, "choose another --out") as temporary:
                content.write(temporary)
            paths.append(path)
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        remove_empty(made or [])
        raise
    return sorted(paths)


def files_in_words(paths: list[Path]) -> str:
    """How many files there are, and of what size together."""
    size = sum(path.stat().st_size for path in paths)
    return f"{len(paths)} {choose(len(paths), 'file', 'files')}, {size / 1e6:,.1f} MB"

"""The files of an export: JSON, texts, tensors, and those of a run's tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, normalizers, processors

from elman.checkpoint import TOKENIZER_CONFIG
from elman.text.tokenizer import EOS, Tokenizer


@dataclass(frozen=True)
class Content:
    """A file: its name, and what writes it to a path."""

    name: str
    write: Callable[[Path], object]


def text_file(name: str, text: str) -> Content:
    """A text in UTF-8."""
    return Content(name, lambda path: path.write_bytes(text.encode()))


def json_file(name: str, values: Mapping[str, Any]) -> Content:
    """Values as JSON."""
    return text_file(name, json.dumps(dict(values), indent=2, ensure_ascii=False) + "\n")


def template(name: str) -> Content:
    """A file of this room that is exported as it is."""
    return text_file(name, (files("elman.export") / "templates" / name).read_text("utf-8"))


def tensors(name: str, arrays: Mapping[str, NDArray[Any]]) -> Content:
    """A .safetensors file."""

    def write(path: Path) -> None:
        whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        path.write_bytes(safetensors.numpy.save(whole, {"format": "pt"}))

    return Content(name, write)


def tokenizer_files(tokenizer: Tokenizer) -> tuple[Content, Content]:
    """tokenizer.json and tokenizer_config.json for transformers.

    Beside what a run's tokenizer does, it begins a text with the line end, as Elman does, and joins words again. There
    are no special tokens: `<unk>` and the line end are text, which a decoder would otherwise leave out.
    """
    hf = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    line_end = hf.id_to_token(tokenizer.eos)
    hf.post_processor = processors.TemplateProcessing(
        single=[line_end, "$A"], pair=[line_end, "$A", "$B:1"], special_tokens=[(line_end, tokenizer.eos)]
    )
    if tokenizer.level != "byte":  # at level byte a carriage return is itself
        unix = normalizers.Replace("\r\n", "\n")
        hf.normalizer = normalizers.Sequence([unix, hf.normalizer]) if hf.normalizer else unix
    if tokenizer.level == "word":
        hf.decoder = decoders.Sequence(
            [
                decoders.WordPiece(prefix="\n", cleanup=False),  # blanks between words; no word begins with a line end
                decoders.Fuse(),
                *(decoders.Replace(end, "\n") for end in (f" {EOS} ", f"{EOS} ", f" {EOS}", EOS)),
            ]
        )
    return text_file("tokenizer.json", str(hf.to_str(pretty=True))), json_file(
        "tokenizer_config.json", TOKENIZER_CONFIG
    )

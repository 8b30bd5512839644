"""elman export: a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from elman.cli.options import as_json, run_argument, threads
from elman.cli.streams import show, show_json

FORMATS = ("transformers", "onnx", "torch", "arpa")


@click.command(epilog="Example:  elman export runs/book --to transformers --out book-model")
@run_argument
@click.option("--to", type=click.Choice(FORMATS), required=True, help="The format.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="A new folder.")
@click.option("--order", type=int, metavar="N", help="With arpa: the most tokens of an n-gram, 1 to 10.  [default: 5]")
@as_json
@threads
def export(run: Path, to: str, out: Path, order: int | None, as_json: bool) -> None:
    """Write the model in RUN into a new folder for another program, which needs no Elman.

    \b
    transformers  opens with AutoModelForCausalLM and AutoTokenizer (trust_remote_code=True)
    onnx          graphs of one step and of a window, for ONNX Runtime, also in browsers; needs elman[onnx]
    torch         a state_dict for torch.nn.RNN, and the module that loads it
    arpa          an n-gram model of the run's text, for KenLM, SRILM and others
    """
    from elman.export import export as write
    from elman.export.export_model import files_in_words
    from elman.language_model import load

    paths = write(load(run), to, out, order=order)
    if as_json:
        show_json({"folder": str(out), "format": to, "files": [path.name for path in paths]})
    else:
        show(f"{out}: {files_in_words(paths)} ({', '.join(path.name for path in paths)})")

"""elman info: what is in a run folder, or what this installation is."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman import __version__
from elman.cli.options import as_json
from elman.cli.streams import show, show_json

if TYPE_CHECKING:
    from elman.checkpoint import RunFolder


@click.command(epilog="Example:  elman info runs/book")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@as_json
def info(run: Path | None, as_json: bool) -> None:
    """Describe the model in RUN; without RUN, describe this installation."""
    facts = _installation() if run is None else _run(run)
    if as_json:
        show_json(facts, indent=2)
        return
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        show(f"{name.replace('_', ' '):<{width}}{_in_words(value)}")


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return f"{value:.3g}" if isinstance(value, float) and value >= 1e9 else f"{value}"


def _installation() -> dict[str, Any]:
    import numpy as np

    from elman.kernels import host_kernels, native_built, threads, why_no_tiles

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    missing = why_no_tiles() if native_built() else "the native kernels were not built: no C++ compiler"
    return {
        "elman": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "backend": host_kernels().name + (f"; {missing}" if missing else ""),
        "threads": threads(),
    }


def _run(run: Path) -> dict[str, Any]:
    from elman.checkpoint import RunFolder
    from elman.language_model import load

    lm = load(run)
    assert lm.config is not None  # a loaded model has one
    best = _best_validation(RunFolder(run))
    return {
        "corpus": lm.config.corpus,
        "text": lm.config.text.as_dict(),
        "model": lm.config.model.as_dict(),
        "parameters": lm.p.count,
        "training": lm.config.training.as_dict(),
        **best,
    }


def _best_validation(folder: RunFolder) -> dict[str, Any]:
    """The best validation of a run, from its metrics.jsonl; empty if there was none."""
    import math

    from elman.inference.evaluate import perplexity
    from elman.training.metrics_file import read_metrics
    from elman.training.records import ValidationRecord

    best = None
    for record in read_metrics(folder.metrics):
        if isinstance(record, ValidationRecord) and record.best:
            best = record
    if best is None:
        return {}
    at = {"best_at_step": best.step, "best_after_seconds": best.seconds}
    if best.wrong is not None:
        return {"wrong_sequences": best.wrong} | at
    return {
        "validation_perplexity": round(perplexity(best.nats_per_token), 2),
        "validation_bits_per_token": round(best.nats_per_token / math.log(2), 4),
        **at,
    }

"""Trains one setting after another and prints the result of each: how the defaults were chosen.

    python benchmarks/search.py TRAIN VALID --level word epochs=8 lr=0.003,0.006 Dh=128,192 scale=0.1
    python benchmarks/search.py TRAIN VALID --processor-time max_time=8 output=full,sampled

With --processor-time, max_time is processor time of all threads: what other processes do then matters less.

Settings are fields of ModelConfig and TrainingConfig, and four for the initial parameters: `scale` (the bound of E and
U), `gain` (the largest singular value of W_h), `center` (1: b_1 centres the sigmoid), `unigram` (1: b_2 is the log
frequency of each token). All combinations are run. Results are printed as JSON lines.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.checkpoint import RunFolder
from elman.config import TextConfig
from elman.text.corpus import Corpus
from elman.training.problem import TextProblem
from elman.training.records import StopRecord, ValidationRecord
from elman.training.start import Sources, start

MODEL = ("d", "Dh", "activation", "tie", "layers", "skip", "output", "cutoffs")


def value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE[,VALUE…]")
    parser.add_argument("--level", default="word")
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_intermixed_args()
    names = [s.split("=")[0] for s in options.settings]
    choices = [[value(v) for v in s.split("=")[1].split(",")] for s in options.settings]
    for combination in itertools.product(*choices):
        setting = dict(zip(names, combination, strict=True))
        print(json.dumps(setting | trained(options, dict(setting))), flush=True)


def trained(options: argparse.Namespace, setting: dict[str, Any]) -> dict[str, Any]:
    scale, gain = setting.pop("scale", None), setting.pop("gain", None)
    center, unigram = setting.pop("center", 0), setting.pop("unigram", 0)
    model = {name: setting.pop(name) for name in MODEL if name in setting}
    sources = Sources(Corpus.from_paths([options.train]), Corpus.from_paths([options.valid]))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trainer = start(RunFolder(Path(folder) / "run"), sources, TextConfig(options.level), model, setting)
        if scale is not None:
            trainer.p.E *= np.float32(scale / 0.3)
            if not trainer.p.tied:
                trainer.p.U *= np.float32(scale / 0.3)
        if gain is not None:
            trainer.p.W_h *= np.float32(gain / np.linalg.norm(trainer.p.W_h, 2))
        if center:
            trainer.p.b_1[:] = -trainer.p.W_h.sum(axis=1) / 2
        if unigram:
            assert isinstance(trainer.problem, TextProblem)
            counts = np.bincount(np.asarray(trainer.problem.streams.tokens), minlength=trainer.p.V) + 1.0
            trainer.p.b_2[:] = np.log(counts / counts.sum())
        if options.processor_time:
            trainer.clock = time.process_time
            trainer.count_from(time.process_time())
        curve, clipped, steps = [], 0, 1
        for record in trainer.run():
            if isinstance(record, ValidationRecord):
                curve.append(round(math.exp(record.nats_per_token), 2))
            if isinstance(record, StopRecord):
                clipped, steps = record.clipped, record.step
        known = elman.load(Path(folder) / "run").evaluate([Path(options.valid).read_text()])
    return {
        "best": min(curve), "excluding_oov": round(known.perplexity_excluding_oov, 2),
        "steps": steps, "bits": round(math.log2(min(curve)), 4), "epochs": len(curve), "last": curve[-3:],
        "clipped": round(clipped / steps, 2), "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()

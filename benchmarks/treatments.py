"""The effect of each gradient treatment on a model of a text: its quality, and the numbers of the lens.

    python benchmarks/treatments.py TEXT [--activation sigmoid] [--epochs 2] [--hidden 128] [--seed 1] [--only NAME …]

One row for each flag, all else equal: level char, Adam, one seed. The columns are the validation bits per character,
the share of steps clipped, and, on 100 characters of the validation text, the decay per step, the reach and the largest
singular value. `no clipping` is the baseline. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from elman.checkpoint import RunFolder
from elman.config import TextConfig
from elman.gradient_flow import decompose, diagnose
from elman.text.corpus import Corpus
from elman.training.problem import TextProblem
from elman.training.records import StopRecord
from elman.training.start import Sources, start

NONE: dict[str, Any] = {"clip": 0.0}
TREATMENTS: dict[str, dict[str, Any]] = {
    "no clipping": NONE,
    "--clip 1": {"clip": 1.0},
    "--clip 0.25": {"clip": 0.25},
    "--clip-adaptive 0.5": NONE | {"clip_adaptive": 0.5},
    "--clip-elements 0.01": NONE | {"clip_elements": 0.01},
    "--clip-errors 0.1": NONE | {"clip_errors": 0.1},
    "--omega 0.01": NONE | {"omega": 0.01},
    "--omega 0.1": NONE | {"omega": 0.1},
    "--omega 0.1 --omega-form squared": NONE | {"omega": 0.1, "omega_form": "squared"},
    "--init identity": NONE | {"init": "identity"},
    "--init normal": NONE | {"init": "normal"},
    "--init sparse": NONE | {"init": "sparse"},
    "--floss 200": NONE | {"floss": 200},
    "--bptt 8": NONE | {"T": 8, "B": 128},
    "--bptt 64": NONE | {"T": 64, "B": 16},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--activation", choices=("sigmoid", "tanh", "relu"), default="sigmoid")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=TREATMENTS, metavar="NAME")
    options = parser.parse_args()
    print("| treatment | validation, bits per character | clipped | seconds | decay per step | reach | σ_max |")
    print("|---|---|---|---|---|---|---|")
    rows = {}
    for name in options.only or TREATMENTS:
        settings = TREATMENTS[name]
        row = rows[name] = measured(options, settings)
        print(
            f"| `{name}` | {row['bits']:.3f} | {row['clipped']:.0%} | {row['seconds']:.0f} "
            f"| {row['decay']:.2f} | {row['reach']} | {row['sigma_max']:.3g} |",
            flush=True,
        )
    print(json.dumps(rows))
    return 0


def measured(options: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Trains one run; its row."""
    sizes = {"d": 64, "Dh": options.hidden, "activation": options.activation}
    shared = {"B": 32, "T": 32, "epochs": options.epochs, "lr": 0.005, "patience": 0, "seed": options.seed}
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(Corpus.from_paths([options.text]))
        began = time.perf_counter()
        trainer = start(RunFolder(Path(folder) / "r"), sources, TextConfig("char"), sizes, shared | settings)
        for record in trainer.run():
            if isinstance(record, StopRecord):
                stopped = record
        seconds = time.perf_counter() - began
        assert isinstance(trainer.problem, TextProblem)
        ids = np.asarray(trainer.problem.valid[:101], np.int64)
        flow = decompose(trainer.p.astype("float64"), ids[:-1, None], ids[1:, None])
    numbers = diagnose(flow).numbers
    return {
        "bits": stopped.best_nats_per_token / math.log(2), "clipped": stopped.clipped / stopped.step,
        "seconds": seconds, "decay": numbers.decay_rate, "reach": numbers.reach, "sigma_max": numbers.sigma_max,
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())

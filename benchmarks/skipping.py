"""The speed and the error of skipping blocks of the softmax gradient (--skip-below), for trained models.

    python benchmarks/skipping.py RUN [RUN ...] [--precision float32] [--thresholds 1e-6,1e-5,1e-4]

For each run folder: its model, on the first windows of the text it was trained on. A block is 256 words by 256 or 512
tokens. It is skipped if none of its ŷ reaches the threshold and it has no target. For each threshold, prints the share
of skipped blocks, the speed of the whole softmax with loss and gradient relative to the exact one (medians, in turn),
and the error in ∂J/∂h and ∂J/∂U relative to the largest entry. The bound on the error of ∂J/∂h, the threshold X times
Σ|U| of its column, is checked first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.checkpoint import RunFolder
from elman.kernels import host_kernels
from elman.model.network import hidden_states
from elman.text.batches import Streams, open_tokens

ROUNDS = 9
ROUNDING = {"float32": 1e-5, "bf16": 2**-6}
"""Relative to the largest entry: even without skipped blocks the two round differently."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--thresholds", default="1e-6,1e-5,1e-4")
    options = parser.parse_args()
    results = {}
    for run in options.runs:
        print(f"{run}: V = {elman.load(run).p.V:,}, {options.precision}")
        results[str(run)] = [
            measured(run, options.precision, float(threshold)) for threshold in options.thresholds.split(",")
        ]
    print(json.dumps(results))
    return 0


def measured(run: Path, precision: str, threshold: float) -> dict[str, float]:
    lm = elman.load(run)
    assert lm.config is not None
    p, settings = lm.p.astype("float32"), lm.config.training
    streams = Streams(open_tokens(RunFolder(run).train_tokens), settings.B, settings.T)
    h = p.initial_state(settings.B)
    for k in range(min(8, len(streams))):  # so that the states have some context
        x, y = streams.window(k)
        h = (forward := hidden_states(p, x, h)).h_T
    states, targets = forward.h_out.reshape(-1, p.Dh), y.reshape(-1)
    kernels = {"exact": host_kernels(precision), "skipping": host_kernels(precision, threshold)}
    results: dict[str, Any] = {}
    times: dict[str, list[float]] = {name: [] for name in kernels}
    for round_ in range(ROUNDS + 1):
        for name, each in kernels.items():
            began = time.perf_counter()
            results[name] = each.softmax_cross_entropy(states, p.U, p.b_2, targets, 1.0)
            if round_:
                times[name].append(time.perf_counter() - began)
    skipping: Any = kernels["skipping"]
    (_, dh, dU, _), (_, dh_, dU_, _) = results["exact"], results["skipping"]
    slack = ROUNDING[precision] * float(np.abs(dh).max())
    if not (np.abs(dh - dh_) <= threshold * np.abs(p.U).sum(axis=0) + slack).all():
        sys.exit(f"{run}: the error of ∂J/∂h at {threshold:g} is above its bound")
    figures = {
        "threshold": threshold,
        "left_out": skipping.skipped / skipping.blocks,
        "speed": statistics.median(a / b for a, b in zip(times["exact"], times["skipping"], strict=True)),
        "error_dh": float(np.abs(dh - dh_).max() / np.abs(dh).max()),
        "error_dU": float(np.abs(dU - dU_).max() / np.abs(dU).max()),
    }
    print(
        f"  below {threshold:g}: {figures['left_out']:.0%} of the blocks skipped, {figures['speed']:.2f} times as fast"
        f", error {figures['error_dh']:.1e} in dh, {figures['error_dU']:.1e} in dU"
    )
    return figures


if __name__ == "__main__":
    sys.exit(main())

"""A whole training step against PyTorch and JAX, and against what the machine can do, in one run.

    python benchmarks/training_step.py [--shapes word-small,word-large] [--repeats 7] [--threads 2] [--sides elman]

The step is forward, backward, clipping of the global norm and SGD. Every side is a process of its own (sides.py). The
gate comes first: each side's loss and gradients are held against ours in float64 on NumPy; no side is timed that is
off. Then the sides take turns; a side's figure is the median of its turns, a turn's the median of its steps. The
roofline is the best rate that OpenBLAS or torch reached in the same run, on a square product of 2048 or on the shape's
own largest one, for float32 and bfloat16 each. A side whose package is not installed is named as not measured. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from functools import partial
from typing import Any

from processes import Side, in_turn, installed, serve
from sides import SHAPES, SIDES, named, prepare, problem

from elman.training.defaults import operations_per_token

TOLERANCE = 2e-4
"""float32: of the largest entry. Two float32 sums of the same gradient, in different orders."""
TOLERANCE_BF16 = 0.05
"""bf16: ‖g - g64‖ of ‖g64‖ for every array; ours may besides be off at most twice as far as PyTorch's autocast."""
TURN = 0.4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sides", default="", help="only sides whose names begin with one of these, and rooflines")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    wanted = tuple(options.sides.split(","))
    names = [name for name in SIDES if name.startswith((*wanted, "roofline"))]
    results = {}
    for shape in options.shapes.split(","):
        results[shape] = measured(SHAPES[shape], names, options)
        show(shape, results[shape])
    packages = {name: installed(name) for name in ("elman", "numpy", "torch", "jax")}
    print(json.dumps({"threads": options.threads, "packages": packages, "shapes": results}))
    return 0


def measured(shape: tuple[int, int, int, int, int], names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one shape: tokens per second by side, and the rooflines in operations per second."""
    V, d, Dh, B, T = shape
    sides = [Side(__file__, name, SIDES[name][0], options.threads) for name in names]
    missing = [side.name for side in sides if side.missing]
    sides = [side for side in sides if not side.missing]
    exact = _exact(shape)
    errors: dict[str, float] = {}
    work: dict[str, dict[str, Any]] = {}
    for side in sides:
        answer = side.prepare(shape)
        if side.name.startswith("roofline"):
            work[side.name] = answer
        else:
            errors[side.name] = _gate(side.name, answer, exact)
    _gate_bf16(errors)
    turns = in_turn(sides, options.repeats, TURN)
    for side in sides:
        side.close()
    rates = {"float32": 0.0, "bf16": 0.0}
    for name, products in work.items():
        for kind, count in products.items():
            precision = kind.split(",")[0]
            rates[precision] = max(rates[precision], float(count) / statistics.median(turns[name][kind]))
    operations = operations_per_token(V, d, Dh)
    found = {}
    for name in errors:
        rate = T * B / statistics.median(turns[name]["step"])
        found[name] = {
            "tokens_per_second": rate, "gflops": rate * operations / 1e9, "error": errors[name],
            "turns": [round(T * B / s, 1) for s in turns[name]["step"]],
        }  # fmt: skip
    return {"sides": found, "roofline_gflops": {k: v / 1e9 for k, v in rates.items()}, "not_measured": missing}


def _exact(shape: tuple[int, int, int, int, int]) -> dict[str, Any]:
    import elman

    p, x, y = problem(*shape)
    return named(*elman.loss_and_gradients(p.astype("float64"), x, y)[:2])


def _gate(name: str, found: dict[str, Any], exact: dict[str, Any]) -> float:
    """The side's largest error over the arrays; ends the benchmark where it is too large."""
    import numpy as np

    bf16 = "bf16" in name
    worst = 0.0
    for array, expected in exact.items():
        difference = np.asarray(found[array], np.float64) - expected
        error = float(
            np.linalg.norm(difference) / np.linalg.norm(expected)
            if bf16
            else np.abs(difference).max() / np.abs(expected).max()
        )
        if not error <= (TOLERANCE_BF16 if bf16 else TOLERANCE):
            sys.exit(f"{name} is off by {error:.1e} in ∂J/∂{array}: no side of this shape is timed")
        worst = max(worst, error)
    return worst


def _gate_bf16(errors: dict[str, float]) -> None:
    ours, theirs = errors.get("elman bf16"), errors.get("torch nn.RNN bf16")
    if ours is not None and theirs is not None and ours > 2 * theirs:
        sys.exit(f"elman bf16 is off by {ours:.1e}, PyTorch's autocast by {theirs:.1e}: no side of this shape is timed")


def show(shape: str, found: dict[str, Any]) -> None:
    """The table of a shape: every side, and our ratios."""
    roofs = found["roofline_gflops"]
    print(f"\n{shape} {SHAPES[shape]}: roofline {roofs['float32']:.0f} GFLOP/s float32, {roofs['bf16']:.0f} bf16")
    for name, side in sorted(found["sides"].items(), key=lambda item: -item[1]["tokens_per_second"]):
        roof = roofs["bf16" if "bf16" in name else "float32"]
        share = f"{side['gflops'] / roof:.0%} of the roofline" if roof else ""
        turns = f"{min(side['turns']):,.0f} to {max(side['turns']):,.0f}"
        print(
            f"  {name:<36}{side['tokens_per_second']:>11,.0f} tokens/s  {share:<20} turns {turns:<22}"
            f" error {side['error']:.0e}"
        )
    for name in found["not_measured"]:
        print(f"  {name:<36}not measured: its package is not installed")
    peers = {k: v["tokens_per_second"] for k, v in found["sides"].items() if not k.startswith("elman")}
    for name, pool in (
        ("float32", {k: v for k, v in peers.items() if "bf16" not in k}),
        ("bf16", peers),
    ):
        mine = found["sides"].get(f"elman {name}")
        if mine and pool:
            best = max(pool, key=lambda k: pool[k])
            print(
                f"  elman {name}: {mine['tokens_per_second'] / pool[best]:.2f} times the best peer, {best}", flush=True
            )


if __name__ == "__main__":
    sys.exit(main())

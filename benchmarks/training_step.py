"""A whole training step of Elman, PyTorch and JAX, compared with each other and with the machine's limit.

    python benchmarks/training_step.py [--shapes word-small,word-large] [--repeats 7] [--threads 2] [--sides elman]

A step is forward, backward, clipping of the global norm, and SGD. Each side runs in a process of its own (sides.py).
First comes the gate: the loss and gradients of each side are compared with Elman's in float64 on NumPy, and nothing is
timed if one is wrong. Then the sides take turns. The figure of a side is the median of its turns; that of a turn is the
median of its steps. The roofline is the best rate that OpenBLAS or torch reached in the same run, on a 2048 × 2048
product or on the largest product of the shape, for float32 and for bfloat16. Sides whose package is not installed are
listed as not measured. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from typing import Any

from processes import in_turn, installed, serve, started
from sides import SHAPES, SIDES, named, options_of, prepare, problem

from elman.cli.bench import machine
from elman.training.defaults import operations_per_token

TOLERANCE = 2e-4
"""float32: relative to the largest entry, for two float32 sums of the same gradient in different orders."""
TOLERANCE_BF16 = 0.05
"""bf16: ‖g - g64‖ / ‖g64‖ of each array. Elman's error must also be at most twice that of PyTorch's autocast."""
TURN = 0.4


def arguments() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument(
        "--sides", default="", help="only the sides whose names start with one of these, and the rooflines"
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    prefixes = tuple(options.sides.split(","))
    names = [name for name in SIDES if name.startswith((*prefixes, "roofline"))]
    results, where = {}, machine()
    print(f"{where['processor']}; {where['backend']}; matrix tiles: {'used' if where['tiles'] else 'not used'}")
    for shape in options.shapes.split(","):
        results[shape] = measured(SHAPES[shape], names, options)
        show(shape, results[shape])
    packages = {name: installed(name) for name in ("elman", "numpy", "torch", "jax")}
    print(json.dumps({**where, "threads": options.threads, "packages": packages, "shapes": results}))
    return 0


def measured(shape: tuple[int, int, int, int, int], names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one shape: tokens per second by side, and the rooflines in operations per second."""
    V, d, Dh, B, T = shape
    sides, missing = started(__file__, {name: SIDES[name][0] for name in names}, options.threads)
    exact = _exact(shape)
    errors: dict[str, float] = {}
    work: dict[str, dict[str, Any]] = {}
    for side in sides:
        arrays = side.prepare(shape)
        if side.name.startswith("roofline"):
            work[side.name] = arrays
        else:
            errors[side.name] = _gate(side.name, arrays, exact)
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
    figures = {}
    for name in errors:
        rate = T * B / statistics.median(turns[name]["step"])
        figures[name] = {
            "tokens_per_second": rate, "gflops": rate * operations / 1e9, "error": errors[name],
            "turns": [round(T * B / s, 1) for s in turns[name]["step"]],
        }  # fmt: skip
    return {"sides": figures, "roofline_gflops": {k: v / 1e9 for k, v in rates.items()}, "not_measured": missing}


def _exact(shape: tuple[int, int, int, int, int]) -> dict[str, Any]:
    import elman

    p, x, y = problem(*shape)
    return named(*elman.loss_and_gradients(p.astype("float64"), x, y)[:2])


def _gate(name: str, arrays: dict[str, Any], exact: dict[str, Any]) -> float:
    """The largest error of the side's arrays; ends the benchmark if it is above the tolerance."""
    import numpy as np

    bf16 = "bf16" in name
    worst = 0.0
    for array, expected in exact.items():
        difference = np.asarray(arrays[array], np.float64) - expected
        error = float(
            np.linalg.norm(difference) / np.linalg.norm(expected)
            if bf16
            else np.abs(difference).max() / np.abs(expected).max()
        )
        if not error <= (TOLERANCE_BF16 if bf16 else TOLERANCE):
            sys.exit(f"{name} is off by {error:.1e} in ∂J/∂{array}: nothing was timed")
        worst = max(worst, error)
    return worst


def _gate_bf16(errors: dict[str, float]) -> None:
    ours, theirs = errors.get("elman bf16"), errors.get("torch nn.RNN bf16")
    if ours is not None and theirs is not None and ours > 2 * theirs:
        sys.exit(f"elman bf16 is off by {ours:.1e}, PyTorch's autocast by {theirs:.1e}: nothing was timed")


def show(shape: str, figures: dict[str, Any]) -> None:
    """Prints the table of a shape: all sides, and Elman's ratios."""
    roofs = figures["roofline_gflops"]
    print(f"\n{shape} {SHAPES[shape]}: roofline {roofs['float32']:.0f} GFLOP/s float32, {roofs['bf16']:.0f} bf16")
    for name, side in sorted(figures["sides"].items(), key=lambda item: -item[1]["tokens_per_second"]):
        share = ", ".join(f"{side['gflops'] / roof:.0%} of {kind}" for kind, roof in roofs.items() if roof)
        turns = f"{min(side['turns']):,.0f} to {max(side['turns']):,.0f}"
        print(
            f"  {name:<40}{side['tokens_per_second']:>11,.0f} tokens/s  {share:<28} turns {turns:<22}"
            f" error {side['error']:.0e}"
        )
    peers = {k: v["tokens_per_second"] for k, v in figures["sides"].items() if not k.startswith("elman")}
    for name, pool in (
        ("float32", {k: v for k, v in peers.items() if "bf16" not in k}),
        ("bf16", peers),
    ):
        elman = figures["sides"].get(f"elman {name}")
        if elman and pool:
            best = max(pool, key=lambda k: pool[k])
            print(
                f"  elman {name}: {elman['tokens_per_second'] / pool[best]:.2f} times the best other side, {best}",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())

"""`elman.torch.ElmanRNN` compared with `torch.nn.RNN` on a CPU: forward, and forward with all gradients.

    python benchmarks/torch_layer.py [--repeats 5] [--threads 2] [--shape 512,512,32,100] [--turn 0.5]

The shape is d,Dh,B,T; float32. Both are tanh layers with the same weights; their output and all gradients are compared
first. Each side runs in a process of its own, and the sides take turns. ElmanRNN's sigmoid layer, which torch.nn.RNN
lacks, is timed too. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from functools import partial
from typing import Any

from processes import Prepared, Side, in_turn, serve

SIDES = ("torch.nn.RNN", "ElmanRNN", "ElmanRNN sigmoid")
TOLERANCE = 1e-4
"""Relative to the largest entry: float32 sums of up to T·B products, some thousands, in different orders."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--shape", default="512,512,32,100")
    parser.add_argument("--turn", type=float, default=0.5)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    shape = [int(size) for size in options.shape.split(",")]
    sides = [Side(__file__, name, "torch", options.threads) for name in SIDES]
    if sides[0].missing:
        print("nothing is measured: PyTorch is not installed")
        return 0
    errors = gate([side.prepare(shape) for side in sides[:2]])
    sides[2].prepare(shape)
    turns = in_turn(sides, options.repeats, options.turn)
    for side in sides:
        side.close()
    seconds = {name: {kind: statistics.median(each) for kind, each in steps.items()} for name, steps in turns.items()}
    print(f"d,Dh,B,T = {options.shape}, float32, {options.threads} threads; largest difference {errors:.1e}")
    for name, times in seconds.items():
        ratio = seconds[SIDES[0]]["both"] / times["both"]
        print(
            f"  {name:<18}forward {1e3 * times['forward']:>8.2f} ms   with backward {1e3 * times['both']:>8.2f} ms",
            end="",
        )
        print("" if name == SIDES[0] else f"   {ratio:.2f} times as fast")
    print(json.dumps({"threads": options.threads, "shape": shape, "seconds": seconds, "error": errors}))
    return 0


def gate(arrays: list[dict[str, Any]]) -> float:
    """The largest difference relative to the largest entry; ends the benchmark if it is above the tolerance."""
    theirs, ours = arrays
    error = max(float(abs(theirs[name] - ours[name]).max() / abs(theirs[name]).max()) for name in theirs)
    if not error <= TOLERANCE or theirs.keys() != ours.keys():
        sys.exit(f"ElmanRNN and torch.nn.RNN disagree by {error:.1e}; nothing was timed")
    return error


def prepare(name: str, shape: list[int]) -> Prepared:
    """Runs in the process of the side: the two steps, and output and gradients for the gate."""
    import torch

    d, Dh, B, T = shape
    torch.manual_seed(0)
    if name == "torch.nn.RNN":
        rnn = torch.nn.RNN(d, Dh)
    else:
        from elman.torch import ElmanRNN

        rnn = ElmanRNN(d, Dh, nonlinearity="sigmoid" if name.endswith("sigmoid") else "tanh")
    x, h_0, weigh = torch.randn(T, B, d), torch.randn(1, B, Dh), torch.randn(T, B, Dh)
    leaves = [x.requires_grad_(), h_0.requires_grad_(), *rnn.parameters()]

    def forward() -> Any:
        with torch.no_grad():
            return rnn(x, h_0)

    def both() -> list[Any]:
        output, _ = rnn(x, h_0)
        return [output, *torch.autograd.grad(output, leaves, weigh)]

    arrays = {str(k): each.detach().numpy().copy() for k, each in enumerate(both())}
    return {"forward": forward, "both": both}, arrays


if __name__ == "__main__":
    sys.exit(main())

"""The gradient of each loss decomposed by time step: one sweep compared with T backward passes of PyTorch.

    python benchmarks/decomposition.py [--repeats 3] [--threads 2] [--precision float32]

V = 10,000, d = Dh = 512, B = 1, T = 100, tanh, W_h orthogonal (so that no norm leaves the range of float32). Each side
computes the norms of ∂J^(t)/∂·|_(i) for W_h, W_e, b_1, e and h, all t and i ≤ t, [5,T,T]. They are compared first.
Elman also computes the cosines to the totals. PyTorch's sides:

    T backward passes    a copy of the weights for each step; for each loss autograd.grad for all copies, and the norms
    the same, by δ       no copies: for each loss autograd.grad for z, e and h only; norms as ‖δ‖‖h‖, as Elman does

The second uses the identity that the lens is built on, and works only for B = 1. (All losses in one autograd.grad with
is_grads_batched took several times as long as either.) Then Elman is timed at T = 500, where PyTorch is not measured.
On a machine whose cores are busy, use --threads 1: OpenBLAS waits for its second thread. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from functools import partial
from typing import Any

from processes import Prepared, in_turn, serve, started

V, D, DH, T, LONG = 10_000, 512, 512, 100, 500
TURN = 0.3
SIDES = {
    "elman": "elman",
    "torch, T backward passes": "torch",
    "torch, the same, by δ": "torch",
}
TOLERANCE = {"float32": 1e-3, "float64": 1e-10}
"""The relative error of each norm, after up to 100 products with sums of 512 terms."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--precision", choices=tuple(TOLERANCE), default="float32")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    sides, _ = started(__file__, SIDES, options.threads)
    errors = gate({side.name: side.prepare([options.precision, T]) for side in sides}, TOLERANCE[options.precision])
    turns = in_turn(sides, options.repeats, TURN)
    seconds = {name: statistics.median(steps["step"]) for name, steps in turns.items()}
    for side in sides[1:]:
        side.close()
    sides[0].prepare([options.precision, LONG])
    long = statistics.median(in_turn(sides[:1], options.repeats, TURN)["elman"]["step"])
    sides[0].close()
    print(f"T = {T}, d = Dh = {DH}, B = 1, V = {V:,}, {options.precision}, {options.threads} threads")
    for name, each in seconds.items():
        ratio = "" if name == "elman" else f"elman is {each / seconds['elman']:.1f} times as fast"
        error = "" if name == "elman" else f"  (norms differ by {errors[name]:.1e} at most)"
        print(f"  {name:<28}{each:>9.3f} s  {ratio}{error}")
    print(f"T = {LONG}\n  {'elman':<28}{long:>9.3f} s")
    figures = {"seconds": seconds, "seconds_at_T_500": long, "precision": options.precision, "norm_errors": errors}
    print(json.dumps({"threads": options.threads} | figures))
    return 0


def gate(arrays: dict[str, dict[str, Any]], tolerance: float) -> dict[str, float]:
    """The largest relative difference of a norm, by side; ends the benchmark if one is above the tolerance."""
    import numpy as np

    ours = arrays["elman"]["norms"]
    below = np.tri(T, dtype=bool)
    errors = {}
    for name, side in arrays.items():
        theirs = side["norms"]
        zero = ours[:, below] == 0
        if not (theirs[:, below][zero] == 0).all():
            sys.exit(f"elman has zeros where {name} has none; nothing was timed")
        errors[name] = float(np.abs(theirs[:, below][~zero] / ours[:, below][~zero] - 1).max())
        if not errors[name] <= tolerance:
            sys.exit(f"elman and {name} disagree by {errors[name]:.1e}; nothing was timed")
    return errors


def prepare(name: str, what: list[Any]) -> Prepared:
    """Runs in the process of the side: the step, and the norms [5,T,T] for the gate."""
    import numpy as np

    import elman

    precision, steps = what
    p = elman.Parameters.initialise(V, D, DH, activation="tanh", seed=1, dtype=precision)
    x, y = np.random.default_rng(2).integers(0, V, (2, steps, 1))
    if name == "elman":
        from elman.gradient_flow import NAMES, decompose

        def ours() -> Any:
            flow = decompose(p, x, y)
            return np.stack([flow.norms(each) for each in NAMES])

        return {"step": ours}, {"norms": ours()}
    step = torch_side(p, x, y, copied=name.endswith("passes"))
    return {"step": step}, {"norms": step()}


def torch_side(p: Any, x: Any, y: Any, copied: bool) -> Any:
    """A step: the forward pass, and the backward passes in one of the two ways."""
    import numpy as np
    import torch

    steps = len(x)
    W_h, W_e, b_1, U, b_2 = (torch.from_numpy(getattr(p, name)) for name in ("W_h", "W_e", "b_1", "U", "b_2"))
    embedded = [torch.from_numpy(p.E[row]) for row in x]
    targets = torch.from_numpy(y)

    def copies(tensor: Any) -> list[Any]:
        """One leaf for each step. The leaves share their memory, so the copies cost nothing."""
        return [tensor.detach().requires_grad_(copied) for _ in range(steps)]

    def step() -> Any:
        weights = copies(W_h), copies(W_e), copies(b_1)
        e = [row.detach().requires_grad_() for row in embedded]
        zs, states, losses = [], [torch.zeros(1, p.Dh, dtype=W_h.dtype)], []
        for i in range(steps):
            input_ = torch.nn.functional.linear(e[i], weights[1][i], weights[2][i])
            zs.append(torch.nn.functional.linear(states[-1], weights[0][i]) + input_)
            states.append(torch.tanh(zs[-1]))
            theta = torch.nn.functional.linear(states[-1], U, b_2)
            losses.append(torch.nn.functional.cross_entropy(theta, targets[i], reduction="sum"))
        norms = np.zeros((5, steps, steps))
        for t, loss in enumerate(losses):
            leaves = [*weights, e, states[1:]] if copied else [zs, e, states[1:]]
            flat = [each for tensors in leaves for each in tensors[: t + 1]]
            gradients = torch.autograd.grad(loss, flat, retain_graph=True)
            values = torch.stack(torch._foreach_norm(gradients)).reshape(len(leaves), t + 1)
            norms[: len(leaves), t, : t + 1] = values.numpy()
        return norms if copied else by_delta(norms[:3])

    def by_delta(norms: Any) -> Any:
        """[5,T,T] from the norms of δ, ∂J/∂e and ∂J/∂h: with one sequence ‖δ^T h^T‖ = ‖δ‖‖h‖."""
        delta, of_e, of_h = norms
        return np.stack([delta * inputs_h, delta * inputs_e, delta, of_e, of_h])

    from elman.gradient_flow import Trajectory

    trajectory = Trajectory.of(p, x, y)
    inputs_h = np.linalg.norm(trajectory.h[:-1, 0], axis=1)
    inputs_e = np.linalg.norm(trajectory.e[:, 0], axis=1)
    return step


if __name__ == "__main__":
    sys.exit(main())

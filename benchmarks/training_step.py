"""A whole training step against PyTorch's eager nn.RNN, on this machine, in one run.

    python benchmarks/training_step.py [--shapes word-small,word-large] [--repeats 9] [--threads 2]

The step is: forward, backward, clipping of the global norm, SGD. PyTorch's side is nn.Embedding, nn.RNN(tanh),
nn.Linear and cross_entropy in float32. Before anything is timed both sides must agree: our network is a sigmoid
one, theirs the tanh network that equals it (h = (1+g)/2), and losses and gradients are compared. Then the sides
run in turn; medians, one JSON line at the end. The roofline is the best rate that torch or NumPy's OpenBLAS
reached in the same run, on a square product of 2048 or on the shape's own largest one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

SHAPES = {
    "word-small": (10000, 200, 200, 20, 35),
    "word-large": (33278, 512, 512, 32, 35),
    "char-large": (96, 128, 512, 64, 100),
    "char-small": (96, 64, 128, 32, 64),
}
TOLERANCE = 2e-4  # of the largest entry: two float32 computations of the same gradient, rounded in different orders
CLIP, RATE = 1.0, 0.1
TURN = 0.15


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["ELMAN_THREADS"] = str(options.threads)
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed, so there is nothing to compare with: pip install 'elman[benchmark]'")
        return 2
    torch.set_num_threads(options.threads)
    results = {}
    print(f"{'shape':<12}{'elman tokens/s':>16}{'torch tokens/s':>16}{'ratio':>8}{'of roofline':>13}")
    for name in options.shapes.split(","):
        found = measure(SHAPES[name], options.repeats)
        results[name] = found
        print(
            f"{name:<12}{found['elman_tokens_per_second']:>16,.0f}{found['torch_tokens_per_second']:>16,.0f}"
            f"{found['ratio']:>8.2f}{found['share_of_roofline']:>13.0%}"
        )
    print(json.dumps({"threads": options.threads, "torch": torch.__version__, "shapes": results}))
    return 0


def measure(shape: tuple[int, int, int, int, int], repeats: int) -> dict[str, float]:
    V, d, Dh, B, T = shape
    ours, theirs = sides(*shape)
    products = roofline(*shape)
    times: dict[str, list[float]] = {name: [] for name in ("elman", "torch", "ratio", *products)}
    for k in range(repeats + 2):
        elapsed = {"elman": timed(ours), "torch": timed(theirs)}
        elapsed |= {name: timed(product) for name, (product, _) in products.items()}
        if k >= 2:  # the first two warm up
            for side, seconds in elapsed.items():
                times[side].append(seconds)
            times["ratio"].append(elapsed["torch"] / elapsed["elman"])
    median = {side: statistics.median(values) for side, values in times.items()}
    rate = max(work / median[name] for name, (_, work) in products.items())
    flops = 6 * (d * Dh + Dh * Dh + Dh * V) * T * B
    return {
        "elman_tokens_per_second": T * B / median["elman"],
        "torch_tokens_per_second": T * B / median["torch"],
        "ratio": median["ratio"],
        "ratio_min": min(times["ratio"]),
        "ratio_max": max(times["ratio"]),
        "gflops_roofline": rate / 1e9,
        "share_of_roofline": flops / median["elman"] / rate,
    }


def timed(step: Callable[[], object]) -> float:
    """Seconds of one step: the median over about TURN seconds of them.

    A step goes before that is not timed: the other side's threads still spin for some milliseconds after its turn.
    """
    step()
    found: list[float] = []
    while sum(found) < TURN:
        began = time.perf_counter()
        step()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def sides(V: int, d: int, Dh: int, B: int, T: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Our step and theirs, after both were seen to compute the same."""
    import numpy as np
    import torch

    import elman
    from elman.training.optimizer import SGD

    p = elman.Parameters.initialise(V, d, Dh, seed=1)
    generator = np.random.default_rng(2)
    x, y = generator.integers(0, V, (2, T, B))

    embedding, rnn, linear = torch.nn.Embedding(V, d), torch.nn.RNN(d, Dh), torch.nn.Linear(Dh, V)
    weights = [*embedding.parameters(), *rnn.parameters(), *linear.parameters()]
    with torch.no_grad():  # the tanh network that equals our sigmoid one
        values = {
            "weight_ih_l0": p.W_e / 2, "weight_hh_l0": p.W_h / 4,
            "bias_ih_l0": p.b_1 / 2 + p.W_h.sum(axis=1) / 4, "bias_hh_l0": np.zeros(Dh, np.float32),
        }  # fmt: skip
        for name, value in values.items():
            getattr(rnn, name).copy_(torch.from_numpy(value))
        embedding.weight.copy_(torch.from_numpy(p.E))
        linear.weight.copy_(torch.from_numpy(p.U / 2))
        linear.bias.copy_(torch.from_numpy(p.b_2 + p.U.sum(axis=1) / 2))
    x_, y_ = torch.from_numpy(x), torch.from_numpy(y).reshape(-1)
    h_0 = torch.full((1, B, Dh), -1.0)  # g = 2h - 1 of h = 0

    def backward() -> Any:
        for w in weights:
            w.grad = None
        g, _ = rnn(embedding(x_), h_0)
        J = torch.nn.functional.cross_entropy(linear(g).reshape(-1, V), y_)
        J.backward()
        return J.detach()

    def theirs() -> None:
        backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        with torch.no_grad():
            for w in weights:
                w.sub_(w.grad, alpha=RATE)

    optimizer = SGD()

    def ours() -> None:
        _, gradients, _ = elman.loss_and_gradients(p, x, y)
        norm = gradients.norm()
        optimizer.step(p, gradients, RATE, CLIP / norm if norm > CLIP else 1.0)

    J, gradients, _ = elman.loss_and_gradients(p, x, y)
    J_ = float(backward())
    assert gradients.E is not None
    pairs = {
        "E": (gradients.E.dense(), embedding.weight.grad),
        "W_e": (gradients.W_e, rnn.weight_ih_l0.grad / 2),
        "b_1": (gradients.b_1, rnn.bias_ih_l0.grad / 2),
        "b_2": (gradients.b_2, linear.bias.grad),
    }
    for name, (mine, other) in pairs.items():
        error = float(np.abs(mine - other.numpy()).max() / np.abs(mine).max())
        if not error <= TOLERANCE:
            sys.exit(f"the sides disagree on ∂J/∂{name}: {error:.1e} of its largest entry; nothing was timed")
    if not abs(J - J_) <= 1e-5 * abs(J):
        sys.exit(f"the sides disagree on J: {J} and {J_}; nothing was timed")

    return ours, theirs


def roofline(V: int, d: int, Dh: int, B: int, T: int) -> dict[str, tuple[Callable[[], Any], float]]:
    """What to time for the roofline, and its floating-point operations."""
    import numpy as np
    import torch

    found: dict[str, tuple[Callable[[], Any], float]] = {}
    for name, (m, n, k) in {"square": (2048, 2048, 2048), "same shape": (B * T, max(V, 4 * Dh), Dh)}.items():
        a, b, out = (np.ones(size, np.float32) for size in ((m, k), (n, k), (m, n)))
        ta, tb, tout = map(torch.from_numpy, (a, b, out))
        work = 2.0 * m * n * k
        found[f"OpenBLAS, {name}"] = (partial(np.matmul, a, b.T, out=out), work)
        found[f"torch, {name}"] = (partial(torch.mm, ta, tb.T, out=tout), work)
    return found


if __name__ == "__main__":
    sys.exit(main())

"""Peak memory of training steps with a very large vocabulary, compared with the size of the arrays.

    python benchmarks/memory.py [--V 200000] [--d 256] [--Dh 256] [--B 32] [--T 35] [--optimizer adam]

Each side runs in a process of its own. Its figure is the peak resident memory that the operating system reports for the
whole process, including interpreter, libraries and initialisation. The arrays are the parameters, the gradients and
those of the optimizer. PyTorch's side is the same network with the same optimizer, with all logits in memory; it is
listed as not measured if it is not installed. The last line is JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("V", 200_000), ("d", 256), ("Dh", 256), ("B", 32), ("T", 35)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--side", choices=("elman", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps((elman_side if options.side == "elman" else torch_side)(options) | {"peak": peak()}))
        return 0
    results: dict[str, Any] = {}
    for side in ("elman", "torch"):
        if importlib.util.find_spec(side) is None:
            print(f"{side} is not measured: it is not installed")
            continue
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--side", side], stdout=subprocess.PIPE, check=True
        )
        results[side] = json.loads(done.stdout)
        arrays, highest = results[side]["arrays"], results[side]["peak"]
        print(
            f"{side:<6} peak {highest / 1e6:,.0f} MB; parameters, gradients and optimizer {arrays / 1e6:,.0f} MB: "
            f"{(highest - arrays) / 1e6:,.0f} MB more than these"
        )
    print(json.dumps(vars(options) | results))
    return 0


def peak() -> int:
    """The peak resident memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts that of the process which started this one into getrusage's figure
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


def elman_side(options: argparse.Namespace) -> dict[str, int]:
    import numpy as np

    import elman
    from elman.config import TrainingConfig
    from elman.kernels import host_kernels
    from elman.model.embedding import Rows
    from elman.training.optimizer import make_optimizer

    p = elman.Parameters.initialise(options.V, options.d, options.Dh).with_kernels(host_kernels(options.precision))
    optimizer = make_optimizer(TrainingConfig(optimizer=options.optimizer), p)
    generator = np.random.default_rng(0)

    def step() -> int:
        x, y = generator.integers(0, options.V, (2, options.T, options.B))
        _, gradients, _ = elman.loss_and_gradients(p, x, y)
        norm = gradients.norm()
        optimizer.step(p, gradients, 0.01, min(1.0, 1 / norm))
        return sum(g.values.nbytes if isinstance(g, Rows) else g.nbytes for _, g in gradients.distinct())

    gradient_bytes = [step() for _ in range(STEPS)][-1]
    static = sum(array.nbytes for _, array in p.distinct()) + sum(a.nbytes for a in optimizer.arrays().values())
    return {"arrays": static + gradient_bytes}


def torch_side(options: argparse.Namespace) -> dict[str, int]:
    import torch

    embedding, rnn = torch.nn.Embedding(options.V, options.d), torch.nn.RNN(options.d, options.Dh)
    linear = torch.nn.Linear(options.Dh, options.V)
    weights = [*embedding.parameters(), *rnn.parameters(), *linear.parameters()]
    optimizer = torch.optim.SGD(weights, 0.01) if options.optimizer == "sgd" else torch.optim.Adam(weights, 0.01)
    for _ in range(STEPS):
        x, y = torch.randint(options.V, (2, options.T, options.B))
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            theta = linear(rnn(embedding(x))[0])
            torch.nn.functional.cross_entropy(theta.reshape(-1, options.V), y.reshape(-1)).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    per_weight = 2 if options.optimizer == "sgd" else 4
    return {"arrays": per_weight * sum(w.numel() * 4 for w in weights)}


if __name__ == "__main__":
    sys.exit(main())

"""Generation and evaluation of one stream (B = 1), compared with PyTorch's eager loop and the machine's limit.

    python benchmarks/inference.py [--repeats 7] [--threads 2]

Generation: characters, V = 96, d = 128, Dh = 512, 400 tokens without a prompt. PyTorch's side is nn.RNNCell, nn.Linear,
softmax and multinomial in a loop, without gradients. Evaluation: 2,048 words, V = 10,000, d = Dh = 200. PyTorch's sides
are a loop of nn.RNNCell, nn.Linear and cross_entropy over the tokens, and nn.RNN over windows of 1,024 tokens, without
a loop. All sides have the same weights (PyTorch the tanh network that is equal to the sigmoid one). First comes the
gate: the same tokens at temperature 0, and the same losses. The limits are measured in the same run. For generation it
is the time to read all weights once per token (a sum over an array of their size). For evaluation it is the time of the
matrix products. The last line is JSON.
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

GENERATION = (96, 128, 512)
EVALUATION = (10000, 200, 200)
TOKENS = {"generation": 400, "evaluation": 2048}
TURN = 0.3
SIDES = {"elman": "elman", "torch loop": "torch", "torch nn.RNN windows": "torch", "limit": "elman"}
TOLERANCE = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    results: dict[str, Any] = {}
    for task, tokens in TOKENS.items():
        packages = {k: v for k, v in SIDES.items() if (task, k) != ("generation", "torch nn.RNN windows")}
        sides, _ = started(__file__, packages, options.threads, prefix=f"{task}: ")
        gate(task, {side.name: side.prepare(task) for side in sides})
        turns = in_turn(sides, options.repeats, TURN)
        for side in sides:
            side.close()
        rates = {name: tokens / statistics.median(steps["step"]) for name, steps in turns.items()}
        results[task] = rates
        print(f"\n{task} ({tokens} tokens)")
        for name, rate in rates.items():
            ratio = "" if name in ("elman", "limit") else f"elman is {rates['elman'] / rate:.2f} times as fast"
            share = f"elman reaches {rates['elman'] / rate:.0%} of it" if name == "limit" else ""
            print(f"  {name:<24}{rate:>11,.0f} tokens/s  {ratio}{share}")
    print(json.dumps({"threads": options.threads, "tokens_per_second": results}))
    return 0


def gate(task: str, results: dict[str, dict[str, Any]]) -> None:
    """Ends the benchmark if a side's tokens or losses differ from Elman's."""
    import numpy as np

    ours = results["elman"]["result"]
    for name, arrays in results.items():
        if name == "limit":
            continue
        theirs = arrays["result"]
        same = np.array_equal(ours, theirs) if task == "generation" else np.abs(ours - theirs).max() < TOLERANCE
        if not same:
            sys.exit(f"{task}: elman and {name} disagree; nothing was timed")


def prepare(name: str, task: str) -> Prepared:
    """Runs in the process of the side: the step, and its result for the gate."""
    import numpy as np

    import elman

    V, d, Dh = GENERATION if task == "generation" else EVALUATION
    p = elman.Parameters.initialise(V, d, Dh, seed=1)
    p.U *= 4  # so that the distribution is not flat
    tokens = np.random.default_rng(2).integers(0, V, TOKENS[task] + 1)
    if name == "limit":
        return limit(task, p)
    if name == "elman":
        return elman_side(task, p, tokens)
    return torch_side(task, p, tokens, loop=name == "torch loop")


def elman_side(task: str, p: Any, tokens: Any) -> Prepared:
    import numpy as np

    from elman.inference.generate import Sampling, generate_tokens
    from elman.inference.predictor import NetworkPredictor, stream_log_probs

    def generated(temperature: float) -> list[int]:
        sampling = Sampling(max_tokens=TOKENS[task], temperature=temperature)
        return list(generate_tokens(NetworkPredictor(p, 0), [], sampling, np.random.default_rng(0)))

    if task == "generation":
        return {"step": lambda: generated(1.0)}, {"result": np.array(generated(0.0))}

    def losses() -> Any:
        return -np.concatenate(list(stream_log_probs(NetworkPredictor(p, int(tokens[0])), [tokens[1:]])))

    return {"step": losses}, {"result": losses()}


def torch_side(task: str, p: Any, tokens: Any, loop: bool) -> Prepared:
    import numpy as np
    import torch

    V, d, Dh = p.V, p.d, p.Dh
    embedding, linear = torch.nn.Embedding(V, d), torch.nn.Linear(Dh, V)
    cell, rnn = torch.nn.RNNCell(d, Dh), torch.nn.RNN(d, Dh)
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(p.E))
        linear.weight.copy_(torch.from_numpy(p.U / 2))
        linear.bias.copy_(torch.from_numpy(p.b_2 + p.U.sum(axis=1) / 2))
        for module, end in ((cell, ""), (rnn, "_l0")):
            values = {
                "weight_ih": p.W_e / 2, "weight_hh": p.W_h / 4, "bias_hh": np.zeros(Dh, np.float32),
                "bias_ih": p.b_1 / 2 + p.W_h.sum(axis=1) / 4,
            }  # fmt: skip
            for name, value in values.items():
                getattr(module, name + end).copy_(torch.from_numpy(value))
    ids = torch.from_numpy(tokens)
    torch.set_grad_enabled(False)
    cross_entropy = torch.nn.functional.cross_entropy

    def generated(temperature: float) -> list[int]:
        g, token = torch.full((1, Dh), -1.0), torch.zeros(1, dtype=torch.long)
        drawn = []
        for _ in range(TOKENS[task]):
            g = cell(embedding(token), g)
            theta = linear(g)
            if temperature:
                token = torch.multinomial(torch.softmax(theta / temperature, dim=-1), 1)[0]
            else:
                token = theta.argmax(dim=-1)
            drawn.append(int(token))
        return drawn

    def losses() -> Any:
        J: list[Any] = []
        if loop:
            g = torch.full((1, Dh), -1.0)
            for k in range(len(ids) - 1):
                g = cell(embedding(ids[k : k + 1]), g)
                J.append(cross_entropy(linear(g), ids[k + 1 : k + 2], reduction="none"))
        else:
            g = torch.full((1, 1, Dh), -1.0)
            for k in range(0, len(ids) - 1, 1024):
                x, y = ids[k : k + 1024][: len(ids) - 1 - k], ids[k + 1 : k + 1025]
                states, g = rnn(embedding(x)[:, None], g)
                J.append(cross_entropy(linear(states[:, 0]), y, reduction="none"))
        return torch.cat(J).numpy()

    if task == "generation":
        return {"step": lambda: generated(1.0)}, {"result": np.array(generated(0.0))}
    return {"step": losses}, {"result": losses()}


def limit(task: str, p: Any) -> Prepared:
    """A step that only reads the weights (generation), or only computes the products (evaluation)."""
    import numpy as np

    from elman.kernels import host_kernels

    kernels = host_kernels()
    if task == "generation":
        weights = np.ones(p.W_h.size + p.U.size + p.Dh, np.float32)

        def read() -> None:
            for _ in range(TOKENS[task]):
                kernels.sum_of_squares(weights)

        return {"step": read}, {}
    n = TOKENS[task]
    a, b = np.ones((n, p.Dh), np.float32), np.ones((p.Dh, p.V + 2 * p.Dh), np.float32)
    out = np.empty((n, b.shape[1]), np.float32)
    return {"step": lambda: np.matmul(a, b, out=out)}, {}


if __name__ == "__main__":
    sys.exit(main())

"""Output layers for large vocabularies: speed, memory, and the perplexity after equal time, against the full softmax.

    python benchmarks/outputs.py [--train FILE --valid FILE] [--V 200000] [--seconds 60] [--rounds 5] [--speed-only]

Without --train the text is made up: V words, as frequent as their ranks say (Zipf), where each word's class decides in
which order the words of a frequency class follow it. Sides run in turn, in one process: a few training steps each
(gradients, clipping and update), whose ratio to `full` is taken within the round; then, for the perplexity, slices of a
few seconds each, until every side has had `--seconds` of processor time, of all threads: what other processes do then
matters little. The rate falls as a cosine of a side's share of its time. Dropout is 0. The gate: probabilities sum to
1, and the loss is that of the probabilities. Memory is the peak of a process of its own that takes three steps. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from memory import peak

from elman.config import RunConfig, TextConfig
from elman.model.network import hidden_states, log_probabilities, losses
from elman.model.parameters import Parameters
from elman.text.batches import encode_stream
from elman.text.tokenizer import Tokenizer
from elman.training.defaults import with_defaults
from elman.training.drawing import TokenDraw
from elman.training.host import HostStep
from elman.training.problem import TextProblem
from elman.training.records import Progress
from elman.training.start import first_parameters
from elman.training.team import ALONE

SIDES: dict[str, dict[str, Any]] = {
    "full": {},
    "adaptive": {"output": "adaptive"},
    "sampled": {"output": "sampled"},
}
SLICE = 4.0
"""Seconds of processor time of a side's turn."""
MADE_UP, HELD_OUT = 3_000_000, 5_000
"""Tokens of the text that is made up, and of those that are held out."""
CLASSES = 32


class Run:
    """A side in training: its step, and the processor time that it has had."""

    def __init__(self, name: str, V: int, train: Any, valid: Any, options: argparse.Namespace) -> None:
        settings = {"B": 20, "T": 20, "dropout": 0.0, "warmup": 0}
        model = {"d": options.Dh, "Dh": options.Dh} | SIDES[name]
        self.settings, network = with_defaults(TextConfig("word"), model, settings, V=V)
        self.p = first_parameters(RunConfig(TextConfig("word"), network, self.settings, ""))
        sampled = network.output == "sampled"
        draw = TokenDraw.of(train, V, self.settings.samples, self.settings.seed) if sampled else None
        self.problem = TextProblem(train, valid, self.settings.B, self.settings.T, draw)
        self.step = HostStep(self.settings, self.p, self.problem, ALONE)
        self.progress, self.count, self.spent = Progress(), 0, 0.0

    def take(self, rate: float = 0.01) -> None:
        """One step."""
        epoch, window = divmod(self.count, len(self.problem))
        self.step.take(self.problem.batch(epoch, window), rate, self.progress)
        self.count += 1

    def time_steps(self, steps: int) -> float:
        """Tokens per second of so many steps."""
        start = time.perf_counter()
        for _ in range(steps):
            self.take()
        return steps * self.settings.B * self.settings.T / (time.perf_counter() - start)

    def train(self, limit: float) -> None:
        """A slice of processor time, of `limit` in all."""
        start = time.process_time()
        while (now := time.process_time()) < start + SLICE and self.spent + now - start < limit:
            share = (self.spent + now - start) / limit
            self.take(0.01 * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2) * min(1.0, (self.count + 1) / 100))
        self.spent += time.process_time() - start

    def perplexity(self) -> float:
        """Of the tokens held out."""
        return math.exp(self.problem.measure(self.p).nats)


def made_up(V: int) -> tuple[Any, Any]:
    """Tokens to train on and held out, both with the first one a line end."""
    generator = np.random.default_rng(0)
    p = 1 / (np.arange(V) + 2.7)
    cumulative = np.cumsum(p / p.sum())
    ranks = np.searchsorted(cumulative, generator.random(MADE_UP + HELD_OUT)).clip(0, V - 1)
    tokens = np.empty(len(ranks), np.int64)
    last = 1
    for k, rank in enumerate(ranks.tolist()):
        block = rank - rank % CLASSES
        last = min(block + (rank + 7 * last) % CLASSES, V - 1)
        tokens[k] = last
    return tokens[:MADE_UP], tokens[MADE_UP:]


def read(options: argparse.Namespace) -> tuple[int, Any, Any]:
    """V, and the tokens to train on and held out."""
    if options.train is None:
        return options.V, *made_up(options.V)
    tokenizer = Tokenizer.train([options.train.read_text()], TextConfig("word"))
    parts = [
        np.concatenate([[tokenizer.eos], *(ids for ids, _ in encode_stream([path.read_text()], tokenizer))])
        for path in (options.train, options.valid)
    ]
    return tokenizer.V, parts[0], parts[1][: options.held_out]


def gate(p: Parameters, V: int) -> None:
    """Raises AssertionError unless the probabilities are exact."""
    p = p.astype("float64")
    x, y = np.random.default_rng(1).integers(0, V, (2, 4, 2))
    log_probs = log_probabilities(p, hidden_states(p, x, p.initial_state(2)).h[1:])
    assert np.allclose(np.exp(log_probs).sum(axis=-1), 1, rtol=1e-10)
    assert np.allclose(losses(p, x, y)[0], -np.take_along_axis(log_probs, y[..., None], -1)[..., 0], rtol=1e-10)


def memory(name: str, V: int, Dh: int) -> int:
    """The peak of a process that takes three steps of a side."""
    call = [sys.executable, __file__, "--side", name, "--V", str(V), "--Dh", str(Dh)]
    return int(json.loads(subprocess.run(call, stdout=subprocess.PIPE, check=True).stdout)["peak"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--valid", type=Path)
    for name, default in (("V", 200_000), ("Dh", 200), ("rounds", 5), ("seconds", 60), ("held-out", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:  # in a process of its own
        tokens = np.random.default_rng(0).zipf(1.2, 5000).clip(0, options.V - 1)
        run = Run(options.side, options.V, tokens, tokens, options)
        run.time_steps(3)
        print(json.dumps({"peak": peak()}))
        return 0
    V, train, valid = read(options)
    print(f"V = {V:,}, {len(train):,} tokens, {len(valid):,} held out, d = Dh = {options.Dh}, 20 x 20 tokens a step")
    peaks = {name: memory(name, V, options.Dh) for name in SIDES}
    runs = {name: Run(name, V, train, valid, options) for name in SIDES}
    result: dict[str, dict[str, float]] = {}
    for run in runs.values():
        gate(run.p, V)  # the sampled loss itself is proved in the tests
        run.time_steps(2)
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            speeds[name].append(run.time_steps(2 if name == "full" else 10))
    for name, run in runs.items():
        ratios = [mine / full for mine, full in zip(speeds[name], speeds["full"], strict=True)]
        result[name] = {
            "tokens_per_second": statistics.median(speeds[name]), "ratio": statistics.median(ratios),
            "least_ratio": min(ratios), "parameters": run.p.count, "peak_bytes": peaks[name],
        }  # fmt: skip
        print(
            f"{name:<9} {result[name]['tokens_per_second']:>9,.0f} tokens/s, {result[name]['ratio']:.1f} times full "
            f"(at least {min(ratios):.1f}); {run.p.count:,} parameters, peak {peaks[name] / 1e6:,.0f} MB"
        )
    if not options.speed_only:
        runs = {name: Run(name, V, train, valid, options) for name in SIDES}
        while any(run.spent < options.seconds for run in runs.values()):
            for run in runs.values():
                run.train(options.seconds)
        for name, run in runs.items():
            result[name] |= {"perplexity": run.perplexity(), "steps": run.count, "seconds": run.spent}
            print(
                f"{name:<9} perplexity {result[name]['perplexity']:,.1f} after {run.spent:.0f} s of processor time, "
                f"{run.count:,} steps"
            )
    print(json.dumps({"V": V, "Dh": options.Dh, "rounds": options.rounds, "seconds": options.seconds} | result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

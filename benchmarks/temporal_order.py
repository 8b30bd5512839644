"""Temporal order with sequences of 50 to 200 steps: with which treatments a network of 50 units learns it.

    python benchmarks/temporal_order.py [--seeds 5] [--steps 20000] [--only NAME …] [--lengths 500 1000 5000]

The task and its criterion are those of Pascanu, Mikolov and Bengio (2013): under 1 % of 10,000 sequences wrong. Each
variant is `elman train --task temporal-order` with other flags, and seeds 0, 1, …. Before the first step the lens
decomposes the gradient on sequences of 200 steps: its decay or growth for each step back, and the power of ten that is
left of it 100 steps back. A network that solves the task is then measured on 10,000 sequences of each of the other
lengths. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman import load
from elman.checkpoint import RunFolder
from elman.config import TaskConfig
from elman.gradient_flow import Flow, decompose, diagnose, norms_by_lag
from elman.training.records import StopRecord, ValidationRecord
from elman.training.start import start_task
from elman.training.tasks.problem import TaskProblem

SHORTEST, LONGEST = 50, 200
LEFT_AT = 100
RELU: dict[str, Any] = {"lr": 3e-4, "schedule": "constant"}
TANH: dict[str, Any] = {"lr": 5e-5, "schedule": "constant"}
TREATED: dict[str, Any] = {"clip": 1.0, "omega": 2.0, "omega_form": "squared"}
UNTREATED: dict[str, Any] = {"clip": 0.0, "omega": 0.0}
CLIPPED: dict[str, Any] = {"clip": 1.0, "omega": 0.0}
REGULARISED: dict[str, Any] = {"clip": 0.0, "omega": 2.0, "omega_form": "squared"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu, identity, clip + Ω": ("relu", RELU | TREATED | {"init": "identity"}),
    "relu, identity, clip": ("relu", RELU | CLIPPED | {"init": "identity"}),
    "relu, identity, Ω": ("relu", RELU | REGULARISED | {"init": "identity"}),
    "relu, identity": ("relu", RELU | UNTREATED | {"init": "identity"}),
    "relu, normal, clip + Ω": ("relu", RELU | TREATED | {"init": "normal"}),
    "relu, normal": ("relu", RELU | UNTREATED | {"init": "normal"}),
    "tanh, orthogonal, clip + Ω": ("tanh", TANH | TREATED | {"init": "orthogonal"}),
    "tanh, normal": ("tanh", TANH | UNTREATED | {"init": "normal"}),
    "sigmoid, normal": ("sigmoid", RELU | UNTREATED | {"init": "normal"}),
}


@dataclass(frozen=True)
class Outcome:
    """The result of one run.

    verdict, decay_rate, log10_left  the lens before training
    wrong                            the best share of 10,000 sequences that were wrong
    steps, seconds                   until the run ended
    by_length                        the share wrong at other lengths, if solved
    """

    seed: int
    verdict: str
    decay_rate: float
    log10_left: float
    solved: bool
    wrong: float
    steps: int
    seconds: float
    by_length: dict[int, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, metavar="NAME", help=f"some of: {'; '.join(VARIANTS)}")
    parser.add_argument("--lengths", type=int, nargs="*", default=[500, 1000, 5000])
    options = parser.parse_args()
    results: dict[str, list[Outcome]] = {}
    for name in options.only or VARIANTS:
        results[name] = []
        for seed in range(options.seeds):
            results[name].append(run_once(name, seed, options.steps, options.lengths))
            print(f"{name}, seed {seed}: {sentence(results[name][-1])}", flush=True)
    print()
    print("| network and treatment | solved | steps | the lens before the first step | wrong | at longer lengths |")
    print("|---|---|---|---|---|---|")
    for name, outcomes in results.items():
        print(row(name, outcomes))
    print(json.dumps({name: [vars(each) for each in outcomes] for name, outcomes in results.items()}))
    return 0


def run_once(name: str, seed: int, steps: int, lengths: list[int]) -> Outcome:
    """Trains until the task is solved, for at most `steps` steps."""
    activation, settings = VARIANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        task = TaskConfig("temporal-order", SHORTEST, LONGEST)
        epochs = {"epochs": max(1, steps // 1000), "seed": seed}
        trainer = start_task(RunFolder(Path(folder) / "run"), task, {"activation": activation}, settings | epochs)
        flow = before(trainer.p, seed)
        diagnosis = diagnose(flow)
        norms = norms_by_lag(flow, "h")
        wrong = 1.0
        for record in trainer.run():
            if isinstance(record, ValidationRecord) and record.wrong is not None:
                wrong = min(wrong, record.wrong)
            if isinstance(record, StopRecord):
                stopped = record
        solved = stopped.reason == "solved"
        by_length = {}
        if solved:
            lm = load(Path(folder) / "run")
            problem = TaskProblem(task, trainer.settings.B, seed)
            by_length = {T: float(problem.test(lm.p, (T, T)).wrong or 0.0) for T in lengths}
        left = float(norms[LEFT_AT] - norms[0])
        return Outcome(
            seed, diagnosis.verdict, diagnosis.numbers.decay_rate, left, solved, wrong, stopped.step, stopped.seconds,
            by_length,
        )  # fmt: skip


def before(p: Any, seed: int) -> Flow:
    """The decomposition on eight sequences of LONGEST steps, with a loss for the answer at each step."""
    batch = TaskProblem(TaskConfig("temporal-order", LONGEST, LONGEST), 8, seed).batch(0, 0)
    return decompose(p.astype("float64"), batch.x, batch.y.repeat(LONGEST, axis=0))


def sentence(outcome: Outcome) -> str:
    longer = ", ".join(f"{T}: {wrong:.1%}" for T, wrong in outcome.by_length.items())
    return (
        f"{'solved' if outcome.solved else 'not solved'}, {outcome.wrong:.2%} wrong after {outcome.steps:,} steps, "
        f"{outcome.seconds:.0f} s; before training: {outcome.verdict}, {outcome.decay_rate:.3g} for each step back"
        f"{'; ' + longer if longer else ''}"
    )


def row(name: str, outcomes: list[Outcome]) -> str:
    """A row of the table: medians and ranges over the seeds."""
    solved = [each for each in outcomes if each.solved]
    steps = f"{statistics.median(o.steps for o in solved):,.0f}" if solved else f"over {outcomes[0].steps:,}"
    if solved and len(solved) > 1:
        steps += f" ({min(o.steps for o in solved):,}–{max(o.steps for o in solved):,})"
    rates = statistics.median(o.decay_rate for o in outcomes)
    left = statistics.median(o.log10_left for o in outcomes)
    verdict = statistics.mode(o.verdict for o in outcomes)
    wrong = f"{min(o.wrong for o in outcomes):.2%}–{max(o.wrong for o in outcomes):.2%}"
    longer = "; ".join(
        f"{T}: {statistics.median(o.by_length[T] for o in solved):.0%}" for T in (solved[0].by_length if solved else ())
    )
    return (
        f"| {name} | {len(solved)} of {len(outcomes)} | {steps} | {verdict}, {rates:.2f} a step, 10^{left:.0f} left "
        f"{LEFT_AT} steps back | {wrong} | {longer or '–'} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())

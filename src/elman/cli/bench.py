"""elman bench: the speed of training on this machine, compared with that of its matrix products."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.arguments import require
from elman.cli.options import as_json, threads
from elman.cli.streams import show, show_json
from elman.config import SECONDS
from elman.errors import DivergedError
from elman.training.defaults import operations_per_token

if TYPE_CHECKING:
    from elman.model.parameters import Gradients, Parameters

Shape = tuple[int, int, int, int, int]
SHAPES: dict[str, Shape] = {
    "word-small": (10000, 200, 200, 20, 35),
    "word-large": (33278, 512, 512, 32, 35),
    "char-large": (96, 128, 512, 64, 100),
    "char-small": (96, 64, 128, 32, 64),
}
"""V, d, Dh, B, T."""
TOLERANCE = {"float32": 2e-4, "bf16": 0.05}
"""The largest error of a gradient, relative to its largest entry, compared with float64."""
CLIP, RATE = 1.0, 0.1
SQUARE = 2048


@click.command(epilog="Example:  elman bench --shapes char-small,char-large")
@click.option("--shapes", default=",".join(SHAPES), show_default=True, help="Which of the four, separated by commas.")
@click.option("--seconds", default=1.0, show_default=True, help="Time for each figure.")
@as_json
@threads
def bench(shapes: str, seconds: float, as_json: bool) -> None:
    """Time whole training steps (forward, backward, clipping, SGD) at four shapes.

    Each shape is first checked against float64. Then its steps are timed in turn with matrix products: one of
    2048 × 2048, and the largest of the shape itself, of random numbers. The fastest product, by NumPy's BLAS or by
    Elman's kernels, is the roofline of its precision; the shares are the fractions of both rooflines that a whole step
    reaches. (They can exceed 100 % for characters: work that equal tokens share is done once, but counted for each.)
    """
    from elman.errors import ConfigError
    from elman.kernels import threads
    from elman.wording import count

    require("seconds", seconds, float, SECONDS)
    chosen = shapes.split(",")
    if unknown := [name for name in chosen if name not in SHAPES]:
        raise ConfigError(f"shape {unknown[0]!r} is not known; choose among {', '.join(SHAPES)}")
    result: dict[str, Any] = {**machine(), "threads": threads(), "shapes": {}}
    if not as_json:
        show(f"{result['processor']}, matrix tiles: {'used' if result['tiles'] else 'not used'}")
        show(f"{result['backend']}, {count(result['threads'], 'thread')}")
        show(f"{'':<45}{'share of the roofline':>34}")
        show(f"{'shape':<12}{'precision':<11}{'tokens/s':>12}{'GFLOP/s':>10}{'float32':>17}{'bf16':>17}")
    for name in chosen:
        result["shapes"][name] = measured = measure(SHAPES[name], seconds)
        for precision, figures in () if as_json else measured.items():
            roofs = [each["roofline_gflops"] for each in measured.values()]
            shares = [f"{figures['gflops'] / roof:.0%} of {roof:,.0f}" for roof in roofs]
            speed = f"{figures['tokens_per_second']:>12,.0f}{figures['gflops']:>10.0f}"
            show(f"{name:<12}{precision:<11}{speed}{''.join(f'{share:>17}' for share in shares)}")
    if as_json:
        show_json(result, indent=2)


def machine() -> dict[str, Any]:
    """The processor, the kernels in use, and whether these use matrix tiles."""
    from elman.kernels import host_kernels, uses_tiles

    return {"processor": _processor(), "backend": host_kernels().name, "tiles": uses_tiles()}


def _processor() -> str:
    """The processor's name, of the system's information about it where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def problem(V: int, d: int, Dh: int, B: int, T: int) -> tuple[Parameters, Any, Any]:
    """Parameters, x and y [T,B], the same on each call."""
    import numpy as np

    from elman.model.parameters import Parameters

    x, y = np.random.default_rng(2).integers(0, V, (2, T, B))
    return Parameters.initialise(V, d, Dh, seed=1), x, y


def training_step(p: Parameters, x: Any, y: Any) -> Callable[[], None]:
    """One training step: loss and gradients, their norm, and SGD with the clipped gradient."""
    from elman.model.bptt import loss_and_gradients
    from elman.training.optimizer import SGD

    optimizer = SGD()

    def step() -> None:
        _, gradients, _ = loss_and_gradients(p, x, y)
        norm = gradients.norm()
        optimizer.step(p, gradients, RATE, CLIP / norm if norm > CLIP else 1.0)

    return step


def measure(shape: Shape, seconds: float) -> dict[str, dict[str, float]]:
    """The figures of one shape, for each precision of the backend in use."""
    from elman.kernels import host_kernels, native_in_use
    from elman.model.bptt import loss_and_gradients

    V, d, Dh, B, T = shape
    p, x, y = problem(*shape)
    _, exact, _ = loss_and_gradients(p.astype("float64"), x, y)
    precisions = ["float32", "bf16"] if native_in_use() else ["float32"]
    steps: dict[str, Callable[[], object]] = {}
    for precision in precisions:
        p, x, y = problem(*shape)
        p = p.with_kernels(host_kernels(precision))
        _check(loss_and_gradients(p, x, y)[1], exact, precision)
        steps[precision] = training_step(p, x, y)
    products = _products(shape, precisions)
    times = _in_turn(steps | {name: product for name, (_, product, _) in products.items()}, seconds)
    result = {}
    for precision in precisions:
        roof = max(work / times[name] for name, (kind, _, work) in products.items() if kind == precision)
        rate = operations_per_token(V, d, Dh) * T * B / times[precision]
        result[precision] = {
            "tokens_per_second": T * B / times[precision],
            "gflops": rate / 1e9,
            "roofline_gflops": roof / 1e9,
            "share_of_roofline": rate / roof,
        }
    return result


def _check(mine: Gradients, exact: Gradients, precision: str) -> None:
    import numpy as np

    for name in ("W_e", "W_h", "b_1", "U", "b_2"):
        a, b = getattr(mine, name), getattr(exact, name)
        error = float(np.abs(a - b).max() / np.abs(b).max())
        if not error <= TOLERANCE[precision]:
            raise DivergedError(
                f"{precision}: ∂J/∂{name} is off by {error:.1e}, so nothing was timed: please report this"
            )


def product_sizes(shape: Shape) -> dict[str, tuple[int, int, int]]:
    """(rows, columns, depth) of the products for the roofline: a square one, and the largest of the shape."""
    V, _, Dh, B, T = shape
    return {"square": (SQUARE, SQUARE, SQUARE), "same shape": (B * T, max(V, 4 * Dh), Dh)}


def operands(m: int, n: int, k: int) -> tuple[Any, Any]:
    """Random matrices [m,k] and [n,k]: processors multiply zeros and ones faster."""
    import numpy as np

    generator = np.random.default_rng(3)
    return generator.standard_normal((m, k), np.float32), generator.standard_normal((n, k), np.float32)


def _products(shape: Shape, precisions: list[str]) -> dict[str, tuple[str, Callable[[], object], float]]:
    """(precision, call, operations) of each product that may be the roofline."""
    import numpy as np

    from elman.kernels import host_kernels

    products: dict[str, tuple[str, Callable[[], object], float]] = {}

    def with_kernels(precision: str, a: Any, b: Any) -> Callable[[], object]:
        return partial(host_kernels(precision).product, a, b, b_transposed=True)

    for size, (m, n, k) in product_sizes(shape).items():
        a, b = operands(m, n, k)
        out = np.empty((m, n), np.float32)
        work = 2.0 * m * n * k
        products[f"NumPy, {size}"] = ("float32", partial(np.matmul, a, b.T, out=out), work)
        for precision in precisions:
            products[f"{precision}, {size}"] = (precision, with_kernels(precision, a, b), work)
    return products


def _in_turn(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median seconds of each call. They take four turns of a quarter of the time each, after an uncounted call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(4):
        for name, call in calls.items():
            call()
            until = time.perf_counter() + seconds / 4
            while True:
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
                if time.perf_counter() >= until:
                    break
    return {name: statistics.median(values) for name, values in times.items()}

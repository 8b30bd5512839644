"""Single operations of Elman as shares of PyTorch's bfloat16 product, measured in turn on the same machine.

    python benchmarks/operations.py [--shapes word-small,word-large] [--repeats 7] [--threads 2]

The operations are those of a training step whose time grows with products: the recurrence, its gradient, the softmax
with its gradient, and ∂J/∂W_h. Each is first compared with float64 on NumPy. Elman and PyTorch run in processes of
their own and take turns; a figure is the median of its turns. The share is the operation's GFLOP/s, counted as 2
operations a multiply-add, over that of PyTorch's bfloat16 product of 2048 × 2048 numbers. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

from processes import Prepared, in_turn, serve, started
from sides import SHAPES, options_of, products

from elman.cli.bench import machine

SIDES = {"elman float32": "elman", "elman bf16": "elman", "torch": "torch"}
PRODUCT = "bf16, square"
TOLERANCE = {"float32": 1e-4, "bf16": 0.02}
"""Of ‖x - x64‖ / ‖x64‖, for each result."""
TURN = 0.3
SEED = 1


def main() -> int:
    options = options_of(__doc__).parse_args()
    if options.side:
        serve(partial(prepare, options.side))
        return 0
    where, results = machine(), {}
    print(f"{where['processor']}; {where['backend']}; matrix tiles: {'used' if where['tiles'] else 'not used'}")
    for shape in options.shapes.split(","):
        results[shape] = measured(SHAPES[shape], options)
        show(shape, results[shape])
    print(json.dumps(where | {"threads": options.threads, "results": results}))
    return 0


def prepare(side: str, shape: tuple[int, int, int, int, int]) -> Prepared:
    """Runs in the process of a side: what it times, and the results to compare."""
    if side == "torch":
        steps, counts = products("torch", shape)
        return {PRODUCT: steps[PRODUCT]}, {PRODUCT: counts[PRODUCT]}
    from elman.kernels import host_kernels

    calls = operations(host_kernels(side.removeprefix("elman ")), shape, "float32")
    return dict(calls), {name: call() for name, call in calls.items()}


def operations(kernels: Any, shape: tuple[int, int, int, int, int], dtype: str) -> dict[str, Callable[[], Any]]:
    """The operations by name, on the same random numbers for every kernels and type; each returns its main result."""
    import numpy as np

    V, _, Dh, B, T = shape
    r = np.random.default_rng(SEED)

    def normal(*sizes: int, scale: float = 1.0) -> Any:
        return (scale * r.standard_normal(sizes)).astype(np.float32).astype(dtype)

    u, W_h, h_0 = normal(T, B, Dh), normal(Dh, Dh, scale=Dh**-0.5), normal(B, Dh)
    dh, h = normal(T, B, Dh), abs(normal(T + 1, B, Dh, scale=0.3)).clip(0.01, 0.99)
    U, b_2, y = normal(V, Dh, scale=0.3), normal(V, scale=0.1), r.integers(0, V, T * B)
    rows = h[1:].reshape(-1, Dh)
    return {
        "recurrence": lambda: kernels.recurrence(u, W_h, h_0, "sigmoid"),
        "its gradient": lambda: kernels.recurrence_gradient(dh, h, W_h, "sigmoid"),
        "softmax with gradient": lambda: kernels.softmax_cross_entropy(rows, U, b_2, y, 1.0)[2],
        "∂J/∂W_h": lambda: kernels.product(dh.reshape(-1, Dh), rows, a_transposed=True),
    }


def work(shape: tuple[int, int, int, int, int]) -> dict[str, float]:
    """Floating-point operations of each operation."""
    V, _, Dh, B, T = shape
    square = 2.0 * T * B * Dh * Dh
    return dict.fromkeys(("recurrence", "its gradient", "∂J/∂W_h"), square) | {
        "softmax with gradient": 6.0 * T * B * Dh * V
    }


def measured(shape: tuple[int, int, int, int, int], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """GFLOP/s by side and operation. Raises SystemExit if a result is wrong."""
    sides, _ = started(__file__, SIDES, options.threads)
    try:
        arrays = {side.name: side.prepare(shape) for side in sides}
        check(shape, arrays)
        times = in_turn(sides, options.repeats, TURN)
    finally:
        for side in sides:
            side.close()
    counts = work(shape) | {name: float(count) for name, count in arrays.get("torch", {}).items()}
    return {
        side: {name: counts[name] / statistics.median(each) / 1e9 for name, each in of_side.items()}
        for side, of_side in times.items()
    }


def check(shape: tuple[int, int, int, int, int], arrays: dict[str, dict[str, Any]]) -> None:
    """Compares each side's results with float64 on NumPy. Raises SystemExit if one is wrong."""
    import numpy as np

    from elman.kernels.numpy_kernels import NumpyKernels

    right = {name: call() for name, call in operations(NumpyKernels(), shape, "float64").items()}
    for side, results in arrays.items():
        for name in right.keys() & results.keys():
            error = np.linalg.norm(results[name] - right[name]) / np.linalg.norm(right[name])
            if not error <= TOLERANCE[side.removeprefix("elman ")]:
                raise SystemExit(f"{side}: {name} is wrong: the error is {error:.1e} of its norm")


def show(shape: str, rates: dict[str, dict[str, float]]) -> None:
    product = rates.get("torch", {}).get(PRODUCT)
    print(f"\n{shape} {SHAPES[shape]}: PyTorch's bfloat16 product " + (f"{product:,.0f} GFLOP/s" if product else "-"))
    for side, of_side in rates.items():
        for name, rate in of_side.items():
            if name != PRODUCT:
                share = f"{rate / product:6.0%} of it" if product else ""
                print(f"  {side:14} {name:22} {rate:8,.0f} GFLOP/s {share}")


if __name__ == "__main__":
    raise SystemExit(main())

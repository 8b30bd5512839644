"""A whole training step on a GPU by Elman, PyTorch and JAX, compared with each other and with the GPU's limit.

    python benchmarks/gpu_step.py [--shapes char-small,gpu-wide] [--precisions float32,bf16] [--sides elman]
    python benchmarks/gpu_step.py --shapes word-large --profile "elman float32"
    python benchmarks/gpu_step.py --device cpu --shape 50,12,16,3,7     # a trial run without a GPU

A step is forward, backward, clipping of the global norm, and SGD; the sides are in gpu_sides.py. All sides run in one
process and share the device. First comes the gate: J and the gradients of each side are compared with Elman's in
float64, on NumPy, or for shapes above 3e11 operations by its torch backend on the device (which the tests compare with
NumPy). In tf32 and bf16 Elman's error must also be at most twice that of PyTorch's nn.RNN or plain loop over time. Then
the sides take turns. A turn is a number of steps between two CUDA events (two clock readings on a CPU, and for JAX);
nothing waits for the device before the end of the turn. The figure of a side is the median of its turns. A side that
fails, is wrong or runs out of memory is listed as not measured, and the others go on.

The limit of a step is the larger of two times: its operations at the rate of a large square product of that precision,
and T times the latency of one step of the recurrence, forward and backward, at the smallest size (float16: the shortest
latency measured). Where tokens repeat, Elman multiplies less than is counted. The last line is JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
from typing import TYPE_CHECKING, Any

from processes import installed

from elman.cli.bench import SHAPES, Shape, problem
from elman.training.defaults import operations_per_token

if TYPE_CHECKING:
    from gpu_limits import Clock

GPU_SHAPES: dict[str, Shape] = SHAPES | {
    "gpu-large": (33278, 1024, 1024, 128, 70),
    "gpu-wide": (96, 512, 2048, 128, 100),
}
"""V, d, Dh, B, T."""
PRECISIONS = ("float32", "tf32", "bf16", "float16")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(GPU_SHAPES))
    parser.add_argument("--shape", help="V,d,Dh,B,T instead of a named shape")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--sides", default="", help="only the sides whose names start with one of these")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each side")
    parser.add_argument("--turn", type=float, default=0.3, help="seconds per turn")
    parser.add_argument(
        "--compiled", action="store_true", help="also the sides of torch.compile, which take minutes to build"
    )
    parser.add_argument(
        "--profile", metavar="SIDE", help="instead of timing, list the kernels of one step of this side"
    )
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    options.precisions = options.precisions.split(",")
    options.sides = tuple(options.sides.split(","))
    if unknown := sorted(set(options.precisions) - set(PRECISIONS)):
        parser.error(f"precision {unknown[0]!r} is not known; choose among {', '.join(PRECISIONS)}")
    if options.shape:
        sizes = [int(size) for size in options.shape.split(",")]
        if len(sizes) != 5:
            parser.error(f"--shape is {options.shape}; it must be five numbers, V,d,Dh,B,T")
        options.shapes = {"given": tuple(sizes)}
    else:
        names = options.shapes.split(",")
        if unknown := sorted(set(names) - set(GPU_SHAPES)):
            parser.error(f"shape {unknown[0]!r} is not known; choose among {', '.join(GPU_SHAPES)}")
        options.shapes = {name: GPU_SHAPES[name] for name in names}
    return options


def main() -> int:
    options = arguments()
    if importlib.util.find_spec("torch") is None:
        print("nothing is measured: PyTorch is not installed")
        return 2
    import torch
    from gpu_gate import free
    from gpu_limits import Clock, machine, recurrence_alone

    clock = Clock(options.device)
    if clock.cuda and not torch.cuda.is_available():
        print("nothing is measured: PyTorch finds no GPU (--device cpu is a trial run without one)")
        return 2
    if clock.cuda and torch.device(options.device).index is not None:
        torch.cuda.set_device(options.device)
    import torch._dynamo

    torch._dynamo.config.cache_size_limit = 64  # to Dynamo the losses of all sides are one function
    device = torch.cuda.get_device_name() if clock.cuda else "a CPU, timed by the system clock"
    packages = {name: installed(name) for name in ("elman", "numpy", "torch", "triton", "jax")}
    packages |= {"CUDA": str(torch.version.cuda), "cuDNN": str(torch.backends.cudnn.version())}
    print(f"{device}; " + ", ".join(f"{package} {number}" for package, number in packages.items()), flush=True)
    if options.profile:
        for shape in options.shapes.values():
            profile(options, shape, clock)
        return 0
    limits = machine(clock, options.precisions, options.turn / 3)
    show_machine(limits)
    results = {}
    for name, shape in options.shapes.items():
        print(f"\n{name} {shape}", flush=True)
        results[name] = figures = measured(options, shape, clock, limits)
        show(figures)
        _, _, Dh, B, T = shape
        for precision in options.precisions:
            alone = recurrence_alone((Dh, B, T), precision, clock, options.turn / 6)
            show_recurrence(precision, alone)
            figures["recurrence"][precision] = alone
            free()
    print(json.dumps({"device": device, "packages": packages, "machine": limits, "shapes": results}))
    return 0


def measured(options: argparse.Namespace, shape: Shape, clock: Clock, limits: dict[str, Any]) -> dict[str, Any]:
    """The figures of one shape: those of the sides, and the limits."""
    import torch
    from gpu_gate import free, prepared, reporting
    from gpu_sides import set_products, sides

    V, d, Dh, B, T = shape
    every = sides(options.precisions, options.compiled)
    chosen = {name: side for name, side in every.items() if name.startswith(options.sides)}
    built, errors, missing = prepared(shape, chosen, options.device)
    notes = {name: side.note for name, side in built.items()}
    turns: dict[str, list[float]] = {name: [] for name in built}
    counts: dict[str, int] = {}
    for k in range(options.repeats + 1):
        names = list(built)
        first = k % max(1, len(names))
        for name in names[first:] + names[:first]:  # so that no side always runs after the same one
            with reporting(name, missing):
                set_products(chosen[name][0])
                if not k:  # the first round only counts the steps of a turn
                    counts[name] = clock.count(built[name].step, options.turn, built[name].wait)
                else:
                    turns[name].append(clock.seconds(built[name].step, counts[name], built[name].wait))
            if name in missing:
                del built[name]
                free()
    built.clear()
    torch.compiler.reset()  # else it treats the sizes of the next shape as variable
    free()
    operations = operations_per_token(V, d, Dh) * T * B
    limit = {precision: limit_of(operations, T, precision, limits) for precision in options.precisions}
    figures = {}
    for name in [name for name in turns if name not in missing]:
        precision, seconds = chosen[name][0], statistics.median(turns[name])
        figures[name] = {
            "precision": precision, "seconds": seconds, "tokens_per_second": T * B / seconds,
            "tflops": operations / seconds / 1e12, "share_of_limit": limit[precision] / seconds,
            "error": errors[name], "note": notes[name], "turns": [float(f"{turn:.4g}") for turn in turns[name]],
        }  # fmt: skip
    return {"sides": figures, "limit_seconds": limit, "not_measured": missing, "recurrence": {}}


def limit_of(operations: float, T: int, precision: str, limits: dict[str, Any]) -> float:
    """A lower bound on the seconds of a step: for its products, or for T time steps one after the other."""
    known = {name: float(latency["both"]) for name, latency in limits["latency"].items() if "both" in latency}
    latency = known.get(precision, min(known.values(), default=0.0))
    return max(operations / float(limits["peak"][precision]), T * latency)


def show_machine(limits: dict[str, Any]) -> None:
    """Prints the limits of the device."""
    rates = ", ".join(f"{precision} {rate / 1e12:.3g}" for precision, rate in limits["peak"].items())
    print(f"square products in TFLOP/s: {rates}; copies {limits['copy'] / 1e9:.0f} GB/s")
    for precision, latency in limits["latency"].items():
        times = f"forward {1e6 * latency.get('forward', 0):.2f} µs, with backward {1e6 * latency.get('both', 0):.2f} µs"
        text = f"not measured: {latency['not_measured']}" if "not_measured" in latency else times
        print(f"a time step at B = 1, Dh = 16 in {precision}: {text}", flush=True)


def show(figures: dict[str, Any]) -> None:
    """Prints the table of a shape: the sides of each precision, and Elman's ratios."""
    for precision, limit in figures["limit_seconds"].items():
        here = {name: side for name, side in figures["sides"].items() if side["precision"] == precision}
        print(f"  {precision}: the limit is {1e3 * limit:.3f} ms")
        for name, side in sorted(here.items(), key=lambda item: item[1]["seconds"]):
            turns = f"{1e3 * min(side['turns']):.3f} to {1e3 * max(side['turns']):.3f}"
            print(
                f"    {name:<48}{1e3 * side['seconds']:>10.3f} ms {side['tokens_per_second']:>13,.0f} tokens/s"
                f"{side['share_of_limit']:>7.1%} of the limit  turns {turns:<18} error {side['error']:.0e}"
                + f"  ({side['note']})"
                * bool(side["note"])
            )
        elman = here.get(f"elman {precision}")
        for other in (precision, "float16") if precision == "bf16" else (precision,):
            peers = {
                name: side["seconds"] for name, side in figures["sides"].items()
                if side["precision"] == other and not name.startswith("elman")
            }  # fmt: skip
            if elman and peers:
                best = min(peers, key=lambda name: peers[name])
                ratio = peers[best] / elman["seconds"]
                print(f"    elman {precision}: {ratio:.2f} times as fast as the best other side, {best}")
    sys.stdout.flush()


def show_recurrence(precision: str, alone: dict[str, dict[str, Any]]) -> None:
    """Prints a line for each side of the recurrence alone."""
    kinds = {"forward": "forward", "forward_graph": "in a graph", "both": "with backward", "both_graph": "in a graph"}
    for name, figures in alone.items():
        parts = [f"{title} {1e3 * figures[kind]:.3f} ms" for kind, title in kinds.items() if kind in figures]
        parts += [f"not measured: {figures[kind]}" for kind in ("not_measured",) if kind in figures]
        print(f"  recurrence alone at d = Dh, {precision:<8} {name:<8}{', '.join(parts)}", flush=True)


def profile(options: argparse.Namespace, shape: Shape, clock: Clock) -> None:
    """Prints the kernels of one step of a side, by device time."""
    import torch
    from gpu_sides import set_products, sides

    every = sides(options.precisions, compiled=True)
    if options.profile not in every:
        sys.exit(f"side {options.profile!r} is not known; choose among {'; '.join(every)}")
    precision, build = every[options.profile]
    set_products(precision)
    side = build(problem(*shape), options.device)
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * clock.cuda
    clock.seconds(side.step, 3, side.wait)
    with torch.profiler.profile(activities=activities) as profiled:
        clock.seconds(side.step, 1, side.wait)
    by_time = f"self_{'cuda' if clock.cuda else 'cpu'}_time_total"
    print(f"\n{options.profile}, {shape}")
    print(profiled.key_averages().table(sort_by=by_time, row_limit=30, max_name_column_width=80), flush=True)


if __name__ == "__main__":
    sys.exit(main())

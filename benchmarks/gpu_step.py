"""A whole training step on a GPU, against PyTorch and JAX there, and against what the GPU can do, in one run.

    python benchmarks/gpu_step.py [--shapes char-small,gpu-wide] [--precisions float32,bf16] [--sides elman]
    python benchmarks/gpu_step.py --shapes word-large --profile "elman float32"
    python benchmarks/gpu_step.py --device cpu --shape 50,12,16,3,7     # a rehearsal where there is no GPU

The step is forward, backward, clipping of the global norm and SGD (gpu_sides.py says whose). All sides are in one
process and share the device. The gate comes first: each side's J and gradients are held against Elman's in float64, on
NumPy, or for the shapes beyond 3e11 operations by its plain torch backend on the device, which the tests hold against
NumPy. In tf32 and bf16 ours may besides be off at most twice as far as PyTorch's nn.RNN or plain loop over time. Then
the sides take turns. A turn is as many steps as fit in it, between two CUDA events (a clock's readings on a CPU, and
for JAX), and nothing waits for the device before its end; a side's figure is the median of its turns. What fails, is
off or has no memory is named as not measured, and the others go on.

The limit of a step is the longer of two times: its products' operations at the rate of a large square product of that
precision, and T times the latency of one step of the recurrence there and back at the least size (float16: the shortest
that was found). Where tokens repeat ours multiplies less than is counted. The last line is JSON.
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
    parser.add_argument("--shape", help="V,d,Dh,B,T in place of the named ones")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--sides", default="", help="only sides whose names begin with one of these")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every side")
    parser.add_argument("--turn", type=float, default=0.3, help="seconds of a turn")
    parser.add_argument(
        "--compiled", action="store_true", help="torch.compile's sides too, which take minutes to build"
    )
    parser.add_argument("--profile", metavar="SIDE", help="nothing is timed; the kernels of one step of this side")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    options.precisions = options.precisions.split(",")
    options.sides = tuple(options.sides.split(","))
    if unknown := sorted(set(options.precisions) - set(PRECISIONS)):
        parser.error(f"the precision {unknown[0]!r} is none of {', '.join(PRECISIONS)}")
    if options.shape:
        sizes = [int(size) for size in options.shape.split(",")]
        if len(sizes) != 5:
            parser.error(f"--shape is {options.shape}; it must be five numbers, V,d,Dh,B,T")
        options.shapes = {"given": tuple(sizes)}
    else:
        names = options.shapes.split(",")
        if unknown := sorted(set(names) - set(GPU_SHAPES)):
            parser.error(f"the shape {unknown[0]!r} is none of {', '.join(GPU_SHAPES)}")
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
        print("nothing is measured: PyTorch sees no GPU (--device cpu rehearses without one)")
        return 2
    if clock.cuda and torch.device(options.device).index is not None:
        torch.cuda.set_device(options.device)
    import torch._dynamo

    torch._dynamo.config.cache_size_limit = 64  # every side's loss is the same function to Dynamo
    device = torch.cuda.get_device_name() if clock.cuda else "a CPU, timed by the clock"
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
        results[name] = found = measured(options, shape, clock, limits)
        show(found)
        _, _, Dh, B, T = shape
        for precision in options.precisions:
            alone = recurrence_alone((Dh, B, T), precision, clock, options.turn / 6)
            show_recurrence(precision, alone)
            found["recurrence"][precision] = alone
            free()
    print(json.dumps({"device": device, "packages": packages, "machine": limits, "shapes": results}))
    return 0


def measured(options: argparse.Namespace, shape: Shape, clock: Clock, limits: dict[str, Any]) -> dict[str, Any]:
    """The figures of one shape: every side's, and the limits."""
    import torch
    from gpu_gate import free, naming, prepared
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
        for name in names[first:] + names[:first]:  # nobody always follows the same neighbour
            with naming(name, missing):
                set_products(chosen[name][0])
                if not k:  # the first round only tells how many steps a turn has
                    counts[name] = clock.count(built[name].step, options.turn, built[name].wait)
                else:
                    turns[name].append(clock.seconds(built[name].step, counts[name], built[name].wait))
            if name in missing:
                del built[name]
                free()
    built.clear()
    torch.compiler.reset()  # else it takes the next shape's sizes for variable ones
    free()
    operations = operations_per_token(V, d, Dh) * T * B
    limit = {precision: limit_of(operations, T, precision, limits) for precision in options.precisions}
    found = {}
    for name in [name for name in turns if name not in missing]:
        precision, seconds = chosen[name][0], statistics.median(turns[name])
        found[name] = {
            "precision": precision, "seconds": seconds, "tokens_per_second": T * B / seconds,
            "tflops": operations / seconds / 1e12, "share_of_limit": limit[precision] / seconds,
            "error": errors[name], "note": notes[name], "turns": [float(f"{turn:.4g}") for turn in turns[name]],
        }  # fmt: skip
    return {"sides": found, "limit_seconds": limit, "not_measured": missing, "recurrence": {}}


def limit_of(operations: float, T: int, precision: str, limits: dict[str, Any]) -> float:
    """Seconds that a step takes at least: for its products, or for T steps of time one after the other."""
    known = {name: float(latency["both"]) for name, latency in limits["latency"].items() if "both" in latency}
    latency = known.get(precision, min(known.values(), default=0.0))
    return max(operations / float(limits["peak"][precision]), T * latency)


def show_machine(limits: dict[str, Any]) -> None:
    """What the device can do."""
    rates = ", ".join(f"{precision} {rate / 1e12:.3g}" for precision, rate in limits["peak"].items())
    print(f"square products in TFLOP/s: {rates}; copies {limits['copy'] / 1e9:.0f} GB/s")
    for precision, latency in limits["latency"].items():
        times = f"forward {1e6 * latency.get('forward', 0):.2f} µs, and back {1e6 * latency.get('both', 0):.2f} µs"
        said = f"not measured: {latency['not_measured']}" if "not_measured" in latency else times
        print(f"a step of time at B = 1, Dh = 16 in {precision}: {said}", flush=True)


def show(found: dict[str, Any]) -> None:
    """The table of a shape: the sides of each precision, and our ratios."""
    for precision, limit in found["limit_seconds"].items():
        here = {name: side for name, side in found["sides"].items() if side["precision"] == precision}
        print(f"  {precision}: the limit is {1e3 * limit:.3f} ms")
        for name, side in sorted(here.items(), key=lambda item: item[1]["seconds"]):
            turns = f"{1e3 * min(side['turns']):.3f} to {1e3 * max(side['turns']):.3f}"
            print(
                f"    {name:<48}{1e3 * side['seconds']:>10.3f} ms {side['tokens_per_second']:>13,.0f} tokens/s"
                f"{side['share_of_limit']:>7.1%} of the limit  turns {turns:<18} error {side['error']:.0e}"
                + f"  ({side['note']})"
                * bool(side["note"])
            )
        mine = here.get(f"elman {precision}")
        for other in (precision, "float16") if precision == "bf16" else (precision,):
            peers = {
                name: side["seconds"] for name, side in found["sides"].items()
                if side["precision"] == other and not name.startswith("elman")
            }  # fmt: skip
            if mine and peers:
                best = min(peers, key=lambda name: peers[name])
                ratio = peers[best] / mine["seconds"]
                print(f"    elman {precision}: {ratio:.2f} times as fast as the best peer, {best}")
    sys.stdout.flush()


def show_recurrence(precision: str, alone: dict[str, dict[str, Any]]) -> None:
    """A line for each side of the recurrence alone."""
    kinds = {"forward": "forward", "forward_graph": "in a graph", "both": "and back", "both_graph": "in a graph"}
    for name, figures in alone.items():
        said = [f"{title} {1e3 * figures[kind]:.3f} ms" for kind, title in kinds.items() if kind in figures]
        said += [f"not measured: {figures[kind]}" for kind in ("not_measured",) if kind in figures]
        print(f"  recurrence alone at d = Dh, {precision:<8} {name:<8}{', '.join(said)}", flush=True)


def profile(options: argparse.Namespace, shape: Shape, clock: Clock) -> None:
    """The kernels of one step of a side, by the device's time."""
    import torch
    from gpu_sides import set_products, sides

    every = sides(options.precisions, compiled=True)
    if options.profile not in every:
        sys.exit(f"there is no side {options.profile!r}; there are: {'; '.join(every)}")
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

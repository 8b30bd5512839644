"""The sides of the GPU benchmark: a whole training step by Elman, PyTorch and JAX on one device, in one process.

A side is built for a problem and a device and gives its step, and what the gate looks at: J and all gradients.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from sides import jax_step
from torch import Tensor
from torch_network import TorchLoop, TorchNetwork

from elman.cli.bench import CLIP, RATE
from elman.config import TrainingConfig
from elman.kernels import device_kernels
from elman.training.device import DeviceStep
from elman.training.problem import Batch
from elman.training.records import Progress

PRECISIONS = ("float32", "tf32", "bf16", "float16")
HALF = {"bf16": torch.bfloat16, "float16": torch.float16}
JAX_PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}
LOSS_SCALE = 2.0**14
"""float16's: 1/(T·B·V) would else be zero in it. It is constant and costs nothing: SGD's rate takes it back."""
WARM_UP = 3
REVEALING = 1e6
"""A rate at which weights of float32 are moved by their gradients and nothing else."""

Problem = tuple[Any, Any, Any]  # elman.Parameters, x and y [T,B], on the host
Step = Callable[[], object]


class UnsupportedError(Exception):
    """What a side needs and this machine, or the side, has not."""


@dataclass
class Built:
    """A side that is ready. wait: of a side that is not on PyTorch's stream, until its steps are done."""

    step: Step
    found: dict[str, Any]
    wait: Step | None = None
    note: str = ""


def sides(precisions: list[str], compiled: bool) -> dict[str, tuple[str, Callable[[Problem, str], Built]]]:
    """Precision and builder of every side, by name."""
    found: dict[str, tuple[str, Callable[[Problem, str], Built]]] = {}
    for precision in precisions:
        if precision != "float16":
            found[f"elman {precision}"] = precision, partial(elman_side, precision=precision)
        make = partial(torch_side, precision=precision)
        for graph in (False, True):
            end = " graph" * graph
            found[f"torch nn.RNN {precision}{end}"] = precision, partial(make, graph=graph)
            found[f"torch nn.RNN {precision} linear_cross_entropy{end}"] = (
                precision,
                partial(make, graph=graph, chunked=True),
            )
        for mode in ("default", "reduce-overhead") if compiled else ():
            end = "" if mode == "default" else f" {mode}"
            found[f"torch.compile nn.RNN {precision}{end}"] = precision, partial(make, mode=mode)
            found[f"torch.compile loop {precision}{end}"] = precision, partial(make, mode=mode, loop=True)
        if precision in JAX_PRECISIONS:
            found[f"JAX scan {precision}"] = precision, partial(jax_side, precision=precision)
    return found


def set_products(precision: str) -> None:
    """PyTorch's float32 products in TF32 where the precision is tf32, and else not: those of cuBLAS, and cuDNN's."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def elman_side(given: Problem, device: str, precision: str) -> Built:
    """A step of ours, as training on a device takes it: on CUDA a graph from the second on.

    The gradients are what a step at a very large rate takes from the weights, so large that these no longer round them;
    the rate is a number on the device, so that step is the very one that is timed.
    """
    p, x, y = given
    p, batch, now = p.on(device_kernels(device).at(precision)), Batch(x, y), Progress()
    step = DeviceStep(TrainingConfig(B=x.shape[1], T=len(x), optimizer="sgd", clip=CLIP), p)
    begin = {name: weight.clone() for name, weight in p.items()}

    def again() -> None:
        step.begin_again()
        for name, weight in p.items():
            weight.copy_(begin[name])

    for _ in range(WARM_UP):
        again()
        step.take(batch, REVEALING, now)
        outcome = step.settle()[-1]
    taken = REVEALING * min(1.0, CLIP / outcome.norm)
    found = {name: (begin[name] - weight) / taken for name, weight in p.items()} | {"J": torch.tensor(outcome.J)}
    again()
    return Built(partial(step.take, batch, RATE, now), found)


def torch_side(
    given: Problem, device: str, precision: str, graph: bool = False, mode: str | None = None,
    loop: bool = False, chunked: bool = False,
) -> Built:  # fmt: skip
    """A step of PyTorch's: as it is, captured whole in a CUDA graph, or with its loss compiled in a mode.

    bf16 and float16 by autocast, the weights float32. What the gate sees is what the step itself left, a graph's at its
    replay: of gradients that it has clipped, before that.
    """
    if graph and torch.device(device).type != "cuda":
        raise UnsupportedError("a CUDA graph needs a GPU")
    if chunked and not hasattr(torch.nn, "LinearCrossEntropyOptions"):
        raise UnsupportedError("this PyTorch has no linear_cross_entropy in chunks")
    half = HALF.get(precision)
    network = (TorchLoop if loop else TorchNetwork)(*given, device=device, chunked=chunked, half=half)
    scale = LOSS_SCALE if precision == "float16" else 1.0
    optimizer = torch.optim.SGD(network.weights, RATE / scale)
    run = torch.compile(network.loss, dynamic=False, mode=mode) if mode else network.loss
    left: dict[str, Tensor] = {}

    def step() -> None:
        if mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        J = run()
        (J if scale == 1 else J * scale).backward()
        left["J"] = J.detach()
        left["norm"] = torch.nn.utils.clip_grad_norm_(network.weights, CLIP * scale)
        optimizer.step()

    begin = [weight.detach().clone() for weight in network.weights]
    with torch.no_grad(), network.autocast():
        dtype = network.states().dtype
    play = captured(step) if graph else step
    for _ in range(0 if graph else WARM_UP):
        step()
    with torch.no_grad():
        for weight, value in zip(network.weights, begin, strict=True):
            weight.copy_(value)
    play()
    clipped = scale * (CLIP * scale / (left["norm"] + 1e-6)).clamp(max=1.0)  # 1e-6: clip_grad_norm_'s own
    gradients = {name: gradient / clipped for name, gradient in network.gradients().items()}
    found = gradients | {"J": left["J"].clone()}
    note = "" if dtype == (half or torch.float32) else f"its states are {str(dtype).removeprefix('torch.')}"
    return Built(play, found, note=note)


def captured(step: Step) -> Step:
    """The step as a CUDA graph, after some on a stream of their own; the tensors that it leaves are the graph's."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # waits for the device first
        step()
    replay: Step = graph.replay
    return replay


def jax_side(given: Problem, device: str, precision: str) -> Built:
    """A step of JAX's, on its own streams, so that the clock has to tell."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or it takes three quarters of the memory
    try:
        import jax
    except ImportError:
        raise UnsupportedError("its package is not installed") from None
    expected = "gpu" if torch.device(device).type == "cuda" else "cpu"
    if jax.default_backend() != expected:
        raise UnsupportedError(f"JAX sees no {expected.upper()} here, but its {jax.default_backend().upper()}")
    step, wait, found = jax_step(given, JAX_PRECISIONS[precision])
    return Built(step, {name: torch.tensor(value) for name, value in found.items()}, wait)


def loop_gradients(given: Problem, device: str, precision: str) -> dict[str, Any]:
    """J and the gradients by a plain loop over time, which no library's choice of type gets into."""
    network = TorchLoop(*given, device=device, half=HALF.get(precision))
    J = network.loss()
    J.backward()
    return network.gradients() | {"J": J.detach()}

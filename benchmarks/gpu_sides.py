"""The sides of the GPU benchmark: a whole training step by Elman, PyTorch and JAX on one device, in one process.

A side is built for a problem and a device. It has a step to time, and J and all gradients for the gate.
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
from elman.training.problem import Batch, NextTokenLoss
from elman.training.records import Progress

PRECISIONS = ("float32", "tf32", "bf16", "float16")
HALF = {"bf16": torch.bfloat16, "float16": torch.float16}
JAX_PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}
LOSS_SCALE = 2.0**14
"""For float16, where 1/(T·B·V) would round to zero. It is constant, and costs nothing: SGD's rate is divided by it."""
WARM_UP = 3
REVEALING = 1e6
"""A rate so large that a step leaves nothing of float32 weights but their gradients."""

Problem = tuple[Any, Any, Any]  # elman.Parameters, x and y [T,B], on the host
Step = Callable[[], object]


class UnsupportedError(Exception):
    """A side needs something that this machine, or the side itself, lacks."""


@dataclass
class Built:
    """A side that is ready.

    step    one training step
    arrays  J and all gradients, for the gate
    wait    waits for the end of the steps, of a side that does not use PyTorch's stream
    note    a remark for the table
    """

    step: Step
    arrays: dict[str, Any]
    wait: Step | None = None
    note: str = ""


def sides(precisions: list[str], compiled: bool) -> dict[str, tuple[str, Callable[[Problem, str], Built]]]:
    """(precision, builder) of each side, by name."""
    result: dict[str, tuple[str, Callable[[Problem, str], Built]]] = {}
    for precision in precisions:
        if precision != "float16":
            result[f"elman {precision}"] = precision, partial(elman_side, precision=precision)
        make = partial(torch_side, precision=precision)
        for graph in (False, True):
            end = " graph" * graph
            result[f"torch nn.RNN {precision}{end}"] = precision, partial(make, graph=graph)
            result[f"torch nn.RNN {precision} linear_cross_entropy{end}"] = (
                precision,
                partial(make, graph=graph, chunked=True),
            )
        for mode in ("default", "reduce-overhead") if compiled else ():
            end = "" if mode == "default" else f" {mode}"
            result[f"torch.compile nn.RNN {precision}{end}"] = precision, partial(make, mode=mode)
            result[f"torch.compile loop {precision}{end}"] = precision, partial(make, mode=mode, loop=True)
        if precision in JAX_PRECISIONS:
            result[f"JAX scan {precision}"] = precision, partial(jax_side, precision=precision)
    return result


def set_products(precision: str) -> None:
    """Lets PyTorch's float32 products, in cuBLAS and cuDNN, use TF32 if and only if the precision is tf32."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def elman_side(task: Problem, device: str, precision: str) -> Built:
    """A step of Elman, as in training on a device: on CUDA a graph from the second step on.

    The gradients for the gate are the change of the weights in a step with a very large rate, so that the weights
    do not round them. The rate is a number on the device, so that step and the timed one are the same.
    """
    p, x, y = task
    p, batch, now = p.on(device_kernels(device).at(precision)), Batch(x, y), Progress()
    step = DeviceStep(TrainingConfig(B=x.shape[1], T=len(x), optimizer="sgd", clip=CLIP), p, NextTokenLoss())
    begin = {name: weight.clone() for name, weight in p.items()}

    def restart() -> None:
        step.begin_again()
        for name, weight in p.items():
            weight.copy_(begin[name])

    for _ in range(WARM_UP):
        restart()
        step.take(batch, REVEALING, now)
        outcome = step.settle()[-1]
    taken = REVEALING * min(1.0, CLIP / outcome.norm)
    arrays = {name: (begin[name] - weight) / taken for name, weight in p.items()} | {"J": torch.tensor(outcome.J)}
    restart()
    return Built(partial(step.take, batch, RATE, now), arrays)


def torch_side(
    task: Problem, device: str, precision: str, graph: bool = False, mode: str | None = None,
    loop: bool = False, chunked: bool = False,
) -> Built:  # fmt: skip
    """A step of PyTorch: plain, captured as a whole in a CUDA graph, or with its loss compiled in a mode.

    bf16 and float16 by autocast, with float32 weights. The gate compares the gradients that the step itself leaves (a
    graph at its replay), with the clipping undone.
    """
    if graph and torch.device(device).type != "cuda":
        raise UnsupportedError("a CUDA graph needs a GPU")
    if chunked and not hasattr(torch.nn, "LinearCrossEntropyOptions"):
        raise UnsupportedError("this PyTorch has no linear_cross_entropy in chunks")
    half = HALF.get(precision)
    network = (TorchLoop if loop else TorchNetwork)(*task, device=device, chunked=chunked, half=half)
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
    clipped = scale * (CLIP * scale / (left["norm"] + 1e-6)).clamp(max=1.0)  # 1e-6 as in clip_grad_norm_
    gradients = {name: gradient / clipped for name, gradient in network.gradients().items()}
    arrays = gradients | {"J": left["J"].clone()}
    note = "" if dtype == (half or torch.float32) else f"its states are {str(dtype).removeprefix('torch.')}"
    return Built(play, arrays, note=note)


def captured(step: Step) -> Step:
    """The step as a CUDA graph, after warm-up steps on another stream; the tensors that it sets belong to the graph."""
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


def jax_side(task: Problem, device: str, precision: str) -> Built:
    """A step of JAX, which uses its own streams, so that it is timed by the system clock."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it reserves three quarters of the memory
    try:
        import jax
    except ImportError:
        raise UnsupportedError("its package is not installed") from None
    expected = "gpu" if torch.device(device).type == "cuda" else "cpu"
    if jax.default_backend() != expected:
        raise UnsupportedError(f"JAX finds no {expected.upper()}, only the {jax.default_backend().upper()}")
    step, wait, arrays = jax_step(task, JAX_PRECISIONS[precision])
    return Built(step, {name: torch.tensor(value) for name, value in arrays.items()}, wait)


def loop_gradients(task: Problem, device: str, precision: str) -> dict[str, Any]:
    """J and the gradients by a plain loop over time, in which no library chooses the types."""
    network = TorchLoop(*task, device=device, half=HALF.get(precision))
    J = network.loss()
    J.backward()
    return network.gradients() | {"J": J.detach()}

"""The sides of the training benchmark: the same step by Elman, PyTorch and JAX, and matrix products (the roofline)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from processes import Prepared, Steps

from elman.cli.bench import CLIP, RATE, SHAPES, operands, problem, product_sizes, training_step

__all__ = ["SHAPES", "SIDES", "named", "options_of", "prepare", "problem"]

SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    "elman float32": ("elman", {"precision": "float32"}),
    "elman bf16": ("elman", {"precision": "bf16"}),
    "torch nn.RNN": ("torch", {}),
    "torch nn.RNN, linear_cross_entropy": ("torch", {"chunked": True}),
    "torch.compile nn.RNN": ("torch", {"compiled": True}),
    "torch.compile loop": ("torch", {"compiled": True, "loop": True}),
    "torch nn.RNN bf16": ("torch", {"autocast": True}),
    "torch.compile loop bf16": ("torch", {"compiled": True, "loop": True, "autocast": True}),
    "torch.compile loop, max-autotune": ("torch", {"compiled": True, "loop": True, "tuned": True}),
    "torch.compile loop, max-autotune bf16": (
        "torch",
        {"compiled": True, "loop": True, "autocast": True, "tuned": True},
    ),
    "JAX scan": ("jax", {}),
    "roofline OpenBLAS": ("numpy", {}),
    "roofline torch": ("torch", {}),
}
"""The package of each side, and how it is used. The precision is float32 unless the name says bf16."""


def options_of(description: str | None) -> argparse.ArgumentParser:
    """The options of a benchmark that times sides at these shapes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser


Problem = tuple[Any, Any, Any]  # elman.Parameters, x and y [T,B]


def prepare(name: str, shape: tuple[int, int, int, int, int]) -> Prepared:
    """Runs in the process of the side: its steps, and J with all gradients (for a roofline, the operations)."""
    package, options = SIDES[name]
    if name.startswith("roofline"):
        return products(package, shape)
    makers: dict[str, Callable[..., Prepared]] = {"elman": elman_side, "torch": torch_side, "jax": jax_side}
    return makers[package](problem(*shape), **options)


def elman_side(task: Problem, precision: str) -> Prepared:
    """A step of Elman."""
    import elman
    from elman.kernels import host_kernels

    p, x, y = task
    p = p.with_kernels(host_kernels(precision))
    gradients = named(*elman.loss_and_gradients(p, x, y)[:2])
    return {"step": training_step(p, x, y)}, gradients


def named(J: float, gradients: Any) -> dict[str, Any]:
    """J and the gradients as arrays by name; dense copies."""
    import numpy as np

    arrays = {name: np.array(getattr(gradients, name)) for name in ("W_e", "W_h", "b_1", "U", "b_2")}
    return arrays | {"J": np.float64(J), "E": gradients.E.dense()}


def torch_side(
    task: Problem,
    compiled: bool = False,
    loop: bool = False,
    autocast: bool = False,
    chunked: bool = False,
    tuned: bool = False,
) -> Prepared:
    """A step of PyTorch, on the tanh network that is equal to the sigmoid one: h = (1+g)/2.

    tuned: the compiler tries several kernels for each product, those that it writes itself among them.
    """
    import numpy as np
    import torch
    from torch_network import TorchLoop, TorchNetwork

    half = torch.bfloat16 if autocast else None
    network = (TorchLoop if loop else TorchNetwork)(*task, chunked=chunked, half=half)
    run = network.loss
    if compiled:
        options = {"max_autotune": True, "max_autotune_gemm_backends": "ATEN,CPP"} if tuned else None
        run = torch.compile(network.loss, options=options)
    optimizer = torch.optim.SGD(network.weights, RATE)

    def backward() -> Any:
        optimizer.zero_grad(set_to_none=True)
        J = run()
        J.backward()
        return J.detach()

    def step() -> None:
        backward()
        torch.nn.utils.clip_grad_norm_(network.weights, CLIP)
        optimizer.step()

    J = float(backward())
    gradients = {name: gradient.numpy() for name, gradient in network.gradients().items()}
    return {"step": step}, gradients | {"J": np.float64(J)}


def jax_side(task: Problem) -> Prepared:
    """A step of JAX, waiting for its end."""
    begin, wait, gradients = jax_step(task)

    def step() -> None:
        begin()
        wait()

    return {"step": step}, gradients


def jax_step(
    task: Problem, precision: str | None = None
) -> tuple[Callable[[], None], Callable[[], None], dict[str, Any]]:
    """(step, wait, arrays): a step of JAX, which may return early; what waits for its end; J and all gradients.

    The whole step is jitted, with lax.scan over time. precision: of the products, in JAX's names; None: its default.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    p, x, y = task
    weights = {name: jnp.asarray(array) for name, array in p.items()}
    x_, y_ = jnp.asarray(x), jnp.asarray(y)
    h_0 = jnp.zeros((x.shape[1], p.Dh), jnp.float32)

    def loss(w: Any) -> Any:
        with jax.default_matmul_precision(precision):
            return mean_loss(w)

    def mean_loss(w: Any) -> Any:
        u = w["E"][x_] @ w["W_e"].T + w["b_1"]

        def one(h: Any, u_t: Any) -> tuple[Any, Any]:
            h = jax.nn.sigmoid(u_t + h @ w["W_h"].T)
            return h, h

        _, h = jax.lax.scan(one, h_0, u)
        log_p = jax.nn.log_softmax(h @ w["U"].T + w["b_2"])
        return -jnp.take_along_axis(log_p, y_[..., None], axis=-1).mean()

    gradient = jax.value_and_grad(loss)

    def update(w: Any) -> tuple[Any, Any]:
        J, g = gradient(w)
        norm = jnp.sqrt(sum(jnp.sum(a * a) for a in jax.tree.leaves(g)))
        scale = RATE * jnp.minimum(1.0, CLIP / norm)
        return J, jax.tree.map(lambda a, b: a - scale * b, w, g)

    J, g = jax.jit(gradient)(weights)
    gradients = {name: np.asarray(a) for name, a in g.items()} | {"J": np.float64(J)}
    run = jax.jit(update, donate_argnums=0)
    state = [weights]

    def step() -> None:
        _, state[0] = run(state[0])

    def wait() -> None:
        state[0]["U"].block_until_ready()

    return step, wait, gradients


def products(package: str, shape: tuple[int, int, int, int, int]) -> Prepared:
    """The products to time for the roofline, and their floating-point operations."""
    import numpy as np

    steps: Steps = {}
    work: dict[str, Any] = {}
    for name, (m, n, k) in product_sizes(shape).items():
        a, b = operands(m, n, k)
        out = np.empty((m, n), np.float32)
        kinds: dict[str, Callable[[], object]] = {}
        if package == "numpy":
            kinds["float32"] = partial(np.matmul, a, b.T, out=out)
        else:
            import torch

            for kind, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
                ta, tb, tout = (torch.from_numpy(array).to(dtype) for array in (a, b, out))
                kinds[kind] = partial(torch.mm, ta, tb.T, out=tout)
        for kind, product in kinds.items():
            steps[f"{kind}, {name}"] = product
            work[f"{kind}, {name}"] = 2.0 * m * n * k
    return steps, work

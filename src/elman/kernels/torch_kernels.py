"""The kernels on PyTorch: tensors on any device, in any precision that PyTorch has there.

On CUDA, if Triton is installed, the recurrence, the softmax's gradient and the updates are Triton kernels
(triton_recurrence.py, triton_softmax.py, triton_update.py); ELMAN_TRITON=0 in the environment leaves them out.

Training on a CPU without `--device` never imports this file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from elman.kernels import torch_recurrence, torch_softmax, torch_update
from elman.kernels.groups import Groups
from elman.kernels.host_arrays import kept_of
from elman.kernels.numpy_kernels import LIMIT
from elman.kernels.torch_products import factor, in_tf32, product

Result = TypeVar("Result")


def gpus() -> int:
    """How many GPUs PyTorch sees."""
    return int(torch.cuda.device_count())


def _precise(method: Callable[..., Result]) -> Callable[..., Result]:
    """Runs the method with TF32 products if that is the precision of these kernels."""

    @wraps(method)
    def within(self: TorchKernels, *arguments: Any, **options: Any) -> Result:
        with in_tf32(self.precision == "tf32"):
            return method(self, *arguments, **options)

    return within


class TorchKernels:
    """`protocol.Kernels` on tensors of one device, float32 or float64; J is float64.

    precision: of the products of float32 (torch_products.py); float32: the precision that PyTorch is set to.
    """

    xp = torch

    def __init__(self, device: str = "cpu", precision: str = "float32") -> None:
        self.device, self.precision = torch.device(device), precision

    def __reduce__(self) -> tuple[Any, ...]:
        return TorchKernels, (str(self.device), self.precision)

    def at(self, precision: str) -> TorchKernels:
        """Kernels for the same device in this precision."""
        return TorchKernels(str(self.device), precision)

    @property
    def name(self) -> str:
        """The kernels' name."""
        return f"torch ({self.device})"

    def array(self, values: Any, like: Tensor | None = None) -> Tensor:
        """The values on the device, in the type of `like` if given; memory is shared where nothing changes."""
        if isinstance(values, np.ndarray) and not values.flags.writeable:
            values = values.copy()  # a tensor cannot promise not to write
        return torch.as_tensor(values, device=self.device, dtype=None if like is None else like.dtype)

    def host(self, array: Tensor) -> Any:
        """A NumPy array of the same numbers; on a CPU it shares the tensor's memory."""
        return array.detach().cpu().numpy()

    def zeros(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Zeros in the type of `like`."""
        return like.new_zeros(shape)

    def counter(self) -> Tensor:
        """0, float64, on the device."""
        return torch.zeros((), dtype=torch.float64, device=self.device)

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: Any, like: Tensor) -> Tensor:
        """Inverted dropout: each entry is 0 or 1/keep, drawn on the device.

        generator: PyTorch's, or NumPy's for the seed of one. A seed gives the same mask on the same device, but not
        the host's.
        """
        if not isinstance(generator, torch.Generator):
            seed = int(generator.integers(2**63))
            generator = torch.Generator(self.device).manual_seed(seed)
        kept = kept_of(rate) / 2**16
        drawn = torch.rand(shape, device=self.device, dtype=like.dtype, generator=generator)
        return (drawn < kept).to(like.dtype) / kept

    @_precise
    def recurrence(self, u: Tensor, W_h: Tensor, h_0: Tensor, activation: str, rows: Any = None) -> Tensor:
        """h [T+1,B,Dh] from u [T,B,Dh], or u [n,Dh] and rows [T,B]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
        return torch_recurrence.recurrence(u if rows is None else u[rows], factor(W_h, self.precision), h_0, activation)

    @_precise
    def recurrence_gradient(self, dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), the sum clipped to ±cut where cut > 0."""
        return torch_recurrence.recurrence_gradient(dh, h, factor(W_h, self.precision), activation, cut)

    def state_gradient(self, dh: Tensor, derivative: Tensor, W_h: Tensor) -> tuple[Tensor, Tensor, int]:
        """γ, dz [T,B,Dh], each times 2^-exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ derivative[t]."""
        gamma, W_h = dh.to(torch.float64, copy=True), W_h.double()
        dz, exponent = torch.empty_like(gamma), 0
        for t in range(len(dh) - 1, -1, -1):
            if t < len(dh) - 1:
                gamma[t] += dz[t + 1] @ W_h
            torch.mul(gamma[t], derivative[t], out=dz[t])
            if float(gamma[t].abs().max()) > LIMIT:
                gamma /= LIMIT
                dz[t:] /= LIMIT
                exponent += 300
        return gamma, dz, exponent

    @_precise
    def softmax_cross_entropy(
        self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, scale: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """J [N] and scale times dh [N,Dh], dU [V,Dh], db_2 [V]; the logits exist only a chunk at a time."""
        return torch_softmax.softmax_cross_entropy(h, U, b_2, y, scale, self.precision)

    @_precise
    def cross_entropy(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> Tensor:
        """J [N], float64, in chunks of rows."""
        return torch_softmax.cross_entropy(h, U, b_2, y, self.precision)

    @_precise
    def cross_entropy_gradient(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """J [N], float64, and dh = (ŷ - y) U [N,Dh], in chunks of rows."""
        return torch_softmax.cross_entropy_gradient(h, U, b_2, y, self.precision)

    @_precise
    def product(
        self, a: Tensor, b: Tensor, a_transposed: bool = False, b_transposed: bool = False, bias: Tensor | None = None
    ) -> Tensor:
        """a b [M,N], either factor transposed if asked, plus the bias [N] in every row."""
        left, right = factor(a, self.precision), factor(b, self.precision)
        return product(left.T if a_transposed else left, right.T if b_transposed else right, bias, dtype=a.dtype)

    def sum_of_squares(self, x: Tensor) -> Tensor:
        """Σ x² over all of x, in float64, on the device."""
        return torch.linalg.vector_norm(x, dtype=torch.float64).square()

    def sum_columns(self, x: Tensor) -> Tensor:
        """Σ over the rows of x [N,n]: [n]."""
        return x.sum(0)

    def group(self, tokens: Any, V: int) -> Groups:
        """Which of the tokens [N], each below V, are the same; a token below 0 does not occur.

        Nothing waits for the device.
        """
        tokens = self.array(tokens).long()
        there, tokens = (tokens >= 0).long(), tokens % V
        occurs = torch.zeros(V, dtype=torch.int64, device=self.device).index_add_(0, tokens, there) > 0
        before = occurs.cumsum(0) - occurs.long()  # how many smaller tokens occur
        token = torch.arange(V, device=self.device)
        place = torch.where(occurs, before, occurs.sum() + token - before)  # those that do not occur come last
        index = torch.empty_like(token).scatter_(0, place, torch.where(occurs, token, token - V))
        return Groups(index=index[: min(len(tokens), V)], inverse=place[tokens])

    def sum_rows(self, values: Tensor, groups: Groups) -> Tensor:
        """The sum of each distinct token's rows of values [N,d]: [n,d]."""
        return torch.ops.aten.embedding_dense_backward(values, groups.inverse, len(groups.index), -1, False)

    def contributions_kernel(self, dtype: np.dtype[Any]) -> None:
        """None."""

    def sampler_kernel(self, dtype: np.dtype[Any]) -> None:
        """None."""

    def sgd(self, w: Tensor, g: Tensor, rate: Any, rows: Tensor | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone (torch_update.sgd)."""
        torch_update.sgd(w, g, rate, rows)

    def adam(
        self,
        w: Tensor,
        g: Tensor,
        m: Tensor,
        v: Tensor,
        rate: Any,
        beta: tuple[float, float],
        eps: Any,
        scale: Any,
        rows: Tensor | None = None,
    ) -> None:
        """Adam's step in place on the gradient scale·g; only on these rows of w, m and v, if given."""
        torch_update.adam(w, g, m, v, rate, beta, eps, scale, rows)

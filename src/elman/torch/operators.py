"""The recurrence as two PyTorch operators: differentiable to any order, and compiled whole by torch.compile.

elman::recurrence           h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])
elman::recurrence_gradient  dz [T,B,Dh]: dz[t] = γ[t] ∘ s[t], γ[t] = dh[t] + dz[t+1] W_h, s[t] = f'(z[t]) from h[t+1]

On a CPU, float32 and float64 run on Elman's kernels for NumPy arrays, without a copy; everything else runs on Triton or
plain PyTorch operations (kernels/torch_recurrence.py). docs/derivation.md has the equations.

The second operator is linear in dh, so its own derivative is its transpose, which is the same recursion from the first
step to the last. With a = ∂L/∂dz, λ[t] = a[t] + W_h μ[t-1] and μ[t] = λ[t] ∘ s[t]:

    ∂L/∂dh[t] = μ[t]     ∂L/∂W_h = Σ dz[t+1]^T μ[t]     ∂L/∂h[t+1] = λ[t] ∘ γ[t] ∘ ∂s[t]/∂h[t+1]

(rows are sequences: W_h μ is μ W_h^T in memory). So the derivatives of the two operators need only these two.
"""

from typing import Any  # no annotations from __future__: PyTorch reads the annotations of the operators

import torch
from torch import Tensor

from elman.kernels import host_kernels
from elman.kernels import torch_recurrence as plain
from elman.model.activations import FUNCTIONS


def _on_kernels(x: Tensor) -> bool:
    return bool(x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64))


def _recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    if not _on_kernels(u):
        return plain.recurrence(u, W_h, h_0, activation)
    arrays = [each.detach().numpy() for each in (u, W_h, h_0)]
    return torch.from_numpy(host_kernels().recurrence(arrays[0], arrays[1], arrays[2], activation))


def _recurrence_gradient(dh: Tensor, h: Tensor, W_h: Tensor, activation: str) -> Tensor:
    if not _on_kernels(dh):
        return plain.recurrence_gradient(dh, h, W_h, activation)
    arrays = [each.detach().numpy() for each in (dh, h, W_h)]
    return torch.from_numpy(host_kernels().recurrence_gradient(arrays[0], arrays[1], arrays[2], activation))


def states(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    """h [T+1,B,Dh] by the operator; step by step under torch.func, whose jvp would treat the operator as a constant."""
    if torch.compiler.is_compiling() or not torch._C._are_functorch_transforms_active():
        return recurrence(u, W_h, h_0, activation)
    activate, h = getattr(torch, activation), [h_0]
    for u_t in u:
        h.append(activate(torch.addmm(u_t, h[-1], W_h.T)))
    return torch.stack(h)


recurrence = torch.library.custom_op("elman::recurrence", _recurrence, mutates_args=())
recurrence_gradient = torch.library.custom_op("elman::recurrence_gradient", _recurrence_gradient, mutates_args=())


def _recurrence_shape(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    T, B, Dh = u.shape
    return u.new_empty((T + 1, B, Dh))


def _gradient_shape(dh: Tensor, h: Tensor, W_h: Tensor, activation: str) -> Tensor:
    return dh.new_empty(dh.shape)


def _keep_recurrence(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, W_h, _, ctx.activation = inputs
    ctx.save_for_backward(output, W_h)


def _recurrence_backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, ...]:
    h, W_h = ctx.saved_tensors
    dz = recurrence_gradient(dh[1:], h, W_h, ctx.activation)
    dW_h = _summed(dz, h[:-1]) if ctx.needs_input_grad[1] else None  # Σ_i δ2^(i)T h^(i-1)T
    dh_0 = dh[0] + dz[0] @ W_h if ctx.needs_input_grad[2] else None
    return dz, dW_h, dh_0, None


def _keep_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    dh, h, W_h, ctx.activation = inputs
    ctx.save_for_backward(dh, h, W_h, output)


def _gradient_backward(ctx: Any, a: Tensor) -> tuple[Tensor | None, ...]:
    dh, h, W_h, dz = ctx.saved_tensors
    backwards = torch.cat([h[:1], h[1:].flip(0)])  # its first entry is not read
    mu = recurrence_gradient(a.flip(0), backwards, W_h.T, ctx.activation).flip(0)
    none = torch.zeros_like(dh[:1])
    lambda_ = a + torch.cat([none, mu[:-1] @ W_h.T])
    gamma = dh + torch.cat([dz[1:] @ W_h, none])
    d_h = torch.cat([none, lambda_ * gamma * FUNCTIONS[ctx.activation].derivative_by_h(h[1:])])
    return mu, d_h, _summed(dz[1:], mu[:-1]), None


def _summed(left: Tensor, right: Tensor) -> Tensor:
    """Σ_t left[t]^T right[t], as one product over all rows."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


recurrence.register_fake(_recurrence_shape)
recurrence_gradient.register_fake(_gradient_shape)
recurrence.register_autograd(_recurrence_backward, setup_context=_keep_recurrence)
recurrence_gradient.register_autograd(_gradient_backward, setup_context=_keep_gradient)

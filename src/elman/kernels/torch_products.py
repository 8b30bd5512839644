"""Matrix products of tensors in the precision asked for.

float32, float64  as PyTorch computes them
tf32              float32 with factors rounded to 10 bits, on tensor cores; float32 where there are none
bf16              the factors are bfloat16, the sums and the result float32
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_PRODUCTS = torch.backends.cuda.matmul
_NAME = "fp32_precision" if hasattr(_PRODUCTS, "fp32_precision") else "allow_tf32"  # the former since PyTorch 2.9


def factor(x: Tensor, precision: str) -> Tensor:
    """x as a factor of products: bfloat16 if it is float32 and the precision is bf16."""
    return x.bfloat16() if precision == "bf16" and x.dtype == torch.float32 else x


def product(
    left: Tensor, right: Tensor, plus: Tensor | None = None, out: Tensor | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """left right, plus an array or a row `plus`; written to `out` if given, which may be `plus` itself.

    If the factors are bfloat16 and dtype, `plus` or `out` is float32, so are the sums and the result.
    """
    given = plus if plus is not None else out
    dtype = dtype or (left.dtype if given is None else given.dtype)
    if dtype == left.dtype:
        return torch.mm(left, right, out=out) if plus is None else torch.addmm(plus, left, right, out=out)
    if not (left.is_cuda and hasattr(torch.ops.aten.mm, "dtype_out")):  # PyTorch 2.8 and later, and no CPU
        return product(left.to(dtype), right.to(dtype), plus, out)  # products of two bfloat16 are exact in float32
    if plus is None:
        return torch.mm(left, right, out_dtype=dtype, out=out)
    if plus.dim() == 2:
        return torch.addmm(plus, left, right, out_dtype=dtype, out=out)
    return torch.mm(left, right, out_dtype=dtype, out=out).add_(plus)


def input_precision() -> str:
    """The precision of PyTorch's own float32 products, which the Triton kernels follow: ieee or tf32."""
    return "tf32" if getattr(_PRODUCTS, _NAME) in ("tf32", True) else "ieee"


@contextmanager
def in_tf32(wanted: bool) -> Iterator[None]:
    """Within the block, PyTorch's float32 products run in TF32 if wanted."""
    if not wanted or input_precision() == "tf32":
        yield
        return
    _PRODUCTS.allow_tf32 = True  # sets both of PyTorch's switches
    try:
        yield
    finally:
        _PRODUCTS.allow_tf32 = False

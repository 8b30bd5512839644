"""The operations that training and inference spend their time in, on NumPy, in C++, on PyTorch and in Triton.

`Kernels` (protocol.py) says what they are, choose.py which are used. All pass the same tests.
"""

from elman.kernels.choose import (
    bf16_is_fast,
    choose_again,
    chosen_device,
    device_kernels,
    host_kernels,
    native_built,
    native_in_use,
    uses_tiles,
    why_no_tiles,
)
from elman.kernels.contributions import Contributions
from elman.kernels.groups import Groups
from elman.kernels.protocol import Kernels
from elman.thread_count import processors, threads

__all__ = [
    "Contributions", "Groups", "Kernels", "bf16_is_fast", "choose_again", "chosen_device", "device_kernels",
    "host_kernels", "native_built", "native_in_use", "processors", "threads", "uses_tiles", "why_no_tiles",
]  # fmt: skip

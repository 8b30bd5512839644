"""Several processes on one run, as `torchrun` starts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import ConfigError
from elman.thread_count import processors, whole_number

if TYPE_CHECKING:
    from elman.training.team import Team


def joined(device: str | None, run: Path | None) -> tuple[Team, str | None]:
    """The processes that `torchrun` started, or this one alone; and the device of this process, one GPU for each.

    Call it before kernels are chosen: several processes share the threads. Raises ConfigError for what one process
    alone can do, MissingExtraError without PyTorch.
    """
    from elman.kernels import chosen_device
    from elman.training.team import ALONE

    here = whole_number("LOCAL_WORLD_SIZE")
    if here is None or (whole_number("WORLD_SIZE") or 1) < 2:
        return ALONE, device
    if device and device.startswith("cuda:"):
        raise ConfigError(f"several processes take a GPU each: --device cuda, not {device}")
    if run is None:
        raise ConfigError("several processes need the same run folder: name it with --out RUN")
    os.environ.setdefault("ELMAN_THREADS", f"{max(1, processors() // here)}")
    own = f"cuda:{os.environ['LOCAL_RANK']}" if device in ("cuda", "auto") and chosen_device(device) else None
    chosen_device(own)  # raises where there is none
    from elman.torch.team import TorchTeam

    return TorchTeam(gpus=own is not None), own

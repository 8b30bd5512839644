"""Several processes on one run, as `torchrun` starts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import ConfigError

if TYPE_CHECKING:
    from elman.training.team import Team


def joined(device: str | None, run: Path | None) -> Team:
    """The processes that `torchrun` started, or this one alone. Threads are shared out among several.

    To be called before a backend is made. Raises ConfigError for what one process alone can do, MissingExtraError
    without PyTorch.
    """
    from elman.kernels.numpy_backend import processors
    from elman.training.team import ALONE

    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "LOCAL_WORLD_SIZE" not in os.environ:
        return ALONE
    if device not in (None, "cpu"):
        raise ConfigError("several processes train on the CPU alone: leave out --device")
    if run is None:
        raise ConfigError("several processes need to be told the run's folder: name it with --out RUN")
    os.environ.setdefault("ELMAN_THREADS", f"{max(1, processors() // int(os.environ['LOCAL_WORLD_SIZE']))}")
    from elman.torch.team import TorchTeam

    return TorchTeam()

"""Several processes on one run, started by `torchrun`; torch.distributed averages: gloo on CPUs, NCCL on GPUs.

Dense gradients go as one array; the rows of E as rows, those that several processes have added up.
"""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import NDArray
from torch.nn import functional

from elman.errors import ElmanError
from elman.kernels import backend_of
from elman.model.bptt import Backward
from elman.model.parameters import Rows

Result = TypeVar("Result")


class LostProcessError(ElmanError):
    """Another process of the run is gone."""

    exit_code = 1


def _told(method: Callable[..., Result]) -> Callable[..., Result]:
    """What gloo says when a process is gone, in a sentence."""

    @wraps(method)
    def held(*arguments: Any) -> Result:
        try:
            return method(*arguments)
        except RuntimeError as error:
            raise LostProcessError(
                "another process of this run was lost, so this one ends too; the last checkpoint stands: "
                "go on with --resume, with as many processes as there are"
            ) from error

    return held


class TorchTeam:
    """The processes of a `torchrun`."""

    def __init__(self, gpus: bool = False) -> None:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
        atexit.register(self._end)
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.held: deque[torch.Tensor] = deque(maxlen=4)

    def _end(self) -> None:
        """Ends gloo's threads, which must end before the interpreter does.

        A thread that was the last to let go of a tensor would wait for the interpreter, which here waits for the
        thread: so the tensors of the last exchanges are held until then. (PyTorch 2.6 hung so, now and then.)
        """
        distributed.destroy_process_group()
        self.held.clear()

    @_told
    def mean(self, found: Backward) -> None:
        """One sum of all dense gradients, one exchange of the rows of E; on a device nothing waits for it."""
        dense = []
        for name, gradient in found.gradients.distinct():
            if isinstance(gradient, Rows):
                setattr(found.gradients, name, self._rows(gradient))
            else:
                dense.append(torch.as_tensor(gradient))  # the same memory
        flat = torch.cat([gradient.reshape(-1) for gradient in dense])
        J = torch.as_tensor(found.J, dtype=torch.float64).clone()
        distributed.all_reduce(flat)
        distributed.all_reduce(J)
        found.J = J / self.size
        for gradient, part in zip(dense, flat.split([gradient.numel() for gradient in dense]), strict=True):
            torch.div(part.reshape(gradient.shape), self.size, out=gradient)

    def _rows(self, mine: Rows) -> Rows:
        values = torch.as_tensor(mine.values)
        on_host = not isinstance(mine.values, torch.Tensor)
        counts = self._counts(len(values)) if on_host else [len(values)] * self.size  # on a device all have as many
        more = max(counts) - len(values)
        index = functional.pad(torch.as_tensor(mine.index).long(), (0, more))
        tokens, rows = (
            torch.cat([each[:count] for each, count in zip(self._gathered(part), counts, strict=True)])
            for part in (index, functional.pad(values, (0, 0, 0, more)))
        )
        if on_host:
            tokens, rows = tokens.numpy(), rows.numpy()
        kernels = backend_of(rows)
        groups = kernels.group(tokens, mine.shape[0])
        return Rows(groups.index, kernels.sum_rows(rows, groups) / self.size, mine.shape)

    def _counts(self, mine: int) -> list[int]:
        return [int(count) for count in self._gathered(torch.tensor(mine))]

    @_told
    def agreed(self, *values: float) -> tuple[float, ...]:
        """The first process's."""
        told = torch.tensor(values, dtype=torch.float64)
        self.held.append(told)
        distributed.broadcast(told, 0)
        return tuple(told.tolist())

    @_told
    def any(self, flag: bool) -> bool:
        """Whether one says so."""
        said = torch.tensor([int(flag)])
        self.held.append(said)
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return bool(said)

    @_told
    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """Those of process 0, then of process 1, …"""
        return np.concatenate([each.numpy() for each in self._gathered(torch.from_numpy(np.ascontiguousarray(h)))])

    @_told
    def wait(self) -> None:
        """A barrier, of the processes and not of their devices."""
        self.any(False)

    def _gathered(self, mine: Any) -> list[Any]:
        found = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(found, mine)
        return found

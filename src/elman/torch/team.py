"""Several processes on one run, started by `torchrun`: gradients averaged by torch.distributed (gloo, on CPUs).

Dense gradients go as one array; the rows of E as rows, those that several processes have added up.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import NDArray

from elman.errors import ElmanError
from elman.kernels import backend
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

    def __init__(self) -> None:
        distributed.init_process_group("gloo")
        atexit.register(distributed.destroy_process_group)  # its threads must end before the interpreter does
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    @_told
    def mean(self, found: Backward) -> None:
        """One sum of all dense gradients, one exchange of the rows of E."""
        dense = []
        for name, gradient in found.gradients.distinct():
            if isinstance(gradient, Rows):
                setattr(found.gradients, name, self._rows(gradient))
            else:
                dense.append(gradient)
        flat = torch.from_numpy(np.concatenate([gradient.ravel() for gradient in dense]))
        J = torch.tensor([found.J], dtype=torch.float64)
        distributed.all_reduce(flat)
        distributed.all_reduce(J)
        found.J = float(J) / self.size
        at, summed = 0, flat.numpy()
        for gradient in dense:
            np.divide(summed[at : at + gradient.size].reshape(gradient.shape), self.size, out=gradient)
            at += gradient.size

    def _rows(self, mine: Rows) -> Rows:
        counts = self._gathered(torch.tensor([len(mine.index)]))
        most = int(max(count[0] for count in counts))
        index = torch.zeros(most, dtype=torch.int64)
        index[: len(mine.index)] = torch.from_numpy(mine.index.astype(np.int64))
        values = torch.zeros((most, mine.shape[1]), dtype=torch.from_numpy(mine.values).dtype)
        values[: len(mine.index)] = torch.from_numpy(mine.values)
        kept = [slice(0, int(count[0])) for count in counts]
        tokens = np.concatenate([each.numpy()[k] for each, k in zip(self._gathered(index), kept, strict=True)])
        rows = np.concatenate([each.numpy()[k] for each, k in zip(self._gathered(values), kept, strict=True)])
        groups = backend().group(tokens, mine.shape[0])
        return Rows(groups.index, backend().sum_rows(rows, groups) / rows.dtype.type(self.size), mine.shape)

    @_told
    def agreed(self, *values: float) -> tuple[float, ...]:
        """The first process's."""
        told = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(told, 0)
        return tuple(told.tolist())

    @_told
    def any(self, flag: bool) -> bool:
        """Whether one says so."""
        said = torch.tensor([int(flag)])
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return bool(said)

    @_told
    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """Those of process 0, then of process 1, …"""
        return np.concatenate([each.numpy() for each in self._gathered(torch.from_numpy(np.ascontiguousarray(h)))])

    @_told
    def wait(self) -> None:
        """A barrier."""
        distributed.barrier()

    def _gathered(self, mine: Any) -> list[Any]:
        found = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(found, mine)
        return found

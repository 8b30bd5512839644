"""Several processes on one run, started by `torchrun`. torch.distributed averages: gloo on CPUs, NCCL on GPUs.

Dense gradients are exchanged as one array; the rows of E as rows, and rows of the same token are summed.
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
from elman.kernels import Kernels
from elman.model.bptt import Backward
from elman.model.embedding import Rows

Result = TypeVar("Result")


class LostProcessError(ElmanError):
    """Another process of the run was lost."""

    exit_code = 1


def _exchange(method: Callable[..., Result]) -> Callable[..., Result]:
    """Raises LostProcessError for the error of gloo when another process is lost."""

    @wraps(method)
    def checked(*arguments: Any) -> Result:
        try:
            return method(*arguments)
        except RuntimeError as error:
            raise LostProcessError(
                "another process of this run was lost, so this one ends too; the last checkpoint is complete: "
                "continue with --resume, with as many processes as are left"
            ) from error

    return checked


class TorchTeam:
    """The processes of a `torchrun`."""

    def __init__(self, gpus: bool = False) -> None:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
        atexit.register(self._end)
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.recent: deque[torch.Tensor] = deque(maxlen=4)

    def _end(self) -> None:
        """Ends gloo's threads before the interpreter ends.

        A gloo thread that frees a tensor needs the interpreter, which here waits for the thread; so the tensors of the
        last exchanges are kept until the threads have ended. (PyTorch 2.6 sometimes deadlocked without this.)
        """
        distributed.destroy_process_group()
        self.recent.clear()

    @_exchange
    def mean(self, result: Backward) -> None:
        """One sum of all dense gradients, one exchange of the rows of E; on a device nothing waits for it."""
        dense, gradients = [], result.gradients
        for name, gradient in gradients.distinct():
            if isinstance(gradient, Rows):
                setattr(gradients, name, self._rows(gradient, gradients.kernels))
            else:
                dense.append(torch.as_tensor(gradient))  # the same memory
        flat = torch.cat([gradient.reshape(-1) for gradient in dense])
        J = torch.as_tensor(result.J, dtype=torch.float64).clone()
        distributed.all_reduce(flat)
        distributed.all_reduce(J)
        result.J = J / self.size
        for gradient, part in zip(dense, flat.split([gradient.numel() for gradient in dense]), strict=True):
            torch.div(part.reshape(gradient.shape), self.size, out=gradient)

    def _rows(self, mine: Rows, kernels: Kernels) -> Rows:
        """The mean of the processes' rows, one row a token."""
        values = torch.as_tensor(mine.values)
        on_host = not isinstance(mine.values, torch.Tensor)
        counts = (
            self._counts(len(values)) if on_host else [len(values)] * self.size
        )  # on a device all processes have as many
        more = max(counts) - len(values)
        index = functional.pad(torch.as_tensor(mine.index).long(), (0, more))
        tokens, rows = (
            torch.cat([each[:count] for each, count in zip(self._gathered(part), counts, strict=True)])
            for part in (index, functional.pad(values, (0, 0, 0, more)))
        )
        if on_host:
            tokens, rows = tokens.numpy(), rows.numpy()
        groups = kernels.group(tokens, mine.shape[0])
        return Rows(groups.index, kernels.sum_rows(rows, groups) / self.size, mine.shape)

    def _counts(self, mine: int) -> list[int]:
        return [int(count) for count in self._gathered(torch.tensor(mine))]

    @_exchange
    def agreed(self, *values: float) -> tuple[float, ...]:
        """The values of the first process."""
        shared = torch.tensor(values, dtype=torch.float64)
        self.recent.append(shared)
        distributed.broadcast(shared, 0)
        return tuple(shared.tolist())

    @_exchange
    def any(self, flag: bool) -> bool:
        """Whether the flag of any process is set."""
        largest = torch.tensor([int(flag)])
        self.recent.append(largest)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return bool(largest)

    @_exchange
    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """The rows of process 0, then of process 1, …"""
        return np.concatenate([each.numpy() for each in self._gathered(torch.from_numpy(np.ascontiguousarray(h)))])

    @_exchange
    def wait(self) -> None:
        """A barrier of the processes, not of their devices."""
        self.any(False)

    def _gathered(self, mine: Any) -> list[Any]:
        all_of_them = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(all_of_them, mine)
        return all_of_them

"""Several processes that share the batches of a training, each on a GPU of its own as a rule.

``python -m paddle.distributed.launch tools/train.py`` starts them; a process is known by its rank. Each encodes its
part of a batch and scores its images with all texts; scores are gathered with their gradient, so that loss and gradients
are those of one process. A training of one has :data:`ALONE`, of which every method gives back what it is given.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator, TypeVar

import numpy as np
import paddle
import paddle.distributed as dist
from paddle.autograd import PyLayer

from ..config import OptimConfig
from ..errors import InputError
from .companions import Companions

Encoded = TypeVar("Encoded", bound=tuple)
_STOP_EVERY = 8  # updates after which processes agree whether to stop: asking takes a GPU's time


class Ranks:
    """A process among ``size``, of number ``rank``; the first one writes what a run leaves."""

    def __init__(self, rank: int = 0, size: int = 1, companions: Companions | None = None):
        self.rank, self.size, self._companions = rank, size, companions

    @property
    def writes(self) -> bool:
        """Return whether this process writes checkpoints and logs."""
        return self.rank == 0

    def seed(self, seed: int) -> int:
        """Return a seed of this process alone, made of one that all have, below 2^53."""
        return seed + (self.rank << 53)

    def meet(self) -> None:
        """Return when all processes have called this, however long that takes."""
        if self._companions is not None:
            self._companions.meet()

    def stop(self, requested: bool, update: int) -> bool:
        """Return whether a stop was requested of any process, the same in all; asked after every eighth ``update``."""
        if self.size == 1:
            return requested
        return update % _STOP_EVERY == 0 and self._largest(int(requested)) > 0

    def require_same(self, number: int, what: str) -> None:
        """Raise InputError unless all processes give the same number; ``what`` it is."""
        if self.size > 1 and self._largest(number) != -self._largest(-number):
            shared = "run.dir and data.dir must be one directory that all machines share"
            raise InputError(f"rank {self.rank} finds {number} {what}, another rank another number: {shared}")

    def gather(self, rows: paddle.Tensor, sum_gradients: bool = False) -> paddle.Tensor:
        """Return the rows (n, ...) of all processes, (size * n, ...), in the order of their ranks.

        Args:
            sum_gradients: each process uses all rows in a way of its own, so that the gradient of one's rows is the
                sum over processes. Without it all use them alike, and each has the gradient of its rows already.
        """
        if self.size == 1:
            return rows
        if rows.stop_gradient or not paddle.is_grad_enabled():
            return _gather(rows)
        return _Gather.apply(rows, self, sum_gradients)

    def gather_encoded(self, encoded: Encoded) -> Encoded:
        """Return the (vectors, mask or None) of all processes; each uses them in a way of its own."""
        if self.size == 1:
            return encoded
        vectors, mask = encoded
        return type(encoded)(self.gather(vectors, sum_gradients=True), None if mask is None else self.gather(mask))

    def map(self, score: Callable[[np.ndarray], paddle.Tensor], n: int) -> paddle.Tensor:
        """Return ``score(numbers)`` (P,) of the numbers 0 to n - 1, of which each process scores a part."""
        share = -(-n // self.size)
        numbers = np.arange(self.rank * share, (self.rank + 1) * share)
        return self.gather(score(np.minimum(numbers, n - 1)))[:n] if self.size > 1 else score(numbers)

    def own_part(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Return this process's rows of those of all processes."""
        own = len(rows) // self.size
        return rows if self.size == 1 else rows[self.rank * own : (self.rank + 1) * own]

    def sum(self, tensor: paddle.Tensor) -> paddle.Tensor:
        """Return the sum over processes, in ``tensor`` itself."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Iterable[paddle.Tensor]) -> None:
        """Replace each parameter's gradient by its sum over processes."""
        if self.size > 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)

    def share(self, tensors: Iterable[paddle.Tensor]) -> None:
        """Replace tensors by those of the first process."""
        if self.size > 1:
            with paddle.no_grad():
                for tensor in tensors:
                    dist.broadcast(tensor, 0)

    def _largest(self, number: int) -> int:
        return _largest(number)


ALONE = Ranks()


class _Gather(PyLayer):
    @staticmethod
    def forward(ctx, rows, ranks, sum_gradients):
        ctx.ranks, ctx.sum_gradients = ranks, sum_gradients
        return _gather(rows)

    @staticmethod
    def backward(ctx, gradient):
        if ctx.sum_gradients:
            gradient = ctx.ranks.sum(gradient.clone())
        return ctx.ranks.own_part(gradient)


def _gather(rows: paddle.Tensor) -> paddle.Tensor:
    parts = []
    dist.all_gather(parts, rows.detach())
    return paddle.concat(parts)


def _largest(number: int) -> int:
    tensor = paddle.to_tensor([number], dtype="int64")
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return int(tensor)


def started() -> tuple[int, int]:
    """Return rank and number of the processes, as ``paddle.distributed.launch`` says them: (0, 1) without it."""
    try:
        rank, size = int(os.environ.get("PADDLE_TRAINER_ID", 0)), int(os.environ.get("PADDLE_TRAINERS_NUM", 1))
    except ValueError:
        rank, size = -1, 0
    if not 0 <= rank < size:
        raise InputError("PADDLE_TRAINER_ID or PADDLE_TRAINERS_NUM is no rank: unset both, or start by"
                         " python -m paddle.distributed.launch")  # fmt: skip
    return rank, size


def check_shares(config: OptimConfig, size: int) -> None:
    """Raise InputError if ``size`` processes cannot share a batch evenly, or its chunks do not divide their parts."""
    batch, chunk = config.batch_size, config.chunk
    if batch % size:
        way = f"choose a multiple, such as {-(-batch // size) * size}, or another number of processes"
        raise InputError(f"optim.batch_size {batch}: {size} processes cannot share it evenly; {way}")
    if chunk and (batch // size) % chunk:
        of = f"a process's {batch // size} pairs of a batch" if size > 1 else f"optim.batch_size ({batch})"
        raise InputError(f"optim.chunk {chunk}: does not divide {of}; choose a divisor, or 0 for no chunks")


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that were started together; yields this one's :class:`Ranks`, :data:`ALONE` if it is one.

    Raises InputError if they cannot reach each other. Whoever leaves by an exception lets all others end, too.
    """
    rank, size = started()
    if size == 1:
        yield ALONE
        return
    companions = _join(rank, size)
    try:
        yield Ranks(rank, size, companions)
    except BaseException as error:
        companions.leave(error)
        raise
    companions.leave(None)


def _join(rank: int, size: int) -> Companions:
    place = os.environ.get("PADDLE_MASTER") or os.environ.get("PADDLE_TRAINER_ENDPOINTS", "").split(",")[0]
    host, colon, port = place.rpartition(":")
    if not (colon and port.isdigit()):
        missing = "neither PADDLE_MASTER nor PADDLE_TRAINER_ENDPOINTS names a host and port"
        raise InputError(f"{size} processes were started, but {missing}: use python -m paddle.distributed.launch")
    if not paddle.is_compiled_with_cuda():
        os.environ.setdefault("PADDLE_DISTRI_BACKEND", "gloo")
    companions = Companions(rank, size, host, int(port))
    if rank:
        time.sleep(0.5)  # Paddle asks again after three seconds only, if it finds nobody
    with contextlib.redirect_stderr(io.StringIO()):  # Paddle prints the flags that differ from its own
        dist.init_parallel_env()
    return companions

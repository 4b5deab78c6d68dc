"""A bounded number of threads for the work of requests, with a short queue before it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from starlette.requests import Request

from .limits import Load
from .refusal import Refusal, busy

Result = TypeVar("Result")


class Gate:
    """Lets so many calls run at once, and so many wait.

    Args:
        name: of the threads.
        workers: calls at once.
        load: how many may wait, and how long.
    """

    def __init__(self, name: str, workers: int, load: Load):
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._free, self._most, self._seconds = asyncio.Semaphore(workers), load.waiting, load.seconds
        self.waiting = self.running = 0

    async def run(self, request: Request, function: Callable[..., Result], *arguments) -> Result:
        """Return what a call returns, in a thread of its own.

        Raises:
            Refusal: too many wait, it waited for too long, or whoever asked has gone meanwhile.
        """
        await self._enter()
        try:
            if await request.is_disconnected():  # as most do who type on: their older searches are not done
                raise Refusal(408, "whoever asked has gone")
            loop, future = asyncio.get_running_loop(), self._pool.submit(function, *arguments)
        except BaseException:
            self._leave()
            raise
        # Not when this task ends, which may be cancelled while the thread goes on.
        future.add_done_callback(lambda _: _call_in(loop, self._leave))
        return await asyncio.wrap_future(future)

    async def _enter(self) -> None:
        if self._free.locked() and self.waiting >= self._most:
            raise busy()
        self.waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), self._seconds)
        except asyncio.TimeoutError:
            raise busy() from None
        finally:
            self.waiting -= 1
        self.running += 1

    def _leave(self) -> None:
        self.running -= 1
        self._free.release()


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop has ended
        pass

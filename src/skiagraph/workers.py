"""CPU work beside the event loop: a bounded pool of threads, identical work done once, results kept for a while.

The libraries that do the work release the GIL. One instance serves one process; its methods belong to the event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class _Wanted:
    """Something that is made as long as somebody waits for it, or to its end where it was begun `ahead`."""

    def __init__(self, task: asyncio.Task[Any], *, ahead: bool) -> None:
        self.task = task
        self.ahead = ahead
        self.waiting = 0


class Workers:
    """A pool of threads with a memory.

    Parameters
    ----------
    threads
        Pieces of work done at a time; more of them wait in line.
    limit
        Bytes of results that `once` keeps; one of more than a quarter of it is not kept.
    """

    def __init__(self, threads: int = 2, limit: int = 64 * 2**20) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._wanted: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Wanted]] = WeakKeyDictionary()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call a function in one of the threads."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="worker")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def to_the_end(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call a function in one of the threads, and wait for it even when nobody wants the result any more.

        For what is done step by step to one thing, which nobody else may touch or close before the step is over.
        """
        step = asyncio.ensure_future(self.run(work, *arguments))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():
                try:
                    await asyncio.wait({step})
                except asyncio.CancelledError:
                    continue
            if not step.cancelled():
                step.exception()
            raise

    @asynccontextmanager
    async def turn(self, line: str, most: int | None = None) -> AsyncIterator[None]:
        """Wait in a line for something that takes many pieces of work, or much memory all the while.

        As many are under way at a time as there are threads, or `most` of them; each line has its own.
        """
        lines = self._turns.setdefault(asyncio.get_running_loop(), {})
        async with lines.setdefault(line, asyncio.Semaphore(most or self._threads)):
            yield

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int] | None = None) -> T:
        """Return the result of `make`, which is awaited once for all that ask for the same key at a time.

        Parameters
        ----------
        key
            Names the result: whoever gives the same key gets the same result, now or for as long as it is kept.
        make
            Makes it. It is cancelled when the last of those who wait has given up; what it raises is raised by all.
        size
            Bytes of a result; None: it is not kept.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            result: T = kept[0]
            return result
        here = self._here()
        wanted = here.get(key) or self._start(key, make, size, ahead=False)
        wanted.waiting += 1
        try:
            made: T = await asyncio.shield(wanted.task)
            return made
        finally:
            wanted.waiting -= 1
            if not (wanted.waiting or wanted.ahead or wanted.task.done()):
                if here.get(key) is wanted:
                    del here[key]  # who asks now begins anew
                wanted.task.cancel()

    def ahead(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> None:
        """Begin with what will be asked for next by `once`, if there is a thread for it.

        It comes to nothing where the result is too large to be kept and nobody asks while it is made.
        """
        here = self._here()
        if key not in self._kept and key not in here and len(here) < self._threads:
            self._start(key, make, size, ahead=True)

    def close(self) -> None:
        """Let the threads end, once they have done what they are at."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        self._kept.clear()
        self._bytes = 0

    def _here(self) -> dict[Hashable, _Wanted]:
        """What is under way on this event loop."""
        return self._wanted.setdefault(asyncio.get_running_loop(), {})

    def _start(
        self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int] | None, *, ahead: bool
    ) -> _Wanted:
        here = self._here()
        wanted = here[key] = _Wanted(asyncio.create_task(self._make(key, make, size)), ahead=ahead)

        def done(task: asyncio.Task[Any]) -> None:
            if here.get(key) is wanted:
                del here[key]
            if not task.cancelled():
                task.exception()  # raised by those who wait; where nobody does any more, nobody has to know

        wanted.task.add_done_callback(done)
        return wanted

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int] | None) -> T:
        result = await make()
        if size is not None:
            self._keep(key, result, size(result))
        return result

    def _keep(self, key: Hashable, result: Any, size: int) -> None:
        if size > self._limit // 4 or key in self._kept:
            return
        self._kept[key] = result, size
        self._bytes += size
        while self._bytes > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

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
    """Something that is made as long as somebody waits for it."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
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
        self._under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[Any]]]
        self._under_way = WeakKeyDictionary()
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
    async def turn(self, line: str) -> AsyncIterator[None]:
        """Wait in a line for something that takes many pieces of work, and memory all the while.

        As many are under way at a time as there are threads; each line has its own.
        """
        lines = self._turns.setdefault(asyncio.get_running_loop(), {})
        async with lines.setdefault(line, asyncio.Semaphore(self._threads)):
            yield

    async def while_wanted(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `make`, which is awaited once for all that ask for the same key at a time.

        Unlike `once` it keeps nothing, and `make` is cancelled when the last of those who wait has given up.
        """
        here = self._wanted.setdefault(asyncio.get_running_loop(), {})
        wanted = here.get(key)
        if wanted is None:
            wanted = here[key] = _Wanted(asyncio.ensure_future(make()))

            def done(task: asyncio.Task[Any]) -> None:
                if here.get(key) is wanted:
                    del here[key]
                if not task.cancelled():
                    task.exception()

            wanted.task.add_done_callback(done)
        wanted.waiting += 1
        try:
            result: T = await asyncio.shield(wanted.task)
            return result
        finally:
            wanted.waiting -= 1
            if not wanted.waiting and not wanted.task.done():
                if here.get(key) is wanted:
                    del here[key]  # who asks now begins anew
                wanted.task.cancel()

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        """Return the result of `make`, which is awaited once for all that ask for the same key at a time.

        Parameters
        ----------
        key
            Names the result: whoever gives the same key gets the same result, now or for as long as it is kept.
        make
            Makes it. It goes on when those who wait give up, and what it raises is raised by all who wait.
        size
            Bytes of a result.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            result: T = kept[0]
            return result
        return await asyncio.shield(self._start(key, make, size))

    def ahead(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> None:
        """Begin with what will be asked for next by `once`, if there is a thread for it.

        It comes to nothing where the result is too large to be kept and nobody asks while it is made.
        """
        if key not in self._kept and len(self._here()) < self._threads:
            self._start(key, make, size)

    def close(self) -> None:
        """Let the threads end, once they have done what they are at."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        self._kept.clear()
        self._bytes = 0

    def _here(self) -> dict[Hashable, asyncio.Task[Any]]:
        """What is under way on this event loop."""
        return self._under_way.setdefault(asyncio.get_running_loop(), {})

    def _start(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> asyncio.Task[T]:
        here = self._here()
        task: asyncio.Task[T] | None = here.get(key)
        if task is None:
            task = here[key] = asyncio.create_task(self._make(key, make, size))
            task.add_done_callback(lambda done: self._done(here, key, done))
        return task

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        result = await make()
        self._keep(key, result, size(result))
        return result

    @staticmethod
    def _done(here: dict[Hashable, asyncio.Task[Any]], key: Hashable, task: asyncio.Task[Any]) -> None:
        here.pop(key, None)
        if not task.cancelled():
            task.exception()  # raised by those who wait; where nobody does any more, nobody has to know

    def _keep(self, key: Hashable, result: Any, size: int) -> None:
        if size > self._limit // 4 or key in self._kept:
            return
        self._kept[key] = result, size
        self._bytes += size
        while self._bytes > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

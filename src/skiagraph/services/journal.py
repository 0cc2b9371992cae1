"""The journal: changes of records that are asked for together are committed together.

While one group is being committed, what comes waits for the next: under load one flush to the disk serves many
requests, and a lone request waits for nobody. Each change is undone alone when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from skiagraph.bus.base import Bus, Topic
from skiagraph.index.base import Books, RecordIndex

log = structlog.get_logger("journal")

T = TypeVar("T")

_MOST = 500
"""Changes in one group: bounds how long one transaction lasts."""


class Journal:
    """Changes the records for all requests of one process, and wakes who waits for event reports."""

    def __init__(self, index: RecordIndex, bus: Bus) -> None:
        self._index = index
        self._bus = bus
        self._waiting: list[tuple[Callable[[Books], Any], asyncio.Future[Any]]] = []
        self._running: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Books], T]) -> T:
        """Run a function on the books; return its result once it is durable and visible.

        The function may not block nor keep the books; it can be run in any thread. What it raises, this raises, and
        nothing of it is kept.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return await asyncio.shield(future)  # a client that goes away takes nothing back

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                results = await asyncio.to_thread(self._results, [work for work, _ in group])
                self._bus.publish(Topic.REPORTS)
                for (_, future), result in zip(group, results, strict=True):
                    if isinstance(result, Exception):
                        future.set_exception(result)
                        future.exception()  # heard, even where the client went away
                    else:
                        future.set_result(result)
        finally:
            self._running = None

    def _results(self, group: list[Callable[[Books], Any]]) -> list[Any]:
        try:
            return self._index.together(group)
        except Exception as error:
            # Nobody may wait for an answer that never comes.
            log.warning("a group of changes failed", changes=len(group), error=type(error).__name__)
            return [error] * len(group)

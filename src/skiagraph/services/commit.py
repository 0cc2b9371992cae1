"""Group commit: Instances that are ready together become durable and visible together.

While one group is being committed, what gets ready waits for the next: under load one flush of a folder and
one index transaction serve many requests, and a lone request waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from skiagraph.blobs.base import BlobStore, Staged
from skiagraph.bus.base import Bus, Topic
from skiagraph.errors import ArchiveError
from skiagraph.index.base import Added, InstanceIndex, Outcome, Policy

log = structlog.get_logger("store")

_MOST = 256
"""Instances in one group: bounds how long one transaction lasts."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An Instance whose bytes are written and whose rows are made."""

    staged: Staged
    prepared: Any


class GroupCommit:
    """Commits Instances of all requests of one process."""

    def __init__(
        self, blobs: BlobStore, index: InstanceIndex, policy: Policy, bus: Bus, *, keep_committed: float = 0.0
    ) -> None:
        self._blobs = blobs
        self._index = index
        self._policy: Policy = policy
        self._keep_committed = keep_committed
        self._bus = bus
        self._waiting: list[tuple[Ready, asyncio.Future[Added]]] = []
        self._running: asyncio.Task[None] | None = None

    async def commit(self, ready: Ready) -> Added:
        """Return when the Instance is durable and visible, or is not going to be.

        Raises
        ------
        StorageFull, Unavailable
            Nothing of this Instance was kept.
        """
        future: asyncio.Future[Added] = asyncio.get_running_loop().create_future()
        self._waiting.append((ready, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                results = await asyncio.to_thread(self._results, [ready for ready, _ in group])
                self._bus.publish(Topic.CHANGES)
                for (_, future), result in zip(group, results, strict=True):
                    if future.cancelled():
                        continue  # the client went away; what is committed stays committed
                    if isinstance(result, Added):
                        future.set_result(result)
                    else:
                        future.set_exception(result)
        finally:
            self._running = None

    def _results(self, group: Sequence[Ready]) -> list[Added | Exception]:
        try:
            return self._commit_group(group)
        except Exception as error:
            # Nobody may wait for an answer that never comes.
            log.exception("group commit failed", instances=len(group))
            return [error] * len(group)

    def _commit_group(self, group: Sequence[Ready]) -> list[Added | Exception]:
        staged = [ready.staged for ready in group]
        try:
            self._blobs.publish(staged)
        except Exception as error:
            for one in staged:
                one.discard()
            self._blobs.delete(one.key for one in staged)
            return [error] * len(group)
        results = self._add([ready.prepared for ready in group])
        try:
            self._drop_unnamed(staged, results)
            self._blobs.settle(staged)
        except Exception:
            # What is committed is committed; recovery finds what could not be tidied up now.
            log.exception("tidying up after a group commit failed", instances=len(group))
        return results

    def _add(self, prepared: Sequence[Any]) -> list[Added | Exception]:
        try:
            return list(self._index.add(prepared, self._policy, keep_committed=self._keep_committed))
        except Exception as error:
            if len(prepared) == 1 or isinstance(error, ArchiveError):
                return [error] * len(prepared)
            # One of them is at fault; alone, each speaks for itself.
            log.warning("group commit failed, adding one by one", instances=len(prepared), exc_info=error)
            return [result for one in prepared for result in self._add([one])]

    def _drop_unnamed(self, staged: Sequence[Staged], results: Sequence[Added | Exception]) -> None:
        """Delete blobs that no index entry names."""
        unnamed = []
        doubtful = []
        for one, result in zip(staged, results, strict=True):
            if isinstance(result, Exception):
                doubtful.append(one.key)
            elif result.outcome not in (Outcome.ADDED, Outcome.REPLACED):
                unnamed.append(one.key)
            elif result.replaced_key is not None:
                unnamed.append(result.replaced_key)
        if doubtful:
            # A commit may have happened although it failed to say so: what is named stays.
            try:
                named = self._index.known(doubtful)
            except Exception:
                named = set(doubtful)  # nobody can tell now; recovery will at the next start
            unnamed += [key for key in doubtful if key not in named]
        self._blobs.delete(unnamed)

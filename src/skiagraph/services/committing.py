"""Work on commitment requests: are these Instances here, and are their bytes those that were received?

An Instance is committed when its blob was read from its first byte to its last and has the digests that Store took,
and only then. How far a request is, is kept with it: after a crash the work goes on where it was. Of several processes
one works on a request, for as long as it renews its claim on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from skiagraph.blobs.base import BlobStore
from skiagraph.errors import Conflict, ResourceNotFound, Unavailable
from skiagraph.index.base import Books, Record, StoredInstance
from skiagraph.services.upload import digest
from skiagraph.settings import DAY, MIB
from skiagraph.standard import commitment
from skiagraph.standard.commitment import COMMITMENT_REQUEST, Reason, Reference

if TYPE_CHECKING:
    from skiagraph.services.archive import Archive

log = structlog.get_logger("commitment")

DONE, REASONS, WORKER, ATTEMPTS = "done", "reasons", "worker", "attempts"
"""What is kept with a request: members of `Record.private`."""

CLAIM = 60.0
"""Seconds for which a request belongs to the process that works on it, unless it renews its claim."""

_SAVED = 5.0  # seconds after which progress is kept
_SLOTS = 2  # requests that a process works on at a time: the disk serves others too
_MOST = 200  # requests that wait in one process
_MOST_ATTEMPTS = 10  # after which what is left has failed
_DUE = 4  # requests that are looked at together: they may be large
_RELEASED = 16  # requests that a new server takes up at once; others when their claims end
_LOOK = 20.0  # seconds between two looks for requests that nobody works on
_GROUP, _GROUP_BYTES = 100, 64 * MIB  # what is read in one go
_TOO_FEW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Halted(Exception):
    """The process is about to end."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """What became of one reference."""

    number: int
    reason: int
    stored: StoredInstance | None = None
    """The Instance whose bytes were read, where they are sound."""


class Committing:
    """The requests that one process works on."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._slots = asyncio.Semaphore(_SLOTS)
        self._tasks: dict[str, asyncio.Task[Record | None]] = {}
        self._freed = asyncio.Event()  # one that was taken up is done: there may be more
        self._halted = threading.Event()

    def claimed(self, record: Record, now: float) -> Record:
        """Return a request as it is while this process works on it."""
        return replace(record, private={**record.private, WORKER: self._name}, due_at=now + CLAIM)

    def check_capacity(self) -> None:
        """Raise Unavailable when too many requests wait already."""
        if len(self._tasks) >= _MOST:
            raise Unavailable("Too many commitment requests are being worked on.", warning="A700 Out of resources")

    def start(self, archive: Archive, record: Record) -> asyncio.Task[Record | None]:
        """Begin to work on a request that this process has claimed.

        The task gives it back when it is done; None where it is not: another process has taken it over, or will.
        """
        uid = record.uid
        task = asyncio.ensure_future(self._work(archive, record))
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uid, None))
        return task

    async def run(self, archive: Archive) -> None:
        """Take up requests that nobody works on, and delete old results, until cancelled."""
        try:
            while True:
                self._freed.clear()
                try:
                    await self.look(archive)
                except Exception as error:
                    log.warning("looking for commitment requests failed", error=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._freed.wait(), _LOOK)
        finally:
            self._halted.set()

    async def look(self, archive: Archive) -> None:
        """Take up what nobody works on, as far as there is room, and delete results whose time is over."""
        deleted = True
        while deleted:
            taken, deleted = await archive.journal.write(lambda books: self._due(books, time.time()))
            for record in taken:
                self.start(archive, record).add_done_callback(lambda _: self._freed.set())

    def _due(self, books: Books, now: float) -> tuple[list[Record], bool]:
        """Return what this process has now claimed, and whether a result was deleted, so that there may be more."""
        taken: list[Record] = []
        deleted = False
        for record in books.due(COMMITMENT_REQUEST, now, _DUE):
            if record.private[DONE]:
                books.delete(record)
                deleted = True
            elif len(taken) + len(self._tasks) < _SLOTS and record.uid not in self._tasks:
                again = {**record.private, ATTEMPTS: record.private[ATTEMPTS] + 1}
                taken.append(books.put(self.claimed(replace(record, private=again), now)))
        return taken, deleted

    async def _work(self, archive: Archive, record: Record) -> Record | None:
        try:
            if self._slots.locked():
                uid = record.uid
                del record  # it may be large, and many may wait
                async with self._slots:
                    # Its claim may have ended meanwhile
                    mine = await archive.journal.write(lambda books: self._reclaim(books, uid, time.time()))
                    return None if mine is None else await _Work(archive, mine, self).run()
            async with self._slots:
                return await _Work(archive, record, self).run()
        except (Conflict, Halted):
            return None
        except Exception as error:
            log.warning("a commitment request waits for another attempt", exc_info=error)
            return None

    def _reclaim(self, books: Books, uid: str, now: float) -> Record | None:
        record = books.get(COMMITMENT_REQUEST, uid)
        if record is None or record.private[DONE] or record.private[WORKER] != self._name:
            return None
        return books.put(self.claimed(record, now))

    def read_back(self, blobs: BlobStore, stored: StoredInstance) -> int:
        """Read a blob and compare it with what was received; return a Failure Reason, 0 where it is sound. Blocks.

        Raises Halted.
        """
        try:
            opened = blobs.open(stored.key)
        except ResourceNotFound:
            return Reason.NO_SUCH_INSTANCE
        except OSError as error:
            return _reason_of(error)
        try:
            if opened.size != stored.size:
                return Reason.PROCESSING_FAILURE
            digests = digest(opened, stored.dataset_offset, self._check_halted)
        except OSError as error:
            return _reason_of(error)
        finally:
            opened.close()
        if (digests.prefix, digests.dataset) != (stored.prefix_digest, stored.dataset_digest):
            return Reason.PROCESSING_FAILURE
        return 0

    def _check_halted(self, _: int) -> None:
        if self._halted.is_set():
            raise Halted


def _reason_of(error: OSError) -> int:
    return Reason.RESOURCE_LIMITATION if error.errno in _TOO_FEW else Reason.PROCESSING_FAILURE


class _Work:
    """One request, while it is worked on."""

    def __init__(self, archive: Archive, record: Record, process: Committing) -> None:
        self._archive = archive
        self._record = record
        self._process = process
        self._asked: list[Reference] = []
        self._reasons: list[int | None] = list(record.private[REASONS])
        self._unsaved: list[_Checked] = []
        self._saved_at = time.monotonic()

    async def run(self) -> Record:
        """Do what is left to do; return the request with its result.

        Raises
        ------
        Conflict
            Another process has taken it over.
        Halted
        """
        self._asked = await asyncio.to_thread(commitment.references, self._record.attributes)
        self._reasons += [None] * (len(self._asked) - len(self._reasons))
        if self._record.private[ATTEMPTS] > _MOST_ATTEMPTS:
            log.error("a commitment request was given up", attempts=_MOST_ATTEMPTS)
            self._reasons = [int(Reason.PROCESSING_FAILURE) if reason is None else reason for reason in self._reasons]
        await self._check([number for number, reason in enumerate(self._reasons) if reason is None])
        # What was on its way while others were read may have come, or have been replaced
        await self._check([number for number, reason in enumerate(self._reasons) if reason == Reason.NO_SUCH_INSTANCE])
        if not self._archive.settings.durable:
            await asyncio.to_thread(os.sync)  # what is promised here is on the disk, whatever else is not
        return await self._save(done=True)

    async def _check(self, numbers: Sequence[int]) -> None:
        group: list[tuple[int, StoredInstance]] = []
        size = 0
        for count, number in enumerate(numbers):
            if count % _GROUP == 0:
                await asyncio.sleep(0)  # look-ups do not wait, and others are to have their turn
            found = await self._find(self._asked[number])
            if isinstance(found, StoredInstance):
                group.append((number, found))
                size += found.size
            else:
                self._unsaved.append(_Checked(number, found))
            if len(group) >= _GROUP or size >= _GROUP_BYTES:
                await self._read(group)
                group, size = [], 0
        await self._read(group)
        if self._unsaved:
            await self._save()

    async def _find(self, reference: Reference) -> StoredInstance | int:
        stored = await self._archive.index.identify(reference.sop_instance_uid)
        if stored is None:
            return Reason.NO_SUCH_INSTANCE
        path = stored.path
        if reference.study_instance_uid is not None and (
            (path.study_instance_uid, path.series_instance_uid)
            != (reference.study_instance_uid, reference.series_instance_uid)
        ):
            return Reason.NO_SUCH_INSTANCE
        if stored.sop_class_uid != reference.sop_class_uid:
            return Reason.CLASS_INSTANCE_CONFLICT
        return stored

    async def _read(self, group: Sequence[tuple[int, StoredInstance]]) -> None:
        """Read some blobs in another thread; keep the claim meanwhile, and progress now and then."""

        def read() -> list[_Checked]:
            checked = []
            for number, stored in group:
                reason = self._process.read_back(self._archive.blobs, stored)
                checked.append(_Checked(number, reason, None if reason else stored))
            return checked

        if not group:
            return
        reading = asyncio.ensure_future(asyncio.to_thread(read))
        while not (await asyncio.wait({reading}, timeout=CLAIM / 3))[0]:
            await self._save()
        self._unsaved += reading.result()
        if time.monotonic() - self._saved_at >= _SAVED:
            await self._save()

    async def _save(self, *, done: bool = False) -> Record:
        """Keep what is known: with the Instances that they are committed, with the request how far it is."""
        checked, self._unsaved = self._unsaved, []
        now = time.time()
        sound = [one.stored for one in checked if one.stored is not None]

        def work(books: Books) -> Record:
            for one in checked:
                self._reasons[one.number] = int(one.reason)
            there = books.commit(sound, now)
            missing = {id(stored) for stored, is_there in zip(sound, there, strict=True) if not is_there}
            for one in checked:
                if id(one.stored) in missing:
                    self._reasons[one.number] = int(Reason.NO_SUCH_INSTANCE)
            private: dict[str, Any] = {**self._record.private, REASONS: self._reasons, DONE: done}
            if done:
                kept = self._archive.settings.commitment_result_days * DAY
                return books.put(replace(self._record, private=private, due_at=now + kept))
            return books.put(self._process.claimed(replace(self._record, private=private), now))

        self._record = await self._archive.journal.write(work)
        self._saved_at = time.monotonic()
        return self._record


def release(books: Books) -> None:
    """Let go of the requests that a server before this one worked on: nobody does any more."""
    now = time.time()
    for record in books.due(COMMITMENT_REQUEST, now + CLAIM + 1, _RELEASED):
        if not record.private[DONE] and record.due_at != 0.0:
            books.put(replace(record, due_at=0.0))

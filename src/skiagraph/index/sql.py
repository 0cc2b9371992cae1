"""The index in a SQL database. Today SQLite: one file, any number of processes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from skiagraph.index import add, changes, delete, read, records, rows, subscriptions
from skiagraph.index.base import (
    REPORT_BYTES,
    Added,
    Books,
    FeedEntry,
    Found,
    FoundRecords,
    Match,
    NewInstance,
    Policy,
    QueuedReport,
    Record,
    RecordSearch,
    StoredInstance,
)
from skiagraph.index.books import SqlBooks
from skiagraph.index.connections import Connections, meaning
from skiagraph.index.read import Listing
from skiagraph.index.record_search import RecordSearching
from skiagraph.index.rows import Prepared
from skiagraph.index.search import Searching
from skiagraph.standard.header import Bulk
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Search
from skiagraph.values import ByteRange, Level, ResourcePath

T = TypeVar("T")

_THREADS = 4
"""Threads that read lists and search; each has a connection of its own."""


class SqlIndex:
    """An `Index` in one SQLite file.

    Look-ups that cost microseconds are answered in place; everything else runs in threads of the index.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="index")

    @classmethod
    def open(cls, path: str | Path, *, durable: bool) -> SqlIndex:
        """Open the index in a file, creating it or migrating it to the newest schema.

        `durable`: a commit is on the disk when it is acknowledged. Off: a power cut can lose the last seconds.

        Raises
        ------
        StorageFull, Unavailable, CorruptIndex
        """
        return cls(Connections(Path(path), durable=durable))

    def close(self) -> None:
        """Wait for what is running, then close the file."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._connections.close()

    # Writing

    def prepare(self, new: NewInstance) -> Prepared:
        return rows.prepare(new)

    def add(self, batch: Sequence[Prepared], policy: Policy, *, keep_committed: float = 0.0) -> list[Added]:
        with self._connections.writing() as connection:
            return add.add(connection, batch, policy, keep_committed)

    def delete(self, path: ResourcePath, *, keep_committed: float = 0.0) -> list[str]:
        with self._connections.writing() as connection:
            return delete.delete(connection, path, keep_committed)

    def together(self, work: Sequence[Callable[[Books], Any]]) -> list[Any]:
        results: list[Any] = []
        with self._connections.writing() as connection:
            books = SqlBooks(connection)
            for one in work:
                connection.execute("SAVEPOINT one")
                try:
                    results.append(one(books))
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite gave the whole transaction up: the disk is full
                    connection.execute("ROLLBACK TO one")
                    results.append(meaning(error) if isinstance(error, sqlite3.Error) else error)
                connection.execute("RELEASE one")
        return results

    # Look-ups

    async def identify(self, sop_instance_uid: str) -> StoredInstance | None:
        return self._here(read.identify, sop_instance_uid)

    async def locate(self, path: ResourcePath) -> StoredInstance:
        return self._here(read.locate, path)

    async def version(self, path: ResourcePath) -> str:
        return self._here(read.version, path)

    async def frame_spans(self, instance: StoredInstance, frames: Sequence[int]) -> list[ByteRange]:
        if len(frames) <= 64:
            return self._here(read.frame_spans, instance, frames)
        return await self._there(read.frame_spans, instance, frames)

    async def bulkdata(self, instance: StoredInstance) -> dict[str, Bulk]:
        packed = self._here(read.bulkdata, instance.id)
        if packed is None or len(packed) < 16_384:
            return rows.unpack_bulkdata(packed)
        return await asyncio.get_running_loop().run_in_executor(self._threads, rows.unpack_bulkdata, packed)

    # Lists

    async def instances(self, path: ResourcePath) -> AsyncIterator[Sequence[StoredInstance]]:
        return await self._list(path, documents=False)

    async def documents(self, path: ResourcePath) -> AsyncIterator[Sequence[tuple[StoredInstance, bytes]]]:
        if path.level is Level.INSTANCE:
            found = self._here(read.short_document, path)
            if found is not None:
                return _one([found])
        return await self._list(path, documents=True)

    async def _list(self, path: ResourcePath, *, documents: bool) -> AsyncIterator[Sequence[Any]]:
        listing = Listing(path, documents=documents)

        def first(connection: sqlite3.Connection) -> list[Any]:
            listing.open(connection)
            return listing.read(connection)

        return self._chunks(await self._there(first), listing)

    async def _chunks(
        self, chunk: list[Any], following: Listing | Searching | RecordSearching
    ) -> AsyncIterator[Sequence[Any]]:
        while chunk:
            yield chunk
            chunk = [] if following.ended else await self._there(following.read)

    async def search(self, search: Search) -> Found:
        searching = Searching(search)

        def first(_: sqlite3.Connection) -> tuple[list[Match], int, int | None]:
            with self._connections.snapshot() as connection:
                return searching.open(connection)

        chunk, remaining, total = await self._there(first)
        return Found(self._chunks(chunk, searching), empty=not chunk, remaining=remaining, total=total)

    # Records

    async def record(self, kind: Kind, uid: str) -> Record:
        return self._here(records.locate, kind, uid)

    async def find(self, search: RecordSearch) -> FoundRecords:
        searching = RecordSearching(search)

        def first(_: sqlite3.Connection) -> tuple[list[Record], int, int | None]:
            with self._connections.snapshot() as connection:
                return searching.open(connection)

        chunk, remaining, total = await self._there(first)
        return FoundRecords(self._chunks(chunk, searching), empty=not chunk, remaining=remaining, total=total)

    async def acknowledged(self, ae_title: str) -> int:
        return self._here(subscriptions.acknowledged, ae_title)

    async def queued(self, ae_title: str, after: int, limit: int, size: int = REPORT_BYTES) -> list[QueuedReport]:
        return self._here(subscriptions.queued, ae_title, after, limit, size)

    async def news(self, after: int, limit: int, size: int = REPORT_BYTES) -> list[QueuedReport]:
        return await self._there(subscriptions.news, after, limit, size)

    async def long_queues(self, length: int) -> list[str]:
        return await self._there(subscriptions.long_queues, length)

    async def newest_report(self) -> int:
        return self._here(subscriptions.newest, "reports")

    async def feed(self, after: int, limit: int) -> list[FeedEntry]:
        return await self._there(changes.feed, after, limit)

    async def newest_change(self) -> int:
        return self._here(subscriptions.newest, "changes")

    # For verify and recovery

    def known(self, keys: Sequence[str]) -> set[str]:
        return self._here(read.known, keys)

    def entries(self) -> Iterator[Sequence[StoredInstance]]:
        chunk = self._here(read.entries, "", 1000)
        while chunk:
            yield chunk
            chunk = self._here(read.entries, chunk[-1].key, 1000)

    def _here(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(self._connections.reader(), *arguments)
        except sqlite3.Error as error:
            raise meaning(error) from error

    async def _there(self, function: Callable[..., T], *arguments: Any) -> T:
        work = partial(self._here, function, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


async def _one(chunk: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    yield chunk

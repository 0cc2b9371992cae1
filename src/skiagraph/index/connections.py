"""Connections to the SQLite file: how they are set up, and what their failures mean.

Readers never wait (WAL). Writers take turns: SQLite alone would let those of other processes sleep and try again,
up to 100 ms too long, so they queue up at a lock file first, where the kernel wakes them. Statements on hot paths go
straight to the DBAPI: a look-up costs about 10 µs there.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from skiagraph.errors import ArchiveError, StorageFull, Unavailable
from skiagraph.index import migrations, schema

_BUSY_MS = 30_000
_READ_FAILED = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}


class CorruptIndex(ArchiveError):
    """The index file is damaged; `skiagraph reindex` rebuilds it from the blobs."""


def meaning(error: sqlite3.Error) -> Exception:
    """Translate a failure of SQLite; returns the error itself when it is a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    match code & 0xFF if code is not None else None:
        case sqlite3.SQLITE_FULL:
            return StorageFull("There is no room left for the index.")
        case sqlite3.SQLITE_IOERR if code not in _READ_FAILED:
            return StorageFull("The index can not be written.")
        case sqlite3.SQLITE_READONLY:
            return StorageFull("The index may not be written.")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return Unavailable("The index can not be read.")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable("The index is busy; try again later.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return CorruptIndex()
        case _:
            return error


class Connections:
    """The connections of one process to one SQLite file. Thread-safe."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._path = path
        self._durable = durable
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._all_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._queue = path.with_name(path.name + ".lock").open("w")
        except OSError as error:
            raise Unavailable(f"The folder of the index can not be used: {error.strerror}.") from error
        try:
            self._create()
            self._writer = self._connect()
        except sqlite3.Error as error:
            self.close()
            raise meaning(error) from error

    def reader(self) -> sqlite3.Connection:
        """Return the connection of this thread, for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection of this thread with all reads seeing one state."""
        connection = self.reader()
        connection.execute("BEGIN")
        try:
            yield connection
        except sqlite3.Error as error:
            raise meaning(error) from error
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the writing connection in a transaction: committed on the way out, undone whole on any error."""
        with self._write_lock, self._turn():
            connection = self._writer
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise meaning(error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep writers of other processes waiting. The kernel ends this with the process, however that ends."""
        if self._closed:
            raise Unavailable("The index is closed.")
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close all connections, those of other threads too. Harmless a second time."""
        with self._write_lock, self._all_lock:
            self._closed = True
            connections, self._all = self._all, []
            for connection in connections:
                connection.close()
            self._queue.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000, cached_statements=256
        )
        with self._all_lock:
            if self._closed:
                connection.close()
                raise Unavailable("The index is closed.")
            self._all.append(connection)
        for pragma in (
            f"synchronous = {'FULL' if self._durable else 'NORMAL'}",
            "foreign_keys = ON",
            "cache_size = -8192",  # KiB
            "mmap_size = 268435456",  # bytes of address space, shared with the page cache of the system
            "temp_store = MEMORY",
            "secure_delete = FAST",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _create(self) -> None:
        """Create the file or bring it to the newest revision; one process at a time."""
        with self._turn(), closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            if revision(connection) == schema.REVISION:
                return
            connection.execute("PRAGMA foreign_keys = OFF")  # SQLite alters tables by copying them
            engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
            with engine.connect() as connected:
                connection.execute("BEGIN EXCLUSIVE")
                try:
                    migrations.upgrade(connected)
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")


def revision(connection: sqlite3.Connection) -> str | None:
    """Return the revision of the schema that the database has; None when it is new."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row else None

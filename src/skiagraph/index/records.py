"""Records: each is one row, and one row of `record_keys` for every value that it is found by."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import replace
from typing import Any

import orjson
import zstandard

from skiagraph.errors import ArchiveError, Conflict, ResourceGone, ResourceNotFound
from skiagraph.index.base import Record
from skiagraph.index.entities import Connection
from skiagraph.standard.kind import Kind
from skiagraph.values import Attributes

COLUMNS = "id, uid, version, attributes, private, created_at, modified_at, due_at"
_SELECT = f"SELECT {COLUMNS} FROM records WHERE kind = ? AND uid = ?"  # noqa: S608
_DUE = f"SELECT {COLUMNS} FROM records WHERE due_at <= ? AND kind = ? ORDER BY due_at LIMIT ?"  # noqa: S608
_GONE = "SELECT 1 FROM deleted_records WHERE kind = ? AND uid = ?"
_INSERT = (
    "INSERT INTO records (kind, uid, position, version, attributes, private, created_at, modified_at, due_at)"
    " VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE records SET position = ?, version = version + 1, attributes = ?, private = ?, modified_at = ?, due_at = ?"
    " WHERE id = ? AND version = ?"
)
_STORED = "SELECT position, attributes FROM records WHERE id = ? AND version = ?"
_INSERT_KEY = "INSERT INTO record_keys (key, value, position, record) VALUES (?, ?, ?, ?)"
_DELETE_KEY = "DELETE FROM record_keys WHERE key = ? AND value = ? AND position = ? AND record = ?"
_COUNT = (
    "INSERT INTO record_totals (key, value, number) VALUES (?, ?, 1)"
    " ON CONFLICT DO UPDATE SET number = record_totals.number + 1"
)
_COUNT_LESS = "UPDATE record_totals SET number = number - 1 WHERE key = ? AND value = ?"
_NONE_LEFT = "DELETE FROM record_totals WHERE key = ? AND value = ? AND number = 0"
_FORGET = "DELETE FROM deleted_records WHERE kind = ? AND uid = ?"
_REMEMBER = (
    "INSERT INTO deleted_records (kind, uid, deleted_at) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at"
)
_DELETE = "DELETE FROM records WHERE id = ? AND version = ?"

_LEVEL = 1  # of compression: records are small and change often


class _Coders(threading.local):
    """Of one thread: making them anew costs more than what they do."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_coders = _Coders()


def pack(attributes: Attributes) -> bytes:
    """Return a data set as it is stored; its order stays."""
    return _coders.compress(orjson.dumps(attributes))


def unpack(packed: bytes) -> Attributes:
    """Return the data set that was stored."""
    attributes: Attributes = orjson.loads(inflated(packed))
    return attributes


def inflated(packed: bytes) -> bytes:
    """Return the data set that was stored as JSON text, in which a tag stands as it is."""
    text: bytes = _coders.decompress(packed)
    return text


def record_of(kind: Kind, row: tuple[Any, ...]) -> Record:
    """Make a record of a row of `COLUMNS`."""
    id, uid, version, attributes, private, created_at, modified_at, due_at = row
    return Record(kind, uid, unpack(attributes), orjson.loads(private), due_at, id, version, created_at, modified_at)


def get(connection: Connection, kind: Kind, uid: str) -> Record | None:
    row = connection.execute(_SELECT, (kind.number, uid)).fetchone()
    return None if row is None else record_of(kind, row)


def gone(connection: Connection, kind: Kind, uid: str) -> bool:
    return connection.execute(_GONE, (kind.number, uid)).fetchone() is not None


def locate(connection: Connection, kind: Kind, uid: str) -> Record:
    """Look a record up; raises ResourceGone or ResourceNotFound."""
    found = get(connection, kind, uid)
    if found is None:
        raise missing(kind, uid, gone=gone(connection, kind, uid))
    return found


def missing(kind: Kind, uid: str, *, gone: bool) -> ArchiveError:
    """Return the error for a record that is not there."""
    if gone:
        return ResourceGone(f"The {kind.name} {uid} was deleted.")
    return ResourceNotFound(f"There is no {kind.name} {uid}.")


def due(connection: Connection, kind: Kind, now: float, limit: int) -> list[Record]:
    return [record_of(kind, row) for row in connection.execute(_DUE, (now, kind.number, limit))]


def put(connection: Connection, record: Record) -> Record:
    """Insert or, by compare and set, replace a record; see `base.Books.put`."""
    kind = record.kind
    now = time.time()
    position = kind.position(record.attributes)
    entries = kind.entries(record.attributes)
    packed = pack(record.attributes)
    private = orjson.dumps(record.private).decode()
    if record.id is None:
        try:
            cursor = connection.execute(
                _INSERT, (kind.number, record.uid, position, packed, private, now, now, record.due_at)
            )
        except sqlite3.IntegrityError as error:
            raise Conflict(f"The {kind.name} {record.uid} exists already.") from error
        id = cursor.lastrowid
        connection.execute(_FORGET, (kind.number, record.uid))
        connection.executemany(_INSERT_KEY, [(key, value, position, id) for key, value in entries])
        _count(connection, added=kind.totals(entries, position), removed=set())
        return replace(record, id=id, version=1, created_at=now, modified_at=now)
    stored = connection.execute(_STORED, (record.id, record.version)).fetchone()
    values = (position, packed, private, now, record.due_at, record.id, record.version)
    if stored is None or connection.execute(_UPDATE, values).rowcount == 0:
        raise Conflict(f"The {kind.name} {record.uid} was changed by somebody else in the meantime.")
    before, old = kind.entries(unpack(stored[1])), stored[0]
    removed, added = (before - entries, entries - before) if old == position else (before, entries)
    connection.executemany(_DELETE_KEY, [(key, value, old, record.id) for key, value in removed])
    connection.executemany(_INSERT_KEY, [(key, value, position, record.id) for key, value in added])
    _count(connection, added=kind.totals(entries, position), removed=kind.totals(before, old))
    return replace(record, version=record.version + 1, modified_at=now)


def delete(connection: Connection, record: Record) -> None:
    """Delete a record by compare and set; raises Conflict."""
    stored = connection.execute(_STORED, (record.id, record.version)).fetchone()
    if stored is None:
        raise Conflict(f"The {record.kind.name} {record.uid} was changed by somebody else in the meantime.")
    entries = record.kind.entries(unpack(stored[1]))
    connection.executemany(_DELETE_KEY, [(key, value, stored[0], record.id) for key, value in entries])
    connection.execute("DELETE FROM step_subscriptions WHERE record = ?", (record.id,))
    connection.execute(_DELETE, (record.id, record.version))
    connection.execute(_REMEMBER, (record.kind.number, record.uid, time.time()))
    _count(connection, added=set(), removed=record.kind.totals(entries, stored[0]))


def _count(connection: Connection, *, added: set[tuple[int, str]], removed: set[tuple[int, str]]) -> None:
    if less := removed - added:
        connection.executemany(_COUNT_LESS, less)
        connection.executemany(_NONE_LEFT, less)
    connection.executemany(_COUNT, added - removed)

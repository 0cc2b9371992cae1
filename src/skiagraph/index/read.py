"""Look-ups and lists: fixed statements, run on the plain connection.

Lists are read in chunks, each a statement of its own that goes on where the last one ended: nothing stays open
between chunks, however slowly the reader asks for the next.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from skiagraph.index.base import StoredInstance
from skiagraph.index.delete import missing
from skiagraph.index.entities import Connection, document
from skiagraph.index.rows import FRAMES_PER_ROW, instance_version
from skiagraph.values import ByteRange, Level, ResourcePath

CHUNK = 100
"""Instances in one chunk."""

DOCUMENT_BYTES = 8 * 2**20
"""Bytes of documents in one chunk, unless a single one is larger."""

SHORT = 16 * 2**10
"""Bytes, compressed, of a document that takes less time to read than it takes to have another thread read it."""

_COLUMNS = (
    "i.id, s.study_instance_uid, s.series_instance_uid, i.sop_instance_uid, i.sop_class_uid, i.transfer_syntax_uid,"
    " i.key, i.size, i.dataset_offset, i.has_preamble, i.prefix_digest, i.dataset_digest, i.frames, i.pixel_tag,"
    " i.pixel_vr, i.pixel_offset, i.pixel_length, i.encapsulated, i.video, i.frame_bits, i.pixel_problem, i.stored_at"
)
_WIDTH = 22
_JOINED = "instances i JOIN series s ON s.id = i.series"
_BY_UID = f"SELECT {_COLUMNS} FROM {_JOINED} WHERE i.sop_instance_uid = ?"  # noqa: S608
_ALL = f"SELECT {_COLUMNS} FROM {_JOINED} WHERE i.key > ? ORDER BY i.key LIMIT ?"  # noqa: S608
_OF_SERIES = (
    f"SELECT {_COLUMNS}, i.instance_number, i.document_size FROM {_JOINED}"  # noqa: S608
    " WHERE i.series = ? AND (i.instance_number, i.sop_instance_uid) > (?, ?)"
    " ORDER BY i.instance_number, i.sop_instance_uid LIMIT ?"
)
_DOCUMENTS = (
    f"SELECT {_COLUMNS}, i.instance_number, i.document_size, d.parts, d.document"  # noqa: S608
    f" FROM {_JOINED} JOIN documents d ON d.instance = i.id"
    " WHERE i.series = ? AND (i.instance_number, i.sop_instance_uid) > (?, ?)"
    " ORDER BY i.instance_number, i.sop_instance_uid LIMIT ?"
)
_SERIES = "SELECT id FROM series WHERE series_instance_uid = ? AND study_instance_uid = ?"
_SERIES_OF_STUDY = (
    "SELECT id, series_number, series_instance_uid FROM series"
    " WHERE study = ? AND (series_number, series_instance_uid) > (?, ?)"
    " ORDER BY series_number, series_instance_uid LIMIT ?"
)
_STUDY = "SELECT id FROM studies WHERE study_instance_uid = ?"
_STUDY_VERSION = "SELECT version FROM studies WHERE study_instance_uid = ?"
_SERIES_VERSION = "SELECT version FROM series WHERE series_instance_uid = ? AND study_instance_uid = ?"
_DOCUMENT = "SELECT parts, document FROM documents WHERE instance = ?"
_SHORT_DOCUMENT = (
    f"SELECT {_COLUMNS}, CASE WHEN d.parts = 1 AND length(d.document) <= ? THEN d.document END"  # noqa: S608
    f" FROM {_JOINED} JOIN documents d ON d.instance = i.id WHERE i.sop_instance_uid = ?"
)
_BULKDATA = "SELECT bulkdata FROM documents WHERE instance = ?"
_SPANS = "SELECT spans FROM frames WHERE instance = ? AND block = ?"

_SERIES_AT_ONCE = 1000
_FIRST = (-(2**63), "")
_PAIR = struct.Struct("<QQ")


def identify(connection: Connection, sop_instance_uid: str) -> StoredInstance | None:
    """Look an Instance up by its SOP Instance UID."""
    row = connection.execute(_BY_UID, (sop_instance_uid,)).fetchone()
    return None if row is None else _stored(row)


def locate(connection: Connection, path: ResourcePath) -> StoredInstance:
    """Look an Instance up by its whole path; raises ResourceGone or ResourceNotFound."""
    row = connection.execute(_BY_UID, (path.sop_instance_uid,)).fetchone()
    if row is None or row[1] != path.study_instance_uid or row[2] != path.series_instance_uid:
        raise missing(connection, path)
    return _stored(row)


def short_document(connection: Connection, path: ResourcePath) -> tuple[StoredInstance, bytes] | None:
    """Look an Instance up with its metadata; None where they are not short. Raises like `locate`."""
    row = connection.execute(_SHORT_DOCUMENT, (SHORT, path.sop_instance_uid)).fetchone()
    if row is None or row[1] != path.study_instance_uid or row[2] != path.series_instance_uid:
        raise missing(connection, path)
    return None if row[_WIDTH] is None else (_stored(row), document(connection, row[0], 1, row[_WIDTH]))


def version(connection: Connection, path: ResourcePath) -> str:
    """Return the token of what is below the path; raises like `locate`."""
    if path.level is Level.INSTANCE:
        instance = locate(connection, path)
        token = instance_version(path.sop_instance_uid or "", instance.prefix_digest, instance.dataset_digest)
        return f"{token:032x}"
    if path.level is Level.STUDY:
        row = connection.execute(_STUDY_VERSION, (path.study_instance_uid,)).fetchone()
    else:
        row = connection.execute(_SERIES_VERSION, (path.series_instance_uid, path.study_instance_uid)).fetchone()
    if row is None:
        raise missing(connection, path)
    return str(row[0].hex())


def bulkdata(connection: Connection, instance: int) -> bytes | None:
    """Return the packed bulk data places of an Instance (`rows.unpack_bulkdata`)."""
    row = connection.execute(_BULKDATA, (instance,)).fetchone()
    return None if row is None else row[0]


def frame_spans(connection: Connection, instance: StoredInstance, frames: Sequence[int]) -> list[ByteRange]:
    """Return the spans of frames, numbered from 1; raises the error of `missing` when the Instance is gone."""
    found = []
    block, spans = -1, b""
    for frame in frames:
        # The one stream of a video is all frames.
        wanted, place = (0, 0) if instance.video else divmod(frame - 1, FRAMES_PER_ROW)
        if wanted != block:
            block = wanted
            row = connection.execute(_SPANS, (instance.id, block)).fetchone()
            spans = b"" if row is None else row[0]
        if not 0 <= place * _PAIR.size < len(spans):
            raise missing(connection, instance.path)
        found.append(ByteRange(*_PAIR.unpack_from(spans, place * _PAIR.size)))
    return found


class Listing:
    """The Instances below a path, chunk by chunk, ordered by Series and Instance Number.

    A chunk is of one connection, but each may be read on another.
    """

    def __init__(self, path: ResourcePath, *, documents: bool) -> None:
        self._path = path
        self._documents = documents
        self._series: list[int] = []
        self._study: int | None = None
        self._last_series: tuple[int, str] = _FIRST
        self._last: tuple[int, str] = _FIRST
        self._instance: StoredInstance | None = None
        self._chunk = CHUNK

    @property
    def ended(self) -> bool:
        """Whether all has been read."""
        return self._instance is None and not self._series and self._study is None

    def open(self, connection: Connection) -> None:
        """Find the resource; raises ResourceGone or ResourceNotFound."""
        path = self._path
        if path.level is Level.INSTANCE:
            self._instance = locate(connection, path)
        elif path.level is Level.SERIES:
            row = connection.execute(_SERIES, (path.series_instance_uid, path.study_instance_uid)).fetchone()
            if row is None:
                raise missing(connection, path)
            self._series = [row[0]]
        else:
            row = connection.execute(_STUDY, (path.study_instance_uid,)).fetchone()
            if row is None:
                raise missing(connection, path)
            self._study = row[0]

    def read(self, connection: Connection) -> list[Any]:
        """Return the next chunk: instances, or pairs of instance and document; empty at the end."""
        if self._path.level is Level.INSTANCE:
            instance, self._instance = self._instance, None
            if instance is None:
                return []
            if not self._documents:
                return [instance]
            row = connection.execute(_DOCUMENT, (instance.id,)).fetchone()
            return [(instance, document(connection, instance.id, *row))] if row is not None else []
        found: list[Any] = []
        size = 0
        while len(found) < self._chunk and size < DOCUMENT_BYTES:
            if not self._series and not self._next_series(connection):
                break
            size += self._read_series(connection, self._series[0], found, size)
        return found

    def _next_series(self, connection: Connection) -> bool:
        if self._study is None:
            return False
        rows = connection.execute(_SERIES_OF_STUDY, (self._study, *self._last_series, _SERIES_AT_ONCE)).fetchall()
        if len(rows) < _SERIES_AT_ONCE:
            self._study = None
        if rows:
            self._last_series = rows[-1][1:3]
            self._series = [row[0] for row in rows]
        return bool(rows)

    def _read_series(self, connection: Connection, series: int, found: list[Any], size: int) -> int:
        limit = self._chunk - len(found)
        statement = _DOCUMENTS if self._documents else _OF_SERIES
        cursor = connection.execute(statement, (series, *self._last, limit))
        count = added = 0
        for row in cursor:
            if self._documents:
                if found and size + added + row[_WIDTH + 1] > DOCUMENT_BYTES:
                    cursor.close()
                    return DOCUMENT_BYTES
                added += row[_WIDTH + 1]
                found.append((_stored(row), document(connection, row[0], row[_WIDTH + 2], row[_WIDTH + 3])))
            else:
                found.append(_stored(row))
            self._last = row[_WIDTH], row[3]
            count += 1
        if count < limit:
            self._series.pop(0)
            self._last = _FIRST
        return added


def entries(connection: Connection, after: str, limit: int) -> list[StoredInstance]:
    """Return Instances in the order of their blob keys, from behind a key."""
    return [_stored(row) for row in connection.execute(_ALL, (after, limit))]


def known(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of the blob keys that an Instance names."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        statement = f"SELECT key FROM instances WHERE key IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update(row[0] for row in connection.execute(statement, tuple(some)))
    return found


def _stored(row: tuple[Any, ...]) -> StoredInstance:
    return StoredInstance(
        row[0], ResourcePath(row[1], row[2], row[3]), row[4], row[5], row[6], row[7], row[8], row[9] != 0, row[10],
        row[11], row[12], row[13], row[14], row[15], row[16], row[17] != 0, row[18] != 0, row[19], row[20], row[21],
    )  # fmt: skip

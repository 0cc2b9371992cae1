"""Studies and Series while one transaction changes them: read once, folded in memory, written once at its end.

Counts, modalities, versions and attributes change together with the Instances, so that no read has to count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, TypeAlias

import orjson

from skiagraph.index import rows
from skiagraph.index.fold import Folded
from skiagraph.values import Attributes, Level

Connection: TypeAlias = sqlite3.Connection

_COUNTED = ("sop_classes", "number_of_instances", "version", "source", "sources", "attributes")


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _update(table: str, columns: tuple[str, ...]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"  # noqa: S608


_STUDY_FOUND = (
    "SELECT id, sop_classes, number_of_instances, version, source, sources, attributes, modalities, number_of_series"
    " FROM studies WHERE study_instance_uid = ?"
)
_SERIES_FOUND = (
    "SELECT id, sop_classes, number_of_instances, version, source, sources, attributes, modality"
    " FROM series WHERE series_instance_uid = ? AND study_instance_uid = ?"
)
_STUDY_COUNTS = ("sop_classes", "number_of_instances", "version", "modalities", "number_of_series")
_SERIES_COUNTS = ("sop_classes", "number_of_instances", "version")
_STUDY_FOLDED = ("source", "sources", "attributes", *rows.STUDY_COLUMNS)
_SERIES_FOLDED = ("source", "sources", "attributes", *rows.SERIES_COLUMNS)
_INSERT_STUDY = _insert("studies", ("study_instance_uid", *_STUDY_COUNTS, *_STUDY_FOLDED))
_INSERT_SERIES = _insert(
    "series", ("study", "study_instance_uid", "series_instance_uid", *_SERIES_COUNTS, *_SERIES_FOLDED)
)
_UPDATE_STUDY = _update("studies", _STUDY_COUNTS)
_UPDATE_STUDY_ALL = _update("studies", _STUDY_COUNTS + _STUDY_FOLDED)
_UPDATE_SERIES = _update("series", _SERIES_COUNTS)
_UPDATE_SERIES_ALL = _update("series", _SERIES_COUNTS + _SERIES_FOLDED)
_MODALITIES = "SELECT DISTINCT modality FROM series WHERE study = ? AND modality IS NOT NULL"
_STUDY_SOP_CLASSES = "SELECT sop_classes FROM series WHERE study = ?"
_SERIES_SOP_CLASSES = "SELECT DISTINCT sop_class_uid FROM instances WHERE series = ?"

# One Instance for each different thing that Instances say, the one with the least key: enough to fold (`fold`).
_STUDY_SAYINGS = (
    "SELECT min(i.key) FROM instances i JOIN series s ON s.id = i.series WHERE s.study = ?"
    " GROUP BY i.study_digest ORDER BY 1"
)
_SERIES_SAYINGS = "SELECT min(key) FROM instances WHERE series = ? GROUP BY series_digest ORDER BY 1"
_DOCUMENT = (
    "SELECT d.instance, d.parts, d.document FROM instances i JOIN documents d ON d.instance = i.id WHERE i.key = ?"
)
_PARTS = "SELECT document FROM document_parts WHERE instance = ? ORDER BY part"


class _Entity:
    """What Study and Series have in common."""

    __slots__ = (
        "_attributes", "_folded", "_json", "_source", "_sources", "changed", "id", "must_refold", "number_of_instances",
        "sop_classes", "told", "version",
    )  # fmt: skip

    def __init__(self, found: tuple[Any, ...] | None) -> None:
        self.id: int | None = None
        self.sop_classes: set[str] = set()
        self.number_of_instances = 0
        self.version = 0
        self._json: bytes | None = None
        self._source = ""
        self._sources: str | None = None
        self._folded: Folded | None = None
        self.told = False
        """Its attributes are to be written."""
        self.changed = False
        """Its counts are to be written."""
        self.must_refold = False
        """An Instance that attributes came from is gone."""
        if found is not None:
            self.id, sop_classes, self.number_of_instances, version, self._source, self._sources, self._json = found[:7]
            self.sop_classes = set(orjson.loads(sop_classes))
            self.version = int.from_bytes(version, "big")

    @property
    def folded(self) -> Folded:
        if self._folded is None:
            if self._json is None:
                raise LookupError("nothing was told yet")
            self._folded = Folded.load(self._json, self._source, self._sources)
        return self._folded

    def tell(self, attributes: Attributes, json: bytes, key: str) -> None:
        """Fold in what one more Instance says."""
        if self._folded is None and self._json is None:
            self._folded = Folded.first(attributes, key)
            self._json = json
            self.told = True
            return
        source, others = (
            (self._source, self._sources) if self._folded is None else (self._folded.source, self._folded.sources)
        )
        if json == self._json and not others and key > source:
            return  # the common case: another Instance that says the same
        if self.folded.add(attributes, key):
            self._json = None
            self.told = True

    def count(self, sop_class_uid: str, version: int) -> None:
        """Count one more Instance."""
        self.changed = True
        self.number_of_instances += 1
        self.version = rows.add_versions(self.version, version)
        if sop_class_uid:
            self.sop_classes.add(sop_class_uid)

    def discount(self, key: str, version: int) -> None:
        """Count one Instance less."""
        self.changed = True
        self.number_of_instances -= 1
        self.version = rows.remove_version(self.version, version)
        self.must_refold = self.must_refold or self._uses(key)

    def _uses(self, key: str) -> bool:
        if self._folded is not None:
            return key == self._folded.source or key in self._folded.sources.values()
        return key == self._source or (self._sources is not None and key in orjson.loads(self._sources).values())

    def _refold(self, sayings: Iterator[tuple[Attributes, str]]) -> None:
        folded: Folded | None = None
        for attributes, key in sayings:
            if folded is None:
                folded = Folded.first(attributes, key)
            else:
                folded.add(attributes, key)
        if folded is not None:
            self._folded = folded
            self._json = None
            self.told = True
        self.must_refold = False

    def _counts(self) -> tuple[Any, ...]:
        return _json(self.sop_classes), self.number_of_instances, self.version.to_bytes(16, "big")

    def _told(self) -> tuple[Any, ...]:
        attributes, source, sources = self.folded.dump()
        return source, sources, attributes


class Study(_Entity):
    """A Study that the transaction changes."""

    __slots__ = ("modalities", "number_of_series", "recount", "uid")

    def __init__(self, uid: str, found: tuple[Any, ...] | None) -> None:
        super().__init__(found)
        self.uid = uid
        self.modalities: str = found[7] if found is not None else "[]"
        self.number_of_series: int = found[8] if found is not None else 0
        self.recount = False
        """Modalities or SOP Classes of its Series changed."""

    def write(self, connection: Connection) -> None:
        """Insert or update the row. Its Series have been written."""
        if self.must_refold and self.id is not None:
            self._refold(_sayings(connection, _STUDY_SAYINGS, self.id, Level.STUDY))
        if self.recount and self.id is not None:
            self.modalities = _json({row[0] for row in connection.execute(_MODALITIES, (self.id,))})
            self.sop_classes = {
                uid for row in connection.execute(_STUDY_SOP_CLASSES, (self.id,)) for uid in orjson.loads(row[0])
            }
            self.recount = False
            self.changed = True
        counts = (*self._counts(), self.modalities, self.number_of_series)
        if self.id is None:
            told = (*self._told(), *rows.study_row(self.folded.attributes))
            self.id = connection.execute(_INSERT_STUDY, (self.uid, *counts, *told)).lastrowid
        elif self.told:
            told = (*self._told(), *rows.study_row(self.folded.attributes))
            connection.execute(_UPDATE_STUDY_ALL, (*counts, *told, self.id))
        elif self.changed:
            connection.execute(_UPDATE_STUDY, (*counts, self.id))
        self._settle()

    def _settle(self) -> None:
        self.told = self.changed = False


class Series(_Entity):
    """A Series that the transaction changes."""

    __slots__ = ("modality", "recount", "study", "uid")

    def __init__(self, study: Study, uid: str, found: tuple[Any, ...] | None) -> None:
        super().__init__(found)
        self.study = study
        self.uid = uid
        self.modality: str | None = found[7] if found is not None else None
        self.recount = False
        """Instances are gone: SOP Classes have to be looked up again."""

    def write(self, connection: Connection) -> None:
        """Insert or update the row. Its Study has been inserted."""
        if self.must_refold and self.id is not None:
            self._refold(_sayings(connection, _SERIES_SAYINGS, self.id, Level.SERIES))
        if self.recount and self.id is not None:
            self.sop_classes = {row[0] for row in connection.execute(_SERIES_SOP_CLASSES, (self.id,)) if row[0]}
            self.recount = False
            self.study.recount = True
        if not self.sop_classes <= self.study.sop_classes:
            self.study.sop_classes |= self.sop_classes
            self.study.changed = True
        counts = self._counts()
        if self.id is None or self.told:
            row = rows.series_row(self.folded.attributes)
            told = (*self._told(), *row)
            if self.id is None:
                parents = (self.study.id, self.study.uid, self.uid)
                self.id = connection.execute(_INSERT_SERIES, (*parents, *counts, *told)).lastrowid
                self.study.recount = True
            else:
                connection.execute(_UPDATE_SERIES_ALL, (*counts, *told, self.id))
                self.study.recount = self.study.recount or row[1] != self.modality
            self.modality = row[1]
        elif self.changed:
            connection.execute(_UPDATE_SERIES, (*counts, self.id))
        self.told = self.changed = False


class Entities:
    """The Studies and Series that a transaction has touched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._studies: dict[str, Study] = {}
        self._series: dict[tuple[str, str], Series] = {}
        self.studies_added = 0
        self.series_added = 0
        self.instances_added = 0
        self.deleted_added = 0

    def study(self, uid: str) -> Study:
        """Return a Study, new when it is not stored."""
        study = self._studies.get(uid)
        if study is None:
            found = self._connection.execute(_STUDY_FOUND, (uid,)).fetchone()
            study = self._studies[uid] = Study(uid, found)
        return study

    def series(self, study_uid: str, uid: str) -> Series:
        """Return a Series, new when it is not stored."""
        series = self._series.get((study_uid, uid))
        if series is None:
            study = self.study(study_uid)
            found = None
            if study.id is not None:
                found = self._connection.execute(_SERIES_FOUND, (uid, study_uid)).fetchone()
            series = self._series[study_uid, uid] = Series(study, uid, found)
        return series

    def write(self) -> None:
        """Write what changed; remove what has become empty."""
        connection = self._connection
        for (study_uid, uid), series in list(self._series.items()):
            if series.number_of_instances == 0 and series.id is not None:
                connection.execute("DELETE FROM series WHERE id = ?", (series.id,))
                series.study.number_of_series -= 1
                series.study.recount = True
                self.series_added -= 1
                del self._series[study_uid, uid]
            elif series.changed or series.told:
                series.write(connection)
        for uid, study in list(self._studies.items()):
            if study.number_of_instances == 0 and study.id is not None:
                connection.execute("DELETE FROM studies WHERE id = ?", (study.id,))
                self.studies_added -= 1
                del self._studies[uid]
            elif study.changed or study.told or study.recount:
                study.write(connection)
        connection.execute(
            "UPDATE totals SET studies = studies + ?, series = series + ?, instances = instances + ?,"
            " deleted = deleted + ? WHERE id = 1",
            (self.studies_added, self.series_added, self.instances_added, self.deleted_added),
        )
        self.studies_added = self.series_added = self.instances_added = self.deleted_added = 0


def document(connection: Connection, instance: int, parts: int, first: bytes) -> bytes:
    """Return the whole document of an Instance, given its first part."""
    if parts == 1:
        return rows.decompress(first)
    return b"".join(
        [rows.decompress(first), *(rows.decompress(row[0]) for row in connection.execute(_PARTS, (instance,)))]
    )


def _sayings(connection: Connection, statement: str, id: int, level: Level) -> Iterator[tuple[Attributes, str]]:
    for (key,) in connection.execute(statement, (id,)).fetchall():
        instance, parts, first = connection.execute(_DOCUMENT, (key,)).fetchone()
        study, series = rows.split(orjson.loads(document(connection, instance, parts, first)))
        yield (study if level is Level.STUDY else series), key


def _json(values: set[str]) -> str:
    return orjson.dumps(sorted(values)).decode()

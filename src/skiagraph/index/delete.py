"""Deleting Instances, Series and Studies; what was there is remembered (410 instead of 404)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from skiagraph.errors import ArchiveError, Conflict, ResourceGone, ResourceNotFound
from skiagraph.index import changes
from skiagraph.index.base import ChangeAction
from skiagraph.index.entities import Connection, Entities
from skiagraph.index.rows import instance_version
from skiagraph.values import Level, ResourcePath

_OF_INSTANCE = (
    "SELECT i.id FROM instances i JOIN series s ON s.id = i.series"
    " WHERE i.sop_instance_uid = ? AND s.study_instance_uid = ? AND s.series_instance_uid = ?"
)
_OF_SERIES = "SELECT id, series_instance_uid FROM series WHERE series_instance_uid = ? AND study_instance_uid = ?"
_OF_STUDY = (
    "SELECT s.id, s.series_instance_uid FROM series s JOIN studies t ON t.id = s.study WHERE t.study_instance_uid = ?"
)
_INSTANCES = "SELECT id, sop_instance_uid, key, prefix_digest, dataset_digest, sop_class_uid FROM instances WHERE "
_COMMITTED = "SELECT count(*), max(committed_at) FROM instances WHERE committed_at > ? AND "
_BELOW = (
    "DELETE FROM frames WHERE instance IN (SELECT id FROM instances WHERE {})",
    "DELETE FROM document_parts WHERE instance IN (SELECT id FROM instances WHERE {})",
    "DELETE FROM documents WHERE instance IN (SELECT id FROM instances WHERE {})",
    "DELETE FROM instances WHERE {}",
)
_REMEMBER = (
    "INSERT INTO deleted (study_instance_uid, series_instance_uid, sop_instance_uid, deleted_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at"
)
_WAS_THERE = {
    Level.STUDY: "SELECT 1 FROM deleted WHERE study_instance_uid = ? LIMIT 1",
    Level.SERIES: "SELECT 1 FROM deleted WHERE study_instance_uid = ? AND series_instance_uid = ? LIMIT 1",
    Level.INSTANCE: (
        "SELECT 1 FROM deleted WHERE study_instance_uid = ? AND series_instance_uid = ? AND sop_instance_uid = ?"
    ),
}


def missing(connection: Connection, path: ResourcePath) -> ArchiveError:
    """Return the error for a path at which nothing is stored: gone, or never there."""
    uids = [
        uid for uid in (path.study_instance_uid, path.series_instance_uid, path.sop_instance_uid) if uid is not None
    ]
    if connection.execute(_WAS_THERE[path.level], uids).fetchone() is not None:
        return ResourceGone(f"{path} was deleted.")
    return ResourceNotFound(f"There is no {path}.")


def delete(connection: Connection, path: ResourcePath, keep_committed: float = 0.0) -> list[str]:
    """Delete everything below the path inside the transaction that the caller holds; return the blob keys.

    Raises
    ------
    ResourceGone, ResourceNotFound
    Conflict
        An Instance was committed less than so many seconds ago.
    """
    study_uid, series_uid, uid = path.study_instance_uid, path.series_instance_uid, path.sop_instance_uid
    entities = Entities(connection)
    keys: list[str] = []
    if uid is not None and series_uid is not None:
        found = connection.execute(_OF_INSTANCE, (uid, study_uid, series_uid)).fetchone()
        if found is None:
            raise missing(connection, path)
        _check(connection, path, keep_committed, "id = ?", [found[0]])
        keys += _remove(connection, entities, study_uid, series_uid, "id = ?", found[0])
    else:
        every: list[tuple[Any, ...]]
        if series_uid is not None:
            every = connection.execute(_OF_SERIES, (series_uid, study_uid)).fetchall()
        else:
            every = connection.execute(_OF_STUDY, (study_uid,)).fetchall()
        if not every:
            raise missing(connection, path)
        _check(connection, path, keep_committed, "series = ?", [id for id, _ in every])
        for id, of_series in every:
            keys += _remove(connection, entities, study_uid, of_series, "series = ?", id)
    entities.write()
    return keys


def _check(
    connection: Connection, path: ResourcePath, keep_committed: float, where: str, parameters: list[int]
) -> None:
    """Raise Conflict where Storage Commitment holds Instances."""
    now = time.time()
    held, last = 0, 0.0
    for parameter in parameters if keep_committed else ():
        found = connection.execute(_COMMITTED + where, (now - keep_committed, parameter)).fetchone()
        held, last = held + found[0], max(last, found[1] or 0.0)
    if held:
        until = datetime.fromtimestamp(last + keep_committed, UTC)
        instances = "1 Instance is" if held == 1 else f"{held} Instances are"
        raise Conflict(
            f"{path} was not deleted: {instances} committed, and the server has promised to keep what it has committed"
            f" until {until:%Y-%m-%d %H:%M} UTC."
        )


def _remove(
    connection: Connection, entities: Entities, study_uid: str, series_uid: str, where: str, parameter: int
) -> list[str]:
    series = entities.series(study_uid, series_uid)
    now = time.time()
    keys = []
    removed = connection.execute(_INSTANCES + where, (parameter,))
    while some := removed.fetchmany(1000):
        for _, uid, key, prefix_digest, dataset_digest, _ in some:
            version = instance_version(uid, prefix_digest, dataset_digest)
            series.discount(key, version)
            series.study.discount(key, version)
            keys.append(key)
        before = connection.total_changes
        connection.executemany(_REMEMBER, [(study_uid, series_uid, row[1], now) for row in some])
        entities.deleted_added += connection.total_changes - before
        changes.append(connection, [(ChangeAction.DELETED, study_uid, series_uid, row[1], row[5], now) for row in some])
    series.recount = True
    entities.instances_added -= len(keys)
    for statement in _BELOW:
        connection.execute(statement.format(where), (parameter,))
    return keys

"""Adding Instances: a batch is one transaction, about five statements for each Instance."""

from __future__ import annotations

import time
from collections.abc import Sequence

from skiagraph.index import changes
from skiagraph.index.base import Added, ChangeAction, Outcome, Policy
from skiagraph.index.entities import Connection, Entities
from skiagraph.index.rows import INSTANCE_COLUMNS, Prepared, instance_version
from skiagraph.values import ResourcePath

_STORED = (
    "SELECT i.id, i.key, i.prefix_digest, i.dataset_digest, s.study_instance_uid, s.series_instance_uid,"
    " i.committed_at"
    " FROM instances i JOIN series s ON s.id = i.series WHERE i.sop_instance_uid = ?"
)
_INSERT = f"INSERT INTO instances ({', '.join(INSTANCE_COLUMNS)}) VALUES ({', '.join('?' * len(INSTANCE_COLUMNS))})"  # noqa: S608
_INSERT_DOCUMENT = "INSERT INTO documents (instance, parts, bulkdata, document) VALUES (?, ?, ?, ?)"
_INSERT_PART = "INSERT INTO document_parts (instance, part, document) VALUES (?, ?, ?)"
_INSERT_SPANS = "INSERT INTO frames (instance, block, spans) VALUES (?, ?, ?)"
_ANYTHING_DELETED = "SELECT deleted FROM totals WHERE id = 1"
_FORGET_DELETION = (
    "DELETE FROM deleted WHERE study_instance_uid = ? AND series_instance_uid = ? AND sop_instance_uid = ?"
)

_ACTIONS = {Outcome.ADDED: ChangeAction.STORED, Outcome.REPLACED: ChangeAction.REPLACED}

BELOW_INSTANCE = (
    "DELETE FROM frames WHERE instance = ?",
    "DELETE FROM document_parts WHERE instance = ?",
    "DELETE FROM documents WHERE instance = ?",
    "DELETE FROM instances WHERE id = ?",
)
"""Statements that remove one Instance, in this order."""


def add(connection: Connection, batch: Sequence[Prepared], policy: Policy, keep_committed: float = 0.0) -> list[Added]:
    """Add prepared Instances inside the transaction that the caller holds."""
    entities = Entities(connection)
    kept_since = time.time() - keep_committed
    forget = connection.execute(_ANYTHING_DELETED).fetchone()[0] > 0
    added = [_add(connection, entities, prepared, policy, forget, kept_since) for prepared in batch]
    entities.write()
    now = time.time()
    changes.append(
        connection,
        [
            (_ACTIONS[result.outcome], *_uids(prepared.path), prepared.sop_class_uid, now)
            for prepared, result in zip(batch, added, strict=True)
            if result.outcome in _ACTIONS
        ],
    )
    return added


def _uids(path: ResourcePath) -> tuple[str, str, str]:
    return path.study_instance_uid, path.series_instance_uid or "", path.sop_instance_uid or ""


def _add(
    connection: Connection, entities: Entities, new: Prepared, policy: Policy, forget: bool, kept_since: float
) -> Added:
    study_uid, series_uid, uid = new.path.study_instance_uid, new.path.series_instance_uid, new.path.sop_instance_uid
    if series_uid is None or uid is None:
        raise TypeError("the path of an Instance has three UIDs")
    replaced_key = None
    stored = connection.execute(_STORED, (uid,)).fetchone()
    if stored is not None:
        id, key, prefix_digest, dataset_digest, stored_study_uid, stored_series_uid, committed_at = stored
        if (stored_study_uid, stored_series_uid) != (study_uid, series_uid):
            return Added(Outcome.DUPLICATE, stored_path=ResourcePath(stored_study_uid, stored_series_uid, uid))
        if dataset_digest == new.dataset_digest:
            return Added(Outcome.SAME)
        if policy == "keep":
            return Added(Outcome.KEPT)
        if policy == "reject" or (committed_at is not None and committed_at > kept_since):
            return Added(Outcome.DUPLICATE, stored_path=new.path)
        replaced_key = key
        for statement in BELOW_INSTANCE:
            connection.execute(statement, (id,))
    series = entities.series(study_uid, series_uid)
    study = series.study
    if replaced_key is not None:
        version = instance_version(uid, prefix_digest, dataset_digest)
        study.discount(replaced_key, version)
        series.discount(replaced_key, version)
        series.recount = True
        entities.instances_added -= 1
    study.tell(new.study_attributes, new.study_json, new.key)
    series.tell(new.series_attributes, new.series_json, new.key)
    if study.id is None:
        entities.studies_added += 1
        study.write(connection)
    if series.id is None:
        entities.series_added += 1
        study.number_of_series += 1
        series.write(connection)
    study.count("", new.version)  # its SOP Classes are those of its Series
    series.count(new.sop_class_uid, new.version)
    entities.instances_added += 1
    id = connection.execute(_INSERT, (*new.row, series.id)).lastrowid
    connection.execute(_INSERT_DOCUMENT, (id, len(new.parts), new.bulkdata, new.parts[0]))
    if len(new.parts) > 1:
        connection.executemany(_INSERT_PART, [(id, part, new.parts[part]) for part in range(1, len(new.parts))])
    if new.spans:
        connection.executemany(_INSERT_SPANS, [(id, block, spans) for block, spans in enumerate(new.spans)])
    if forget:
        cursor = connection.execute(_FORGET_DELETION, (study_uid, series_uid, uid))
        entities.deleted_added -= cursor.rowcount
    if replaced_key is not None:
        return Added(Outcome.REPLACED, replaced_key=replaced_key)
    return Added(Outcome.ADDED)

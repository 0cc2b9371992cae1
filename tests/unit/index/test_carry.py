"""index.carry: what a new index takes over from an old one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skiagraph.index.base import ChangeAction, Record, RecordSearch
from skiagraph.index.carry import Carried, carry, is_index
from skiagraph.index.sql import SqlIndex
from skiagraph.standard.matching import Single
from skiagraph.testing.headers import data_set, element, header, new_instance
from skiagraph.testing.record_index_suite import GLOBAL, LABEL, STATE, WORKITEM, found, put, run, write
from skiagraph.values import ResourcePath

SEARCH = RecordSearch(WORKITEM, (Single((LABEL,), "LO", "CT"),), limit=1)


def _instance(uid: str, key: str) -> Any:
    return new_instance(header(data_set("1.1", "2.1", uid, {"00081030": element("LO", "a")})), key=key)


def _add(index: SqlIndex, *uids: str) -> None:
    index.add([index.prepare(_instance(uid, f"key-{uid}")) for uid in uids], "reject")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An index with something of everything."""
    path = tmp_path / "old.sqlite"
    index = SqlIndex.open(path, durable=False)
    _add(index, "3.1", "3.2", "3.3")
    index.delete(ResourcePath("1.1", "2.1", "3.2"))
    one = put(index, Record(WORKITEM, "1.1", {STATE: element("CS", "SCHEDULED"), LABEL: element("LO", "CT")}, {"a": 1}))
    two = put(index, Record(WORKITEM, "1.2", {STATE: element("CS", "COMPLETED"), LABEL: element("LO", "CT")}))
    put(index, replace(one, private={"lock": "1.2.3"}))
    write(index, lambda books: books.subscribe(two, "ONE", deletion_lock=True))
    write(index, lambda books: books.subscribe_globally(WORKITEM, "TWO", GLOBAL, deletion_lock=False))
    for text in (b"1", b"2", b"3"):
        write(index, lambda books, text=text: books.report(text, ["ONE", "TWO"]))  # type: ignore[misc]
    write(index, lambda books: books.acknowledge("ONE", 3))
    write(index, lambda books: books.trim(length=9, not_before=0))
    last = put(index, Record(WORKITEM, "1.3", {}))
    write(index, lambda books: books.delete(last))
    index.close()
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """An index made from the blobs: one is lost, one nobody knew."""
    path = tmp_path / "new.sqlite"
    index = SqlIndex.open(path, durable=False)
    _add(index, "3.1", "3.9")
    index.close()
    return path


def test_everything_is_there_again(old: Path, new: Path) -> None:
    before = SqlIndex.open(old, durable=False)
    expected = [run(before.record(WORKITEM, uid)) for uid in ("1.1", "1.2")]
    news, feed = run(before.news(0, 9)), run(before.feed(0, 9))
    newest = run(before.newest_report())
    before.close()
    carried = carry(old, new)
    assert carried == Carried(
        {"records": 2, "subscriptions": 2, "event reports": len(news), "change feed": len(feed) + 2}
    )
    index = SqlIndex.open(new, durable=False)
    assert [run(index.record(WORKITEM, uid)) for uid in ("1.1", "1.2")] == expected
    assert found(index, SEARCH) == (["1.1"], 1, 2)
    assert write(index, lambda books: books.gone(WORKITEM, "1.3")) is True
    assert write(index, lambda books: [books.subscribers(one) for one in expected]) == [["TWO"], ["ONE", "TWO"]]
    assert write(index, lambda books: books.locked(expected[1], 0)) is True
    assert run(index.news(0, 9)) == news
    assert run(index.acknowledged("ONE")) == 3
    assert run(index.newest_report()) == newest
    fresh = put(index, Record(WORKITEM, "1.3", {}))
    assert fresh.id == 4, "numbers are never used again"
    assert write(index, lambda books: books.subscribers(fresh)) == ["TWO"]
    after = run(index.feed(0, 99))
    assert after[: len(feed)] == feed
    assert [(entry.number, entry.action, entry.path.sop_instance_uid) for entry in after[len(feed) :]] == [
        (5, ChangeAction.STORED, "3.9"),
        (6, ChangeAction.DELETED, "3.3"),
    ]
    index.close()


def test_commitments(old: Path, new: Path) -> None:
    for path in (old, new):
        with sqlite3.connect(path) as connection:
            at = 5.5 if path == old else None
            connection.execute("UPDATE instances SET committed_at = ?", (at,))
        connection.close()
    assert carry(old, new).lost == ()
    with sqlite3.connect(new) as connection:
        rows = connection.execute("SELECT sop_instance_uid, committed_at FROM instances ORDER BY 1").fetchall()
    connection.close()
    assert rows == [("3.1", 5.5), ("3.9", None)]


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(file.seek(0, 2) // 2)


def _overwrite(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_overwrite, _empty, Path.unlink], ids=["overwritten", "empty", "lost"])
def test_what_is_no_index(old: Path, new: Path, damage: Callable[[Path], None]) -> None:
    damage(old)
    assert is_index(old) is False
    carried = carry(old, new)
    assert carried.lost == ("records", "subscriptions", "event reports", "change feed")
    assert carried.numbers["change feed"] == 2, "the feed of the new index"
    index = SqlIndex.open(new, durable=False)
    assert [entry.number for entry in asyncio.run(index.feed(0, 9))] == [1, 2]
    index.close()


@pytest.mark.parametrize(
    ("table", "lost"),
    [
        ("record_keys", ("records",)),
        ("events", ("event reports",)),
        ("changes", ("change feed",)),
        ("step_subscriptions", ("subscriptions",)),
    ],
)
def test_a_part_that_can_not_be_read(old: Path, new: Path, table: str, lost: tuple[str, ...]) -> None:
    """The others are taken."""
    with sqlite3.connect(old) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with old.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert is_index(old)
    carried = carry(old, new)
    assert carried.lost == lost
    index = SqlIndex.open(new, durable=False)
    assert len(run(index.news(0, 9))) == (0 if "event reports" in lost else 4)
    assert found(index, SEARCH)[2] == (0 if "records" in lost else 2)
    assert len(run(index.feed(0, 99))) == (2 if "change feed" in lost else 6)
    index.close()

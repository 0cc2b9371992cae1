"""The index in SQLite: the shipped suite, and what is its own."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from skiagraph.errors import StorageFull, Unavailable
from skiagraph.index.base import Outcome
from skiagraph.index.connections import CorruptIndex
from skiagraph.index.sql import SqlIndex
from skiagraph.standard import matching
from skiagraph.standard.matching import Search
from skiagraph.standard.native_xml import to_xml
from skiagraph.testing.headers import ct_attributes, data_set, element, header, nested, new_instance
from skiagraph.testing.index_suite import IndexSuite
from skiagraph.values import Level, ResourcePath


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty index: copying it is quicker than migrating each time."""
    path = tmp_path_factory.mktemp("template") / "index.sqlite"
    SqlIndex.open(path, durable=False).close()
    return path


class TestSqlIndex(IndexSuite):
    template: Path

    @pytest.fixture(autouse=True)
    def _template(self, template: Path) -> None:
        type(self).template = template

    def new_index(self, folder: Path) -> SqlIndex:
        shutil.copyfile(self.template, folder / "index.sqlite")
        return SqlIndex.open(folder / "index.sqlite", durable=False)


@pytest.fixture
def path(tmp_path: Path, template: Path) -> Path:
    shutil.copyfile(template, tmp_path / "index.sqlite")
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[SqlIndex]:
    index = SqlIndex.open(path, durable=False)
    yield index
    index.close()


def _new(study: str, series: str, instance: str, *, key: str | None = None, **more: Any) -> Any:
    return new_instance(header(data_set(study, series, instance, ct_attributes(30) | more)), key=key)


def _add(index: SqlIndex, *new: Any) -> None:
    for added in index.add([index.prepare(one) for one in new], "reject"):
        assert added.outcome is Outcome.ADDED


def _total(index: SqlIndex, level: Level) -> int | None:
    return asyncio.run(index.search(Search(level, limit=0))).total


def test_content_outlives_the_process(path: Path) -> None:
    first = SqlIndex.open(path, durable=True)
    _add(first, _new("1.1", "2.1", "3.1"))
    first.close()
    second = SqlIndex.open(path, durable=True)
    assert asyncio.run(second.identify("3.1")) is not None
    second.close()
    second.close()  # harmless


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_durability(path: Path, durable: bool, synchronous: int) -> None:
    index = SqlIndex.open(path, durable=durable)
    with index._connections.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    index.close()


def test_readers_can_not_write(index: SqlIndex) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        index._connections.reader().execute("DELETE FROM totals")


def _store_some(path: Path, worker: int, start: Any) -> None:
    start.wait(60)
    index = SqlIndex.open(path, durable=False)
    for i in range(25):
        _add(index, _new("1.1", f"2.{i % 3}", f"3.{worker}.{i}", key=f"{i:03}-{worker}"))
    index.close()


def test_processes_start_and_store_together(tmp_path: Path) -> None:
    """Four processes create one file at the same moment and write to one Study."""
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    path = tmp_path / "new" / "index.sqlite"
    processes = [context.Process(target=_store_some, args=(path, worker, start)) for worker in range(4)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    index = SqlIndex.open(path, durable=False)
    assert [_total(index, level) for level in Level] == [1, 3, 100]
    assert len(list(index._connections.reader().execute("SELECT * FROM totals"))) == 1
    index.close()


def test_threads_store_and_read_together(index: SqlIndex) -> None:
    failures: list[Exception] = []

    def store(worker: int) -> None:
        try:
            for i in range(20):
                _add(index, _new("1.1", f"2.{worker}", f"3.{worker}.{i}"))
                assert asyncio.run(index.identify(f"3.{worker}.{i}")) is not None
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=store, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [_total(index, level) for level in Level] == [1, 4, 80]


def test_a_search_holds_nothing_between_chunks(index: SqlIndex) -> None:
    """A slow reader does not keep the log from being cut, and may walk away."""
    _add(index, *[_new("1.1", "2.1", f"3.{i}") for i in range(600)])

    async def walk_away() -> None:
        found = await index.search(Search(Level.INSTANCE))
        async for _ in found.matches:
            break
        documents = await index.documents(ResourcePath("1.1"))
        async for _ in documents:
            break

    asyncio.run(walk_away())
    gc.collect()
    with sqlite3.connect(index._connections._path) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    other.close()


def test_deleted_between_chunks(index: SqlIndex) -> None:
    """What is deleted while it is read is not given; another Series under a freed row is never taken for it."""
    _add(index, *[_new("1.1", "2.1", f"3.{i}", **{"00200013": element("IS", i)}) for i in range(250)])

    async def read() -> list[str | None]:
        chunks = await index.instances(ResourcePath("1.1", "2.1"))
        uids = [stored.path.sop_instance_uid for stored in await anext(chunks)]
        index.delete(ResourcePath("1.1"))
        _add(index, *[_new("1.2", "2.2", f"4.{i}", **{"00200013": element("IS", i)}) for i in range(250)])
        return uids + [stored.path.sop_instance_uid async for chunk in chunks for stored in chunk]

    assert asyncio.run(read()) == [f"3.{i}" for i in range(100)]


class _Failing:
    """A connection that fails one statement."""

    def __init__(self, connection: sqlite3.Connection, words: str, code: int) -> None:
        self._connection, self._words, self._code = connection, words, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if self._words in statement:
            error = sqlite3.OperationalError("made up")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, *parameters)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(sqlite3.SQLITE_FULL, StorageFull, id="full"),
        pytest.param(sqlite3.SQLITE_IOERR_WRITE, StorageFull, id="can not be written"),
        pytest.param(sqlite3.SQLITE_IOERR_READ, Unavailable, id="can not be read"),
        pytest.param(sqlite3.SQLITE_BUSY, Unavailable, id="locked"),
        pytest.param(sqlite3.SQLITE_CORRUPT, CorruptIndex, id="damaged"),
        pytest.param(sqlite3.SQLITE_ERROR, sqlite3.OperationalError, id="a mistake of ours"),
    ],
)
@pytest.mark.parametrize("statement", ["INSERT INTO documents", "UPDATE totals", "COMMIT"])
def test_failure_undoes_the_whole_batch(
    index: SqlIndex, monkeypatch: pytest.MonkeyPatch, statement: str, code: int, expected: type[Exception]
) -> None:
    _add(index, _new("1.1", "2.1", "3.0"))
    batch = [index.prepare(_new("1.1", "2.1", f"3.{i}")) for i in range(1, 4)]
    with monkeypatch.context() as patch:
        patch.setattr(index._connections, "_writer", _Failing(index._connections._writer, statement, code))
        with pytest.raises(expected):
            index.add(batch, "reject")
        if statement != "INSERT INTO documents":
            with pytest.raises(expected):
                index.delete(ResourcePath("1.1"))
    assert [_total(index, level) for level in Level] == [1, 1, 1]
    assert index.known([one.key for one in batch]) == set()
    assert {added.outcome for added in index.add(batch, "reject")} == {Outcome.ADDED}


def test_file_that_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(CorruptIndex):
        SqlIndex.open(tmp_path / "index.sqlite", durable=False)


def test_closed_index(path: Path) -> None:
    index = SqlIndex.open(path, durable=False)
    asyncio.run(index.identify("3.1"))
    index.close()
    with pytest.raises((Unavailable, sqlite3.ProgrammingError)):
        asyncio.run(index.identify("3.1"))


def _answers(index: SqlIndex, search: Search) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        found = await index.search(search)
        return [
            orjson.loads(match.before + b'"00081190":{"vr":"UR"}' + match.after)
            async for chunk in found.matches
            for match in chunk
        ]

    return asyncio.run(run())


@pytest.mark.parametrize("depth", [83, 84, 85, 200, 250])
def test_deep_sequences(index: SqlIndex, depth: int) -> None:
    """One such Instance may not break the searches that all others are found by."""
    tags = {"00081110": Level.STUDY, "00081250": Level.SERIES, "00081140": Level.INSTANCE, "00091001": Level.INSTANCE}
    more = {tag: nested(depth) for tag in tags} | {"00090010": element("LO", "MAKER")}
    new = new_instance(header(data_set("1.1", "2.1", "3.1", ct_attributes(30) | more)), content=b"deep")
    _add(index, new, _new("1.1", "2.1", "3.2"))
    inner = matching.InSequence(("00081140",), (matching.Empty(("00081140",), "SQ"),))
    for tag, level in tags.items():
        standard = tag != "00091001"
        for search in (
            Search(level, include_all=True),
            Search(level, include=((tag,),)) if standard else Search(level, include_private=(("MAKER", (tag,)),)),
            Search(level, conditions=(matching.InSequence((tag,), (inner,)),)),
            Search(level, conditions=(matching.InSequence((tag,), (matching.Single(("00081140",), "UN", "x"),)),)),
        ):
            found = _answers(index, search)
            if search.conditions:
                assert found == []
            else:
                assert found[0][tag] == nested(depth)
                assert to_xml(found[0]).count(b"<Item ") >= depth
    every = _answers(index, Search(Level.INSTANCE, include=(("00081110",), ("00081250",), ("00081140",))))
    assert [every[0][tag] for tag in ("00081110", "00081250", "00081140")] == [nested(depth)] * 3


def test_bulk_data_is_named_where_it_is_of_the_instance_found(index: SqlIndex) -> None:
    """A Study has no bulk data of its own; what its Instances have is neither empty nor to be found below it."""
    bulk = {"vr": "FD", "BulkDataURI": "bulkdata/x"}
    more = {
        "00104000": bulk,
        "00181200": bulk,
        "00189073": bulk,
        "00091001": bulk,
        "00090010": element("LO", "MAKER"),
        "00480105": element("SQ", {"00282000": bulk}),
        "00081110": element("SQ", {"00282000": bulk}),
    }
    _add(index, _new("1.1", "2.1", "3.1", **more))
    own = {"00189073": bulk, "00480105": more["00480105"], "7FE00010": {"vr": "OW", "BulkDataURI": "pixeldata"}}
    names = tuple((tag,) for tag in (*more, "7FE00010"))
    private = (("MAKER", ("00091001",)),)
    for search in (
        Search(Level.INSTANCE, include=names, include_private=private),
        Search(Level.INSTANCE, "1.1", "2.1", include=names, include_private=private),
        Search(Level.INSTANCE, include_all=True, include_private=private),
    ):
        (found,) = _answers(index, search)
        assert {tag: found[tag] for tag in own} == own
        assert found["00091001"] == bulk
        assert not {"00104000", "00181200"} & set(found)
        assert found["00081110"] == element("SQ", {})
    for level in (Level.STUDY, Level.SERIES):
        for search in (Search(level, include=names), Search(level, include_all=True)):
            (found,) = _answers(index, search)
            assert "BulkDataURI" not in str(found)
            assert not {"00104000", "00181200"} & set(found)
    # Whether there is a value is known nevertheless
    empty = matching.Empty(("00189073",), "FD")
    assert _answers(index, Search(Level.INSTANCE, conditions=(empty,))) == []


def test_large_values_stay_in_the_document(index: SqlIndex) -> None:
    """A Study row is read with every Instance stored: what an Instance says about it is bounded."""
    comments = "x" * 100_000
    _add(index, _new("1.1", "2.1", "3.1", **{"00104000": element("LT", comments)}))
    row = index._connections.reader().execute("SELECT length(attributes) FROM studies").fetchone()
    assert row[0] < 5000

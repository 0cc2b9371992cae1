"""Records in SQLite: the shipped suite, and what is its own."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skiagraph.errors import StorageFull, Unavailable
from skiagraph.index.base import Books, Record, RecordSearch
from skiagraph.index.record_search import RecordSearching
from skiagraph.index.sql import SqlIndex
from skiagraph.standard.workitem import WORKITEM as WORKITEM_KIND
from skiagraph.testing.headers import element
from skiagraph.testing.record_index_suite import STATE, WORKITEM, RecordIndexSuite, run
from skiagraph.values import Attributes
from skiagraph.wire import record_query


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty index: copying it is quicker than migrating each time."""
    path = tmp_path_factory.mktemp("template") / "index.sqlite"
    SqlIndex.open(path, durable=False).close()
    return path


class TestSqlIndex(RecordIndexSuite):
    template: Path

    @pytest.fixture(autouse=True)
    def _template(self, template: Path) -> None:
        type(self).template = template

    def new_index(self, folder: Path) -> SqlIndex:
        shutil.copyfile(self.template, folder / "index.sqlite")
        return SqlIndex.open(folder / "index.sqlite", durable=False)


@pytest.fixture
def index(tmp_path: Path, template: Path) -> Iterator[SqlIndex]:
    shutil.copyfile(template, tmp_path / "index.sqlite")
    index = SqlIndex.open(tmp_path / "index.sqlite", durable=False)
    yield index
    index.close()


class _Failing:
    """A connection on which one kind of statement fails, as SQLite itself fails: with or without giving all up."""

    def __init__(self, connection: sqlite3.Connection, statement: str, code: int, *, gives_up: bool) -> None:
        self._connection, self._statement, self._code, self._gives_up = connection, statement, code, gives_up

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement.startswith(self._statement):
            if self._gives_up:
                self._connection.execute("ROLLBACK")
            error = sqlite3.OperationalError("failed")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, *parameters)


WORK: list[Callable[[Books], Any]] = [
    lambda books: books.put(Record(WORKITEM, "1.1", {STATE: element("CS", "SCHEDULED")})),
    lambda books: books.report(b"{}", ["ONE"]),
    lambda books: books.acknowledge("ONE", 1),
]


def _nothing_is_kept(index: SqlIndex) -> None:
    assert run(index.news(0, 9)) == []
    assert run(index.find(RecordSearch(WORKITEM, limit=1))).total == 0


@pytest.mark.parametrize("statement", ["INSERT INTO events", "COMMIT"])
def test_a_full_disk_undoes_all_that_was_to_be_done_together(
    index: SqlIndex, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    with monkeypatch.context() as patch:
        failing = _Failing(index._connections._writer, statement, sqlite3.SQLITE_FULL, gives_up=statement != "COMMIT")
        patch.setattr(index._connections, "_writer", failing)
        with pytest.raises(StorageFull):
            index.together(WORK)
    _nothing_is_kept(index)
    assert [isinstance(result, Exception) for result in index.together(WORK)] == [False] * 3


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(sqlite3.SQLITE_FULL, StorageFull, id="full, but SQLite goes on"),
        pytest.param(sqlite3.SQLITE_IOERR_READ, Unavailable, id="can not be read"),
        pytest.param(sqlite3.SQLITE_ERROR, sqlite3.OperationalError, id="a mistake of ours"),
    ],
)
def test_one_change_that_fails_is_undone_alone(
    index: SqlIndex, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[Exception]
) -> None:
    with monkeypatch.context() as patch:
        failing = _Failing(index._connections._writer, "INSERT INTO events", code, gives_up=False)
        patch.setattr(index._connections, "_writer", failing)
        results = index.together(WORK)
    assert [type(result) for result in results] == [Record, expected, type(None)]
    assert run(index.record(WORKITEM, "1.1")) == results[0]
    assert run(index.news(0, 9)) == []


def test_a_file_that_can_not_grow(index: SqlIndex) -> None:
    """SQLite itself: what was there stays, and there is room again later."""
    (first,) = index.together(WORK[:1])
    writer = index._connections._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    large = {"00741204": element("LT", *(uuid.uuid4().hex for _ in range(5000)))}
    results: list[Any] = []
    try:
        results = index.together([lambda books: books.put(Record(WORKITEM, "1.2", large)), WORK[1]])
    except StorageFull:
        pass
    else:
        assert isinstance(results[0], StorageFull)
    assert run(index.record(WORKITEM, "1.1")) == first
    writer.execute("PRAGMA max_page_count = 1000000")
    (stored,) = index.together([lambda books: books.put(Record(WORKITEM, "1.2", large))])
    assert run(index.record(WORKITEM, "1.2")) == stored


def _steps(index: SqlIndex, search: RecordSearch) -> int:
    """Virtual machine instructions of SQLite, in thousands, that a page with its count takes."""
    reader = sqlite3.connect(index._connections._path, isolation_level=None)
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    try:
        reader.set_progress_handler(count, 1000)
        RecordSearching(search).open(reader)
    finally:
        reader.close()
    return counted


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="no condition"),
        pytest.param("ProcedureStepState=SCHEDULED", id="state"),
        pytest.param("ProcedureStepState=SCHEDULED,COMPLETED", id="states"),
        pytest.param("ProcedureStepState=SCHEDULED&WorklistLabel=Label%203", id="state and label"),
        pytest.param("ScheduledStationNameCodeSequence.CodeValue=ST7", id="station code"),
        pytest.param(
            "ScheduledStationNameCodeSequence.CodeValue=ST7"
            "&ScheduledStationNameCodeSequence.CodingSchemeDesignator=99X",
            id="station code with scheme",
        ),
        pytest.param("ScheduledWorkitemCodeSequence.CodeValue=W3&ProcedureStepState=SCHEDULED", id="code and state"),
        pytest.param("ScheduledProcedureStepStartDateTime=20240110-", id="from a day on"),
        pytest.param(
            "ScheduledProcedureStepStartDateTime=20240110-&ProcedureStepState=SCHEDULED", id="start and state"
        ),
        pytest.param("PatientID=P7", id="Patient ID"),
        pytest.param("SOPInstanceUID=1.2.7", id="UID"),
    ],
)
def test_searches_cost_the_same_among_many(crowd: dict[int, SqlIndex], query: str) -> None:
    """What is counted in `record_totals`, and found in order, takes no more steps among ten times as many."""
    search = RecordSearch(WORKITEM_KIND, record_query.parse(query).conditions, 20)
    few, many = (_steps(index, search) for index in crowd.values())
    assert many <= few + 2


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[dict[int, SqlIndex]]:
    """Indexes of few and of many Workitems."""
    found = {}
    for number in (600, 6000):
        folder = tmp_path_factory.mktemp("crowd")
        shutil.copyfile(template, folder / "index.sqlite")
        index = found[number] = SqlIndex.open(folder / "index.sqlite", durable=False)
        records = [Record(WORKITEM_KIND, f"1.2.{i}", _workitem(i)) for i in range(number)]
        index.together([lambda books, record=record: books.put(record) for record in records])  # type: ignore[misc]
    yield found
    for index in found.values():
        index.close()


def _workitem(number: int) -> Attributes:
    def code(value: str) -> dict[str, Any]:
        return element("SQ", {"00080100": element("SH", value), "00080102": element("SH", "99X")})

    return {
        "00080018": element("UI", f"1.2.{number}"),
        "00100020": element("LO", f"P{number // 2}"),
        "00404005": element("DT", f"202401{1 + number % 28:02}{number % 24:02}"),
        "00404018": code(f"W{number % 10}"),
        "00404025": code(f"ST{number // 3 % 12}"),
        "00741000": element("CS", ("SCHEDULED", "COMPLETED", "CANCELED")[number % 3]),
        "00741202": element("LO", f"Label {number // 7 % 5}"),
    }

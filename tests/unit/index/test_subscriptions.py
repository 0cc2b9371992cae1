"""index.subscriptions: what the tables hold. What callers see is in the shipped suite."""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skiagraph.index.base import Books, Record
from skiagraph.index.sql import SqlIndex
from skiagraph.standard.workitem import FILTERED_SUBSCRIPTION, GLOBAL_SUBSCRIPTION, WORKITEM
from skiagraph.testing.headers import element

FILTER = "WorklistLabel=A"
LABEL = "00741202"


class Tables:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = SqlIndex.open(path, durable=False)

    def write(self, work: Callable[[Books], Any]) -> Any:
        (result,) = self.index.together([work])
        if isinstance(result, Exception):
            raise result
        return result

    def record(self, uid: str, label: str = "A") -> Record:
        def work(books: Books) -> Record:
            record = books.put(Record(WORKITEM, uid, {LABEL: element("LO", label)}))
            books.join(record)
            return record

        record: Record = self.write(work)
        return record

    def rows(self, table: str) -> int:
        connection = sqlite3.connect(self.path)
        try:
            (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        finally:
            connection.close()
        return int(number)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty index: copying it is quicker than making one each time."""
    path = tmp_path_factory.mktemp("template") / "index.sqlite"
    SqlIndex.open(path, durable=False).close()
    return path


@pytest.fixture
def tables(template: Path, tmp_path: Path) -> Iterator[Tables]:
    shutil.copyfile(template, tmp_path / "index.sqlite")
    opened = Tables(tmp_path / "index.sqlite")
    yield opened
    opened.index.close()


def test_subscribing_again_and_again_leaves_the_rows_of_once(tables: Tables) -> None:
    record = tables.record("1.1")
    for lock in (False, True, False, False, True):
        tables.write(lambda b, lock=lock: b.subscribe(record, "ONE", deletion_lock=lock))  # type: ignore[misc]
        for filter, target in (("", GLOBAL_SUBSCRIPTION), (FILTER, FILTERED_SUBSCRIPTION)):
            tables.write(
                lambda b, lock=lock, filter=filter, target=target: b.subscribe_globally(  # type: ignore[misc]
                    WORKITEM, "ONE", target, deletion_lock=lock, filter=filter
                )
            )
    assert tables.rows("step_subscriptions") == 1
    assert tables.rows("global_subscriptions") <= 3


def test_who_comes_and_goes_leaves_nothing(tables: Tables) -> None:
    record = tables.record("1.1")
    for number in range(10):
        ae = f"AE{number}"
        tables.write(lambda b, ae=ae: b.subscribe(record, ae, deletion_lock=True))  # type: ignore[misc]
        assert tables.write(lambda b, ae=ae: b.unsubscribe(record, ae)) is True  # type: ignore[misc]
        assert tables.write(lambda b, ae=ae: b.unsubscribe(record, ae)) is False  # type: ignore[misc]
    assert tables.rows("step_subscriptions") == 0


def test_who_is_subscribed_globally_stays_unsubscribed_from_one(tables: Tables) -> None:
    record = tables.record("1.1")
    tables.write(lambda b: b.subscribe_globally(WORKITEM, "ONE", GLOBAL_SUBSCRIPTION, deletion_lock=False))
    assert tables.write(lambda b: b.unsubscribe(record, "ONE")) is True
    assert tables.write(lambda b: b.subscribers(record)) == []
    assert tables.rows("step_subscriptions") == 1


def test_names_that_somebody_makes_up_are_not_noted(tables: Tables) -> None:
    tables.write(lambda b: b.report(b"{}", ["ONE"]))
    for number in range(10):
        tables.write(lambda b, number=number: b.acknowledge(f"AE{number}", 1))  # type: ignore[misc]
    tables.write(lambda b: b.acknowledge("ONE", 0))
    assert tables.rows("subscribers") == 0
    tables.write(lambda b: b.acknowledge("ONE", 1))
    assert tables.rows("subscribers") == 1


def test_a_queue_that_is_empty_leaves_nothing(tables: Tables) -> None:
    tables.write(lambda b: b.report(b"{}", ["ONE", "TWO"]))
    tables.write(lambda b: b.acknowledge("ONE", 1))
    tables.write(lambda b: b.trim(length=9, not_before=0))
    assert [tables.rows(table) for table in ("reports", "events", "subscribers")] == [1, 1, 0]
    tables.write(lambda b: b.acknowledge("TWO", 2))
    tables.write(lambda b: b.trim(length=9, not_before=0))
    assert [tables.rows(table) for table in ("reports", "events", "subscribers")] == [0, 0, 0]


def test_acknowledged_reports_are_kept_for_a_while(tables: Tables) -> None:
    """Another connection of the subscriber may not have them yet. They are not lost when they go for being many."""
    for _ in range(3):
        tables.write(lambda b: b.report(b"{}", ["ONE"]))
    tables.write(lambda b: b.acknowledge("ONE", 2))
    before = time.time() - 60
    assert tables.write(lambda b: b.trim(length=9, not_before=0, read_before=before)).unread == 0
    assert tables.rows("reports") == 3
    assert tables.write(lambda b: b.trim(length=1, not_before=0, read_before=before)).unread == 0
    assert tables.rows("reports") == 1
    assert tables.write(lambda b: b.trim(length=0, not_before=0, read_before=before)).unread == 1
    assert tables.rows("events") == 0


def test_old_reports_that_were_acknowledged_are_not_lost(tables: Tables) -> None:
    tables.write(lambda b: b.report(b"{}", ["ONE", "TWO", "TWO"]))
    tables.write(lambda b: b.acknowledge("ONE", 1))
    assert tables.write(lambda b: b.trim(length=9, not_before=math.inf, read_before=0)).unread == 2
    assert [tables.rows(table) for table in ("reports", "events", "subscribers")] == [0, 0, 0]


def test_each_takes_conditions(tables: Tables) -> None:
    from skiagraph.wire import record_query

    for number in range(300):
        tables.record(f"1.{number}", "A" if number % 3 else "B")
    conditions = record_query.parse("WorklistLabel=B").conditions
    found = tables.write(lambda b: [record.uid for record in b.each(WORKITEM, conditions)])
    assert found == [f"1.{number}" for number in range(0, 300, 3)]


def test_a_filter_joins_what_matches_when_it_is_given_and_when_it_comes(tables: Tables) -> None:
    tables.record("1.1", "A")
    tables.record("1.2", "B")
    tables.write(
        lambda b: b.subscribe_globally(WORKITEM, "ONE", FILTERED_SUBSCRIPTION, deletion_lock=False, filter=FILTER)
    )
    tables.record("1.3", "A")
    tables.record("1.4", "B")

    def work(books: Books) -> dict[str, list[str]]:
        return {record.uid: books.subscribers(record) for record in books.each(WORKITEM)}

    assert tables.write(work) == {"1.1": ["ONE"], "1.2": [], "1.3": ["ONE"], "1.4": []}
    assert tables.rows("step_subscriptions") == 2


def test_queues_are_trimmed_some_at_a_time(tables: Tables) -> None:
    """First what is acknowledged, then what is too much: of the queues that were found long."""
    for _ in range(5):
        tables.write(lambda b: b.report(b"{}", ["ONE", "TWO", "THREE"]))
    tables.write(lambda b: b.acknowledge("ONE", 10))
    assert sorted(asyncio.run(tables.index.long_queues(4))) == ["ONE", "THREE", "TWO"]
    assert asyncio.run(tables.index.long_queues(5)) == []
    trimmed = [
        tables.write(lambda b: b.trim(length=1, not_before=0, ae_titles=["ONE", "TWO"], most=3)) for _ in range(4)
    ]
    assert trimmed == [(3, 0), (3, 2), (2, 2), (0, 0)]
    left = [len(asyncio.run(tables.index.queued(ae, 0, 9))) for ae in ("ONE", "TWO", "THREE")]
    assert left == [1, 1, 5]

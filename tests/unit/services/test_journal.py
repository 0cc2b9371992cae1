"""services.journal: changes in groups, each with its own result; who leaves takes nothing back; nobody waits on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from archives import Given, opened
from skiagraph.bus.base import Topic
from skiagraph.bus.local import LocalBus
from skiagraph.errors import Conflict, StorageFull
from skiagraph.index.base import Books, Record, RecordIndex
from skiagraph.services import journal as module
from skiagraph.services.journal import Journal
from skiagraph.standard.workitem import WORKITEM


class Index:
    """Runs a group when it is let to; keeps the sizes of groups."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.running = threading.Event()
        self.failure: Exception | None = None

    def together(self, work: Sequence[Callable[[Any], Any]]) -> list[Any]:
        self.groups.append(len(work))
        self.running.set()
        assert self.may_run.wait(30)
        if self.failure is not None:
            raise self.failure
        results: list[Any] = []
        for one in work:
            try:
                results.append(one(None))
            except Exception as error:
                results.append(error)
        return results


def run(test: Callable[[Index, Journal, LocalBus], Any]) -> None:
    async def whole() -> None:
        index, bus = Index(), LocalBus(None)
        try:
            await test(index, Journal(cast(RecordIndex, index), bus), bus)
        finally:
            index.may_run.set()
            bus.close()

    asyncio.run(whole())


async def held(index: Index, journal: Journal) -> asyncio.Future[Any]:
    """Have a change under way that does not end yet."""
    index.may_run.clear()
    first = asyncio.ensure_future(journal.write(lambda _: "first"))
    await asyncio.to_thread(index.running.wait, 30)
    return first


def test_a_lone_change_waits_for_nobody() -> None:
    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        assert await journal.write(lambda _: 7) == 7
        assert await journal.write(lambda _: None) is None
        assert index.groups == [1, 1]

    run(test)


def test_what_comes_meanwhile_is_one_group() -> None:
    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        first = await held(index, journal)
        others = [asyncio.ensure_future(journal.write(lambda _, n=n: n)) for n in range(9)]  # type: ignore[misc]
        await asyncio.sleep(0)
        index.may_run.set()
        assert await first == "first"
        assert await asyncio.gather(*others) == list(range(9))
        assert index.groups == [1, 9]

    run(test)


def test_groups_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 4)

    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        first = await held(index, journal)
        order: list[int] = []
        others = [asyncio.ensure_future(journal.write(lambda _, n=n: order.append(n))) for n in range(10)]  # type: ignore[misc]
        await asyncio.sleep(0)
        index.may_run.set()
        await asyncio.gather(first, *others)
        assert index.groups == [1, 4, 4, 2]
        assert order == list(range(10)), "in the order in which they were asked for"

    run(test)


def test_one_that_fails_fails_alone() -> None:
    def fail(_: object) -> None:
        raise Conflict("No.")

    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        first = await held(index, journal)
        others = [asyncio.ensure_future(journal.write(work)) for work in (fail, lambda _: 1, fail, lambda _: 2)]
        await asyncio.sleep(0)
        index.may_run.set()
        await first
        results = await asyncio.gather(*others, return_exceptions=True)
        assert [type(one) for one in results] == [Conflict, int, Conflict, int]

    run(test)


def test_a_group_that_fails_leaves_nobody_waiting() -> None:
    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        first = await held(index, journal)
        others = [asyncio.ensure_future(journal.write(lambda _: 1)) for _ in range(3)]
        await asyncio.sleep(0)
        index.failure = StorageFull("There is no room left for the index.")
        index.may_run.set()
        results = await asyncio.gather(first, *others, return_exceptions=True)
        assert [type(one) for one in results] == [StorageFull] * 4
        index.failure = None
        assert await journal.write(lambda _: 1) == 1

    with capture_logs() as logs:
        run(test)
    assert [(log["changes"], log["error"]) for log in logs] == [(1, "StorageFull"), (3, "StorageFull")]


def test_who_leaves_takes_nothing_back() -> None:
    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        done = []
        first = await held(index, journal)
        second = asyncio.ensure_future(journal.write(lambda _: done.append("second")))
        await asyncio.sleep(0)
        for one in (first, second):
            one.cancel()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in results)
        index.may_run.set()
        await journal.write(lambda _: done.append("third"))
        assert done == ["second", "third"]

    run(test)


def test_a_failure_that_nobody_hears_is_no_noise() -> None:
    """An exception of a future that nobody awaits would be reported by the loop."""
    said: list[Any] = []

    def fail(_: object) -> None:
        raise Conflict("No.")

    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        first = await held(index, journal)
        second = asyncio.ensure_future(journal.write(fail))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        index.may_run.set()
        await first
        await journal.write(lambda _: None)

    run(test)
    assert said == []


def test_those_who_wait_for_reports_are_woken() -> None:
    async def test(index: Index, journal: Journal, bus: LocalBus) -> None:
        with bus.listen(Topic.REPORTS) as event:
            await journal.write(lambda _: None)
            assert event.is_set()

    run(test)


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path / "data") as archive:
        yield archive


def test_a_change_is_durable_and_visible_when_it_is_told(given: Given) -> None:
    async def run() -> None:
        journal, index = given.archive.journal, given.archive.index
        for number in range(20):
            record = Record(WORKITEM, f"1.{number}", {})
            await journal.write(lambda books, record=record: books.put(record))  # type: ignore[misc]
            assert (await index.record(WORKITEM, record.uid)).version == 1

    asyncio.run(run())


def test_a_change_that_fails_half_way_leaves_nothing(given: Given) -> None:
    def half(books: Books) -> None:
        books.report(b"{}", ["A"])
        books.put(Record(WORKITEM, "1.2", {}))
        raise ZeroDivisionError

    async def run() -> None:
        journal, index = given.archive.journal, given.archive.index
        results = await asyncio.gather(
            *(journal.write(work) for work in (half, lambda books: books.report(b"{}", ["B"]), half)),
            return_exceptions=True,
        )
        assert [type(one) for one in results] == [ZeroDivisionError, type(None), ZeroDivisionError]
        assert await index.queued("A", 0, 9) == []
        assert len(await index.queued("B", 0, 9)) == 1

    asyncio.run(run())


def test_compare_and_set_lets_one_win(given: Given) -> None:
    """A hundred look at the same state and write it; each look and write is one."""

    def claim(books: Books, name: int) -> bool:
        record = books.get(WORKITEM, "1.2")
        assert record is not None
        if record.private:
            return False
        books.put(Record(WORKITEM, "1.2", {}, {"by": name}, id=record.id, version=record.version))
        return True

    async def run() -> None:
        journal = given.archive.journal
        await journal.write(lambda books: books.put(Record(WORKITEM, "1.2", {})))
        won = await asyncio.gather(
            *(journal.write(lambda books, n=n: claim(books, n)) for n in range(100))  # type: ignore[misc]
        )
        assert won.count(True) == 1
        record = await given.archive.index.record(WORKITEM, "1.2")
        assert record.private == {"by": won.index(True)}

    asyncio.run(run())

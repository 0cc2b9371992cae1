"""services.notifications: every report to every connection, once and in order, however slow; what is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.bus.base import Topic
from skiagraph.bus.local import LocalBus
from skiagraph.errors import StorageFull, Unavailable
from skiagraph.index.base import QueuedReport, RecordIndex
from skiagraph.services import notifications
from skiagraph.services.journal import Journal
from skiagraph.services.notifications import Connection, Notifier
from skiagraph.standard import event_report

FAREWELL = event_report.scp_status("1.2.840.10008.5.1.4.34.5", restarted=False)


class Index:
    """Queues of reports; every question gives the other tasks a turn."""

    def __init__(self) -> None:
        self.all: list[QueuedReport] = []
        self.done: dict[str, int] = {}
        self.failing = 0

    def report(self, *ae_titles: str) -> None:
        for ae_title in ae_titles:
            number = len(self.all) + 1
            text = event_report.state_report(f"1.{number}", {})
            self.all.append(QueuedReport(number, ae_title, text))

    async def _asked(self) -> None:
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise Unavailable("The index is busy; try again later.")

    async def acknowledged(self, ae_title: str) -> int:
        await self._asked()
        return self.done.get(ae_title, 0)

    async def queued(self, ae_title: str, after: int, limit: int, size: int) -> list[QueuedReport]:
        await self._asked()
        return [one for one in self.all if one.ae_title == ae_title and one.number > after][:limit]

    async def news(self, after: int, limit: int) -> list[QueuedReport]:
        await self._asked()
        return self.all[after : after + limit]

    async def newest_report(self) -> int:
        await self._asked()
        return len(self.all)


class Books:
    def __init__(self, index: Index) -> None:
        self.index = index

    def acknowledge(self, ae_title: str, number: int) -> None:
        self.index.done[ae_title] = max(number, self.index.done.get(ae_title, 0))


class Writer:
    """In place of the journal."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.writes = 0
        self.failing = 0

    async def write(self, work: Callable[[Books], object]) -> object:
        self.writes += 1
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise StorageFull("There is no room left for the index.")
        return work(Books(self.index))


class House:
    """A notifier and what it stands on."""

    def __init__(self) -> None:
        self.index = Index()
        self.journal = Writer(self.index)
        self.bus = LocalBus(None)
        self.notifier = Notifier(cast(RecordIndex, self.index), self.bus, cast(Journal, self.journal))

    async def report(self, *ae_titles: str) -> None:
        """Have something to report, and the notifier hear of it."""
        self.index.report(*ae_titles)
        self.bus.publish(Topic.REPORTS)
        await settled()

    @contextmanager
    def open(self, ae_title: str, *, explicit: bool = False) -> Iterator[tuple[Connection, AsyncIterator[bytes]]]:
        with self.notifier.connection(ae_title, explicit=explicit) as connection:
            yield connection, connection.frames()


async def settled() -> None:
    """Let all tasks go on until they wait for something from outside."""
    for _ in range(20):
        await asyncio.sleep(0)


async def read(frames: AsyncIterator[bytes], number: int) -> list[tuple[int, int]]:
    """Take so many reports: the number of each in the queue, and its Message ID."""
    found = []
    async with asyncio.timeout(30):
        for _ in range(number):
            frame = orjson.loads(await anext(frames))
            found.append((int(frame["00001000"]["Value"][0].removeprefix("1.")), int(frame["00000110"]["Value"][0])))
    return found


def numbers(found: list[tuple[int, int]]) -> list[int]:
    return [number for number, _ in found]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledgements are written when a test says so."""
    monkeypatch.setattr(notifications, "_NOTED_AFTER", 1e6)


def run(test: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        house = House()
        try:
            await test(house)
        finally:
            house.bus.close()

    asyncio.run(whole())


def test_what_waits_comes_first_then_what_is_new() -> None:
    async def test(house: House) -> None:
        house.index.report("ONE", "TWO", "ONE")
        with house.open("ONE") as (_, frames):
            assert await read(frames, 2) == [(1, 1), (3, 2)]
            await house.report("TWO", "ONE")
            assert await read(frames, 1) == [(5, 3)]

    run(test)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_whatever_the_pace_each_report_comes_once_and_in_order(paces: list[tuple[int, int]]) -> None:
    """A share of 4 in memory, and reads of 3, so that a connection falls behind and catches up again and again."""

    async def test(house: House) -> None:
        found: list[int] = []
        with pytest.MonkeyPatch.context() as patch, house.open("ONE") as (_, frames):
            patch.setattr(notifications, "_SHARE", 4)
            patch.setattr(notifications, "_AT_ONCE", 3)
            for reported, taken in paces:
                await house.report(*["ONE", "TWO"] * reported)
                waiting = len(house.index.all) // 2 - len(found)
                found += numbers(await read(frames, min(taken, waiting)))
            found += numbers(await read(frames, len(house.index.all) // 2 - len(found)))
        assert found == [one.number for one in house.index.all if one.ae_title == "ONE"]

    run(test)


def test_a_gap_in_memory_is_read_from_the_queue() -> None:
    """The share is full; one is taken; what comes then must not go before what did not fit."""

    async def test(house: House) -> None:
        with house.open("ONE") as (connection, frames):
            await house.report("ONE")
            assert numbers(await read(frames, 1)) == [1]
            await house.report(*["ONE"] * 300)
            assert numbers(await read(frames, 2)) == [2, 3]
            await house.report("ONE")
            assert numbers(await read(frames, 299)) == list(range(4, 303))
            assert len(connection._waiting) <= notifications._SHARE

    run(test)


def test_a_slow_connection_delays_nobody() -> None:
    async def test(house: House) -> None:
        with house.open("ONE") as (_, slow), house.open("ONE") as (_, quick), house.open("TWO") as (_, other):
            await house.report("ONE", "TWO")
            await read(slow, 1)
            for _ in range(40):
                await house.report(*["ONE", "TWO"] * 10)
            assert numbers(await read(quick, 401)) == list(range(1, 803, 2))
            assert numbers(await read(other, 401)) == list(range(2, 803, 2))
            assert numbers(await read(slow, 400)) == list(range(3, 803, 2))

    run(test)


class TestAcknowledged:
    def test_what_the_network_has_taken(self) -> None:
        """It has taken a report when the next is asked for."""

        async def test(house: House) -> None:
            house.index.report("ONE", "ONE", "ONE")
            with house.open("ONE") as (_, frames):
                await read(frames, 3)
                await house.notifier.flush()
                assert house.index.done == {"ONE": 2}
            with house.open("ONE") as (_, frames):
                assert numbers(await read(frames, 1)) == [3]

        run(test)

    def test_of_several_connections_by_the_slowest(self) -> None:
        """Else a report could be dropped from the queue before each connection has it."""

        async def test(house: House) -> None:
            house.index.report(*["ONE"] * 5)
            with house.open("ONE") as (_, quick):
                with house.open("ONE") as (_, slow):
                    await read(quick, 5)
                    await read(slow, 2)
                    await house.notifier.flush()
                    assert house.index.done == {"ONE": 1}
                await house.notifier.flush()
                assert house.index.done == {"ONE": 4}, "the slow one has left"

        run(test)

    def test_one_that_has_just_come_waits_for_nothing(self) -> None:
        async def test(house: House) -> None:
            house.index.report(*["ONE"] * 5)
            with house.open("ONE") as (_, frames), house.open("ONE"):
                await read(frames, 5)
                await house.notifier.flush()
                assert house.index.done == {"ONE": 4}

        run(test)

    def test_by_the_subscriber_itself(self) -> None:
        async def test(house: House) -> None:
            house.index.report(*["ONE"] * 5)
            with house.open("ONE", explicit=True) as (connection, frames):
                await read(frames, 5)
                await house.notifier.flush()
                assert house.index.done == {}
                connection.acknowledged(3)
                for nothing in (2, 3, 0, 6, 77, -1):
                    connection.acknowledged(nothing)
                await house.notifier.flush()
                assert house.index.done == {"ONE": 3}
            with house.open("ONE", explicit=True) as (_, frames):
                assert await read(frames, 2) == [(4, 1), (5, 2)]

        run(test)

    def test_the_word_of_one_connection_is_not_spoken_by_others(self) -> None:
        async def test(house: House) -> None:
            house.index.report(*["ONE"] * 3)
            with house.open("ONE", explicit=True) as (own, word), house.open("ONE") as (_, onlooker):
                await read(word, 3)
                await read(onlooker, 3)
                await house.notifier.flush()
                assert house.index.done == {}
                own.acknowledged(1)
                await house.notifier.flush()
                assert house.index.done == {"ONE": 1}

        run(test)

    def test_message_ids_start_again(self) -> None:
        """Message ID (0000,0110) has 16 bits; of one that was used twice the later report is meant."""

        async def test(house: House) -> None:
            house.index.report(*["ONE"] * 6)
            with house.open("ONE", explicit=True) as (connection, frames):
                assert await read(frames, 2) == [(1, 1), (2, 2)]
                connection._message_id = 65_533
                assert await read(frames, 4) == [(3, 65_534), (4, 65_535), (5, 1), (6, 2)]
                connection.acknowledged(1)
                await house.notifier.flush()
                assert house.index.done == {"ONE": 5}
                assert list(connection._sent) == [2]

        run(test)

    def test_nothing_is_written_where_nothing_was_taken(self) -> None:
        """Names that somebody makes up leave no trace."""

        async def test(house: House) -> None:
            for name in ("A", "B"):
                with house.open(name) as (_, frames):
                    waiting = asyncio.ensure_future(anext(frames))
                    await settled()
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                await house.notifier.flush()
            assert house.journal.writes == 0
            assert not house.notifier._connections

        run(test)

    def test_it_is_tried_again_when_the_index_is_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(notifications, "_NOTED_AFTER", 0)
        monkeypatch.setattr(notifications, "_AGAIN", 0)

        async def test(house: House) -> None:
            house.index.report("ONE", "ONE")
            house.journal.failing = 3
            with house.open("ONE") as (_, frames):
                await read(frames, 2)
                await settled()
            assert house.index.done == {"ONE": 1}
            assert house.journal.writes == 4

        run(test)

    def test_what_was_acknowledged_while_that_failed_is_kept(self) -> None:
        async def test(house: House) -> None:
            house.index.report("ONE", "ONE")
            house.journal.failing = 1
            with house.open("ONE", explicit=True) as (connection, frames):
                await read(frames, 2)
                connection.acknowledged(2)
                assert not await house.notifier.flush()
                assert house.index.done == {}
                assert await house.notifier.flush()
                assert house.index.done == {"ONE": 2}

        run(test)


def test_the_index_is_asked_again_when_it_failed() -> None:
    async def test(house: House) -> None:
        with house.open("ONE") as (_, frames):
            first = asyncio.ensure_future(anext(frames))
            await settled()
            for failures in (1, 2, 5):
                house.index.failing = failures
                house.index.report("ONE")
                for _ in range(failures + 1):  # the bus calls now and then
                    house.bus.publish(Topic.REPORTS)
                    await settled()
            await first
            assert numbers(await read(frames, 2)) == [2, 3]

    run(test)


def test_the_index_fails_at_the_very_start() -> None:
    async def test(house: House) -> None:
        with house.open("ONE") as (_, frames):
            house.index.failing = 1
            await settled()  # the first question, for the newest report, is refused
            assert house.index.failing == 0
            await house.report("ONE")
            assert numbers(await read(frames, 1)) == [1]

    run(test)


def test_who_listens_is_woken_by_reports_of_its_own() -> None:
    async def test(house: House) -> None:
        with house.notifier.listen("ONE") as one, house.notifier.listen("TWO") as two:
            await settled()
            for event in (one, two):
                event.clear()  # set once, for what may have come before
            await house.report("ONE")
            assert one.is_set()
            assert not two.is_set()
        assert not house.notifier._listening
        with house.notifier.listen("ONE") as later:
            await house.report("TWO")
            assert not later.is_set()

    run(test)


class TestFarewell:
    def test_open_connections_end_with_it(self) -> None:
        async def test(house: House) -> None:
            house.index.report("ONE")
            with house.open("ONE") as (_, frames):
                await read(frames, 1)
                closing = asyncio.ensure_future(house.notifier.close(FAREWELL))
                found = [orjson.loads(frame) async for frame in frames]
            await closing
            assert [one["00741242"]["Value"] for one in found] == [["GOING DOWN"]]
            assert [one["00000110"]["Value"] for one in found] == [[2]]
            assert house.index.done == {"ONE": 1}

        run(test)

    def test_who_comes_later_is_told_at_once(self) -> None:
        async def test(house: House) -> None:
            await house.notifier.close(FAREWELL)
            with house.open("ONE") as (_, frames):
                found = [frame async for frame in frames]
            assert len(found) == 1
            assert b"GOING DOWN" in found[0]

        run(test)

    def test_nobody_waits_for_one_that_does_not_listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        async def test(house: House) -> None:
            house.index.report("ONE", "ONE")
            with house.open("ONE") as (_, frames):
                await read(frames, 2)
                monkeypatch.setattr(asyncio, "sleep", sleep)
                await house.notifier.close(FAREWELL)
                monkeypatch.undo()
            assert 1 <= sum(waits) <= 5
            assert house.index.done == {"ONE": 1}

        run(test)


def test_heartbeat() -> None:
    async def test(house: House) -> None:
        with house.notifier.connection("ONE") as connection:
            frames = connection.frames(1e-3)
            assert [await anext(frames) for _ in range(2)] == [b"{}", b"{}"]
            house.index.report("ONE")
            house.bus.publish(Topic.REPORTS)
            async for frame in frames:
                if frame != b"{}":
                    assert b"1.1" in frame
                    break
            await frames.aclose()  # type: ignore[attr-defined]

    run(test)

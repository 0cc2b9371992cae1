"""services.upkeep: Workitems expire, are kept and deleted; queues stay within bounds; starts are announced."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from archives import Answer, Given, opened
from skiagraph.index.base import Books
from skiagraph.services import upkeep, workitem_state
from skiagraph.standard.workitem import FILTERED_SUBSCRIPTION, GLOBAL_SUBSCRIPTION, WORKITEM
from workitems import attributes, change, performed, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK = "1.2.3.4.5.6.7.8"
HOUR, DAY = 3600.0, 86_400.0


class Keeper:
    """An archive whose clock is what a test says."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.archive = given.archive

    def post(self, path: str, data_set: Any = None, method: str = "POST") -> Answer:
        path, _, query = path.partition("?")
        body = b"" if data_set is None else orjson.dumps([data_set])
        answer = self.given.get(path, method=method, query=query, headers=JSON, body=body)
        assert answer.status in (200, 201, 202), answer.error
        return answer

    def create(self, uid: str, **named: Any) -> None:
        self.post(f"workitems?workitem={uid}", workitem(**named))

    def change(self, uid: str, *states: str) -> None:
        for state in states:
            if state == "COMPLETED":
                self.post(f"workitems/{uid}?transaction-uid={LOCK}", performed())
            self.post(f"workitems/{uid}/state", change(state, LOCK), "PUT")

    def subscribe(self, uid: str, ae: str, query: str = "") -> None:
        self.post(f"workitems/{uid}/subscribers/{ae}{query}")

    def state(self, uid: str) -> str | int:
        answer = self.given.get(f"workitems/{uid}")
        return str(json.loads(answer.body)[0]["00741000"]["Value"][0]) if answer.status == 200 else answer.status

    def look(self, later: float = 0.0) -> int:
        return asyncio.run(upkeep.look(self.archive, time.time() + later))

    def reports(self, ae: str) -> list[str]:
        """States of the state reports that wait."""
        queued = asyncio.run(self.archive.index.queued(ae, 0, 1000))
        found = [orjson.loads(one.report) for one in queued]
        return [one["00741000"]["Value"][0] for one in found if one["00001002"]["Value"] == [1]]

    def books(self, work: Callable[[Books], Any]) -> Any:
        (result,) = self.archive.index.together([work])
        if isinstance(result, Exception):
            raise result
        return result


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with opened(tmp_path / "data", workitem_retention_hours=24, deletion_lock_days=30) as given:
        yield Keeper(given)


def moment(seconds_from_now: float) -> str:
    return time.strftime("%Y%m%d%H%M%S+0000", time.gmtime(time.time() + seconds_from_now))


class TestExpiration:
    """Scheduled Procedure Step Expiration DateTime (0040,4008)."""

    def test_a_scheduled_one_is_canceled_with_its_reason(self, keeper: Keeper) -> None:
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=moment(-5))
        keeper.create("1.3", ScheduledProcedureStepExpirationDateTime=moment(HOUR))
        keeper.create("1.4")
        keeper.subscribe("1.2", "WATCHER")
        assert keeper.look() == 1
        assert [keeper.state(uid) for uid in ("1.2", "1.3", "1.4")] == ["CANCELED", "SCHEDULED", "SCHEDULED"]
        assert keeper.reports("WATCHER") == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
        (progress,) = orjson.loads(keeper.given.get("workitems/1.2").body)[0]["00741002"]["Value"]
        assert "expired" in progress["00741238"]["Value"][0]
        assert progress["0074100E"]["Value"]
        assert progress["00404052"]["Value"]
        assert keeper.look(2 * HOUR) == 1
        assert keeper.state("1.3") == "CANCELED"

    def test_a_claimed_one_goes_on(self, keeper: Keeper) -> None:
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=moment(-5))
        keeper.change("1.2", "IN PROGRESS")
        assert keeper.look() == 0
        assert keeper.state("1.2") == "IN PROGRESS"

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [(moment(2 * HOUR), "SCHEDULED"), (None, "SCHEDULED"), (moment(-9), "CANCELED")],
        ids=["later", "never", "earlier"],
    )
    def test_an_update_counts(self, keeper: Keeper, changed: str | None, expected: str) -> None:
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=moment(HOUR))
        keeper.post("workitems/1.2", attributes(ScheduledProcedureStepExpirationDateTime=changed))
        keeper.look()
        assert keeper.state("1.2") == expected

    @pytest.mark.parametrize(
        ("far", "expected"),
        [
            ("9999", "SCHEDULED"),
            ("99991231235959.999999+1400", "SCHEDULED"),
            ("0001", "CANCELED"),
            ("00010101+1400", "CANCELED"),
            ("19700101-1200", "CANCELED"),
        ],
    )
    def test_moments_beyond_what_clocks_know(self, keeper: Keeper, far: str, expected: str) -> None:
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=far)
        keeper.look()
        assert keeper.state("1.2") == expected

    def test_a_day_ends_with_its_last_moment(self, keeper: Keeper) -> None:
        today = time.strftime("%Y%m%d", time.localtime())
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=today)
        record = keeper.books(lambda books: books.get(WORKITEM, "1.2"))
        end = time.mktime((*map(int, (today[:4], today[4:6], today[6:])), 23, 59, 59, 0, 0, -1))
        assert record.due_at == pytest.approx(end + 1, abs=1.5)

    def test_progress_of_several_items_is_no_obstacle(self, keeper: Keeper) -> None:
        keeper.create("1.2", ScheduledProcedureStepExpirationDateTime=moment(-5))
        items = [{"ProcedureStepProgress": "1"}, {"ProcedureStepProgress": "2"}]
        keeper.post("workitems/1.2", attributes(ProcedureStepProgressInformationSequence=items))
        assert keeper.look() == 1
        assert keeper.state("1.2") == "CANCELED"


class TestRetention:
    @pytest.mark.parametrize("last", ["COMPLETED", "CANCELED"])
    def test_a_finished_one_is_kept_for_its_hours(self, keeper: Keeper, last: str) -> None:
        keeper.create("1.2")
        keeper.change("1.2", "IN PROGRESS", last)
        keeper.look(23.9 * HOUR)
        assert keeper.state("1.2") == last
        keeper.look(24.1 * HOUR)
        assert keeper.state("1.2") == 410
        assert keeper.given.get("workitems", query="ProcedureStepState=" + last).body in (b"", b"[]")

    def test_one_that_is_not_finished_is_never_deleted(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.create("1.3")
        keeper.change("1.3", "IN PROGRESS")
        keeper.look(10_000 * DAY)
        assert [keeper.state(uid) for uid in ("1.2", "1.3")] == ["SCHEDULED", "IN PROGRESS"]

    @pytest.mark.parametrize(
        ("target", "query"),
        [("1.2", ""), (GLOBAL_SUBSCRIPTION, ""), (FILTERED_SUBSCRIPTION, "&WorklistLabel=Tests")],
        ids=["specific", "global", "filtered"],
    )
    def test_a_deletion_lock_holds_it(self, keeper: Keeper, target: str, query: str) -> None:
        keeper.create("1.2")
        keeper.subscribe(target, "WATCHER", "?deletionlock=true" + query)
        keeper.change("1.2", "IN PROGRESS", "CANCELED")
        keeper.look(25 * HOUR)
        assert keeper.state("1.2") == "CANCELED"
        keeper.look(26 * HOUR + 60)
        assert keeper.state("1.2") == "CANCELED"
        keeper.post(f"workitems/{target}/subscribers/WATCHER", method="DELETE")
        keeper.look(30 * HOUR)
        assert keeper.state("1.2") == 410

    def test_a_lock_goes_with_a_subscription_without(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.subscribe("1.2", "WATCHER", "?deletionlock=true")
        keeper.change("1.2", "IN PROGRESS", "CANCELED")
        keeper.subscribe("1.2", "WATCHER")
        keeper.look(25 * HOUR)
        assert keeper.state("1.2") == 410

    def test_a_lock_has_an_age(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.subscribe("1.2", "WATCHER", "?deletionlock=true")
        keeper.change("1.2", "IN PROGRESS", "CANCELED")
        keeper.look(29 * DAY)
        assert keeper.state("1.2") == "CANCELED"
        keeper.look(31 * DAY)
        assert keeper.state("1.2") == 410

    def test_its_reports_still_arrive(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.subscribe("1.2", "WATCHER")
        keeper.change("1.2", "IN PROGRESS", "CANCELED")
        keeper.look(25 * HOUR)
        assert keeper.reports("WATCHER") == ["SCHEDULED", "IN PROGRESS", "CANCELED"]

    def test_its_uid_may_come_again(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.change("1.2", "IN PROGRESS", "CANCELED")
        keeper.look(25 * HOUR)
        keeper.create("1.2")
        assert keeper.state("1.2") == "SCHEDULED"
        assert keeper.books(lambda books: books.subscribers(books.get(WORKITEM, "1.2"))) == []


class TestQueues:
    @pytest.mark.parametrize(
        ("settings", "later", "left"),
        [
            pytest.param({"event_report_queue": 2}, 0, ["IN PROGRESS", "CANCELED"], id="too many: the oldest go"),
            pytest.param({"event_report_days": 1}, 2 * DAY, [], id="too old"),
            pytest.param({}, 0, ["SCHEDULED", "IN PROGRESS", "CANCELED"], id="neither"),
        ],
    )
    def test_what_is_dropped_unread_is_logged(
        self, tmp_path: Path, settings: dict[str, Any], later: float, left: list[str]
    ) -> None:
        with opened(tmp_path / "data", workitem_retention_hours=1e6, **settings) as given:
            keeper = Keeper(given)
            keeper.create("1.2")
            keeper.subscribe("1.2", "WATCHER")
            keeper.change("1.2", "IN PROGRESS", "CANCELED")
            with capture_logs() as logs:
                keeper.look(later)
            assert keeper.reports("WATCHER") == left
            assert [log["reports"] for log in logs] == ([3 - len(left)] if len(left) < 3 else [])

    def test_acknowledged_ones_are_kept_for_a_minute(self, keeper: Keeper) -> None:
        """Another connection of the subscriber, to another process, may not have them yet."""
        keeper.create("1.2")
        keeper.subscribe("1.2", "WATCHER")
        (report,) = asyncio.run(keeper.archive.index.queued("WATCHER", 0, 9))
        keeper.books(lambda books: books.acknowledge("WATCHER", report.number))
        with capture_logs() as logs:
            keeper.look(50)
            assert keeper.reports("WATCHER") == ["SCHEDULED"]
            keeper.look(70)
            assert keeper.reports("WATCHER") == []
        assert logs == []


class TestObstacles:
    def test_one_that_fails_does_not_hold_the_others(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        for uid in ("1.2", "1.3", "1.4"):
            keeper.create(uid, ScheduledProcedureStepExpirationDateTime=moment(-5))
        real = workitem_state.cancel

        def cancel(books: Books, record: Any, *more: Any) -> None:
            real(books, record, *more)
            if record.uid == "1.3":
                raise ValueError("half done")

        monkeypatch.setattr(upkeep, "cancel", cancel)
        with capture_logs() as logs:
            assert keeper.look() == 2
        assert [keeper.state(uid) for uid in ("1.2", "1.3", "1.4")] == ["CANCELED", "SCHEDULED", "CANCELED"]
        assert [(log["workitem"], log["error"]) for log in logs] == [("1.3", "ValueError")]
        assert keeper.look() == 0, "it is not looked at again at once"
        monkeypatch.setattr(upkeep, "cancel", real)
        assert keeper.look(2 * HOUR) == 1
        assert keeper.state("1.3") == "CANCELED"

    def test_more_than_are_looked_at_in_one_go(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upkeep, "_AT_ONCE", 3)
        for number in range(7):
            keeper.create(f"1.{number}", ScheduledProcedureStepExpirationDateTime=moment(-5))
        assert [keeper.look() for _ in range(4)] == [3, 3, 1, 0]

    def test_two_processes_look_at_once(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as one, opened(tmp_path / "data") as other:
            keeper = Keeper(one)
            for number in range(20):
                keeper.create(f"1.{number}", ScheduledProcedureStepExpirationDateTime=moment(-5))
                keeper.subscribe(f"1.{number}", "WATCHER")

            async def both() -> list[int]:
                now = time.time()
                return await asyncio.gather(upkeep.look(one.archive, now), upkeep.look(other.archive, now))

            with capture_logs() as logs:
                asyncio.run(both())
            assert logs == []
            assert {keeper.state(f"1.{number}") for number in range(20)} == {"CANCELED"}
            assert keeper.reports("WATCHER").count("CANCELED") == 20

    def test_it_goes_on_when_the_index_fails(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        looks = []
        ended = asyncio.Event()

        async def look(*_: object) -> int:
            looks.append(1)
            if len(looks) == 4:
                ended.set()
            if len(looks) < 3:
                raise OSError
            return upkeep._AT_ONCE if len(looks) == 3 else 0

        async def run() -> None:
            task = asyncio.ensure_future(upkeep.run(keeper.archive))
            async with asyncio.timeout(30):
                await ended.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        monkeypatch.setattr(upkeep, "look", look)
        monkeypatch.setattr(upkeep, "_INTERVAL", 0)
        with capture_logs() as logs:
            asyncio.run(run())
        assert [log["event"] for log in logs] == ["upkeep failed"] * 2


class TestAnnouncements:
    def announced(self, keeper: Keeper, ae: str) -> list[list[str]]:
        keeper.books(lambda books: upkeep.announce_start(books, keeper.archive.settings))
        reports = [orjson.loads(one.report) for one in asyncio.run(keeper.archive.index.queued(ae, 0, 99))]
        tags = ("00741242", "00741244", "00741246")
        return [[one[tag]["Value"][0] for tag in tags] for one in reports if one["00001002"]["Value"] == [4]]

    def test_subscribers_of_every_kind_hear_of_a_start_once(self, keeper: Keeper) -> None:
        keeper.create("1.2")
        keeper.subscribe("1.2", "STEP")
        keeper.subscribe(GLOBAL_SUBSCRIPTION, "STEP")
        keeper.subscribe(GLOBAL_SUBSCRIPTION, "GLOBAL")
        keeper.subscribe(FILTERED_SUBSCRIPTION, "FILTER", "?WorklistLabel=Nothing")
        expected = [["RESTARTED", "WARM START", "WARM START"]]
        assert self.announced(keeper, "STEP") == expected
        for ae in ("GLOBAL", "FILTER"):
            assert self.announced(keeper, ae)[:1] == expected
        assert self.announced(keeper, "NOBODY") == []

    def test_the_fallback_list_hears_of_lists_that_are_empty(self, tmp_path: Path) -> None:
        """CC.2.4.3: subscriptions may be lost in a restart; nobody can tell from an empty list."""
        with opened(tmp_path / "data", status_subscribers=("FALLBACK",)) as given:
            keeper = Keeper(given)
            assert self.announced(keeper, "FALLBACK") == [["RESTARTED", "COLD START", "COLD START"]]
            keeper.create("1.2")
            assert self.announced(keeper, "FALLBACK")[1:] == [["RESTARTED", "COLD START", "WARM START"]]


def test_long_queues_are_trimmed_to_the_end(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time, so that others get their turn."""
    monkeypatch.setattr(upkeep, "_TRIMMED", 2)
    journal, index = keeper.archive.journal, keeper.archive.index

    async def reports() -> None:
        for _ in range(5):
            await journal.write(lambda books: books.report(b"{}", ["ONE", "TWO"]))
        for report in await index.queued("TWO", 0, 9):
            await journal.write(lambda books, report=report: books.acknowledge("TWO", report.number))  # type: ignore[misc]

    asyncio.run(reports())
    with capture_logs() as logs:
        keeper.look(later=DAY)
        assert logs == []
        keeper.look(later=8 * DAY)
    assert logs == [{"event": "event reports were dropped unread", "reports": 5, "log_level": "warning"}]
    assert asyncio.run(index.queued("ONE", 0, 9)) == asyncio.run(index.queued("TWO", 0, 9)) == []

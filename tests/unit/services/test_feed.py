"""services.feed: entries behind a number; who waits is answered by news, the end of the wait, departure, or a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from archives import BASE, Given, opened
from dicom_files import ct, part10
from skiagraph.bus.base import Topic
from skiagraph.errors import BadRequest
from skiagraph.services import event_queue, feed
from skiagraph.services.archive import Archive
from skiagraph.standard import event_report
from skiagraph.wire.message import Request, Response


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path / "data") as archive:
        yield archive


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def request(path: str, query: str, departed: Callable[[], Awaitable[None]] | None = None, **variables: str) -> Request:
    return Request("GET", path, query, {}, variables, BASE, _nothing, departed=departed)


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def listeners(archive: Archive) -> int:
    """Who waits; the one task that deals out reports is none of them."""
    bus: Any = archive.bus
    on_bus = sum(len(events) for topic, events in bus._listening.items() if topic is not Topic.REPORTS)
    return on_bus + sum(map(len, archive.notifier._listening.values()))


# What waits: the transaction, its topic, and how there comes to be news of it.


def _changes(archive: Archive, departed: Any = None, wait: int = 50) -> Awaitable[Response]:
    return feed.changes(archive, request("/changes", f"wait={wait}", departed))


def _events(archive: Archive, departed: Any = None, wait: int = 50) -> Awaitable[Response]:
    return event_queue.events(archive, request("/subscribers/A/events", f"wait={wait}", departed, ae="A"))


WAITING = pytest.mark.parametrize(
    ("ask", "topic"), [(_changes, Topic.CHANGES), (_events, Topic.REPORTS)], ids=["changes", "events"]
)


@WAITING
def test_a_wait_ends_with_news(given: Given, ask: Callable[..., Any], topic: Topic) -> None:
    archive = given.archive

    async def run() -> Response:
        task = asyncio.ensure_future(ask(archive))
        await settled()
        archive.bus.publish(topic)  # a call without need
        await settled()
        assert not task.done()
        if topic is Topic.REPORTS:
            await archive.journal.write(lambda books: books.report(event_report.state_report("1.2", {}), ["A"]))
        else:
            await asyncio.to_thread(given.store, part10(ct()))
            archive.bus.publish(topic)
        async with asyncio.timeout(30):
            return await task  # type: ignore[no-any-return]

    response = asyncio.run(run())
    assert isinstance(response.body, bytes)
    assert len(orjson.loads(response.body)) == 1
    assert listeners(archive) == 0


@WAITING
def test_a_wait_has_an_end(given: Given, ask: Callable[..., Any], topic: Topic) -> None:
    async def run() -> Response:
        return await ask(given.archive, None, 1)  # type: ignore[no-any-return]

    assert asyncio.run(run()).body == b"[]"
    assert listeners(given.archive) == 0


@WAITING
def test_who_has_gone_is_waited_for_no_longer(given: Given, ask: Callable[..., Any], topic: Topic) -> None:
    async def run() -> None:
        gone = asyncio.Event()
        task = asyncio.ensure_future(ask(given.archive, gone.wait))
        await settled()
        assert not task.done()
        gone.set()
        async with asyncio.timeout(30):
            assert (await task).body == b"[]"

    asyncio.run(run())
    assert listeners(given.archive) == 0


@WAITING
def test_a_server_that_stops_lets_nobody_wait(given: Given, ask: Callable[..., Any], topic: Topic) -> None:
    async def run() -> None:
        waiting = [asyncio.ensure_future(ask(given.archive)) for _ in range(3)]
        await settled()
        given.archive.bus.publish(Topic.STOPPING)
        async with asyncio.timeout(30):
            assert {(await one).body for one in waiting} == {b"[]"}
            assert (await ask(given.archive)).body == b"[]", "who asks now, too"

    asyncio.run(run())


@WAITING
def test_a_request_that_is_cancelled_leaves_nothing(given: Given, ask: Callable[..., Any], topic: Topic) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(ask(given.archive, asyncio.Event().wait))
        await settled()
        assert listeners(given.archive) > 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert listeners(given.archive) == 0
        assert len(asyncio.all_tasks()) <= 2, "this one, and the one that deals out reports"

    asyncio.run(run())


def test_entries(given: Given) -> None:
    first, second = given.store(part10(ct()), part10(ct()))
    answer = given.get("changes")
    entries = orjson.loads(answer.body)
    assert [(one["number"], one["action"], one["SOPInstanceUID"]) for one in entries] == [
        (1, "stored", first.path.sop_instance_uid),
        (2, "stored", second.path.sop_instance_uid),
    ]
    assert entries[0]["RetrieveURL"] == f"{BASE}/{first.path}"
    assert answer.headers["link"] == f'<{BASE}/changes?after=2>; rel="next"'
    for query, expected in (("limit=1", [1]), ("after=1", [2]), ("after=2", []), ("after=1&limit=0", [])):
        assert [one["number"] for one in orjson.loads(given.get("changes", query=query).body)] == expected
    assert given.get("changes", query="after=7").headers["link"].startswith(f"<{BASE}/changes?after=7>")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 5),
        ("n=0", 0),
        ("n=007", 7),
        ("n=%37", 7),
        ("n= 7", 7),
        ("m=9&n=7", 7),
        ("n=999999999999999999", 100),
        ("n=", None),
        ("n=-1", None),
        ("n=1,2", None),
        ("n=1.0", None),
        ("n=%D9%A7", None),
        ("n=9999999999999999999", None),
        ("N=7", 5),
    ],
)
def test_whole_number(query: str, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(BadRequest):
            feed.whole_number(query, "n", 5)
    else:
        assert feed.whole_number(query, "n", 5, at_most=100) == expected

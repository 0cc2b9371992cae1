"""http.websocket: handshake, frames to and fro, and how connections end — without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from archives import Given, opened
from dicom_files import ct, part10
from skiagraph.bus.base import Topic
from skiagraph.http import websocket
from skiagraph.standard import event_report

BASE, BASE_URL = "/dicom-web", "http://pacs.example:8080/dicom-web"
Message = MutableMapping[str, Any]


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path / "data", cors_origins=("https://viewer.example",)) as archive:
        yield archive


class Client:
    """The other end of a connection."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.outgoing: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = False

    async def send(self, message: Message) -> None:
        """What the server sends with."""
        if self.gone:
            raise ConnectionResetError
        await self.outgoing.put(message)

    def say(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def hear(self) -> Message:
        async with asyncio.timeout(30):
            return await self.outgoing.get()

    async def report(self) -> dict[str, Any]:
        message = await self.hear()
        assert message["type"] == "websocket.send", message
        found: dict[str, Any] = orjson.loads(message["text"])
        return found


@asynccontextmanager
async def connecting(
    given: Given, path: str, query: str = "", headers: dict[str, str] | None = None, **more: Any
) -> AsyncIterator[Client]:
    client = Client()
    scope = {
        "path": BASE + path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "extensions": {"websocket.http.response": {}},
    } | more
    client.incoming.put_nowait({"type": "websocket.connect"})
    serving = websocket.serve(given.archive, scope, client.incoming.get, client.send, base=BASE, base_url=BASE_URL)
    task = asyncio.ensure_future(serving)
    try:
        yield client
    finally:
        client.leave()
        async with asyncio.timeout(30):
            await task


async def write_report(given: Given, *ae_titles: str) -> None:
    report = event_report.state_report("1.2.3", {})
    await given.archive.journal.write(lambda books: [books.report(report, [ae]) for ae in ae_titles])


# Handshake --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "headers", "status"),
    [
        pytest.param("/ws/subscribers/A", "", {}, 101, id="ws path"),
        pytest.param("/subscribers/A", "", {}, 101, id="§8.10.4 of later editions"),
        pytest.param("/ws/subscribers/A/", "", {}, 101, id="slash at the end"),
        pytest.param("/ws/subscribers/A B", "heartbeat=9&acknowledge=true&other=1", {}, 101, id="blank, options"),
        pytest.param("/ws/changes", "", {}, 101, id="changes"),
        pytest.param("/changes", "after=0", {}, 101, id="changes at their resource"),
        pytest.param("/ws/subscribers/A", "", {"origin": "https://viewer.example"}, 101, id="an origin that may"),
        pytest.param("/ws/subscribers/A", "", {"origin": "http://pacs.example:8080"}, 101, id="pages of our own"),
        pytest.param("/ws/subscribers/A", "", {"origin": "https://evil.example"}, 403, id="another origin"),
        pytest.param("/ws/subscribers/A", "", {"origin": "http://pacs.example"}, 403, id="another port"),
        pytest.param("/ws/subscribers/A", "", {"origin": "https://pacs.example:8080"}, 403, id="another scheme"),
        pytest.param("/ws/subscribers/A", "", {"origin": "null"}, 403, id="origin null"),
        pytest.param("/ws/changes", "", {"origin": "https://evil.example"}, 403, id="changes for another origin"),
        pytest.param("/ws/subscribers/", "", {}, 404, id="no AE title"),
        pytest.param("/ws/subscribers/A/B", "", {}, 404, id="below a subscriber"),
        pytest.param("/studies", "", {}, 404, id="no WebSocket"),
        pytest.param("", "", {}, 404, id="base"),
        pytest.param("/ws/subscribers/ABCDEFGHIJKLMNOPQ", "", {}, 400, id="17 characters"),
        pytest.param("/ws/subscribers/A\\B", "", {}, 400, id="backslash"),
        pytest.param("/ws/subscribers/A", "acknowledge=1", {}, 400, id="acknowledge"),
        pytest.param("/ws/subscribers/A", "heartbeat=-1", {}, 400, id="heartbeat"),
        pytest.param("/ws/subscribers/A", "heartbeat=%FF", {}, 400, id="no UTF-8"),
        pytest.param("/ws/changes", "after=x", {}, 400, id="after"),
    ],
)
def test_handshake(given: Given, path: str, query: str, headers: dict[str, str], status: int) -> None:
    async def run() -> None:
        async with connecting(given, path, query, headers) as client:
            message = await client.hear()
            if status == 101:
                assert message == {"type": "websocket.accept", "subprotocol": None}
            else:
                assert (message["type"], message["status"]) == ("websocket.http.response.start", status)
                body = await client.hear()
                assert int(dict(message["headers"])[b"content-length"]) == len(body["body"])
                assert orjson.loads(body["body"])["status"] == status

    asyncio.run(run())


def test_outside_the_base_there_is_nothing(given: Given) -> None:
    async def run() -> None:
        async with connecting(given, "s/ws/subscribers/A") as client:  # /dicom-webs/…
            assert (await client.hear())["status"] == 404

    asyncio.run(run())


def test_an_ae_title_is_decoded_once(given: Given) -> None:
    """The path of the scope is decoded already."""

    async def run() -> None:
        await write_report(given, "A%42", "AB")
        async with connecting(given, "/ws/subscribers/A%42") as client:
            await client.hear()
            await client.report()
        assert [one.ae_title for one in await given.archive.index.queued("AB", 0, 9)] == ["AB"]
        await given.archive.notifier.flush()
        assert await given.archive.index.acknowledged("A%42") == 1
        assert await given.archive.index.acknowledged("AB") == 0

    asyncio.run(run())


def test_where_a_server_knows_no_refusals_the_connection_is_closed(given: Given) -> None:
    async def run() -> None:
        async with connecting(given, "/nothing", extensions=None) as client:
            assert await client.hear() == {"type": "websocket.close", "code": 1008}

    asyncio.run(run())


def test_the_first_protocol_that_is_offered_is_taken(given: Given) -> None:
    async def run() -> None:
        async with connecting(given, "/ws/subscribers/A", subprotocols=["dicom", "x"]) as client:
            assert (await client.hear())["subprotocol"] == "dicom"

    asyncio.run(run())


# Frames -----------------------------------------------------------------------------------------------------------


def test_reports_and_acknowledgements(given: Given) -> None:
    async def run() -> None:
        await write_report(given, "A", "A", "A")
        async with connecting(given, "/ws/subscribers/A", "acknowledge=true") as client:
            await client.hear()
            for number in (1, 2, 3):
                assert (await client.report())["00000110"]["Value"] == [number]
            client.say('{"00000120": {"vr": "US", "Value": [2]}}')
        await given.archive.notifier.flush()
        assert await given.archive.index.acknowledged("A") == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ping",
        "null",
        "[]",
        "7",
        '"00000120"',
        "{}",
        '{"00000120": null}',
        '{"00000120": []}',
        '{"00000120": {"Value": []}}',
        '{"00000120": {"Value": {}}}',
        '{"00000120": {"Value": "1"}}',
        '{"00000120": {"Value": ["1"]}}',
        '{"00000120": {"Value": [1.0]}}',
        '{"00000120": {"Value": [null]}}',
        '{"00000120": {"Value": [0]}}',
        '{"00000120": {"Value": [-1]}}',
        '{"00000120": {"Value": [65536]}}',
        '{"00000120": {"Value": [123456789012345678901234567890]}}',
        "[" * 4096,
        '{"a":' * 800,
        "\ud800",
    ],
)
def test_nothing_else_that_is_said_has_a_meaning(given: Given, text: str) -> None:
    async def run() -> None:
        await write_report(given, "A")
        async with connecting(given, "/ws/subscribers/A", "acknowledge=true") as client:
            await client.hear()
            await client.report()
            client.say(text)
            client.incoming.put_nowait({"type": "websocket.receive", "bytes": text.encode("utf-8", "replace")})
            client.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\xff\x00", "text": None})
            await write_report(given, "A")
            assert (await client.report())["00000110"]["Value"] == [2]
        await given.archive.notifier.flush()
        assert await given.archive.index.acknowledged("A") == 0

    asyncio.run(run())


@pytest.mark.parametrize("message", [{"text": "x" * 4097}, {"bytes": b"x" * 4097}], ids=["text", "bytes"])
def test_long_frames_end_the_connection(given: Given, message: Message) -> None:
    async def run() -> None:
        async with connecting(given, "/ws/subscribers/A") as client:
            await client.hear()
            client.incoming.put_nowait({"type": "websocket.receive"} | message)
            assert await client.hear() == {"type": "websocket.close", "code": 1009}

    asyncio.run(run())


def test_changes(given: Given) -> None:
    async def run() -> None:
        async with connecting(given, "/ws/changes", "after=0") as client:
            await client.hear()
            for number in (1, 2):
                await asyncio.to_thread(given.store, part10(ct()))
                given.archive.bus.publish(Topic.CHANGES)
                entry = await client.report()
                assert (entry["number"], entry["action"]) == (number, "stored")
                assert entry["RetrieveURL"].startswith(BASE_URL + "/studies/")
        async with connecting(given, "/ws/changes") as client:  # from now on
            await client.hear()
            await asyncio.to_thread(given.store, part10(ct()))
            given.archive.bus.publish(Topic.CHANGES)
            assert (await client.report())["number"] == 3

    asyncio.run(run())


# The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws/subscribers/A", "/ws/changes"])
def test_nothing_is_left_of_who_leaves(given: Given, path: str) -> None:
    bus: Any = given.archive.bus

    async def run() -> None:
        for _ in range(5):
            async with connecting(given, path) as client:
                await client.hear()
        assert not given.archive.notifier._connections
        assert not bus._listening[Topic.CHANGES]
        assert not bus._listening[Topic.STOPPING]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "last"), [("/ws/subscribers/A", ["websocket.send"]), ("/ws/changes", [])], ids=["reports", "changes"]
)
def test_a_server_that_stops_says_so(given: Given, path: str, last: list[str]) -> None:
    async def run() -> None:
        async with connecting(given, path) as client:
            await client.hear()
            given.archive.bus.publish(Topic.STOPPING)
            farewell = event_report.scp_status("1.2.840.10008.5.1.4.34.5", restarted=False)
            await given.archive.notifier.close(farewell)
            messages = [await client.hear() for _ in range(len(last) + 1)]
        assert [message["type"] for message in messages] == [*last, "websocket.close"]
        assert messages[-1]["code"] == 1001

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/ws/subscribers/A", "/ws/changes"])
def test_a_connection_that_breaks_is_no_failure_of_the_server(given: Given, path: str) -> None:
    async def run() -> None:
        await write_report(given, "A")
        async with connecting(given, path, "after=0") as client:
            await client.hear()
            client.gone = True
            await asyncio.to_thread(given.store, part10(ct()))
            await write_report(given, "A")
            given.archive.bus.publish(Topic.CHANGES)
            for _ in range(50):
                await asyncio.sleep(0)
        assert client.outgoing.empty()

    with capture_logs() as logs:
        asyncio.run(run())
    assert [log for log in logs if log["log_level"] == "error"] == []


def test_who_takes_nothing_is_given_up_and_gets_all_later(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = replace(given.archive, settings=given.archive.settings.model_copy(update={"stalled_seconds": 0.05}))
    monkeypatch.setattr(websocket, "_GOOD_BYE", 0.05)

    async def test() -> None:
        await write_report(given, "SLOW", "SLOW")
        never = asyncio.Event()
        tried = []

        async def send(message: Message) -> None:
            tried.append(message["type"])
            if message["type"] != "websocket.accept":
                await never.wait()

        client = Client()
        client.incoming.put_nowait({"type": "websocket.connect"})
        scope = {"path": BASE + "/ws/subscribers/SLOW", "headers": [], "extensions": {}}
        with capture_logs() as logs:
            async with asyncio.timeout(30):
                await websocket.serve(archive, scope, client.incoming.get, send, base=BASE, base_url=BASE_URL)
        assert (tried, logs) == (["websocket.accept", "websocket.send", "websocket.close"], [])
        async with connecting(given, "/ws/subscribers/SLOW") as again:
            assert (await again.hear())["type"] == "websocket.accept"
            assert [(await again.report())["00000110"]["Value"] for _ in range(2)] == [[1], [2]]

    asyncio.run(test())


def test_a_failure_of_the_server_is_logged_without_words_of_the_report(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(report: bytes, message_id: int) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(event_report, "framed", fail)

    async def run() -> None:
        await write_report(given, "A")
        async with connecting(given, "/ws/subscribers/A") as client:
            await client.hear()
            assert await client.hear() == {"type": "websocket.close", "code": 1011}

    with capture_logs() as logs:
        asyncio.run(run())
    (log,) = [log for log in logs if log["log_level"] == "error"]
    assert log["transaction"] == "Open Notification Connection"
    assert isinstance(log["exc_info"], ZeroDivisionError)


def test_what_is_taken_for_one_that_has_gone_does_not_count(given: Given) -> None:
    """granian takes frames without a word when the network is gone, and tells of that by `receive` alone."""

    async def run() -> None:
        await write_report(given, *["A"] * 200)
        async with connecting(given, "/ws/subscribers/A") as client:
            await client.hear()
            for _ in range(3):
                await client.report()
            client.leave()
            await asyncio.sleep(0)
        await given.archive.notifier.flush()
        assert client.outgoing.qsize() < 200 - 3
        assert await given.archive.index.acknowledged("A") < 3 + client.outgoing.qsize()

    asyncio.run(run())

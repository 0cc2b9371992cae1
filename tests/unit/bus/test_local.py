"""bus.local: calls between tasks, buses and processes; what is in the way of them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skiagraph.bus import local
from skiagraph.bus.base import Topic
from skiagraph.bus.local import LocalBus


@pytest.fixture(autouse=True)
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken but by a call."""
    monkeypatch.setattr(local, "_NEXT_LOOK", 1e6)


@contextmanager
def buses(*folders: Path | None) -> Iterator[list[LocalBus]]:
    opened = [LocalBus(folder) for folder in folders]
    try:
        yield opened
    finally:
        for bus in opened:
            bus.close()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def called(event: asyncio.Event) -> bool:
    async with asyncio.timeout(30):
        return await event.wait()


@pytest.mark.parametrize("topic", Topic)
def test_all_buses_of_a_folder_are_called(tmp_path: Path, topic: Topic) -> None:
    async def run() -> None:
        with (
            buses(tmp_path, tmp_path, tmp_path) as (first, second, third),
            first.listen(topic) as one,
            second.listen(topic) as two,
            third.listen(topic) as three,
        ):
            second.publish(topic)
            assert await called(one)
            assert await called(two)
            assert await called(three)

    asyncio.run(run())


def test_a_call_is_for_its_topic(tmp_path: Path) -> None:
    async def run() -> None:
        with (
            buses(tmp_path, tmp_path) as (first, second),
            first.listen(Topic.REPORTS) as reports,
            first.listen(Topic.CHANGES) as changes,
        ):
            second.publish(Topic.CHANGES)
            assert await called(changes)
            assert not reports.is_set()

    asyncio.run(run())


def test_without_a_folder_a_bus_calls_its_own_process() -> None:
    async def run() -> None:
        with buses(None) as (bus,), bus.listen(Topic.REPORTS) as event:
            bus.publish(Topic.REPORTS)
            assert event.is_set()

    asyncio.run(run())


def test_who_stopped_listening_is_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        with buses(tmp_path) as (bus,):
            with bus.listen(Topic.REPORTS) as event:
                pass
            bus.publish(Topic.REPORTS)
            assert not event.is_set()
            assert not bus._listening[Topic.REPORTS]

    asyncio.run(run())


def test_another_process_calls(tmp_path: Path) -> None:
    async def run() -> None:
        with buses(tmp_path) as (bus,), bus.listen(Topic.STOPPING) as event:
            code = (
                "from pathlib import Path; from skiagraph.bus.base import Topic; from skiagraph.bus.local import call;"
                f"call(Path({str(tmp_path)!r}), Topic.STOPPING)"
            )
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=True)
            assert await called(event)

    asyncio.run(run())


def test_who_listens_too_late_still_hears_of_the_stop(tmp_path: Path) -> None:
    async def run() -> None:
        with buses(tmp_path, tmp_path) as (first, second):
            with first.listen(Topic.STOPPING) as early:
                second.publish(Topic.STOPPING)
                assert await called(early)
            with first.listen(Topic.STOPPING) as late, first.listen(Topic.REPORTS) as other:
                assert late.is_set()
                assert not other.is_set()

    asyncio.run(run())


def test_the_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    async def run() -> None:
        dead = tmp_path / "dead"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
            left.bind(str(dead))
        with buses(tmp_path) as (bus,), bus.listen(Topic.REPORTS):
            bus.publish(Topic.REPORTS)
            assert not dead.exists()
            assert len(names(tmp_path)) == 1

    asyncio.run(run())


def test_who_does_not_empty_its_queue_delays_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
            full.bind(str(tmp_path / "full"))
            with buses(tmp_path, tmp_path) as (first, second), second.listen(Topic.REPORTS) as event:
                with first.listen(Topic.REPORTS):
                    for _ in range(2000):  # far more than the kernel keeps
                        first.publish(Topic.REPORTS)
                assert await called(event)
            assert (tmp_path / "full").exists()

    asyncio.run(run())


def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    """The name of a socket has 108 bytes at most."""
    folder = tmp_path / ("long" * 50)

    async def run() -> None:
        with buses(folder, folder) as (first, second), first.listen(Topic.CHANGES) as event:
            second.publish(Topic.CHANGES)
            assert await called(event)
            with first.listen(Topic.STOPPING) as stopping:
                local.call(folder, Topic.STOPPING)
                assert await called(stopping)

    asyncio.run(run())
    assert names(folder) == []


def test_where_no_socket_can_be_the_process_calls_itself(tmp_path: Path) -> None:
    """Others look now and then."""
    (tmp_path / "file").write_text("no folder")

    async def run() -> None:
        with buses(tmp_path / "file") as (bus,), bus.listen(Topic.REPORTS) as event:
            bus.publish(Topic.REPORTS)
            assert event.is_set()

    asyncio.run(run())
    local.call(tmp_path / "file", Topic.REPORTS)
    local.call(tmp_path / "nothing", Topic.REPORTS)


def test_strange_words_do_no_harm(tmp_path: Path) -> None:
    async def run() -> None:
        with (
            buses(tmp_path) as (bus,),
            bus.listen(Topic.REPORTS) as reports,
            bus.listen(Topic.CHANGES) as changes,
        ):
            (name,) = names(tmp_path)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                for word in (b"", b"\xff" * 10_000, b"nothing", b"changes"):
                    other.sendto(word, str(tmp_path / name))
            assert await called(changes)
            assert not reports.is_set()

    asyncio.run(run())


def test_who_listens_looks_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A call can be lost; of the stop nobody hears without need."""
    monkeypatch.setattr(local, "_NEXT_LOOK", 1e-4)

    async def run() -> None:
        with buses(tmp_path) as (bus,), bus.listen(Topic.STOPPING) as stopping, bus.listen(Topic.REPORTS) as event:
            for _ in range(3):
                assert await called(event)
                event.clear()
            assert not stopping.is_set()

    asyncio.run(run())


def test_a_bus_begins_anew_with_another_loop(tmp_path: Path) -> None:
    bus = LocalBus(tmp_path)

    async def run() -> None:
        with bus.listen(Topic.REPORTS) as event:
            bus.publish(Topic.REPORTS)
            assert event.is_set()
            assert len(names(tmp_path)) == 1

    asyncio.run(run())
    asyncio.run(run())
    bus.close()
    bus.close()
    assert names(tmp_path) == []

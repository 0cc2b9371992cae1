"""Who asks and leaves: nothing more is made of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest

from skiagraph.http import asgi
from skiagraph.http.asgi import Edge
from skiagraph.http.router import Router
from skiagraph.settings import Settings
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

EMPTY = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class Client:
    """One request of somebody who leaves when told to."""

    def __init__(self, handler: Any, method: str = "GET") -> None:
        row = Transaction(
            "Wait", "-", method.replace("HEAD", "GET"), "/wait", "read", frozenset({200, 400}), (), handler
        )
        archive: Any = SimpleNamespace(settings=Settings())
        self._edge = Edge(archive, Router((row,)), asgi.Edge)  # type: ignore[arg-type]  # nobody asks for operations
        self._method = method
        self._first = True
        self.leave = asyncio.Event()
        self.sent: list[MutableMapping[str, Any]] = []

    async def ask(self) -> None:
        scope = {"type": "http", "method": self._method, "path": "/dicom-web/wait", "headers": [], "scheme": "http"}
        await self._edge(scope | {"server": ("localhost", 80)}, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._first:
            self._first = False
            return EMPTY
        await self.leave.wait()
        return GONE

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "_SOON", 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_answer_is_given_up(method: str) -> None:
    ended: list[bool] = []

    async def main() -> None:
        client: Client

        async def handler(archive: Any, request: Request) -> Response:
            client.leave.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)
            return Response(200)

        client = Client(handler, method)
        async with asyncio.timeout(10):
            await client.ask()
        assert client.status == 400, "of which nobody hears"
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    asyncio.run(main())
    assert ended


def test_what_changes_something_goes_on() -> None:
    async def main() -> None:
        client: Client

        async def handler(archive: Any, request: Request) -> Response:
            client.leave.set()
            for _ in range(100):
                await asyncio.sleep(0)
            return Response(200)

        client = Client(handler, "DELETE")
        await client.ask()
        assert client.status == 200

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(8))
def test_who_leaves_as_the_answer_comes_ends_nothing_else(turns: int) -> None:
    """Whichever of the two is first, no cancellation is left behind."""

    async def main() -> None:
        async def handler(archive: Any, request: Request) -> Response:
            await asyncio.sleep(0.001)
            client.leave.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            return Response(200)

        client = Client(handler)
        await client.ask()
        assert client.status in (200, 400)
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_cancellation_from_without_stays_one() -> None:
    async def main() -> None:
        async def handler(archive: Any, request: Request) -> Response:
            await asyncio.Event().wait()
            return Response(200)

        task = asyncio.create_task(Client(handler).ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

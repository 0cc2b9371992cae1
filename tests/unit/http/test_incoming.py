"""The payload of a request, and whether somebody still waits for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from skiagraph.http.asgi import Incoming

EMPTY = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


def receiving(*messages: MutableMapping[str, Any]) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """What the server calls to receive: these messages one after the other, then none any more."""
    left = list(messages)

    async def receive() -> MutableMapping[str, Any]:
        if not left:
            await asyncio.Event().wait()
        message = left.pop(0)  # taken for the one who waits now, whether he goes on to wait or not
        await asyncio.sleep(0)
        return message

    return receive


def test_a_message_that_nobody_waited_for_is_not_lost() -> None:
    """Work that failed at once ends the watch for departure: the message with the empty payload is still read."""

    async def run() -> None:
        incoming = Incoming(receiving(EMPTY), None, 60)
        watch = asyncio.ensure_future(incoming.departure())
        await asyncio.sleep(0)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        async with asyncio.timeout(5):
            await incoming.drain()
        assert incoming.ended
        incoming.close()

    asyncio.run(run())


class OneListener(asyncio.Future[MutableMapping[str, Any]]):
    """A future as the server has them: it calls back whoever asked last, and nobody once anybody gave up."""

    _listener: Any = None

    def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
        if self._listener is not None:
            super().remove_done_callback(self._listener)
        self._listener = fn
        super().add_done_callback(fn, context=context)

    def remove_done_callback(self, fn: Any, /) -> int:
        found = 0 if self._listener is None else super().remove_done_callback(self._listener)
        self._listener = None
        return found


def test_who_waits_last_is_not_forgotten_with_who_waited_first() -> None:
    """An error ends the watch for departure, and what is left of the payload is read in the same breath."""

    async def run() -> None:
        message = OneListener()
        incoming = Incoming(lambda: message, None, 60)
        watch = asyncio.ensure_future(incoming.departure())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.01, message.set_result, EMPTY)
        watch.cancel()
        async with asyncio.timeout(5):
            await incoming.drain()
        assert incoming.ended
        incoming.close()

    asyncio.run(run())


def test_departure() -> None:
    async def run() -> None:
        incoming = Incoming(receiving(EMPTY, GONE), None, 60)
        await incoming.departure()
        assert incoming.gone

    asyncio.run(run())


def test_close_leaves_nothing_behind() -> None:
    async def run() -> set[asyncio.Task[Any]]:
        incoming = Incoming(receiving(EMPTY), None, 60)
        watch = asyncio.ensure_future(incoming.departure())
        await asyncio.wait({watch}, timeout=0.01)
        assert incoming.ended
        watch.cancel()
        incoming.close()
        await asyncio.gather(watch, return_exceptions=True)
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    assert not asyncio.run(run())

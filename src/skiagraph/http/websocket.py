"""WebSockets (RFC 6455): the Notification Connection of §8.10, and the change feed.

``{base}/ws/subscribers/{ae}`` and ``{base}/subscribers/{ae}`` give the event reports of a subscriber, each a text frame
of one JSON object. ``?acknowledge=true``: the subscriber says itself what it is done with, by frames of
``{"00000120": {"vr": "US", "Value": [message id]}}``, the Message ID Being Responded To of an N-EVENT-REPORT response.
``?heartbeat=30``: an empty object after so many seconds without a report. ``{base}/ws/changes?after=N`` gives the
entries of the change feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import orjson

from skiagraph.bus.base import Topic
from skiagraph.errors import ArchiveError, BadRequest, Forbidden, ResourceNotFound, codes
from skiagraph.http import observe
from skiagraph.services import feed
from skiagraph.services.archive import Archive
from skiagraph.services.notifications import Connection
from skiagraph.services.workitem_state import ae_title
from skiagraph.wire.query import parse_query
from skiagraph.wire.status_report import report

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SUBSCRIBERS = ("/ws/subscribers/", "/subscribers/")
_CHANGES = ("/ws/changes", "/changes")
_LONGEST_HEARTBEAT = 3600
_LONGEST_FRAME = 4096
"""Bytes of a frame that a subscriber sends; there is not much to say."""
_GOING_AWAY, _TOO_SLOW, _TOO_BIG = 1001, 1008, 1009
_GOOD_BYE = 1.0  # seconds


class _Gone(Exception):
    """The client can not be reached any more."""


async def serve(
    archive: Archive, scope: MutableMapping[str, Any], receive: Receive, send: Send, *, base: str, base_url: str
) -> None:
    """Serve one connection until either side ends it."""
    send, patience = _reaching(send), archive.settings.stalled_seconds
    await receive()  # websocket.connect
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    name = "Open Notification Connection"
    try:
        path = scope["path"][len(base) :] if scope["path"].startswith(base + "/") else ""
        query = scope.get("query_string", b"").decode("latin-1")
        _check_origin(archive, headers.get("origin"), base_url)
        if path.rstrip("/") in _CHANGES:
            name = "Follow Changes"
            after = feed.whole_number(query, "after", -1)
            if after < 0:
                after = await archive.index.newest_change()
            await _accept(scope, send)
            await _run(_changes(archive, after, base_url), receive, send, _unheard, patience)
            return
        ae = ae_title(_subscriber(path))
        explicit, heartbeat = _options(query)
        await _accept(scope, send)
        with archive.notifier.connection(ae, explicit=explicit) as connection, observe.connected():
            frames = connection.frames(heartbeat)
            await _run(frames, receive, send, lambda text: _heard(connection, text), patience)
    except ArchiveError as error:
        with contextlib.suppress(_Gone):
            await _refuse(scope, send, error)
    except _Gone:
        pass
    except Exception as error:
        observe.access.error("failed", transaction=name, exc_info=error)
        with contextlib.suppress(_Gone):
            await send({"type": "websocket.close", "code": 1011})


def _reaching(send: Send) -> Send:
    """Return a `send` that raises _Gone, whatever the server under it raises for a client that has left."""

    async def reach(message: MutableMapping[str, Any]) -> None:
        try:
            await send(message)
        except Exception as error:
            raise _Gone from error

    return reach


def _subscriber(path: str) -> str:
    for start in _SUBSCRIBERS:
        rest = path.removeprefix(start)
        if rest != path and rest.strip("/") and "/" not in rest.strip("/"):
            return rest.strip("/")
    raise ResourceNotFound("This server has no such WebSocket.")


def _check_origin(archive: Archive, origin: str | None, base_url: str) -> None:
    own = urlsplit(base_url)
    allowed = (*archive.settings.cors_origins, f"{own.scheme}://{own.netloc}")
    if origin is not None and "*" not in allowed and origin not in allowed:
        raise Forbidden("Pages of this origin may not connect (cors_origins).")


def _options(query: str) -> tuple[bool, float | None]:
    explicit, heartbeat = False, feed.whole_number(query, "heartbeat", 0, at_most=_LONGEST_HEARTBEAT)
    for name, values in parse_query(query):
        if name == "acknowledge":
            value = ",".join(values).lower()
            if value not in ("true", "false"):
                raise BadRequest("The parameter acknowledge takes true or false.")
            explicit = value == "true"
    return explicit, heartbeat or None


def _heard(connection: Connection, text: str) -> None:
    try:
        said = orjson.loads(text)
        message_id = said["00000120"]["Value"][0]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return  # whatever else clients send to keep connections open
    if isinstance(message_id, int):
        connection.acknowledged(message_id)


def _unheard(_: str) -> None:
    pass


async def _changes(archive: Archive, after: int, base_url: str) -> AsyncIterator[bytes]:
    with archive.bus.listen(Topic.CHANGES) as news, feed.until_stop(archive, news) as stopping:
        while not stopping.is_set():
            news.clear()
            while not stopping.is_set() and (entries := await archive.index.feed(after, feed.MOST)):
                for entry in entries:
                    yield orjson.dumps(feed.described(entry, base_url))
                    after = entry.number
            await news.wait()


async def _run(
    frames: AsyncIterator[bytes], receive: Receive, send: Send, heard: Callable[[str], None], patience: float
) -> None:
    """Send frames and listen, until the client leaves or the frames end.

    A client that takes nothing for `patience` seconds, at most twice that, is given up.
    """
    sender = _Sender(send)
    sending = asyncio.ensure_future(sender.send(frames))
    listening = asyncio.ensure_future(sender.until(_listen(receive, heard)))
    code: int | None = _GOING_AWAY
    try:
        while not (sending.done() or listening.done()) and not sender.stuck(patience):
            await asyncio.wait((sending, listening), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            code = listening.result()
        elif sending.done():
            sending.result()
        else:
            code = _TOO_SLOW
        if code is not None:
            with contextlib.suppress(TimeoutError):  # granian drops the connection where it can not say good-bye
                async with asyncio.timeout(_GOOD_BYE):
                    await send({"type": "websocket.close", "code": code})
    finally:
        for task in (sending, listening):
            task.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)


class _Sender:
    """Sends frames, one after the other, and knows for how long one has been under way."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._since = math.inf
        self._over = False

    async def until(self, listening: Awaitable[int | None]) -> int | None:
        """Listen until the client leaves; from that moment nothing is sent any more."""
        try:
            return await listening
        finally:
            self._over = True

    async def send(self, frames: AsyncIterator[bytes]) -> None:
        async with aclosing(frames) as each:  # type: ignore[type-var]
            async for frame in each:
                self._since = time.monotonic()
                await self._send({"type": "websocket.send", "text": frame.decode()})
                self._since = math.inf
                # granian takes frames for a client that has gone, too: hear of that before more counts as sent.
                await asyncio.sleep(0)
                if self._over:
                    return

    def stuck(self, patience: float) -> bool:
        return time.monotonic() - self._since >= patience


async def _listen(receive: Receive, heard: Callable[[str], None]) -> int | None:
    """Listen until the client leaves; return the code to close with, None when it closed itself."""
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text") or ""
        if len(text) > _LONGEST_FRAME or len(message.get("bytes") or b"") > _LONGEST_FRAME:
            return _TOO_BIG
        heard(text)


async def _accept(scope: MutableMapping[str, Any], send: Send) -> None:
    # Who offers protocols wants one of them named (RFC 6455 §4.2.2).
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})


async def _refuse(scope: MutableMapping[str, Any], send: Send, error: ArchiveError) -> None:
    status = codes(error).http
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    title = (type(error).__doc__ or "").splitlines()[0]
    content_type, body = report(
        "application/json", status=status, title=title, message=error.message, details=error.details, request_id="-"
    )
    await send(
        {
            "type": "websocket.http.response.start",
            "status": status,
            "headers": [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "websocket.http.response.body", "body": body})

"""The edge: ASGI messages to `wire.message` values and back.

Order of an answer: preflight, operations pages, Transactions. Every answer carries the CORS headers and the
request id; every error has the one shape of `wire.status_report`; every request gives one line of log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from skiagraph.errors import (
    ArchiveError,
    BadRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RangeNotSatisfiable,
    RequestTimeout,
    Unavailable,
    UnsupportedMediaType,
    UpgradeRequired,
    codes,
)
from skiagraph.http import observe, websocket
from skiagraph.http.cors import Cors
from skiagraph.http.router import Router
from skiagraph.services import capabilities
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Damaged
from skiagraph.wire.forwarded import Proxies, public_base
from skiagraph.wire.message import Request, Response
from skiagraph.wire.status_report import report
from skiagraph.wire.transaction import Transaction

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
_DRAIN = 64 * 2**20
"""Bytes of a refused payload that are read and dropped, so that the client gets to read the answer."""
_DRAIN_SECONDS = 10


_LOOKS = 3
_LOGGED = " !#$%&'()*+,-./:;<=>?@[]^_`{|}~\""
"""Characters of a header that are logged as they are: no control characters, which drive terminals."""


_SOON = 0.1
"""Seconds that an answer may take before it is worth watching whether the client is still there."""


class Disconnected(Exception):
    """The client went away before its request was whole, or before there was an answer."""


class _Watch:
    """One timer for all waits of a payload: a timer for each chunk would cost more than the chunk."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._since: float | None = None
        self._expired = False
        self._timer = self._loop.call_later(seconds, self._check)

    async def over(self, receive: Receive) -> MutableMapping[str, Any]:
        """Await a message; raises RequestTimeout when it takes too long."""
        self._since = self._loop.time()
        try:
            return await receive()
        except asyncio.CancelledError:
            if not self._expired or self._task is None:
                raise
            self._task.uncancel()
            raise RequestTimeout(
                f"No byte of the payload came for {self._seconds:.0f} seconds (stalled_seconds)."
            ) from None
        finally:
            self._since = None

    def _check(self) -> None:
        waited = 0.0 if self._since is None else self._loop.time() - self._since
        if waited >= self._seconds and self._task is not None:
            self._expired = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(self._seconds - waited, self._check)

    def end(self) -> None:
        self._timer.cancel()


class Incoming:
    """The payload of a request as it arrives; counts it and watches for the client going away."""

    def __init__(self, receive: Receive, limit: int | None, stalled_seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._stalled_seconds = stalled_seconds
        self.received = 0
        self.ended = False
        self.gone = False
        self._next: asyncio.Future[MutableMapping[str, Any]] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        watch = _Watch(self._stalled_seconds)
        try:
            while not self.ended:
                message = await watch.over(self._receive)
                if message["type"] != "http.request":
                    self.gone = True
                    raise Disconnected
                chunk: bytes = message.get("body", b"")
                self.ended = not message.get("more_body", False)
                if chunk:
                    self.received += len(chunk)
                    if self._limit is not None and self.received > self._limit:
                        raise PayloadTooLarge(too_large(self._limit))
                    yield chunk
        finally:
            watch.end()

    async def drain(self) -> None:
        """Read on so that a client which is still sending gets to see the answer."""
        budget = _DRAIN
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.ended and not self.gone and budget > 0:
                    message = await self._message()
                    self.gone = message["type"] != "http.request"
                    self.ended = not message.get("more_body", False)
                    budget -= len(message.get("body", b""))

    async def departure(self) -> None:
        """Return when the client has gone away."""
        while not self.gone:
            message = await self._message()
            self.gone = message["type"] != "http.request"
            self.ended = self.ended or not message.get("more_body", False)

    async def _message(self) -> MutableMapping[str, Any]:
        """The next message; when nobody waits for it any more, it is kept for who comes next."""
        if self._next is None:
            # A task of its own: what granian gives to await calls back one listener only, whoever came last
            self._next = asyncio.ensure_future(self._received())
        message = await asyncio.shield(self._next)
        self._next = None
        return message

    async def _received(self) -> MutableMapping[str, Any]:
        return await self._receive()

    def close(self) -> None:
        """Wait for no more messages."""
        if self._next is not None:
            self._next.cancel()


class _Presence:
    """Cancels the current task when the client goes away, where it takes long."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._task = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_SOON, self._begin)
        self._ended = False
        self.left = False

    def _begin(self) -> None:
        self._watch = asyncio.ensure_future(self._incoming.departure())
        self._watch.add_done_callback(self._over)

    def _over(self, watch: asyncio.Task[None]) -> None:
        if not (self._ended or watch.cancelled() or watch.exception()) and self._task is not None:
            self.left = True
            self._task.cancel()

    def end(self) -> None:
        self._ended = True
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()


class Edge:
    """The ASGI application.

    Parameters
    ----------
    archive
        Given to every handler.
    router
        The Transactions.
    operations
        ASGI application for every path outside the Base URI.
    background
        What this process does besides answering, until it is cancelled.
    """

    def __init__(
        self,
        archive: Archive,
        router: Router,
        operations: App,
        background: Sequence[Callable[[Archive], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        settings = archive.settings
        self._archive = archive
        self._router = router
        self._operations = operations
        self._settings = settings
        self._cors = Cors(settings.cors_origins)
        self._proxies = Proxies(settings.trusted_proxies)
        self._base = settings.base_path
        self._background = background

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await websocket.serve(
                    self._archive, scope, receive, send, base=self._base, base_url=self._public_base(scope)
                )
            case "lifespan":
                await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Run what is to be done in the background from start to stop."""
        await receive()
        tasks = [asyncio.ensure_future(one(self._archive)) for one in self._background]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._archive.notifier.flush()
            self._archive.bus.close()
        except Exception as error:
            observe.access.error("stopping failed", exc_info=error)
        await send({"type": "lifespan.shutdown.complete"})

    def _public_base(self, scope: Scope, headers: dict[str, str] | None = None) -> str:
        return public_base(
            self._proxies,
            scheme=str(scope.get("scheme", "http")).replace("ws", "http"),
            headers=_headers(scope["headers"]) if headers is None else headers,
            peer=(scope.get("client") or (None,))[0],
            server=scope.get("server"),
            base_path=self._base,
            public_url=self._settings.public_url,
        )

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = _headers(scope["headers"])
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        method: str = scope["method"]
        path: str = scope["path"]
        always = [*self._cors.headers(headers), ("x-request-id", request_id)]
        preflight = self._cors.preflight(method, headers)
        incoming = Incoming(receive, self._settings.max_request_bytes, self._settings.stalled_seconds)
        outgoing = Outgoing(send, incoming)
        logged = quote(path)
        name = "preflight"
        if preflight is not None:
            await outgoing.answer(Response(204, [*preflight, ("x-request-id", request_id)]), [], method)
        elif path != self._base and not path.startswith(self._base + "/"):
            name = "operations"
            await self._operations(scope, receive, outgoing.with_headers(always))
        else:
            try:
                name = await self._transact(scope, headers, request_id, incoming, outgoing, always)
            finally:
                incoming.close()
            if name == "unknown":
                logged = self._base  # what somebody typed there can be anything, a patient's name too
        now = time.perf_counter()
        first_byte = (outgoing.started or now) - started
        observe.count(name, outgoing.status, first_byte=first_byte, received=incoming.received, sent=outgoing.sent)
        observe.access.info(
            "request",
            method=method,
            path=logged,
            transaction=name,
            status=outgoing.status,
            accept=quote(headers.get("accept", "-"), safe=_LOGGED),
            client=(scope.get("client") or ("-",))[0],
            received=incoming.received,
            sent=outgoing.sent,
            first_byte_ms=round(first_byte * 1e3, 2),
            total_ms=round((now - started) * 1e3, 2),
            request_id=request_id,
        )

    async def _transact(
        self,
        scope: Scope,
        headers: dict[str, str],
        request_id: str,
        incoming: Incoming,
        outgoing: Outgoing,
        always: list[tuple[str, str]],
    ) -> str:
        """Run one Transaction and send its answer; return its name."""
        method: str = scope["method"]
        path: str = scope["path"][len(self._base) :] or "/"
        if b"%2f" in (scope.get("raw_path") or b"").lower():
            path = "/%2F"  # a slash within a segment is no separator, and no resource has one
        name = "unknown"
        base_url = ""
        try:
            base_url = self._public_base(scope, headers)
            if method == "OPTIONS":
                name = "OPTIONS"
                if path == "/" or capabilities.describes(headers.get("accept")):
                    name = "Retrieve Capabilities"
                    request = self._request(scope, path, {}, headers, base_url, request_id, incoming)
                    response = capabilities.retrieve(self._archive, request, self._router.transactions)
                    response.headers.append(("allow", ", ".join(self._router.allow(path) or ("OPTIONS",))))
                    await outgoing.answer(response, always, method)
                    return name
                allow = self._router.allow(path)
                if allow:
                    await outgoing.answer(Response(204, [("allow", ", ".join(allow))]), always, method)
                    return name
            transaction, variables = self._router.resolve(method, path)
            name = transaction.name
            self._check_length(headers)
            request = self._request(scope, path, variables, headers, base_url, request_id, incoming)
            if method in ("GET", "HEAD"):
                response = await self._while_there(transaction, request, incoming)
            else:
                response = await self._handle(transaction, request)
            await outgoing.answer(response, always, method)
        except Disconnected as gone:
            # Gone, or its chunks are no HTTP: who is still there hears so.
            error = BadRequest(str(gone) or "The payload broke off.")
            with contextlib.suppress(Exception):
                await outgoing.answer(error_response(error, 400, headers.get("accept"), request_id), always, method)
        except Exception as error:
            if isinstance(error, ArchiveError) and error.warning is not None:
                always = [*always, ("warning", f"299 {base_url}: {error.warning}")]
            await self._fail(error, name, headers, request_id, incoming, outgoing, always, method)
        return name

    @staticmethod
    def _request(
        scope: Scope,
        path: str,
        variables: dict[str, str],
        headers: dict[str, str],
        base_url: str,
        request_id: str,
        incoming: Incoming,
    ) -> Request:
        return Request(
            method=scope["method"],
            path=quote(path, safe="/:@!$&'()*+,;=~"),
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            parameters=variables,
            base_url=base_url,
            body=incoming.chunks,
            request_id=request_id,
            departed=incoming.departure,
        )

    async def _while_there(self, transaction: Transaction, request: Request, incoming: Incoming) -> Response:
        """The answer, of which nothing is made any more once the client has gone. Raises Disconnected."""
        presence = _Presence(incoming)
        try:
            response = await self._handle(transaction, request)
            if presence.left:
                await asyncio.sleep(0)  # the cancellation is on its way
            return response
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not presence.left or task is None:
                raise
            task.uncancel()
            raise Disconnected("The client left before there was an answer.") from None
        finally:
            presence.end()

    async def _handle(self, transaction: Transaction, request: Request) -> Response:
        for _ in range(_LOOKS):
            try:
                return await transaction.handler(self._archive, request)
            except Damaged:
                # Deleted or replaced between look-up and read: another look tells which, or that it is damaged.
                if transaction.method != "GET":
                    raise
        return await transaction.handler(self._archive, request)

    def _check_length(self, headers: dict[str, str]) -> None:
        limit = self._settings.max_request_bytes
        length = headers.get("content-length", "")
        if limit is not None and length.isdigit() and int(length) > limit:
            raise PayloadTooLarge(too_large(limit))

    async def _fail(
        self,
        error: Exception,
        name: str,
        headers: dict[str, str],
        request_id: str,
        incoming: Incoming,
        outgoing: Outgoing,
        always: list[tuple[str, str]],
        method: str,
    ) -> None:
        if outgoing.started is not None:
            # The status is out: only a broken connection tells the client that what it has is not all.
            observe.ABORTED.labels(name).inc()
            observe.access.error("aborted", transaction=name, request_id=request_id, reason=type(error).__name__)
            raise ConnectionAbortedError("the answer broke off") from None
        if not isinstance(error, ArchiveError):
            observe.access.error("failed", transaction=name, request_id=request_id, exc_info=error)
        status = codes(error).http
        response = error_response(error, status, headers.get("accept"), request_id)
        waits = "expect" in headers and not incoming.received
        if not waits and not isinstance(error, RequestTimeout):
            await incoming.drain()
        await outgoing.answer(response, always, method)


class Outgoing:
    """One answer on its way to the client."""

    def __init__(self, send: Send, incoming: Incoming) -> None:
        self._send = send
        self._incoming = incoming
        self.status = 0
        self.sent = 0
        self.started: float | None = None

    async def answer(self, response: Response, always: list[tuple[str, str]], method: str) -> None:
        body = response.body
        length = len(body) if isinstance(body, bytes | bytearray) else response.length
        if body is None and response.status not in (204, 304):
            length = 0 if response.length is None else response.length
        headers = [*response.headers, *always]
        if length is not None and response.status not in (204, 304):
            headers.append(("content-length", str(length)))
        self.status = response.status
        await self._send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [(name.lower().encode("latin-1"), _value(value)) for name, value in headers],
            }
        )
        self.started = time.perf_counter()
        if method == "HEAD" or body is None:
            if isinstance(body, AsyncIterator) and hasattr(body, "aclose"):
                await body.aclose()
            await self._send({"type": "http.response.body", "body": b""})
        elif isinstance(body, bytes | bytearray):
            self.sent = len(body)
            await self._send({"type": "http.response.body", "body": body})
        else:
            await self._stream(body)

    async def _stream(self, body: AsyncIterator[Any]) -> None:
        departure: asyncio.Task[None] | None = None
        try:
            async with aclosing(body) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    if departure is None and self.sent:
                        # Only answers of several chunks are worth the watch.
                        departure = asyncio.ensure_future(self._incoming.departure())
                    elif self._incoming.gone:
                        return
                    if isinstance(chunk, memoryview):
                        chunk = bytes(chunk)  # the server would take a memoryview apart byte by byte
                    self.sent += len(chunk)
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            if departure is not None:
                departure.cancel()

    def with_headers(self, always: list[tuple[str, str]]) -> Send:
        """A `send` for another application, with our headers on its answer."""

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.started = time.perf_counter()
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.encode("latin-1"), _value(value)) for name, value in always),
                ]
            else:
                self.sent += len(message.get("body", b""))
            await self._send(message)

        return send


def error_response(error: Exception, status: int, accept: str | None, request_id: str) -> Response:
    """The one shape of every error: a status report in a form that the client accepts (§8.6.3)."""
    if isinstance(error, ArchiveError):
        title, message, details = type(error).__doc__ or "", error.message, error.details
    else:
        title = "The server failed."
        message = "This is a fault of the server, not of the request. The log has more under the request id."
        details = ()
    content_type, body = report(
        accept, status=status, title=title.splitlines()[0], message=message, details=details, request_id=request_id
    )
    headers = [("content-type", content_type), ("cache-control", "no-store"), ("vary", "Accept")]
    if isinstance(error, MethodNotAllowed):
        headers.append(("allow", ", ".join(error.allow)))
    if isinstance(error, RangeNotSatisfiable):
        headers.append(("content-range", f"bytes */{error.length}"))
    if isinstance(error, UpgradeRequired):
        headers += [("upgrade", "websocket"), ("connection", "upgrade")]
    if isinstance(error, Unavailable):
        headers.append(("retry-after", "5"))
    if isinstance(error, UnsupportedMediaType) and error.codings:
        headers.append(("accept-encoding", ", ".join(error.codings)))
    if isinstance(error, UnsupportedMediaType) and error.details:
        headers.append(("accept", ", ".join(error.details)))  # RFC 9110 §15.5.16
    return Response(status, headers, body)


def too_large(limit: int) -> str:
    return f"The payload is larger than the {limit} bytes that this server takes in one request (max_request_bytes)."


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name = name_bytes.decode("latin-1")
        value = value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _value(value: str) -> bytes:
    """Header values are ASCII by RFC 9110; what is not goes out as a question mark, never as a new line."""
    return value.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")

"""Many clients in one process: each sends its next request on its last answer; and WebSockets (RFC 6455) that listen.

One loop watches all sockets and does the least for each, so that a thousand of them cost the machine little beside
the server. Requests are prebuilt bytes.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .client import HttpError, ServerClosed, request_bytes

PATIENCE = 120.0
"""Seconds that anything may take."""
_RECEIVE = 1 << 18
_BACKLOG = 512  # connections that are asked for before the first answer is read: more than that overflow queues
_TEXT, _BINARY, _CLOSE = 1, 2, 8


class _Socket:
    """A connection that does not block, and what came of it that is not consumed yet."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:  # before it is connected, so that the window is small from the start
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = bytearray()

    def receive(self) -> None:
        """Take what there is. Raises ServerClosed."""
        try:
            data = self.socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        if not data:
            raise ServerClosed("The server closed the connection.")
        self.received += data

    def head(self) -> tuple[int, bytes] | None:
        """Take the head of a response, once it is there whole: its status and its fields in lower case."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[: end + 2]).lower()
        del self.received[: end + 4]
        return int(head[9:12]), head


# Requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """What came of requests: seconds from the first byte sent to the last answer; milliseconds of each."""

    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.milliseconds) / self.seconds


class _Client(_Socket):
    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        super().__init__(port)
        self.requests = list(reversed(requests))
        self.asked = 0.0
        self._left: int | None = None  # bytes of the body to come

    def ask(self) -> bool:
        """Send the next request; False where there is none."""
        if not self.requests:
            return False
        self.asked = time.perf_counter()
        self.socket.setblocking(True)
        self.socket.sendall(self.requests.pop())
        self.socket.setblocking(False)
        return True

    def answered(self, status: int) -> bool:
        """Whether the answer is there. Raises HttpError where it has another status or no length."""
        if self._left is None:
            found = self.head()
            if found is None:
                return False
            given, fields = found
            if given != status:
                raise HttpError(f"The answer was {given}; expected {status}.")
            at = fields.find(b"\r\ncontent-length:")
            if at < 0:
                raise HttpError("An answer of known length was expected.")
            self._left = int(fields[at + 17 : fields.index(b"\r\n", at + 2)])
        taken = min(self._left, len(self.received))
        del self.received[:taken]
        self._left -= taken
        if self._left:
            return False
        self._left = None
        return True


def exchange(port: int, requests: Sequence[Sequence[bytes]], *, status: int) -> Done:
    """Have as many clients as there are lists of requests send theirs, each the next on the answer to the last.

    Raises
    ------
    HttpError, OSError
        One was not answered with the status, or nothing came for 120 s.
    """
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        clients = [_Client(port, some) for some in requests]
        try:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            start = end = time.perf_counter()
            left = sum(client.ask() for client in clients)
            while left:
                events = selector.select(PATIENCE)
                if not events:
                    raise HttpError(f"Nothing was answered for {PATIENCE:g} s.")
                for key, _ in events:
                    client = key.data
                    client.receive()
                    if client.answered(status):
                        end = time.perf_counter()
                        times.append((end - client.asked) * 1e3)
                        left -= not client.ask()
        finally:
            for client in clients:
                client.socket.close()
    return Done(end - start, tuple(times))


# WebSockets -------------------------------------------------------------------------------------------------------


@dataclass
class _Listener:
    socket: _Socket
    texts: list[bytes] = field(default_factory=list)
    opened: bool = False

    def read(self) -> None:
        """Take the frames that are there. Raises HttpError where the handshake was refused or the server closes."""
        self.socket.receive()
        if not self.opened:
            found = self.socket.head()
            if found is None:
                return
            if found[0] != 101:
                raise HttpError(f"The handshake was answered {found[0]}; expected 101.")
            self.opened = True
        data = self.socket.received
        while len(data) >= 2:
            length, start = data[1] & 127, 2
            if length > 125:
                start = 4 if length == 126 else 10
                length = int.from_bytes(data[2:start], "big")
            if len(data) < start + length:
                return
            kind = data[0] & 15
            if kind in (_TEXT, _BINARY):
                self.texts.append(bytes(data[start : start + length]))
            elif kind == _CLOSE:
                raise ServerClosed("The server closed a WebSocket.")
            del data[: start + length]


class Audience:
    """WebSockets that were opened at once; to be used in ``with``. Not for several threads."""

    def __init__(self, port: int, targets: Iterable[str], *, receive_buffer: int | None = None) -> None:
        self._selector = selectors.DefaultSelector()
        self._listeners: list[_Listener] = []
        begun = time.perf_counter()
        try:
            for number, target in enumerate(targets, 1):
                listener = _Listener(_Socket(port, receive_buffer=receive_buffer))
                self._listeners.append(listener)
                listener.socket.socket.sendall(_handshake(target))
                self._selector.register(listener.socket.socket, selectors.EVENT_READ, listener)
                if number % _BACKLOG == 0:
                    self._open()
            self._open()
        except BaseException:
            self.__exit__()
            raise
        self.seconds = time.perf_counter() - begun
        """From the first connection asked for to the last one open."""

    def __enter__(self) -> Audience:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for listener in self._listeners:
            listener.socket.socket.close()

    def heard(self, count: int) -> list[list[bytes]]:
        """Listen until each has so many texts; return those of each, and forget them."""
        waiting = {id(one) for one in self._listeners if len(one.texts) < count}
        while waiting:
            for listener in self._take():
                if len(listener.texts) >= count:
                    waiting.discard(id(listener))
        texts = [listener.texts for listener in self._listeners]
        for listener in self._listeners:
            listener.texts = []
        return texts

    def quiet(self, seconds: float) -> None:
        """Listen and forget what comes, until nothing has come for so long."""
        while self._selector.select(seconds):
            self._take()
        for listener in self._listeners:
            listener.texts = []

    def _open(self) -> None:
        while not all(listener.opened for listener in self._listeners):
            self._take()

    def _take(self) -> list[_Listener]:
        events = self._selector.select(PATIENCE)
        if not events:
            raise HttpError(f"Nothing was heard for {PATIENCE:g} s.")
        for key, _ in events:
            key.data.read()
        return [key.data for key, _ in events]


def _handshake(target: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    return request_bytes("GET", target, headers)

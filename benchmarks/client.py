"""A lean HTTP/1.1 client over a plain socket, the same for every server, so that what is timed is the server.

One connection, kept alive; requests are prebuilt bytes; bodies are received into one buffer and, while timing,
only counted.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BUFFER = 1 << 20


class HttpError(Exception):
    """The server closed the connection, or what it sent is not HTTP/1.1."""


class ServerClosed(HttpError):
    """The server closed the connection where more was expected."""


@dataclass(frozen=True)
class Answer:
    """A response; ``body`` is None where it was only counted, ``size`` is its length in bytes without framing."""

    status: int
    headers: dict[str, str]
    size: int
    body: bytes | None

    def json(self) -> Any:
        return json.loads(self.body or b"null")

    def parts(self) -> list[tuple[dict[str, str], bytes]]:
        """The parts of a multipart body: headers (lower case) and payload of each."""
        content_type = self.headers.get("content-type", "")
        if "boundary=" not in content_type:
            raise HttpError(f"Expected multipart/related with a boundary, found Content-Type {content_type!r}.")
        boundary = content_type.split("boundary=", 1)[1].split(";", 1)[0].strip().strip('"')
        delimiter = b"\r\n--" + boundary.encode()
        pieces = (b"\r\n" + (self.body or b"")).split(delimiter)
        if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
            raise HttpError("The multipart body does not end with its closing delimiter.")
        parts = []
        for piece in pieces[1:-1]:
            head, _, payload = piece.partition(b"\r\n\r\n")
            parts.append((_fields(head.strip().split(b"\r\n")), payload))
        return parts


def _fields(lines: Iterable[bytes]) -> dict[str, str]:
    fields = {}
    for line in filter(None, lines):
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def request_bytes(method: str, target: str, headers: dict[str, str], *, host: str = "127.0.0.1") -> bytes:
    """The head of a request, ready to send."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Connection:
    """One kept-alive connection. Not for several threads."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 120.0) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._view = memoryview(bytearray(BUFFER))
        self.closed = False  # the server has closed it, or said that it will
        self._start = self._end = 0  # the bytes received and not yet consumed: view[start:end]

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def exchange(self, head: bytes, body: Iterable[bytes | bytearray] = (), *, keep: bool = False) -> Answer:
        """Send a request and read its response to the end.

        Parameters
        ----------
        keep
            Hold the body in the answer; else it is counted and thrown away.

        Raises
        ------
        HttpError, OSError
            The exchange failed; the connection is of no further use.
        """
        send = self._socket.sendall
        send(head)
        for piece in body:
            send(piece)
        status, headers = self._head()
        while status == 100:
            status, headers = self._head()
        kept: list[bytes] | None = [] if keep else None
        size = 0
        if head.startswith(b"HEAD ") or status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            while length := int(self._line().split(b";", 1)[0], 16):
                self._consume(length, kept)
                size += length
                self._line()
            while self._line():
                pass  # trailer fields
        elif "content-length" in headers:
            size = int(headers["content-length"])
            self._consume(size, kept)
        else:
            size = self._consume_to_end(kept)
        self.closed = self.closed or headers.get("connection", "").lower() == "close"
        return Answer(status, headers, size, b"".join(kept) if kept is not None else None)

    def _consume_to_end(self, kept: list[bytes] | None) -> int:
        """A body without a length ends with the connection (RFC 9112 §6.3)."""
        size = 0
        try:
            while True:
                length = self._end - self._start
                self._consume(length, kept)
                size += length
                self._fill()
        except ServerClosed:
            self.closed = True
        return size

    def _head(self) -> tuple[int, dict[str, str]]:
        first = self._line()
        if not first.startswith(b"HTTP/1."):
            raise HttpError(f"Expected a status line, found {first[:80]!r}.")
        lines = []
        while line := self._line():
            lines.append(line)
        return int(first[9:12]), _fields(lines)

    def _fill(self) -> None:
        """Receive more behind what is not yet consumed."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == BUFFER:
            rest = bytes(self._view[self._start : self._end])
            self._view[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
            if self._end == BUFFER:
                raise HttpError("A line of the response is longer than the buffer.")
        received = self._socket.recv_into(self._view[self._end :])
        if not received:
            raise ServerClosed("The server closed the connection.")
        self._end += received

    def _line(self) -> bytes:
        obj = self._view.obj
        while (at := obj.find(b"\r\n", self._start, self._end)) < 0:  # type: ignore[attr-defined]
            self._fill()
        line = bytes(self._view[self._start : at])
        self._start = at + 2
        return line

    def _consume(self, length: int, kept: list[bytes] | None) -> None:
        while length:
            if self._start == self._end:
                self._fill()
            taken = min(length, self._end - self._start)
            if kept is not None:
                kept.append(bytes(self._view[self._start : self._start + taken]))
            self._start += taken
            length -= taken

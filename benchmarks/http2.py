"""A lean HTTP/2 client (RFC 9113) without TLS: many requests at once over one connection, their bodies only counted.

It sends all header fields as literals and never announces a dynamic table, so that it needs no HPACK state to read
the one field that it wants: the status, which servers send as the first field of each answer.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from .client import BUFFER, HttpError, ServerClosed

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_STATUS_200 = 0x88
"""`:status: 200` in the static table (RFC 7541 Appendix A)."""
_WINDOW_SIZE = 2**31 - 1


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    """A header field that is not indexed (RFC 7541 §6.2.2)."""
    return b"\0" + _text(name.lower()) + _text(value)


def _text(text: str) -> bytes:
    data = text.encode()
    length = len(data)
    if length < 127:
        return bytes((length,)) + data
    head, rest = bytearray(b"\x7f"), length - 127  # an integer with a prefix of 7 bits (RFC 7541 §5.1)
    while rest >= 128:
        head.append(rest % 128 | 128)
        rest //= 128
    return bytes((*head, rest)) + data


class Connection2:
    """One HTTP/2 connection with prior knowledge. Not for several threads."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 120.0) -> None:
        self._host, self._stream = host, 1
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        # No dynamic table, no push, and windows that a measurement never fills
        settings = ((1, 0), (2, 0), (4, _WINDOW_SIZE))
        payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in settings)
        more = (_WINDOW_SIZE - 65535).to_bytes(4, "big")
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, payload) + _frame(_WINDOW, 0, 0, more))

    def __enter__(self) -> Connection2:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, targets: Sequence[str], headers: dict[str, str]) -> list[int]:
        """Ask for all targets at once; the bytes of each body.

        Raises
        ------
        HttpError, OSError
            An answer was not 200, or the connection broke.
        """
        fields = b"".join(_literal(name, value) for name, value in headers.items())
        first, sent = self._stream, bytearray()
        for target in targets:
            block = b"\x82\x86" + _literal(":authority", self._host) + _literal(":path", target) + fields
            sent += _frame(_HEADERS, _END_STREAM | _END_HEADERS, self._stream, block)
            self._stream += 2
        self._socket.sendall(sent)
        sizes, left = [0] * len(targets), len(targets)
        while left:
            kind, flags, stream, payload = self._next()
            if kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._socket.sendall(_frame(_PING, _ACK, 0, payload))
            elif kind in (_RESET, _GOAWAY):
                raise HttpError(f"The server ended {'a stream' if kind == _RESET else 'the connection'}: {payload!r}.")
            elif kind in (_HEADERS, _DATA):
                if kind == _DATA:
                    sizes[(stream - first) // 2] += len(payload)
                elif not sizes[(stream - first) // 2] and _status(payload) != _STATUS_200:
                    raise HttpError("An answer over HTTP/2 was not 200.")
                left -= flags & _END_STREAM
        return sizes

    def _next(self) -> tuple[int, int, int, bytes]:
        self._fill(9)
        head = self._received
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:9], "big") & _WINDOW_SIZE
        self._fill(9 + length)
        payload = bytes(self._received[9 : 9 + length])
        del self._received[: 9 + length]
        return kind, flags, stream, payload

    def _fill(self, count: int) -> None:
        while len(self._received) < count:
            data = self._socket.recv(BUFFER)
            if not data:
                raise ServerClosed("The server closed the connection.")
            self._received += data


def _status(block: bytes) -> int:
    """The first field of a block behind changes of the table size (RFC 7541 §6.3)."""
    at = 0
    while at < len(block) and block[at] & 0xE0 == 0x20:
        at += 1
    return block[at] if at < len(block) else 0

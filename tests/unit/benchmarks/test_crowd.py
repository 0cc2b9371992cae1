"""Many measuring clients in one process: answers and frames in pieces, and what goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from benchmarks.client import HttpError, ServerClosed
from benchmarks.crowd import Audience, exchange

ANSWER = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@contextmanager
def server(serve: Callable[[socket.socket], None], connections: int = 1) -> Iterator[int]:
    """Serve so many connections, each in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve(connection)

        threads = [threading.Thread(target=one) for _ in range(connections)]
        for thread in threads:
            thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            for thread in threads:
                thread.join(10)


def in_pieces(data: bytes, step: int) -> Callable[[socket.socket], None]:
    """Answer each request of 4 bytes with these bytes, some at a time."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(4, socket.MSG_WAITALL):
            for place in range(0, len(data), step):
                connection.sendall(data[place : place + step])

    return serve


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_each_client_sends_its_next_request_on_the_last_answer(step: int) -> None:
    with server(in_pieces(ANSWER, step), 3) as port:
        done = exchange(port, [[b"one "] * 4, [b"two "], []], status=200)
    assert len(done.milliseconds) == 5
    assert done.rate == pytest.approx(5 / done.seconds)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ANSWER.replace(b"200", b"404"), "404; expected 200"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "known length"),
    ],
)
def test_another_answer_is_an_error(answer: bytes, message: str) -> None:
    with server(in_pieces(answer, 1000)) as port, pytest.raises(HttpError, match=message):
        exchange(port, [[b"one "]], status=200)


def frames(step: int, *sent: bytes, head: bytes = UPGRADED) -> Callable[[socket.socket], None]:
    data = head + b"".join(sent)

    def serve(connection: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += connection.recv(65536)
        for place in range(0, len(data), step):
            connection.sendall(data[place : place + step])
        connection.recv(1)  # until the client leaves

    return serve


SHORT, MIDDLE, LONG = b"a", b"b" * 300, b"c" * 70_000
TEXTS = (
    b"\x81\x01" + SHORT,
    b"\x89\x00",  # a Ping is no text
    b"\x81\x7e" + (300).to_bytes(2, "big") + MIDDLE,
    b"\x81\x7f" + (70_000).to_bytes(8, "big") + LONG,
)


@pytest.mark.parametrize("step", [1, 997, 100_000])
def test_texts_are_told_apart(step: int) -> None:
    with server(frames(step, *TEXTS), 2) as port, Audience(port, ["/one", "/two"]) as audience:
        assert audience.heard(3) == [[SHORT, MIDDLE, LONG]] * 2
        audience.quiet(0)


def test_a_closed_socket_is_an_error() -> None:
    with server(frames(1000, b"\x88\x02\x03\xe9")) as port, pytest.raises(ServerClosed), Audience(port, ["/"]) as one:
        one.heard(1)


def test_a_refused_handshake_is_an_error() -> None:
    refused = b"HTTP/1.1 404 Not Found\r\n\r\n"
    with server(frames(1000, head=refused)) as port, pytest.raises(HttpError, match="404"):
        Audience(port, ["/one"])

"""The measuring client: framing of responses, and that kept-alive connections stay in step."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from benchmarks.client import Answer, Connection, HttpError, request_bytes

HEAD = request_bytes("GET", "/", {"Accept": "*/*"})


@contextmanager
def server(*responses: bytes, step: int = 1 << 20) -> Iterator[int]:
    """Answer the requests of one connection with these bytes, `step` at a time, then close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for response in responses:
                    connection.recv(65536)
                    for place in range(0, len(response), step):
                        connection.sendall(response[place : place + step])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("keep", [True, False])
def test_bodies_of_either_framing_on_one_connection(step: int, keep: bool) -> None:
    with server(LENGTH, CHUNKED, LENGTH, step=step) as port, Connection(port, timeout=10) as connection:
        answers = [connection.exchange(HEAD, keep=keep) for _ in range(3)]
    assert [answer.size for answer in answers] == [5, 5, 5]
    assert [answer.body for answer in answers] == [b"hello" if keep else None] * 3


def test_body_that_ends_with_the_connection() -> None:
    with server(b"HTTP/1.1 200 OK\r\n\r\nhello") as port, Connection(port, timeout=10) as connection:
        assert connection.exchange(HEAD, keep=True).body == b"hello"
        assert connection.closed


def test_body_cut_short_is_an_error() -> None:
    with server(LENGTH[:-1]) as port, Connection(port, timeout=10) as connection, pytest.raises(HttpError):
        connection.exchange(HEAD)


def test_interim_response_is_passed_over() -> None:
    with server(b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH) as port, Connection(port, timeout=10) as connection:
        assert connection.exchange(HEAD).status == 200


def test_parts_of_a_multipart_body() -> None:
    body = b"--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\n\r\n\r\n--B--"
    answer = Answer(200, {"content-type": 'multipart/related; type="a/b"; boundary="B"'}, len(body), body)
    assert answer.parts() == [({"content-type": "a/b"}, b"one"), ({}, b"")]


def test_multipart_without_its_end_is_an_error() -> None:
    answer = Answer(200, {"content-type": "multipart/related; boundary=B"}, 9, b"--B\r\n\r\nx")
    with pytest.raises(HttpError, match="closing delimiter"):
        answer.parts()

"""The measuring client for HTTP/2: frames in any order and cut, and what is no answer of 200."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from benchmarks.client import HttpError
from benchmarks.http2 import Connection2


@contextmanager
def server(sent: bytes, step: int = 1000) -> Iterator[int]:
    """Send these frames on one connection, `step` bytes at a time, and read until the client goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                for place in range(0, len(sent), step):
                    connection.sendall(sent[place : place + step])
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)


SETTINGS = bytes.fromhex("000000 04 00 00000000")
HEADERS_1, HEADERS_3 = bytes.fromhex("000001 01 04 00000001 88"), bytes.fromhex("000001 01 04 00000003 88")
DATA_1 = bytes.fromhex("000005 00 00 00000001") + b"hello"
END_1 = bytes.fromhex("000000 00 01 00000001")
END_3 = bytes.fromhex("000002 00 01 00000003") + b"hi"
RESIZED_3 = bytes.fromhex("000002 01 04 00000003 20 88")
NOT_FOUND = bytes.fromhex("000001 01 05 00000001 8d")
RESET = bytes.fromhex("000004 03 00 00000001 00000001")


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(SETTINGS + HEADERS_1 + DATA_1 + END_1 + HEADERS_3 + END_3, id="one after the other"),
        pytest.param(SETTINGS + HEADERS_3 + HEADERS_1 + DATA_1 + END_3 + END_1, id="mixed"),
        pytest.param(HEADERS_1 + SETTINGS + RESIZED_3 + END_3 + DATA_1 + END_1, id="change of the table size"),
    ],
)
def test_answers_of_many_streams(sent: bytes, step: int) -> None:
    with server(sent, step) as port, Connection2(port, timeout=10) as connection:
        assert connection.get(["/a", "/b" + "c" * 300], {"accept": "*/*"}) == [5, 2]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(SETTINGS + NOT_FOUND, id="404"),
        pytest.param(SETTINGS + RESET, id="stream reset"),
        pytest.param(SETTINGS + HEADERS_1 + DATA_1[:-1], id="cut short"),
    ],
)
def test_what_is_no_answer(sent: bytes) -> None:
    with server(sent) as port, Connection2(port, timeout=10) as connection, pytest.raises(HttpError):
        connection.get(["/a"], {})

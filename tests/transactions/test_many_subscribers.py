"""Many subscribers at once, and some that do not read — PS3.18 §8.10: nobody waits for anybody, memory has bounds."""

from __future__ import annotations

import json
import resource
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from conftest import Server
from dicom_files import uid
from workitems import attributes, change, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK = "1.2.3.4.5.6.7.8"
GLOBAL = "1.2.840.10008.5.1.4.34.5"


def create(client: httpx.Client) -> str:
    name = uid()
    response = client.post(f"workitems?workitem={name}", json=[workitem()], headers=JSON)
    assert response.status_code == 201, response.text
    return name


def claim(client: httpx.Client, name: str) -> None:
    response = client.put(f"workitems/{name}/state", json=[change("IN PROGRESS", LOCK)], headers=JSON)
    assert response.status_code == 200, response.text


def subscribe(client: httpx.Client, name: str, ae: str) -> None:
    assert client.post(f"workitems/{name}/subscribers/{ae}").status_code == 201


@contextmanager
def listening(server: Server, aes: list[str]) -> Iterator[list[Any]]:
    with ExitStack() as stack:
        url = f"ws{server.url.removeprefix('http')}/ws/subscribers/"
        yield [stack.enter_context(connect(url + ae, open_timeout=30, proxy=None)) for ae in aes]


@contextmanager
def few_open_files(soft: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 4 * soft:
        pytest.skip(f"this user may not have more than {before[1]} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_connections_than_files_that_the_shell_allows(serving: Callable[..., Any], tmp_path: Path) -> None:
    # The HTTP server raises the soft limit when it is loaded.
    with ExitStack() as stack:
        with few_open_files(200):
            server = stack.enter_context(serving(tmp_path / "data"))
        sockets = []
        for _ in range(400):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            sockets.append(one)
        assert all(one.recv(12) == b"HTTP/1.1 200" for one in sockets)

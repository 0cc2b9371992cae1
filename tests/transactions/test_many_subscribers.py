"""Many subscribers at once, and some that do not read — PS3.18 §8.10: nobody waits for anybody, memory has bounds."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmarks.crowd import Audience
from websockets.sync.client import ClientConnection, connect

from conftest import Server
from dicom_files import uid
from memory import MIB, resident
from workitems import attributes, change, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK = "1.2.3.4.5.6.7.8"
GLOBAL = "1.2.840.10008.5.1.4.34.5"
WAYS: dict[str, Any] = {"open_timeout": 30, "close_timeout": 0.1, "max_queue": 1, "proxy": None}


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
def listening(server: Server, aes: list[str], *, little: bool = False) -> Iterator[list[ClientConnection]]:
    """Connections of subscribers; `little`: they take little of what nobody asks them for."""
    with ExitStack() as stack:
        opened = []
        for ae in aes:
            plain = socket.socket()
            if little:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.connect(("127.0.0.1", server.port))
            url = f"ws{server.url.removeprefix('http')}/ws/subscribers/{ae}"
            opened.append(stack.enter_context(connect(url, sock=plain, **WAYS)))
        yield opened


def numbers(socket: ClientConnection, count: int) -> list[int]:
    """The progress that so many reports tell of."""
    reports = [json.loads(socket.recv(30)) for _ in range(count)]
    return [one["00741002"]["Value"][0]["00741004"]["Value"][0] for one in reports if "00741002" in one]


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


def update(client: httpx.Client, name: str, progress: int, description: str) -> None:
    told = {"ProcedureStepProgress": progress, "ProcedureStepProgressDescription": description}
    body = [attributes(ProcedureStepProgressInformationSequence=told)]
    response = client.post(f"workitems/{name}?transaction-uid={LOCK}", json=body, headers=JSON)
    assert response.status_code == 200, response.text


def test_who_does_not_read_delays_nobody_costs_little_and_misses_nothing(
    serving: Callable[..., Any], tmp_path: Path
) -> None:
    rounds, text = 300, "x" * 60_000  # 18 MB for each: more than sockets hold
    slow = [f"SLOW{number}" for number in range(8)]
    with serving(tmp_path / "data", "--workers", "1") as server, server.client() as client:
        name = create(client)
        claim(client, name)
        for ae in ("QUICK", *slow):
            subscribe(client, name, ae)
        with listening(server, ["QUICK"]) as (quick,), listening(server, slow, little=True) as others:
            before = resident(server)
            quick.recv(30)
            for number in range(rounds):
                update(client, name, number, text)
                assert numbers(quick, 1) == [number]
            assert resident(server) - before < 64 * MIB
            for one in others[:2]:
                assert numbers(one, rounds + 1) == [*range(rounds)]


def test_many_that_come_at_once_hear_everything_once_and_in_order(serving: Callable[..., Any], tmp_path: Path) -> None:
    """What waited for each, what comes while they come, and what comes then."""
    names = [f"S{number}" for number in range(300)]
    targets = [f"/dicom-web/ws/subscribers/{name}" for name in names]
    with serving(tmp_path / "data", workers=2) as server, server.client() as client:
        for name in names:
            subscribe(client, GLOBAL, name)
        steps = [create(client) for _ in range(3)]
        with ThreadPoolExecutor() as other:
            meanwhile = other.submit(lambda: [create(client) for _ in range(5)])
            with Audience(server.port, targets) as audience:
                steps += meanwhile.result()
                steps.append(create(client))
                for heard in audience.heard(len(steps)):
                    assert [json.loads(text)["00001000"]["Value"][0] for text in heard] == steps

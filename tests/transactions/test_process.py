"""The server as a process: ports, parents, signals."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from conftest import start_server
from dicom_files import ct, part10

FILE = {"Content-Type": "application/dicom"}


def test_a_port_that_is_taken_is_refused(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path / "one") as server:
        command = [
            sys.executable,
            "-m",
            "skiagraph",
            "serve",
            "--data",
            str(tmp_path / "two"),
            "--port",
            str(server.port),
        ]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert second.returncode == 1
        assert "--port" in second.stderr


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data", workers=2)
    children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) >= 2
    os.kill(server.process.pid, 9)
    server.process.wait(30)
    deadline = time.monotonic() + 30
    while any(alive(int(child)) for child in children):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has taken note of does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_requests_in_flight_end_before_the_server_does(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    data = ct(Rows=1000, Columns=1000, PixelData=bytes(2_000_000))
    file = part10(data)
    half_sent, go_on = threading.Event(), threading.Event()

    def pieces() -> Any:
        yield file[: len(file) // 2]
        half_sent.set()
        assert go_on.wait(30)
        yield file[len(file) // 2 :]

    answers: list[httpx.Response] = []

    def send() -> None:
        with server.client() as client:
            answers.append(client.post("/studies", content=pieces(), headers=FILE))

    sender = threading.Thread(target=send)
    sender.start()
    assert half_sent.wait(30)
    server.process.terminate()
    go_on.set()
    sender.join(60)
    assert [answer.status_code for answer in answers] == [200]
    assert server.process.wait(60) == 0
    again = start_server(tmp_path / "data")
    try:
        with again.client() as client:
            assert len(client.get("/instances").json()) == 1
    finally:
        again.stop()


def test_control_characters_never_reach_the_log(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path / "data") as server, server.client() as client:
        client.get("/studies/1%1b%5B2Jx%1b%5D0;evil%07")
        client.get("/studies/1%002")
        client.get("/studies/PatientName=Doe%5EJohn")
        client.get("/studies/1.2/metadata", headers={"Accept": b"x\x80y"})
    log = server.log.read_bytes()
    assert not [byte for byte in log if byte < 32 and byte not in b"\n\t"]
    assert b"Doe" not in log


def test_a_stalled_payload_is_given_up(tmp_path: Path, serving: Callable[..., Any]) -> None:
    env = {"SKIAGRAPH_STALLED_SECONDS": "1"}
    with (
        serving(tmp_path / "data", env=env) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer,
    ):
        peer.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom\r\n"
            b"Content-Length: 1000\r\n\r\nonly this"
        )
        assert peer.recv(1000).startswith(b"HTTP/1.1 408")


def test_broken_chunks_are_a_bad_request(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path / "data") as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
        )
        assert peer.recv(1000).startswith(b"HTTP/1.1 400")


def test_a_refusal_does_not_wait_for_the_payload(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path / "data") as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert peer.recv(1000).startswith(b"HTTP/1.1 415")

"""A DICOMweb server made of a few lines, and DICOM files made of a few bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from skiagraph.cli import client as http


def element(number: int, vr: str, value: bytes, group: int = 2) -> bytes:
    value += b"\0" if len(value) % 2 else b""
    return (
        group.to_bytes(2, "little")
        + number.to_bytes(2, "little")
        + vr.encode()
        + len(value).to_bytes(2, "little")
        + value
    )


def part10_file(uid: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.7", content: bytes = b"") -> bytes:
    meta = b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01" + element(2, "UI", sop_class.encode()) + element(3, "UI", uid.encode())
    return bytes(128) + b"DICM" + meta + element(0x18, "UI", uid.encode(), 8) + content


@dataclass
class FakeServer:
    """Stores what is posted, by the UID in its File Meta Information; answers as PS3.18 Annex I says."""

    stored: dict[str, bytes] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    before: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        early = self.before(request)
        if early is not None:
            return early
        if request.method == "POST":
            return self.store(request)
        uid = request.url.params.get("SOPInstanceUID")
        found = [uid] if uid in self.stored else [] if uid else list(self.stored)[:1]
        return httpx.Response(200, json=[{"00080018": {"vr": "UI", "Value": [one]}} for one in found])

    def store(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        boundary = re.search("boundary=([0-9a-f]+)", request.headers["content-type"])[1].encode()
        assert int(request.headers["content-length"]) == len(body)
        parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
        self.bodies.append(len(parts))
        good, bad, others = [], [], []
        for part in parts:
            found = re.search(rb"\x02\0\x03\0UI..([0-9.]+)", part, re.DOTALL)
            uid = found[1].decode() if found else ""
            if uid in self.failures:
                code, text = self.failures[uid]
                bad.append(
                    {**_uid(uid), "00081197": {"vr": "US", "Value": [code]}, "00000902": {"vr": "LO", "Value": [text]}}
                )
            elif not uid:
                others.append({"00081197": {"vr": "US", "Value": [0xC000]}})
            else:
                self.stored[uid] = part
                good.append(_uid(uid))
        data = {
            tag: {"vr": "SQ", "Value": items}
            for tag, items in (("00081198", bad), ("00081199", good), ("0008119A", others))
            if items
        }
        status = 200 if not bad + others else 202 if good else 409
        return httpx.Response(status, content=json.dumps(data), headers={"content-type": "application/dicom+json"})


def _uid(uid: str) -> dict[str, object]:
    return {"00081155": {"vr": "UI", "Value": [uid]}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeServer:
    fake = FakeServer()

    def connect(url: str) -> httpx.Client:
        return httpx.Client(base_url=url, transport=httpx.MockTransport(fake))

    monkeypatch.setattr(http, "connect", connect)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SKIAGRAPH_URL", raising=False)
    return fake


@pytest.fixture
def run() -> Callable[..., object]:
    from skiagraph.cli import app

    def invoke(*arguments: object) -> object:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke

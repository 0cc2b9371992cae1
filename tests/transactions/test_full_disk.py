"""A full disk: Store says so, reading and deleting go on, nothing is half there."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dicom_files import ct, multipart, part10

FILE = {"Content-Type": "application/dicom"}


def large(**changes: Any) -> Any:
    return ct(Rows=500, Columns=1000, PixelData=os.urandom(1_000_000), **changes)


def test_room_is_left_for_index_and_deletion(tmp_path: Path, serving: Callable[..., Any]) -> None:
    data = tmp_path / "data"
    stored = ct()
    with serving(data) as server, server.client() as client:
        assert client.post("/studies", content=part10(stored), headers=FILE).status_code == 200
    with serving(data, env={"SKIAGRAPH_KEEP_FREE_BYTES": str(2**60)}) as server, server.client() as client:
        response = client.post("/studies", content=part10(ct()), headers=FILE)
        assert response.status_code == 507
        assert response.json()["0008119A"]["Value"][0]["00081197"]["Value"] == [0xA700]
        assert len(client.get("/instances").json()) == 1
        assert client.delete(f"/studies/{stored.StudyInstanceUID}").status_code == 204


@pytest.mark.parametrize("size", [pytest.param(400_000, id="blobs"), pytest.param(150_000, id="index too")])
def test_writes_fail(tmp_path: Path, serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The operating system refuses to let files grow: every instance is stored whole or not at all."""
    data = tmp_path / "data"
    with serving(data):
        pass
    real = subprocess.Popen

    def limited(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))

    stored = []
    monkeypatch.setattr(subprocess, "Popen", limited)
    with serving(data) as server:
        monkeypatch.setattr(subprocess, "Popen", real)
        with server.client() as client:
            assert client.post("/studies", content=part10(large()), headers=FILE).status_code == 507
            small, big = ct(), large()
            body, headers = multipart([part10(small), part10(big)])
            response = client.post("/studies", content=body, headers=headers)
            assert response.status_code in (202, 507)
            for _ in range(30):
                one = ct()
                status = client.post("/studies", content=part10(one), headers=FILE).status_code
                assert status in (200, 507)
                stored += [one] * (status == 200)
            for one in stored:
                path = f"/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
                answer = client.get(path, headers={"Accept": "application/dicom; transfer-syntax=*"})
                assert answer.content == part10(one)
    assert not list(data.rglob("*.part"))
    verified = real([sys.executable, "-m", "skiagraph", "verify", "--data", str(data)], stdout=subprocess.DEVNULL)
    assert verified.wait(60) == 0

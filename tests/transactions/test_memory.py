"""Memory is O(chunk): what is large or hostile does not stay in the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import SHARED_DATA
from dicom_files import ct, part10
from memory import MIB, Peak, resident

FILE = {"Content-Type": "application/dicom"}


@pytest.mark.slow
def test_a_large_instance_passes_through(tmp_path: Path, serving: Callable[..., Any]) -> None:
    frames, frame = 400, bytes(MIB)
    head = part10(ct(Rows=1024, Columns=1024, NumberOfFrames=frames, BitsAllocated=8, PixelData=b"\1\2"))
    head = head[:-6] + (frames * len(frame)).to_bytes(4, "little")

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(frames):
            yield frame

    size = len(head) + frames * len(frame)
    with serving(tmp_path / "data") as server, server.client() as client:
        client.post("/studies", content=part10(ct()), headers=FILE).raise_for_status()
        with Peak(server) as peak:
            response = client.post("/studies", content=pieces(), headers=FILE)
            assert response.status_code == 200, response.text
            study = response.json()["00081190"]["Value"][0]
            accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
            with client.stream("GET", study, headers=accept) as answer:
                assert sum(map(len, answer.iter_raw())) > size
            with client.stream("GET", study + "/pixeldata") as answer:
                assert sum(map(len, answer.iter_raw())) > frames * len(frame)
        assert peak.growth < 100 * MIB


@pytest.mark.slow
@pytest.mark.shared_data
def test_broken_files_leave_no_trace(tmp_path: Path, serving: Callable[..., Any]) -> None:
    broken = [path for path in sorted((SHARED_DATA / "broken").rglob("*")) if path.is_file()]
    assert broken
    with serving(tmp_path / "data") as server, server.client() as client:
        good = ct()
        client.post("/studies", content=part10(good), headers=FILE).raise_for_status()
        for _ in range(2):  # the first time imports what it needs
            with Peak(server) as peak:
                for path in broken:
                    status = client.post("/studies", content=path.read_bytes(), headers=FILE).status_code
                    assert status in (200, 202, 400, 409, 413), path.name
        assert peak.growth < 200 * MIB
        assert resident(server) - peak.before < 50 * MIB
        assert len(client.get("/studies", params={"StudyInstanceUID": good.StudyInstanceUID}).json()) == 1
        assert not list(server.data.rglob("*.part"))

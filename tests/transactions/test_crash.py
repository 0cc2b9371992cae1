"""Nothing lost: kill -9 at random moments while Instances are being stored."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from conftest import Server, start_server
from dicom_files import ct, multipart, part10, uid

ROUNDS = 30
ACCEPT = {"Accept": "application/dicom; transfer-syntax=*"}


def _store_until_killed(server: Server, stop: threading.Event, acknowledged: dict[str, bytes]) -> None:
    """Store one Instance after the other; remember those that were acknowledged."""
    study, series = uid(), uid()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        while not stop.is_set():
            data = ct(
                StudyInstanceUID=study,
                SeriesInstanceUID=series,
                Rows=100,
                Columns=100,
                PixelData=random.randbytes(20_000),
            )
            file = part10(data)
            body, headers = multipart([file])
            try:
                response = client.post("/studies", content=body, headers=headers)
            except httpx.TransportError:
                return
            assert response.status_code == 200, response.text
            acknowledged[f"/studies/{study}/series/{series}/instances/{data.SOPInstanceUID}"] = file


def _check_whole(server: Server, acknowledged: dict[str, bytes]) -> None:
    """Every acknowledged Instance is there to the last bit; whatever is found can be retrieved."""
    with server.client() as client:
        for path, file in acknowledged.items():
            response = client.get(path, headers=ACCEPT)
            assert response.status_code == 200, f"{path} was acknowledged and is lost"
            assert response.content == file, f"{path} is not what was stored"
        found = client.get("/instances").json()
        counted = sum(study["00201208"]["Value"][0] for study in client.get("/studies").json())
        assert counted == len(found), "counts and Instances disagree"
        for match in found[-20:]:
            url = match["00081190"]["Value"][0]
            assert client.get(url, headers=ACCEPT).status_code == 200
            assert client.get(url + "/metadata").status_code == 200


def _answers(server: Server) -> dict[str, object]:
    with server.client() as client:
        root = server.url
        answers: dict[str, object] = {}
        for path in ("/studies?includefield=all", "/series?includefield=all", "/instances"):
            answers[path] = client.get(path).text.replace(root, "BASE")
        for study in client.get("/studies").json()[:5]:
            path = f"/studies/{study['0020000D']['Value'][0]}/metadata"
            answers[path] = client.get(path).text.replace(root, "BASE")
        return answers


@pytest.mark.slow
def test_kill_9_while_storing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    acknowledged: dict[str, bytes] = {}
    fresh: dict[str, bytes] = {}
    dice = random.Random(20221116)
    for _ in range(ROUNDS):
        server = start_server(data)
        _check_whole(server, fresh)
        fresh = {}
        stop = threading.Event()
        threads = [threading.Thread(target=_store_until_killed, args=(server, stop, fresh)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.02, 0.4))  # the moment of the crash is the random variable of this test
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(30)
        acknowledged.update(fresh)
    assert len(acknowledged) > ROUNDS
    server = start_server(data)
    _check_whole(server, acknowledged)
    before = _answers(server)
    server.stop()
    assert not list(data.rglob("*.part")), "an unfinished file was left behind"
    skiagraph = [sys.executable, "-m", "skiagraph"]
    verified = subprocess.run([*skiagraph, "verify", "--data", str(data)], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for index in data.glob("index.sqlite*"):
        index.unlink()
    rebuilt = subprocess.run([*skiagraph, "reindex", "--data", str(data)], capture_output=True, text=True)
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    server = start_server(data)
    try:
        assert _answers(server) == before
    finally:
        server.stop()

"""`skiagraph schedule`: worklists for modalities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from procedure_steps import entry, step

from .conftest import FakeServer

Run = Callable[..., Any]
RESOURCE = "/modality-scheduled-procedure-steps"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (json.dumps([entry()]).encode(), "application/dicom+json"),
        (b'\xef\xbb\xbf {"00100020":{}}', "application/dicom+json"),
        (b"<?xml version='1.0'?><NativeDicomModel/>", "application/dicom+xml"),
        (bytes(128) + b"DICM", "application/dicom"),
    ],
    ids=["JSON", "JSON with a mark", "XML", "DICOM"],
)
def test_add(server: FakeServer, run: Run, tmp_path: Path, content: bytes, kind: str) -> None:
    server.before = lambda _: httpx.Response(201)
    file = tmp_path / "one"
    file.write_bytes(content)
    result = run("schedule", "add", file)
    assert result.exit_code == 0
    assert "added" in result.output
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", f"/dicom-web{RESOURCE}")
    assert (request.headers["content-type"], request.content) == (kind, content)


def test_what_was_not_added_is_told(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answers = iter([httpx.Response(400, text="It needs a name.", headers={"content-type": "text/plain"}),
                    httpx.Response(201)])  # fmt: skip
    server.before = lambda _: next(answers)
    for name in ("a", "b"):
        (tmp_path / name).write_text("{}")
    result = run("schedule", "add", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 1
    assert "a: not added: It needs a name." in result.output.replace("\n", " ")
    assert "b: added" in result.output


def test_list(server: FakeServer, run: Run) -> None:
    one = entry(step(ScheduledProcedureStepStartTime="0930"), PatientName="Yamada^Tarou")
    server.before = lambda _: httpx.Response(200, json=[one, one])
    result = run("schedule", "list", "ScheduledProcedureStepSequence.Modality=CT", "--limit", 1)
    assert result.exit_code == 0
    for text in ("2026-01-31", "0930", "CT1", "Yamada", "SPS1", "1 entry. There are more"):
        assert text in " ".join(result.output.split())
    assert server.requests[0].url.params["limit"] == "2"
    assert server.requests[0].url.params["ScheduledProcedureStepSequence.Modality"] == "CT"


def test_list_as_json(server: FakeServer, run: Run) -> None:
    server.before = lambda _: httpx.Response(200, json=[entry()])
    assert len(json.loads(run("schedule", "list", "--json").output)) == 1


@pytest.mark.parametrize(("terms", "told"), [([], "The worklist is empty."), (["PatientID=1"], "No entries match.")])
def test_nothing_to_list(server: FakeServer, run: Run, terms: list[str], told: str) -> None:
    server.before = lambda _: httpx.Response(204)
    assert told in run("schedule", "list", *terms).output


def test_remove(server: FakeServer, run: Run) -> None:
    server.before = lambda _: httpx.Response(204)
    assert run("schedule", "remove", "1.2.3", "CT 1/ü").exit_code == 0
    assert server.requests[0].method == "DELETE"
    assert server.requests[0].url.raw_path.decode() == f"/dicom-web{RESOURCE}/1.2.3/CT%201/%C3%BC"
    server.before = lambda _: httpx.Response(404, text="There is none.", headers={"content-type": "text/plain"})
    result = run("schedule", "remove", "1.2.3", "X")
    assert result.exit_code == 1
    assert "There is none." in result.output

"""Asking whether files are safe: what is asked, what is told, and when the exit code is 0."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from skiagraph.cli import commit

from .conftest import FakeServer, element, part10_file

Run = Callable[..., Any]
CLASS = "1.2.840.10008.5.1.4.1.1.7"


def dicom(uid: str, sop_class: str = CLASS) -> bytes:
    """A file whose data set has both UIDs, and whose File Meta Information has others."""
    meta = element(0x10, "UI", b"1.2.840.10008.1.2.1")
    data_set = element(0x16, "UI", sop_class.encode(), 8) + element(0x18, "UI", uid.encode(), 8)
    return bytes(128) + b"DICM" + meta + data_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    for number in range(4):
        (path / f"{number}.dcm").write_bytes(dicom(f"1.2.{number}"))
    (path / "readme.txt").write_text("no DICOM")
    return path


class Commitments:
    """A server with Storage Commitment: commits to all but some."""

    def __init__(self, server: FakeServer) -> None:
        self.failures: dict[str, int] = {}
        self.silent: set[str] = set()
        self.asked: list[list[str]] = []
        self.waits = 0
        self.paths: list[str] = []
        self._result = b""
        server.before = self.answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if request.method == "POST":
            items = json.loads(request.read())["00081199"]["Value"]
            self.asked.append([item["00081155"]["Value"][0] for item in items])
            good = [item for item in items if self.uid(item) not in self.failures and self.uid(item) not in self.silent]
            bad = [
                item | {"00081197": {"vr": "US", "Value": [self.failures[self.uid(item)]]}}
                for item in items
                if self.uid(item) in self.failures
            ]
            lists = {"00081199": good, "00081198": bad}
            module = {tag: {"vr": "SQ", "Value": items} for tag, items in lists.items() if items}
            self._result = json.dumps(module).encode()
        if self.waits:
            self.waits -= 1
            return httpx.Response(202, headers={"retry-after": "7"})
        return httpx.Response(200, content=self._result, headers={"content-type": "application/dicom+json"})

    @staticmethod
    def uid(item: dict[str, Any]) -> str:
        return str(item["00081155"]["Value"][0])


def test_all_are_committed(server: FakeServer, run: Run, folder: Path) -> None:
    commitments = Commitments(server)
    result = run("commit", folder)
    assert result.exit_code == 0, result.output
    assert commitments.asked == [["1.2.0", "1.2.1", "1.2.2", "1.2.3"]]
    assert [line.split()[:2] for line in result.output.splitlines()] == [
        ["committed", "4"],
        ["not", "committed"],
        ["left", "out"],
    ]
    assert commitments.paths[0].startswith("/dicom-web/commitment-requests/2.25.")


def test_files_in_zip_archives_too(server: FakeServer, run: Run, tmp_path: Path) -> None:
    commitments = Commitments(server)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a/1.dcm", dicom("1.2.1"))
    assert run("commit", tmp_path / "all.zip").exit_code == 0
    assert commitments.asked == [["1.2.1"]]


def test_reasons_are_told_with_files(server: FakeServer, run: Run, folder: Path) -> None:
    commitments = Commitments(server)
    commitments.failures = {"1.2.1": 0x0112, "1.2.2": 0x0112, "1.2.3": 0x0110}
    result = run("commit", folder)
    assert result.exit_code == 1
    assert "2 files: 0x0112: not available at this server" in result.output
    assert "1 file: 0x0110: processing failure" in result.output
    assert "2.dcm" in result.output


def test_what_the_server_says_nothing_about_is_not_committed(server: FakeServer, run: Run, folder: Path) -> None:
    Commitments(server).silent = {"1.2.3"}
    result = run("commit", folder)
    assert result.exit_code == 1
    assert "1 file: the server said nothing about it" in result.output


def test_a_file_that_can_not_be_read_is_not_committed(server: FakeServer, run: Run, folder: Path) -> None:
    Commitments(server)
    (folder / "cut.dcm").write_bytes(dicom("1.2.9")[:150])
    (folder / "none.dcm").write_bytes(part10_file("1.2.8"))  # without SOP Class UID in its data set
    result = run("commit", folder)
    assert result.exit_code == 1
    assert "2 files: can not be read as DICOM" in result.output


def test_nothing_committed_is_no_success(server: FakeServer, run: Run, tmp_path: Path) -> None:
    """So that nobody deletes a folder in which nothing was recognised."""
    Commitments(server)
    (tmp_path / "readme.txt").write_text("no DICOM")
    result = run("commit", tmp_path)
    assert result.exit_code == 1
    assert "left out" in result.output


def test_copies_are_asked_for_once_and_counted_each(server: FakeServer, run: Run, folder: Path) -> None:
    commitments = Commitments(server)
    (folder / "copy.dcm").write_bytes((folder / "0.dcm").read_bytes())
    assert "committed 5" in " ".join(run("commit", folder).output.split())
    assert len(commitments.asked[0]) == 4


def test_many_are_asked_for_in_batches(
    server: FakeServer, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commitments = Commitments(server)
    monkeypatch.setattr(commit, "_BATCH", 3)
    assert run("commit", folder).exit_code == 0
    assert [len(asked) for asked in commitments.asked] == [3, 1]
    assert len(set(commitments.paths)) == 2, "each request has a Transaction UID of its own"


def test_202_is_waited_for(server: FakeServer, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commitments = Commitments(server)
    commitments.waits = 3
    pauses: list[float] = []
    monkeypatch.setattr(commit.time, "sleep", pauses.append)
    assert run("commit", folder).exit_code == 0
    assert pauses == [7, 7, 7]
    assert [len(commitments.asked), len(set(commitments.paths))] == [1, 1]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [({}, 1.0), ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 1.0), ({"retry-after": "999"}, 60)],
)
def test_pauses(header: dict[str, str], seconds: float) -> None:
    assert commit._pause(httpx.Response(202, headers=header)) == seconds


@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        (httpx.Response(404), 1, "has no Storage Commitment"),
        (httpx.Response(405), 1, "has no Storage Commitment"),
        (httpx.Response(503, json={"detail": "busy"}), 1, "The server answered 503: busy"),
        (httpx.Response(200, content=b"<html>"), 1, "no data set in DICOM JSON"),
        (httpx.Response(200, json=[1, 2]), 1, "no data set in DICOM JSON"),
        (httpx.ConnectError("refused"), 3, "can not be reached: refused"),
    ],
)
def test_refusals(
    server: FakeServer, run: Run, folder: Path, response: httpx.Response | Exception, code: int, message: str
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    server.before = answer
    result = run("commit", folder)
    assert result.exit_code == code
    assert message in result.output


@pytest.mark.parametrize("answer", [{"00081199": 7}, {"00081199": {"Value": [7, {}]}}, [{"00081198": {"Value": [{}]}}]])
def test_odd_answers_commit_nothing(server: FakeServer, run: Run, folder: Path, answer: object) -> None:
    server.before = lambda _: httpx.Response(200, json=answer)
    result = run("commit", folder)
    assert result.exit_code == 1
    assert "4 files: the server said nothing about it" in result.output

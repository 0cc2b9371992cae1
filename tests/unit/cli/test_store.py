"""Sending files: batches, failures with reasons, going on after an interruption."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from skiagraph.cli import upload
from skiagraph.cli.sources import Item
from skiagraph.cli.store import batches

from .conftest import FakeServer, part10_file

Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    for number in range(5):
        (path / f"{number}.dcm").write_bytes(part10_file(f"1.2.{number}", content=bytes(number * 1000)))
    (path / "readme.txt").write_text("no DICOM")
    return path


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries do not wait."""
    monkeypatch.setattr("threading.Event.wait", lambda self, _timeout=None: self.is_set())


def item(uid: str, size: int = 10) -> Item:
    return Item(uid, size, "", uid, io.BytesIO)


def test_a_folder_is_sent_whole_and_counted(server: FakeServer, run: Run, folder: Path) -> None:
    result = run("store", folder)
    assert result.exit_code == 0, result.output
    assert {uid: len(data) for uid, data in server.stored.items()} == {
        f"1.2.{number}": (folder / f"{number}.dcm").stat().st_size for number in range(5)
    }
    assert all(server.stored[f"1.2.{number}"] == (folder / f"{number}.dcm").read_bytes() for number in range(5))
    assert "stored" in result.output
    assert "1 not DICOM" in result.output


def test_failures_are_grouped_by_reason_and_make_exit_code_1(server: FakeServer, run: Run, folder: Path) -> None:
    server.failures = dict.fromkeys(("1.2.1", "1.2.3"), (273, "A different data set is stored."))
    result = run("store", folder)
    assert result.exit_code == 1
    assert "2 instances: 0x0111: A different data set is stored." in result.output
    assert "1.dcm" in result.output
    assert "3.dcm" in result.output


def test_reasons_that_differ_in_numbers_are_one_group(server: FakeServer, run: Run, folder: Path) -> None:
    server.failures = {
        "1.2.1": (0xC000, "Truncated: (7FE0,0010) at offset 1488 declares 8192 bytes."),
        "1.2.2": (0xC000, "Truncated: (0040,A730) at offset 790 declares 5 bytes."),
    }
    assert "2 instances: 0xC000: Truncated: … at offset … declares … bytes." in run("store", folder).output
    del server.failures["1.2.1"]
    assert "1 instance: 0xC000: Truncated: (0040,A730) at offset 790 declares 5 bytes." in run("store", folder).output


def test_a_file_without_uid_gets_its_own_answer(server: FakeServer, run: Run, folder: Path) -> None:
    result = run("store", folder, folder / "readme.txt")
    assert result.exit_code == 1
    assert "1 instance: 0xC000: can not be understood" in result.output
    assert len(server.stored) == 5


def test_the_same_command_again_sends_only_what_failed(server: FakeServer, run: Run, folder: Path) -> None:
    server.failures = {"1.2.1": (0xA700, "full")}
    assert run("store", folder).exit_code == 1
    server.failures, server.bodies = {}, []
    result = run("store", folder)
    assert result.exit_code == 0
    assert server.bodies == [1]
    assert "sent before" in result.output


def test_after_success_everything_is_sent_again(server: FakeServer, run: Run, folder: Path) -> None:
    run("store", folder)
    server.bodies = []
    run("store", folder)
    assert sum(server.bodies) == 5


def test_a_named_journal_stays(server: FakeServer, run: Run, folder: Path, tmp_path: Path) -> None:
    run("store", folder, "--resume", tmp_path / "journal")
    (folder / "1.dcm").write_bytes(part10_file("1.2.1", content=b"changed"))
    server.bodies = []
    assert run("store", folder, "--resume", tmp_path / "journal").exit_code == 0
    assert server.bodies == [1]


def test_a_server_that_was_emptied_gets_everything(server: FakeServer, run: Run, folder: Path, tmp_path: Path) -> None:
    run("store", folder, "--resume", tmp_path / "journal")
    server.stored.clear()
    result = run("store", folder, "--resume", tmp_path / "journal")
    assert len(server.stored) == 5
    assert "everything is sent again" in result.output


def test_a_wrong_journal_is_named(server: FakeServer, run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"something else" * 99)
    result = run("store", folder, "--resume", tmp_path / "j")
    assert result.exit_code == 2
    assert "not a journal" in result.output


def test_zip_archives_are_sent(server: FakeServer, run: Run, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"x/{file.name}")
    assert run("store", tmp_path / "a.zip").exit_code == 0
    assert len(server.stored) == 5


def test_a_server_that_is_not_there_gives_exit_code_3(server: FakeServer, run: Run, folder: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    server.before = refuse
    result = run("store", folder)
    assert result.exit_code == 3
    assert "can not be reached: Connection refused" in result.output


def test_a_wrong_base_uri_is_said(server: FakeServer, run: Run, folder: Path) -> None:
    server.before = lambda _request: httpx.Response(404, text="<html>", headers={"content-type": "text/html"})
    result = run("store", folder)
    assert result.exit_code == 1
    assert "Base URI" in result.output


@pytest.mark.parametrize("url", ["ftp://x/y", "nonsense", "http://"])
def test_a_url_that_is_none_is_a_wrong_command_line(run: Run, folder: Path, url: str) -> None:
    assert run("store", folder, "--url", url).exit_code == 2


def test_a_busy_server_is_asked_again(server: FakeServer, run: Run, folder: Path) -> None:
    busy = iter([503, 503])

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and (status := next(busy, None)):
            return httpx.Response(status, headers={"retry-after": "1"})
        return None

    server.before = before
    assert run("store", folder, "--jobs", 1).exit_code == 0
    assert len(server.stored) == 5


def test_a_lost_connection_costs_only_what_is_at_fault(server: FakeServer, run: Run, folder: Path) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and b"1.2.3" in request.read():
            raise httpx.ReadError("reset", request=request)
        return None

    server.before = before
    result = run("store", folder)
    assert result.exit_code == 1
    assert "1 instance: connection lost" in result.output
    assert len(server.stored) == 4


def test_too_large_for_one_request_is_sent_one_by_one(server: FakeServer, run: Run, folder: Path) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(413) if request.method == "POST" and len(request.read()) > 6000 else None

    server.before = before
    assert run("store", folder).exit_code == 0
    assert server.bodies == [1] * 5


def test_an_error_for_the_whole_request_is_told_with_its_words(server: FakeServer, run: Run, folder: Path) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        report = {"00000902": {"vr": "LO", "Value": ["Store takes application/dicom."]}}
        headers = {"content-type": "application/dicom+json", "x-request-id": "abc"}
        return httpx.Response(415, json=report, headers=headers) if request.method == "POST" else None

    server.before = before
    result = run("store", folder)
    assert result.exit_code == 1
    assert "415 (request abc): Store takes application/dicom." in result.output


@pytest.mark.parametrize("change", [-1, +1], ids=["shorter", "longer"])
def test_a_file_that_changes_under_way_does_not_go_out_cut(
    server: FakeServer, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, change: int
) -> None:
    true = upload.Uploader._content

    def content(self: upload.Uploader, one: Item) -> Any:
        if one.name.endswith("3.dcm"):
            one = Item(one.name, one.size - change, one.stamp, one.sop_instance_uid, one.open)
        return true(self, one)

    monkeypatch.setattr(upload.Uploader, "_content", content)
    result = run("store", folder)
    assert result.exit_code == 1
    assert "file can not be read" in result.output
    assert sorted(server.stored) == ["1.2.0", "1.2.1", "1.2.2", "1.2.4"]


@pytest.mark.parametrize(
    ("items", "sizes"),
    [
        pytest.param([item(f"1.{n}") for n in range(70)], [32, 32, 6], id="bounded number"),
        pytest.param([item(f"1.{n}", 20 * 2**20) for n in range(3)], [1, 1, 1], id="bounded bytes"),
        pytest.param([item("1.1"), item("1.2"), item("1.1")], [2, 1], id="no UID twice"),
        pytest.param([item("1.1"), item(""), item("1.2")], [1, 2], id="without UID alone"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_batches(items: list[Item], sizes: list[int]) -> None:
    assert [len(batch) for batch in batches(items)] == sizes

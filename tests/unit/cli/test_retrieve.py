"""Getting Instances into files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import FakeServer, element, part10_file

Run = Callable[..., Any]
FILES = [part10_file(f"1.2.{number}", content=b"\r\n--b" * number) for number in range(3)]


def multipart(files: list[bytes], *, closed: bool = True) -> bytes:
    parts = b"".join(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
    return parts + (b"--xyz--\r\n" if closed else b"")


def answer(server: FakeServer, body: bytes, status: int = 200) -> None:
    headers = {"content-type": 'multipart/related; type="application/dicom"; boundary=xyz'}

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    server.before = lambda _request: httpx.Response(status, content=pieces(), headers=headers)


def test_each_instance_becomes_a_file_named_by_its_uid(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer(server, multipart(FILES))
    result = run("retrieve", "1.2", "--output", tmp_path / "new" / "folder")
    assert result.exit_code == 0, result.output
    assert "3 instances" in result.output
    found = {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()}
    assert found == {f"1.2.{number}.dcm": file for number, file in enumerate(FILES)}


@pytest.mark.parametrize(
    ("uids", "path"),
    [
        (["1.2"], "/studies/1.2"),
        (["1.2", "3"], "/studies/1.2/series/3"),
        (["1.2", "3", "4"], "/studies/1.2/series/3/instances/4"),
    ],
    ids=["study", "series", "instance"],
)
def test_what_is_asked(server: FakeServer, run: Run, tmp_path: Path, uids: list[str], path: str) -> None:
    answer(server, multipart(FILES))
    run("retrieve", *uids, "--output", tmp_path)
    assert server.requests[-1].url.path == "/dicom-web" + path
    assert server.requests[-1].headers["accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_an_answer_that_is_cut_off_leaves_only_whole_files(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer(server, multipart(FILES)[:-60])
    result = run("retrieve", "1.2", "--output", tmp_path)
    assert result.exit_code == 1
    assert "not whole after 2 instances" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.2.0.dcm", "1.2.1.dcm"]


def test_a_lost_connection_leaves_no_half_file(server: FakeServer, run: Run, tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield multipart(FILES)[:-60]
        raise httpx.RemoteProtocolError("peer closed connection")

    headers = {"content-type": "multipart/related; boundary=xyz"}
    server.before = lambda _request: httpx.Response(200, content=pieces(), headers=headers)
    result = run("retrieve", "1.2", "--output", tmp_path)
    assert result.exit_code == 1
    assert "connection was lost" in result.output
    assert len(list(tmp_path.iterdir())) == 2


def test_partial_content_is_a_failure(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer(server, multipart(FILES), 206)
    result = run("retrieve", "1.2", "--output", tmp_path)
    assert result.exit_code == 1
    assert "not all" in result.output


def test_a_name_that_is_no_uid_never_becomes_a_path(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer(server, multipart([part10_file("../../evil")]))
    assert run("retrieve", "1.2", "--output", tmp_path / "out").exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["instance-000001.dcm"]


def test_a_file_of_the_same_name_is_replaced(server: FakeServer, run: Run, tmp_path: Path) -> None:
    (tmp_path / "1.2.0.dcm").write_bytes(b"old")
    answer(server, multipart(FILES[:1]))
    run("retrieve", "1.2", "--output", tmp_path)
    assert (tmp_path / "1.2.0.dcm").read_bytes() == FILES[0]


def test_not_found_is_told(server: FakeServer, run: Run, tmp_path: Path) -> None:
    report = {"00000902": {"vr": "LO", "Value": ["There is no such Study."]}}
    server.before = lambda _request: httpx.Response(404, json=report)
    result = run("retrieve", "1.2", "--output", tmp_path)
    assert result.exit_code == 1
    assert "There is no such Study." in result.output


def test_what_is_no_uid_is_a_wrong_command_line(server: FakeServer, run: Run) -> None:
    assert run("retrieve", "../x").exit_code == 2
    assert not server.requests


def test_an_answer_of_another_kind_is_said(server: FakeServer, run: Run, tmp_path: Path) -> None:
    server.before = lambda _request: httpx.Response(200, html="<p>login</p>")
    result = run("retrieve", "1.2", "--output", tmp_path)
    assert result.exit_code == 1
    assert "text/html" in result.output


# De-identified


def nameless(uid: str, removed: bytes) -> bytes:
    return part10_file(uid, content=element(0x62, "CS", removed, 0x12))


def test_anonymize_is_asked_for(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer(server, multipart([nameless("1.2.0", b"YES ")]))
    result = run("retrieve", "1.2", "--output", tmp_path, "--anonymize")
    assert result.exit_code == 0, result.output
    assert server.requests[-1].url.params["anonymize"] == "yes"
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.0.dcm"]
    run("retrieve", "1.2", "--output", tmp_path)
    assert "anonymize" not in server.requests[-1].url.params


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(part10_file("1.2.9"), id="says nothing"),
        pytest.param(nameless("1.2.9", b"NO"), id="says no"),
        pytest.param(b"no DICOM", id="no DICOM"),
    ],
)
def test_what_was_not_anonymized_is_not_kept(server: FakeServer, run: Run, tmp_path: Path, file: bytes) -> None:
    """Servers ignore parameters that they do not know (PS3.18 §8.3)."""
    answer(server, multipart([nameless("1.2.0", b"YES "), file, nameless("1.2.1", b"YES ")]))
    result = run("retrieve", "1.2", "--output", tmp_path, "--anonymize")
    assert result.exit_code == 1
    assert "not kept" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.0.dcm"]


def test_what_the_server_warns_of_is_told(server: FakeServer, run: Run, tmp_path: Path) -> None:
    headers = {"content-type": "multipart/related; boundary=xyz", "warning": "299 http://x/y: pixels were not cleaned"}
    body = multipart([nameless("1.2.0", b"YES ")])
    server.before = lambda _request: httpx.Response(200, content=body, headers=headers)
    result = run("retrieve", "1.2", "--output", tmp_path, "--anonymize")
    assert result.exit_code == 0, result.output
    assert "pixels were not cleaned" in result.output


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, FILES[0])
    return out.getvalue()


def answer_with(server: FakeServer, body: bytes, content_type: str = "application/zip", status: int = 200) -> None:
    server.before = lambda _request: httpx.Response(status, content=body, headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("options", "query", "names"),
    [
        (["--zip"], "", ["1.2/a.dcm", "1.2/b.dcm"]),
        (["--zip", "--dicomdir"], "dicomdir=yes", ["A/A", "A/B", "DICOMDIR"]),
    ],
)
def test_archive(
    server: FakeServer, run: Run, tmp_path: Path, options: list[str], query: str, names: list[str]
) -> None:
    answer_with(server, archive(*names))
    result = run("retrieve", "1.2", "3", "--output", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert "2 instances" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["3.zip"]
    assert zipfile.ZipFile(tmp_path / "3.zip").namelist() == names
    request = server.requests[-1]
    assert request.headers["accept"] == "application/zip; transfer-syntax=*"
    assert request.url.query.decode() == query


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(archive("a")[:-30], "application/zip", id="cut off"),
        pytest.param(multipart(FILES), "multipart/related", id="no archive"),
        pytest.param(b"", "application/zip", id="empty"),
    ],
)
def test_no_archive_is_kept(server: FakeServer, run: Run, tmp_path: Path, body: bytes, content_type: str) -> None:
    answer_with(server, body, content_type)
    result = run("retrieve", "1.2", "--output", tmp_path, "--zip")
    assert result.exit_code != 0
    assert not list(tmp_path.iterdir())


def test_archive_that_is_not_all(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answer_with(server, archive("a"), status=206)
    result = run("retrieve", "1.2", "--output", tmp_path, "--zip")
    assert result.exit_code != 0
    assert (tmp_path / "1.2.zip").exists()


@pytest.mark.parametrize("options", [["--dicomdir"], ["--zip", "--anonymize"]])
def test_options_that_do_not_go_together(server: FakeServer, run: Run, tmp_path: Path, options: list[str]) -> None:
    assert run("retrieve", "1.2", "--output", tmp_path, *options).exit_code == 2
    assert not server.requests

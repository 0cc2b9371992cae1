"""`verify` and `reindex` as commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archives import opened
from dicom_files import ct, part10
from skiagraph.cli.alone import in_use
from skiagraph.cli.reindex import files, swap
from skiagraph.index.base import Record
from skiagraph.index.sql import SqlIndex
from skiagraph.testing.headers import element
from skiagraph.testing.record_index_suite import STATE, WORKITEM, put, write
from skiagraph.testing.record_index_suite import run as index_run

Run = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with opened(folder) as given:
        given.store(*(part10(ct()) for _ in range(3)))
    return folder


def blobs(data: Path) -> list[Path]:
    return sorted((data / "blobs").rglob("*.dcm"))


def test_a_clean_archive(run: Run, data: Path) -> None:
    result = run("verify", "--data", data)
    assert result.exit_code == 0, result.output
    assert "3 instances" in result.output
    assert "Index and blobs match." in result.output


def test_findings_are_listed_and_make_exit_code_1(run: Run, data: Path) -> None:
    gone, changed, _ = blobs(data)
    gone.unlink()
    changed.write_bytes(b"x")
    result = run("verify", "--data", data)
    assert result.exit_code == 1
    assert f"missing  {gone.stem}  studies/2.25." in result.output
    assert f"corrupt  {changed.stem}  studies/2.25." in result.output
    assert "1 missing: the index names it, its blob is not there" in result.output


def test_repair_puts_right_what_it_can(run: Run, data: Path) -> None:
    gone, changed, _ = blobs(data)
    gone.unlink()
    result = run("verify", "--data", data, "--repair")
    assert result.exit_code == 0, result.output
    assert "1 put right, 0 left." in result.output
    changed.write_bytes(b"x")
    assert run("verify", "--data", data, "--repair").exit_code == 1


@pytest.mark.parametrize("command", [["verify", "--repair"], ["reindex"]], ids=["repair", "reindex"])
def test_repairs_wait_for_the_server_to_stop(run: Run, data: Path, command: list[str]) -> None:
    with in_use(data, alone=False):
        result = run(*command, "--data", data)
    assert result.exit_code == 1
    assert "Stop it first." in result.output


def test_looking_goes_on_beside_a_server(run: Run, data: Path) -> None:
    with in_use(data, alone=False):
        assert run("verify", "--data", data).exit_code == 0


@pytest.mark.parametrize("command", ["verify", "reindex"])
def test_a_folder_that_is_no_archive_is_not_made_one(run: Run, tmp_path: Path, command: str) -> None:
    result = run(command, "--data", tmp_path / "typo")
    assert result.exit_code == 1
    assert "no archive" in result.output
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("command", ["verify", "serve"])
def test_blobs_without_index_ask_for_a_reindex(run: Run, data: Path, command: str) -> None:
    for file in files(data / "index.sqlite"):
        file.unlink(missing_ok=True)
    result = run(command, "--data", data)
    assert result.exit_code == 1
    assert "skiagraph reindex" in result.output
    assert not (data / "index.sqlite").exists()


@pytest.mark.parametrize("damage", [None, b"no database" * 1000, b""], ids=["lost", "damaged", "empty"])
def test_reindex_makes_the_index_anew(run: Run, data: Path, damage: bytes | None) -> None:
    for file in files(data / "index.sqlite"):
        file.unlink(missing_ok=True)
        if damage is not None:
            file.write_bytes(damage)
    result = run("reindex", "--data", data)
    assert result.exit_code == 0, result.output
    assert "3 instances indexed." in result.output
    assert "3 blobs could not be compared with what was stored, as the old index does not have" in result.output
    assert "What it had of this is lost: records, subscriptions, event reports, change feed." in result.output
    assert "has to begin at 0 again" in result.output
    assert not list(data.glob("*.new*"))
    assert not (data / "index.sqlite-wal").exists()
    assert run("verify", "--data", data).exit_code == 0


def test_reindex_takes_over_what_blobs_do_not_tell(run: Run, data: Path) -> None:
    index = SqlIndex.open(data / "index.sqlite", durable=False)
    stored = put(index, Record(WORKITEM, "1.1", {STATE: element("CS", "SCHEDULED")}))
    write(index, lambda books: books.subscribe(stored, "ONE", deletion_lock=False))
    write(index, lambda books: books.report(b"{}", ["ONE"]))
    index.close()
    result = run("reindex", "--data", data)
    assert result.exit_code == 0, result.output
    assert (
        "Taken over from the old index: 1 record, 1 subscription, 1 event report, 3 change feed entries."
        in result.output
    )
    assert "lost" not in result.output
    index = SqlIndex.open(data / "index.sqlite", durable=False)
    assert index_run(index.record(WORKITEM, "1.1")) == stored
    index.close()


def test_reindex_tells_what_it_could_not_index(run: Run, data: Path) -> None:
    bad = blobs(data)[1]
    bad.write_bytes(b"x")
    result = run("reindex", "--data", data)
    assert result.exit_code == 1
    assert "2 instances indexed." in result.output
    assert bad.stem in result.output


def test_reindex_tells_which_bytes_have_changed(run: Run, data: Path) -> None:
    bad = blobs(data)[1]
    content = bad.read_bytes()
    bad.write_bytes(content[:-1] + b"\xff")
    for _ in range(2):
        result = run("reindex", "--data", data)
        assert result.exit_code == 1
        assert "3 instances indexed." in result.output
        assert "1 blob has changed since it was stored" in result.output
        assert f"    {bad.stem}  studies/2.25." in result.output
        result = run("verify", "--data", data)
        assert result.exit_code == 1
        assert f"corrupt  {bad.stem}" in result.output
    bad.write_bytes(content)
    assert run("verify", "--data", data).exit_code == 0
    assert run("reindex", "--data", data).exit_code == 0


def test_reindex_tells_what_it_could_not_compare(run: Run, data: Path) -> None:
    result = run("reindex", "--data", data)
    assert "compared" not in result.output
    with (data / "index.sqlite").open("r+b") as file:
        file.truncate(file.seek(0, 2) // 2)
    result = run("reindex", "--data", data)
    assert result.exit_code == 0, result.output
    assert "3 blobs could not be compared" in result.output


def test_a_reindex_that_fails_leaves_the_old_index(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skiagraph.services.maintenance.reindex", fail)
    result = run("reindex", "--data", data)
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert not list(data.glob("*.new*"))
    assert run("verify", "--data", data).exit_code == 0


def test_swap_takes_the_log_of_the_old_database_with_it(tmp_path: Path) -> None:
    for file in files(tmp_path / "index"):
        file.write_bytes(b"old")
    (tmp_path / "fresh").write_bytes(b"new")
    swap(tmp_path / "fresh", tmp_path / "index")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("index", b"new")]

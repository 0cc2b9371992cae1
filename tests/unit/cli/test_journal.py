"""The note of what a server has acknowledged."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest

from skiagraph.cli.journal import Journal, default_path
from skiagraph.cli.sources import Item


def item(name: str = "/a", size: int = 1, stamp: str = "7") -> Item:
    return Item(name, size, stamp, "1.2", io.BytesIO)


def test_it_knows_what_was_added_also_after_a_new_start(tmp_path: Path) -> None:
    with Journal(tmp_path / "sub" / "j") as journal:
        journal.add([(item(), "1.2")])
    with Journal(tmp_path / "sub" / "j") as journal:
        assert item() in journal
        assert journal.last() == "1.2"


@pytest.mark.parametrize("other", [item("/b"), item(size=2), item(stamp="8")], ids=["name", "size", "time"])
def test_another_name_size_or_time_is_another_file(tmp_path: Path, other: Item) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.add([(item(), "1.2")])
        assert other not in journal


def test_clear_forgets_and_remove_deletes(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.add([(item(), "1.2")])
        journal.clear()
        assert item() not in journal
        assert journal.last() is None
        journal.remove()
    assert not (tmp_path / "j").exists()


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"something else, long enough to be read" * 99)
    with pytest.raises(sqlite3.DatabaseError):
        Journal(tmp_path / "j")


def test_each_server_has_a_journal_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = default_path("http://a:8080/x/"), default_path("http://a:8080/y/")
    assert one != other
    assert one.parent == tmp_path / "skiagraph"
    assert one.name.startswith("store-a-8080-x-")

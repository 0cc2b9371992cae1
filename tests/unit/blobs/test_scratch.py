"""Files that were made on request: made once, kept within bounds, gone when nobody needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skiagraph.blobs.scratch import FileDraft, FileScratch
from skiagraph.errors import PayloadTooLarge, StorageFull


@pytest.fixture
def scratch(tmp_path: Path) -> FileScratch:
    return FileScratch(tmp_path / "made", 1000)


def draft(scratch: FileScratch, name: str, content: bytes = b"") -> FileDraft:
    found = scratch.draft(name)
    assert found is not None
    found.write(content)
    return found


def names(scratch: FileScratch) -> set[str]:
    return {path.name for path in scratch.folder.iterdir()}


def test_a_file_is_found_once_it_is_whole(scratch: FileScratch) -> None:
    assert scratch.open("a") is None
    begun = draft(scratch, "a", b"content")
    begun.seek(0)
    begun.write(b"C")
    assert begun.seek(0, 2) == 7
    assert scratch.open("a") is None
    assert begun.keep().read_at(0, 10) == b"Content"
    opened = scratch.open("a")
    assert opened is not None
    assert (opened.size, opened.read_at(3, 2)) == (7, b"te")
    assert names(scratch) == {"a"}


def test_a_file_can_be_begun_anew(scratch: FileScratch) -> None:
    begun = draft(scratch, "a", b"something long")
    assert begun.truncate(0) == 0
    begun.write(b"short")
    assert begun.keep().read_at(0, 100) == b"short"


def test_two_never_make_the_same(scratch: FileScratch) -> None:
    """Nor do two processes, which open the file each for itself."""
    first = draft(scratch, "a", b"one")
    assert scratch.draft("a") is None
    assert FileScratch(scratch.folder, 1000).draft("a") is None
    first.keep()
    again = scratch.draft("a")
    assert again is not None
    again.discard()
    opened = scratch.open("a")
    assert opened is not None
    assert opened.read_at(0, 10) == b"one", "what was kept is not touched"


def test_what_is_discarded_leaves_nothing(scratch: FileScratch) -> None:
    begun = draft(scratch, "a", b"half")
    begun.discard()
    begun.discard()
    assert names(scratch) == set()
    draft(scratch, "a", b"whole").keep()
    assert names(scratch) == {"a"}


def test_a_draft_that_was_left_behind_is_begun_anew(scratch: FileScratch) -> None:
    scratch.folder.mkdir()
    (scratch.folder / "a.part").write_bytes(b"something longer of a process that is gone")
    assert draft(scratch, "a", b"new").keep().size == 3


def test_those_that_are_not_used_go_first(scratch: FileScratch) -> None:
    for number, name in enumerate("abc"):
        draft(scratch, name, bytes(400)).keep()
        os.utime(scratch.folder / name, (number, number)) if (scratch.folder / name).exists() else None
        if name == "b":
            assert scratch.open("a") is not None, "a is used again"
    assert names(scratch) == {"a", "c"}


def test_what_is_open_can_be_read_when_it_is_gone(scratch: FileScratch) -> None:
    opened = draft(scratch, "a", b"content").keep()
    scratch.clear()
    assert names(scratch) == set()
    assert opened.read_at(0, 10) == b"content"


def test_clearing_spares_what_is_being_made(scratch: FileScratch) -> None:
    scratch.clear()
    begun = draft(scratch, "a", b"half")
    (scratch.folder / "b.part").write_bytes(b"left behind")
    scratch.clear()
    assert names(scratch) == {"a.part"}
    assert begun.keep().size == 4


def test_what_is_kept_while_the_folder_is_cleared_can_be_read(scratch: FileScratch) -> None:
    begun = draft(scratch, "a", b"content")
    (scratch.folder / "a.part").unlink()
    assert begun.keep().read_at(0, 10) == b"content"


def test_nothing_is_larger_than_the_limit(scratch: FileScratch) -> None:
    begun = draft(scratch, "a", bytes(1000))
    with pytest.raises(PayloadTooLarge, match=r"1000 bytes.*video_bytes"):
        begun.write(b"x")
    begun.discard()


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    scratch = FileScratch(tmp_path, 1000, keep_free=2**60)
    begun = scratch.draft("a")
    assert begun is not None
    with pytest.raises(StorageFull):
        begun.write(b"x")
    begun.discard()

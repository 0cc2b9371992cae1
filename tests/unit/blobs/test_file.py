"""blobs.file: the suite that every blob store must pass, and what is special to files."""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from skiagraph.blobs import file
from skiagraph.blobs.file import FileBlobStore
from skiagraph.errors import StorageFull
from skiagraph.testing.blob_suite import BlobStoreSuite, get, put


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[FileBlobStore]:
    store = FileBlobStore(tmp_path / "blobs")
    yield store
    store.close()


class TestFileBlobStore(BlobStoreSuite):
    pass


class TestFileBlobStoreNotDurable(BlobStoreSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Iterator[FileBlobStore]:
        store = FileBlobStore(tmp_path / "blobs", durable=False)
        yield store
        store.close()


def _crash(root: Path, until: str) -> None:
    """Store a blob that stays, then die in the middle of storing another."""
    store = FileBlobStore(root)
    key = put(store, b"settled")
    (root.parent / "settled").write_text(key)
    staged = store.stage()
    staged.write([b"half"])
    if until == "published":
        store.publish([staged])
    (root.parent / "lost").write_text(staged.key)
    os._exit(9)


@pytest.mark.parametrize("until", ["written", "published"])
@pytest.mark.parametrize("indexed", [False, True])
def test_recovery_after_a_crash(tmp_path: Path, until: str, indexed: bool) -> None:
    root = tmp_path / "blobs"
    process = multiprocessing.get_context("spawn").Process(target=_crash, args=(root, until))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    settled, lost = (tmp_path / "settled").read_text(), (tmp_path / "lost").read_text()
    store = FileBlobStore(root)
    known = {settled, lost} if indexed else {settled}
    removed = store.recover(lambda keys: known.intersection(keys))
    assert removed == (0 if indexed and until == "published" else 1)
    assert list(store.keys()) == ([settled, lost] if indexed and until == "published" else [settled])
    assert not list(root.rglob("*.part"))
    assert store.recover(lambda keys: set()) == 0, "a second recovery has nothing to look at"
    assert get(store, settled) == b"settled"
    store.close()


def test_a_full_disk_has_a_name_of_its_own(blobs: FileBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    staged = blobs.stage()
    monkeypatch.setattr(file.os, "writev", full)
    with pytest.raises(StorageFull, match="full"):
        staged.write([b"x"])
    staged.discard()
    assert list(blobs.keys()) == []


def test_a_short_write_is_continued(blobs: FileBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.writev
    monkeypatch.setattr(file.os, "writev", lambda fd, chunks: real(fd, [bytes(chunks[0][:2])]))
    assert get(blobs, put(blobs, b"abcdef", b"ghi")) == b"abcdefghi"


def test_blobs_are_dicom_files_that_other_programs_can_open(blobs: FileBlobStore) -> None:
    path = blobs.path(put(blobs, b"x"))
    assert path.suffix == ".dcm"
    assert path.read_bytes() == b"x"


def test_keys_ascend_when_the_clock_steps_back(blobs: FileBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = put(blobs, b"1")
    monkeypatch.setattr(file.time, "time_ns", lambda: 0)
    assert put(blobs, b"2") > first


def test_signing_off_leaves_nothing_to_recover(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    put(store, b"x")
    store.close()
    assert list((tmp_path / ".writers").iterdir()) == []

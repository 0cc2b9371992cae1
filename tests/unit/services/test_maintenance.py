"""Index and blobs against each other: what is found, what is put right, and an index made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from blake3 import blake3

from archives import Given, opened
from dicom_files import ct, part10
from skiagraph.blobs.base import BlobStore
from skiagraph.errors import ResourceGone, ResourceNotFound
from skiagraph.index.base import InstanceIndex, StoredInstance
from skiagraph.index.sql import SqlIndex
from skiagraph.services import maintenance
from skiagraph.services.maintenance import Finding, Progress, reindex, repair, stored_at, verify
from skiagraph.settings import Settings


@dataclass
class Holdings:
    settings: Settings
    blobs: BlobStore
    index: InstanceIndex


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path / "data") as archive:
        yield archive


@pytest.fixture
def entries(given: Given) -> list[StoredInstance]:
    return given.store(*(part10(ct()) for _ in range(4)))


def blob(given: Given, entry: StoredInstance) -> Path:
    return Path(given.archive.blobs.path(entry.key))  # type: ignore[attr-defined]


def findings(given: Given) -> list[tuple[str, str]]:
    return [(finding.kind, finding.key) for finding in verify(given.archive)]


def put_right(given: Given) -> list[str | None]:
    return [asyncio.run(repair(given.archive, finding)) for finding in list(verify(given.archive))]


def stray(given: Given, data: bytes) -> str:
    """A blob that no index entry names."""
    staged = given.archive.blobs.stage()
    staged.write([data])
    given.archive.blobs.publish([staged])
    given.archive.blobs.settle([staged])
    return staged.key


def test_an_empty_archive_is_clean(given: Given) -> None:
    assert findings(given) == []


def test_what_was_stored_is_clean_and_read_whole(given: Given, entries: list[StoredInstance]) -> None:
    last = Progress()

    def on_progress(progress: Progress) -> None:
        nonlocal last
        last = progress

    assert list(verify(given.archive, on_progress)) == []
    assert (last.blobs, last.size) == (4, sum(entry.size for entry in entries))


@pytest.mark.parametrize("number", range(4))
def test_a_blob_that_is_gone_is_missing(given: Given, entries: list[StoredInstance], number: int) -> None:
    blob(given, entries[number]).unlink()
    (finding,) = verify(given.archive)
    assert finding == Finding("missing", entries[number].key, entries[number].path)


def test_a_blob_that_nobody_names_is_orphaned(given: Given, entries: list[StoredInstance]) -> None:
    key = stray(given, b"anything")
    assert findings(given) == [("orphaned", key)]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        pytest.param(lambda data: data[:-1] + b"\xff", "the data set has changed", id="last byte"),
        pytest.param(lambda data: b"\x01" + data[1:], "the bytes before the data set have changed", id="first byte"),
        pytest.param(lambda data: data[:-1], "bytes instead of", id="shorter"),
        pytest.param(lambda data: data + b"\0", "bytes instead of", id="longer"),
        pytest.param(lambda _: b"", "has 0 bytes", id="empty"),
    ],
)
def test_other_bytes_are_corrupt(
    given: Given, entries: list[StoredInstance], change: Callable[[bytes], bytes], detail: str
) -> None:
    path = blob(given, entries[1])
    path.write_bytes(change(path.read_bytes()))
    (finding,) = verify(given.archive)
    assert (finding.kind, finding.key, finding.path) == ("corrupt", entries[1].key, entries[1].path)
    assert detail in finding.detail


def test_all_findings_come_in_one_run(given: Given, entries: list[StoredInstance]) -> None:
    blob(given, entries[0]).unlink()
    blob(given, entries[2]).write_bytes(b"x")
    key = stray(given, b"y")
    expected = [("missing", entries[0].key), ("corrupt", entries[2].key), ("orphaned", key)]
    assert sorted(findings(given)) == sorted(expected)


def test_what_is_stored_and_deleted_meanwhile_is_no_finding(given: Given, entries: list[StoredInstance]) -> None:
    run = verify(given.archive, lambda _progress: None)
    key = stray(given, part10(ct()))
    blob(given, entries[3]).unlink()
    true_again = given.archive.blobs.keys

    def meanwhile() -> Iterator[str]:
        yield from true_again()
        # Between the first look and the second: the store is committed, the delete too.
        given.archive.blobs.delete([key])
        given.archive.index.delete(entries[3].path)

    given.archive.blobs.keys = meanwhile  # type: ignore[method-assign]
    assert list(run) == []


def test_a_missing_instance_is_forgotten_and_can_be_stored_again(given: Given) -> None:
    data = part10(ct())
    (entry,) = given.store(data)
    blob(given, entry).unlink()
    assert put_right(given) == ["forgotten; it can be stored again"]
    assert findings(given) == []
    with pytest.raises(ResourceGone):
        asyncio.run(given.archive.index.locate(entry.path))
    given.store(data)
    assert asyncio.run(given.archive.index.locate(entry.path)).size == len(data)


def test_an_orphan_is_taken_into_the_index(given: Given, entries: list[StoredInstance]) -> None:
    data = ct()
    key = stray(given, part10(data))
    assert put_right(given) == ["taken into the index"]
    found = asyncio.run(given.archive.index.identify(data.SOPInstanceUID))
    assert found is not None
    assert found.key == key
    assert findings(given) == []


def test_an_orphan_of_a_deleted_instance_is_removed(given: Given) -> None:
    data = part10(ct())
    (entry,) = given.store(data)
    given.archive.index.delete(entry.path)  # and then, say, the power fails
    assert put_right(given) == ["removed; the Instance was deleted"]
    assert list(given.archive.blobs.keys()) == []


def test_an_orphan_that_another_blob_stands_for_is_removed(given: Given) -> None:
    data = part10(ct())
    (entry,) = given.store(data)
    stray(given, data)
    assert put_right(given) == ["removed; another blob holds the Instance"]
    assert list(given.archive.blobs.keys()) == [entry.key]


def test_an_orphan_under_a_uid_that_another_study_holds_is_removed(given: Given) -> None:
    data = ct()
    (entry,) = given.store(part10(data))
    data.StudyInstanceUID += "1"
    stray(given, part10(data))
    assert put_right(given) == ["removed; another blob holds the Instance"]
    assert list(given.archive.blobs.keys()) == [entry.key]


@pytest.mark.parametrize(
    "data", [b"", b"no DICOM", part10(ct(StudyInstanceUID=None))], ids=["empty", "other", "no UID"]
)
def test_an_orphan_that_can_not_be_read_stays(given: Given, data: bytes) -> None:
    key = stray(given, data)
    assert put_right(given) == [None]
    assert list(given.archive.blobs.keys()) == [key]


def test_a_corrupt_blob_is_not_touched(given: Given, entries: list[StoredInstance]) -> None:
    path = blob(given, entries[0])
    path.write_bytes(b"x")
    assert put_right(given) == [None]
    assert path.read_bytes() == b"x"


def test_repair_does_not_forget_what_came_back(given: Given, entries: list[StoredInstance]) -> None:
    finding = Finding("missing", "another key", entries[0].path)
    asyncio.run(repair(given.archive, finding))
    assert asyncio.run(given.archive.index.locate(entries[0].path)) == entries[0]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SqlIndex]:
    index = SqlIndex.open(tmp_path / "fresh.sqlite", durable=False)
    yield index
    index.close()


def all_of(index: InstanceIndex) -> list[StoredInstance]:
    return [entry for chunk in index.entries() for entry in chunk]


def without_id(entry: StoredInstance) -> dict[str, object]:
    values = {name: getattr(entry, name) for name in StoredInstance.__dataclass_fields__}
    return {**values, "id": 0, "stored_at": 0}


def test_an_index_made_anew_says_the_same(given: Given, entries: list[StoredInstance], fresh: SqlIndex) -> None:
    result = reindex(given.archive, fresh)
    assert (result.added, result.failures) == (4, [])
    assert list(map(without_id, all_of(fresh))) == list(map(without_id, all_of(given.archive.index)))
    for entry in all_of(fresh):
        assert abs(entry.stored_at - asyncio.run(given.archive.index.locate(entry.path)).stored_at) < 60

    async def documents(index: InstanceIndex, entry: StoredInstance) -> list[bytes]:
        return [document async for chunk in await index.documents(entry.path) for _, document in chunk]

    for entry in entries:
        assert asyncio.run(documents(fresh, entry)) == asyncio.run(documents(given.archive.index, entry))
    assert list(verify(Holdings(given.archive.settings, given.archive.blobs, fresh))) == []


def test_of_blobs_with_one_uid_the_later_counts(given: Given, fresh: SqlIndex) -> None:
    data = ct()
    stray(given, part10(data))
    data.PatientID = "ID-2"
    later = stray(given, part10(data))
    result = reindex(given.archive, fresh)
    assert (result.added, result.replaced) == (1, 1)
    assert [entry.key for entry in all_of(fresh)] == [later]


def test_the_same_data_set_twice_is_one_instance(given: Given, fresh: SqlIndex) -> None:
    data = part10(ct())
    stray(given, data)
    stray(given, data)
    result = reindex(given.archive, fresh)
    assert (result.added, result.same) == (1, 1)


def test_blobs_that_can_not_be_read_are_told_and_hold_up_nobody(given: Given, fresh: SqlIndex) -> None:
    key = stray(given, b"no DICOM")
    given.store(part10(ct()))
    result = reindex(given.archive, fresh)
    assert result.added == 1
    assert [failed for failed, _ in result.failures] == [key]


def test_more_than_one_batch(given: Given, fresh: SqlIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "BATCH", 2)
    given.store(*(part10(ct()) for _ in range(5)))
    assert reindex(given.archive, fresh).added == 5
    assert len(all_of(fresh)) == 5


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0, -1], ids=["before the data set", "in the data set"])
def test_an_index_made_anew_remembers_what_the_bytes_were(
    given: Given, entries: list[StoredInstance], fresh: SqlIndex, tmp_path: Path, at: int
) -> None:
    """Else nobody would ever hear again that the bytes have changed."""
    changed = entries[1]
    flip(blob(given, changed), at)
    found = list(verify(given.archive))
    assert [finding.key for finding in found] == [changed.key]
    result = reindex(given.archive, fresh, old=all_of(given.archive.index))
    assert (result.added, result.changed, result.unknown) == (4, [(changed.key, changed.path)], 0)
    holdings = Holdings(given.archive.settings, given.archive.blobs, fresh)
    assert list(verify(holdings)) == found
    again = SqlIndex.open(tmp_path / "again.sqlite", durable=False)
    assert reindex(given.archive, again, old=all_of(fresh)).changed == result.changed
    again.close()
    flip(blob(given, changed), at)
    assert list(verify(holdings)) == []


def test_other_sizes_are_other_bytes(given: Given, entries: list[StoredInstance], fresh: SqlIndex) -> None:
    changed = entries[2]
    blob(given, changed).write_bytes(blob(given, changed).read_bytes() + part10(ct())[-10:])
    result = reindex(given.archive, fresh, old=all_of(given.archive.index))
    assert [key for key, _ in result.changed] == [changed.key]
    size = blob(given, changed).stat().st_size
    assert asyncio.run(fresh.locate(changed.path)).size == size, "what is sent has to fit"
    (finding,) = verify(Holdings(given.archive.settings, given.archive.blobs, fresh))
    assert (finding.kind, finding.key) == ("corrupt", changed.key)


def test_where_the_data_set_begins_may_be_told_otherwise(
    given: Given, entries: list[StoredInstance], fresh: SqlIndex
) -> None:
    """A newer reader may draw the line elsewhere: the bytes are the same."""

    def moved(entry: StoredInstance) -> StoredInstance:
        data = blob(given, entry).read_bytes()
        offset = entry.dataset_offset + 8
        digests = blake3(data[:offset]).digest(), blake3(data[offset:]).digest()
        return replace(entry, dataset_offset=offset, prefix_digest=digests[0], dataset_digest=digests[1])

    old = [moved(entry) for entry in all_of(given.archive.index)]
    assert reindex(given.archive, fresh, old=old).changed == []
    assert list(map(without_id, all_of(fresh))) == list(map(without_id, all_of(given.archive.index)))


def test_what_the_old_index_does_not_know_is_counted(given: Given, fresh: SqlIndex) -> None:
    first, _, last = given.store(*(part10(ct()) for _ in range(3)))
    result = reindex(given.archive, fresh, old=[replace(first, key="0"), first, replace(last, key="z")])
    assert (result.added, result.changed, result.unknown) == (3, [], 2)


def test_deletions_are_forgotten(given: Given, entries: list[StoredInstance], fresh: SqlIndex) -> None:
    given.archive.blobs.delete(given.archive.index.delete(entries[0].path))
    assert reindex(given.archive, fresh).added == 3
    with pytest.raises(ResourceNotFound):
        asyncio.run(fresh.locate(entries[0].path))


@pytest.mark.parametrize(
    ("key", "seconds"), [("018bcfe56800-00000000-000000", 1_700_000_000.0), ("memory", 0.0), ("", 0.0)]
)
def test_keys_tell_the_time(key: str, seconds: float) -> None:
    assert stored_at(key) == seconds

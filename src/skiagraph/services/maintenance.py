"""Keeping index and blobs true to each other: verify, repair, reindex.

The blobs are the archive; the index is made from them and can be made again. Two things only the index knows.
Deletions: an index made anew answers 404 where the old one answered 410. And the digests taken at store: they are
carried over from the old index, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from skiagraph.blobs.base import BlobStore
from skiagraph.errors import ArchiveError, ResourceGone, ResourceNotFound
from skiagraph.index.base import InstanceIndex, NewInstance, Outcome, StoredInstance
from skiagraph.services.store import identify
from skiagraph.services.upload import digest
from skiagraph.settings import Settings
from skiagraph.standard import part10
from skiagraph.values import ResourcePath

BATCH = 200
"""Instances of one transaction while an index is made."""


class Holdings(Protocol):
    """What is maintained: an `Archive`, or as much of one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def blobs(self) -> BlobStore: ...
    @property
    def index(self) -> InstanceIndex: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where index and blobs disagree."""

    kind: Literal["missing", "orphaned", "corrupt"]
    """missing: the index names a blob that is not there. orphaned: the index does not name the blob.
    corrupt: the blob is there but its bytes are not those that were stored."""
    key: str
    path: ResourcePath | None = None
    """None for orphaned."""
    detail: str = ""


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    blobs: int = 0
    size: int = 0


OnProgress = Callable[[Progress], None]


def _silent(_progress: Progress) -> None:
    pass


def verify(holdings: Holdings, on_progress: OnProgress = _silent) -> Iterator[Finding]:
    """Compare the index with the blobs, both ways and by digest; yield what disagrees.

    A server may go on storing and deleting meanwhile: what seems missing or orphaned is looked at again before
    it is called so. Blocks.
    """
    progress = Progress()
    doubtful: list[StoredInstance | str] = []
    for entry, key in _side_by_side(_entries(holdings.index), holdings.blobs.keys()):
        if entry is None:
            assert key is not None
            doubtful.append(key)
        elif key is None:
            doubtful.append(entry)
        else:
            finding = _examine(holdings.blobs, entry, progress, on_progress)
            if finding is not None and holdings.index.known([entry.key]):
                yield finding
        progress.blobs += 1
        on_progress(progress)
    for one in doubtful:
        finding = _look_again(holdings, one)
        if finding is not None:
            yield finding


def _entries(index: InstanceIndex) -> Iterator[StoredInstance]:
    for chunk in index.entries():
        yield from chunk


def _side_by_side(
    entries: Iterator[StoredInstance], keys: Iterator[str]
) -> Iterator[tuple[StoredInstance | None, str | None]]:
    """Walk two ascending rows of keys together; None where one of them has a gap."""
    entry, key = next(entries, None), next(keys, None)
    while entry is not None or key is not None:
        if entry is not None and key is not None and entry.key == key:
            yield entry, key
            entry, key = next(entries, None), next(keys, None)
        elif key is None or (entry is not None and entry.key < key):
            yield entry, None
            entry = next(entries, None)
        else:
            yield None, key
            key = next(keys, None)


def _look_again(holdings: Holdings, one: StoredInstance | str) -> Finding | None:
    key = one if isinstance(one, str) else one.key
    named = bool(holdings.index.known([key]))
    try:
        holdings.blobs.size(key)
        there = True
    except ResourceNotFound:
        there = False
    if named and not there and not isinstance(one, str):
        return Finding("missing", key, one.path)
    if there and not named:
        return Finding("orphaned", key)
    return None


def _examine(blobs: BlobStore, entry: StoredInstance, progress: Progress, on_progress: OnProgress) -> Finding | None:
    def corrupt(detail: str) -> Finding:
        return Finding("corrupt", entry.key, entry.path, detail)

    try:
        opened = blobs.open(entry.key)
    except ResourceNotFound:
        return Finding("missing", entry.key, entry.path)
    except OSError as error:
        return corrupt(f"can not be opened: {error.strerror}")
    try:
        if opened.size != entry.size:
            return corrupt(f"has {opened.size} bytes instead of {entry.size}")

        def on_bytes(count: int) -> None:
            progress.size += count
            on_progress(progress)

        digests = digest(opened, entry.dataset_offset, on_bytes)
    except OSError as error:
        return corrupt(f"can not be read: {error.strerror}")
    finally:
        opened.close()
    if digests.dataset != entry.dataset_digest:
        return corrupt("the data set has changed")
    if digests.prefix != entry.prefix_digest:
        return corrupt("the bytes before the data set have changed")
    return None


async def repair(holdings: Holdings, finding: Finding) -> str | None:
    """Put one finding right; return what was done, None where nothing can be done here.

    Nobody else may write meanwhile. No bytes are lost that anybody could still ask for:

    - missing: the index forgets the Instance, so that it can be stored again (until then 410);
    - orphaned: the blob is taken into the index, unless its Instance was deleted or another blob holds it;
    - corrupt: nothing, as only a backup or the sender has the right bytes.
    """
    if finding.kind == "missing":
        assert finding.path is not None
        entry = await holdings.index.locate(finding.path)
        if entry.key == finding.key:
            holdings.blobs.delete(holdings.index.delete(finding.path))
        return "forgotten; it can be stored again"
    if finding.kind == "orphaned":
        return await _take_in(holdings, finding.key)
    return None


async def _take_in(holdings: Holdings, key: str) -> str | None:
    try:
        new = read_blob(holdings, key)
        path = identify(new.header, None)
    except ArchiveError:
        return None
    try:
        await holdings.index.locate(path)
        gone = "removed; another blob holds the Instance"
    except ResourceGone:
        gone = "removed; the Instance was deleted"
    except ResourceNotFound:
        added = holdings.index.add([holdings.index.prepare(new)], "keep")[0]
        if added.outcome is Outcome.ADDED:
            return "taken into the index"
        gone = "removed; another blob holds the Instance"
    holdings.blobs.delete([key])
    return gone


def read_blob(holdings: Holdings, key: str) -> NewInstance:
    """Read a blob as Store read it.

    Raises
    ------
    InstanceError, ResourceNotFound
        It can not be read (any more).
    """
    settings = holdings.settings
    opened = holdings.blobs.open(key)
    try:
        header = part10.read(
            opened,
            bulkdata_threshold=settings.bulkdata_threshold,
            max_header_bytes=settings.max_header_bytes,
            max_inflated_bytes=settings.max_inflated_bytes,
            max_sequence_depth=settings.max_sequence_depth,
            default_character_set=settings.default_character_set,
        )
        digests = digest(opened, header.dataset_offset)
        return NewInstance(key, opened.size, digests.prefix, digests.dataset, header, stored_at(key))
    finally:
        opened.close()


def stored_at(key: str) -> float:
    """Return when a blob was stored, in seconds since the epoch: keys begin with it, in hexadecimal milliseconds."""
    try:
        return int(key[:12], 16) / 1000
    except ValueError:
        return 0.0


@dataclass(slots=True)
class Rebuilt:
    """The result of `reindex`."""

    added: int = 0
    same: int = 0
    """Blobs that hold a data set which an earlier blob holds already."""
    replaced: int = 0
    """Blobs that gave way to a later one under the same SOP Instance UID."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Keys of blobs that could not be read, and why."""
    changed: list[tuple[str, ResourcePath]] = field(default_factory=list)
    """Keys of blobs that are not what was stored, by the digests of the old index, and what they hold now."""
    unknown: int = 0
    """Blobs that could be read, but for which there was no digest to compare them with."""


def reindex(
    holdings: Holdings,
    target: InstanceIndex,
    on_progress: OnProgress = _silent,
    *,
    old: Iterable[StoredInstance] = (),
) -> Rebuilt:
    """Fill an empty index from the blobs alone.

    In the order of keys, which is that of time: where blobs share a SOP Instance UID, the later one counts, as it
    could only come when the earlier was to be replaced. Nobody else may write meanwhile. Blocks.

    `old`: what the index before has, ordered by key. What has changed since it was stored keeps its first digests,
    so that `verify` goes on reporting it.
    """
    result = Rebuilt()
    progress = Progress()
    batch: list[tuple[str, Any]] = []
    entries = iter(old)
    before = next(entries, None)
    for key in holdings.blobs.keys():  # noqa: SIM118 - a BlobStore is no mapping
        while before is not None and before.key < key:
            before = next(entries, None)
        try:
            new = read_blob(holdings, key)
            path = identify(new.header, None)
            if before is None or before.key != key:
                result.unknown += 1
            elif not _same_bytes(holdings.blobs, new, before):
                result.changed.append((key, path))
                new = replace(new, prefix_digest=before.prefix_digest, dataset_digest=before.dataset_digest)
            batch.append((key, target.prepare(new)))
            progress.size += new.size
        except (ArchiveError, OSError) as error:
            result.failures.append((key, error.message if isinstance(error, ArchiveError) else str(error.strerror)))
        progress.blobs += 1
        on_progress(progress)
        if len(batch) >= BATCH:
            _add(target, batch, result)
            batch = []
    _add(target, batch, result)
    return result


def _same_bytes(blobs: BlobStore, new: NewInstance, old: StoredInstance) -> bool:
    """Whether a blob is what it was, by its digests."""
    digests = old.prefix_digest, old.dataset_digest
    if (new.prefix_digest, new.dataset_digest) == digests:
        return True
    if new.size != old.size or new.header.dataset_offset == old.dataset_offset:
        return False
    # The digests are of other parts of it
    opened = blobs.open(new.key)
    try:
        found = digest(opened, old.dataset_offset)
    finally:
        opened.close()
    return (found.prefix, found.dataset) == digests


def _add(target: InstanceIndex, batch: Sequence[tuple[str, Any]], result: Rebuilt) -> None:
    if not batch:
        return
    for (key, _), added in zip(batch, target.add([prepared for _, prepared in batch], "replace"), strict=True):
        if added.outcome is Outcome.ADDED:
            result.added += 1
        elif added.outcome is Outcome.REPLACED:
            result.replaced += 1
        elif added.outcome is Outcome.DUPLICATE:
            result.failures.append((key, f"its SOP Instance UID is stored at {added.stored_path}"))
        else:
            result.same += 1

"""What services ask of an index: Protocols and values, by caller. No SQL here.

Methods that are plain functions block and are run once in a worker thread per operation; `async` ones are
awaited on the event loop (an implementation may answer quick look-ups in place).
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from skiagraph.standard.header import Bulk, Header
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Condition, Search
from skiagraph.values import Attributes, ByteRange, ResourcePath


@dataclass(frozen=True, slots=True)
class NewInstance:
    """What Store hands to the index for one Instance."""

    key: str
    """Of the blob."""
    size: int
    """Bytes of the blob."""
    prefix_digest: bytes
    """BLAKE3 (32 bytes) of the bytes before `header.dataset_offset`."""
    dataset_digest: bytes
    """BLAKE3 (32 bytes) of the bytes from there on: the identity of the data set, whatever its File Meta."""
    header: Header
    stored_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """The index entry of one Instance: all that retrieval needs, in one look-up."""

    id: int
    path: ResourcePath
    sop_class_uid: str
    transfer_syntax_uid: str
    key: str
    size: int
    dataset_offset: int
    has_preamble: bool
    prefix_digest: bytes
    dataset_digest: bytes
    frames: int
    """Frames that can be asked for; 0 without pixel data."""
    pixel_tag: str
    """Tag of the top-level pixel data, "" without."""
    pixel_vr: str
    pixel_offset: int
    pixel_length: int
    encapsulated: bool
    video: bool
    frame_bits: int
    pixel_problem: str | None
    stored_at: float


class Outcome(enum.Enum):
    """What became of an Instance that was to be added."""

    ADDED = "added"
    SAME = "same"
    """The same data set is stored already: success, nothing changed."""
    KEPT = "kept"
    """Another data set is stored and stays (policy keep)."""
    REPLACED = "replaced"
    """The stored one gave way (policy replace)."""
    DUPLICATE = "duplicate"
    """Another data set is stored (policy reject), or the UID is stored in another Series or Study."""


@dataclass(frozen=True, slots=True)
class Added:
    """The result of adding one Instance."""

    outcome: Outcome
    replaced_key: str | None = None
    """Blob that nobody names any more."""
    stored_path: ResourcePath | None = None
    """Where the SOP Instance UID is stored, for DUPLICATE."""


@dataclass(frozen=True, slots=True)
class Match:
    """One result of a search, encoded: `before` + Retrieve URL attribute + `after` is a DICOM JSON object.

    ``before`` is ``{…,`` (or ``{``), ``after`` is ``,…}``: the attribute (0008,1190) stands between them, in tag order.
    BulkDataURI are relative to the Instance, as in `InstanceIndex.documents`; Studies and Series have none.
    """

    path: ResourcePath
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search: a bounded page or a stream of all matches, in a total order."""

    matches: AsyncIterator[Sequence[Match]]
    """Chunks of matches. The first chunk was fetched before, so errors come before the status."""
    empty: bool
    remaining: int
    """Matches behind the last one given (after offset and limit); 0 when all were given."""
    total: int | None
    """All matches, where it was counted (always with limit or offset)."""


Policy = Literal["reject", "replace", "keep"]


class InstanceIndex(Protocol):
    """Studies, Series and Instances: who is stored, what they say, where their bytes are."""

    def prepare(self, new: NewInstance) -> Any:
        """Do the work that needs no database: rows, encoded and compressed documents. Pure; CPU-heavy; any thread."""
        ...

    def add(self, batch: Sequence[Any], policy: Policy, *, keep_committed: float = 0.0) -> list[Added]:
        """Add prepared Instances in one transaction, counts included; durable and visible on return. Blocks.

        An Instance that was committed (`Books.commit`) less than `keep_committed` seconds ago is not replaced.
        """
        ...

    async def identify(self, sop_instance_uid: str) -> StoredInstance | None:
        """Look an Instance up by its SOP Instance UID alone."""
        ...

    async def locate(self, path: ResourcePath) -> StoredInstance:
        """Look one Instance up by its whole path.

        Raises ResourceGone where it was deleted, ResourceNotFound where it never was.
        """
        ...

    async def instances(self, path: ResourcePath) -> AsyncIterator[Sequence[StoredInstance]]:
        """The Instances of a Study, Series or Instance, in chunks, ordered by Series and Instance Number.

        Raises like `locate` before the iterator is returned.
        """
        ...

    async def documents(self, path: ResourcePath) -> AsyncIterator[Sequence[tuple[StoredInstance, bytes]]]:
        """The same with each Instance's complete metadata: a DICOM JSON object in UTF-8, BulkDataURI relative."""
        ...

    async def version(self, path: ResourcePath) -> str:
        """Token that changes whenever content below the path changes, and never otherwise: the basis of ETags.

        Raises like `locate`.
        """
        ...

    async def frame_spans(self, instance: StoredInstance, frames: Sequence[int]) -> list[ByteRange]:
        """Spans of encapsulated frames (numbered from 1) as `standard.header.PixelData.spans` has them.

        The frames exist: the caller compared them with `instance.frames`.
        """
        ...

    async def bulkdata(self, instance: StoredInstance) -> dict[str, Bulk]:
        """All bulk values of an Instance by their path (`standard.header.Header.bulkdata`)."""
        ...

    async def search(self, search: Search) -> Found: ...

    def delete(self, path: ResourcePath, *, keep_committed: float = 0.0) -> list[str]:
        """Delete everything below the path, counts included; return the blob keys nobody names any more. Blocks.

        Raises like `locate`; and Conflict, with nothing deleted, where an Instance was committed (`Books.commit`)
        less than `keep_committed` seconds ago.
        """
        ...

    def known(self, keys: Sequence[str]) -> set[str]:
        """Which of these blob keys an Instance names. Blocks."""
        ...

    def entries(self) -> Any:
        """Iterate over all StoredInstances in chunks, ordered by blob key, for `verify`. Blocks."""
        ...

    def close(self) -> None: ...


# Records: data sets that are no Instances -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A data set of some kind (a Workitem, say) and what the server knows of it."""

    kind: Kind
    uid: str
    attributes: Attributes
    private: dict[str, Any] = field(default_factory=dict)
    """What no answer shows, such as a Transaction UID. JSON values."""
    due_at: float | None = None
    """Seconds since the epoch when the server itself has something to do with it."""
    id: int | None = None
    """Of the index; None: not stored yet."""
    version: int = 0
    """Goes up with each change."""
    created_at: float = 0.0
    modified_at: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordSearch:
    """A search for records of one kind, in the order of `Kind.position`; conditions as in `Search`."""

    kind: Kind
    conditions: tuple[Condition, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """The answer of a search for records."""

    records: AsyncIterator[Sequence[Record]]
    """Chunks. The first was fetched before, so errors come before the status."""
    empty: bool
    remaining: int
    """Records behind the last one given (after offset and limit); 0 when all were given."""
    total: int | None
    """All that match, where it was counted (always with limit or offset)."""


@dataclass(frozen=True, slots=True)
class QueuedReport:
    """An event report that waits for a subscriber. Numbers go up; those of one subscriber have gaps."""

    number: int
    ae_title: str
    report: bytes
    """A DICOM JSON object without the Message ID (0000,0110)."""


class Trimmed(NamedTuple):
    """How many reports were dropped, and how many of them nobody had acknowledged."""

    dropped: int
    unread: int


REPORT_BYTES = 1 << 20
"""Bytes of reports that are read in one go, where nothing else is said."""


class ChangeAction(enum.IntEnum):
    """What became of an Instance."""

    STORED = 1
    REPLACED = 2
    DELETED = 3


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An entry of the change feed. Numbers start at 1 and have no gaps."""

    number: int
    action: ChangeAction
    path: ResourcePath
    sop_class_uid: str
    changed_at: float


class Books(Protocol):
    """Records, subscriptions and event reports inside one transaction, which is committed or undone as a whole."""

    def get(self, kind: Kind, uid: str) -> Record | None: ...

    def gone(self, kind: Kind, uid: str) -> bool:
        """Whether a record was deleted under this UID."""
        ...

    def put(self, record: Record) -> Record:
        """Insert a record that has no id, else replace the stored one; return it as it is stored now.

        Raises
        ------
        Conflict
            Another one has the UID, or the stored one is no longer of the version given (compare and set).
        """
        ...

    def delete(self, record: Record) -> None:
        """Delete a record; its UID is remembered, its subscriptions end."""
        ...

    def commit(self, instances: Sequence[StoredInstance], now: float) -> list[bool]:
        """Note that these were committed at a moment; False for each that was deleted or replaced since the look-up."""
        ...

    def due(self, kind: Kind, now: float, limit: int) -> list[Record]:
        """Records whose `due_at` has come, earliest first."""
        ...

    def subscribe(self, record: Record, ae_title: str, *, deletion_lock: bool) -> None: ...

    def unsubscribe(self, record: Record, ae_title: str) -> bool:
        """End the subscription of one Workitem; False where there was none."""
        ...

    def each(self, kind: Kind, conditions: tuple[Condition, ...] = ()) -> Iterator[Record]:
        """All records of a kind that meet the conditions, in their order."""
        ...

    def subscribe_globally(
        self, kind: Kind, ae_title: str, target: str, *, deletion_lock: bool, filter: str = ""
    ) -> None:
        """Subscribe to all Workitems, there and to come; with a filter to those that match it (PS3.4 CC.2.3.3)."""
        ...

    def unsubscribe_globally(self, ae_title: str) -> bool:
        """End all subscriptions of the AE, specific ones too (PS3.4 CC.2.3.2); False where it has none."""
        ...

    def suspend(self, ae_title: str, target: str) -> bool:
        """Subscribe to no further Workitems; False where there is no such global subscription."""
        ...

    def subscribers(self, record: Record) -> list[str]:
        """AE titles that are subscribed to a Workitem."""
        ...

    def locked(self, record: Record, not_before: float) -> bool:
        """Whether a deletion lock set at `not_before` or later holds the Workitem."""
        ...

    def all_subscribers(self) -> list[str]:
        """AE titles with any subscription."""
        ...

    def join(self, record: Record) -> None:
        """Subscribe those whose filtered global subscription matches a new Workitem. The unfiltered need no step."""
        ...

    def report(self, report: bytes, ae_titles: Sequence[str]) -> None:
        """Queue an event report for subscribers."""
        ...

    def acknowledge(self, ae_title: str, number: int) -> None:
        """Note that a subscriber has all reports up to a number."""
        ...

    def trim(
        self,
        *,
        length: int,
        not_before: float,
        read_before: float = ...,
        ae_titles: Sequence[str] | None = None,
        most: int = ...,
    ) -> Trimmed:
        """Drop reports that are too old, or too many for one subscriber; `most` of them, and there may be more.

        Acknowledged ones are dropped if they were made before `read_before`; all of them where it is not given.
        `ae_titles`: of these alone the queues are measured (`RecordIndex.long_queues`); that takes a while for all.
        """
        ...


class RecordIndex(Protocol):
    """Records by their UID, what is found among them, and the queues of reports."""

    def together(self, work: Sequence[Callable[[Books], Any]]) -> list[Any]:
        """Run each function on the books, in one transaction; durable and visible on return. Blocks.

        One that raises is undone alone; its exception stands in its place in the list.
        """
        ...

    async def record(self, kind: Kind, uid: str) -> Record:
        """Look a record up. Raises ResourceGone where it was deleted, ResourceNotFound where it never was."""
        ...

    async def find(self, search: RecordSearch) -> FoundRecords: ...

    async def acknowledged(self, ae_title: str) -> int:
        """The number up to which a subscriber has acknowledged its reports."""
        ...

    async def queued(self, ae_title: str, after: int, limit: int, size: int = REPORT_BYTES) -> list[QueuedReport]:
        """Reports of one subscriber behind a number, in order: so many at most, and none further after `size` bytes.

        One at least, where there is one.
        """
        ...

    async def news(self, after: int, limit: int, size: int = REPORT_BYTES) -> list[QueuedReport]:
        """Reports of all subscribers behind a number, bounded alike; those of one event share its bytes."""
        ...

    async def long_queues(self, length: int) -> list[str]:
        """AE titles for which more reports wait than so many."""
        ...

    async def newest_report(self) -> int:
        """The number of the newest report there ever was; 0 before the first."""
        ...

    async def feed(self, after: int, limit: int) -> list[FeedEntry]:
        """Entries of the change feed behind a number, in order."""
        ...

    async def newest_change(self) -> int: ...


class Index(InstanceIndex, RecordIndex, Protocol):
    """All that an index does."""

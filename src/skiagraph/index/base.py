"""What services ask of an index: Protocols and values, by caller. No SQL here.

Methods that are plain functions block and are run once in a worker thread per operation; `async` ones are
awaited on the event loop (an implementation may answer quick look-ups in place).
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from skiagraph.standard.header import Bulk, Header
from skiagraph.standard.matching import Search
from skiagraph.values import ByteRange, ResourcePath


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

    def add(self, batch: Sequence[Any], policy: Policy) -> list[Added]:
        """Add prepared Instances in one transaction, counts included; durable and visible on return. Blocks."""
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

    def delete(self, path: ResourcePath) -> list[str]:
        """Delete everything below the path, counts included; return the blob keys nobody names any more. Blocks.

        Raises like `locate`.
        """
        ...

    def known(self, keys: Sequence[str]) -> set[str]:
        """Which of these blob keys an Instance names. Blocks."""
        ...

    def entries(self) -> Any:
        """Iterate over all StoredInstances in chunks, ordered by blob key, for `verify`. Blocks."""
        ...

    def close(self) -> None: ...

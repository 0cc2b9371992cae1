"""Immutable bytes under a key. Knows nothing of DICOM."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Protocol

from skiagraph.values import ByteRange

Chunk = bytes | bytearray | memoryview


class Staged(Protocol):
    """Bytes on their way into the store, visible to nobody else. Not thread-safe; methods block."""

    @property
    def key(self) -> str:
        """Key under which `BlobStore.publish` will make the bytes visible. Keys ascend with time."""
        ...

    @property
    def size(self) -> int: ...

    def write(self, chunks: Sequence[Chunk]) -> None:
        """Append; raises StorageFull when there is no room."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Read back what was written (a `standard.header.Source`)."""
        ...

    def flush(self) -> None:
        """Make what was written durable ahead of `publish`, which is then quick. For large blobs."""
        ...

    def discard(self) -> None:
        """Forget the bytes. Harmless after `publish` or a second time."""
        ...


class Opened(Protocol):
    """A blob opened for synchronous reading at any offset (a `standard.header.Source`)."""

    @property
    def size(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes: ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    """Where blobs are. Store runs stage → write… → publish → (the index commits) → settle."""

    def stage(self) -> Staged: ...

    def publish(self, staged: Sequence[Staged]) -> None:
        """Make staged bytes durable under their keys, all of them in one go. Blocks.

        Until `settle`, a crash leaves a note so that `recover` can find blobs that no index entry names.
        """
        ...

    def settle(self, staged: Sequence[Staged]) -> None:
        """The index knows these blobs: drop the notes. Blocks."""
        ...

    def recover(self, known: Callable[[Sequence[str]], set[str]]) -> int:
        """Remove what crashed stores of processes that are gone left behind; return how many blobs.

        `known` tells which of some keys the index names; those stay.
        """
        ...

    def read(self, key: str, span: ByteRange | None = None) -> AsyncIterator[Chunk]:
        """Stream the blob or a part of it in bounded chunks.

        Raises ResourceNotFound, before the first chunk, when there is no such blob or it ends before the span does.
        """
        ...

    async def read_bytes(self, key: str, span: ByteRange) -> Chunk:
        """Return a part that is known to be small (one frame, one value)."""
        ...

    def open(self, key: str) -> Opened:
        """Open for synchronous reads in a worker thread. Raises ResourceNotFound."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove blobs; missing ones are no error. Blocks."""
        ...

    def keys(self) -> Iterator[str]:
        """All published keys, ascending."""
        ...

    def size(self, key: str) -> int:
        """Bytes of a blob. Raises ResourceNotFound."""
        ...


class Draft(Protocol):
    """A file in the making, for a library to write to. Not thread-safe; methods block."""

    def write(self, data: bytes, /) -> int:
        """Write at the position; raises StorageFull, and PayloadTooLarge beyond what all such files may take."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...

    def truncate(self, size: int, /) -> int:
        """Forget what was written behind this length, and go on from there."""
        ...

    def keep(self) -> Opened:
        """Let the file be found under its name, and open it."""
        ...

    def discard(self) -> None:
        """Forget it. Harmless after `keep` or a second time."""
        ...


class Scratch(Protocol):
    """Files that were made on request and can be made again, kept for a while within a number of bytes."""

    @property
    def limit(self) -> int:
        """Bytes of all of them."""
        ...

    def open(self, name: str) -> Opened | None:
        """Open a file that is there; blocks. It can be read to its end, even if it is removed meanwhile."""
        ...

    def draft(self, name: str) -> Draft | None:
        """Begin a file; None while somebody else is at it, or just came to its end: look again. Blocks."""
        ...

    def clear(self) -> None:
        """Remove all but what is being made. Blocks."""
        ...

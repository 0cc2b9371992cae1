"""One part of a Store request on its way to the disk: each byte is written and hashed once, as it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from blake3 import blake3

from skiagraph.blobs.base import BlobStore, Chunk, Opened, Staged
from skiagraph.standard import part10
from skiagraph.wire.content_coding import Decoder

_SPOOL = 2**20
"""Bytes gathered before a worker thread writes them: an ordinary Instance costs one hop, a huge one little memory."""

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Digests:
    """BLAKE3 of the bytes before the data set and of the data set."""

    prefix: bytes
    dataset: bytes


class Hasher:
    """Hashes a PS3.10 file that comes in pieces, its data set apart from what stands before it."""

    def __init__(self) -> None:
        self._prefix = blake3()
        self._dataset = blake3()
        self._prefix_left: int | None = None

    def update(self, chunks: list[Chunk], dataset_offset: int) -> None:
        """Hash the next bytes. `dataset_offset` counts from the start of the file; the first one given counts."""
        if self._prefix_left is None:
            self._prefix_left = dataset_offset
        for chunk in chunks:
            if self._prefix_left:
                view = memoryview(chunk)
                head = view[: self._prefix_left]
                self._prefix.update(head)
                self._prefix_left -= len(head)
                chunk = view[len(head) :]
            self._dataset.update(chunk)

    def finish(self, chunks: list[Chunk], dataset_offset: int) -> Digests:
        """Hash the last bytes and return both digests."""
        self.update(chunks, dataset_offset)
        return Digests(self._prefix.digest(), self._dataset.digest())


def digest(opened: Opened, dataset_offset: int, on_bytes: Callable[[int], None] | None = None) -> Digests:
    """Hash a blob as Store hashed it."""
    hasher = Hasher()
    offset = 0
    while offset < opened.size:
        chunk = opened.read_at(offset, _CHUNK)
        if not chunk:
            break  # it shrank meanwhile: the digest tells
        hasher.update([chunk], dataset_offset)
        offset += len(chunk)
        if on_bytes is not None:
            on_bytes(len(chunk))
    return hasher.finish([], dataset_offset)


def decoded(decoders: Sequence[Decoder], data: Chunk) -> Iterator[Chunk]:
    """Yield what some bytes decode to, one decoder after the other."""
    if not decoders:
        yield data
        return
    for piece in decoders[0].feed(data):
        yield from decoded(decoders[1:], piece)


class Upload:
    """Bytes of one part; `write` is awaited, the rest blocks.

    Parameters
    ----------
    decoders
        Undo the codings of the part, the outermost first.
    """

    def __init__(self, blobs: BlobStore, decoders: Sequence[Decoder] = ()) -> None:
        self._blobs = blobs
        self._decoders = decoders
        self._staged: Staged | None = None
        self._waiting: list[Chunk] = []
        self._waiting_bytes = 0
        self._hasher = Hasher()
        self._unhashed: list[Chunk] = []
        self.size = 0

    @property
    def small(self) -> bool:
        """Whether nothing had to be written before the last byte came."""
        return self.size < _SPOOL

    async def write(self, chunk: Chunk) -> None:
        """Take the next bytes, which must not change afterwards.

        Raises StorageFull, or BadRequest and PayloadTooLarge where they are not what their coding says.
        """
        if not self._decoders:
            await self._take(chunk)
            return
        for piece in decoded(self._decoders, chunk):
            await self._take(piece)

    async def _take(self, chunk: Chunk) -> None:
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        self.size += len(chunk)
        if self._waiting_bytes >= _SPOOL:
            await asyncio.to_thread(self._spool)

    def finish(self) -> Staged:
        """Write what waits and return the staged bytes, still readable. Raises BadRequest when a coding ends early."""
        for decoder in self._decoders:
            decoder.finish()
        return self._flush()

    def digests(self, dataset_offset: int) -> Digests:
        """Return the digests of everything, once all is written; `dataset_offset` is where the data set begins."""
        chunks, self._unhashed = self._unhashed, []
        return self._hasher.finish(chunks, dataset_offset)

    def discard(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._unhashed.clear()
        if self._staged is not None:
            self._staged.discard()
            self._staged = None

    def _spool(self) -> None:
        """Write and hash what waits: there is more to come."""
        staged = self._flush()
        chunks, self._unhashed = self._unhashed, []
        # A megabyte is there: enough for any File Meta Information that is one.
        self._hasher.update(chunks, part10.dataset_offset(staged))

    def _flush(self) -> Staged:
        if self._staged is None:
            self._staged = self._blobs.stage()
        chunks, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if chunks:
            self._staged.write(chunks)
            self._unhashed += chunks
        return self._staged

"""The plain bytes of an Instance: inflated, in little endian order, without Items.

Frames and bulk data are made of them. Offsets count bytes of the plain stream (`standard.header`).
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from skiagraph.blobs.base import Chunk, Opened
from skiagraph.index.base import StoredInstance
from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Damaged
from skiagraph.standard import transfer_syntaxes
from skiagraph.standard.explicit_le import WORDS, pixel_word, swapped
from skiagraph.standard.header import MULTI_FRAGMENT, Bulk
from skiagraph.values import ByteRange

CHUNK = 2**20
"""Most bytes that are inflated at once."""

_ITEM = struct.Struct("<HHL")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, or a frame: consecutive bytes of the plain stream, and the length of its words."""

    ranges: tuple[ByteRange, ...]
    word: int = 1
    """Bytes of a word that is stored in big endian order; 1: in order as it is. More than 1 only with one range."""

    @property
    def length(self) -> int:
        return sum(span.length for span in self.ranges)


def read(
    archive: Archive, instance: StoredInstance, value: Value, part: ByteRange | None = None
) -> AsyncIterator[Chunk]:
    """Stream a value or a part of it (counted from the start of the value) in little endian order.

    Raises ResourceNotFound where the blob is missing; Damaged where a deflated data set ends before the value does.
    """
    if part is None:
        part = ByteRange(0, value.length)
    if value.word > 1:
        return _swapped(archive, instance, value.ranges[0], value.word, part)
    ranges = list(_cut(value.ranges, part))
    if len(ranges) == 1:
        return stored(archive, instance, ranges[0])
    return _chained(archive, instance, ranges)


async def read_bytes(archive: Archive, instance: StoredInstance, value: Value, part: ByteRange) -> bytes:
    """All of a part of a value, in one piece; raises like `read`."""
    if value.word == 1 and not transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
        ranges = list(_cut(value.ranges, part))
        if len(ranges) == 1:
            return bytes(await archive.blobs.read_bytes(instance.key, ranges[0]))
    return b"".join([bytes(chunk) async for chunk in read(archive, instance, value, part)])


def stored(archive: Archive, instance: StoredInstance, span: ByteRange) -> AsyncIterator[Chunk]:
    """Stream bytes of the plain stream in the byte order in which they are stored."""
    if transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
        return inflated(archive, instance, span)
    return archive.blobs.read(instance.key, span)


async def inflated(archive: Archive, instance: StoredInstance, span: ByteRange | None) -> AsyncIterator[Chunk]:
    """Stream a part of the inflated data set, or (None) all of it; what lies before is inflated and dropped."""
    skip, wanted = (span.offset - instance.dataset_offset, span.length) if span else (0, None)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    source = ByteRange(instance.dataset_offset, instance.size - instance.dataset_offset)
    chunks = archive.blobs.read(instance.key, source)
    try:
        async for compressed in chunks:
            pending: Chunk = compressed
            full = True  # the inflater may hold more than it gave
            while (pending or full) and not inflater.eof:
                try:
                    data = await asyncio.to_thread(inflater.decompress, pending, CHUNK)
                except zlib.error as error:
                    raise Damaged(f"The deflated data set of {instance.path} is corrupt.") from error
                pending, full = inflater.unconsumed_tail, len(data) == CHUNK
                if skip:
                    skip, data = skip - min(skip, len(data)), data[skip:]
                if wanted is not None:
                    data = data[:wanted]
                    wanted -= len(data)
                if data:
                    yield data
                if wanted == 0:
                    return
    finally:
        await representation.close(chunks)
    if wanted or not inflater.eof:
        raise Damaged(f"The deflated data set of {instance.path} ends too early.")


async def _chained(archive: Archive, instance: StoredInstance, ranges: list[ByteRange]) -> AsyncIterator[Chunk]:
    for span in ranges:
        async for chunk in stored(archive, instance, span):
            yield chunk


async def _swapped(
    archive: Archive, instance: StoredInstance, whole: ByteRange, word: int, part: ByteRange
) -> AsyncIterator[Chunk]:
    """Swap whole words, counted from the start of the value, and cut the part out of them."""
    start = part.offset // word * word
    end = min(-(-part.end // word) * word, whole.length)
    at = start
    rest = b""
    async for chunk in stored(archive, instance, ByteRange(whole.offset + start, end - start)):
        data = rest + bytes(chunk)
        last = at + len(data) == end
        whole_words = len(data) if last else len(data) // word * word
        rest = data[whole_words:]
        ordered = swapped(data[:whole_words], word)
        piece = ordered[max(part.offset - at, 0) : part.end - at]
        at += whole_words
        if piece:
            yield piece


def _cut(ranges: tuple[ByteRange, ...], part: ByteRange) -> list[ByteRange]:
    """The pieces of the ranges that the part, counted along them, covers."""
    if len(ranges) == 1 or part.length == 0:
        return [ByteRange(ranges[0].offset + part.offset if ranges else 0, part.length)]
    pieces = []
    at = 0
    for span in ranges:
        start, end = max(part.offset, at), min(part.end, at + span.length)
        if start < end:
            pieces.append(ByteRange(span.offset + start - at, end - start))
        at += span.length
    return pieces


def fragments(opened: Opened, span: ByteRange, *, skip: int = 0) -> tuple[ByteRange, ...]:
    """Find the Fragments between Item headers (PS3.5 Annex A.4); blocks.

    Parameters
    ----------
    span
        From the first Item header on; up to the end of the last Item, or to the Sequence Delimitation Item.
    skip
        Items to leave out at the start: 1 where the first one is the Basic Offset Table.
    """
    found = []
    at = span.offset
    while at + 8 <= span.end:
        group, element, length = _ITEM.unpack(opened.read_at(at, 8))
        if (group, element) != (0xFFFE, 0xE000):
            break
        at += 8
        found.append(ByteRange(at, min(length, span.end - at)))
        at += length
    return tuple(found[skip:])


async def without_items(archive: Archive, instance: StoredInstance, spans: list[ByteRange]) -> list[Value]:
    """Turn spans of encapsulated frames (`InstanceIndex.frame_spans`) into values."""
    if not any(span.length & MULTI_FRAGMENT for span in spans):
        return [Value((span,)) for span in spans]
    return await asyncio.to_thread(_without_items, archive, instance, spans)


def _without_items(archive: Archive, instance: StoredInstance, spans: list[ByteRange]) -> list[Value]:
    opened = archive.blobs.open(instance.key)
    try:
        return [
            Value(fragments(opened, ByteRange(span.offset, span.length & ~MULTI_FRAGMENT)))
            if span.length & MULTI_FRAGMENT
            else Value((span,))
            for span in spans
        ]
    finally:
        opened.close()


async def encapsulated(archive: Archive, instance: StoredInstance, span: ByteRange) -> Value:
    """The Fragments of a whole encapsulated value, without its Basic Offset Table, in one row."""

    def work() -> Value:
        opened = archive.blobs.open(instance.key)
        try:
            return Value(fragments(opened, span, skip=1))
        finally:
            opened.close()

    return await asyncio.to_thread(work)


async def pixels(archive: Archive, instance: StoredInstance) -> Value:
    """The top-level pixel data, stored natively, of an Instance."""
    word = 1
    if transfer_syntaxes.get(instance.transfer_syntax_uid).big_endian:
        bits = 16
        if instance.pixel_vr == "OW":  # the index entry does not tell; big endian is rare enough to look it up
            found = await representation.attributes(archive, instance)
            values = found.get("00280100", {}).get("Value") or [bits]
            bits = values[0] if isinstance(values[0], int) else bits
        word = pixel_word(instance.pixel_vr, bits)
    return Value((ByteRange(instance.pixel_offset, instance.pixel_length),), word)


async def bulk(archive: Archive, instance: StoredInstance, found: Bulk) -> Value:
    """A value that the metadata names by BulkDataURI, other than the top-level pixel data."""
    span = ByteRange(found.offset, found.length)
    if found.encapsulated:
        return await encapsulated(archive, instance, span)
    big_endian = transfer_syntaxes.get(instance.transfer_syntax_uid).big_endian
    return Value((span,), WORDS.get(found.vr, 1) if big_endian else 1)

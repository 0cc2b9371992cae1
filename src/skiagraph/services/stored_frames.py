"""Frames as they are stored, cut out of the plain stream of an Instance — PS3.5 §8.1.1 and Annex A.4.

One look-up and one byte range per frame. Native frames are little endian values that begin with their first bit;
encapsulated ones are the bare code stream (PS3.18 §8.7.3.3).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from skiagraph.index.base import StoredInstance
from skiagraph.pixels.image import BadPixels
from skiagraph.services import plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation
from skiagraph.values import ByteRange
from skiagraph.wire.accept import Offer
from skiagraph.wire.message import Chunk

LONG: Final = 8 * 2**20
"""Bytes of a frame that is not held without need."""


async def represent(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], offer: Offer, url: str
) -> list[Representation]:
    """The frames as they are stored, as parts in this order; all of them exist.

    Parameters
    ----------
    url
        Of the Instance.
    """
    if not instance.encapsulated:
        return await _native(archive, instance, numbers, offer, url)
    values = await plain.without_items(archive, instance, await archive.index.frame_spans(instance, numbers))
    return [
        _representation(archive, instance, value, _unpadded(instance, value), offer, location)
        for value, location in zip(values, _locations(url, numbers), strict=True)
    ]


def _locations(url: str, numbers: Sequence[int]) -> list[str]:
    return [f"{url}/frames/{number}" for number in numbers]


async def _native(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], offer: Offer, url: str
) -> list[Representation]:
    pixels = await plain.pixels(archive, instance)
    bits = instance.frame_bits
    length = -(-bits // 8)
    parts = []
    for number, location in zip(numbers, _locations(url, numbers), strict=True):
        first = (number - 1) * bits
        if bits % 8 == 0:
            part = ByteRange(first // 8, length)
            parts.append(_representation(archive, instance, pixels, part, offer, location))
        else:
            parts.append(_bits(archive, instance, pixels, first, offer, location))
    return parts


def _representation(
    archive: Archive, instance: StoredInstance, value: plain.Value, whole: ByteRange, offer: Offer, location: str
) -> Representation:
    def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        wanted = whole if part is None else ByteRange(whole.offset + part.offset, part.length)
        return plain.read(archive, instance, value, wanted)

    return Representation(offer.content_type, location, whole.length, read)


def _bits(
    archive: Archive, instance: StoredInstance, pixels: plain.Value, first: int, offer: Offer, location: str
) -> Representation:
    """A frame that does not fill whole bytes, as 1-bit segmentations: its first bit becomes the first of the part."""
    bits = instance.frame_bits
    start, end = first // 8, min(-(-(first + bits) // 8), pixels.length)
    covered = ByteRange(start, end - start)
    length = -(-bits // 8)

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        at = 0
        async for chunk in shifted(plain.read(archive, instance, pixels, covered), first % 8, bits):
            piece = chunk if part is None else representation.cut(chunk, at, part)
            at += len(chunk)
            if piece:
                yield piece

    return Representation(offer.content_type, location, length, read)


async def shifted(chunks: AsyncIterator[Chunk], shift: int, bits: int) -> AsyncIterator[bytes]:
    """Drop the first `shift` bits (0 to 7) of a stream and give the next `bits`; the last byte is filled up with zeros.

    Bits are counted from the least significant one of each byte (PS3.5 §8.1.1): bit 9 is bit 1 of byte 1.
    """
    left = -(-bits // 8)
    carried = b""
    async for chunk in chunks:
        data = carried + bytes(chunk)
        carried = data[-1:]
        # All bytes but the last have their upper neighbour here: n bytes of input give n - 1 of output.
        count = min(len(data) - 1, left)
        if count > 0:
            number = int.from_bytes(data, "little") >> shift & (1 << 8 * count) - 1
            left -= count
            yield _masked(number.to_bytes(count, "little"), bits if left == 0 else None)
    if left == 1 and carried:
        yield _masked(bytes([carried[0] >> shift]), bits)


def _masked(data: bytes, bits: int | None) -> bytes:
    """Clear what belongs to the next frame in the last byte."""
    if bits is None or bits % 8 == 0:
        return data
    return data[:-1] + bytes([data[-1] & (1 << bits % 8) - 1])


def turn(archive: Archive, instance: StoredInstance) -> AbstractAsyncContextManager[None]:
    """Wait before long frames are read for work in a thread: waiting behind it, all of them would be held."""
    return archive.workers.turn("long frames") if length(instance) > LONG else nullcontext()


def length(instance: StoredInstance) -> int:
    """Bytes of a frame as it is stored, on average."""
    return instance.pixel_length // max(instance.frames, 1)


async def read(archive: Archive, instance: StoredInstance, number: int) -> bytes:
    """Return one frame (from 1), which exists.

    Raises
    ------
    BadPixels
        It is longer than a frame could be that is decoded (`max_frame_bytes`), however badly it was compressed.
    """
    bits, most = instance.frame_bits, 2 * archive.settings.max_frame_bytes
    if not instance.encapsulated and bits % 8:
        (part,) = await represent(archive, instance, [number], _NOTHING, "")
        _check_length(part.length or 0, number, most)
        return b"".join([bytes(chunk) async for chunk in part.read(None)])
    if instance.encapsulated:
        (value,) = await plain.without_items(archive, instance, await archive.index.frame_spans(instance, [number]))
        span = _unpadded(instance, value)
    else:
        value, span = await plain.pixels(archive, instance), ByteRange((number - 1) * bits // 8, bits // 8)
    _check_length(span.length, number, most)
    return await plain.read_bytes(archive, instance, value, span)


def _unpadded(instance: StoredInstance, value: plain.Value) -> ByteRange:
    """An encapsulated frame: of Encapsulated Uncompressed, those of odd length are padded in their Fragment."""
    most = -(-instance.frame_bits // 8) or value.length
    return ByteRange(0, min(value.length, most))


def _check_length(length: int, number: int, most: int) -> None:
    if length > most:
        raise BadPixels(f"Frame {number} has {length} bytes; up to {most} are taken for one.")


async def every(archive: Archive, instance: StoredInstance) -> AsyncIterator[bytes]:
    """Read all frames of native pixel data in one pass, whichever way it is stored."""
    bits = instance.frame_bits
    chunks = plain.read(archive, instance, await plain.pixels(archive, instance))
    held = bytearray()
    shift = 0  # bits of the first byte that belong to the frame before
    try:
        for _ in range(instance.frames):
            needed = -(-(shift + bits) // 8)
            while len(held) < needed:
                chunk = await anext(chunks, None)
                if chunk is None:
                    raise representation.Damaged(f"The pixel data of {instance.path} ends too early.")
                held += chunk
            frame = bytes(held[:needed])
            if shift or bits % 8:
                number = int.from_bytes(frame, "little") >> shift & (1 << bits) - 1
                frame = number.to_bytes(-(-bits // 8), "little")
            yield frame
            shift = (shift + bits) % 8
            del held[: needed - (shift > 0)]
    finally:
        await representation.close(chunks)


async def joined(frames: AsyncIterator[bytes], bits: int) -> AsyncIterator[bytes]:
    """Put native frames one behind the other without a gap, even where they do not fill whole bytes (PS3.5 §8.1.1).

    Parameters
    ----------
    bits
        Of one frame.
    """
    carry, carried = 0, 0
    async for frame in frames:
        if bits % 8 == 0:
            yield frame
            continue
        number = carry | (int.from_bytes(frame, "little") & (1 << bits) - 1) << carried
        carried += bits
        whole = carried // 8
        if whole:
            yield (number & (1 << 8 * whole) - 1).to_bytes(whole, "little")
        carry, carried = number >> 8 * whole, carried % 8
    if carried:
        yield bytes([carry])


_NOTHING = Offer("", stored=True)

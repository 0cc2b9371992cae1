"""Retrieve Frames — PS3.18 §10.4, the Frames resource of Table 10.4.1-1.

Request   GET …/instances/{instance}/frames/{frames}: numbers from 1, separated by commas, in any order.
Behavior  One look-up and one byte range per frame. Native frames are little endian values, compressed ones the bare
          stored stream (§8.7.3.3).
Response  200 with one part per frame in the order asked for, or a single part for one frame; 404, and nothing sent,
          when one of them does not exist.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.services import plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation
from skiagraph.values import ByteRange
from skiagraph.wire.accept import Offer, available, bulkdata_offers
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.transaction import Transaction

_NUMBER = re.compile(r"[1-9][0-9]*", re.ASCII)
_NAMED = 20
"""Most frames that an error names."""


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a list of frames."""
    numbers = parse(request.parameters["frames"], archive.settings.max_frames_in_list)
    instance = await archive.index.locate(representation.resource(request))
    url = representation.url(request, instance.path)
    offers = bulkdata_offers(instance.transfer_syntax_uid, single=len(numbers) == 1)
    check(instance, numbers, offers)
    choice = representation.negotiate(archive, request, offers)
    version = representation.version_of(instance, choice.offer, request.parameters["frames"])
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    parts = await represent(archive, instance, numbers, choice.offer, url)
    if choice.multipart:
        return await representation.multipart(request, parts, version)
    return await representation.single(request, parts[0], version)


def parse(text: str, most: int) -> list[int]:
    """Read a frame list; ``%2C`` has become a comma already.

    Raises
    ------
    BadRequest
        An element is no positive number, stands there twice, or there are more than `most` of them.
    """
    if text.count(",") >= most:
        raise BadRequest(f"The list names more than {most} frames, the most that this server takes in one request.")
    numbers = []
    for element in text.split(","):
        element = element.strip()
        if not _NUMBER.fullmatch(element):
            raise BadRequest(
                f"{element[:20]!r} in the frame list is no frame number: positive numbers without leading zeros,"
                " separated by commas, are needed. The first frame is 1."
            )
        numbers.append(int(element) if len(element) <= 18 else 10**18)
    if len(set(numbers)) < len(numbers):
        raise BadRequest("A frame is named twice in the frame list.")
    return numbers


def check(instance: StoredInstance, numbers: Sequence[int], offers: Sequence[Offer]) -> None:
    """Raise unless all of the frames can be sent one by one.

    Raises
    ------
    ResourceNotFound
        There is no pixel data, or the details tell which frames do not exist.
    NoAcceptableRepresentation
        The frames are those of a video stream.
    """
    if not instance.pixel_tag:
        raise ResourceNotFound("The Instance has no pixel data, so that it has no frames.")
    missing = [number for number in numbers if number > instance.frames]
    if missing:
        named = ", ".join(map(str, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
        there = {0: "has no frames that can be told apart", 1: "has 1 frame"}.get(
            instance.frames, f"has {instance.frames} frames"
        )
        details = (instance.pixel_problem,) if instance.pixel_problem else ()
        raise ResourceNotFound(f"Not all of the frames exist: the Instance {there}; missing: {named}.", details=details)
    if instance.video and instance.frames > 1:
        raise NoAcceptableRepresentation(
            "Single frames can not be cut out of a video stream. The whole stream is the resource …/pixeldata.",
            details=available(offers),
        )


async def represent(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], offer: Offer, url: str
) -> list[Representation]:
    """The frames as parts, in this order; all of them exist.

    Parameters
    ----------
    url
        Of the Instance.
    """
    if not instance.encapsulated:
        return await _native(archive, instance, numbers, offer, url)
    values = await plain.without_items(archive, instance, await archive.index.frame_spans(instance, numbers))
    # Encapsulated Uncompressed: a frame of odd length is padded in its Fragment
    most = -(-instance.frame_bits // 8) or None
    return [
        _representation(
            archive, instance, value, ByteRange(0, min(value.length, most or value.length)), offer, location
        )
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


TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Retrieve Frames",
        "10.4",
        "GET",
        "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
        "read",
        frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416}),
        (
            'multipart/related; type="application/octet-stream"',
            'multipart/related; type="image/*"',
            "application/octet-stream",
            "image/*",
        ),
        retrieve,
    ),
)

"""Converting pixel data to another Transfer Syntax on retrieval — PS3.18 §8.7.3, §8.7.8.2.

What an Instance can be converted to depends on its pixels, which the index entry does not tell. So there are two
answers: `possible`, at once, and `certain`, after a look at the metadata, which only those pay for who ask for a
conversion that not every image allows. Explicit VR Little Endian always is one.

Frames are converted one by one in the pool, each once for all who ask at a time, and kept for a while.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import transcode
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.services import representation, stored_frames
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation
from skiagraph.standard import media_types, transfer_syntaxes
from skiagraph.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from skiagraph.values import Attributes, ByteRange
from skiagraph.wire.accept import Choice, Offer, Targets, convertible_natively
from skiagraph.wire.message import Chunk, Request

Conversions: TypeAlias = tuple[str, ...]
"""Transfer Syntaxes that an Instance can be converted to, best first."""

_ANY_IMAGE: Final = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN})
_DATA_SETS_ONLY: Final = frozenset(
    {
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_IMAGE_FRAME,
        ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    }
)
"""Of no use to bare frames: there is no media type that tells them from others."""
_PIECE: Final = 2**20
_IMAGE_BYTES: Final = 512  # what the parameters of an image take, roughly


# What can be had


def possible(instance: StoredInstance, *, bare: bool = False) -> Conversions:
    """What an Instance can be converted to, were it not for the type of its pixels.

    Parameters
    ----------
    bare
        Frames and values by themselves are meant, not the Instance.
    """
    return _possible(
        instance.transfer_syntax_uid,
        bool(instance.pixel_tag),
        instance.pixel_problem is None,
        instance.frames > 0,
        bare,
    )


@lru_cache(maxsize=1024)
def _possible(uid: str, pixels: bool, sound: bool, frames: bool, bare: bool) -> Conversions:
    found: dict[str, None]
    if not pixels:
        apart = transfer_syntaxes.get(uid)
        # Without pixel data, a data set of a compressed syntax is one of Explicit VR Little Endian
        found = dict.fromkeys((EXPLICIT_VR_LITTLE_ENDIAN,) if apart.encapsulated else convertible_natively(uid))
    else:
        found = dict.fromkeys(convertible_natively(uid))
        if sound and frames:
            found |= dict.fromkeys(transcode.reachable(uid))
    if transfer_syntaxes.get(uid).referenced:
        found.clear()
    elif found or uid == EXPLICIT_VR_LITTLE_ENDIAN:
        found[DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] = None
    found.pop(uid, None)
    return tuple(other for other in found if not (bare and other in _DATA_SETS_ONLY))


async def certain(archive: Archive, instance: StoredInstance, *, bare: bool = False) -> Conversions:
    """What an Instance can be converted to."""
    if not instance.pixel_tag:
        return possible(instance, bare=bare)
    try:
        image = await image_of(archive, instance)
    except BadPixels:
        image = None
    return _fitting(archive, instance, image, bare)


def convertible(
    archive: Archive, instance: StoredInstance, attributes: Attributes, *, bare: bool = False
) -> Conversions:
    """The same from metadata at hand."""
    if not instance.pixel_tag:
        return possible(instance, bare=bare)
    try:
        image = ImageParams.from_attributes(attributes)
    except BadPixels:
        image = None
    return _fitting(archive, instance, image, bare)


def _fitting(archive: Archive, instance: StoredInstance, image: ImageParams | None, bare: bool) -> Conversions:
    uid = instance.transfer_syntax_uid
    fitting = {*convertible_natively(uid)}
    if not transfer_syntaxes.get(uid).encapsulated:
        fitting.add(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    if (
        image is not None
        and image.number_of_frames == instance.frames
        and image.decoded_bytes <= archive.settings.max_frame_bytes
    ):
        fitting.update(transcode.targets(uid, image))
    return tuple(other for other in possible(instance, bare=bare) if other in fitting)


def in_doubt(offer: Offer | None) -> bool:
    """Whether only a look at the metadata tells if the offer can be made good."""
    return offer is not None and not offer.stored and offer.transfer_syntax_uid not in _ANY_IMAGE


@lru_cache(maxsize=1024)
def giving(conversions: Conversions) -> Targets:
    """The conversions as negotiation asks for them; the same function for the same ones."""
    return lambda _: conversions


def among_stored(archive: Archive, request: Request, error: BadPixels, offers: tuple[Offer, ...]) -> Choice:
    """Choose again, among what needs no conversion, where it turned out that the pixels are damaged.

    Raises
    ------
    BadPixels
        Nothing of it is acceptable: the error, with what can be had.
    """
    try:
        return representation.negotiate(archive, request, offers)
    except NoAcceptableRepresentation as refused:
        raise BadPixels(error.message, details=refused.details) from error


def is_stored(instance: StoredInstance, offer: Offer) -> bool:
    """Whether the bytes of frames go out as they are stored."""
    uid = offer.transfer_syntax_uid
    if offer.stored or uid is None or uid == instance.transfer_syntax_uid:
        return True
    return uid == EXPLICIT_VR_LITTLE_ENDIAN and media_types.is_native(instance.transfer_syntax_uid)


# Frames


@dataclass(frozen=True, slots=True)
class Frame:
    """One converted frame."""

    data: bytes
    image: ImageParams
    """The Image Pixel attributes that belong to it."""
    stored: int
    """Bytes of the frame as it was stored."""


async def image_of(archive: Archive, instance: StoredInstance) -> ImageParams:
    """How the pixels of an Instance are stored.

    Raises
    ------
    BadPixels
        The metadata does not tell.
    """

    async def look() -> ImageParams:
        return ImageParams.from_attributes(await representation.attributes(archive, instance))

    return await archive.workers.once(("image", representation.digest(instance)), look, lambda _: _IMAGE_BYTES)


async def frame(archive: Archive, instance: StoredInstance, number: int, uid: str) -> Frame:
    """Convert one frame (from 1), which exists.

    Raises
    ------
    BadPixels
        It can not be decoded, or the Transfer Syntax can not hold it.
    """
    key = _key(instance, number, uid)
    return await archive.workers.once(key, lambda: _convert(archive, instance, number, uid), _size)


def ahead(archive: Archive, instance: StoredInstance, number: int, uid: str) -> None:
    """Begin to convert a frame that is soon asked for; harmless when there is none."""
    if number <= instance.frames:
        archive.workers.ahead(_key(instance, number, uid), lambda: _convert(archive, instance, number, uid), _size)


async def every(archive: Archive, instance: StoredInstance, uid: str) -> AsyncIterator[Frame]:
    """Convert all frames in their order, holding no more than two at a time."""
    if not transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
        for number in range(1, instance.frames + 1):
            ahead(archive, instance, number + 1, uid)
            yield await frame(archive, instance, number, uid)
        return
    # Each frame by itself would be inflated from the start again
    image = await image_of(archive, instance)
    async for stored in stored_frames.every(archive, instance):
        yield await _transcoded(archive, instance, stored, uid, image)


async def _convert(archive: Archive, instance: StoredInstance, number: int, uid: str) -> Frame:
    image = await image_of(archive, instance)
    async with stored_frames.turn(archive, instance):
        stored = await stored_frames.read(archive, instance, number)
        return await _transcoded(archive, instance, stored, uid, image)


async def _transcoded(archive: Archive, instance: StoredInstance, stored: bytes, uid: str, image: ImageParams) -> Frame:
    data, described = await archive.workers.run(
        functools.partial(transcode.transcode_frame, limit=archive.settings.max_frame_bytes),
        stored,
        instance.transfer_syntax_uid,
        uid,
        image,
    )
    return Frame(data, described, len(stored))


def _key(instance: StoredInstance, number: int, uid: str) -> tuple[str, str, int, str]:
    return "frame", representation.digest(instance), number, uid


def _size(converted: Frame) -> int:
    return len(converted.data) + _IMAGE_BYTES


# Parts of an answer


async def represent(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], offer: Offer, url: str
) -> list[Representation]:
    """Frames as parts, in this order, converted to what the offer says; all of them exist.

    The first one is converted at once, so that what can not be done is said before the status.

    Raises
    ------
    BadPixels
        It can not be converted.
    """
    uid = offer.transfer_syntax_uid or ""
    first = await frame(archive, instance, numbers[0], uid)
    alike = len(first.data) if media_types.is_native(uid) else None

    def part(place: int, length: int | None) -> Representation:
        number, following = numbers[place], numbers[place + 1 : place + 2]

        async def read(span: ByteRange | None) -> AsyncIterator[Chunk]:
            for other in following:
                ahead(archive, instance, other, uid)
            converted = await frame(archive, instance, number, uid)
            if length is not None:
                check_alike(instance, first, converted)
            for piece in pieces(converted.data, span):
                yield piece

        return Representation(offer.content_type, f"{url}/frames/{number}", length, read)

    return [part(place, alike if place else len(first.data)) for place in range(len(numbers))]


async def represent_whole(archive: Archive, instance: StoredInstance, offer: Offer, location: str) -> Representation:
    """All frames as one native value.

    Raises
    ------
    BadPixels
        The first of them can not be converted.
    """
    uid = offer.transfer_syntax_uid or ""
    first = await frame(archive, instance, 1, uid)
    bits = 8 * len(first.data) if first.image.cells * first.image.bits_allocated % 8 == 0 else first.image.cells
    length = -(-bits * instance.frames // 8)

    async def read(span: ByteRange | None) -> AsyncIterator[Chunk]:
        at = 0
        chunks = stored_frames.joined(_data(archive, instance, uid, first), bits)
        try:
            async for chunk in chunks:
                for piece in pieces(chunk, None):
                    wanted = piece if span is None else representation.cut(piece, at, span)
                    at += len(piece)
                    if len(wanted):
                        yield wanted
                if span is not None and at >= span.end:
                    return
        finally:
            await representation.close(chunks)

    return Representation(offer.content_type, location, length, read)


async def _data(archive: Archive, instance: StoredInstance, uid: str, first: Frame) -> AsyncIterator[bytes]:
    frames = every(archive, instance, uid)
    try:
        async for converted in frames:
            check_alike(instance, first, converted)
            yield converted.data
    finally:
        await representation.close(frames)


def check_alike(instance: StoredInstance, first: Frame, other: Frame) -> None:
    """Raise BadPixels unless a frame is of the kind that the data set has been said to hold."""
    if other.image != first.image:
        raise BadPixels(f"The frames of {instance.path} are not encoded alike, so that no data set can hold them.")


def pieces(data: bytes, span: ByteRange | None) -> list[bytes]:
    """Bytes, or a span of them, in chunks that are not too large to send."""
    start, end = (0, len(data)) if span is None else (span.offset, span.end)
    if (start, end) == (0, len(data)) and end <= _PIECE:
        return [data] if data else []
    return [data[at : min(at + _PIECE, end)] for at in range(start, end, _PIECE)]

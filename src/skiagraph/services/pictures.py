"""Frames of stored Instances as pictures: what Rendered, Thumbnail and the URI service share.

What a frame looks like is in the metadata that were made at store; the file is read for its pixels, lookup tables and
profiles alone. Pictures and descriptions are made in the worker threads, once for all who ask at a time.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from skiagraph.index.base import StoredInstance
from skiagraph.pixels import appearance, decode, elements, mosaic, picture, rendition
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.mosaic import Mosaic, Tile
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.pixels.viewport import Fit
from skiagraph.services import plain, representation, stored_frames, videos
from skiagraph.services.archive import Archive
from skiagraph.standard import dicom_json
from skiagraph.values import Attributes
from skiagraph.wire.rendering_query import RenderingQuery

VERSION = "3"
"""Goes up whenever the same request may give other bytes than before: part of every entity tag."""

LARGEST_BULK = 64 * 2**20
"""Bytes of the largest lookup table, profile or overlay that is read to show a frame."""

MOST_BULK = 4 * LARGEST_BULK
"""Bytes of all of them together."""

_KEPT_BULK = 4 * 2**20
_WEIGHT = 8  # a data set in memory takes about so many times the bytes of its JSON

# Functional groups that rendering looks at; the others of each frame are dropped, as there may be 100,000s of frames
_FRAME_MACROS = ("00289145", "00289132", "00189472", "00209113", "00289110", "00480207")
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_TILES_AT_ONCE = 16
_LARGE_REGION = 4 * 2**20  # pixels
_ENCAPSULATED_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."


def rendition_of(asked: RenderingQuery, media_type: str) -> Rendition:
    """How frames are shown for a request. Raises BadRequest where the type can not hold the profile asked for."""
    return Rendition(media_type, asked.window, asked.viewport, asked.quality, asked.annotation, asked.icc_profile)


class Kind(enum.Enum):
    """What an Instance is for rendering (PS3.18 Table 8.7.2-1), as far as the index entry tells."""

    SINGLE_FRAME = "single frame"
    MULTI_FRAME = "multi-frame"
    VIDEO = "video"
    DOCUMENT = "document"
    OTHER = "other"


def kind(instance: StoredInstance) -> Kind:
    """The resource category; images whose frames can not be decoded or told apart are other things."""
    if instance.pixel_tag:
        if instance.video:
            return Kind.VIDEO
        if not instance.frames or not decode.can_decode(instance.transfer_syntax_uid):
            return Kind.OTHER
        return Kind.SINGLE_FRAME if instance.frames == 1 else Kind.MULTI_FRAME
    if instance.sop_class_uid.startswith(_ENCAPSULATED_DOCUMENTS):
        return Kind.DOCUMENT
    return Kind.OTHER


def is_slide(instance: StoredInstance) -> bool:
    """Whether it is an image of tiles that stand for one large picture."""
    return instance.sop_class_uid == WHOLE_SLIDE and kind(instance) is Kind.MULTI_FRAME


def is_image(instance: StoredInstance) -> bool:
    """Whether it is an image whose frames can be decoded."""
    return kind(instance) in (Kind.SINGLE_FRAME, Kind.MULTI_FRAME)


def can_be_shown(instance: StoredInstance) -> bool:
    """Whether its frames can be shown one by one: an image, or a stored video."""
    return is_image(instance) or (kind(instance) is Kind.VIDEO and instance.frames > 0)


@dataclass(frozen=True, slots=True)
class Description:
    """The metadata of an image as rendering needs them."""

    attributes: Attributes
    """Functional groups that rendering does not look at are left out."""
    image: ImageParams
    size: int
    """Bytes in memory, about."""
    mosaic: Mosaic | None = None
    """Where the tiles of a slide are."""
    bulk: dict[str, bytes] = field(default_factory=dict)
    """Lookup tables and profiles that were read once."""


async def describe(archive: Archive, instance: StoredInstance) -> Description:
    """The description of an image.

    Raises
    ------
    BadPixels
        The data set does not say what is needed.
    """
    key = ("description", representation.digest(instance))
    return await archive.workers.once(key, lambda: _describe(archive, instance), lambda found: found.size)


async def _describe(archive: Archive, instance: StoredInstance) -> Description:
    document = await representation.document(archive, instance)
    if len(document) < 2**16:
        return _parsed(document)
    return await archive.workers.run(_parsed, document)


def _parsed(document: bytes) -> Description:
    attributes = dicom_json.decode(document)
    size = len(document) * _WEIGHT
    image = ImageParams.from_attributes(attributes)
    tiles = mosaic.from_attributes(attributes, image) if _is(attributes, WHOLE_SLIDE) else None
    per_frame = attributes.get(appearance.PER_FRAME)
    if per_frame is not None:
        alike: dict[bytes, dict[str, Any]] = {}
        groups = []
        for item in per_frame.get("Value") or []:
            macros = {tag: item[tag] for tag in _FRAME_MACROS if tag in item} if isinstance(item, dict) else {}
            groups.append(alike.setdefault(orjson.dumps(macros), macros))
        attributes[appearance.PER_FRAME] = {"vr": "SQ", "Value": groups}
        size = (len(orjson.dumps({**attributes, appearance.PER_FRAME: None})) + sum(map(len, alike))) * _WEIGHT
        size += 8 * len(groups)
    if tiles is not None and tiles.places is not None:
        size += tiles.places.nbytes
    return Description(attributes, image, size, tiles)


def _is(attributes: Attributes, sop_class_uid: str) -> bool:
    return elements.text(attributes, "00080016") == sop_class_uid


async def subject(
    archive: Archive, instance: StoredInstance, description: Description, frame: int, *, overlays: bool
) -> Subject:
    """A frame with all that is needed to show it, its pixels apart."""
    wanted = rendition.bulk_uris(description.attributes, description.image, frame, overlays=overlays)
    bulk: Bulk = await _bulk(archive, instance, description, wanted) if wanted else elements.NO_BULK
    return Subject(description.attributes, description.image, instance.transfer_syntax_uid, frame, bulk)


async def _bulk(
    archive: Archive, instance: StoredInstance, description: Description, uris: list[str]
) -> dict[str, bytes]:
    found = {uri: description.bulk[uri] for uri in uris if uri in description.bulk}
    if len(found) < len(uris):
        read = await bulk_values(archive, instance, [uri for uri in uris if uri not in found])
        description.bulk.update((uri, data) for uri, data in read.items() if len(data) <= _KEPT_BULK)
        found.update(read)
    return found


async def bulk_values(archive: Archive, instance: StoredInstance, uris: Sequence[str]) -> dict[str, bytes]:
    """Read bulk data by BulkDataURI, as the metadata have it.

    What is longer than `LARGEST_BULK` is left out, and what comes when `MOST_BULK` is reached.
    """
    found: dict[str, bytes] = {}
    room = MOST_BULK
    table = await archive.index.bulkdata(instance)
    for uri in uris:
        entry = table.get(uri.removeprefix("bulkdata/"))
        if entry is None or entry.encapsulated or entry.length > min(LARGEST_BULK, room):
            continue
        room -= entry.length
        value = await plain.bulk(archive, instance, entry)
        found[uri] = b"".join([bytes(chunk) async for chunk in plain.read(archive, instance, value)])
    return found


async def encoded(archive: Archive, instance: StoredInstance, frame: int, wanted: Rendition) -> bytes:
    """One frame as a picture file.

    Raises
    ------
    BadPixels
        The frame can not be decoded or shown.
    BadRequest
        The viewport does not fit the image.
    """
    return await archive.workers.once(
        _key(instance, frame, wanted), lambda: _encoded(archive, instance, frame, wanted), len
    )


def ahead(archive: Archive, instance: StoredInstance, frame: int, wanted: Rendition) -> None:
    """Begin with a picture that will be asked for next, if there is a thread for it."""
    archive.workers.ahead(_key(instance, frame, wanted), lambda: _encoded(archive, instance, frame, wanted), len)


def _key(instance: StoredInstance, frame: int, wanted: Rendition) -> Hashable:
    return "picture", VERSION, representation.digest(instance), frame, wanted


async def _encoded(archive: Archive, instance: StoredInstance, frame: int, wanted: Rendition) -> bytes:
    description = await describe(archive, instance)
    if kind(instance) is Kind.VIDEO:
        shown, profile = await drawn(archive, instance, description, frame, wanted)
        return await archive.workers.run(
            lambda: picture.encode(shown, wanted.media_type, quality=wanted.quality, profile=profile)
        )
    found = await subject(archive, instance, description, frame, overlays=wanted.overlays)
    async with stored_frames.turn(archive, instance):
        stored = await stored_frames.read(archive, instance, frame)
        return await archive.workers.run(rendition.encoded, stored, found, wanted)  # in one go: most pictures are these


async def drawn(
    archive: Archive, instance: StoredInstance, description: Description, frame: int, wanted: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    """One frame as pixels of 8 bits, and the ICC profile to embed. Raises as `encoded`."""
    found = await subject(archive, instance, description, frame, overlays=wanted.overlays)
    if kind(instance) is Kind.VIDEO:
        return await videos.picture(archive, instance, found, wanted)
    async with stored_frames.turn(archive, instance):
        stored = await stored_frames.read(archive, instance, frame)
        return await archive.workers.run(rendition.drawn, stored, found, wanted)


async def slide(archive: Archive, instance: StoredInstance, wanted: Rendition) -> bytes:
    """A whole slide image, or the region of it that the viewport wants, as a picture file.

    Raises
    ------
    BadRequest, PayloadTooLarge
        As `mosaic.plan`.
    BadPixels
        A tile can not be decoded.
    """
    return await archive.workers.once(_key(instance, 0, wanted), lambda: _slide(archive, instance, wanted), len)


async def _slide(archive: Archive, instance: StoredInstance, wanted: Rendition) -> bytes:
    description = await describe(archive, instance)
    tiles = description.mosaic
    if tiles is None:
        return await _encoded(archive, instance, representative(instance), wanted)
    region, factor = mosaic.plan(tiles, wanted.viewport)
    pixels = (region.right - region.left) * (region.lower - region.upper) / factor**2
    # A large canvas is held until its last tile is there: few at a time
    async with archive.workers.turn("regions") if pixels > _LARGE_REGION else nullcontext():
        return await _region(archive, instance, description, tiles, region, factor, wanted)


async def _region(
    archive: Archive,
    instance: StoredInstance,
    description: Description,
    tiles: Mosaic,
    region: Fit,
    factor: int,
    wanted: Rendition,
) -> bytes:
    """A region, as `mosaic.plan` has it, put together of its tiles."""
    first = await subject(archive, instance, description, 1, overlays=wanted.overlays)
    canvas = mosaic.canvas(region, factor, description.image.samples_per_pixel, description.attributes)
    covered = [tile for tile in tiles.tiles(region) if tile.frame <= instance.frames]
    stored: list[tuple[Tile, bytes]] = []

    def paste() -> None:
        for tile, frame in stored:
            mosaic.paste(canvas, tiles, tile, rendition.whole(frame, replace(first, frame=tile.frame), wanted))

    at_once = min(max(stored_frames.LONG // max(stored_frames.length(instance), 1), 1), _TILES_AT_ONCE)
    for start in range(0, len(covered), at_once):
        async with stored_frames.turn(archive, instance):
            stored[:] = [
                (tile, await stored_frames.read(archive, instance, tile.frame))
                for tile in covered[start : start + at_once]
            ]
            await archive.workers.run(paste)
            del stored[1:]

    def finish() -> bytes:
        shown = mosaic.finished(canvas, region, wanted.viewport)
        one = replace(first, image=replace(first.image, number_of_frames=1))  # nobody asked for a frame
        shown, profile = rendition.finished(shown, stored[0][1] if stored else b"", one, wanted)
        return picture.encode(shown, wanted.media_type, quality=wanted.quality, profile=profile)

    return await archive.workers.run(finish)


def representative(instance: StoredInstance) -> int:
    """The frame that stands for all: the middle one."""
    return (instance.frames + 1) // 2


def not_shown(instance: StoredInstance) -> str:
    """Why an Instance is no image that can be shown, in a sentence."""
    if instance.pixel_problem:
        return instance.pixel_problem
    if instance.pixel_tag:
        return f"Frames in the Transfer Syntax {instance.transfer_syntax_uid} can not be decoded."
    return "The Instance is no image, and there is no rendering of its kind."


def hundredths(attributes: Attributes, numbers: Sequence[int]) -> list[int]:
    """How long each of these frames of an animation is shown, in 1/100 s: `milliseconds`, from 20 to 10,000."""
    return [min(max(round(one / 10), 2), 1000) for one in milliseconds(attributes, numbers)]


def milliseconds(attributes: Attributes, numbers: Sequence[int]) -> list[float]:
    """How long each of these frames is shown.

    By Frame Time Vector (0018,1065), Frame Time (0018,1063), Recommended Display Frame Rate (0008,2144) or Cine Rate
    (0018,0040); else 1/10 s.
    """
    vector = elements.numbers(attributes, "00181065")
    time = elements.number(attributes, "00181063") or 0.0
    if time <= 0:
        rate = elements.number(attributes, "00082144") or elements.number(attributes, "00180040") or 0.0
        time = 1000 / rate if rate > 0 else 100.0
    # Each of the vector is the time since the frame before, so that the last one lasts as long as the one before
    times = [vector[min(number, len(vector) - 1)] if len(vector) > 1 else time for number in numbers]
    return [one if one > 0 else time for one in times]

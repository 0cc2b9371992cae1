"""Retrieve Bulkdata and Pixel Data — PS3.18 §10.4, Tables 10.4.1-1 (CP 2040) and 8.7.3-4, 8.7.3-5.

Request   GET …/instances/{instance}/bulkdata/{path}, as BulkDataURI in the metadata says; …/bulkdata and
          …/pixeldata of a Study, Series or Instance.
Behavior  One value is one byte range of the stored Instance. Compressed pixel data comes frame by frame, a video
          and everything native as one value, little endian; pixel data is converted where that is asked for.
Response  200 with one part per value (or frame), or a single part for one value, which may be asked for by Range;
          206 with a Warning when the pixel data of some Instances can not be sent acceptably, 406 when none can.
          Damaged pixel data among that of several Instances goes out as it is stored, when it should be converted.

``*/*`` is the standard's default, multipart. A request with Range (a video element that seeks) and a browser's address
bar (text/html in Accept) get one value as a single part; an Encapsulated Document has the type that it says it has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import structlog

from skiagraph.errors import NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels.image import BadPixels
from skiagraph.services import conversion, plain, representation, stored_frames
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation, Version
from skiagraph.standard import dicom_json, media_types
from skiagraph.standard.header import Bulk
from skiagraph.values import ByteRange, Level, ResourcePath
from skiagraph.wire.accept import Choice, Offer, bulkdata_offers, for_instance
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.transaction import Transaction

log = structlog.get_logger("retrieve")

PIXEL_DATA = "pixeldata"
"""The key of the top-level pixel data among the bulk data of an Instance, and its resource below the Instance."""

_ENCAPSULATED_DOCUMENT = "00420011"
_FRAMES_AT_ONCE = 1000


async def retrieve_value(archive: Archive, request: Request) -> Response:
    """GET one value by the path that its BulkDataURI has."""
    instance = await archive.index.locate(representation.resource(request))
    path = request.parameters["path"].strip("/").upper()
    if path == instance.pixel_tag and path:
        return await _pixel_data_of(archive, request, instance)
    found = (await archive.index.bulkdata(instance)).get(path)
    if found is None:
        raise ResourceNotFound("The Instance has no bulk data value at this path; the metadata has the URLs of all.")
    mime_type = await _document_type(archive, instance) if path == _ENCAPSULATED_DOCUMENT else None
    choice = representation.negotiate(archive, request, bulkdata_offers(None, single=True, mime_type=mime_type))
    version = representation.version_of(instance, choice.offer, path)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    location = f"{representation.url(request, instance.path)}/bulkdata/{path}"
    part = await _value(archive, instance, found, choice.offer, location)
    if choice.multipart:
        return await representation.multipart(request, [part], version)
    return await representation.single(request, part, version)


async def everything(archive: Archive, request: Request, path: ResourcePath | None = None) -> Response:
    """GET all bulk data of a Study, Series or Instance."""
    return await _all(archive, request, path or representation.resource(request), _bulk_data, others=True)


async def retrieve_pixel_data(archive: Archive, request: Request) -> Response:
    """GET the top-level pixel data of a Study, Series or Instance."""
    path = representation.resource(request)
    if path.level is not Level.INSTANCE:
        return await _all(archive, request, path, _pixel_data, others=False)
    instance = await archive.index.locate(path)
    if not instance.pixel_tag:
        raise ResourceNotFound("The Instance has no pixel data.")
    return await _pixel_data_of(archive, request, instance)


# One Instance


async def _pixel_data_of(archive: Archive, request: Request, instance: StoredInstance) -> Response:
    """The pixel data of one Instance: one value, unless it is compressed frames."""
    choice = representation.negotiate(archive, request, _offers(instance, conversion.possible(instance, bare=True)))
    if conversion.in_doubt(choice.offer):
        conversions = await conversion.certain(archive, instance, bare=True)
        choice = representation.negotiate(archive, request, _offers(instance, conversions))
    version = representation.version_of(instance, choice.offer, PIXEL_DATA)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    url = representation.url(request, instance.path)
    parts = _represent(archive, instance, choice.offer, url)
    try:
        part = await anext(parts)
    except BadPixels as error:
        choice = conversion.among_stored(archive, request, error, _offers(instance, ()))
        version = representation.version_of(instance, choice.offer, PIXEL_DATA)
        parts = _represent(archive, instance, choice.offer, url)
        part = await anext(parts)
    if not _is_one(instance, choice.offer):
        return await representation.multipart(request, representation.before(part, parts), version)
    if choice.multipart:
        return await representation.multipart(request, [part], version)
    return await representation.single(request, part, version)


def _offers(instance: StoredInstance, conversions: conversion.Conversions) -> tuple[Offer, ...]:
    """What the pixel data of one Instance can be sent as; as a single part where that is one value by its nature."""
    offers = bulkdata_offers(instance.transfer_syntax_uid, conversion.giving(conversions), single=True)
    return tuple(offer for offer in offers if offer.multipart or _is_one(instance, offer))


def _is_one(instance: StoredInstance, offer: Offer) -> bool:
    """Whether the pixel data is one value: native, a video, or one frame."""
    if instance.video or instance.frames <= 1:
        return True
    if offer.stored:
        return not instance.encapsulated
    return media_types.is_native(offer.transfer_syntax_uid or "")


async def _pixel_data(
    archive: Archive, instance: StoredInstance, choice: Choice, url: str
) -> AsyncIterator[Representation]:
    """The parts of an Instance's pixel data; none when it has none, or none that is acceptable."""
    if not instance.pixel_tag:
        return
    offer = _take(instance.transfer_syntax_uid, conversion.possible(instance, bare=True), choice)
    if conversion.in_doubt(offer):
        conversions = await conversion.certain(archive, instance, bare=True)
        offer = _take(instance.transfer_syntax_uid, conversions, choice)
    if offer is None:
        return
    parts = _represent(archive, instance, offer, url)
    try:
        first = await anext(parts)
    except NoAcceptableRepresentation as error:
        # The neighbours shall not suffer for damaged pixels: they go out as they are, under their true name
        log.warning("sent as stored", sop_instance_uid=instance.path.sop_instance_uid, reason=error.message)
        stored = bulkdata_offers(instance.transfer_syntax_uid, single=not choice.multipart)
        parts = _represent(archive, instance, stored[0], url)
        first = await anext(parts)
    async for part in representation.before(first, parts):
        yield part


def _take(uid: str, conversions: conversion.Conversions, choice: Choice) -> Offer | None:
    return for_instance(choice, bulkdata_offers(uid, conversion.giving(conversions), single=not choice.multipart))


async def _represent(
    archive: Archive, instance: StoredInstance, offer: Offer, url: str
) -> AsyncIterator[Representation]:
    location = f"{url}/{PIXEL_DATA}"
    make = stored_frames.represent
    if not conversion.is_stored(instance, offer):
        if _is_one(instance, offer) and media_types.is_native(offer.transfer_syntax_uid or ""):
            yield await conversion.represent_whole(archive, instance, offer, location)
            return
        make = conversion.represent
    elif not instance.encapsulated:
        yield _representation(archive, instance, await plain.pixels(archive, instance), offer, location)
        return
    elif not instance.frames:
        # Frames can not be told apart: the whole stream is still of use
        span = ByteRange(instance.pixel_offset, instance.pixel_length)
        yield _representation(archive, instance, await plain.encapsulated(archive, instance, span), offer, location)
        return
    if instance.video or instance.frames == 1:
        (part,) = await make(archive, instance, [1], offer, url)
        yield replace(part, location=location)
        return
    for first in range(1, instance.frames + 1, _FRAMES_AT_ONCE):
        numbers = range(first, min(first + _FRAMES_AT_ONCE, instance.frames + 1))
        for part in await make(archive, instance, numbers, offer, url):
            yield part


async def _bulk_data(
    archive: Archive, instance: StoredInstance, choice: Choice, url: str
) -> AsyncIterator[Representation]:
    """All bulk data values of an Instance that are acceptable, pixel data included."""
    offer = for_instance(choice, bulkdata_offers(None))
    for path, found in (await archive.index.bulkdata(instance)).items():
        if path == PIXEL_DATA:
            async for part in _pixel_data(archive, instance, choice, url):
                yield part
        elif offer is not None:
            yield await _value(archive, instance, found, offer, f"{url}/bulkdata/{path}")


async def _value(
    archive: Archive, instance: StoredInstance, found: Bulk, offer: Offer, location: str
) -> Representation:
    return _representation(archive, instance, await plain.bulk(archive, instance, found), offer, location)


def _representation(
    archive: Archive, instance: StoredInstance, value: plain.Value, offer: Offer, location: str
) -> Representation:
    def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        return plain.read(archive, instance, value, part)

    return Representation(offer.content_type, location, value.length, read)


async def _document_type(archive: Archive, instance: StoredInstance) -> str | None:
    """MIME Type of Encapsulated Document (0042,0012), where it is one."""
    found = await representation.attributes(archive, instance)
    values = found.get("00420012", {}).get("Value") or [None]
    return values[0] if isinstance(values[0], str) else None


# Many Instances

Parts = Callable[[Archive, StoredInstance, Choice, str], AsyncIterator[Representation]]


async def _all(archive: Archive, request: Request, path: ResourcePath, parts: Parts, *, others: bool) -> Response:
    """One answer for all Instances below the path.

    Parameters
    ----------
    others
        Values other than top-level pixel data are asked for too.
    """
    token = await archive.index.version(path)
    pixels: dict[tuple[str, conversion.Conversions], int] = {}
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            if instance.pixel_tag:
                kind = instance.transfer_syntax_uid, conversion.possible(instance, bare=True)
                pixels[kind] = pixels.get(kind, 0) + 1
    offers = dict.fromkeys(
        offer for uid, conversions in pixels for offer in bulkdata_offers(uid, conversion.giving(conversions))
    )
    if others or not offers:
        offers |= dict.fromkeys(bulkdata_offers(None))
    if not pixels and not others:
        raise ResourceNotFound("No Instance of this resource has pixel data.")
    choice = representation.negotiate(archive, request, tuple(offers))
    if any(conversion.in_doubt(_take(*kind, choice)) for kind in pixels):
        pixels = await _certain(archive, path)
    details = representation.variant(request.headers.get("accept", ""), request.query, str(others))
    version = Version(entity_tag(f"{token}-{details}", weak=True))
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    left_out = sum(count for kind, count in pixels.items() if _take(*kind, choice) is None)
    warning = f"the pixel data of {left_out} of {sum(pixels.values())} instances can not be sent in an acceptable form"
    try:
        return await representation.multipart(
            request,
            _of_all(archive, path, choice, request.base_url, parts),
            version,
            status=206 if left_out else 200,
            warning=warning if left_out else None,
            missing="This resource has no bulk data.",
        )
    except representation.NothingToSend:
        if left_out:
            raise NoAcceptableRepresentation(
                "None of the pixel data can be sent in an acceptable form.", details=tuple(map(str, offers))
            ) from None
        raise


async def _certain(archive: Archive, path: ResourcePath) -> dict[tuple[str, conversion.Conversions], int]:
    """How many Instances with pixel data there are by Transfer Syntax and what they can be converted to."""
    pixels: dict[tuple[str, conversion.Conversions], int] = {}
    async for documents in await archive.index.documents(path):
        for instance, document in documents:
            if instance.pixel_tag:
                conversions = conversion.convertible(archive, instance, dicom_json.decode(document), bare=True)
                kind = instance.transfer_syntax_uid, conversions
                pixels[kind] = pixels.get(kind, 0) + 1
    return pixels


async def _of_all(
    archive: Archive, path: ResourcePath, choice: Choice, base_url: str, parts: Parts
) -> AsyncIterator[Representation]:
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            async for part in parts(archive, instance, choice, f"{base_url}/{instance.path}"):
                yield part


_STATUSES = frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416})
_MANY = tuple(f'multipart/related; type="{name}"' for name in ("application/octet-stream", "image/*", "video/*"))
_ONE = (*_MANY, "application/octet-stream", "image/*", "video/*")
_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"


def _row(
    name: str, template: str, media_types: tuple[str, ...], handler: Callable[[Archive, Request], Awaitable[Response]]
) -> Transaction:
    return Transaction(name, "10.4", "GET", template, "read", _STATUSES, media_types, handler)


TRANSACTIONS: tuple[Transaction, ...] = (
    _row("Retrieve Bulkdata", _INSTANCE + "/bulkdata/{path*}", _ONE, retrieve_value),
    _row("Retrieve Study Bulkdata", _STUDY + "/bulkdata", _MANY, everything),
    _row("Retrieve Series Bulkdata", _SERIES + "/bulkdata", _MANY, everything),
    _row("Retrieve Instance Bulkdata", _INSTANCE + "/bulkdata", _MANY, everything),
    _row("Retrieve Study Pixel Data", _STUDY + "/pixeldata", _MANY, retrieve_pixel_data),
    _row("Retrieve Series Pixel Data", _SERIES + "/pixeldata", _MANY, retrieve_pixel_data),
    _row("Retrieve Instance Pixel Data", _INSTANCE + "/pixeldata", _ONE, retrieve_pixel_data),
)

"""Retrieve Frames — PS3.18 §10.4, the Frames resource of Table 10.4.1-1.

Request   GET …/instances/{instance}/frames/{frames}: numbers from 1, separated by commas, in any order.
Behavior  One look-up and one byte range per frame. Native frames are little endian values, compressed ones the bare
          stream (§8.7.3.3), as stored or converted to a Transfer Syntax that is asked for.
Response  200 with one part per frame in the order asked for, or a single part for one frame; 404, and nothing sent,
          when one of them does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels.image import BadPixels
from skiagraph.services import conversion, representation
from skiagraph.services.archive import Archive
from skiagraph.services.stored_frames import represent as represent  # of frames as they are stored
from skiagraph.wire.accept import Offer, available, bulkdata_offers
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

_NUMBER = re.compile(r"[1-9][0-9]*", re.ASCII)
_NAMED = 20
"""Most frames that an error names."""


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a list of frames."""
    numbers = parse(request.parameters["frames"], archive.settings.max_frames_in_list)
    instance = await archive.index.locate(representation.resource(request))
    url = representation.url(request, instance.path)
    one = len(numbers) == 1
    offers = _offers(instance, conversion.possible(instance, bare=True), single=one)
    check(instance, numbers, offers)
    _refuse_videos(instance, offers)
    choice = representation.negotiate(archive, request, offers)
    if conversion.in_doubt(choice.offer):
        offers = _offers(instance, await conversion.certain(archive, instance, bare=True), single=one)
        choice = representation.negotiate(archive, request, offers)
    version = representation.version_of(instance, choice.offer, request.parameters["frames"])
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    if conversion.is_stored(instance, choice.offer):
        parts = await represent(archive, instance, numbers, choice.offer, url)
    else:
        try:
            parts = await conversion.represent(archive, instance, numbers, choice.offer, url)
        except BadPixels as error:
            choice = conversion.among_stored(archive, request, error, _offers(instance, (), single=one))
            version = representation.version_of(instance, choice.offer, request.parameters["frames"])
            parts = await represent(archive, instance, numbers, choice.offer, url)
    if choice.multipart:
        return await representation.multipart(request, parts, version)
    return await representation.single(request, parts[0], version)


def _offers(instance: StoredInstance, conversions: conversion.Conversions, *, single: bool) -> tuple[Offer, ...]:
    return bulkdata_offers(instance.transfer_syntax_uid, conversion.giving(conversions), single=single)


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


def _refuse_videos(instance: StoredInstance, offers: Sequence[Offer]) -> None:
    """Raise NoAcceptableRepresentation for frames of a video stream, which are no values of their own."""
    if instance.video and instance.frames > 1:
        raise NoAcceptableRepresentation(
            "Single frames can not be cut out of a video stream. The whole stream is the resource …/pixeldata, and"
            " …/rendered below the frame a picture of it.",
            details=available(offers),
        )


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

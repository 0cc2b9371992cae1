"""Retrieve Rendered — PS3.18 §10.4, the Rendered resources of Table 10.4.1-1; parameters of §8.3.5.1.

Request   GET …/rendered of a Study, Series, Instance or list of frames.
Behavior  Frames go through the pipeline of PS3.4 N.2 and leave as pictures of 8 bits; waveforms are plotted; SR
          documents are pages, plain text or XML; Encapsulated Documents as they are.
Response  200 with one picture, an animation, or multipart/related of one picture per frame; 206 with a Warning when
          some Instances of a Study or Series are not rendered, 406 when none is.

One frame is a single part, image/jpeg by default. A multi-frame Instance has no default in the standard: ``*/*`` gets
an animated image/gif of all frames, image/gif by name too, any other type by name the middle frame; multipart has all.
A stored video is video/mp4 by default, a multi-frame image by name or with Range, as it can be sought; videos have
animations and pictures as images do. A list of frames is multipart by default, animated as a single image/gif. A whole
slide image is one picture, put together of the tiles that the viewport needs; multipart has its tiles. The same request
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import NoAcceptableRepresentation, PayloadTooLarge
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import annotate, picture, viewport
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import documents, films, frames, pictures, presentation, reports, representation, waveforms
from skiagraph.services.archive import Archive
from skiagraph.services.pictures import Kind
from skiagraph.services.representation import Representation, Version
from skiagraph.services.videos import VideoEnds
from skiagraph.standard.media_types import RELATED
from skiagraph.values import ByteRange, Level, ResourcePath
from skiagraph.wire import query
from skiagraph.wire.accept import Choice, Offer, for_instance, refuse_dicom, rendered_offers
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.rendering_query import RenderingQuery, parse_rendered
from skiagraph.wire.transaction import Transaction

_ANIMATED_FIRST = (picture.GIF, *(name for name in picture.MEDIA_TYPES if name != picture.GIF))
_FILM_FIRST = (picture.MP4, *_ANIMATED_FIRST)


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a Study, Series or Instance as pictures."""
    asked = parse_rendered(request.query)
    path = representation.resource(request)
    if path.level is Level.INSTANCE:
        response = await _instance(archive, request, await archive.index.locate(path), asked)
    else:
        response = await _instances(archive, request, path, asked)
    return warned(request, response, asked)


async def retrieve_frames(archive: Archive, request: Request) -> Response:
    """GET a list of frames as pictures."""
    asked = parse_rendered(request.query)
    numbers = frames.parse(request.parameters["frames"], archive.settings.max_frames_in_list)
    instance = await archive.index.locate(representation.resource(request))
    presentation.refuse_frames(instance)
    if len(numbers) == 1:
        offers = rendered_offers(picture.MEDIA_TYPES, single=True)
    else:
        offers = (*rendered_offers(picture.MEDIA_TYPES, single=False), Offer(picture.GIF))
    frames.check(instance, numbers, offers)
    _refuse_what_is_no_image(instance)
    choice = negotiate(archive, request, offers)
    response = await _frames(archive, request, instance, numbers, choice, asked)
    return warned(request, response, asked)


def negotiate(archive: Archive, request: Request, offers: tuple[Offer, ...]) -> Choice:
    """Choose among rendered media types.

    Raises
    ------
    NoAcceptableRepresentation
        None of them is acceptable.
    BadRequest
        DICOM media types are asked for beside them (§8.7.5).
    """
    refuse_dicom(request.headers.get("accept"), query.accept(request.query))
    return representation.negotiate(archive, request, offers)


def version_of(instance: StoredInstance, choice: Choice, *details: object) -> Version:
    """Version of pictures of one Instance; multipart has a boundary of its own each time."""
    return Version(
        entity_tag(f"{representation.digest(instance)}-{variant(choice.offer, *details)}", weak=choice.multipart),
        instance.stored_at,
    )


def variant(*details: object) -> str:
    """A short name for one of several renderings, which nobody can forge."""
    text = "|".join(map(str, (pictures.VERSION, *details)))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=9).hexdigest()


def warned(request: Request, response: Response, asked: RenderingQuery) -> Response:
    """The response with what had to be ignored (§8.3, §8.3.5.1.1)."""
    if asked.unsupported_annotation:
        values = ", ".join(asked.unsupported_annotation)
        sentence = f"The following annotation values are not supported: {values}"
        response.headers.append(("warning", f"299 {request.base_url}: {sentence}"))
    if asked.unknown:
        names = ", ".join(name if name.isidentifier() and name.isascii() else "?" for name in asked.unknown[:10])
        response.headers.append(("warning", f"299 {request.base_url}: Unknown parameters were ignored: {names}."))
    return response


# One Instance


async def _instance(archive: Archive, request: Request, instance: StoredInstance, asked: RenderingQuery) -> Response:
    kind = pictures.kind(instance)
    if kind is Kind.DOCUMENT:
        return await documents.retrieve(archive, request, instance)
    if reports.is_report(instance):
        return await reports.retrieve(archive, request, instance)
    if presentation.is_state(instance):
        return await presentation.retrieve(archive, request, instance, asked)
    if waveforms.is_waveform(instance):
        return await waveforms.retrieve(archive, request, instance, asked)
    _refuse_what_is_no_image(instance)
    slide = pictures.is_slide(instance)
    if not films.can_be_made(instance):
        names: tuple[str, ...] = picture.MEDIA_TYPES
    elif kind is Kind.VIDEO or "range" in request.headers:  # a video element that takes anything asks so
        names = _FILM_FIRST
    else:
        names = (*_ANIMATED_FIRST, picture.MP4)
    choice = negotiate(archive, request, rendered_offers(names, single=True))
    numbers: Sequence[int] = range(1, instance.frames + 1)
    if not choice.multipart and (slide or choice.offer.media_type != picture.GIF):
        numbers = [pictures.representative(instance)]
    return await _frames(archive, request, instance, numbers, choice, asked, whole=True)


def _refuse_what_is_no_image(instance: StoredInstance) -> None:
    if not pictures.can_be_shown(instance):
        raise NoAcceptableRepresentation(pictures.not_shown(instance))


async def _frames(
    archive: Archive,
    request: Request,
    instance: StoredInstance,
    numbers: Sequence[int],
    choice: Choice,
    asked: RenderingQuery,
    *,
    whole: bool = False,
) -> Response:
    """Answer with one picture, an animation, or one part per frame.

    Parameters
    ----------
    whole
        The target is the Instance and not a list of frames.
    """
    wanted = pictures.rendition_of(asked, choice.offer.media_type)
    version = version_of(instance, choice, wanted, "all" if whole else request.parameters["frames"])
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    url = representation.url(request, instance.path)
    if wanted.media_type == picture.MP4 and not choice.multipart:
        return await films.retrieve(archive, request, instance, wanted, version)
    if choice.multipart:
        return await representation.multipart(request, _parts(archive, instance, numbers, wanted, url), version)
    location = url if whole else f"{url}/frames/{request.parameters['frames']}"
    if len(numbers) > 1:
        animation = await _animation(archive, instance, numbers, wanted, location)
        return await representation.single(request, animation, version)

    def one() -> Awaitable[bytes]:
        if whole and pictures.is_slide(instance):
            return pictures.slide(archive, instance, wanted)
        return pictures.encoded(archive, instance, numbers[0], wanted)

    if request.method == "HEAD":
        return await representation.single(request, representation.lazily(one, wanted.media_type, location), version)
    return await representation.single(
        request, representation.made(await one(), choice.offer.content_type, location), version
    )


async def _parts(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], wanted: Rendition, url: str
) -> AsyncIterator[Representation]:
    """One part per frame, each made when it is its turn and the next one meanwhile.

    A frame that is damaged does not take the others with it: its part is text, and says why. Of all frames of a video
    that ends early, the first one that is missing says so.
    """
    if wanted.media_type == picture.MP4:
        yield await _film(archive, instance, wanted, url)
        return
    end = math.inf
    for place, number in enumerate(numbers):
        if number >= end:
            continue
        if place + 1 < len(numbers) and not instance.video:  # a video is read in one row
            pictures.ahead(archive, instance, number, wanted)
            pictures.ahead(archive, instance, numbers[place + 1], wanted)
        location = url if instance.frames == 1 else f"{url}/frames/{number}"
        try:
            data = await pictures.encoded(archive, instance, number, wanted)
            yield representation.made(data, wanted.media_type, location)
        except (BadPixels, PayloadTooLarge) as error:
            if isinstance(error, PayloadTooLarge) and not place:
                raise
            yield representation.made(f"{error.message}\n".encode(), _DAMAGED, location)
            if isinstance(error, VideoEnds) and isinstance(numbers, range):
                end = number


_DAMAGED = "text/plain; charset=utf-8"


async def _film(archive: Archive, instance: StoredInstance, wanted: Rendition, url: str) -> Representation:
    """All frames as one video; text that says why where it can not be made."""
    try:
        return films.represent(await films.find(archive, instance, wanted), url)
    except (BadPixels, PayloadTooLarge) as error:
        return representation.made(f"{error.message}\n".encode(), _DAMAGED, url)


async def _animation(
    archive: Archive, instance: StoredInstance, numbers: Sequence[int], wanted: Rendition, location: str
) -> Representation:
    """All frames in one animated GIF, made while it is sent; in the place of one that is damaged it is said why.

    Raises
    ------
    BadPixels, BadRequest, PayloadTooLarge
        There can be no frames of that size.
    """
    description = await pictures.describe(archive, instance)
    fitted = viewport.fit(description.image.columns, description.image.rows, wanted.viewport)
    times = pictures.hundredths(description.attributes, numbers)

    async def drawn(number: int, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        try:
            return (await pictures.drawn(archive, instance, description, number, wanted))[0]
        except (BadPixels, PayloadTooLarge) as error:
            if size is None or isinstance(error, VideoEnds):
                raise
            text = f"Frame {number} can not be shown. {error.message}"
            return await archive.workers.run(annotate.notice, *size, text)

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        # The frames of a video are of the size that the stream says
        size = None if instance.video else (fitted.width, fitted.height)
        begun, end = False, math.inf
        for place, number in enumerate(numbers):
            if number >= end:
                continue
            try:
                shown = await drawn(number, size)
            except VideoEnds:
                if not begun:
                    raise
                end = number
                continue
            size = shown.shape[1], shown.shape[0]
            data = await archive.workers.run(picture.animation_frame, shown, times[place])
            yield data if begun else picture.animation_head(*size) + data
            begun = True
        yield picture.ANIMATION_END

    return Representation(picture.GIF, location, None, read)


# Many Instances


async def _instances(archive: Archive, request: Request, path: ResourcePath, asked: RenderingQuery) -> Response:
    token = await archive.index.version(path)
    kinds: Counter[str | None] = Counter()
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            kinds[await _kind(archive, instance)] += 1
    offers = tuple(dict.fromkeys(offer for kind in kinds for offer in _offers(kind)))
    if not offers:
        raise NoAcceptableRepresentation(
            "None of the Instances can be rendered: no image, waveform, report or document is among them."
        )
    choice = negotiate(archive, request, offers)
    details = variant(request.headers.get("accept", ""), query.accept(request.query), asked)
    version = Version(entity_tag(f"{token}-{details}", weak=True))
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    for kind in _SHOWN.intersection(kinds):
        offer = for_instance(choice, _offers(kind))
        if offer is not None:
            pictures.rendition_of(asked, offer.media_type)  # raises, if it does, before the status
    left_out = sum(count for kind, count in kinds.items() if for_instance(choice, _offers(kind)) is None)
    return await representation.multipart(
        request,
        _of_all(archive, path, choice, asked, request.base_url),
        version,
        status=206 if left_out else 200,
        warning=f"{left_out} of {kinds.total()} instances can not be rendered acceptably" if left_out else None,
    )


_IMAGE = "image/*"
_FRAMES = "image/*, video/*"
_VIDEO = "video/*, image/*"
_SHOWN = frozenset({_IMAGE, _FRAMES, _VIDEO})
_REPORT = "text/*"
_WAVEFORM = "waveform"


async def _kind(archive: Archive, instance: StoredInstance) -> str | None:
    """Media type of a document, or those of all images, videos or reports; None for what is not rendered."""
    if pictures.can_be_shown(instance):
        if instance.video:
            return _VIDEO
        return _FRAMES if films.can_be_made(instance) else _IMAGE
    if waveforms.is_waveform(instance):
        return _WAVEFORM if await waveforms.can_be_shown(archive, instance) else None
    if reports.is_report(instance):
        return _REPORT if await reports.has_content(archive, instance) else None
    found = await documents.find(archive, instance) if pictures.kind(instance) is Kind.DOCUMENT else None
    return None if found is None else found.media_type


def _offers(kind: str | None) -> tuple[Offer, ...]:
    if kind is None:
        return ()
    names = {
        _IMAGE: picture.MEDIA_TYPES,
        _FRAMES: (*picture.MEDIA_TYPES, picture.MP4),
        _VIDEO: (picture.MP4, *picture.MEDIA_TYPES),
        _REPORT: reports.MEDIA_TYPES,
        _WAVEFORM: picture.MEDIA_TYPES,
    }
    return rendered_offers(names.get(kind, (kind,)), single=False)


async def _of_all(
    archive: Archive, path: ResourcePath, choice: Choice, asked: RenderingQuery, base_url: str
) -> AsyncIterator[Representation]:
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            url = f"{base_url}/{instance.path}"
            kind = await _kind(archive, instance)
            offer = for_instance(choice, _offers(kind))
            if offer is None:
                continue
            if kind in _SHOWN:
                wanted = pictures.rendition_of(asked, offer.media_type)
                async for part in _parts(archive, instance, range(1, instance.frames + 1), wanted, url):
                    yield part
            elif kind == _WAVEFORM:
                yield await waveforms.represent(archive, instance, pictures.rendition_of(asked, offer.media_type), url)
            elif kind == _REPORT:
                report = await reports.represent(archive, instance, offer.media_type, base_url)
                if report is not None:
                    yield report
            else:
                document = await documents.find(archive, instance)
                if document is not None:
                    yield documents.represent(archive, instance, document, url)


_STATUSES = frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416})
_ONE = picture.MEDIA_TYPES
_MANY_FRAMES = tuple(f'{RELATED}; type="{name}"' for name in picture.MEDIA_TYPES)
_MANY = (*_MANY_FRAMES, f'{RELATED}; type="{picture.MP4}"')
_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction("Retrieve Rendered Study", "10.4", "GET", _STUDY + "/rendered", "read", _STATUSES, _MANY, retrieve),
    Transaction("Retrieve Rendered Series", "10.4", "GET", _SERIES + "/rendered", "read", _STATUSES, _MANY, retrieve),
    Transaction(
        "Retrieve Rendered Instance",
        "10.4",
        "GET",
        _INSTANCE + "/rendered",
        "read",
        _STATUSES,
        (*_ONE, picture.MP4, *_MANY, *reports.MEDIA_TYPES),
        retrieve,
    ),
    Transaction(
        "Retrieve Rendered Frames",
        "10.4",
        "GET",
        _INSTANCE + "/frames/{frames}/rendered",
        "read",
        _STATUSES,
        (*_ONE, *_MANY_FRAMES),
        retrieve_frames,
    ),
)

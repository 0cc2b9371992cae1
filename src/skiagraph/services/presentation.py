"""Presentation states as pictures of what they refer to — PS3.18 §8.3.5.1.6, for §9.5 and §10.4.

Request   GET …/rendered of a presentation state; or of an image by the URI Service with `presentationUID`.
Behavior  The images that the state refers to, as far as they are in this archive, go through the pipeline of PS3.4 N.2
          with the transformations of the state in place of their own.
Response  One picture is a single part, several are multipart in the order of §8.3.5.1.6; what is missing is said in a
          Warning, and 206 with multipart. 406 when nothing can be shown.

Grayscale, Color, Pseudo-Color and Blending Softcopy Presentation States are applied, no others. As a single part,
several pictures are an animated image/gif, or the middle one of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import BadRequest
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import annotate, picture, viewport
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import blending, present
from skiagraph.pixels.presentation.blending import Blend, Slice
from skiagraph.pixels.presentation.present import Target
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import pictures, presentation_images, representation, stored_frames
from skiagraph.services.archive import Archive
from skiagraph.services.presentation_images import Found, Shown, find
from skiagraph.services.representation import Representation, Version
from skiagraph.standard.rendering import Viewport
from skiagraph.values import ByteRange
from skiagraph.wire import query
from skiagraph.wire.accept import Offer, refuse_dicom, rendered_offers
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.rendering_query import RenderingQuery, check_presentation_state

_STATES: Final = "1.2.840.10008.5.1.4.1.1.11."
_DAMAGED: Final = "text/plain; charset=utf-8"


def is_state(instance: StoredInstance) -> bool:
    """Whether an Instance is a presentation state of any kind."""
    return instance.sop_class_uid.startswith(_STATES)


def refuse_frames(instance: StoredInstance) -> None:
    """Raise BadRequest where frames of a presentation state are asked for (§8.3.5.1.6)."""
    if is_state(instance):
        raise BadRequest("Frames of a presentation state can not be asked for: …/rendered gives all that it shows.")


async def retrieve(archive: Archive, request: Request, instance: StoredInstance, asked: RenderingQuery) -> Response:
    """Answer a request for the rendered form of a presentation state.

    Raises
    ------
    BadRequest
        A window or a source region is asked for, or DICOM media types beside rendered ones.
    NoAcceptableRepresentation
        It is of another kind, nothing that it refers to can be shown, or none of the media types is acceptable.
    """
    check_presentation_state(asked)
    found = await find(archive, instance)
    refuse_dicom(request.headers.get("accept"), query.accept(request.query))
    if len(found.shown) == 1:
        offers = rendered_offers(picture.MEDIA_TYPES, single=True)
    else:
        others = (name for name in picture.MEDIA_TYPES if name != picture.GIF)
        offers = rendered_offers(picture.MEDIA_TYPES, single=False)
        offers = (*offers, Offer(picture.GIF), *map(Offer, others))
    choice = representation.negotiate(archive, request, offers)
    wanted = pictures.rendition_of(asked, choice.offer.media_type)
    version = _version(found, wanted, multipart=choice.multipart)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    if choice.multipart:
        return await representation.multipart(
            request,
            _parts(archive, found, wanted, request.base_url),
            version,
            status=206 if found.left_out else 200,
            warning=found.warning,
        )
    location = representation.url(request, instance.path)
    if len(found.shown) > 1 and choice.offer.media_type == picture.GIF:
        response = await representation.single(request, _animation(archive, found, wanted, location), version)
    else:
        response = await retrieve_one(archive, request, found, asked, choice.offer.media_type, location)
    if found.warning is not None:
        response.headers.append(("warning", f"299 {request.base_url}: {found.warning}"))
    return response


def of_image(found: Found, image: StoredInstance) -> Found:
    """The same for one image alone. Raises BadRequest where the state does not refer to it."""
    shown = tuple(one for one in found.shown if one.instance.id == image.id)
    if not shown:
        raise BadRequest("The presentation state does not refer to this Instance, or can not show it.")
    return replace(found, shown=shown, left_out=Counter())


async def retrieve_one(
    archive: Archive, request: Request, found: Found, asked: RenderingQuery, media_type: str, location: str
) -> Response:
    """Answer with one picture: the middle one of those that are shown. Raises as `encoded`."""
    wanted = pictures.rendition_of(asked, media_type)
    version = _version(found, wanted, multipart=False)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    one = found.shown[middle(found)]
    if request.method == "HEAD":
        part = representation.lazily(lambda: encoded(archive, found, one, wanted), media_type, location)
    else:
        part = representation.made(await encoded(archive, found, one, wanted), media_type, location)
    return await representation.single(request, part, version)


def middle(found: Found) -> int:
    """The picture that stands for all."""
    return (len(found.shown) - 1) // 2


def _version(found: Found, wanted: Rendition, *, multipart: bool) -> Version:
    # The frames are all, or all of one image
    details = f"{found.token}|{pictures.VERSION}|{wanted}|{found.shown[0].instance.id}|{len(found.shown)}"
    token = hashlib.blake2b(details.encode("utf-8", "surrogateescape"), digest_size=18).hexdigest()
    return Version(entity_tag(token, weak=multipart), found.newest)


# Pictures


async def encoded(archive: Archive, found: Found, one: Shown, wanted: Rendition) -> bytes:
    """One frame as the state shows it, as a picture file.

    Raises
    ------
    BadPixels
        It can not be decoded or shown.
    BadRequest, PayloadTooLarge
        The picture would be too large.
    """

    async def make() -> bytes:
        async with _turn(archive, found, one):
            target, stored = await _target(archive, found, one, wanted)
            return await archive.workers.run(present.encoded, stored, target, wanted)

    return await archive.workers.once(_key(found, one, wanted), make, len)


def _turn(archive: Archive, found: Found, one: Shown) -> AbstractAsyncContextManager[None]:
    """What many frames, or long ones, are held for waits in a line."""
    if found.state.superimposed is not None:
        return archive.workers.turn("blending")
    return stored_frames.turn(archive, one.instance)


def _key(found: Found, one: Shown, wanted: Rendition) -> Hashable:
    return "presented", pictures.VERSION, found.token, one.instance.id, one.frame, wanted


async def size(archive: Archive, found: Found) -> tuple[int, int]:
    """Width and height of the middle picture when the request says nothing of them."""
    one = found.shown[middle(found)]
    description = await pictures.describe(archive, one.instance)
    return present.unscaled(found.state, _uid(one), one.frame, description.image)


async def _target(archive: Archive, found: Found, one: Shown, wanted: Rendition) -> tuple[Target, bytes]:
    description = await pictures.describe(archive, one.instance)
    present.placed(found.state, _uid(one), one.frame, description.image, wanted)  # raises, before anything is read
    subject = await pictures.subject(archive, one.instance, description, one.frame, overlays=wanted.overlays)
    stored = await stored_frames.read(archive, one.instance, one.frame)
    blend = await _blend(archive, found, one) if found.state.superimposed is not None else None
    return Target(found.state, subject, _uid(one), blend), stored


def _uid(one: Shown) -> str:
    return one.instance.path.sop_instance_uid or ""


async def _blend(archive: Archive, found: Found, one: Shown) -> Blend:
    """What lies over a frame."""
    superimposed = found.state.superimposed
    assert superimposed is not None, "it is a blending"
    if not found.over:
        return Blend((), None, found.state.opacity)
    mine = await presentation_images.places(archive, one.instance)
    first, stack = await presentation_images.stack(archive, found)
    plane = mine.frames[one.frame - 1].plane
    plane = None if plane is None else await presentation_images.registered(archive, found, plane, mine, first)
    aligned = blending.align(plane, stack, (len(found.number), len(found.over)), same_size=mine.size == first.size)
    if aligned:
        assert plane is not None, "else they are not aligned"
        assert stack is not None, "else they are not aligned"
        numbers, reach = blending.needed(plane, *mine.size, stack), stack.reach
    else:
        numbers, reach, plane = [found.number[one.instance.id, one.frame]], 0.0, None
    slices: list[Slice] = []
    room = pictures.MOST_BULK
    for number in numbers:
        entry = found.over[number]
        description = await pictures.describe(archive, entry.instance)
        subject = await pictures.subject(archive, entry.instance, description, entry.frame, overlays=False)
        stored = await stored_frames.read(archive, entry.instance, entry.frame)
        room -= len(stored)
        if room < 0:
            raise BadPixels(f"The frames that are laid over this one have more than {pictures.MOST_BULK} bytes.")
        voi = superimposed.voi(_uid(entry), entry.frame)
        look = Tones(superimposed.modality, voi, palette=found.state.palette)
        slices.append(Slice(stored, subject, look, stack.planes[number] if stack is not None and aligned else None))
    return Blend(tuple(slices), plane, found.state.opacity, reach)


async def _parts(archive: Archive, found: Found, wanted: Rendition, base_url: str) -> AsyncIterator[Representation]:
    """One part per picture, each made when it is its turn; one that is damaged is text, and says why."""
    for one in found.shown:
        location = f"{base_url}/{one.instance.path}"
        if one.instance.frames > 1:
            location += f"/frames/{one.frame}"
        try:
            data = await encoded(archive, found, one, wanted)
            yield representation.made(data, wanted.media_type, location)
        except BadPixels as error:
            yield representation.made(f"{error.message}\n".encode(), _DAMAGED, location)


def _animation(archive: Archive, found: Found, wanted: Rendition, location: str) -> Representation:
    """All pictures in one animated GIF, made while it is sent; the first one says the size.

    In the place of one that is damaged it is said why.
    """

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        description = await pictures.describe(archive, found.shown[0].instance)
        times = pictures.hundredths(description.attributes, [one.frame for one in found.shown])
        size: tuple[int, int] | None = None
        for place, one in enumerate(found.shown):
            try:
                async with _turn(archive, found, one):
                    target, stored = await _target(archive, found, one, wanted)
                    shown, _ = await archive.workers.run(present.drawn, stored, target, wanted)
            except BadPixels as error:
                image = description.image
                width, height = size or viewport.fit(image.columns, image.rows, wanted.viewport)[4:]
                text = f"Picture {place + 1} can not be shown. {error.message}"
                shown = await archive.workers.run(annotate.notice, width, height, text)
            head = b""
            if size is None:
                size = shown.shape[1], shown.shape[0]
                head = picture.animation_head(*size)
            data = await archive.workers.run(picture.animation_frame, _fitted(shown, *size), times[place])
            yield head + data
        yield picture.ANIMATION_END

    return Representation(picture.GIF, location, None, read)


def _fitted(shown: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture in the middle of one of another size."""
    if shown.shape[:2] == (height, width):
        return shown
    small = viewport.apply(shown, Viewport(width, height))
    out = np.zeros((height, width, *shown.shape[2:]), np.uint8)
    upper, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[upper : upper + small.shape[0], left : left + small.shape[1]] = small
    return out

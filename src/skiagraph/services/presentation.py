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
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceGone, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import annotate, picture, viewport
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.presentation import blending, planes, present
from skiagraph.pixels.presentation import state as states
from skiagraph.pixels.presentation.blending import Blend, Slice
from skiagraph.pixels.presentation.planes import Place, Plane
from skiagraph.pixels.presentation.present import Target
from skiagraph.pixels.presentation.references import SeriesReference
from skiagraph.pixels.presentation.state import State
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import pictures, representation, stored_frames
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation, Version
from skiagraph.standard.rendering import Viewport
from skiagraph.values import Attributes, ByteRange, ResourcePath
from skiagraph.wire import query
from skiagraph.wire.accept import Offer, refuse_dicom, rendered_offers
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.rendering_query import RenderingQuery, check_presentation_state

_STATES: Final = "1.2.840.10008.5.1.4.1.1.11."
_AT_ONCE: Final = 2**16  # bytes of metadata that are worked on without handing over to another thread
_MOST_REGISTRATIONS: Final = 16
_PLACE_SIZE: Final = 700  # bytes in memory of the place of a frame, about
_DAMAGED: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of an image that is shown."""

    instance: StoredInstance
    frame: int


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A presentation state and what of its images is in this archive."""

    instance: StoredInstance
    state: State
    shown: tuple[Shown, ...]
    """In the order in which they are shown."""
    over: tuple[Shown, ...]
    """Of a blending, the superimposed frames in the order of the references."""
    registrations: tuple[StoredInstance, ...]
    left_out: Counter[str]
    """How many images or frames are not shown, by reason."""
    token: str
    """Changes whenever the state, or what it shows, changes."""

    @property
    def warning(self) -> str | None:
        """What is left out, in a sentence."""
        if not self.left_out:
            return None
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return f"Not everything that the presentation state refers to is shown: {reasons}"


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
    details = f"{found.token}|{pictures.VERSION}|{wanted}|{[(one.instance.id, one.frame) for one in found.shown]}"
    token = hashlib.blake2b(details.encode("utf-8", "surrogateescape"), digest_size=18).hexdigest()
    newest = max(one.instance.stored_at for one in (found.shown + found.over))
    return Version(entity_tag(token, weak=multipart), max(newest, found.instance.stored_at))


# What a state refers to


async def find(archive: Archive, instance: StoredInstance) -> Found:
    """Look up what a presentation state refers to.

    Raises
    ------
    NoAcceptableRepresentation
        It is of a kind that is not applied, or nothing that it refers to can be shown.
    """
    state = await _state(archive, instance)
    if state.masked:
        raise NoAcceptableRepresentation(
            "The presentation state subtracts frames from each other (Mask Subtraction Sequence): that is not rendered."
        )
    left_out: Counter[str] = Counter()
    shown = await _resolve(archive, instance, state.images.series, left_out)
    over: list[Shown] = []
    registrations: list[StoredInstance] = []
    if state.superimposed is not None:
        over = await _resolve(archive, instance, state.superimposed.series, left_out)
        for uid in state.registrations[:_MOST_REGISTRATIONS]:
            registration = await archive.index.identify(uid)
            if registration is not None:
                registrations.append(registration)
    if not shown:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
        raise NoAcceptableRepresentation(
            f"Nothing that the presentation state refers to can be shown: {reasons or 'it refers to no image'}."
        )
    shown = await _in_order(archive, shown)
    members = dict.fromkeys(
        representation.digest(one) for one in (instance, *(one.instance for one in (*shown, *over)), *registrations)
    )
    token = hashlib.blake2b("|".join((*members, str(sorted(left_out.items())))).encode(), digest_size=18).hexdigest()
    return Found(instance, state, tuple(shown), tuple(over), tuple(registrations), left_out, token)


async def _state(archive: Archive, instance: StoredInstance) -> State:
    if instance.sop_class_uid not in states.KINDS:
        raise NoAcceptableRepresentation(
            "Presentation states of this kind are not rendered: only Grayscale, Color, Pseudo-Color and Blending"
            f" Softcopy Presentation States are; this one has the SOP Class {instance.sop_class_uid}."
        )

    async def make() -> tuple[State, int]:
        document = await _document(archive, instance)
        attributes: Attributes = orjson.loads(document)
        uris = states.bulk_uris(attributes)
        bulk = await pictures.bulk_values(archive, instance, uris) if uris else {}
        size = 8 * len(document) + sum(map(len, bulk.values()))
        if size < _AT_ONCE:
            return states.read(attributes, bulk), size
        return await archive.workers.run(states.read, attributes, bulk), size

    state, _ = await archive.workers.once(("state", representation.digest(instance)), make, lambda made: made[1])
    return state


async def _document(archive: Archive, instance: StoredInstance) -> bytes:
    """The metadata as JSON text."""
    async for chunk in await archive.index.documents(instance.path):
        for _, document in chunk:
            return document
    raise ResourceNotFound(f"There is no metadata of {instance.path}.")


async def _resolve(
    archive: Archive, state: StoredInstance, series: Sequence[SeriesReference], left_out: Counter[str]
) -> list[Shown]:
    """The frames that are referred to and can be shown, in the order of the references."""
    found: dict[tuple[int, int], Shown] = {}

    def take(image: StoredInstance, frames: Sequence[int]) -> None:
        if not pictures.is_image(image):
            left_out["that are no images, or can not be decoded"] += 1
            return
        if pictures.is_slide(image):  # places in the state may be those of the total pixel matrix, not of a tile
            left_out["that are whole slide images"] += 1
            return
        for number in frames or range(1, image.frames + 1):
            if number > image.frames:
                left_out["frames that do not exist"] += 1
            else:
                found.setdefault((image.id, number), Shown(image, number))
            if len(found) > archive.settings.max_frames_in_list:
                raise NoAcceptableRepresentation(
                    f"The presentation state refers to more than {archive.settings.max_frames_in_list} frames, the"
                    " most that this server shows in one answer."
                )

    for one in series:
        for reference in one.images:
            image = await archive.index.identify(reference.sop_instance_uid)
            if image is None:
                left_out["that are not in this archive"] += 1
            else:
                take(image, reference.frames)
        if not one.images and one.series_instance_uid:
            study = one.study_instance_uid or state.path.study_instance_uid
            try:
                chunks = await archive.index.instances(ResourcePath(study, one.series_instance_uid))
            except (ResourceNotFound, ResourceGone):
                left_out["series that are not in this archive"] += 1
                continue
            async for chunk in chunks:
                for image in chunk:
                    take(image, ())
    return list(found.values())


async def _in_order(archive: Archive, shown: list[Shown]) -> list[Shown]:
    if len(shown) < 2:
        return shown
    known: dict[int, Places] = {}
    for one in shown:
        if one.instance.id not in known:
            known[one.instance.id] = await _places(archive, one.instance)
    order = planes.order([known[one.instance.id].frames[one.frame - 1] for one in shown])
    return [shown[number] for number in order]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the frames of an image lie."""

    frame_of_reference: str
    size: tuple[int, int]
    """Rows and columns."""
    frames: tuple[Place, ...]


async def _places(archive: Archive, instance: StoredInstance) -> Places:
    def read(document: bytes) -> Places:
        attributes: Attributes = orjson.loads(document)
        image = ImageParams.from_attributes(attributes)
        frames = planes.places(attributes, instance.frames)
        return Places(planes.frame_of_reference(attributes), (image.rows, image.columns), frames)

    async def make() -> Places:
        document = await _document(archive, instance)
        return read(document) if len(document) < _AT_ONCE else await archive.workers.run(read, document)

    key = ("places", representation.digest(instance))
    return await archive.workers.once(key, make, lambda made: _PLACE_SIZE * len(made.frames))


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
        target, stored = await _target(archive, found, one, wanted)
        return await archive.workers.run(present.encoded, stored, target, wanted)

    return await archive.workers.once(_key(found, one, wanted), make, len)


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
    mine = await _places(archive, one.instance)
    first, stack = await _stack(archive, found)
    plane = mine.frames[one.frame - 1].plane
    plane = None if plane is None else await _registered(archive, found, plane, mine, first)
    aligned = blending.align(plane, stack, (len(found.shown), len(found.over)), same_size=mine.size == first.size)
    if aligned:
        assert plane is not None, "else they are not aligned"
        rows, columns = mine.size
        numbers, reach = blending.needed(plane, rows, columns, [place for place in stack if place is not None])
    else:
        numbers, reach, plane = [found.shown.index(one)], 0.0, None
    slices = []
    for number in numbers:
        entry = found.over[number]
        description = await pictures.describe(archive, entry.instance)
        subject = await pictures.subject(archive, entry.instance, description, entry.frame, overlays=False)
        stored = await stored_frames.read(archive, entry.instance, entry.frame)
        voi = superimposed.voi(_uid(entry), entry.frame)
        look = Tones(superimposed.modality, voi, palette=found.state.palette)
        slices.append(Slice(stored, subject, look, stack[number] if aligned else None))
    return Blend(tuple(slices), plane, found.state.opacity, reach)


async def _stack(archive: Archive, found: Found) -> tuple[Places, list[Plane | None]]:
    """The first of the superimposed images, and where each of their frames lies; found once for all pictures."""

    async def make() -> tuple[Places, list[Plane | None]]:
        theirs: dict[int, Places] = {}
        for entry in found.over:
            if entry.instance.id not in theirs:
                theirs[entry.instance.id] = await _places(archive, entry.instance)
        stack = [theirs[entry.instance.id].frames[entry.frame - 1].plane for entry in found.over]
        return theirs[found.over[0].instance.id], stack

    return await archive.workers.once(("stack", found.token), make, lambda made: _PLACE_SIZE * len(made[1]))


async def _registered(archive: Archive, found: Found, plane: Plane, mine: Places, other: Places) -> Plane | None:
    """A plane of an underlying frame in the Frame of Reference of the superimposed ones; None where none is known."""
    for registration in found.registrations:
        attributes = await representation.attributes(archive, registration)
        by = blending.relation(attributes, mine.frame_of_reference, other.frame_of_reference)
        if by is not None:
            return blending.moved(plane, by)
    return plane if mine.frame_of_reference == other.frame_of_reference else None


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

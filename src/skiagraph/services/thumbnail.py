"""Retrieve Thumbnail — PS3.18 §10.4.1.1.4, the Thumbnail resources of Table 10.4.1-1; parameters of §8.3.5.2.

Request   GET …/thumbnail of a Study, Series, Instance or list of frames.
Behavior  One picture stands for all: the middle frame of the middle image, in the order of Series and Instance
          Number; of a slide all of its smallest level; of a waveform the plot. What has no picture gets an icon.
Response  200 with one picture, image/jpeg by default, at most 256 × 256 pixels unless `viewport` says otherwise.

It never shows who the patient is: no annotation, no overlay planes; images that say that text is burned into them, and
labels and overviews of slides, get an icon.
"""

from __future__ import annotations

from collections.abc import Sequence

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import elements, picture
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.mosaic import Mosaic, plan
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import (
    frames,
    icons,
    pictures,
    presentation,
    presentation_images,
    rendered,
    representation,
    waveforms,
)
from skiagraph.services.archive import Archive
from skiagraph.services.icons import Icon
from skiagraph.services.pictures import Description
from skiagraph.services.presentation_images import Found
from skiagraph.services.representation import TooMuchContent, Version
from skiagraph.standard import dicom_json
from skiagraph.standard.rendering import Viewport
from skiagraph.values import Attributes, Level, ResourcePath
from skiagraph.wire.accept import Choice, rendered_offers
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Request, Response
from skiagraph.wire.rendering_query import parse_thumbnail
from skiagraph.wire.transaction import Transaction

DEFAULT_SIZE = 256
"""Pixels that a thumbnail has at most in each direction when the request names no viewport; it is not enlarged."""

_SLIDES_LOOKED_AT = 64  # Instances of one slide: levels, label, overview, thumbnail


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a small picture that stands for the resource."""
    asked = parse_thumbnail(request.query)
    path = representation.resource(request)
    numbers: Sequence[int] = ()
    if "frames" in request.parameters:
        numbers = frames.parse(request.parameters["frames"], archive.settings.max_frames_in_list)
    offers = rendered_offers(picture.MEDIA_TYPES, single=True, multipart=False)
    if path.level is Level.INSTANCE:
        instance = await archive.index.locate(path)
        token, last_modified = representation.digest(instance), instance.stored_at
        state = await _found(archive, instance)
        if state is not None:
            token = f"{token}-{state.token}"
    else:
        state = None
        token, last_modified = await archive.index.version(path), None
    if numbers:
        frames.check(instance, numbers, offers)
    choice = rendered.negotiate(archive, request, offers)
    details = rendered.variant("thumbnail", choice.offer, asked.viewport, request.parameters.get("frames"))
    version = Version(entity_tag(f"{token}-{details}"), last_modified)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    data = archive.recent.get(version.etag)
    if data is None:
        if path.level is not Level.INSTANCE:
            instance = await _representative(archive, path)
        number = numbers[(len(numbers) - 1) // 2] if numbers else None
        if state is None:
            data = await _made(archive, instance, number, asked.viewport, choice)
        else:
            data = await _presented(archive, state, asked.viewport, choice)
        archive.recent.put(version.etag, data)
    made = representation.made(data, choice.offer.content_type, representation.url(request, path))
    return await representation.single(request, made, version)


async def _made(
    archive: Archive, instance: StoredInstance, frame: int | None, viewport: Viewport | None, choice: Choice
) -> bytes:
    """The picture of a frame or (None) of the Instance, or the icon of what has none, or none to be shown."""
    icon, modality = icons.icon_of(instance), ""
    if pictures.can_be_shown(instance):
        try:
            description = await pictures.describe(archive, instance)
            modality = elements.text(description.attributes, "00080060")
            if not shows_patient(description.attributes):
                return await _picture(archive, instance, description, frame, viewport, choice)
        except BadPixels:
            icon = Icon.IMAGE
    elif waveforms.is_waveform(instance):
        try:
            size = viewport or Viewport(DEFAULT_SIZE, DEFAULT_SIZE)
            wanted = Rendition(choice.offer.media_type, viewport=size, overlays=False)
            return await waveforms.encoded(archive, instance, wanted)
        except NoAcceptableRepresentation:
            pass  # the icon has to do
    modality = modality or await _modality(archive, instance)
    return await archive.workers.run(icons.encoded, icon, modality, icons.side(viewport), choice.offer.media_type)


async def _modality(archive: Archive, instance: StoredInstance) -> str:
    try:
        document = await representation.content(archive, instance)
    except TooMuchContent:
        return ""
    return elements.text(dicom_json.decode(document), "00080060")


async def _found(archive: Archive, instance: StoredInstance) -> Found | None:
    """A presentation state whose images are here; None of what is none."""
    if presentation.is_state(instance):
        try:
            return await presentation_images.find(archive, instance)
        except NoAcceptableRepresentation:
            pass  # an icon has to do
    return None


async def _presented(archive: Archive, state: Found, viewport: Viewport | None, choice: Choice) -> bytes:
    """The middle picture of a presentation state, without anything that is drawn or written on it."""
    one = state.shown[presentation.middle(state)]
    try:
        description = await pictures.describe(archive, one.instance)
        if not shows_patient(description.attributes):
            columns, rows = await presentation.size(archive, state)
            small = viewport or Viewport(min(DEFAULT_SIZE, columns), min(DEFAULT_SIZE, rows))
            wanted = Rendition(choice.offer.media_type, viewport=small, overlays=False)
            return await presentation.encoded(archive, state, one, wanted)
    except BadPixels:
        pass
    return await _made(archive, state.instance, None, viewport, choice)


async def _picture(
    archive: Archive,
    instance: StoredInstance,
    description: Description,
    frame: int | None,
    viewport: Viewport | None,
    choice: Choice,
) -> bytes:
    def small(shown: ImageParams | Mosaic) -> Rendition:
        size = viewport or Viewport(min(DEFAULT_SIZE, shown.columns), min(DEFAULT_SIZE, shown.rows))
        return Rendition(choice.offer.media_type, viewport=size, overlays=False, rough=True)

    if frame is None and description.mosaic is not None:
        wanted = small(description.mosaic)
        try:
            plan(description.mosaic, wanted.viewport)
        except BadRequest:
            pass  # a level of too many tiles: one of them has to do
        else:
            return await pictures.slide(archive, instance, wanted)
    number = pictures.representative(instance) if frame is None else frame
    return await pictures.encoded(archive, instance, number, small(description.image))


def shows_patient(attributes: Attributes) -> bool:
    """Whether the pixels may show who the patient is.

    By Burned In Annotation (0028,0301); and the label of a slide, which is on the overview too (PS3.3 C.8.12.4.1.1).
    """
    burned_in = elements.text(attributes, "00280301")
    image_type = elements.texts(attributes, "00080008")
    return burned_in == "YES" or (burned_in != "NO" and not {"LABEL", "OVERVIEW"}.isdisjoint(image_type[2:3]))


async def _representative(archive: Archive, path: ResourcePath) -> StoredInstance:
    """The Instance that stands for a Study or Series: the middle image, else the first waveform or anything."""
    first: StoredInstance | None = None
    count = 0
    slides: list[StoredInstance] = []
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            if first is None or (waveforms.is_waveform(instance) and not waveforms.is_waveform(first)):
                first = instance
            if pictures.can_be_shown(instance):
                count += 1
                if instance.sop_class_uid == pictures.WHOLE_SLIDE and len(slides) < _SLIDES_LOOKED_AT:
                    slides.append(instance)
    if first is None:
        raise ResourceNotFound(f"There is nothing in {path}.")
    if slides and count == len(slides):
        return await _of_slide(archive, slides)
    wanted = (count - 1) // 2
    async for chunk in await archive.index.instances(path):
        for instance in filter(pictures.can_be_shown, chunk):
            if wanted == 0:
                return instance
            wanted -= 1
    return first


async def _of_slide(archive: Archive, slides: list[StoredInstance]) -> StoredInstance:
    """Of a slide its thumbnail, else the smallest of its levels, else whatever there is."""
    ranked = []
    for place, instance in enumerate(slides):
        attributes = await representation.attributes(archive, instance)
        role = (*elements.texts(attributes, "00080008"), "", "", "")[2]
        size = elements.integer(attributes, "00480006") or 0
        ranked.append((shows_patient(attributes), role != "THUMBNAIL", role != "VOLUME", size, place))
    return slides[min(ranked)[-1]]


_STATUSES = frozenset({200, 206, 304, 400, 404, 406, 410, 412, 416})
_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

TRANSACTIONS: tuple[Transaction, ...] = tuple(
    Transaction(
        f"Retrieve {name} Thumbnail",
        "10.4",
        "GET",
        f"{template}/thumbnail",
        "read",
        _STATUSES,
        picture.MEDIA_TYPES,
        retrieve,
    )
    for name, template in (
        ("Study", _STUDY),
        ("Series", _SERIES),
        ("Instance", _INSTANCE),
        ("Frame", _INSTANCE + "/frames/{frames}"),
    )
)

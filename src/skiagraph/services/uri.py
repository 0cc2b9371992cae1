"""The URI Service, known as WADO-URI — PS3.18 §9: one Instance, named and described by the query alone.

Request   GET /wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=… with the parameters of §9.1.2.
Behavior  The Instance is looked up by all three UIDs. ``application/dicom`` is Retrieve DICOM Instance (§9.4), a
          rendered type, and by default everything, Retrieve Rendered Instance (§9.5).
Response  200 with one part; 400 for parameters that are wrong, a frame that is not there among them; 406, for
          what can not be de-identified too (`anonymize`).

Each request is another spelling of one of the Studies Service, and is answered by it once it is checked. What differs:
a multi-frame image is image/jpeg by default, its middle frame, and video/mp4 by name. The Transfer Syntax of
``application/dicom`` is said in Content-Type, though §8.7.3.5.2 has no such parameter here: user agents ignore it, or
are glad of it.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceGone, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import picture
from skiagraph.pixels.image import BadPixels
from skiagraph.services import (
    deidentified,
    films,
    pictures,
    presentation,
    presentation_images,
    rendered,
    reports,
    representation,
    retrieve,
)
from skiagraph.services.archive import Archive
from skiagraph.standard.media_types import DICOM
from skiagraph.standard.transfer_syntaxes import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import ResourcePath
from skiagraph.wire.accept import choose, refuse_dicom, rendered_offers
from skiagraph.wire.media_type import MediaRange, parse_ranges
from skiagraph.wire.message import Request, Response
from skiagraph.wire.rendering_query import RenderingQuery, parse_rendered
from skiagraph.wire.transaction import Transaction
from skiagraph.wire.uri_image_query import rendered_query
from skiagraph.wire.uri_query import ANY, UriQuery, check_dicom, dicom_ranges, parse_uri

# Deflated only where nothing else will do: few user agents inflate (§8.7.3.3.2, note)
_ANY_SYNTAX = f"{DICOM}; transfer-syntax=*, {DICOM}; transfer-syntax={DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN}; q=0.1"


async def retrieve_by_uri(archive: Archive, request: Request) -> Response:
    """GET one Instance, as DICOM or rendered."""
    asked = parse_uri(request.query)
    header = request.headers.get("accept")
    refuse_dicom(header, asked.content_type)
    dicom = dicom_ranges(asked, header)
    if dicom:
        check_dicom(asked)
    if asked.anonymize and not dicom:
        raise BadRequest(
            "The parameter 'anonymize' is for DICOM Instances (§9.4): contentType=application/dicom is needed with it."
        )
    response = await (_dicom(archive, request, asked, dicom) if dicom else _rendered(archive, request, asked))
    return rendered.warned(request, response, RenderingQuery(unknown=asked.unknown))


# Retrieve DICOM Instance


async def _dicom(archive: Archive, request: Request, asked: UriQuery, ranges: tuple[MediaRange, ...]) -> Response:
    if asked.transfer_syntax == ANY:
        accept = _ANY_SYNTAX
    elif asked.transfer_syntax is not None:
        accept = f"{DICOM}; transfer-syntax={asked.transfer_syntax}"
    else:
        accept = ", ".join(f"{entry.media_type}; q={entry.q:.3f}" for entry in ranges)
    try:
        query = "anonymize=yes" if asked.anonymize else ""
        return await retrieve.retrieve(archive, _restful(request, asked.path, accept, query=query))
    except deidentified.CanNotBeDeidentified:
        raise
    except NoAcceptableRepresentation as error:
        if not error.details:
            raise
        there = tuple(text for text in error.details if text.startswith(DICOM))
        if isinstance(error, BadPixels):
            raise BadPixels(error.message, details=there) from error
        syntax = "an acceptable" if asked.transfer_syntax in (None, ANY) else "this"
        raise NoAcceptableRepresentation(
            f"The Instance can not be sent in {syntax} Transfer Syntax.", details=there
        ) from error


def _restful(request: Request, path: ResourcePath, accept: str, frame: int | None = None, query: str = "") -> Request:
    """The request as one for a resource of the Studies Service."""
    parameters = {
        "study": path.study_instance_uid,
        "series": path.series_instance_uid or "",
        "instance": path.sop_instance_uid or "",
    }
    if frame is not None:
        parameters["frames"] = str(frame)
    return replace(
        request, path=f"/{path}", query=query, headers={**request.headers, "accept": accept}, parameters=parameters
    )


# Retrieve Rendered Instance


async def _rendered(archive: Archive, request: Request, asked: UriQuery) -> Response:
    instance = await archive.index.locate(asked.path)
    _check_image(instance, asked)
    if asked.image.presentation is not None:
        return await _presented(archive, request, asked, instance, *asked.image.presentation)
    if not pictures.can_be_shown(instance):
        return await _no_image(archive, request, asked)
    names: tuple[str, ...] = picture.MEDIA_TYPES
    if asked.image.frame is None and films.can_be_made(instance):
        names = (picture.MP4, *names) if instance.video else (*names, picture.MP4)
    offers = rendered_offers(names, single=True, multipart=False)
    choice = choose(request.headers.get("accept"), asked.content_type, offers, strict=archive.settings.strict_accept)
    frame = asked.image.frame if instance.frames > 1 else None
    size = (0, 0)
    if asked.image.region is not None:
        description = await pictures.describe(archive, instance)
        shown = description.image if frame is not None or description.mosaic is None else description.mosaic
        size = shown.columns, shown.rows
    restful = _restful(request, asked.path, choice.offer.media_type, frame, rendered_query(asked.image, *size))
    return await (rendered.retrieve(archive, restful) if frame is None else rendered.retrieve_frames(archive, restful))


async def _presented(
    archive: Archive, request: Request, asked: UriQuery, image: StoredInstance, series_uid: str, uid: str
) -> Response:
    """The image as a presentation state of its Study shows it (§9.5.1.2.7); then region and size."""
    offers = rendered_offers(picture.MEDIA_TYPES, single=True, multipart=False)
    choice = choose(request.headers.get("accept"), asked.content_type, offers, strict=archive.settings.strict_accept)
    try:
        state = await archive.index.locate(ResourcePath(asked.path.study_instance_uid, series_uid, uid))
    except (ResourceNotFound, ResourceGone) as error:
        raise BadRequest("There is no such presentation state in the Study of the Instance.") from error
    if not presentation.is_state(state):
        raise BadRequest("The parameter 'presentationUID' names an Instance that is no presentation state.")
    found = presentation.of_image(await presentation_images.find(archive, state), image)
    size = (0, 0) if asked.image.region is None else await presentation.size(archive, found)
    wanted = parse_rendered(rendered_query(asked.image, *size))
    media_type, location = choice.offer.media_type, representation.url(request, asked.path)
    response = await presentation.retrieve_one(archive, request, found, wanted, media_type, location)
    return rendered.warned(request, response, wanted)


def _check_image(instance: StoredInstance, asked: UriQuery) -> None:
    """Raise BadRequest for parameters of images where there is none, and for frames that do not exist (§9.5.2.1)."""
    names = asked.image.given
    if names and not instance.pixel_tag:
        raise BadRequest(f"The parameters {', '.join(names)} are for images, and the Instance is none.")
    frame = asked.image.frame
    if frame is not None and 0 < instance.frames < frame:
        number = "1 frame" if instance.frames == 1 else f"{instance.frames} frames"
        raise BadRequest(f"The parameter 'frameNumber' is {frame}, and the Instance has {number}.")


async def _no_image(archive: Archive, request: Request, asked: UriQuery) -> Response:
    """Reports, documents and the like in the types that the Rendered resource has for them."""
    pairs = [pair for pair in request.query.split("&") if pair.partition("=")[0] == "charset"]
    query = "&".join(pairs if asked.content_type is None else [f"accept={quote(asked.content_type)}", *pairs])
    ranges = parse_ranges(request.headers.get("accept", ""))
    single = [f"{entry.media_type}; q={entry.q:.3f}" for entry in ranges if entry.media_type.type != "multipart"]
    if ranges and not single and asked.content_type is None:
        raise NoAcceptableRepresentation("Multipart is not made here: each answer is one representation.")
    try:
        return await rendered.retrieve(archive, _restful(request, asked.path, ", ".join(single), query=query))
    except NoAcceptableRepresentation as error:
        there = tuple(text for text in error.details if not text.startswith("multipart/"))
        raise NoAcceptableRepresentation(
            error.message, details=(*there, f"contentType={DICOM} asks for the Instance itself.")
        ) from error


TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Retrieve DICOM or Rendered Instance",
        "9",
        "GET",
        "/wado",
        "read",
        frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416}),
        (*picture.MEDIA_TYPES, picture.MP4, *reports.MEDIA_TYPES, DICOM),
        retrieve_by_uri,
    ),
)
"""One row for both transactions: they are one resource, and the query tells them apart."""

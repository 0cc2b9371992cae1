"""An answer of one data set without bulk data — PS3.18 §8.7.3.2, Tables 11.1.3-1 and 13.1.3-1.

Request   Accept header and ``accept`` parameter.
Response  DICOM JSON unless something else is asked for: native XML, as it is or as the one part of a multipart
          payload; JSON as the one part likewise. Text is UTF-8, and Specific Character Set says so where it matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.standard import data_set, dicom_json, native_xml
from skiagraph.standard.media_types import DICOM_XML, JSON
from skiagraph.values import Attributes
from skiagraph.wire import multipart_writer
from skiagraph.wire.accept import Choice, record_offers
from skiagraph.wire.charset import UTF_8, Charset
from skiagraph.wire.message import Request, Response

MEDIA_TYPES = tuple(str(offer) for offer in record_offers() if offer.media_type != JSON)
"""What one data set can be given as, for a Transaction row."""


def negotiate(archive: Archive, request: Request) -> Choice:
    """Choose the form of an answer, before anything is changed. Raises NoAcceptableRepresentation, BadRequest."""
    return representation.negotiate(archive, request, record_offers())


def respond(
    attributes: Attributes,
    choice: Choice,
    *,
    array: bool = True,
    location: str | None = None,
    charset: Charset = UTF_8,
    headers: Sequence[tuple[str, str]] = (),
) -> Response:
    """Make an answer of a data set.

    Parameters
    ----------
    attributes
        Normalised (`standard.data_set`).
    array
        JSON is an array of this one data set; else the object alone.
    location
        URL of the resource that the data set is: Content-Location.
    charset
        Of XML; JSON has no other than UTF-8.
    headers
        Further header fields.
    """
    attributes = data_set.character_set(attributes)
    offer = choice.offer
    content_type = offer.content_type
    if offer.media_type == DICOM_XML:
        body = charset.xml(native_xml.to_xml(attributes))
        content_type += charset.parameter
    else:
        body = dicom_json.encode(attributes)
        if array:
            body = b"[" + body + b"]"
    if offer.multipart:
        boundary = multipart_writer.new_boundary()
        head = multipart_writer.part_header(boundary, content_type, length=len(body), location=location, first=True)
        body = head + body + multipart_writer.closing(boundary)
        content_type = multipart_writer.content_type(offer.media_type, boundary)
    given = [("content-type", content_type)]
    if location is not None:
        given.append(("content-location", location))
    return Response(200, [*given, *headers], body, len(body))

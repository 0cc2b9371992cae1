"""SR documents for people and programs: pages, plain text, PDF, XML — PS3.18 §10.4, Table 8.7.4-1, category Text.

``text/html`` is the default; ``text/plain``, ``text/rtf`` and ``application/pdf`` have the same words. ``text/xml`` is
the Native DICOM Model (PS3.19 A.1) of the whole document: the only schema for it that the standard has, that nothing
gets lost in, and that the style sheets which are around for SR begin with. Texts are in UTF-8, or in the character set
that is asked for (§8.8).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.services import report_pdf, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation, TooMuchContent, Version
from skiagraph.standard import dicom_json, native_xml, structured_report
from skiagraph.values import ByteRange
from skiagraph.wire import charset, query, report_html, report_rtf, report_text
from skiagraph.wire.accept import refuse_dicom, rendered_offers
from skiagraph.wire.charset import UTF_8, Charset
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response

HTML, TEXT, XML, RTF, PDF = "text/html", "text/plain", "text/xml", "text/rtf", "application/pdf"

MEDIA_TYPES = (HTML, TEXT, XML, PDF, RTF)
"""Best first."""

VERSION = "2"
"""Goes up whenever the same document may look otherwise than before: part of every entity tag."""

_AT_ONCE = 2**15  # bytes of metadata that are worked on without handing over to another thread
_NO_TREE = "The Instance is a structured report without a content tree: there is nothing to render."


@dataclass(frozen=True, slots=True)
class Made:
    """A rendered report."""

    content_type: str
    data: bytes


def is_report(instance: StoredInstance) -> bool:
    """Whether an Instance is an SR document, as its SOP Class tells."""
    return structured_report.is_report(instance.sop_class_uid)


async def has_content(archive: Archive, instance: StoredInstance) -> bool:
    """Whether there is a content tree to render."""
    try:
        document = await representation.content(archive, instance)
    except TooMuchContent:
        return False
    if len(document) < _AT_ONCE:
        return _has_content(document)
    return await archive.workers.run(_has_content, document)


async def represent(
    archive: Archive, instance: StoredInstance, media_type: str, base_url: str
) -> Representation | None:
    """A report as a part; None when it has no content tree."""
    location = f"{base_url}/{instance.path}"

    async def make() -> Made | None:
        if media_type == PDF:  # which takes seconds where it is long: others are to find a thread beside it
            async with archive.workers.turn("printing", 1):
                document = await representation.content(archive, instance)
                return await archive.workers.run(render, document, media_type, base_url, location)
        document = await representation.content(archive, instance)
        if len(document) < _AT_ONCE:
            return render(document, media_type, base_url, location)
        return await archive.workers.run(render, document, media_type, base_url, location)

    key = ("report", representation.digest(instance), media_type, location)
    made = await archive.workers.once(key, make, lambda found: 0 if found is None else len(found.data))
    return None if made is None else _representation(made, location)


def render(document: bytes, media_type: str, base_url: str, location: str) -> Made | None:
    """Make one of the media types of the metadata of a report; None when it has no content tree.

    Raises Unprintable for a PDF that can not be made.
    """
    attributes = dicom_json.decode(document)
    report = structured_report.read(attributes)
    if report is None:
        return None
    if media_type == XML:
        return Made(f"{XML}; charset=utf-8", native_xml.to_xml(attributes, bulk_base=location))
    if media_type == TEXT:
        return Made(report_text.CONTENT_TYPE, report_text.to_text(attributes, report))
    if media_type == PDF:
        return Made(report_pdf.CONTENT_TYPE, report_pdf.to_pdf(attributes, report, base_url))
    if media_type == RTF:
        return Made(report_rtf.CONTENT_TYPE, report_rtf.to_rtf(attributes, report))
    return Made(report_html.CONTENT_TYPE, report_html.to_html(attributes, report, base_url))


async def retrieve(archive: Archive, request: Request, instance: StoredInstance) -> Response:
    """Answer a request for the rendered form of an SR document.

    Raises
    ------
    NoAcceptableRepresentation
        It has no content tree, or more content than is rendered, or none of its media types is acceptable.
    BadRequest
        DICOM media types are asked for beside rendered ones (§8.7.5).
    """
    refuse_dicom(request.headers.get("accept"), query.accept(request.query))
    choice = representation.negotiate(archive, request, rendered_offers(MEDIA_TYPES, single=True))
    written = UTF_8
    if choice.offer.media_type not in (PDF, RTF):  # which have no character set to choose
        written = charset.select(choice, request.query, request.headers.get("accept-charset"))
    names = () if written is UTF_8 else (written.name,)
    details = representation.variant(str(choice.offer), VERSION, request.base_url, *names)
    opaque = f"{representation.digest(instance)}-{details}"
    version = Version(entity_tag(opaque, weak=choice.multipart), instance.stored_at, "Accept, Accept-Charset")
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    part = await represent(archive, instance, choice.offer.media_type, request.base_url)
    if part is None:
        raise NoAcceptableRepresentation(_NO_TREE)
    if written is not UTF_8:
        part = await _in_charset(part, choice.offer.media_type, written)
    if choice.multipart:
        return await representation.multipart(request, [part], version)
    response = await representation.single(request, part, version)
    if choice.offer.media_type == HTML:
        response.headers = [
            (name, report_html.CONTENT_SECURITY_POLICY if name == "content-security-policy" else value)
            for name, value in response.headers
        ]
    return response


async def _in_charset(part: Representation, media_type: str, written: Charset) -> Representation:
    data = b"".join([bytes(chunk) async for chunk in part.read(None)])
    encode = {HTML: written.html, XML: written.xml}.get(media_type, written.text)
    return _representation(Made(f"{media_type}; charset={written.name}", encode(data)), part.location)


def _has_content(document: bytes) -> bool:
    return structured_report.has_content(dicom_json.decode(document))


def _representation(made: Made, location: str) -> Representation:
    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        yield made.data if part is None else made.data[part.offset : part.end]

    return Representation(made.content_type, location, len(made.data), read)

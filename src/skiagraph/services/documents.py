"""Encapsulated Documents as they are: PDF, CDA, models — PS3.3 C.24.2, C.35; their rendered form is themselves."""

from __future__ import annotations

import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import elements
from skiagraph.services import plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation
from skiagraph.standard.header import Bulk
from skiagraph.standard.media_types import OCTET_STREAM
from skiagraph.values import ByteRange
from skiagraph.wire.accept import Offer, bulkdata_offers
from skiagraph.wire.message import Chunk, Request, Response

_DOCUMENT = "00420011"


@dataclass(frozen=True, slots=True)
class Document:
    """An Encapsulated Document: where it is, and what it says it is."""

    media_type: str
    content: bytes | Bulk
    """The document itself, where the metadata hold it, else where it lies in the file."""
    length: int


async def find(archive: Archive, instance: StoredInstance) -> Document | None:
    """The document of an Instance; None without one, or when it is of a type that is not sent as such."""
    attributes = await representation.attributes(archive, instance)
    mime_type = elements.text(attributes, "00420012")
    offers = bulkdata_offers(None, single=True, mime_type=mime_type)
    media_type = next((offer.media_type for offer in offers if offer.media_type != OCTET_STREAM), None)
    element = attributes.get(_DOCUMENT, {})
    if media_type is None:
        return None
    content: bytes | Bulk
    if isinstance(element.get("InlineBinary"), str):
        content = binascii.a2b_base64(element["InlineBinary"])
        length = len(content)
    else:
        entry = (await archive.index.bulkdata(instance)).get(_DOCUMENT)
        if entry is None:
            return None
        content, length = entry, entry.length
    # Without the byte that made the length even (C.24.2, Encapsulated Document Length)
    real = elements.integer(attributes, "00420015")
    return Document(media_type, content, real if real is not None and length - 1 <= real <= length else length)


def represent(archive: Archive, instance: StoredInstance, document: Document, location: str) -> Representation:
    """The document as a part."""

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        wanted = part or ByteRange(0, document.length)
        if isinstance(document.content, bytes):
            yield document.content[wanted.offset : wanted.end]
            return
        value = await plain.bulk(archive, instance, document.content)
        async for chunk in plain.read(archive, instance, value, wanted):
            yield chunk

    return Representation(Offer(document.media_type).content_type, location, document.length, read)


async def retrieve(archive: Archive, request: Request, instance: StoredInstance) -> Response:
    """Answer a request for the rendered form of an Encapsulated Document.

    Raises
    ------
    NoAcceptableRepresentation
        There is no document in it that can be sent, or its type is not acceptable.
    """
    document = await find(archive, instance)
    if document is None:
        raise NoAcceptableRepresentation("The Instance holds no document that can be sent under its own media type.")
    offers = (Offer(document.media_type, stored=True), Offer(document.media_type, multipart=True, stored=True))
    choice = representation.negotiate(archive, request, offers)
    version = representation.version_of(instance, choice.offer, "rendered")
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    part = represent(archive, instance, document, representation.url(request, instance.path))
    if choice.multipart:
        return await representation.multipart(request, [part], version)
    return await representation.single(request, part, version)

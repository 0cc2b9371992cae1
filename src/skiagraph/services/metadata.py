"""Retrieve Metadata — PS3.18 §10.4, the Metadata resources of Table 10.4.1-1; Annex F, PS3.19 A.1.

Request   GET …/metadata of a Study, Series or Instance; with ``includefield``, an extension, some attributes only.
Behavior  The documents were made at store; here they are put together and the BulkDataURIs made complete.
Response  200 with one JSON array, or with multipart/related of one XML document per Instance; gzip where the user
          agent takes it; 304 before any document is read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from skiagraph.index.base import StoredInstance
from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Damaged, Version
from skiagraph.standard import dicom_json, native_xml
from skiagraph.standard.media_types import DICOM_XML
from skiagraph.standard.return_table import ReturnTable, Selection
from skiagraph.values import Attributes, Level, ResourcePath
from skiagraph.wire import charset, field_query, multipart_writer
from skiagraph.wire.accept import metadata_offers
from skiagraph.wire.charset import UTF_8, Charset
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.field_query import Fields
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

Documents: TypeAlias = Sequence[tuple[StoredInstance, bytes]]
Base: TypeAlias = Callable[[ResourcePath], str]
"""What the relative BulkDataURIs of an Instance are relative to, without trailing slash."""

WORTH_COMPRESSING = 1024
"""Bytes below which gzip is not worth the while."""

GZIP_LEVEL = 3
"""Of 1 to 9. Higher levels cost more time than they save on a local network."""

AT_ONCE = 64 * 2**10
"""Bytes that are worked on without handing over to another thread."""

_GZIP = b"\x1f\x8b"

# In JSON text this can only be a member: quotes within strings are escaped.
_URI = b'"BulkDataURI":"'


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET the metadata of all Instances below the path."""
    path = representation.resource(request)
    choice = representation.negotiate(archive, request, metadata_offers(single=path.level is Level.INSTANCE))
    offer = choice.offer
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    boundary = multipart_writer.new_boundary() if offer.multipart else None
    fields = field_query.parse(request.query, max_conditions=archive.settings.max_query_conditions)
    written = UTF_8
    if offer.media_type == DICOM_XML:
        written = charset.select(choice, request.query, request.headers.get("accept-charset"))
    details = representation.variant(
        str(offer),
        "gzip" if gzip else "",
        request.base_url,
        str(archive.settings.relative_urls),
        request.path,
        *((str(fields), written.name) if fields is not None or written is not UTF_8 else ()),
    )
    version = await _version(archive, path, details, weak=offer.multipart)
    if offer.media_type == DICOM_XML:
        version = replace(version, vary=f"{version.vary}, Accept-Charset")
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    headers = [*version.headers(), ("content-location", f"{request.base_url}/{path}/metadata")]
    if fields is not None:
        headers += [("warning", f"299 {request.base_url}: {sentence}") for sentence in fields.warnings]
    if boundary is None:
        headers.append(("content-type", offer.content_type + written.parameter))
        kept = archive.recent.get(version.etag)
        if kept is not None:
            return _at_once(headers, kept)
    documents = await archive.index.documents(path)
    if fields is not None:
        documents = selected(documents, fields)
    base = reference_base(request, path, relative=archive.settings.relative_urls)
    if boundary is not None:
        headers.append(("content-type", multipart_writer.content_type(DICOM_XML, boundary)))
        chunks = _gathered(
            documents, xml_parts(boundary, request.base_url, base, written), closing=multipart_writer.closing(boundary)
        )
    elif offer.media_type == DICOM_XML:
        chunks = _gathered(documents, lambda pairs, _: written.xml(_xml(*pairs[0], base)))
    else:
        chunks = _gathered(documents, lambda pairs, first: json_items(pairs, first, base), closing=b"]")
    response = await _respond(request, headers, chunks, gzip=gzip)
    if boundary is None and isinstance(response.body, bytes):
        archive.recent.put(version.etag, response.body)
    return response


async def _version(archive: Archive, path: ResourcePath, details: str, *, weak: bool) -> Version:
    vary = "Accept, Accept-Encoding"
    if path.level is not Level.INSTANCE:
        token = await archive.index.version(path)
        return Version(entity_tag(f"{token}-{details}", weak=weak), vary=vary)
    instance = await archive.index.locate(path)
    token = representation.digest(instance)
    return Version(entity_tag(f"{token}-{details}", weak=weak), instance.stored_at, vary)


def reference_base(request: Request, path: ResourcePath, *, relative: bool) -> Base:
    """How to begin BulkDataURIs: absolutely, or so that they resolve against the URL of the request (RFC 3986 §5.2).

    The metadata of Series 2 of Study 1 is ``…/studies/1/series/2/metadata``: there ``instances/3`` is Instance 3 of
    it, and ``.`` the Instance itself in its own metadata.
    """
    if not relative:
        return lambda instance: f"{request.base_url}/{instance}"
    up = "../" if request.path.endswith("/") else ""
    start = len(str(path)) + 1
    return lambda instance: up + (str(instance)[start:] or ".")


async def selected(documents: AsyncIterator[Documents], fields: Fields) -> AsyncIterator[Documents]:
    """The documents with those attributes alone."""
    selection = Selection(ReturnTable(frozenset()), fields.include, fields.include_private)

    def select(pairs: Documents) -> Documents:
        return [(instance, _ordered(selection.of(dicom_json.decode(document)))) for instance, document in pairs]

    try:
        async for pairs in documents:
            small = sum(len(document) for _, document in pairs) < AT_ONCE
            yield select(pairs) if small else await asyncio.to_thread(select, pairs)
    finally:
        await representation.close(documents)


def _ordered(attributes: Attributes) -> bytes:
    """Encode a data set, its tags ascending at every level (F.2.2)."""
    order = [attributes]
    for data_set in order:
        for tag in sorted(data_set):
            element = data_set[tag] = data_set.pop(tag)
            if element.get("vr") == "SQ":
                order += [item for item in element.get("Value", ()) if isinstance(item, dict)]
    return dicom_json.encode(attributes)


def json_items(pairs: Documents, first: bool, base: Base) -> bytes:
    """Elements of the JSON array, with what stands before them."""
    items = b",".join(
        document.replace(_URI, _URI + base(instance.path).encode() + b"/") for instance, document in pairs
    )
    return (b"[" if first else b",") + items


def xml_parts(boundary: str, base_url: str, base: Base, written: Charset = UTF_8) -> Callable[[Documents, bool], bytes]:
    """Parts of the multipart message, one XML document each."""

    def parts(pairs: Documents, first: bool) -> bytes:
        pieces = []
        for number, (instance, document) in enumerate(pairs):
            body = written.xml(_xml(instance, document, base))
            location = f"{base_url}/{instance.path}/metadata"
            pieces.append(
                multipart_writer.part_header(
                    boundary,
                    DICOM_XML + written.parameter,
                    length=len(body),
                    location=location,
                    first=first and number == 0,
                )
            )
            pieces.append(body)
        return b"".join(pieces)

    return parts


def _xml(instance: StoredInstance, document: bytes, base: Base) -> bytes:
    return native_xml.to_xml(dicom_json.decode(document), bulk_base=base(instance.path))


async def _gathered(
    documents: AsyncIterator[Documents], encode: Callable[[Documents, bool], bytes], *, closing: bytes = b""
) -> AsyncIterator[bytes]:
    """Encode chunk by chunk; the end goes with the last one, so that a short answer is a single piece."""
    ready = None
    try:
        async for pairs in documents:
            small = sum(len(document) for _, document in pairs) < AT_ONCE
            data = encode(pairs, ready is None) if small else await asyncio.to_thread(encode, pairs, ready is None)
            if ready is not None:
                yield ready
            ready = data
    finally:
        await representation.close(documents)
    if ready is None:
        raise Damaged("The metadata went while it was read.")
    yield ready + closing


async def _respond(
    request: Request, headers: list[tuple[str, str]], chunks: AsyncIterator[bytes], *, gzip: bool
) -> Response:
    if request.method == "HEAD":
        return Response(200, headers, chunks)  # never read
    first = await anext(chunks)
    second = await anext(chunks, None)
    if second is None and (not gzip or len(first) < WORTH_COMPRESSING):
        return _at_once(headers, first)
    rest = representation.before(first, chunks if second is None else representation.before(second, chunks))
    if not gzip:
        return Response(200, headers, rest)
    compressed = gzipped(rest)
    if second is None:
        return _at_once(headers, b"".join([chunk async for chunk in compressed]))
    return Response(200, [*headers, ("content-encoding", "gzip")], compressed)


def _at_once(headers: list[tuple[str, str]], body: bytes) -> Response:
    if body.startswith(_GZIP):  # neither JSON nor XML begins so
        headers.append(("content-encoding", "gzip"))
    return Response(200, headers, body, len(body))


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress a stream (RFC 1952); what is large in another thread."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    try:
        async for chunk in chunks:
            small = len(chunk) < AT_ONCE
            data = compressor.compress(chunk) if small else await asyncio.to_thread(compressor.compress, chunk)
            if data:
                yield data
    finally:
        await representation.close(chunks)
    yield compressor.flush()


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the user agent takes gzip (RFC 9110 §12.5.3); without the header it is not sent."""
    takes: dict[str, bool] = {}
    for entry in accept_encoding.lower().split(","):
        name, _, weight = entry.partition(";")
        takes[name.strip()] = weight.replace(" ", "").rstrip("0.") not in ("q=", "q")
    return takes.get("gzip", takes.get("x-gzip", takes.get("*", False)))


_MEDIA_TYPES = ("application/dicom+json", 'multipart/related; type="application/dicom+xml"')
_STATUSES = frozenset({200, 304, 400, 404, 406, 410, 412, 413})

TRANSACTIONS: tuple[Transaction, ...] = tuple(
    Transaction(f"Retrieve {name} Metadata", "10.4", "GET", template, "read", _STATUSES, media_types, retrieve)
    for name, template, media_types in (
        ("Study", "/studies/{study}/metadata", _MEDIA_TYPES),
        ("Series", "/studies/{study}/series/{series}/metadata", _MEDIA_TYPES),
        (
            "Instance",
            "/studies/{study}/series/{series}/instances/{instance}/metadata",
            (*_MEDIA_TYPES, "application/dicom+xml"),
        ),
    )
)

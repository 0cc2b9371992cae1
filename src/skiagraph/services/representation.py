"""Representations: what a GET is answered with, as a single part or as multipart — PS3.18 §8.4, §8.6.1.

A representation knows its headers and length and is read only when it is sent. The first bytes are fetched before
the status goes out; what fails later raises out of the body, so that the edge breaks the connection: half is never
taken for whole.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.services.archive import Archive
from skiagraph.standard import dicom_json
from skiagraph.standard.media_types import DICOM, ZIP
from skiagraph.values import Attributes, ByteRange, ResourcePath
from skiagraph.wire import multipart_writer, query
from skiagraph.wire.accept import Choice, Offer, choose
from skiagraph.wire.conditional import entity_tag, http_date, is_not_modified
from skiagraph.wire.message import Body, Chunk, Request, Response
from skiagraph.wire.ranges import content_range, parse_range

WHOLE = 2**20
"""Bodies up to this many bytes are fetched before the status and sent in one go."""

SMALL = 64 * 2**10
"""Chunks below this many bytes are sent together with their neighbours."""

LARGEST_CONTENT = 16 * 2**20
"""Bytes of metadata that are rendered: about 40,000 items of a report."""

FILES = (DICOM, ZIP)
"""Media types of Instances as PS3.10 files."""

T = TypeVar("T")


class NothingToSend(ResourceNotFound):
    """The resource has no part that could be sent."""


class TooMuchContent(NoAcceptableRepresentation):
    """There is too much in the Instance to render it."""


class Damaged(Exception):
    """The stored bytes of an Instance are missing, or are not what the index says: a fault of this server."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One part, or the whole of a single part response."""

    content_type: str
    location: str
    """URL of the resource that it represents; "": it is none of this server's, such as what was de-identified."""
    length: int | None
    """Bytes, where known before they are made."""
    read: Callable[[ByteRange | None], AsyncIterator[Chunk]]
    """Stream all of it, or (where the length is known) a range."""


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one version of a representation from another."""

    etag: str
    last_modified: float | None = None
    vary: str = "Accept"

    def headers(self) -> list[tuple[str, str]]:
        """Header fields of 200 and 304. Images are of patients: only the user's own cache, and only after asking."""
        fields = [("etag", self.etag), ("cache-control", "private, no-cache"), ("vary", self.vary)]
        if self.last_modified is not None:
            fields.append(("last-modified", http_date(self.last_modified)))
        return fields


def resource(request: Request) -> ResourcePath:
    """The Study, Series or Instance that the request names."""
    parameters = request.parameters
    return ResourcePath(parameters["study"], parameters.get("series"), parameters.get("instance"))


def url(request: Request, path: ResourcePath) -> str:
    """URL of a Study, Series or Instance as the client sees it."""
    return f"{request.base_url}/{path}"


def negotiate(archive: Archive, request: Request, offers: tuple[Offer, ...]) -> Choice:
    """Choose among the offers by Accept and the `accept` query parameter (§8.7.8).

    A request with Range wants bytes of one thing: where the user agent takes both, single part goes first.

    Raises
    ------
    NoAcceptableRepresentation
        None of them is acceptable.
    BadRequest
        `anonymize` is given for a resource that nothing is taken out of: ignoring it would harm.
    """
    if query.anonymize(request.query) and any(offer.media_type not in FILES for offer in offers):
        raise BadRequest("The parameter 'anonymize' is for Studies, Series and Instances as DICOM files alone.")
    if "range" in request.headers:
        offers = tuple(sorted(offers, key=lambda offer: offer.multipart))
    return choose(
        request.headers.get("accept"),
        query.accept(request.query),
        offers,
        strict=archive.settings.strict_accept,
    )


def version_of(instance: StoredInstance, offer: Offer, *details: str) -> Version:
    """Version of a representation of one Instance: its bytes are known by their digests.

    Multipart has a boundary of its own each time, and an archive says when files were stored: the same in meaning,
    not in bytes.
    """
    opaque = f"{digest(instance)}-{variant(str(offer), *details)}"
    return Version(entity_tag(opaque, weak=offer.multipart or offer.media_type == ZIP), instance.stored_at)


def digest(instance: StoredInstance) -> str:
    """What changes with the bytes of an Instance."""
    return instance.dataset_digest[:16].hex() + instance.prefix_digest[:4].hex()


def variant(*details: str) -> str:
    """A short name for one of several representations of one content."""
    return f"{zlib.crc32('|'.join(details).encode('utf-8', 'surrogateescape')):08x}"


def not_modified(request: Request, version: Version) -> Response | None:
    """304 when the client has this version already; None when it has to be sent.

    Raises PreconditionFailed.
    """
    if not is_not_modified(
        request.headers, etag=version.etag, last_modified=version.last_modified, method=request.method
    ):
        return None
    return Response(304, version.headers())


async def single(request: Request, representation: Representation, version: Version) -> Response:
    """Answer with one representation as a single part, or with the range of it that was asked for."""
    headers = [("content-type", representation.content_type)]
    if representation.location:
        headers.append(("content-location", representation.location))
    headers += version.headers()
    headers += _precautions(representation.content_type)
    length = representation.length
    if length is None:
        return Response(200, headers, await body_of(request, representation.read(None), None))
    headers.append(("accept-ranges", "bytes"))
    span = None
    if request.method == "GET" and "range" in request.headers:
        span = parse_range(
            request.headers["range"],
            length,
            if_range=request.headers.get("if-range"),
            etag=version.etag,
            last_modified=version.last_modified,
        )
    if span is None:
        return Response(200, headers, await body_of(request, representation.read(None), length), length)
    headers.append(("content-range", content_range(span, length)))
    return Response(206, headers, await body_of(request, representation.read(span), span.length), span.length)


async def multipart(
    request: Request,
    parts: Sequence[Representation] | AsyncIterator[Representation],
    version: Version,
    *,
    status: int = 200,
    length: int | None = None,
    boundary: str | None = None,
    warning: str | None = None,
    missing: str = "There is nothing to send for this resource.",
) -> Response:
    """Answer with any number of parts, in their order.

    Parameters
    ----------
    length, boundary
        Of the whole message, where the caller reckoned it (`measure`); for a sequence of parts it is found here.
    warning
        Sentence of a Warning header.
    missing
        What is said when there is no part at all: a multipart without parts does not exist.

    Raises
    ------
    NothingToSend
        There is no part.
    """
    boundary = boundary or multipart_writer.new_boundary()
    if isinstance(parts, Sequence):
        length = measure(boundary, parts)
        parts = iterate(parts)
    first = await anext(parts, None)
    if first is None:
        raise NothingToSend(missing)
    root = first.content_type.partition(";")[0]
    headers = [
        ("content-type", multipart_writer.content_type(root, boundary)),
        ("content-location", request.base_url + request.path.rstrip("/")),
        *version.headers(),
    ]
    if warning is not None:
        headers.append(("warning", f"299 {request.base_url}: {warning}"))
    body = await body_of(request, _stream(boundary, before(first, parts)), length)
    return Response(status, headers, body, length)


def made(data: bytes, content_type: str, location: str) -> Representation:
    """What is ready to be sent."""

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        yield data if part is None else data[part.offset : part.end]

    return Representation(content_type, location, len(data), read)


def lazily(make: Callable[[], Awaitable[bytes]], content_type: str, location: str) -> Representation:
    """What is made when it is read, which it is not for HEAD."""

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        yield await make()

    return Representation(content_type, location, None, read)


def measure(boundary: str, parts: Sequence[Representation]) -> int | None:
    """Content-Length of a multipart message; None where the length of a part is not known."""
    total = len(multipart_writer.closing(boundary))
    for number, part in enumerate(parts):
        if part.length is None:
            return None
        total += len(_header(boundary, part, first=number == 0)) + part.length
    return total


async def document(archive: Archive, instance: StoredInstance) -> bytes:
    """The metadata of one Instance as JSON text. Raises ResourceNotFound."""
    async for chunk in await archive.index.documents(instance.path):
        for _, found in chunk:
            return found
    raise ResourceNotFound(f"There is no metadata of {instance.path}.")


async def attributes(archive: Archive, instance: StoredInstance) -> Attributes:
    """The metadata of one Instance, for what the index entry does not tell."""
    return dicom_json.decode(await document(archive, instance))


async def content(archive: Archive, instance: StoredInstance) -> bytes:
    """The metadata, as JSON text, of what is rendered out of them: reports, presentation states, waveforms.

    Raises
    ------
    TooMuchContent
        They have more than `LARGEST_CONTENT` bytes.
    """
    found = await document(archive, instance)
    if len(found) > LARGEST_CONTENT:
        raise TooMuchContent(
            f"The Instance has {len(found)} bytes of metadata; it is rendered up to {LARGEST_CONTENT} of them."
        )
    return found


async def iterate(items: Sequence[T]) -> AsyncIterator[T]:
    """A sequence as an async iterator."""
    for item in items:
        yield item


async def before(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    """Put back what was taken from an async iterator."""
    try:
        yield first
        async for item in rest:
            yield item
    finally:
        await close(rest)


async def close(iterator: AsyncIterator[object]) -> None:
    """Close an async generator now; other iterators have nothing to close."""
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        await aclose()


def cut(chunk: Chunk, offset: int, part: ByteRange) -> Chunk:
    """What a part of a stream takes of the chunk that begins at the offset."""
    return chunk[max(part.offset - offset, 0) : max(part.end - offset, 0)]


async def body_of(request: Request, chunks: AsyncIterator[Chunk], length: int | None) -> Body:
    """A body whose first bytes are there before the status goes out, all of them where they are few.

    Raises Damaged where the bytes are missing, or more or fewer than they should be.
    """
    if request.method == "HEAD":
        return chunks  # never read: the edge sends the headers alone
    if length is None or length > WHOLE:
        chunks = counted(chunks, length)
        return before(await anext(chunks, b""), chunks)
    pieces = [chunk async for chunk in counted(chunks, length)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)  # type: ignore[return-value]  # as good as bytes


def _precautions(content_type: str) -> list[tuple[str, str]]:
    """Header fields that keep a browser from running what somebody stored as if it were a page of this server."""
    fields = [("x-content-type-options", "nosniff")]
    if content_type.startswith("text/") or "xml" in content_type:
        fields.append(("content-security-policy", "sandbox; default-src 'none'"))
    return fields


async def counted(chunks: AsyncIterator[Chunk], length: int | None) -> AsyncIterator[Chunk]:
    """Pass on what is not empty.

    Raises Damaged where the bytes are missing, or more or fewer than they should be.
    """
    count = 0
    try:
        async for chunk in chunks:
            count += len(chunk)
            if chunk:
                yield chunk
    except ResourceNotFound as error:
        raise Damaged(error.message) from error
    finally:
        await close(chunks)
    if length is not None and count != length:
        raise Damaged(f"The stored bytes are {count} instead of {length}.")


async def _stream(boundary: str, parts: AsyncIterator[Representation]) -> AsyncIterator[Chunk]:
    """The bytes of a multipart message; short pieces, such as headers and small frames, are gathered."""
    gathered = bytearray()
    first = True
    try:
        async for part in parts:
            gathered += _header(boundary, part, first=first)
            first = False
            chunks = counted(part.read(None), part.length)
            try:
                async for chunk in chunks:
                    if len(chunk) < SMALL:
                        gathered += chunk
                        if len(gathered) < SMALL:
                            continue
                    if gathered:
                        yield bytes(gathered)
                        gathered.clear()
                    if len(chunk) >= SMALL:
                        yield chunk
            finally:
                await close(chunks)
        gathered += multipart_writer.closing(boundary)
        yield bytes(gathered)
    finally:
        await close(parts)


def _header(boundary: str, part: Representation, *, first: bool) -> bytes:
    return multipart_writer.part_header(
        boundary, part.content_type, length=part.length, location=part.location or None, first=first
    )

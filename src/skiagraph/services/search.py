"""Search Transaction (QIDO-RS) — PS3.18 §10.6.

Request   GET /studies, …/series, …/instances with the query parameters of §8.3.4 (`wire.search_query`).
Behavior  attribute matching of PS3.4 C.2.2.2 over what the index holds; a total order, so that pages fit together.
Response  200 with DICOM JSON, or with one part of native XML for each match; 200 with ``[]`` or 204 when nothing
          matches; Warning 299 for what was ignored and for what is left, ``Link: rel="next"`` to it; gzip where
          the user agent takes it.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast
from urllib.parse import quote

import orjson

from skiagraph.index.base import Found, Match
from skiagraph.services.archive import Archive
from skiagraph.services.metadata import WORTH_COMPRESSING, Base, accepts_gzip, gzipped
from skiagraph.standard import native_xml
from skiagraph.standard.matching import Search
from skiagraph.standard.media_types import DICOM_JSON, DICOM_XML, JSON, RELATED
from skiagraph.values import Level
from skiagraph.wire import accept, multipart_writer, query, search_query
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.transaction import Transaction

# In JSON text this can only be a member: quotes within strings are escaped.
_URI = b'"BulkDataURI":"'

_URL_SAFE = "%!$&'()*+,;=:@/?~"  # in a URL that clients sent, percent-encoded as far as they saw fit


async def search_studies(archive: Archive, request: Request) -> Response:
    """GET /studies."""
    return await search(archive, request, Level.STUDY)


async def search_series(archive: Archive, request: Request) -> Response:
    """GET /studies/{study}/series and /series."""
    return await search(archive, request, Level.SERIES)


async def search_instances(archive: Archive, request: Request) -> Response:
    """GET /studies/{study}/instances, /studies/{study}/series/{series}/instances, /instances and Annex H's
    /series/{series}/instances.
    """
    return await search(archive, request, Level.INSTANCE)


async def search(archive: Archive, request: Request, level: Level) -> Response:
    """Answer a search for Studies, Series or Instances. A Study or Series that is not there has no matches."""
    settings = archive.settings
    choice = accept.choose(
        request.headers.get("accept"),
        query.accept(request.query),
        accept.metadata_offers(single=False),
        strict=settings.strict_accept,
    )
    asked = search_query.parse(
        request.query,
        level=level,
        study_instance_uid=request.parameters.get("study"),
        series_instance_uid=request.parameters.get("series"),
        max_conditions=settings.max_query_conditions,
        max_results=settings.max_search_results,
    )
    found = await archive.index.search(asked)
    base = _bulk_base(request, relative=settings.relative_urls)
    response = await _present(found, request.base_url, base, choice, empty=settings.empty_search)
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        await _compress(response)
    response.headers += _headers(request, asked, found)
    return response


# Response ---------------------------------------------------------------------------------------------------------


async def _present(found: Found, base_url: str, base: Base, choice: accept.Choice, *, empty: str) -> Response:
    content_type = choice.content_type
    if choice.multipart:
        boundary = multipart_writer.new_boundary()
        content_type = multipart_writer.content_type(DICOM_XML, boundary)
    if found.empty:
        # There is no multipart without parts
        if choice.multipart or empty == "204":
            return Response(204)
        return Response(200, [("content-type", content_type)], b"[]", 2)
    encode = _multipart(boundary, base_url, base) if choice.multipart else _json(base_url, base)
    first = await _next(found.matches)
    second = await _next(found.matches)
    if second is None:
        body = await encode(first or (), True) + await encode((), False)
        return Response(200, [("content-type", content_type)], body, len(body))
    return Response(200, [("content-type", content_type)], _stream(found.matches, encode, first or (), second))


async def _compress(response: Response) -> None:
    """Replace the body of an answer by the same in gzip, but for a short one."""
    if isinstance(response.body, bytes):
        if len(response.body) < WORTH_COMPRESSING:
            return
        response.body = b"".join([chunk async for chunk in gzipped(_whole(response.body))])
        response.length = len(response.body)
    elif response.body is not None:
        response.body = gzipped(cast("AsyncIterator[bytes]", response.body))
    else:
        return
    response.headers.append(("content-encoding", "gzip"))


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


_Encode = Callable[[Sequence[Match], bool], Any]
"""Encodes some matches, told whether they are the first; no matches that are not the first: the end."""


async def _stream(
    matches: AsyncIterator[Sequence[Match]], encode: _Encode, first: Sequence[Match], second: Sequence[Match]
) -> AsyncIterator[Chunk]:
    try:
        yield await encode(first, True)
        yield await encode(second, False)
        async for some in matches:
            if some:
                yield await encode(some, False)
        yield await encode((), False)
    finally:
        if hasattr(matches, "aclose"):
            await matches.aclose()


async def _next(matches: AsyncIterator[Sequence[Match]]) -> Sequence[Match] | None:
    async for some in matches:
        if some:
            return some
    return None


def _bulk_base(request: Request, *, relative: bool) -> Base:
    """What BulkDataURIs of an Instance begin with: absolute, or relative to the URL of the request (RFC 3986 §5.2)."""
    if not relative:
        return lambda instance: f"{request.base_url}/{instance}"
    folder = posixpath.dirname(request.path)
    return lambda instance: posixpath.relpath(f"/{instance}", folder)


def _json(base_url: str, base: Base) -> _Encode:
    head = b'"00081190":{"vr":"UR","Value":["' + orjson.dumps(base_url + "/")[1:-1]

    def one(match: Match) -> bytes:
        return b"".join((match.before, head, str(match.path).encode(), b'"]}', match.after))

    def with_uris(match: Match) -> bytes:
        return one(match).replace(_URI, b"%b%b/" % (_URI, base(match.path).encode()))

    async def encode(matches: Sequence[Match], first: bool) -> bytes:
        if not matches and not first:
            return b"]"
        objects = b",".join(map(one, matches))
        if _URI in objects:
            objects = b",".join(map(with_uris, matches))
        return (b"[" if first else b",") + objects

    return encode


def _multipart(boundary: str, base_url: str, base: Base) -> _Encode:
    def parts(matches: Sequence[Match], first: bool) -> bytes:
        pieces: list[bytes] = []
        for match in matches:
            attributes = orjson.loads(b'%b"00081190":0%b' % (match.before, match.after))
            attributes["00081190"] = {"vr": "UR", "Value": [f"{base_url}/{match.path}"]}
            document = native_xml.to_xml(attributes, bulk_base=base(match.path))
            pieces += (
                multipart_writer.part_header(boundary, DICOM_XML, length=len(document), first=first and not pieces),
                document,
            )
        return b"".join(pieces)

    async def encode(matches: Sequence[Match], first: bool) -> bytes:
        if not matches and not first:
            return multipart_writer.closing(boundary)
        return await asyncio.to_thread(parts, matches, first)

    return encode


def _headers(request: Request, asked: Search, found: Found) -> list[tuple[str, str]]:
    headers = [("vary", "Accept, Accept-Encoding"), ("cache-control", "private, no-cache")]
    if found.total is not None:
        headers.append(("x-total-count", str(found.total)))
    warnings = list(asked.warnings)
    if found.remaining > 0:
        warnings.insert(0, f"There are {found.remaining} additional results that can be requested")
        if not found.empty and found.total is not None:
            headers.append(("link", f'<{_page(request, found.total - found.remaining)}>; rel="next"'))
    base = quote(request.base_url, safe=_URL_SAFE + "[]")
    return headers + [("warning", f"299 {base}: {sentence}") for sentence in warnings]


def _page(request: Request, offset: int) -> str:
    """The URL of the same search from an offset on."""
    rest = [pair for pair in request.query.split("&") if pair and pair.partition("=")[0] != "offset"]
    path = quote(request.base_url + request.path, safe=_URL_SAFE + "[]")
    return (
        f"{path}?{quote('&'.join([*rest, f'offset={offset}']), safe=_URL_SAFE, encoding='latin-1', errors='replace')}"
    )


def _row(name: str, template: str, handler: Callable[[Archive, Request], Any]) -> Transaction:
    return Transaction(
        name=name,
        section="10.6",
        method="GET",
        template=template,
        scope="search",
        statuses=frozenset({200, 204, 400, 406, 413}),
        media_types=(DICOM_JSON, JSON, f'{RELATED}; type="{DICOM_XML}"'),
        handler=handler,
    )


TRANSACTIONS: tuple[Transaction, ...] = (
    _row("Search for Studies", "/studies", search_studies),
    _row("Search for Study's Series", "/studies/{study}/series", search_series),
    _row("Search for Study's Instances", "/studies/{study}/instances", search_instances),
    _row("Search for Series", "/series", search_series),
    _row("Search for Series' Instances", "/studies/{study}/series/{series}/instances", search_instances),
    _row("Search for Instances", "/instances", search_instances),
    _row("Search for Instances of a Series", "/series/{series}/instances", search_instances),  # Annex H only
)
"""Tables 10.6.1-1 and 10.6.3-1."""

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
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from skiagraph.index.base import Found, Match
from skiagraph.services import matches
from skiagraph.services.archive import Archive
from skiagraph.services.metadata import Base, accepts_gzip
from skiagraph.standard import native_xml
from skiagraph.standard.media_types import DICOM_JSON, DICOM_XML, JSON, RELATED
from skiagraph.values import Level
from skiagraph.wire import accept, charset, multipart_writer, query, search_query
from skiagraph.wire.charset import Charset
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

# In JSON text this can only be a member: quotes within strings are escaped.
_URI = b'"BulkDataURI":"'


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
    written = charset.select(choice, request.query, request.headers.get("accept-charset"))
    response = await _present(found, request.base_url, base, choice, written, empty=settings.empty_search)
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        await matches.compress(response)
    response.headers += matches.headers(
        request, asked.warnings, remaining=found.remaining, total=found.total, empty=found.empty
    )
    return response


# Response ---------------------------------------------------------------------------------------------------------


async def _present(
    found: Found, base_url: str, base: Base, choice: accept.Choice, written: Charset, *, empty: str
) -> Response:
    if found.empty:
        return matches.nothing(choice.content_type, multipart=choice.multipart, empty=empty)
    opened = await matches.Opened.of(found.matches)
    if not choice.multipart:
        return await matches.respond(opened, choice.content_type, _json(base_url, base))
    boundary = multipart_writer.new_boundary()
    content_type = multipart_writer.content_type(DICOM_XML, boundary)
    return await matches.respond(opened, content_type, _multipart(boundary, base_url, base, written))


def _bulk_base(request: Request, *, relative: bool) -> Base:
    """What BulkDataURIs of an Instance begin with: absolute, or relative to the URL of the request (RFC 3986 §5.2)."""
    if not relative:
        return lambda instance: f"{request.base_url}/{instance}"
    folder = posixpath.dirname(request.path)
    return lambda instance: posixpath.relpath(f"/{instance}", folder)


def _json(base_url: str, base: Base) -> matches.Encode[Match]:
    head = b'"00081190":{"vr":"UR","Value":["' + orjson.dumps(base_url + "/")[1:-1]

    def one(match: Match) -> bytes:
        return b"".join((match.before, head, str(match.path).encode(), b'"]}', match.after))

    def with_uris(match: Match) -> bytes:
        return one(match).replace(_URI, b"%b%b/" % (_URI, base(match.path).encode()))

    async def encode(some: Sequence[Match], first: bool) -> bytes:
        if not some and not first:
            return b"]"
        objects = b",".join(map(one, some))
        if _URI in objects:
            objects = b",".join(map(with_uris, some))
        return (b"[" if first else b",") + objects

    return encode


def _multipart(boundary: str, base_url: str, base: Base, written: Charset) -> matches.Encode[Match]:
    def parts(some: Sequence[Match], first: bool) -> bytes:
        pieces: list[bytes] = []
        for match in some:
            attributes = orjson.loads(b'%b"00081190":0%b' % (match.before, match.after))
            attributes["00081190"] = {"vr": "UR", "Value": [f"{base_url}/{match.path}"]}
            document = written.xml(native_xml.to_xml(attributes, bulk_base=base(match.path)))
            kind = DICOM_XML + written.parameter
            pieces += (
                multipart_writer.part_header(boundary, kind, length=len(document), first=first and not pieces),
                document,
            )
        return b"".join(pieces)

    async def encode(some: Sequence[Match], first: bool) -> bytes:
        if not some and not first:
            return multipart_writer.closing(boundary)
        return await asyncio.to_thread(parts, some, first)

    return encode


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

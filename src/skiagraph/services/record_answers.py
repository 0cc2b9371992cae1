"""Search Transactions for records — PS3.18 §11.9, §14.4: what Workitems, worklist entries and their like share.

Request   GET with the query parameters of §8.3.4 (`wire.record_query`).
Behavior  attribute matching of PS3.4 C.2.2.2 over what the index holds; a total order, so that pages fit together.
Response  200 with one JSON array, or one part for each match: a Native DICOM Model, or a JSON array of one. A user
          agent that takes XML alone, and not in parts, gets the document of a single match, and parts all the same
          for more. 200 with ``[]`` or 204 when nothing matches; Warning 299 and Link as in `services.matches`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from skiagraph.index.base import FoundRecords, Record, RecordSearch
from skiagraph.services import matches
from skiagraph.services.archive import Archive
from skiagraph.services.metadata import accepts_gzip
from skiagraph.standard import data_set, dicom_json, native_xml
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Condition, Path
from skiagraph.standard.media_types import DICOM_JSON, DICOM_XML
from skiagraph.standard.return_table import ReturnTable, Selection
from skiagraph.values import Attributes
from skiagraph.wire import accept, multipart_writer, query, record_query
from skiagraph.wire.message import Request, Response

_IN_PLACE, _IN_PLACE_XML = 64, 8
"""Records that are encoded without handing over to another thread: about half a millisecond, as JSON and as XML."""


async def search(
    archive: Archive,
    request: Request,
    kind: Kind,
    table: ReturnTable,
    *,
    conditions: tuple[Condition, ...] = (),
    defaults: Mapping[Path, Condition] = MappingProxyType({}),
) -> Response:
    """Answer a search for records.

    Parameters
    ----------
    table
        What is returned besides what the query names, and what never.
    conditions
        Hold beside those of the query.
    defaults
        Hold where the query does not have the attribute as a match key.

    Raises
    ------
    BadRequest, NoAcceptableRepresentation
    """
    settings = archive.settings
    choice = accept.choose(
        request.headers.get("accept"),
        query.accept(request.query),
        accept.record_offers(),
        strict=settings.strict_accept,
    )
    asked = record_query.parse(
        request.query,
        secret=table.secret,
        max_conditions=settings.max_query_conditions,
        max_results=settings.max_search_results,
    )
    every = asked.conditions + conditions
    every += tuple(condition for path, condition in defaults.items() if path not in asked.keys)
    found = await archive.index.find(RecordSearch(kind, every, asked.limit, asked.offset))
    selection = Selection(table, asked.include, asked.include_private, everything=asked.include_all)

    def shown(attributes: Attributes) -> Attributes:
        return data_set.character_set(selection.of(attributes))

    response = await present(found, shown, choice, empty=settings.empty_search)
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        await matches.compress(response)
    response.headers += matches.headers(
        request, asked.warnings, remaining=found.remaining, total=found.total, empty=found.empty
    )
    return response


async def present(
    found: FoundRecords, shown: Callable[[Attributes], Attributes], choice: accept.Choice, *, empty: str
) -> Response:
    """Encode what a search found; `shown` says what of each record."""
    media_type, multipart = choice.offer.media_type, choice.multipart
    if found.empty:
        return matches.nothing(choice.content_type, multipart=multipart or media_type == DICOM_XML, empty=empty)
    opened = await matches.Opened.of(found.records)
    if media_type != DICOM_XML and not multipart:
        return await matches.respond(opened, choice.content_type, _array(shown))
    if not multipart and opened.second is None and len(opened.first) == 1:
        document = native_xml.to_xml(shown(opened.first[0].attributes))
        return Response(200, [("content-type", choice.content_type)], document, len(document))
    boundary = multipart_writer.new_boundary()
    return await matches.respond(
        opened, multipart_writer.content_type(media_type, boundary), _parts(shown, media_type, boundary)
    )


def _array(shown: Callable[[Attributes], Attributes]) -> matches.Encode[Record]:
    def objects(some: Sequence[Record], first: bool) -> bytes:
        items = b",".join(_json(shown(record.attributes)) for record in some)
        return (b"[" if first else b",") + items

    return _encoder(objects, b"]", _IN_PLACE)


def _parts(shown: Callable[[Attributes], Attributes], media_type: str, boundary: str) -> matches.Encode[Record]:
    def parts(some: Sequence[Record], first: bool) -> bytes:
        pieces: list[bytes] = []
        for record in some:
            attributes = shown(record.attributes)
            body = native_xml.to_xml(attributes) if media_type == DICOM_XML else b"[%b]" % _json(attributes)
            header = multipart_writer.part_header(boundary, media_type, length=len(body), first=first and not pieces)
            pieces += (header, body)
        return b"".join(pieces)

    return _encoder(parts, multipart_writer.closing(boundary), _IN_PLACE if media_type == DICOM_JSON else _IN_PLACE_XML)


def _encoder(
    encode: Callable[[Sequence[Record], bool], bytes], closing: bytes, in_place: int
) -> matches.Encode[Record]:
    async def encoded(some: Sequence[Record], first: bool) -> bytes:
        if not some and not first:
            return closing
        if len(some) <= in_place:
            return encode(some, first)
        return await asyncio.to_thread(encode, some, first)

    return encoded


def _json(attributes: Attributes) -> bytes:
    return dicom_json.encode(dict(sorted(attributes.items())))


MEDIA_TYPES = (
    DICOM_JSON,
    DICOM_XML,
    f'multipart/related; type="{DICOM_XML}"',
    f'multipart/related; type="{DICOM_JSON}"',
)
"""What searches and retrievals of records answer with."""

"""The payload of a request that carries data sets without bulk data — PS3.18 §11.1.3, §13.1.3, §8.7.3.2.

Workitems, entries of worklists, commitment requests: DICOM JSON, native XML, either of them in the parts of a multipart
payload, or PS3.10 files. What is read becomes the DICOM JSON Model to the letter (`standard.data_set`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from skiagraph.blobs.base import Chunk
from skiagraph.errors import (
    BadRequest,
    CannotUnderstand,
    OutOfResources,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from skiagraph.services.archive import Archive
from skiagraph.services.upload import decoded
from skiagraph.settings import Settings
from skiagraph.standard import data_set, native_xml, part10
from skiagraph.standard.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, RELATED
from skiagraph.values import Attributes
from skiagraph.wire import media_type
from skiagraph.wire.content_coding import Decoder, content_decoder, transfer_decoder
from skiagraph.wire.message import Request
from skiagraph.wire.multipart_reader import MultipartReader, PartBegin, PartData, PartEnd, parse_related

MEDIA_TYPES = (DICOM_JSON, DICOM_XML, f'{RELATED}; type="{DICOM_JSON}"', f'{RELATED}; type="{DICOM_XML}"', DICOM)
"""What is taken, as a refusal lists it."""

MOST_DATA_SETS = 10_000
"""Data sets in one payload."""

_AT_ONCE = 64 * 2**10  # bytes that are read without handing over to another thread
# A few bytes of text become many times as much memory
_MOST_BRACKETS = 1_000_000
_MOST_MARKUP = 2_000_000

_SETTING = "max_data_set_bytes"
_JSON_TYPES = frozenset({DICOM_JSON, JSON})
_XML_TYPES = frozenset({DICOM_XML, "application/xml", "text/xml"})


async def data_sets(archive: Archive, request: Request) -> list[Attributes]:
    """Read the data sets of a payload; without one there are none.

    Raises
    ------
    BadRequest
        The payload is not what its Content-Type says, or refers to bulk data; the message says where.
    PayloadTooLarge
        It is larger than `max_data_set_bytes`, or would be in memory.
    UnsupportedMediaType
        It is something else.
    """
    settings = archive.settings
    body = await _body(request, settings.max_data_set_bytes)
    if not body.strip():
        return []
    content_type = request.headers.get("content-type", "")
    if len(body) < _AT_ONCE:
        return read(body, content_type, settings)
    return await asyncio.to_thread(read, body, content_type, settings)


async def data_set_of(archive: Archive, request: Request, what: str) -> Attributes:
    """Read the one data set of a payload.

    Parameters
    ----------
    what
        What it is, for the message: "a Workitem".

    Raises
    ------
    BadRequest, PayloadTooLarge, UnsupportedMediaType
        As `data_sets`; also when there is none, or more than one.
    """
    found = await data_sets(archive, request)
    if len(found) != 1:
        raise BadRequest(
            f"The payload has {len(found)} data sets; {what} is one."
            if found
            else f"The payload is empty; {what} is expected."
        )
    return found[0]


async def _body(request: Request, limit: int) -> bytes:
    """Collect the payload, its Content-Encoding undone."""
    coding = content_decoder(request.headers.get("content-encoding", ""), limit, _SETTING)
    decoders = () if coding is None else (coding,)
    received = False
    chunks: list[Chunk] = []
    size = 0
    async for chunk in request.body():
        received = True
        for piece in decoded(decoders, chunk):
            size += len(piece)
            if size > limit:
                raise PayloadTooLarge(f"The payload has more than {limit} bytes ({_SETTING}).")
            chunks.append(piece)
    if received and coding is not None:
        coding.finish()
    return b"".join(chunks)


def read(body: bytes, content_type: str, settings: Settings) -> list[Attributes]:
    """Read the data sets of a payload that is there as a whole; see `data_sets`. Blocks."""
    if not content_type.strip():
        raise UnsupportedMediaType("The request has a payload but no Content-Type.", details=MEDIA_TYPES)
    kind = media_type.parse(content_type)
    if kind is None:
        raise BadRequest("The Content-Type is malformed; type/subtype; name=value is expected.")
    if kind.name != RELATED:
        found = _part(body, kind.name, settings, "The payload")
    else:
        found = []
        for number, (name, part) in enumerate(_parts(body, content_type, settings), 1):
            found += _part(part, name, settings, f"Part {number}")
            if len(found) > MOST_DATA_SETS:
                break
    if len(found) > MOST_DATA_SETS:
        raise PayloadTooLarge(f"The payload has more than {MOST_DATA_SETS} data sets.")
    return found


def _parts(body: bytes, content_type: str, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield the media type and the body of each part."""
    related = parse_related(content_type)
    last = b"--" + related.boundary.encode("ascii")
    stripped = body.rstrip()
    if stripped.endswith(b"\n" + last):  # the examples of the standard leave out the dashes that close it
        body = stripped + b"--\r\n"
    reader = MultipartReader(
        related.boundary, max_header_bytes=settings.max_part_header_bytes, max_parts=settings.max_parts
    )
    events = reader.feed(body)
    reader.close()
    name = ""
    pieces: list[Chunk] = []
    decoders: tuple[Decoder, ...] = ()
    left = settings.max_data_set_bytes
    for event in events:
        match event:
            case PartBegin(headers):
                name, pieces, decoders = _type(headers, related.type), [], _decoders(headers, left)
            case PartData(data):
                for piece in decoded(decoders, data):
                    left -= len(piece)
                    if left < 0:
                        raise PayloadTooLarge(
                            f"The payload has more than {settings.max_data_set_bytes} bytes ({_SETTING})."
                        )
                    pieces.append(piece)
            case PartEnd():
                for decoder in decoders:
                    decoder.finish()
                yield name, b"".join(pieces)


def _type(headers: Mapping[str, str], root: str) -> str:
    content_type = headers.get("content-type", "").strip()
    if not content_type:
        return root
    kind = media_type.parse(content_type)
    return content_type if kind is None else kind.name


def _decoders(headers: Mapping[str, str], limit: int) -> tuple[Decoder, ...]:
    found = (
        transfer_decoder(headers.get("content-transfer-encoding", "")),
        content_decoder(headers.get("content-encoding", ""), limit, _SETTING),
    )
    return tuple(decoder for decoder in found if decoder is not None)


def _part(body: bytes, name: str, settings: Settings, where: str) -> list[Attributes]:
    """Read what is of one media type."""
    try:
        if name in _JSON_TYPES:
            given = _json(body)
        elif name in _XML_TYPES:
            given = [_xml(body)]
        elif name == DICOM:
            given = [_file(body, settings)]
        else:
            raise UnsupportedMediaType(
                f"{where} is {name[:80] or 'of no media type'}; data sets are expected.", details=MEDIA_TYPES
            )
    except CannotUnderstand as error:
        raise BadRequest(f"{where} can not be read. {error.message}") from error
    except OutOfResources as error:
        raise PayloadTooLarge(f"{where} is too large. {error.message}") from error
    found = []
    for number, each in enumerate(given, 1):
        try:
            found.append(data_set.normalised(each))
        except CannotUnderstand as error:
            one = where if len(given) == 1 else f"Data set {number}"
            raise BadRequest(f"{one} can not be taken. {error.message}") from error
    return found


def _json(body: bytes) -> list[Any]:
    if body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:
        raise PayloadTooLarge(f"The payload has more than {_MOST_BRACKETS} JSON objects and arrays.")
    try:
        parsed = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        # The text of the parser may quote the payload; its position does not
        raise CannotUnderstand(f"It is no JSON: see line {error.lineno}, column {error.colno}.") from None
    found = parsed if isinstance(parsed, list) else [parsed]
    if len(found) > MOST_DATA_SETS:
        raise PayloadTooLarge(f"The payload has more than {MOST_DATA_SETS} data sets.")
    return found


def _xml(body: bytes) -> Attributes:
    if body.count(b"<") > _MOST_MARKUP:
        raise PayloadTooLarge(f"The payload has more than {_MOST_MARKUP} XML tags.")
    return native_xml.from_xml(body, max_bytes=len(body), max_depth=data_set.DEEPEST, as_text=True)


def _file(body: bytes, settings: Settings) -> Attributes:
    header = part10.read(
        part10.BytesSource(body),
        bulkdata_threshold=settings.max_data_set_bytes,
        max_header_bytes=settings.max_data_set_bytes,
        max_inflated_bytes=settings.max_data_set_bytes,
        max_sequence_depth=data_set.DEEPEST,
        default_character_set=settings.default_character_set,
    )
    if header.pixel_data is not None:
        raise CannotUnderstand("It has pixel data, which this resource does not take.")
    return header.attributes

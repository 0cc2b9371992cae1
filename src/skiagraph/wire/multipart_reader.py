"""A push parser of multipart payloads: RFC 2046 §5.1, PS3.18 §8.6.1.2.

Bytes go in as they arrive, events come out; nothing is awaited and no body is ever joined or copied: body
bytes come out as slices of the chunks that were fed.

Where a body ends is decided by the delimiter alone: the line end before it, ``--``, the boundary, and behind
it either ``--`` or blanks and a line end. Content-Length of a part is not believed: it is often wrong, and
acting on it would need the whole part in memory before the first byte could go on.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from skiagraph.errors import BadRequest, UnsupportedMediaType
from skiagraph.standard.media_types import RELATED
from skiagraph.wire.media_type import parse

MAX_BOUNDARY = 200
"""RFC 2046 allows 70 characters; some writers are generous."""

MAX_PADDING = 1024
"""Most blanks behind the boundary on a delimiter line; with more it is taken for data."""

_BLANK_LINE = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*([^\x00\r\n]*?)[ \t]*")
_LINE_REST = re.compile(rb"--|[ \t]{0,%d}+(?:\r\n|\n)" % MAX_PADDING)
_LINE_REST_CUT = re.compile(rb"-|[ \t]{0,%d}+\r?" % MAX_PADDING)


@dataclass(frozen=True, slots=True)
class PartBegin:
    """The header of a part is complete."""

    headers: Mapping[str, str]
    """Lower-case names; of several fields with one name the first counts."""


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the body, never empty."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The delimiter behind the part was seen: the body is whole."""


Event: TypeAlias = PartBegin | PartData | PartEnd

_END = PartEnd()


class Related(NamedTuple):
    """What the Content-Type of a multipart/related payload says."""

    boundary: str
    type: str
    """Media type of the root part, lower case; "" when the header does not tell."""
    parameters: Mapping[str, str]
    """All parameters, names lower case."""


def parse_related(content_type: str) -> Related:
    """Read the Content-Type of a multipart/related payload.

    Raises
    ------
    UnsupportedMediaType
        It is another media type.
    BadRequest
        It is malformed, or has no usable ``boundary``.
    """
    media_type = parse(content_type)
    if media_type is None:
        raise BadRequest("The Content-Type is malformed; type/subtype; name=value is expected.")
    if media_type.name != RELATED:
        raise UnsupportedMediaType(f"The payload is {media_type.name}; {RELATED} is expected.")
    boundary = media_type.parameters.get("boundary", "")
    if not boundary:
        raise BadRequest(f'The Content-Type {RELATED} needs a boundary, such as boundary="a1b2c3".')
    if len(boundary) > MAX_BOUNDARY:
        raise BadRequest(f"The boundary of the payload is longer than {MAX_BOUNDARY} characters.")
    if not boundary.isascii():
        raise BadRequest("The boundary of the payload holds characters that are not ASCII.")
    return Related(boundary, media_type.parameters.get("type", "").strip().lower(), media_type.parameters)


class _State(enum.Enum):
    PREAMBLE = enum.auto()
    HEADERS = enum.auto()
    BODY = enum.auto()
    EPILOGUE = enum.auto()


class MultipartReader:
    """Takes the chunks of one payload in order; see the module for its rules.

    1. `feed` every chunk; handle the events at once or keep them: their data keeps the chunk alive.
    2. After the last chunk call `close`: only then is it known that nothing is missing.
    3. After BadRequest the reader is of no more use.

    Line ends may be LF alone in headers; between parts only where the first delimiter line ends so, since
    otherwise data that ends in LF would lose a byte.
    """

    def __init__(self, boundary: str, *, max_header_bytes: int, max_parts: int) -> None:
        self._dashes = b"--" + boundary.encode("ascii")
        self._delimiter = b"\n" + self._dashes  # the preamble may end in CRLF or LF; see _delimited
        self._state = _State.PREAMBLE
        self._held = b"\n"  # stands before the stream: the first delimiter may come without a line end
        self._skip = 0  # bytes at the start of _held that are no data: the line end of the blank line
        self._max_header_bytes = max_header_bytes
        self._max_parts = max_parts
        self._parts = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes, return what they complete.

        Raises
        ------
        BadRequest
            A part header is malformed or too long, or there are too many parts.
        """
        events: list[Event] = []
        if not chunk:
            return events
        # Held bytes are rare: a chunk that ends within what may be a delimiter, or within a header
        data = self._held + chunk if self._held else chunk
        self._held = b""
        position: int | None = 0
        while position is not None:
            match self._state:
                case _State.BODY:
                    position = self._body(data, position, events)
                case _State.HEADERS:
                    position = self._headers(data, position, events)
                case _State.PREAMBLE:
                    position = self._preamble(data, position)
                case _State.EPILOGUE:
                    position = None
        return events

    def close(self) -> None:
        """Say that the payload has ended.

        Raises
        ------
        BadRequest
            It ended too early: the last part may be cut.
        """
        if self._state is _State.PREAMBLE:
            raise BadRequest("The payload holds no part: the boundary of the Content-Type does not occur in it.")
        if self._state is not _State.EPILOGUE:
            raise BadRequest(f"The payload ends within part {self._parts}: the closing delimiter is missing.")
        if self._parts == 0:
            raise BadRequest("The multipart payload holds no part.")

    def _preamble(self, data: bytes, position: int) -> int | None:
        found, end = self._find(data, position)
        if end is None:
            self._held = data[found:]
            return None
        if data.endswith(b"\r\n", 0, end) or data.endswith(b"--", 0, end):
            self._delimiter = b"\r\n" + self._dashes
        return self._delimited(data, end)

    def _headers(self, data: bytes, position: int, events: list[Event]) -> int | None:
        # The data begins with the line end of the delimiter line, so that no header at all is no special case
        limit = position + 1 + self._max_header_bytes + 4  # the line ends around the header do not count
        blank = _BLANK_LINE.search(data, position, limit)
        if blank is None:
            if len(data) >= limit:
                raise BadRequest(f"The header of part {self._parts} is longer than {self._max_header_bytes} bytes.")
            self._held = data[position:]
            return None
        events.append(PartBegin(self._fields(data[position : blank.start()])))
        self._state = _State.BODY
        # The line end of the blank line may be the one of the next delimiter: a part without body (RFC 2046 §5.1.1)
        if self._delimiter.startswith(b"\r"):
            self._skip = 2 if data.endswith(b"\r\n", 0, blank.end()) else 0
        else:
            self._skip = 1
        return blank.end() - self._skip

    def _body(self, data: bytes, position: int, events: list[Event]) -> int | None:
        found, end = self._find(data, position)
        start = position + self._skip
        if found > start:
            whole = start == 0 and found == len(data)
            events.append(PartData(data if whole else memoryview(data)[start:found]))
        if found >= start:
            self._skip = 0
        if end is None:
            self._held = data[found:]
            return None
        self._skip = 0
        events.append(_END)
        return self._delimited(data, end)

    def _find(self, data: bytes, position: int) -> tuple[int, int | None]:
        """Where the next delimiter begins and where the rest of its line begins, behind the boundary and blanks.

        The end is None where the data has no whole delimiter; it begins, at the earliest, at the first place.
        """
        delimiter = self._delimiter
        found = data.find(delimiter, position)
        while found >= 0:
            behind = found + len(delimiter)
            rest = _LINE_REST.match(data, behind)
            if rest is not None:
                return found, rest.end()
            cut = _LINE_REST_CUT.match(data, behind)
            if cut is not None and cut.end() == len(data):
                return found, None
            found = data.find(delimiter, found + 1)  # the boundary is only the beginning of a longer line
        # A delimiter holds its line end only once, so only the last one can begin a delimiter that is cut
        size = len(data)
        last = data.rfind(delimiter[:1], max(position, size - len(delimiter) + 1))
        return (last, None) if last >= 0 and delimiter.startswith(data[last:]) else (size, None)

    def _delimited(self, data: bytes, end: int) -> int | None:
        if data.endswith(b"--", 0, end):
            self._state = _State.EPILOGUE
            return None
        self._parts += 1
        if self._parts > self._max_parts:
            raise BadRequest(f"The payload has more than {self._max_parts} parts.")
        self._state = _State.HEADERS
        return end - 1

    def _fields(self, block: bytes) -> dict[str, str]:
        fields: list[tuple[str, str]] = []
        for line in block.split(b"\n"):
            line = line.removesuffix(b"\r")
            if not line:
                continue
            if line[:1] in b" \t" and fields:  # folded: HTTP has given it up, mail libraries still write it
                name, value = fields[-1]
                fields[-1] = (name, f"{value} {line.strip().decode('latin-1')}")
                continue
            match = _FIELD.fullmatch(line)
            if match is None:
                continue  # a line that is no field harms neither its part nor the others
            fields.append((match[1].decode("ascii").lower(), match[2].decode("latin-1")))
        return dict(reversed(fields))

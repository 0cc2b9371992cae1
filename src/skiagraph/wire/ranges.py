"""Range requests for single part representations: RFC 9110 §14, PS3.18 §8.4.3 and §8.6.1.1."""

from __future__ import annotations

import re

from skiagraph.errors import RangeNotSatisfiable
from skiagraph.values import ByteRange
from skiagraph.wire.conditional import is_same_version

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})[ \t,]*", re.IGNORECASE | re.ASCII)


def parse_range(
    header: str | None,
    length: int,
    *,
    if_range: str | None = None,
    etag: str | None = None,
    last_modified: float | None = None,
) -> ByteRange | None:
    """Which bytes of a representation a GET asks for.

    Parameters
    ----------
    header
        The Range header: ``bytes=a-b`` (both inclusive, from 0), ``bytes=a-``, ``bytes=-n`` (the last n).
    length
        Bytes of the whole representation.
    if_range, etag, last_modified
        The If-Range header, and what the representation has now: after a change the whole of it is sent.

    Returns
    -------
    ByteRange or None
        None: send all of it with 200. So it is without header, and for what a server may or has to ignore: other
        units, several ranges, malformed ones (§14.2).

    Raises
    ------
    RangeNotSatisfiable
        The range lies behind the end, or is empty.
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or not is_same_version(if_range, etag=etag, last_modified=last_modified):
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        size = min(int(last), length)
        if size == 0:
            raise RangeNotSatisfiable(f"The range holds no byte; the resource has {length} bytes.", length=length)
        return ByteRange(length - size, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= length:
        raise RangeNotSatisfiable(
            f"The range starts at byte {start}; the resource has {length} bytes, the first is byte 0.", length=length
        )
    end = min(int(last) + 1, length) if last else length
    return ByteRange(start, end - start)


def content_range(span: ByteRange | None, length: int) -> str:
    """Value of Content-Range: with 206 for what is sent, with 416 (None) for what there is."""
    return f"bytes */{length}" if span is None else f"bytes {span.offset}-{span.end - 1}/{length}"

"""Conditional requests: RFC 9110 §13, entity tags §8.8.3, dates §5.6.7; PS3.18 leaves them to HTTP.

Entity tags are written with their quotes, as in the header. Times are seconds since the epoch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

from skiagraph.errors import PreconditionFailed

_TAG = re.compile(r'[ \t,]*+((?:W/)?"[^"\x00-\x20\x7f]*"|[^",\s]+)[ \t]*(?=,|\Z)', re.IGNORECASE)
_OPAQUE = re.compile(r"[\x21\x23-\x7e]+")


def entity_tag(opaque: str, *, weak: bool = False) -> str:
    """Quote what tells one version of a representation from another.

    Raises
    ------
    ValueError
        It is empty or holds quotes, blanks or characters that are not ASCII.
    """
    if _OPAQUE.fullmatch(opaque) is None:
        raise ValueError("an entity tag is made of visible ASCII characters without quotes")
    return f'W/"{opaque}"' if weak else f'"{opaque}"'


def http_date(seconds: float) -> str:
    """As in Last-Modified: ``Sun, 06 Nov 1994 08:49:37 GMT``; fractions are cut."""
    return formatdate(math.floor(seconds), usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Read any of the three forms of an HTTP date; None when it is none (such dates are ignored, §13.1.3)."""
    try:
        parsed = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if parsed.tzinfo is None:  # asctime names no zone and means GMT
        parsed = parsed.replace(tzinfo=UTC)
    try:
        return math.floor((parsed - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except OverflowError:
        return None


def is_not_modified(
    headers: Mapping[str, str],
    *,
    etag: str | None = None,
    last_modified: float | None = None,
    method: str = "GET",
) -> bool:
    """Weigh the preconditions of a request for an existing representation, in the order of RFC 9110 §13.2.2.

    Parameters
    ----------
    headers
        Of the request, names lower case.
    etag, last_modified
        Of the representation as it would be sent; None where it has none.

    Returns
    -------
    bool
        True: answer 304 without payload. False: go on.

    Raises
    ------
    PreconditionFailed
        If-Match or If-Unmodified-Since does not hold; or If-None-Match, when the method is not GET or HEAD.
    """
    reads = method in ("GET", "HEAD")
    if_match = headers.get("if-match")
    unmodified = headers.get("if-unmodified-since")
    if if_match is not None:
        if not _matches(if_match, etag, weakly=False):
            raise PreconditionFailed("The resource has changed: its entity tag is none of those in If-Match.")
    elif unmodified is not None and last_modified is not None:
        limit = parse_http_date(unmodified)
        if limit is not None and math.floor(last_modified) > limit:
            raise PreconditionFailed("The resource has changed since the date in If-Unmodified-Since.")
    if_none_match = headers.get("if-none-match")
    modified = headers.get("if-modified-since")
    if if_none_match is not None:
        if not _matches(if_none_match, etag, weakly=True):
            return False
        if not reads:
            raise PreconditionFailed("The resource has one of the entity tags in If-None-Match.")
        return True
    if reads and modified is not None and last_modified is not None:
        limit = parse_http_date(modified)
        return limit is not None and math.floor(last_modified) <= limit
    return False


def is_same_version(if_range: str | None, *, etag: str | None = None, last_modified: float | None = None) -> bool:
    """Whether a Range may be honoured (§13.1.5): without If-Range, or when it names exactly this version."""
    if if_range is None:
        return True
    if_range = if_range.strip()
    if if_range.endswith('"'):
        return etag is not None and not etag.startswith("W/") and if_range == etag
    date = parse_http_date(if_range)
    return date is not None and last_modified is not None and date == math.floor(last_modified)


def _matches(header: str, etag: str | None, *, weakly: bool) -> bool:
    """Whether a list of entity tags holds this one; ``*`` holds every one."""
    if header.strip() == "*":
        return True
    if etag is None:
        return False
    ours = etag.removeprefix("W/")
    if not weakly and etag != ours:
        return False
    match = _TAG.match(header)
    while match is not None:
        tag = match[1]
        weak = tag[:2] in ("W/", "w/")
        # Some caches lose the quotes
        if (weakly or not weak) and tag[2 if weak else 0 :] in (ours, ours.strip('"')):
            return True
        match = _TAG.match(header, match.end())
    return False

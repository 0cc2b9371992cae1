"""Writing multipart/related payloads: PS3.18 §8.6.1.2, RFC 2046 §5.1, RFC 2387.

No preamble and no epilogue but a last line end; boundaries are token characters only, so that they never need
quotes; the ``type`` always has them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from skiagraph.standard.media_types import RELATED
from skiagraph.wire.media_type import quote


def new_boundary() -> str:
    """A boundary that no payload holds but by a chance of 1 in 2**128: 32 hex digits."""
    return secrets.token_hex(16)


def content_type(part_media_type: str, boundary: str) -> str:
    """Content-Type of the message; `part_media_type` is that of the first part, without parameters."""
    return f'{RELATED}; type="{part_media_type}"; boundary={quote(boundary)}'


def part_header(
    boundary: str,
    part_content_type: str,
    *,
    length: int | None = None,
    location: str | None = None,
    first: bool = False,
) -> bytes:
    """Everything before the body of a part: delimiter, header fields, blank line.

    Parameters
    ----------
    length
        Bytes of the body, where known.
    location
        URL of the resource that the part represents (§8.4.3); percent-encoded.
    first
        The first delimiter of a message has no line end before it.

    Raises
    ------
    ValueError
        A value holds a line break: it would begin another header field.
    """
    text = f"--{boundary}\r\nContent-Type: {part_content_type}\r\n"
    if length is not None:
        text += f"Content-Length: {length}\r\n"
    if location is not None:
        text += f"Content-Location: {location}\r\n"
    lines = 2 + (length is not None) + (location is not None)
    if text.count("\n") != lines or text.count("\r") != lines:
        raise ValueError("a part header value holds a line break")
    return (f"{text}\r\n" if first else f"\r\n{text}\r\n").encode("latin-1")


def closing(boundary: str) -> bytes:
    """Everything behind the body of the last part."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


def total_length(boundary: str, parts: Iterable[tuple[bytes, int]]) -> int:
    """Content-Length of the message: parts are (what `part_header` gave, bytes of the body)."""
    return sum(len(header) + length for header, length in parts) + len(closing(boundary))

"""Request and Response: PS3.18 chapter 8 messages as plain values, without a web framework."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Chunk: TypeAlias = bytes | bytearray | memoryview
Body: TypeAlias = bytes | AsyncIterator[Chunk] | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request. The body is read at most once, by the handler."""

    method: str
    path: str
    """Path below the Base URI, percent-decoded, such as ``/studies/1.2/metadata``."""
    query: str
    """Raw query string, undecoded: lists split at raw commas before percent-decoding (§8.3)."""
    headers: Mapping[str, str]
    """Lower-case names; several fields of one name are joined with ``, `` (RFC 9110 §5.3)."""
    parameters: Mapping[str, str]
    """Variables of the URI template, such as ``study``."""
    base_url: str
    """Base URI as the client sees it, without trailing slash; URLs in answers start with it."""
    body: Callable[[], AsyncIterator[bytes]]
    """Opens the payload as a stream of chunks."""
    request_id: str = "-"
    departed: Callable[[], Awaitable[None]] | None = None
    """Waits until the client has gone, for what takes long before the first byte; the body is not read then."""

    @property
    def url(self) -> str:
        """Target URI as the client sees it, with the query."""
        return self.base_url + self.path + (f"?{self.query}" if self.query else "")


@dataclass(slots=True)
class Response:
    """One response. A body iterator must have proved its resource before: the status can not change later.

    An exception from the iterator aborts the connection, so that the client never takes half for whole.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Body = None
    length: int | None = None
    """Bytes of the body where known (always for bytes)."""

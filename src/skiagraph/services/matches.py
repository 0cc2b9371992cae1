"""What the answers of all Search Transactions share — PS3.18 §8.3.4.4, §8.6: streams, pages, warnings, gzip.

Matches come in chunks. A short answer is whole and has a length; a long one is streamed, chunk by chunk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

from skiagraph.services.metadata import WORTH_COMPRESSING, gzipped
from skiagraph.wire.message import Chunk, Request, Response

T = TypeVar("T")

Encode: TypeAlias = Callable[[Sequence[T], bool], Awaitable[bytes]]
"""Encodes some matches, told whether they are the first; no matches that are not the first: the end."""

_URL_SAFE = "%!$&'()*+,;=:@/?~"  # in a URL that clients sent, percent-encoded as far as they saw fit


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """The matches of a search with the first two chunks at hand, so that it is known whether the answer is short."""

    first: Sequence[T]
    second: Sequence[T] | None
    """None: the first chunk is all."""
    rest: AsyncIterator[Sequence[T]]

    @classmethod
    async def of(cls, chunks: AsyncIterator[Sequence[T]]) -> Opened[T]:
        first = await _next(chunks)
        return cls(first or (), await _next(chunks), chunks)


async def respond(opened: Opened[T], content_type: str, encode: Encode[T]) -> Response:
    """Answer 200 with matches."""
    headers = [("content-type", content_type)]
    if opened.second is None:
        body = await encode(opened.first, True) + await encode((), False)
        return Response(200, headers, body, len(body))
    return Response(200, headers, _stream(opened, opened.second, encode))


def nothing(content_type: str, *, multipart: bool, empty: str) -> Response:
    """Answer a search that found nothing: setting `empty_search`; there is no multipart without parts."""
    if multipart or empty == "204":
        return Response(204)
    return Response(200, [("content-type", content_type)], b"[]", 2)


async def compress(response: Response) -> None:
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


def headers(
    request: Request, warnings: Iterable[str], *, remaining: int, total: int | None, empty: bool
) -> list[tuple[str, str]]:
    """Return what every answer of a search says: what was ignored, what is left, and where."""
    found = [("vary", "Accept, Accept-Encoding"), ("cache-control", "private, no-cache")]
    if total is not None:
        found.append(("x-total-count", str(total)))
    sentences = list(warnings)
    if remaining > 0:
        sentences.insert(0, f"There are {remaining} additional results that can be requested")
        if not empty and total is not None:
            found.append(("link", f'<{_page(request, total - remaining)}>; rel="next"'))
    base = quote(request.base_url, safe=_URL_SAFE + "[]")
    return found + [("warning", f"299 {base}: {sentence}") for sentence in sentences]


def _page(request: Request, offset: int) -> str:
    """The URL of the same search from an offset on."""
    rest = [pair for pair in request.query.split("&") if pair and pair.partition("=")[0] != "offset"]
    path = quote(request.base_url + request.path, safe=_URL_SAFE + "[]")
    return (
        f"{path}?{quote('&'.join([*rest, f'offset={offset}']), safe=_URL_SAFE, encoding='latin-1', errors='replace')}"
    )


async def _stream(opened: Opened[Any], second: Sequence[Any], encode: Encode[Any]) -> AsyncIterator[Chunk]:
    try:
        yield await encode(opened.first, True)
        yield await encode(second, False)
        async for some in opened.rest:
            if some:
                yield await encode(some, False)
        yield await encode((), False)
    finally:
        if hasattr(opened.rest, "aclose"):
            await opened.rest.aclose()


async def _next(chunks: AsyncIterator[Sequence[T]]) -> Sequence[T] | None:
    async for some in chunks:
        if some:
            return some
    return None


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body

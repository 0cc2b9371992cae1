"""services.representation: single part and multipart answers of parts that are made as they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from skiagraph.services import representation
from skiagraph.services.representation import Damaged, NothingToSend, Representation, Version
from skiagraph.values import ByteRange, ResourcePath
from skiagraph.wire.message import Chunk, Request, Response

VERSION = Version('"v"', 1_700_000_000.5)


def request(headers: Mapping[str, str] | None = None, method: str = "GET") -> Request:
    async def body() -> AsyncIterator[bytes]:
        return
        yield b""

    return Request(method, "/studies/1", "", headers or {}, {"study": "1"}, "http://h/b", body)


class Part:
    """A representation that remembers whether it was read and closed."""

    def __init__(self, *chunks: bytes, length: int | None = None, known: bool = True) -> None:
        self.chunks = chunks
        self.began = self.closed = False
        size = sum(map(len, chunks)) if length is None else length
        self.representation = Representation("a/b; c=d", "http://h/b/x", size if known else None, self.read)

    async def read(self, part: ByteRange | None) -> AsyncIterator[Chunk]:
        self.began = True
        try:
            data = b"".join(self.chunks)
            for chunk in self.chunks if part is None else (data[part.offset : part.end],):
                yield chunk
        finally:
            self.closed = True


async def take(response: Response) -> list[bytes]:
    if response.body is None or not isinstance(response.body, AsyncIterator):
        return [bytes(response.body or b"")]
    return [bytes(chunk) async for chunk in response.body]


def answer(coroutine: Any) -> tuple[Response, list[bytes]]:
    async def run() -> tuple[Response, list[bytes]]:
        response = await coroutine
        return response, await take(response)

    return asyncio.run(run())


MIB = bytes(2**20)


@pytest.mark.parametrize(
    ("part", "chunks"),
    [
        pytest.param(Part(b"ab", b"", b"c"), [b"abc"], id="small: at once"),
        pytest.param(Part(), [b""], id="empty"),
        pytest.param(Part(MIB, b"", MIB), [MIB, MIB], id="large: streamed"),
        pytest.param(Part(b"a", b"", b"b", known=False), [b"a", b"b"], id="of unknown length: streamed"),
    ],
)
def test_single(part: Part, chunks: list[bytes]) -> None:
    response, got = answer(representation.single(request(), part.representation, VERSION))
    assert (response.status, got) == (200, chunks)
    assert response.length == part.representation.length
    headers = dict(response.headers)
    assert headers["content-type"] == "a/b; c=d"
    assert headers["content-location"] == "http://h/b/x"
    assert headers["etag"] == '"v"'
    assert headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert ("accept-ranges" in headers) == (part.representation.length is not None)
    assert part.closed


@pytest.mark.parametrize(
    "part",
    [Part(b"ab", length=3), Part(b"ab", length=1), Part(MIB, MIB, length=3 * 2**20), Part(MIB, MIB, length=2**21 - 1)],
    ids=["small, short", "small, long", "large, short", "large, long"],
)
def test_bytes_that_are_not_what_was_said(part: Part) -> None:
    with pytest.raises(Damaged):
        answer(representation.single(request(), part.representation, VERSION))
    with pytest.raises(Damaged):
        answer(representation.multipart(request(), [part.representation], VERSION))


def test_multipart() -> None:
    parts = [Part(b"ab"), Part(MIB), Part(b"c")]
    response, got = answer(
        representation.multipart(request(), [part.representation for part in parts], VERSION, boundary="B")
    )
    head = b"Content-Type: a/b; c=d\r\nContent-Length: %d\r\nContent-Location: http://h/b/x\r\n\r\n"
    assert b"".join(got) == (
        b"--B\r\n" + head % 2 + b"ab\r\n--B\r\n" + head % 2**20 + MIB + b"\r\n--B\r\n" + head % 1 + b"c\r\n--B--\r\n"
    )
    assert response.length == sum(map(len, got))
    assert len(got) == 3, "what is short is gathered"
    assert dict(response.headers)["content-type"] == 'multipart/related; type="a/b"; boundary=B'
    assert all(part.closed for part in parts)


def test_multipart_of_nothing() -> None:
    with pytest.raises(NothingToSend, match="nothing here"):
        answer(representation.multipart(request(), [], VERSION, missing="nothing here"))


def test_warning() -> None:
    response, _ = answer(
        representation.multipart(request(), [Part(b"a").representation], VERSION, status=206, warning="1 of 2 left out")
    )
    assert dict(response.headers)["warning"] == "299 http://h/b: 1 of 2 left out"
    assert response.status == 206


def test_head_reads_nothing() -> None:
    part = Part(b"ab")
    for coroutine in (
        representation.single(request(method="HEAD"), part.representation, VERSION),
        representation.multipart(request(method="HEAD"), [part.representation], VERSION),
    ):
        response = asyncio.run(coroutine)
        assert response.length is not None
    assert not part.began


def test_the_first_part_is_read_before_the_status() -> None:
    async def broken(part: ByteRange | None) -> AsyncIterator[Chunk]:
        raise Damaged("gone")
        yield b""

    part = Representation("a/b", "x", 2**22, broken)
    with pytest.raises(Damaged):
        asyncio.run(representation.multipart(request(), [part], VERSION))
    with pytest.raises(Damaged):
        asyncio.run(representation.single(request(), part, VERSION))


def test_when_the_client_goes_away_everything_is_closed() -> None:
    part = Part(MIB, MIB, MIB)

    async def run(coroutine: Any) -> None:
        response = await coroutine
        assert isinstance(response.body, AsyncIterator)
        await anext(response.body)
        await response.body.aclose()  # type: ignore[attr-defined]

    for coroutine in (
        representation.single(request(), part.representation, VERSION),
        representation.multipart(request(), [part.representation], VERSION),
    ):
        part.closed = False
        asyncio.run(run(coroutine))
        assert part.closed


@pytest.mark.parametrize(
    ("offset", "part", "taken"),
    [
        (0, ByteRange(0, 4), b"abcd"),
        (2, ByteRange(0, 4), b"ab"),
        (0, ByteRange(2, 9), b"cd"),
        (9, ByteRange(0, 4), b""),
    ],
)
def test_cut(offset: int, part: ByteRange, taken: bytes) -> None:
    assert representation.cut(b"abcd", offset, part) == taken


def test_not_modified() -> None:
    assert representation.not_modified(request(), VERSION) is None
    response = representation.not_modified(request({"if-none-match": '"v"'}), VERSION)
    assert response is not None
    assert response.status == 304
    assert dict(response.headers) == dict(VERSION.headers())


def test_variants_differ() -> None:
    assert representation.variant("a", "b") != representation.variant("a", "c")
    assert representation.variant("\udcff") == representation.variant("\udcff")


def test_resource() -> None:
    assert representation.resource(request()) == ResourcePath("1")
    assert representation.url(request(), ResourcePath("1", "2", "3")) == "http://h/b/studies/1/series/2/instances/3"

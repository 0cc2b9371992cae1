"""wire.content_coding: gzip, deflate and base64, streamed and bounded."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from skiagraph.wire.content_coding import Decoder, content_decoder, transfer_decoder


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def run(decoder: Decoder, data: bytes, size: int) -> bytes:
    out = [piece for start in range(0, len(data), size) for piece in decoder.feed(data[start : start + size])]
    decoder.finish()
    return b"".join(out)


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        pytest.param("gzip", gzip.compress, id="gzip"),
        pytest.param("x-gzip", gzip.compress, id="x-gzip"),
        pytest.param("GZIP", gzip.compress, id="case"),
        pytest.param("deflate", zlib.compress, id="deflate is zlib"),
        pytest.param("deflate", raw_deflate, id="deflate as some senders mean it"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_content_codings(coding: str, encode: Callable[[bytes], bytes], size: int) -> None:
    data = bytes(range(256)) * 40
    decoder = content_decoder(coding, 10**6)
    assert decoder is not None
    assert run(decoder, encode(data), size) == data


@given(st.binary(max_size=500), st.integers(1, 80))
def test_base64(data: bytes, size: int) -> None:
    decoder = transfer_decoder("base64")
    assert decoder is not None
    assert run(decoder, base64.encodebytes(data), size) == data


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_nothing_to_decode(coding: str) -> None:
    assert content_decoder(coding, 1) is None


@pytest.mark.parametrize("encoding", ["", "binary", "8bit", "7BIT"])
def test_nothing_to_decode_in_transfer(encoding: str) -> None:
    assert transfer_decoder(encoding) is None


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "compress"])
def test_unsupported(coding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="gzip and deflate"):
        content_decoder(coding, 1)


def test_unsupported_transfer() -> None:
    with pytest.raises(UnsupportedMediaType):
        transfer_decoder("quoted-printable")


def test_a_bomb_stops_at_the_limit_and_never_fills_memory() -> None:
    decoder = content_decoder("gzip", 10**6)
    assert decoder is not None
    sizes: list[int] = []
    with pytest.raises(PayloadTooLarge):
        sizes.extend(map(len, decoder.feed(gzip.compress(bytes(50_000_000)))))
    assert max(sizes) <= 2**18


@pytest.mark.parametrize(
    "data", [pytest.param(gzip.compress(b"x" * 100)[:-5], id="cut"), pytest.param(b"", id="empty")]
)
def test_ends_too_early(data: bytes) -> None:
    decoder = content_decoder("gzip", 1000)
    assert decoder is not None
    with pytest.raises(BadRequest):
        run(decoder, data, 10)


def test_not_what_it_says() -> None:
    decoder = content_decoder("gzip", 1000)
    assert decoder is not None
    with pytest.raises(BadRequest):
        run(decoder, b"\x1f\x8bgarbage and more garbage", 100)


@pytest.mark.parametrize("text", [b"####", b"QUJ"])
def test_not_base64(text: bytes) -> None:
    decoder = transfer_decoder("base64")
    assert decoder is not None
    with pytest.raises(BadRequest):
        run(decoder, text, 100)

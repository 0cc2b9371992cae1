"""Deflated Image Frame Compression: PS3.5 §8.2.16."""

from __future__ import annotations

import zlib

import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import deflated
from skiagraph.pixels.image import BadPixels
from skiagraph.standard.transfer_syntaxes import DEFLATED_IMAGE_FRAME


def test_a_frame_is_a_raw_deflated_stream() -> None:
    of = image(stored=12)
    frame, _ = deflated.encode(pixels(of), DEFLATED_IMAGE_FRAME, of)
    assert zlib.decompress(frame, -zlib.MAX_WBITS) == pixels(of).tobytes(), "RFC 1951, without the header of RFC 1950"


def test_no_more_is_inflated_than_the_image_needs() -> None:
    of = image(rows=4, columns=4)
    bomb = deflated.deflate(bytes(10**8))
    assert len(bomb) < 10**6
    assert deflated.inflate(bomb, of) == bytes(32)


@pytest.mark.parametrize("frame", [deflated.deflate(bytes(31)), zlib.compress(bytes(32)), b"\xff\xff"])
def test_damage(frame: bytes) -> None:
    with pytest.raises(BadPixels):
        deflated.inflate(frame, image(rows=4, columns=4))

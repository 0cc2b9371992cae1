"""JPEG XL: bare code streams, containers, and JPEGs that come back byte by byte."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import jpeg, jpeg_xl
from skiagraph.pixels.image import BadPixels


def baseline() -> bytes:
    return jpeg.encode(pixels(image("RGB", 8)), jpeg.BASELINE, image("RGB", 8))[0]


def test_a_jpeg_comes_back_byte_by_byte() -> None:
    assert jpeg_xl.to_jpeg(jpeg_xl.from_jpeg(baseline())) == baseline()


def test_a_recompressed_jpeg_decodes_as_the_jpeg() -> None:
    frame = jpeg_xl.from_jpeg(baseline())
    of = image("YBR_FULL_422", 8)
    found, described = jpeg_xl.decode(frame, jpeg_xl.RECOMPRESSION, of)
    wanted, _ = jpeg.decode(baseline(), jpeg.BASELINE, of)
    assert np.array_equal(found, wanted)
    assert described.photometric_interpretation == "RGB"


def test_what_was_never_a_jpeg() -> None:
    frame, _ = jpeg_xl.encode(pixels(image(allocated=8)), jpeg_xl.LOSSLESS, image(allocated=8))
    assert jpeg_xl.to_jpeg(frame) is None
    found, _ = jpeg_xl.decode(frame, jpeg_xl.RECOMPRESSION, image(allocated=8))
    assert np.array_equal(found, pixels(image(allocated=8)))
    with pytest.raises(BadPixels, match="can not be recompressed"):
        jpeg_xl.from_jpeg(b"\xff\xd8\xff\xd9")


@pytest.mark.parametrize("container", [False, True])
def test_with_and_without_container(container: bool) -> None:
    cells = pixels(image(stored=12))
    frame = bytes(imagecodecs.jpegxl_encode(cells, lossless=True, bitspersample=12, usecontainer=container))
    assert np.array_equal(jpeg_xl.decode(frame, jpeg_xl.LOSSLESS, image(stored=12))[0], cells)


@pytest.mark.parametrize(
    "other", [image(rows=23), image(columns=32), image("RGB", 16)], ids=["rows", "columns", "samples"]
)
def test_what_contradicts_the_data_set(other: object) -> None:
    frame, _ = jpeg_xl.encode(pixels(image()), jpeg_xl.LOSSLESS, image())
    with pytest.raises(BadPixels, match="can not be decoded"):
        jpeg_xl.decode(frame, jpeg_xl.LOSSLESS, other)  # type: ignore[arg-type]


def test_a_large_image_in_few_bytes_takes_no_room() -> None:
    huge = np.zeros((3000, 3000), np.uint8)
    frame = bytes(imagecodecs.jpegxl_encode(huge, lossless=True, effort=1))
    with pytest.raises(BadPixels, match="can not be decoded"):
        jpeg_xl.decode(frame, jpeg_xl.LOSSLESS, image(allocated=8))

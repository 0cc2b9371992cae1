"""Pictures as files, read back by other decoders; the same picture gives the same bytes."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.pixels import icc, picture
from skiagraph.pixels.picture import GIF, JP2, JPEG, JPH, JXL, MEDIA_TYPES, PNG
from skiagraph.standard.rendering import IccProfile

Y, X = np.mgrid[:75, :130]
GRAY = ((np.sin(X / 9) + np.cos(Y / 13)) * 60 + 128).astype(np.uint8)
RGB = np.stack([GRAY, 255 - GRAY, X.astype(np.uint8)], -1)
PROFILE = icc.profile(IccProfile.ADOBE_RGB)


def boxes(data: bytes) -> dict[bytes, bytes]:
    """The boxes of a JP2 file and those within jp2h."""
    found = {}
    at = 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + length]
        found[kind] = content
        if kind == b"jp2h":
            found |= boxes(content)
        at += length
    assert at == len(data)
    return found


def read(data: bytes, media_type: str, like: NDArray[np.uint8]) -> NDArray[np.int64]:
    if media_type == JXL:
        decoded = imagecodecs.jpegxl_decode(data)
    elif media_type == JPH:
        decoded = imagecodecs.htj2k_decode(boxes(data)[b"jp2c"])
    else:
        decoded = np.asarray(Image.open(io.BytesIO(data)).convert("L" if like.ndim == 2 else "RGB"))
    assert decoded.shape == like.shape
    return np.asarray(decoded, np.int64)


@pytest.mark.parametrize("image", [GRAY, RGB], ids=["gray", "colour"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_encode(media_type: str, image: NDArray[np.uint8]) -> None:
    data = picture.encode(image, media_type)
    assert data == picture.encode(image, media_type), "the same picture gives the same bytes"
    difference = np.abs(read(data, media_type, image) - image)
    if media_type == PNG or (media_type == GIF and image.ndim == 2):
        assert difference.max() == 0
    else:
        assert difference.mean() < 3


@pytest.mark.parametrize("image", [GRAY, RGB], ids=["gray", "colour"])
@pytest.mark.parametrize("media_type", [JP2, JPH, JXL])
def test_quality_100_is_lossless_where_it_can_be(media_type: str, image: NDArray[np.uint8]) -> None:
    data = picture.encode(image, media_type, quality=100)
    assert (read(data, media_type, image) == image).all()


@pytest.mark.parametrize("media_type", [JPEG, JP2, JPH, JXL])
def test_quality_costs_bytes(media_type: str) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
    sizes = [len(picture.encode(noise, media_type, quality=quality)) for quality in (1, 40, 80, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] * 0.7


def test_jpeg_is_baseline_of_8_bits() -> None:
    """Table 8.7.4-1: baseline 8-bit lossy Huffman sequential, whatever the quality."""
    for quality in (1, 50, 100):
        data = picture.encode(RGB, JPEG, quality=quality)
        assert data.count(b"\xff\xc0\x00\x11\x08") == 1
        assert b"\xff\xc2\x00" not in data


@pytest.mark.parametrize(("media_type", "brand"), [(JP2, b"jp2 "), (JPH, b"jph ")])
def test_jpeg_2000_comes_in_boxes(media_type: str, brand: bytes) -> None:
    """Table 8.7.4-1: unlike stored frames, rendered image/jph holds the JP2 boxes."""
    found = boxes(picture.encode(RGB, media_type))
    assert found[b"ftyp"] == brand + b"\0\0\0\0" + brand
    assert struct.unpack(">IIHBBBB", found[b"ihdr"]) == (75, 130, 3, 7, 7, 0, 0)
    assert found[b"colr"] == b"\1\0\0" + struct.pack(">I", 16)
    assert boxes(picture.encode(GRAY, media_type))[b"colr"] == b"\1\0\0" + struct.pack(">I", 17)
    assert found[b"jp2c"].startswith(b"\xff\x4f\xff\x51")


def test_profiles_are_embedded() -> None:
    for media_type in (JPEG, PNG):
        read_back = Image.open(io.BytesIO(picture.encode(RGB, media_type, profile=PROFILE)))
        assert read_back.info["icc_profile"] == PROFILE
    for media_type in (JP2, JPH):
        assert boxes(picture.encode(RGB, media_type, profile=PROFILE))[b"colr"] == b"\2\0\0" + PROFILE
    for media_type in MEDIA_TYPES:
        assert b"acsp" not in picture.encode(RGB, media_type)


def test_long_profiles_take_several_segments() -> None:
    long = PROFILE + b"\0" * 200_000
    assert Image.open(io.BytesIO(picture.encode(RGB, JPEG, profile=long))).info["icc_profile"] == long


FRAMES = [np.roll(GRAY, 7 * number, 1) for number in range(4)]


def animated(frames: list[NDArray[np.uint8]], times: list[int]) -> bytes:
    parts = [picture.animation_frame(frame, time) for frame, time in zip(frames, times, strict=True)]
    return picture.animation_head(130, 75) + b"".join(parts) + picture.ANIMATION_END


def test_animation() -> None:
    data = animated(FRAMES, [10, 20, 0, 70000])
    image = Image.open(io.BytesIO(data))
    assert image.info["loop"] == 0, "for ever"
    shown = [(frame.info["duration"], np.asarray(frame.convert("L"))) for frame in ImageSequence.Iterator(image)]
    assert [time for time, _ in shown] == [100, 200, 10, 655350]
    assert all((pixels == frame).all() for (_, pixels), frame in zip(shown, FRAMES, strict=True))


def test_animation_in_colour_has_colours_for_each_frame() -> None:
    frames = [np.zeros((75, 130, 3), np.uint8), np.full((75, 130, 3), (250, 10, 20), np.uint8), RGB]
    image = Image.open(io.BytesIO(animated(frames, [5, 5, 5])))
    shown = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(image)]
    assert [np.abs(pixels - frame).mean() < 3 for pixels, frame in zip(shown, frames, strict=True)] == [True] * 3
    assert imagecodecs.gif_decode(animated(frames, [5, 5, 5])).shape[0] == 3


def test_a_side_that_the_form_can_not_have_is_no_fault_of_the_server() -> None:
    with pytest.raises(NoAcceptableRepresentation, match="image/png"):
        picture.encode(np.zeros((65_501, 1), np.uint8), JPEG)
    assert picture.encode(np.zeros((65_501, 1), np.uint8), PNG)

"""One door to all codecs: values out of cells, bounds, and hostile frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures import image, pixels
from skiagraph.pixels import decode, encode
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN as NATIVE
from skiagraph.standard.transfer_syntaxes import TRANSFER_SYNTAXES


@pytest.mark.parametrize(
    ("bits", "values"),
    [
        pytest.param((16, 12, 11, 0), [0xFFF, 0x001, 0x234, 0x000], id="unused bits are cut off"),
        pytest.param((16, 12, 11, 1), [-1, 1, 0x234, 0], id="sign of the bits stored"),
        pytest.param((16, 12, 15, 0), [0xFFF, 0x800, 0xA23, 0x7FF], id="High Bit 15"),
        pytest.param((16, 12, 15, 1), [-1, -0x800, 0xA23 - 0x1000, 0x7FF], id="High Bit 15, signed"),
        pytest.param((16, 16, 15, 0), [0xFFFF, 0x8001, 0xA234, 0x7FF0], id="all bits"),
        pytest.param((16, 16, 15, 1), [-1, -0x7FFF, 0xA234 - 0x10000, 0x7FF0], id="all bits, signed"),
    ],
)
def test_values_are_the_bits_stored(bits: tuple[int, int, int, int], values: list[int]) -> None:
    """PS3.5 §8.1.1."""
    frame = np.array([0xFFFF, 0x8001, 0xA234, 0x7FF0], "<u2")
    of = ImageParams(2, 2, 1, *bits)
    if of.bits_stored == 12 and of.high_bit == 11:
        frame[3] = 0xF000
    found, described = decode.decode(frame.tobytes(), NATIVE, of)
    assert found.ravel().tolist() == values
    assert described.high_bit == of.bits_stored - 1
    whole, _ = decode.cells(frame.tobytes(), NATIVE, of)
    assert whole.view("u2").ravel().tolist() == frame.tolist(), "the cells keep them"


def test_clean_frames_are_not_copied() -> None:
    frame = pixels(image(stored=12)).tobytes()
    found, _ = decode.decode(frame, NATIVE, image(stored=12))
    assert not found.flags.owndata
    assert not found.flags.writeable


def test_an_image_larger_than_the_limit() -> None:
    of = ImageParams(65535, 65535, 3, 16)
    for uid in decode.DECODERS:
        with pytest.raises(BadPixels, match="the limit is"):
            decode.decode(b"", uid, of)
    with pytest.raises(BadPixels, match="1488 bytes; the limit is 1000"):
        decode.decode(b"", NATIVE, image(), limit=1000)


def test_what_can_not_be_decoded_says_so_by_name() -> None:
    with pytest.raises(BadPixels, match="JPEG 2000 Part 2"):
        decode.decode(b"", "1.2.840.10008.1.2.4.92", image())
    with pytest.raises(BadPixels, match=r"1\.2\.3"):
        decode.decode(b"", "1.2.3", image())
    decodable = {row.uid for row in TRANSFER_SYNTAXES if decode.can_decode(row.uid)}
    assert decodable == set(decode.DECODERS)


@pytest.mark.parametrize("uid", sorted(decode.DECODERS))
@pytest.mark.parametrize("frame", [b"", b"\0", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\xff" * 64])
def test_hardly_any_bytes(uid: str, frame: bytes) -> None:
    with pytest.raises(BadPixels):
        decode.decode(frame, uid, image())


CODED = [
    (uid, encode.encode(pixels(of), uid, of)[0], encode.encode(pixels(of), uid, of)[1])
    for uid in sorted(encode.ENCODERS)
    for of in (image(stored=12), image("RGB", 8), image(allocated=8), image(allocated=1))
    if encode.unfit(uid, of) is None
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CODED), st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), max_size=8), st.data())
def test_damaged_frames_give_pixels_or_our_error(
    coded: tuple[str, bytes, ImageParams], changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    uid, frame, of = coded
    damaged = bytearray(frame)
    for place, value in changes:
        damaged[place % min(len(damaged), data.draw(st.sampled_from([64, 10**6])))] = value
    del damaged[data.draw(st.integers(len(damaged) // 2, len(damaged))) :]
    try:
        found, described = decode.decode(bytes(damaged), uid, of)
    except BadPixels:
        return
    assert found.shape == of.shape
    assert found.dtype == described.dtype

"""RLE Lossless: PS3.5 Annex G."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.pixels.encoders.base import EncodeRunner
from pydicom.pixels.encoders.native import _encode_frame as pydicom_encode  # an independent encoder
from pydicom.uid import RLELossless

from pictures import image, pixels
from skiagraph.pixels.codecs import rle
from skiagraph.pixels.image import BadPixels, ImageParams

UID = "1.2.840.10008.1.2.5"


def frame_of(*segments: bytes) -> bytes:
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    return struct.pack("<16L", len(segments), *offsets, *([0] * (15 - len(segments)))) + b"".join(segments)


@pytest.mark.parametrize(
    "of",
    [image(allocated=8), image(), image(signed=1), image(allocated=32), image("RGB", 8), image("RGB", 16)],
    ids=lambda of: f"{of.photometric_interpretation}-{of.bits_allocated}",
)
def test_as_pydicom_reads_and_writes(of: ImageParams) -> None:
    cells = pixels(of)
    frame, _ = rle.encode(cells, UID, of)
    planes = _rle_decode_frame(frame, of.rows, of.columns, of.samples_per_pixel, of.bits_allocated)
    by_plane = cells.transpose(2, 0, 1) if of.samples_per_pixel == 3 else cells
    assert bytes(planes) == by_plane.tobytes()
    runner = EncodeRunner(RLELossless)
    runner.set_options(
        rows=of.rows,
        columns=of.columns,
        samples_per_pixel=of.samples_per_pixel,
        bits_allocated=of.bits_allocated,
        bits_stored=of.bits_allocated,
        number_of_frames=1,
        photometric_interpretation=of.photometric_interpretation,
        pixel_representation=of.pixel_representation,
        planar_configuration=0,
        pixel_keyword="PixelData",
        byteorder="<",
    )
    theirs = bytes(pydicom_encode(cells.tobytes(), runner))
    assert np.array_equal(rle.decode(theirs, UID, of)[0], cells)


def test_rows_are_encoded_by_themselves_and_segments_are_even() -> None:
    """§G.3.1 and §G.4: no run goes over the end of a row."""
    of = image(allocated=8, rows=3, columns=5)
    frame, _ = rle.encode(np.full(of.shape, 7, np.uint8), UID, of)
    assert frame[64:] == b"\xfc\x07" * 3
    odd, _ = rle.encode(np.arange(15, dtype=np.uint8).reshape(3, 5), UID, of)
    assert len(odd) % 2 == 0


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"\x03abcd", id="literal"),
        pytest.param(b"\xff\x61\x01bc\x00d", id="runs"),
        pytest.param(b"\x80\x80\x03abcd", id="no operation"),
        pytest.param(b"\x03abcd\x00", id="padded"),
        pytest.param(b"\x03abcd\x03xyz", id="longer than it should be, and cut off"),
        pytest.param(b"\x07abcdefgh", id="more than is needed"),
    ],
)
def test_segments_as_they_are_met(segment: bytes) -> None:
    expected = b"aabcd"[:4] if segment.startswith(b"\xff") else b"abcd"
    found, _ = rle.decode(frame_of(segment), UID, image(allocated=8, rows=2, columns=2))
    assert found.tobytes() == expected


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        pytest.param(b"\x01\0\0\0", "64 bytes", id="no header"),
        pytest.param(frame_of(b"\x03abcd", b"\x03abcd"), "has 2 segments; 1", id="too many segments"),
        pytest.param(struct.pack("<16L", 1, 10, *[0] * 14), "do not ascend", id="offset within the header"),
        pytest.param(struct.pack("<16L", 1, 9999, *[0] * 14), "do not ascend", id="offset beyond the end"),
        pytest.param(frame_of(b"\x02abc"), "3 bytes instead of 4", id="too short"),
        pytest.param(frame_of(b""), "0 bytes instead of 4", id="empty"),
    ],
)
def test_damage(frame: bytes, says: str) -> None:
    with pytest.raises(BadPixels, match=says):
        rle.decode(frame, UID, image(allocated=8, rows=2, columns=2))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 300), st.data())
def test_round_trip(rows: int, columns: int, data: st.DataObject) -> None:
    of = image(allocated=8, rows=rows, columns=columns)
    alphabet = data.draw(st.sampled_from([2, 3, 256]))
    raw = np.random.default_rng(rows * columns).integers(0, alphabet, of.shape).astype(np.uint8)
    frame, _ = rle.encode(raw, UID, of)
    assert np.array_equal(rle.decode(frame, UID, of)[0], raw)

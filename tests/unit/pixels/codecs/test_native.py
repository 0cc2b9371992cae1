"""Native frames: PS3.5 §8.1.1, §8.2, PS3.3 C.7.6.3.1.2 and C.7.6.3.1.3."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import native
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN as NATIVE


def test_planes_are_interleaved() -> None:
    of = image("RGB", 8, rows=3, columns=4)
    cells = pixels(of)
    by_plane = cells.transpose(2, 0, 1).tobytes()
    found, described = native.decode(by_plane, NATIVE, replace(of, planar_configuration=1))
    assert np.array_equal(found, cells)
    assert described.planar_configuration == 0
    assert native.encode(cells, NATIVE, of)[0] == cells.tobytes()


def test_subsampled_chrominance_is_repeated() -> None:
    """Y1 Y2 Cb Cr for each two pixels."""
    of = image("YBR_FULL_422", 8, rows=2, columns=4)
    frame = bytes([10, 20, 1, 2, 30, 40, 3, 4, 50, 60, 5, 6, 70, 80, 7, 8])
    found, described = native.decode(frame, NATIVE, of)
    assert found[:, :, 0].ravel().tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert found[:, :, 1].ravel().tolist() == [1, 1, 3, 3, 5, 5, 7, 7]
    assert found[:, :, 2].ravel().tolist() == [2, 2, 4, 4, 6, 6, 8, 8]
    assert described.photometric_interpretation == "YBR_FULL"


def test_subsampled_in_name_only() -> None:
    """Many writers name YBR_FULL_422 and write all samples."""
    of = image("YBR_FULL_422", 8, rows=2, columns=4)
    frame = bytes(range(24))
    found, described = native.decode(frame, NATIVE, of)
    assert found.tobytes() == frame
    assert described.photometric_interpretation == "YBR_FULL"


def test_single_bits() -> None:
    """The first pixel is the least significant bit."""
    of = image(allocated=1, rows=3, columns=3)
    found, _ = native.decode(b"\x01\x01", NATIVE, of)
    assert found.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert native.encode(found, NATIVE, of)[0] == b"\x01\x01"


def test_cells_of_twelve_bits() -> None:
    """Two pixels in three bytes, as ACR-NEMA had it."""
    of = ImageParams(1, 4, 1, 12, 12, 11)
    found, _ = native.decode(bytes([0x23, 0x61, 0x45, 0xBC, 0xFA, 0xDE]), NATIVE, of)
    assert [hex(value) for value in found.ravel()] == ["0x123", "0x456", "0xabc", "0xdef"]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floating_point(dtype: str) -> None:
    tag = {"f4": "7FE00008", "f8": "7FE00009"}[dtype]
    bits = 8 * np.dtype(dtype).itemsize
    of = ImageParams(2, 3, 1, bits, bits, bits - 1, 1, pixel_tag=tag)
    values = (np.arange(6, dtype=dtype) / 7).reshape(2, 3)
    found, _ = native.decode(values.tobytes(), NATIVE, of)
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, values)
    assert native.encode(found, NATIVE, of)[0] == values.tobytes()


@pytest.mark.parametrize(
    ("of", "there"),
    [(image(rows=2, columns=2), 7), (image("YBR_FULL_422", 8, rows=2, columns=2), 7), (image(allocated=1), 92)],
    ids=["words", "subsampled", "bits"],
)
def test_frames_that_are_too_short(of: ImageParams, there: int) -> None:
    with pytest.raises(BadPixels, match=f"has {there} bytes"):
        native.decode(bytes(there), NATIVE, of)

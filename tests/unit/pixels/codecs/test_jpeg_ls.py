"""JPEG-LS: interleave modes, near-lossless bounds, streams of other writers."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import jpeg_ls
from skiagraph.pixels.image import BadPixels


@pytest.mark.parametrize("stored", [9, 12, 16])
def test_near_lossless_keeps_to_its_bound_and_to_the_bits_stored(stored: int) -> None:
    """Beyond the bits stored a value would be cut off, and turn from white to black."""
    of = image(stored=stored)
    cells = pixels(of, noise=0.3)
    frame, _ = jpeg_ls.encode(cells, jpeg_ls.NEAR_LOSSLESS, of)
    found, _ = jpeg_ls.decode(frame, jpeg_ls.NEAR_LOSSLESS, of)
    assert np.abs(found.astype(int) - cells).max() <= jpeg_ls.NEAR
    assert found.max() < 1 << stored


def test_missing_end_marker() -> None:
    of = image()
    frame, _ = jpeg_ls.encode(pixels(of), jpeg_ls.LOSSLESS, of)
    end = frame.rindex(b"\xff\xd9")
    assert np.array_equal(jpeg_ls.decode(frame[:end], jpeg_ls.LOSSLESS, of)[0], pixels(of))
    with pytest.raises(BadPixels, match="can not be decoded"):
        jpeg_ls.decode(frame[: end // 2], jpeg_ls.LOSSLESS, of)


def test_a_jpeg_is_no_jpeg_ls() -> None:
    from skiagraph.pixels.codecs import jpeg

    frame, _ = jpeg.encode(pixels(image()), jpeg.LOSSLESS, image())
    with pytest.raises(BadPixels, match="SOF55"):
        jpeg_ls.decode(frame, jpeg_ls.LOSSLESS, image())

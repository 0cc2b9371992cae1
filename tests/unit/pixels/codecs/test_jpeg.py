"""JPEG: colour as the stream tells it, predictors, depths, and streams that end too early."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import jpeg
from skiagraph.pixels.codecs.markers import Jpeg, read
from skiagraph.pixels.image import BadPixels, ImageParams


def stream(**changes: object) -> Jpeg:
    said = {
        "process": 0xC0,
        "precision": 8,
        "rows": 1,
        "columns": 1,
        "components": 3,
        "identifiers": b"\1\2\3",
        "subsampled": False,
        "jfif": False,
        "adobe_transform": None,
        "ended": True,
    }
    return Jpeg(**said | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "photometric", "rgb"),
    [
        pytest.param({"adobe_transform": 0}, "YBR_FULL", True, id="Adobe says none"),
        pytest.param({"adobe_transform": 1}, "RGB", False, id="Adobe says YCbCr"),
        pytest.param({"jfif": True}, "RGB", False, id="JFIF is YCbCr"),
        pytest.param({"subsampled": True}, "RGB", False, id="RGB is never subsampled"),
        pytest.param({"identifiers": b"RGB"}, "YBR_FULL", True, id="names of the components"),
        pytest.param({}, "RGB", True, id="nothing but the data set: RGB"),
        pytest.param({}, "YBR_FULL_422", False, id="nothing but the data set: YBR"),
    ],
)
def test_colour(changes: dict[str, object], photometric: str, rgb: bool) -> None:
    assert jpeg.is_rgb(stream(**changes), photometric) is rgb


@pytest.mark.parametrize("space", ["RGB", "YCBCR"])
def test_lossy_colour_comes_out_as_rgb(space: str) -> None:
    of = image("RGB", 8)
    cells = pixels(of, noise=0, extremes=False)
    frame = imagecodecs.jpeg8_encode(cells, level=100, colorspace="RGB", outcolorspace=space, subsampling="444")
    for photometric in ("RGB", "YBR_FULL", "YBR_FULL_422"):
        found, described = jpeg.decode(bytes(frame), jpeg.BASELINE, image(photometric, 8))
        assert described.photometric_interpretation == "RGB"
        assert np.abs(found.astype(int) - cells).max() <= 3


def test_lossless_colour_stays_as_it_is() -> None:
    of = image("YBR_FULL", 8)
    cells = pixels(of)
    frame, _ = jpeg.encode(cells, jpeg.LOSSLESS_SV1, of)
    found, described = jpeg.decode(frame, jpeg.LOSSLESS_SV1, of)
    assert described.photometric_interpretation == "YBR_FULL"
    assert np.array_equal(found, cells)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_predictor(predictor: int, bits: int) -> None:
    """ITU-T T.81 Table H.1; streams of other archives use all of them."""
    of = image(stored=bits) if bits > 8 else image(allocated=8)
    cells = pixels(of)
    frame = imagecodecs.jpeg8_encode(cells, lossless=True, predictor=predictor, bitspersample=bits)
    assert np.array_equal(jpeg.decode(bytes(frame), jpeg.LOSSLESS, of)[0], cells)


def test_selection_value_1() -> None:
    """PS3.5 §10.2: .70 is first-order prediction."""
    frame, _ = jpeg.encode(pixels(image()), jpeg.LOSSLESS_SV1, image())
    at = frame.index(b"\xff\xda")
    assert read(frame, "JPEG").process == 0xC3
    assert frame[at + 7] == 1


@pytest.mark.parametrize("stored", [9, 12, 13, 16])
def test_sign_of_lossless_streams(stored: int) -> None:
    of = image(stored=stored, signed=1)
    frame, _ = jpeg.encode(pixels(of), jpeg.LOSSLESS_SV1, of)
    assert read(frame, "JPEG").precision == stored
    assert np.array_equal(jpeg.decode(frame, jpeg.LOSSLESS_SV1, of)[0], pixels(of))


@pytest.mark.parametrize(
    ("uid", "of"),
    [
        (jpeg.BASELINE, image("RGB", 8)),
        (jpeg.EXTENDED, image(stored=12)),
        (jpeg.LOSSLESS_SV1, image()),
        (jpeg.LOSSLESS_SV1, image("RGB", 8)),
    ],
    ids=["baseline", "extended", "lossless", "lossless colour"],
)
def test_streams_that_end_too_early(uid: str, of: ImageParams) -> None:
    """Libjpeg fills up what is missing with grey; that is no image. What lacks but the end marker is one."""
    frame, described = jpeg.encode(pixels(of), uid, of)
    whole, _ = jpeg.decode(frame, uid, described)
    end = frame.rindex(b"\xff\xd9")
    assert np.array_equal(jpeg.decode(frame[:end], uid, described)[0], whole)
    assert np.array_equal(jpeg.decode(frame[:end] + b"\xff", uid, described)[0], whole)
    start = frame.index(b"\xff\xda") + 20
    for part in (0.9, 0.5):
        with pytest.raises(BadPixels, match="ends before the image does"):
            jpeg.decode(frame[: start + int((end - start) * part)], uid, described)


def test_more_bits_than_allocated() -> None:
    """12-bit streams in data sets of 8 bits: the stream is right."""
    frame, _ = jpeg.encode(pixels(image(stored=12)), jpeg.LOSSLESS, image(stored=12))
    found, described = jpeg.decode(frame, jpeg.LOSSLESS, image(allocated=8))
    assert described.bits_allocated == 16
    assert np.array_equal(found, pixels(image(stored=12)))


def test_baseline_is_422() -> None:
    frame, described = jpeg.encode(pixels(image("RGB", 8)), jpeg.BASELINE, image("RGB", 8))
    assert described.photometric_interpretation == "YBR_FULL_422"
    assert frame[frame.index(b"\xff\xc0") + 11] == 0x21, "sampling of the luminance: 2 × 1"

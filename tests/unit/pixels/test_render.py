"""The grayscale and colour pipeline in numbers: PS3.4 N.2, PS3.3 C.11.1, C.11.2, C.7.6.3.1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.pixels.appearance import Appearance, Modality
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.render import render
from skiagraph.pixels.window import full_range
from skiagraph.standard.rendering import VoiFunction, Window


def table(first: int, *values: int, bits: int = 8) -> Lut:
    return Lut(first, np.array(values, np.uint16).tobytes(), bits)


def shown(values: list[Any], appearance: Appearance, dtype: str = "i2") -> list[int]:
    pixels = np.array([values], dtype)
    image = ImageParams(1, len(values), bits_allocated=pixels.dtype.itemsize * 8)
    return render(pixels, image, appearance)[0].tolist()  # type: ignore[no-any-return]


BYTES = full_range(0, 255)
SIGMOID = Appearance(voi=Window(40, 400, VoiFunction.SIGMOID))

ROWS = [
    # VOI
    pytest.param([0, 127, 255], Appearance(voi=BYTES), "u1", [0, 127, 255], id="8 bits as they are"),
    pytest.param(
        [-200, -160, 39, 40, 239, 300], Appearance(voi=Window(40, 400)), "i2", [0, 0, 127, 128, 255, 255], id="LINEAR"
    ),
    pytest.param(
        [-160, 40, 240],
        Appearance(voi=Window(40, 400, VoiFunction.LINEAR_EXACT)),
        "i2",
        [0, 128, 255],
        id="LINEAR_EXACT",
    ),
    pytest.param(
        [0, 40, 140], Appearance(voi=Window(40, 400, VoiFunction.SIGMOID)), "i2", [102, 128, 186], id="SIGMOID"
    ),
    pytest.param([0, 5, 6, 7, 9], Appearance(voi=table(5, 0, 100, 255)), "u2", [0, 0, 100, 255, 255], id="VOI LUT"),
    pytest.param([0, 1], Appearance(voi=table(0, 0, 4095, bits=12)), "u2", [0, 255], id="VOI LUT of 12 bits"),
    pytest.param([-1, 0], Appearance(voi=table(-1, 255, 7)), "i2", [255, 7], id="VOI LUT from a negative value"),
    # no VOI: least to greatest
    pytest.param([100, 150, 200], Appearance(), "u2", [0, 128, 255], id="least to greatest"),
    pytest.param([-100, 0, 100], Appearance(), "i2", [0, 128, 255], id="least to greatest, signed"),
    pytest.param([7, 7], Appearance(), "u2", [0, 0], id="all the same"),
    pytest.param([1, 2, 3], Appearance(Modality(-1.0)), "u2", [255, 128, 0], id="least to greatest, negative slope"),
    pytest.param([0.0, 0.5, 1.0], Appearance(), "f4", [0, 128, 255], id="float"),
    pytest.param([float("nan"), 1.0, 2.0, float("inf")], Appearance(), "f8", [0, 0, 255, 255], id="NaN and infinity"),
    pytest.param([float("nan")] * 2, Appearance(), "f4", [0, 0], id="nothing but NaN"),
    pytest.param([0, 2**31, 2**32 - 1], Appearance(), "u4", [0, 128, 255], id="32 bits"),
    # Modality
    pytest.param(
        [0, 1024, 2048], Appearance(Modality(1.0, -1024.0), Window(0.5, 2049)), "u2", [0, 128, 255], id="rescale"
    ),
    pytest.param([0, 1, 2], Appearance(Modality(0.5, 0.0), full_range(0, 1)), "u2", [0, 128, 255], id="slope 0.5"),
    pytest.param(
        [-1, 0, 1, 2, 3],
        Appearance(Modality(lut=table(0, 10, 35, 110)), Window(60.5, 101)),
        "i2",
        [0, 0, 64, 255, 255],
        id="Modality LUT",
    ),
    pytest.param(
        [0, 1, 2], Appearance(Modality(lut=table(0, 10, 60, 110))), "u2", [0, 128, 255], id="Modality LUT alone"
    ),
    pytest.param(
        [0, 1], Appearance(Modality(lut=table(0, 5, 6)), table(5, 0, 255)), "u2", [0, 255], id="Modality LUT, VOI LUT"
    ),
    pytest.param([0.2, 0.9], Appearance(voi=table(0, 0, 255)), "f4", [0, 255], id="VOI LUT of floats rounds"),
    # Presentation LUT Shape
    pytest.param([0, 100, 255], Appearance(voi=BYTES, inverse=True), "u1", [255, 155, 0], id="INVERSE"),
    pytest.param([0.0, 1.0], Appearance(inverse=True), "f4", [255, 0], id="INVERSE float"),
    pytest.param([5, 6], Appearance(inverse=True), "u2", [255, 0], id="INVERSE of least to greatest"),
    # padding
    pytest.param([-2000, 0, 100], Appearance(padding=(-2000, -2000)), "i2", [0, 0, 255], id="padding is not counted"),
    pytest.param(
        [10, 15, 20, 30, 40], Appearance(padding=(10, 20)), "u2", [0, 0, 0, 0, 255], id="padding range, inclusive"
    ),
    pytest.param(
        [0, 1, 255], Appearance(voi=BYTES, inverse=True, padding=(0, 0)), "u1", [0, 254, 0], id="padding is black"
    ),
    pytest.param([9, 9], Appearance(padding=(9, 9)), "u2", [0, 0], id="nothing but padding"),
    pytest.param(
        [0, 50, 100], Appearance(voi=full_range(0, 100), padding=(100, 100)), "u4", [0, 128, 0], id="padding, 32 bits"
    ),
]


@pytest.mark.parametrize(("values", "appearance", "dtype", "expected"), ROWS)
def test_grayscale(values: list[Any], appearance: Appearance, dtype: str, expected: list[int]) -> None:
    assert shown(values, appearance, dtype) == expected


@given(
    st.sampled_from(["u1", "i1", "u2", "i2"]),
    st.floats(-3, 3).filter(bool),
    st.floats(-500, 500),
    st.floats(-300, 300),
    st.floats(1, 2000),
    st.booleans(),
)
def test_the_table_is_the_formula(
    dtype: str, slope: float, intercept: float, center: float, width: float, inverse: bool
) -> None:
    """Integers of up to 16 bits go through a table; it gives what wider ones are computed to."""
    appearance = Appearance(Modality(slope, intercept), Window(center, width), inverse)
    limits = np.iinfo(dtype)
    values = np.linspace(limits.min, limits.max, 97).astype(np.int64).tolist()
    assert shown(values, appearance, dtype) == shown(values, appearance, "i8")


def test_supplemental_palette() -> None:
    """C.7.6.19: values from the first one mapped on are in colour, the others gray."""
    colours = tuple(table(100, *channel) for channel in ([255, 0], [0, 255], [7, 7]))
    appearance = Appearance(voi=full_range(0, 99), palette=colours, supplemental=True)
    pixels = np.array([[0, 99, 100, 101, 150]], np.uint16)
    picture = render(pixels, ImageParams(1, 5), appearance)
    assert picture[0].tolist() == [[0] * 3, [255] * 3, [255, 0, 7], [0, 255, 7], [0, 255, 7]]


def test_supplemental_palette_does_not_count_for_the_grays() -> None:
    colours = (table(100, 1), table(100, 2), table(100, 3))
    appearance = Appearance(palette=colours, supplemental=True)
    picture = render(np.array([[0, 50, 500]], np.uint16), ImageParams(1, 3), appearance)
    assert picture[0].tolist() == [[0] * 3, [255] * 3, [1, 2, 3]]


def test_label_maps_have_a_colour_for_each_label() -> None:
    picture = render(
        np.array([[0, 1, 2, 3, 65535]], np.uint16), ImageParams(1, 5), Appearance(labels=((2, (10, 20, 30)),))
    )
    found = [tuple(pixel) for pixel in picture[0].tolist()]
    assert found[0] == (0, 0, 0)
    assert found[2] == (10, 20, 30)
    assert len(set(found)) == 5


# Colour


def coloured(pixel: list[int], photometric: str, bits: int = 8) -> list[int]:
    pixels = np.array([[pixel]], np.uint8 if bits <= 8 else np.uint16)
    image = ImageParams(
        1,
        1,
        samples_per_pixel=len(pixel),
        bits_allocated=8 if bits <= 8 else 16,
        bits_stored=bits,
        photometric_interpretation=photometric,
    )
    return render(pixels, image, Appearance())[0, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("pixel", "photometric", "bits", "expected"),
    [
        pytest.param([1, 2, 3], "RGB", 8, [1, 2, 3], id="RGB"),
        pytest.param([0, 32768, 65535], "RGB", 16, [0, 128, 255], id="RGB of 16 bits"),
        pytest.param([0, 2048, 4095], "RGB", 12, [0, 128, 255], id="RGB of 12 bits"),
        pytest.param([0, 4, 7], "RGB", 3, [0, 146, 255], id="RGB of 3 bits"),
        pytest.param([128, 128, 128], "YBR_FULL", 8, [128, 128, 128], id="YBR_FULL gray"),
        pytest.param([76, 85, 255], "YBR_FULL", 8, [254, 0, 0], id="YBR_FULL red"),
        pytest.param([150, 44, 21], "YBR_FULL_422", 8, [0, 255, 1], id="YBR_FULL_422 green"),
        pytest.param([29, 255, 107], "YBR_ICT", 8, [0, 0, 254], id="YBR_ICT blue"),
        pytest.param([0, 0, 0], "YBR_FULL", 8, [0, 135, 0], id="YBR_FULL is cut off at the ends"),
        pytest.param([16, 128, 128], "YBR_PARTIAL_422", 8, [0, 0, 0], id="YBR_PARTIAL black"),
        pytest.param([235, 128, 128], "YBR_PARTIAL_420", 8, [255, 255, 255], id="YBR_PARTIAL white"),
        pytest.param([81, 90, 240], "YBR_PARTIAL_422", 8, [254, 0, 0], id="YBR_PARTIAL red"),
        pytest.param([85, 128, 128], "YBR_RCT", 8, [85, 85, 85], id="YBR_RCT gray"),
        pytest.param([63, 128, 255], "YBR_RCT", 8, [159, 32, 32], id="YBR_RCT"),
        pytest.param([9, 1, 2, 3], "ARGB", 8, [1, 2, 3], id="ARGB"),
        pytest.param([0, 0, 0, 0], "CMYK", 8, [255, 255, 255], id="CMYK white"),
        pytest.param([255, 0, 0, 0], "CMYK", 8, [0, 255, 255], id="CMYK cyan"),
    ],
)
def test_colour(pixel: list[int], photometric: str, bits: int, expected: list[int]) -> None:
    assert coloured(pixel, photometric, bits) == expected


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_ybr_full_is_the_inverse_of_the_standards_equations(rgb: list[int]) -> None:
    """C.7.6.3.1.2: forwards by the equations, rounded, and back: within 1 of each sample."""
    red, green, blue = rgb
    ybr = [
        0.2990 * red + 0.5870 * green + 0.1140 * blue,
        -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128,
        0.5000 * red - 0.4187 * green - 0.0813 * blue + 128,
    ]
    rounded = [min(round(sample), 255) for sample in ybr]
    back = coloured(rounded, "YBR_FULL")
    assert max(abs(a - b) for a, b in zip(back, rgb, strict=True)) <= 2


PALETTE = (table(0, 0, 255, 9), table(0, 5, 6, 7), table(0, 1, 2, 3))


@pytest.mark.parametrize(
    ("values", "dtype", "palette", "expected"),
    [
        pytest.param([0, 1, 2, 200], "u1", PALETTE, [[0, 5, 1], [255, 6, 2], [9, 7, 3], [9, 7, 3]], id="8 bits"),
        pytest.param([1, 60000], "u2", PALETTE, [[255, 6, 2], [9, 7, 3]], id="16 bits"),
        pytest.param(
            [-5, -1, 0],
            "i2",
            tuple(table(-1, 10, 20) for _ in range(3)),
            [[10] * 3, [10] * 3, [20] * 3],
            id="signed first value",
        ),
        pytest.param(
            [0, 1],
            "u1",
            tuple(table(0, 0, 65535, bits=16) for _ in range(3)),
            [[0] * 3, [255] * 3],
            id="16-bit entries",
        ),
    ],
)
def test_palette(values: list[int], dtype: str, palette: Any, expected: list[list[int]]) -> None:
    image = ImageParams(1, len(values), photometric_interpretation="PALETTE COLOR")
    assert render(np.array([values], dtype), image, Appearance(palette=palette))[0].tolist() == expected


def test_no_palette_where_one_is_needed() -> None:
    with pytest.raises(BadPixels, match="no palette"):
        render(np.zeros((1, 1), np.uint8), ImageParams(1, 1, photometric_interpretation="PALETTE COLOR"), Appearance())


def test_two_samples_are_no_picture() -> None:
    with pytest.raises(BadPixels, match="2 samples"):
        render(np.zeros((1, 1, 2), np.uint8), ImageParams(1, 1, 2), Appearance())


def test_inputs_are_not_changed() -> None:
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3)
    pixels.flags.writeable = False
    render(pixels, ImageParams(2, 3), Appearance())

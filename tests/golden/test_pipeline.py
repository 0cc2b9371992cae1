"""Every row of the pipeline on synthetic scenes: pictures as somebody saw them, and what the formulas say they are.

`expected` is written from PS3.3 C.7.5, C.7.6, C.9, C.11 and PS3.18 §8.3.5 with nothing but numpy; where dcmtk is
installed and shows the same, it says what it makes of it. ``python tests/golden/test_pipeline.py`` writes the pictures
anew; look at each that changed before it is committed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

import scenes
from archives import Given, opened
from scenes import COLUMNS, ROWS, file, levels
from skiagraph.pixels import icc
from skiagraph.standard.rendering import IccProfile

HERE = Path(__file__).parent
EXPECTED = HERE / "rendered"
GRAY, COLOUR = scenes.gray(), scenes.colour()
BLACK, WHITE = 0, 255

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """A file, how it is asked for, and what comes."""

    name: str
    """Of the expected picture, behind ``pipeline-``."""
    data: Callable[[], bytes]
    expected: Callable[[], NDArray[Any]] | None = None
    query: str = ""
    frame: int = 1
    dcmtk: tuple[str, ...] | None = None
    """Options with which dcmtk shows the same; None: it can not."""
    within: int = 1
    """What a sample may differ from what is expected."""


# PS3.3 C.11.2.1.2.1 and C.11.2.1.3, with black 0 and white 255


def linear(x: NDArray[Any], c: float, w: float) -> Picture:
    low, high = c - 0.5 - (w - 1) / 2, c - 0.5 + (w - 1) / 2
    within = np.zeros(x.shape) if w == 1 else (x - (c - 0.5)) / (w - 1) + 0.5
    return rounded(np.where(x <= low, 0, np.where(x > high, 1, within)))


def linear_exact(x: NDArray[Any], c: float, w: float) -> Picture:
    return rounded(np.where(x <= c - w / 2, 0, np.where(x > c + w / 2, 1, (x - c) / w + 0.5)))


def sigmoid(x: NDArray[Any], c: float, w: float) -> Picture:
    return rounded(1 / (1 + np.exp(-4 * (x - c) / w)))


def rounded(y: NDArray[Any]) -> Picture:
    """0.0 … 1.0 as 8 bits."""
    return np.floor(y * 255 + 0.5).astype(np.uint8)


def stretched(x: NDArray[Any]) -> Picture:
    """The least value black, the greatest white."""
    return rounded((x - x.min()) / (x.max() - x.min()))


def item(**attributes: Any) -> Dataset:
    found = Dataset()
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return found


# Gray

HU = levels(GRAY, -1000, 1000)
"""Modality values of a CT; stored as 12 bits with intercept -1024."""
CT: dict[str, Any] = {"BitsStored": 12, "RescaleSlope": 1, "RescaleIntercept": -1024}
WINDOW: dict[str, Any] = {"WindowCenter": 100, "WindowWidth": 900}


def ct(**more: Any) -> bytes:
    return file((HU + 1024).astype(np.uint16), **CT | WINDOW | more)


def per_frame() -> bytes:
    """Two frames of the same values with slope, intercept and window of their own, as PET has them."""
    stored = levels(GRAY, 0, 4000).astype(np.uint16)
    groups = [
        item(
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")],
            FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=width)],
        )
        for slope, intercept, center, width in ((1, 0, 2000, 4000), (0.5, -500, 300, 1200))
    ]
    return file(
        np.stack([stored, stored]),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.130",
        BitsStored=12,
        PerFrameFunctionalGroupsSequence=groups,
    )


def with_luts() -> bytes:
    """Modality LUT: the square; VOI LUT: its inverse, from 100 to 800 of 1000."""
    square = (np.arange(256) ** 2 * 1000 // 255**2).astype(np.uint16)
    voi = np.linspace(4095, 0, 701).astype(np.uint16)
    return file(
        levels(GRAY, 0, 255).astype(np.uint8),
        ModalityLUTSequence=[item(LUTDescriptor=[256, 0, 16], ModalityLUTType="US", LUTData=square.tobytes())],
        VOILUTSequence=[item(LUTDescriptor=[701, 100, 12], LUTData=voi.tobytes())],
    )


def of_luts() -> Picture:
    square = np.arange(256) ** 2 * 1000 // 255**2
    voi = np.linspace(4095, 0, 701).astype(int)
    return rounded(voi[np.clip(square[levels(GRAY, 0, 255)] - 100, 0, 700)] / 4095)


PADDED = np.where(np.hypot(*np.mgrid[-36:36, -48:48]) > 44, -2000, levels(GRAY, 0, 1000))
"""A round picture in a square of padding."""


def of_padded(valid: NDArray[np.bool_], *, inverse: bool = False) -> Picture:
    low, high = PADDED[valid].min(), PADDED[valid].max()
    shown = (PADDED - low) / (high - low)
    return np.where(valid, rounded(np.clip(1 - shown if inverse else shown, 0, 1)), BLACK)


FULL = levels(GRAY, 0, 255).astype(np.uint8)
ROW, COLUMN = np.mgrid[1 : ROWS + 1, 1 : COLUMNS + 1]
SHUTTER: dict[str, Any] = {
    "ShutterShape": ["RECTANGULAR", "CIRCULAR", "POLYGONAL"],
    "ShutterLeftVerticalEdge": 11,
    "ShutterRightVerticalEdge": 90,
    "ShutterUpperHorizontalEdge": 6,
    "ShutterLowerHorizontalEdge": 66,
    "CenterOfCircularShutter": [36, 44],
    "RadiusOfCircularShutter": 40,
    "VerticesOfThePolygonalShutter": [1, 48, 36, 96, 72, 48, 36, 1],
    "ShutterPresentationValue": 32896,
}
_RECTANGLE = (COLUMN >= 11) & (COLUMN <= 90) & (ROW >= 6) & (ROW <= 66)
_CIRCLE = (ROW - 36) ** 2 + (COLUMN - 44) ** 2 <= 40**2


def in_polygon(vertices: list[int]) -> NDArray[np.bool_]:
    """By crossings of a ray to the right: the inside of a polygon, its outline not counted."""
    points = list(zip(vertices[::2], vertices[1::2], strict=True))
    inside = np.zeros((ROWS, COLUMNS), bool)
    for (y1, x1), (y2, x2) in zip(points, points[1:] + points[:1], strict=True):
        if y1 != y2:
            inside ^= ((y1 > ROW) != (y2 > ROW)) & (x1 + (ROW - y1) * (x2 - x1) / (y2 - y1) > COLUMN)
    return inside


def only(shape: str) -> dict[str, Any]:
    return SHUTTER | {"ShutterShape": shape}


def shuttered(visible: NDArray[np.bool_]) -> Picture:
    return np.where(visible, FULL, 128)


# Overlays

CROSS = (abs(np.mgrid[0:20, 0:20][0] - np.mgrid[0:20, 0:20][1]) < 2) | (
    abs(np.mgrid[0:20, 0:20][0] + np.mgrid[0:20, 0:20][1] - 19) < 2
)


def plane(bits: NDArray[np.bool_], top: int, left: int, kind: str = "G", group: int = 0x6000, **more: Any) -> Any:
    """Elements of an Overlay Plane by tag: kept apart, as pydicom has one keyword for all groups."""
    rows, columns = bits.shape[-2:]
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    found = {
        0x0010: ("US", rows),
        0x0011: ("US", columns),
        0x0040: ("CS", kind),
        0x0050: ("SS", [top, left]),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x3000: ("OW", packed + b"\0" * (len(packed) % 2)),
    } | {int(tag[1:], 16): value for tag, value in more.items()}
    return {group << 16 | element: value for element, value in found.items()}


def with_planes(data: bytes, *planes: Any) -> bytes:
    import pydicom

    found = pydicom.dcmread(io.BytesIO(data))
    for one in planes:
        for tag, (vr, value) in one.items():
            found.add_new(tag, vr, value)
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def drawn(picture: Picture, bits: NDArray[np.bool_], top: int, left: int) -> Picture:
    """White where the plane has ones; rows and columns of the first bit from 1."""
    found = picture.copy()
    for row, column in np.argwhere(bits):
        y, x = row + top - 1, column + left - 1
        if 0 <= y < found.shape[0] and 0 <= x < found.shape[1]:
            found[y, x] = WHITE
    return found


def embedded() -> bytes:
    """The retired form: a plane in bit 14 of the pixel cells, under 12 bits of pixels."""
    whole = np.zeros((ROWS, COLUMNS), bool)
    whole[40:60, 30:50] = CROSS
    cells = (HU + 1024).astype(np.uint16) | (whole.astype(np.uint16) << 14)
    of_plane = plane(whole, 1, 1, x0100=("US", 16), x0102=("US", 14))
    return with_planes(
        file(cells, **CT | WINDOW), {tag: value for tag, value in of_plane.items() if tag & 0xFFFF != 0x3000}
    )


def outline(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ones with a zero, or the edge, above, below, left or right."""
    wide = np.pad(bits, 1)
    return bits & ~(wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:])


DISC = np.hypot(*np.mgrid[-12:13, -12:13]) <= 12

# Colour

RGB = levels(COLOUR, 0, 255).astype(np.uint8)


def ybr_full(rgb: NDArray[Any]) -> NDArray[np.uint8]:
    """C.7.6.3.1.2, rounded."""
    r, g, b = (rgb[..., number].astype(float) for number in range(3))
    found = [
        0.2990 * r + 0.5870 * g + 0.1140 * b,
        -0.1687 * r - 0.3313 * g + 0.5000 * b + 128,
        0.5000 * r - 0.4187 * g - 0.0813 * b + 128,
    ]
    return np.clip(np.floor(np.stack(found, -1) + 0.5), 0, 255).astype(np.uint8)


def planar() -> bytes:
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    return file(planes.reshape(RGB.shape), PlanarConfiguration=1)


SUBSAMPLED = np.repeat(ybr_full(RGB)[:, ::2, 1:], 2, axis=1)
"""Chrominance of every second pixel, for both."""


def subsampled() -> bytes:
    """YBR_FULL_422: Y1 Y2 Cb Cr."""
    ybr = ybr_full(RGB)
    pairs = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1)
    return file(
        pairs.reshape(ROWS, COLUMNS * 2),
        Columns=COLUMNS,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="YBR_FULL_422",
    )


def of_ybr(ybr: NDArray[Any]) -> NDArray[Any]:
    """The equations of C.7.6.3.1.2 solved for RGB."""
    matrix = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    return np.clip(np.floor((ybr - [0.0, 128, 128]) @ np.linalg.inv(matrix).T + 0.5), 0, 255)


SEGMENTS = {
    # C.7.9.2: discrete 0; linear 255 steps up
    "Red": [0, 1, 0, 1, 255, 0xFFFF],
    # up to the middle and down again
    "Green": [0, 1, 0, 1, 127, 0xFFFF, 1, 128, 0],
    # eight discrete entries and a ramp of 24, then both again seven times: indirect, from byte 0, 2 segments
    "Blue": [0, 8, *[0x8000] * 8, 1, 24, 0xFFFF, *[2, 2, 0, 0] * 7],
}


def segmented() -> bytes:
    more: dict[str, Any] = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in SEGMENTS}
    more |= {
        f"Segmented{name}PaletteColorLookupTableData": np.array(words, "<u2").tobytes()
        for name, words in SEGMENTS.items()
    }
    return file(FULL, PhotometricInterpretation="PALETTE COLOR", **more)


def of_segments() -> NDArray[Any]:
    red = np.linspace(0, 0xFFFF, 256)
    green = np.concatenate([np.linspace(0, 0xFFFF, 128), np.linspace(0xFFFF, 0, 129)[1:]])
    blue = np.tile(np.concatenate([np.full(8, 0x8000), np.linspace(0x8000, 0xFFFF, 25)[1:]]), 8)
    return np.floor(np.stack([red, green, blue], -1)[FULL] / 65535 * 255 + 0.5)


def palette_signed() -> bytes:
    """Signed pixels, and a palette that begins below zero: the first and the last colour go on beyond it."""
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    tables = {"Red": ramp, "Green": ramp[::-1], "Blue": np.full(200, 64, np.uint8)}
    more: dict[str, Any] = {f"{name}PaletteColorLookupTableDescriptor": [200, -100, 8] for name in tables}
    more |= {f"{name}PaletteColorLookupTableData": table.tobytes() for name, table in tables.items()}
    return file(levels(GRAY, -128, 127).astype(np.int16), PhotometricInterpretation="PALETTE COLOR", **more)


def of_palette_signed() -> NDArray[Any]:
    index = np.clip(levels(GRAY, -128, 127) + 100, 0, 199)
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    return np.stack([ramp[index], ramp[::-1][index], np.full(index.shape, 64)], -1)


def palette_16() -> bytes:
    """Indices of 16 bits, from 1000 on, and entries of 16 bits."""
    more: dict[str, Any] = {
        f"{name}PaletteColorLookupTableDescriptor": [4096, 1000, 16] for name in ("Red", "Green", "Blue")
    }
    more |= {
        f"{name}PaletteColorLookupTableData": table.tobytes()
        for name, table in zip(("Red", "Green", "Blue"), PALETTE_16.T.astype("<u2"), strict=True)
    }
    cells = (levels(GRAY, 0, 4095) + 1000).astype(np.uint16)
    return file(cells, PhotometricInterpretation="PALETTE COLOR", **more)


_RAMP = np.linspace(0, 65535, 4096).astype(int)
PALETTE_16 = np.stack([_RAMP, _RAMP[::-1], (_RAMP * 3) % 65536], -1)


def supplemental() -> bytes:
    """Gray up to 255, and 32 colours of which the first is for 256 (C.7.6.19)."""
    more: dict[str, Any] = {
        f"{name}PaletteColorLookupTableDescriptor": [32, 256, 16] for name in ("Red", "Green", "Blue")
    }
    more |= {
        f"{name}PaletteColorLookupTableData": table.tobytes()
        for name, table in zip(("Red", "Green", "Blue"), HOT.T.astype("<u2"), strict=True)
    }
    window = {"WindowCenter": 128, "WindowWidth": 256}
    return file(WITH_HOT.astype(np.uint16), BitsStored=12, PixelPresentation="COLOR", **window, **more)


HOT = np.stack([np.full(32, 65535), np.linspace(0, 65535, 32).astype(int), np.zeros(32, int)], -1)
WITH_HOT = np.where(np.hypot(*np.mgrid[-36:36, -60:36]) < 16, levels(GRAY, 256, 287), levels(GRAY, 0, 255))


def of_supplemental() -> NDArray[Any]:
    gray = linear(WITH_HOT, 128, 256)[..., None].repeat(3, -1)
    colour = np.floor(HOT[np.clip(WITH_HOT - 256, 0, 31)] / 65535 * 255 + 0.5)
    return np.where((WITH_HOT >= 256)[..., None], colour, gray)


def label_map() -> bytes:
    """Three segments with recommended colours on a background."""
    segments = [
        item(SegmentNumber=number, RecommendedDisplayCIELabValue=colour) for number, colour in LABEL_COLOURS.items()
    ]
    return file(
        LABELS.astype(np.uint8),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.66.7",
        SegmentationType="LABELMAP",
        SegmentSequence=segments,
    )


LABEL_COLOURS = {1: [34885, 53485, 50171], 2: [57000, 10000, 50171], 7: [21000, 40000, 5000]}
LABELS = np.select([GRAY == 1.0, GRAY == 0.0, GRAY == 0.9], [1, 2, 7], 0)


def of_labels() -> NDArray[Any]:
    found = np.zeros((ROWS, COLUMNS, 3), int)
    for number, colour in LABEL_COLOURS.items():
        found[number == LABELS] = of_cielab(*colour)
    return found


def bits() -> bytes:
    """Two frames of single bits, 9 columns, so that the second begins within a byte."""
    import pydicom

    found = pydicom.dcmread(io.BytesIO(file(np.zeros((2, 7, 9), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)))
    found.PixelData = np.packbits(BITS.ravel(), bitorder="little").tobytes()
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


BITS = np.stack([np.zeros((7, 9), bool), np.add.outer(np.arange(7), np.arange(9)) % 3 == 0])


def real(keyword: str, kind: str) -> bytes:
    """A parametric map: nothing (NaN) outside a circle, small and negative values within."""
    import pydicom

    size = np.dtype(kind).itemsize * 8
    found = pydicom.dcmread(io.BytesIO(file(FULL, SOPClassUID="1.2.840.10008.5.1.4.1.1.30", BitsAllocated=size)))
    for element in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(found, element)
    setattr(found, keyword, REAL.astype(kind).tobytes())
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


REAL = np.where(np.hypot(*np.mgrid[-36:36, -48:48]) < 44, (GRAY - 0.25) * 1e-3, np.nan)


def of_real() -> Picture:
    low, high = np.nanmin(REAL), np.nanmax(REAL)
    return rounded(np.nan_to_num((REAL - low) / (high - low)))


# ICC: colorants in XYZ adapted to D50, as published for each space; IEC 61966-2-1, Adobe RGB (1998), ISO 22028-2

SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
ADOBE = np.array(
    [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]]
)
ROMM = np.array([[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0.0, 0.0, 0.8252100]])
P3 = np.array(
    [[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]]
)


def from_srgb(encoded: NDArray[Any]) -> NDArray[Any]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_srgb(light: NDArray[Any]) -> NDArray[Any]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def to_adobe(light: NDArray[Any]) -> NDArray[Any]:
    return light ** (256 / 563)


def to_romm(light: NDArray[Any]) -> NDArray[Any]:
    return np.where(light < 1 / 512, light * 16, light ** (1 / 1.8))


def between(source: NDArray[Any], target: NDArray[Any], to: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Light in one space as 8 bits of another; what it can not hold is cut off."""
    return rounded(to(np.clip(source @ (np.linalg.inv(target) @ FROM).T, 0, 1)))


FROM = ADOBE
"""The space of the images below that bring a profile."""
LIGHT = (RGB / 255) ** (563 / 256)
PALE = levels(0.25 + 0.5 * COLOUR, 0, 255).astype(np.uint8)
"""Colours that every space can hold."""
PALE_LIGHT = (PALE / 255) ** (563 / 256)


def with_profile() -> bytes:
    return file(PALE, ICCProfile=icc.profile(IccProfile.ADOBE_RGB))


CIELAB = [50000, 20000, 40000]


def of_cielab(*values: int) -> NDArray[Any]:
    """C.10.7.1.1: three times 16 bits for L* 0 … 100, a* and b* -128 … 127; as sRGB."""
    lightness, a, b = values[0] / 65535 * 100, values[1] / 65535 * 255 - 128, values[2] / 65535 * 255 - 128
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249]
    return rounded(to_srgb(np.clip(np.linalg.inv(SRGB) @ xyz, 0, 1)))


# Viewport


def means(picture: NDArray[Any], by: int) -> NDArray[Any]:
    rows, columns = picture.shape[0] // by, picture.shape[1] // by
    return picture[: rows * by, : columns * by].reshape(rows, by, columns, by).mean((1, 3))


SMOOTH = levels(
    0.5 + 0.25 * np.sin(np.mgrid[0:144, 0:192][1] / 19) + 0.25 * np.cos(np.mgrid[0:144, 0:192][0] / 13), 0, 255
).astype(np.uint8)
FIRST = ("+Wi", "1")

ROWS_OF_THE_PIPELINE = [
    # VOI: C.11.2
    Row("voi-linear", ct, lambda: linear(HU, 100, 900), dcmtk=FIRST),
    Row("voi-linear-exact", lambda: ct(VOILUTFunction="LINEAR_EXACT"), lambda: linear_exact(HU, 100, 900)),
    Row("voi-sigmoid", lambda: ct(VOILUTFunction="SIGMOID"), lambda: sigmoid(HU, 100, 900), dcmtk=(*FIRST, "+Wfs")),
    Row(
        "voi-of-several-windows",
        lambda: ct(WindowCenter=[-400, 100], WindowWidth=[800, 900], WindowCenterWidthExplanation=["LUNG", "BODY"]),
        lambda: linear(HU, -400, 800),
        dcmtk=FIRST,
    ),
    Row("window-linear", ct, lambda: linear(HU, -200, 600), "window=-200,600,linear", dcmtk=("+Ww", "-200", "600")),
    Row("window-linear-exact", ct, lambda: linear_exact(HU, -200.5, 600.5), "window=-200.5,600.5,linear-exact"),
    Row("window-narrowest", ct, lambda: linear(HU, 0, 1), "window=0,1,linear"),
    Row("window-sigmoid", ct, lambda: sigmoid(HU, 0, 300), "window=0,300,sigmoid", dcmtk=("+Ww", "0", "300", "+Wfs")),
    Row("modality-and-voi-lut", with_luts, of_luts, dcmtk=("+Wl", "1"), within=2),
    # Modality by functional groups: C.7.6.16.2.9, C.7.6.16.2.10
    Row("rescale-of-frame-1", per_frame, lambda: linear(levels(GRAY, 0, 4000), 2000, 4000)),
    Row("rescale-of-frame-2", per_frame, lambda: linear(levels(GRAY, 0, 4000) * 0.5 - 500, 300, 1200), frame=2),
    # Polarity: C.11.4, C.7.6.3.1.2
    Row(
        "presentation-lut-shape-inverse",
        lambda: ct(PresentationLUTShape="INVERSE"),
        lambda: 255 - linear(HU, 100, 900),
        dcmtk=FIRST,
    ),
    Row(
        "monochrome1",
        lambda: ct(PhotometricInterpretation="MONOCHROME1"),
        lambda: 255 - linear(HU, 100, 900),
        dcmtk=FIRST,
    ),
    Row(
        "monochrome1-inverse",  # as DX For Presentation has it: turned once, not twice
        lambda: ct(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"),
        lambda: 255 - linear(HU, 100, 900),
    ),
    # Bits
    Row("8-bit", lambda: file(FULL), lambda: FULL, dcmtk=()),
    Row("8-bit-signed", lambda: file(levels(GRAY, -128, 127).astype(np.int8)), lambda: stretched(levels(GRAY, 0, 255))),
    Row(
        "10-bit",
        lambda: file(levels(GRAY, 0, 1023).astype(np.uint16), BitsStored=10),
        lambda: stretched(levels(GRAY, 0, 1023)),
        dcmtk=("+Wm",),
    ),
    Row(
        "12-bit-high-bit-15",
        lambda: file((levels(GRAY, 0, 4095) << 4).astype(np.uint16), BitsStored=12, HighBit=15),
        lambda: stretched(levels(GRAY, 0, 4095)),
        dcmtk=("+Wm",),
    ),
    Row(
        "16-bit-signed",
        lambda: file(levels(GRAY, -32768, 32767).astype(np.int16)),
        lambda: stretched(levels(GRAY, -32768, 32767)),
        dcmtk=("+Wm",),
    ),
    Row(
        "32-bit-signed",
        lambda: file(levels(GRAY, -(2**30), 2**30).astype(np.int32)),
        lambda: stretched(levels(GRAY, -(2**30), 2**30)),
        dcmtk=("+Wm",),
    ),
    Row("1-bit", bits, lambda: BITS[1] * WHITE, frame=2),
    Row("float", lambda: real("FloatPixelData", "<f4"), of_real),
    Row("double-float", lambda: real("DoubleFloatPixelData", "<f8"), of_real),
    # Pixel padding: C.7.5.1.1.2
    Row(
        "padding-value",
        lambda: file(PADDED.astype(np.int16), PixelPaddingValue=-2000),
        lambda: of_padded(PADDED != -2000),
    ),
    Row(
        "padding-range",
        lambda: file(PADDED.astype(np.int16), PixelPaddingValue=-2000, PixelPaddingRangeLimit=260),
        lambda: of_padded(PADDED > 260),
    ),
    Row(
        "padding-monochrome1",
        lambda: file(PADDED.astype(np.int16), PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1"),
        lambda: of_padded(PADDED != -2000, inverse=True),
    ),
    # Display shutter: C.7.6.11
    Row("shutter-rectangular", lambda: file(FULL, **only("RECTANGULAR")), lambda: shuttered(_RECTANGLE)),
    Row("shutter-circular", lambda: file(FULL, **only("CIRCULAR")), lambda: shuttered(_CIRCLE)),
    Row("shutter-polygonal", lambda: file(FULL, **only("POLYGONAL"))),
    Row("shutter-all", lambda: file(FULL, **SHUTTER)),
    Row(
        "shutter-colour",
        lambda: file(RGB, **only("CIRCULAR"), ShutterPresentationColorCIELabValue=CIELAB),
        lambda: np.where(_CIRCLE[..., None], RGB, of_cielab(*CIELAB)),
    ),
    # Overlays: C.9.2
    Row(
        "overlay-separate",
        lambda: with_planes(file(FULL), plane(CROSS, 41, 11), plane(CROSS, -9, 87, group=0x6002)),
        lambda: drawn(drawn(FULL, CROSS, 41, 11), CROSS, -9, 87),
        dcmtk=(),
    ),
    Row(
        "overlay-in-pixel-cells",
        embedded,
        lambda: drawn(linear(HU, 100, 900), CROSS, 41, 31),
        dcmtk=FIRST,
    ),
    Row(
        "overlay-region-of-interest",
        lambda: with_planes(file(FULL), plane(DISC, 30, 40, "R")),
        lambda: drawn(FULL, outline(DISC), 30, 40),
    ),
    Row(
        "overlay-of-frame-2",
        lambda: with_planes(
            file(np.stack([FULL] * 3)),
            plane(np.stack([DISC, CROSS_WIDE]), 30, 40, x0015=("IS", 2), x0051=("US", 1)),
        ),
        lambda: drawn(FULL, CROSS_WIDE, 30, 40),
        frame=2,
    ),
    Row(
        "overlay-on-colour",
        lambda: with_planes(file(RGB), plane(CROSS, 41, 11)),
        lambda: drawn(RGB, CROSS, 41, 11),
    ),
    # Colour: C.7.6.3.1.2 to C.7.6.3.1.6
    Row("rgb-by-pixel", lambda: file(RGB), lambda: RGB, dcmtk=()),
    Row("rgb-by-plane", planar, lambda: RGB, dcmtk=()),
    Row("rgb-16-bit", lambda: file(levels(COLOUR, 0, 65535).astype(np.uint16)), lambda: rounded(COLOUR), dcmtk=()),
    Row(
        "ybr-full",
        lambda: file(ybr_full(RGB), PhotometricInterpretation="YBR_FULL"),
        lambda: of_ybr(ybr_full(RGB)),
        dcmtk=(),
        within=2,
    ),
    Row(
        "ybr-full-422",
        subsampled,
        lambda: of_ybr(np.concatenate([ybr_full(RGB)[..., :1], SUBSAMPLED], -1)),
        dcmtk=(),
        within=2,
    ),
    Row("palette-segmented", segmented, of_segments),
    Row("palette-signed", palette_signed, of_palette_signed, dcmtk=()),
    Row("palette-16-bit", palette_16, lambda: np.floor(PALETTE_16[levels(GRAY, 0, 4095)] / 257 + 0.5), dcmtk=()),
    Row("palette-supplemental", supplemental, of_supplemental),
    Row("label-map", label_map, of_labels),
    # ICC: PS3.18 §8.3.5.1.5
    Row("icc-without", with_profile, lambda: between(PALE_LIGHT, SRGB, to_srgb), within=2),
    Row("icc-no", with_profile, lambda: between(PALE_LIGHT, SRGB, to_srgb), "iccprofile=no", within=2),
    Row("icc-yes", with_profile, lambda: PALE, "iccprofile=yes"),
    Row("icc-srgb", with_profile, lambda: between(PALE_LIGHT, SRGB, to_srgb), "iccprofile=srgb", within=2),
    Row("icc-adobergb", with_profile, lambda: PALE, "iccprofile=adobergb", within=2),
    Row("icc-rommrgb", with_profile, lambda: between(PALE_LIGHT, ROMM, to_romm), "iccprofile=rommrgb", within=2),
    Row("icc-displayp3", with_profile, lambda: between(PALE_LIGHT, P3, to_srgb), "iccprofile=displayp3", within=2),
    # Viewport: PS3.18 §8.3.5.1.3
    Row("viewport-region", lambda: file(FULL), lambda: FULL[10:50, 20:80], "viewport=60,40,20,10,60,40"),
    Row("viewport-flip", lambda: file(FULL), lambda: FULL[10:50, 20:80][::-1, ::-1], "viewport=60,40,20,10,-60,-40"),
    Row("viewport-mirror", lambda: file(FULL), lambda: FULL[:, ::-1], f"viewport={COLUMNS},{ROWS},,,-{COLUMNS},{ROWS}"),
    Row("viewport-clamped", lambda: file(FULL), lambda: FULL[40:, 60:], "viewport=36,32,60,40,100,100"),
    Row("viewport-fit-width", lambda: file(SMOOTH), lambda: means(SMOOTH, 3), "viewport=64,500", within=3),
    Row("viewport-fit-height", lambda: file(SMOOTH), lambda: means(SMOOTH, 3), "viewport=500,48", within=3),
    Row("viewport-enlarged", lambda: file(FULL), None, "viewport=180,180,30,0,40,40"),
]
CROSS_WIDE = np.pad(CROSS, ((2, 3), (2, 3)))


def rendered(given: Given, row: Row) -> NDArray[Any]:
    (instance,) = given.store(row.data())
    answer = given.get(f"{instance.path}/frames/{row.frame}/rendered", "image/png", query=row.query)
    assert answer.status == 200, answer.error
    picture = Image.open(io.BytesIO(answer.body))
    wanted = row.query.partition("iccprofile=")[2]
    assert (picture.info.get("icc_profile") is not None) is (wanted not in ("", "no"))
    return np.asarray(picture).astype(int)


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


@pytest.mark.parametrize("row", ROWS_OF_THE_PIPELINE, ids=lambda row: row.name)
def test_as_the_formulas_have_it(given: Given, row: Row, tmp_path: Path) -> None:
    """And as somebody saw it, and as dcmtk sees it: it cuts fractions off where the formulas are rounded."""
    found = rendered(given, row)
    seen = np.asarray(Image.open(EXPECTED / f"pipeline-{row.name}.png")).astype(int)
    assert found.shape == seen.shape
    assert np.abs(found - seen).max() <= 2, "other versions of libraries may round differently, no more"
    if row.expected is not None:
        assert np.abs(found - row.expected().astype(int)).max() <= row.within
    if row.dcmtk is not None and shutil.which("dcmj2pnm"):
        assert np.abs(found - by_dcmtk(row, found, tmp_path)).max() <= max(2, row.within)


def by_dcmtk(row: Row, found: NDArray[Any], folder: Path) -> NDArray[Any]:
    (folder / "in.dcm").write_bytes(row.data())
    assert row.dcmtk is not None
    command = ["dcmj2pnm", "--quiet", *row.dcmtk, "+F", str(row.frame), "+on"]
    subprocess.run([*command, str(folder / "in.dcm"), str(folder / "out.png")], check=True, timeout=60)
    return np.asarray(Image.open(folder / "out.png").convert("L" if found.ndim == 2 else "RGB")).astype(int)


def test_polygons() -> None:
    """Polygonal shutters against the rule of crossings; on the outline itself either is right."""
    from skiagraph.pixels.shutter import Shutter, apply

    vertices = SHUTTER["VerticesOfThePolygonalShutter"]
    picture = np.full((ROWS, COLUMNS), WHITE, np.uint8)
    apply(picture, Shutter(polygon=tuple(zip(vertices[::2], vertices[1::2], strict=True))))
    inside = in_polygon(vertices)
    outside = ~np.pad(inside, 2)
    near = ~(outside[2:-2, 2:-2] & outside[:-4, 2:-2] & outside[4:, 2:-2] & outside[2:-2, :-4] & outside[2:-2, 4:])
    assert (picture[inside] == WHITE).mean() > 0.99
    assert not picture[~near].any()


def main() -> None:
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS_OF_THE_PIPELINE):
            with opened(Path(folder) / str(number)) as archive:
                found = rendered(archive, row)
                Image.fromarray(found.astype(np.uint8)).save(EXPECTED / f"pipeline-{row.name}.png", optimize=True)
                problem = ""
                if row.expected is not None:
                    difference = np.abs(found - row.expected().astype(int))
                    problem = (
                        f" differs from the formula by {difference.max()}" if difference.max() > row.within else ""
                    )
                if row.dcmtk is not None:
                    difference = np.abs(found - by_dcmtk(row, found, Path(folder)))
                    problem += f" differs from dcmtk by {difference.max()}" if difference.max() > 2 else ""
                sys.stdout.write(f"{row.name}{problem}\n")


if __name__ == "__main__":
    main()

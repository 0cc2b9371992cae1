"""Colour: to RGB of 8 bits from everything that Photometric Interpretation names — PS3.3 C.7.6.3.1.2.

Planar configuration and subsampled chrominance are the decoder's work: samples come interleaved and complete.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import lut
from skiagraph.pixels.lut import Lut

RGB = NDArray[np.uint8]
"""(rows, columns, 3)."""


def to_bytes(samples: NDArray[Any], bits_stored: int) -> NDArray[np.uint8]:
    """Bring unsigned samples of `bits_stored` bits to 8, the ends of the range to the ends of the range."""
    if bits_stored == 8 and samples.dtype == np.uint8:
        return samples
    scaled: NDArray[np.uint8]
    largest = 2 ** min(bits_stored, 48) - 1
    if samples.dtype.itemsize <= 2:
        largest = min(largest, 65535)
    if samples.dtype.kind == "f":
        scaled = np.floor(np.clip(np.nan_to_num(samples), 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    elif samples.dtype.itemsize <= 2:
        # What lies beyond the bits stored is not part of the sample
        mask = min(largest, 256**samples.dtype.itemsize - 1)
        scaled = _byte_table(largest)[samples.view(f"u{samples.dtype.itemsize}") & mask]
    else:
        wide = np.clip(samples.astype(np.float64), 0, largest)
        scaled = np.floor(wide * (255.0 / largest) + 0.5).astype(np.uint8)
    return scaled


@lru_cache(maxsize=16)
def _byte_table(largest: int) -> NDArray[np.uint8]:
    table: NDArray[np.uint8] = np.floor(np.arange(largest + 1) * (255.0 / largest) + 0.5).astype(np.uint8)
    return table


def from_full(ybr: NDArray[np.uint8]) -> RGB:
    """YBR_FULL (and what was YBR_FULL_422 or YBR_ICT) → RGB.

    The equations of C.7.6.3.1.2 solved for RGB: R = Y + 1.402 (Cr-128), G = Y - 0.344136 (Cb-128) - 0.714136 (Cr-128),
    B = Y + 1.772 (Cb-128), rounded to the nearest.
    """
    luminance, blue, red = ybr[..., 0].astype(np.int32), ybr[..., 1], ybr[..., 2]
    to_red, green_of_blue, green_of_red, to_blue = _full_tables()
    return _joined(
        luminance + to_red[red],
        luminance + ((green_of_blue[blue] + green_of_red[red]) >> 16),
        luminance + to_blue[blue],
    )


def from_partial(ybr: NDArray[np.uint8]) -> RGB:
    """YBR_PARTIAL_422 and _420 → RGB: luminance 16 to 235, chrominance 16 to 240 (retired, C.7.6.3.1.2)."""
    luminance = 255.0 / 219 * (ybr[..., 0].astype(np.float32) - 16)
    blue = 255.0 / 224 * (ybr[..., 1].astype(np.float32) - 128)
    red = 255.0 / 224 * (ybr[..., 2].astype(np.float32) - 128)
    return _joined(
        np.floor(luminance + 1.402 * red + 0.5),
        np.floor(luminance - 0.344136 * blue - 0.714136 * red + 0.5),
        np.floor(luminance + 1.772 * blue + 0.5),
    )


def from_reversible(ybr: NDArray[Any]) -> RGB:
    """YBR_RCT → RGB (PS3.5 §8.2.4), for codecs that leave the transformation undone; chrominance around 128."""
    luminance = ybr[..., 0].astype(np.int32)
    blue, red = ybr[..., 1].astype(np.int32) - 128, ybr[..., 2].astype(np.int32) - 128
    green = luminance - ((blue + red) >> 2)
    return _joined(red + green, green, blue + green)


def from_cmyk(cmyk: NDArray[np.uint8]) -> RGB:
    """CMYK (retired) → RGB without any model of inks."""
    rest = 255 - cmyk[..., 3:4].astype(np.uint16)
    rgb: RGB = (((255 - cmyk[..., :3].astype(np.uint16)) * rest + 127) // 255).astype(np.uint8)
    return rgb


def apply_palette(indices: NDArray[Any], palette: tuple[Lut, Lut, Lut]) -> RGB:
    """Look stored values up; those before the first or behind the last entry take it (C.7.6.3.1.5)."""
    table, first = _palette_table(palette)
    if first == 0 and indices.dtype == np.uint8 and len(table) == 256:
        shown: RGB = table[indices]
    else:
        shown = table[np.clip(indices.astype(np.int64) - first, 0, len(table) - 1)]
    return shown


@lru_cache(maxsize=32)
def _palette_table(palette: tuple[Lut, Lut, Lut]) -> tuple[RGB, int]:
    """One table for all three, when they begin at the same input and are as long: always in valid data."""
    first = min(part.first for part in palette)
    last = max(part.first + len(part) for part in palette)
    inputs = np.arange(first, min(last, first + lut.LONGEST))
    columns = [np.floor(lut.scaled(inputs, part) * 255 + 0.5).astype(np.uint8) for part in palette]
    table = np.stack(columns, axis=-1)
    table.flags.writeable = False
    return table, first


@lru_cache(maxsize=1)
def _full_tables() -> tuple[NDArray[np.int32], ...]:
    """Chrominance contributions: red and blue rounded, green in 1/65536 with half added for rounding."""
    chrominance = np.arange(256) - 128
    return (
        np.floor(1.402 * chrominance + 0.5).astype(np.int32),
        np.round(-0.344136 * 65536 * chrominance + 32768).astype(np.int32),
        np.round(-0.714136 * 65536 * chrominance).astype(np.int32),
        np.floor(1.772 * chrominance + 0.5).astype(np.int32),
    )


def _joined(*planes: NDArray[Any]) -> RGB:
    out = np.empty((*planes[0].shape, 3), np.uint8)
    for number, plane in enumerate(planes):
        np.clip(plane, 0, 255, out=out[..., number], casting="unsafe")
    return out


def distinct(number: int) -> tuple[int, int, int]:
    """A colour for the label of this number, unlike those of its neighbours; 0 is black."""
    import colorsys

    if number == 0:
        return 0, 0, 0
    # Steps of the golden angle never come round to the same hue
    red, green, blue = colorsys.hsv_to_rgb((number * 0.6180339887) % 1.0, 0.65 + 0.3 * (number % 2), 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def from_cielab(values: list[int]) -> tuple[int, int, int] | None:
    """A CIELab value of three 16-bit numbers (PS3.3 C.10.7.1.1, D50) as sRGB; None when it is none."""
    if len(values) != 3 or not all(0 <= value <= 65535 for value in values):
        return None
    lightness = values[0] * 100 / 65535
    fy = (lightness + 16) / 116
    fx = fy + (values[1] * 255 / 65535 - 128) / 500
    fz = fy - (values[2] * 255 / 65535 - 128) / 200
    xyz = [white * _inverse(part) for part, white in zip((fx, fy, fz), (0.9642, 1.0, 0.8249), strict=True)]
    linear = _D50_TO_SRGB @ np.array(xyz)
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    red, green, blue = (int(value) for value in np.floor(encoded * 255 + 0.5))
    return red, green, blue


def _inverse(part: float) -> float:
    return part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29)


_D50_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
"""XYZ with the white of D50 (adapted by Bradford) to linear sRGB."""

"""From the decoded pixels of a frame to a picture of 8 bits: the pipeline of PS3.4 N.2 for an image by itself.

Pixel padding → Modality LUT → VOI → Presentation LUT Shape → 8 bits; colour by palette, YBR and RGB; then overlays and
shutter. For integers of up to 16 bits all steps up to the 8 bits are one table, made once for all frames alike.
Output values are those of the formulas with black 0 and white 255, rounded to the nearest (halves up).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import color, lut, window
from skiagraph.pixels.appearance import Appearance, Modality
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.standard.rendering import Window

Picture = NDArray[np.uint8]
"""(rows, columns) gray or (rows, columns, 3) RGB."""

_TABLES = 64
"""Tables that are kept, of at most 64 KiB (192 KiB in colour) each."""

_PIECE = 2**18
"""Pixels that are looked up at a time."""


def render(pixels: NDArray[Any], image: ImageParams, appearance: Appearance) -> Picture:
    """Turn decoded pixels into a picture of the same size.

    Parameters
    ----------
    pixels
        (rows, columns) or (rows, columns, samples), values clean of bits that are not stored.
    image
        As decoded: the codec may have changed the Photometric Interpretation.

    Raises
    ------
    BadPixels
        There are no colours for what the Photometric Interpretation names.
    """
    photometric = image.photometric_interpretation
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        if photometric == "PALETTE COLOR":
            if appearance.palette is None:
                raise BadPixels("The image has PALETTE COLOR pixels and no palette that can be understood.")
            return color.apply_palette(pixels, appearance.palette)
        if appearance.labels is not None and pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
            return _label_table(appearance.labels)[pixels.astype(np.uint16)]
        picture = grayscale(pixels, appearance)
        return _supplemented(picture, pixels, appearance.palette) if appearance.supplemental else picture
    return _colour(pixels, image)


def _colour(pixels: NDArray[Any], image: ImageParams) -> Picture:
    samples = color.to_bytes(pixels, image.bits_stored)
    photometric = image.photometric_interpretation
    if samples.shape[2] == 4:
        if photometric == "ARGB":
            return np.ascontiguousarray(samples[..., 1:])
        if photometric == "CMYK":
            return color.from_cmyk(samples)
        return np.ascontiguousarray(samples[..., :3])
    if samples.shape[2] != 3:
        raise BadPixels(f"Pixels of {samples.shape[2]} samples with {photometric} can not be shown.")
    if photometric in ("YBR_FULL", "YBR_FULL_422", "YBR_ICT"):
        return color.from_full(samples)
    if photometric.startswith("YBR_PARTIAL"):
        return color.from_partial(samples)
    if photometric == "YBR_RCT":
        return color.from_reversible(samples)
    return samples


def grayscale(pixels: NDArray[Any], appearance: Appearance) -> NDArray[np.uint8]:
    """Take single-sample pixels through the grayscale pipeline.

    Without a VOI, what is least in this frame becomes black, what is greatest white.
    """
    if appearance.voi is None:
        appearance = replace(appearance, voi=_extent(pixels, appearance))
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        table = _gray_table(_tabled(appearance), pixels.dtype.str)
        return _looked_up(table, pixels.view(f"u{pixels.dtype.itemsize}"))
    return _directly(pixels, appearance)


def _looked_up(table: NDArray[np.uint8], stored: NDArray[Any]) -> NDArray[np.uint8]:
    """What the table has for each value, in pieces that fit into a processor's cache: numpy widens indices first.

    Every value has its place, so that nothing wraps around: to say so spares numpy a pass over them.
    """
    indices = np.ascontiguousarray(stored).reshape(-1)
    shown = np.empty(len(indices), np.uint8)
    for start in range(0, len(indices), _PIECE):
        piece = indices[start : start + _PIECE]
        np.take(table, piece, out=shown[start : start + _PIECE], mode="wrap")
    return shown.reshape(stored.shape)


def _tabled(appearance: Appearance) -> Appearance:
    """Without what the table does not depend on."""
    return replace(appearance, palette=None, supplemental=False, labels=None)


@lru_cache(maxsize=_TABLES)
def _gray_table(appearance: Appearance, dtype: str) -> NDArray[np.uint8]:
    """The output of every stored value there can be, in the order of their unsigned bit patterns."""
    kind = np.dtype(dtype).newbyteorder("=")
    stored = np.arange(1 << (8 * kind.itemsize), dtype=f"u{kind.itemsize}").view(kind)
    table = _directly(stored, appearance)
    table.flags.writeable = False
    return table


def _directly(pixels: NDArray[Any], appearance: Appearance) -> NDArray[np.uint8]:
    assert appearance.voi is not None, "the caller found one"
    shown = levels(pixels, appearance.modality, appearance.voi)
    if appearance.inverse:
        np.subtract(1.0, shown, out=shown)
    if pixels.dtype.kind == "f":
        # NaN, of which float images are full outside the body, is black
        np.nan_to_num(shown, copy=False, nan=0.0)
    shown *= 255.0
    shown += 0.5
    out = shown.astype(np.uint8)
    if appearance.padding is not None:
        low, high = appearance.padding
        out[(pixels >= low) & (pixels <= high)] = 0
    return out


def levels(pixels: NDArray[Any], modality: Modality, voi: Window | Lut) -> NDArray[np.float64]:
    """Take stored values through Modality LUT and VOI: 0.0 … 1.0, NaN where pixels are none."""
    return contrast(modality_values(pixels, modality), voi)


def modality_values(pixels: NDArray[Any], modality: Modality) -> NDArray[np.float64]:
    """Take stored values through the Modality LUT, or slope and intercept."""
    if modality.lut is not None:
        return lut.apply(pixels, modality.lut).astype(np.float64)
    values = pixels.astype(np.float64)
    if modality.slope != 1.0:
        values *= modality.slope
    if modality.intercept:
        values += modality.intercept
    return values


def contrast(values: NDArray[np.float64], voi: Window | Lut) -> NDArray[np.float64]:
    """Take modality values through the VOI: 0.0 … 1.0."""
    if isinstance(voi, Lut):
        # Above all entries comes what has no finite value, not something to look up
        return lut.scaled(np.clip(np.nan_to_num(values, nan=voi.first), -(2.0**31), 2.0**31), voi)
    return window.apply(values, voi)


def _extent(pixels: NDArray[Any], appearance: Appearance) -> Window:
    """The window from the least to the greatest modality value, padding left out."""
    valid = pixels
    if appearance.padding is not None:
        low, high = appearance.padding
        valid = pixels[(pixels < low) | (pixels > high)]
    if appearance.supplemental and appearance.palette is not None:
        valid = valid[valid < appearance.palette[0].first]
    if valid.dtype.kind == "f":
        valid = valid[np.isfinite(valid)]
    if not valid.size:
        return window.full_range(0, 1)
    if appearance.modality.lut is not None:
        valid = lut.apply(valid, appearance.modality.lut)
        ends = [float(valid.min()), float(valid.max())]
    else:
        modality = appearance.modality
        ends = sorted(float(end) * modality.slope + modality.intercept for end in (valid.min(), valid.max()))
    return window.full_range(*ends) if ends[0] < ends[1] else Window(ends[0] + 1, 2)


def _supplemented(gray: NDArray[np.uint8], pixels: NDArray[Any], palette: tuple[Lut, Lut, Lut] | None) -> Picture:
    """Colour for the values that a Supplemental Palette is for (C.7.6.19), the grays for all others."""
    assert palette is not None, "there is one where the appearance says supplemental"
    picture = np.repeat(gray[..., None], 3, axis=-1)
    coloured = pixels >= palette[0].first
    picture[coloured] = color.apply_palette(pixels[coloured], palette)
    return picture


@lru_cache(maxsize=8)
def _label_table(labels: tuple[tuple[int, tuple[int, int, int]], ...]) -> Picture:
    table = np.zeros((65536, 3), np.uint8)
    table[:1024] = [color.distinct(number) for number in range(1024)]
    table[1024:] = table[1 + np.arange(65536 - 1024) % 1023]
    for number, rgb in labels:
        table[number] = rgb
    table.flags.writeable = False
    return table

"""From stored values to gray or pseudo-colour by a presentation state: PS3.4 N.2.1, N.2.2.

Modality LUT → VOI LUT → Presentation LUT, or → palette. They replace those of the image: what the state does not have
is the identity, and MONOCHROME1 means nothing. For integers of up to 16 bits all steps are one table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import lut, render, window
from skiagraph.pixels.appearance import Modality
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.render import Picture
from skiagraph.standard.rendering import Window

_AS_STORED = Modality()


@dataclass(frozen=True, slots=True)
class Tones:
    """What becomes of the values of single-sample pixels; hashable, so that tables made of it can be kept."""

    modality: Modality = _AS_STORED
    voi: Window | Lut | None = None
    """None: the identity, from the least to the greatest value that there could be."""
    inverse: bool = False
    """Presentation LUT Shape INVERSE."""
    presentation: Lut | None = None
    """Presentation LUT Sequence; the whole range of its input is that of the VOI's output."""
    palette: tuple[Lut, Lut, Lut] | None = None
    """Pseudo-colour, instead of a Presentation LUT."""


def apply(pixels: NDArray[Any], image: ImageParams, tones: Tones) -> Picture:
    """Show single-sample pixels.

    Parameters
    ----------
    pixels
        (rows, columns), values clean of bits that are not stored.
    image
        How they are encoded.

    Returns
    -------
    numpy.ndarray
        Gray, or RGB where there is a palette.
    """
    tones = resolved(tones, pixels, image)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return np.take(_table(tones, pixels.dtype.str), pixels.view(f"u{pixels.dtype.itemsize}"), axis=0)
    return present(_levels(pixels, tones), tones)


def resolved(tones: Tones, pixels: NDArray[Any], image: ImageParams) -> Tones:
    """The same with a window where there is no VOI."""
    return tones if tones.voi is not None else replace(tones, voi=_identity(pixels, image, tones.modality))


def _levels(pixels: NDArray[Any], tones: Tones) -> NDArray[np.float64]:
    assert tones.voi is not None, "they are resolved"
    return render.levels(pixels, tones.modality, tones.voi)


def _identity(pixels: NDArray[Any], image: ImageParams, modality: Modality) -> Window:
    """The window of all values that there could be; of real numbers, of those that there are."""
    if modality.lut is not None:
        return window.full_range(0, 2**modality.lut.bits - 1)
    if pixels.dtype.kind == "f":
        valid = pixels[np.isfinite(pixels)]
        ends = [float(valid.min()), float(valid.max())] if valid.size else [0.0, 1.0]
    elif image.signed:
        ends = [-(2.0 ** (image.bits_stored - 1)), 2.0 ** (image.bits_stored - 1) - 1]
    else:
        ends = [0.0, 2.0**image.bits_stored - 1]
    return window.full_range(*sorted(end * modality.slope + modality.intercept for end in ends))


def present(levels: NDArray[np.float64], tones: Tones) -> Picture:
    """The steps behind the VOI, from levels of 0.0 … 1.0."""
    if tones.palette is not None:
        return _coloured(levels, tones.palette)
    if tones.presentation is not None:
        levels = lut.scaled(_indices(levels, tones.presentation), tones.presentation)
    if tones.inverse:
        levels = 1.0 - levels
    # NaN, of which float images are full outside the body, is black
    return np.floor(np.nan_to_num(levels, nan=0.0) * 255.0 + 0.5).astype(np.uint8)


def _coloured(levels: NDArray[np.float64], palette: tuple[Lut, Lut, Lut]) -> NDArray[np.uint8]:
    levels = np.nan_to_num(levels, nan=0.0)
    parts = [np.floor(lut.scaled(_indices(levels, part), part) * 255.0 + 0.5).astype(np.uint8) for part in palette]
    return np.stack(parts, axis=-1)


def _indices(levels: NDArray[np.float64], table: Lut) -> NDArray[np.float64]:
    """The inputs of a table whose entries cover the whole range of the step before it."""
    return np.floor(np.nan_to_num(levels, nan=0.0) * (len(table) - 1) + 0.5) + table.first


@lru_cache(maxsize=32)
def _table(tones: Tones, dtype: str) -> Picture:
    """The output of every stored value there can be, in the order of their unsigned bit patterns."""
    kind = np.dtype(dtype).newbyteorder("=")
    stored = np.arange(1 << (8 * kind.itemsize), dtype=f"u{kind.itemsize}").view(kind)
    table = present(_levels(stored, tones), tones)
    table.flags.writeable = False
    return table

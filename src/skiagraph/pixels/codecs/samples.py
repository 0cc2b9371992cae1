"""Between the samples of a code stream and the cells of a data set.

JPEG and JPEG-LS know no sign, JPEG 2000 may say another than the data set; all have a precision of their own. A cell
and a sample have the same bits: those of the precision, extended by sign as Pixel Representation says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.image import BadPixels, ImageParams


def to_cells(samples: NDArray[Any], precision: int, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return cells from samples of a precision, and the image with as many bits as they need.

    Raises
    ------
    BadPixels
        The array is not of the image's shape.
    """
    samples = samples.reshape(-1) if samples.size == image.cells and samples.ndim != len(image.shape) else samples
    if samples.size != image.cells or (samples.ndim > 1 and samples.shape != image.shape):
        raise BadPixels(f"The frame decodes to an array of {samples.shape} instead of {image.shape}.")
    samples = samples.reshape(image.shape)
    if precision > image.bits_allocated:
        image = replace(image, bits_allocated=next(bits for bits in (8, 16, 32) if bits >= precision))
    dtype = image.dtype
    if samples.dtype == dtype and (dtype.kind == "u" or precision == dtype.itemsize * 8):
        return samples, image
    if dtype.kind == "i":
        if samples.dtype.kind == "i":
            return samples.astype(dtype, copy=False), image
        cells = samples.astype(dtype, copy=True) if samples.dtype.itemsize != dtype.itemsize else samples.view(dtype)
        return sign_extended(cells, precision), image
    if samples.dtype.kind == "i":
        return samples.astype(dtype) & dtype.type((1 << precision) - 1), image
    return samples.astype(dtype, copy=False), image


def sign_extended(cells: NDArray[Any], bits: int) -> NDArray[Any]:
    """Take the lowest bits of signed cells for two's complement numbers."""
    spare = cells.dtype.itemsize * 8 - bits
    if spare <= 0:
        return cells
    extended: NDArray[Any] = np.right_shift(np.left_shift(cells, spare), spare)
    return extended


def precision_of(cells: NDArray[Any], image: ImageParams) -> int:
    """Bits that a code stream needs so that the cells come back as they are.

    Bits Stored, unless there is something in the other bits (old overlays, or values that do not keep to it).
    """
    allocated, stored = image.bits_allocated, image.bits_stored
    if stored == allocated or cells.size == 0:
        return allocated
    low, high = int(cells.min()), int(cells.max())
    if image.signed:
        return stored if -(1 << stored - 1) <= low and high < 1 << stored - 1 else allocated
    return stored if high < 1 << stored else allocated


def unsigned(cells: NDArray[Any], precision: int) -> NDArray[Any]:
    """Return the lowest bits of the cells as unsigned numbers, contiguous, in 8 bits where that is enough."""
    plain: NDArray[Any] = cells.view(np.dtype(f"u{cells.dtype.itemsize}")) if cells.dtype.kind == "i" else cells
    if precision <= 8 < 8 * plain.dtype.itemsize:
        return plain.astype(np.uint8) & np.uint8((1 << precision) - 1)
    if cells.dtype.kind == "i" and precision < 8 * plain.dtype.itemsize:
        plain = plain & plain.dtype.type((1 << precision) - 1)
    return np.ascontiguousarray(plain)


def values(cells: NDArray[Any], image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return pixel values: the bits stored of each cell, shifted to the lowest and extended by sign.

    Returns the cells themselves where they are values already, as they nearly always are.
    """
    if image.is_float or image.bits_allocated == 1 or image.bits_stored == cells.dtype.itemsize * 8:
        return cells, image
    shift = image.high_bit + 1 - image.bits_stored
    described = replace(image, high_bit=image.bits_stored - 1) if shift else image
    if shift == 0 and precision_of(cells, image) == image.bits_stored:
        return cells, described
    if image.signed:
        return sign_extended(np.right_shift(cells, shift), image.bits_stored), described
    return np.right_shift(cells, shift) & cells.dtype.type((1 << image.bits_stored) - 1), described

"""Native frames — PS3.5 §8.1.1, §8.2 and Annex D; Encapsulated Uncompressed (Annex A.4.11) holds the same bytes.

A frame is little endian here, whatever its Transfer Syntax, and begins with its first bit: that is how frames are
taken out of a data set.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.image import SUBSAMPLED, BadPixels, ImageParams
from skiagraph.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

DECODES = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.20",  # Papyrus 3
    }
)
ENCODES = frozenset(
    {
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    }
)


def length(image: ImageParams, there: int) -> int:
    """Bytes of one frame, where `there` bytes are at hand.

    Raises
    ------
    BadPixels
        There are fewer.
    """
    whole = image.frame_bytes
    if there < whole and is_subsampled(image, there):
        return _subsampled_bytes(image)
    if there < whole:
        raise BadPixels(f"The frame has {there} bytes; {whole} are needed for {describe(image)}.")
    return whole


def is_subsampled(image: ImageParams, there: int) -> bool:
    """Whether the frame has one pair of chrominance samples for two pixels (PS3.3 C.7.6.3.1.2).

    Many writers name a subsampled interpretation and write all samples: then it is not.
    """
    return (
        image.photometric_interpretation in SUBSAMPLED
        and image.samples_per_pixel == 3
        and image.bits_allocated % 8 == 0
        and _subsampled_bytes(image) <= there < image.frame_bytes
    )


def _subsampled_bytes(image: ImageParams) -> int:
    return -(-image.rows * image.columns * 2 // 4) * 4 * image.bits_allocated // 8


def describe(image: ImageParams) -> str:
    """Say in a sentence what size the frame should have."""
    samples = "" if image.samples_per_pixel == 1 else f" × {image.samples_per_pixel} samples"
    return f"{image.rows} rows × {image.columns} columns{samples} of {image.bits_allocated} bits"


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a native frame; subsampled chrominance is repeated, planes are interleaved.

    The array may be a read-only view of the frame.
    """
    there = len(frame)
    wanted = length(image, there)
    if is_subsampled(image, there):
        return _upsampled(frame, image), replace(
            image, photometric_interpretation=full(image.photometric_interpretation), planar_configuration=0
        )
    if image.bits_allocated in (8, 16, 32, 64):
        flat = np.frombuffer(frame, image.dtype.newbyteorder("<"), image.cells).astype(image.dtype, copy=False)
    else:
        flat = _unpacked(frame[:wanted], image)
    return arranged(flat, image), replace(
        image, planar_configuration=0, photometric_interpretation=full(image.photometric_interpretation)
    )


def full(photometric_interpretation: str) -> str:
    """The interpretation once each pixel has all of its samples."""
    return "YBR_FULL" if photometric_interpretation == "YBR_FULL_422" else photometric_interpretation


def arranged(flat: NDArray[Any], image: ImageParams) -> NDArray[Any]:
    """Give cells in the order of the frame the shape of the image, colour by pixel."""
    if image.samples_per_pixel > 1 and image.planar_configuration == 1:
        planes = flat.reshape(image.samples_per_pixel, image.rows, image.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return flat.reshape(image.shape)


def _upsampled(frame: bytes, image: ImageParams) -> NDArray[Any]:
    pixels = image.rows * image.columns
    pairs = -(-pixels // 2)
    dtype = image.dtype.newbyteorder("<")
    groups = np.frombuffer(frame[: _subsampled_bytes(image)], dtype, pairs * 4).reshape(pairs, 4)
    cells = np.empty((pairs, 2, 3), image.dtype)
    cells[:, :, 0] = groups[:, :2]
    cells[:, :, 1] = groups[:, 2:3]
    cells[:, :, 2] = groups[:, 3:4]
    return cells.reshape(-1, 3)[:pixels].reshape(image.shape)


def _unpacked(frame: bytes, image: ImageParams) -> NDArray[Any]:
    """Cells that do not fill whole bytes, the first in the least significant bits (PS3.5 §8.1.1)."""
    bits = np.unpackbits(np.frombuffer(frame, np.uint8), count=image.cells * image.bits_allocated, bitorder="little")
    if image.bits_allocated == 1:
        return bits
    weights = np.left_shift(np.uint64(1), np.arange(image.bits_allocated, dtype=np.uint64))
    return (bits.reshape(-1, image.bits_allocated) @ weights).astype(image.dtype)


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a native frame, colour by pixel; single bits are packed."""
    described = replace(image, planar_configuration=0)
    if image.bits_allocated == 1:
        return np.packbits(cells.reshape(-1) != 0, bitorder="little").tobytes(), described
    bits = cells.dtype.itemsize * 8
    if bits != image.bits_allocated:
        described = replace(described, bits_allocated=bits)
    return cells.astype(cells.dtype.newbyteorder("<"), copy=False).tobytes(), described

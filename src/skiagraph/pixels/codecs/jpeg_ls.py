"""JPEG-LS — ITU-T T.87, PS3.5 §8.2.3 and Annex A.4.3, by CharLS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.codecs import markers, native, samples
from skiagraph.pixels.image import BadPixels, ImageParams

LOSSLESS: Final = "1.2.840.10008.1.2.4.80"
NEAR_LOSSLESS: Final = "1.2.840.10008.1.2.4.81"
DECODES = ENCODES = frozenset({LOSSLESS, NEAR_LOSSLESS})

NEAR: Final = 2
"""Largest difference of a sample that near-lossless encoding makes."""

_SOF55: Final = 0xF7


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a JPEG-LS frame, whatever its interleave mode."""
    stream = markers.read(frame, "JPEG-LS")
    if stream.process != _SOF55:
        raise BadPixels("The frame is a JPEG stream, but not JPEG-LS: it has no SOF55 marker.")
    markers.check(
        image,
        "JPEG-LS",
        rows=stream.rows,
        columns=stream.columns,
        samples=stream.components,
        precision=stream.precision,
    )
    import imagecodecs

    if not stream.ended:
        # Some writers leave it out. CharLS, where it meets the end of the bytes instead, looks for it for seconds
        frame = frame.rstrip(b"\xff\0") + b"\xff\xd9"
    try:
        decoded = imagecodecs.jpegls_decode(frame)
    except Exception as error:
        raise BadPixels(f"The JPEG-LS stream can not be decoded: {error}.") from error
    cells, described = samples.to_cells(decoded, stream.precision, image)
    return cells, replace(
        described,
        planar_configuration=0,
        photometric_interpretation=native.full(image.photometric_interpretation),
    )


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a JPEG-LS frame, colour by pixel (interleave mode 2)."""
    import imagecodecs

    # CharLS, as it is bound, takes all bits of the array for the precision: no bit is left out of a signed sample
    precision = samples.precision_of(cells, image)
    bits = 8 if not image.signed and precision <= 8 else 8 * cells.dtype.itemsize
    plain = samples.unsigned(cells, bits)
    near = NEAR if transfer_syntax_uid == NEAR_LOSSLESS else 0
    if near and precision < bits:
        # Nothing may come out beyond the bits stored: half of the difference is made here, at the upper end
        near = NEAR // 2
        plain = np.minimum(plain, plain.dtype.type((1 << precision) - 1 - near))
    try:
        frame = imagecodecs.jpegls_encode(plain, level=near)
    except Exception as error:
        raise BadPixels(f"The frame can not be encoded as JPEG-LS: {error}.") from error
    return bytes(frame), replace(image, planar_configuration=0)

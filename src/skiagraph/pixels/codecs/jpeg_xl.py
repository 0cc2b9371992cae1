"""JPEG XL — ISO/IEC 18181, PS3.5 §8.2.15 and Annex A.4.12, by libjxl.

A recompressed JPEG (.111) is turned back into the very JPEG and decoded as one: its colour is that of the JPEG.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.codecs import jpeg, native, samples
from skiagraph.pixels.image import BadPixels, ImageParams

LOSSLESS: Final = "1.2.840.10008.1.2.4.110"
RECOMPRESSION: Final = "1.2.840.10008.1.2.4.111"
LOSSY: Final = "1.2.840.10008.1.2.4.112"
DECODES = frozenset({LOSSLESS, RECOMPRESSION, LOSSY})
ENCODES = frozenset({LOSSLESS, LOSSY})

DISTANCE: Final = 1.0
"""Butteraugli distance of what is encoded with loss, 8 bits; 1 is just not visible."""
DEEP_DISTANCE: Final = 0.25
"""The same for more bits, of which windows show a part."""
EFFORT: Final = 3
"""Of lossless encoding: 7, the library's default, takes seven times as long and gains a few percent."""

_BARE, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a JPEG XL frame. XYB comes out as RGB."""
    import imagecodecs

    if not frame.startswith((_BARE, _CONTAINER)):
        raise BadPixels("The frame is no JPEG XL stream: it begins neither with FF0A nor with a JXL box.")
    if transfer_syntax_uid == RECOMPRESSION:
        original = to_jpeg(frame)
        if original is not None:
            return jpeg.decode(original, jpeg.BASELINE, image)
    # The library looks at the size of the image before it fills what is given to it.
    decoded = np.empty(image.shape, np.uint8 if image.bits_stored <= 8 else np.uint16)
    try:
        imagecodecs.jpegxl_decode(frame, index=0, keeporientation=True, numthreads=1, out=decoded)
    except Exception as error:
        raise BadPixels(f"The JPEG XL stream can not be decoded: {error}.") from error
    cells, described = samples.to_cells(decoded, 8 * decoded.itemsize, image)
    photometric = image.photometric_interpretation
    if image.samples_per_pixel == 3:
        photometric = "RGB" if photometric in ("XYB", "YBR_FULL_422") else native.full(photometric)
    return cells, replace(described, photometric_interpretation=photometric, planar_configuration=0)


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a JPEG XL code stream without container; lossy colour becomes XYB."""
    import imagecodecs

    lossy = transfer_syntax_uid == LOSSY
    precision = samples.precision_of(cells, image)
    options: dict[str, Any] = {"lossless": True, "effort": EFFORT}
    if lossy:
        options = {"distance": DISTANCE if precision <= 8 else DEEP_DISTANCE}
    try:
        frame = imagecodecs.jpegxl_encode(
            samples.unsigned(cells, precision), bitspersample=precision, usecontainer=False, numthreads=1, **options
        )
    except Exception as error:
        raise BadPixels(f"The frame can not be encoded as JPEG XL: {error}.") from error
    described = replace(image, planar_configuration=0)
    if lossy and image.samples_per_pixel == 3:
        described = replace(described, photometric_interpretation="XYB")
    return bytes(frame), described


def from_jpeg(frame: bytes) -> bytes:
    """Recompress a baseline JPEG; `to_jpeg` gives back the same bytes.

    Raises
    ------
    BadPixels
        libjxl does not take this JPEG.
    """
    import imagecodecs

    try:
        return bytes(imagecodecs.jpegxl_encode_jpeg(frame, usecontainer=True, numthreads=1))
    except Exception as error:
        raise BadPixels(f"The JPEG can not be recompressed as JPEG XL: {error}.") from error


def to_jpeg(frame: bytes) -> bytes | None:
    """Turn a recompressed JPEG back into the JPEG; None where the stream was never one."""
    import imagecodecs

    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(frame, numthreads=1))
    except Exception:
        return None

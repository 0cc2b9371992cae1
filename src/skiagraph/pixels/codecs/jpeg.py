"""JPEG — ITU-T T.81, PS3.5 §8.2.1 and Annex A.4.1: baseline, extended, progressive and lossless, by libjpeg-turbo.

Colour: lossy streams come out as RGB. What they hold is told by the stream where it says so (Adobe segment, JFIF, names
of the components, subsampling), as the data set is often not kept in step; else by Photometric Interpretation.
Lossless streams come out as they are: there Photometric Interpretation alone tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.codecs import markers, native, samples
from skiagraph.pixels.image import BadPixels, ImageParams

BASELINE: Final = "1.2.840.10008.1.2.4.50"
EXTENDED: Final = "1.2.840.10008.1.2.4.51"
LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
LOSSLESS_SV1: Final = "1.2.840.10008.1.2.4.70"
DECODES = frozenset({BASELINE, EXTENDED, "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55", LOSSLESS, LOSSLESS_SV1})
ENCODES = frozenset({BASELINE, EXTENDED, LOSSLESS, LOSSLESS_SV1})

QUALITY: Final = 90
"""Of what is encoded with loss, on the scale of libjpeg (1 to 100)."""

_SOF3: Final = 0xC3
_CANARY: Final = b"\x5a\xc3\x96\x0f" * 64
"""Changes an image that ends too early, which libjpeg fills up without a word; behind a whole one it is passed over."""


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a JPEG frame.

    Hierarchical and arithmetic-coded streams raise BadPixels.
    """
    stream = markers.read(frame, "JPEG")
    markers.check(
        image,
        "JPEG",
        rows=stream.rows,
        columns=stream.columns,
        samples=stream.components,
        precision=stream.precision,
    )
    if stream.precision > 16:
        raise BadPixels(f"The JPEG stream has a precision of {stream.precision} bits; 2 to 16 are possible.")
    colour, out, photometric = _colour(stream, image)
    dtype = np.dtype(np.uint8 if stream.precision <= 8 else np.uint16)
    decoded = _decoded(frame, dtype, image, colour, out)
    if not stream.ended and not np.array_equal(
        decoded, _decoded(frame.rstrip(b"\xff") + _CANARY, dtype, image, colour, out)
    ):
        raise BadPixels("The JPEG stream is truncated: it ends before the image does.")
    cells, described = samples.to_cells(decoded, stream.precision, image)
    return cells, replace(described, photometric_interpretation=photometric, planar_configuration=0)


def _decoded(
    frame: bytes, dtype: np.dtype[Any], image: ImageParams, colour: str | None, out: str | None
) -> NDArray[Any]:
    import imagecodecs

    decoded = np.empty(image.shape, dtype)
    try:
        imagecodecs.jpeg8_decode(frame, colorspace=colour, outcolorspace=out, out=decoded)
    except Exception as error:
        raise BadPixels(f"The JPEG stream can not be decoded: {error}.") from error
    return decoded


def _colour(stream: markers.Jpeg, image: ImageParams) -> tuple[str | None, str | None, str]:
    """Colour space of the stream, that of the result, and what the result is called."""
    photometric = image.photometric_interpretation
    if stream.components == 1:
        return "GRAYSCALE", "GRAYSCALE", photometric
    if stream.components != 3 or stream.process == _SOF3:
        return "UNKNOWN", "UNKNOWN", native.full(photometric)
    if is_rgb(stream, photometric):
        return "RGB", "RGB", "RGB"
    return "YCBCR", "RGB", "RGB"


def is_rgb(stream: markers.Jpeg, photometric_interpretation: str) -> bool:
    """Whether the three components of a lossy stream are red, green and blue."""
    if stream.adobe_transform is not None:
        return stream.adobe_transform == 0
    if stream.jfif or stream.subsampled:
        return False
    return stream.identifiers == b"RGB" or photometric_interpretation == "RGB"


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a JPEG frame; colour becomes YBR_FULL_422 when lossy, and stays as it is when lossless."""
    import imagecodecs

    options: dict[str, Any]
    described = replace(image, planar_configuration=0)
    if transfer_syntax_uid in (LOSSLESS, LOSSLESS_SV1):
        precision = max(2, samples.precision_of(cells, image))
        space = "GRAYSCALE" if image.samples_per_pixel == 1 else "RGB"
        options = {"lossless": True, "predictor": 1, "colorspace": space, "outcolorspace": space}
    else:
        precision = 8 if image.bits_stored <= 8 and image.bits_allocated == 8 else 12
        described = replace(described, bits_stored=precision, high_bit=precision - 1)
        options = {"level": QUALITY}
        if image.samples_per_pixel == 3:
            source = "YCBCR" if image.photometric_interpretation == "YBR_FULL" else "RGB"
            options |= {"colorspace": source, "outcolorspace": "YCBCR", "subsampling": "422"}
            described = replace(described, photometric_interpretation="YBR_FULL_422")
    try:
        plain = samples.unsigned(cells, precision)
        frame = imagecodecs.jpeg8_encode(plain, bitspersample=precision, **options)
    except Exception as error:
        raise BadPixels(f"The frame can not be encoded as JPEG: {error}.") from error
    return bytes(frame), described

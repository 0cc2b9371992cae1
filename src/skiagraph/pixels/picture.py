"""Pictures as files: the rendered media types of PS3.18 Table 8.7.4-1. The same picture gives the same bytes.

`quality` is 1 to 100 and means: JPEG, the quality of libjpeg, chrominance at full resolution from 90 on; JPEG XL, the
same scale; JPEG 2000, a signal-to-noise ratio of 30 + 0.2 × quality dB; HTJ2K, quantization steps of
(100 - quality) / 1000. At 100 the last three are lossless.
"""

from __future__ import annotations

import io
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import NoAcceptableRepresentation

JPEG, PNG, GIF, JP2, JPH, JXL = "image/jpeg", "image/png", "image/gif", "image/jp2", "image/jph", "image/jxl"

MEDIA_TYPES: Final = (JPEG, PNG, GIF, JP2, JPH, JXL)
"""Of single pictures, the default first."""

MP4: Final = "video/mp4"
"""Of all frames together: `video_encode`."""

EMBED: Final = frozenset({JPEG, PNG, JP2, JPH})
"""Those that take any ICC profile; JPEG XL says sRGB by itself, and GIF knows no colour space."""

DEFAULT_QUALITY: Final = 90

_FULL_CHROMINANCE = 90
_LONGEST_JPEG = 65_500
"""Pixels of a side, of JPEG files that everybody reads."""


def encode(
    picture: NDArray[np.uint8], media_type: str, *, quality: int | None = None, profile: bytes | None = None
) -> bytes:
    """Encode one picture.

    Parameters
    ----------
    picture
        (rows, columns) or (rows, columns, 3).
    media_type
        One of `MEDIA_TYPES`.
    quality
        For the lossy ones; None is `DEFAULT_QUALITY`.
    profile
        ICC profile to embed, where the media type can.
    """
    quality = DEFAULT_QUALITY if quality is None else quality
    if media_type == JPEG:
        return _jpeg(picture, quality, profile)
    if media_type == PNG:
        return _with_pillow(picture, "PNG", profile, compress_level=4)
    if media_type == GIF:
        return _with_pillow(picture, "GIF", None, interlace=0)
    import imagecodecs

    picture = np.ascontiguousarray(picture)
    lossless = quality == 100
    if media_type == JXL:
        return bytes(imagecodecs.jpegxl_encode(picture, level=quality, lossless=lossless, effort=3, numthreads=1))
    if media_type == JPH:
        step = None if lossless else (100 - quality) / 1000
        stream = imagecodecs.htj2k_encode(picture, level=step, reversible=lossless)
        return jp2_file(stream, picture, b"jph ", profile)
    assert media_type == JP2, f"{media_type} is none of MEDIA_TYPES"
    stream = imagecodecs.jpeg2k_encode(
        picture, level=0 if lossless else round(30 + 0.2 * quality), codecformat="j2k", reversible=lossless
    )
    return jp2_file(stream, picture, b"jp2 ", profile)


def jp2_file(stream: bytes | bytearray, picture: NDArray[np.uint8], brand: bytes, profile: bytes | None) -> bytes:
    """Put a JPEG 2000 or HTJ2K code stream into the boxes of a JP2 or JPH file (ISO/IEC 15444-1 Annex I, 15444-15)."""
    rows, columns = picture.shape[:2]
    samples = 1 if picture.ndim == 2 else picture.shape[2]
    if profile is not None:
        colour = struct.pack(">BbB", 2, 0, 0) + profile
    else:
        colour = struct.pack(">BbBI", 1, 0, 0, 17 if samples == 1 else 16)  # greyscale or sRGB
    image_header = struct.pack(">IIHBBBB", rows, columns, samples, 7, 7, 0, 0)
    return b"".join(
        (
            _box(b"jP  ", b"\r\n\x87\n"),
            _box(b"ftyp", brand + struct.pack(">I", 0) + brand),
            _box(b"jp2h", _box(b"ihdr", image_header) + _box(b"colr", colour)),
            _box(b"jp2c", bytes(stream)),
        )
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _jpeg(picture: NDArray[np.uint8], quality: int, profile: bytes | None) -> bytes:
    full = quality >= _FULL_CHROMINANCE
    if profile is not None:
        return _with_pillow(picture, "JPEG", profile, quality=quality, subsampling=0 if full else 2)
    if max(picture.shape) > _LONGEST_JPEG:
        raise _too_large(picture, "JPEG")
    # The same encoder, with less on the way to it; it has no place for a profile
    import imagecodecs

    subsampling = None if picture.ndim == 2 else "444" if full else "420"
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(picture), level=quality, subsampling=subsampling))


def _too_large(picture: NDArray[np.uint8], form: str) -> NoAcceptableRepresentation:
    rows, columns = picture.shape[:2]
    return NoAcceptableRepresentation(
        f"A picture of {columns} × {rows} pixels can not be made as {form}, which has limits of its own (JPEG takes"
        " 65,500 a side). Ask for image/png, or for a viewport."
    )


def _with_pillow(picture: NDArray[np.uint8], form: str, profile: bytes | None, **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    if profile is not None:
        options["icc_profile"] = profile
    try:
        Image.fromarray(np.ascontiguousarray(picture)).save(out, form, **options)
    except (OSError, ValueError) as error:
        raise _too_large(picture, form) from error
    return out.getvalue()


def animation_head(columns: int, rows: int) -> bytes:
    """What an animated GIF of this size begins with: it repeats for ever. Then frames follow, then `ANIMATION_END`.

    So a long animation can be sent frame by frame, and only one of them is in memory.
    """
    # GIF89a: logical screen without a colour table of its own; the extension of Netscape 2.0
    return b"GIF89a" + struct.pack("<HHBBB", columns, rows, 0x70, 0, 0) + b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


ANIMATION_END: Final = b"\x3b"


def animation_frame(picture: NDArray[np.uint8], hundredths: int) -> bytes:
    """One frame of an animated GIF, with its own colours, shown for so many hundredths of a second."""
    data = _with_pillow(picture, "GIF", None, optimize=False, interlace=0)
    flags = data[10]
    global_table = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    at = 13 + global_table
    while data[at] == 0x21:  # extensions of the file that Pillow wrote
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    descriptor = bytearray(data[at : at + 10])
    table = b""
    if not descriptor[9] & 0x80:  # its colours are those of the file
        descriptor[9] |= 0x80 | flags & 7
        table = data[13 : 13 + global_table]
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", 0x04, min(max(hundredths, 1), 65535), 0, 0)
    return control + bytes(descriptor) + table + data[at + 10 : data.rindex(b"\x3b")]

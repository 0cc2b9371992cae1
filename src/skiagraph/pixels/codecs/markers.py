"""Marker segments of JPEG and JPEG-LS streams — ITU-T T.81 Annex B, T.87 Annex C: what they say of the image.

Looked at before a codec is let near the stream: it allocates what the stream says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from skiagraph.pixels.image import BadPixels, ImageParams

MOST_SCANS: Final = 200
"""Most scans of one image; a progressive one needs about ten."""

_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAMES: Final = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_APP0, _APP14 = 0xE0, 0xEE
_SOS, _EOI = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Jpeg:
    """What stands before the first scan."""

    process: int
    """Low byte of the frame marker: C0 baseline, C1 extended, C2 progressive, C3 lossless, F7 JPEG-LS."""
    precision: int
    rows: int
    columns: int
    components: int
    identifiers: bytes
    """Of the components."""
    subsampled: bool
    jfif: bool
    adobe_transform: int | None
    """0 none (RGB or CMYK), 1 YCbCr, 2 YCCK; None without an Adobe segment."""
    ended: bool
    """There is an end marker (EOI) behind the first scan. Some writers leave it out; half a stream has none."""


def read(stream: bytes, name: str) -> Jpeg:
    """Read the segments up to the first scan.

    Raises
    ------
    BadPixels
        It is no such stream, or has too many scans.
    """
    if not stream.startswith(b"\xff\xd8"):
        raise BadPixels(f"The frame is no {name} stream: it does not begin with SOI (FFD8).")
    at, end = 2, len(stream)
    found: tuple[int, bytes] | None = None
    jfif, adobe = False, None
    while at + 4 <= end:
        if stream[at] != 0xFF:
            raise BadPixels(f"There is no marker at offset {at} of the {name} stream.")
        marker = stream[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        body = stream[at + 4 : at + 2 + length]
        if marker in (_SOS, _EOI) or len(body) != length - 2:
            break
        if marker in _FRAMES:
            found = marker, body
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        at += 2 + length
    if found is None or len(found[1]) < 6 or len(found[1]) < 6 + 3 * found[1][5]:
        raise BadPixels(f"The {name} stream is truncated: it has no frame header.")
    # FF is followed by 00 (JPEG) or a value below 80 (JPEG-LS) within a scan, so this counts no coded data
    if stream.count(b"\xff\xda", at) > MOST_SCANS:
        raise BadPixels(f"The {name} stream has more than {MOST_SCANS} scans.")
    process, body = found
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    sampling = body[7 : 6 + 3 * components : 3]
    return Jpeg(
        process=process,
        precision=precision,
        rows=rows,
        columns=columns,
        components=components,
        identifiers=body[6 : 6 + 3 * components : 3],
        subsampled=len(set(sampling)) > 1,
        jfif=jfif,
        adobe_transform=adobe,
        ended=stream.rfind(b"\xff\xd9", at) >= 0,
    )


def check(image: ImageParams, name: str, *, rows: int, columns: int, samples: int, precision: int) -> None:
    """Raise BadPixels unless a stream holds what the data set says."""
    if (rows, columns, samples) != (image.rows, image.columns, image.samples_per_pixel):
        raise BadPixels(
            f"The {name} stream has {rows} rows × {columns} columns × {samples} samples; the data set says"
            f" {image.rows} × {image.columns} × {image.samples_per_pixel}."
        )
    if not 1 <= precision <= 32:
        raise BadPixels(f"The {name} stream has a precision of {precision} bits; 1 to 32 can be decoded.")

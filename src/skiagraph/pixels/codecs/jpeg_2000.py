"""JPEG 2000 and HTJ2K — ITU-T T.800 and T.814, PS3.5 §8.2.4, §8.2.14 and Annex A.4.4, by OpenJPEG and OpenJPH.

Only the code stream counts: the boxes of a JP2 file around it, which some writers leave there, are passed over, so
that a palette or colour space that they name is not applied.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.codecs import markers, native, samples
from skiagraph.pixels.image import BadPixels, ImageParams

LOSSLESS: Final = "1.2.840.10008.1.2.4.90"
LOSSY: Final = "1.2.840.10008.1.2.4.91"
HT_LOSSLESS: Final = "1.2.840.10008.1.2.4.201"
HT_LOSSLESS_RPCL: Final = "1.2.840.10008.1.2.4.202"
HT: Final = "1.2.840.10008.1.2.4.203"
DECODES = ENCODES = frozenset({LOSSLESS, LOSSY, HT_LOSSLESS, HT_LOSSLESS_RPCL, HT})

PSNR: Final = 50
"""Decibels that lossy JPEG 2000 aims at."""
STEP: Final = 1 / 256
"""Quantization step of lossy HTJ2K, as a part of the range of the samples."""

_MOST_TILES: Final = 65535
_THUMBNAIL: Final = 64
_SIZ: Final = struct.Struct(">HHLLLLLLLLH")


@dataclass(frozen=True, slots=True)
class CodeStream:
    """What the main header says."""

    rows: int
    columns: int
    components: int
    precision: int
    """The largest of the components."""
    signed: bool
    subsampled: bool
    colour_transform: bool
    """A multiple component transformation was used: RCT or ICT (T.800 Annex G)."""
    high_throughput: bool
    reversible: bool
    at: int
    """Of the SIZ marker's segment, from its length on."""


def codestream(frame: bytes) -> bytes:
    """Take the code stream out of the boxes of a JP2 file; what begins with SOC is one already."""
    if frame.startswith(b"\xff\x4f"):
        return frame
    if frame[4:8] not in (b"jP  ", b"ftyp", b"jp2c"):
        raise BadPixels("The frame is no JPEG 2000 stream: it begins neither with SOC (FF4F) nor with a JP2 box.")
    at = 0
    while at + 8 <= len(frame):
        length, kind = struct.unpack_from(">L4s", frame, at)
        start = at + 8
        if length == 1 and at + 16 <= len(frame):
            (length,) = struct.unpack_from(">Q", frame, at + 8)
            start = at + 16
        if kind == b"jp2c":
            return frame[start : at + length] if length else frame[start:]
        if length < 8:
            break
        at += length
    raise BadPixels("The JP2 file in the frame has no code stream.")


def read(stream: bytes) -> CodeStream:
    """Read the main header of a code stream.

    Raises
    ------
    BadPixels
        It is no such stream, or holds too many tiles.
    """
    if not stream.startswith(b"\xff\x4f\xff\x51") or len(stream) < 4 + _SIZ.size:
        raise BadPixels("The frame is no JPEG 2000 stream: it does not begin with SOC and SIZ.")
    length, capabilities, xsize, ysize, x0, y0, tile_x, tile_y, tile_x0, tile_y0, count = _SIZ.unpack_from(stream, 4)
    parts = stream[4 + _SIZ.size : 4 + _SIZ.size + 3 * count]
    if len(parts) != 3 * count or length != 38 + 3 * count or not count:
        raise BadPixels("The JPEG 2000 stream is truncated: its SIZ segment is incomplete.")
    if x0 >= xsize or y0 >= ysize or not tile_x or not tile_y:
        raise BadPixels("The JPEG 2000 stream has an empty image area or empty tiles.")
    tiles = -(-(xsize - tile_x0) // tile_x) * -(-(ysize - tile_y0) // tile_y)
    if tile_x0 > x0 or tile_y0 > y0 or tiles > _MOST_TILES:
        raise BadPixels(f"The JPEG 2000 stream has {tiles} tiles; up to {_MOST_TILES} are possible.")
    at = 4 + length
    transform = reversible = False
    while at + 4 <= len(stream):
        marker, size = struct.unpack_from(">HH", stream, at)
        if marker == 0xFF90 or marker < 0xFF00:  # SOT: the main header ends
            break
        if marker == 0xFF52 and at + 14 <= len(stream):
            transform = stream[at + 8] == 1
            reversible = stream[at + 13] == 1
        at += 2 + size
    return CodeStream(
        rows=ysize - y0,
        columns=xsize - x0,
        components=count,
        precision=max((part & 0x7F) + 1 for part in parts[::3]),
        signed=parts[0] >= 0x80,
        subsampled=any(part != 1 for number, part in enumerate(parts) if number % 3),
        colour_transform=transform,
        high_throughput=bool(capabilities & 0x4000),
        reversible=reversible,
        at=4,
    )


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a JPEG 2000 or HTJ2K frame.

    Components that were transformed come out as RGB, whatever Photometric Interpretation says: nothing else can be
    transformed so.
    """
    import imagecodecs

    stream = codestream(frame)
    header = read(stream)
    markers.check(
        image,
        "JPEG 2000",
        rows=header.rows,
        columns=header.columns,
        samples=header.components,
        precision=header.precision,
    )
    if header.subsampled:
        raise BadPixels("The JPEG 2000 stream has subsampled components, which can not be decoded.")
    try:
        if header.high_throughput and header.reversible:
            decoded = imagecodecs.htj2k_decode(stream, planar=False)
        # OpenJPH as it is bound does not clamp: what lossy streams overshoot would wrap around
        else:
            decoded = imagecodecs.jpeg2k_decode(stream, planar=False, numthreads=1)
    except Exception as error:
        raise BadPixels(f"The JPEG 2000 stream can not be decoded: {error}.") from error
    cells, described = samples.to_cells(decoded, header.precision, image)
    photometric = image.photometric_interpretation
    if header.colour_transform or photometric in ("YBR_RCT", "YBR_ICT"):
        photometric = "RGB"
    return cells, replace(described, photometric_interpretation=native.full(photometric), planar_configuration=0)


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a JPEG 2000 or HTJ2K frame; RGB is transformed, other colour stays as it is."""
    lossy = transfer_syntax_uid in (LOSSY, HT)
    transform = image.photometric_interpretation == "RGB" and image.samples_per_pixel == 3
    precision = samples.precision_of(cells, image)
    cells = np.ascontiguousarray(cells)
    try:
        if transfer_syntax_uid in (LOSSLESS, LOSSY):
            frame = _jpeg_2000(cells, precision, transform=transform, lossy=lossy)
        else:
            rpcl = transfer_syntax_uid == HT_LOSSLESS_RPCL
            frame = _htj2k(cells, precision, transform=transform, lossy=lossy, rpcl=rpcl)
    except Exception as error:
        raise BadPixels(f"The frame can not be encoded as JPEG 2000: {error}.") from error
    described = replace(image, planar_configuration=0)
    if transform:
        described = replace(described, photometric_interpretation="YBR_ICT" if lossy else "YBR_RCT")
    return frame, described


def _jpeg_2000(cells: NDArray[Any], precision: int, *, transform: bool, lossy: bool) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.jpeg2k_encode(
            cells,
            level=PSNR if lossy else None,
            codecformat="J2K",
            colorspace="SRGB" if transform else None,
            bitspersample=precision,
            resolutions=_levels(cells.shape) + 1,
            reversible=not lossy,
            mct=transform,
            numthreads=1,
        )
    )


def _levels(shape: tuple[int, ...]) -> int:
    """Decompositions until the smaller side is no more than 64; no more than five."""
    return min(5, max(0, (max(1, min(shape[:2]) - 1)).bit_length() - 6))


def _htj2k(cells: NDArray[Any], precision: int, *, transform: bool, lossy: bool, rpcl: bool) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.htj2k_encode(
            cells,
            level=STEP if lossy else None,
            rgb=transform,
            resolutions=_levels(cells.shape) + 1,
            reversible=not lossy,
            tlm=rpcl,
        )
    )

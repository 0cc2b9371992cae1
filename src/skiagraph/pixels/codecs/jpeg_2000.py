"""JPEG 2000 and HTJ2K — ITU-T T.800 and T.814, PS3.5 §8.2.4, §8.2.14 and Annex A.4.4, by OpenJPEG and OpenJPH.

Only the code stream counts: the boxes of a JP2 file around it, which some writers leave there, are passed over, so
that a palette or colour space that they name is not applied.
"""

from __future__ import annotations

import math
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

PSNR: Final = 55
"""What lossy JPEG 2000 aims at, decibels: a root mean square error of 1/560 of the range of the image."""
STEPS: Final = 256
"""Quantization steps of lossy HTJ2K in the range of the image; comes to about the same."""

_MOST_PARTS: Final = 1024
"""Tiles and precincts that are always allowed; beyond, one for each `_PART` samples."""
_PART: Final = 1024
_MOST_GUARD_BITS: Final = 7
_OPENJPEG_BITS: Final = 16
"""Precision up to which OpenJPEG decodes HTJ2K, as far as is known."""
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
    end: int
    """Offset behind the main header: of the first tile-part."""


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
    width, height = xsize - x0, ysize - y0
    most = max(_MOST_PARTS, width * height // _PART)
    if tile_x0 > x0 or tile_y0 > y0 or tiles > most:
        raise BadPixels(f"The JPEG 2000 stream has {tiles} tiles; up to {most} are taken for an image of this size.")
    at = 4 + length
    transform = reversible = False
    while at + 4 <= len(stream):
        marker, size = struct.unpack_from(">HH", stream, at)
        if marker == 0xFF90 or marker < 0xFF00:  # SOT: the main header ends
            break
        if marker == 0xFF52 and at + 14 <= len(stream):
            transform = stream[at + 8] == 1
            reversible = stream[at + 13] == 1
        if marker in (0xFF52, 0xFF53):
            _refuse_crumbs(stream[at + 4 : at + 2 + size], marker, count, width, height, most)
        at += 2 + size
    return CodeStream(
        rows=height,
        columns=width,
        components=count,
        precision=max((part & 0x7F) + 1 for part in parts[::3]),
        signed=parts[0] >= 0x80,
        subsampled=any(part != 1 for number, part in enumerate(parts) if number % 3),
        colour_transform=transform,
        high_throughput=bool(capabilities & 0x4000),
        reversible=reversible,
        end=at,
    )


def _refuse_crumbs(segment: bytes, marker: int, components: int, width: int, height: int, most: int) -> None:
    """Raise BadPixels where COD or COC cuts the image into so many precincts that they take more room than it does."""
    if marker == 0xFF52:
        style, rest = segment[:1], segment[5:]
    else:
        start = 1 if components < 257 else 2
        style, rest = segment[start : start + 1], segment[start + 1 :]
    if len(rest) < 5 or not style[0] & 1:
        return
    levels = rest[0]
    parts = 0
    for resolution, sizes in enumerate(rest[5 : 6 + levels]):
        across, down = (max(1, side >> levels - resolution) for side in (width, height))
        parts += -(-across >> (sizes & 15)) * -(-down >> (sizes >> 4))
    if parts > most:
        raise BadPixels(
            f"The JPEG 2000 stream has {parts} precincts; up to {most} are taken for an image of this size."
        )


def whole(stream: bytes, header: CodeStream) -> bytes:
    """Return the code stream with its end marker (EOC), which some writers leave out.

    Decoders take half a stream for an image, each in its own way; half an image is none.

    Raises
    ------
    BadPixels
        A tile-part is not all there.
    """
    at, end = header.end, len(stream)
    while at + 12 <= end and stream.startswith(b"\xff\x90", at):
        (length,) = struct.unpack_from(">L", stream, at + 6)
        if length == 0:  # the last one, up to the end
            return stream
        if length < 12:
            break
        at += length
    else:
        if header.end < at <= end:
            return stream if stream.startswith(b"\xff\xd9", at) else stream[:at] + b"\xff\xd9"
    raise BadPixels("The JPEG 2000 stream is truncated or damaged: its tile-parts are not all there.")


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
    stream = whole(stream, header)
    # OpenJPH, as it is bound, neither clamps nor tells of damage: it is for what OpenJPEG can not decode alone
    high = header.high_throughput and header.precision > _OPENJPEG_BITS
    try:
        decoded = (
            _decoded_high(stream, image) if high else imagecodecs.jpeg2k_decode(stream, planar=False, numthreads=1)
        )
    except BadPixels:
        raise
    except Exception as error:
        raise BadPixels(f"The JPEG 2000 stream can not be decoded: {error}.") from error
    cells, described = samples.to_cells(decoded, header.precision, image)
    photometric = image.photometric_interpretation
    if header.colour_transform or photometric in ("YBR_RCT", "YBR_ICT"):
        photometric = "RGB"
    return cells, replace(described, photometric_interpretation=native.full(photometric), planar_configuration=0)


def _decoded_high(stream: bytes, image: ImageParams) -> NDArray[Any]:
    """Decode HTJ2K of many bits by OpenJPH, which leaves out the rows behind the place that is damaged."""
    import imagecodecs

    decoded = np.empty(image.shape, np.dtype(f"{image.dtype.kind}4"))
    mark = np.arange(1, decoded[-1].size + 1, dtype=np.uint32) * np.uint32(2654435761)
    decoded[-1] = mark.view(decoded.dtype).reshape(decoded[-1].shape)
    before = decoded[-1].copy()
    imagecodecs.htj2k_decode(stream, planar=False, out=decoded)
    if np.array_equal(decoded[-1], before):
        raise BadPixels("The HTJ2K stream is damaged.")
    return decoded


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
            frame = _htj2k(
                cells, precision, transform=transform, lossy=lossy, tlm=transfer_syntax_uid == HT_LOSSLESS_RPCL
            )
    except Exception as error:
        raise BadPixels(f"The frame can not be encoded as JPEG 2000: {error}.") from error
    described = replace(image, planar_configuration=0)
    if transform:
        described = replace(described, photometric_interpretation="YBR_ICT" if lossy else "YBR_RCT")
    return frame, described


def _jpeg_2000(cells: NDArray[Any], precision: int, *, transform: bool, lossy: bool) -> bytes:
    import imagecodecs

    # The library reckons the ratio against the whole range of the precision
    level = round(PSNR + 20 * math.log10(((1 << precision) - 1) / _range(cells))) if lossy else None
    return bytes(
        imagecodecs.jpeg2k_encode(
            cells,
            level=level,
            codecformat="J2K",
            bitspersample=precision,
            # Masks do not gain from wavelets, and OpenJPEG has too little room for what becomes of them
            resolutions=1 if precision == 1 else _levels(cells) + 1,
            reversible=not lossy,
            mct=transform,
            numthreads=1,
        )
    )


def _range(cells: NDArray[Any]) -> int:
    low, high = int(cells.min()), int(cells.max())
    return max(1, high - low)


def _levels(cells: NDArray[Any]) -> int:
    """Decompositions, five at most where that is enough for a lowest resolution of 64 or less (PS3.5 §10.18)."""
    side: int = min(cells.shape[:2])
    return max(min(5, (side - 1).bit_length()), (side - 1).bit_length() - 6, 0)


def _htj2k(cells: NDArray[Any], precision: int, *, transform: bool, lossy: bool, tlm: bool) -> bytes:
    """Encode by OpenJPH, which takes all bits of the array for the precision, in the order RPCL.

    Where the precision is less, the samples are encoded as signed ones around zero, as the format does with unsigned
    ones anyway (DC level shift), and the headers are set right afterwards.
    """
    import imagecodecs

    signed = cells.dtype.kind == "i"
    if precision <= 8 < cells.dtype.itemsize * 8:
        cells = cells.astype(np.int8 if signed else np.uint8)
    bits = cells.dtype.itemsize * 8
    if lossy and precision < bits - _MOST_GUARD_BITS + 1:
        raise BadPixels(f"A precision of {precision} bits can not be encoded with loss.")
    narrow = precision < bits
    step = _range(cells) / (1 << bits) / STEPS if lossy else None
    if narrow and not signed:
        # Adding half of the range, as a decoder does, gives the samples back
        half = cells.dtype.type(1 << precision - 1)
        cells = (cells - half).view(np.dtype(f"i{cells.dtype.itemsize}"))
    stream = bytes(
        imagecodecs.htj2k_encode(
            np.ascontiguousarray(cells),
            level=step,
            rgb=transform,
            planar=False,
            resolutions=_levels(cells),
            reversible=not lossy,
            tlm=tlm,
        )
    )
    return _with_precision(stream, bits, precision, signed=signed) if narrow else stream


def _with_precision(stream: bytes, bits: int, precision: int, *, signed: bool) -> bytes:
    """Lower the precision that a code stream states, and what depends on it, so that it decodes to the same numbers.

    Step sizes of irreversible transforms are relative to the precision: their exponents go down with it, and the number
    of guard bits goes up so that the bit planes stay as many (T.800 E.1, equations E-2 and E-3).
    """
    head = bytearray(stream)
    count = struct.unpack_from(">H", head, 40)[0]
    for component in range(count):
        head[42 + 3 * component] = (0x80 if signed else 0) | (precision - 1)
    header = read(stream)
    if not header.reversible:
        at = head.index(b"\xff\x5c", 4, header.end)
        (size,) = struct.unpack_from(">H", head, at + 2)
        less = bits - precision
        head[at + 4] += less << 5
        for place in range(at + 5, at + 2 + size, 2):
            head[place] -= less << 3
    return bytes(head)

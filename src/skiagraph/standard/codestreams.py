"""What a compressed image says of itself: JPEG (ITU-T T.81), JPEG-LS (T.87), JPEG 2000 and HTJ2K (T.800, T.814).

Its Transfer Syntax and its Image Pixel attributes are read from the markers, not from what somebody claims — PS3.18
Table 10.5.2-1, PS3.5 §8.2. Reads headers only, a few bytes at a time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.header import Source

_JPEG: Final = "1.2.840.10008.1.2.4."
_BY_FRAME_MARKER: Final = {0xC0: "50", 0xC1: "51", 0xC2: "55"}
"""Baseline, extended; and progressive, retired, but what many cameras and browsers write."""
_FRAMES: Final = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_MOST_SEGMENTS: Final = 10_000
_SOS: Final = 0xDA
_BOX_SIGNATURE: Final = b"\0\0\0\x0cjP  "
_HIGH_THROUGHPUT: Final = 0x4000
"""Bit of Rsiz that says that there is a CAP segment, which HTJ2K has (T.814 Annex A)."""
_METHODS: Final = {
    **dict.fromkeys(("50", "51", "55"), "ISO_10918_1"),
    "81": "ISO_14495_1",
    "91": "ISO_15444_1",
    "111": "ISO_10918_1",  # it was a JPEG
    "112": "ISO_18181_1",
    "203": "ISO_15444_15",
}


@dataclass(frozen=True, slots=True)
class CodeStream:
    """One compressed image."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples: int
    precision: int
    """Bits of one sample."""
    signed: bool
    photometric_interpretation: str
    offset: int
    """Where the code stream begins: behind the boxes of a file format that DICOM does without."""
    length: int
    colour_known: bool = True
    """The stream says how its colours are coded; else it is what is usual, and who made it may know better."""
    loss_known: bool = True
    """The stream tells whether something was lost."""

    @property
    def lossy_method(self) -> str | None:
        """Lossy Image Compression Method (0028,2114); None where nothing has to be lost."""
        return _METHODS.get(self.transfer_syntax_uid.removeprefix(_JPEG))


def recognize(source: Source) -> CodeStream:
    """Read the header of a compressed image.

    Raises
    ------
    CannotUnderstand
        It is none of those above, truncated, or one that no Transfer Syntax can hold.
    """
    head = source.read_at(0, 12)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(source)
    if head.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg_2000(source, 0, source.size, None)
    if head.startswith(_BOX_SIGNATURE):
        return _jp2(source)
    raise CannotUnderstand("The compressed pixel data begin neither like JPEG or JPEG-LS nor like JPEG 2000.")


def _truncated() -> CannotUnderstand:
    return CannotUnderstand("The compressed pixel data are truncated: they end within their header.")


def _jpeg(source: Source) -> CodeStream:
    at = 2
    frame: tuple[int, bytes] | None = None
    jfif, adobe = False, None
    for _ in range(_MOST_SEGMENTS):
        segment = source.read_at(at, 4)
        if len(segment) < 4:
            raise _truncated()
        if segment[0] != 0xFF:
            raise CannotUnderstand("The JPEG stream is damaged: there is no marker where one has to be.")
        marker = segment[1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        length = int.from_bytes(segment[2:], "big")
        if marker in _FRAMES or marker in (_SOS, 0xE0, 0xEE):
            body = source.read_at(at + 4, length - 2) if length > 2 else b""
            if len(body) != length - 2:
                raise _truncated()
            if marker == _SOS:
                return _jpeg_frame(source, frame, body, jfif, adobe)
            if marker == 0xE0:
                jfif = jfif or body.startswith(b"JFIF\0")
            elif marker == 0xEE:
                adobe = body[11] if body.startswith(b"Adobe") and len(body) >= 12 else adobe
            else:
                frame = marker, body
        at += 2 + length
    raise CannotUnderstand(f"The JPEG stream has more than {_MOST_SEGMENTS} segments before its first scan.")


def _jpeg_frame(
    source: Source, frame: tuple[int, bytes] | None, scan: bytes, jfif: bool, adobe: int | None
) -> CodeStream:
    if frame is None or len(frame[1]) < 6 or len(frame[1]) < 6 + 3 * frame[1][5] or len(scan) < 2 + 2 * scan[0]:
        raise _truncated()
    marker, body = frame
    precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
    parameter = scan[1 + 2 * scan[0]]  # predictor of lossless JPEG, NEAR of JPEG-LS
    if marker == 0xC3:
        syntax = "70" if parameter == 1 else "57"
    elif marker == 0xF7:
        syntax = "81" if parameter else "80"
    elif marker in _BY_FRAME_MARKER:
        syntax = _BY_FRAME_MARKER[marker]
    else:
        raise CannotUnderstand(
            f"The JPEG stream has a process (marker FF{marker:02X}) that can not be stored; baseline, extended,"
            " progressive and lossless can."
        )
    _check(rows, columns, samples, precision)
    identifiers, sampling = body[6 : 6 + 3 * samples : 3], body[7 : 6 + 3 * samples : 3]
    if samples == 1:
        photometric = "MONOCHROME2"
    elif adobe == 0 or identifiers == b"RGB" or (marker in (0xC3, 0xF7) and not jfif and adobe is None):
        photometric = "RGB"
    else:
        # In a lossy stream subsampled or not: PS3.5 Table 8.2.1-1 has no other name for its colours
        photometric = "YBR_FULL_422" if marker in _BY_FRAME_MARKER else "YBR_FULL"
    known = samples == 1 or jfif or adobe is not None or identifiers == b"RGB" or len(set(sampling)) > 1
    return CodeStream(
        _JPEG + syntax, rows, columns, samples, precision, False, photometric, 0, source.size, colour_known=known
    )


def _check(rows: int, columns: int, samples: int, precision: int) -> None:
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise CannotUnderstand(f"The compressed image has {rows} rows and {columns} columns; DICOM has 1 to 65535.")
    if samples not in (1, 3):
        raise CannotUnderstand(f"The compressed image has {samples} samples per pixel; 1 and 3 can be stored.")
    if not 1 <= precision <= 32:
        raise CannotUnderstand(f"The compressed image has {precision} bits per sample; 1 to 32 can be stored.")


def _jp2(source: Source) -> CodeStream:
    """Find the code stream among the boxes (T.800 Annex I)."""
    at, colour = 0, None
    for _ in range(_MOST_SEGMENTS):
        box = source.read_at(at, 16)
        if len(box) < 8:
            break
        length, kind = int.from_bytes(box[:4], "big"), box[4:8]
        begin = 8
        if length == 1:
            length, begin = int.from_bytes(box[8:16], "big"), 16
        end = source.size if length == 0 else at + length
        if length and length < begin:
            break
        if kind == b"jp2c":
            if end > source.size:
                raise _truncated()
            return _jpeg_2000(source, at + begin, end - at - begin, colour)
        if kind == b"jp2h":
            at += begin  # its boxes follow
            continue
        if kind == b"pclr":
            raise CannotUnderstand("The JP2 file has a palette; DICOM has none for JPEG 2000. Send it without.")
        if kind == b"colr" and colour is None and source.read_at(at + begin, 1) == b"\x01":
            colour = int.from_bytes(source.read_at(at + begin + 3, 4), "big")
        at = end
    raise CannotUnderstand("The JP2 file has no code stream (jp2c).")


def _jpeg_2000(source: Source, offset: int, length: int, colour: int | None) -> CodeStream:
    at = offset + 2
    siz: bytes | None = None
    for _ in range(_MOST_SEGMENTS):
        segment = source.read_at(at, 4)
        if len(segment) < 4 or segment[0] != 0xFF:
            break
        size = int.from_bytes(segment[2:], "big")
        if segment[1] in (0x51, 0x52):
            body = source.read_at(at + 4, size - 2) if size > 2 else b""
            if len(body) != size - 2:
                break
            if segment[1] == 0x51:
                siz = body
            elif siz is not None and len(siz) >= 39 and len(body) >= 10:
                return _jpeg_2000_image(siz, body, offset, length, colour)
            else:
                break
        at += 2 + size
    raise _truncated()


def _jpeg_2000_image(siz: bytes, cod: bytes, offset: int, length: int, colour: int | None) -> CodeStream:
    profile, right, bottom, left, top = struct.unpack_from(">HLLLL", siz)
    (samples,) = struct.unpack_from(">H", siz, 34)
    depth = siz[36]
    transformed, reversible = cod[4] == 1, cod[9] == 1
    lossless, lossy = ("201", "203") if profile & _HIGH_THROUGHPUT else ("90", "91")
    syntax = lossless if reversible else lossy
    rows, columns, precision = bottom - top, right - left, (depth & 0x7F) + 1
    _check(rows, columns, samples, precision)
    if samples == 1:
        photometric = "MONOCHROME2"
    elif transformed:
        photometric = "YBR_RCT" if reversible else "YBR_ICT"
    else:
        photometric = "YBR_FULL" if colour == 18 else "RGB"  # sYCC
    known = samples == 1 or transformed or colour is not None
    return CodeStream(
        _JPEG + syntax, rows, columns, samples, precision, bool(depth & 0x80), photometric, offset, length, known
    )

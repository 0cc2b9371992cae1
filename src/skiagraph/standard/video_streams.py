"""What a video says of itself: MP4 and QuickTime with H.264 or H.265 (ISO/IEC 14496-12, -15), and MPEG-2 (H.262).

Its Transfer Syntax by profile and level (PS3.5 §8.2.5 to §8.2.11), the size of its frames, and how many there are.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.header import Source

_VIDEO: Final = "1.2.840.10008.1.2.4."
_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_ENTRIES: Final = {b"avc1": "avc", b"avc3": "avc", b"hvc1": "hevc", b"hev1": "hevc"}
_SAMPLE_ENTRY: Final = 86
"""Bytes of a VisualSampleEntry before its boxes, its own header included."""
_MOST_BOXES: Final = 10_000
_SEARCHED: Final = 2**20
_SEQUENCE_HEADER: Final = b"\0\0\1\xb3"
_PICTURE: Final = re.compile(rb"\x00\x00\x01(?:\x00|\xb5[\x80-\x8f].(.))", re.DOTALL)
"""A picture header, or the extension behind it that says whether it is a frame or a field (H.262 §6.2.3.1)."""
_PICTURE_BYTES: Final = 7
_FRAME_RATES: Final = {1: 24000 / 1001, 2: 24, 3: 25, 4: 30000 / 1001, 5: 30, 6: 50, 7: 60000 / 1001, 8: 60}
"""Frames per second by frame_rate_code (H.262 Table 6-4)."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The first picture track."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    frames: int | None
    """None where the stream does not tell."""
    frame_time: float | None = None
    """Milliseconds from frame to frame, on average."""
    bits: int = 8
    """Of one sample."""

    @property
    def allocated(self) -> int:
        """Bits that a sample takes when decoded."""
        return 8 if self.bits == 8 else 16

    @property
    def lossy_method(self) -> str:
        """Lossy Image Compression Method (0028,2114), PS3.3 C.7.6.1.1.5.2."""
        number = int(self.transfer_syntax_uid.removeprefix(_VIDEO))
        return "ISO_13818_2" if number < 102 else "ISO_14496_10" if number < 107 else "ISO_23008_2"


def recognize(source: Source) -> VideoStream:
    """Read what a video says of itself.

    Raises
    ------
    CannotUnderstand
        It is none of these, or has a profile or level that no Transfer Syntax holds.
    """
    head = source.read_at(0, 12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return _mp4(source)
    if head.startswith((b"\0\0\1\xba", _SEQUENCE_HEADER)):
        return _mpeg_2(source)
    raise CannotUnderstand("The video is neither MP4 or QuickTime nor MPEG-2, as program or elementary stream.")


def _mp4(source: Source) -> VideoStream:
    at = 0
    found: VideoStream | None = None
    times: tuple[int, int] | None = None
    for _ in range(_MOST_BOXES):
        box = source.read_at(at, 16)
        if len(box) < 8:
            break
        length, kind, begin = int.from_bytes(box[:4], "big"), box[4:8], 8
        if length == 1:
            length, begin = int.from_bytes(box[8:16], "big"), 16
        if length and length < begin:
            break
        if kind in _CONTAINERS:
            if kind == b"trak" and found is not None:
                break
            at += begin
            continue
        if kind == b"mdhd":
            times = _times(source.read_at(at + begin, 32))
        elif kind == b"stsd":
            found = _described(source, at + begin + 8, at + length) or found
        elif kind == b"stsz" and found is not None and found.frames is None:
            counts = source.read_at(at + begin, 12)
            if len(counts) == 12:
                number = int.from_bytes(counts[8:], "big") or None
                time = None if number is None or times is None else times[1] * 1000 / times[0] / number
                found = replace(found, frames=number, frame_time=time)
        if length == 0:
            break
        at += length
    if found is None:
        raise CannotUnderstand("The video file has no track with H.264 or H.265.")
    return found


def _times(body: bytes) -> tuple[int, int] | None:
    """Return timescale and duration of a media header; None where they are not known."""
    form, at = (">LQ", 20) if body[:1] == b"\1" else (">LL", 12)
    if len(body) < at + struct.calcsize(form):
        return None
    timescale, duration = struct.unpack_from(form, body, at)
    return (timescale, duration) if timescale and duration else None


def _described(source: Source, at: int, end: int) -> VideoStream | None:
    """Read a sample entry (14496-15 §5.3.3.1, §8.3.3.1); None for what is no picture."""
    entry = source.read_at(at, _SAMPLE_ENTRY)
    codec = _ENTRIES.get(entry[4:8])
    if codec is None or len(entry) < _SAMPLE_ENTRY:
        return None
    columns, rows = struct.unpack_from(">HH", entry, 32)
    at += _SAMPLE_ENTRY
    while at + 8 <= end:
        box = source.read_at(at, 32)
        length = int.from_bytes(box[:4], "big")
        if length < 8 or len(box) < 24:
            break
        if box[4:8] == b"avcC" and codec == "avc":
            return VideoStream(_avc(profile=box[9], level=box[11]), rows, columns, None)
        if box[4:8] == b"hvcC" and codec == "hevc":
            profile = box[9] & 0x1F
            return VideoStream(_hevc(profile, level=box[20]), rows, columns, None, bits=10 if profile == 2 else 8)
        at += length
    raise CannotUnderstand("The video track does not tell its profile (avcC, hvcC).")


def _avc(profile: int, level: int) -> str:
    if profile == 128 and level <= 42:
        return _VIDEO + "106"
    # Baseline and Main streams are read by every decoder for High Profile, which is what the syntaxes promise
    if profile in (66, 77, 100) and level <= 42:
        return _VIDEO + ("102" if level <= 41 else "104")
    raise CannotUnderstand(
        f"The video is H.264 of profile {profile}, level {level / 10}; up to High Profile and level 4.2 can be stored."
    )


def _hevc(profile: int, level: int) -> str:
    if profile in (1, 2) and level <= 153:
        return _VIDEO + ("107" if profile == 1 else "108")
    raise CannotUnderstand(
        f"The video is H.265 of profile {profile}, level {level / 30}; Main and Main 10 up to level 5.1 can be stored."
    )


def _mpeg_2(source: Source) -> VideoStream:
    head = source.read_at(0, _SEARCHED)
    at = head.find(_SEQUENCE_HEADER)
    if at < 0 or len(head) < at + 8:
        raise CannotUnderstand("The MPEG video has no sequence header.")
    size = int.from_bytes(head[at + 4 : at + 7], "big")
    columns, rows = size >> 12, size & 0xFFF
    rate = _FRAME_RATES.get(head[at + 7] & 0x0F)
    uid = _VIDEO + ("100" if columns <= 720 and rows <= 576 else "101")
    return VideoStream(uid, rows, columns, _pictures(source), None if rate is None else 1000 / rate)


def _pictures(source: Source) -> int | None:
    """Count the frames of an MPEG-2 stream: its pictures, two of which are one frame where they are fields."""
    frames, fields, at = 0, 0, 0
    while at < source.size:
        chunk = source.read_at(at, _SEARCHED)
        for match in _PICTURE.finditer(chunk):
            if match.start() < len(chunk) - _PICTURE_BYTES or at + len(chunk) >= source.size:
                structure = match[1]
                frames += structure is None
                fields += structure is not None and structure[0] & 3 in (1, 2)
        at += max(1, len(chunk) - _PICTURE_BYTES)
        if len(chunk) <= _PICTURE_BYTES:
            break
    return frames - fields // 2 or None

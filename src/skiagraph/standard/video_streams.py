"""What a video says of itself: MP4 and QuickTime with H.264 or H.265 (ISO/IEC 14496-12, -15), and MPEG-2 (H.262).

Its Transfer Syntax by profile and level (PS3.5 §8.2.5 to §8.2.11), the size of its frames, and how many there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import mp4
from skiagraph.standard.header import Source

_VIDEO: Final = "1.2.840.10008.1.2.4."
_AVC: Final = (b"avc1", b"avc3")
_HEVC: Final = (b"hvc1", b"hev1")
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
    if mp4.is_mp4(head):
        return _mp4(source)
    if head.startswith((b"\0\0\1\xba", _SEQUENCE_HEADER)):
        return _mpeg_2(source)
    raise CannotUnderstand("The video is neither MP4 or QuickTime nor MPEG-2, as program or elementary stream.")


def _mp4(source: Source) -> VideoStream:
    track = mp4.read(source).track
    if track is None or track.codec not in (*_AVC, *_HEVC):
        raise CannotUnderstand("The video file has no track with H.264 or H.265.")
    if track.level is None:
        raise CannotUnderstand("The video track does not tell its profile (avcC, hvcC).")
    of_codec = _avc if track.codec in _AVC else _hevc
    columns, rows = track.size
    time = track.seconds * 1000 / track.samples if track.samples and track.seconds else None
    bits = 10 if track.codec in _HEVC and track.profile == 2 else 8
    return VideoStream(of_codec(track.profile, track.level), rows, columns, track.samples or None, time, bits)


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

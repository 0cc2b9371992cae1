"""MP4 and QuickTime files by their boxes: ISO/IEC 14496-12, and -15 for what the pictures are coded in.

Enough of them to know what the pictures are, and their tables, before a library sees the file, and to send a file with
its ``moov`` box in front, so that a player can begin and seek before it has all of it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.header import Source
from skiagraph.values import ByteRange

LARGEST_MOVIE_BOX: Final = 64 * 2**20
"""Bytes of the largest ``moov`` box that is read: about two million samples."""

MOST_SAMPLES: Final = 2**21
"""Samples of a track: nine hours at 60 frames a second."""

_MOST_BOXES: Final = 100_000
_MOST_TRACKS: Final = 64
_DEEPEST: Final = 8
_TOP: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_MOVIE: Final = frozenset({b"mvhd", b"mvex"})
_TRACK: Final = frozenset({b"tkhd", b"mdia"})
_CONFIGURATIONS: Final = {b"avc1": b"avcC", b"avc3": b"avcC", b"hvc1": b"hvcC", b"hev1": b"hvcC"}
_SAMPLE_ENTRY: Final = 86
_OFFSETS: Final = {b"stco": "I", b"co64": "Q"}


class Box(NamedTuple):
    """Where a box is."""

    kind: bytes
    offset: int
    body: int
    """Offset of its content."""
    end: int


@dataclass(frozen=True, slots=True)
class Track:
    """The picture track."""

    codec: bytes
    """Of its first sample entry, such as ``avc1``."""
    profile: int
    """profile_idc (H.264) or general_profile_idc (H.265); 0 where it is not told."""
    samples: int
    tables: dict[bytes, bytes]
    """Contents of ``stts``, ``ctts`` and ``stss``, as far as they are there."""
    box: Box
    """The ``trak`` box; offsets within the content of ``moov``, its header included."""
    level: int | None = None
    """level_idc (H.264) or general_level_idc (H.265); None where it is not told."""
    size: tuple[int, int] = (0, 0)
    """Columns and rows."""
    seconds: float = 0.0
    """Its duration; 0 where it is not told."""


@dataclass(frozen=True, slots=True)
class Movie:
    """What a file says of itself."""

    brand: bytes
    """The major brand; empty for old QuickTime files."""
    moov: Box
    content: bytes
    """All of the ``moov`` box."""
    head: int
    """End of the ``ftyp`` box; 0 without, and where it does not come first, as it has to."""
    data: int
    """Offset of the first ``mdat`` box."""
    fragmented: bool
    """There is a ``moof`` box: samples are described as they come."""
    track: Track | None
    """None where there are no pictures."""


def is_mp4(head: bytes) -> bool:
    """Whether a file that begins so is one of these."""
    return head[4:8] in _TOP


def read(source: Source) -> Movie:
    """Read the boxes of a file.

    Raises
    ------
    CannotUnderstand
        There is no ``moov`` box, it is larger than those that are read, or it contradicts itself.
    """
    brand, head, data, fragmented = b"", 0, source.size, False
    moov: Box | None = None
    for box in _in_file(source):
        if box.kind == b"ftyp" and not brand:
            brand = source.read_at(box.body, 4)
            if moov is None and data == source.size:
                head = box.end
        elif box.kind == b"moov" and moov is None:
            moov = box
        elif box.kind == b"mdat":
            data = min(data, box.offset)
        elif box.kind == b"moof":
            fragmented = True
    if moov is None:
        raise CannotUnderstand("The video file has no 'moov' box: its end is missing.")
    if moov.end - moov.offset > LARGEST_MOVIE_BOX:
        raise CannotUnderstand(f"The 'moov' box of the video has more than {LARGEST_MOVIE_BOX} bytes.")
    content = source.read_at(moov.offset, moov.end - moov.offset)
    return Movie(brand, moov, content, head, data, fragmented, _picture_track(content))


def in_front(movie: Movie, length: int) -> list[bytes | ByteRange]:
    """The file with its ``moov`` box in front of its data: new bytes, and ranges of the file.

    A file that begins so already, and one whose offsets have no room for it, is one range: all of it.
    """
    moov = movie.moov
    if moov.offset < movie.data or movie.fragmented:
        return [ByteRange(0, length)]
    moved = _moved(movie)
    if moved is None:
        return [ByteRange(0, length)]
    spans = (ByteRange(0, movie.head), moved, ByteRange(movie.head, moov.offset - movie.head))
    rest = ByteRange(moov.end, length - moov.end)
    return [piece for piece in (*spans, rest) if isinstance(piece, bytes) or piece.length]


def pictures_alone(movie: Movie) -> bytes:
    """The ``moov`` box, of the same length, with the picture track and nothing else; the rest is free space.

    Without edit lists too, so that each sample is a frame.
    """
    content = bytearray(movie.content)
    track = movie.track
    for box in _inside(content, 8, len(content)):
        if track is not None and box == track.box:
            for inner in _inside(content, box.body, box.end):
                if inner.kind not in _TRACK:
                    content[inner.offset + 4 : inner.offset + 8] = b"free"
        elif box.kind not in _MOVIE:
            content[box.offset + 4 : box.offset + 8] = b"free"
    return bytes(content)


def _in_file(source: Source) -> Iterator[Box]:
    at = 0
    for _ in range(_MOST_BOXES):
        box = _box(source.read_at(at, 16), at, source.size)
        if box is None:
            return
        yield box
        at = box.end


def _inside(content: bytes | bytearray, at: int, end: int) -> Iterator[Box]:
    for _ in range(_MOST_BOXES):
        box = _box(bytes(content[at : min(at + 16, end)]), at, end)
        if box is None:
            return
        yield box
        at = box.end


def _box(head: bytes, at: int, end: int) -> Box | None:
    """The box with this header; None at the end, and where what follows is none. It never reaches beyond the end."""
    if len(head) < 8:
        return None
    size, body = int.from_bytes(head[:4], "big"), 8
    if size == 1 and len(head) == 16:
        size, body = int.from_bytes(head[8:], "big"), 16
    elif size == 0:
        size = end - at
    if size < body:
        return None
    return Box(head[4:8], at, at + body, min(at + size, end))


def _moved(movie: Movie) -> bytes | None:
    """The ``moov`` box for its new place; None where an offset does not fit any more."""
    content = bytearray(movie.content)
    for number, box in enumerate(_tree(content, 0, len(content), 0)):
        if number == _MOST_BOXES:
            return None
        code = _OFFSETS.get(box.kind)
        if code is None:
            continue
        count = int.from_bytes(content[box.body + 4 : box.body + 8], "big")
        size = struct.calcsize(f">{code}")
        begin = box.body + 8
        count = min(count, max(0, box.end - begin) // size)
        offsets = _numbers(bytes(content[begin : begin + count * size]), code)
        shift = len(content)
        moved = [one + shift if movie.head <= one < movie.moov.offset else one for one in offsets]
        if moved and max(moved) >= 1 << 8 * size:
            return None
        content[begin : begin + count * size] = struct.pack(f">{count}{code}", *moved)
    return bytes(content)


def _numbers(data: bytes, code: str) -> array[int]:
    found = array(code, data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _tree(content: bytes | bytearray, at: int, end: int, depth: int) -> Iterator[Box]:
    """All boxes, those within the containers of the samples' tables too."""
    for box in _inside(content, at, end):
        yield box
        if box.kind in _CONTAINERS and depth < _DEEPEST:
            yield from _tree(content, box.body, box.end, depth + 1)


def _picture_track(content: bytes) -> Track | None:
    tracks = (box for box in _inside(content, 8, len(content)) if box.kind == b"trak")
    for box in islice(tracks, _MOST_TRACKS):
        found: dict[bytes, Box] = {}
        for inner in islice(_tree(content, box.body, box.end, 1), _MOST_BOXES):
            found.setdefault(inner.kind, inner)  # QuickTime has a second handler, of data
        if b"hdlr" in found and content[found[b"hdlr"].body + 8 : found[b"hdlr"].body + 12] == b"vide":
            return _track(content, box, found)
    return None


def _track(content: bytes, box: Box, found: dict[bytes, Box]) -> Track:
    tables: dict[bytes, bytes] = {
        kind: content[found[kind].body : found[kind].end] for kind in (b"stts", b"ctts", b"stss") if kind in found
    }
    sizes = found.get(b"stsz") or found.get(b"stz2")
    samples = 0 if sizes is None else int.from_bytes(content[sizes.body + 8 : sizes.body + 12], "big")
    counts = [samples, *(sum(entries(tables[kind], 2)[::2]) for kind in (b"stts", b"ctts") if kind in tables)]
    if max(counts) > MOST_SAMPLES:
        raise CannotUnderstand(f"The video has more than {MOST_SAMPLES} frames by its tables.")
    codec, profile, level, size = b"", 0, None, (0, 0)
    entry = found[b"stsd"].body + 8 if b"stsd" in found else len(content)
    one = next(_inside(content, entry, found[b"stsd"].end if b"stsd" in found else entry), None)
    if one is not None:
        codec = one.kind
        columns, rows = struct.unpack(">HH", content[one.offset + 32 : one.offset + 36].ljust(4, b"\0"))
        size = columns, rows
        told = _inside(content, one.offset + _SAMPLE_ENTRY, one.end)
        inner = next((inner for inner in told if inner.kind == _CONFIGURATIONS.get(codec)), None)
        if inner is not None:
            configuration = content[inner.body : inner.end].ljust(13, b"\0")
            if inner.kind == b"hvcC":
                profile, level = configuration[1] & 0x1F, configuration[12]
            else:
                profile, level = configuration[1], configuration[3]
    seconds = _seconds(content[found[b"mdhd"].body : found[b"mdhd"].end]) if b"mdhd" in found else 0.0
    return Track(codec, profile, samples, tables, box, level, size, seconds)


def _seconds(header: bytes) -> float:
    """Duration by a media header (14496-12 §8.4.2); 0 where it is not known."""
    form, at = (">LQ", 20) if header[:1] == b"\1" else (">LL", 12)
    if len(header) < at + struct.calcsize(form):
        return 0.0
    timescale, duration = struct.unpack_from(form, header, at)
    return duration / timescale if timescale else 0.0


def entries(table: bytes, width: int) -> array[int]:
    """The entries of ``stts`` and ``ctts`` (pairs: how many samples, and their value) or ``stss``, one after the other.

    Parameters
    ----------
    width
        Numbers of an entry: 2, or 1 for ``stss``. They are of 32 bits, without sign.
    """
    count = min(int.from_bytes(table[4:8], "big"), max(0, len(table) - 8) // (4 * width), MOST_SAMPLES)
    return _numbers(table[8 : 8 + 4 * width * count], "I")


def count_fragmented(source: Source) -> int:
    """Samples that the ``moof`` boxes of a file speak of, whether they are there or not."""
    total = 0
    for box in _in_file(source):
        if box.kind != b"moof":
            continue
        if box.end - box.offset > LARGEST_MOVIE_BOX:
            raise CannotUnderstand("A 'moof' box of the video is too large.")
        content = source.read_at(box.offset, box.end - box.offset)
        for track in _inside(content, box.body - box.offset, len(content)):
            if track.kind == b"traf":
                for run in _inside(content, track.body, track.end):
                    if run.kind == b"trun":
                        total += int.from_bytes(content[run.body + 4 : run.body + 8], "big")
    return total

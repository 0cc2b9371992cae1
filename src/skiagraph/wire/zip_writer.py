"""Writing ZIP archives as a stream: PKWARE APPNOTE 6.3, RFC 1951 §3.2.4. Nothing is compressed, lengths are known.

Bytes go out as they come: what is known only behind them, the check sum, follows in a data descriptor. With it, a
reader that can not seek has to find the end of an entry in its bytes. So entries are not of the method *stored*, which
such readers refuse (Java's ZipInputStream) or search for the descriptor, but *deflated* into blocks that are not
compressed: 5 bytes for each 65,535, no work, and the end is marked.

ZIP64 fields are written only where a number needs them. An entry whose length is not known before could turn out to
need them when its local header is gone: then its descriptor alone is large. To announce that for all such entries would
be by the book, but readers that can not seek take small entries with large descriptors for the end of the archive
(Java 17 does).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

BLOCK: Final = 65_535
"""Bytes that one block of the Deflate format holds when it is not compressed."""

_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF
_LOCAL: Final = struct.Struct("<LHHHHHLLLHH")
_LOCAL_64: Final = struct.Struct("<HHQQ")
_DESCRIPTOR: Final = struct.Struct("<LLLL")
_DESCRIPTOR_64: Final = struct.Struct("<LLQQ")
_CENTRAL: Final = struct.Struct("<LHHHHHHLLLHHHHHLL")
_END_64: Final = struct.Struct("<LQHHLLQQQQ")
_LOCATOR_64: Final = struct.Struct("<LLQL")
_END: Final = struct.Struct("<LHHHHLLH")

_LENGTH_BEHIND: Final = 1 << 3  # general purpose bit: check sum and sizes are in the data descriptor
_DEFLATED: Final = 8
_VERSION, _VERSION_64 = 20, 45  # needed to extract: 2.0 for Deflate, 4.5 for ZIP64
_LAST_EMPTY_BLOCK: Final = b"\x01\x00\x00\xff\xff"
_PIECE: Final = 64 * 2**10

_NAME: Final = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*(?:/[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*)*", re.ASCII)


class ZipWriter:
    """Makes the bytes of one archive, entry by entry: ``begin``, any number of ``data``, ``end``; at last ``close``.

    Holds a few dozen bytes for each entry: the central directory waits compressed.
    """

    def __init__(self) -> None:
        self._layout = _Layout()
        self._central = zlib.compressobj(1)
        self._held: list[bytes] = []
        self._entry: _Entry | None = None

    def begin(self, name: str, length: int | None, modified: float) -> bytes:
        """The local header of an entry.

        Parameters
        ----------
        name
            Path of letters, digits, ``.``, ``-``, ``_`` and ``/``, safe on every system; the caller keeps them unique.
        length
            Bytes of the entry, where known.
        modified
            Seconds since the epoch; written as UTC, in steps of two seconds, from 1980 to 2107.

        Raises
        ------
        ValueError
            The name is not safe.
        """
        assert self._entry is None, "the last entry has not ended"
        if _NAME.fullmatch(name) is None or len(name) > _MAX_16:
            raise ValueError("the name of an entry is a relative path of letters, digits, dots, hyphens, underscores")
        self._entry = entry = _Entry(name.encode("ascii"), length, _dos_time(modified))
        version, sizes, extra = _VERSION, 0, b""
        if entry.announced:
            version, sizes, extra = _VERSION_64, _MAX_32, _LOCAL_64.pack(1, 16, 0, 0)
        return (
            _LOCAL.pack(
                0x04034B50,
                version,
                _LENGTH_BEHIND,
                _DEFLATED,
                *entry.modified,
                0,
                sizes,
                sizes,
                len(entry.name),
                len(extra),
            )
            + entry.name
            + extra
        )

    def data(self, chunk: bytes | bytearray | memoryview) -> bytes:
        """What to send for the next bytes of the entry.

        Raises
        ------
        ValueError
            They are more than the entry was said to have.
        """
        entry = self._entry
        assert entry is not None, "no entry has begun"
        return b"".join(entry.blocks(memoryview(chunk).cast("B")))

    def end(self) -> bytes:
        """What to send behind the bytes of the entry.

        Raises
        ------
        ValueError
            They were fewer than the entry was said to have.
        """
        entry = self._entry
        assert entry is not None, "no entry has begun"
        self._entry = None
        if entry.length is not None and entry.size != entry.length:
            raise ValueError(f"an entry of {entry.length} bytes ends after {entry.size}")
        last = b""
        if not entry.size or entry.length is None:
            last = _LAST_EMPTY_BLOCK
            entry.packed += len(last)
        self._keep(_central_header(entry, self._layout.at))
        self._layout.add(len(entry.name), entry.size, entry.packed, announced=entry.announced)
        descriptor = _DESCRIPTOR_64 if entry.packed >= _MAX_32 else _DESCRIPTOR
        return last + descriptor.pack(0x08074B50, entry.check_sum, entry.packed, entry.size)

    def close(self) -> Iterator[bytes]:
        """The central directory and the end of the archive, in pieces."""
        assert self._entry is None, "the last entry has not ended"
        self._held.append(self._central.flush())
        inflater = zlib.decompressobj()
        for held in self._held:
            while held:
                yield inflater.decompress(held, _PIECE)
                held = inflater.unconsumed_tail
        yield inflater.flush()
        yield self._layout.ending()

    def _keep(self, header: bytes) -> None:
        held = self._central.compress(header)
        if held:
            self._held.append(held)


def total_length(entries: Iterable[tuple[str, int]]) -> int:
    """Bytes of the archive that a `ZipWriter` makes of entries of these names and lengths."""
    layout = _Layout()
    for name, length in entries:
        packed = _packed_length(length)
        layout.add(len(name), length, packed, announced=packed >= _MAX_32)
    return layout.at + layout.central + len(layout.ending())


class _Layout:
    """How far the archive has come: what the fields that tell places and sizes will say."""

    def __init__(self) -> None:
        self.at = 0
        """Offset of the next local header."""
        self.central = 0
        """Bytes of the central directory."""
        self.entries = 0

    def add(self, name: int, size: int, packed: int, *, announced: bool) -> None:
        self.central += _CENTRAL.size + name + len(_extra(size, packed, self.at))
        self.at += _LOCAL.size + name + (_LOCAL_64.size if announced else 0) + packed
        self.at += _DESCRIPTOR_64.size if packed >= _MAX_32 else _DESCRIPTOR.size
        self.entries += 1

    def ending(self) -> bytes:
        entries, central, at = min(self.entries, _MAX_16), min(self.central, _MAX_32), min(self.at, _MAX_32)
        end = _END.pack(0x06054B50, 0, 0, entries, entries, central, at, 0)
        if entries < _MAX_16 and central < _MAX_32 and at < _MAX_32:
            return end
        record = _END_64.pack(
            0x06064B50,
            _END_64.size - 12,  # does not count itself and what is before it
            _VERSION_64,
            _VERSION_64,
            0,
            0,
            self.entries,
            self.entries,
            self.central,
            self.at,
        )
        return record + _LOCATOR_64.pack(0x07064B50, 0, self.at + self.central, 1) + end


class _Entry:
    """One entry while it is written."""

    def __init__(self, name: bytes, length: int | None, modified: tuple[int, int]) -> None:
        self.name = name
        self.length = length
        self.modified = modified
        self.announced = length is not None and _packed_length(length) >= _MAX_32
        """The local header says that sizes have 8 bytes."""
        self.size = 0
        self.packed = 0
        self.check_sum = 0
        self._room = 0  # bytes that the block at hand can still take

    def blocks(self, view: memoryview) -> Iterator[bytes | memoryview]:
        if self.length is not None and self.size + len(view) > self.length:
            raise ValueError(f"an entry of {self.length} bytes has more than that")
        self.check_sum = zlib.crc32(view, self.check_sum)
        while view:
            if not self._room:
                rest = len(view) if self.length is None else self.length - self.size
                self._room = min(rest, BLOCK)
                last = self.length == self.size + self._room
                yield struct.pack("<BHH", last, self._room, self._room ^ 0xFFFF)
                self.packed += 5
            piece = view[: self._room]
            yield piece
            self._room -= len(piece)
            self.size += len(piece)
            self.packed += len(piece)
            view = view[len(piece) :]


def _packed_length(length: int) -> int:
    return length + 5 * max(1, -(-length // BLOCK))


def _extra(size: int, packed: int, offset: int) -> bytes:
    """The ZIP64 extended information of a central header: the numbers that have no room in it."""
    numbers = [number for number in (size, packed, offset) if number >= _MAX_32]
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""


def _central_header(entry: _Entry, offset: int) -> bytes:
    extra = _extra(entry.size, entry.packed, offset)
    version = _VERSION_64 if extra else _VERSION
    return (
        _CENTRAL.pack(
            0x02014B50,
            version,
            version,
            _LENGTH_BEHIND,
            _DEFLATED,
            *entry.modified,
            entry.check_sum,
            min(entry.packed, _MAX_32),
            min(entry.size, _MAX_32),
            len(entry.name),
            len(extra),
            0,
            0,
            0,
            0,
            min(offset, _MAX_32),
        )
        + entry.name
        + extra
    )


def _dos_time(seconds: float) -> tuple[int, int]:
    """Time and date in the form of MS-DOS."""
    earliest, latest = 315_532_800, 4_354_819_198  # 1980-01-01 00:00:00 and 2107-12-31 23:59:58
    at = datetime.fromtimestamp(min(max(seconds, earliest), latest), UTC)
    return (
        at.hour << 11 | at.minute << 5 | at.second // 2,
        (at.year - 1980) << 9 | at.month << 5 | at.day,
    )

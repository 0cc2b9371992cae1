"""Where the frames of top-level Pixel Data lie — PS3.5 §8.2 and Annex A.4, PS3.3 C.7.6.3.1.8 (offset tables).

Native frames are arithmetic. Encapsulated ones are found by walking the Item headers once (`fragments`) and then
telling fragments and frames apart (`encapsulated`): as many fragments as frames; else the Basic or Extended Offset
Table if it holds true; else, only then, the first and last bytes of the fragments' code streams.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.standard.header import MULTI_FRAGMENT, Bulk, PixelData, Source
from skiagraph.standard.transfer_syntaxes import RLE_LOSSLESS, TransferSyntax
from skiagraph.values import Attributes

FRAGMENT_COST: Final = 40
"""What one fragment counts against `max_header_bytes`: its header, and its entry in the tables kept here."""

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0"
_FLOAT_BITS: Final = {"7FE00008": 32, "7FE00009": 64}
_SUBSAMPLED: Final = {"YBR_FULL_422": 2, "YBR_PARTIAL_422": 2, "YBR_PARTIAL_420": 1.5}
"""Samples per pixel of native Pixel Data whose chrominance is subsampled (PS3.3 C.7.6.3.1.2)."""
_NEAR: Final = 64
_FAR: Final = 8192


@dataclass(frozen=True, slots=True)
class Fragments:
    """The Items of one encapsulated value."""

    first: int
    """Offset of the first Item header, which is that of the Basic Offset Table."""
    end: int
    """Offset of the Sequence Delimitation Item, or of the end of the file when it is missing."""
    after: int
    """Offset behind the Sequence Delimitation Item."""
    table: Bulk
    """The value of the first Item: the Basic Offset Table, often empty."""
    spans: array[int]
    """Offset and length of the value of each following Item, in pairs."""
    starts: bytearray
    """For each: 1 when it begins as a code stream does."""
    closed: bool
    """False when the file ends without Sequence Delimitation Item."""

    def __len__(self) -> int:
        return len(self.starts)


def _starts_stream(head: bytes) -> bool:
    """Whether bytes begin a JPEG, JPEG-LS, JPEG 2000, HTJ2K or JPEG XL code stream (or its container)."""
    return head.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0c"))


def _starts_rle(head: bytes) -> bool:
    """Whether bytes begin an RLE frame: 1 to 15 segments, the first directly behind the header (PS3.5 §G.5)."""
    return len(head) == 8 and head[4:] == b"\x40\0\0\0" and 1 <= head[0] <= 15 and head[1:4] == b"\0\0\0"


def fragments(source: Source, offset: int, tag: str, transfer_syntax_uid: str, max_bytes: int) -> Fragments:
    """Walk over the Items from the one at the offset to the Sequence Delimitation Item.

    Reads the headers alone, and 8 bytes behind each.

    Raises
    ------
    CannotUnderstand
        The value ends within an Item, or something else stands where an Item should.
    OutOfResources
        There are so many Items that their headers go beyond `max_header_bytes`.
    """
    starts_stream = _starts_rle if transfer_syntax_uid == RLE_LOSSLESS else _starts_stream
    size = source.size
    read_at = source.read_at
    unpack = struct.Struct("<4sL").unpack_from
    spans: array[int] = array("Q")
    starts = bytearray()
    table: Bulk | None = None
    most = max_bytes // FRAGMENT_COST
    window, base, at = b"", offset, offset
    step = _NEAR
    where = f"Pixel Data ({tag[:4]},{tag[4:]})"
    while True:
        if at + 16 > base + len(window):
            window, base = read_at(at, step), at
        if len(window) - (at - base) < 8:
            if at >= size and table is not None:
                return Fragments(offset, size, size, table, spans, starts, closed=False)
            raise CannotUnderstand(f"The file is truncated: it ends at offset {size} within {where}.")
        mark, length = unpack(window, at - base)
        if mark != _ITEM:
            if mark != _END:
                raise CannotUnderstand(f"At offset {at} within {where} there is no Item and no end of the Items.")
            if table is None:
                table = Bulk(at, 0, "OB")
            return Fragments(offset, at, at + 8, table, spans, starts, closed=True)
        value = at + 8
        if length > size - value:
            raise CannotUnderstand(
                f"The file is truncated: an Item of {where} at offset {at} declares {length} bytes,"
                f" {max(0, size - value)} are there."
            )
        if table is None:
            table = Bulk(value, length, "OB")
        else:
            if len(starts) >= most:
                raise OutOfResources(
                    f"{where} has more than {most} fragments: their headers go beyond max_header_bytes ({max_bytes})."
                )
            spans.append(value)
            spans.append(length)
            starts.append(length >= 2 and starts_stream(window[value - base : min(value + 8, value + length) - base]))
        # Small Items come many to a read; large ones by a read of a few bytes each.
        step = _NEAR if length > _FAR else _FAR
        at = value + length


def native(tag: str, bulk: Bulk, attributes: Attributes) -> PixelData:
    """Return the frames of Pixel Data, Float Pixel Data or Double Float Pixel Data that is not encapsulated."""

    def made(frames: int, bits: int, problem: str | None) -> PixelData:
        return PixelData(tag, bulk.vr, bulk.offset, bulk.length, False, frames, frame_bits=bits, problem=problem)

    rows, columns = _integer(attributes, "00280010"), _integer(attributes, "00280011")
    allocated = _FLOAT_BITS.get(tag) or _integer(attributes, "00280100")
    for number, name in ((rows, "Rows"), (columns, "Columns"), (allocated, "Bits Allocated")):
        if not number:
            what = "missing or not a number" if number is None else "0"
            return made(0, 0, f"{name} is {what}: the frames can not be told apart.")
    assert rows
    assert columns
    assert allocated
    declared = number_of_frames(attributes)
    samples = _integer(attributes, "00280002") or 1
    bits = rows * columns * samples * allocated
    bytes_there = bulk.length
    subsampled = _SUBSAMPLED.get(_string(attributes, "00280004"))
    if subsampled and samples == 3 and bytes_there * 8 < bits * declared:
        # Many writers name a subsampled interpretation and write all samples; these really left some out.
        bits = int(rows * columns * subsampled) * allocated
    whole = bytes_there * 8 // bits
    if whole >= declared:
        return made(declared, bits, None)
    return made(
        whole, bits, f"Pixel Data has {bytes_there} bytes: {whole} whole frames of {bits // 8} bytes, not {declared}."
    )


def encapsulated(
    source: Source,
    items: Fragments,
    *,
    tag: str,
    vr: str,
    attributes: Attributes,
    extended: Bulk | None,
    syntax: TransferSyntax,
    remark: Callable[[str], None],
) -> PixelData:
    """Return the frames of encapsulated Pixel Data.

    Parameters
    ----------
    extended
        Extended Offset Table (7FE0,0001), when it is there together with its lengths (7FE0,0002).
    remark
        Is told of offset tables that do not hold true.
    """
    declared = number_of_frames(attributes)
    count = len(items)

    def made(frames: int, spans: array[int], problem: str | None = None) -> PixelData:
        return PixelData(
            tag,
            vr,
            items.first,
            items.end - items.first,
            True,
            frames,
            spans=spans,
            video=syntax.video,
            problem=problem,
        )

    if not items.closed:
        remark("the Sequence Delimitation Item is missing")
    if count == 0:
        return made(0, array("Q"), "Pixel Data has no fragments.")
    if syntax.video or declared == 1:
        return made(declared, _joined(items, [0]))
    offsets = _table(source, items, extended, declared)
    firsts = None if offsets is None else _first_fragments(items, offsets)
    if offsets is not None and firsts is None:
        remark("the offset table does not point to the fragments")
    if count == declared:
        return made(declared, items.spans)
    if firsts is not None:
        return made(declared, _joined(items, firsts))
    if count < declared:
        return made(count, items.spans, f"Pixel Data has {count} fragments, fewer than its {declared} frames.")
    for found in (_by_start(items), _by_end(source, items)):
        if len(found) == declared:
            return made(declared, _joined(items, found))
    return made(
        0,
        array("Q"),
        f"Pixel Data has {count} fragments for {declared} frames, and nothing tells where a frame begins.",
    )


def number_of_frames(attributes: Attributes) -> int:
    """Return Number of Frames (0028,0008); 1 when it is missing, empty or invalid."""
    return max(1, _integer(attributes, "00280008") or 1)


def _joined(items: Fragments, firsts: list[int]) -> array[int]:
    """Return the spans of frames that begin at these fragments."""
    spans: array[int] = array("Q")
    count = len(items)
    for number, first in enumerate(firsts):
        last = (firsts[number + 1] if number + 1 < len(firsts) else count) - 1
        # A last fragment without bytes is padding of some writers.
        while last > first and items.spans[2 * last + 1] == 0:
            last -= 1
        start, length = items.spans[2 * first], items.spans[2 * first + 1]
        if last > first:
            start -= 8
            length = (items.spans[2 * last] + items.spans[2 * last + 1] - start) | MULTI_FRAGMENT
        spans.append(start)
        spans.append(length)
    return spans


def _table(source: Source, items: Fragments, extended: Bulk | None, declared: int) -> array[int] | None:
    """Return the offsets that a table gives, from the first fragment's Item header; None when there is none."""
    for bulk, code, size in ((items.table, "I", 4), *(((extended, "Q", 8),) if extended else ())):
        if bulk.length == 0:
            continue
        # Some writers add the end as one more offset. More frames than fragments can not be, and are not read.
        if bulk.length not in (declared * size, declared * size + size) or declared > len(items):
            return array("Q")
        raw = source.read_at(bulk.offset, declared * size)
        return array("Q", struct.unpack(f"<{declared}{code}", raw))
    return None


def _first_fragments(items: Fragments, offsets: array[int]) -> list[int] | None:
    """Return the fragments that the offsets point to; None when the table does not hold true."""
    if not offsets or offsets[0] != 0:
        return None
    firsts = []
    wanted: Iterator[int] = iter(offsets)
    origin = items.spans[0]
    offset = next(wanted, None)
    for number, start in enumerate(items.spans[::2]):
        if offset is None:
            break
        if start - origin == offset:
            firsts.append(number)
            offset = next(wanted, None)
    return firsts if offset is None else None


def _by_start(items: Fragments) -> list[int]:
    """Return the fragments that begin a code stream."""
    found = [number for number, start in enumerate(items.starts) if start]
    return found if found and found[0] == 0 else []


def _by_end(source: Source, items: Fragments) -> list[int]:
    """Return the fragments that come first or behind one that ends a code stream.

    Of use where thumbnails or fragments that happen to look like a start mislead.
    """
    found = [0]
    for number in range(len(items) - 1):
        offset, length = items.spans[2 * number], items.spans[2 * number + 1]
        tail = source.read_at(offset + max(0, length - 4), min(4, length)).rstrip(b"\0")
        if tail.endswith(b"\xff\xd9"):  # EOI of JPEG, EOC of JPEG 2000
            found.append(number + 1)
    return found


def _integer(attributes: Attributes, tag: str) -> int | None:
    value = _first(attributes, tag)
    return value if isinstance(value, int) and 0 <= value < 1 << 48 else None


def _string(attributes: Attributes, tag: str) -> str:
    value = _first(attributes, tag)
    return value if isinstance(value, str) else ""


def _first(attributes: Attributes, tag: str) -> Any:
    values = (attributes.get(tag) or {}).get("Value")
    return values[0] if values else None

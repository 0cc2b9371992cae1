"""One pass over an encoded data set — PS3.5 chapter 7 — straight to the DICOM JSON Model.

The loop in `read` is the hottest code of a store, so it is one function with two paths. The straight one is for
elements of the standard dictionary that have a ``Value``: unpack the header, look up two tables, decode. The odd
one is for all else: Sequences (a stack, not recursion), binary and bulk values, private and unknown elements, and
what the field makes of the standard (`part10_odd`).

Positions are offsets in the window `buf`, which begins at `base` of the source; it moves on when a header or value
does not fit. Values of bulk data are never read. Memory is that of the window and of the result.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.standard import dictionary, frames
from skiagraph.standard.charsets import CharacterSet, character_set
from skiagraph.standard.dicom_json import LENGTH_32, WORDS, Decoder, WrongLength, decoder_table, inline_binary, swapped
from skiagraph.standard.header import Bulk, Source
from skiagraph.standard.part10_odd import (
    UNDEFINED,
    VRS,
    Remarks,
    Trailer,
    explicit_header,
    known_vr,
    looks_explicit,
    settle_signs,
    terms_of,
)
from skiagraph.values import Attributes

ELEMENT_COST: Final = 64
"""What one element, or one more value of a text, counts against `max_header_bytes` beside its bytes: short ones
need much more memory here than in the file."""

FIRST_WINDOW: Final = 1 << 16
_LARGEST_WINDOW: Final = 1 << 20

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_ITEM_TAGS: Final = frozenset({_ITEM, _ITEM_END, _SEQUENCE_END})
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002})
_CHARACTER_SET: Final = 0x00080005
_DIRECTORY_RECORDS: Final = "00041220"
"""Directory Record Sequence: tools that drop its offsets leave the lengths as they were."""
_BEHIND: Final = "there are bytes behind the end of the data set"
_NOT_ASCENDING: Final = "elements are not in ascending order, or one is there twice"

_Entry: TypeAlias = tuple[str, Decoder, bool, dict[bytes, dict[str, Any]]]
_LITTLE: Final[dict[str, _Entry]] = {name: (*entry, {}) for name, entry in decoder_table(big_endian=False).items()}
_BIG: Final[dict[str, _Entry]] = {name: (*entry, {}) for name, entry in decoder_table(big_endian=True).items()}
"""VR → (VR, decoder, whether a long value may be bulk data, attributes of values met before).

The Instances of a Series say nearly the same: what was decoded once is not decoded again. Attributes are shared
between data sets, so nobody may change one in place.
"""
_REMEMBERED_BYTES: Final = 64
"""Longest value that is remembered."""
_REMEMBERED_VALUES: Final = 8192
"""Most values that are remembered for a VR."""
_SHORT_LITTLE: Final = {vr.encode(): entry for vr, entry in _LITTLE.items() if vr not in LENGTH_32}
_SHORT_BIG: Final = {vr.encode(): entry for vr, entry in _BIG.items() if vr not in LENGTH_32}
_TEXTS: Final = {
    tag: f"{tag:08X}"
    for tag in dictionary.standard_vrs()
    if tag & 0xFFFF and tag >= 0x00080000 and tag not in _PIXELS | _ITEM_TAGS and tag != _CHARACTER_SET
}
"""Tags of the straight path, as text."""
_IMPLICIT: Final = {tag: _LITTLE[vr] for tag, vr in dictionary.standard_vrs().items() if vr in _LITTLE}


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that a reading obeys."""

    bulkdata_threshold: int
    max_header_bytes: int
    max_inflated_bytes: int
    max_sequence_depth: int
    default_character_set: str


@dataclass(slots=True)
class PixelElement:
    """Top-level Pixel Data as it was met."""

    tag: str
    bulk: Bulk
    fragments: frames.Fragments | None


@dataclass(slots=True)
class Result:
    """What `read` found."""

    attributes: Attributes
    bulkdata: dict[str, Bulk] = field(default_factory=dict)
    pixels: PixelElement | None = None
    offset_tables: dict[int, Bulk] = field(default_factory=dict)
    """Extended Offset Table and its lengths, by tag, wherever their values went."""


@dataclass(slots=True)
class _Sequence:
    """A Sequence whose Items are being read, and the state of the data set around it."""

    text: str
    items: list[Attributes]
    end: int | None
    """Offset in the source; None when of undefined length."""
    explicit: bool
    big_endian: bool
    data_set: Attributes
    data_set_end: int
    data_set_open: bool
    last: int
    shuffled: bool
    charset: CharacterSet
    data_set_explicit: bool
    data_set_big_endian: bool


def ascending(data_set: Attributes) -> Attributes:
    return {tag: data_set[tag] for tag in sorted(data_set)}


def _attribute(
    name: str, decode: Decoder, raw: bytes, charset: CharacterSet, notes: list[str]
) -> dict[str, Any] | None:
    """Decode a value that is not empty; None when its length is none that the VR can have."""
    try:
        values = decode(raw, charset, notes)
    except WrongLength:
        return None
    return {"vr": name, "Value": values} if values else {"vr": name}


def read(
    source: Source,
    start: int,
    *,
    explicit: bool,
    big_endian: bool,
    transfer_syntax_uid: str,
    limits: Limits,
    remarks: Remarks,
    window: tuple[int, bytes] = (0, b""),
) -> Result:
    """Read the data set that begins at the offset and ends with the source.

    Parameters
    ----------
    window
        Offset and bytes of a part of the source that has been read already.

    Raises
    ------
    CannotUnderstand
        The data set is truncated, its structure can not be followed, or it is nested deeper than
        `max_sequence_depth`.
    OutOfResources
        It has more than `max_header_bytes` outside its bulk data.
    """
    size = source.size
    threshold = limits.bulkdata_threshold
    result = Result({})
    bulkdata = result.bulkdata
    texts, implicit = _TEXTS, _IMPLICIT
    explicit_little, explicit_big = struct.Struct("<HH2sH").unpack_from, struct.Struct(">HH2sH").unpack_from
    implicit_little, implicit_big = struct.Struct("<HHL").unpack_from, struct.Struct(">HHL").unpack_from
    swaps = big_endian  # bulk data that is read by its VR
    short = _SHORT_BIG if big_endian else _SHORT_LITTLE
    unpack = explicit_big if big_endian else explicit_little
    trailer = Trailer(source)

    base, buf = window
    if not base <= start <= base + len(buf):
        base, buf = start, b""
    at = start - base
    filled = len(buf)
    need = 12
    step = FIRST_WINDOW
    skipped = elements = 0  # bytes of bulk data; elements of data sets that are complete, or were left out of order
    ordered_from = start

    # The data set that is being read, the Sequences around it, and whether the next thing is an Item.
    current: Attributes = {}
    end = size - base
    open_ended = shuffled = False
    last = -1
    charset = character_set((), limits.default_character_set)
    stack: list[_Sequence] = []
    at_items = False
    undecided: list[tuple[Attributes, str]] = []
    notes: list[str] = []

    def truncated(text: str, offset: int, length: int, there: int) -> NoReturn:
        raise CannotUnderstand(
            f"The file is truncated: ({text[:4]},{text[4:]}) at offset {offset} declares {length} bytes,"
            f" {max(0, there)} are there."
        )

    while True:
        if at + need > filled and base + filled < size:
            spent = base + at - start - skipped + ELEMENT_COST * (elements + len(current))
            if spent + need > limits.max_header_bytes:
                raise OutOfResources(
                    f"The data set has more outside its bulk data than max_header_bytes ({limits.max_header_bytes})"
                    f" allows: the limit is reached at offset {base + at}."
                )
            base += at
            end -= at
            at = 0
            buf = source.read_at(base, max(need, step)) if base < size else b""
            filled = len(buf)
            if filled < need and base + filled < size:
                raise CannotUnderstand(f"The file is truncated: it ends at offset {base + filled}.")
            step = min(2 * step, _LARGEST_WINDOW)
            need = 12

        if at_items:
            sequence = stack[-1]
            text = sequence.text
            if sequence.end is None or base + at < sequence.end:
                if at + 20 > filled and base + filled < size:
                    need = 20
                    continue
                if filled - at < 8:
                    truncated(text, base + at, 8, filled - at)
                group, element, length = (implicit_big if sequence.big_endian else implicit_little)(buf, at)
                tag = group << 16 | element
                if tag == _ITEM:
                    at += 8
                    open_ended = length == UNDEFINED
                    end = size - base if open_ended else at + length
                    if end > size - base:
                        if text != _DIRECTORY_RECORDS:
                            truncated(text, base + at, length, size - base - at)
                        remarks.add(text, "an Item is longer than the file")
                        end = size - base
                    current = {}
                    last = -1
                    shuffled = at_items = False
                    charset = sequence.charset
                    explicit, big_endian = sequence.explicit, sequence.big_endian
                    if end - at >= 8 and (buf[at + 4 : at + 6] in VRS) != explicit:
                        explicit = looks_explicit(buf[at : at + 8], end - at, big_endian=big_endian, declared=explicit)
                        if explicit != sequence.explicit:
                            remarks.add(text, "Items are in another VR encoding than the data set around them")
                    short = _SHORT_BIG if big_endian else _SHORT_LITTLE
                    unpack = explicit_big if big_endian else explicit_little
                    continue
                if tag == _ITEM_END:
                    remarks.add(text, "a delimiter stands where an Item should")
                    elements += 1
                    at += 8
                    continue
                if tag != _SEQUENCE_END:
                    raise CannotUnderstand(
                        f"The Sequence ({text[:4]},{text[4:]}) has something other than an Item at offset {base + at}."
                    )
                at += 8
            stack.pop()
            current = sequence.data_set
            current[text] = {"vr": "SQ", "Value": sequence.items} if sequence.items else {"vr": "SQ"}
            end, open_ended = sequence.data_set_end - base, sequence.data_set_open
            last, shuffled, charset = sequence.last, sequence.shuffled, sequence.charset
            explicit, big_endian = sequence.data_set_explicit, sequence.data_set_big_endian
            short = _SHORT_BIG if big_endian else _SHORT_LITTLE
            unpack = explicit_big if big_endian else explicit_little
            at_items = False
            continue

        if at >= end:
            if not stack:
                break
            text = stack[-1].text
            if open_ended:
                truncated(text, base + at, 8, 0)
            elements += len(current) + 1
            stack[-1].items.append(ascending(current) if shuffled else current)
            at_items = True
            continue

        try:
            if explicit:
                group, element, vr, length = unpack(buf, at)
                tag = group << 16 | element
                entry = short.get(vr)
            else:
                group, element, length = implicit_little(buf, at)
                tag = group << 16 | element
                entry = implicit.get(tag)
        except struct.error:
            if not stack and trailer.harmless(base + at, last):
                remarks.add("", _BEHIND)
                break
            raise CannotUnderstand(f"The file is truncated: it ends at offset {size} within an element.") from None
        known = texts.get(tag)
        begin = at + 8

        if entry is not None and known is not None:
            text = known
        elif entry is not None and group & 1 and element:
            text = f"{tag:08X}"
        else:
            # The odd path: it ends in `continue`, or with an `entry` that the straight path goes on with.
            text = f"{tag:08X}"
            there = size - base
            if tag in _ITEM_TAGS:
                if not stack or not open_ended:
                    if tag == _ITEM:
                        raise CannotUnderstand(f"An Item stands outside of a Sequence, at offset {base + at}.")
                    remarks.add(stack[-1].text if stack else "", "a delimiter stands where there is nothing to end")
                    elements += 1
                    at += 8
                    continue
                if tag == _ITEM_END:
                    at += 8
                else:
                    remarks.add(stack[-1].text, "an Item Delimitation Item is missing")
                elements += len(current) + 1
                stack[-1].items.append(ascending(current) if shuffled else current)
                at_items = True
                continue
            if not stack and trailer.begins(base + at, last, tag, buf[at : at + 8], explicit=explicit):
                remarks.add("", _BEHIND)
                break

            name: str | None = None
            foreign = False  # Implicit VR Little Endian, whatever is around
            if explicit:
                try:
                    name, header, length, remark = explicit_header(
                        buf, at, vr, length, big_endian=big_endian, remaining=there - at
                    )
                except struct.error:
                    if not stack and trailer.harmless(base + at, last):
                        remarks.add("", _BEHIND)
                        break
                    truncated(text, base + at, 12, there - at)
                if remark:
                    remarks.add(text, remark)
                begin = at + header
                foreign = name == "UN"
            if name is None or foreign:
                name, unsure = known_vr(tag, text, length, current, [level.data_set for level in stack])
                if unsure:
                    undecided.append((current, text))
                if foreign and length == UNDEFINED and (stack or tag not in _PIXELS):
                    name = "SQ"  # PS3.5 §6.2.2, Note 2
            if length == UNDEFINED:
                if name not in WORDS or name == "UN":
                    if name not in ("SQ", "UN") and explicit and not foreign:
                        raise CannotUnderstand(
                            f"({text[:4]},{text[4:]}) at offset {base + at} is of undefined length, which VR {name} can"
                            " not be."
                        )
                    name = "SQ"
                stop = begin
            else:
                stop = begin + length
                if stop > there:
                    if not stack and trailer.harmless(base + at, last):
                        remarks.add("", _BEHIND)
                        break
                    truncated(text, base + at, length, there - begin)
            if element == 0 or group in (0x0000, 0x0002):
                # Group Lengths say nothing, and groups 0000 and 0002 are no part of a data set.
                if not any(buf[at : at + 8]):
                    raise CannotUnderstand(f"At offset {base + at} there are zeros where an element should be.")
                skipped += stop - begin
                elements += 1
                at = stop
                continue

            pixels = tag in _PIXELS and not stack
            if name == "SQ":
                wanted = begin + 8 if length else begin
            elif name in WORDS:
                wanted = begin if length > threshold or pixels else stop
            elif tag == _CHARACTER_SET:
                wanted = stop
            else:
                wanted = begin
            if wanted > filled and base + filled < size:
                need = wanted - at
                continue

            if name == "SQ":
                foreign_or_little = foreign or not big_endian
                if length == UNDEFINED or buf[begin : begin + 2] == (b"\xfe\xff" if foreign_or_little else b"\xff\xfe"):
                    if len(stack) >= limits.max_sequence_depth:
                        raise CannotUnderstand(
                            f"At offset {base + at} Sequences are nested deeper than max_sequence_depth"
                            f" ({limits.max_sequence_depth}) allows."
                        )
                    if tag <= last:
                        shuffled = True
                        elements += min(len(current), (base + at - skipped - ordered_from) // 8)
                        ordered_from = base + at - skipped
                        remarks.add(text, _NOT_ASCENDING)
                    stack.append(
                        _Sequence(
                            text=text,
                            items=[],
                            end=None if length == UNDEFINED else base + stop,
                            explicit=explicit and not foreign,
                            big_endian=not foreign_or_little,
                            data_set=current,
                            data_set_end=base + end,
                            data_set_open=open_ended,
                            last=tag,
                            shuffled=shuffled,
                            charset=charset,
                            data_set_explicit=explicit,
                            data_set_big_endian=big_endian,
                        )
                    )
                    at_items = True
                    at = begin
                    continue
                if length == 0:
                    current[text] = {"vr": "SQ"}
                elif stop > filled and length <= threshold:
                    need = stop - at
                    continue
                else:
                    remarks.add(text, "a Sequence holds no Items; kept as UN")
                    name = "UN"

            if name in WORDS or (foreign and big_endian and length > threshold and _LITTLE[name][2]):
                if length == 0:
                    current[text] = {"vr": name}
                elif pixels or length > threshold or length == UNDEFINED:
                    fragments = None
                    if length == UNDEFINED:
                        fragments = frames.fragments(
                            source, base + begin, text, transfer_syntax_uid, limits.max_header_bytes
                        )
                        length = fragments.end - base - begin
                        stop = fragments.after - base
                    # UN among big endian elements is little endian, and so is all in it: nobody is to swap that.
                    stored = "UN" if (foreign and big_endian) or (swaps and not big_endian) else name
                    bulk = Bulk(base + begin, length, stored, fragments is not None)
                    if pixels:
                        result.pixels = PixelElement(text, bulk, fragments)
                        bulkdata["pixeldata"] = bulk
                        current[text] = {"vr": name, "BulkDataURI": "pixeldata"}
                    else:
                        key = "".join(f"{level.text}/{len(level.items)}/" for level in stack) + text
                        bulkdata[key] = bulk
                        current[text] = {"vr": name, "BulkDataURI": f"bulkdata/{key}"}
                    skipped += stop - begin
                else:
                    raw = buf[begin:stop]
                    if big_endian and not foreign:
                        raw = swapped(raw, WORDS[name])
                    current[text] = {"vr": name, "InlineBinary": inline_binary(raw)}
                if tag in _OFFSET_TABLES and not stack:
                    result.offset_tables[tag] = Bulk(base + begin, length, name)
                entry = None
            elif name != "SQ":
                entry = (_BIG if big_endian and not foreign else _LITTLE)[name]
                if tag == _CHARACTER_SET:
                    charset = character_set(terms_of(buf[begin:stop]), limits.default_character_set)
                    if charset.remark:
                        remarks.add(text, charset.remark)

        if entry is not None:
            name, decode, may_be_bulk, met_before = entry
            stop = begin + length
            if length == 0:
                current[text] = {"vr": name}
            elif may_be_bulk and length > threshold:
                if stop > size - base:
                    truncated(text, base + at, length, size - base - begin)
                key = "".join(f"{level.text}/{len(level.items)}/" for level in stack) + text
                bulkdata[key] = Bulk(base + begin, length, "UN" if swaps and not big_endian else name)
                current[text] = {"vr": name, "BulkDataURI": f"bulkdata/{key}"}
                skipped += length
            else:
                if stop > filled:
                    if stop > size - base:
                        if not stack and trailer.harmless(base + at, last):
                            remarks.add("", _BEHIND)
                            break
                        truncated(text, base + at, length, size - base - begin)
                    need = stop - at
                    continue
                if length > FIRST_WINDOW:
                    elements += buf.count(b"\\", begin, stop)
                    if ELEMENT_COST * elements > limits.max_header_bytes:
                        raise OutOfResources(
                            f"({text[:4]},{text[4:]}) has more values than max_header_bytes ({limits.max_header_bytes})"
                            " allows."
                        )
                raw = buf[begin:stop]
                attribute = met_before.get(raw) if length <= _REMEMBERED_BYTES else None
                if attribute is None:
                    attribute = _attribute(name, decode, raw, charset, notes)
                    if attribute is None:
                        remarks.add(text, f"{length} bytes are not a whole number of values of VR {name}; kept as UN")
                        attribute = {"vr": "UN", "InlineBinary": inline_binary(raw)}
                    elif notes:
                        for note in notes:
                            remarks.add(text, note)
                        notes.clear()
                    elif length <= _REMEMBERED_BYTES and raw.isascii() and b"\x1b" not in raw:
                        # These bytes say the same in every character set.
                        if len(met_before) >= _REMEMBERED_VALUES:
                            met_before.clear()
                        met_before[raw] = attribute
                current[text] = attribute
        if tag <= last:
            shuffled = True
            elements += min(len(current), (base + at - skipped - ordered_from) // 8)
            ordered_from = base + at - skipped
            remarks.add(text, _NOT_ASCENDING)
        last = tag
        at = stop

    result.attributes = ascending(current) if shuffled else current
    settle_signs(undecided, result.attributes)
    return result

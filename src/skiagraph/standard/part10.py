"""The DICOM file format — PS3.10 chapter 7: preamble, prefix, File Meta Information and a data set, to a `Header`.

Takes bare data sets too, and files whose meta information is missing, incomplete or wrong: what it does not say is
found out from the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import dictionary, frames, part10_dataset
from skiagraph.standard.charsets import character_set
from skiagraph.standard.dicom_json import LENGTH_32, WORDS, WrongLength, decoder_table, inline_binary
from skiagraph.standard.header import Header, PixelData, Source
from skiagraph.standard.part10_dataset import FIRST_WINDOW, Limits
from skiagraph.standard.part10_inflate import InflatedSource
from skiagraph.standard.part10_odd import UNDEFINED, VRS, Remarks, looks_explicit
from skiagraph.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from skiagraph.standard.transfer_syntaxes import get as transfer_syntax
from skiagraph.values import Attributes, is_uid

_PREAMBLE: Final = 128
_PREFIX: Final = b"DICM"
_LARGEST_META: Final = 1 << 20
_LITTLE: Final = decoder_table(big_endian=False)
_ASCII: Final = character_set(())
_TRANSFER_SYNTAX_UID: Final = "00020010"
_NATIVE: Final = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
"""Transfer Syntaxes that differ in nothing but how elements are written, which the bytes show."""
_COMMAND: Final = b"\0\0\0\0\4\0\0\0"
"""Command Group Length (0000,0000) in Implicit VR Little Endian."""
_FIRST_GROUPS: Final = frozenset({0x0002, 0x0004, 0x0008, 0x0010, 0x0018, 0x0020})
"""With one of these a file without prefix begins, if it is DICOM."""


class BytesSource:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


@dataclass(slots=True)
class _Start:
    """What stands before the data set."""

    dataset_offset: int
    has_preamble: bool
    meta: Attributes = field(default_factory=dict)
    transfer_syntax_uid: str = ""


def read(
    source: Source,
    *,
    bulkdata_threshold: int = 1024,
    max_header_bytes: int = 256 * 2**20,
    max_inflated_bytes: int = 2 * 2**30,
    max_sequence_depth: int = 200,
    default_character_set: str = "",
) -> Header:
    """Read a file, all but its bulk data; parameters are the settings of the same names.

    Raises
    ------
    CannotUnderstand
        It is no DICOM, truncated, or can not be followed; the message says where.
    OutOfResources
        A limit is exceeded; the message names the setting.
    """
    limits = Limits(bulkdata_threshold, max_header_bytes, max_inflated_bytes, max_sequence_depth, default_character_set)
    remarks = Remarks()
    window = source.read_at(0, FIRST_WINDOW)
    start = _start(source, window, remarks)
    syntax = transfer_syntax(start.transfer_syntax_uid or EXPLICIT_VR_LITTLE_ENDIAN)
    base = 0
    if syntax.deflated and start.transfer_syntax_uid:
        source = _plain(source, start, limits, remarks)
        base, window = start.dataset_offset, b""
    head = _bytes(source, base, window, start.dataset_offset, 16)
    explicit, big_endian = _encoding(head, start, syntax, source.size - start.dataset_offset, remarks)
    if not start.transfer_syntax_uid:
        syntax = transfer_syntax(_native(explicit, big_endian))
        remarks.add("", f"no Transfer Syntax UID; the bytes are {syntax.name}")
    as_declared = (explicit, big_endian) == (not syntax.implicit_vr, syntax.big_endian)
    if not as_declared and syntax.uid in _NATIVE:
        syntax = transfer_syntax(_native(explicit, big_endian))
    found = part10_dataset.read(
        source,
        start.dataset_offset,
        explicit=explicit,
        big_endian=big_endian,
        transfer_syntax_uid=syntax.uid,
        limits=limits,
        remarks=remarks,
        window=(base, window),
    )
    if not found.attributes:
        raise CannotUnderstand("The file has no data set: there is no element behind its File Meta Information.")
    pixel_data = _pixel_data(source, found, syntax, remarks)
    encapsulated = pixel_data is not None and pixel_data.encapsulated
    return Header(
        transfer_syntax_uid=syntax.uid,
        dataset_offset=start.dataset_offset,
        # Without a Transfer Syntax UID, or with a wrong one, nobody could read it: it goes out with the right one.
        has_preamble=start.has_preamble and (bool(start.transfer_syntax_uid) or encapsulated) and as_declared,
        meta=start.meta,
        attributes=found.attributes,
        bulkdata=found.bulkdata,
        pixel_data=pixel_data,
        warnings=remarks.texts(),
    )


def dataset_offset(source: Source) -> int:
    """Return where the data set begins in a file of which at least the first MiB is there; never fails.

    The same as `Header.dataset_offset` where the file can be read; 0 for what is no DICOM.
    """
    try:
        return _start(source, source.read_at(0, FIRST_WINDOW), Remarks()).dataset_offset
    except CannotUnderstand:
        return 0


def plain(source: Source, header: Header, *, max_inflated_bytes: int) -> Source:
    """Return the stream that the offsets in a header count in: the file itself, or its inflated form.

    Raises
    ------
    CannotUnderstand, OutOfResources
        As `read` does, for a deflated data set.
    """
    if transfer_syntax(header.transfer_syntax_uid).deflated:
        return InflatedSource(source, header.dataset_offset, max_inflated_bytes)
    return source


def _plain(source: Source, start: _Start, limits: Limits, remarks: Remarks) -> Source:
    inflated = InflatedSource(source, start.dataset_offset, limits.max_inflated_bytes)
    if inflated.trailing > 1:
        remarks.add("", "there are bytes behind the deflated data set")
    return inflated


def _native(explicit: bool, big_endian: bool) -> str:
    if not explicit:
        return IMPLICIT_VR_LITTLE_ENDIAN
    return EXPLICIT_VR_BIG_ENDIAN if big_endian else EXPLICIT_VR_LITTLE_ENDIAN


def _bytes(source: Source, base: int, window: bytes, offset: int, length: int) -> bytes:
    at = offset - base
    return window[at : at + length] if 0 <= at <= len(window) - length else source.read_at(offset, length)


def _pixel_data(
    source: Source, found: part10_dataset.Result, syntax: TransferSyntax, remarks: Remarks
) -> PixelData | None:
    pixels = found.pixels
    if pixels is None:
        return None
    if pixels.fragments is None:
        return frames.native(pixels.tag, pixels.bulk, found.attributes)
    offsets, lengths = found.offset_tables.get(0x7FE00001), found.offset_tables.get(0x7FE00002)
    return frames.encapsulated(
        source,
        pixels.fragments,
        tag=pixels.tag,
        vr=pixels.bulk.vr,
        attributes=found.attributes,
        extended=offsets if offsets and lengths and offsets.length == lengths.length else None,
        syntax=syntax,
        remark=lambda text: remarks.add(pixels.tag, text),
    )


# Before the data set


def _start(source: Source, window: bytes, remarks: Remarks) -> _Start:
    """Take preamble, prefix, File Meta Information and a command group apart.

    Raises
    ------
    CannotUnderstand
        This is no DICOM.
    """
    size = source.size
    prefix = window[_PREAMBLE : _PREAMBLE + 4] == _PREFIX
    # The prefix can also be part of a value, in a bare data set.
    if prefix and (window[_PREAMBLE + 4 : _PREAMBLE + 6] == b"\2\0" or not _begins_data_set(window, 0)):
        start = _Start(_PREAMBLE + 4, True)
    else:
        start = _Start(_bare(window), False)
        remarks.add("", "the preamble is missing")
    if start.dataset_offset >= size:
        raise CannotUnderstand("The file has no data set: it ends behind its preamble.")
    _read_meta(source, window, start, remarks)
    if start.dataset_offset >= size:
        raise CannotUnderstand("The file has no data set: it ends behind its File Meta Information.")
    head = _bytes(source, 0, window, start.dataset_offset, 12)
    if head[:8] == _COMMAND:
        # A command (PS3.7) in Implicit VR Little Endian that somebody left before the data set.
        (length,) = struct.unpack_from("<L", head.ljust(12, b"\0"), 8)
        if 12 + length < size - start.dataset_offset:
            start.dataset_offset += 12 + length
            remarks.add("", "a command group stands before the data set")
    return start


def _bare(window: bytes) -> int:
    """Return where a file without preamble begins: behind the prefix, at once, or behind one stray byte.

    The stray byte is padding of File Meta Information that somebody cut off.

    Raises
    ------
    CannotUnderstand
        This is no DICOM.
    """
    for at in (4,) if window.startswith(_PREFIX) else (0, 1):
        if _begins_data_set(window, at):
            return at
    raise CannotUnderstand(
        "This is no DICOM: there is neither the prefix DICM at byte 128, nor do the first bytes begin a data set."
        if window
        else "This is no DICOM: it is empty."
    )


def _begins_data_set(window: bytes, at: int) -> bool:
    """Whether an element of the standard with which a data set may begin stands here, in any encoding."""
    if len(window) < at + 8:
        return False
    if window[at : at + 8] == _COMMAND:
        return True
    for order in ("<", ">"):
        group, element, length = struct.unpack_from(order + "HHL", window, at)
        plausible = window[at + 4 : at + 6] in VRS or (order == "<" and (length <= 0x10000 or length == UNDEFINED))
        known = element == 0 or dictionary.vr_of(group << 16 | element) is not None
        if plausible and (group in _FIRST_GROUPS and known):
            return True
    return False


def _read_meta(source: Source, window: bytes, start: _Start, remarks: Remarks) -> None:
    """Read group 0002, always Explicit VR Little Endian; its Group Length is not relied on, as it is often wrong."""
    at = start.dataset_offset
    declared_end = -1
    meta: dict[str, dict[str, Any]] = {}
    while True:
        if at + 8 > len(window) and len(window) < min(source.size, _LARGEST_META):
            window = source.read_at(0, _LARGEST_META)
        if at + 8 > len(window):
            break
        group, element, vr, length = struct.unpack_from("<HH2sH", window, at)
        if group != 0x0002:
            break
        if at == declared_end and transfer_syntax(start.transfer_syntax_uid).deflated:
            break  # deflated bytes may look like anything
        text = f"0002{element:04X}"
        begin = at + 8
        name = VRS.get(vr)
        if name is None:
            name = dictionary.vr_of(0x00020000 | element) or "UN"
            (length,) = struct.unpack_from("<L", window, at + 4)
            remarks.add(text, "the VR is missing, as in Implicit VR")
        elif name in LENGTH_32:
            if at + 12 > len(window):
                raise CannotUnderstand("The file is truncated: it ends within its File Meta Information.")
            (length,) = struct.unpack_from("<L", window, at + 8)
            begin += 4
        stop = begin + length
        if length == UNDEFINED or stop > source.size:
            raise CannotUnderstand(
                f"The file is truncated: (0002,{element:04X}) at offset {at} declares {length} bytes,"
                f" {source.size - begin} are there."
            )
        if stop > len(window):
            if stop > _LARGEST_META:
                raise CannotUnderstand(f"File Meta Information is larger than {_LARGEST_META} bytes.")
            window = source.read_at(0, _LARGEST_META)
        raw = window[begin:stop]
        if element == 0:
            declared_end = stop + int.from_bytes(raw[:4], "little")
        else:
            meta[text] = _meta_attribute(name, raw, text, remarks)
            if text == _TRANSFER_SYNTAX_UID:
                uid = (meta[text].get("Value") or [""])[0]
                if isinstance(uid, str) and is_uid(uid):
                    start.transfer_syntax_uid = uid
        at = stop
    if declared_end not in (-1, at):
        remarks.add("00020000", "the Group Length is wrong")
    start.meta = {text: meta[text] for text in sorted(meta)}
    start.dataset_offset = at


def _meta_attribute(name: str, raw: bytes, text: str, remarks: Remarks) -> dict[str, Any]:
    if not raw:
        return {"vr": name}
    if name in _LITTLE:
        notes: list[str] = []
        try:
            values = _LITTLE[name][1](raw, _ASCII, notes)
        except WrongLength:
            name = "UN"
        else:
            for note in notes:
                remarks.add(text, note)
            return {"vr": name, "Value": values} if values else {"vr": name}
    return {"vr": name if name in WORDS else "UN", "InlineBinary": inline_binary(raw)}


def _encoding(
    head: bytes, start: _Start, syntax: TransferSyntax, remaining: int, remarks: Remarks
) -> tuple[bool, bool]:
    """Return whether the data set is in Explicit VR, and in big endian order: as declared, unless the bytes differ."""
    declared = bool(start.transfer_syntax_uid)
    explicit, big_endian = not syntax.implicit_vr, syntax.big_endian
    if len(head) < 8:
        return explicit, big_endian
    orders = ("<HH", ">HH")
    tag, turned = (
        group << 16 | element
        for group, element in (struct.unpack_from(orders[big_endian ^ flip], head) for flip in (0, 1))
    )
    if dictionary.vr_of(tag) is None and dictionary.vr_of(turned) is not None:
        big_endian = not big_endian
        if declared:
            remarks.add("", "the byte order is not that of the Transfer Syntax UID")
    if not declared:
        return head[4:6] in VRS, big_endian
    looks = looks_explicit(head[:8], remaining, big_endian=big_endian, declared=explicit)
    if looks != explicit:
        remarks.add("", f"the data set is in {'Explicit' if looks else 'Implicit'} VR, not as its Transfer Syntax UID")
    return looks, big_endian

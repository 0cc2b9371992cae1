"""A PS3.10 file out of the DICOM JSON Model: Explicit VR Little Endian, in pieces — PS3.10 §7.1, PS3.5 §6.2, §7, A.4.

What is in the metadata comes out as bytes; bulk data only as spans of what is stored elsewhere, so that a file of any
size takes no more memory than its metadata. Sequences and Items have undefined length. Text is UTF-8, and Specific
Character Set says so where it is not ASCII.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, TypeAlias

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import dictionary, file_meta
from skiagraph.standard.explicit_writer import header
from skiagraph.standard.header import Source
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that lie in a source."""

    source: Source
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """The value of an element that the metadata only refers to."""

    spans: tuple[Span, ...]
    """Native: they follow each other without gaps. Encapsulated: one for each frame, or one for a whole video."""
    encapsulated: bool = False


Piece: TypeAlias = bytes | Span
Resolve: TypeAlias = Callable[[str, Mapping[str, Any], int], Bulk]
"""Tag, element that has a BulkDataURI, depth of its Item (0: the data set) → its value.

Raises CannotUnderstand when there is none. Only Pixel Data at depth 0 may be encapsulated."""

_CHARACTER_SET: Final = "00080005"
_UTF_8: Final = {"vr": "CS", "Value": ["ISO_IR 192"]}
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_INTEGERS: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q"}
_FLOATS: Final = {"FL": "f", "FD": "d"}
_STRINGS: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI"})
_ONE_TEXT: Final = frozenset({"LT", "ST", "UR", "UT"})
_NUMBER_STRINGS: Final = frozenset({"DS", "IS"})
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_VRS: Final = frozenset({"AT", "PN", "SQ", *_INTEGERS, *_FLOATS, *_STRINGS, *_ONE_TEXT, *_NUMBER_STRINGS, *_BINARY})
_NUL_PADDED: Final = _BINARY | {"UI"}
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_OFFSET_TABLES: Final = frozenset({"7FE00001", "7FE00002", "7FE00003"})
_ITEM: Final = b"\xfe\xff\x00\xe0"
_OPEN_ITEM: Final = _ITEM + b"\xff\xff\xff\xff"
_CLOSE_ITEM: Final = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
_CLOSE_SEQUENCE: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_UNDEFINED: Final = 0xFFFFFFFF
_LONGEST: Final = 0xFFFFFFFE
_DECIMAL_CHARACTERS: Final = 16


def write(
    attributes: Attributes,
    resolve: Resolve,
    *,
    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN,
    max_sequence_depth: int = 200,
) -> Iterator[Piece]:
    """Return the pieces of a file, preamble and File Meta Information first, in the order in which they belong.

    All that can be wrong is found before the first piece comes.

    Parameters
    ----------
    attributes
        The data set; tags in any order and case. Groups 0000 and 0002 and Group Lengths are left out, as a file has
        its own or none.
    transfer_syntax_uid
        An encapsulated one where `resolve` gives encapsulated pixel data.

    Raises
    ------
    CannotUnderstand
        A value is not one of its VR, or too long, or a Sequence too deep. The message names the tag; so do `details`.
    """
    data_set = normalised(attributes)
    encoder = _Encoder(str.encode if _needs_utf_8(data_set) else _ascii, resolve, max_sequence_depth)
    try:
        pieces = encoder.encode(data_set)
    except _NotAscii:
        encoder = _Encoder(str.encode, resolve, max_sequence_depth)
        data_set[_CHARACTER_SET] = _UTF_8
        pieces = encoder.encode(dict(sorted(data_set.items())))
    meta = file_meta.write(
        {},
        transfer_syntax_uid=transfer_syntax_uid,
        sop_class_uid=_first(data_set, "00080016"),
        sop_instance_uid=_first(data_set, "00080018"),
    )
    return iter([meta, *pieces])


class _NotAscii(Exception):
    """Text needs a Specific Character Set."""


def _ascii(text: str) -> bytes:
    # ESC would be read as an escape sequence where the data set declares code extensions
    if not text.isascii() or "\x1b" in text:
        raise _NotAscii
    return text.encode("ascii")


def _needs_utf_8(attributes: Attributes) -> bool:
    """Whether the declared set is one in which ASCII is not ASCII: JIS X 0201 has a yen sign and an overline."""
    terms = attributes.get(_CHARACTER_SET, {}).get("Value")
    return isinstance(terms, list) and any(str(term).endswith(("13", "192")) for term in terms)


def _first(attributes: Attributes, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value")
    return str(values[0]) if isinstance(values, list) and values and values[0] is not None else ""


def normalised(attributes: Any) -> Attributes:
    """Return a data set with tags in upper case and order, without what belongs to none. Raises CannotUnderstand."""
    if not isinstance(attributes, dict):
        raise CannotUnderstand("A data set is not an object of the DICOM JSON Model.")
    found: Attributes = {}
    for tag, element in attributes.items():
        if not _TAG.fullmatch(tag):
            raise CannotUnderstand("A name in a data set is no tag of 8 hexadecimal digits.")
        tag = tag.upper()
        if tag[:4] in ("0000", "0002") or tag[4:] == "0000":
            continue
        if not isinstance(element, dict) or tag[:4] in ("FFFE", "FFFF"):
            raise _wrong(tag, "is no element of a data set")
        if tag in found:
            raise _wrong(tag, "is there twice")
        found[tag] = element
    return dict(sorted(found.items()))


def _wrong(tag: str, what: str) -> CannotUnderstand:
    return CannotUnderstand(f"({tag[:4]},{tag[4:]}) {what}.", details=(tag,))


class _Encoder:
    """Encodes one data set with its Items."""

    def __init__(self, text: Callable[[str], bytes], resolve: Resolve, max_depth: int) -> None:
        self._text = text
        self._resolve = resolve
        self._max_depth = max_depth
        self._pieces: list[Piece] = []
        self._bytes = bytearray()

    def encode(self, attributes: Attributes) -> list[Piece]:
        self._data_set(attributes, 0)
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if self._bytes:
            self._pieces.append(bytes(self._bytes))
            self._bytes.clear()

    def _data_set(self, attributes: Attributes, depth: int) -> None:
        rebuilt = depth == 0 and self._encapsulated(attributes)
        for tag, element in attributes.items():
            if tag == _CHARACTER_SET and self._text is not _ascii:
                element = _UTF_8
            if rebuilt and tag in _OFFSET_TABLES:
                continue  # of an encoding that was before
            self._element(tag, element, depth)

    def _encapsulated(self, attributes: Attributes) -> bool:
        element = attributes.get("7FE00010")
        return bool(element and "BulkDataURI" in element and self._resolve("7FE00010", element, 0).encapsulated)

    def _element(self, tag: str, element: Mapping[str, Any], depth: int) -> None:
        vr = element.get("vr") or (dictionary.vr_of(int(tag, 16)) or "UN")[:2]
        if not isinstance(vr, str) or vr not in _VRS:
            raise _wrong(tag, "has a vr that PS3.5 does not know")
        if sum(name in element for name in ("Value", "InlineBinary", "BulkDataURI")) > 1:
            raise _wrong(tag, "has more than one of Value, InlineBinary and BulkDataURI")
        if vr == "SQ":
            self._sequence(tag, element, depth)
        elif element.get("BulkDataURI") is not None:
            self._bulk(tag, vr, self._resolve(tag, element, depth))
        else:
            value = self._value(tag, vr, element)
            if len(value) % 2:
                value += b"\0" if vr in _NUL_PADDED else b" "
            self._bytes += header(int(tag, 16), vr, len(value))
            self._bytes += value

    def _sequence(self, tag: str, element: Mapping[str, Any], depth: int) -> None:
        items = element.get("Value") or ()
        if "InlineBinary" in element or "BulkDataURI" in element or not isinstance(items, list | tuple):
            raise _wrong(tag, "is a Sequence, but its Value is no array of Items")
        if not items:
            self._bytes += header(int(tag, 16), "SQ", 0)
            return
        if depth >= self._max_depth:
            raise _wrong(tag, f"is a Sequence nested deeper than {self._max_depth} (max_sequence_depth)")
        self._bytes += header(int(tag, 16), "SQ", _UNDEFINED)
        for item in items:
            self._bytes += _OPEN_ITEM
            if item:
                self._data_set(normalised(item), depth + 1)
            self._bytes += _CLOSE_ITEM
        self._bytes += _CLOSE_SEQUENCE

    # Bulk data

    def _bulk(self, tag: str, vr: str, bulk: Bulk) -> None:
        if bulk.encapsulated:
            self._fragments(tag, bulk.spans)
            return
        length = sum(span.length for span in bulk.spans)
        if length > _LONGEST:
            raise _wrong(tag, f"has a value of {length} bytes; an element can hold {_LONGEST}")
        self._bytes += header(int(tag, 16), vr, length + length % 2)
        self._spans(bulk.spans)
        if length % 2:
            self._bytes += b"\0" if vr in _NUL_PADDED else b" "

    def _spans(self, spans: Sequence[Span]) -> None:
        self._flush()
        self._pieces += [span for span in spans if span.length]

    def _fragments(self, tag: str, frames: Sequence[Span]) -> None:
        """Write a Basic Offset Table and the fragments: one for each frame, more where it is longer than one can be."""
        sizes = [_encapsulated_length(span.length) for span in frames]
        offsets = list(accumulate(sizes[:-1], initial=0))
        # An offset has 32 bits; an empty table says nothing wrong, and frames of one fragment need none
        table = struct.pack(f"<{len(offsets)}L", *offsets) if len(frames) > 1 and offsets[-1] <= _LONGEST else b""
        self._bytes += header(int(tag, 16), "OB", _UNDEFINED) + _ITEM + struct.pack("<L", len(table)) + table
        for frame in frames:
            done = 0
            while done < frame.length:
                length = min(frame.length - done, _LONGEST)
                self._bytes += _ITEM + struct.pack("<L", length + length % 2)
                self._spans([Span(frame.source, frame.offset + done, length)])
                if length % 2:
                    self._bytes += b"\0"
                done += length
        self._bytes += _CLOSE_SEQUENCE

    # Values

    def _value(self, tag: str, vr: str, element: Mapping[str, Any]) -> bytes:
        try:
            if element.get("InlineBinary") is not None:
                return binascii.a2b_base64("".join(element["InlineBinary"].split()), strict_mode=True)
            values = element.get("Value")
            if values is None:
                return b""
            if not isinstance(values, list | tuple):
                raise _wrong(tag, "has a Value that is no array")
            return self._encoded(tag, vr, values)
        except (struct.error, ValueError, TypeError, AttributeError, OverflowError):
            raise _wrong(tag, f"has a value that is not one of VR {vr}") from None

    def _encoded(self, tag: str, vr: str, values: Sequence[Any]) -> bytes:
        if not values or all(value is None for value in values):
            return b"\\" * (len(values) - 1) if vr in _STRINGS | _NUMBER_STRINGS | {"PN"} and values else b""
        if vr in _INTEGERS:
            return struct.pack(f"<{len(values)}{_INTEGERS[vr]}", *map(_integer, values))
        if vr in _FLOATS:
            return struct.pack(f"<{len(values)}{_FLOATS[vr]}", *map(_float, values))
        if vr == "AT":
            return b"".join(_tag(value) for value in values)
        if vr == "PN":
            return b"\\".join(self._strings(tag, map(_person_name, values)))
        if vr in _NUMBER_STRINGS:
            return b"\\".join(self._strings(tag, map(_number, values)))
        if vr in _STRINGS:
            return b"\\".join(self._strings(tag, values))
        if vr in _ONE_TEXT:
            return b"\\".join(b"" if value is None else self._text(value) for value in values)
        raise _wrong(tag, f"has VR {vr}, whose value comes as InlineBinary or BulkDataURI")

    def _strings(self, tag: str, values: Any) -> Iterator[bytes]:
        for value in values:
            if value is not None and "\\" in value:
                raise _wrong(tag, "has a backslash in a value, where it would make two of one")
            yield b"" if value is None else self._text(value)


def _encapsulated_length(length: int) -> int:
    """Bytes that a frame takes, Item headers included."""
    return length + length % 2 + 8 * -(-length // _LONGEST)


def _integer(value: Any) -> int:
    """Take a number, or the string that stands for one beyond 2**53."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    """Take a number, or NaN, Infinity and -Infinity, for which JSON has no number."""
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _tag(value: Any) -> bytes:
    if not _TAG.fullmatch(value):
        raise ValueError
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))


def _person_name(value: Any) -> str | None:
    if value is None or isinstance(value, str):  # a string in place of the object: wrong, and clear
        return value
    groups = [value.get(group) or "" for group in _GROUPS]
    return "=".join(groups).rstrip("=")


def _number(value: Any) -> str | None:
    """Write a DS or IS value, of at most 16 characters where it is not given as a string."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    text = repr(value)
    digits = 16
    while len(text) > _DECIMAL_CHARACTERS and digits > 1:
        digits -= 1
        text = f"{value:.{digits}g}"
    return text

"""What the field makes of PS3.5 chapter 7, and how each of it is read: small decisions, as functions of values.

- no VR where one should be, one that no edition knows, a length field of the wrong width (`explicit_header`);
- a data set or Item in another VR encoding than declared (`looks_explicit`);
- VRs that only the dictionary, or other elements, tell (`known_vr`, `settle_signs`);
- bytes behind the end of the data set (`Trailer`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from skiagraph.standard import dictionary
from skiagraph.standard.dicom_json import LENGTH_32
from skiagraph.standard.header import Source
from skiagraph.values import Attributes

UNDEFINED: Final = 0xFFFFFFFF
"""The length that says: up to a delimiter."""

_LENGTH_16: Final = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
VRS: Final = {vr.encode(): vr for vr in (*_LENGTH_16.split(), *LENGTH_32)}
"""All Value Representations (PS3.5 §6.2), by their bytes in Explicit VR."""

_FIRST_PIXELS: Final = 0x7FE00008
_PIXEL_DATA: Final = 0x7FE00010
_PIXEL_REPRESENTATION: Final = "00280103"
_MOST_REMARKS: Final = 50
_CHUNK: Final = 1 << 20


class Remarks:
    """What was odd in a file: each thing once, 50 of them at most, and no values, so that it can be logged."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, tag: str, text: str) -> None:
        """Note what is odd about an element (8 digits); without a tag, about the file."""
        if len(self._texts) < _MOST_REMARKS:
            self._texts[f"({tag[:4]},{tag[4:]}): {text}" if tag else text] = None

    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)


def looks_explicit(head: bytes, remaining: int, *, big_endian: bool, declared: bool) -> bool:
    """Whether a data set is in Explicit VR, judged by its first 8 bytes against what is declared.

    The bytes of a VR can also be the low half of a length. So only a length that does not fit, or a VR that is
    also the dictionary's, makes Explicit of what should be Implicit.
    """
    letters = head[4:6]
    if declared:
        return (letters.isalpha() and letters.isupper()) or head[:2] in (b"\xfe\xff", b"\xff\xfe")
    vr = VRS.get(letters)
    if vr is None:
        return False
    group, element, length = struct.unpack_from(">HHL" if big_endian else "<HHL", head)
    return length > remaining or dictionary.vr_of(group << 16 | element) == vr


def explicit_header(
    buf: bytes, at: int, vr: bytes, short_length: int, *, big_endian: bool, remaining: int
) -> tuple[str | None, int, int, str | None]:
    """Take the header of an element apart that is not of a VR with 16-bit length, or not of any.

    Parameters
    ----------
    short_length
        What the bytes 6 and 7 say, where such a VR has its length.
    remaining
        Bytes from the start of the element to the end of the source.

    Returns
    -------
    tuple
        VR (None: as in Implicit VR, from the dictionary), bytes of the header, length of the value, and a remark.

    Raises
    ------
    struct.error
        The window ends within the header.
    """
    order = ">L" if big_endian else "<L"
    name = VRS.get(vr)
    if name in LENGTH_32:
        (length,) = struct.unpack_from(order, buf, at + 8)
        if short_length and length > remaining - 12 and length != UNDEFINED and short_length <= remaining - 8:
            return name, 8, short_length, "a length of 16 bits stands where one of 32 should"
        return name, 12, length, None
    if name is not None:
        return name, 8, short_length, None
    if vr.isalpha() and vr.isupper():
        # A VR of a later edition has a 32-bit length behind two zero bytes (PS3.5 §7.1.2); not so those made up.
        remark = "the VR is not one that is known"
        if short_length:
            return "UN", 8, short_length, remark
        if (
            buf[at + 12 : at + 14] in VRS
            and struct.unpack_from(order[0] + "H", buf, at + 8)[0] >= struct.unpack_from(order[0] + "H", buf, at)[0]
        ):
            return "UN", 8, 0, remark
        (length,) = struct.unpack_from(order, buf, at + 8)
        return "UN", 12, length, remark
    (length,) = struct.unpack_from(order, buf, at + 4)
    if length > remaining - 8 and length != UNDEFINED and short_length <= remaining - 8:
        return "UN", 8, short_length, "the VR is not one that is known"
    return None, 8, length, "the VR is missing, as in Implicit VR"


def known_vr(tag: int, text: str, length: int, data_set: Attributes, around: list[Attributes]) -> tuple[str, bool]:
    """Return the VR that the dictionaries and the elements before it give an element of Implicit VR or UN.

    Returns
    -------
    tuple
        The VR, UN when there is none; and whether it hangs on a Pixel Representation that has not been met yet.
    """
    if tag >> 16 & 1:
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return "LO", False  # a Private Creator
        creator = _value(data_set.get(f"{text[:4]}00{text[4:6]}"))
        vr = dictionary.private_vr_of(tag, creator) if isinstance(creator, str) else None
    else:
        vr = "UL" if not tag & 0xFFFF else dictionary.vr_of(tag)
    if vr is None:
        return "UN", False
    if vr == "US or SS":
        sign = next(
            (s[_PIXEL_REPRESENTATION] for s in (data_set, *reversed(around)) if _PIXEL_REPRESENTATION in s), None
        )
        return "SS" if _value(sign) == 1 else "US", sign is None
    if vr == "US or OW":
        return "US" if _value(data_set.get("00283002")) == 1 else "OW", False
    if vr in ("OB or OW", "US or SS or OW"):
        # Implicit VR Little Endian means OW (PS3.5 §A.1); fragments are OB (§A.4).
        return "OB" if length == UNDEFINED and tag == _PIXEL_DATA else "OW", False
    return vr if len(vr) == 2 else "UN", False


def settle_signs(undecided: Iterable[tuple[Attributes, str]], top: Attributes) -> None:
    """Make SS of the US values that came before the Pixel Representation that says so.

    Of the standard's own only Zero Velocity Pixel Value (0018,9810) does, and what is out of order.
    """
    for data_set, text in undecided:
        attribute = data_set.get(text, {})
        signed = _value(data_set.get(_PIXEL_REPRESENTATION) or top.get(_PIXEL_REPRESENTATION)) == 1
        if signed and attribute.get("vr") == "US" and "Value" in attribute:
            values = [value - 0x10000 if value > 0x7FFF else value for value in attribute["Value"]]
            data_set[text] = {"vr": "SS", "Value": values}


def terms_of(raw: bytes) -> tuple[str, ...]:
    """Return the values of Specific Character Set (0008,0005); () when it is empty."""
    text = raw.decode("latin-1").strip(" \0")
    return tuple(term.strip(" \0") for term in text.split("\\")) if text else ()


def _value(attribute: Any) -> Any:
    values = attribute.get("Value") if attribute else None
    return values[0] if values else None


class Trailer:
    """Tells padding and garbage behind a data set from a data set that is broken."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._not_zero = -1  # an offset at which there is something

    def harmless(self, offset: int, last: int) -> bool:
        """Whether what can not be read as an element may be ignored: behind Pixel Data, or nothing but zeros."""
        return last >= _FIRST_PIXELS or self._zeros(offset)

    def begins(self, offset: int, last: int, tag: int, head: bytes, *, explicit: bool) -> bool:
        """Whether an element that is out of place is none at all."""
        if not any(head[:8]) and self._zeros(offset):
            return True
        if last < _FIRST_PIXELS or head[4:6] in VRS:
            return False
        unknown = tag >> 16 in (0x0000, 0xFFFF) or dictionary.vr_of(tag) is None
        # In Implicit VR, private elements may follow Pixel Data, and nothing tells them from garbage.
        return unknown and (explicit or tag < last or tag >> 16 == 0xFFFF)

    def _zeros(self, offset: int) -> bool:
        if offset <= self._not_zero:
            return False
        end = self._source.size
        if end - offset < 8:  # too short for an element: some tools end a file with a line feed or a blank
            return not self._source.read_at(offset, end - offset).strip(b"\0 \r\n\x1a")
        while offset < end:
            chunk = self._source.read_at(offset, _CHUNK)
            if not chunk:
                break
            rest = chunk.lstrip(b"\0")
            if rest:
                self._not_zero = offset + len(chunk) - len(rest)
                return False
            offset += len(chunk)
        return True

"""Elements of the DICOM JSON Model as Explicit VR Little Endian — PS3.5 §7.1.2 and §6.2, PS3.18 Annex F.

For attributes that this server adds or changes. Text is UTF-8 or what the data set's Specific Character Set is:
`encode` is told which; attributes of its own are ASCII.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from skiagraph.errors import BadRequest
from skiagraph.values import Attributes

_NUMBERS: Final = {
    "US": "H",
    "SS": "h",
    "UL": "L",
    "SL": "l",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
_LONG: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_UNDEFINED: Final = 0xFFFFFFFF
_OPEN_ITEM: Final = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_CLOSE_ITEM: Final = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
_CLOSE_SEQUENCE: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_COMPONENTS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element; a value too long for its VR is UN (PS3.18 §8.7.8)."""
    if vr in _LONG:
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    if length > 0xFFFE:
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"UN", 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def elements(attributes: Attributes, charset: Callable[[str], bytes] = str.encode) -> dict[int, bytes]:
    """Encode each element by itself, by tag.

    Parameters
    ----------
    charset
        Encodes text; identifiers, codes and numbers are ASCII whatever it is.

    Raises
    ------
    BadRequest
        A value is not one of its VR, or refers to bulk data.
    """
    return {int(tag, 16): element(int(tag, 16), attributes[tag], charset) for tag in sorted(attributes)}


def element(tag: int, content: Mapping[str, Any], charset: Callable[[str], bytes] = str.encode) -> bytes:
    """Encode one element; raises like `elements`."""
    vr = str(content.get("vr", "UN"))
    try:
        if vr == "SQ":
            return _sequence(tag, content.get("Value") or (), charset)
        value = _value(vr, content, charset)
    except (struct.error, ValueError, TypeError, AttributeError, UnicodeEncodeError, OverflowError) as error:
        raise BadRequest(f"The value of ({tag >> 16:04X},{tag & 0xFFFF:04X}) is not one of VR {vr}.") from error
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    return header(tag, vr, len(value)) + value


def _sequence(tag: int, items: Any, charset: Callable[[str], bytes]) -> bytes:
    if not items:
        return header(tag, "SQ", 0)
    out = bytearray(header(tag, "SQ", _UNDEFINED))
    for item in items:
        out += _OPEN_ITEM
        for encoded in elements(item or {}, charset).values():
            out += encoded
        out += _CLOSE_ITEM
    return bytes(out + _CLOSE_SEQUENCE)


def _value(vr: str, content: Mapping[str, Any], charset: Callable[[str], bytes]) -> bytes:
    if "InlineBinary" in content:
        return base64.b64decode(content["InlineBinary"], validate=True)
    if "BulkDataURI" in content:
        raise ValueError
    values = content.get("Value") or ()
    if vr in _NUMBERS:
        return struct.pack(f"<{len(values)}{_NUMBERS[vr]}", *values)
    if vr == "AT":
        return b"".join(struct.pack("<HH", int(value[:4], 16), int(value[4:], 16)) for value in values)
    if vr == "PN":
        return b"\\".join(_name(value, charset) for value in values)
    if vr in ("DS", "IS"):
        return b"\\".join(_number(value) for value in values)
    if vr.startswith("O") or vr == "UN":
        raise ValueError
    return b"\\".join(b"" if value is None else charset(value) for value in values)


def _name(value: Mapping[str, str] | None, charset: Callable[[str], bytes]) -> bytes:
    groups = [charset((value or {}).get(component, "")) for component in _COMPONENTS]
    while groups and not groups[-1]:
        groups.pop()
    return b"=".join(groups)


def _number(value: Any) -> bytes:
    """Decimal and integer strings have at most 16 characters."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("ascii")
    text = repr(value) if isinstance(value, int) else f"{value:.16g}"
    digits = 15
    while len(text) > 16 and digits:
        text, digits = f"{value:.{digits}g}", digits - 1
    return text.encode("ascii")

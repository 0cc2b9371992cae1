"""The DICOM JSON Model — PS3.18 Annex F: from the bytes of a value field to the ``Value`` of an attribute.

`decoder_table` gives one function per VR and byte order; the reader calls it with the bytes as they lie in the file.
Where Annex F leaves a choice:

- IS and DS are numbers when the JSON number is exactly the decimal number written (IS within ±2**53, DS of at most
  15 significant digits); else the string as written. SV and UV beyond ±2**53 are strings.
- FL is the double that equals its float; NaN and infinities, for which JSON has no number, are the strings
  ``NaN``, ``Infinity``, ``-Infinity``.
- Padding is removed as PS3.5 §6.2 allows: trailing blanks and NULs everywhere, leading blanks where they do not
  count (AE AS CS DA DS DT IS LO SH TM UI).
- An invalid value stays as the string it is.
"""

from __future__ import annotations

import gc
import re
import struct
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

from skiagraph.standard.charsets import CharacterSet
from skiagraph.values import Attributes

Decoder: TypeAlias = Callable[[bytes, CharacterSet, list[str]], list[Any] | None]
"""Bytes of a value field, character set, remarks to append to → values; None when there is no value.

Raises `WrongLength` when the bytes are not a whole number of values."""

WORDS: Final = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "OB": 1, "UN": 1}
"""The VRs that have no ``Value`` but InlineBinary, and the bytes of their words (PS3.5 §7.3)."""

LENGTH_32: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""The VRs whose explicit length has 32 bits (PS3.5 §7.1.2)."""

_EXACT: Final = 2**53
_LONG: Final = 2**20  # bytes of a text that is worth a detour
_PADDING: Final = " \0"
_DECIMAL: Final = re.compile(r"[+-]?(?=\.?[0-9])([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]{1,5})?", re.ASCII)
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


class WrongLength(Exception):
    """The value field is not a whole number of values of its VR."""


def encode(attributes: Attributes) -> bytes:
    """Return a data set, whatever its depth, as JSON text in UTF-8.

    orjson alone stops at 254 levels, which are 84 nested Sequences.
    """
    try:
        return orjson.dumps(attributes)
    except orjson.JSONEncodeError:
        return _encode_deep(attributes)


def decode(document: bytes) -> Attributes:
    """Return the data set of a JSON text that `encode` wrote."""
    if len(document) < _LONG or not gc.isenabled():
        return _loads(document)
    gc.disable()  # looking for cycles among what is being made takes longer than making it
    try:
        return _loads(document)
    finally:
        gc.enable()


def _loads(document: bytes) -> Attributes:
    found: Attributes = orjson.loads(document)
    return found


def _encode_deep(attributes: Attributes) -> bytes:
    """Encode the innermost Items first, each then a ready piece of the one around it."""
    order = [attributes]
    for data_set in order:
        for attribute in data_set.values():
            if attribute["vr"] == "SQ":
                order.extend(attribute.get("Value", ()))
    done: dict[int, orjson.Fragment] = {}
    for data_set in reversed(order):
        flat = {
            tag: {"vr": "SQ", "Value": [done[id(item)] for item in attribute["Value"]]}
            if attribute["vr"] == "SQ" and attribute.get("Value")
            else attribute
            for tag, attribute in data_set.items()
        }
        done[id(data_set)] = orjson.Fragment(orjson.dumps(flat))
    return orjson.dumps(done[id(attributes)])


def inline_binary(raw: bytes) -> str:
    """Return base64 (RFC 4648, padded, without line breaks) of bytes that are in little endian order."""
    return b2a_base64(raw, newline=False).decode("ascii")


def swapped(raw: bytes, word: int) -> bytes:
    """Reverse the byte order of each word of 1, 2, 4 or 8 bytes; an incomplete last word stays as it is."""
    if word == 1:
        return raw
    whole = len(raw) // word * word
    out = bytearray(raw)
    for byte in range(word):
        out[byte:whole:word] = raw[word - 1 - byte : whole : word]
    return bytes(out)


# Text


def _text(raw: bytes, charset: CharacterSet, remarks: list[str]) -> str:
    if raw.isascii() and not (charset.escapes and b"\x1b" in raw):
        return raw.decode()
    text, remark = charset.decode(raw)
    if remark:
        remarks.append(remark)
    return text


def _strings(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    text = raw.decode() if raw.isascii() and not charset.escapes else _text(raw, charset, remarks)
    if "\\" in text:
        return [value.strip(_PADDING) or None for value in text.split("\\")]
    text = text.strip(_PADDING)
    return [text] if text else None


def _strings_keeping_leading(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    text = _text(raw, charset, remarks)
    if "\\" in text:
        return [value.rstrip(_PADDING) or None for value in text.split("\\")]
    text = text.rstrip(_PADDING)
    return [text] if text else None


def _one_text(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    text = _text(raw, charset, remarks).rstrip(_PADDING)
    return [text] if text else None


def _person_names(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    if raw.isascii() and not (charset.escapes and b"\x1b" in raw):
        text = raw.decode()
    else:
        text, remark = charset.decode(raw, person_name=True)
        if remark:
            remarks.append(remark)
    names = [_person_name(name, remarks) for name in text.split("\\")]
    return names if len(names) > 1 or names[0] else None


def _person_name(text: str, remarks: list[str]) -> dict[str, str] | None:
    text = text.rstrip(_PADDING)
    if "=" not in text:
        return {"Alphabetic": text} if text else None
    groups = text.split("=", 2)
    if "=" in groups[-1]:
        remarks.append("a Person Name has more than three component groups")
    return {name: group for name, group in zip(_GROUPS, groups, strict=False) if group} or None


# Numbers as text


def integer(text: str) -> int | str | None:
    """Return the number that an IS value writes, the text itself if it is none or too large, None if it is empty."""
    text = text.strip(_PADDING)
    if not text:
        return None
    digits = text[1:] if text[0] in "+-" else text
    if digits.isdigit() and digits.isascii() and len(digits) <= 16:
        number = int(text)
        if -_EXACT <= number <= _EXACT:
            return number
    return text


def decimal(text: str) -> int | float | str | None:
    """Return the number that a DS value writes, the text itself if it is none or not exact, None if it is empty."""
    text = text.strip(_PADDING)
    if not text:
        return None
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return text
    whole, fraction, exponent = match.groups()
    if len(text) > 15 and len((whole + (fraction or ".")[1:]).lstrip("0")) > 15:
        return text
    if fraction is None and exponent is None:
        return int(text) if len(whole) <= 300 else text
    number = float(text)
    if not 1e-290 < abs(number) < 1e290 and (number or (whole + (fraction or "")).strip("0.")):
        return text  # near the ends of the range doubles have fewer digits
    return number


def _integers(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    return _parsed(integer, raw, charset, remarks)


def _decimals(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
    return _parsed(decimal, raw, charset, remarks)


def _parsed(
    parse: Callable[[str], int | float | str | None], raw: bytes, charset: CharacterSet, remarks: list[str]
) -> list[Any] | None:
    text = _text(raw, charset, remarks)
    if "\\" in text:
        values = [parse(part) for part in text.split("\\")]
        if any(isinstance(value, str) and not _DECIMAL.fullmatch(value) for value in values):
            remarks.append("a value is not a number")
        return values
    value = parse(text)
    if value is None:
        return None
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        remarks.append("a value is not a number")
    return [value]


# Binary numbers


def _numbers(code: str, size: int, order: str) -> Decoder:
    unpack_one = struct.Struct(order + code).unpack

    def decode(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
        if len(raw) == size:
            return list(unpack_one(raw))
        count, rest = divmod(len(raw), size)
        if rest:
            raise WrongLength
        return list(struct.unpack(f"{order}{count}{code}", raw))

    return decode


def _floats(code: str, size: int, order: str) -> Decoder:
    numbers = _numbers(code, size, order)

    def decode(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
        values = numbers(raw, charset, remarks) or []
        for number, value in enumerate(values):
            if value - value != 0:
                values[number] = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        return values

    return decode


def _long_integers(code: str, order: str) -> Decoder:
    numbers = _numbers(code, 8, order)

    def decode(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
        values = numbers(raw, charset, remarks) or []
        return [value if -_EXACT <= value <= _EXACT else str(value) for value in values]

    return decode


def _tags(order: str) -> Decoder:
    numbers = _numbers("H", 2, order)

    def decode(raw: bytes, charset: CharacterSet, remarks: list[str]) -> list[Any] | None:
        if len(raw) % 4:
            raise WrongLength
        values = numbers(raw, charset, remarks) or []
        return [f"{group:04X}{element:04X}" for group, element in zip(values[::2], values[1::2], strict=True)]

    return decode


def decoder_table(*, big_endian: bool) -> dict[str, tuple[str, Decoder, bool]]:
    """Return VR → (VR, decoder, whether a long value may be bulk data), for all VRs that have a ``Value`` but SQ."""
    order = ">" if big_endian else "<"
    decoders: dict[str, Decoder] = {
        **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"), _strings),
        "UC": _strings_keeping_leading,
        **dict.fromkeys(("LT", "ST", "UR", "UT"), _one_text),
        "PN": _person_names,
        "IS": _integers,
        "DS": _decimals,
        "AT": _tags(order),
        "US": _numbers("H", 2, order),
        "SS": _numbers("h", 2, order),
        "UL": _numbers("I", 4, order),
        "SL": _numbers("i", 4, order),
        "UV": _long_integers("Q", order),
        "SV": _long_integers("q", order),
        "FL": _floats("f", 4, order),
        "FD": _floats("d", 8, order),
    }
    numeric = ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD")
    return {vr: (vr, decoder, vr in numeric) for vr, decoder in decoders.items()}

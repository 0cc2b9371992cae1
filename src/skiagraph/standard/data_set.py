"""A data set without bulk data, as people send it, in the DICOM JSON Model to the letter — PS3.18 Annex F.

What may be read in only one way is read: tags in lower case, keywords in place of tags, names of members in any case,
a VR that is not the one of the dictionary, numbers as text and text as numbers, a Person Name that is no object, one
value without its array. What may not be is refused, with its place.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import dicom_json, dictionary
from skiagraph.values import Attributes

DEEPEST: Final = 64
"""Most Sequences within each other: more than any IOD has, and what every writer of JSON takes."""

_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_AT: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?=\.?[0-9])[0-9]*(\.[0-9]*)?([eE][+-]?[0-9]{1,5})?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_RANGES: Final = {
    "US": (0, 2**16 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
    "IS": (-(2**31), 2**31 - 1),
}
_TRIMMED: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"})
_STRINGS: Final = _TRIMMED | {"UC"}
_ONE_TEXT: Final = frozenset({"LT", "ST", "UR", "UT"})
_BINARY: Final = frozenset(dicom_json.WORDS)
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_PADDING: Final = " \0"
_EXACT: Final = 2**53
_MEMBERS: Final = {name.lower(): name for name in ("vr", "Value", "InlineBinary", "BulkDataURI")}
_NOT_FINITE: Final = {
    "nan": "NaN",
    "infinity": "Infinity",
    "inf": "Infinity",
    "-infinity": "-Infinity",
    "-inf": "-Infinity",
}
_LEFT_OUT: Final = frozenset({"00080005"})
"""Specific Character Set: the text is Unicode by now, and who writes it knows in what."""


class _NotOne(Exception):
    """A value is not one of its VR."""


def normalised(given: Any) -> Attributes:
    """Return the data set with tags ascending, every VR given, and every value of the kind that Annex F has for it.

    Specific Character Set, group 0002 and Group Lengths are left out; text stays as it is but for padding. Empty
    values are None, attributes without any have no ``Value``.

    Raises
    ------
    CannotUnderstand
        It is no data set, or refers to bulk data; the message says where, and holds no values.
    """
    return _data_set(given, "", 0)


def character_set(attributes: Attributes) -> Attributes:
    """Return a normalised data set as it goes out in UTF-8: with Specific Character Set where text is not ASCII."""
    if dicom_json.encode(attributes).isascii():  # looks at all text ten times as fast as Python could
        return attributes
    return dict(sorted({**attributes, "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}.items()))


def _data_set(given: Any, where: str, depth: int) -> Attributes:
    if not isinstance(given, dict):
        raise CannotUnderstand(
            f"{where or 'The data set'} is no object of the DICOM JSON Model, with tags as names of its members."
        )
    found: Attributes = {}
    for name, element in given.items():
        tag = _tag(name, where)
        if tag[:4] == "0002" or tag[4:] == "0000" or tag in _LEFT_OUT:
            continue
        place = f"{where}({tag[:4]},{tag[4:]})"
        if tag[:4] in ("FFFE", "FFFF"):
            raise CannotUnderstand(f"{place} is no element of a data set.")
        if tag in found:
            raise CannotUnderstand(f"{place} is there twice.")
        found[tag] = _element(tag, element, place, depth, given)
    return dict(sorted(found.items()))


def _tag(name: str, where: str) -> str:
    if _TAG.fullmatch(name):
        return name.upper()
    known = dictionary.tag_of(name)
    if known is None:
        raise CannotUnderstand(
            f"A name{' in ' + where if where else ' in the data set'} is neither a tag of 8 hexadecimal digits nor a"
            " keyword of PS3.6."
        )
    return f"{known:08X}"


def _element(tag: str, given: Any, place: str, depth: int, around: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise CannotUnderstand(f"{place} is no object with the members vr and Value.")
    members = {_MEMBERS[name.lower()]: value for name, value in given.items() if name.lower() in _MEMBERS}
    if members.get("BulkDataURI") is not None:
        raise CannotUnderstand(f"{place} refers to bulk data, which this resource does not take: give its value.")
    values, binary = members.get("Value"), members.get("InlineBinary")
    if values is not None and binary is not None:
        raise CannotUnderstand(f"{place} has both Value and InlineBinary.")
    said = members.get("vr")
    if said is not None and (not isinstance(said, str) or said.upper() not in _VRS):
        raise CannotUnderstand(f"{place} has a vr that PS3.5 does not know.")
    said = said.upper() if said else None
    if tag[3] not in "13579BDF":
        vrs = _candidates(said, dictionary.vr_of(int(tag, 16)))
    else:  # what vendors have published is not always what they write
        vrs = _candidates(said, _private(tag, around) if said in (None, "UN") else said)
    if not vrs:
        raise CannotUnderstand(f"{place} has no vr, and is no element of PS3.6.")
    if binary is not None:
        return _inline(vrs, said, binary, place)
    if values is None or values == []:
        return {"vr": vrs[0]}
    if not isinstance(values, list):
        values = [values]
    if vrs[0] == "SQ":
        return _sequence(values, place, depth)
    for vr in vrs:
        try:
            converted = [None if value is None else _CONVERT[vr](value) for value in values]
        except (_NotOne, KeyError):
            continue
        empty = all(value is None for value in converted)
        return {"vr": vr} if empty and len(converted) == 1 else {"vr": vr, "Value": converted}
    raise CannotUnderstand(f"{place} has a value that is not one of VR {' or '.join(vrs)}.")


@lru_cache(maxsize=1024)
def _candidates(said: str | None, known: str | None) -> tuple[str, ...]:
    """VRs that an element may have: those of the dictionary, best first, then what it is said to have."""
    vrs = [vr for vr in (known or "").split(" or ") if vr in _VRS]
    if said is not None and said in vrs:
        vrs = [said, *(vr for vr in vrs if vr != said)]
    elif said is not None and (not vrs or said != "UN"):
        vrs.append(said)
    return tuple(vrs)


def _private(tag: str, around: dict[str, Any]) -> str | None:
    """VR of a private element, by its reservation."""
    number = int(tag, 16)
    if number & 0xFF00 == 0:
        return "LO"
    reservation = around.get(f"{number >> 16:04X}00{number >> 8 & 0xFF:02X}")
    values = reservation.get("Value") if isinstance(reservation, dict) else None
    creator = values[0] if isinstance(values, list) and values else None
    return dictionary.private_vr_of(number, creator) if isinstance(creator, str) else None


def _inline(vrs: tuple[str, ...], said: str | None, binary: Any, place: str) -> dict[str, Any]:
    vr = next((vr for vr in vrs if vr in _BINARY), "UN" if said in (None, "UN") else None)
    if vr is None:
        raise CannotUnderstand(f"{place} has VR {vrs[0]}, whose values come as Value and not as InlineBinary.")
    try:
        raw = binascii.a2b_base64("".join(binary.split()), strict_mode=True)
    except (ValueError, AttributeError):
        raise CannotUnderstand(f"{place} has an InlineBinary that is no base64.") from None
    return {"vr": vr, "InlineBinary": dicom_json.inline_binary(raw)} if raw else {"vr": vr}


def _sequence(values: list[Any], place: str, depth: int) -> dict[str, Any]:
    if depth >= DEEPEST:
        raise CannotUnderstand(f"{place} is a Sequence nested deeper than {DEEPEST}.")
    items = [
        {} if item is None else _data_set(item, f"{place}[{number}].", depth + 1)
        for number, item in enumerate(values, 1)
    ]
    return {"vr": "SQ", "Value": items}


# Values


def _string(value: Any) -> str:
    """Return text; of a Person Name and a number in the place of one what they stand for."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and (groups := _person_name(value)):
        return "=".join(groups.get(group, "") for group in _GROUPS).rstrip("=")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _NotOne


def _short(value: Any) -> str | None:
    text = _string(value).strip(_PADDING)
    if "\\" in text:
        raise _NotOne  # it would make two values of one
    return text or None


def _unlimited(value: Any) -> str | None:
    text = _string(value).rstrip(_PADDING)
    if "\\" in text:
        raise _NotOne
    return text or None


def _text(value: Any) -> str | None:
    return _string(value).rstrip(_PADDING) or None


def _person_name(value: Any) -> dict[str, str] | None:
    if isinstance(value, str):
        value = dict(zip(_GROUPS, value.split("=", 2), strict=False))
    if not isinstance(value, dict):
        raise _NotOne
    by_name = {name.lower(): text for name, text in value.items()}
    groups: dict[str, str] = {}
    for group in _GROUPS:
        text = by_name.get(group.lower())
        if text is None:
            continue
        if not isinstance(text, str) or "\\" in text or "=" in text:
            raise _NotOne
        if text := text.rstrip(_PADDING):
            groups[group] = text
    return groups or None


def _integer(vr: str) -> Callable[[Any], int | str | None]:
    lowest, highest = _RANGES[vr]

    def convert(value: Any) -> int | str | None:
        if isinstance(value, str):
            value = value.strip(_PADDING)
            if not value:
                return None
            if not _INTEGER.fullmatch(value):
                raise _NotOne
        elif isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise _NotOne
        number = int(value)
        if not lowest <= number <= highest:
            raise _NotOne
        return number if -_EXACT <= number <= _EXACT else str(number)

    return convert


def _decimal(value: Any) -> int | float | str | None:
    if isinstance(value, str):
        converted = dicom_json.decimal(value)
        if isinstance(converted, str) and not _DECIMAL.fullmatch(converted):
            raise _NotOne
        return converted
    if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
        raise _NotOne
    return value


def _float(value: Any) -> float | str | None:
    if isinstance(value, str):
        value = value.strip(_PADDING)
        if not value:
            return None
        if value.lower() in _NOT_FINITE:
            return _NOT_FINITE[value.lower()]
        if not _DECIMAL.fullmatch(value):
            raise _NotOne
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotOne
    number = float(value)
    return number if number - number == 0 else "Infinity" if number > 0 else "-Infinity"


def _attribute_tag(value: Any) -> str | None:
    match = _AT.fullmatch(value.strip(_PADDING)) if isinstance(value, str) else None
    if match is None:
        raise _NotOne
    return (match[1] + match[2]).upper()


_CONVERT: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(_TRIMMED, _short),
    "UC": _unlimited,
    **dict.fromkeys(_ONE_TEXT, _text),
    "PN": _person_name,
    **{vr: _integer(vr) for vr in _RANGES},
    "DS": _decimal,
    **dict.fromkeys(("FL", "FD"), _float),
    "AT": _attribute_tag,
}
_VRS: Final = frozenset({*_CONVERT, *_BINARY, "SQ"})

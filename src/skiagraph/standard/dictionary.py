"""The data dictionary — PS3.6 chapters 6 to 9, and the private elements that vendors published.

The tables are pydicom's; here they get look-ups that cost one `dict.get` and never raise or warn.
Tags are integers (group << 16 | element) unless a name says text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

_ROWS: Final[dict[int, tuple[str, str, str, str, str]]] = DicomDictionary
_PRIVATE: Final[dict[str, dict[str, tuple[str, str, str, str]]]] = private_dictionaries


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a data dictionary."""

    tag: int
    """As asked for: of a repeating group or private block the actual one."""
    vr: str
    """Two letters, or the dictionary's own ``US or SS``, ``OB or OW``, ``US or OW``, ``US or SS or OW``, ``NONE``."""
    vm: str
    keyword: str
    """Empty for private elements."""
    name: str
    retired: bool


def find(tag: int) -> Entry | None:
    """Return the row of a standard element, repeating groups such as (60xx,3000) included; None when unknown."""
    row = _ROWS.get(tag) or _repeating(tag)
    if row is None:
        return None
    vr, vm, name, retired, keyword = row
    return Entry(tag, vr, vm, keyword, name, bool(retired))


def vr_of(tag: int) -> str | None:
    """Return the VR of a standard element as `Entry.vr` has it; None when unknown."""
    row = _ROWS.get(tag) or _repeating(tag)
    return None if row is None else row[0]


def keyword_of(tag: int) -> str | None:
    """Return the keyword of a standard element; None when unknown."""
    row = _ROWS.get(tag) or _repeating(tag)
    return None if row is None else row[4] or None


def tag_of(keyword: str) -> int | None:
    """Return the tag of a keyword (exact case); of a repeating group that of its first group. None when unknown."""
    return _keywords().get(keyword)


def find_private(tag: int, creator: str) -> Entry | None:
    """Return the row of a private element in the block of its Private Creator; None when unknown."""
    rows = _PRIVATE.get(creator)
    if rows is None or not tag >> 16 & 1:
        return None
    text = f"{tag:08X}"
    row = rows.get(f"{text[:4]}xx{text[6:]}") or rows.get(f"{text[:6]}xx") or rows.get(text)
    if row is None:
        return None
    vr, vm, name, retired = row
    return Entry(tag, _PRIVATE_SPELLING.get(vr, vr), vm, "", name, bool(retired))


def private_vr_of(tag: int, creator: str) -> str | None:
    """Return the VR of a private element in the block of its Private Creator; None when unknown."""
    entry = find_private(tag, creator)
    return None if entry is None else entry.vr


def standard_vrs() -> dict[int, str]:
    """Return a new table of all standard elements with their VR, repeating groups left out."""
    return {tag: row[0] for tag, row in _ROWS.items()}


_PRIVATE_SPELLING: Final = {"OB_OW": "OB or OW"}


def _mask(pattern: str) -> tuple[int, int]:
    """Turn ``60xx3000`` into the bits that must be equal and their values."""
    return int("".join("0" if c == "x" else "F" for c in pattern), 16), int(pattern.replace("x", "0"), 16)


_REPEATING: Final = [(*_mask(pattern), cast("Any", row)) for pattern, row in RepeatersDictionary.items()]
_REPEATING_GROUPS: Final = frozenset({0x0020, 0x0028, 0x1000, 0x1010})


@lru_cache(maxsize=4096)
def _repeating(tag: int) -> tuple[str, str, str, str, str] | None:
    group = tag >> 16
    # Odd groups are private: (6001,3000) is no overlay.
    if group & 1 or (group not in _REPEATING_GROUPS and group >> 8 not in (0x50, 0x60, 0x7F)):
        return None
    for mask, value, row in _REPEATING:
        if tag & mask == value:
            return cast("tuple[str, str, str, str, str]", row)
    return None


@lru_cache(maxsize=1)
def _keywords() -> dict[str, int]:
    table = {row[4]: value for _, value, row in reversed(_REPEATING) if row[4]}
    table.update({row[4]: tag for tag, row in _ROWS.items() if row[4]})
    return table

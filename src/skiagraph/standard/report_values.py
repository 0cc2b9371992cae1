"""Values of SR content out of data sets in the DICOM JSON Model, whatever somebody wrote into them — PS3.3 C.17.3.

What is missing or odd is empty, and never an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skiagraph.values import Attributes


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry (PS3.3 §8.8)."""

    value: str = ""
    """Code Value, Long Code Value or URN Code Value."""
    scheme: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """PNAME: the component groups of a Person Name as they are written."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""


def text(attributes: Attributes, tag: str) -> str:
    """The first value as text without blanks around it; "" without."""
    found = values(attributes, tag)
    return found[0].strip() if found and isinstance(found[0], str) else ""


def code(attributes: Attributes, tag: str) -> Code | None:
    """The first Item of a code Sequence; None without."""
    item = next(iter(items(attributes, tag)), None)
    if item is None:
        return None
    value = text(item, "00080100") or text(item, "00080119") or text(item, "00080120")
    return Code(value, text(item, "00080102"), text(item, "00080104"))


def name(attributes: Attributes, tag: str) -> Name:
    """The first Person Name; empty without."""
    found = values(attributes, tag)
    value = found[0] if found else None
    if isinstance(value, str):
        groups = [*value.split("="), "", ""]
    elif isinstance(value, dict):
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    else:
        return Name()
    return Name(*(group.strip() if isinstance(group, str) else "" for group in groups[:3]))


def values(attributes: Attributes, tag: str) -> list[Any]:
    """All values; none where there is another thing."""
    element = attributes.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def items(attributes: Attributes, tag: str) -> list[Attributes]:
    """The Items of a Sequence."""
    return [item for item in values(attributes, tag) if isinstance(item, dict)]


def numbers(attributes: Attributes, tag: str, digits: int = 15) -> tuple[str, ...]:
    """All values as people write them, ``3`` and not ``3.0``; single precision has 7 digits, DS up to 15."""
    return tuple(
        format(value, f".{digits}g") if isinstance(value, float) else str(value).strip()
        for value in values(attributes, tag)
        if isinstance(value, int | float | str)
    )


def integers(attributes: Attributes, tag: str) -> tuple[int, ...]:
    """All values that are integers of less than 10 digits."""
    found = []
    for value in values(attributes, tag):
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            found.append(value)
    return tuple(found)

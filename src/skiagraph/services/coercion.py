"""Values that Store changed: Original Attributes Sequence (0400,0561) — PS3.18 §10.5.2, PS3.3 C.12.1.1.9.

Only metadata that came beside their bulk data are ever changed, and only where the bulk data itself says otherwise;
PS3.10 files are kept bit for bit. What is merely missing and supplied is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from skiagraph.values import Attributes

ORIGINAL_ATTRIBUTES: Final = "04000561"
MODIFYING_SYSTEM: Final = "skiagraph"
"""Modifying System (0400,0563)."""

_SOURCE, _WHEN, _WHO, _WHY, _WHAT = "04000564", "04000562", "04000563", "04000565", "04000550"


@dataclass(frozen=True, slots=True)
class Coercion:
    """What is told of the changes to a data set that was stored."""

    original: Attributes
    modified: str
    warnings: tuple[str, ...]

    @property
    def sentence(self) -> str:
        names = ", ".join(f"({tag[:4]},{tag[4:]})" for tag in self.original)
        return f"The bulk data contradict what was supplied; corrected: {names}."

    @property
    def item(self) -> Attributes:
        return item(self.original, self.modified)


class Changes:
    """The changes to one data set."""

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.original: Attributes = {}
        """What was supplied, by tag."""

    def __bool__(self) -> bool:
        return bool(self.original)

    def supply(self, tag: str, vr: str, *values: Any) -> None:
        """Give an attribute a value unless it has one."""
        if not has_value(self.attributes, tag):
            self.attributes[tag] = {"vr": vr, "Value": list(values)}

    def correct(self, tag: str, vr: str, *values: Any) -> None:
        """Give an attribute this value, whatever was supplied; remember that."""
        element = self.attributes.get(tag)
        if has_value(self.attributes, tag) and element is not None:
            if _same(element["Value"], values):
                return
            self.original.setdefault(tag, element)
        self.attributes[tag] = {"vr": vr, "Value": list(values)}

    def recorded(self, modified: str) -> Attributes:
        """The data set with an item that says what was changed, behind those that it had.

        Parameters
        ----------
        modified
            Attribute Modification DateTime (0400,0562).
        """
        if not self.original:
            return self.attributes
        had = self.attributes.get(ORIGINAL_ATTRIBUTES, {}).get("Value")
        items = [*had] if isinstance(had, list) else []
        items.append(item(self.original, modified))
        return dict(sorted((self.attributes | {ORIGINAL_ATTRIBUTES: {"vr": "SQ", "Value": items}}).items()))


def item(original: Attributes, modified: str) -> Attributes:
    """Item of Original Attributes Sequence. The source of the values is the client, whose name nobody knows."""
    return {
        _WHAT: {"vr": "SQ", "Value": [dict(sorted(original.items()))]},
        _WHEN: {"vr": "DT", "Value": [modified]},
        _WHO: {"vr": "LO", "Value": [MODIFYING_SYSTEM]},
        _SOURCE: {"vr": "LO"},
        _WHY: {"vr": "CS", "Value": ["CORRECT"]},
    }


def now() -> str:
    """The time as a DT value."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def when(stored: Attributes) -> str | None:
    """When this server changed the data set that is stored; None where it did not."""
    items = stored.get(ORIGINAL_ATTRIBUTES, {}).get("Value") or []
    for entry in reversed(items):
        if isinstance(entry, Mapping) and _first(entry, _WHO) == MODIFYING_SYSTEM:
            return _first(entry, _WHEN)
    return None


def has_value(attributes: Attributes, tag: str) -> bool:
    """Whether an attribute is there and not empty."""
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return isinstance(values, list) and bool(values) and values != [None]


def _first(attributes: Mapping[str, Any], tag: str) -> str | None:
    values = (attributes.get(tag) or {}).get("Value") or []
    return values[0] if values and isinstance(values[0], str) else None


def _same(supplied: Any, values: tuple[Any, ...]) -> bool:
    """Whether values are equal, be they written as numbers or as strings."""
    return isinstance(supplied, list) and [str(value).strip() for value in supplied] == [str(v) for v in values]

"""Kinds of data sets that are no Instances of a Study, and the attributes that they are found by.

A kind says which match keys an index keeps at hand. All other attributes are matched too, by the reference predicate
(`standard.matching`), which takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skiagraph.standard import date_time, person_name
from skiagraph.standard.matching import Path
from skiagraph.values import Attributes

LONGEST = 200
"""Characters of a value that an index keeps; longer values are found by their beginning and then compared."""

_KEYS = 1000  # keys that a kind may have


@dataclass(frozen=True, slots=True)
class Key:
    """A match key that an index keeps at hand."""

    number: int
    """Its name in the index, 1 to 999: never given to another key of the kind."""
    path: Path
    vr: str
    few: bool = False
    """It has few different values, so how many data sets have each is worth keeping."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of data sets, each named by a UID or a text that is one's own."""

    name: str
    """As in "There is no Workitem 1.2.3.": a noun of the standard."""
    number: int
    """Its name in the index: never given to another kind."""
    keys: tuple[Key, ...]
    date: Path
    """The DA or DT attribute that answers are ordered by, earliest first; those without it come first."""
    time: Path | None = None
    """The TM attribute that belongs to a DA."""

    def key(self, number: int) -> int:
        """Return the name of a key in the index; 0 stands for the kind as a whole."""
        return self.number * _KEYS + number

    def position(self, attributes: Attributes) -> int:
        """Return the moment that answers are ordered by, in microseconds as `standard.date_time` counts them."""
        day = next(values(attributes, self.date), None)
        if not isinstance(day, str):
            return 0
        if self.time is None:
            moment = date_time.date_time(day)
            return 0 if moment is None else moment[0][0]
        found = date_time.date(day)
        hour = next(values(attributes, self.time), None)
        within = date_time.time(hour) if isinstance(hour, str) else None
        return 0 if found is None else found[0] + (0 if within is None else within[0])

    def entries(self, attributes: Attributes) -> set[tuple[int, str]]:
        """Return what a data set is found by: names of keys, each with a value, cut at `LONGEST` characters.

        Person names stand by component group, normalised by `standard.person_name`.
        """
        found: set[tuple[int, str]] = set()
        for key in self.keys:
            name = self.key(key.number)
            for value in values(attributes, key.path):
                if key.vr == "PN":
                    found.update((name, group[:LONGEST]) for group in person_name.groups(value) if group)
                elif isinstance(value, str) and value:
                    found.add((name, value[:LONGEST]))
        return found


def values(attributes: Attributes, path: Path) -> Iterator[Any]:
    """Yield the values at a path, those of every Item on the way."""
    element = attributes.get(path[0])
    if not isinstance(element, dict):
        return
    for value in element.get("Value") or ():
        if len(path) == 1:
            if value is not None:
                yield value
        elif isinstance(value, dict):
            yield from values(value, path[1:])

"""Kinds of data sets that are no Instances of a Study, and the attributes that they are found by.

A kind says which match keys an index keeps at hand. All other attributes are matched too, by the reference predicate
(`standard.matching`), which takes longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from skiagraph.standard import date_time, person_name
from skiagraph.standard.matching import Path, values_at
from skiagraph.values import Attributes

LONGEST = 200
"""Characters of a value that an index keeps; longer values are found by their beginning and then compared."""

NOWHERE = -1
"""Position of what has no date: before all that has one."""

SEVERAL_DATES = "dates"
"""The oddity of a data set whose position says less than its dates do."""

_KEYS = 1000  # keys that a kind may have
_NONE: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Key:
    """A match key that an index keeps at hand: an attribute that holds text, or names."""

    number: int
    """Its name in the index, 1 to 999: never given to another key of the kind."""
    path: Path
    vr: str
    few: bool = False
    """It has few different values, so how many data sets have each is worth keeping."""
    beside: str | None = None
    """Tag of an attribute in the same Item: the key stands for both, such as a code and its scheme (see `paired`)."""


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
    pivot: int = 0
    """The key, of few values, that others are often combined with: the numbers of both together are kept too."""
    sequences: frozenset[Path] = field(init=False)
    """Sequences on the way to keys, date and time."""
    few: frozenset[int] = field(init=False)
    """Names of the keys with few different values."""
    _by_sequence: tuple[tuple[Path, tuple[tuple[int, Key], ...]], ...] = field(init=False, repr=False)
    """Keys with their names, by the Sequence whose Items they are in."""

    def __post_init__(self) -> None:
        paths = (*(key.path for key in self.keys), self.date, self.time or ())
        found = frozenset(path[:end] for path in paths for end in range(1, len(path)))
        object.__setattr__(self, "sequences", found)
        by_sequence: dict[Path, list[tuple[int, Key]]] = {}
        for key in self.keys:
            by_sequence.setdefault(key.path[:-1], []).append((self.key(key.number), key))
        named = tuple((sequence, tuple(keys)) for sequence, keys in by_sequence.items())
        object.__setattr__(self, "_by_sequence", named)
        object.__setattr__(self, "few", frozenset(self.key(key.number) for key in self.keys if key.few))

    def key(self, number: int) -> int:
        """Return the name of a key in the index; 0 stands for the kind as a whole, and its oddities."""
        return self.number * _KEYS + number

    def pair(self, number: int) -> int:
        """Return the name of the pair of the pivot with another key.

        Days count likewise: 0 names them alone, the pivot's own number the pair of both.
        """
        return -self.key(number)

    def totals(self, entries: Iterable[tuple[int, str]], position: int) -> set[tuple[int, str]]:
        """Return what is counted of a data set: oddities, its day, values of few, and those together with the pivot."""
        pivot = self.key(self.pivot)
        pivots = [value for name, value in entries if name == pivot and self.pivot]
        day = day_of(position)
        found = {(self.key(0), ""), (self.pair(0), day)}
        found.update((-pivot, paired(one, day)) for one in pivots)
        for name, value in entries:
            if name == self.key(0) or name in self.few:
                found.add((name, value))
                if name != self.key(0) and name != pivot:
                    found.update((-name, paired(one, value)) for one in pivots)
        return found

    def position(self, attributes: Attributes) -> int:
        """Return the moment that answers are ordered by, in microseconds as `standard.date_time` counts them."""
        day = next(_texts(attributes, self.date), "")
        if self.time is None:
            moment = date_time.date_time(day)
            return NOWHERE if moment is None else moment[0][0]
        found = date_time.date(day)
        within = date_time.time(next(_texts(attributes, self.time), ""))
        return NOWHERE if found is None else found[0] + (0 if within is None else within[0])

    def entries(self, attributes: Attributes) -> set[tuple[int, str]]:
        """Return what a data set is found by: names of keys, each with a value, cut at `LONGEST` characters.

        Person names stand by component group, normalised by `standard.person_name`. The values of key 0 are the
        oddities.
        """
        found: set[tuple[int, str]] = set()
        for sequence, keys in self._by_sequence:
            for item in _items(attributes, sequence):
                for name, key in keys:
                    element = item.get(key.path[-1])
                    if element is None:
                        continue
                    for value in _values(item, element, key):
                        if key.vr == "PN":
                            found.update((name, group[:LONGEST]) for group in person_name.groups(value) if group)
                        elif value and isinstance(value, str):
                            found.add((name, value[:LONGEST]))
        found.update((self.key(0), oddity) for oddity in self._oddities(attributes, found))
        return found

    def _oddities(self, attributes: Attributes, entries: set[tuple[int, str]]) -> Iterator[str]:
        """Yield why one or another condition may hold of a data set less, or more, than its entries tell."""
        several = [path for path in self.sequences if path[0] in attributes and len(_items(attributes, path)) > 1]
        for path in several:
            yield many_items(path)
        ordered = (self.date,) if self.time is None else (self.date, self.time)
        if any(len(list(_texts(attributes, path))) > 1 for path in ordered) or any(
            sequence == path[: len(sequence)] for path in ordered for sequence in several
        ):
            yield SEVERAL_DATES
        few = self.few
        names = [name for name, _ in entries if name in few]
        if len(names) > len(set(names)):
            yield from (many_values(name - self.key(0)) for name, number in Counter(names).items() if number > 1)


def day_of(position: int) -> str:
    """Return the day of a position as it is counted: such days stand in order."""
    return f"{max(0, position // date_time.DAY):07}"


def paired(value: str, other: str) -> str:
    """Return two values as one."""
    return f"{len(value)},{value}{other}"


def many_items(sequence: Path) -> str:
    """Return the oddity of a data set with several Items in a Sequence."""
    return ".".join(sequence)


def many_values(number: int) -> str:
    """Return the oddity of a data set with several values in a key that has few different ones."""
    return f"values {number}"


def _values(item: Attributes, element: dict[str, Any], key: Key) -> Iterable[object]:
    """Return the values of a key in one Item, given the element that its path ends at."""
    if key.beside is not None:
        others = list(_texts(item, (key.beside,)))
        return [paired(value, other) for value in _texts(item, key.path[-1:]) for other in others]
    if element.get("vr") == "UN":
        return [value for value, _ in values_at(item, key.path[-1:])]
    values: list[object] = element.get("Value") or []
    return values


def _items(attributes: Attributes, path: Path) -> list[Attributes]:
    """Return the Items of the Sequences at a path; the data set itself without any."""
    found = [attributes]
    for tag in path:
        found = [item for one in found for item in one.get(tag, _NONE).get("Value") or () if isinstance(item, dict)]
    return found


def _texts(attributes: Attributes, path: Path) -> Iterator[str]:
    return (value for value, _ in values_at(attributes, path) if isinstance(value, str))

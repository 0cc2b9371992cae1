"""Attribute matching of PS3.4 C.2.2.2 as typed conditions, and the reference predicate.

A search is a list of conditions; this module knows neither URLs nor SQL. Whatever an index does to be quick,
`matches` says what the answer is: property tests hold every index to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from skiagraph.values import Level

Path: TypeAlias = tuple[str, ...]
"""Tags from the data set down to the attribute: ("00100010",) or ("00400275", "00400009").

Private elements have their block resolved to 10 in the path; `Private` names the creator."""


@dataclass(frozen=True, slots=True)
class Single:
    """Single Value Matching (C.2.2.2.1): equality; PN by `PersonName`."""

    path: Path
    vr: str
    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Wild Card Matching (C.2.2.2.4): ``*`` any run, ``?`` one character; case-sensitive."""

    path: Path
    vr: str
    pattern: str


@dataclass(frozen=True, slots=True)
class UidList:
    """List of UID Matching (C.2.2.2.2)."""

    path: Path
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Range Matching (C.2.2.2.5) of one DA, TM or DT attribute; both ends inclusive, None is open.

    A single date, time or date-time is a Range too: `low` = `high`, since TM ``2230`` means the minute.
    """

    path: Path
    vr: str
    low: str | None
    high: str | None
    timezone: str | None = None
    """TimezoneOffsetFromUTC (0008,0201) of the query, such as ``+0100``; None: as stored."""


@dataclass(frozen=True, slots=True)
class DateTimeRange:
    """Combined Datetime Matching (C.2.2.2.5.4, PS3.18 §8.3.4.1.1): a DA and a TM attribute as one interval."""

    date_path: Path
    time_path: Path
    low: str | None
    """Date and time glued, ``20220928214137``; inclusive; None is open."""
    high: str | None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class PersonName:
    """PN matching: case and accents ignored, per component group, wildcards; `fuzzy` adds words and phonetics."""

    path: Path
    value: str
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """Empty Value Matching (C.2.2.2.7): the attribute is absent or empty."""

    path: Path
    vr: str


@dataclass(frozen=True, slots=True)
class Multiple:
    """Multiple Value Matching (C.2.2.2.8): the attribute holds every one of the values."""

    path: Path
    vr: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InSequence:
    """Sequence Matching (C.2.2.2.6): one Item of the Sequence satisfies all conditions (paths relative to the Item)."""

    path: Path
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Private:
    """A condition on a private element: the block is found by its creator in each data set.

    `condition.path` holds the element with block 10, such as ("00091002",).
    """

    creator: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds: a list of Code Strings such as ``ModalitiesInStudy=CT,MR``.

    All of them have the same path.
    """

    conditions: tuple[Condition, ...]


Condition: TypeAlias = (
    "Single | Wildcard | UidList | Range | DateTimeRange | PersonName | Empty | Multiple | InSequence | Private | AnyOf"
)


@dataclass(frozen=True, slots=True)
class Search:
    """One search: which level is returned, where, and under which conditions.

    Universal matching is no condition: it is an entry of `include`.
    """

    level: Level
    study_instance_uid: str | None = None
    """Given by the resource path (hierarchical searches)."""
    series_instance_uid: str | None = None
    conditions: tuple[Condition, ...] = ()
    include: tuple[Path, ...] = ()
    """Attributes to return beyond the tables of PS3.18 §10.6.3.3."""
    include_private: tuple[tuple[str, Path], ...] = ()
    """Private attributes to return: creator, and path with block 10. Their creator element is returned too."""
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """Sentences for the user agent, such as ignored parameters."""

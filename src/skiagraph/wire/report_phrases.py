"""SR content in words: what the renderings of a report have in common — PS3.18 Table 8.7.4-1, category Text.

Values are put as people write them; nothing here knows of HTML. Prose is what the document calls so: a run of items in
a CONTINUOUS container that has texts in it. Elsewhere every item keeps its name, as a bare number means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from pydicom._uid_dict import UID_dictionary

from skiagraph.standard import report_values, structured_report
from skiagraph.standard.report_table import Cell, Heading, Table, Target
from skiagraph.standard.report_values import Code, Name
from skiagraph.standard.structured_report import (
    CONTAINER,
    CONTAINS,
    HAS_ACQUISITION_CONTEXT,
    HAS_CONCEPT_MODIFIER,
    HAS_OBSERVATION_CONTEXT,
    Coordinates,
    Item,
    Measurement,
    Observer,
    Reference,
    Report,
    Text,
    TimeRange,
)
from skiagraph.values import Attributes

DEEPEST = 24
"""Levels of nesting that are shown as such; what is below them follows at the same level."""

MOST_ROWS = 1000
"""Rows of a table that are shown."""

MOST_COLUMNS = 40

CONTEXTS = frozenset({HAS_CONCEPT_MODIFIER, HAS_OBSERVATION_CONTEXT, HAS_ACQUISITION_CONTEXT})
"""Relationships of what is said about an item rather than in it."""

_PLAIN = frozenset({"", CONTAINS, "HAS PROPERTIES"})
_MOST_POINTS = 8
_MOST_FRAMES = 20
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2})(\d{2})(?:(\d{2})(\.\d{1,6})?)?", re.ASCII)
_DATE_TIME = re.compile(r"(\d{8})(\d{4}(?:\d{2}(?:\.\d{1,6})?)?)?([+-]\d{4})?", re.ASCII)
_SEXES = {"M": "male", "F": "female", "O": "other"}
_FLOWING = frozenset({"TEXT", "CODE", "NUM", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF"})
_NAMES = {"IMAGE": "Image", "COMPOSITE": "Object", "WAVEFORM": "Waveform", "SCOORD": "Region", "SCOORD3D": "Region"}
_NAMES |= {
    "TABLE": "Table",
    "TCOORD": "Time",
    "TEXT": "Text",
    "NUM": "Measurement",
    "PNAME": "Name",
    CONTAINER: "Section",
}

Run: TypeAlias = Item | tuple[Item, ...]
"""An item that stands for itself, or items that are read as one sentence."""


# The head of a document ----------------------------------------------------------------------------------------------


def title(report: Report) -> str:
    """The title of a document."""
    return concept(report.content) or "Structured report"


def flags(report: Report) -> list[str]:
    """The state of a document (C.17.2), such as ``Complete``, ``Unverified``."""
    found = [flag.capitalize() for flag in (report.completion, report.verification) if flag]
    return [*found, "Preliminary"] if report.preliminary == "PRELIMINARY" else found


def facts(attributes: Attributes, report: Report) -> list[tuple[str, str]]:
    """What a reader has to know before the content: label and value, without those that are empty."""

    def text(tag: str) -> str:
        return report_values.text(attributes, tag)

    def name(tag: str) -> str:
        return person(report_values.name(attributes, tag))

    found = [
        ("Patient", name("00100010")),
        ("Patient ID", text("00100020")),
        ("Born", date(text("00100030"))),
        ("Sex", _SEXES.get(text("00100040"), text("00100040"))),
        ("Study", text("00081030")),
        ("Study date", _joined(" ", date(text("00080020")), time(text("00080030")))),
        ("Accession number", text("00080050")),
        ("Series", text("0008103E")),
        ("Content date", _joined(" ", date(text("00080023")), time(text("00080033")))),
        ("Institution", text("00080080")),
        ("Referring physician", name("00080090")),
        ("Manufacturer", _joined(" ", text("00080070"), text("00081090"))),
        ("Template", report.content.template),
        ("State", report.completion_description),
        *(("Verified by", observer(found)) for found in report.verifiers),
        *(("Author", observer(found)) for found in report.authors),
    ]
    return [(label, value) for label, value in found if value]


# Items ---------------------------------------------------------------------------------------------------------------


def concept(item: Item) -> str:
    """The name of an item; "" where it has none."""
    return "" if item.concept is None else item.concept.meaning or item.concept.value


def label(item: Item) -> str:
    """The name of an item, or else what it is."""
    return concept(item) or _NAMES.get(item.value_type, item.value_type.capitalize())


def relation(item: Item) -> str:
    """How an item belongs to the one above it, where its place does not say it."""
    return "" if item.relationship in _PLAIN or item.relationship in CONTEXTS else item.relationship.lower()


def value(item: Item) -> str:
    """The value of an item; "" for a CONTAINER and an item by reference."""
    found = item.value
    match found:
        case None:
            return "" if item.value_type in ("", CONTAINER) else "no value"
        case Text():
            written = _WRITTEN.get(item.value_type)
            return found.text if written is None else written(found.text)
        case Code():
            return found.meaning or found.value
        case Name():
            return person(found)
        case Measurement():
            return measurement(found)
        case Reference():
            return reference(found)
        case Coordinates():
            return coordinates(found)
        case TimeRange():
            return time_range(found)
        case Table():
            return table(found)


def details(item: Item) -> str:
    """The codes behind an item, for those who want to know them; "" without."""
    found = item.value
    unit = found.units if isinstance(found, Measurement) else found if isinstance(found, Code) else None
    name = code(item.concept) if item.concept else ""
    return " = ".join(part for part in (name, code(unit) if unit else "") if part)


def runs(container: Item) -> list[Run]:
    """The children of a container, gathered where it is to be read as prose."""
    children = container.children
    if not (container.continuous and any(_flows(child) and child.value_type == "TEXT" for child in children)):
        return list(children)
    found: list[Run] = []
    sentence: list[Item] = []
    for child in children:
        if _flows(child):
            sentence.append(child)
            continue
        if sentence:
            found.append(tuple(sentence))
            sentence = []
        found.append(child)
    return [*found, tuple(sentence)] if sentence else found


def prose(items: Sequence[Item]) -> Iterator[Item | Literal["(", ")"]]:
    """The items of a sentence, what is below each of them in brackets behind it."""
    waiting: list[Item | Literal["(", ")"]] = list(reversed(items))
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, Item) and found.children:
            waiting.append(")")
            waiting.extend(reversed(found.children))
            waiting.append("(")


def _flows(item: Item) -> bool:
    return item.relationship == CONTAINS and item.value_type in _FLOWING


# Values --------------------------------------------------------------------------------------------------------------


def code(found: Code) -> str:
    """A code by itself: ``121071, DCM``."""
    return _joined(", ", found.value, found.scheme)


def person(name: Name) -> str:
    """All groups of a name, as people write it: ``Yamada, Tarou · 山田 太郎 · やまだ たろう``."""
    groups = []
    for group, separator in ((name.alphabetic, ", "), (name.ideographic, " "), (name.phonetic, " ")):
        family, given, middle, prefix, suffix = (part.strip() for part in (*group.split("^"), *[""] * 5)[:5])
        groups.append(_joined(separator, family, _joined(" ", prefix, given, middle, suffix)))
    return " · ".join(dict.fromkeys(group for group in groups if group))


def observer(found: Observer) -> str:
    """Who, of which organization, when."""
    return _joined(", ", person(found.name), found.organization, date_time(found.moment))


def measurement(found: Measurement) -> str:
    """A number with its unit: ``3 mm``."""
    if not found.numbers:
        return _joined(": ", "no value", found.qualifier.meaning if found.qualifier else "")
    number = ", ".join(found.numbers)
    qualifier = f"({found.qualifier.meaning})" if found.qualifier and found.qualifier.meaning else ""
    return _joined(" ", number, unit(found.units) if found.units else "", qualifier)


_NO_UNITS = frozenset({"", "1", "no units", "unity", "unitless", "1*"})


def unit(found: Code) -> str:
    """A unit as people write it; UCUM has codes that are good to read, and others in brackets."""
    if found.scheme != "UCUM":
        return f"{found.meaning} ({found.value})" if found.meaning and found.meaning != found.value else found.value
    if found.value == "1":  # no unit; some name pixels so
        return "" if found.meaning.lower() in _NO_UNITS else found.meaning
    return found.meaning or found.value if re.search(r"[\[{]", found.value) else found.value


def reference(found: Reference) -> str:
    """What is referenced: ``CT Image, frames 2, 5``."""
    pieces = [sop_class(found.sop_class_uid) or "Object"]
    if found.frames:
        pieces.append(("frame " if len(found.frames) == 1 else "frames ") + _listed(found.frames, _MOST_FRAMES))
    if found.segments:
        pieces.append(("segment " if len(found.segments) == 1 else "segments ") + _listed(found.segments, _MOST_FRAMES))
    if found.channels:
        pieces += _channels(found.channels)
    pieces.extend(f"with {sop_class(other.sop_class_uid) or 'another object'}" for other in found.others)
    return ", ".join(pieces)


def _channels(numbers: Sequence[int]) -> Iterator[str]:
    """Channels of waveforms: ``channels 1, 3 of group 1``, or ``group 1``."""
    groups: dict[int, list[int]] = {}
    for group, channel in zip(numbers[::2], numbers[1::2], strict=False):
        groups.setdefault(group, []).append(channel)
    for group, channels in list(groups.items())[:_MOST_FRAMES]:
        word = "channel " if len(channels) == 1 else "channels "
        yield (f"{word}{_listed(channels, _MOST_FRAMES)} of " if 0 not in channels else "") + f"group {group}"


def sop_class(uid: str) -> str:
    """The name of a SOP Class without its last word; the UID where it is none of the standard."""
    row = UID_dictionary.get(uid)
    return uid if row is None else str(row[0]).removesuffix(" Storage")


def coordinates(found: Coordinates) -> str:
    """A graphic by its first points."""
    numbers, size = found.numbers, found.dimensions
    points = [f"({', '.join(numbers[at : at + size])})" for at in range(0, len(numbers), size)]
    shown = " ".join(points[:_MOST_POINTS]) + (f" … {len(points)} points in all" if len(points) > _MOST_POINTS else "")
    return _joined(" ", found.graphic_type.lower() or "graphic", shown)


def time_range(found: TimeRange) -> str:
    """A range of time by its offsets, moments or samples."""
    if found.offsets:
        points = "seconds " + _listed(found.offsets, _MOST_POINTS)
    elif found.moments:
        points = _listed([date_time(moment) for moment in found.moments], _MOST_POINTS)
    else:
        points = "samples " + _listed(found.samples, _MOST_POINTS) if found.samples else ""
    return _joined(" ", found.range_type.lower(), points)


def table(found: Table) -> str:
    """The size of a table, and what applies to all of it: ``40 rows, 2 columns; columns: Dose (mGy)``."""
    size = f"{found.rows} {'row' if found.rows == 1 else 'rows'}, {found.columns} "
    pieces = [size + ("column" if found.columns == 1 else "columns")]
    for name, headings in (("rows", found.row_headings), ("columns", found.column_headings)):
        if 0 in headings:
            pieces.append(f"{name}: {heading(headings[0])}")
    if found.incomplete or len(shown_rows(found)) * len(shown_columns(found)) == 0:
        pieces.append("not all values are shown")
    return "; ".join(pieces)


def shown_rows(found: Table) -> range:
    """The rows up to the last one that says anything, as far as they are shown."""
    last = max((0, *(row for row, _ in found.cells), *found.row_headings))
    return range(1, min(found.rows, last, MOST_ROWS) + 1)


def shown_columns(found: Table) -> range:
    """The columns up to the last one that says anything, as far as they are shown."""
    last = max((0, *(column for _, column in found.cells), *found.column_headings))
    return range(1, min(found.columns, last, MOST_COLUMNS) + 1)


def has_row_headings(found: Table) -> bool:
    """Whether rows have names of their own."""
    return any(row in found.row_headings for row in shown_rows(found))


def has_column_headings(found: Table) -> bool:
    """Whether columns have names of their own."""
    return any(column in found.column_headings for column in shown_columns(found))


def heading(found: Heading | None) -> str:
    """The name of a row or column with its unit: ``Tube current (mA)``."""
    if found is None:
        return ""
    name = "" if found.concept is None else found.concept.meaning or found.concept.value
    units = "" if found.units is None else unit(found.units)
    return _joined(" ", name, f"({units})" if units else "")


def cell(found: Table, row: int, column: int, report: Report) -> str:
    """What stands in a cell; of another item its value, or else its name."""
    value_there: Cell | None = found.cells.get((row, column))
    match value_there:
        case None:
            return ""
        case Code():
            return value_there.meaning or value_there.value
        case Target():
            target = structured_report.find(report.content, value_there.identifier)
            return "" if target is None else (value(target) if target.value else "") or label(target)
        case str():
            written = _WRITTEN.get((found.vrs or {}).get((row, column), ""))
            return value_there if written is None else written(value_there)


def date(text: str) -> str:
    """DA as 2026-01-31; what is no date as it is."""
    match = _DATE.fullmatch(text)
    return text if match is None else "-".join(match.groups())


def time(text: str) -> str:
    """TM as 13:05:59, without fractions; what is no time as it is."""
    match = _TIME.fullmatch(text)
    return text if match is None else ":".join(part for part in match.groups()[:3] if part)


def date_time(text: str) -> str:
    """DT as 2026-01-31 13:05:59 +0100; what is less or odd as it is."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return text
    return _joined(" ", date(match[1]), time(match[2] or ""), match[3] or "")


_WRITTEN = {"DATE": date, "TIME": time, "DATETIME": date_time}


def _listed(values: Sequence[object], most: int) -> str:
    return ", ".join(map(str, values[:most])) + (f" … {len(values)} in all" if len(values) > most else "")


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)

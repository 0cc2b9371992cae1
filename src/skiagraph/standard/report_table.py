"""The TABLE of SR content: rows and columns of numbers, codes, times and texts — PS3.3 C.18.10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from skiagraph.standard.report_values import Code, code, integers, items, name, text, values
from skiagraph.values import Attributes

MOST_CELLS = 20_000
"""Cells of a table that are read."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a row or a column of a table means."""

    concept: Code | None = None
    units: Code | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A cell whose value is another item's."""

    identifier: tuple[int, ...]


Cell: TypeAlias = str | Code | Target
"""Numbers, dates and texts as they are written."""


@dataclass(frozen=True, slots=True)
class Table:
    """TABLE (C.18.10). Rows and columns are numbered from 1."""

    rows: int
    columns: int
    row_headings: Mapping[int, Heading]
    """By number; 0 for what applies to all."""
    column_headings: Mapping[int, Heading]
    cells: Mapping[tuple[int, int], Cell]
    """By row and column, without those that are empty; at most `MOST_CELLS`."""
    incomplete: bool = False
    """Some values are left out: they are too many, or so large that they are bulk data."""
    vrs: Mapping[tuple[int, int], str] | None = None
    """Of cells that are dates and times."""


def read(item: Attributes) -> Table | None:
    """Read a Content Item of this type; None when there is no table in it."""
    found = next(iter(items(item, "0040A801")), None)
    if found is None:
        return None
    rows, columns = ((integers(found, tag) or (0,))[0] for tag in ("0040A802", "0040A803"))
    cells: dict[tuple[int, int], Cell] = {}
    vrs: dict[tuple[int, int], str] = {}
    incomplete = False
    for value in items(found, "0040A808"):
        row, column = ((integers(value, tag) or (0,))[0] for tag in ("0040A804", "0040A805"))
        vr = text(value, "00720050")
        listed = _cells(value, vr)
        incomplete = incomplete or "BulkDataURI" in value.get(_SELECTOR_VALUES.get(vr, ""), {})
        for place, cell in enumerate(listed):
            # All values of a row, all of a column, or one cell (C.18.10.1.2)
            where = (row or place + 1, column or place + 1) if not (row and column) else (row, column + place)
            if not (1 <= where[0] <= rows and 1 <= where[1] <= columns) or cell == "":
                continue
            if len(cells) >= MOST_CELLS:
                incomplete = True
                break
            cells[where] = cell
            if vr in _TIMES:
                vrs[where] = _TIMES[vr]
    row_headings = _headings(found, "0040A806", "0040A804")
    column_headings = _headings(found, "0040A807", "0040A805")
    return Table(rows, columns, row_headings, column_headings, cells, incomplete, vrs)


def _headings(table: Attributes, tag: str, number: str) -> dict[int, Heading]:
    found = {}
    for item in items(table, tag)[:MOST_CELLS]:
        found[(integers(item, number) or (0,))[0]] = Heading(code(item, "0040A043"), code(item, "004008EA"))
    return found


def _cells(item: Attributes, vr: str) -> list[Cell]:
    """The values of an Item of the Cell Values Sequence: one cell, a row or a column."""
    target = integers(item, "0040DB73")
    if target:
        return [Target(target)]
    qualifier = code(item, "0040A301")
    for tag in ("0040A168", "00720080"):
        if items(item, tag):
            codes = (code({tag: {"Value": [entry]}}, tag) for entry in items(item, tag)[: MOST_CELLS + 1])
            return [found for found in codes if found is not None]
    tag = _SELECTOR_VALUES.get(vr, "")
    if vr == "PN":
        names = (name({tag: {"Value": [value]}}, tag) for value in values(item, tag)[: MOST_CELLS + 1])
        return ["=".join((found.alphabetic, found.ideographic, found.phonetic)).rstrip("=") for found in names]
    listed = values(item, tag)[: MOST_CELLS + 1]
    if not listed and qualifier is not None:
        return [qualifier]
    digits = 7 if vr in ("FL", "OF") else 15
    return [
        format(value, f".{digits}g") if isinstance(value, float) else str(value).strip() if value is not None else ""
        for value in listed
        if not isinstance(value, dict | list)
    ]


_TIMES: Mapping[str, str] = {"DA": "DATE", "TM": "TIME", "DT": "DATETIME"}
_SELECTOR_VALUES: Mapping[str, str] = {
    vr: f"007200{place:02X}"
    for vr, place in {
        "AE": 0x5E, "AS": 0x5F, "AT": 0x60, "DA": 0x61, "CS": 0x62, "DT": 0x63, "IS": 0x64, "LO": 0x66, "LT": 0x68,
        "PN": 0x6A, "TM": 0x6B, "SH": 0x6C, "ST": 0x6E, "UC": 0x6F, "UT": 0x70, "UR": 0x71, "DS": 0x72, "FD": 0x74,
        "FL": 0x76, "UL": 0x78, "US": 0x7A, "SL": 0x7C, "SS": 0x7E, "UI": 0x7F, "SV": 0x82, "UV": 0x83,
    }.items()
}  # fmt: skip
"""Selector Attribute VR (0072,0050) → the attribute with the values (Table 10.26-1)."""

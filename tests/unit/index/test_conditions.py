"""Conditions as SQL: which are served by columns, and how."""

from __future__ import annotations

import itertools
import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from skiagraph.index import conditions
from skiagraph.index.conditions import clause, condition_level, expression
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    InSequence,
    Multiple,
    PersonName,
    Private,
    Range,
    Single,
    UidList,
    Wildcard,
    like,
)
from skiagraph.values import Level

PATIENT_ID, NAME, DATE, TIME = ("00100020",), ("00100010",), ("00080020",), ("00080030",)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(Single(("00080070",), "LO", "x"), id="no column"),
        pytest.param(Single(("00400275", "00400009"), "SH", "x"), id="nested"),
        pytest.param(InSequence(("00400275",), (Single(("00400009",), "SH", "x"),)), id="sequence"),
        pytest.param(Private("C", Single(("00091001",), "LO", "x")), id="private"),
        pytest.param(PersonName(NAME, "doe", fuzzy=True), id="fuzzy"),
        pytest.param(PersonName(NAME, ""), id="empty name"),
        pytest.param(PersonName(NAME, "^*=^*"), id="name that empty groups match"),
        pytest.param(Range(TIME, "TM", "10", None), id="time alone"),
        pytest.param(Range(DATE, "DA", "nonsense", None), id="malformed end"),
        pytest.param(DateTimeRange(("00100030",), ("00100032",), "2024", None), id="pair without column"),
        pytest.param(Empty(TIME, "TM"), id="empty time"),
        pytest.param(Wildcard(PATIENT_ID, "LO", "*" * 2000), id="pattern too long for SQL"),
        pytest.param(AnyOf((Single(PATIENT_ID, "LO", "x"), Single(("00080070",), "LO", "x"))), id="half of an OR"),
        pytest.param(Single(PATIENT_ID, "IS", "1"), id="compared as a number"),
    ],
)
def test_left_to_the_predicate(condition: Condition) -> None:
    assert clause(condition) is None


@pytest.mark.parametrize(
    ("condition", "exact"),
    [
        pytest.param(Single(PATIENT_ID, "LO", "x"), True, id="value"),
        pytest.param(Range(DATE, "DA", "20240131", None), True, id="dates as stored"),
        pytest.param(Range(DATE, "DA", "20240131", None, "+0100"), False, id="dates in a time zone"),
        pytest.param(DateTimeRange(DATE, TIME, "2024013110", None), True, id="date-time as stored"),
        pytest.param(DateTimeRange(DATE, TIME, "2024013110", None, "+0100"), False, id="date-time in a time zone"),
        pytest.param(DateTimeRange(DATE, TIME, "2024013110-0500", None), False, id="date-time with a time zone"),
        pytest.param(Multiple(PATIENT_ID, "LO", ("a", "b")), True, id="several values"),
        pytest.param(PersonName(NAME, "a=*=b"), False, id="a group that an absent one matches"),
    ],
)
def test_exact_or_wide(condition: Condition, exact: bool) -> None:
    found = clause(condition)
    assert found is not None
    assert found.exact is exact


@pytest.mark.parametrize(
    "value", ["1.5", "x", "", "1e400", str(2**63 - 1), "9" * 30], ids=lambda value: f"{value[:10]} is no 64-bit integer"
)
def test_numbers_that_no_regular_row_has(value: str) -> None:
    assert clause(Single(("00200013",), "IS", value)) == conditions._NEVER


def test_unencodable_text_matches_nothing() -> None:
    assert clause(Single(PATIENT_ID, "LO", "\ud800")) == conditions._NEVER
    assert clause(Wildcard(PATIENT_ID, "LO", "\ud800*")) is None


@pytest.mark.parametrize(
    ("condition", "of_search", "level"),
    [
        (Single(PATIENT_ID, "LO", "x"), Level.INSTANCE, Level.STUDY),
        (Single(("00200013",), "IS", "1"), Level.INSTANCE, Level.INSTANCE),
        (Single(("00200013",), "IS", "1"), Level.STUDY, Level.STUDY),
        (DateTimeRange(("00400244",), ("00400245",), None, None), Level.INSTANCE, Level.SERIES),
        (Private("C", Single(("00091001",), "LO", "x")), Level.INSTANCE, Level.INSTANCE),
        (AnyOf((Single(("00080061",), "CS", "CT"),)), Level.SERIES, Level.STUDY),
    ],
)
def test_level(condition: Condition, of_search: Level, level: Level) -> None:
    assert condition_level(condition, of_search) is level


@pytest.mark.parametrize("column", ["studies.recency", "series.performed"])
@pytest.mark.parametrize(("low", "high"), [(1, 2), (1, None), (None, 2), (None, None), (-5, 2)])
@pytest.mark.parametrize("exact", [True, False])
def test_moments_have_one_bound_on_each_side(column: str, low: int | None, high: int | None, exact: bool) -> None:
    sides = [shape[0] for shape in conditions._moments(column, low, high, exact=exact).shape[1:]]
    assert len(sides) == len(set(sides)) > 0
    assert len({"le", "dated", "ge"} & set(sides)) <= 1
    assert len({"gt", "lt"} & set(sides)) == (high is not None)


ALPHABET = "ab*?[]^-\\é\U0001f600\U0010ffff\ud7ff\ue000"


@settings(max_examples=400)
@given(st.text(ALPHABET, min_size=1, max_size=5), st.lists(st.text(ALPHABET, min_size=1, max_size=5), max_size=20))
def test_patterns_are_the_predicate(pattern: str, texts: list[str]) -> None:
    """GLOB, the range that goes through the index, and `matching.like` agree."""
    found = clause(Wildcard(PATIENT_ID, "LO", pattern))
    assert found is not None
    assert _selected(found.shape, found.values, texts) == [text for text in texts if like(pattern, text)]


@pytest.mark.parametrize("values", [("a",), ("a", "b"), ("a", 'q"\\', "é")])
def test_uid_lists(values: tuple[str, ...]) -> None:
    texts = ["a", "b", 'q"\\', "é", "x"]
    found = conditions._uid_list("00100020", values)
    assert found is not None
    assert _selected(found.shape, found.values, texts) == [text for text in texts if text in values]


def test_long_uid_list_is_one_parameter() -> None:
    found = clause(UidList(("0020000D",), tuple(f"1.{i}" for i in range(900))))
    assert found is not None
    assert len(found.values) == 1


def _selected(shape: Any, values: tuple[Any, ...], texts: list[str]) -> list[str]:
    numbers = itertools.count()
    statement = sa.select(conditions.studies.c.patient_id).where(
        expression(shape, lambda: sa.bindparam(f"p{next(numbers)}"))
    )
    sql = str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE studies (patient_id TEXT)")
    connection.executemany("INSERT INTO studies VALUES (?)", [(text,) for text in texts])
    rows = connection.execute(sql, {f"p{i}": value for i, value in enumerate(values)}).fetchall()
    connection.close()
    return [row[0] for row in rows]

"""standard.kind: what records are found by, and how they are ordered and counted."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.standard import date_time
from skiagraph.standard.kind import LONGEST, NOWHERE, SEVERAL_DATES, Key, Kind, day_of, many_items, many_values, paired
from skiagraph.testing.headers import element, name

DATED = Kind("dated", 7, (), ("00400002",), ("00400003",))
KIND = Kind(
    "Workitem",
    9,
    (
        Key(1, ("00741000",), "CS", few=True),
        Key(2, ("00100010",), "PN"),
        Key(3, ("00404025", "00080100"), "SH", few=True),
        Key(4, ("00404025", "00080100"), "SH", beside="00080102"),
    ),
    ("00404005",),
    pivot=1,
)
DAY_1 = date_time.DAY


def codes(*pairs: tuple[str, str]) -> dict[str, Any]:
    items = [{"00080100": element("SH", value), "00080102": element("SH", scheme)} for value, scheme in pairs]
    return {"00404025": element("SQ", *items)}


@pytest.mark.parametrize(
    ("date", "time", "position"),
    [
        (None, None, NOWHERE),
        ("", "10", NOWHERE),
        ("bad", "10", NOWHERE),
        ("00010101", None, DAY_1),
        ("00010101", "bad", DAY_1),
        ("00010102", "000001", 2 * DAY_1 + 1_000_000),
    ],
)
def test_position_of_date_and_time(date: str | None, time: str | None, position: int) -> None:
    given = {"00400002": date, "00400003": time}
    assert DATED.position({tag: element("DA", text) for tag, text in given.items() if text is not None}) == position


@pytest.mark.parametrize(("text", "position"), [("0001", DAY_1), ("00010101000001", DAY_1 + 1_000_000), ("x", NOWHERE)])
def test_position_of_a_date_time(text: str, position: int) -> None:
    assert KIND.position({"00404005": element("DT", text)}) == position
    assert KIND.position({}) == NOWHERE


def test_entries() -> None:
    given = {
        "00741000": element("CS", "SCHEDULED", "", None),
        "00100010": element("PN", name("Döe^Jane", "山田"), "Roe"),
    } | codes(("CT1", "99X"))
    assert KIND.entries(given) == {
        (9001, "SCHEDULED"),
        (9002, "doe^jane"),
        (9002, "山田"),
        (9002, "roe"),
        (9003, "CT1"),
        (9004, "3,CT199X"),
    }


def test_long_values_are_cut() -> None:
    assert KIND.entries({"00741000": element("CS", "x" * 300)}) == {(9001, "x" * LONGEST)}


@pytest.mark.parametrize(
    ("given", "oddities"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param(codes(("CT1", "99X")), set(), id="one Item"),
        pytest.param(codes(("CT1", "99X"), ("CT1", "DCM")), {many_items(("00404025",))}, id="several Items"),
        pytest.param(
            codes(("CT1", "99X"), ("CT2", "99X")), {many_items(("00404025",)), many_values(3)}, id="several values"
        ),
        pytest.param({"00741000": element("CS", "A", "B")}, {many_values(1)}, id="several values of one attribute"),
        pytest.param({"00404005": element("DT", "2024", "2025")}, {SEVERAL_DATES}, id="several dates"),
        pytest.param({"00404005": element("DT", "2024", "")}, set(), id="one date"),
    ],
)
def test_oddities(given: dict[str, Any], oddities: set[str]) -> None:
    assert {value for key, value in KIND.entries(given) if key == KIND.key(0)} == oddities


def test_totals() -> None:
    """The kind, the day, values of few, and each of these together with the pivot."""
    given = {"00741000": element("CS", "COMPLETED")} | codes(("CT1", "99X"))
    day = day_of(5 * DAY_1)
    assert KIND.totals(KIND.entries(given), 5 * DAY_1 + 3) == {
        (9000, ""),
        (-9000, day),
        (9001, "COMPLETED"),
        (-9001, paired("COMPLETED", day)),
        (9003, "CT1"),
        (-9003, paired("COMPLETED", "CT1")),
    }
    assert KIND.totals(set(), NOWHERE) == {(9000, ""), (-9000, day_of(0))}


def test_days_stand_in_order() -> None:
    days = [day_of(position) for position in (NOWHERE, DAY_1, 9 * DAY_1, 10 * DAY_1, 9999 * 365 * DAY_1)]
    assert days == sorted(days)
    assert len({len(day) for day in days}) == 1


def test_pairs_are_told_apart() -> None:
    assert paired("a", "bc") != paired("ab", "c")

"""index.record_keys: what conditions have at hand."""

from __future__ import annotations

import pytest

from skiagraph.index.record_keys import FAR, FIRST, AtHand, plan
from skiagraph.standard import matching
from skiagraph.standard.date_time import DAY
from skiagraph.standard.kind import LONGEST, many_items, paired
from skiagraph.standard.matching import AnyOf, Condition, InSequence, Multiple, PersonName, Range, Single, UidList
from skiagraph.standard.workitem import WORKITEM

STATE, LABEL, STATION, CODE, SCHEME, START = (
    ("00741000",),
    ("00741202",),
    ("00404025",),
    ("00080100",),
    ("00080102",),
    ("00404005",),
)
SCHEDULED = Single(STATE, "CS", "SCHEDULED")


@pytest.mark.parametrize(
    ("condition", "hand"),
    [
        pytest.param(SCHEDULED, AtHand(2, ("SCHEDULED",), True, True), id="value"),
        pytest.param(
            AnyOf((SCHEDULED, Single(STATE, "CS", "X"))), AtHand(2, ("SCHEDULED", "X"), True, True), id="one of several"
        ),
        pytest.param(UidList(("00080018",), ("1.2", "1.3")), AtHand(1, ("1.2", "1.3"), False, True), id="list of UIDs"),
        pytest.param(UidList(("00080018",), ()), AtHand(1, (), False, True), id="empty list"),
        pytest.param(PersonName(("00100010",), "Döe^J"), AtHand(7, ("doe^j",), False, True), id="name"),
        pytest.param(Single(LABEL, "LO", "x" * 300), AtHand(5, ("x" * LONGEST,), True, False), id="long value"),
        pytest.param(
            InSequence(STATION, (Single(CODE, "SH", "CT1"),)), AtHand(30, ("CT1",), True, True), id="in an Item"
        ),
        pytest.param(
            InSequence(STATION, (Single(CODE, "SH", "CT1"), Single(SCHEME, "SH", "99X"))),
            AtHand(50, (paired("CT1", "99X"),), True, True),
            id="code with its scheme",
        ),
    ],
)
def test_at_hand(condition: Condition, hand: AtHand) -> None:
    found = plan([condition], WORKITEM)
    assert (found.at_hand, found.sieves, found.exact) == ([hand], [], hand.exact)
    assert found.oddities == set()


def test_several_conditions_on_one_item() -> None:
    """They say less where there are several Items: then the predicate looks."""
    performers = ("0040A370",)
    found = plan(
        [InSequence(performers, (Single(("00080050",), "SH", "A"), Single(("00401001",), "SH", "R")))], WORKITEM
    )
    assert [hand.number for hand in found.at_hand] == [15, 16]
    assert (found.exact, found.oddities) == (True, {many_items(performers)})
    other = plan([InSequence(("00081110",), (SCHEDULED, SCHEDULED))], WORKITEM)
    assert other.exact is False


@pytest.mark.parametrize(
    "condition",
    [
        Single(("00081030",), "LO", "no key"),
        Single(STATE, "UN", "SCHEDULED"),
        matching.Empty(STATE, "CS"),
        PersonName(("00100010",), "doe=", False),
        PersonName(("00100010",), "doe", fuzzy=True),
        PersonName(("00100010",), ""),
        matching.Private("ONE", Single(("00091001",), "LO", "x")),
        Range(("00404011",), "DT", "2024", "2025"),
        Range(START, "DT", "nonsense", None),
    ],
    ids=str,
)
def test_what_only_the_predicate_knows(condition: Condition) -> None:
    found = plan([condition], WORKITEM)
    assert (found.at_hand, found.sieves, found.exact, found.dated) == ([], [], False, False)


@pytest.mark.parametrize(
    ("condition", "prefix", "holding", "not_holding"),
    [
        (matching.Wildcard(LABEL, "LO", "CT*1"), "CT", "CT 1", "CT 2"),
        (matching.Wildcard(LABEL, "LO", "?T"), "", "CT", "ct"),
        (PersonName(("00100010",), "Doe*"), "doe", "doe^jane", "do"),
        (PersonName(("00100010",), "zeta^*"), "zeta", "zeta", "zetas"),
        (Range(("00100030",), "DA", "19700101", None), "", "19800101", "19600101"),
        (AnyOf((SCHEDULED, matching.Wildcard(STATE, "CS", "I*"))), "", "IN PROGRESS", "COMPLETED"),
    ],
    ids=str,
)
def test_sieves(condition: Condition, prefix: str, holding: str, not_holding: str) -> None:
    found = plan([condition], WORKITEM)
    (sieve,) = found.sieves
    assert (found.exact, sieve.prefix) == (True, prefix)
    assert sieve.holds(holding)
    assert not sieve.holds(not_holding)


def test_multiple_values_are_several_conditions() -> None:
    found = plan([Multiple(LABEL, "LO", ("a", "b"))], WORKITEM)
    assert [hand.values for hand in found.at_hand] == [("a",), ("b",)]
    assert found.exact


@pytest.mark.parametrize(
    ("low", "high", "timezone", "span", "exact"),
    [
        ("00010101", "00010101", None, (DAY, 2 * DAY), True),
        ("0001010112", None, None, (DAY + DAY // 2, FAR), True),
        (None, "00010101", None, (0, 2 * DAY), True),
        ("00010110", None, "+0100", (10 * DAY - 28 * DAY // 24, FAR), False),
        (None, "00010101+0100", None, (FIRST, 2 * DAY + 28 * DAY // 24), False),
    ],
)
def test_spans(low: str | None, high: str | None, timezone: str | None, span: tuple[int, int], exact: bool) -> None:
    found = plan([Range(START, "DT", low, high, timezone)], WORKITEM)
    assert (found.low, found.high, found.exact) == (*span, exact)


@pytest.mark.parametrize(
    ("condition", "tags"),
    [
        (SCHEDULED, {"00741000"}),
        (matching.Empty(STATE, "CS"), set()),
        (matching.Private("ONE", Single(("00091001",), "LO", "x")), set()),
        (AnyOf((SCHEDULED, Single(STATE, "CS", "X"))), {"00741000"}),
        (InSequence(STATION, (Single(CODE, "SH", "CT1"), matching.Empty(SCHEME, "SH"))), {"00404025", "00080100"}),
        (matching.DateTimeRange(("00080020",), ("00080030",), "2024", None), {"00080020"}),
    ],
    ids=str,
)
def test_tags_that_every_match_has(condition: Condition, tags: set[str]) -> None:
    assert plan([condition], WORKITEM).tags == {f'"{tag}":'.encode() for tag in tags}

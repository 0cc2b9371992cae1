"""What a kind of data sets is found by."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.standard.kind import LONGEST, SEVERAL_DATES, Key, Kind, many_items, many_values, paired

SEQUENCE, INNER = "00404018", "00404009"
KIND = Kind(
    "Thing",
    7,
    (
        Key(1, ("00741000",), "CS", few=True),
        Key(2, ("00100010",), "PN"),
        Key(3, (SEQUENCE, "00080100"), "SH", few=True),
        Key(4, (SEQUENCE, "00080100"), "SH", beside="00080102"),
        Key(5, (SEQUENCE, INNER, "00080100"), "SH"),
    ),
    ("00404005",),
    pivot=1,
)


def code(value: str | None, scheme: str = "99X", **more: Any) -> dict[str, Any]:
    return {"00080100": {"vr": "SH", "Value": [value]}, "00080102": {"vr": "SH", "Value": [scheme]}, **more}


def sequence(*items: Any) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


@pytest.mark.parametrize(
    ("attributes", "entries"),
    [
        pytest.param({}, set(), id="nothing"),
        pytest.param({"00741000": {"vr": "CS"}}, set(), id="an attribute without a value"),
        pytest.param({"00741000": {"vr": "CS", "Value": ["READY"]}}, {(7001, "READY")}, id="a value"),
        pytest.param({"00741000": {"vr": "CS", "Value": [None, "", 5]}}, set(), id="no text"),
        pytest.param({"00741000": {"vr": "UN", "InlineBinary": "UkVBRFk="}}, {(7001, "READY")}, id="an unknown VR"),
        pytest.param({"00741000": {"vr": "LO", "Value": ["x" * 300]}}, {(7001, "x" * LONGEST)}, id="a long one"),
        pytest.param(
            {"00741000": {"vr": "CS", "Value": ["A", "B"]}},
            {(7001, "A"), (7001, "B"), (7000, many_values(1))},
            id="several of a key with few",
        ),
        pytest.param(
            {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^", "Ideographic": "山田"}]}},
            {(7002, "doe^jane"), (7002, "山田")},
            id="a name, by its groups",
        ),
        pytest.param(
            {SEQUENCE: sequence(code("A"))}, {(7003, "A"), (7004, paired("A", "99X"))}, id="an Item: code and scheme"
        ),
        pytest.param(
            {SEQUENCE: sequence(code("A", "99X"), code("B", "99Y"))},
            {
                *((7003, "A"), (7003, "B"), (7004, paired("A", "99X")), (7004, paired("B", "99Y"))),
                *((7000, many_items((SEQUENCE,))), (7000, many_values(3))),
            },
            id="several Items, each with its own pair",
        ),
        pytest.param({SEQUENCE: sequence({}, {})}, {(7000, many_items((SEQUENCE,)))}, id="empty Items count"),
        pytest.param({SEQUENCE: sequence("no Item", None)}, set(), id="what is no Item does not"),
        pytest.param(
            {SEQUENCE: sequence({INNER: sequence(code("C"))}, {INNER: sequence(code(None))})},
            {(7005, "C"), (7000, many_items((SEQUENCE,))), (7000, many_items((SEQUENCE, INNER)))},
            id="Items in Items, of all around them",
        ),
        pytest.param(
            {"00404005": {"vr": "DT", "Value": ["20260101", "20260102"]}}, {(7000, SEVERAL_DATES)}, id="several dates"
        ),
    ],
)
def test_entries(attributes: dict[str, Any], entries: set[tuple[int, str]]) -> None:
    assert KIND.entries(attributes) == entries


def test_totals_count_the_kind_keys_with_few_values_and_their_pairs_with_the_pivot() -> None:
    entries = {(7001, "READY"), (7002, "doe"), (7003, "A"), (7003, "B"), (7000, SEVERAL_DATES)}
    assert KIND.totals(entries) == {
        *((7000, ""), (7000, SEVERAL_DATES), (7001, "READY"), (7003, "A"), (7003, "B")),
        *((-7003, paired("READY", "A")), (-7003, paired("READY", "B"))),
    }

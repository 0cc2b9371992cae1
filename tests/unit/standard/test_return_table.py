"""standard.return_table: types of return keys (PS3.4 K.2.2.1), paths, private elements, secrets."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.standard.matching import Path
from skiagraph.standard.return_table import ReturnTable, Selection, without
from skiagraph.testing.headers import element
from skiagraph.values import Attributes

LABEL, STATE, ALERTS, STATIONS, CODE, MEANING = (
    "00741204",
    "00741000",
    "00102000",
    "00404025",
    "00080100",
    "00080104",
)
LOCK = "00081195"
ITEM = {CODE: element("SH", "CT1"), MEANING: element("LO", "Scanner 1"), LOCK: element("UI", "1.2")}
RECORD: Attributes = {
    ALERTS: element("LO", "latex"),
    LOCK: element("UI", "1.2.3"),
    STATIONS: {"vr": "SQ", "Value": [ITEM, {}]},
    STATE: element("CS", "SCHEDULED"),
    "00990010": element("LO", "ONE"),
    "00990011": element("LO", "TWO"),
    "00991001": element("LO", "of one"),
    "00991101": element("LO", "of two"),
}
TABLE = ReturnTable(frozenset({(STATE,), (LABEL,)}), frozenset({("001021C0",), (ALERTS,)}), frozenset({LOCK}))


@pytest.mark.parametrize(
    ("include", "private", "found"),
    [
        pytest.param((), (), {}, id="table"),
        pytest.param(((LOCK,), (STATIONS, LOCK)), (), {STATIONS: [{}, {}]}, id="secret is never disclosed"),
        pytest.param(
            ((STATIONS,),), (), {STATIONS: [{CODE: ITEM[CODE], MEANING: ITEM[MEANING]}, {}]}, id="Sequence as it is"
        ),
        pytest.param(((STATIONS, CODE),), (), {STATIONS: [{CODE: ITEM[CODE]}, {}]}, id="path into Items"),
        pytest.param(
            ((STATIONS, CODE), (STATIONS,)),
            (),
            {STATIONS: [{CODE: ITEM[CODE], MEANING: ITEM[MEANING]}, {}]},
            id="the whole Sequence outranks paths into it",
        ),
        pytest.param(
            ((STATIONS,), (STATIONS, CODE)),
            (),
            {STATIONS: [{CODE: ITEM[CODE], MEANING: ITEM[MEANING]}, {}]},
            id="in either order",
        ),
        pytest.param(((STATE, CODE),), (), {}, id="path into what is no Sequence"),
        pytest.param(((("00100010"),), ("00081110", "00081155")), (), {}, id="not there"),
        pytest.param(
            (), (("TWO", ("00991001",)),), {"00990011": "TWO", "00991101": "of two"}, id="private, with its creator"
        ),
        pytest.param((), (("THREE", ("00991001",)),), {}, id="private block of nobody"),
    ],
)
def test_picked(include: tuple[Path, ...], private: tuple[tuple[str, Path], ...], found: dict[str, Any]) -> None:
    expected: Attributes = {LABEL: {"vr": "LO"}, STATE: RECORD[STATE], ALERTS: RECORD[ALERTS]}
    for tag, value in found.items():
        expected[tag] = {"vr": "SQ", "Value": value} if isinstance(value, list) else element("LO", value)
    assert Selection(TABLE, include, private).of(RECORD) == expected


def test_everything_but_secrets() -> None:
    found = Selection(TABLE, everything=True).of(RECORD)
    assert set(found) == set(RECORD) - {LOCK} | {LABEL}
    assert found[STATIONS]["Value"] == [{CODE: ITEM[CODE], MEANING: ITEM[MEANING]}, {}]


def test_keys_within_items() -> None:
    """Types 1 and 2 inside a Sequence count for the Items that there are."""
    table = ReturnTable(frozenset({(STATIONS, CODE), (STATIONS, MEANING, CODE), ("00081110",)}))
    found = Selection(table).of({STATIONS: {"vr": "SQ", "Value": [{MEANING: element("LO", "a")}, {}]}})
    assert found == {
        STATIONS: {"vr": "SQ", "Value": [{CODE: {"vr": "SH"}}, {CODE: {"vr": "SH"}}]},
        "00081110": {"vr": "SQ"},
    }
    assert Selection(table).of({}) == {"00081110": {"vr": "SQ"}}


def test_items_have_their_tags_ascending() -> None:
    """PS3.18 F.2.2."""
    table = ReturnTable(frozenset({(STATIONS, "00080100"), (STATIONS, "00080050"), (STATIONS, "00080119")}))
    for include in ((), ((STATIONS,),)):
        (item,) = Selection(table, include).of({STATIONS: {"vr": "SQ", "Value": [{MEANING: {"vr": "LO"}}]}})[STATIONS][
            "Value"
        ]
        assert list(item) == sorted(item)
        assert len(item) == (4 if include else 3)


def test_the_data_set_stays_as_it_is() -> None:
    before = repr(RECORD)
    table = ReturnTable(frozenset({(STATIONS, "00080102")}), secret=frozenset({LOCK}))
    Selection(table, everything=True).of(RECORD)
    assert repr(RECORD) == before
    assert without(RECORD, ()) is RECORD


def test_without_at_any_depth() -> None:
    deep: Attributes = {LOCK: element("UI", "1")}
    for _ in range(5000):
        deep = {STATIONS: {"vr": "SQ", "Value": [deep]}, LOCK: element("UI", "1")}
    found = without(deep, {LOCK})
    for _ in range(5000):
        assert list(found) == [STATIONS]
        (found,) = found[STATIONS]["Value"]
    assert found == {}

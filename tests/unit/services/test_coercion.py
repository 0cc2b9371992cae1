"""Values that Store changes, and how that is told."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.services.coercion import Changes, Coercion, now, when
from skiagraph.values import Attributes


def grey(*values: Any) -> Attributes:
    return {"00280004": {"vr": "CS", "Value": list(values)}}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        pytest.param({}, False, id="missing"),
        pytest.param({"00280004": {"vr": "CS"}}, False, id="empty"),
        pytest.param(grey(None), False, id="null"),
        pytest.param(grey("RGB"), False, id="right"),
        pytest.param(grey("RGB "), False, id="padded"),
        pytest.param(grey("YBR_FULL"), True, id="wrong"),
        pytest.param(grey("RGB", "RGB"), True, id="too many"),
    ],
)
def test_correct(given: Attributes, changed: bool) -> None:
    changes = Changes(dict(given))
    changes.correct("00280004", "CS", "RGB")
    assert bool(changes) is changed
    assert changes.original == (given if changed else {})
    assert str(changes.attributes["00280004"]["Value"][0]).strip() == "RGB"


def test_the_first_value_is_the_original() -> None:
    changes = Changes(grey("A"))
    changes.correct("00280004", "CS", "B")
    changes.correct("00280004", "CS", "C")
    assert changes.original == grey("A")


def test_supply_keeps_what_there_is() -> None:
    changes = Changes({"00280010": {"vr": "US", "Value": [0]}, "00280011": {"vr": "US"}})
    changes.supply("00280010", "US", 5)
    changes.supply("00280011", "US", 5)
    assert changes.attributes == {"00280010": {"vr": "US", "Value": [0]}, "00280011": {"vr": "US", "Value": [5]}}
    assert not changes


def test_recorded() -> None:
    changes = Changes(grey("A"))
    assert changes.recorded("20260101") == grey("A")
    changes.correct("00280004", "CS", "B")
    recorded = changes.recorded("20260101")
    assert list(recorded) == ["00280004", "04000561"]
    assert when(recorded) == "20260101"
    assert when(Changes(recorded).recorded("2")) == "20260101"
    assert Coercion(changes.original, "20260101", ()).item == recorded["04000561"]["Value"][0]


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"04000561": {"vr": "SQ"}},
        {"04000561": {"vr": "SQ", "Value": [{}, None, {"04000563": {"vr": "LO"}}]}},
        {"04000561": {"vr": "SQ", "Value": [{"04000563": {"vr": "LO", "Value": ["elsewhere"]}}]}},
    ],
)
def test_changed_by_nobody_or_others(stored: Attributes) -> None:
    assert when(stored) is None


def test_now_is_a_date_time_with_its_offset() -> None:
    assert len(now()) == len("20260101120000.000000+0000")
    assert now() <= now()

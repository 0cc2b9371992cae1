"""Event reports: bounded, whatever a Workitem says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from skiagraph.standard import event_report
from skiagraph.standard.event_report import MOST_BYTES

PROGRESS_INFORMATION, STATE, REASON, PERFORMERS = "00741002", "00741000", "00741238", "00404034"
LONG = "x" * MOST_BYTES


def progress(**members: str) -> dict[str, Any]:
    item = {tag: {"vr": "LT", "Value": [text]} for tag, text in members.items()}
    return {STATE: {"vr": "CS", "Value": ["CANCELED"]}, PROGRESS_INFORMATION: {"vr": "SQ", "Value": [item]}}


def performer(organization: str) -> dict[str, Any]:
    code = {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["A"]}}]}
    item = {"00404009": code, "00404036": {"vr": "LO", "Value": [organization]}}
    return {PERFORMERS: {"vr": "SQ", "Value": [item]}}


@pytest.mark.parametrize(
    ("report", "left_out"),
    [
        pytest.param(
            event_report.progress_report("1.2", progress(**{REASON: LONG})), PROGRESS_INFORMATION, id="progress"
        ),
        pytest.param(event_report.state_report("1.2", progress(**{REASON: LONG})), REASON, id="state"),
        pytest.param(
            event_report.cancel_requested("1.2", {REASON: {"vr": "LT", "Value": [LONG]}}, "ASKER"), REASON, id="cancel"
        ),
        pytest.param(next(event_report.assigned("1.2", performer(LONG))), "00404036", id="assigned"),
    ],
)
def test_what_is_too_long_for_a_report_is_left_out(report: bytes, left_out: str) -> None:
    assert len(report) <= MOST_BYTES
    said = orjson.loads(report)
    assert said["00001000"]["Value"] == ["1.2"]
    assert "00001002" in said
    assert left_out not in said


def test_what_fits_is_whole() -> None:
    text = "x" * (MOST_BYTES - 500)
    said = orjson.loads(event_report.framed(event_report.progress_report("1.2", progress(**{REASON: text})), 7))
    assert said["00000110"]["Value"] == [7]
    assert said[PROGRESS_INFORMATION]["Value"][0][REASON]["Value"] == [text]

"""The tables: figures, verdicts and the Markdown page."""

from __future__ import annotations

import pytest
from benchmarks.figures import Aim, Figure
from benchmarks.report import Report, Row, markdown, number, renewed


@pytest.mark.parametrize(
    ("value", "expected"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.0623, "0.062")]
)
def test_number(value: float, expected: str) -> None:
    assert number(value) == expected


FAST, SLOW = Figure(((1.0, 1.0),)), Figure(((4.0, 4.0),))


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        pytest.param(Row("r", FAST, SLOW, aim=Aim(4)), "pass", id="four times faster"),
        pytest.param(Row("r", FAST, SLOW, aim=Aim(5)), "miss", id="not five times"),
        pytest.param(Row("r", SLOW, FAST, aim=Aim(4, at_most=True)), "pass", id="at most four times the time"),
        pytest.param(Row("r", SLOW, FAST, aim=Aim(1.6, at_most=True)), "miss", id="more than 1.6 times the time"),
        pytest.param(Row("r", FAST, None, aim=Aim(4)), "", id="nothing to compare with"),
        pytest.param(Row("r", FAST, SLOW), "", id="no aim"),
    ],
)
def test_verdict(row: Row, verdict: str) -> None:
    assert row.verdict == verdict


def test_markdown_holds_every_row() -> None:
    report = Report(
        rows=[Row("Search", FAST, SLOW, aim=Aim(4), note="a note"), Row("Frame", None)],
        memory=[("idle", "1 MiB")],
        memory_columns=("skiagraph peak",),
        setup=[("Client", "sockets | plain")],
    )
    page = markdown(report)
    assert "| Search | 1.00 ms (1.00–1.00) | Orthanc | 4.00 ms (4.00–4.00) | 4.00× (4.00–4.00) | ≥ 4× | pass |" in page
    assert "| Frame | – | – | – | – |  |  |" in page
    assert "- Search: a note" in page
    assert "sockets \\| plain" in page


def test_parts_of_a_page_are_renewed_and_the_rest_stays() -> None:
    rows, remarks = [Row("Search", FAST, SLOW)], ["was busy"]
    page = markdown(Report(rows, subparts=[("One", "first"), ("Two", "second")], remarks=remarks))
    again = renewed(page, Report(subparts=[("Two", "changed"), ("Three", "added")]))
    titles = [line for line in again.splitlines() if line.startswith("## ")]
    assert titles == [
        *("## Results", "## One", "## Two", "## Three"),
        *("## What the profile shows", "## Remarks", "## Machine and method"),
    ]
    for text in ("| Search |", "\nfirst\n", "\nchanged\n", "\nadded\n", "- was busy"):
        assert text in again
    assert "\nsecond\n" not in again
    assert renewed(page, Report()) == page

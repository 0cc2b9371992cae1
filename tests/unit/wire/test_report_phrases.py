"""SR values as people write them."""

from __future__ import annotations

import pytest

from skiagraph.standard.report_values import Code, Name
from skiagraph.standard.structured_report import (
    Coordinates,
    Item,
    Measurement,
    Reference,
    Report,
    Text,
    TimeRange,
    Value,
)
from skiagraph.wire import report_phrases

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("value_type", "value", "expected"),
    [
        ("TEXT", Text("19700101"), "19700101"),
        ("DATE", Text("19700131"), "1970-01-31"),
        ("DATE", Text("soon"), "soon"),
        ("TIME", Text("1305"), "13:05"),
        ("TIME", Text("130559.123456"), "13:05:59"),
        ("DATETIME", Text("20260102030405.5+0100"), "2026-01-02 03:04:05 +0100"),
        ("DATETIME", Text("20260102"), "2026-01-02"),
        ("DATETIME", Text("2026"), "2026"),
        ("CODE", Code("1", "S", "Mass"), "Mass"),
        ("CODE", Code("1", "S"), "1"),
        ("PNAME", Name("Packer^David M.^^^M. D."), "Packer, David M. M. D."),
        ("PNAME", Name("A^B", "山田^太郎", "やまだ^たろう"), "A, B · 山田 太郎 · やまだ たろう"),
        ("PNAME", Name("A^B^C^D^E^F^G"), "A, D B C E"),
        ("NUM", Measurement(("3",), Code("mm", "UCUM", "millimeter")), "3 mm"),
        ("NUM", Measurement(("3",), Code("1", "UCUM", "no units")), "3"),
        ("NUM", Measurement(("3",), Code("1", "UCUM", "px")), "3 px"),
        ("NUM", Measurement(("3",), Code("[hnsf'U]", "UCUM", "Hounsfield unit")), "3 Hounsfield unit"),
        ("NUM", Measurement(("3",), Code("cm", "99X", "Length Unit")), "3 Length Unit (cm)"),
        ("NUM", Measurement(("3",), None, Code("1", "DCM", "Not a number")), "3 (Not a number)"),
        ("NUM", Measurement((), None, Code("1", "DCM", "Measurement failure")), "no value: Measurement failure"),
        ("NUM", Measurement(), "no value"),
        ("IMAGE", Reference(CT, "1.2", (1, 2), (3,)), "CT Image, frames 1, 2, segment 3"),
        ("IMAGE", Reference("1.2.3", "1.2"), "1.2.3"),
        ("IMAGE", Reference("", "1.2", others=(Reference("", "1.3"),)), "Object, with another object"),
        ("SCOORD", Coordinates("CIRCLE", 2, ("1", "2", "3", "4")), "circle (1, 2) (3, 4)"),
        ("SCOORD", Coordinates("", 2), "graphic"),
        ("SCOORD3D", Coordinates("POINT", 3, ("1", "2", "3", "4")), "point (1, 2, 3) (4)"),
        ("TCOORD", TimeRange("SEGMENT", (), ("1", "2.5")), "segment seconds 1, 2.5"),
        ("TCOORD", TimeRange("POINT", ("7",)), "point samples 7"),
        ("TCOORD", TimeRange("POINT", (), (), ("20260102",)), "point 2026-01-02"),
        ("CONTAINER", None, ""),
        ("", None, ""),
        ("TEXT", None, "no value"),
        ("TABLE", None, "no value"),
    ],
)
def test_values(value_type: str, value: Value | None, expected: str) -> None:
    assert report_phrases.value(Item(value_type, value=value)) == expected


def test_long_lists_are_cut() -> None:
    points = Coordinates("POLYLINE", 2, tuple(map(str, range(2000))))
    assert report_phrases.coordinates(points).endswith("(14, 15) … 1000 points in all")
    frames = report_phrases.reference(Reference(CT, "1.2", tuple(range(1, 10_000))))
    assert frames.endswith("20 … 9999 in all")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"completion": "COMPLETE", "verification": "VERIFIED", "preliminary": "FINAL"}, ["Complete", "Verified"]),
        ({"completion": "PARTIAL", "preliminary": "PRELIMINARY"}, ["Partial", "Preliminary"]),
        ({}, []),
    ],
)
def test_flags(state: dict[str, str], expected: list[str]) -> None:
    assert report_phrases.flags(Report(Item("CONTAINER"), **state)) == expected


def test_titles() -> None:
    assert report_phrases.title(Report(Item("CONTAINER"))) == "Structured report"
    assert report_phrases.label(Item("IMAGE")) == "Image"
    assert report_phrases.label(Item("TABLE")) == "Table"

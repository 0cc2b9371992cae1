"""The content tree of SR documents: PS3.3 C.17.3, C.18, with tiny trees."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.standard import report_table, structured_report
from skiagraph.standard.report_table import Heading, Table, Target
from skiagraph.standard.report_values import Code, Name
from skiagraph.standard.structured_report import Coordinates, Item, Measurement, Observer, Reference, Text, TimeRange
from skiagraph.values import ResourcePath


def coded(meaning: str, value: str = "1", scheme: str = "99T") -> dict[str, Any]:
    item = {"00080100": value, "00080102": scheme, "00080104": meaning}
    return {"vr": "SQ", "Value": [{tag: {"vr": "SH", "Value": [text]} for tag, text in item.items()}]}


def cs(*values: Any, vr: str = "CS") -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def node(value_type: str, *children: dict[str, Any], relationship: str = "CONTAINS", **tags: Any) -> dict[str, Any]:
    """A Content Item; tags as ``t0040A160=…``."""
    found = {"0040A010": cs(relationship), "0040A040": cs(value_type)}
    found |= {tag[1:]: value for tag, value in tags.items()}
    if children:
        found["0040A730"] = cs(*children, vr="SQ")
    return found


def sop(uid: str, **tags: Any) -> dict[str, Any]:
    found = {"00081150": cs("1.2.840.10008.5.1.4.1.1.2"), "00081155": cs(uid)}
    return cs(found | {tag[1:]: value for tag, value in tags.items()}, vr="SQ")


def root(*children: dict[str, Any], **tags: Any) -> dict[str, Any]:
    return node("CONTAINER", *children, t0040A043=coded("Report"), **tags)


def only(item: dict[str, Any]) -> Item:
    report = structured_report.read(root(item))
    assert report is not None
    (child,) = report.content.children
    return child


@pytest.mark.parametrize(
    ("item", "value"),
    [
        pytest.param(node("TEXT", t0040A160=cs(" two\r\nlines ")), Text("two\r\nlines"), id="C.18.8 TEXT"),
        pytest.param(
            node("CODE", t0040A168=coded("Mass", "4147007", "SCT")), Code("4147007", "SCT", "Mass"), id="CODE"
        ),
        pytest.param(
            node(
                "CODE",
                t0040A168=cs({"00080119": cs("long"), "00080104": cs("Long")}, vr="SQ"),
            ),
            Code("long", "", "Long"),
            id="8.8 Long Code Value",
        ),
        pytest.param(
            node("NUM", t0040A300=cs({"0040A30A": cs(3.0), "004008EA": coded("millimeter", "mm", "UCUM")}, vr="SQ")),
            Measurement(("3",), Code("mm", "UCUM", "millimeter")),
            id="C.18.1 NUM",
        ),
        pytest.param(
            node("NUM", t0040A300=cs({"0040A30A": cs("1.234567890123456789")}, vr="SQ")),
            Measurement(("1.234567890123456789",)),
            id="C.18.1 NUM with all its digits",
        ),
        pytest.param(
            node("NUM", t0040A301=coded("Measurement failure", "114006", "DCM")),
            Measurement((), None, Code("114006", "DCM", "Measurement failure")),
            id="C.18.1 NUM without a value",
        ),
        pytest.param(
            node("PNAME", t0040A123=cs({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, vr="PN")),
            Name("Yamada^Tarou", "山田^太郎"),
            id="PNAME",
        ),
        pytest.param(node("PNAME", t0040A123=cs("A^B=C", vr="PN")), Name("A^B", "C"), id="PNAME as a string"),
        pytest.param(node("DATE", t0040A121=cs("20260131")), Text("20260131"), id="DATE"),
        pytest.param(node("TIME", t0040A122=cs("1305")), Text("1305"), id="TIME"),
        pytest.param(node("DATETIME", t0040A120=cs("202601311305")), Text("202601311305"), id="DATETIME"),
        pytest.param(node("UIDREF", t0040A124=cs("1.2.3")), Text("1.2.3"), id="UIDREF"),
        pytest.param(
            node("IMAGE", t00081199=sop("1.2.3", t00081160=cs(5, "2"), t0062000B=cs(7), t00081199=sop("1.2.4"))),
            Reference(
                "1.2.840.10008.5.1.4.1.1.2",
                "1.2.3",
                (5, 2),
                (7,),
                (),
                (Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.4"),),
            ),
            id="C.18.4 IMAGE",
        ),
        pytest.param(
            node("WAVEFORM", t00081199=sop("1.2.3", t0040A0B0=cs(1, 2))),
            Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3", channels=(1, 2)),
            id="C.18.5 WAVEFORM",
        ),
        pytest.param(
            node("COMPOSITE", t00081199=sop("1.2.3")), Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3"), id="COMPOSITE"
        ),
        pytest.param(
            node("SCOORD", t00700023=cs("POINT"), t00700022=cs(0.10000000149011612, 2)),
            Coordinates("POINT", 2, ("0.1", "2")),
            id="C.18.6 SCOORD",
        ),
        pytest.param(
            node("SCOORD3D", t00700023=cs("POINT"), t00700022=cs(1.0, 2.0, 3.0), t30060024=cs("1.9")),
            Coordinates("POINT", 3, ("1", "2", "3"), "1.9"),
            id="C.18.9 SCOORD3D",
        ),
        pytest.param(
            node("SCOORD", t00700023=cs("POLYLINE"), t00700022={"vr": "FL", "BulkDataURI": "bulkdata/x"}),
            Coordinates("POLYLINE", 2),
            id="C.18.6 SCOORD in bulk data",
        ),
        pytest.param(
            node("TCOORD", t0040A130=cs("SEGMENT"), t0040A138=cs(1.0, 2.5)),
            TimeRange("SEGMENT", (), ("1", "2.5")),
            id="C.18.7 TCOORD",
        ),
        pytest.param(node("SOUND"), None, id="a value type of tomorrow"),
        pytest.param(node("TEXT"), None, id="TEXT without a value"),
        pytest.param(node("IMAGE", t00081199=cs("odd", vr="SQ")), None, id="a Sequence without Items"),
    ],
)
def test_value_types(item: dict[str, Any], value: Any) -> None:
    assert only(item).value == value


def test_containers() -> None:
    template = cs({"0040DB00": cs("1500"), "00080105": cs("DCMR")}, vr="SQ")
    report = structured_report.read(root(node("CONTAINER"), t0040A050=cs("CONTINUOUS"), t0040A504=template))
    assert report is not None
    assert report.content.continuous
    assert report.content.template == "1500 (DCMR)"
    assert report.content.concept == Code("1", "99T", "Report")
    assert not report.content.children[0].continuous


def test_items_by_reference() -> None:
    """C.17.3.2.5: positions from the document on, which is 1."""
    reference = {"0040A010": cs("INFERRED FROM"), "0040DB73": cs(1, 1, vr="UL")}
    report = structured_report.read(root(node("TEXT", t0040A160=cs("a")), node("TEXT", reference, t0040A160=cs("b"))))
    assert report is not None
    target = report.content.children[1].children[0].target
    assert structured_report.find(report.content, target) is report.content.children[0]
    for nowhere in ((), (2,), (1, 3), (1, 0), (1, -1), (1, 1, 1)):
        assert structured_report.find(report.content, nowhere) is None


def test_the_state_of_a_document() -> None:
    verifier = {"0040A075": cs({"Alphabetic": "A^B"}), "0040A027": cs("Clinic"), "0040A030": cs("20260101")}
    flags = {"t0040A491": cs("COMPLETE"), "t0040A493": cs("VERIFIED"), "t0040A496": cs("FINAL")}
    report = structured_report.read(root(**flags, t0040A073=cs(verifier, vr="SQ")))
    assert report is not None
    assert (report.completion, report.verification, report.preliminary) == ("COMPLETE", "VERIFIED", "FINAL")
    assert report.verifiers == (Observer(Name("A^B"), "Clinic", "20260101"),)


def test_evidence_tells_where_references_belong() -> None:
    series = {"0020000E": cs("1.2"), "00081199": sop("1.3")}
    odd = {"0020000E": cs("../x"), "00081199": sop("1.4")}
    evidence = cs({"0020000D": cs("1.1"), "00081115": cs(series, odd, vr="SQ")}, vr="SQ")
    report = structured_report.read(root(t0040A375=evidence))
    assert report is not None
    assert report.place("1.3") == ResourcePath("1.1", "1.2", "1.3")
    assert report.place("1.4") is None


def test_language() -> None:
    """PS3.16 TID 1204."""
    modifier = node("CODE", t0040A043=coded("Language", "121049", "DCM"), t0040A168=coded("Japanese", "ja", "RFC5646"))
    assert only(node("CONTAINER", modifier)).language == "ja"
    assert only(node("CONTAINER")).language == ""


@pytest.mark.parametrize(
    "attributes", [{}, {"0040A040": cs("TEXT")}, {"0040A040": {"vr": "CS"}}, {"0040A730": cs(vr="SQ")}, {"0040A040": 1}]
)
def test_what_is_no_document(attributes: dict[str, Any]) -> None:
    assert structured_report.read(attributes) is None
    assert not structured_report.has_content(attributes)


def test_depth_costs_nothing() -> None:
    item = node("CONTAINER")
    for _ in range(5000):
        item = node("CONTAINER", item)
    report = structured_report.read(item)
    assert report is not None
    assert [depth for _, depth in structured_report.preorder(report.content)] == list(range(5001))


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", True),
        ("1.2.840.10008.5.1.4.1.1.88.59", True),
        ("1.2.840.10008.5.1.4.1.1.79.1", True),
        ("1.2.840.10008.5.1.4.1.1.2", False),
        ("1.2.840.10008.5.1.4.1.1.104.1", False),
    ],
    ids=["Basic Text", "Key Object Selection", "Macular Grid", "CT", "PDF"],
)
def test_sop_classes(uid: str, expected: bool) -> None:
    assert structured_report.is_report(uid) is expected


# Tables (C.18.10)


def table(rows: int, columns: int, *cells: dict[str, Any], **tags: Any) -> Any:
    sizes = {"0040A802": cs(rows, vr="UL"), "0040A803": cs(columns, vr="UL"), "0040A808": cs(*cells, vr="SQ")}
    sizes |= {tag[1:]: value for tag, value in tags.items()}
    found = only(node("TABLE", t0040A801=cs(sizes, vr="SQ"))).value
    assert isinstance(found, Table)
    return found


def cell(vr: str, value: Any, row: int | None = None, column: int | None = None, **tags: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"00720050": cs(vr)} | {tag[1:]: value for tag, value in tags.items()}
    places = {"FL": "00720076", "DT": "00720063", "UC": "0072006F", "US": "0072007A", "DS": "00720072"}
    if vr in places:
        found[places[vr]] = value
    found |= {tag: cs(number, vr="UL") for tag, number in (("0040A804", row), ("0040A805", column)) if number}
    return found


def test_a_table_by_columns() -> None:
    """Example 1 of C.18.10.1.1: times and currents, each column in one Item."""
    found = table(
        3,
        2,
        cell("DT", cs("20200401163901", "20200401163902", "20200401163903"), column=1),
        cell("FL", cs(100.0999984741211, 90.19999694824219, 60.5), column=2),
        t0040A807=cs(
            {"0040A805": cs(2, vr="UL"), "0040A043": coded("Current"), "004008EA": coded("milliampere", "mA", "UCUM")},
            vr="SQ",
        ),
    )
    assert [found.cells[row, 2] for row in (1, 2, 3)] == ["100.1", "90.2", "60.5"]
    assert found.cells[1, 1] == "20200401163901"
    assert found.vrs is not None
    assert found.vrs[1, 1] == "DATETIME"
    assert found.column_headings == {2: Heading(Code("1", "99T", "Current"), Code("mA", "UCUM", "milliampere"))}


def test_a_table_by_rows_and_by_cells() -> None:
    found = table(2, 3, cell("US", cs(1, 2, 3), row=1), cell("UC", cs("x"), row=2, column=3))
    assert found.cells == {(1, 1): "1", (1, 2): "2", (1, 3): "3", (2, 3): "x"}


def test_cells_that_are_codes_references_and_reasons() -> None:
    found = table(
        1,
        3,
        cell("", None, 1, 1, t0040A168=coded("Mass")),
        cell("", None, 1, 2, t0040DB73=cs(1, 2, vr="UL")),
        cell("", None, 1, 3, t0040A301=coded("Not measured")),
    )
    assert list(found.cells.values()) == [Code("1", "99T", "Mass"), Target((1, 2)), Code("1", "99T", "Not measured")]


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(cell("US", cs(1, 2, 3, 4), row=1), id="more values than columns"),
        pytest.param(cell("US", cs(1, 2, 3), column=9), id="no such column"),
        pytest.param(cell("US", cs(1, 2), row=4_000_000_000), id="no such row"),
        pytest.param(cell("XX", cs(1, 2), row=1), id="no such VR"),
        pytest.param(cell("US", cs({}, [], None), row=1), id="no values"),
    ],
)
def test_odd_cells_are_left_out(item: dict[str, Any]) -> None:
    found = table(2, 3, item)
    assert all(1 <= row <= 2 and 1 <= column <= 3 for row, column in found.cells)


def test_tables_are_bounded() -> None:
    found = table(2**32 - 1, 1, cell("US", cs(*range(30_000)), column=1))
    assert len(found.cells) == report_table.MOST_CELLS
    assert found.incomplete
    assert table(9, 9, cell("FL", {"vr": "FL", "BulkDataURI": "bulkdata/x"}, column=1)).incomplete


def test_a_table_without_a_table() -> None:
    assert only(node("TABLE")).value is None
    assert table(0, 0).cells == {}

"""SR documents as plain text."""

from __future__ import annotations

from skiagraph.standard.report_table import Heading, Table, Target
from skiagraph.standard.report_values import Code, Name
from skiagraph.standard.structured_report import Item, Measurement, Observer, Reference, Report, Text
from skiagraph.wire.report_text import to_text


def named(text: str) -> Code:
    return Code("1", "99T", text)


def text(value: str, *children: Item, name: str = "Finding", relationship: str = "CONTAINS") -> Item:
    return Item("TEXT", relationship, named(name), Text(value), children)


def test_a_whole_document() -> None:
    number = Item("NUM", "CONTAINS", named("Diameter"), Measurement(("3",), Code("cm", "UCUM")))
    image = Item("IMAGE", "INFERRED FROM", None, Reference("1.2.840.10008.5.1.4.1.1.2", "1.3", (2,)))
    content = Item(
        "CONTAINER",
        "",
        named("Report"),
        None,
        (
            Item("PNAME", "HAS OBS CONTEXT", named("Observer"), Name("Müller^Jörg")),
            Item("CONTAINER", "CONTAINS", named("Findings"), None, (text("one\r\ntwo", image, number),)),
            Item(
                "CONTAINER",
                "CONTAINS",
                None,
                None,
                (text("A mass of", text("left", name="Side")), number),
                continuous=True,
            ),
            Item("", "INFERRED FROM", target=(1, 2)),
        ),
    )
    report = Report(content, "PARTIAL", "", "VERIFIED", "", (Observer(Name("A^B"), "Clinic", "20260102030405"),))
    patient = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
        "00100030": {"vr": "DA", "Value": ["19700131"]},
    }
    assert to_text(patient, report).decode() == (
        "Report\n======\nPartial, Verified\nPatient: Yamada, Tarou · 山田 太郎\nBorn: 1970-01-31\n"
        "Verified by: A, B, Clinic, 2026-01-02 03:04:05\n\n"
        "Observer: Müller, Jörg\n\n"
        "Findings\n  Finding: one\n    two\n"
        "    [inferred from] Image: CT Image, frame 2 (1.3)\n    Diameter: 3 cm\n\n"
        "Section\n  A mass of (Side: left) 3 cm\n"
        "[inferred from] see Findings\n"
    )


def test_controls_are_replaced() -> None:
    content = Item("CONTAINER", "", named("R"), None, (text("a\x1b[31m\x00\ud800"),))
    written = to_text({}, Report(content)).decode()
    assert "a\ufffd[31m\ufffd\ufffd" in written


def test_depth_is_bounded() -> None:
    deep = text("bottom")
    for _ in range(2000):
        deep = Item("CONTAINER", "CONTAINS", named("S"), None, (deep,))
    assert len(to_text({}, Report(Item("CONTAINER", "", None, None, (deep,))))) < 2000 * 60


def test_a_table() -> None:
    number = Item("NUM", "CONTAINS", named("Diameter"), Measurement(("3",), Code("cm", "UCUM")))
    cells = {(1, 1): "20200401", (1, 2): Code("1", "99T", "Mass"), (2, 2): Target((1, 1)), (3, 1): "two\nlines"}
    table = Table(
        3,
        2,
        {1: Heading(named("First"))},
        {0: Heading(named("All")), 2: Heading(named("Size"), Code("mm", "UCUM"))},
        cells,
        vrs={(1, 1): "DATE"},
    )
    content = Item("CONTAINER", "", named("R"), None, (number, Item("TABLE", "CONTAINS", named("Doses"), table)))
    written = to_text({}, Report(content)).decode()
    assert written.endswith(
        "Doses: 3 rows, 2 columns; columns: All\n"
        "   |  | Size (mm)\n  First | 2020-04-01 | Mass\n   |  | 3 cm\n   | two lines | \n"
    )

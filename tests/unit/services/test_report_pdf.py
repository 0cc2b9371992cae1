"""Reports as PDF: every word, in every script, bounded, the same bytes each time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from skiagraph.services import report_pdf
from skiagraph.standard.report_table import Heading, Table, Target
from skiagraph.standard.report_values import Code, Name
from skiagraph.standard.structured_report import Item, Measurement, Observer, Reference, Report, Text
from skiagraph.values import ResourcePath

BASE = "https://example.org/dicom-web"
CT = "1.2.840.10008.5.1.4.1.1.2"
POPPLER = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler (pdftotext) is not installed")


def named(text: str) -> Code:
    return Code("1", "99T", text)


def text(value: str, *children: Item, name: str = "Finding", relationship: str = "CONTAINS") -> Item:
    return Item("TEXT", relationship, named(name), Text(value), children)


def report(*children: Item, title: str = "Chest Report", **state: Any) -> Report:
    return Report(Item("CONTAINER", "", named(title), None, children), **state)


def content(found: Report, attributes: dict[str, Any] | None = None) -> dict[str, Any]:
    """What is handed to the typesetter."""
    return report_pdf._content(attributes or {}, found, BASE)


def words(found: Report, folder: Path, attributes: dict[str, Any] | None = None) -> str:
    """The words of the PDF, as another program reads them."""
    file = folder / "report.pdf"
    file.write_bytes(report_pdf.to_pdf(attributes or {}, found, BASE))
    done = subprocess.run(["pdftotext", "-raw", str(file), "-"], check=True, capture_output=True, timeout=60)
    return " ".join(done.stdout.decode().replace("\u200b", "").split())


WHOLE = report(
    Item("PNAME", "HAS OBS CONTEXT", named("Observer"), Name("Müller^Jörg")),
    Item(
        "CONTAINER",
        "CONTAINS",
        named("Findings"),
        None,
        (
            text("one\r\ntwo", Item("IMAGE", "INFERRED FROM", None, Reference(CT, "1.3", (2,)))),
            Item("NUM", "CONTAINS", named("Diameter"), Measurement(("3",), Code("cm", "UCUM"))),
        ),
    ),
    Item("", "INFERRED FROM", target=(1, 2)),
    completion="COMPLETE",
    verification="UNVERIFIED",
    verifiers=(Observer(Name("A^B"), "Clinic", "20260102030405"),),
    places={"1.3": ResourcePath("1.1", "1.2", "1.3")},
)
PATIENT = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou"}]}}


@POPPLER
def test_all_words_are_there(tmp_path: Path) -> None:
    found = words(WHOLE, tmp_path, PATIENT)
    for word in ("Chest Report", "Complete", "Unverified", "Yamada, Tarou", "A, B, Clinic, 2026-01-02 03:04:05"):
        assert word in found
    for word in ("Observer Müller, Jörg", "Findings", "Finding one two", "Diameter 3 cm", "CT Image, frame 2", "1.3"):
        assert word in found
    assert "see Findings" in found
    assert "1 / 1" in found


def test_the_same_report_gives_the_same_bytes() -> None:
    first = report_pdf.to_pdf(PATIENT, WHOLE, BASE)
    assert first.startswith(b"%PDF-")
    assert first == report_pdf.to_pdf(PATIENT, WHOLE, BASE)


def test_links() -> None:
    blocks = content(WHOLE)["blocks"]
    image, see = (next(block for block in blocks if block["url"] and found in block["url"]) for found in ("/", "#"))
    assert image["url"] == f"{BASE}/studies/1.1/series/1.2/instances/1.3/frames/2/rendered"
    assert see["url"] == "#item-1.2"
    assert [block["anchor"] for block in blocks if block["anchor"]] == ["item-1.2"]


@POPPLER
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Διάγνωση: πνευμονία", id="Greek"),
        pytest.param("Диагноз: пневмония", id="Cyrillic"),
        pytest.param("右上葉に結節を認めます", id="Japanese"),
        pytest.param("患者胸部检查未见明显异常", id="Chinese"),
        pytest.param("이상 소견이 없습니다", id="Korean"),
        pytest.param("ผู้ป่วยมีอาการ", id="Thai"),
        pytest.param("ქართული Հայերեն አማርኛ", id="Georgian, Armenian, Ethiopic"),
        pytest.param("<b> *bold* _x_ #let x = 1 $ \\ ` @ref </b> //", id="markup is text"),
    ],
)
def test_scripts(value: str, tmp_path: Path) -> None:
    assert value in words(report(text(value)), tmp_path)


@POPPLER
@pytest.mark.parametrize("value", ["שלום", "رقم"], ids=["Hebrew", "Arabic"])
def test_right_to_left(value: str, tmp_path: Path) -> None:
    found = words(report(text(f"CT {value}")), tmp_path)
    assert set(value) <= set(found), "letters can be found again, whatever order they are read in"
    (block,) = content(report(text(value)))["blocks"]
    assert block["value"][0]["r"]
    (block,) = content(report(text(f"CT {value}")))["blocks"]
    assert not block["value"][0]["r"], "UAX #9, P2: the first letter tells"


@pytest.mark.parametrize(
    ("value", "font"),
    [("患者", 0), ("患者さん", 1), ("患者 김", 2), ("a", 0)],
    ids=["Chinese", "Japanese", "Korean", "none"],
)
def test_ideographs_have_the_shapes_of_their_language(value: str, font: int) -> None:
    (block,) = content(report(text(value)))["blocks"]
    assert block["value"][0]["f"] == font


@POPPLER
def test_tables(tmp_path: Path) -> None:
    cells = {(1, 1): "20200401", (1, 2): Code("1", "99T", "Mass"), (2, 2): Target((1, 1))}
    table = Table(2, 2, {1: Heading(named("First"))}, {2: Heading(named("Size"), Code("mm", "UCUM"))}, cells)
    found = report(text("a mass"), Item("TABLE", "CONTAINS", named("Doses"), table))
    assert "Doses 2 rows, 2 columns Size (mm) First 20200401 Mass a mass" in words(found, tmp_path)


def test_large_tables_are_cut_and_say_so() -> None:
    cells = {(row, column): "x" for row in range(1, 900) for column in range(1, 21)}
    table = Table(4_000_000_000, 20, {}, {}, cells)
    first, shown, last = content(report(Item("TABLE", "CONTAINS", named("Doses"), table)))["blocks"]
    assert first["value"][0]["s"].startswith("4000000000 rows, 20 columns")
    assert shown["columns"] == 16
    assert "of the table are printed; text/html has more" in last["value"][0]["s"]


@pytest.mark.parametrize(
    "children",
    [
        pytest.param([text("x")] * 50_000, id="items"),
        pytest.param([text("word " * 100_000)], id="one long text"),
        pytest.param([text("word\n" * 100_000)], id="lines"),
        pytest.param([text("word " * 500)] * 1000, id="texts"),
    ],
)
def test_long_reports_are_cut_and_say_so(children: list[Item]) -> None:
    made = content(report(*children, text("the end")))
    assert len(made["blocks"]) <= report_pdf.MOST_BLOCKS + 1
    size = sum(len(part["s"]) for block in made["blocks"] for part in block.get("value", ()))
    assert size <= report_pdf.MOST_CHARACTERS + 10_000
    assert "The report goes on" in made["blocks"][-1]["value"][0]["s"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a" + "\u0301" * 100_000, id="a tower of marks"),
        pytest.param("9" * 5000, id="no blank"),
        pytest.param("ש" * 5000, id="no blank, from right to left"),
        pytest.param("\u200d" * 5000, id="joiners"),
        pytest.param("\u202e\u2067" * 500 + "abc", id="directions"),
        pytest.param("\x00\x1b\ud800\udfff\ufffe\x85\u2028", id="controls"),
        pytest.param("\n\r\n" * 50_000, id="lines"),
        pytest.param("אa1 " * 500, id="to and fro"),
        pytest.param("👩‍👩‍👧" * 300, id="families"),
        pytest.param("", id="nothing"),
    ],
)
def test_hostile_text(value: str) -> None:
    try:
        made = report_pdf.to_pdf({}, report(text(value), title=value, places={}), BASE)
    except report_pdf.Unprintable:
        return
    assert made.startswith(b"%PDF-")
    assert len(made) < 3_000_000


def test_deep_nesting() -> None:
    inner = text("bottom")
    for number in range(300):
        inner = Item("CONTAINER", "CONTAINS", named(f"Level {number}"), None, (inner,))
    assert report_pdf.to_pdf({}, report(inner), BASE).startswith(b"%PDF-")


def test_what_the_typesetter_can_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pdf, "_TEMPLATE", b"#panic()")
    with pytest.raises(report_pdf.Unprintable, match="text/html and text/plain show it"):
        report_pdf.to_pdf({}, report(text("x")), BASE)

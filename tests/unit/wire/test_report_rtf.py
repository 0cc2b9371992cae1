"""SR documents as RTF."""

from __future__ import annotations

import re

import pytest

from skiagraph.standard.report_values import Code
from skiagraph.standard.structured_report import Item, Report, Text
from skiagraph.wire.report_rtf import to_rtf


def written(value: str) -> str:
    inner = Item("TEXT", "CONTAINS", Code("1", "99T", "Finding"), Text(value))
    section = Item("CONTAINER", "CONTAINS", Code("1", "99T", "Findings"), None, (inner,))
    return to_rtf({}, Report(Item("CONTAINER", "", Code("1", "99T", "Chest Report"), None, (section,)))).decode("ascii")


def read(document: str) -> str:
    """Undo what RTF does to text: numbers of UTF-16 units, and what is escaped."""
    units = b""
    for token in re.findall(r"\\u(-?\d+)\?|\\([\\{}])|([^\\{}])", document):
        number, escaped, plain = token
        units += (int(number) & 0xFFFF).to_bytes(2, "little") if number else (escaped or plain).encode("utf-16-le")
    return units.decode("utf-16-le")


def test_form() -> None:
    document = written("a mass")
    assert document.startswith(r"{\rtf1\ansi")
    assert document.endswith("}\n")
    assert document.count("{") == document.count("}")
    assert r"\b\fs32 Chest Report\b0\fs20\par" in document
    assert r"\pard\li0 Findings\par" in document
    assert r"\pard\li284 Finding: a mass\par" in document


@pytest.mark.parametrize(
    "value", [r"{\object\objdata 0} \\ }", "Größe ½", "山田 太郎", "😀 𝔸", "שלום", "{{{{"], ids=lambda text: text[:4]
)
def test_text_is_text(value: str) -> None:
    document = written(value)
    assert value in read(document)
    assert len(re.findall(r"(?<!\\)\{", document.replace(r"\\", ""))) == 3, "no group but those of the head"


def test_right_to_left() -> None:
    inner = Item("TEXT", "CONTAINS", Code("1", "99T", "ממצא"), Text("שלום"))
    document = to_rtf({}, Report(Item("CONTAINER", "", Code("1", "99T", "R"), None, (inner,))))
    assert document.count(rb"\rtlpar") == 1

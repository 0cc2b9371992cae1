"""``includefield`` of metadata."""

from __future__ import annotations

import pytest

from skiagraph.errors import BadRequest
from skiagraph.wire.field_query import IDENTIFIERS, parse


@pytest.mark.parametrize(
    "query", ["", "accept=x", "includefield=all", "includefield=PatientName,all", "x=includefield"]
)
def test_everything(query: str) -> None:
    assert parse(query, max_conditions=10) is None


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("includefield=PatientName", [("00100010",)]),
        ("includefield=00100010", [("00100010",)]),
        ("includefield=PatientName,00280010&includefield=Columns", [("00100010",), ("00280010",), ("00280011",)]),
        ("includefield=PatientName%2CRows", [("00100010",), ("00280010",)]),
        ("includefield=RequestAttributesSequence.0040000a", [("00400275", "0040000A")]),
        ("includefield=", []),
        ("includefield", []),
    ],
)
def test_names(query: str, paths: list[tuple[str, ...]]) -> None:
    found = parse(query, max_conditions=10)
    assert found is not None
    assert set(found.include) == {*paths, *IDENTIFIERS}
    assert not found.warnings


def test_private() -> None:
    found = parse("includefield=00091102&00090011=ACME", max_conditions=10)
    assert found is not None
    assert found.include_private == (("ACME", ("00091002",)),)


@pytest.mark.parametrize("name", ["NoSuchThing", "00091002", "00020010", "<script>"])
def test_what_is_not_known_is_ignored_with_a_warning(name: str) -> None:
    found = parse(f"includefield=Rows,{name}", max_conditions=10)
    assert found is not None
    assert ("00280010",) in found.include
    assert len(found.warnings) == 1
    assert "<" not in found.warnings[0]


@pytest.mark.parametrize(
    "query", ["includefield=PatientName.Rows", "includefield=" + "Rows," * 200, "includefield=%FF", "includefield=%"]
)
def test_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        parse(query, max_conditions=10)

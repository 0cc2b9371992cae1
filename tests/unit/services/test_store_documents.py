"""Encapsulated Documents: what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from skiagraph.errors import SopClassMismatch
from skiagraph.services import store_documents
from skiagraph.services.coercion import Changes
from skiagraph.standard.part10 import BytesSource
from skiagraph.values import Attributes
from skiagraph.wire import media_type
from skiagraph.wire.media_type import MediaType

CLASS = "1.2.840.10008.5.1.4.1.1.104."
PDF = b"%PDF-1.7\n"
XML = b"<?xml version='1.0'?>\n<a/>"
CDA = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="9"/><id root="1.2" extension="x"/><a><id root="3"/></a>'
STL = bytes(80) + b"\2\0\0\0" + bytes(100)


@dataclass
class Body(BytesSource):
    data: bytes
    media_type: MediaType | None = None

    def __post_init__(self) -> None:
        super().__init__(self.data)


def described(content: bytes, claim: str = "", **given: tuple[str, Any]) -> tuple[Changes, tuple[str, ...]]:
    attributes: Attributes = {tag.removeprefix("x"): {"vr": vr, "Value": [text]} for tag, (vr, text) in given.items()}
    changes = Changes(attributes)
    return changes, store_documents.describe(changes, Body(content, media_type.parse(claim)))


@pytest.mark.parametrize(
    ("content", "claim", "name", "number"),
    [
        pytest.param(PDF, "application/pdf", "application/pdf", 1, id="PDF"),
        pytest.param(PDF, "", "application/pdf", 1, id="PDF that nobody claims"),
        pytest.param(b"\n" * 500 + PDF, "application/octet-stream", "application/pdf", 1, id="PDF behind something"),
        pytest.param(XML, "text/xml", "text/xml", 2, id="XML"),
        pytest.param(b"\xef\xbb\xbf" + XML, "application/xml", "text/xml", 2, id="XML with a byte order mark"),
        pytest.param(CDA, "text/xml", "text/xml", 2, id="CDA without declaration"),
        pytest.param(STL, "", "model/stl", 3, id="binary STL"),
        pytest.param(b"solid x\nendsolid", "model/stl", "model/stl", 3, id="STL as text"),
        pytest.param(b"solid x\nendsolid", "application/sla", "model/stl", 3, id="an old name"),
        pytest.param(b"v 0 0 0\n", "model/obj", "model/obj", 4, id="OBJ"),
        pytest.param(b"newmtl a\n", "model/mtl", "model/mtl", 5, id="MTL"),
    ],
)
def test_what_it_is(content: bytes, claim: str, name: str, number: int) -> None:
    changes, warnings = described(content, claim)
    assert changes.attributes["00420012"]["Value"] == [name]
    assert changes.attributes["00420015"] == {"vr": "UL", "Value": [len(content)]}
    assert changes.attributes["00080016"]["Value"] == [CLASS + str(number)]
    assert not changes
    assert not warnings


@pytest.mark.parametrize(
    ("content", "claim", "warns"),
    [
        pytest.param(b"x", "application/pdf", True, id="no PDF"),
        pytest.param(b"x", "text/xml", False, id="no XML"),
        pytest.param(b"x", "text/plain", False, id="text, which has no SOP Class"),
        pytest.param(b"", "", False, id="nothing"),
    ],
)
def test_what_it_may_be(content: bytes, claim: str, warns: bool) -> None:
    _, warnings = described(content, claim)
    assert bool(warnings) is warns


@pytest.mark.parametrize(
    ("number", "content"),
    [(1, XML), (1, b"\xff\xd8\xff"), (1, STL), (2, PDF), (2, b"{\\rtf1"), (3, PDF), (3, XML), (5, b"PK\x03\x04")],
)
def test_of_another_class(number: int, content: bytes) -> None:
    with pytest.raises(SopClassMismatch) as caught:
        described(content, x00080016=("UI", CLASS + str(number)))
    assert "00080016" in caught.value.details


def test_a_wrong_type_is_corrected() -> None:
    changes, _ = described(PDF, "text/xml", x00420012=("LO", "text/xml"), x00420015=("UL", 1))
    assert changes.original == {
        "00420012": {"vr": "LO", "Value": ["text/xml"]},
        "00420015": {"vr": "UL", "Value": [1]},
    }


def test_another_spelling_is_not() -> None:
    changes, _ = described(PDF, x00420012=("LO", "Application/PDF"), x00080016=("UI", "1.2.3"))
    assert not changes
    assert changes.attributes["00080016"]["Value"] == ["1.2.3"], "a class of which we know nothing stays"


@pytest.mark.parametrize(
    ("content", "identifier"),
    [
        pytest.param(CDA, "1.2^x", id="root and extension"),
        pytest.param(CDA.replace(b' extension="x"', b""), "1.2", id="root"),
        pytest.param(CDA.replace(b'<id root="1.2" extension="x"/>', b""), None, id="none at the top"),
        pytest.param(CDA[:60], None, id="truncated"),
        pytest.param(XML, None, id="no CDA"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY e "1">]>' + CDA.replace(b"1.2", b"&e;"), None, id="entities"),
    ],
)
def test_identifier_of_a_cda(content: bytes, identifier: str | None) -> None:
    changes, _ = described(content, "text/xml")
    assert changes.attributes.get("0040E001", {}).get("Value") == (identifier and [identifier])

"""Metadata of some attributes only, and in other character sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from lxml import etree
from pydicom.dataset import Dataset

from archives import Given, opened
from dicom_files import ct, part10, uid

IDENTIFIERS = {"00080018", "0020000D", "0020000E"}


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def item(**attributes: Any) -> Dataset:
    data = Dataset()
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    return data


def with_private() -> Dataset:
    data = ct(
        RequestAttributesSequence=[item(RequestedProcedureID="1", ScheduledProcedureStepID="2"), Dataset()],
        ICCProfile=bytes(2000),
    )
    block = data.private_block(0x0009, "ACME", create=True)
    block.add_new(0x02, "LO", "mine")
    other = data.private_block(0x0009, "OTHER", create=True)
    other.add_new(0x02, "LO", "theirs")
    return data


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("includefield=PatientName", {"00100010"}),
        ("includefield=00280010,Columns", {"00280010", "00280011"}),
        ("includefield=PatientName&includefield=Rows", {"00100010", "00280010"}),
        ("includefield=ICCProfile,PixelData", {"00282000", "7FE00010"}),
        ("includefield=00091002&00090010=OTHER", {"00090011", "00091102"}),
        ("includefield=WindowCenter", set()),
        ("includefield=", set()),
        ("includefield=NoSuchThing", set()),
    ],
)
def test_only_what_is_asked_for(given: Given, query: str, tags: set[str]) -> None:
    (instance,) = given.store(part10(with_private()))
    whole = orjson.loads(given.get(f"{instance.path}/metadata").body)[0]
    answer = given.get(f"{instance.path}/metadata", query=query)
    (found,) = orjson.loads(answer.body)
    assert set(found) == tags | IDENTIFIERS
    assert list(found) == sorted(found)
    assert {tag: whole[tag] for tag in found} == found, "values, InlineBinary and BulkDataURI as in the whole"
    assert ("warning" in answer.headers) == ("NoSuch" in query)


def test_path_into_a_sequence(given: Given) -> None:
    (instance,) = given.store(part10(with_private()))
    answer = given.get(f"{instance.path}/metadata", query="includefield=RequestAttributesSequence.RequestedProcedureID")
    (found,) = orjson.loads(answer.body)
    assert found["00400275"]["Value"] == [{"00401001": {"vr": "SH", "Value": ["1"]}}, {}]


@pytest.mark.parametrize("query", ["", "includefield=all", "includefield=PatientName,all"])
def test_everything(given: Given, query: str) -> None:
    (instance,) = given.store(part10(with_private()))
    assert given.get(f"{instance.path}/metadata", query=query).body == given.get(f"{instance.path}/metadata").body


def test_many_instances(given: Given) -> None:
    study, series = uid(), uid()
    stored = given.store(*(part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)) for _ in range(300)))
    found = orjson.loads(given.get(f"studies/{study}/metadata", query="includefield=InstanceNumber").content)
    assert {each["00080018"]["Value"][0] for each in found} == {each.path.sop_instance_uid for each in stored}
    assert all(set(each) == {"00200013", *IDENTIFIERS} for each in found)


def test_each_has_its_own_etag(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    path = f"{instance.path}/metadata"
    tags = [given.get(path, query=query).headers["etag"] for query in ("", "includefield=Rows", "includefield=Columns")]
    assert len(set(tags)) == 3
    assert given.get(path, query="includefield=Rows", headers={"if-none-match": tags[1]}).status == 304
    assert given.get(path, query="includefield=Columns", headers={"if-none-match": tags[1]}).status == 200
    assert given.get(path, query="").headers["etag"] == tags[0], "kept answers are not mixed up"


def test_xml_of_some_attributes_in_another_character_set(given: Given) -> None:
    (instance,) = given.store(part10(ct(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^漢")))
    answer = given.get(
        f"{instance.path}/metadata",
        "application/dicom+xml; charset=iso-8859-1",
        query="includefield=PatientName",
    )
    assert answer.headers["content-type"] == "application/dicom+xml; charset=ISO-8859-1"
    assert b'encoding="ISO-8859-1"' in answer.content
    assert "Müller".encode("latin-1") in answer.content
    root = etree.fromstring(answer.content)
    assert [each.get("keyword") for each in root] == [
        "SOPInstanceUID",
        "PatientName",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ]
    assert root.findtext(".//GivenName") == "漢"


def test_json_is_utf_8_whatever_is_asked_for(given: Given) -> None:
    (instance,) = given.store(part10(ct(SpecificCharacterSet="ISO_IR 192", PatientName="Müller")))
    answer = given.get(
        f"{instance.path}/metadata", "application/dicom+json; charset=iso-8859-1", headers={"accept-charset": "gbk"}
    )
    assert answer.headers["content-type"] == "application/dicom+json"
    assert "Müller".encode() in answer.content

"""Retrieve Metadata: PS3.18 §10.4, Annex F; PS3.19 A.1."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from archives import BASE, Given, opened
from dicom_files import ct, part10, uid
from skiagraph.services.metadata import accepts_gzip

XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def pathology() -> bytes:
    """An image whose ICC profile is nested, as in the sample 3 of the seed."""
    item = Dataset()
    item.ICCProfile = bytes(range(256)) * 8
    return part10(ct(OpticalPathSequence=[item], ImageComments='"BulkDataURI":"not a member'))


def uris(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "BulkDataURI":
                yield inner
            else:
                yield from uris(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from uris(inner)


def test_json_of_an_instance(given: Given) -> None:
    """One top-level array, also for one Instance (§10.4.3.3.2); no group 0002; keys ascending."""
    (instance,) = given.store(pathology())
    answer = given.get(f"{instance.path}/metadata")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}/metadata"
    assert answer.length == len(answer.body)
    (document,) = json.loads(answer.body)
    assert list(document) == sorted(document)
    assert not any(tag.startswith("0002") for tag in document)
    assert document["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Zeta^Zachary"}]}
    assert document["00204000"]["Value"] == ['"BulkDataURI":"not a member']
    assert list(uris(document)) == [
        f"{BASE}/{instance.path}/bulkdata/00480105/0/00282000",
        f"{BASE}/{instance.path}/pixeldata",
    ]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param(None, "application/dicom+json", id="no header"),
        pytest.param("*/*", "application/dicom+json", id="the default"),
        pytest.param("application/json", "application/json", id="alias"),
        pytest.param("application/dicom+xml", "application/dicom+xml", id="one document for one Instance"),
        pytest.param(XML, "multipart/related", id="multipart XML"),
        pytest.param("application/dicom", None, id="not the Instance"),
        pytest.param(
            "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
            "application/dicom+json",
            id="as a viewer asks",
        ),
    ],
)
def test_accept(given: Given, accept: str | None, content_type: str | None) -> None:
    (instance,) = given.store(part10(ct()))
    answer = given.get(f"{instance.path}/metadata", accept)
    if content_type is None:
        assert answer.status == 406
    else:
        assert answer.status == 200
        assert answer.headers["content-type"].partition(";")[0] == content_type


def test_order_of_a_study(given: Given) -> None:
    study, series = uid(), uid()
    files = [part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n)) for n in range(1, 4)]
    stored = given.store(*reversed(files), part10(ct(StudyInstanceUID=study, SeriesNumber=7)))
    documents = json.loads(given.get(f"studies/{study}/metadata").body)
    assert [one["00200013"]["Value"][0] for one in documents[:3]] == [1, 2, 3]
    assert len(documents) == 4
    documents = json.loads(given.get(f"studies/{study}/series/{series}/metadata").body)
    assert [next(uris(one)) for one in documents] == [f"{BASE}/{one.path}/pixeldata" for one in reversed(stored[:3])]


def test_retrieve_is_never_paged(given: Given) -> None:
    study, series = uid(), uid()
    given.store(
        *(part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n + 1)) for n in range(230))
    )
    for path in (f"studies/{study}", f"studies/{study}/series/{series}"):
        plain = given.get(f"{path}/metadata")
        assert len(json.loads(plain.body)) == 230
        zipped = given.get(f"{path}/metadata", headers={"accept-encoding": "gzip"})
        assert zipped.content == plain.body
        assert len(given.get(f"{path}/metadata", XML).parts) == 230


def test_xml(given: Given) -> None:
    """One part per Instance, with the URL of its metadata; references as in JSON."""
    study = uid()
    stored = given.store(part10(ct(StudyInstanceUID=study, SeriesNumber=1)), part10(ct(StudyInstanceUID=study)))
    answer = given.get(f"studies/{study}/metadata", XML)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"; boundary=')
    assert [part.location for part in answer.parts] == [f"{one.path}/metadata" for one in stored]
    for part, instance in zip(answer.parts, stored, strict=True):
        assert part.type == "application/dicom+xml"
        root = etree.fromstring(part.body)
        assert root.find("DicomAttribute[@keyword='PatientID']/Value").text == "ID-1"
        assert root.find(".//BulkData").get("uri") == f"{BASE}/{instance.path}/pixeldata"


@pytest.mark.parametrize("slash", ["", "/"], ids=["", "trailing slash"])
@pytest.mark.parametrize("accept", ["application/dicom+json", XML], ids=["JSON", "XML"])
def test_relative_urls_resolve_against_the_request(tmp_path: Path, slash: str, accept: str) -> None:
    """RFC 3986 §5.2, at every level."""
    with opened(tmp_path, relative_urls=True) as given:
        (instance,) = given.store(pathology())
        study = f"studies/{instance.path.study_instance_uid}"
        series = f"{study}/series/{instance.path.series_instance_uid}"
        for path in (study, series, str(instance.path)):
            url = f"{path}/metadata{slash}"
            answer = given.get(url, accept)
            if accept == XML:
                found = [one.get("uri") for one in etree.fromstring(answer.parts[0].body).iter("BulkData")]
            else:
                found = list(uris(json.loads(answer.body)))
            assert not any(uri.startswith(("http", "/")) for uri in found)
            assert [urllib.parse.urljoin(f"{BASE}/{url}", uri) for uri in found] == [
                f"{BASE}/{instance.path}/bulkdata/00480105/0/00282000",
                f"{BASE}/{instance.path}/pixeldata",
            ]


def test_gzip(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    path = f"{instance.path}/metadata"
    plain = given.get(path)
    zipped = given.get(path, headers={"accept-encoding": "gzip, deflate, br"})
    assert plain.headers["vary"] == zipped.headers["vary"] == "Accept, Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.body
    assert zipped.length == len(zipped.body) < len(plain.body)
    assert zipped.headers["etag"] != plain.headers["etag"], "RFC 9110 §8.8.3: strong tags are of the coded bytes"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
    ],
)
def test_accept_encoding(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_conditions(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    study = f"studies/{instance.path.study_instance_uid}"
    for path in (f"{instance.path}/metadata", f"{study}/metadata"):
        first = given.get(path)
        assert not first.headers["etag"].startswith("W/")
        again = given.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert given.get(path, XML, headers={"if-none-match": first.headers["etag"]}).status == 200
    etag = given.get(f"{study}/metadata").headers["etag"]
    given.store(part10(ct(StudyInstanceUID=instance.path.study_instance_uid)))
    assert given.get(f"{study}/metadata", headers={"if-none-match": etag}).status == 200


def test_not_modified_is_said_before_any_document_is_read(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(part10(ct()))
    path = f"studies/{instance.path.study_instance_uid}/metadata"
    etag = given.get(path).headers["etag"]
    monkeypatch.delattr(type(given.archive.index), "documents")
    assert given.get(path, headers={"if-none-match": etag}).status == 304


def test_not_found_and_gone(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    assert given.get("studies/1.2.3/metadata").status == 404
    assert given.get(f"{instance.path}9/metadata").status == 404
    given.get(f"studies/{instance.path.study_instance_uid}", method="DELETE")
    assert given.get(f"{instance.path}/metadata").status == 410
    assert given.get(f"studies/{instance.path.study_instance_uid}/metadata").status == 410


def test_head(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    answer = given.get(f"{instance.path}/metadata", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/dicom+json"


def test_the_data_sets_are_complete(given: Given) -> None:
    """Nothing vanishes: nested, private and empty attributes too."""
    item = Dataset()
    item.CodeValue = "T-1"
    data = ct(ProcedureCodeSequence=[item, Dataset()], PatientAge="")
    data.add_new(0x00091010 - 0x1000, "LO", "ACME")
    data.add_new(0x00091001, "OB", b"\x01\x02")
    data.ReferencedStudySequence = Sequence([])
    (instance,) = given.store(part10(data))
    (document,) = json.loads(given.get(f"{instance.path}/metadata").body)
    assert document["00081032"]["Value"] == [{"00080100": {"vr": "SH", "Value": ["T-1"]}}, {}]
    assert document["00101010"] == {"vr": "AS"}
    assert document["00091001"] == {"vr": "OB", "InlineBinary": "AQI="}
    assert document["00081110"] == {"vr": "SQ"}

"""Rendered reports without a web server: what is a report, what is none, small and large."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from pydicom.dataset import Dataset

from archives import Given, opened
from dicom_files import ct, part10
from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.services import reports, representation

BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_OF_IMAGES = ("Rows", "PixelData")


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def code(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99T", meaning
    return item


def text(value: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", value
    item.ConceptNameCodeSequence = [code("Finding")]
    return item


def report(*items: Dataset, **changes: Any) -> bytes:
    defaults: dict[str, Any] = {
        "SOPClassUID": BASIC_TEXT,
        "Modality": "SR",
        "Rows": None,
        "PixelData": None,
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [code("Chest Report")],
        "ContentSequence": list(items),
    }
    wanted = defaults | changes
    return part10(ct(**{name: value for name, value in wanted.items() if value is not None or name in _OF_IMAGES}))


@pytest.mark.parametrize("count", [1, 2000], ids=["small", "large"])
def test_small_and_large(given: Given, count: int) -> None:
    (instance,) = given.store(report(*(text(f"number {number}") for number in range(count))))
    answer = given.get(f"{instance.path}/rendered")
    values = [element.text for element in html.fromstring(answer.body).findall(".//main/dl/dd")]
    assert values == [f"number {number}" for number in range(count)]
    again = given.get(f"{instance.path}/rendered")
    assert (again.body, again.headers["etag"]) == (answer.body, answer.headers["etag"])
    assert not answer.headers["etag"].startswith("W/")


def test_key_objects_link_to_their_images(given: Given) -> None:
    reference, evidence, series, study = Dataset(), Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.3"
    evidence.ReferencedSOPClassUID, evidence.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.3"
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2", [evidence]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "1.1", [series]
    image = Dataset()
    image.RelationshipType, image.ValueType, image.ReferencedSOPSequence = "CONTAINS", "IMAGE", [reference]
    (instance,) = given.store(
        report(image, SOPClassUID=KEY_OBJECTS, Modality="KO", CurrentRequestedProcedureEvidenceSequence=[study])
    )
    (link,) = html.fromstring(given.get(f"{instance.path}/rendered").body).xpath("//a/@href")
    assert link.endswith("/studies/1.1/series/1.2/instances/1.3/rendered")


@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
def test_what_has_no_content_is_406(given: Given, accept: str) -> None:
    (instance,) = given.store(report(ValueType=None, ContentSequence=None))
    error = given.get(f"{instance.path}/rendered", accept).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "content tree" in error.message
    study = str(instance.path).partition("/series/")[0]
    assert isinstance(given.get(f"{study}/rendered").error, NoAcceptableRepresentation)


def test_parameters_are_checked_and_mean_nothing(given: Given) -> None:
    (instance,) = given.store(report(text("a")))
    plain = given.get(f"{instance.path}/rendered").body
    assert given.get(f"{instance.path}/rendered", query="viewport=10,10&charset=latin1").body == plain
    assert isinstance(given.get(f"{instance.path}/rendered", query="viewport=0,0").error, BadRequest)


def test_dicom_beside_text_is_400(given: Given) -> None:
    (instance,) = given.store(report(text("a")))
    assert isinstance(given.get(f"{instance.path}/rendered", "text/html, application/dicom").error, BadRequest)


def test_too_much_to_render(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = report(text("x")), report(text("x" * 5000), StudyInstanceUID="1.2.3")
    one, other = given.store(small, large)
    monkeypatch.setattr(representation, "LARGEST_CONTENT", 3000)
    for accept in ("text/html", "text/plain", "text/xml", "text/rtf", "application/pdf"):
        assert given.get(f"{one.path}/rendered", accept).status == 200
        answer = given.get(f"{other.path}/rendered", accept)
        assert isinstance(answer.error, NoAcceptableRepresentation)
        assert "3000" in answer.error.message
    assert given.get("studies/1.2.3/rendered").status == 406, "it is none of the Instances that are rendered"
    assert given.get(f"{other.path}/thumbnail").status == 200, "an icon"
    assert given.get(f"{other.path}/metadata").status == 200


def test_printing_leaves_a_thread_for_others(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = given.store(*(report(text(f"{number}")) for number in range(4)))
    now, most = 0, 0

    async def run(*arguments: object) -> reports.Made:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return reports.Made("application/pdf", b"%PDF-")

    monkeypatch.setattr(given.archive.workers, "run", run)

    async def main() -> None:
        await asyncio.gather(
            *(reports.represent(given.archive, one, reports.PDF, "http://example.org") for one in instances)
        )

    asyncio.run(main())
    assert most == 1

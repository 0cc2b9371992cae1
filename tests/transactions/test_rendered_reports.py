"""Rendered reports over HTTP: SR as pages, plain text and XML; encapsulated CDA and PDF as they are."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from lxml import etree, html
from pydicom.dataset import Dataset

from conftest import SAMPLES, SHARED_DATA
from dicom_files import ct, part10, parts

ADDRESS_BAR = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
REPORTS = [
    pytest.param(SAMPLES / "report-sr" / "measurements.dcm", id="samples"),
    *(
        pytest.param(SHARED_DATA / folder / name, id=name, marks=pytest.mark.shared_data)
        for folder, name in (
            ("modalities/sr", "basic-text.dcm"),
            ("modalities/sr", "dicomscope-key-image.dcm"),
            ("modalities/sr", "enhanced-sr.dcm"),
            ("modalities/sr", "reportsi.dcm"),
            ("modalities/sr", "sr_document_with_multiple_groups.dcm"),
            ("modalities/sr", "test-SR.dcm"),
            ("modalities/sr", "tid1500.dcm"),
            ("syntaxes/deflate", "report_dfl.dcm"),
        )
    ),
]


def get(url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept} | headers, trust_env=False, timeout=60)


def path_of(data: Dataset) -> str:
    return f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"


def store(base_url: str, file: bytes) -> tuple[str, Dataset]:
    """Store an Instance; return its URL and what is in it."""
    response = httpx.post(
        f"{base_url}/studies", content=file, headers={"Content-Type": "application/dicom"}, trust_env=False
    )
    assert response.status_code in (200, 202), response.text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(io.BytesIO(file), force=True)
    return base_url + path_of(data), data


@pytest.fixture(scope="module")
def report(base_url: str) -> str:
    """URL of the report of the samples."""
    return store(base_url, (SAMPLES / "report-sr" / "measurements.dcm").read_bytes())[0]


def texts(item: Any) -> Iterator[str]:
    """Every Text Value of a content tree, as an independent reader finds them, and the meaning of every code."""
    if item.get("TextValue"):
        yield str(item.TextValue)
    for sequence in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
        for code in item.get(sequence) or ():
            if code.get("CodeMeaning"):
                yield str(code.CodeMeaning)
    for child in item.get("ContentSequence") or ():
        yield from texts(child)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("file", REPORTS)
def test_every_report(base_url: str, file: Path) -> None:
    url, data = store(base_url, file.read_bytes())
    expected = {squeezed(text) for text in texts(data)}
    assert expected

    page = get(f"{url}/rendered", ADDRESS_BAR)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found = html.fromstring(page.content)
    assert not found.xpath("//script | //iframe | //img | //link | //object | //form | //@src | //@onclick")
    shown = squeezed(" ".join(found.itertext())) + " ".join(found.xpath("//@title"))
    assert not [text for text in expected if text not in shown]

    plain = get(f"{url}/rendered", "text/plain")
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    written = squeezed(plain.text)
    values = {squeezed(str(item.TextValue)) for item in data.ContentSequence if item.get("TextValue")}
    assert not [text for text in values if text not in written]

    xml = get(f"{url}/rendered", "text/xml")
    assert xml.headers["content-type"] == "text/xml; charset=utf-8"
    model = etree.fromstring(xml.content)
    assert model.tag == "NativeDicomModel"
    assert model.findtext("DicomAttribute[@keyword='SOPInstanceUID']/Value") == data.SOPInstanceUID


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("*/*", "text/html; charset=utf-8", id="Table 8.7.4-1 default"),
        pytest.param(ADDRESS_BAR, "text/html; charset=utf-8", id="address bar"),
        pytest.param("text/*", "text/html; charset=utf-8", id="text/*"),
        pytest.param("text/plain", "text/plain; charset=utf-8", id="plain"),
        pytest.param("text/xml, text/html;q=0.5", "text/xml; charset=utf-8", id="by weight"),
        pytest.param("application/pdf", "application/pdf", id="PDF"),
        pytest.param("text/rtf", "text/rtf", id="RTF"),
        pytest.param("application/pdf, text/plain;q=0.9", "application/pdf", id="PDF or text"),
        pytest.param("text/html; charset=klingon", "text/html; charset=utf-8", id="8.8 charset that is not had"),
        pytest.param("text/html; charset=iso-8859-1", "text/html; charset=ISO-8859-1", id="8.8 charset that is had"),
        pytest.param('multipart/related; type="text/plain"', "multipart/related", id="multipart"),
    ],
)
def test_media_types(report: str, accept: str, content_type: str) -> None:
    response = get(f"{report}/rendered", accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content_type)
    if content_type.startswith("multipart"):
        ((headers, body),) = parts(response.content, response.headers["content-type"])
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert headers["content-location"] == report
        assert body.startswith(b"Imaging Measurement Report\n")
    else:
        assert response.headers["content-location"] == report


@pytest.mark.parametrize("accept", ["image/jpeg", "application/msword", "text/markdown", "video/mp4"])
def test_refusals_list_what_can_be_had(report: str, accept: str) -> None:
    response = get(f"{report}/rendered", accept)
    assert response.status_code == 406
    assert all(name in response.text for name in ("text/html", "text/plain", "text/xml", "text/rtf", "application/pdf"))


def test_a_report_as_pdf(report: str) -> None:
    response = get(f"{report}/rendered", "application/pdf")
    assert response.status_code == 200
    assert response.content.startswith(b"%PDF-")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert get(f"{report}/rendered", "application/pdf").content == response.content
    again = get(f"{report}/rendered", "application/pdf", **{"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304
    assert get(f"{report}/rendered?charset=iso-8859-1", "application/pdf").content == response.content
    part = get(f"{report}/rendered", "application/pdf", Range="bytes=0-4")
    assert (part.status_code, part.content) == (206, b"%PDF-")
    assert get(f"{report}/rendered", "text/rtf").content.startswith(b"{\\rtf1")


def test_the_accept_parameter(report: str) -> None:
    response = get(f"{report}/rendered?accept=text/plain", ADDRESS_BAR)
    assert response.headers["content-type"].startswith("text/plain")


def test_a_browser_runs_nothing_of_it(report: str) -> None:
    for accept in ("text/html", "text/plain", "text/xml"):
        headers = get(f"{report}/rendered", accept).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert ("style-src 'sha256-" in headers["content-security-policy"]) is (accept == "text/html")
        assert "script-src" not in headers["content-security-policy"]


def test_caching_and_head(report: str) -> None:
    response = get(f"{report}/rendered", "text/html")
    again = get(f"{report}/rendered", "text/html", **{"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304
    other = get(f"{report}/rendered", "text/plain", **{"If-None-Match": response.headers["etag"]})
    assert other.status_code == 200
    head = httpx.head(f"{report}/rendered", headers={"Accept": "text/html"}, trust_env=False)
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(response.content))
    part = get(f"{report}/rendered", "text/html", Range="bytes=0-14")
    assert (part.status_code, part.content) == (206, b"<!DOCTYPE html>")


def test_links_are_under_the_base_uri(base_url: str, report: str) -> None:
    found = html.fromstring(get(f"{report}/rendered", "text/html").content)
    links = found.xpath("//a/@href")
    assert links
    assert all(link.startswith(f"{base_url}/studies/") and link.endswith("/rendered") for link in links)


def test_a_study_of_reports_and_images(base_url: str) -> None:
    image = ct(Rows=8, Columns=8, PixelData=bytes(128))
    url, _ = store(base_url, part10(image))
    text = pydicom.dcmread(SAMPLES / "report-sr" / "measurements.dcm")
    text.StudyInstanceUID, text.PatientID, text.PatientName = image.StudyInstanceUID, image.PatientID, image.PatientName
    text.SOPInstanceUID = text.file_meta.MediaStorageSOPInstanceUID = f"{image.SOPInstanceUID}.1"[-64:]
    store(base_url, part10(text))
    study = url.partition("/series/")[0]

    whole = get(f"{study}/rendered", 'multipart/related; type="image/jpeg", multipart/related; type="text/html"')
    assert whole.status_code == 200
    types = {headers["content-type"] for headers, _ in parts(whole.content, whole.headers["content-type"])}
    assert types == {"image/jpeg", "text/html; charset=utf-8"}

    some = get(f"{study}/rendered", 'multipart/related; type="text/plain"')
    assert some.status_code == 206
    assert "1 of 2" in some.headers["warning"]
    ((headers, _),) = parts(some.content, some.headers["content-type"])
    assert headers["content-type"] == "text/plain; charset=utf-8"

    series = f"{study}/series/{text.SeriesInstanceUID}/rendered"
    assert get(series).headers["content-type"].startswith('multipart/related; type="text/html"')
    assert get(series, "text/html").status_code == 406


@pytest.mark.parametrize("depth", [150, 199])
def test_deep_nesting(base_url: str, depth: int) -> None:
    """A hostile document costs no more than its items."""
    report = pydicom.dcmread(SAMPLES / "report-sr" / "measurements.dcm")
    inner = Dataset()
    inner.RelationshipType, inner.ValueType, inner.TextValue = "CONTAINS", "TEXT", "the <b>bottom</b>"
    for _ in range(depth - 1):
        outer = Dataset()
        outer.RelationshipType, outer.ValueType, outer.ContinuityOfContent = "CONTAINS", "CONTAINER", "SEPARATE"
        outer.ContentSequence = [inner]
        inner = outer
    report.ContentSequence = [inner]
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = f"2.25.771{depth}"
    url, _ = store(base_url, part10(report))
    assert "the &lt;b&gt;bottom&lt;/b&gt;" in get(f"{url}/rendered").text
    assert "the <b>bottom</b>" in get(f"{url}/rendered", "text/plain").text
    assert b"bottom" in get(f"{url}/rendered", "text/xml").content


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "media_type", "start"),
    [("cda.dcm", "text/xml", b"<"), ("pdf.dcm", "application/pdf", b"%PDF-")],
    ids=["CDA", "PDF"],
)
def test_encapsulated_documents_are_their_own_rendered_form(
    base_url: str, name: str, media_type: str, start: bytes
) -> None:
    url, data = store(base_url, (SHARED_DATA / "modalities" / "encapsulated" / name).read_bytes())
    for accept in ("*/*", ADDRESS_BAR, media_type):
        response = get(f"{url}/rendered", accept)
        assert response.status_code == 200
        assert response.headers["content-type"] == media_type
        assert response.content.startswith(start)
        assert response.content == data.EncapsulatedDocument[: data.EncapsulatedDocumentLength]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert get(f"{url}/rendered", "text/html").status_code == 406

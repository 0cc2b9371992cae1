"""Status Reports: PS3.18 §8.6.3."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html
from pydicom import Dataset

from skiagraph.wire.status_report import report

MESSAGE = "None of the acceptable media types can be given for this resource; there are some others."
DETAILS = ('multipart/related; type="application/dicom"', "application/dicom")
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def write(accept: str | None, message: str = MESSAGE) -> tuple[str, bytes]:
    return report(accept, status=406, title="Not acceptable.", message=message, details=DETAILS, request_id="r-1")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param(None, "text/plain; charset=utf-8", id="no header"),
        pytest.param("*/*", "text/plain; charset=utf-8", id="curl, fetch"),
        pytest.param("image/jpeg", "text/plain; charset=utf-8", id="not acceptable at all"),
        pytest.param("a/b," * 1000, "text/plain; charset=utf-8", id="endless list"),
        pytest.param("application/dicom+json, image/png", "text/plain; charset=utf-8", id="8.7.5 mixture"),
        pytest.param("multipart/related; type=application/octet-stream", "text/plain; charset=utf-8", id="frames"),
        pytest.param("application/dicom+json", "application/dicom+json", id="DICOM JSON"),
        pytest.param("application/dicom+json, application/json", "application/dicom+json", id="dicomweb-client"),
        pytest.param("application/json", "application/json", id="JSON"),
        pytest.param("application/problem+json", "application/problem+json", id="RFC 9457"),
        pytest.param("application/json, text/plain, */*", "text/plain; charset=utf-8", id="axios"),
        pytest.param("application/dicom+xml", "application/dicom+xml", id="XML"),
        pytest.param('multipart/related; type="application/dicom+xml"', "application/dicom+xml", id="multipart XML"),
        pytest.param(CHROME, "text/html; charset=utf-8", id="browser"),
    ],
)
def test_form(accept: str | None, content_type: str) -> None:
    assert write(accept)[0] == content_type


def test_text() -> None:
    assert write(None)[1].decode().split("\n") == [
        "406 Not Acceptable",
        MESSAGE,
        *(f"- {detail}" for detail in DETAILS),
        "Request r-1",
        "",
    ]


def test_dicom_json() -> None:
    data_set = Dataset.from_json(write("application/dicom+json")[1].decode())
    assert data_set[0x00000902].value == MESSAGE[:63].rstrip() + "…"
    assert len(data_set[0x00000902].value) <= 64
    assert data_set[0x0040A160].value.split("\n") == [
        "406 Not Acceptable",
        MESSAGE,
        *(f"- {detail}" for detail in DETAILS),
        "Request r-1",
    ]


def test_problem_json() -> None:
    for accept in ("application/json", "application/problem+json"):
        assert json.loads(write(accept)[1]) == {
            "type": "about:blank",
            "title": "Not acceptable.",
            "status": 406,
            "detail": MESSAGE,
            "details": list(DETAILS),
            "request_id": "r-1",
        }


def test_xml() -> None:
    root = etree.fromstring(write("application/dicom+xml", "a < b & c")[1])
    assert root.tag == "{http://dicom.nema.org/PS3.19/models/NativeDICOM}NativeDicomModel"
    values = {attribute.get("tag"): attribute[0].text for attribute in root}
    assert values["00000902"] == "a < b & c"
    assert values["0040A160"].startswith("406 Not Acceptable\na < b & c\n")


def test_page() -> None:
    page = write(CHROME, "<script>alert('x')</script>")[1].decode()
    assert "<script" not in page
    root = html.fromstring(page)
    assert root.findtext(".//h1") == "406 Not Acceptable"
    assert root.findtext(".//p") == "<script>alert('x')</script>"
    assert [item.text for item in root.iter("li")] == list(DETAILS)
    assert "r-1" in root.findtext(".//footer")
    assert "<ul>" not in report(CHROME, status=404, title="t", message="m")[1].decode()


def test_unknown_status() -> None:
    assert report(None, status=499, title="t", message="m")[1] == b"499 Error\nm\nRequest -\n"


ACCEPTS = [None, "application/dicom+json", "application/json", "application/dicom+xml", "text/html"]


@given(st.sampled_from(ACCEPTS), st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80))
def test_any_text_gives_a_sound_report(accept: str | None, message: str, detail: str) -> None:
    content_type, payload = report(
        accept, status=400, title=message, message=message, details=[detail], request_id=detail
    )
    payload.decode("utf-8")
    if content_type.endswith("json"):
        json.loads(payload)
    elif content_type == "application/dicom+xml":
        etree.fromstring(payload)
    elif content_type.startswith("text/html"):
        assert payload.count(b"<") == report("text/html", status=400, title="", message="", details=[""])[1].count(b"<")


@given(st.text(max_size=60))
def test_any_accept_gives_a_report(accept: str) -> None:
    assert write(accept)[1]

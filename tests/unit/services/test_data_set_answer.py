"""Answers of one data set: every form that Tables 11.1.3-1 and 13.1.3-1 know."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

import archives
from skiagraph.errors import ArchiveError, BadRequest, NoAcceptableRepresentation
from skiagraph.services import data_set_answer, payload
from skiagraph.settings import Settings
from skiagraph.values import Attributes
from skiagraph.wire.message import Request, Response

ONE: Attributes = {
    "00081197": {"vr": "US", "Value": [274]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Ä"}]},
}
URL = f"{archives.BASE}/workitems/1.2"


async def _nothing() -> object:
    raise AssertionError("the payload is not read")


def answer(folder: Path, accept: str | None, query: str = "", *, array: bool = True, strict: bool = False) -> Response:
    headers = {} if accept is None else {"accept": accept}
    request = Request("GET", "/workitems/1.2", query, headers, {}, archives.BASE, _nothing)  # type: ignore[arg-type]
    with archives.opened(folder, strict_accept=strict) as given:
        choice = data_set_answer.negotiate(given.archive, request)
    return data_set_answer.respond(ONE, choice, array=array, location=URL, headers=[("etag", '"1"')])


@pytest.mark.parametrize(
    ("accept", "query", "content_type"),
    [
        (None, "", "application/dicom+json"),
        ("*/*", "", "application/dicom+json"),
        ("application/dicom+json", "", "application/dicom+json"),
        ("application/json", "", "application/json"),
        ("application/dicom+xml", "", "application/dicom+xml"),
        ('multipart/related; type="application/dicom+xml"', "", 'multipart/related; type="application/dicom+xml"'),
        ('multipart/related; type="application/dicom+json"', "", 'multipart/related; type="application/dicom+json"'),
        ("application/dicom+json;q=0.1, application/dicom+xml", "", "application/dicom+xml"),
        ("application/dicom+json", "accept=application/dicom%2bxml", "application/dicom+xml"),
        ("application/dicom+xml", "accept=image/png2", "application/dicom+xml"),
    ],
)
@pytest.mark.parametrize("array", [True, False])
def test_forms(tmp_path: Path, accept: str | None, query: str, content_type: str, array: bool) -> None:
    response = answer(tmp_path, accept, query, array=array)
    headers = dict(response.headers)
    body = response.body
    assert isinstance(body, bytes)
    assert headers["content-type"].partition("; boundary")[0] == content_type
    assert headers["content-location"] == URL
    assert headers["etag"] == '"1"'
    assert (response.status, response.length) == (200, len(body))
    assert payload.read(body, headers["content-type"], Settings()) == [ONE]
    if content_type.endswith("json"):
        parsed = orjson.loads(body)
        assert isinstance(parsed, list if array else dict)
        assert b'"00080005":{"vr":"CS","Value":["ISO_IR 192"]}' in body


@pytest.mark.parametrize(
    ("accept", "strict", "error"),
    [
        ("image/png", False, NoAcceptableRepresentation),
        ("application/dicom", False, NoAcceptableRepresentation),
        (None, True, NoAcceptableRepresentation),
        ("application/dicom+json, image/png", False, BadRequest),
    ],
    ids=["rendered", "files", "§8.7.5: no Accept header", "§8.7.5: a mixture"],
)
def test_refusals(tmp_path: Path, accept: str | None, strict: bool, error: type[ArchiveError]) -> None:
    with pytest.raises(error):
        answer(tmp_path, accept, strict=strict)

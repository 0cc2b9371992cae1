"""Instances as files in a ZIP archive over HTTP: an extension of PS3.18 §10.4, after drafts of Supplement 211."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import httpx
import numpy as np
import pytest

from dicom_files import ct, multipart, part10, uid

ZIP = "application/zip"


@dataclass
class Study:
    """A Study of two Series, and where its Instances are."""

    url: str
    contents: dict[str, bytes]
    """URL → what was stored."""


@pytest.fixture(scope="module")
def study(base_url: str) -> Study:
    url, found = uid(), {}
    for series_number in (1, 2):
        series = uid()
        for number in (1, 2, 3):
            # One of them is sent in several chunks
            pixels = np.arange(1500 * 1000, dtype="<u2").tobytes() if number == 2 else bytes(2 * 8 * 6)
            rows, columns = (1500, 1000) if number == 2 else (6, 8)
            data = ct(
                StudyInstanceUID=url,
                SeriesInstanceUID=series,
                SeriesNumber=series_number,
                InstanceNumber=number,
                Rows=rows,
                Columns=columns,
                PixelData=pixels,
            )
            found[f"{base_url}/studies/{url}/series/{series}/instances/{data.SOPInstanceUID}"] = part10(data)
    body, headers = multipart(found.values())
    assert httpx.post(f"{base_url}/studies", content=body, headers=headers, trust_env=False).status_code == 200
    return Study(f"{base_url}/studies/{url}", found)


def get(url: str, accept: str = "*/*", method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, url, headers={"Accept": accept} | headers, trust_env=False, timeout=60)


def entries(response: httpx.Response) -> dict[str, bytes]:
    assert response.status_code == 200
    assert response.headers["content-type"] == ZIP
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_a_study_of_several_series(study: Study) -> None:
    """Each file is what the retrieval of the Instance alone gives, byte by byte."""
    response = get(study.url, ZIP)
    found = entries(response)
    assert list(found.values()) == [get(url, "application/dicom").content for url in study.contents]
    assert list(found.values()) == list(study.contents.values())
    uids = [url.rsplit("/", 3)[1] for url in study.contents]
    assert list(found) == [
        f"{study.url.rsplit('/', 1)[1]}/{place // 3 + 1:03}_{series}/{place % 3 + 1:06}.dcm"
        for place, series in enumerate(uids)
    ]
    assert response.headers["content-disposition"] == f'attachment; filename="{study.url.rsplit("/", 1)[1]}.zip"'
    assert int(response.headers["content-length"]) == len(response.content)


def test_series_and_instance(study: Study) -> None:
    url, content = next(iter(study.contents.items()))
    assert list(entries(get(url, ZIP)).values()) == [content]
    series = url.rsplit("/", 2)[0]
    assert list(entries(get(series, ZIP)).values()) == list(study.contents.values())[:3]


@pytest.mark.parametrize(
    ("accept", "query"),
    [
        pytest.param(ZIP, "", id="header"),
        pytest.param(f"{ZIP}; transfer-syntax=*", "", id="as stored"),
        pytest.param(f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.1", "", id="by name"),
        pytest.param(f'{ZIP}; type="application/dicom"', "", id="Supplement 211 with type"),
        pytest.param("*/*", "?accept=application/zip", id="8.3.3.1 accept parameter"),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "?accept=application/zip%3Btransfer-syntax%3D*",
            id="a link in a browser",
        ),
        pytest.param("application/zip, */*;q=0.5", "", id="preferred"),
    ],
)
def test_ways_to_ask(study: Study, accept: str, query: str) -> None:
    for url in (study.url, next(iter(study.contents))):
        assert entries(get(url + query, accept))


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        pytest.param("*/*", 200, "multipart/related", id="not by a wildcard"),
        pytest.param("application/*", 406, "application/dicom+json", id="nor by application/*"),
        pytest.param("application/zip;q=0.5, */*", 200, "multipart/related", id="liked less"),
        pytest.param("application/zip;q=0, */*", 200, "multipart/related", id="not wanted"),
        pytest.param(f'{ZIP}; type="application/dicom+json"', 406, "application/dicom+json", id="metadata in archives"),
        pytest.param(f"{ZIP}; transfer-syntax=1.2.840.10008.1.2", 406, "application/dicom+json", id="8.7.3 never"),
        pytest.param(f'multipart/related; type="{ZIP}"', 406, "application/dicom+json", id="not in multipart"),
    ],
)
def test_when_it_is_not_given(study: Study, accept: str, status: int, media_type: str) -> None:
    response = get(study.url, accept)
    assert response.status_code == status
    if status == 200:
        assert response.headers["content-type"].startswith(media_type)
    else:
        assert "application/zip; transfer-syntax=1.2.840.10008.1.2.1" in response.text, "what can be had"


@pytest.mark.parametrize("below", ["/metadata", "/rendered", "/thumbnail", "/pixeldata", "/bulkdata"])
def test_other_resources_have_none(study: Study, below: str) -> None:
    assert get(study.url + below, ZIP).status_code == 406


def test_again_and_without_payload(study: Study) -> None:
    for url in (study.url, next(iter(study.contents))):
        whole = get(url, ZIP)
        head = get(url, ZIP, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "content-disposition", "etag"):
            assert head.headers[name] == whole.headers[name]
        again = get(url, ZIP, **{"If-None-Match": whole.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        part = get(url, ZIP, Range="bytes=0-9")
        assert (part.status_code, part.content) == (200, whole.content), "ranges are not offered"


def test_what_is_not_there(base_url: str) -> None:
    assert get(f"{base_url}/studies/{uid()}", ZIP).status_code == 404

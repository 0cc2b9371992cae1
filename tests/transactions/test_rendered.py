"""Rendered and Thumbnail resources over HTTP, as the seed's sample, browsers and viewers ask for them."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicom_files import ct, part10, parts, uid

ADDRESS_BAR = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
IMG_ELEMENT = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def store(base_url: str, data: Dataset) -> str:
    """Store an Instance; return its path."""
    response = httpx.post(
        f"{base_url}/studies", content=part10(data), headers={"Content-Type": "application/dicom"}, trust_env=False
    )
    assert response.status_code == 200
    return f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"


def get(url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept} | headers, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def image(base_url: str) -> str:
    """URL of a CT image of 64 × 64 pixels."""
    pixels = np.arange(64 * 64, dtype="<u2").reshape(64, 64)
    data = ct(Rows=64, Columns=64, PixelData=pixels.tobytes(), WindowCenter="1000", WindowWidth="4000")
    return base_url + store(base_url, data)


@pytest.fixture(scope="module")
def cine(base_url: str) -> str:
    """URL of an image of five frames."""
    pixels = np.concatenate([np.full(64, 50 * number, np.uint8) for number in range(5)])
    data = ct(Rows=8, Columns=8, NumberOfFrames=5, PixelData=pixels.tobytes(), FrameTime="40")
    data.BitsAllocated, data.BitsStored, data.HighBit, data.RescaleSlope, data.RescaleIntercept = 8, 8, 7, None, None
    return base_url + store(base_url, data)


def test_the_sample_of_the_seed(image: str) -> None:
    """GET …/rendered with ``Accept: */*``: 200, one image/jpeg, ETag, Last-Modified, CORS."""
    response = get(f"{image}/rendered", Origin="http://viewer.example")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-location"] == image
    for name in ("etag", "last-modified", "content-length", "access-control-allow-origin"):
        assert name in response.headers
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 64), "L")
    again = get(f"{image}/rendered", **{"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


@pytest.mark.parametrize("accept", [ADDRESS_BAR, IMG_ELEMENT], ids=["address bar", "img element"])
def test_browsers_get_a_picture(image: str, cine: str, accept: str) -> None:
    assert get(f"{image}/rendered", accept).headers["content-type"] == "image/jpeg"
    assert get(f"{cine}/rendered", accept).headers["content-type"] == "image/gif"
    for url in (image, cine, f"{cine}/frames/2"):
        assert get(f"{url}/thumbnail", accept).headers["content-type"] == "image/jpeg"


def test_every_parameter_at_once(image: str) -> None:
    query = (
        "window=1000,2000,sigmoid&viewport=128,128,0,0,-32,32&quality=80&annotation=patient,technique&iccprofile=srgb"
    )
    response = get(f"{image}/rendered?{query}", "image/jpeg")
    assert response.status_code == 200
    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == (128, 128)
    assert picture.info["icc_profile"]


@pytest.mark.parametrize(
    "query", ["window=40,400", "window=40,400,LINEAR", "viewport=0,0", "quality=101", "annotation=", "iccprofile=x"]
)
def test_errors_say_what_is_wrong(image: str, query: str) -> None:
    response = get(f"{image}/rendered?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_refusals_list_what_can_be_had(image: str) -> None:
    response = get(f"{image}/rendered", "video/mp4")
    assert response.status_code == 406
    assert "image/jpeg" in response.text
    assert get(f"{image}/rendered", "application/dicom, image/jpeg").status_code == 400


def test_animation(cine: str) -> None:
    response = get(f"{cine}/rendered")
    picture = Image.open(io.BytesIO(response.content))
    assert picture.n_frames == 5
    assert picture.info["duration"] == 40


def test_frames(cine: str) -> None:
    response = get(f"{cine}/frames/5,1/rendered", 'multipart/related; type="image/png"')
    found = parts(response.content, response.headers["content-type"])
    assert [headers["content-location"] for headers, _ in found] == [f"{cine}/frames/5", f"{cine}/frames/1"]
    assert [int(np.asarray(Image.open(io.BytesIO(body))).max()) for _, body in found] == [200, 0]
    assert get(f"{cine}/frames/6/rendered").status_code == 404
    assert get(f"{cine}/frames/0/rendered").status_code == 400


def test_a_study(base_url: str, image: str) -> None:
    study = image.partition("/series/")[0]
    response = get(f"{study}/rendered")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith('multipart/related; type="image/jpeg"')
    assert len(parts(response.content, response.headers["content-type"])) == 1
    assert get(f"{study}/rendered", "image/jpeg").status_code == 406
    assert get(f"{study}/thumbnail").headers["content-type"] == "image/jpeg"
    assert get(f"{base_url}/studies/{uid()}/rendered").status_code == 404


def test_head(image: str, cine: str) -> None:
    for url in (f"{image}/rendered", f"{cine}/rendered", f"{image}/thumbnail"):
        response = httpx.head(url, trust_env=False)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("image/")
        assert not response.content


def test_what_has_no_picture(base_url: str) -> None:
    report = base_url + store(
        base_url, ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", PixelData=None, Rows=None)
    )
    assert get(f"{report}/rendered").status_code == 406
    icon = get(f"{report}/thumbnail")
    assert icon.status_code == 200
    assert Image.open(io.BytesIO(icon.content)).size == (256, 256)


def test_unknown_parameters_are_ignored_with_a_warning(client: httpx.Client) -> None:
    """8.3: as if absent; the response says so."""
    data = ct()
    client.post("/studies", content=part10(data), headers={"Content-Type": "application/dicom"}).raise_for_status()
    path = f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}/rendered"
    response = client.get(path, params={"nonsense": "1", "b\u00e4d name": "2"})
    assert response.status_code == 200
    assert "nonsense" in response.headers["warning"]
    assert response.content == client.get(path).content

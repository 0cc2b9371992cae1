"""WADO-URI over HTTP: the two sample requests that the project started from, and the statuses of PS3.18 §9."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from dicom_files import ct, part10, uid


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A gray disc on black: what JPEG can hold nearly as it is."""
    rows, columns = np.ogrid[:64, :96]
    return Image.fromarray(np.where((rows - 32) ** 2 + (columns - 48) ** 2 < 600, 170, 20).astype(np.uint8))


@pytest.fixture(scope="module")
def stored(base_url: str, picture: Image.Image) -> Dataset:
    """An image in JPEG Baseline, as in the samples."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    data = ct(
        Rows=64,
        Columns=96,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        RescaleIntercept=None,
        RescaleSlope=None,
        LossyImageCompression="01",
        PixelData=encapsulate([stream.getvalue()]),
    )
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.file_bytes = part10(data, JPEGBaseline8Bit)
    answer = httpx.post(
        f"{base_url}/studies", content=data.file_bytes, headers={"Content-Type": "application/dicom"}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return data


def link(data: Dataset, **more: object) -> str:
    """Target as the samples write it: nothing encoded, the UIDs in this order."""
    names = {
        "requestType": "WADO",
        "studyUID": data.StudyInstanceUID,
        "seriesUID": data.SeriesInstanceUID,
        "objectUID": data.SOPInstanceUID,
        **more,
    }
    return "/wado?" + "&".join(f"{name}={value}" for name, value in names.items())


def location(base_url: str, data: Dataset) -> str:
    return f"{base_url}/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"


def test_sample_1_rendered_image(client: httpx.Client, base_url: str, stored: Dataset, picture: Image.Image) -> None:
    response = client.get(link(stored), headers={"Accept": "*/*"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["etag"]
    assert response.headers["last-modified"]
    assert response.headers["content-location"] == location(base_url, stored)
    shown = Image.open(io.BytesIO(response.content))
    assert (shown.format, shown.size) == ("JPEG", (96, 64))
    gray = np.asarray(shown.convert("L")).astype(int)
    assert abs(gray - np.asarray(picture)).mean() < 3
    assert client.get(link(stored), headers={"If-None-Match": response.headers["etag"]}).status_code == 304


def test_sample_2_compressed_file(client: httpx.Client, base_url: str, stored: Dataset) -> None:
    target = link(stored, contentType="application/dicom", transferSyntax="*")
    response = client.get(target, headers={"Accept": "*/*"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].replace(" ", "") == (
        "application/dicom;transfer-syntax=1.2.840.10008.1.2.4.50"
    )
    assert response.headers["etag"]
    assert response.headers["last-modified"]
    assert response.headers["content-location"] == location(base_url, stored)
    assert response.content == stored.file_bytes
    found = pydicom.dcmread(io.BytesIO(response.content))
    assert found.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert found.pixel_array.shape == (64, 96)


def test_the_same_file_native(client: httpx.Client, stored: Dataset) -> None:
    target = link(stored, contentType="application/dicom", transferSyntax=ExplicitVRLittleEndian)
    found = pydicom.dcmread(io.BytesIO(client.get(target).content))
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    compressed = pydicom.dcmread(io.BytesIO(stored.file_bytes))
    assert abs(found.pixel_array.astype(int) - compressed.pixel_array).max() <= 1


def test_cross_origin_pages_may_read_it(client: httpx.Client, stored: Dataset) -> None:
    """The samples show it."""
    response = client.get(link(stored), headers={"Origin": "http://viewer.example"})
    assert response.headers["access-control-allow-origin"]


def test_head(client: httpx.Client, stored: Dataset) -> None:
    response = client.head(link(stored))
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/jpeg"
    assert response.content == b""


def test_parameters(client: httpx.Client, stored: Dataset) -> None:
    target = link(
        stored, contentType="image/png", region="0.25,0.25,0.75,0.75", rows=16, windowCenter=95, windowWidth=2
    )
    response = client.get(target)
    assert response.status_code == 200, response.text
    shown = Image.open(io.BytesIO(response.content))
    assert (shown.format, shown.size) == ("PNG", (24, 16))
    assert shown.convert("L").getpixel((12, 8)) == 255


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param({"requestType": "QIDO"}, 400, id="9.1.2.1.1"),
        pytest.param({"objectUID": "x"}, 400, id="9.1.2.1.4"),
        pytest.param({"objectUID": uid()}, 404, id="Table 9.4.3-1"),
        pytest.param({"contentType": "application/dicom,image/jpeg"}, 400, id="8.7.5"),
        pytest.param({"contentType": "application/dicom", "transferSyntax": "x"}, 400, id="9.4.2.4 no UID"),
        pytest.param({"contentType": "application/dicom", "transferSyntax": "1.2"}, 406, id="9.4.2.4 unsupported"),
        pytest.param({"anonymize": "no"}, 400, id="9.4.2.3"),
        pytest.param({"anonymize": "yes"}, 400, id="9.4.1.2.1 rendered"),
        pytest.param({"anonymize": "yes", "contentType": "application/dicom"}, 200, id="9.4.1.2.1"),
        pytest.param({"frameNumber": 2}, 400, id="9.5.2.1"),
        pytest.param({"windowCenter": 2}, 400, id="9.5.1.2.6"),
    ],
)
def test_statuses(client: httpx.Client, stored: Dataset, more: dict[str, object], status: int) -> None:
    response = client.get(link(stored, **more))
    assert response.status_code == status
    assert str(stored.PatientName) not in response.text


def test_a_deleted_instance_is_gone(client: httpx.Client, base_url: str) -> None:
    data = ct()
    client.post("/studies", content=part10(data), headers={"Content-Type": "application/dicom"}).raise_for_status()
    assert client.get(link(data)).status_code == 200
    client.delete(f"/studies/{data.StudyInstanceUID}").raise_for_status()
    assert client.get(link(data)).status_code == 410
    assert client.get(link(data, contentType="application/dicom")).status_code == 410


def test_there_is_no_other_method(client: httpx.Client, stored: Dataset) -> None:
    response = client.post(link(stored))
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]

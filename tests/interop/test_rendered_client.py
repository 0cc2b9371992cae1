"""dicomweb-client (Python) gets rendered pictures."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset

from dicom_files import ct, part10


@pytest.fixture(scope="module")
def web(base_url: str) -> DICOMwebClient:
    return DICOMwebClient(url=base_url)


@pytest.fixture(scope="module")
def image(web: DICOMwebClient) -> Dataset:
    """Three frames of 8 × 8, brighter from one to the next."""
    pixels = np.concatenate([np.full(64, 50 * number, np.uint8) for number in (1, 2, 3)]).tobytes()
    data = ct(Rows=8, Columns=8, NumberOfFrames=3, PixelData=pixels, BitsAllocated=8, BitsStored=8, HighBit=7)
    data.RescaleSlope = data.RescaleIntercept = None
    web.store_instances([pydicom.dcmread(io.BytesIO(part10(data)))])
    return data


def uids(data: Dataset) -> tuple[str, str, str]:
    return str(data.StudyInstanceUID), str(data.SeriesInstanceUID), str(data.SOPInstanceUID)


def gray(data: bytes) -> int:
    return round(float(np.asarray(Image.open(io.BytesIO(data)).convert("L")).mean()))


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/gif", "image/jp2"])
def test_an_instance(web: DICOMwebClient, image: Dataset, media_type: str) -> None:
    found = web.retrieve_instance_rendered(*uids(image), media_types=(media_type,))
    assert gray(found) == (50 if media_type == "image/gif" else 100), "the first of an animation, else the middle"


def test_parameters(web: DICOMwebClient, image: Dataset) -> None:
    found = web.retrieve_instance_rendered(
        *uids(image),
        media_types=("image/png",),
        params={"window": "100,2,linear", "viewport": "16,16", "iccprofile": "srgb"},
    )
    picture = Image.open(io.BytesIO(found))
    assert picture.size == (16, 16)
    assert picture.info["icc_profile"]


def test_one_frame(web: DICOMwebClient, image: Dataset) -> None:
    found = web.retrieve_instance_frames_rendered(*uids(image), frame_numbers=[3], media_types=("image/png",))
    assert gray(found) == 150

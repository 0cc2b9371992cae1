"""Presentation states over HTTP: as a viewer finds one and shows it."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicom_files import ct, multipart, part10
from presentation_states import annotation, graphic, layer, state


@pytest.fixture(scope="module")
def stored(base_url: str) -> tuple[Dataset, Dataset]:
    """An image of one gray, and a state that inverts it and draws a line."""
    image = ct(
        Rows=64, Columns=96, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=None, RescaleIntercept=None,
        PixelData=bytes([200]) * (64 * 96),
    )  # fmt: skip
    line = annotation(graphic("POLYLINE", [0.1, 0.5, 0.9, 0.5], "DISPLAY"))
    layers = [layer(GraphicLayerRecommendedDisplayGrayscaleValue=65535)]
    of_image = state(
        image, PresentationLUTShape="INVERSE", GraphicLayerSequence=layers, GraphicAnnotationSequence=[line]
    )
    body, headers = multipart([part10(image), part10(of_image)])
    answer = httpx.post(f"{base_url}/studies", content=body, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return image, of_image


def test_found_and_shown(client: httpx.Client, stored: tuple[Dataset, Dataset]) -> None:
    image, _ = stored
    found = client.get(f"/studies/{image.StudyInstanceUID}/instances?Modality=PR").json()
    (url,) = (one["00081190"]["Value"][0] for one in found)
    response = client.get(f"{url}/rendered", headers={"Accept": "image/png"})
    assert response.status_code == 200, response.text
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    assert picture[5, 5] == 55
    assert picture[30:34, 48].max() > 200
    assert client.get(f"{url}/rendered?window=1,2,linear").status_code == 400
    assert client.get(f"{url}/frames/1/rendered").status_code == 400
    assert client.get(f"{url}/thumbnail").headers["content-type"] == "image/jpeg"


def test_applied_by_the_uri_service(client: httpx.Client, stored: tuple[Dataset, Dataset]) -> None:
    image, of_image = stored
    names = {
        "requestType": "WADO",
        "studyUID": image.StudyInstanceUID,
        "seriesUID": image.SeriesInstanceUID,
        "objectUID": image.SOPInstanceUID,
        "presentationSeriesUID": of_image.SeriesInstanceUID,
        "presentationUID": of_image.SOPInstanceUID,
        "contentType": "image/png",
    }
    response = client.get("/wado", params={**names, "rows": "32"})
    assert response.status_code == 200, response.text
    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == (48, 32)
    assert picture.getpixel((2, 2)) == 55
    assert client.get("/wado", params={**names, "frameNumber": "1"}).status_code == 400
    assert client.get("/wado", params={**names, "presentationUID": "1.2.3"}).status_code == 400

"""Retrieve Thumbnail: PS3.18 §10.4.1.1.4, §8.3.5.2, without a web server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit

from archives import Given, compressed, opened
from dicom_files import ct, part10, uid
from skiagraph.errors import BadRequest, NoAcceptableRepresentation, ResourceGone, ResourceNotFound
from skiagraph.services import icons
from skiagraph.services.icons import Icon

JPEG = "image/jpeg"
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def image(gray: int = 0, frames: int = 1, rows: int = 20, columns: int = 30, **changes: Any) -> bytes:
    """Frames of one gray each, 10 brighter from frame to frame."""
    data = b"".join(bytes([gray + 10 * number]) * (rows * columns) for number in range(frames))
    defaults: dict[str, Any] = {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "PixelData": data + b"\0" * (len(data) % 2),
    }
    if frames > 1:
        defaults["NumberOfFrames"] = frames
    return part10(ct(**defaults | changes))


def sr(**changes: Any) -> bytes:
    return part10(
        ct(
            **{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "Modality": "SR", "Rows": None, "PixelData": None}
            | changes
        )
    )


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def gray(data: bytes) -> int:
    pixels = np.asarray(picture(data).convert("L"))
    assert np.ptp(pixels) <= 2
    return int(np.median(pixels))


def is_icon(data: bytes, icon: Icon, label: str, size: int = icons.DEFAULT_SIZE) -> bool:
    return data == icons.encoded(icon, label, size, JPEG)


@pytest.mark.parametrize("accept", [None, "*/*", "image/*", "image/jpeg"])
def test_one_jpeg_at_every_level(given: Given, accept: str | None) -> None:
    (instance,) = given.store(image(100))
    study = f"studies/{instance.path.study_instance_uid}"
    series = f"{study}/series/{instance.path.series_instance_uid}"
    for path in (study, series, str(instance.path), f"{instance.path}/frames/1"):
        answer = given.get(f"{path}/thumbnail", accept)
        assert answer.status == 200
        assert answer.headers["content-type"] == JPEG
        assert gray(answer.body) == 100
        assert answer.length == len(answer.body)


@pytest.mark.parametrize("accept", ["image/png", "image/gif", "image/jp2", "image/jph", "image/jxl"])
def test_other_types(given: Given, accept: str) -> None:
    (instance,) = given.store(image())
    assert given.get(f"{instance.path}/thumbnail", accept).headers["content-type"] == accept


def test_never_multipart(given: Given) -> None:
    """§10.4.1.1.4: exactly one picture, whatever the level."""
    (instance,) = given.store(image())
    for accept in ('multipart/related; type="image/jpeg"', "application/dicom", "text/html;q=1"):
        assert isinstance(given.get(f"{instance.path}/thumbnail", accept).error, NoAcceptableRepresentation)


@pytest.mark.parametrize(
    ("rows", "columns", "query", "size"),
    [
        pytest.param(20, 30, "", (30, 20), id="small images stay as they are"),
        pytest.param(512, 1024, "", (256, 128), id="large ones are reduced"),
        pytest.param(20, 30, "viewport=60,60", (60, 40), id="viewport"),
        pytest.param(20, 30, "viewport=60,10", (15, 10), id="viewport, fitted inside"),
        pytest.param(20, 30, "viewport=60,60&window=1,2&quality=x", (60, 40), id="others are ignored"),
    ],
)
def test_size(given: Given, rows: int, columns: int, query: str, size: tuple[int, int]) -> None:
    (instance,) = given.store(image(rows=rows, columns=columns))
    assert picture(given.get(f"{instance.path}/thumbnail", query=query).body).size == size


@pytest.mark.parametrize("query", ["viewport=5", "viewport=5,5,0", "viewport=5,5,0,0,5,5", "viewport=0,0", "viewport="])
def test_a_viewport_has_two_values(given: Given, query: str) -> None:
    (instance,) = given.store(image())
    assert isinstance(given.get(f"{instance.path}/thumbnail", query=query).error, BadRequest)


@pytest.mark.parametrize(("frames", "shown"), [(1, 1), (2, 1), (3, 2), (5, 3), (8, 4)])
def test_the_middle_frame(given: Given, frames: int, shown: int) -> None:
    (instance,) = given.store(image(50, frames))
    assert gray(given.get(f"{instance.path}/thumbnail").body) == 50 + 10 * (shown - 1)


@pytest.mark.parametrize(("frames", "shown"), [("4", 4), ("5,1", 5), ("1,4,5", 4), ("2,3,4,5", 3)])
def test_the_middle_of_a_list_of_frames(given: Given, frames: str, shown: int) -> None:
    (instance,) = given.store(image(50, 5))
    assert gray(given.get(f"{instance.path}/frames/{frames}/thumbnail").body) == 50 + 10 * (shown - 1)


def test_frames_that_are_not_there(given: Given) -> None:
    (instance, report) = given.store(image(50, 5), sr())
    for path in (f"{instance.path}/frames/6", f"{instance.path}/frames/1,9", f"{report.path}/frames/1"):
        assert isinstance(given.get(f"{path}/thumbnail").error, ResourceNotFound)
    assert isinstance(given.get(f"{instance.path}/frames/0/thumbnail").error, BadRequest)


def test_the_middle_image_of_a_series_and_a_study(given: Given) -> None:
    study = uid()
    first, second = (
        {"StudyInstanceUID": study, "SeriesInstanceUID": uid()},
        {
            "StudyInstanceUID": study,
            "SeriesInstanceUID": uid(),
        },
    )
    files = [image(10 * n, SeriesNumber=1, InstanceNumber=n, **first) for n in (3, 1, 2)]
    files += [image(100 + 10 * n, SeriesNumber=2, InstanceNumber=n, **second) for n in (2, 1)]
    files.append(sr(SeriesNumber=2, InstanceNumber=0, **second))
    given.store(*files)
    assert gray(given.get(f"studies/{study}/series/{first['SeriesInstanceUID']}/thumbnail").body) == 20
    assert gray(given.get(f"studies/{study}/series/{second['SeriesInstanceUID']}/thumbnail").body) == 110
    assert gray(given.get(f"studies/{study}/thumbnail").body) == 30, "the third of five images"


# Nothing that shows who the patient is


def test_no_overlays(given: Given) -> None:
    changes: dict[str, Any] = {"Rows": 8, "Columns": 8, "PixelData": bytes(64)}
    data = ct(**changes, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=None, RescaleIntercept=None)
    data.add_new(0x60000010, "US", 8)
    data.add_new(0x60000011, "US", 8)
    data.add_new(0x60000040, "CS", "G")
    data.add_new(0x60000050, "SS", [1, 1])
    data.add_new(0x60003000, "OW", b"\xff" * 8)
    (instance,) = given.store(part10(data))
    assert gray(given.get(f"{instance.path}/rendered", "image/png").body) == 255
    assert gray(given.get(f"{instance.path}/thumbnail").body) == 0


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        pytest.param({"BurnedInAnnotation": "YES"}, True, id="burned in"),
        pytest.param({"BurnedInAnnotation": "NO"}, False, id="not burned in"),
        pytest.param({}, False, id="not said"),
        pytest.param({"SOPClassUID": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, True, id="label"),
        pytest.param({"SOPClassUID": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW"]}, True, id="overview"),
        pytest.param(
            {"SOPClassUID": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW"], "BurnedInAnnotation": "NO"},
            False,
            id="overview without the label",
        ),
    ],
)
def test_pixels_that_show_the_patient(given: Given, changes: dict[str, Any], hidden: bool) -> None:
    (instance,) = given.store(image(100, **changes))
    answer = given.get(f"{instance.path}/thumbnail")
    assert is_icon(answer.body, Icon.IMAGE, "CT") is hidden
    assert is_icon(given.get(f"{instance.path}/frames/1/thumbnail").body, Icon.IMAGE, "CT") is hidden


def test_a_slide_is_its_thumbnail_and_never_its_label(given: Given) -> None:
    uids = {"StudyInstanceUID": uid(), "SeriesInstanceUID": uid(), "SOPClassUID": SLIDE, "Modality": "SM"}

    def level(shade: int, role: str, size: int) -> bytes:
        return image(shade, ImageType=["ORIGINAL", "PRIMARY", role, "NONE"], TotalPixelMatrixColumns=size, **uids)

    given.store(level(10, "VOLUME", 9000), level(20, "VOLUME", 900), level(30, "LABEL", 100))
    path = f"studies/{uids['StudyInstanceUID']}/thumbnail"
    assert gray(given.get(path).body) == 20, "the smallest level"
    given.store(level(40, "THUMBNAIL", 500))
    assert gray(given.get(path).body) == 40


# Icons


@pytest.mark.parametrize(
    ("sop_class_uid", "modality", "icon"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "SR", Icon.REPORT),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KO", Icon.KEY_OBJECTS),
        ("1.2.840.10008.5.1.4.1.1.104.1", "DOC", Icon.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.104.3", "M3D", Icon.MODEL),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR", Icon.PRESENTATION),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", Icon.WAVEFORM),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", Icon.PLAN),
        ("1.2.840.10008.5.1.4.1.1.66", "OT", Icon.OTHER),
        ("1.2.3.4", "OT", Icon.OTHER),
    ],
)
def test_icons_by_sop_class(given: Given, sop_class_uid: str, modality: str, icon: Icon) -> None:
    (instance,) = given.store(sr(SOPClassUID=sop_class_uid, Modality=modality))
    for path in (instance.path, f"studies/{instance.path.study_instance_uid}"):
        answer = given.get(f"{path}/thumbnail")
        assert answer.status == 200
        assert is_icon(answer.body, icon, modality)


def test_damaged_images_get_an_icon(given: Given) -> None:
    (instance,) = given.store(compressed([b"\xff\xd8 no JPEG"], JPEGBaseline8Bit, BitsAllocated=8))
    answer = given.get(f"{instance.path}/thumbnail")
    assert answer.status == 200
    assert is_icon(answer.body, Icon.IMAGE, "CT")


@pytest.mark.parametrize(("query", "size"), [("viewport=64,100", 64), ("viewport=30000,30000", icons.LARGEST_SIZE)])
def test_icons_fit_the_viewport(given: Given, query: str, size: int) -> None:
    (instance,) = given.store(sr())
    assert picture(given.get(f"{instance.path}/thumbnail", query=query).body).size == (size, size)


# Versions


def test_versions(given: Given) -> None:
    instance, other = given.store(image(10), image(20, StudyInstanceUID=uid()))
    path = f"{instance.path}/thumbnail"
    first, second = given.get(path), given.get(path)
    assert first.body == second.body
    assert first.headers["etag"] == second.headers["etag"]
    assert given.get(path, headers={"if-none-match": first.headers["etag"]}).status == 304
    tags = {
        given.get(f"{one}/thumbnail", accept, query=query).headers["etag"]
        for one in (instance.path, other.path, f"studies/{instance.path.study_instance_uid}")
        for accept, query in ((JPEG, ""), ("image/png", ""), (JPEG, "viewport=5,5"))
    }
    assert len(tags) == 9


def test_a_series_changes_with_its_content(given: Given) -> None:
    uids = {"StudyInstanceUID": uid(), "SeriesInstanceUID": uid()}
    given.store(image(10, **uids))
    path = f"studies/{uids['StudyInstanceUID']}/thumbnail"
    before = given.get(path)
    given.store(image(20, **uids))
    assert given.get(path).headers["etag"] != before.headers["etag"]


def test_not_there_and_gone(given: Given) -> None:
    (instance,) = given.store(image())
    assert isinstance(given.get(f"studies/{uid()}/thumbnail").error, ResourceNotFound)
    given.archive.index.delete(instance.path)
    for path in (str(instance.path), f"studies/{instance.path.study_instance_uid}"):
        assert isinstance(given.get(f"{path}/thumbnail").error, ResourceGone)

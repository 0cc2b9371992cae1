"""Presentation states as resources: PS3.18 §8.3.5.1.6, without a web server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit

from archives import Answer, Given, compressed, opened
from dicom_files import ct, part10, uid
from presentation_states import (
    BLENDING,
    COLOR,
    GRAYSCALE,
    PSEUDO_COLOR,
    annotation,
    area,
    graphic,
    image_reference,
    item,
    layer,
    series_references,
    state,
    text,
)
from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import icc
from skiagraph.services import pictures, presentation_images
from skiagraph.standard.rendering import IccProfile

PNG = "image/png"
MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.2"
REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def image(gray: int = 100, frames: int = 1, rows: int = 4, columns: int = 6, **changes: Any) -> Dataset:
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
        defaults |= {"NumberOfFrames": frames, "SOPClassUID": MULTI_FRAME}
    return ct(**defaults | changes)


def slices(*grays: int, spacing: float = 2.0, **changes: Any) -> list[Dataset]:
    """Axial slices of one gray each, one above the other, in one Series."""
    common: dict[str, Any] = {
        "StudyInstanceUID": uid(),
        "SeriesInstanceUID": uid(),
        "FrameOfReferenceUID": uid(),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1, 1],
        "SliceThickness": spacing,
    } | changes
    return [
        image(gray, **common | {"ImagePositionPatient": [0, 0, spacing * number]}) for number, gray in enumerate(grays)
    ]


def store(given: Given, *data: Dataset) -> list[StoredInstance]:
    return given.store(*map(part10, data))


def rendered(given: Given, instance: StoredInstance, accept: str | None = PNG, query: str = "", **more: Any) -> Answer:
    return given.get(f"{instance.path}/rendered", accept, query=query, **more)


def shown(body: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(body)))


def grays(answer: Answer) -> list[int]:
    assert answer.error is None, answer.error
    return [int(shown(part.body).flat[0]) for part in answer.parts]


INVERSE: dict[str, Any] = {"PresentationLUTShape": "INVERSE"}


# One image


@pytest.mark.parametrize("accept", [PNG, "image/jpeg", "*/*", None, "image/gif", "image/jxl"])
def test_one_image_is_one_picture(given: Given, accept: str | None) -> None:
    one = image()
    _, found = store(given, one, state(one, **INVERSE))
    answer = rendered(given, found, accept)
    assert answer.status == 200, answer.error
    assert answer.headers["content-type"] == {"*/*": "image/jpeg", None: "image/jpeg"}.get(accept, accept)
    assert answer.headers["content-location"].endswith(str(found.path))
    assert "warning" not in answer.headers
    if accept == PNG:
        assert (shown(answer.body) == 155).all()


def test_multipart_of_one(given: Given) -> None:
    one = image()
    stored, found = store(given, one, state(one, **INVERSE))
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    assert grays(answer) == [155]
    assert answer.parts[0].location == str(stored.path)


def test_the_same_request_gives_the_same_bytes(given: Given) -> None:
    one = image()
    _, found = store(given, one, state(one))
    answer = rendered(given, found)
    assert rendered(given, found).body == answer.body
    assert rendered(given, found, headers={"if-none-match": answer.headers["etag"]}).status == 304
    assert rendered(given, found, "image/jpeg").headers["etag"] != answer.headers["etag"]
    head = rendered(given, found, method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    part = rendered(given, found, headers={"range": "bytes=1-3"})
    assert (part.status, part.body) == (206, answer.body[1:4])


def test_the_entity_tag_is_that_of_the_images_too(tmp_path: Path) -> None:
    one = image()
    other = image(SOPInstanceUID=one.SOPInstanceUID, StudyInstanceUID=one.StudyInstanceUID, gray=50)
    other.SeriesInstanceUID = one.SeriesInstanceUID
    with opened(tmp_path, duplicates="replace") as given:
        _, found = store(given, one, state(one))
        before = rendered(given, found)
        store(given, other)
        after = rendered(given, found)
    assert before.headers["etag"] != after.headers["etag"]
    assert (shown(before.body).flat[0], shown(after.body).flat[0]) == (100, 50)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("window=1,2,linear", id="window"),
        pytest.param("viewport=10,10,0,0,1,1", id="source region"),
        pytest.param("viewport=0,10", id="malformed"),
    ],
)
def test_what_may_not_be_asked(given: Given, query: str) -> None:
    one = image()
    _, found = store(given, one, state(one))
    assert isinstance(rendered(given, found, query=query).error, BadRequest)


def test_parameters(given: Given) -> None:
    one = image(rows=40, columns=60)
    _, found = store(given, one, state(one))
    answer = rendered(given, found, query="viewport=30,30&annotation=patient,other")
    assert shown(answer.body).shape == (20, 30)
    assert "annotation" in answer.headers["warning"]
    assert "Unknown" in rendered(given, found, query="nonsense=1").headers["warning"]


def test_frames_of_a_presentation_state_can_not_be_asked_for(given: Given) -> None:
    one = image()
    _, found = store(given, one, state(one))
    assert isinstance(given.get(f"{found.path}/frames/1/rendered", PNG).error, BadRequest)


def test_dicom_beside_rendered_types(given: Given) -> None:
    one = image()
    _, found = store(given, one, state(one))
    assert isinstance(rendered(given, found, "application/dicom, image/png").error, BadRequest)
    assert isinstance(rendered(given, found, "text/html").error, NoAcceptableRepresentation)


@pytest.mark.parametrize("kind", [f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in range(5, 13)])
def test_kinds_that_are_not_applied(given: Given, kind: str) -> None:
    one = image()
    _, found = store(given, one, state(one, kind=kind))
    error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert kind in error.message


@pytest.mark.parametrize("kind", [GRAYSCALE, COLOR, PSEUDO_COLOR])
def test_kinds_that_are(given: Given, kind: str) -> None:
    one = image()
    _, found = store(given, one, state(one, kind=kind))
    assert rendered(given, found).status == 200


def test_profile_of_a_colour_state(given: Given) -> None:
    one = image(
        SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=bytes(range(72)), rows=4
    )
    profile = icc.profile(IccProfile.ROMM_RGB)
    _, found = store(given, one, state(one, kind=COLOR, ICCProfile=profile))
    assert Image.open(io.BytesIO(rendered(given, found).body)).info["icc_profile"] == profile
    assert "icc_profile" not in Image.open(io.BytesIO(rendered(given, found, query="iccprofile=no").body)).info
    assert isinstance(rendered(given, found, "image/gif", "iccprofile=srgb").error, BadRequest)


def test_long_values_are_read_from_the_file(given: Given) -> None:
    """Graphics, tables and overlays are bulk data as soon as they are large."""
    one = image(rows=64, columns=64)
    line = [value for number in range(600) for value in (number % 64, 20.5)]
    one_state = state(
        one,
        GraphicAnnotationSequence=[annotation(graphic("POLYLINE", line))],
        GraphicLayerSequence=[layer(GraphicLayerRecommendedDisplayGrayscaleValue=65535)],
        PresentationLUTSequence=[
            item(LUTDescriptor=[4096, 0, 16], LUTData=np.arange(65535, -1, -16).astype("<u2").tobytes())
        ],
    )
    del one_state.PresentationLUTShape
    _, found = store(given, one, one_state)
    picture = shown(rendered(given, found).body)
    assert abs(int(picture[50, 50]) - 155) <= 1, "the presentation LUT"
    assert picture[20, 32] > 200, "the line"


def test_values_that_are_too_long_together_are_left_out(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BULK", 10_000)
    one = image(rows=64, columns=64)
    lines = [graphic("POLYLINE", [value for x in range(1000) for value in (x % 64, y)]) for y in (20.5, 40.5)]
    _, found = store(given, one, state(one, GraphicAnnotationSequence=[annotation(*lines)]))
    picture = shown(rendered(given, found).body)
    assert (picture[20, 32] > 200, picture[40, 32] > 200) == (True, False)


# Several images


def test_several_images_are_multipart_by_default(given: Given) -> None:
    images = slices(10, 20, 30)
    *stored, found = store(given, *images, state(*images))
    answer = rendered(given, found, "*/*")
    assert answer.status == 200
    assert [part.type for part in answer.parts] == ["image/jpeg"] * 3
    assert [part.location for part in answer.parts] == [str(one.path) for one in stored]
    assert answer.headers["etag"].startswith("W/")


def test_as_one_picture_they_are_animated_or_the_middle_one(given: Given) -> None:
    images = slices(10, 20, 30)
    *_, found = store(given, *images, state(*images))
    animation = Image.open(io.BytesIO(rendered(given, found, "image/gif").body))
    assert getattr(animation, "n_frames", 1) == 3
    assert shown(rendered(given, found).body).flat[0] == 20
    browser = rendered(given, found, "image/avif,image/webp,image/*,*/*;q=0.8")
    assert browser.headers["content-type"] == "image/gif"


def test_an_animation_has_the_size_of_its_first_picture(given: Given) -> None:
    images = [image(10, rows=4, columns=6), image(20, rows=8, columns=6)]
    *_, found = store(given, *images, state(*images))
    animation = Image.open(io.BytesIO(rendered(given, found, "image/gif").body))
    assert animation.size == (6, 4)
    animation.seek(1)
    second = np.asarray(animation.convert("L"))
    assert second[2, 3] == 20
    assert second[2, 0] == 0


def test_order_is_that_of_the_patient(given: Given) -> None:
    images = slices(10, 20, 30, 40)
    turned = [images[2], images[0], images[3], images[1]]
    *_, found = store(given, *images, state(*turned))
    assert grays(rendered(given, found, 'multipart/related; type="image/png"')) == [10, 20, 30, 40]


def test_frames_that_are_referred_to(given: Given) -> None:
    one = image(100, frames=5)
    reference = item(SeriesInstanceUID=one.SeriesInstanceUID, ReferencedImageSequence=[image_reference(one, 4, 2)])
    stored, found = store(given, one, state(one, ReferencedSeriesSequence=[reference]))
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    assert grays(answer) == [130, 110]
    assert [part.location for part in answer.parts] == [f"{stored.path}/frames/{number}" for number in (4, 2)]


def test_all_frames_where_none_is_named(given: Given) -> None:
    one = image(100, frames=3)
    _, found = store(given, one, state(one))
    assert grays(rendered(given, found, 'multipart/related; type="image/png"')) == [100, 110, 120]


def test_a_series_without_images_is_all_of_it(given: Given) -> None:
    images = slices(10, 20)
    reference = item(SeriesInstanceUID=images[0].SeriesInstanceUID)
    *_, found = store(given, *images, state(images[0], ReferencedSeriesSequence=[reference]))
    assert grays(rendered(given, found, 'multipart/related; type="image/png"')) == [10, 20]


def test_each_frame_by_what_is_said_of_it(given: Given) -> None:
    one = image(100, frames=3)
    window = {"WindowWidth": 1}
    vois = [
        item(ReferencedImageSequence=[image_reference(one, 1)], WindowCenter=200, **window),
        item(ReferencedImageSequence=[image_reference(one, 2, 3)], WindowCenter=50, **window),
    ]
    first = area((1, 1), (2, 2))
    first.ReferencedImageSequence = [image_reference(one, 1)]
    _, found = store(given, one, state(one, SoftcopyVOILUTSequence=vois, DisplayedAreaSelectionSequence=[first]))
    parts = rendered(given, found, 'multipart/related; type="image/png"').parts
    assert [int(shown(part.body).flat[0]) for part in parts] == [0, 255, 255]
    assert [shown(part.body).shape for part in parts] == [(2, 2), (4, 6), (4, 6)]


def test_a_damaged_image_does_not_take_the_others_with_it(given: Given) -> None:
    one, other = image(), image(20)
    damaged = compressed(
        [b"damaged"], JPEGBaseline8Bit, **{tag: one[tag].value for tag in ("SOPInstanceUID", "SeriesInstanceUID")}
    )
    given.store(damaged)
    *_, found = store(given, other, state(one, other))
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    kinds = [part.type for part in answer.parts]
    assert sorted(kinds) == ["image/png", "text/plain"]


# What is missing


def test_nothing_is_there(given: Given) -> None:
    (found,) = store(given, state(image()))
    error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "1 that are not in this archive" in error.message


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param([], id="no reference"),
        pytest.param([item(SeriesInstanceUID="1.2.3")], id="an unknown series"),
        pytest.param([item()], id="nonsense"),
    ],
)
def test_it_refers_to_nothing(given: Given, reference: list[Dataset]) -> None:
    (found,) = store(given, state(image(), ReferencedSeriesSequence=reference))
    assert isinstance(rendered(given, found).error, NoAcceptableRepresentation)


def test_part_of_it_is_missing(given: Given) -> None:
    images = slices(10, 20, 30)
    *_, found = store(given, images[0], images[2], state(*images))
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    assert answer.status == 206
    assert "1 that are not in this archive" in answer.headers["warning"]
    assert grays(answer) == [10, 30]
    single = rendered(given, found)
    assert (single.status, "warning" in single.headers) == (200, True)
    store(given, images[1])
    assert rendered(given, found, 'multipart/related; type="image/png"').status == 200


def test_frames_that_do_not_exist(given: Given) -> None:
    one = image(100, frames=2)
    reference = item(SeriesInstanceUID=one.SeriesInstanceUID, ReferencedImageSequence=[image_reference(one, 2, 9)])
    _, found = store(given, one, state(one, ReferencedSeriesSequence=[reference]))
    answer = rendered(given, found)
    assert "1 frames that do not exist" in answer.headers["warning"]
    assert shown(answer.body).flat[0] == 110


def test_states_that_refer_to_each_other(given: Given) -> None:
    first, second = state(image()), state(image())
    first.ReferencedSeriesSequence = series_references(second, first)
    second.ReferencedSeriesSequence = series_references(first)
    found, _ = store(given, first, second)
    error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "2 that are no images" in error.message


@pytest.mark.parametrize(
    ("operation", "mode", "status"), [("AVG_SUB", "SUB", 406), ("NONE", "SUB", 200), ("AVG_SUB", "NAT", 200)]
)
def test_masks_are_not_subtracted(given: Given, operation: str, mode: str, status: int) -> None:
    """What the VOI is meant for would not be shown: no picture is better than a wrong one."""
    one = image()
    mask = item(MaskOperation=operation, MaskFrameNumbers=1)
    _, found = store(given, one, state(one, MaskSubtractionSequence=[mask], RecommendedViewingMode=mode))
    assert rendered(given, found).status == status


def test_slides_are_left_out(given: Given) -> None:
    slide = image(frames=2, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.6")
    _, found = store(given, slide, state(slide, kind=COLOR))
    error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "1 that are whole slide images" in error.message


def test_more_frames_than_are_shown(tmp_path: Path) -> None:
    images = slices(10, 20, 30)
    with opened(tmp_path, max_frames_in_list=2) as given:
        *_, found = store(given, *images, state(*images))
        error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "more than 2 frames" in error.message


def test_more_references_than_are_looked_up(tmp_path: Path) -> None:
    one = image()
    missing = [image() for _ in range(5)]
    with opened(tmp_path, max_frames_in_list=3) as given:
        _, found, again = store(given, one, state(one, *missing), state(*[one] * 9))
        error = rendered(given, found).error
        assert rendered(given, again).status == 200, "it is one"
    assert isinstance(error, NoAcceptableRepresentation)
    assert "more than 3 references" in error.message


def test_many_references_let_others_take_their_turn(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    one = image()
    _, found = store(given, one, state(one, *(image() for _ in range(20))))
    monkeypatch.setattr(presentation_images, "_FEW", 5)

    async def main() -> int:
        task = asyncio.create_task(presentation_images.find(given.archive, found))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        await task
        return turns

    assert asyncio.run(main()) >= 4


def test_more_graphics_than_are_drawn(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    from skiagraph.pixels.presentation import drawing

    monkeypatch.setattr(drawing, "MOST_OBJECTS", 2)
    one = image()
    points = [graphic("POINT", [1, 1])] * 3
    _, found = store(given, one, state(one, GraphicAnnotationSequence=[annotation(*points)]))
    answer = rendered(given, found)
    assert answer.status == 406
    assert isinstance(answer.error, NoAcceptableRepresentation)
    assert "the limit is 2" in answer.error.message


# Blending


def blended(under: list[Dataset], over: list[Dataset], **changes: Any) -> Dataset:
    items = [
        item(
            BlendingPosition=position,
            StudyInstanceUID=images[0].StudyInstanceUID,
            ReferencedSeriesSequence=series_references(*images),
        )
        for position, images in (("SUPERIMPOSED", over), ("UNDERLYING", under))
    ]
    return state(under[0], kind=BLENDING, BlendingSequence=items, RelativeOpacity=0.5, **changes)


def test_blending_shows_the_underlying_frames(given: Given) -> None:
    under = slices(0, 0, 0)
    over = slices(100, 200, FrameOfReferenceUID=under[0].FrameOfReferenceUID)
    *_, found = store(given, *under, *over, blended(under, over))
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    assert grays(answer) == [50, 100, 0], "nothing lies over the third"


def test_blending_between_slices(given: Given) -> None:
    under = slices(0, ImagePositionPatient=[0, 0, 0])
    under[0].ImagePositionPatient = [0, 0, 1]
    over = slices(100, 200, FrameOfReferenceUID=under[0].FrameOfReferenceUID)
    *_, found = store(given, *under, *over, blended(under, over))
    assert shown(rendered(given, found).body)[0, 0].tolist() == [75] * 3


def test_blending_one_to_one_where_there_are_no_places(given: Given) -> None:
    under, over = [image(0), image(10)], [image(100), image(200)]
    *_, found = store(given, *under, *over, blended(under, over))
    assert grays(rendered(given, found, 'multipart/related; type="image/png"')) == [50, 105]


def test_blending_one_to_one_for_one_of_the_images(given: Given) -> None:
    """By the URI Service, whose answer is the picture of one image: it has the same partner as in all of them."""
    study = uid()
    under = [image(gray, StudyInstanceUID=study) for gray in (0, 10, 20)]
    over = [image(gray, StudyInstanceUID=study) for gray in (100, 200, 250)]
    one = blended(under, over)
    store(given, *under, *over, one)
    for wanted, partner in ((under[0], 50), (under[1], 105), (under[2], 135)):
        names = {
            "requestType": "WADO",
            "studyUID": wanted.StudyInstanceUID,
            "seriesUID": wanted.SeriesInstanceUID,
            "objectUID": wanted.SOPInstanceUID,
            "contentType": PNG,
            "presentationSeriesUID": one.SeriesInstanceUID,
            "presentationUID": one.SOPInstanceUID,
        }
        answer = given.get("wado", query="&".join(f"{name}={value}" for name, value in names.items()))
        assert answer.error is None, answer.error
        assert int(shown(answer.body).flat[0]) == partner


def test_what_is_laid_over_is_bounded(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    under = slices(0, 0)
    over = slices(100, 200, FrameOfReferenceUID=under[0].FrameOfReferenceUID)
    *_, found = store(given, *under, *over, blended(under, over))
    monkeypatch.setattr(pictures, "MOST_BULK", 23)
    error = rendered(given, found).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "more than 23 bytes" in error.message


def test_blending_of_other_frames_of_reference_needs_a_registration(given: Given) -> None:
    under, over = slices(0, 0), slices(100, 200, 250)
    shift = item(
        FrameOfReferenceUID=over[0].FrameOfReferenceUID,
        MatrixRegistrationSequence=[
            item(
                MatrixSequence=[
                    item(FrameOfReferenceTransformationMatrix=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -2, 0, 0, 0, 1])
                ]
            )
        ],
    )
    registration = state(under[0], kind=REGISTRATION, RegistrationSequence=[shift], Modality="REG")
    registration.FrameOfReferenceUID = under[0].FrameOfReferenceUID
    reference = item(ReferencedSeriesSequence=[item(ReferencedInstanceSequence=[image_reference(registration)])])
    one = blended(under, over, ReferencedSpatialRegistrationSequence=[reference])
    *_, found = store(given, *under, *over, one)
    answer = rendered(given, found, 'multipart/related; type="image/png"')
    assert "can not be aligned" in answer.parts[0].body.decode()
    assert rendered(given, found).status == 406
    store(given, registration)
    assert grays(rendered(given, found, 'multipart/related; type="image/png"')) == [100, 125], "2 mm below"


def test_blending_without_what_is_superimposed(given: Given) -> None:
    under, over = slices(10), slices(200)
    *_, found = store(given, *under, blended(under, over))
    answer = rendered(given, found)
    assert shown(answer.body)[0, 0].tolist() == [10] * 3
    assert "not in this archive" in answer.headers["warning"]


# Thumbnails


def test_thumbnail(given: Given) -> None:
    one = image(rows=300, columns=400)
    named = annotation(text("Zeta Zachary", [0, 0, 300, 300]), graphic("POLYLINE", [0, 0, 300, 300]))
    _, found = store(given, one, state(one, **INVERSE, GraphicAnnotationSequence=[named]))
    answer = given.get(f"{found.path}/thumbnail", PNG)
    picture = shown(answer.body)
    assert picture.shape == (192, 256)
    assert (picture == 155).all(), "nothing is drawn: names might be among it"
    assert shown(given.get(f"{found.path}/thumbnail", PNG, query="viewport=40,40").body).shape == (30, 40)
    headers = {"if-none-match": answer.headers["etag"]}
    assert given.get(f"{found.path}/thumbnail", PNG, headers=headers).status == 304


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"BurnedInAnnotation": "YES"}, id="text is burned in"),
        pytest.param({"Rows": 5000}, id="damaged"),
    ],
)
def test_an_icon_where_the_image_is_not_to_be_shown(given: Given, changes: dict[str, Any]) -> None:
    one = image(**changes)
    _, found, lonely = store(given, one, state(one), state(image()))
    answer = given.get(f"{found.path}/thumbnail", PNG)
    assert shown(answer.body).shape == (256, 256, 3)
    assert shown(given.get(f"{lonely.path}/thumbnail", PNG).body).shape == (256, 256, 3)


def test_thumbnail_changes_with_the_images(given: Given) -> None:
    one = image()
    (found,) = store(given, state(one))
    icon = given.get(f"{found.path}/thumbnail", PNG)
    store(given, one)
    picture = given.get(f"{found.path}/thumbnail", PNG)
    assert icon.headers["etag"] != picture.headers["etag"]
    assert shown(picture.body).shape == (4, 6)


# Studies and Series


def test_states_are_left_out_of_a_study(given: Given) -> None:
    one = image(100)
    _, found = store(given, one, state(one, **INVERSE))
    answer = given.get(f"studies/{one.StudyInstanceUID}/rendered", 'multipart/related; type="image/png"')
    assert answer.status == 206
    assert grays(answer) == [100]
    assert given.get(f"studies/{one.StudyInstanceUID}/series/{found.path.series_instance_uid}/rendered").status == 406


# The URI Service


def wado(
    given: Given, one: Dataset, of_state: Dataset, query: str = "", accept: str | None = PNG, **more: Any
) -> Answer:
    names = {
        "requestType": "WADO",
        "studyUID": one.StudyInstanceUID,
        "seriesUID": one.SeriesInstanceUID,
        "objectUID": one.SOPInstanceUID,
        "presentationSeriesUID": of_state.SeriesInstanceUID,
        "presentationUID": of_state.SOPInstanceUID,
    }
    asked = "&".join(f"{name}={value}" for name, value in names.items())
    return given.get("wado", accept, query=f"{asked}&{query}" if query else asked, **more)


def test_presentation_of_an_image(given: Given) -> None:
    images = slices(100, 200)
    of_state = state(*images, **INVERSE)
    stored, *_ = store(given, *images, of_state)
    answer = wado(given, images[0], of_state)
    assert answer.status == 200, answer.error
    assert (shown(answer.body) == 155).all()
    assert answer.headers["content-location"].endswith(str(stored.path))
    assert (shown(wado(given, images[1], of_state).body) == 55).all()
    assert wado(given, images[0], of_state, accept="*/*").headers["content-type"] == "image/jpeg"
    headers = {"if-none-match": answer.headers["etag"]}
    assert wado(given, images[0], of_state, headers=headers).status == 304
    head = wado(given, images[0], of_state, method="HEAD")
    assert (head.status, head.headers["etag"]) == (200, answer.headers["etag"])


def test_of_a_multi_frame_image_the_middle_of_the_frames_that_are_referred_to(given: Given) -> None:
    one = image(100, frames=9)
    reference = item(SeriesInstanceUID=one.SeriesInstanceUID, ReferencedImageSequence=[image_reference(one, 7, 8, 9)])
    of_state = state(one, ReferencedSeriesSequence=[reference])
    store(given, one, of_state)
    assert (shown(wado(given, one, of_state).body) == 170).all()


@pytest.mark.parametrize(
    ("query", "size"),
    [
        pytest.param("", (20, 30), id="as the state has it"),
        pytest.param("rows=10&columns=10", (7, 10), id="size"),
        pytest.param("rows=40", (40, 60), id="rows"),
        pytest.param("region=0.0,0.0,0.5,1.0", (20, 15), id="region of what the state shows"),
        pytest.param("region=0.0,0.0,0.5,1.0&rows=40&columns=40", (40, 30), id="region and size"),
    ],
)
def test_region_and_size_come_after_the_state(given: Given, query: str, size: tuple[int, int]) -> None:
    one = image(rows=30, columns=40)
    of_state = state(one, DisplayedAreaSelectionSequence=[area((1, 1), (20, 30))], ImageRotation=90)
    store(given, one, of_state)
    answer = wado(given, one, of_state, query)
    assert answer.error is None, answer.error
    assert shown(answer.body).shape == size


def test_region_is_the_right_one(given: Given) -> None:
    rows = bytes([0] * 12 + [200] * 12)
    one = image(PixelData=rows)
    of_state = state(one, ImageRotation=90, ImageHorizontalFlip="N")
    store(given, one, of_state)
    assert (shown(wado(given, one, of_state, "region=0.0,0.0,0.5,1.0").body) == 200).all()
    assert (shown(wado(given, one, of_state, "region=0.5,0.0,1.0,1.0").body) == 0).all()


@pytest.mark.parametrize(
    "query", ["windowCenter=1&windowWidth=2", "frameNumber=1", "rows=0", "region=1,1,0,0", "presentationUID=1.2"]
)
def test_what_may_not_accompany_it(given: Given, query: str) -> None:
    one = image()
    of_state = state(one)
    store(given, one, of_state)
    assert isinstance(wado(given, one, of_state, query).error, BadRequest)


def test_states_that_can_not_be_applied(given: Given) -> None:
    one, other = image(), image()
    of_state, of_another = state(one), state(other)
    of_another.StudyInstanceUID = one.StudyInstanceUID
    store(given, one, other, of_another)
    unknown = wado(given, one, of_state)
    assert isinstance(unknown.error, BadRequest), "unknown (§8.3.5.1.6)"
    assert unknown.status == 400
    assert isinstance(wado(given, one, one).error, BadRequest), "no presentation state"
    assert isinstance(wado(given, one, of_another).error, BadRequest), "it does not refer to the image"
    assert wado(given, image(), of_another).status == 404, "an unknown image"

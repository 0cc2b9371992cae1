"""The URI Service: PS3.18 §9, without a web server; what the services behind it do is tested with them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from pydicom.dataset import Dataset
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

import video_files
from archives import BASE, Answer, Given, compressed, opened, read
from dicom_files import ct, part10, uid
from skiagraph.errors import (
    BadRequest,
    NoAcceptableRepresentation,
    PreconditionFailed,
    RangeNotSatisfiable,
    ResourceGone,
    ResourceNotFound,
)
from skiagraph.index.base import StoredInstance
from skiagraph.services import uri

JPEG = "image/jpeg"
PNG = "contentType=image/png"
DICOM = "contentType=application/dicom"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
UIDS = ("studyUID", "seriesUID", "objectUID")


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def image(frames: int = 1, rows: int = 20, columns: int = 40, **changes: Any) -> bytes:
    """Frames whose pixels are all different from their neighbours, and from those of the other frames."""
    data = np.concatenate([expected(number, rows, columns) for number in range(1, frames + 1)])
    defaults: dict[str, Any] = {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "PixelData": data.astype(np.uint8).tobytes(),
    }
    if frames > 1:
        defaults["NumberOfFrames"] = frames
    return part10(ct(**defaults | changes))


def expected(number: int = 1, rows: int = 20, columns: int = 40) -> Any:
    pixels = np.arange(rows * columns).reshape(rows, columns)
    return (pixels + 40 * (number - 1)) % 256


def named(instance: StoredInstance) -> dict[str, str]:
    path = instance.path
    values = (path.study_instance_uid, path.series_instance_uid, path.sop_instance_uid)
    return {"requestType": "WADO"} | {name: str(value) for name, value in zip(UIDS, values, strict=True)}


def ask(given: Given, instance: StoredInstance, query: str = "", accept: str | None = "*/*", **more: Any) -> Answer:
    asked = "&".join(f"{name}={value}" for name, value in named(instance).items())
    return given.get("wado", accept, query=f"{asked}&{query}" if query else asked, **more)


def shown(answer: Answer, mode: str = "L") -> Any:
    assert answer.error is None, answer.error
    return np.asarray(Image.open(io.BytesIO(answer.body)).convert(mode)).astype(int)


# Which Instance


@pytest.mark.parametrize("query", ["", DICOM])
def test_an_instance_is_found_by_its_whole_path(given: Given, query: str) -> None:
    """The same SOP Instance UID under another Study or Series is another Instance: §9.1.2.1."""
    one, other = given.store(image(), image())
    for name in UIDS:
        asked = named(one) | {name: named(other)[name]}
        answer = given.get("wado", "*/*", query="&".join([*(f"{k}={v}" for k, v in asked.items()), query]))
        assert isinstance(answer.error, ResourceNotFound), name


@pytest.mark.parametrize("query", ["", DICOM])
def test_not_there_and_gone(given: Given, query: str) -> None:
    """404 and 410: Table 9.4.3-1."""
    (instance,) = given.store(image())
    unknown = f"requestType=WADO&studyUID={uid()}&seriesUID={uid()}&objectUID={uid()}&{query}"
    assert isinstance(given.get("wado", "*/*", query=unknown).error, ResourceNotFound)
    given.archive.index.delete(instance.path)
    assert isinstance(ask(given, instance, query).error, ResourceGone)


# Retrieve DICOM Instance


def test_a_dicom_instance(given: Given) -> None:
    data = image()
    (instance,) = given.store(data)
    answer = ask(given, instance, DICOM)
    assert answer.status == 200
    assert answer.body == data
    assert answer.length == len(data)
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert {"etag", "last-modified"} <= set(answer.headers)


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        pytest.param(DICOM, None, id="Table 9.4.1-2 Accept is optional"),
        pytest.param(DICOM, "image/png", id="8.7.8.1 contentType goes first"),
        pytest.param("", "application/dicom", id="9.3 Accept alone"),
        pytest.param("", "application/dicom, */*;q=0.1", id="9.3 Accept likes it best"),
        pytest.param("", f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}", id="8.7.8.2 in Accept"),
        pytest.param(f"{DICOM}&annotation=patient&charset=utf-8", "*/*", id="Table 9.4.1-1 means nothing"),
    ],
)
def test_ways_to_ask_for_dicom(given: Given, query: str, accept: str | None) -> None:
    data = image()
    (instance,) = given.store(data)
    assert ask(given, instance, query, accept).body == data


@pytest.mark.parametrize(
    ("stored", "wanted", "sent"),
    [
        pytest.param(ExplicitVRLittleEndian, "*", ExplicitVRLittleEndian, id="8.7.3.6 any: as stored"),
        pytest.param(ImplicitVRLittleEndian, "*", ExplicitVRLittleEndian, id="8.7.3 never Implicit VR"),
        pytest.param(ExplicitVRBigEndian, "*", ExplicitVRLittleEndian, id="8.7.3 never Big Endian"),
        pytest.param(DeflatedExplicitVRLittleEndian, "*", ExplicitVRLittleEndian, id="8.7.3.3.2 any: inflated"),
        pytest.param(
            DeflatedExplicitVRLittleEndian,
            DeflatedExplicitVRLittleEndian,
            DeflatedExplicitVRLittleEndian,
            id="9.4.2.4 deflated by name",
        ),
        pytest.param(ImplicitVRLittleEndian, None, ExplicitVRLittleEndian, id="9.4.2.4 the default"),
        pytest.param(ExplicitVRLittleEndian, RLELossless, RLELossless, id="9.4.2.4 RLE"),
        pytest.param(ImplicitVRLittleEndian, JPEG2000Lossless, JPEG2000Lossless, id="9.4.2.4 JPEG 2000"),
    ],
)
def test_transfer_syntaxes(given: Given, stored: str, wanted: str | None, sent: str) -> None:
    data = ct()
    data.PixelData = np.arange(48, dtype=">u2" if stored == ExplicitVRBigEndian else "<u2").tobytes()
    data["PixelData"].VR = "OW"
    (instance,) = given.store(part10(data, stored))
    answer = ask(given, instance, DICOM if wanted is None else f"{DICOM}&transferSyntax={wanted}")
    assert answer.error is None
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={sent}"
    found = read(answer.body)
    assert found.file_meta.TransferSyntaxUID == sent
    assert found.SOPInstanceUID == instance.path.sop_instance_uid
    assert (found.pixel_array.ravel() == np.arange(48)).all()


def test_compressed_images_as_stored_and_by_default_native(given: Given) -> None:
    (plain,) = given.store(image())
    rle = ask(given, plain, f"{DICOM}&transferSyntax={RLELossless}").body
    given.archive.index.delete(plain.path)
    (instance,) = given.store(rle)
    assert ask(given, instance, f"{DICOM}&transferSyntax=*").body == rle
    native = read(ask(given, instance, DICOM).body)
    assert native.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (native.pixel_array == expected()).all()


def test_what_is_stored_with_loss_goes_out_so_by_default(given: Given) -> None:
    """§8.7.3.4, note 2; native where it is asked for."""
    stream = io.BytesIO()
    Image.fromarray(np.full((6, 8), 99, np.uint8)).save(stream, "JPEG")
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    data = compressed([stream.getvalue()], JPEGBaseline8Bit, **bits)
    (instance,) = given.store(data)
    assert ask(given, instance, DICOM).body == data
    native = read(ask(given, instance, f"{DICOM}&transferSyntax={ExplicitVRLittleEndian}").body)
    assert native.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert abs(native.pixel_array.astype(int) - 99).max() <= 1


@pytest.mark.parametrize(
    "syntax",
    [
        pytest.param("1.2.3", id="9.4.2.4 none"),
        pytest.param(ImplicitVRLittleEndian, id="8.7.3 Implicit VR Little Endian"),
        pytest.param(ExplicitVRBigEndian, id="8.7.3 Explicit VR Big Endian"),
        pytest.param(MPEG4HP41, id="9.4.2.4 one that is not made"),
    ],
)
def test_a_syntax_that_can_not_be_had_is_406_and_the_answer_says_which_can(given: Given, syntax: str) -> None:
    (instance,) = given.store(image())
    error = ask(given, instance, f"{DICOM}&transferSyntax={syntax}").error
    assert type(error) is NoAcceptableRepresentation
    assert f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}" in error.details
    assert all(text.startswith("application/dicom;") for text in error.details)


def test_damaged_pixels_are_406_where_they_should_be_converted(given: Given) -> None:
    data = compressed([b"no code stream"], JPEG2000Lossless)
    (instance,) = given.store(data)
    error = ask(given, instance, DICOM).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert error.details == (f"application/dicom; transfer-syntax={JPEG2000Lossless}",)
    assert ask(given, instance, f"{DICOM}&transferSyntax=*").body == data


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param("windowCenter=1&windowWidth=2", id="9.5.1.2.6 window"),
        pytest.param("frameNumber=1", id="9.5.1.2.1 frameNumber"),
        pytest.param("frameNumber=1&anonymize=yes", id="anonymize beside"),
        pytest.param("rows=5&columns=5", id="9.5.1.2.4 size"),
        pytest.param("region=0,0,1,1", id="9.5.1.2.5 region"),
        pytest.param("imageQuality=50", id="9.5.1.2.3 imageQuality"),
    ],
)
def test_parameters_of_images_with_dicom_are_400(given: Given, parameter: str) -> None:
    (instance,) = given.store(image())
    assert isinstance(ask(given, instance, f"{DICOM}&{parameter}").error, BadRequest)
    assert isinstance(ask(given, instance, parameter, "application/dicom").error, BadRequest)


# Retrieve Rendered Instance


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        pytest.param("", "*/*", JPEG, id="9.3 the default"),
        pytest.param("", None, JPEG, id="9.3 no Accept"),
        pytest.param("contentType=image/jpeg", "*/*", JPEG, id="Table 8.7.4-1 jpeg"),
        pytest.param(PNG, "*/*", "image/png", id="Table 8.7.4-1 png"),
        pytest.param("contentType=image/gif", "*/*", "image/gif", id="Table 8.7.4-1 gif"),
        pytest.param("contentType=image/jp2", "*/*", "image/jp2", id="Table 8.7.4-1 jp2"),
        pytest.param("contentType=image/jph", "*/*", "image/jph", id="Table 8.7.4-1 jph"),
        pytest.param("contentType=image/jxl", "*/*", "image/jxl", id="Table 8.7.4-1 jxl"),
        pytest.param("contentType=image/jpeg;q=0.5,image/png", "*/*", "image/png", id="9.1.2.2.1 weights"),
        pytest.param("contentType=image/webp,image/png", "*/*", "image/png", id="9.1.2.2.1 the one that can be had"),
        pytest.param("contentType=image/webp", "*/*", JPEG, id="8.7.8.1 none can be had: what Accept says"),
        pytest.param("", "image/png", "image/png", id="9.3 Accept alone"),
        pytest.param("", "image/avif,image/webp,image/*,*/*;q=0.8", JPEG, id="img of a browser"),
        pytest.param(f"transferSyntax=*&{PNG}", "*/*", "image/png", id="9.5 transferSyntax means nothing"),
        pytest.param(f"charset=x&{PNG}", "*/*", "image/png", id="8.8 charset is ignored"),
    ],
)
def test_media_types_of_one_frame(given: Given, query: str, accept: str | None, content_type: str) -> None:
    (instance,) = given.store(image())
    answer = ask(given, instance, query, accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert answer.length == len(answer.body)
    if content_type in ("image/png", "image/gif"):
        assert (shown(answer) == expected()).all()


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        pytest.param("", "image/webp", id="8.7.8.1 Accept"),
        pytest.param("contentType=image/webp", "text/html", id="8.7.8.1 neither contentType nor Accept"),
        pytest.param("", 'multipart/related; type="image/png"', id="9.5 multipart is not made"),
        pytest.param("contentType=image/webp", "application/dicom", id="9.5 DICOM is all that Accept takes"),
    ],
)
def test_what_can_not_be_had_is_406(given: Given, query: str, accept: str) -> None:
    (instance,) = given.store(image())
    error = ask(given, instance, query, accept).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert error.details[:2] == (JPEG, "image/png")


def test_rendered_without_accept_where_it_is_required(tmp_path: Path) -> None:
    """Tables 9.4.1-2, 9.5.1-2: required for rendered, not for DICOM."""
    with opened(tmp_path, strict_accept=True) as given:
        for instance in given.store(image(), pdf(b"%PDF-1.7 ")):
            assert isinstance(ask(given, instance, accept=None).error, NoAcceptableRepresentation)
            assert ask(given, instance).status == 200
            assert ask(given, instance, DICOM, None).status == 200


@pytest.mark.parametrize("query", [PNG, DICOM, ""])
def test_dicom_and_rendered_types_do_not_mix_in_accept(given: Given, query: str) -> None:
    """§8.7.5."""
    (instance,) = given.store(image())
    assert isinstance(ask(given, instance, query, "application/dicom, image/jpeg").error, BadRequest)


@pytest.mark.parametrize(
    ("query", "pixels"),
    [
        pytest.param("", expected(), id="9.5.2.5 neither: pixel for pixel"),
        pytest.param("region=0.25,0.5,0.5,1", expected()[10:20, 10:20], id="9.5.2.4 region"),
        pytest.param("region=0,0,1,1", expected(), id="9.5.2.4 all of it"),
        pytest.param("region=0.99,0.99,1,1", expected()[19:, 39:], id="9.5.2.4 the last pixel"),
        pytest.param("rows=20&columns=40", expected(), id="9.5.2.5 as large as it is"),
        pytest.param("frameNumber=1", expected(), id="9.5.2.1 the only frame"),
    ],
)
def test_pixels(given: Given, query: str, pixels: Any) -> None:
    (instance,) = given.store(image())
    assert shown(ask(given, instance, f"{PNG}&{query}")).tolist() == pixels.tolist()


@pytest.mark.parametrize(
    ("query", "size"),
    [
        pytest.param("rows=10&columns=10", (10, 5), id="9.5.2.5 both are bounds, and the shape stays"),
        pytest.param("rows=10&columns=400", (20, 10), id="9.5.2.5 the other bound"),
        pytest.param("rows=40&columns=400", (80, 40), id="9.5.2.5 enlarged"),
        pytest.param("rows=10", (20, 10), id="9.5.2.5 rows alone"),
        pytest.param("columns=10", (10, 5), id="9.5.2.5 columns alone"),
        pytest.param("region=0,0,0.25,1&rows=10", (5, 10), id="9.5.2.4 region before size"),
        pytest.param("region=0,0,0.001,0.001&rows=10", (10, 10), id="9.5.2.4 less than a pixel"),
        pytest.param("region=0,0,0.5,1", (20, 20), id="9.5.2.4 region alone"),
    ],
)
def test_sizes(given: Given, query: str, size: tuple[int, int]) -> None:
    (instance,) = given.store(image())
    assert Image.open(io.BytesIO(ask(given, instance, query).body)).size == size


def test_a_window_is_linear(given: Given) -> None:
    """§9.5.1.2.6; PS3.3 C.11.2.1.2.1, on what the Modality LUT gives."""
    data = ct(Rows=1, Columns=4)
    data.PixelData = np.array([0, 1024, 1074, 4000], "<u2").tobytes()
    (instance,) = given.store(part10(data))
    answer = ask(given, instance, f"{PNG}&windowCenter=50&windowWidth=101")
    assert shown(answer).tolist() == [[0, 1, 129, 255]]
    other = ask(given, instance, f"{PNG}&windowCenter=-5e2&windowWidth=1")
    assert shown(other).tolist() == [[0, 255, 255, 255]]


def test_quality_and_annotation(given: Given) -> None:
    (instance,) = given.store(image(rows=100, columns=200))
    best, worst = (ask(given, instance, f"imageQuality={quality}").body for quality in (100, 1))
    assert len(best) > 2 * len(worst)
    plain = shown(ask(given, instance, PNG))
    for name in ("annotation", "imageAnnotation"):
        answer = ask(given, instance, f"{PNG}&{name}=patient,x-other")
        assert (shown(answer) != plain).any()
        assert "x-other" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("query", "content_type", "frame"),
    [
        pytest.param("", JPEG, 3, id="2.4 image/jpeg of the middle frame"),
        pytest.param(PNG, "image/png", 3, id="the middle frame in another type"),
        pytest.param(f"{PNG}&frameNumber=1", "image/png", 1, id="9.5.2.1 the first"),
        pytest.param(f"{PNG}&frameNumber=5", "image/png", 5, id="9.5.2.1 the last"),
        pytest.param("contentType=image/gif&frameNumber=2", "image/gif", 2, id="9.5.2.1 one frame as gif"),
    ],
)
def test_frames_of_many(given: Given, query: str, content_type: str, frame: int) -> None:
    (instance,) = given.store(image(5))
    answer = ask(given, instance, query)
    assert answer.headers["content-type"] == content_type
    location = f"{BASE}/{instance.path}" + (f"/frames/{frame}" if "frameNumber" in query else "")
    assert answer.headers["content-location"] == location
    assert abs(shown(answer) - expected(frame)).mean() < (20 if content_type == JPEG else 0.001)


def test_all_frames_as_animated_gif(given: Given) -> None:
    """Table 8.7.4-1: image/gif for Multi-frame Image."""
    (instance,) = given.store(image(3))
    answer = ask(given, instance, "contentType=image/gif&region=0,0,0.5,1")
    frames = list(ImageSequence.Iterator(Image.open(io.BytesIO(answer.body))))
    assert [frame.size for frame in frames] == [(20, 20)] * 3


@pytest.mark.parametrize(("frames", "number"), [(1, 2), (5, 6), (5, 10**17)])
def test_frames_that_do_not_exist_are_400(given: Given, frames: int, number: int) -> None:
    """§9.5.2.1: not 404."""
    (instance,) = given.store(image(frames))
    error = ask(given, instance, f"frameNumber={number}").error
    assert isinstance(error, BadRequest)
    assert f"{frames} frame" in error.message


def test_regions_of_a_slide_are_those_of_the_whole_picture(given: Given) -> None:
    tiles = image(
        4, 20, 40, SOPClassUID=SLIDE, TotalPixelMatrixRows=40, TotalPixelMatrixColumns=80,
        DimensionOrganizationType="TILED_FULL", ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
    )  # fmt: skip
    (instance,) = given.store(tiles)
    assert shown(ask(given, instance, PNG)).shape == (40, 80)
    assert (shown(ask(given, instance, f"{PNG}&region=0.5,0.5,1,1")) == expected(4)).all()
    assert (shown(ask(given, instance, f"{PNG}&frameNumber=2&region=0.5,0.5,1,1")) == expected(2)[10:, 20:]).all()


# What is no image


@pytest.mark.parametrize("query", ["", "contentType=application/pdf", "contentType=text/html", "contentType=image/png"])
def test_documents_are_themselves(given: Given, query: str) -> None:
    document = b"%PDF-1.7 a document"
    (instance,) = given.store(pdf(document))
    answer = ask(given, instance, query)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body == document
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    again = ask(given, instance, query, headers={"if-none-match": answer.headers["etag"]})
    assert again.status == 304


def pdf(document: bytes, mime_type: str = "application/pdf") -> bytes:
    data = ct(SOPClassUID=PDF, Rows=None, Columns=None, PixelData=None)
    data.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    data.EncapsulatedDocumentLength = len(document)
    data.MIMETypeOfEncapsulatedDocument = mime_type
    return part10(data)


def test_documents_that_are_not_sent(given: Given) -> None:
    one, other = given.store(pdf(b"%PDF-1.7 "), pdf(b"<script>", "text/html"))
    for accept in ("image/png", 'multipart/related; type="application/pdf"'):
        assert isinstance(ask(given, one, accept=accept).error, NoAcceptableRepresentation)
    assert ask(given, one, "contentType=application/pdf", 'multipart/related; type="image/png"').status == 200
    either = ask(given, one, accept='multipart/related; type="application/pdf", application/pdf;q=0.1')
    assert either.headers["content-type"] == "application/pdf"
    assert isinstance(ask(given, other).error, NoAcceptableRepresentation)


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        pytest.param("", "*/*", "text/html", id="Table 8.7.4-1 the default"),
        pytest.param("contentType=text/html", "*/*", "text/html", id="Table 8.7.4-1 html"),
        pytest.param("contentType=text/plain;q=0.5,text/csv", "*/*", "text/plain", id="Table 8.7.4-1 plain"),
        pytest.param("contentType=text/plain;q=0.5,text/rtf", "*/*", "text/rtf", id="Table 8.7.4-1 rtf"),
        pytest.param("contentType=text/xml", "*/*", "text/xml", id="Table 8.7.4-1 xml"),
        pytest.param("contentType=image/jpeg", "*/*", "text/html", id="8.7.8.1 what can not be had: what Accept says"),
        pytest.param("", "text/plain", "text/plain", id="9.3 Accept alone"),
    ],
)
def test_reports(given: Given, query: str, accept: str, content_type: str) -> None:
    """Example B.2: a structured report for people."""
    content = Dataset()
    content.RelationshipType, content.ValueType, content.TextValue = "CONTAINS", "TEXT", "Nothing to worry about"
    (instance,) = given.store(no_image(ValueType="CONTAINER", ContentSequence=[content]))
    answer = ask(given, instance, query, accept)
    assert answer.error is None
    assert answer.headers["content-type"].partition(";")[0] == content_type
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert b"Nothing to worry about" in answer.content


def no_image(**changes: Any) -> bytes:
    return part10(
        ct(**{"SOPClassUID": SR, "Modality": "SR", "Rows": None, "Columns": None, "PixelData": None} | changes)
    )


@pytest.mark.parametrize("query", ["", "contentType=text/html", "contentType=text/plain", "contentType=image/jpeg"])
def test_what_is_not_rendered_is_406_and_there_is_dicom(given: Given, query: str) -> None:
    """A report without content, and what no rendered type can show."""
    (instance, other) = given.store(no_image(), no_image(SOPClassUID="1.2.840.10008.5.1.4.1.1.66"))
    assert isinstance(ask(given, other, query).error, NoAcceptableRepresentation)
    error = ask(given, instance, query).error
    assert isinstance(error, NoAcceptableRepresentation)
    assert "contentType=application/dicom" in error.details[-1]
    assert not any(text.startswith("multipart/") for text in error.details)
    assert ask(given, instance, DICOM).status == 200


def test_videos(given: Given) -> None:
    """Video/mp4 by default, where §9.5 has none; a frame of it is a Single Frame Image."""
    (instance,) = given.store(video_files.stored(video_files.video()))
    whole = ask(given, instance)
    assert whole.headers["content-type"] == "video/mp4"
    assert len(video_files.decoded(whole.body)) == 30
    assert ask(given, instance, "contentType=video/mp4").body == whole.body
    small = ask(given, instance, "contentType=video/mp4&rows=32&columns=48").body
    assert video_files.decoded(small)[0].shape == (32, 48, 3)
    assert ask(given, instance, "contentType=image/jpeg").headers["content-type"] == "image/jpeg"
    frame = ask(given, instance, "contentType=image/png&frameNumber=9")
    assert video_files.number_of(np.asarray(Image.open(io.BytesIO(frame.body)).convert("RGB"))) == 9
    only = ask(given, instance, "contentType=video/mp4&frameNumber=9", "video/mp4")
    assert isinstance(only.error, NoAcceptableRepresentation), "a frame is no video"
    (garbage,) = given.store(compressed([b"a stream"], MPEG4HP41))
    assert isinstance(ask(given, garbage).error, NoAcceptableRepresentation)


def test_multi_frame_images_are_videos_by_name(given: Given) -> None:
    one, many = given.store(image(), image(5))
    answer = ask(given, many, "contentType=video/mp4")
    assert answer.headers["content-type"] == "video/mp4"
    assert len(video_files.decoded(answer.body)) == 5
    assert ask(given, many).headers["content-type"] == "image/jpeg"
    assert isinstance(ask(given, one, "contentType=video/mp4", "video/mp4").error, NoAcceptableRepresentation)


@pytest.mark.parametrize(
    "parameter", ["rows=5", "region=0,0,1,1", "windowCenter=1&windowWidth=2", "frameNumber=1", "annotation=patient"]
)
def test_parameters_of_images_for_what_is_none_are_400(given: Given, parameter: str) -> None:
    """§9.5.1.2, and of old §8.2."""
    for instance in given.store(no_image(), pdf(b"%PDF-1.7 ")):
        assert isinstance(ask(given, instance, parameter).error, BadRequest)


def test_damaged_frames_are_406(given: Given) -> None:
    (instance,) = given.store(compressed([b"no code stream"], JPEGBaseline8Bit))
    assert isinstance(ask(given, instance).error, NoAcceptableRepresentation)


def test_unknown_parameters_are_named(given: Given) -> None:
    """§8.3: as if they were not there."""
    (instance,) = given.store(image())
    for query in (DICOM, PNG):
        plain, answer = ask(given, instance, query), ask(given, instance, f"{query}&windowcenter=5&accept=image/gif")
        assert answer.body == plain.body
        assert "windowcenter, accept" in answer.headers["warning"]
        assert "warning" not in ask(given, instance, f"{query}&charset=x").headers


# What is wrong


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("anonymize=no", id="9.4.2.3 anonymize"),
        pytest.param(f"{PNG}&anonymize=yes", id="9.4.1.2.1 anonymize of a rendering, where ignoring it would harm"),
        pytest.param("anonymize=yes", id="9.4.1.2.1 anonymize of what is rendered by default"),
        pytest.param("windowCenter=1", id="9.5.1.2.6 half a window"),
        pytest.param("region=0,0,2,2", id="9.5.1.2.5 region"),
        pytest.param("rows=0", id="9.5.1.2.4.1 rows"),
        pytest.param("rows=32768&columns=32768", id="more pixels than are rendered"),
        pytest.param("requestType=WADO", id="9.1.2.1.1 twice"),
    ],
)
def test_bad_parameters_are_400(given: Given, query: str) -> None:
    (instance,) = given.store(image(rows=20, columns=20))
    assert isinstance(ask(given, instance, query).error, BadRequest)


# HTTP


@pytest.mark.parametrize("query", [DICOM, PNG, "", "frameNumber=2", f"{DICOM}&transferSyntax={RLELossless}"])
def test_versions_ranges_and_head(given: Given, query: str) -> None:
    (instance,) = given.store(image(3))
    answer = ask(given, instance, query)
    again = ask(given, instance, query)
    assert again.body == answer.body
    assert again.headers == answer.headers
    headers = {"if-none-match": answer.headers["etag"]}
    unchanged = ask(given, instance, query, headers=headers)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert unchanged.headers["etag"] == answer.headers["etag"]
    since = ask(given, instance, query, headers={"if-modified-since": answer.headers["last-modified"]})
    assert since.status == 304
    changed = ask(given, instance, query, headers={"if-match": '"other"'})
    assert isinstance(changed.error, PreconditionFailed)
    head = ask(given, instance, query, method="HEAD")
    assert head.status == 200
    assert {name: head.headers[name] for name in ("etag", "content-type", "content-location")} == {
        name: answer.headers[name] for name in ("etag", "content-type", "content-location")
    }
    if answer.length is not None:
        part = ask(given, instance, query, headers={"range": "bytes=5-9"})
        assert (part.status, part.body) == (206, answer.body[5:10])
        nothing = ask(given, instance, query, headers={"range": f"bytes={answer.length}-"})
        assert isinstance(nothing.error, RangeNotSatisfiable)


def test_each_representation_has_a_version_of_its_own(given: Given) -> None:
    (instance,) = given.store(image(3))
    queries = [
        DICOM, f"{DICOM}&transferSyntax={RLELossless}", "", PNG, "rows=5", "columns=5", "frameNumber=1",
        "frameNumber=2",
        "region=0,0,0.5,1", "windowCenter=1&windowWidth=2", "windowCenter=2&windowWidth=2", "imageQuality=5",
        "annotation=patient", "annotation=technique",
    ]  # fmt: skip
    versions = [ask(given, instance, query).headers["etag"] for query in queries]
    assert len(set(versions)) == len(queries)


def test_it_is_what_the_studies_service_gives(given: Given) -> None:
    """Links of both kinds share what is cached."""
    (instance,) = given.store(image(3))
    one = ask(given, instance, "contentType=image/png&frameNumber=2&columns=10&rows=10&windowCenter=9&windowWidth=99")
    other = given.get(
        f"{instance.path}/frames/2/rendered", "image/png", query="viewport=10,10&window=9,99,linear&accept=image/png"
    )
    assert one.body == other.body
    assert one.headers["etag"] == other.headers["etag"]


def test_the_row_names_what_is_sent() -> None:
    (row,) = uri.TRANSACTIONS
    assert (row.section, row.template, row.scope) == ("9", "/wado", "read")
    assert {JPEG, "image/png", "application/dicom"} <= set(row.media_types)


def test_no_patient_in_errors(given: Given) -> None:
    (instance,) = given.store(image())
    for query in ("frameNumber=9", f"{DICOM}&transferSyntax=1.2", "rows=0", "anonymize=yes"):
        error = ask(given, instance, query).error
        assert error is not None
        assert "Zeta" not in str(error)

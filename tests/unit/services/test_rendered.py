"""Retrieve Rendered: PS3.18 §10.4, Tables 10.4.4-1 and 8.7.4-1, §8.3.5.1, without a web server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit

from archives import BASE, Given, compressed, opened
from dicom_files import ct, part10, uid
from skiagraph.errors import BadRequest, NoAcceptableRepresentation, PayloadTooLarge, ResourceGone, ResourceNotFound
from skiagraph.pixels import picture
from skiagraph.services import rendered

JPEG = "image/jpeg"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def image(frames: int = 1, rows: int = 20, columns: int = 30, **changes: Any) -> bytes:
    """Frames of a gradient from 0 to 255 that begins a step later in each, as 8-bit MONOCHROME2."""
    pixels = np.arange(rows * columns).reshape(rows, columns) % 256
    data = np.stack([(pixels + 40 * number) % 256 for number in range(frames)]).astype(np.uint8).tobytes()
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


def read(data: bytes, mode: str = "L") -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(int)


def expected(number: int = 1, rows: int = 20, columns: int = 30) -> np.ndarray:  # type: ignore[type-arg]
    return (np.arange(rows * columns).reshape(rows, columns) + 40 * (number - 1)) % 256


# One frame


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param(None, JPEG, id="no Accept"),
        pytest.param("*/*", JPEG, id="*/*: the default"),
        pytest.param("image/*", JPEG, id="image/*"),
        pytest.param("image/png", "image/png", id="png"),
        pytest.param("image/gif", "image/gif", id="gif"),
        pytest.param("image/jp2", "image/jp2", id="jp2"),
        pytest.param("image/jph", "image/jph", id="jph"),
        pytest.param("image/jxl", "image/jxl", id="jxl"),
        pytest.param("image/jpeg;q=0.5, image/png", "image/png", id="by weight"),
        pytest.param("image/webp, image/png;q=0.1", "image/png", id="what can not be had is ignored"),
        pytest.param("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", JPEG, id="img of a browser"),
        pytest.param("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JPEG, id="address bar"),
    ],
)
def test_media_types_of_one_frame(given: Given, accept: str | None, content_type: str) -> None:
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert answer.length == len(answer.body)
    if content_type in ("image/png", "image/gif"):
        assert (read(answer.body) == expected()).all()


def test_the_accept_parameter(given: Given) -> None:
    """§8.3.3.1: links and images of a page can not set headers."""
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", "*/*", query="accept=image/png")
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "accept", ["application/dicom", "image/webp", "video/mp4", "text/html", "application/dicom+json", "image/jpeg;q=0"]
)
def test_nothing_acceptable_is_406_and_says_what_is(given: Given, accept: str) -> None:
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", accept)
    assert isinstance(answer.error, NoAcceptableRepresentation)
    assert {"image/jpeg", "image/png", 'multipart/related; type="image/gif"'} <= set(answer.error.details)


@pytest.mark.parametrize(
    "accept", ["application/dicom, image/jpeg", 'image/png, multipart/related; type="application/dicom"']
)
def test_dicom_and_rendered_types_do_not_mix(given: Given, accept: str) -> None:
    """§8.7.5."""
    (instance,) = given.store(image())
    assert isinstance(given.get(f"{instance.path}/rendered", accept).error, BadRequest)
    assert given.get(f"{instance.path}/rendered", f"{accept}, */*;q=0.1").status == 200


def test_as_multipart(given: Given) -> None:
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/png"')
    (part,) = answer.parts
    assert part.type == "image/png"
    assert part.location == str(instance.path), "Content-Location is what was rendered (§8.6.1.2)"
    assert (read(part.body) == expected()).all()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=["little endian", "big endian"])
def test_the_pipeline_is_applied(given: Given, syntax: str) -> None:
    data = ct(Rows=1, Columns=4, WindowCenter="40", WindowWidth="400", PhotometricInterpretation="MONOCHROME1")
    data.PixelData = np.array([0, 1064, 1100, 4000], ">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
    data["PixelData"].VR = "OW"
    (instance,) = given.store(part10(data, syntax))
    path = f"{instance.path}/rendered"
    assert read(given.get(path, "image/png").body).tolist() == [[255, 127, 104, 0]]
    assert read(given.get(path, "image/png", query="window=76,2,linear").body).tolist() == [[255, 255, 0, 0]]


def test_tables_that_are_bulk_data(given: Given) -> None:
    """A palette of more than 1 KiB is a BulkDataURI in the metadata."""
    data = ct(Rows=1, Columns=3, PhotometricInterpretation="PALETTE COLOR", BitsStored=16, HighBit=15)
    data.RescaleSlope = data.RescaleIntercept = None
    data.PixelData = np.array([0, 1, 999], "<u2").tobytes()
    for keyword, value in (("Red", 65535), ("Green", 256 * 100), ("Blue", 0)):
        setattr(data, f"{keyword}PaletteColorLookupTableDescriptor", [1000, 0, 16])
        table = np.zeros(1000, "<u2")
        table[1], table[999] = value, 65535
        setattr(data, f"{keyword}PaletteColorLookupTableData", table.tobytes())
    (instance,) = given.store(part10(data))
    answer = given.get(f"{instance.path}/rendered", "image/png")
    assert read(answer.body, "RGB").tolist() == [[[0] * 3, [255, 100, 0], [255] * 3]]
    assert read(given.get(f"{instance.path}/rendered", "image/png").body, "RGB").tolist()[0][1] == [255, 100, 0]


# Parameters


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("viewport=15,100", (15, 10)),
        ("viewport=60,100", (60, 40)),
        ("viewport=100,100,10,5,20,10", (100, 50)),
    ],
)
def test_viewport(given: Given, query: str, size: tuple[int, int]) -> None:
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", query=query)
    assert Image.open(io.BytesIO(answer.body)).size == size


def test_flips(given: Given) -> None:
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", "image/png", query="viewport=30,20,,,-30,-20")
    assert (read(answer.body) == expected()[::-1, ::-1]).all()


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("window=40,400", None),
        ("viewport=0,5", None),
        ("viewport=5,5,30,0", None),
        ("quality=0", None),
        ("annotation=", None),
        ("iccprofile=cmyk", None),
        ("iccprofile=srgb", "image/gif"),
        ("iccprofile=yes", "image/gif"),
        ("iccprofile=adobergb", "image/jxl"),
        ("viewport=32768,32768", None),
    ],
)
def test_bad_parameters_are_400(given: Given, query: str, accept: str | None) -> None:
    instance, many = given.store(image(), image(3))
    assert isinstance(given.get(f"{instance.path}/rendered", accept, query=query).error, BadRequest)
    assert isinstance(given.get(f"{many.path}/frames/2/rendered", accept, query=query).error, BadRequest)


@pytest.mark.parametrize(
    ("query", "accept", "profile"),
    [
        ("", JPEG, None),
        ("iccprofile=no", JPEG, None),
        ("iccprofile=no", "image/gif", None),
        ("iccprofile=yes", JPEG, "sRGB IEC61966-2.1"),
        ("iccprofile=srgb", "image/png", "sRGB IEC61966-2.1"),
        ("iccprofile=adobergb", JPEG, "Adobe RGB (1998) compatible"),
        ("iccprofile=rommrgb", JPEG, "ROMM RGB (ISO 22028-2)"),
        ("iccprofile=displayp3", "image/png", "Display P3"),
    ],
)
def test_icc_profiles(given: Given, query: str, accept: str, profile: str | None) -> None:
    """§8.3.5.1.5."""
    from PIL import ImageCms

    (instance,) = given.store(image())
    picture = Image.open(io.BytesIO(given.get(f"{instance.path}/rendered", accept, query=query).body))
    embedded = picture.info.get("icc_profile")
    if profile is None:
        assert embedded is None
    else:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(embedded)))
        assert description.strip() == profile
        assert picture.mode == "RGB", "a profile for RGB describes pixels of RGB"


def test_the_profile_of_the_image(given: Given) -> None:
    from skiagraph.pixels import icc
    from skiagraph.standard.rendering import IccProfile

    own = icc.profile(IccProfile.ROMM_RGB)
    data = ct(Rows=2, Columns=2, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    data.BitsAllocated, data.BitsStored, data.HighBit, data.RescaleSlope, data.RescaleIntercept = 8, 8, 7, None, None
    data.PixelData = bytes([100, 150, 200] * 4)
    data.ICCProfile = own
    (instance,) = given.store(part10(data))
    path = f"{instance.path}/rendered"
    kept = Image.open(io.BytesIO(given.get(path, "image/png", query="iccprofile=yes").body))
    assert kept.info["icc_profile"] == own
    assert kept.getpixel((0, 0)) == (100, 150, 200)
    plain = Image.open(io.BytesIO(given.get(path, "image/png").body))
    assert "icc_profile" not in plain.info
    assert plain.getpixel((0, 0)) != (100, 150, 200), "without a profile the picture is sRGB"
    assert plain.getpixel((0, 0)) == pytest.approx(
        tuple(icc.convert(np.array([[[100, 150, 200]]], np.uint8), own, IccProfile.SRGB)[0, 0].tolist())
    )


def test_annotation_is_burned_in(given: Given) -> None:
    (instance,) = given.store(image(rows=200, columns=300))
    path = f"{instance.path}/rendered"
    plain, patient, both = (
        read(given.get(path, "image/png", query=query).body)
        for query in ("", "annotation=patient", "annotation=patient,technique")
    )
    assert (plain == expected(1, 200, 300)).all()
    assert (patient[:60, :100] != plain[:60, :100]).any()
    assert (patient[150:] == plain[150:]).all()
    assert (both[150:, :150] != plain[150:, :150]).any()


def test_unsupported_annotation_is_named(given: Given) -> None:
    """§8.3.5.1.1: it is ignored, and a warning says so in these words."""
    (instance,) = given.store(image())
    answer = given.get(f"{instance.path}/rendered", query="annotation=patient,laterality")
    assert answer.status == 200
    assert answer.headers["warning"] == (f"299 {BASE}: The following annotation values are not supported: laterality")


# Several frames


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "image/gif"),
        ("*/*", "image/gif"),
        ("image/gif", "image/gif"),
        ("image/avif,image/webp,image/*,*/*;q=0.8", "image/gif"),
    ],
)
def test_a_multi_frame_instance_is_animated(given: Given, accept: str | None, content_type: str) -> None:
    (instance,) = given.store(image(5, FrameTime="40"))
    answer = given.get(f"{instance.path}/rendered", accept)
    assert answer.headers["content-type"] == content_type
    shown = [
        (frame.info["duration"], np.asarray(frame.convert("L")).astype(int))
        for frame in ImageSequence.Iterator(Image.open(io.BytesIO(answer.body)))
    ]
    assert [time for time, _ in shown] == [40] * 5
    assert all((pixels == expected(number)).all() for number, (_, pixels) in enumerate(shown, 1))


def test_a_single_type_by_name_gets_the_middle_frame(given: Given) -> None:
    (instance,) = given.store(image(5))
    answer = given.get(f"{instance.path}/rendered", "image/png")
    assert (read(answer.body) == expected(3)).all()


def test_multipart_has_all_frames(given: Given) -> None:
    (instance,) = given.store(image(5))
    answer = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/png"')
    assert [part.location for part in answer.parts] == [f"{instance.path}/frames/{n}" for n in range(1, 6)]
    assert all((read(part.body) == expected(n)).all() for n, part in enumerate(answer.parts, 1))
    assert all("content-length" in part.headers for part in answer.parts)


@pytest.mark.parametrize("frames", ["2", "3,1", "5,2,4"])
def test_frame_lists_come_in_their_order(given: Given, frames: str) -> None:
    (instance,) = given.store(image(5))
    numbers = [int(number) for number in frames.split(",")]
    answer = given.get(f"{instance.path}/frames/{frames}/rendered", 'multipart/related; type="image/png"')
    assert [part.location for part in answer.parts] == [f"{instance.path}/frames/{n}" for n in numbers]
    assert all((read(part.body) == expected(n)).all() for n, part in zip(numbers, answer.parts, strict=True))


def test_frame_lists_are_multipart_by_default_and_animated_as_gif(given: Given) -> None:
    (instance,) = given.store(image(5))
    path = f"{instance.path}/frames/1,2,3,4,5/rendered"
    assert len(given.get(path).parts) == 5
    animated = given.get(path, "image/gif")
    assert Image.open(io.BytesIO(animated.body)).n_frames == 5
    # One picture can not stand for several (Table 10.4.4-1 note 3)
    assert isinstance(given.get(path, "image/png").error, NoAcceptableRepresentation)


def test_one_frame_of_many_is_a_single_picture(given: Given) -> None:
    (instance,) = given.store(image(5))
    answer = given.get(f"{instance.path}/frames/4/rendered", "image/png")
    assert (read(answer.body) == expected(4)).all()
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}/frames/4"


@pytest.mark.parametrize(
    ("frames", "error"),
    [("6", ResourceNotFound), ("1,6", ResourceNotFound), ("0", BadRequest), ("1,1", BadRequest), ("x", BadRequest)],
)
def test_frames_that_are_not_there(given: Given, frames: str, error: type[Exception]) -> None:
    (instance,) = given.store(image(5))
    assert isinstance(given.get(f"{instance.path}/frames/{frames}/rendered").error, error)


# What can not be rendered


def sr(**changes: Any) -> bytes:
    return part10(ct(**{"SOPClassUID": SR, "Modality": "SR", "Rows": None, "PixelData": None} | changes))


def pdf(**changes: Any) -> bytes:
    document = b"%PDF-1.4 " + b"x" * 2000
    return part10(
        ct(
            **{
                "SOPClassUID": PDF,
                "Modality": "DOC",
                "Rows": None,
                "PixelData": None,
                "EncapsulatedDocument": document,
                "MIMETypeOfEncapsulatedDocument": "application/pdf",
            }
            | changes
        )
    )


def test_what_has_no_picture_is_406(given: Given) -> None:
    report, video = given.store(sr(), compressed([b"\0\0\1\xb3 stream", b"more"], MPEG4HP41))
    for instance in (report, video):
        answer = given.get(f"{instance.path}/rendered")
        assert isinstance(answer.error, NoAcceptableRepresentation)
        assert len(answer.error.message) > 20


def test_damaged_frames_are_406(given: Given) -> None:
    (instance,) = given.store(compressed([b"\xff\xd8 this is no JPEG \xff\xd9"], JPEGBaseline8Bit, BitsAllocated=8))
    answer = given.get(f"{instance.path}/rendered")
    assert isinstance(answer.error, NoAcceptableRepresentation)


def test_a_damaged_frame_leaves_the_others_alone(given: Given) -> None:
    good = picture.encode(np.zeros((6, 8), np.uint8), JPEG)
    file = compressed(
        [good, b"\xff\xd8 broken", good], JPEGBaseline8Bit, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=None
    )
    (instance,) = given.store(file)
    answer = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/jpeg"')
    assert [part.type for part in answer.parts] == [JPEG, "text/plain", JPEG]
    assert answer.parts[1].location == f"{instance.path}/frames/2"
    assert len(answer.parts[1].body) > 10


def test_a_damaged_frame_of_an_animation_says_so_in_its_place(given: Given) -> None:
    good = io.BytesIO()
    Image.fromarray(expected(1, 60, 200).astype(np.uint8)).save(good, "JPEG")
    shape = {"Rows": 60, "Columns": 200, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    (instance,) = given.store(compressed([b"\xff\xd8\xff\xd9", good.getvalue()], JPEGBaseline8Bit, **shape))
    answer = given.get(f"{instance.path}/rendered", "image/gif", query="viewport=100,100")
    frames = [
        np.asarray(frame.convert("L")).astype(int)
        for frame in ImageSequence.Iterator(Image.open(io.BytesIO(answer.body)))
    ]
    assert [frame.shape for frame in frames] == [(30, 100)] * 2
    assert np.median(frames[0]) == 48
    assert len(np.unique(frames[0])) > 2, "there is a text on it"
    assert np.ptp(frames[1]) > 150


def test_an_animation_that_is_too_large_is_413(given: Given) -> None:
    (instance,) = given.store(compressed([b"\xff\xd8"] * 2, JPEGBaseline8Bit, Rows=65535, Columns=65535))
    assert isinstance(given.get(f"{instance.path}/rendered", "image/gif").error, PayloadTooLarge)


@pytest.mark.parametrize("accept", [None, "*/*", "application/pdf", "text/html,application/xml;q=0.9,*/*;q=0.8"])
def test_documents_are_themselves(given: Given, accept: str | None) -> None:
    """Viewers ask for the rendered form of a PDF and expect the PDF."""
    (instance,) = given.store(pdf())
    answer = given.get(f"{instance.path}/rendered", accept)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body.startswith(b"%PDF-1.4 ")
    assert isinstance(given.get(f"{instance.path}/rendered", "image/jpeg").error, NoAcceptableRepresentation)


def test_not_there_and_gone(given: Given) -> None:
    (instance,) = given.store(image())
    for path in (f"studies/{uid()}/rendered", f"{instance.path}9/rendered", f"{instance.path}9/frames/1/rendered"):
        assert isinstance(given.get(path).error, ResourceNotFound)
    given.archive.index.delete(instance.path)
    for path in (f"{instance.path}/rendered", f"{instance.path}/frames/1/rendered"):
        assert isinstance(given.get(path).error, ResourceGone)


# Studies and Series


@pytest.fixture
def study(given: Given) -> dict[str, Any]:
    """Two images of one frame, one of three, and a report, in one Series."""
    uids = {"StudyInstanceUID": uid(), "SeriesInstanceUID": uid()}
    files = [image(InstanceNumber=1, **uids), image(3, InstanceNumber=2, **uids), image(InstanceNumber=3, **uids)]
    return uids | {"images": given.store(*files)}


def test_studies_and_series_are_multipart(given: Given, study: dict[str, Any]) -> None:
    first, several, last = study["images"]
    expected_locations = [
        str(first.path),
        *(f"{several.path}/frames/{number}" for number in (1, 2, 3)),
        str(last.path),
    ]
    base = f"studies/{first.path.study_instance_uid}"
    for path in (base, f"{base}/series/{first.path.series_instance_uid}"):
        answer = given.get(f"{path}/rendered")
        assert answer.status == 200
        assert [part.location for part in answer.parts] == expected_locations
        assert {part.type for part in answer.parts} == {JPEG}
        assert "warning" not in answer.headers
        assert isinstance(given.get(f"{path}/rendered", JPEG).error, NoAcceptableRepresentation), "single part alone"


def test_what_is_left_out_is_said(given: Given, study: dict[str, Any]) -> None:
    """Table 10.4.3-1: 206 when some of it is not rendered."""
    uids = {key: study[key] for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    given.store(sr(InstanceNumber=9, **uids))
    path = f"studies/{study['StudyInstanceUID']}/rendered"
    answer = given.get(path, 'multipart/related; type="image/png"')
    assert answer.status == 206
    assert "1 of 4 instances" in answer.headers["warning"]
    assert len(answer.parts) == 5


def test_documents_among_images(given: Given, study: dict[str, Any]) -> None:
    uids = {key: study[key] for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    given.store(pdf(InstanceNumber=9, **uids))
    path = f"studies/{study['StudyInstanceUID']}/rendered"
    answer = given.get(path)
    assert answer.status == 200
    assert [part.type for part in answer.parts] == [JPEG] * 5 + ["application/pdf"]
    only = given.get(path, 'multipart/related; type="application/pdf"')
    assert only.status == 206
    assert [part.type for part in only.parts] == ["application/pdf"]


def test_nothing_to_render_is_406(given: Given) -> None:
    (instance,) = given.store(sr())
    answer = given.get(f"studies/{instance.path.study_instance_uid}/rendered")
    assert isinstance(answer.error, NoAcceptableRepresentation)


@pytest.mark.parametrize("query", ["window=1,2", "viewport=1"])
def test_bad_parameters_of_a_study_are_400(given: Given, study: dict[str, Any], query: str) -> None:
    assert isinstance(given.get(f"studies/{study['StudyInstanceUID']}/rendered", query=query).error, BadRequest)
    answer = given.get(
        f"studies/{study['StudyInstanceUID']}/rendered", 'multipart/related; type="image/gif"', query="iccprofile=yes"
    )
    assert isinstance(answer.error, BadRequest)


# Versions


def test_the_same_request_gives_the_same_bytes(given: Given) -> None:
    (instance,) = given.store(image())
    path, query = f"{instance.path}/rendered", "viewport=10,10&annotation=patient"
    first, second = given.get(path, query=query), given.get(path, query=query)
    assert first.body == second.body
    assert first.headers["etag"] == second.headers["etag"]
    assert not first.headers["etag"].startswith("W/")
    assert given.get(path, headers={"if-none-match": first.headers["etag"]}, query=query).status == 304


def test_other_renderings_have_other_versions(given: Given) -> None:
    (instance,) = given.store(image(3))
    asked = [
        ("rendered", "image/png", ""),
        ("rendered", "image/jpeg", ""),
        ("rendered", "image/jpeg", "quality=50"),
        ("rendered", "image/jpeg", "window=1,2,linear"),
        ("rendered", "image/jpeg", "window=1,2,sigmoid"),
        ("rendered", "image/jpeg", "viewport=5,5"),
        ("rendered", "image/jpeg", "annotation=patient"),
        ("rendered", "image/jpeg", "iccprofile=yes"),
        ("rendered", "image/gif", ""),
        ("frames/1/rendered", "image/jpeg", ""),
        ("frames/2/rendered", "image/jpeg", ""),
        ("frames/1,2/rendered", None, ""),
        ("frames/2,1/rendered", None, ""),
    ]
    tags = [given.get(f"{instance.path}/{path}", accept, query=query).headers["etag"] for path, accept, query in asked]
    assert len(set(tags)) == len(tags)


def test_ranges_of_a_picture(given: Given) -> None:
    (instance,) = given.store(image())
    whole = given.get(f"{instance.path}/rendered")
    part = given.get(f"{instance.path}/rendered", headers={"range": "bytes=10-19"})
    assert part.status == 206
    assert part.body == whole.body[10:20]


def test_head_renders_nothing(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(image())
    monkeypatch.setattr("skiagraph.services.pictures.describe", None)
    answer = given.get(f"{instance.path}/rendered", method="HEAD")
    assert answer.status == 200
    assert answer.headers["content-type"] == JPEG


def test_the_rows_name_what_is_sent() -> None:
    for row in rendered.TRANSACTIONS:
        assert set(picture.MEDIA_TYPES) <= {name.rpartition('type="')[2].rstrip('"') for name in row.media_types}


def test_no_patient_in_errors(given: Given) -> None:
    data = Dataset()
    data.update(ct(PatientName="Secret^Name", PatientID="TOP-SECRET", Rows=0))
    (instance,) = given.store(part10(data))
    answer = given.get(f"{instance.path}/rendered")
    assert answer.error is not None
    assert "SECRET" not in str(answer.error).upper()


# Whole slides


def slide(**changes: Any) -> bytes:
    """Tiles of 10 × 10 in a total pixel matrix of 25 × 15: each has the gray of 40 × its number."""
    pixels = b"".join(bytes([40 * number]) * 100 for number in range(6))
    defaults: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6",
        "NumberOfFrames": 6,
        "Rows": 10,
        "Columns": 10,
        "TotalPixelMatrixColumns": 25,
        "TotalPixelMatrixRows": 15,
        "DimensionOrganizationType": "TILED_FULL",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "PixelData": pixels,
    }
    return part10(ct(**defaults | changes))


def matrix() -> np.ndarray:  # type: ignore[type-arg]
    grid = np.arange(6).reshape(2, 3) * 40
    return grid.repeat(10, axis=0).repeat(10, axis=1)[:15, :25]


@pytest.mark.parametrize("accept", [None, "image/gif", "image/png"])
def test_a_slide_is_one_picture(given: Given, accept: str | None) -> None:
    (instance,) = given.store(slide())
    answer = given.get(f"{instance.path}/rendered", accept)
    assert answer.headers["content-type"] == (accept or JPEG)
    assert np.abs(read(answer.body) - matrix()).mean() < (3 if accept is None else 0.01)


def test_only_the_tiles_of_the_region_are_read(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    from skiagraph.services import stored_frames

    touched = []
    really = stored_frames.read

    async def counted(archive: Any, instance: Any, number: int) -> bytes:
        touched.append(number)
        return await really(archive, instance, number)

    monkeypatch.setattr(stored_frames, "read", counted)
    (instance,) = given.store(slide())
    answer = given.get(f"{instance.path}/rendered", "image/png", query="viewport=8,8,14,6,8,8")
    assert (read(answer.body) == matrix()[6:14, 14:22]).all()
    assert sorted(touched) == [2, 3, 5, 6]


def test_tiles_of_a_slide_one_by_one(given: Given) -> None:
    (instance,) = given.store(slide())
    answer = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/png"')
    assert [int(read(part.body)[0, 0]) for part in answer.parts] == [0, 40, 80, 120, 160, 200]
    assert int(read(given.get(f"{instance.path}/frames/4/rendered", "image/png").body)[0, 0]) == 120


def test_slides_that_are_too_large(given: Given) -> None:
    from skiagraph.errors import PayloadTooLarge

    (instance,) = given.store(slide(TotalPixelMatrixColumns=900_000, DimensionOrganizationType="TILED_SPARSE"))
    (described,) = given.store(
        slide(
            TotalPixelMatrixColumns=900_000,
            TotalPixelMatrixRows=900_000,
            DimensionOrganizationType="TILED_SPARSE",
            PerFrameFunctionalGroupsSequence=[position(1, 1), position(899_991, 1)],
        )
    )
    assert given.get(f"{instance.path}/rendered").status == 200, "without positions it is tiles"
    assert isinstance(given.get(f"{described.path}/rendered").error, PayloadTooLarge)
    assert isinstance(given.get(f"{described.path}/rendered", query="viewport=9,9").error, BadRequest)
    answer = given.get(f"{described.path}/rendered", "image/png", query="viewport=10,10,899990,0,10,10")
    assert (read(answer.body) == 40).all()
    assert given.get(f"{described.path}/thumbnail").status == 200, "a thumbnail is always possible: the middle tile"


def position(column: int, row: int) -> Dataset:
    place = Dataset()
    place.ColumnPositionInTotalImagePixelMatrix = column
    place.RowPositionInTotalImagePixelMatrix = row
    group = Dataset()
    group.PlanePositionSlideSequence = [place]
    return group

"""Retrieve Bulkdata and Pixel Data: PS3.18 §10.4, CP 2040, Tables 8.7.3-4 and 8.7.3-5."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from archives import BASE, Given, compressed, opened
from dicom_files import ct, part10, uid

OCTETS = 'multipart/related; type="application/octet-stream"'
ANY = f"{OCTETS}; transfer-syntax=*"
SINGLE = "application/octet-stream"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PROFILE = bytes(range(256)) * 8
NOT_DECODED = "1.2.840.10008.1.2.4.92"  # JPEG 2000 Part 2, lossless
STREAMS = [b"\xff\x4f\xff\x51 stream %d " % number for number in range(1, 4)]


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def nested(syntax: str = ExplicitVRLittleEndian) -> bytes:
    deepest = Dataset()
    deepest.ICCProfile = PROFILE
    item = Dataset()
    item.IlluminationTypeCodeSequence = [Dataset(), deepest]
    data = ct(OpticalPathSequence=[item])
    numbers = struct.pack(f"{'>' if syntax == ExplicitVRBigEndian else '<'}600H", *range(600))
    data.add_new(0x00281201, "OW", numbers)
    return part10(data, syntax)


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=["explicit", "implicit", "big endian", "deflated"],
)
def test_values_at_any_depth(given: Given, syntax: str) -> None:
    (instance,) = given.store(nested(syntax))
    answer = given.get(f"{instance.path}/bulkdata/00480105/0/00220016/1/00282000", SINGLE)
    assert (answer.status, answer.body, answer.length) == (200, PROFILE, len(PROFILE))
    assert answer.headers["content-type"] == f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}/bulkdata/00480105/0/00220016/1/00282000"
    answer = given.get(f"{instance.path}/bulkdata/00281201", OCTETS)
    assert answer.parts[0].body == struct.pack("<600H", *range(600)), "always little endian"
    answer = given.get(f"{instance.path}/bulkdata/00281201", SINGLE, headers={"range": "bytes=3-8"})
    assert (answer.status, answer.body) == (206, struct.pack("<600H", *range(600))[3:9])


@pytest.mark.parametrize(
    ("accept", "single"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("*/*", False, id="the standard's default is multipart"),
        pytest.param(OCTETS, False, id="multipart"),
        pytest.param(ANY, False, id="as viewers ask"),
        pytest.param("multipart/related; type=application/octet-stream", False, id="unquoted"),
        pytest.param(SINGLE, True, id="single part"),
        pytest.param(BROWSER, True, id="address bar of a browser"),
    ],
)
def test_packaging(given: Given, accept: str | None, single: bool) -> None:
    (instance,) = given.store(nested())
    answer = given.get(f"{instance.path}/bulkdata/00480105/0/00220016/1/00282000", accept)
    assert (answer.body if single else answer.parts[0].body) == PROFILE
    assert ("multipart" in answer.headers["content-type"]) is not single


@pytest.mark.parametrize(
    "path", ["00281202", "00480105", "00480105/0", "00480105/1/00282000", "x", "0028120", "pixeldata/1", "../pixeldata"]
)
def test_unknown_values(given: Given, path: str) -> None:
    (instance,) = given.store(nested())
    assert given.get(f"{instance.path}/bulkdata/{path}").status == 404


def test_paths_in_lower_case(given: Given) -> None:
    item = Dataset()
    item.add_new(0x00282000, "OB", PROFILE)
    data = ct()
    data.add_new(0x0040A730, "SQ", [item])
    (instance,) = given.store(part10(data))
    assert given.get(f"{instance.path}/bulkdata/0040a730/0/00282000", SINGLE).body == PROFILE


@pytest.mark.parametrize("path", ["pixeldata", "bulkdata/7FE00010", "bulkdata/7fe00010"])
def test_native_pixel_data(given: Given, path: str) -> None:
    """One value, with the URL that the metadata shows; the older form of the URL still works."""
    (instance,) = given.store(part10(ct()))
    answer = given.get(f"{instance.path}/{path}")
    (part,) = answer.parts
    assert part.body == bytes(range(96))
    assert part.location == f"{instance.path}/pixeldata"
    assert given.get(f"{instance.path}/{path}", SINGLE).body == bytes(range(96))


def test_native_multi_frame_pixel_data_is_one_value(given: Given) -> None:
    """studies.md 3.5: frames one by one are another resource."""
    (instance,) = given.store(part10(ct(NumberOfFrames=3, PixelData=bytes(range(96)) * 3)))
    (part,) = given.get(f"{instance.path}/pixeldata", OCTETS).parts
    assert part.body == bytes(range(96)) * 3


def test_compressed_multi_frame_pixel_data_is_one_part_per_frame(given: Given) -> None:
    (instance,) = given.store(compressed(STREAMS, JPEG2000Lossless))
    for path in ("pixeldata", "bulkdata"):
        answer = given.get(f"{instance.path}/{path}", ANY)
        assert [part.body.rstrip(b"\0") for part in answer.parts] == STREAMS
        assert [part.location for part in answer.parts] == [f"{instance.path}/frames/{n}" for n in (1, 2, 3)]
        assert {part.headers["content-type"] for part in answer.parts} == {
            f"image/jp2; transfer-syntax={JPEG2000Lossless}"
        }
    assert given.get(f"{instance.path}/pixeldata", "image/jp2").status == 406, "§8.6.1: several items"
    assert given.get(f"{instance.path}/pixeldata", OCTETS).status == 406, "needs decoding"


def test_compressed_single_frame_pixel_data(given: Given) -> None:
    (instance,) = given.store(compressed(STREAMS[:1], JPEG2000Lossless, fragments=3))
    answer = given.get(f"{instance.path}/pixeldata", "image/jp2")
    assert answer.body.rstrip(b"\0") == STREAMS[0]
    assert given.get(f"{instance.path}/pixeldata").parts[0].location == f"{instance.path}/pixeldata"


VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(200)) * 3


def video(fragments: int = 1) -> bytes:
    return compressed([VIDEO], MPEG4HP41, fragments=fragments).replace(b"IS\x02\x001 ", b"IS\x02\x0025")


@pytest.mark.parametrize("fragments", [1, 3])
def test_video_is_one_stream(given: Given, fragments: int) -> None:
    (instance,) = given.store(video(fragments))
    assert instance.frames == 25
    (part,) = given.get(f"{instance.path}/pixeldata", 'multipart/related; type="video/mp4"').parts
    assert part.body == VIDEO
    assert part.headers["content-type"] == f"video/mp4; transfer-syntax={MPEG4HP41}"
    assert given.get(f"{instance.path}/pixeldata", "video/mp4").body == VIDEO
    assert given.get(f"{instance.path}/pixeldata", BROWSER).body == VIDEO


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-", 0, 611), ("bytes=-100", 512, 611), ("bytes=190-430", 190, 430), ("bytes=600-9999", 600, 611)],
)
def test_seeking_in_video(given: Given, fragments: int, header: str, first: int, last: int) -> None:
    """A video element asks with */* and Range: bytes of a single part, across Fragments."""
    (instance,) = given.store(video(fragments))
    answer = given.get(f"{instance.path}/pixeldata", "*/*", headers={"range": header})
    assert (answer.status, answer.body) == (206, VIDEO[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/612"
    assert answer.length == len(answer.body)


def test_range_rules(given: Given) -> None:
    (instance,) = given.store(nested())
    path = f"{instance.path}/bulkdata/00480105/0/00220016/1/00282000"
    whole = given.get(path, SINGLE)
    assert whole.headers["accept-ranges"] == "bytes"
    etag = whole.headers["etag"]
    assert given.get(path, SINGLE, headers={"range": "bytes=9999-"}).status == 416
    assert given.get(path, SINGLE, headers={"range": "bytes=0-0", "if-range": etag}).status == 206
    assert given.get(path, SINGLE, headers={"range": "bytes=0-0", "if-range": '"old"'}).body == PROFILE
    assert given.get(path, SINGLE, headers={"range": "lines=0-0"}).status == 200
    assert given.get(path, OCTETS, headers={"range": "bytes=0-0"}).status == 200, "not on multipart"
    assert given.get(path, SINGLE, headers={"if-none-match": etag}).status == 304
    head = given.get(path, SINGLE, method="HEAD")
    assert (head.status, head.length, head.body) == (200, len(PROFILE), b"")


def document(mime_type: str = "application/pdf") -> bytes:
    data = ct(SOPClassUID=EncapsulatedPDFStorage, PixelData=None, Modality="DOC")
    data.EncapsulatedDocument = b"%PDF-1.4 " + bytes(2000) + b" "
    data.MIMETypeOfEncapsulatedDocument = mime_type
    return part10(data)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("application/pdf", "application/pdf", id="its own type"),
        pytest.param("application/*", "application/pdf", id="its wildcard"),
        pytest.param(SINGLE, f"{SINGLE}; transfer-syntax={ExplicitVRLittleEndian}", id="octet-stream"),
        pytest.param(BROWSER, "application/pdf", id="browser"),
        pytest.param(
            'multipart/related; type="application/pdf"', 'multipart/related; type="application/pdf"', id="multipart"
        ),
        pytest.param(OCTETS, 'multipart/related; type="application/octet-stream"', id="multipart octet-stream"),
        pytest.param("image/png", None, id="another"),
    ],
)
def test_encapsulated_document_has_its_own_type(given: Given, accept: str, content_type: str | None) -> None:
    (instance,) = given.store(document())
    answer = given.get(f"{instance.path}/bulkdata/00420011", accept)
    if content_type is None:
        assert answer.status == 406
        return
    assert answer.headers["content-type"].startswith(content_type)
    body = answer.parts[0].body if "multipart" in content_type else answer.body
    assert body.startswith(b"%PDF-1.4")


@pytest.mark.parametrize("mime_type", ["text/html", "nonsense", "", "image/svg+xml", "a/b\r\nX-Y: z"])
def test_documents_that_are_not_sent_under_their_name(given: Given, mime_type: str) -> None:
    (instance,) = given.store(document(mime_type))
    answer = given.get(f"{instance.path}/bulkdata/00420011", BROWSER)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/octet-stream")


@pytest.mark.parametrize(("mime_type", "confined"), [("text/xml", True), ("application/pdf", False)])
def test_documents_do_not_run_as_pages_of_this_server(given: Given, mime_type: str, confined: bool) -> None:
    (instance,) = given.store(document(mime_type))
    answer = given.get(f"{instance.path}/bulkdata/00420011", mime_type)
    assert answer.headers["content-type"] == mime_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("content-security-policy" in answer.headers) is confined


def test_all_bulk_data_of_an_instance(given: Given) -> None:
    (instance,) = given.store(nested())
    answer = given.get(f"{instance.path}/bulkdata", OCTETS)
    assert answer.status == 200
    assert {part.location for part in answer.parts} == {
        f"{instance.path}/bulkdata/00281201",
        f"{instance.path}/bulkdata/00480105/0/00220016/1/00282000",
        f"{instance.path}/pixeldata",
    }
    assert given.get(f"{instance.path}/bulkdata", SINGLE).status == 406, "single part is for one item"


def test_all_of_a_study_and_series(given: Given) -> None:
    study, series = uid(), uid()
    stored = given.store(
        part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series)),
        compressed(STREAMS, JPEG2000Lossless, StudyInstanceUID=study, SeriesNumber=8),
        part10(ct(StudyInstanceUID=study, SeriesNumber=9, PixelData=None)),
    )
    for resource in ("pixeldata", "bulkdata"):
        answer = given.get(f"studies/{study}/{resource}", ANY)
        assert answer.status == 200
        assert [part.location for part in answer.parts] == [
            f"{stored[0].path}/pixeldata",
            *(f"{stored[1].path}/frames/{number}" for number in (1, 2, 3)),
        ]
        answer = given.get(f"studies/{study}/{resource}", OCTETS)
        assert answer.status == 200
        assert [part.type for part in answer.parts] == ["application/octet-stream", *["image/jp2"] * 3], (
            "what can not be decoded goes out as it is"
        )
        assert len(given.get(f"studies/{study}/series/{series}/{resource}").parts) == 1
        assert given.get(f"studies/{study}/{resource}", SINGLE).status == 406
    other = stored[2].path
    series_path = f"studies/{study}/series/{other.series_instance_uid}"
    assert given.get(f"{series_path}/pixeldata").status == 404
    assert given.get(f"{series_path}/bulkdata").status == 404
    assert given.get(f"{other}/pixeldata").status == 404
    assert given.get(f"{other}/bulkdata").status == 404


def test_some_can_not_be_sent(given: Given) -> None:
    """Table 10.4.3-1."""
    study = uid()
    given.store(part10(ct(StudyInstanceUID=study)), compressed(STREAMS, NOT_DECODED, StudyInstanceUID=study))
    for resource in ("pixeldata", "bulkdata"):
        answer = given.get(f"studies/{study}/{resource}", OCTETS)
        assert answer.status == 206
        assert answer.headers["warning"].startswith(f"299 {BASE}: the pixel data of 1 of 2")
        assert len(answer.parts) == 1


def test_only_what_can_not_be_sent(given: Given) -> None:
    (instance,) = given.store(compressed(STREAMS, NOT_DECODED))
    study = f"studies/{instance.path.study_instance_uid}"
    for path in (f"{study}/pixeldata", f"{study}/bulkdata", f"{instance.path}/bulkdata"):
        answer = given.get(path, OCTETS)
        assert answer.status == 406
        assert answer.error.details  # type: ignore[union-attr]


def test_lossy_is_sent_for_octet_stream(given: Given) -> None:
    """§8.7.3.4: the server has it only so."""
    streams = [b"\xff\xd8\xff\xe0 one \xff\xd9"]
    (instance,) = given.store(compressed(streams, JPEGBaseline8Bit))
    (part,) = given.get(f"{instance.path}/pixeldata", OCTETS).parts
    assert part.headers["content-type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"


def test_values_too_large_for_one_chunk(given: Given) -> None:
    pixels = bytes(range(250)) * 12_000
    (instance,) = given.store(part10(ct(Rows=1500, Columns=1000, PixelData=pixels)))
    assert given.get(f"{instance.path}/pixeldata", SINGLE).body == pixels
    assert given.get(f"{instance.path}/pixeldata").parts[0].body == pixels


def test_conditions_of_many(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    path = f"studies/{instance.path.study_instance_uid}/bulkdata"
    etag = given.get(path).headers["etag"]
    assert given.get(path, headers={"if-none-match": etag}).status == 304

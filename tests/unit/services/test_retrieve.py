"""Retrieve Instances: PS3.18 §10.4, §8.7.3; what goes out, in which Transfer Syntax, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from archives import BASE, Given, compressed, opened, read
from dicom_files import ct, part10, uid
from skiagraph.services.representation import Damaged
from skiagraph.standard import file_meta

DICOM = 'multipart/related; type="application/dicom"'
ANY = f"{DICOM}; transfer-syntax=*"
SINGLE = "application/dicom"
NOT_DECODED = "1.2.840.10008.1.2.4.92"  # JPEG 2000 Part 2, lossless
FRAME = b"\xff\x4f\xff\x51 a code stream "


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def test_one_instance_as_multipart(given: Given) -> None:
    """The default of Table 10.4.4-1, with part headers of Table 8.6.1-1."""
    data = part10(ct())
    (instance,) = given.store(data)
    answer = given.get(instance.path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert answer.length == len(answer.body)
    (part,) = answer.parts
    assert part.body == data
    assert part.headers == {
        "content-type": f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}",
        "content-length": str(len(data)),
        "content-location": f"{BASE}/{instance.path}",
    }


def test_one_instance_as_single_part(given: Given) -> None:
    data = part10(ct())
    (instance,) = given.store(data)
    answer = given.get(instance.path, SINGLE)
    assert (answer.status, answer.body, answer.length) == (200, data, len(data))
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "last-modified" in answer.headers


J2K, JPEG = JPEG2000Lossless, JPEGBaseline8Bit


@pytest.mark.parametrize(
    ("stored", "accept", "sent"),
    [
        pytest.param(ExplicitVRLittleEndian, SINGLE, ExplicitVRLittleEndian, id="8.7.3.5.2 the default"),
        pytest.param(ExplicitVRLittleEndian, f"{SINGLE}; transfer-syntax=*", ExplicitVRLittleEndian, id="any"),
        pytest.param(ExplicitVRLittleEndian, f"{SINGLE}; transfer-syntax={J2K}", J2K, id="compressed to order"),
        pytest.param(ExplicitVRLittleEndian, f"{SINGLE}; transfer-syntax={MPEG4HP41}", None, id="no encoder"),
        pytest.param(ImplicitVRLittleEndian, SINGLE, ExplicitVRLittleEndian, id="implicit is converted"),
        pytest.param(ImplicitVRLittleEndian, f"{SINGLE}; transfer-syntax=*", ExplicitVRLittleEndian, id="8.7.3 never"),
        pytest.param(
            ImplicitVRLittleEndian, f"{SINGLE}; transfer-syntax={ImplicitVRLittleEndian}", None, id="nor asked"
        ),
        pytest.param(ExplicitVRBigEndian, f"{SINGLE}; transfer-syntax=*", ExplicitVRLittleEndian, id="big endian too"),
        pytest.param(ExplicitVRBigEndian, f"{SINGLE}; transfer-syntax={ExplicitVRBigEndian}", None, id="nor asked for"),
        pytest.param(DeflatedExplicitVRLittleEndian, SINGLE, ExplicitVRLittleEndian, id="deflated is inflated"),
        pytest.param(
            DeflatedExplicitVRLittleEndian,
            f"{SINGLE}; transfer-syntax=*",
            DeflatedExplicitVRLittleEndian,
            id="deflated as it is",
        ),
        pytest.param(J2K, f"{SINGLE}; transfer-syntax=*", J2K, id="compressed as it is"),
        pytest.param(J2K, f"{SINGLE}; transfer-syntax={J2K}", J2K, id="compressed by name"),
        pytest.param(J2K, "*/*", J2K, id="design: as stored"),
        pytest.param(J2K, SINGLE, None, id="damaged, has to be decoded"),
        pytest.param(JPEG, SINGLE, JPEG, id="8.7.3.4 there is only the lossy form"),
        pytest.param(
            JPEG, f"{SINGLE}; transfer-syntax={ExplicitVRLittleEndian}", None, id="damaged and lossy, but insisted"
        ),
    ],
)
def test_transfer_syntax(given: Given, stored: str, accept: str, sent: str | None) -> None:
    original = ct()
    if stored in (J2K, JPEG):
        data = compressed([FRAME], stored)
    else:
        if stored == ExplicitVRBigEndian:
            original["PixelData"].VR = "OW"
        data = part10(original, stored)
    (instance,) = given.store(data)
    answer = given.get(instance.path, accept)
    if sent is None:
        assert answer.status == 406
        assert any("transfer-syntax=" in line for line in answer.error.details), "the list of what is available"  # type: ignore[union-attr]
        return
    assert answer.status == 200
    body = answer.parts[0].body if accept == "*/*" else answer.body
    content_type = answer.parts[0].headers["content-type"] if accept == "*/*" else answer.headers["content-type"]
    assert content_type == f"application/dicom; transfer-syntax={sent}"
    if sent == stored:
        assert body == data
    else:
        result = read(body)
        assert result.file_meta.TransferSyntaxUID == sent, "§8.7.9: they agree"
        assert result.PatientName == "Zeta^Zachary"
        assert result["PixelData"].is_undefined_length if sent == J2K else len(result.PixelData) == 96


def test_a_data_set_without_pixels_is_not_compressed(given: Given) -> None:
    data = ct(PixelData=None)
    (instance,) = given.store(part10(data, JPEG2000))
    answer = given.get(instance.path, f"{SINGLE}; transfer-syntax={ExplicitVRLittleEndian}")
    assert read(answer.body).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize(
    ("start", "sent"),
    [
        pytest.param(bytes(8), bytes(8), id="zeros"),
        pytest.param(b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0", id="dual personality"),
        pytest.param(b"<script>", bytes(8), id="active content"),
    ],
)
@pytest.mark.parametrize("span", [None, (0, 9), (3, 200), (100, 130), (127, 127), (128, 140)], ids=str)
def test_preamble(given: Given, start: bytes, sent: bytes, span: tuple[int, int] | None) -> None:
    data = part10(ct())
    data = start.ljust(128, b"\0") + data[128:]
    (instance,) = given.store(data)
    expected = sent.ljust(128, b"\0") + data[128:]
    if span is None:
        assert given.get(instance.path, SINGLE).body == expected
    else:
        answer = given.get(instance.path, SINGLE, headers={"range": f"bytes={span[0]}-{span[1]}"})
        assert (answer.status, answer.body) == (206, expected[span[0] : span[1] + 1])
        assert answer.headers["content-range"] == f"bytes {span[0]}-{span[1]}/{len(data)}"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
@pytest.mark.parametrize("start", [0, 128, "data set"], ids=["preamble only", "neither preamble nor prefix", "no meta"])
def test_without_preamble_a_file_is_completed(given: Given, syntax: str, start: int | str) -> None:
    data = part10(ct(), syntax)
    if start == "data set":
        data = data[144 + int.from_bytes(data[140:144], "little") :]
    elif start == 128:
        data = data[132:]
    (instance,) = given.store(data)
    answer = given.get(instance.path, SINGLE)
    result = read(answer.body)
    assert result.file_meta.MediaStorageSOPInstanceUID == instance.path.sop_instance_uid
    assert result.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert answer.length == len(answer.body)
    assert result.PixelData == bytes(range(96))


def test_ranges_of_a_conversion(given: Given) -> None:
    """PS3.18 §8.4.3: also what is made while it is sent has bytes that can be counted."""
    (instance,) = given.store(
        part10(ct(PixelData=bytes(range(250)) * 40, Rows=50, Columns=100), ImplicitVRLittleEndian)
    )
    whole = given.get(instance.path, SINGLE).body
    for first, last in [(0, 0), (0, len(whole) - 1), (130, 400), (len(whole) - 9000, len(whole) - 5)]:
        answer = given.get(instance.path, SINGLE, headers={"range": f"bytes={first}-{last}"})
        assert (answer.status, answer.body) == (206, whole[first : last + 1])
    assert given.get(instance.path, SINGLE, headers={"range": f"bytes={len(whole)}-"}).status == 416


def test_study_and_series(given: Given) -> None:
    study, series = uid(), uid()
    files = [part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n)) for n in (1, 2, 3)]
    other = part10(ct(StudyInstanceUID=study, SeriesNumber=9))
    given.store(*reversed(files), other)
    answer = given.get(f"studies/{study}/series/{series}", ANY)
    assert [part.body for part in answer.parts] == files
    assert answer.length == len(answer.body), "known, as all go out as stored"
    answer = given.get(f"studies/{study}")
    assert [part.body for part in answer.parts] == [*files, other]
    assert all(part.location.startswith(f"studies/{study}/series/") for part in answer.parts)


def test_syntax_is_chosen_instance_by_instance(given: Given) -> None:
    """§8.7.8.2: each part says what it is."""
    study = uid()
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
    files = [part10(ct(StudyInstanceUID=study, SeriesNumber=n), syntax) for n, syntax in enumerate(syntaxes)]
    files.append(compressed([FRAME], J2K, StudyInstanceUID=study, SeriesNumber=4))
    given.store(*files)
    answer = given.get(f"studies/{study}", ANY)
    assert answer.status == 200
    sent = [ExplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, J2K]
    assert [part.headers["content-type"] for part in answer.parts] == [
        f"application/dicom; transfer-syntax={syntax}" for syntax in sent
    ]
    assert [read(part.body).file_meta.TransferSyntaxUID for part in answer.parts] == sent


def test_some_can_not_be_sent(given: Given) -> None:
    """Table 10.4.3-1: 206 for some of the target, 406 for none."""
    study = uid()
    given.store(part10(ct(StudyInstanceUID=study)), compressed([FRAME], NOT_DECODED, StudyInstanceUID=study))
    answer = given.get(f"studies/{study}", DICOM)
    assert answer.status == 206
    assert answer.headers["warning"].startswith(f"299 {BASE}: 1 of 2 instances")
    assert len(answer.parts) == 1
    assert given.get(f"studies/{study}", f"{DICOM}; transfer-syntax={MPEG4HP41}").status == 406
    assert given.get(f"studies/{study}", f"{DICOM}; transfer-syntax={NOT_DECODED}").status == 206


def test_damaged_pixels_harm_no_neighbour(given: Given) -> None:
    """What can not be decoded goes out as it is stored, and says so."""
    study = uid()
    damaged = compressed([FRAME], RLELossless, StudyInstanceUID=study, SeriesNumber=9)
    given.store(part10(ct(StudyInstanceUID=study)), damaged)
    answer = given.get(f"studies/{study}", DICOM)
    assert answer.status == 200
    assert [part.headers["content-type"].rpartition("=")[2] for part in answer.parts] == [
        ExplicitVRLittleEndian,
        RLELossless,
    ]
    assert answer.parts[1].body == damaged


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        pytest.param("application/dicom", 406, id="8.6.1 single part is for one item by its nature"),
        pytest.param("*/*", 200, id="the default"),
        pytest.param("multipart/*", 200, id="wildcard"),
        pytest.param("image/png", 406, id="nothing"),
        pytest.param(None, 200, id="no header is */*"),
    ],
)
def test_accept_of_a_study(given: Given, accept: str | None, status: int) -> None:
    (instance,) = given.store(part10(ct()))
    assert given.get(f"studies/{instance.path.study_instance_uid}", accept).status == status


def test_octet_stream_is_the_bulkdata(given: Given) -> None:
    """Table 10.4.4-1: the same as asking for /bulkdata."""
    (instance,) = given.store(part10(ct()))
    for path in (instance.path, f"studies/{instance.path.study_instance_uid}"):
        answer = given.get(path, 'multipart/related; type="application/octet-stream"')
        (part,) = answer.parts
        assert (part.type, part.body) == ("application/octet-stream", bytes(range(96)))
        assert part.location == f"{instance.path}/pixeldata"


def test_the_query_parameter_goes_first(given: Given) -> None:
    """§8.3.3.1: links can not set headers."""
    (instance,) = given.store(part10(ct()))
    answer = given.get(instance.path, "*/*", query="accept=application/dicom")
    assert answer.headers["content-type"].startswith("application/dicom;")


def test_not_found_and_gone(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    path = instance.path
    assert given.get("studies/1.2.3").status == 404
    assert given.get(f"studies/1.2.3/series/{path.series_instance_uid}/instances/{path.sop_instance_uid}").status == 404
    assert given.get(f"studies/{path.study_instance_uid}/series/1.2").status == 404
    given.get(path, method="DELETE")
    assert given.get(path).status == 410


def test_conditions(given: Given) -> None:
    """RFC 9110 §13: the version is that of the bytes, whatever the index was through."""
    (instance,) = given.store(part10(ct()))
    for path, accept in [
        (instance.path, SINGLE),
        (instance.path, DICOM),
        (f"studies/{instance.path.study_instance_uid}", DICOM),
    ]:
        first = given.get(path, accept)
        again = given.get(path, accept, headers={"if-none-match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "vary" in again.headers
        other = given.get(path, accept, headers={"if-none-match": '"other"'})
        assert other.status == 200
        if path is not instance.path:
            assert "last-modified" not in first.headers, "a deletion would make it lie"
            continue
        since = given.get(path, accept, headers={"if-modified-since": first.headers["last-modified"]})
        assert since.status == 304
    assert given.get(instance.path, SINGLE).headers["etag"] != given.get(instance.path, DICOM).headers["etag"]
    assert given.get(instance.path, SINGLE, headers={"if-match": '"other"'}).status == 412


def test_a_study_that_grows_has_another_version(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    study = instance.path.study_instance_uid
    etag = given.get(f"studies/{study}").headers["etag"]
    given.store(part10(ct(StudyInstanceUID=study)))
    answer = given.get(f"studies/{study}", headers={"if-none-match": etag})
    assert (answer.status, len(answer.parts)) == (200, 2)


def test_head_reads_nothing(given: Given) -> None:
    data = part10(ct())
    (instance,) = given.store(data)
    given.archive.blobs.delete([instance.key])
    answer = given.get(instance.path, SINGLE, method="HEAD")
    assert (answer.status, answer.length, answer.body) == (200, len(data), b"")


def test_missing_bytes_are_a_fault_of_the_server(given: Given) -> None:
    """Neither 404, as the Instance exists, nor a whole-looking answer."""
    study = uid()
    large = ct(StudyInstanceUID=study, SeriesNumber=1, Rows=1500, Columns=1000, PixelData=bytes(3_000_000))
    first, second = given.store(part10(large), part10(ct(StudyInstanceUID=study, SeriesNumber=2)))
    given.archive.blobs.delete([second.key])
    for accept in (SINGLE, DICOM):
        assert isinstance(given.get(second.path, accept).error, Damaged)
    with pytest.raises(Damaged):
        given.get(f"studies/{study}")  # the first part was there: the status is out
    given.archive.blobs.delete([first.key])
    assert isinstance(given.get(f"studies/{study}").error, Damaged), "before the status"


def test_truncated_bytes_break_the_connection(given: Given) -> None:
    (instance,) = given.store(part10(ct(Rows=1500, Columns=1000, PixelData=bytes(3_000_000))))
    path = given.archive.blobs.path(instance.key)  # type: ignore[attr-defined]
    path.write_bytes(path.read_bytes()[:2_000_000])
    for accept in (SINGLE, DICOM):
        assert isinstance(given.get(instance.path, accept).error, Damaged)


def test_large_instances_are_streamed(given: Given) -> None:
    data = part10(ct(Rows=1500, Columns=1000, PixelData=bytes(range(250)) * 12_000))
    (instance,) = given.store(data)
    assert given.get(instance.path, SINGLE).body == data
    assert given.get(instance.path).parts[0].body == data


def test_many_instances_are_not_held(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skiagraph.services.retrieve.HELD", 2)
    study = uid()
    given.store(*(part10(ct(StudyInstanceUID=study)) for _ in range(4)))
    answer = given.get(f"studies/{study}")
    assert (answer.length, len(answer.parts)) == (None, 4)


def test_implementation_is_named_where_the_file_is_encoded_anew(given: Given) -> None:
    (instance,) = given.store(part10(ct(), ImplicitVRLittleEndian))
    meta = read(given.get(instance.path, SINGLE).body).file_meta
    assert meta.ImplementationClassUID == file_meta.IMPLEMENTATION_CLASS_UID
    assert pydicom.uid.UID(file_meta.IMPLEMENTATION_CLASS_UID).is_valid

"""Instances as files in an archive: an extension of PS3.18 §10.4, after drafts of Supplement 211."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from archives import BASE, Answer, Given, compressed, opened, read
from dicom_files import ct, part10, uid
from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.services.representation import Damaged
from skiagraph.services.zipped import Names
from skiagraph.values import Level, ResourcePath

ZIP = "application/zip"
ANY = "application/zip; transfer-syntax=*"
FRAME = b"\xff\x4f\xff\x51 a code stream "


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def files(answer: Answer) -> dict[str, bytes]:
    """The entries of an archive, judged by Python's zipfile."""
    assert answer.status in (200, 206)
    assert answer.headers["content-type"] == ZIP
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert archive.testzip() is None
    assert len(set(archive.namelist())) == len(archive.namelist())
    return {name: archive.read(name) for name in archive.namelist()}


def test_one_instance(given: Given) -> None:
    data = part10(ct())
    (instance,) = given.store(data)
    answer = given.get(instance.path, ZIP)
    sop_instance_uid = instance.path.sop_instance_uid
    assert files(answer) == {f"{sop_instance_uid}.dcm": data}
    assert answer.length == len(answer.body)
    assert answer.headers["content-disposition"] == f'attachment; filename="{sop_instance_uid}.zip"'
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"].startswith('W/"')
    assert "accept-ranges" not in answer.headers


def test_names_tell_order_and_uids_but_no_patient() -> None:
    paths = [ResourcePath("1.2", series, f"1.5.{number}") for number, series in enumerate(["1.3", "1.3", "1.4"])]
    study, series = Names(Level.STUDY), Names(Level.SERIES)
    assert [study.next(path) for path in paths] == [
        "1.2/001_1.3/000001.dcm",
        "1.2/001_1.3/000002.dcm",
        "1.2/002_1.4/000001.dcm",
    ]
    assert [series.next(path) for path in paths[:2]] == ["1.3/000001.dcm", "1.3/000002.dcm"]
    assert Names(Level.INSTANCE).next(paths[0]) == "1.5.0.dcm"


def test_the_longest_names_can_be_unpacked_on_windows() -> None:
    """Of 260 characters, some are left for a folder named like the archive and the one it is in."""
    name = Names(Level.STUDY).next(ResourcePath("1" * 64, "1" * 64, "1" * 64))
    assert len(name) + 64 < 240


def test_a_study_in_the_order_of_its_numbers(given: Given) -> None:
    study, series = uid(), (uid(), uid())
    data = {
        place: part10(
            ct(
                StudyInstanceUID=study,
                SeriesInstanceUID=series[place[0] - 1],
                SeriesNumber=place[0],
                InstanceNumber=place[1],
            )
        )
        for place in [(2, 1), (1, 3), (1, 2)]
    }
    given.store(*data.values())
    answer = given.get(f"studies/{study}", ZIP)
    assert files(answer) == {
        f"{study}/001_{series[0]}/000001.dcm": data[1, 2],
        f"{study}/001_{series[0]}/000002.dcm": data[1, 3],
        f"{study}/002_{series[1]}/000001.dcm": data[2, 1],
    }
    assert answer.length == len(answer.body)
    answer = given.get(f"studies/{study}/series/{series[1]}", ZIP)
    assert files(answer) == {f"{series[1]}/000001.dcm": data[2, 1]}
    assert answer.headers["content-disposition"] == f'attachment; filename="{series[1]}.zip"'


@pytest.mark.parametrize(
    ("stored", "accept", "sent"),
    [
        pytest.param(ExplicitVRLittleEndian, ZIP, ExplicitVRLittleEndian, id="8.7.3.5.2 the default"),
        pytest.param(ImplicitVRLittleEndian, ANY, ExplicitVRLittleEndian, id="8.7.3 never Implicit VR"),
        pytest.param(
            ExplicitVRLittleEndian, f"{ZIP}; transfer-syntax={JPEG2000Lossless}", JPEG2000Lossless, id="to order"
        ),
        pytest.param(JPEG2000Lossless, ANY, JPEG2000Lossless, id="as stored"),
        pytest.param(JPEG2000Lossless, ZIP, None, id="damaged, has to be decoded"),
        pytest.param(JPEGBaseline8Bit, ZIP, JPEGBaseline8Bit, id="8.7.3.4 there is only the lossy form"),
    ],
)
@pytest.mark.parametrize("level", Level)
def test_transfer_syntaxes_are_those_of_multipart(
    given: Given, stored: str, accept: str, sent: str | None, level: Level
) -> None:
    native = stored in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    (instance,) = given.store(part10(ct(), stored) if native else compressed([FRAME], stored))
    path = "/".join(str(instance.path).split("/")[: 2 * level])
    answer = given.get(path, accept)
    alike = given.get(path, accept.replace(ZIP, 'multipart/related; type="application/dicom"'))
    if sent is None and level is Level.INSTANCE:
        assert (answer.status, alike.status) == (406, 406)
        return
    (content,) = files(answer).values()
    assert [content] == [part.body for part in alike.parts]
    assert read(content).file_meta.TransferSyntaxUID == (sent or stored)


def test_what_can_be_had_is_said(given: Given) -> None:
    (instance,) = given.store(compressed([FRAME], JPEG2000Lossless))
    error = given.get(instance.path, f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.4.92").error
    assert isinstance(error, NoAcceptableRepresentation)
    assert f"{ZIP}; transfer-syntax={JPEG2000Lossless}" in error.details


def test_some_can_not_be_sent(given: Given) -> None:
    study = uid()
    given.store(
        part10(ct(StudyInstanceUID=study, SeriesNumber=1)),
        compressed([FRAME], "1.2.840.10008.1.2.4.92", StudyInstanceUID=study, SeriesNumber=2),
    )
    answer = given.get(f"studies/{study}", ZIP)
    assert answer.status == 206
    assert "1 of 2 instances" in answer.headers["warning"]
    assert len(files(answer)) == 1
    assert answer.length == len(answer.body)


def test_what_is_converted_has_no_length_before(given: Given) -> None:
    study = uid()
    data = [ct(StudyInstanceUID=study, SeriesNumber=number) for number in (1, 2)]
    given.store(part10(data[0]), part10(data[1], ImplicitVRLittleEndian))
    answer = given.get(f"studies/{study}", ZIP)
    assert answer.length is None
    assert [read(content).SOPInstanceUID for content in files(answer).values()] == [
        entry.SOPInstanceUID for entry in data
    ]
    frames = ct(NumberOfFrames=3, PixelData=bytes(3 * 96))
    (instance,) = given.store(part10(frames))
    answer = given.get(instance.path, f"{ZIP}; transfer-syntax={JPEG2000Lossless}")
    assert answer.length is None
    (content,) = files(answer).values()
    assert read(content).pixel_array.shape == (3, 6, 8)


def test_conditions(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    for path in (instance.path, f"studies/{instance.path.study_instance_uid}"):
        tag = given.get(path, ZIP).headers["etag"]
        assert given.get(path, ZIP, headers={"if-none-match": tag}).status == 304
        for other in (f"{ZIP}; transfer-syntax={JPEG2000Lossless}", 'multipart/related; type="application/dicom"'):
            assert given.get(path, other).headers["etag"] != tag


def test_head(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    for path in (instance.path, f"studies/{instance.path.study_instance_uid}"):
        answer, whole = given.get(path, ZIP, method="HEAD"), given.get(path, ZIP)
        assert (answer.status, answer.length, answer.headers) == (200, len(whole.body), whole.headers)


def test_many_instances_are_not_held(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skiagraph.services.retrieve.HELD", 2)
    study = uid()
    given.store(*(part10(ct(StudyInstanceUID=study)) for _ in range(4)))
    answer = given.get(f"studies/{study}", ZIP)
    assert (answer.length, len(files(answer))) == (None, 4)


def test_missing_bytes_break_the_connection(given: Given) -> None:
    study = uid()
    large = ct(StudyInstanceUID=study, SeriesNumber=1, Rows=1500, Columns=1000, PixelData=bytes(3_000_000))
    first, second = given.store(part10(large), part10(ct(StudyInstanceUID=study, SeriesNumber=2)))
    given.archive.blobs.delete([second.key])
    with pytest.raises(Damaged):
        given.get(f"studies/{study}", ZIP)  # the first file was there: the status is out
    path = given.archive.blobs.path(first.key)  # type: ignore[attr-defined]
    path.write_bytes(path.read_bytes()[:2_000_000])
    assert isinstance(given.get(first.path, ZIP).error, Damaged), "before the status"

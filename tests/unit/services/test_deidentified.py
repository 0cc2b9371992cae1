"""De-identified Instances over the URI Service and Retrieve: PS3.18 §9.4.1.2.1, PS3.15 Annex E."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.multival import MultiValue
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    UID_dictionary,
)
from pydicom.valuerep import PersonName

from archives import Answer, Given, compressed, opened, read
from conftest import SHARED_DATA
from dicom_files import ct, part10, uid
from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.services.deidentified import CanNotBeDeidentified
from skiagraph.standard import file_meta
from skiagraph.standard.confidentiality_profile import KEPT_UIDS, TABLE

US = "1.2.840.10008.5.1.4.1.1.6.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*'
NAMES = (b"Zeta", b"ID-1", b"A-1", b"19830606", b"20220928", b"Erring", b"SENDER")


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def ask(given: Given, instance: StoredInstance, query: str = "", **more: Any) -> Answer:
    path = instance.path
    asked = (
        f"requestType=WADO&studyUID={path.study_instance_uid}&seriesUID={path.series_instance_uid}"
        f"&objectUID={path.sop_instance_uid}&contentType=application/dicom&anonymize=yes"
    )
    return given.get("wado", "*/*", query=f"{asked}&{query}" if query else asked, **more)


def check(body: bytes, instance: StoredInstance, *names: bytes) -> Dataset:
    """Read a de-identified file that has to be one."""
    path = instance.path
    for name in (*names, *NAMES):
        assert name not in body
    for original in (path.study_instance_uid, path.series_instance_uid, path.sop_instance_uid):
        assert str(original).encode() not in body
    data = read(body)
    assert not any(body[:128])
    assert data.PatientIdentityRemoved == "YES"
    assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
    assert data.file_meta.ImplementationClassUID == file_meta.IMPLEMENTATION_CLASS_UID
    assert "SourceApplicationEntityTitle" not in data.file_meta
    return data


# What is asked, and what is said


def test_an_instance(given: Given) -> None:
    data = ct(PatientComments="Zeta", BurnedInAnnotation="NO")
    file = bytearray(part10(data))
    file[:6] = b"SENDER"
    (instance,) = given.store(bytes(file))
    answer = ask(given, instance)
    found = check(answer.body, instance)
    assert found.PixelData == data.PixelData
    assert answer.length == len(answer.body)
    assert answer.headers["content-type"].startswith("application/dicom")
    assert not {"content-location", "last-modified", "warning"} & answer.headers.keys()


@pytest.mark.parametrize("query", ["anonymize=no", "anonymize=yes,yes", "anonymize", "anonymize=yes&anonymize=yes"])
def test_it_has_to_be_yes_in_retrieve_too(given: Given, query: str) -> None:
    (instance,) = given.store(part10(ct()))
    assert isinstance(given.get(instance.path, "application/dicom", query=query).error, BadRequest)


def test_an_encoded_name_is_no_way_around(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    check(given.get(instance.path, "application/dicom", query="anonymi%7Ae=yes").body, instance)


def test_versions_ranges_and_head(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    plain = given.get(instance.path, "application/dicom")
    answer = ask(given, instance)
    etag = answer.headers["etag"]
    assert etag != plain.headers["etag"]
    assert ask(given, instance).body == answer.body
    assert ask(given, instance, headers={"if-none-match": etag}).status == 304
    part = ask(given, instance, headers={"range": "bytes=100-999"})
    assert (part.status, part.body) == (206, answer.body[100:1000])
    head = ask(given, instance, method="HEAD")
    assert (head.status, head.body, head.length) == (200, b"", len(answer.body))


def test_the_same_after_a_restart_and_another_elsewhere(tmp_path: Path) -> None:
    file = part10(ct())
    found = []
    for folder in ("one", "one", "other"):
        with opened(tmp_path / folder) as archive:
            (instance,) = archive.store(file)
            found.append(ask(archive, instance).body)
    assert found[0] == found[1] != found[2]


def test_references_between_instances_hold(given: Given) -> None:
    study, series = uid(), uid()
    source = ct(StudyInstanceUID=study, SeriesInstanceUID=series)
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    derived = ct(StudyInstanceUID=study, SeriesInstanceUID=series, SourceImageSequence=[reference])
    instances = given.store(part10(source), part10(derived))
    one, other = (check(ask(given, instance).body, instance) for instance in instances)
    assert other.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert (one.StudyInstanceUID, one.SeriesInstanceUID) == (other.StudyInstanceUID, other.SeriesInstanceUID)


# Transfer Syntaxes


@pytest.mark.parametrize(
    "stored", [ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("asked", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000])
def test_it_goes_with_conversions(given: Given, stored: str, asked: str) -> None:
    data = ct(StudyDescription="Zeta" * 2000, LUTExplanation="kept", ChannelSourceSequence=[])
    (instance,) = given.store(part10(data, stored))
    answer = ask(given, instance, f"transferSyntax={asked}")
    found = check(answer.body, instance)
    assert found.file_meta.TransferSyntaxUID == asked
    assert found.LUTExplanation == "kept"
    if asked != JPEG2000:
        assert found.pixel_array.shape == (6, 8)
    else:
        # The derived image and its source are others, and the one names the other (PS3.5 Annex B.2)
        plain = check(ask(given, instance).body, instance)
        assert found.SOPInstanceUID != plain.SOPInstanceUID
        assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == plain.SOPInstanceUID
    part = ask(given, instance, f"transferSyntax={asked}", headers={"range": "bytes=300-699"})
    assert part.body == answer.body[300:700] or part.status == 200


@pytest.mark.parametrize("fragments", [1, 2])
def test_encapsulated_frames_go_out_as_they_are(given: Given, fragments: int) -> None:
    frames = [bytes([number]) * 5000 for number in range(1, 4)]
    (instance,) = given.store(compressed(frames, JPEG2000Lossless, fragments=fragments))
    answer = ask(given, instance, "transferSyntax=*")
    data = check(answer.body, instance)
    assert list(generate_frames(data.PixelData, number_of_frames=3)) == frames
    for offset in (0, 500, 1000, len(answer.body) - 9):
        part = ask(given, instance, "transferSyntax=*", headers={"range": f"bytes={offset}-{offset + 5500}"})
        assert part.body == answer.body[offset : offset + 5501]


def test_long_values_of_a_deflated_data_set(given: Given) -> None:
    """Its spans are cut out of one inflation."""
    data = ct(RedPaletteColorLookupTableData=b"\1\2" * 40_000, PatientComments="Zeta" * 9000)
    data.GreenPaletteColorLookupTableData = b"\3\4" * 40_000
    (instance,) = given.store(part10(data, DeflatedExplicitVRLittleEndian))
    answer = ask(given, instance)
    found = check(answer.body, instance)
    assert found.RedPaletteColorLookupTableData == data.RedPaletteColorLookupTableData
    assert found.GreenPaletteColorLookupTableData == data.GreenPaletteColorLookupTableData
    assert found.PixelData == data.PixelData
    part = ask(given, instance, headers={"range": "bytes=70000-170000"})
    assert part.body == answer.body[70_000:170_001]


# What can not be


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"BurnedInAnnotation": "YES"}, "Burned In", id="burned in"),
        pytest.param({"SOPClassUID": US}, "Burned In", id="ultrasound"),
        pytest.param({"SOPClassUID": PDF, "PixelData": None}, "document", id="document"),
        pytest.param({"SOPClassUID": "1.2.3.4"}, "private", id="private SOP Class"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_can_not_be_de_identified_is_406(given: Given, changes: dict[str, Any], word: str, method: str) -> None:
    (instance,) = given.store(part10(ct(**changes)))
    for answer in (ask(given, instance, method=method), given.get(instance.path, query="anonymize=yes", method=method)):
        assert isinstance(answer.error, CanNotBeDeidentified)
        assert answer.status == 406
        assert word in str(answer.error)
        assert "Zeta" not in str(answer.error)


def test_pixels_nobody_vouches_for_come_with_a_warning(given: Given) -> None:
    instances = given.store(part10(ct()), part10(ct(BurnedInAnnotation="NO", RecognizableVisualFeatures="YES")))
    warned, face = (ask(given, instance).headers["warning"] for instance in instances)
    assert "not cleaned" in warned
    assert "recognizable" in face
    (fine,) = given.store(part10(ct(BurnedInAnnotation="NO", RecognizableVisualFeatures="NO")))
    assert "warning" not in ask(given, fine).headers


def test_nothing_but_files(given: Given) -> None:
    """Bulk data by itself would not be de-identified."""
    (instance,) = given.store(part10(ct()))
    for path in (instance.path, f"studies/{instance.path.study_instance_uid}"):
        answer = given.get(path, "multipart/related; type=application/octet-stream", query="anonymize=yes")
        assert isinstance(answer.error, NoAcceptableRepresentation)


@pytest.mark.parametrize(
    "resource", ["/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata", "/pixeldata", "/frames/1/rendered"]
)
def test_resources_that_can_not_do_it_refuse_the_parameter(given: Given, resource: str) -> None:
    (instance,) = given.store(part10(ct()))
    plain = given.get(f"{instance.path}{resource}")
    assert plain.error is None or plain.status == 404, "the sample has no bulk data of its own"
    assert isinstance(given.get(f"{instance.path}{resource}", query="anonymize=yes").error, BadRequest) or plain.error


def test_damaged_pixels(given: Given) -> None:
    (instance,) = given.store(compressed([b"no code stream"], JPEGBaseline8Bit))
    refused = ask(given, instance, f"transferSyntax={ExplicitVRLittleEndian}")
    assert isinstance(refused.error, NoAcceptableRepresentation)
    check(ask(given, instance, "transferSyntax=*").body, instance)


# Studies and Series


def test_a_study(given: Given) -> None:
    study = uid()
    instances = given.store(*(part10(ct(StudyInstanceUID=study, BurnedInAnnotation="NO")) for _ in range(3)))
    for query, asked in (("", MULTIPART), ("&accept=application/zip", None)):
        answer = given.get(f"studies/{study}", asked, query="anonymize=yes" + query)
        assert answer.status == 200
        assert "warning" not in answer.headers
        assert not any(study in value for value in answer.headers.values())
        if asked is None:
            archive = zipfile.ZipFile(io.BytesIO(answer.body))
            assert study not in "".join(archive.namelist())
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
            bodies = [archive.read(name) for name in archive.namelist()]
        else:
            assert all("content-location" not in part.headers for part in answer.parts)
            bodies = [part.body for part in answer.parts]
        found = [check(body, instance) for body, instance in zip(bodies, instances, strict=True)]
        assert len({data.SOPInstanceUID for data in found}) == 3
        assert len({(data.StudyInstanceUID, data.PatientID) for data in found}) == 1


def test_what_can_not_be_is_left_out_of_a_study(given: Given) -> None:
    study = uid()
    first, _, _ = given.store(
        part10(ct(StudyInstanceUID=study)),
        part10(ct(StudyInstanceUID=study, BurnedInAnnotation="YES")),
        part10(ct(StudyInstanceUID=study, SOPClassUID=US)),
    )
    answer = given.get(f"studies/{study}", MULTIPART, query="anonymize=yes")
    assert answer.status == 206
    assert "2 of 3 instances can not be de-identified" in answer.headers["warning"]
    assert "1 of the instances" in answer.headers["warning"]
    (part,) = answer.parts
    check(part.body, first)


def test_a_study_of_which_nothing_can_be(given: Given) -> None:
    study = uid()
    given.store(*(part10(ct(StudyInstanceUID=study, BurnedInAnnotation="YES")) for _ in range(2)))
    answer = given.get(f"studies/{study}", MULTIPART, query="anonymize=yes")
    assert isinstance(answer.error, CanNotBeDeidentified)


def test_a_damaged_image_among_others_is_never_sent_as_it_is(given: Given) -> None:
    study = uid()
    broken, whole = given.store(
        compressed([b"no code stream"], JPEGBaseline8Bit, StudyInstanceUID=study), part10(ct(StudyInstanceUID=study))
    )
    answer = given.get(
        f"studies/{study}",
        f'multipart/related; type="application/dicom"; transfer-syntax={ExplicitVRLittleEndian}',
        query="anonymize=yes",
    )
    bodies = {part.headers["content-type"]: part.body for part in answer.parts}
    for body, instance in zip(bodies.values(), (broken, whole), strict=True):
        check(body, instance)


# Everything there is

NOT_IDENTIFYING = {b"ANONYMIZED", b"19000101", b"000000", b"REMOVED", b"UNKNOWN"}
_REFERENCES = (0x00081111, 0x00081140, 0x00082112)


def identifying(data: Dataset, within: bool = False) -> Iterator[tuple[bool, bytes]]:
    """All values that are long enough to be looked for, and whether they may identify: by the table, by their VR, or
    because they are private, whatever the program takes them for."""
    for element in data:
        tag = int(element.tag)
        private = element.tag.is_private or tag >> 24 in (0x50, 0x60)
        moved = element.VR == "UI" and tag not in KEPT_UIDS
        hidden = within or private or moved or tag in TABLE or element.VR in ("PN", "DA", "DT", "TM")
        if element.VR == "SQ":
            for sub in element.value:
                yield from identifying(sub, hidden and tag not in _REFERENCES)
            continue
        values = element.value if isinstance(element.value, list | MultiValue) else [element.value]
        for value in values:
            for text in encoded(value):
                text = text.strip(b" \0")
                if len(text) > 5 and len(set(text)) > 2 and text.decode("latin-1") not in UID_dictionary:
                    yield hidden, text


def encoded(value: Any) -> list[bytes]:
    if isinstance(value, PersonName):
        original = value.original_string
        return [original if isinstance(original, bytes) else str(value).encode("latin-1", "replace")]
    if isinstance(value, bytes):
        return [value[:64]]
    return [str(value).encode(), str(value).encode("latin-1", "replace")]


def without_pixels(body: bytes) -> bytes:
    at = body.rfind(b"\xe0\x7f\x10\0O")
    return body if at < 0 else body[:at]


def files(folder: str) -> list[Path]:
    return [
        path
        for path in sorted((SHARED_DATA / folder).rglob("*"))
        if path.is_file() and path.suffix not in {".md", ".csv", ".json", ".txt", ".xml"}
    ]


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["modalities", "syntaxes", "text", "volumes", "slides", "broken"])
def test_no_name_survives(given: Given, folder: str) -> None:
    sent = 0
    for path in files(folder):
        data = path.read_bytes()
        try:
            (instance,) = given.store(data)
        except Exception:
            continue  # what can not be stored is tested elsewhere
        answer = ask(given, instance, "transferSyntax=*")
        given.archive.index.delete(instance.path)
        if answer.error is not None:
            assert answer.status == 406, (path, answer.error)
            continue
        sent += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new = pydicom.dcmread(io.BytesIO(answer.body))
            body = without_pixels(answer.body)
            if new.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
                out = io.BytesIO()
                new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                pydicom.dcmwrite(out, new, enforce_file_format=True)
                body = without_pixels(out.getvalue())
            assert new.PatientIdentityRemoved == "YES"
            assert new.SOPInstanceUID == new.file_meta.MediaStorageSOPInstanceUID
            assert not [element for element in new.iterall() if element.tag.is_private]
            try:
                values = list(identifying(pydicom.dcmread(path, force=True)))
            except (NotImplementedError, EOFError):
                continue  # what the judge can not read
        kept = b"\0".join(text for hidden, text in values if not hidden)
        names = {text for hidden, text in values if hidden and text not in kept} - NOT_IDENTIFYING
        assert [text for text in names if text in body] == [], path
    assert sent or folder == "broken"


KINDS = ("cr", "ct", "dx", "ecg", "enhanced", "mg", "mr", "nm", "op", "pm", "pr", "pt", "rt", "seg", "xa")
SOUND = (*(f"modalities/{kind}/**/*.dcm" for kind in KINDS), "slides/*.dcm")


@pytest.mark.shared_data
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("pattern", SOUND)
def test_valid_objects_stay_valid(given: Given, tmp_path: Path, pattern: str) -> None:
    """PS3.15 E.1.1: the actions keep the IOD; two of each kind."""
    judged = 0
    for path in sorted(SHARED_DATA.glob(pattern)):
        (instance,) = given.store(path.read_bytes())
        answer = ask(given, instance, "transferSyntax=*")
        given.archive.index.delete(instance.path)
        if answer.error is None:
            (tmp_path / "new.dcm").write_bytes(answer.body)
            assert errors_of(tmp_path / "new.dcm") - errors_of(path) == Counter(), path
            judged += 1
        if judged == 2:
            break
    assert judged


def errors_of(path: Path) -> Counter[str]:
    output = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    lines = (output.stderr + output.stdout).decode("latin-1").splitlines()
    return Counter({line.split("<")[0] for line in lines if line.startswith("Error")})

"""Data sets without identity: PS3.15 Annex E.2, E.1.1."""

from __future__ import annotations

import io
import struct
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_files import ct, part10
from skiagraph.standard import file_meta
from skiagraph.standard import part10 as reader
from skiagraph.standard.deidentification import ADDED, DUMMY, Deidentifier, Pseudonyms
from skiagraph.standard.explicit_le import Edits, Gap, convert
from skiagraph.values import is_strict_uid

KEY = bytes(range(32))
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
NATIVE = [
    pytest.param(ImplicitVRLittleEndian, id="Implicit VR LE"),
    pytest.param(ExplicitVRBigEndian, id="Explicit VR BE"),
    pytest.param(ExplicitVRLittleEndian, id="Explicit VR LE"),
]


def deidentified(data: Dataset | bytes, transfer_syntax: str = ExplicitVRLittleEndian) -> tuple[Dataset, bytes]:
    """The data set as pydicom reads what comes out, and its bytes."""
    file = data if isinstance(data, bytes) else part10(data, transfer_syntax)
    source = reader.BytesSource(file)
    header = reader.read(source)
    sop_class_uid = header.attributes["00080016"]["Value"][0]
    judge = Deidentifier(Pseudonyms(KEY), sop_class_uid, header.attributes)
    plan = convert(
        source, header.dataset_offset, header.transfer_syntax_uid, Edits(elements=ADDED, judge=judge.judging)
    )
    assert not judge.missed(ADDED)
    out = b""
    for piece in plan.pieces:
        assert not isinstance(piece, Gap)
        out += piece if isinstance(piece, bytes) else file[piece.offset : piece.offset + piece.length]
    assert len(out) == plan.length
    meta = file_meta.write({}, transfer_syntax_uid=ExplicitVRLittleEndian, sop_class_uid="1", sop_instance_uid="1.2")
    return pydicom.dcmread(io.BytesIO(meta + out)), out


def item(**values: Any) -> Dataset:
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


# Pseudonyms


def test_a_uid_becomes_the_same_one_each_time() -> None:
    one, other = Pseudonyms(KEY), Pseudonyms(KEY[::-1])
    new = one.uid("1.2.3")
    assert new == Pseudonyms(KEY).uid("1.2.3") == one.uid("1.2.3\0") == one.uid(" 1.2.3 ")
    assert new != other.uid("1.2.3"), "the key decides"
    assert new == "2.25.30419506103127461435505418486045369390"


@given(st.text("0123456789.", min_size=1, max_size=64), st.binary(min_size=32, max_size=64))
def test_uids_are_those_of_uuids(uid: str, key: bytes) -> None:
    new = Pseudonyms(key).uid(uid)
    assert is_strict_uid(new)
    root, _, number = new.rpartition(".")
    assert root == "2.25"
    bits = int(number)
    assert (bits >> 76 & 0xF, bits >> 62 & 0b11) == (8, 0b10), "version and variant of RFC 9562"


@pytest.mark.parametrize("uid", ["", "1.2.840.10008.1.4.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.5.1"])
def test_well_known_uids_stay(uid: str) -> None:
    assert Pseudonyms(KEY).uid(uid) == uid


def test_others_under_the_root_of_the_standard_do_not() -> None:
    assert Pseudonyms(KEY).uid("1.2.840.10008.19830606.4711").startswith("2.25.")


def test_a_key_is_needed() -> None:
    for key in (b"", b"short", bytes(65)):
        with pytest.raises(ValueError, match="32"):
            Pseudonyms(key)
    assert "\\x00" not in repr(Pseudonyms(KEY)), "keys are not shown"


# Data sets


@pytest.mark.parametrize("transfer_syntax", NATIVE)
def test_the_top_level(transfer_syntax: str) -> None:
    original = ct(
        PatientName="Zeta^Zachary",
        SeriesDescription="Zeta's head",
        SeriesDate="20220928",
        AcquisitionDate="20220928",
        InstitutionName="Hospital",
        FrameOfReferenceUID="1.2.3.4",
        SliceThickness="5",
        PatientAge="039Y",
    )
    new, data = deidentified(original, transfer_syntax)
    for gone in (b"Zeta", b"20220928", b"Hospital", b"ID-1", b"A-1", b"039Y", b"19830606", b"Erring", b"1.2.3.4\0"):
        assert gone not in data
    for keyword in ("SeriesDescription", "SeriesDate", "AcquisitionDate", "InstitutionName", "PatientAge"):
        assert keyword not in new
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "PatientSex"):
        assert new[keyword].is_empty, "of type 2"
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert new[keyword].value == Pseudonyms(KEY).uid(original[keyword].value)
    for keyword in ("SOPClassUID", "Rows", "SliceThickness", "Modality", "ImageType", "SeriesNumber"):
        assert new[keyword].value == original[keyword].value
    # Big endian words come out in little endian order
    assert sorted(new.PixelData) == sorted(original.PixelData)
    assert new.PatientID.startswith("ANON-")
    assert new.PatientName == new.PatientID


def test_what_says_so() -> None:
    """E.1.1: Patient Identity Removed and the codes, in the place of what was there."""
    lies = [item(CodeValue="113107", CodingSchemeDesignator="DCM", CodeMeaning="Retain everything")]
    new, data = deidentified(ct(PatientIdentityRemoved="NO", DeidentificationMethodCodeSequence=lies))
    assert new.PatientIdentityRemoved == "YES"
    assert new.LongitudinalTemporalInformationModified == "REMOVED"
    assert "Basic" in new.DeidentificationMethod
    (code,) = new.DeidentificationMethodCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert b"Retain everything" not in data
    assert [element.tag for element in new] == sorted(element.tag for element in new)


def test_one_patient_stays_one() -> None:
    one, _ = deidentified(ct(PatientID="7"))
    same, _ = deidentified(ct(PatientID="7", PatientName="Written^Otherwise"))
    other, _ = deidentified(ct(PatientID="7", IssuerOfPatientID="elsewhere"))
    nobody, _ = deidentified(ct(PatientID=""))
    assert one.PatientID == same.PatientID != other.PatientID
    assert nobody["PatientID"].is_empty
    assert nobody["PatientName"].is_empty


@pytest.mark.parametrize("transfer_syntax", NATIVE)
def test_references_hold(transfer_syntax: str) -> None:
    image = item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2",
        ReferencedSOPInstanceUID="1.2.3.99",
        PurposeOfReferenceCodeSequence=[item(CodeValue="121320", CodingSchemeDesignator="DCM", CodeMeaning="Source")],
    )
    new, data = deidentified(ct(SourceImageSequence=[image], ReferencedImageSequence=[image]), transfer_syntax)
    for sequence in (new.SourceImageSequence, new.ReferencedImageSequence):
        assert sequence[0].ReferencedSOPInstanceUID == Pseudonyms(KEY).uid("1.2.3.99")
        assert sequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
        assert sequence[0].PurposeOfReferenceCodeSequence[0].CodeMeaning == "Source"
    assert b"1.2.3.99" not in data


@pytest.mark.parametrize("transfer_syntax", NATIVE)
def test_items_at_any_depth(transfer_syntax: str) -> None:
    inner = item(PatientComments="Zeta", ContentDate="20220928", OperatorsName="Op", ImageLaterality="L")
    for _ in range(40):
        inner = item(SharedFunctionalGroupsSequence=[inner, item(PatientName="Zeta")])
    new, data = deidentified(ct(SharedFunctionalGroupsSequence=[inner]), transfer_syntax)
    assert b"Zeta" not in data
    found = new
    while "SharedFunctionalGroupsSequence" in found:
        found = found.SharedFunctionalGroupsSequence[0]
    assert found.ImageLaterality == "L"
    assert found.ContentDate == "19000101"
    assert "PatientComments" not in found


def test_lists_of_uids() -> None:
    uids = ["1.2.3", "1.2.840.10008.1.4.1.1", "1.2.4"]
    new, _ = deidentified(ct(FailedSOPInstanceUIDList=uids))
    assert list(new.FailedSOPInstanceUIDList) == [Pseudonyms(KEY).uid(uid) for uid in uids]


@pytest.mark.parametrize("transfer_syntax", NATIVE)
def test_private_attributes_go_whatever_they_hold(transfer_syntax: str) -> None:
    data = ct()
    block = data.private_block(0x0029, "ACME", create=True)
    block.add_new(1, "LO", "Zeta")
    block.add_new(2, "SQ", [item(PatientName="Zeta", Rows=5)])
    data.OtherPatientIDsSequence = [item(PatientID="Zeta")]
    inner = item(Rows=5)
    inner.private_block(0x0029, "ACME", create=True).add_new(1, "OB", b"Zeta" * 2000)
    data.SharedFunctionalGroupsSequence = [inner]
    data["SharedFunctionalGroupsSequence"].is_undefined_length = True
    new, out = deidentified(data, transfer_syntax)
    assert b"Zeta" not in out.replace(b"Zeta^Zachary", b"")
    assert b"ACME" not in out
    assert [element for element in new.iterall() if element.tag.is_private] == []
    assert new.SharedFunctionalGroupsSequence[0].Rows == 5


def test_overlays_curves_icons_and_signatures_go() -> None:
    data = ct(
        IconImageSequence=[item(Rows=1, Columns=1, BitsAllocated=8, PixelData=b"\0\0")],
        OriginalAttributesSequence=[item(ModifiedAttributesSequence=[item(PatientName="Zeta")])],
    )
    data.add_new(0x60000010, "US", 6)
    data.add_new(0x60001500, "LO", "Zeta")
    data.add_new(0x60003000, "OW", bytes(6))
    data.add_new(0x50003000, "OW", bytes(6))
    data.add_new(0xFFFAFFFA, "SQ", [item(DigitalSignatureUID="1.2.3")])
    data.add_new(0x4FFE0001, "SQ", [item(MACIDNumber=1)])
    new, out = deidentified(data)
    assert [str(e.tag) for e in new if e.tag.group >> 8 in (0x50, 0x60, 0xFF) or e.tag.group == 0x4FFE] == []
    assert "IconImageSequence" not in new
    assert b"Zeta" not in out.replace(b"Zeta^Zachary", b"")


def test_pictures_within_go() -> None:
    new, _ = deidentified(ct(SharedFunctionalGroupsSequence=[item(Rows=1, BitsAllocated=8, PixelData=b"\0\1")]))
    assert "PixelData" not in new.SharedFunctionalGroupsSequence[0]
    assert "PixelData" in new


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        pytest.param("DeviceSerialNumber", "4711", DUMMY, id="LO"),
        pytest.param("AcquisitionDateTime", "20220928120000", "19000101000000", id="DT"),
        pytest.param("ContentTime", "120000", "000000", id="TM"),
        pytest.param("ContentCreatorName", "Doe^J", DUMMY, id="PN"),
        pytest.param("RTImageLabel", "Zeta", DUMMY, id="SH"),
        pytest.param("SelectorOBValue", b"Zeta", b"\0\0", id="OB"),
        pytest.param("SelectorASValue", "039Y", "000Y", id="AS"),
        pytest.param("SelectorAEValue", "THEIRS", DUMMY, id="AE"),
        pytest.param("SelectorURValue", "http://x/", "urn:anonymized", id="UR"),
        pytest.param("AnnotationGroupUID", "1.2.3", Pseudonyms(KEY).uid("1.2.3"), id="UI"),
        pytest.param("DeviceSerialNumber", "", "", id="empty stays empty"),
        pytest.param("AcquisitionContextSequence", [item(TextValue="Zeta")], [], id="SQ, Z"),
    ],
)
def test_dummies_are_of_their_vr(keyword: str, value: Any, expected: Any) -> None:
    new, _ = deidentified(ct(SOPClassUID=ENHANCED_CT, **{keyword: value}))
    assert new[keyword].value == expected or (not expected and new[keyword].is_empty)


def test_codes_of_persons_are_replaced() -> None:
    operator = item(PersonIdentificationCodeSequence=[item(CodeValue="OP77")], InstitutionName="Hospital")
    new, data = deidentified(
        ct(
            SOPClassUID=ENHANCED_CT,
            OperatorIdentificationSequence=[operator, operator],
            InstitutionCodeSequence=[item()],
        )
    )
    assert b"OP77" not in data
    assert b"Hospital" not in data
    (found,) = new.OperatorIdentificationSequence
    assert found.PersonIdentificationCodeSequence[0].CodeValue == DUMMY


# Odd encodings


def raw(tag: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"UN", b"OB", b"SQ"):
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def implicit(data_set: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, True
    write_dataset(out, data_set)
    value = out.getvalue()
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def with_raw(element: bytes) -> bytes:
    """A CT image, and a strange element before its pixel data."""
    file = part10(ct())
    at = file.rindex(b"\xe0\x7f\x10\0OW")
    return file[:at] + element + file[at:]


def test_a_sequence_as_un_is_gone_through() -> None:
    """PS3.5 §6.2.2: its Items are in Implicit VR Little Endian."""
    reference = item(ReferencedSOPInstanceUID="1.2.3.99", PatientName="Zetb")
    new, out = deidentified(with_raw(raw(0x52009229, b"UN", implicit(reference))))
    assert b"Zetb" not in out
    assert new.SharedFunctionalGroupsSequence[0].ReferencedSOPInstanceUID == Pseudonyms(KEY).uid("1.2.3.99")


@pytest.mark.parametrize(
    "element",
    [
        pytest.param(raw(0x52009229, b"UN", b"no Items: Zetb"), id="UN that should be a Sequence"),
        pytest.param(raw(0x52009229, b"OB", implicit(item(PatientName="Zetb"))), id="OB that should be a Sequence"),
        pytest.param(raw(0x52009229, b"SQ", b"no Items: Zetb"), id="a Sequence without Items"),
        pytest.param(raw(0x70010010, b"LO", b"Zetb"), id="private group"),
        pytest.param(raw(0x70020010, b"LO", b"Zetb"), id="unknown group"),
        pytest.param(raw(0x00104000, b"UN", b"Zetb"), id="known text as UN"),
        pytest.param(raw(0x00100010, b"LO", b"Zetb"), id="name as LO, out of order"),
    ],
)
def test_nothing_hides_behind_another_vr(element: bytes) -> None:
    _, out = deidentified(with_raw(element))
    assert b"Zetb" not in out


def test_what_was_not_met_is_noticed() -> None:
    """Whoever reads the bytes otherwise than at store may take a name for something else."""
    data = part10(ct(PatientComments="x"))
    header = reader.read(reader.BytesSource(data))
    judge = Deidentifier(Pseudonyms(KEY), "1.2", header.attributes)
    assert judge.missed()
    edits = Edits(judge=judge.judging)
    convert(reader.BytesSource(data), header.dataset_offset, ExplicitVRLittleEndian, edits)
    assert not judge.missed()
    cut = data.replace(b"\x10\0\x00\x40LT", b"\x10\0\x00\x44LT")
    convert(reader.BytesSource(cut), header.dataset_offset, ExplicitVRLittleEndian, edits)
    assert judge.missed()


def test_names_are_not_shown() -> None:
    header = reader.read(reader.BytesSource(part10(ct())))
    assert "Zeta" not in repr(Deidentifier(Pseudonyms(KEY), UID("1.2"), header.attributes))

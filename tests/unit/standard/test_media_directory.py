"""A DICOMDIR as pydicom reads it, and types of records as pydicom has them."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom import fileset
from pydicom.dataset import Dataset

from dicom_files import ct, uid
from skiagraph.standard import directory_records, media_directory
from skiagraph.standard.directory_records import KEYS, keys, record_type
from skiagraph.standard.media_directory import MediaDirectory
from skiagraph.values import Attributes

SYNTAX = "1.2.840.10008.1.2.1"


def attributes(data: Dataset) -> Attributes:
    found: Attributes = data.to_json_dict(bulk_data_threshold=10, bulk_data_element_handler=lambda _: "bulk")
    return found


def directory(*series: list[Attributes]) -> tuple[MediaDirectory, bytes]:
    found = MediaDirectory(uid())
    for number, instances in enumerate(series, 1):
        for count, data in enumerate(instances, 1):
            found.add(
                data,
                ("DICOM", f"S{number:07}", f"I{count:07}"),
                sop_class_uid=data["00080016"]["Value"][0],
                sop_instance_uid=data["00080018"]["Value"][0],
                transfer_syntax_uid=SYNTAX,
            )
    return found, b"".join(found.write())


def study(*counts: int, **more: Any) -> list[list[Attributes]]:
    study_uid = uid()
    return [
        [
            attributes(ct(StudyInstanceUID=study_uid, SeriesInstanceUID=series, SeriesNumber=number, **more))
            for _ in range(count)
        ]
        for number, (count, series) in enumerate(((count, uid()) for count in counts), 1)
    ]


def walk(content: bytes) -> list[tuple[int, Dataset]]:
    """The records in the order in which their offsets lead to them, each with its depth."""
    found = pydicom.dcmread(io.BytesIO(content))
    at = {item.seq_item_tell: item for item in found.DirectoryRecordSequence}
    first = found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity
    assert first == found.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity
    order, todo = [], [(0, first)]
    while todo:
        depth, offset = todo.pop()
        record = at[offset]
        order.append((depth, record))
        if record.OffsetOfTheNextDirectoryRecord:
            todo.append((depth, record.OffsetOfTheNextDirectoryRecord))
        if record.OffsetOfReferencedLowerLevelDirectoryEntity:
            todo.append((depth + 1, record.OffsetOfReferencedLowerLevelDirectoryEntity))
    assert len(order) == len(at)
    return order


@pytest.mark.parametrize("counts", [(1,), (3,), (1, 1), (2, 3, 1), (400, 1, 700)])
def test_records_lead_to_each_other(counts: tuple[int, ...]) -> None:
    series = study(*counts)
    found, content = directory(*series)
    assert found.length == len(content)
    order = walk(content)
    assert [depth for depth, _ in order] == [0, 1, *(d for count in counts for d in (2, *[3] * count))]
    types = {0: "PATIENT", 1: "STUDY", 2: "SERIES", 3: "IMAGE"}
    assert all(record.DirectoryRecordType == types[depth] for depth, record in order)
    leaves = [record for depth, record in order if depth == 3]
    expected = [data["00080018"]["Value"][0] for instances in series for data in instances]
    assert [record.ReferencedSOPInstanceUIDInFile for record in leaves] == expected
    assert leaves[0].ReferencedFileID == ["DICOM", "S0000001", "I0000001"]
    assert leaves[0].ReferencedTransferSyntaxUIDInFile == SYNTAX


def test_text_says_in_which_character_set_it_is() -> None:
    _, content = directory(*study(1, PatientName="Müller^漢字", SpecificCharacterSet="ISO_IR 192"))
    patient, of_study, *_ = (record for _, record in walk(content))
    assert patient.PatientName == "Müller^漢字"
    assert patient.SpecificCharacterSet == "ISO_IR 192"
    assert "SpecificCharacterSet" not in of_study
    meta = pydicom.dcmread(io.BytesIO(content)).file_meta
    assert meta.MediaStorageSOPClassUID == media_directory.SOP_CLASS_UID
    assert meta.TransferSyntaxUID == SYNTAX


def test_memory_is_little() -> None:
    instance = study(1)[0][0]
    found = MediaDirectory(uid())
    for number in range(5000):
        found.add(
            instance,
            ("DICOM", "S0000001", f"I{number:07}"),
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            sop_instance_uid=f"2.25.{number}",
            transfer_syntax_uid=SYNTAX,
        )
    assert sum(map(len, found._packed)) < 5000 * 40


def test_types_are_those_of_pydicom() -> None:
    for sop_class_uid, kind in fileset._FOUR_LEVEL_SOP_CLASSES.items():
        assert record_type(str(sop_class_uid), pixels=False) == kind
    assert set(KEYS) >= set(directory_records._TYPES)


@pytest.mark.parametrize(
    ("sop_class_uid", "pixels", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True, "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.66.4", True, "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.481.5", False, "RT PLAN"),
        ("1.2.840.10008.5.1.4.1.1.481.10", False, "RADIOTHERAPY"),
        ("1.2.840.10008.5.1.4.1.1.104.1", False, "ENCAP DOC"),
        ("1.2.840.10008.5.1.4.1.1.91.1", False, "ANNOTATION"),
        ("1.2.840.10008.5.1.4.1.1.11.8", False, "PRESENTATION"),
        ("1.3.6.1.4.1.1", True, "IMAGE"),
        ("1.3.6.1.4.1.1", False, "PRIVATE"),
    ],
)
def test_types(sop_class_uid: str, pixels: bool, kind: str) -> None:
    assert record_type(sop_class_uid, pixels=pixels) == kind


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_type_1_have_values(kind: str) -> None:
    """PS3.3 F.5: also where the object lacks them."""
    found = keys(kind, {})
    for key in KEYS[kind]:
        tag = f"{pydicom.datadict.tag_for_keyword(key.keyword):08X}"
        vr = pydicom.datadict.dictionary_VR(tag)
        assert (tag in found) == (key.type != "C")
        if key.type == "1" and vr != "SQ":
            assert found[tag]["Value"]
    assert list(found) == sorted(found)


def test_of_a_report_only_what_modifies_its_title() -> None:
    def item(relationship: str) -> dict[str, Any]:
        return {"0040A010": {"vr": "CS", "Value": [relationship]}}

    tree = {"vr": "SQ", "Value": [item("CONTAINS"), item("HAS CONCEPT MOD"), {}]}
    assert keys("SR DOCUMENT", {"0040A730": tree})["0040A730"]["Value"] == [item("HAS CONCEPT MOD")]


def test_odd_values_are_left_empty() -> None:
    odd = study(1)[0][0] | {
        "00080020": {"vr": "DA", "Value": [{"x": 1}]},
        "00200013": {"vr": "IS", "Value": [[1]]},
        "00100010": {"vr": "PN", "Value": [7]},
        "0020000E": {"vr": "UI"},
    }
    _, content = directory([odd])
    assert [record.DirectoryRecordType for _, record in walk(content)] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]

"""Directory Records of a DICOMDIR: their types by SOP Class, and their keys — PS3.3 Annex F.4 and F.5.

A record has keys of its object; of type 1 they have to have a value, so that one is made up where the object has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from skiagraph.standard import dictionary
from skiagraph.values import Attributes

PATIENT: Final = "PATIENT"
STUDY: Final = "STUDY"
SERIES: Final = "SERIES"
IMAGE: Final = "IMAGE"
PRIVATE: Final = "PRIVATE"

PRIVATE_RECORD_UID: Final = "2.25.129043741239478318204183420119735482118"
"""Private Record UID (0004,1432) of records of objects that the table has no type for."""

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_TYPES: Final = {
    "RT DOSE": ("481.2",),
    "RT STRUCTURE SET": ("481.3",),
    "RT PLAN": ("481.5", "481.8"),
    "RT TREAT RECORD": ("481.4", "481.6", "481.7", "481.9"),
    "RADIOTHERAPY": tuple(f"481.{number}" for number in range(10, 26)),
    "PRESENTATION": (*(f"11.{number}" for number in range(1, 13)), "131"),
    "WAVEFORM": tuple(
        f"9.{group}.{number}"
        for group, most in ((1, 4), (2, 1), (3, 1), (4, 2), (5, 1), (6, 2), (7, 4), (8, 1))
        for number in range(1, most + 1)
    ),
    "SR DOCUMENT": (
        *(f"88.{number}" for number in (11, 22, 33, 34, 35, 40, 50, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77)),
        "78.6",
        "79.1",
    ),
    "KEY OBJECT DOC": ("88.59",),
    "SPECTROSCOPY": ("4.2",),
    "RAW DATA": ("66",),
    "REGISTRATION": ("66.1", "66.3"),
    "FIDUCIAL": ("66.2",),
    "VALUE MAP": ("67",),
    "STEREOMETRIC": ("77.1.5.3",),
    "ENCAP DOC": tuple(f"104.{number}" for number in range(1, 6)),
    "MEASUREMENT": ("78.1", "78.2", "78.3", "78.4", "78.5", "78.7", "78.8", "80.1"),
    "SURFACE": ("66.5",),
    "SURFACE SCAN": ("68.1", "68.2"),
    "TRACT": ("66.6",),
    "ASSESSMENT": ("90.1",),
    "ANNOTATION": ("91.1",),
}
_TYPE_OF: Final = {_STORAGE + suffix: name for name, suffixes in _TYPES.items() for suffix in suffixes} | {
    "1.2.840.10008.5.1.4.34.7": "PLAN",
    "1.2.840.10008.5.1.4.34.10": "PLAN",
}


def record_type(sop_class_uid: str, *, pixels: bool) -> str:
    """Directory Record Type (0004,1430); what the table does not have is an image by its pixels, or private."""
    return _TYPE_OF.get(sop_class_uid) or (IMAGE if pixels else PRIVATE)


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that a record takes from its object."""

    keyword: str
    type: str
    """``1`` with a value, ``2`` with or without, ``C`` where the object has one."""


def _keys(text: str) -> tuple[Key, ...]:
    """Read ``Keyword:type`` …; type 1 is left out."""
    return tuple(Key(name, kind or "1") for name, _, kind in (word.partition(":") for word in text.split()))


_CONTENT: Final = "InstanceNumber ContentDate ContentTime"
_IDENTIFIED: Final = "ContentLabel ContentDescription:2 ContentCreatorName:2"
KEYS: Final[Mapping[str, tuple[Key, ...]]] = {
    PATIENT: _keys("PatientName:2 PatientID"),
    STUDY: _keys("StudyDate StudyTime AccessionNumber:2 StudyDescription:2 StudyInstanceUID StudyID"),
    SERIES: _keys("Modality SeriesInstanceUID SeriesNumber"),
    IMAGE: _keys("InstanceNumber"),
    PRIVATE: (),
    "RT DOSE": _keys("InstanceNumber DoseSummationType"),
    "RT STRUCTURE SET": _keys("InstanceNumber StructureSetLabel StructureSetDate:2 StructureSetTime:2"),
    "RT PLAN": _keys("InstanceNumber RTPlanLabel RTPlanDate:2 RTPlanTime:2"),
    "RT TREAT RECORD": _keys("InstanceNumber TreatmentDate:2 TreatmentTime:2"),
    "RADIOTHERAPY": _keys(
        "InstanceNumber UserContentLabel:C UserContentLongLabel:C ContentDescription:2 ContentCreatorName:2"
    ),
    "PRESENTATION": _keys(
        f"PresentationCreationDate PresentationCreationTime InstanceNumber {_IDENTIFIED}"
        " ReferencedSeriesSequence:C BlendingSequence:C"
    ),
    "WAVEFORM": _keys(_CONTENT),
    "SR DOCUMENT": _keys(
        f"{_CONTENT} CompletionFlag VerificationFlag VerificationDateTime:C ConceptNameCodeSequence ContentSequence:C"
    ),
    "KEY OBJECT DOC": _keys(f"{_CONTENT} ConceptNameCodeSequence ContentSequence:C"),
    "SPECTROSCOPY": _keys(
        f"ImageType {_CONTENT} ReferencedImageEvidenceSequence:C NumberOfFrames Rows Columns DataPointRows"
        " DataPointColumns"
    ),
    "RAW DATA": _keys("InstanceNumber:2 ContentDate ContentTime"),
    "REGISTRATION": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "FIDUCIAL": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "VALUE MAP": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "STEREOMETRIC": (),
    "ENCAP DOC": _keys(
        "ContentDate:2 ContentTime:2 InstanceNumber ConceptNameCodeSequence:2 DocumentTitle:2 HL7InstanceIdentifier:C"
        " MIMETypeOfEncapsulatedDocument"
    ),
    "PLAN": (),
    "MEASUREMENT": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "SURFACE": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "SURFACE SCAN": _keys("ContentDate ContentTime"),
    "TRACT": _keys(f"{_CONTENT} {_IDENTIFIED}"),
    "ASSESSMENT": _keys("InstanceNumber InstanceCreationDate InstanceCreationTime:2"),
    "ANNOTATION": _keys(f"{_CONTENT} {_IDENTIFIED}"),
}
"""PS3.3 F.5, record by record."""

_MADE_UP: Final = {"DA": "19000101", "TM": "000000", "IS": 0, "US": 1, "UL": 1, "UI": "2.25.0"}
_UNKNOWN: Final = "UNKNOWN"
_CONTENT_SEQUENCE, _RELATIONSHIP = "0040A730", "0040A010"


def keys(kind: str, attributes: Attributes) -> Attributes:
    """Return what a record of a type takes from its object, tags ascending."""
    found: Attributes = {}
    for key in KEYS[kind]:
        number = dictionary.tag_of(key.keyword)
        assert number is not None
        tag = f"{number:08X}"
        element = attributes.get(tag)
        values = list(_values(tag, element))
        if values:
            assert element is not None
            found[tag] = {"vr": element["vr"], "Value": values}
        elif key.type != "C":
            vr = (dictionary.vr_of(number) or "LO")[:2]
            made_up = key.type == "1" and vr != "SQ"
            found[tag] = {"vr": vr, "Value": [_MADE_UP.get(vr, _UNKNOWN)]} if made_up else {"vr": vr}
    return dict(sorted(found.items()))


def _values(tag: str, element: Mapping[str, Any] | None) -> Iterable[Any]:
    values = (element or {}).get("Value")
    if not isinstance(values, list) or all(value is None for value in values):
        return ()
    if tag == _CONTENT_SEQUENCE:  # only what modifies the title (F.5.23)
        return [item for item in values if (item.get(_RELATIONSHIP) or {}).get("Value") == ["HAS CONCEPT MOD"]]
    return values

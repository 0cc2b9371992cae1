"""Objects that are made of a picture, a film or a document: their SOP Classes, and what PS3.3 asks of them besides.

PS3.3 A.8 (Secondary Capture), A.32 (Visible Light), A.35 (reports), A.45 (Encapsulated Documents), A.85.1, A.104;
the modules C.7.6.1, C.8.6, C.8.12, C.17 and C.24. Only what can be supplied without knowing more than the object is
here: attributes that may be empty, and those that have one value for all that is made so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from skiagraph.values import Attributes

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_BIT: Final = f"{SECONDARY_CAPTURE}.1"
MULTI_FRAME_BYTE: Final = f"{SECONDARY_CAPTURE}.2"
MULTI_FRAME_WORD: Final = f"{SECONDARY_CAPTURE}.3"
MULTI_FRAME_COLOUR: Final = f"{SECONDARY_CAPTURE}.4"
BASIC_TEXT_SR: Final = "1.2.840.10008.5.1.4.1.1.88.11"
VIDEO_PHOTOGRAPHIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.4.1"

_ENCAPSULATED: Final = "1.2.840.10008.5.1.4.1.1.104."
DOCUMENTS: Final = {
    "application/pdf": _ENCAPSULATED + "1",
    "text/xml": _ENCAPSULATED + "2",
    "model/stl": _ENCAPSULATED + "3",
    "model/obj": _ENCAPSULATED + "4",
    "model/mtl": _ENCAPSULATED + "5",
}
"""SOP Class of an Encapsulated Document by its media type."""

MEDIA_TYPES: Final = {uid: name for name, uid in DOCUMENTS.items()}
"""The other way round."""

_VL: Final = "1.2.840.10008.5.1.4.1.1.77.1."
_VISIBLE_LIGHT: Final = frozenset({f"{_VL}1", f"{_VL}2", f"{_VL}4"})
_VIDEOS: Final = frozenset({f"{_VL}1.1", f"{_VL}2.1", VIDEO_PHOTOGRAPHIC})

Supplied = tuple[str, Any]
"""VR and value; None: empty."""

_SERIES: Final[Mapping[str, Supplied]] = {
    "00080020": ("DA", None),
    "00080030": ("TM", None),
    "00080050": ("SH", None),
    "00080070": ("LO", None),
    "00080090": ("PN", None),
    "00100010": ("PN", None),
    "00100020": ("LO", None),
    "00100030": ("DA", None),
    "00100040": ("CS", None),
    "00200010": ("SH", None),
    "00200011": ("IS", None),
}
"""Type 2 of the Patient, General Study, General Series and General Equipment Modules (C.7.1 to C.7.5)."""

_LATERALITY: Final = "00200060"
_WHERE: Final = ("00082218", "00180015", "00200062")
"""Attributes that say which part of the body it is: then Laterality is there only with a value."""

_IMAGE: Final[Mapping[str, Supplied]] = {"00200020": ("CS", None), _LATERALITY: ("CS", None)}
# WSD, made on a workstation: what is true of all that comes as a file
_CAPTURE: Final[Mapping[str, Supplied]] = {"00080064": ("CS", "WSD")}
# Nobody has looked at the pixels: whoever passes them on shall not think that there are no names in them
_BURNED_IN: Final[Mapping[str, Supplied]] = {"00280301": ("CS", "YES")}
_GREY: Final[Mapping[str, Supplied]] = {
    "00281052": ("DS", 0),
    "00281053": ("DS", 1),
    "00281054": ("LO", "US"),
    "20500020": ("CS", "IDENTITY"),
}
_VISIBLE: Final[Mapping[str, Supplied]] = {
    "00080008": ("CS", ("ORIGINAL", "PRIMARY")),
    "00282110": ("CS", "00"),
    "00400555": ("SQ", None),
}
_DOCUMENT: Final[Mapping[str, Supplied]] = {
    "00080023": ("DA", None),
    "0008002A": ("DT", None),
    "00080033": ("TM", None),
    "00200011": ("IS", 1),
    "0040A043": ("SQ", None),
    "00420010": ("ST", None),
    **_BURNED_IN,
}


@dataclass(frozen=True, slots=True)
class Made:
    """What is supplied to the objects of one SOP Class."""

    modality: str
    attributes: Mapping[str, Supplied] = field(default_factory=dict)


FRAME_OF_REFERENCE: Final = frozenset({DOCUMENTS["model/stl"], DOCUMENTS["model/obj"]})
"""SOP Classes whose objects have a Frame of Reference UID (0020,0052) of their own, if of no other."""

MADE: Final[Mapping[str, Made]] = {
    SECONDARY_CAPTURE: Made("OT", {**_IMAGE, **_CAPTURE}),
    MULTI_FRAME_BIT: Made("OT", {**_IMAGE, **_CAPTURE, **_BURNED_IN}),
    MULTI_FRAME_BYTE: Made("OT", {**_IMAGE, **_CAPTURE, **_BURNED_IN, **_GREY}),
    MULTI_FRAME_WORD: Made("OT", {**_IMAGE, **_CAPTURE, **_BURNED_IN, **_GREY}),
    MULTI_FRAME_COLOUR: Made("OT", {**_IMAGE, **_CAPTURE, **_BURNED_IN}),
    f"{_VL}1": Made("ES", {**_IMAGE, **_VISIBLE}),
    f"{_VL}1.1": Made("ES", {**_IMAGE, **_VISIBLE}),
    f"{_VL}2": Made("GM", {**_IMAGE, **_VISIBLE}),
    f"{_VL}2.1": Made("GM", {**_IMAGE, **_VISIBLE}),
    f"{_VL}4": Made("XC", {**_IMAGE, **_VISIBLE}),
    VIDEO_PHOTOGRAPHIC: Made("XC", {**_IMAGE, **_VISIBLE}),
    BASIC_TEXT_SR: Made(
        "SR",
        {
            "00080023": ("DA", None),
            "00080033": ("TM", None),
            "00081111": ("SQ", None),
            "00200011": ("IS", 1),
            "0040A372": ("SQ", None),
        },
    ),
    DOCUMENTS["application/pdf"]: Made("DOC", {**_DOCUMENT, **_CAPTURE}),
    DOCUMENTS["text/xml"]: Made("DOC", {**_DOCUMENT, **_CAPTURE}),
    DOCUMENTS["model/stl"]: Made("M3D", {**_DOCUMENT, "00201040": ("LO", None)}),
    DOCUMENTS["model/obj"]: Made("M3D", {**_DOCUMENT, "00201040": ("LO", None)}),
    DOCUMENTS["model/mtl"]: Made("M3D", {**_DOCUMENT}),
}


def image_class(*, video: bool, frames: int, samples: int, bits_allocated: int) -> str:
    """SOP Class of a picture or film of which nothing else is known."""
    if video:
        return VIDEO_PHOTOGRAPHIC
    if frames == 1:
        return SECONDARY_CAPTURE
    if samples > 1:
        return MULTI_FRAME_COLOUR
    return {1: MULTI_FRAME_BIT, 8: MULTI_FRAME_BYTE}.get(bits_allocated, MULTI_FRAME_WORD)


def supply(attributes: Attributes, sop_class_uid: str) -> None:
    """Add what is missing; an attribute that is there stays, with value or without."""
    made = MADE.get(sop_class_uid)
    if made is not None:
        supplied = {"00080060": ("CS", made.modality), **made.attributes}
        if any(tag in attributes for tag in _WHERE):
            supplied.pop(_LATERALITY, None)
        _add(attributes, supplied)
    _add(attributes, _SERIES)


def _add(attributes: Attributes, supplied: Mapping[str, Supplied]) -> None:
    for tag, (vr, value) in supplied.items():
        if tag not in attributes:
            values = list(value) if isinstance(value, tuple) else [value]
            attributes[tag] = {"vr": vr} if value is None else {"vr": vr, "Value": values}

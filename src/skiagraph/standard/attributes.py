"""Attributes of the Study Root Query/Retrieve Information Model as data: levels, matching keys, return keys.

PS3.18 §10.6 (Tables 10.6.1-4, 10.6.1-5, 10.6.3-3, 10.6.3-4, 10.6.3-5), PS3.3 modules, PS3.4 C.3.4 and C.6.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skiagraph.values import Level


def _tags(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Level of an attribute ------------------------------------------------------------------------------------------

PATIENT_MODULES = _tags(
    # Patient (PS3.3 C.7.1.1) outside group 0010, which belongs to the patient as a whole
    "00081120 00120062 00120063 00120064",
    # Clinical Trial Subject (C.7.1.3)
    "00120010 00120020 00120021 00120022 00120023 00120030 00120031 00120032 00120040 00120041 00120042 00120043",
    "00120081 00120082",
)
"""Attributes of the Patient entity outside group 0010."""

STUDY_MODULES = _tags(
    # General Study (C.7.2.1)
    "00080020 00080030 00080050 00080051 00080090 00080096 0008009C 0008009D 00081030 00081032 00081048 00081049",
    "00081060 00081062 00081110 0020000D 00200010 00401012",
    # Patient Study (C.7.2.2) outside groups 0010 and 0038
    "00081080 00081084",
    # Clinical Trial Study (C.7.2.3)
    "00120050 00120051 00120052 00120053 00120054 00120055 00120083",
    # further keys of the Study level (PS3.4 C.6.2.1.2)
    "00080061 00080062 00080063 00201070 00201200 00201202 00201204 00201206 00201208",
    # Timezone Offset From UTC is returned at every level (PS3.18 Tables 10.6.3-3 to -5)
    "00080201",
)

SERIES_MODULES = _tags(
    # General Series (C.7.3.1), with the Performed Procedure Step Summary and Request Attributes Macros
    "00080021 00080031 00080060 0008103E 0008103F 00081050 00081052 00081070 00081072 00081111 00081250 00102210",
    "00180015 00181030 00185100 0020000E 00200011 00200060 00280108 00280109 00400244 00400245 00400250 00400251",
    "00400253 00400254 00400260 00400261 00400275 00400280 300A0700",
    # Clinical Trial Series (C.7.3.2)
    "00120060 00120071 00120072 00120073",
    # General Equipment (C.7.5.1) and Enhanced General Equipment (C.7.5.2); Pixel Padding Value is the image's
    "00080070 00080080 00080081 00081010 00081040 00081041 00081090 00181000 00181002 00181008 0018100A 0018100B",
    "00181020 00181050 00181200 00181201 00181204 00181205",
    # SC Equipment (C.8.6.1)
    "00080064 00181010 00181016 00181018 00181019 00181022 00181023",
    # CR, DX, Mammography, Intravascular OCT, PET Series and their like: what no image module shares with them
    "00080068 00181180 00181260 00181261 00540101 00541000 00541001 00541004 00541006 00541101 00541102",
    "00541103 00541104 00541200 00541201 00541202 00541203 00541220",
    # counted by the archive (PS3.18 Table 10.6.3-4)
    "00201209",
)
"""Attributes of the Series and Equipment entities. One that an image module has too belongs to the Instance."""


def is_patient(tag: str) -> bool:
    """Whether a standard attribute describes the patient: those are keys on every search resource (§10.6.1.2.1)."""
    return (tag[:4] == "0010" and tag not in SERIES_MODULES) or tag in PATIENT_MODULES


def level_of(tag: str) -> Level:
    """Return the level that an attribute belongs to, by the first tag of its path.

    Patient attributes are attributes of the Study; private ones and all that no table names, of the Instance.
    Groups 0010 (patient), 0032 (retired study and request modules) and 0038 (visit) describe the Study.
    """
    if tag in SERIES_MODULES:
        return Level.SERIES
    if tag[:4] in ("0010", "0032", "0038") or tag in STUDY_MODULES or tag in PATIENT_MODULES:
        return Level.STUDY
    return Level.INSTANCE


# Return keys ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """A row of Table 10.6.3-3, -4 or -5."""

    tag: str
    keyword: str
    vr: str
    type: Literal["U", "R", "C"]
    """U: unique key. R: always returned, empty when unknown. C: returned when known."""


STUDY_KEYS = (
    ReturnKey("00080020", "StudyDate", "DA", "R"),
    ReturnKey("00080030", "StudyTime", "TM", "R"),
    ReturnKey("00080050", "AccessionNumber", "SH", "R"),
    ReturnKey("00080056", "InstanceAvailability", "CS", "C"),
    ReturnKey("00080061", "ModalitiesInStudy", "CS", "R"),
    ReturnKey("00080090", "ReferringPhysicianName", "PN", "R"),
    ReturnKey("00080201", "TimezoneOffsetFromUTC", "SH", "C"),
    ReturnKey("00081190", "RetrieveURL", "UR", "C"),
    ReturnKey("00100010", "PatientName", "PN", "R"),
    ReturnKey("00100020", "PatientID", "LO", "R"),
    ReturnKey("00100030", "PatientBirthDate", "DA", "R"),
    ReturnKey("00100040", "PatientSex", "CS", "R"),
    ReturnKey("0020000D", "StudyInstanceUID", "UI", "U"),
    ReturnKey("00200010", "StudyID", "SH", "R"),
    ReturnKey("00201206", "NumberOfStudyRelatedSeries", "IS", "R"),
    ReturnKey("00201208", "NumberOfStudyRelatedInstances", "IS", "R"),
)
"""Table 10.6.3-3."""

SERIES_KEYS = (
    ReturnKey("00080060", "Modality", "CS", "R"),
    ReturnKey("00080201", "TimezoneOffsetFromUTC", "SH", "C"),
    ReturnKey("0008103E", "SeriesDescription", "LO", "C"),
    ReturnKey("00081190", "RetrieveURL", "UR", "R"),
    ReturnKey("0020000E", "SeriesInstanceUID", "UI", "U"),
    ReturnKey("00200011", "SeriesNumber", "IS", "R"),
    ReturnKey("00201209", "NumberOfSeriesRelatedInstances", "IS", "R"),
    ReturnKey("00400244", "PerformedProcedureStepStartDate", "DA", "C"),
    ReturnKey("00400245", "PerformedProcedureStepStartTime", "TM", "C"),
    ReturnKey("00400275", "RequestAttributesSequence", "SQ", "C"),
)
"""Table 10.6.3-4; for the Items of Request Attributes Sequence see `REQUEST_ATTRIBUTES_KEYS`."""

REQUEST_ATTRIBUTES_KEYS = (
    ReturnKey("00400009", "ScheduledProcedureStepID", "SH", "R"),
    ReturnKey("00401001", "RequestedProcedureID", "SH", "R"),
)
"""Table 10.6.3-4: what is returned of each Item of Request Attributes Sequence."""

INSTANCE_KEYS = (
    ReturnKey("00080016", "SOPClassUID", "UI", "R"),
    ReturnKey("00080018", "SOPInstanceUID", "UI", "U"),
    ReturnKey("00080056", "InstanceAvailability", "CS", "C"),
    ReturnKey("00080201", "TimezoneOffsetFromUTC", "SH", "C"),
    ReturnKey("00081190", "RetrieveURL", "UR", "R"),
    ReturnKey("00083002", "AvailableTransferSyntaxUID", "UI", "C"),
    ReturnKey("00200013", "InstanceNumber", "IS", "R"),
    ReturnKey("00280008", "NumberOfFrames", "IS", "C"),
    ReturnKey("00280010", "Rows", "US", "C"),
    ReturnKey("00280011", "Columns", "US", "C"),
    ReturnKey("00280100", "BitsAllocated", "US", "C"),
)
"""Table 10.6.3-5, and Available Transfer Syntax UID, which clients would have to guess otherwise."""

RETURN_KEYS: dict[Level, tuple[ReturnKey, ...]] = {
    Level.STUDY: STUDY_KEYS,
    Level.SERIES: SERIES_KEYS,
    Level.INSTANCE: INSTANCE_KEYS,
}

UNIQUE_KEYS: dict[Level, str] = {
    Level.STUDY: "0020000D",
    Level.SERIES: "0020000E",
    Level.INSTANCE: "00080018",
}
"""Unique keys of the result's own level and of those above are always returned (PS3.4 C.4.1.3.1.1)."""


def searched_levels(level: Level, *, study_given: bool, series_given: bool) -> frozenset[Level]:
    """Return the levels whose keys match on a search resource and whose tables it returns.

    Table 10.6.1-4 and §10.6.3.3: the result's own level, and each one above that the path leaves open.
    `series_given` without `study_given` is Annex H's ``/series/{series}/instances``.
    """
    levels = {level}
    if not study_given:
        levels.add(Level.STUDY)
    if level is Level.INSTANCE and not series_given:
        levels.add(Level.SERIES)
    return frozenset(levels)


# Matching keys --------------------------------------------------------------------------------------------------

MATCHING_KEYS: dict[Level, tuple[tuple[str, ...], ...]] = {
    Level.STUDY: (
        ("00080020",),
        ("00080030",),
        ("00080050",),
        ("00080061",),
        ("00080090",),
        ("00100010",),
        ("00100020",),
        ("0020000D",),
        ("00200010",),
    ),
    Level.SERIES: (
        ("00080060",),
        ("0020000E",),
        ("00200011",),
        ("00400244",),
        ("00400245",),
        ("00400275", "00400009"),
        ("00400275", "00401001"),
    ),
    Level.INSTANCE: (("00080016",), ("00080018",), ("00200013",)),
}
"""Table 10.6.1-5: keys that every server matches, as paths. This server matches all others too."""

COMPUTED: dict[str, Level] = {
    "00080056": Level.INSTANCE,  # Instance Availability: ONLINE for all that is stored
    "00080061": Level.STUDY,  # Modalities in Study
    "00080062": Level.STUDY,  # SOP Classes in Study
    "00081190": Level.INSTANCE,  # Retrieve URL: made when the answer is
    "00083002": Level.INSTANCE,  # Available Transfer Syntax UID
    "00201206": Level.STUDY,  # Number of Study Related Series
    "00201208": Level.STUDY,  # Number of Study Related Instances
    "00201209": Level.SERIES,  # Number of Series Related Instances
}
"""Attributes that the archive knows better than any data set; values of that name in data sets are not searched."""

EVERY_LEVEL = frozenset({"00080056", "00080201", "00081190"})
"""Attributes that results of every level have (Tables 10.6.3-3 to -5): Instance Availability, Timezone Offset From
UTC, Retrieve URL."""

NEVER_MATCHED: dict[str, str] = {
    "00080005": "text in the query is always UTF-8 (PS3.18 8.3.4.1)",
    "00080054": "this server has no Retrieve AE Title",
    "00081190": "URLs are made for each answer",
    "00201200": "studies of a patient are not counted",
    "00201202": "series of a patient are not counted",
    "00201204": "instances of a patient are not counted",
}
"""Attributes that are no match keys, and why."""

DATE_TIME_PAIRS: dict[str, str] = {
    "00080012": "00080013",  # Instance Creation
    "00080020": "00080030",  # Study
    "00080021": "00080031",  # Series
    "00080022": "00080032",  # Acquisition
    "00080023": "00080033",  # Content
    "00080024": "00080034",  # Overlay
    "00080025": "00080035",  # Curve
    "00100030": "00100032",  # Patient's Birth
    "00181012": "00181014",  # Secondary Capture
    "00181200": "00181201",  # Last Calibration
    "00320032": "00320033",  # Study Verified
    "00320034": "00320035",  # Study Read
    "00321000": "00321001",  # Scheduled Study Start
    "00321010": "00321011",  # Scheduled Study Stop
    "00321040": "00321041",  # Study Arrival
    "00321050": "00321051",  # Study Completion
    "00380020": "00380021",  # Admitting
    "00380030": "00380032",  # Discharge
    "00400002": "00400003",  # Scheduled Procedure Step Start
    "00400004": "00400005",  # Scheduled Procedure Step End
    "00400244": "00400245",  # Performed Procedure Step Start
    "00400250": "00400251",  # Performed Procedure Step End
    "00402004": "00402005",  # Issue of Imaging Service Request
    "00700082": "00700083",  # Presentation Creation
    "30060008": "30060009",  # Structure Set
    "300A0006": "300A0007",  # RT Plan
    "300A022C": "300A022E",  # Source Strength Reference
    "300E0004": "300E0005",  # Review
    "30080024": "30080025",  # Treatment Control Point
    "30080162": "30080164",  # Safe Position Exit
    "30080166": "30080168",  # Safe Position Return
    "30080250": "30080251",  # Treatment
}
"""Date → time attributes that are one moment (Combined Datetime Matching, PS3.18 §8.3.4.1.1)."""

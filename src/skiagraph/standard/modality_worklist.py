"""The modality worklist: Scheduled Procedure Steps that modalities ask for — PS3.4 Annex K, Table K.6-1.

An entry is one step: a data set with one Item in Scheduled Procedure Step Sequence. Its name is the Study Instance UID
together with the Scheduled Procedure Step ID. Data sets are in the DICOM JSON Model; the functions here know neither
clock nor index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import BadRequest
from skiagraph.standard import date_time, dictionary
from skiagraph.standard.kind import Key, Kind
from skiagraph.standard.matching import AnyOf, Condition, Path, Single
from skiagraph.standard.return_table import ReturnTable
from skiagraph.standard.workitem import has_value, value
from skiagraph.values import Attributes, is_uid

SEQUENCE: Final = "00400100"
"""Scheduled Procedure Step Sequence."""
STUDY: Final = "0020000D"
STEP_ID: Final = "00400009"
STATUS: Final = "00400020"
"""Scheduled Procedure Step Status, of the Item."""
STATE: Final = "00741000"
"""Procedure Step State of the entry: not of Annex K, the server's own. It says what became of the step."""

MOST_STEPS: Final = 20
"""Scheduled Procedure Steps in one data set: each becomes an entry with all the rest of it."""

SCHEDULED, IN_PROGRESS, COMPLETED = "SCHEDULED", "IN PROGRESS", "COMPLETED"
STARTED: Final = "STARTED"
"""The Scheduled Procedure Step Status of a step that is being performed (PS3.3 C.4.10)."""


# Table K.6-1 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Table K.6-1."""

    path: Path
    matched: str
    """R: a required matching key, O: an optional one. Every attribute is matched here."""
    returned: str
    """Return type."""


def _rows(*rows: tuple[str, str, str], above: Path = ()) -> tuple[Row, ...]:
    return tuple(Row((*above, tag), matched, returned) for tag, matched, returned in rows)


TABLE: Final = (
    # Scheduled Procedure Step
    *_rows((SEQUENCE, "R", "1")),
    *_rows(
        ("00400001", "R", "1"),  # Scheduled Station AE Title
        ("00400002", "R", "1"),  # Start Date
        ("00400003", "R", "1"),  # Start Time
        ("00080060", "R", "1"),  # Modality
        ("00400006", "R", "2"),  # Scheduled Performing Physician's Name
        ("00400007", "O", "1C"),  # Description; this or the codes
        ("00400010", "O", "2"),  # Station Name
        ("00400011", "O", "2"),  # Location
        ("00400008", "O", "1C"),  # Scheduled Protocol Code Sequence
        ("00400012", "O", "2C"),  # Pre-Medication
        (STEP_ID, "O", "1"),
        ("00321070", "O", "2C"),  # Requested Contrast Agent
        (STATUS, "O", "3"),
        above=(SEQUENCE,),
    ),
    # Requested Procedure
    *_rows(
        ("00401001", "O", "1"),  # Requested Procedure ID
        ("00321060", "O", "1C"),  # Description; this or the codes
        ("00321064", "O", "1C"),  # Requested Procedure Code Sequence
        (STUDY, "O", "1"),
        ("00080020", "O", "3"),  # Study Date
        ("00080030", "O", "3"),  # Study Time
        ("00081110", "O", "2"),  # Referenced Study Sequence
        ("00401003", "O", "2"),  # Requested Procedure Priority
        ("00401004", "O", "2"),  # Patient Transport Arrangements
    ),
    # Imaging Service Request
    *_rows(
        ("00080050", "O", "2"),  # Accession Number
        ("00080051", "O", "3"),  # Issuer of Accession Number Sequence
        ("00321032", "O", "2"),  # Requesting Physician
        ("00080090", "O", "2"),  # Referring Physician's Name
    ),
    # Visit
    *_rows(
        ("00380010", "O", "2"),  # Admission ID
        ("00380014", "O", "3"),  # Issuer of Admission ID Sequence
        ("00380300", "O", "2"),  # Current Patient Location
        ("00081120", "O", "2"),  # Referenced Patient Sequence
    ),
    # Patient
    *_rows(
        ("00100010", "R", "1"),  # Patient's Name
        ("00100020", "R", "1"),  # Patient ID
        ("00100021", "O", "3"),  # Issuer of Patient ID
        ("00101002", "O", "3"),  # Other Patient IDs Sequence
        ("00100030", "O", "2"),  # Patient's Birth Date
        ("00100040", "O", "2"),  # Patient's Sex
        ("00101030", "O", "2"),  # Patient's Weight
        ("00403001", "O", "2"),  # Confidentiality Constraint on Patient Data Description
        ("00380500", "O", "2"),  # Patient State
        ("001021C0", "O", "2"),  # Pregnancy Status
        ("00102000", "O", "2"),  # Medical Alerts
        ("00102110", "O", "2"),  # Allergies
        ("00380050", "O", "2"),  # Special Needs
    ),
)
"""Table K.6-1 but for what is O and 3 throughout, which is all other attributes of the modules."""

RETURNED: Final = ReturnTable(
    frozenset(row.path for row in TABLE if row.returned in ("1", "2") and row.path != (SEQUENCE,)) | {(SEQUENCE,)},
    frozenset(row.path for row in TABLE if row.returned in ("1C", "2C")),
)
"""What a search returns. Scheduled Procedure Step Sequence goes out as it is."""

ENTRY: Final = Kind(
    "Modality Scheduled Procedure Step",
    2,
    (
        Key(1, (STATE,), "CS", few=True),
        Key(2, (SEQUENCE, "00400001"), "AE", few=True),
        Key(3, (SEQUENCE, "00080060"), "CS", few=True),
        Key(4, (SEQUENCE, STATUS), "CS", few=True),
        Key(5, (SEQUENCE, "00400006"), "PN"),
        Key(6, (SEQUENCE, STEP_ID), "SH"),
        Key(7, (SEQUENCE, "00400010"), "SH", few=True),
        Key(8, (STUDY,), "UI"),
        Key(9, ("00100010",), "PN"),
        Key(10, ("00100020",), "LO"),
        Key(11, ("00080050",), "SH"),
        Key(12, ("00401001",), "SH"),
        Key(13, ("00380010",), "LO"),
    ),
    (SEQUENCE, "00400002"),
    (SEQUENCE, "00400003"),
    pivot=1,
)
"""How entries are kept and found; answers are ordered by when the step is to start."""

TO_DO: Final[Condition] = AnyOf((Single((STATE,), "CS", SCHEDULED), Single((STATE,), "CS", IN_PROGRESS)))
"""What a search that does not ask for Procedure Step State is limited to: steps that are not yet performed."""


# Entries ----------------------------------------------------------------------------------------------------------


def name_of(entry: Attributes) -> str:
    """Return what names an entry: its Study Instance UID and Scheduled Procedure Step ID, with a slash between."""
    return name(value(entry, STUDY) or "", value(step_of(entry), STEP_ID) or "")


def name(study_instance_uid: str, step_id: str) -> str:
    """Return what names an entry."""
    return f"{study_instance_uid}/{step_id}"


def step_of(entry: Attributes) -> Attributes:
    """Return the Item of the Scheduled Procedure Step Sequence; an empty one without."""
    return next(_steps(entry), {})


def _steps(data_set: Attributes) -> Iterator[Attributes]:
    for item in (data_set.get(SEQUENCE) or {}).get("Value") or ():
        if isinstance(item, dict):
            yield item


def entries(data_set: Attributes) -> list[Attributes]:
    """Return the entries that a data set makes: one for each of its Scheduled Procedure Steps.

    A worklist answers with one step at a time (PS3.4 K.6.1.2.2), so that is how they are kept.

    Raises
    ------
    BadRequest
        There is no step, or attributes of return type 1 have no value; the details name them all.
    """
    steps = list(_steps(data_set))
    if not 1 <= len(steps) <= MOST_STEPS:
        raise BadRequest(
            f"A worklist entry has 1 to {MOST_STEPS} Items in ScheduledProcedureStepSequence (0040,0100),"
            f" not {len(steps)}."
        )
    found = [with_step(data_set, step) for step in steps]
    faults = dict.fromkeys(fault for entry in found for fault in _faults(entry))
    if faults:
        raise BadRequest("The worklist entry can not be taken.", details=tuple(faults))
    return found


def with_step(entry: Attributes, step: Attributes) -> Attributes:
    """Return an entry with another Item in its Scheduled Procedure Step Sequence."""
    return dict(sorted((entry | {SEQUENCE: {"vr": "SQ", "Value": [dict(sorted(step.items()))]}}).items()))


def in_state(entry: Attributes, state: str, status: str) -> Attributes:
    """Return an entry with another Procedure Step State and Scheduled Procedure Step Status ("": none)."""
    step = {tag: element for tag, element in step_of(entry).items() if tag != STATUS}
    if status:
        step[STATUS] = {"vr": "CS", "Value": [status]}
    return with_step(entry | {STATE: {"vr": "CS", "Value": [state]}}, step)


def _faults(entry: Attributes) -> Iterator[str]:
    for row in TABLE:
        if row.returned == "1":
            data_set = entry if len(row.path) == 1 else step_of(entry)
            element = data_set.get(row.path[-1])
            if row.path != (SEQUENCE,) and not has_value(element):
                yield f"{_named(row.path)} needs a value."
    study = value(entry, STUDY)
    if study is not None and not is_uid(study):
        yield f"{_named((STUDY,))} is no UID: digits and dots, at most 64."
    step_id = value(step_of(entry), STEP_ID) or ""
    if step_id and {"", ".", ".."} & set(step_id.split("/")):
        yield f"{_named((SEQUENCE, STEP_ID))} has slashes or dots with which it can not stand in a URL."
    day, hour = value(step_of(entry), "00400002"), value(step_of(entry), "00400003")
    if day is not None and date_time.date(day) is None:
        yield f"{_named((SEQUENCE, '00400002'))} is no date such as 20260131."
    if hour is not None and date_time.time(hour) is None:
        yield f"{_named((SEQUENCE, '00400003'))} is no time such as 0930 or 093000."


def _named(path: Path) -> str:
    """The name of an attribute for people: its keyword and tag."""
    inside = "".join(f"{dictionary.keyword_of(int(tag, 16))} > " for tag in path[:-1])
    return f"{inside}{dictionary.keyword_of(int(path[-1], 16))} ({path[-1][:4]},{path[-1][4:]})"

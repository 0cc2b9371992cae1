"""Modality Performed Procedure Steps: what one holds, and when it may change — PS3.4 Annex F, Table F.7.2-1.

Data sets are in the DICOM JSON Model. The functions here take what a request brings and what is stored, and return what
is to be stored; they know neither clock nor index.

What the standard leaves to the server, or what real modalities need: missing attributes of Type 2 are added empty;
an update may repeat what can not be changed; what an Item lacks counts only where it is asked for (`strict`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import BadRequest, Conflict
from skiagraph.standard import dictionary
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Path
from skiagraph.standard.workitem import has_value, value
from skiagraph.values import Attributes

SOP_CLASS: Final = "1.2.840.10008.3.1.2.3.3"
"""Modality Performed Procedure Step."""

SOP_CLASS_UID, SOP_INSTANCE_UID = "00080016", "00080018"
STATUS: Final = "00400252"
"""Performed Procedure Step Status."""
SCHEDULED_STEP: Final = "00400270"
"""Scheduled Step Attributes Sequence."""
SERIES: Final = "00400340"
"""Performed Series Sequence."""
IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
STATES: Final = (IN_PROGRESS, COMPLETED, DISCONTINUED)
FINAL: Final = (COMPLETED, DISCONTINUED)

MOST_SCHEDULED: Final = 100
"""Scheduled steps that one performed step can belong to."""

PERFORMED: Final = Kind("Modality Performed Procedure Step", 3, (), ("00400244",), ("00400245",))
"""How performed steps are kept. They are looked up by their UID alone: there is no search for them."""


# Table F.7.2-1 ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Table F.7.2-1."""

    path: Path
    create: str
    """Requirement of N-CREATE, SCU: 1, 2 or 3."""
    set: str
    """Requirement of N-SET, SCU; ``na``: not allowed."""
    final: str = ""
    """R: a value is needed for both final states; P: for COMPLETED; "": none."""


def _rows(*rows: tuple[str, ...], above: Path = ()) -> tuple[Row, ...]:
    return tuple(Row((*above, tag), *rest) for tag, *rest in rows)


TABLE: Final = (
    # Performed Procedure Step Relationship
    *_rows((SCHEDULED_STEP, "1", "na")),
    *_rows(
        ("0020000D", "1", "na"),  # Study Instance UID
        ("00081110", "2", "na"),  # Referenced Study Sequence
        ("00080050", "2", "na"),  # Accession Number
        ("00401001", "2", "na"),  # Requested Procedure ID
        ("00321060", "2", "na"),  # Requested Procedure Description
        ("00400009", "2", "na"),  # Scheduled Procedure Step ID
        ("00400007", "2", "na"),  # Scheduled Procedure Step Description
        ("00400008", "2", "na"),  # Scheduled Protocol Code Sequence
        above=(SCHEDULED_STEP,),
    ),
    *_rows(
        ("00100010", "2", "na"),  # Patient's Name
        ("00100020", "2", "na"),  # Patient ID
        ("00100021", "3", "na"),  # Issuer of Patient ID
        ("00100024", "3", "na"),  # Issuer of Patient ID Qualifiers Sequence
        ("00101002", "3", "na"),  # Other Patient IDs Sequence
        ("00100030", "2", "na"),  # Patient's Birth Date
        ("00100040", "2", "na"),  # Patient's Sex
        ("00081120", "2", "na"),  # Referenced Patient Sequence
        ("00380010", "3", "na"),  # Admission ID
        ("00380014", "3", "na"),  # Issuer of Admission ID Sequence
        ("00380060", "3", "na"),  # Service Episode ID
        ("00380064", "3", "na"),  # Issuer of Service Episode ID Sequence
        ("00380062", "3", "na"),  # Service Episode Description
        # Performed Procedure Step Information
        ("00400253", "1", "na"),  # Performed Procedure Step ID
        ("00400241", "1", "na"),  # Performed Station AE Title
        ("00400242", "2", "na"),  # Performed Station Name
        ("00400243", "2", "na"),  # Performed Location
        ("00400244", "1", "na"),  # Start Date
        ("00400245", "1", "na"),  # Start Time
        (STATUS, "1", "3", "R"),
        ("00400254", "2", "3"),  # Description
        ("00400255", "2", "3"),  # Performed Procedure Type Description
        ("00081032", "2", "3"),  # Procedure Code Sequence
        ("00401012", "3", "3"),  # Reason for Performed Procedure Code Sequence
        ("00400250", "2", "3", "R"),  # End Date
        ("00400251", "2", "3", "R"),  # End Time
        ("00400280", "3", "3"),  # Comments
        ("00400281", "3", "3"),  # Discontinuation Reason Code Sequence
        # Image Acquisition Results
        ("00080060", "1", "na"),  # Modality
        ("00200010", "2", "na"),  # Study ID
        ("00400260", "2", "3"),  # Performed Protocol Code Sequence
        (SERIES, "2", "3", "P"),
    ),
    *_rows(
        ("00081050", "2", "2"),  # Performing Physician's Name
        ("00181030", "1", "1"),  # Protocol Name
        ("00081070", "2", "2"),  # Operators' Name
        ("0020000E", "1", "1", "P"),  # Series Instance UID
        ("0008103E", "2", "2"),  # Series Description
        ("00080054", "2", "2"),  # Retrieve AE Title
        ("00081140", "2", "2"),  # Referenced Image Sequence
        ("00400220", "2", "2"),  # Referenced Non-Image Composite SOP Instance Sequence
        above=(SERIES,),
    ),
)
"""Table F.7.2-1 but for what is 3/3 throughout: all other attributes of the modules, radiation dose among them."""

_TOP: Final = {row.path[0]: row for row in TABLE if len(row.path) == 1}
_ALWAYS: Final = frozenset({(SCHEDULED_STEP, "0020000D")})  # attributes of Items that count anyway


# Create and Update ------------------------------------------------------------------------------------------------


def created(payload: Attributes, uid: str, *, strict: bool) -> tuple[Attributes, bool]:
    """Return the step that a Create request makes, and whether the server had to add to it (F.7.2.1).

    Parameters
    ----------
    payload
        What the request brings.
    uid
        SOP Instance UID of the step.
    strict
        Refuse what lacks attributes of Type 2, and Items that lack attributes, instead of adding or passing over.

    Raises
    ------
    BadRequest
        The details name every attribute that is at fault.
    """
    attributes = _own(payload, uid)
    faults = list(_status_faults(payload))
    modified = False
    for tag, row in _TOP.items():
        if row.create == "1" and not has_value(payload.get(tag)):
            faults.append(f"{_named(row.path)} needs a value.")
        elif row.create == "2" and tag not in payload:
            if strict:
                faults.append(f"{_named(row.path)} is missing (it may be empty).")
            attributes[tag] = {"vr": _vr(tag)}
            modified = True
    if value(payload, STATUS) in FINAL:
        faults.append(f"{_named((STATUS,))} shall be IN PROGRESS in a new step.")
    faults += _item_faults(payload, strict=strict)
    if len((payload.get(SCHEDULED_STEP) or {}).get("Value") or ()) > MOST_SCHEDULED:
        faults.append(f"{_named((SCHEDULED_STEP,))} has more than {MOST_SCHEDULED} Items.")
    if faults:
        raise BadRequest("The performed step can not be created.", details=tuple(dict.fromkeys(faults)))
    return dict(sorted(attributes.items())), modified


def updated(stored: Attributes, payload: Attributes, uid: str, *, strict: bool) -> Attributes:
    """Return the step that an Update request makes of the stored one (F.7.2.2). Sequences are replaced whole.

    Raises
    ------
    BadRequest
        A value is none of those that an attribute takes.
    Conflict
        The step is in a final state, or would get there without what that needs; or the request sets what only Create
        sets. The details name every attribute that is at fault.
    """
    if value(stored, STATUS) in FINAL:
        raise Conflict(f"The performed step is {value(stored, STATUS)} and may no longer be updated.")
    given = _own(payload, uid)
    faults = [*_status_faults(payload), *_item_faults(payload, strict=strict, creating=False)]
    if faults:
        raise BadRequest("The performed step can not be updated.", details=tuple(dict.fromkeys(faults)))
    fixed = [tag for tag in given if tag in _TOP and _TOP[tag].set == "na" and not _same(stored.get(tag), given[tag])]
    if fixed:
        raise Conflict(
            "The request sets what is set when a performed step is created, and never again.",
            details=tuple(f"{_named((tag,))} can not be updated." for tag in fixed),
        )
    attributes = dict(sorted((stored | given).items()))
    state = value(attributes, STATUS)
    if state in FINAL:
        wanted = {"R", "P"} if state == COMPLETED else {"R"}
        missing = [row.path for row in TABLE if row.final in wanted and not _met(attributes, row.path)]
        if missing:
            raise Conflict(
                f"The performed step lacks what it needs to become {state}.",
                details=tuple(f"{_named(path)} needs a value." for path in missing),
            )
    return attributes


def scheduled(attributes: Attributes) -> Iterator[tuple[str, str]]:
    """Yield Study Instance UID and Scheduled Procedure Step ID of the scheduled steps that were performed."""
    for item in (attributes.get(SCHEDULED_STEP) or {}).get("Value") or ():
        if isinstance(item, dict):
            study, step = value(item, "0020000D"), value(item, "00400009")
            if study and step:
                yield study, step


def _own(payload: Attributes, uid: str) -> Attributes:
    """Return the payload as a step of this UID: without elements of groups 0000 and 0002."""
    given = value(payload, SOP_INSTANCE_UID) or value(payload, "00001000")
    if given not in (None, uid):
        raise BadRequest("The SOP Instance UID of the payload is not that of the path.")
    if (value(payload, SOP_CLASS_UID) or SOP_CLASS) != SOP_CLASS:
        raise BadRequest(f"The SOP Class UID of the payload is not that of a performed step ({SOP_CLASS}).")
    found = {tag: element for tag, element in payload.items() if tag[:4] not in ("0000", "0002")}
    found[SOP_CLASS_UID] = {"vr": "UI", "Value": [SOP_CLASS]}
    found[SOP_INSTANCE_UID] = {"vr": "UI", "Value": [uid]}
    return found


def _status_faults(payload: Attributes) -> Iterator[str]:
    if STATUS in payload and value(payload, STATUS) not in STATES:
        yield f"{_named((STATUS,))} is none of {', '.join(STATES)}."


def _item_faults(payload: Attributes, *, strict: bool, creating: bool = True) -> Iterator[str]:
    """Yield what Items lack of attributes of Type 1."""
    for row in TABLE:
        needed = row.create if creating else row.set
        if len(row.path) == 2 and needed == "1" and (strict or row.path in _ALWAYS):
            for item in (payload.get(row.path[0]) or {}).get("Value") or ():
                if not isinstance(item, dict) or not has_value(item.get(row.path[1])):
                    yield f"{_named(row.path)} needs a value."


def _met(attributes: Attributes, path: Path) -> bool:
    element = attributes.get(path[0])
    if len(path) == 1:
        return has_value(element)
    items = [item for item in (element or {}).get("Value") or () if isinstance(item, dict)]
    return all(has_value(item.get(path[1])) for item in items)


def _same(stored: object, given: object) -> bool:
    return stored == given or (not has_value(stored) and not has_value(given))  # type: ignore[arg-type]


def _named(path: Path) -> str:
    """The name of an attribute for people: its keyword and tag."""
    inside = "".join(f"{dictionary.keyword_of(int(tag, 16))} > " for tag in path[:-1])
    return f"{inside}{dictionary.keyword_of(int(path[-1], 16))} ({path[-1][:4]},{path[-1][4:]})"


def _vr(tag: str) -> str:
    return (dictionary.vr_of(int(tag, 16)) or "UN")[:2]

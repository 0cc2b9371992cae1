"""Workitems: what a Unified Procedure Step holds, who sets it, and what it needs — PS3.4 CC.2.5, Table CC.2.5-3.

Data sets are in the DICOM JSON Model. The functions here take what a request brings and what is stored, and return what
is to be stored; they know neither clock nor index.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from skiagraph.errors import BadRequest, Conflict
from skiagraph.standard import date_time, dictionary
from skiagraph.standard.kind import Key, Kind
from skiagraph.standard.matching import Path
from skiagraph.standard.procedure_step import State
from skiagraph.values import Attributes

SOP_CLASS = "1.2.840.10008.5.1.4.34.6.1"
"""Unified Procedure Step - Push: the SOP Class of every Workitem (CC.3.1)."""
GLOBAL_SUBSCRIPTION = "1.2.840.10008.5.1.4.34.5"
FILTERED_SUBSCRIPTION = "1.2.840.10008.5.1.4.34.5.1"
"""Well-known UIDs that stand for all Workitems, and for those that match a filter (CC.2.3.1)."""

SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSACTION_UID = "00080016", "00080018", "00081195"
CHARACTER_SET = "00080005"
STATE, PRIORITY, READINESS = "00741000", "00741200", "00404041"
WORKLIST_LABEL, LABEL = "00741202", "00741204"
START, EXPECTED_COMPLETION, EXPIRATION, MODIFIED = "00404005", "00404011", "00404008", "00404010"
STATION_NAME, HUMAN_PERFORMERS = "00404025", "00404034"
PROGRESS_INFORMATION, PERFORMED = "00741002", "00741216"
PROGRESS, PROGRESS_DESCRIPTION, COMMUNICATIONS = "00741004", "00741006", "00741008"
CANCELLATION_DATE_TIME, CANCELLATION_REASON, DISCONTINUATION_CODE = "00404052", "00741238", "0074100E"
CONTACT_URI, CONTACT_NAME = "0074100A", "0074100C"
_AFFECTED_CLASS, _AFFECTED_INSTANCE = "00000002", "00001000"

_CODES = ("00080100", "00080119", "00080120")  # Code Value, Long Code Value, URN Code Value
_VALUES = {
    PRIORITY: ("HIGH", "MEDIUM", "LOW"),
    READINESS: ("INCOMPLETE", "UNAVAILABLE", "READY"),
    STATE: tuple(State),
}
"""Enumerated Values of PS3.3 C.30."""
_SERVERS_OWN = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, MODIFIED, CHARACTER_SET})
UNSPECIFIED_REASON: Attributes = {
    "00080100": {"vr": "SH", "Value": ["110513"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
}
"""Of PS3.16 CID 9301."""


def _code_keys(first: int, path: Path, *, few: bool = False) -> tuple[Key, ...]:
    codes = (Key(first + i, (*path, tag), "SH" if i == 0 else "UC", few and i == 0) for i, tag in enumerate(_CODES))
    return (*codes, Key(first + 20, (*path, _CODES[0]), "SH", few, beside="00080102"))


WORKITEM = Kind(
    "Workitem",
    1,
    (
        Key(1, (SOP_INSTANCE_UID,), "UI"),
        Key(2, (STATE,), "CS", few=True),
        Key(3, (PRIORITY,), "CS", few=True),
        Key(4, (READINESS,), "CS", few=True),
        Key(5, (WORKLIST_LABEL,), "LO", few=True),
        Key(6, (LABEL,), "LO"),
        Key(7, ("00100010",), "PN"),
        Key(8, ("00100020",), "LO"),
        Key(9, ("00100021",), "LO"),
        Key(10, ("00101002", "00100021"), "LO"),
        Key(11, ("00100030",), "DA"),
        Key(12, ("00100040",), "CS"),
        Key(13, ("00380010",), "LO"),
        Key(14, ("00380014", "00400031"), "UT"),
        Key(15, ("0040A370", "00080050"), "SH"),
        Key(16, ("0040A370", "00401001"), "SH"),
        Key(17, ("0040A370", "00321033"), "LO"),
        Key(18, ("00741224", "00081155"), "UI"),
        Key(19, ("0020000D",), "UI"),
        Key(20, ("0040A370", "0020000D"), "UI"),
        *_code_keys(30, (STATION_NAME,), few=True),
        *_code_keys(33, ("00404026",)),
        *_code_keys(36, ("00404027",)),
        *_code_keys(39, (HUMAN_PERFORMERS, "00404009")),
        *_code_keys(42, ("00404018",), few=True),
    ),
    (START,),
    pivot=2,
)
"""How Workitems are kept and found; answers are ordered by Scheduled Procedure Step Start DateTime."""


# Table CC.2.5-3 ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requirement:
    """A row of Table CC.2.5-3; its macros are expanded."""

    keyword: str
    path: Path
    create: str
    """Requirement of N-CREATE, SCU/SCP, such as ``1/1``; ``na``: not allowed."""
    set: str
    """Requirement of N-SET."""
    final: str
    """R: a value is needed for both final states; P: for COMPLETED; X: for CANCELED; RC: if known; O, "": none."""
    match: str
    """Type of the matching key: R required, U unique, O optional, - none."""
    returned: str
    """Return type of a search."""


@cache
def requirements() -> tuple[Requirement, ...]:
    """Return Table CC.2.5-3 in the standard's order, modules' other attributes (all of them 3/3) left out."""
    found = []
    tags: dict[str, str] = {}
    text = resources.files("skiagraph.standard").joinpath("ups_attributes.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        parent, keyword = row["parent_path"], row["keyword"]
        whole = f"{parent}.{keyword}" if parent else keyword
        tags[whole] = row["tag"]
        names = whole.split(".")
        path = tuple(tags[".".join(names[: i + 1])] for i in range(len(names)))
        found.append(
            Requirement(keyword, path, row["ncreate"], row["nset"], row["final"], row["match_key"], row["return_key"])
        )
    return tuple(found)


@cache
def _top() -> dict[str, Requirement]:
    return {row.path[0]: row for row in requirements() if len(row.path) == 1}


@cache
def returned() -> frozenset[str]:
    """Tags of what a search returns whether asked for or not: return types 1 and 2."""
    return frozenset(row.path[0] for row in requirements() if len(row.path) == 1 and row.returned in ("1", "2"))


@cache
def returned_if_present() -> frozenset[str]:
    """Tags of what a search returns where it has a value: return types 1C and 2C."""
    return frozenset(row.path[0] for row in requirements() if len(row.path) == 1 and row.returned in ("1C", "2C"))


# Create, Update, Change State -------------------------------------------------------------------------------------


def created(payload: Attributes, uid: str, *, now: str, label: str, strict: bool) -> tuple[Attributes, bool]:
    """Return the Workitem that a Create request makes, and whether the server had to modify it (CC.2.5).

    Parameters
    ----------
    payload
        What the request brings.
    uid
        SOP Instance UID of the Workitem.
    now
        Scheduled Procedure Step Modification DateTime.
    label
        Worklist Label where the request leaves it empty.
    strict
        Refuse what lacks Type 2 attributes instead of adding them empty.

    Raises
    ------
    BadRequest
        The message names every attribute that is at fault.
    """
    payload = _without_command(payload)
    faults = list(_faults(payload))
    modified = has_value(payload.get(MODIFIED)) or value(payload, SOP_CLASS_UID) not in (None, SOP_CLASS)
    attributes: Attributes = dict(payload)
    for tag, row in _top().items():
        scu, _, scp = row.create.partition("/")
        empty = not has_value(payload.get(tag))
        if tag in _SERVERS_OWN:
            continue
        if tag in (TRANSACTION_UID, PROGRESS_INFORMATION, PERFORMED) and not empty:
            faults.append(f"{_name(tag)} shall be empty in a new Workitem.")
        elif scu == "1" and empty:
            faults.append(f"{_name(tag)} needs a value.")
        elif scu == "2" and tag not in payload:
            if strict:
                faults.append(f"{_name(tag)} is missing (it may be empty).")
            attributes[tag] = {"vr": _vr(tag)}
            modified = modified or tag != TRANSACTION_UID  # which nobody gets to see
        elif scp == "2" and scu.endswith("C") and tag not in payload:
            attributes[tag] = {"vr": _vr(tag)}  # its condition is the client's to judge
    state = value(payload, STATE)
    if state is not None and state in _VALUES[STATE] and state != State.SCHEDULED:
        faults.append(f"{_name(STATE)} shall be SCHEDULED in a new Workitem.")
    if strict:
        faults += _nested_faults(payload)
    if faults:
        raise BadRequest("The Workitem can not be created.", details=tuple(faults))
    if not has_value(payload.get(WORKLIST_LABEL)):
        attributes[WORKLIST_LABEL] = {"vr": "LO", "Value": [label]}
        modified = True
    for tag in (PROGRESS_INFORMATION, PERFORMED):
        attributes[tag] = {"vr": "SQ"}
    attributes.pop(TRANSACTION_UID, None)
    attributes[SOP_CLASS_UID] = {"vr": "UI", "Value": [SOP_CLASS]}
    attributes[SOP_INSTANCE_UID] = {"vr": "UI", "Value": [uid]}
    attributes[MODIFIED] = {"vr": "DT", "Value": [now]}
    return _sorted(attributes), modified


def updated(stored: Attributes, payload: Attributes, *, now: str, strict: bool) -> tuple[Attributes, bool]:
    """Return the Workitem that an Update request makes of the stored one, and whether the server had to modify it.

    Sequences are replaced whole (CC.2.6).

    Raises
    ------
    BadRequest
        The message names every attribute that is at fault.
    """
    payload = _without_command(payload)
    faults = list(_faults(payload))
    attributes = dict(stored)
    for tag, element in payload.items():
        if tag in (TRANSACTION_UID, MODIFIED, CHARACTER_SET):
            continue
        if tag in (SOP_CLASS_UID, SOP_INSTANCE_UID):
            if value(payload, tag) not in (None, value(stored, tag)):
                faults.append(f"{_name(tag)} can not be changed.")
            continue
        row = _top().get(tag)
        if row is not None and row.set == "na":
            hint = " Use Change State." if tag == STATE else ""
            faults.append(f"{_name(tag)} can not be updated.{hint}")
            continue
        if row is not None and row.set.endswith("/1") and not has_value(element):
            faults.append(f"{_name(tag)} can not be emptied.")
        attributes[tag] = element
    if strict:
        faults += _nested_faults(payload)
    if faults:
        raise BadRequest("The Workitem can not be updated.", details=tuple(faults))
    attributes[MODIFIED] = {"vr": "DT", "Value": [now]}
    return _sorted(attributes), has_value(payload.get(MODIFIED))


def in_state(stored: Attributes, state: State, *, now: str) -> Attributes:
    """Return the Workitem in another state; nothing is checked.

    On CANCELED the Procedure Step Cancellation DateTime is filled in, and a reason where there is none (CC.2.1.3).
    """
    attributes = dict(stored)
    attributes[STATE] = {"vr": "CS", "Value": [str(state)]}
    if state is State.CANCELED:
        given = [one for one in (stored.get(PROGRESS_INFORMATION) or {}).get("Value") or () if isinstance(one, dict)]
        attributes[PROGRESS_INFORMATION] = {"vr": "SQ", "Value": [_canceled(one, now) for one in given or [{}]]}
    return _sorted(attributes)


def _canceled(progress: Attributes, now: str) -> Attributes:
    """Return an Item of Procedure Step Progress Information Sequence with what CANCELED needs."""
    progress = dict(progress)
    if not has_value(progress.get(CANCELLATION_DATE_TIME)):
        progress[CANCELLATION_DATE_TIME] = {"vr": "DT", "Value": [now]}
    if not has_value(progress.get(DISCONTINUATION_CODE)):
        progress[DISCONTINUATION_CODE] = {"vr": "SQ", "Value": [UNSPECIFIED_REASON]}
    return _sorted(progress)


def check_final(attributes: Attributes, state: State) -> None:
    """Hold a Workitem against the requirements of a final state (CC.2.5.1.1).

    Raises
    ------
    Conflict
        The details name what is missing.
    """
    missing = [
        _name(*row.path)
        for row in _needed(state)
        if not _met(attributes, row.path, may_be_empty=row.path[-1] == "00404033")
    ]
    if missing:
        raise Conflict(
            f"The Workitem lacks what it needs to become {state}.",
            details=tuple(f"{name} is missing." for name in missing),
        )


@cache
def _needed(state: State) -> tuple[Requirement, ...]:
    wanted = ("R", "P") if state is State.COMPLETED else ("R", "X")
    return tuple(row for row in requirements() if row.final in wanted)


def _met(attributes: Attributes, path: Path, *, may_be_empty: bool) -> bool:
    element = attributes.get(path[0])
    if len(path) == 1:
        return element is not None if may_be_empty else has_value(element)
    items = [one for one in (element or {}).get("Value") or () if isinstance(one, dict)]
    return bool(items) and all(_met(one, path[1:], may_be_empty=may_be_empty) for one in items)


# Parts of a data set ----------------------------------------------------------------------------------------------


def has_value(element: dict[str, Any] | None) -> bool:
    """Whether an element of the DICOM JSON Model has a value; a Sequence an Item."""
    if element is None:
        return False
    return any(one not in (None, "") for one in element.get("Value") or ()) or bool(element.get("InlineBinary"))


def value(attributes: Attributes, tag: str) -> str | None:
    """Return the first value of an attribute as text, without padding; None without."""
    for one in (attributes.get(tag) or {}).get("Value") or ():
        if one not in (None, ""):
            return str(one).strip(" \0")
    return None


def item(attributes: Attributes, tag: str) -> Attributes:
    """Return the first Item of a Sequence; an empty one without."""
    for one in (attributes.get(tag) or {}).get("Value") or ():
        if isinstance(one, dict):
            return one
    return {}


def _without_command(payload: Attributes) -> Attributes:
    """Leave out the elements of groups 0000 and 0002, which name the Instance and are no part of it."""
    return {tag: element for tag, element in payload.items() if tag[:4] not in ("0000", "0002")}


def uid_in(payload: Attributes) -> str | None:
    """Return the UID that a Create payload gives its Workitem; None without.

    Raises
    ------
    BadRequest
        It gives two different ones.
    """
    found = {uid for tag in (SOP_INSTANCE_UID, _AFFECTED_INSTANCE) if (uid := value(payload, tag)) is not None}
    if len(found) > 1:
        raise BadRequest("SOP Instance UID and Affected SOP Instance UID of the Workitem differ.")
    return found.pop() if found else None


def _faults(payload: Attributes) -> Iterator[str]:
    """Yield what no Workitem may hold: values outside their enumerations, broken date-times, another SOP Class."""
    for tag in _top().keys() & payload.keys():
        known = dictionary.vr_of(int(tag, 16))  # of the newest attributes of the table it is not known
        if known is not None and payload[tag].get("vr") not in known.split(" or "):
            yield f"{_name(tag)} has a value that is not one of VR {_vr(tag)}."
    for tag in (*_VALUES, START, EXPECTED_COMPLETION, EXPIRATION, SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSACTION_UID):
        if len(payload.get(tag, {}).get("Value") or ()) > 1:
            yield f"{_name(tag)} has several values; it takes one."
    for tag, allowed in _VALUES.items():
        given = value(payload, tag)
        if given is not None and given not in allowed:
            yield f"{_name(tag)} is none of {', '.join(allowed)}."
    for tag in (START, EXPECTED_COMPLETION, EXPIRATION):
        given = value(payload, tag)
        if given is not None and date_time.date_time(given) is None:
            yield f"{_name(tag)} is no date-time such as 20260131093000 or 20260131093000+0100."
    sop_class = value(payload, SOP_CLASS_UID) or value(payload, _AFFECTED_CLASS)
    if sop_class is not None and not sop_class.startswith("1.2.840.10008.5.1.4.34.6."):
        yield f"{_name(SOP_CLASS_UID)} is not that of a Unified Procedure Step ({SOP_CLASS})."


def _nested_faults(payload: Attributes) -> list[str]:
    """What Items lack of Type 1 attributes."""
    found: dict[str, None] = {}
    for row in requirements():
        if len(row.path) > 1 and row.create.startswith("1/") and row.path[0] in payload:
            for one in _items(payload, row.path[:-1]):
                if not has_value(one.get(row.path[-1])):
                    found[f"{_name(*row.path)} needs a value."] = None
    return list(found)


def _items(attributes: Attributes, path: Path) -> Iterator[Attributes]:
    for one in (attributes.get(path[0]) or {}).get("Value") or ():
        if isinstance(one, dict):
            if len(path) == 1:
                yield one
            else:
                yield from _items(one, path[1:])


def _name(*path: str) -> str:
    """The name of an attribute for people: its keyword and tag."""
    inside = "".join(f"{_keyword(path[: end + 1])} > " for end in range(len(path) - 1))
    return f"{inside}{_keyword(path)} ({path[-1][:4]},{path[-1][4:]})"


@cache
def _keywords() -> dict[Path, str]:
    return {row.path: row.keyword for row in requirements()}


def _keyword(path: Path) -> str:
    return _keywords().get(path) or dictionary.keyword_of(int(path[-1], 16)) or "attribute"


def _vr(tag: str) -> str:
    return (dictionary.vr_of(int(tag, 16)) or "SQ")[:2]


def _sorted(attributes: Attributes) -> Attributes:
    return dict(sorted(attributes.items()))

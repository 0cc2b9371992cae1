"""UPS event reports — PS3.4 CC.2.4, Table CC.2.4-1; the JSON object of PS3.18 §8.10.5 and §11.13.

A report is kept without its Message ID, which counts the reports of one connection; `framed` puts it in.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import orjson

from skiagraph.standard import workitem
from skiagraph.standard.workitem import (
    CANCELLATION_REASON,
    COMMUNICATIONS,
    CONTACT_NAME,
    CONTACT_URI,
    DISCONTINUATION_CODE,
    HUMAN_PERFORMERS,
    PROGRESS,
    PROGRESS_DESCRIPTION,
    PROGRESS_INFORMATION,
    READINESS,
    SOP_CLASS,
    STATE,
    STATION_NAME,
    has_value,
)
from skiagraph.values import Attributes

MOST_MESSAGES = 0xFFFF
"""Message ID is an unsigned 16-bit number; after this one it starts again at 1."""

MOST_BYTES = 64 * 1024
"""Of a report without its Message ID: it may go to a thousand subscribers at once."""
_LONGEST = MOST_BYTES // 8

_CLASS = b'{"00000002":{"vr":"UI","Value":["' + SOP_CLASS.encode() + b'"]},'
_PERFORMER_CODE, _PERFORMER_ORGANIZATION = "00404009", "00404036"
_REQUESTING_AE = "00741236"
_SCP_STATUS, _SUBSCRIPTION_LIST_STATUS, _UPS_LIST_STATUS = "00741242", "00741244", "00741246"


class EventType(enum.IntEnum):
    """Event Type ID (0000,1002)."""

    STATE = 1
    CANCEL_REQUESTED = 2
    PROGRESS = 3
    SCP_STATUS = 4
    ASSIGNED = 5


def framed(report: bytes, message_id: int) -> bytes:
    """Return the text frame of a report: its JSON object with the Message ID (0000,0110)."""
    return b'%b"00000110":{"vr":"US","Value":[%d]},%b' % (_CLASS, message_id, report[len(_CLASS) :])


def state_report(uid: str, attributes: Attributes) -> bytes:
    """UPS State Report: created, changed state, changed Input Readiness State, or the first one of a subscription."""
    progress = workitem.item(attributes, PROGRESS_INFORMATION)
    reasons = {
        tag: progress[tag] for tag in (CANCELLATION_REASON, DISCONTINUATION_CODE) if has_value(progress.get(tag))
    }
    wanted = {tag: attributes.get(tag, {"vr": "CS"}) for tag in (READINESS, STATE)}
    return _report(uid, EventType.STATE, wanted | reasons)


def cancel_requested(uid: str, payload: Attributes, requesting_ae: str) -> bytes:
    """UPS Cancel Requested: with what the request says of its reason and of whom to contact."""
    said = {
        tag: payload[tag]
        for tag in (CANCELLATION_REASON, DISCONTINUATION_CODE, CONTACT_URI, CONTACT_NAME)
        if has_value(payload.get(tag))
    }
    return _report(uid, EventType.CANCEL_REQUESTED, said | {_REQUESTING_AE: {"vr": "AE", "Value": [requesting_ae]}})


def progress_report(uid: str, attributes: Attributes) -> bytes:
    """UPS Progress Report: the whole current sequence, but for what is of cancellation."""
    return _report(uid, EventType.PROGRESS, {PROGRESS_INFORMATION: attributes.get(PROGRESS_INFORMATION, {"vr": "SQ"})})


def assigned(uid: str, attributes: Attributes) -> Iterator[bytes]:
    """UPS Assigned: one report for each human performer, whose attributes stand at the top level.

    Where none is named there is one report all the same: of the station, or that the step is assigned to nobody.
    """
    station = {STATION_NAME: attributes[STATION_NAME]} if has_value(attributes.get(STATION_NAME)) else {}
    performers = [
        {tag: one[tag] for tag in (_PERFORMER_CODE, _PERFORMER_ORGANIZATION) if has_value(one.get(tag))}
        for one in attributes.get(HUMAN_PERFORMERS, {}).get("Value") or ()
        if isinstance(one, dict)
    ]
    for performer in [one for one in performers if one] or [{}]:
        yield _report(uid, EventType.ASSIGNED, station | performer)


def scp_status(uid: str, *, restarted: bool, subscriptions: bool = True, workitems: bool = True) -> bytes:
    """SCP Status Change: RESTARTED with what became of the lists, or GOING DOWN.

    Parameters
    ----------
    uid
        Well-known UID of the subscription.
    subscriptions, workitems
        The list is that of before; else it is empty.
    """
    said: Attributes = {_SCP_STATUS: {"vr": "CS", "Value": ["RESTARTED" if restarted else "GOING DOWN"]}}
    if restarted:
        for tag, kept in ((_SUBSCRIPTION_LIST_STATUS, subscriptions), (_UPS_LIST_STATUS, workitems)):
            said[tag] = {"vr": "CS", "Value": ["WARM START" if kept else "COLD START"]}
    return _report(uid, EventType.SCP_STATUS, said)


def reports(uid: str, before: Attributes | None, after: Attributes) -> list[bytes]:
    """Return the reports that a change of a Workitem calls for (CC.2.4.3). `before` is None for a new one."""
    found = []
    if before is None or _differ(before, after, STATE) or _differ(before, after, READINESS):
        found.append(state_report(uid, after))
    if before is not None and _progress(before) != _progress(after):
        found.append(progress_report(uid, after))
    if any(_differ(before or {}, after, tag) for tag in (STATION_NAME, HUMAN_PERFORMERS)):
        found += assigned(uid, after)
    return found


def _differ(before: Attributes, after: Attributes, tag: str) -> bool:
    return (before.get(tag) or {}).get("Value") != (after.get(tag) or {}).get("Value")


def _progress(attributes: Attributes) -> tuple[object, ...]:
    progress = workitem.item(attributes, PROGRESS_INFORMATION)
    return tuple(
        (progress.get(tag) or {}).get("Value") or None for tag in (PROGRESS, PROGRESS_DESCRIPTION, COMMUNICATIONS)
    )


def _report(uid: str, event_type: EventType, attributes: Attributes) -> bytes:
    """Return a report; of one that would be too long the long attributes are left out: the Workitem has them."""
    members = {
        "00001000": {"vr": "UI", "Value": [uid]},
        "00001002": {"vr": "US", "Value": [int(event_type)]},
        **attributes,
    }
    text = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    if len(text) > MOST_BYTES - len(_CLASS):
        few = {tag: element for tag, element in members.items() if len(orjson.dumps(element)) < _LONGEST}
        text = orjson.dumps(few, option=orjson.OPT_SORT_KEYS)
    return _CLASS + text[1:]

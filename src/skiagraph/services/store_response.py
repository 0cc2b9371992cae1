"""The Store Instances Response Module (PS3.18 Annex I) and the status of the whole (Table 10.5.3-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skiagraph.errors import CODES, StorageFull, Unavailable
from skiagraph.values import Attributes, ResourcePath

COERCED = 0xB000
"""Warning Reason: coercion of data elements (also: what was stored before stays)."""
DISCARDED = 0xB006
DOES_NOT_MATCH = 0xB007
"""Warning Reason: the data set does not match its SOP Class, or is invalid in other ways; stored all the same."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One Instance that is stored (now or before)."""

    path: ResourcePath
    sop_class_uid: str
    warning: int | None = None
    comments: tuple[str, ...] = ()
    original: Attributes | None = None
    """Item of Original Attributes Sequence, where values were changed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """One part of the request that was not stored."""

    reason: int
    """Failure Reason (0008,1197), Table I.2-2."""
    comment: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    tags: tuple[str, ...] = ()
    """Attributes at fault."""
    full: bool = False
    """The storage is full, which is not the fault of the Instance."""
    busy: bool = False
    """Nor is it that the server was not able to store it at the moment."""


def status(results: Sequence[Stored | Failed]) -> int:
    """Return the status of the response: 200, 202, 409; 503 or 507 when it may be tried again as it is.

    What is beyond a limit of this server will be so again: 409, although its Failure Reason is that of a full storage.
    """
    failed = [result for result in results if isinstance(result, Failed)]
    if not failed:
        return 202 if any(result.warning for result in results if isinstance(result, Stored)) else 200
    if len(failed) < len(results):
        return 202
    if all(failure.full or failure.busy for failure in failed):
        return CODES[StorageFull if any(failure.full for failure in failed) else Unavailable].http
    return 409


def module(results: Sequence[Stored | Failed], base_url: str) -> Attributes:
    """Return the response data set; URLs start with the Base URI (Table I.1-1)."""
    studies = {result.path.study_instance_uid for result in results if isinstance(result, Stored)}
    data: Attributes = {"00081190": {"vr": "UR"}}
    if len(studies) == 1:
        data["00081190"]["Value"] = [f"{base_url}/studies/{studies.pop()}"]
    failed = [_failed_item(result) for result in results if isinstance(result, Failed) and result.sop_instance_uid]
    stored = [_stored_item(result, base_url) for result in results if isinstance(result, Stored)]
    others = [_reason(result) for result in results if isinstance(result, Failed) and not result.sop_instance_uid]
    # Tag order: (0008,1198) failed, (0008,1199) stored, (0008,119A) what can not be tied to an Instance.
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            data[tag] = {"vr": "SQ", "Value": items}
    return data


def _stored_item(result: Stored, base_url: str) -> Attributes:
    item: Attributes = {}
    if result.warning is not None and result.comments:
        item["00000902"] = {"vr": "LO", "Value": list(result.comments)}
    item["00081150"] = {"vr": "UI", "Value": [result.sop_class_uid]}
    item["00081155"] = {"vr": "UI", "Value": [result.path.sop_instance_uid]}
    item["00081190"] = {"vr": "UR", "Value": [f"{base_url}/{result.path}"]}
    if result.warning is not None:
        item["00081196"] = {"vr": "US", "Value": [result.warning]}
    if result.original is not None:
        item["04000561"] = {"vr": "SQ", "Value": [result.original]}
    return item


def _failed_item(result: Failed) -> Attributes:
    item = _reason(result)
    item["00081150"] = {"vr": "UI", "Value": [result.sop_class_uid]} if result.sop_class_uid else {"vr": "UI"}
    item["00081155"] = {"vr": "UI", "Value": [result.sop_instance_uid]}
    return dict(sorted(item.items()))


def _reason(result: Failed) -> Attributes:
    """Failure Reason, and why in words: clients print what they get, so they get the sentence."""
    fault: Attributes = {"00000902": {"vr": "LO", "Value": [result.comment]}}
    if result.tags:
        fault["00720026"] = {"vr": "AT", "Value": list(result.tags)}
    return {
        "00000902": {"vr": "LO", "Value": [result.comment]},
        "00081197": {"vr": "US", "Value": [result.reason]},
        "00741048": {"vr": "SQ", "Value": [fault]},
    }

"""Storage Commitment: the request and response modules — PS3.18 Annex J, PS3.3 C.14.1.1, PS3.4 J.3.

References come flat, or in the tree of Study, Series and SOP Class, and are answered in the form in which they came;
a request may have both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.kind import Kind
from skiagraph.values import Attributes, is_uid

COMMITMENT_REQUEST: Final = Kind("commitment request", 4, (), ("00080012",))
"""Requests by their Transaction UID. Nobody searches for them."""

FLAT, TREE = "00081199", "00081110"
"""Referenced SOP Sequence and Referenced Study Sequence: what a request has, and the committed ones of a response."""

_FAILED_FLAT, _FAILED_TREE = "00081198", "0008119B"
_SERIES, _BY_CLASS, _INSTANCES = "00081115", "00081112", "0008114A"
_STUDY_UID, _SERIES_UID, _CLASS_UID, _INSTANCE_UID = "0020000D", "0020000E", "00081150", "00081155"
_REASON = "00081197"


class Reason(enum.IntEnum):
    """Why an Instance is not committed: Failure Reason (0008,1197)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    RESOURCE_LIMITATION = 0x0213


@dataclass(frozen=True, slots=True)
class Reference:
    """An Instance for which commitment is asked; with Study and Series in the form of a tree."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None


def references(request: Attributes) -> list[Reference]:
    """Return what a request module (Table J.1-1) names, each once, in its order.

    Raises
    ------
    CannotUnderstand
        It names nothing, or something is missing or is no UID; the message says where.
    """
    found: list[Reference] = []
    if FLAT in request:
        for item, place in _items(request, FLAT, ""):
            found.append(Reference(_uid(item, _CLASS_UID, place), _uid(item, _INSTANCE_UID, place)))
    if TREE in request:
        found += _tree(request)
    if not found:
        raise CannotUnderstand(
            "There is neither a Referenced SOP Sequence (0008,1199) nor a Referenced Study Sequence (0008,1110)."
        )
    return list(dict.fromkeys(found))


def _tree(request: Attributes) -> Iterator[Reference]:
    for study, in_study in _items(request, TREE, ""):
        study_uid = _uid(study, _STUDY_UID, in_study)
        for series, in_series in _items(study, _SERIES, in_study):
            series_uid = _uid(series, _SERIES_UID, in_series)
            for by_class, in_class in _items(series, _BY_CLASS, in_series):
                class_uid = _uid(by_class, _CLASS_UID, in_class)
                for instance, place in _items(by_class, _INSTANCES, in_class):
                    yield Reference(class_uid, _uid(instance, _INSTANCE_UID, place), study_uid, series_uid)


def _items(data_set: Attributes, tag: str, where: str) -> Iterator[tuple[Attributes, str]]:
    """Yield the Items of a Sequence of Type 1, and where each is."""
    place = f"{where}({tag[:4]},{tag[4:]})"
    element = data_set.get(tag, {})
    items = element.get("Value") if element.get("vr") == "SQ" else None
    if not items:
        raise CannotUnderstand(f"{place} has no Items; at least one is needed.")
    for number, item in enumerate(items, 1):
        yield item, f"{place}[{number}]."


def _uid(item: Attributes, tag: str, where: str) -> str:
    values: list[Any] = item.get(tag, {}).get("Value") or [None]
    if len(values) != 1 or not isinstance(values[0], str) or not is_uid(values[0]):
        raise CannotUnderstand(f"{where}({tag[:4]},{tag[4:]}) is not one UID: digits and dots, at most 64.")
    return values[0]


def response(asked: Sequence[Reference], reasons: Sequence[int]) -> Attributes:
    """Return the response module (Table J.2-1): each reference in one of the lists, in the form in which it came.

    Parameters
    ----------
    reasons
        Failure Reason of each reference; 0: it is committed.
    """
    made: Attributes = {}
    together = list(zip(asked, reasons, strict=True))
    for committed, flat_tag, tree_tag in (
        (True, FLAT, TREE),
        (False, _FAILED_FLAT, _FAILED_TREE),
    ):
        some = [(reference, reason) for reference, reason in together if (reason == 0) is committed]
        flat = [_item(*pair, with_class=True) for pair in some if pair[0].study_instance_uid is None]
        tree = [pair for pair in some if pair[0].study_instance_uid is not None]
        if flat:
            made[flat_tag] = _sequence(flat)
        if tree:
            made[tree_tag] = _sequence(_studies(tree))
    return dict(sorted(made.items()))


def _studies(some: Iterable[tuple[Reference, int]]) -> list[Attributes]:
    studies: dict[str | None, dict[str | None, dict[str, list[Attributes]]]] = {}
    for reference, reason in some:
        series = studies.setdefault(reference.study_instance_uid, {})
        classes = series.setdefault(reference.series_instance_uid, {})
        classes.setdefault(reference.sop_class_uid, []).append(_item(reference, reason, with_class=False))
    return [
        {
            _SERIES: _sequence(
                {
                    _BY_CLASS: _sequence(
                        {_INSTANCES: _sequence(instances), _CLASS_UID: _ui(class_uid)}
                        for class_uid, instances in classes.items()
                    ),
                    _SERIES_UID: _ui(series_uid),
                }
                for series_uid, classes in series.items()
            ),
            _STUDY_UID: _ui(study_uid),
        }
        for study_uid, series in studies.items()
    ]


def _item(reference: Reference, reason: int, *, with_class: bool) -> Attributes:
    item: Attributes = {_CLASS_UID: _ui(reference.sop_class_uid)} if with_class else {}
    item[_INSTANCE_UID] = _ui(reference.sop_instance_uid)
    if reason:
        item[_REASON] = {"vr": "US", "Value": [int(reason)]}
    return item


def _sequence(items: Iterable[Attributes]) -> dict[str, Any]:
    # Tags ascend, as everywhere: (0008,114A) stands before (0008,1150), and that before (0008,1155)
    return {"vr": "SQ", "Value": [dict(sorted(item.items())) for item in items]}


def _ui(uid: str | None) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}

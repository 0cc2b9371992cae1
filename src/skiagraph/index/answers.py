"""Answers of a search, encoded: the tables of PS3.18 §10.6.3.3 as pieces that are joined when they are read.

Each row of the index keeps its pieces of DICOM JSON, separated by NUL (which JSON never holds). What changes with
every Instance stored (counts, modalities) and what the request decides (Retrieve URL) comes in between, in tag order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from skiagraph.standard import dicom_json
from skiagraph.standard.attributes import REQUEST_ATTRIBUTES_KEYS, RETURN_KEYS, ReturnKey
from skiagraph.values import Attributes, Level

RETRIEVE_URL = "00081190"
REQUEST_ATTRIBUTES = "00400275"

_KEYS: dict[Level, dict[str, ReturnKey]] = {
    level: {key.tag: key for key in keys} for level, keys in RETURN_KEYS.items()
}
_EXPLICIT_LE = "1.2.840.10008.1.2.1"
_NEVER_SENT = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"})  # Implicit VR, Explicit VR Big Endian
_NATIVE = _NEVER_SENT | {_EXPLICIT_LE, "1.2.840.10008.1.2.1.99"}

_ONLINE = b'"00080056":{"vr":"CS","Value":["ONLINE"]},'


def study_answer(attributes: Attributes) -> bytes:
    """Encode what `study` needs of the attributes of a Study."""
    return b"\0".join(
        (
            _head(Level.STUDY, attributes, "00080020", "00080030", "00080050"),
            _head(Level.STUDY, attributes, "00080090"),
            _head(Level.STUDY, attributes, "00080201"),
            _tail(Level.STUDY, attributes, "00100010", "00100020", "00100030", "00100040"),
            _tail(Level.STUDY, attributes, "00200010"),
        )
    )


def series_answer(attributes: Attributes) -> bytes:
    """Encode what `series` needs of the attributes of a Series."""
    requests = attributes.get(REQUEST_ATTRIBUTES)
    if requests is not None:
        attributes = attributes | {REQUEST_ATTRIBUTES: _requests(requests)}
    return b"\0".join(
        (
            _head(Level.SERIES, attributes, "00080060"),
            _head(Level.SERIES, attributes, "00080201"),
            _head(Level.SERIES, attributes, "0008103E"),
            _tail(Level.SERIES, attributes, "00200011"),
            _tail(Level.SERIES, attributes, "00400244", "00400245", REQUEST_ATTRIBUTES),
        )
    )


def instance_answer(attributes: Attributes, transfer_syntax_uid: str) -> bytes:
    """Encode what `instance` needs of the attributes of an Instance."""
    syntaxes = {"00083002": available_transfer_syntaxes(transfer_syntax_uid)}
    return b"\0".join(
        (
            _head(Level.INSTANCE, attributes, "00080016", "00080018"),
            _head(Level.INSTANCE, attributes, "00080201"),
            _tail(Level.INSTANCE, syntaxes, "00083002"),
            _tail(Level.INSTANCE, attributes, "00200013"),
            _tail(Level.INSTANCE, attributes, "00280008", "00280010", "00280011", "00280100"),
        )
    )


def available_transfer_syntaxes(stored: str) -> dict[str, Any]:
    """Return Available Transfer Syntax UID (0008,3002): lossless delivery is assured in these, preferred first."""
    uids = [] if stored in _NEVER_SENT else [stored]
    if stored in _NATIVE and stored != _EXPLICIT_LE:
        uids.insert(0, _EXPLICIT_LE)
    return {"vr": "UI", "Value": uids}


def study(uid: str, answer: bytes, modalities: str, series: int, instances: int) -> tuple[bytes, bytes]:
    """Return the answer of a Study before and behind the Retrieve URL (Table 10.6.3-3)."""
    identity, physician, zone, patient, study_id = answer.split(b"\0")
    before = b"".join((b"{", identity, _ONLINE, _modalities(modalities), physician, zone))
    after = b"".join((patient, _uid(b"0020000D", uid), study_id, _study_counts(series, instances), b"}"))
    return before, after


def series(
    uids: bytes, answer: bytes, instances: int, study: tuple[bytes, str, int, int] | None
) -> tuple[bytes, bytes]:
    """Return the answer of a Series (Table 10.6.3-4), with the table of its Study when that is given.

    `uids`: of `series_uids`. `study` is answer, modalities, number of Series and number of Instances of the Study.
    """
    modality, zone, description, number, procedure = answer.split(b"\0")
    count = b',"00201209":{"vr":"IS","Value":[%d]}' % instances
    if study is None:
        return b"".join((b"{", modality, zone, description)), b"".join((uids, number, count, procedure, b"}"))
    identity, physician, study_zone, patient, study_id = study[0].split(b"\0")
    before = (
        b"{", identity, _ONLINE, modality, _modalities(study[1]), physician, zone or study_zone, description,
    )  # fmt: skip
    after = (patient, uids, study_id, number, _study_counts(study[2], study[3]), count, procedure, b"}")
    return b"".join(before), b"".join(after)


def instance(
    uids: bytes, answer: bytes, series: tuple[bytes, int] | None, study: tuple[bytes, str, int, int] | None
) -> tuple[bytes, bytes]:
    """Return the answer of an Instance (Table 10.6.3-5), with the tables of Series and Study when they are given.

    `uids`: of `series_uids`. `series` is answer and number of Instances; `study` as in `series`.
    """
    identity, zone, syntaxes, number, image = answer.split(b"\0")
    if series is None and study is None:
        return b"".join((b"{", identity, _ONLINE, zone)), b"".join((syntaxes, uids, number, image, b"}"))
    none = (b"",) * 5
    modality, series_zone, description, series_number, procedure = series[0].split(b"\0") if series else none
    study_identity, physician, study_zone, patient, study_id = study[0].split(b"\0") if study else none
    before = (
        b"{",
        identity,
        study_identity,
        _ONLINE,
        modality,
        _modalities(study[1]) if study else b"",
        physician,
        zone or series_zone or study_zone,
        description,
    )
    after = (
        syntaxes,
        patient,
        uids,
        study_id,
        series_number,
        number,
        _study_counts(study[2], study[3]) if study else b"",
        b',"00201209":{"vr":"IS","Value":[%d]}' % series[1] if series else b"",
        image,
        procedure,
        b"}",
    )
    return b"".join(before), b"".join(after)


def series_uids(study_uid: str, series_uid: str) -> bytes:
    """Encode the UIDs that Series and Instances are returned with."""
    return _uid(b"0020000D", study_uid) + _uid(b"0020000E", series_uid)


def extend(answer: tuple[bytes, bytes], more: Attributes) -> tuple[bytes, bytes]:
    """Return an answer with more attributes, or others, in tag order."""
    before, after = answer
    merged = orjson.loads(before + after[1:]) | more
    merged.pop(RETRIEVE_URL, None)
    tags = sorted(merged)
    head = {tag: merged[tag] for tag in tags if tag < RETRIEVE_URL}
    tail = {tag: merged[tag] for tag in tags if tag > RETRIEVE_URL}
    return dicom_json.encode(head)[:-1] + b",", b"," + dicom_json.encode(tail)[1:]


def without_bulk(attributes: Attributes) -> Attributes:
    """Return a copy of a data set that leaves bulk data out, at any depth.

    BulkDataURI are relative to an Instance, which the result of a search need not be. Without it an element would
    say that it has no value.
    """
    found: Attributes = {}
    order = [(attributes, found)]
    for source, target in order:
        for tag, element in source.items():
            if "BulkDataURI" in element:
                continue
            if element["vr"] == "SQ" and "Value" in element:
                items: list[Attributes] = [{} for _ in element["Value"]]
                order.extend(zip(element["Value"], items, strict=True))
                target[tag] = {"vr": "SQ", "Value": items}
            else:
                target[tag] = element
    return found


def _head(level: Level, attributes: Attributes, *tags: str) -> bytes:
    """Encode attributes that stand before the Retrieve URL: with a comma behind."""
    piece = _piece(level, attributes, tags)
    return piece + b"," if piece else b""


def _tail(level: Level, attributes: Attributes, *tags: str) -> bytes:
    """Encode attributes that stand behind the Retrieve URL: with a comma before."""
    piece = _piece(level, attributes, tags)
    return b"," + piece if piece else b""


def _piece(level: Level, attributes: Attributes, tags: Iterable[str]) -> bytes:
    """Encode the attributes that are returned: required ones always, conditional ones with a value."""
    found: Attributes = {}
    for tag in tags:
        element = attributes.get(tag)
        if element is not None and ("Value" in element or "InlineBinary" in element):
            found[tag] = element if element["vr"] != "SQ" else without_bulk({tag: element})[tag]
        elif _KEYS[level][tag].type != "C":
            found[tag] = {"vr": _KEYS[level][tag].vr}
    return dicom_json.encode(found)[1:-1]


def _requests(element: dict[str, Any]) -> dict[str, Any]:
    """Reduce Request Attributes Sequence to the keys that the table names."""
    items = [item for item in element.get("Value", ()) if isinstance(item, dict)]
    if not items:
        return {"vr": "SQ"}
    return {
        "vr": "SQ",
        "Value": [{key.tag: item.get(key.tag, {"vr": key.vr}) for key in REQUEST_ATTRIBUTES_KEYS} for item in items],
    }


def _uid(tag: bytes, uid: str) -> bytes:
    return b',"%b":{"vr":"UI","Value":["%b"]}' % (tag, uid.encode())


def _modalities(modalities: str) -> bytes:
    if modalities == "[]":
        return b'"00080061":{"vr":"CS"},'
    return b'"00080061":{"vr":"CS","Value":%b},' % modalities.encode()


def _study_counts(series: int, instances: int) -> bytes:
    return b',"00201206":{"vr":"IS","Value":[%d]},"00201208":{"vr":"IS","Value":[%d]}' % (series, instances)

"""Take the identity out of a data set — PS3.15 Annex E.2, Basic Application Level Confidentiality Profile.

`Deidentifier` says what becomes of each element while `explicit_le.convert` goes through the data set, so that bulk
data stays where it is and nothing is held. Replacements are ASCII, whatever the character set.

UIDs become others by a keyed hash: the same one each time, so that references hold between everything that one key
made, and nobody without the key gets back or can try out what they were.

The profile leaves pixels and documents as they are; `identifying_content` says where names may be in them.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom._uid_dict import UID_dictionary

from skiagraph.standard import dictionary, explicit_writer
from skiagraph.standard.confidentiality_profile import Action, action_of
from skiagraph.standard.explicit_le import Judge
from skiagraph.values import Attributes

VERSION: Final = 1
"""Counts what changes the result for the same Instance and key."""

DUMMY: Final = "ANONYMIZED"
_SQ: Final = "SQ"
_DUMMIES: Final[dict[str, Any]] = {
    "AS": "000Y",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "FD": 0.0,
    "FL": 0.0,
    "IS": "0",
    "PN": {"Alphabetic": DUMMY},
    "SL": 0,
    "SS": 0,
    "SV": 0,
    "TM": "000000",
    "UL": 0,
    "UR": "urn:anonymized",
    "US": 0,
    "UV": 0,
    "AT": "00000000",
}
"""Values for action D by VR; text VRs have `DUMMY`, binary ones two zero bytes."""
_BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_CODE: Final = {
    "00080100": {"vr": "SH", "Value": [DUMMY]},
    "00080102": {"vr": "SH", "Value": ["99ANONYMIZED"]},
    "00080104": {"vr": "LO", "Value": ["Anonymized"]},
}
_DUMMY_ITEMS: Final[dict[int, Attributes]] = {
    0x00080082: _CODE,  # Institution Code Sequence
    0x00401101: _CODE,  # Person Identification Code Sequence
    0x00081072: {  # Operator Identification Sequence, by the Person Identification Macro
        "00080080": {"vr": "LO", "Value": [DUMMY]},
        "00401101": {"vr": "SQ", "Value": [_CODE]},
    },
}
"""Items that make a Sequence with action D valid; all others keep their Items, with all rules applied to them."""

_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_PIXELS: Final = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010))

METHOD: Final = "PS3.15 2024e Basic Application Level Confidentiality Profile"
ADDED: Final[dict[int, bytes]] = explicit_writer.elements(
    {
        "00120062": {"vr": "CS", "Value": ["YES"]},
        "00120063": {"vr": "LO", "Value": [METHOD]},
        "00120064": {
            "vr": "SQ",
            "Value": [
                {
                    "00080100": {"vr": "SH", "Value": ["113100"]},
                    "00080102": {"vr": "SH", "Value": ["DCM"]},
                    "00080104": {"vr": "LO", "Value": ["Basic Application Confidentiality Profile"]},
                }
            ],
        },
        "00280303": {"vr": "CS", "Value": ["REMOVED"]},
    }
)
"""What every data set gets (PS3.15 E.1.1): Patient Identity Removed, De-identification Method and its code (CID 7050),
Longitudinal Temporal Information Modified. Encoded in Explicit VR Little Endian, by tag."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Names in the place of names, by a secret."""

    key: bytes = field(repr=False)
    """32 to 64 bytes that nobody else knows."""

    def __post_init__(self) -> None:
        if not 32 <= len(self.key) <= 64:
            raise ValueError("the key has to have 32 to 64 bytes")

    def uid(self, uid: str) -> str:
        """Return the UID in the place of one: under 2.25, of a UUID (RFC 9562, version 8) out of the keyed hash.

        Those that the standard itself registers, such as well-known Frames of Reference, mean the same everywhere
        and stay.
        """
        uid = uid.strip(" \0")
        if not uid or uid in UID_dictionary:
            return uid
        digest = bytearray(self._digest(b"UID", uid, 16))
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return f"2.25.{uuid.UUID(bytes=bytes(digest)).int}"

    def patient(self, patient_id: str, issuer: str) -> str:
        """Return the Patient ID in the place of one."""
        digest = self._digest(b"Patient ID", f"{issuer}\0{patient_id}", 10)
        return f"ANON-{base64.b32encode(digest).decode()}"

    def _digest(self, purpose: bytes, text: str, size: int) -> bytes:
        data = text.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, digest_size=size, key=self.key, person=purpose).digest()


@dataclass(slots=True)
class Deidentifier:
    """Judges the elements of one Instance; `missed` tells afterwards whether all of them came by."""

    pseudonyms: Pseudonyms
    sop_class_uid: str
    attributes: Attributes = field(repr=False)
    """As stored."""
    patient: str = field(init=False, repr=False)
    _seen: Counter[tuple[int, bool]] = field(init=False, repr=False, default_factory=Counter)
    _actions: dict[tuple[int, bool], tuple[Action, str | None]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        patient_id = _text(self.attributes, "00100020").strip()
        self.patient = self.pseudonyms.patient(patient_id, _text(self.attributes, "00100021")) if patient_id else ""

    def judging(self) -> Judge:
        """Return what judges the elements of one pass through the data set."""
        self._seen.clear()
        return self._judge

    def _judge(self, tag: int, vr: str, top: bool, value: Callable[[], bytes]) -> bytes | None:
        self._seen[tag, top] += 1
        action, defined = self._action(tag, top=top)
        if action == "K":
            # What is not encoded as what it is could hold anything
            return b"" if defined == _SQ and vr not in (_SQ, "UN") else None
        if action == "X" or defined is None:
            return b""
        name = defined[:2]
        if name == "UI" and action in ("D", "U"):
            return self._replaced(tag, value())
        if name == _SQ:
            return self._sequence(tag, vr, action)
        return explicit_writer.element(tag, {"vr": name} | self._dummy(tag, name, action, top=top, value=value))

    def missed(self, without: Collection[int] = ()) -> bool:
        """Whether an element of the metadata did not come by: the bytes were not understood as they were at store.

        Parameters
        ----------
        without
            Tags at the top level that were not to come by.
        """
        expected: Counter[tuple[int, bool]] = Counter()
        pending: list[tuple[Mapping[str, Any], bool]] = [(self.attributes, True)]
        while pending:
            data_set, top = pending.pop()
            for text, attribute in data_set.items():
                tag = int(text, 16)
                if tag in _PIXELS or (top and tag in without):
                    continue
                expected[tag, top] += 1
                if attribute.get("vr") == _SQ and self._stays(tag, top=top):
                    pending += [(item, False) for item in attribute.get("Value") or ()]
        return any(self._seen[key] < count for key, count in expected.items())

    def _stays(self, tag: int, *, top: bool) -> bool:
        action, _ = self._action(tag, top=top)
        return action in ("K", "U") or (action == "D" and tag not in _DUMMY_ITEMS)

    def _action(self, tag: int, *, top: bool) -> tuple[Action, str | None]:
        """The action, and the VR of the dictionary."""
        known = self._actions.get((tag, top))
        if known is None:
            vr = dictionary.vr_of(tag)
            action = action_of(tag, vr, self.sop_class_uid, top=top)
            if tag in _PIXELS and not top:
                action = "X"  # a picture within, which nobody looked at
            known = self._actions[tag, top] = action, vr
        return known

    def _sequence(self, tag: int, vr: str, action: Action) -> bytes | None:
        if action == "Z":
            return explicit_writer.element(tag, {"vr": _SQ})
        if action == "D" and tag in _DUMMY_ITEMS:
            return explicit_writer.element(tag, {"vr": _SQ, "Value": [_DUMMY_ITEMS[tag]]})
        return None if vr in (_SQ, "UN") else b""

    def _replaced(self, tag: int, value: bytes) -> bytes:
        uids = [self.pseudonyms.uid(uid) for uid in value.decode("latin-1").split("\\")]
        return explicit_writer.element(tag, {"vr": "UI", "Value": uids})

    def _dummy(self, tag: int, vr: str, action: Action, *, top: bool, value: Callable[[], bytes]) -> dict[str, Any]:
        if top and tag == _PATIENT_ID:
            return {"Value": [self.patient]} if self.patient else {}
        if top and tag == _PATIENT_NAME:
            return {"Value": [{"Alphabetic": self.patient}]} if self.patient else {}
        if action == "Z" or value() == b"":
            return {}
        if vr in _BINARY:
            return {"InlineBinary": "AAA="}
        return {"Value": [_DUMMIES.get(vr, DUMMY)]}


def _text(attributes: Mapping[str, Any], tag: str) -> str:
    values = (attributes.get(tag) or {}).get("Value") or [""]
    return str(values[0] or "")

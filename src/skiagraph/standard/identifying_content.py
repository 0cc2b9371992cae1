"""What may identify a patient beside the attributes: pixels, documents, reports, voices — PS3.15 Annex E.

The Basic Application Level Confidentiality Profile works on attributes. Where a name may be part of a picture or a
text, an object that went through it would be taken for safe, and be none.
"""

from __future__ import annotations

from typing import Any, Final

from skiagraph.standard import structured_report, transfer_syntaxes
from skiagraph.values import Attributes

_STANDARD: Final = "1.2.840.10008."
_STORAGE: Final = f"{_STANDARD}5.1.4.1.1."
_DOCUMENTS: Final = f"{_STORAGE}104."
_VOICES: Final = frozenset(_STORAGE + suffix for suffix in ("9.4.1", "9.4.2"))
_PRIVATE: Final = "De-identification of private SOP Classes is not defined (PS3.15 E.1.1)."
_NO_SAY: Final = (
    "Burned In Annotation (0028,0301) does not say NO, and objects of this kind often show names in their pixels, which"
    " are not cleaned here."
)

OFTEN_BURNED_IN: Final = frozenset(
    _STORAGE + suffix
    for suffix in "3 3.1 6 6.1 6.2 7 7.1 7.2 7.3 7.4 77.1.1 77.1.1.1 77.1.4 77.1.4.1 77.1.7".split()  # noqa: SIM905
)
"""SOP Classes of images that show whatever stood on a screen or before a camera: ultrasound, secondary capture,
endoscopes, photographs."""

_CONVERTED: Final = frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW"})
"""Conversion Types (PS3.3 C.8.6.1): digitized video, film and paper, screens of workstations."""


def obstacle(attributes: Attributes, sop_class_uid: str, transfer_syntax_uid: str) -> str | None:
    """Return why an Instance can not be de-identified; None when it can.

    Parameters
    ----------
    attributes
        The metadata.
    """
    if not sop_class_uid.startswith(_STANDARD):
        return _PRIVATE
    if sop_class_uid.startswith(_DOCUMENTS):
        return "An encapsulated document holds what its author wrote: it can not be de-identified here."
    if structured_report.is_report(sop_class_uid) or _values(attributes, "0040A730"):
        return "A structured report is text, of which the Basic Profile leaves nothing: it can not be de-identified."
    if sop_class_uid in _VOICES:
        return "A voice can not be de-identified here."
    if transfer_syntaxes.get(transfer_syntax_uid).referenced:
        return "The pixel data lies on another server, under a URL that may identify."
    return _in_pixels(attributes, sop_class_uid)


def caution(attributes: Attributes) -> str | None:
    """Return what a receiver of the de-identified Instance has to know; None when all is said."""
    if not any(tag in attributes for tag in ("7FE00008", "7FE00009", "7FE00010")):
        return None
    found = []
    if _first(attributes, "00280301") != "NO":
        found.append("nobody said that no text is in the pixels (Burned In Annotation), which were not cleaned")
    if _first(attributes, "00280302") == "YES":
        found.append("the pixels show recognizable visual features")
    return f"De-identified, but {', and '.join(found)}" if found else None


def _in_pixels(attributes: Attributes, sop_class_uid: str) -> str | None:
    burned_in = _first(attributes, "00280301")
    if burned_in == "YES":
        return "Burned In Annotation (0028,0301) is YES: what can be read in the pixels is not cleaned here."
    if _first(attributes, "00480010") == "YES" or "LABEL" in _values(attributes, "00080008"):
        return "The image shows the label of a specimen, which is not cleaned here."
    if any(_is_within_pixels(attributes, f"60{group:02X}") for group in range(0, 256, 2)):
        return "An overlay lies in unused bits of the pixel data, which are not cleaned here."
    converted = _first(attributes, "00080064") in _CONVERTED or any(
        "SCREEN" in str(value) for value in _values(attributes, "00080008")
    )
    pixels = any(tag in attributes for tag in ("7FE00008", "7FE00009", "7FE00010"))
    return _NO_SAY if pixels and burned_in != "NO" and (converted or sop_class_uid in OFTEN_BURNED_IN) else None


def _is_within_pixels(attributes: Attributes, group: str) -> bool:
    """Whether an overlay has no data of its own (retired; PS3.5 2004 §8.1.2)."""
    return f"{group}3000" not in attributes and any(
        _first(attributes, group + element) not in (None, least) for element, least in (("0100", 1), ("0102", 0))
    )


def _values(attributes: Attributes, tag: str) -> list[Any]:
    return (attributes.get(tag) or {}).get("Value") or []


def _first(attributes: Attributes, tag: str) -> Any:
    values = _values(attributes, tag)
    return values[0] if values else None

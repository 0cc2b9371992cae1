"""Encapsulated Documents that come as parts beside the metadata — PS3.18 §10.5.2, PS3.3 C.24.2.

A document says of itself what it is: its media type, SOP Class and length follow from its bytes where these are clear,
else from what was claimed.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final, Protocol

from skiagraph.errors import SopClassMismatch
from skiagraph.services.coercion import Changes, has_value
from skiagraph.standard.header import Source
from skiagraph.standard.made_objects import DOCUMENTS, MEDIA_TYPES
from skiagraph.values import Attributes
from skiagraph.wire.media_type import MediaType

DOCUMENT: Final = "00420011"
_TYPE, _LENGTH, _CLASS = "00420012", "00420015", "00080016"

_HEAD: Final = 1024  # bytes before which readers of PDF look for its beginning
_XML: Final = re.compile(rb"\s*(?:<\?xml\s|<!--|<[A-Za-z_][\w.-]*(?::[\w.-]+)?[\s>])")
_HL7_IDENTIFIER: Final = "0040E001"
_CDA: Final = "{urn:hl7-org:v3}"
_SEARCHED: Final = 64 * 2**10  # bytes of a CDA document in which its id stands
_LONGEST: Final = 1024  # characters of an ST value
_TRIANGLE: Final = 50  # bytes of a binary STL, behind 80 of title and 4 with their number
_OTHERS: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"PK\x03\x04", "ZIP"),
    (b"{\\rtf", "RTF"),
)


class Body(Source, Protocol):
    """A part with a document."""

    @property
    def media_type(self) -> MediaType | None: ...


def describe(changes: Changes, part: Body) -> tuple[str, ...]:
    """Supply what a document says of itself, and correct what contradicts it.

    Returns
    -------
    tuple of str
        What is odd, to be told to who sent it.

    Raises
    ------
    SopClassMismatch
        The SOP Class is one of other documents.
    """
    attributes = changes.attributes
    changes.correct(_LENGTH, "UL", part.size)
    sop_class_uid = _text(attributes, _CLASS)
    claimed = _text(attributes, _TYPE).lower() or ("" if part.media_type is None else part.media_type.name)
    found = _media_type(part)
    wanted = MEDIA_TYPES.get(sop_class_uid)
    if wanted is not None and (found or wanted) != wanted:
        raise SopClassMismatch(
            f"SOP Class {sop_class_uid} is for {wanted}; the document is {found}.", details=(_CLASS, DOCUMENT)
        )
    media_type = found if found in MEDIA_TYPES.values() else wanted or _current(claimed)
    if media_type:
        if _current(_text(attributes, _TYPE).lower()) != media_type:
            changes.correct(_TYPE, "LO", media_type)
        if not sop_class_uid and media_type in DOCUMENTS:
            attributes[_CLASS] = {"vr": "UI", "Value": [DOCUMENTS[media_type]]}
    if media_type == "text/xml" and (identifier := _hl7_identifier(part)):
        changes.supply(_HL7_IDENTIFIER, "ST", identifier)
    if media_type == "application/pdf" and found is None:
        return ("The document does not begin like a PDF.",)
    return ()


def inline(changes: Changes) -> tuple[str, ...]:
    """Supply the SOP Class of a document whose bytes are in the metadata."""
    attributes = changes.attributes
    if has_value(attributes, _TYPE) and not _text(attributes, _CLASS):
        document_class = DOCUMENTS.get(_current(_text(attributes, _TYPE).lower()))
        if document_class is not None:
            attributes[_CLASS] = {"vr": "UI", "Value": [document_class]}
    return ()


def _media_type(part: Body) -> str | None:
    """Return what the bytes are; None where they could be several things."""
    head = part.read_at(0, _HEAD)
    if b"%PDF-" in head:
        return "application/pdf"
    for beginning, name in _OTHERS:
        if head.startswith(beginning):
            return name
    if _XML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "text/xml"
    if len(head) >= 84 and part.size == 84 + _TRIANGLE * int.from_bytes(head[80:84], "little"):
        return "model/stl"
    return None


def _hl7_identifier(part: Body) -> str | None:
    """Return HL7 Instance Identifier (0040,E001): root and extension of the id of a CDA document (C.24.2)."""
    from lxml import etree

    head = part.read_at(0, _SEARCHED)
    if b"<!DOCTYPE" in head:  # a CDA has none, and entities can make much of little
        return None
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    with contextlib.suppress(etree.XMLSyntaxError):
        parser.feed(head)
        for _, found in parser.read_events():
            if not isinstance(found, etree._Element):
                continue
            parent = found.getparent()
            if parent is None and found.tag != _CDA + "ClinicalDocument":
                break
            if found.tag == _CDA + "id" and parent is not None and parent.getparent() is None:
                root, extension = found.get("root", ""), found.get("extension", "")
                identifier = f"{root}^{extension}" if root and extension else root
                return identifier if 0 < len(identifier) <= _LONGEST else None
    return None


def _current(media_type: str) -> str:
    """The name of PS3.3 for one that is also in use."""
    return {"application/xml": "text/xml", "application/sla": "model/stl", "application/hl7-sda+xml": "text/xml"}.get(
        media_type, media_type
    )


def _text(attributes: Attributes, tag: str) -> str:
    return str(attributes[tag]["Value"][0]).strip() if has_value(attributes, tag) else ""

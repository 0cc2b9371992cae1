"""Media types of PS3.18: the tables as data.

Tables 8.7.4-1 (rendered media types) and 10.4.4-1 (media types per resource), edition 2024e with the names that
later text registered. Tables 8.7.3-4 and 8.7.3-5 (bulkdata) are columns of `standard.transfer_syntaxes`. Names are
lower case throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from skiagraph.standard import transfer_syntaxes
from skiagraph.standard.transfer_syntaxes import TRANSFER_SYNTAXES

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
RELATED = "multipart/related"
ZIP = "application/zip"
"""An extension: PS3.10 files in one archive, as drafts of Supplement 211 have them."""

NEVER_SENT = frozenset(row.uid for row in TRANSFER_SYNTAXES if row.implicit_vr or row.big_endian)
"""Transfer Syntaxes that no web service shall use, in either direction (§8.7.3): Implicit VR and Big Endian."""

Use: TypeAlias = Literal["D", "R", "O"]
"""Default (shall be supported, and is the fall-back), Required, Optional: Table 8.7.3-1."""


ALIASES: dict[str, str] = {
    "image/x-dicom-rle": "image/dicom-rle",  # §8.7.3.3.2 note: obsolete names that old user agents still send
    "image/x-dicom+rle": "image/dicom-rle",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "image/dicom+jpeg-jls": "image/jls",
    "image/dicom+jpeg": "image/jpeg",
    "image/jll": "image/jpeg",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpeg-jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    "image/dicom+jpeg-jpx": "image/jpx",
    "image/jhc": "image/jphc",
    "image/x-jphc": "image/jphc",
    "image/x-htj2k": "image/jphc",
    "video/mpeg2": "video/mpeg",
}
"""Obsolete or never registered name → the current one. The current one is what is sent."""


@dataclass(frozen=True, slots=True)
class RenderedMediaType:
    """One row of Table 8.7.4-1."""

    category: Literal["Single Frame Image", "Multi-Frame Image", "Video", "Text"]
    media_type: str
    uri_service: Use | None
    restful: Use


RENDERED: tuple[RenderedMediaType, ...] = (
    RenderedMediaType("Single Frame Image", "image/jpeg", "D", "D"),
    RenderedMediaType("Single Frame Image", "image/gif", "O", "R"),
    RenderedMediaType("Single Frame Image", "image/png", "O", "R"),
    RenderedMediaType("Single Frame Image", "image/jp2", "O", "O"),
    RenderedMediaType("Single Frame Image", "image/jph", "O", "O"),
    RenderedMediaType("Single Frame Image", "image/jxl", "O", "O"),
    RenderedMediaType("Multi-Frame Image", "image/gif", "O", "O"),
    RenderedMediaType("Multi-Frame Image", "image/jxl", "O", "O"),
    RenderedMediaType("Video", "video/mpeg", "O", "O"),
    RenderedMediaType("Video", "video/mp4", "O", "O"),
    RenderedMediaType("Video", "video/h265", "O", "O"),
    RenderedMediaType("Text", "text/html", "D", "D"),
    RenderedMediaType("Text", "text/plain", "R", "R"),
    RenderedMediaType("Text", "text/xml", "O", "R"),
    RenderedMediaType("Text", "text/rtf", "O", "O"),
    RenderedMediaType("Text", "application/pdf", "O", "O"),
)
"""Table 8.7.4-1. Categories without a default: any type of the category will do for ``*/*``."""


@dataclass(frozen=True, slots=True)
class ResourceMediaType:
    """One row of Table 10.4.4-1."""

    resource: Literal["Instance", "Metadata", "Bulkdata", "Rendered", "Thumbnail"]
    media_type: str
    """A name, or what the table says in words."""
    multipart: bool
    use: Use
    single_item: bool = False
    """Only where the target is by its nature one item: one Instance, one frame, one value."""


RESOURCES: tuple[ResourceMediaType, ...] = (
    ResourceMediaType("Instance", DICOM, True, "D"),
    ResourceMediaType("Instance", OCTET_STREAM, True, "R"),
    ResourceMediaType("Instance", DICOM, False, "O", single_item=True),
    ResourceMediaType("Instance", "compressed bulkdata", False, "O", single_item=True),
    ResourceMediaType("Metadata", DICOM_JSON, False, "D"),
    ResourceMediaType("Metadata", DICOM_XML, True, "R"),
    ResourceMediaType("Bulkdata", OCTET_STREAM, True, "R"),
    ResourceMediaType("Bulkdata", OCTET_STREAM, False, "O", single_item=True),
    ResourceMediaType("Bulkdata", "compressed bulkdata", True, "O"),
    ResourceMediaType("Bulkdata", "compressed bulkdata", False, "O", single_item=True),
    ResourceMediaType("Rendered", "rendered", True, "O"),
    ResourceMediaType("Rendered", "rendered", False, "O", single_item=True),
    ResourceMediaType("Thumbnail", "image/jpeg", False, "D"),
    ResourceMediaType("Thumbnail", "rendered", False, "O"),
)
"""Table 10.4.4-1; Bulkdata stands for bulkdata, pixel data and frames."""

_DEFAULTS = {row.media_type.lower(): row.uid for row in TRANSFER_SYNTAXES if row.default}
_DEFAULTS[DICOM] = _DEFAULTS[ZIP] = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN

COMPRESSED = frozenset(row.media_type.lower() for row in TRANSFER_SYNTAXES) - {OCTET_STREAM}
"""Compressed bulkdata media types (Table 8.7.3-5), lower case."""

RENDERED_ONLY = frozenset(row.media_type for row in RENDERED) - COMPRESSED - {"application/pdf", "text/xml"}
"""Rendered media types that are never DICOM: asking for both worlds at once is an error (§8.7.5).

PDF and XML may also be the MIME type of an Encapsulated Document.
"""

_SPELLING = {row.media_type.lower(): row.media_type for row in TRANSFER_SYNTAXES}


def current_name(media_type: str) -> str:
    """The registered name, lower case, of a media type or of one of its obsolete names."""
    return ALIASES.get(media_type, media_type)


def spelling(media_type: str) -> str:
    """The name as it is written on the wire; only video/H265 has upper case."""
    return _SPELLING.get(media_type, media_type)


def default_transfer_syntax(media_type: str) -> str | None:
    """What a DICOM media type without ``transfer-syntax`` means (§8.7.3.5.2); None for types that carry none."""
    return _DEFAULTS.get(media_type)


def bulkdata_media_type(transfer_syntax_uid: str) -> str:
    """Media type, lower case, of the pixel data of an Instance in this syntax (Tables 8.7.3-4 and 8.7.3-5).

    ``application/octet-stream`` for native and encapsulated uncompressed data, and for syntaxes that have no
    media type of their own.
    """
    return transfer_syntaxes.get(transfer_syntax_uid).media_type.lower()


def is_native(transfer_syntax_uid: str) -> bool:
    """Whether frames and values in this syntax are plain bytes once taken out of the data set."""
    if transfer_syntax_uid == transfer_syntaxes.ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN:
        return True
    return not transfer_syntaxes.get(transfer_syntax_uid).encapsulated


def may_be_lossy(transfer_syntax_uid: str) -> bool:
    """Whether pixel data in this syntax is, or may be, compressed with loss (False for unknown syntaxes)."""
    row = transfer_syntaxes.find(transfer_syntax_uid)
    return row is not None and row.encapsulated and not row.lossless

"""Media types of PS3.18 and the Transfer Syntaxes that they carry: the tables as data.

Tables 8.7.3-3 to 8.7.3-5 (DICOM media types), 8.7.4-1 (rendered media types) and 10.4.4-1 (media types per
resource), edition 2024e with the names that later text registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
RELATED = "multipart/related"

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"

NATIVE = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    }
)
"""Syntaxes whose Pixel Data is not encapsulated (PS3.5 §8.1)."""

NEVER_SENT = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
"""Shall not be used by any web service, in either direction (§8.7.3)."""

Use: TypeAlias = Literal["D", "R", "O"]
"""Default (shall be supported, and is the fall-back), Required, Optional: Table 8.7.3-1."""


@dataclass(frozen=True, slots=True)
class BulkdataSyntax:
    """One row of Table 8.7.3-4 or 8.7.3-5: a Transfer Syntax, and the media type of its bare compressed stream."""

    media_type: str
    transfer_syntax_uid: str
    use: Use
    lossless: bool
    """False also where the syntax allows both, such as JPEG 2000: the stream may be lossy."""


_JPEG = "1.2.840.10008.1.2.4."

BULKDATA: tuple[BulkdataSyntax, ...] = (
    BulkdataSyntax(OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN, "D", True),
    BulkdataSyntax("image/jpeg", _JPEG + "70", "D", True),
    BulkdataSyntax("image/jpeg", _JPEG + "50", "O", False),
    BulkdataSyntax("image/jpeg", _JPEG + "51", "O", False),
    BulkdataSyntax("image/jpeg", _JPEG + "57", "O", True),
    BulkdataSyntax("image/dicom-rle", "1.2.840.10008.1.2.5", "D", True),
    BulkdataSyntax("image/jls", _JPEG + "80", "D", True),
    BulkdataSyntax("image/jls", _JPEG + "81", "O", False),
    BulkdataSyntax("image/jp2", _JPEG + "90", "D", True),
    BulkdataSyntax("image/jp2", _JPEG + "91", "O", False),
    BulkdataSyntax("image/jpx", _JPEG + "92", "D", True),
    BulkdataSyntax("image/jpx", _JPEG + "93", "O", False),
    BulkdataSyntax("image/jphc", _JPEG + "201", "D", True),
    BulkdataSyntax("image/jphc", _JPEG + "202", "O", True),
    BulkdataSyntax("image/jphc", _JPEG + "203", "O", False),
    BulkdataSyntax("image/jxl", _JPEG + "110", "D", True),
    BulkdataSyntax("image/jxl", _JPEG + "111", "O", False),
    BulkdataSyntax("image/jxl", _JPEG + "112", "O", False),
    BulkdataSyntax("video/mpeg", _JPEG + "101", "D", False),
    BulkdataSyntax("video/mpeg", _JPEG + "101.1", "O", False),
    BulkdataSyntax("video/mpeg", _JPEG + "100", "O", False),
    BulkdataSyntax("video/mpeg", _JPEG + "100.1", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "102", "D", False),
    BulkdataSyntax("video/mp4", _JPEG + "102.1", "D", False),
    BulkdataSyntax("video/mp4", _JPEG + "103", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "103.1", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "104", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "104.1", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "105", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "105.1", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "106", "O", False),
    BulkdataSyntax("video/mp4", _JPEG + "106.1", "O", False),
    BulkdataSyntax("video/h265", _JPEG + "107", "D", False),
    BulkdataSyntax("video/h265", _JPEG + "108", "O", False),
)
"""Tables 8.7.3-4 and 8.7.3-5. Single and multi-frame images share their rows; Text and Other have none."""

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

_BY_SYNTAX = {row.transfer_syntax_uid: row for row in BULKDATA}
_DEFAULTS = {row.media_type: row.transfer_syntax_uid for row in reversed(BULKDATA) if row.use == "D"}
_DEFAULTS[DICOM] = EXPLICIT_VR_LITTLE_ENDIAN

COMPRESSED = frozenset(row.media_type for row in BULKDATA) - {OCTET_STREAM}
"""Compressed bulkdata media types (Table 8.7.3-5), lower case."""

RENDERED_ONLY = frozenset(row.media_type for row in RENDERED) - COMPRESSED - {"application/pdf", "text/xml"}
"""Rendered media types that are never DICOM: asking for both worlds at once is an error (§8.7.5).

PDF and XML may also be the MIME type of an Encapsulated Document.
"""

_SPELLING = {"video/h265": "video/H265"}


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
    """Media type of the pixel data of an Instance in this syntax.

    ``application/octet-stream`` for native and encapsulated uncompressed data, and for syntaxes that have no
    media type of their own.
    """
    row = _BY_SYNTAX.get(transfer_syntax_uid)
    return OCTET_STREAM if row is None else row.media_type


def may_be_lossy(transfer_syntax_uid: str) -> bool:
    """Whether pixel data in this syntax is, or may be, compressed with loss (False for unknown syntaxes)."""
    row = _BY_SYNTAX.get(transfer_syntax_uid)
    return row is not None and not row.lossless

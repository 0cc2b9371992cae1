"""The query of the URI Service: PS3.18 §9.1.2, with the rules of §9.4 and §9.5.

A parameter that is known and malformed, given twice or out of place is an error (§8.3); one that is unknown is
ignored and named, `accept` too, which is spelled `contentType` here. Names and keywords are case-sensitive. Commas
separate values even where they are percent-encoded, as the URL functions of browsers and HTTP libraries do it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from skiagraph.errors import BadRequest
from skiagraph.standard import media_types
from skiagraph.standard.media_types import DICOM
from skiagraph.values import ResourcePath, is_uid
from skiagraph.wire.accept import refuse_dicom
from skiagraph.wire.media_type import MediaRange, parse, parse_ranges
from skiagraph.wire.query import parse_query
from skiagraph.wire.uri_image_query import NAMES, Given, ImageQuery, parse_image, shown, uid

ANY = "*"
"""Value of `transferSyntax`: any will do (§8.7.3.6)."""

_ALIASES = {"imageAnnotation": "annotation"}  # so Table 9.5.1-1 spells what everything else calls annotation
_KNOWN = NAMES | {"requestType", "studyUID", "seriesUID", "objectUID", "contentType", "transferSyntax", "anonymize"}
_IGNORED = frozenset({"charset"})  # read where text is made (§8.8)
_RENDERED = frozenset(row.media_type for row in media_types.RENDERED)


@dataclass(frozen=True, slots=True)
class UriQuery:
    """What a request says."""

    path: ResourcePath
    """Of an Instance."""
    content_type: str | None = None
    """A list as in Accept, without wildcards; it does not mix DICOM and rendered types."""
    transfer_syntax: str | None = None
    """A UID or `ANY`."""
    anonymize: bool = False
    image: ImageQuery = field(default_factory=ImageQuery)
    unknown: tuple[str, ...] = ()
    """Names of parameters that mean nothing here."""


def parse_uri(query: str) -> UriQuery:
    """Read the query of a request.

    Raises
    ------
    BadRequest
        A parameter is missing, malformed, out of range, given twice, or not possible beside another.
    """
    given, unknown = _parameters(query)
    kind = given.get("requestType", [])
    if kind != ["WADO"]:
        raise BadRequest(f"The parameter 'requestType' is {shown(kind)}: WADO is needed.")
    path = ResourcePath(*(uid(given, name) for name in ("studyUID", "seriesUID", "objectUID")))
    anonymize = given.get("anonymize")
    if anonymize not in (None, ["yes"]):
        raise BadRequest(f"The parameter 'anonymize' is {shown(anonymize)}: 'yes', or no such parameter, is needed.")
    return UriQuery(
        path,
        _content_type(given["contentType"]) if "contentType" in given else None,
        _transfer_syntax(given["transferSyntax"]) if "transferSyntax" in given else None,
        anonymize is not None,
        parse_image(given),
        unknown,
    )


def dicom_ranges(asked: UriQuery, accept_header: str | None) -> tuple[MediaRange, ...]:
    """What the request says of ``application/dicom`` where that is what it wants most; else nothing (§9.3).

    `contentType` decides; without it the Accept header, where it is liked no less than rendered types and wildcards.
    """
    if asked.content_type is not None:
        return tuple(entry for entry in parse_ranges(asked.content_type) if _is_dicom(entry))
    ranges = parse_ranges(accept_header or "*/*")
    dicom = tuple(entry for entry in ranges if _is_dicom(entry))
    others = (entry for entry in ranges if "*" in entry.media_type.name or entry.media_type.name in _RENDERED)
    liking = max((entry.q for entry in others), default=0.0)
    return dicom if dicom and max(entry.q for entry in dicom) >= liking else ()


def check_dicom(asked: UriQuery) -> None:
    """Raise BadRequest for parameters of images beside ``application/dicom`` (§9.5.1.2).

    `annotation` is listed there too (Table 9.4.1-1) and means nothing; `imageQuality` may stand beside a lossy syntax.
    """
    lossy = media_types.may_be_lossy(asked.transfer_syntax or "")
    names = [name for name in asked.image.given if name != "annotation" and not (lossy and name == "imageQuality")]
    if names:
        raise BadRequest(
            f"The parameters {', '.join(names)} are for rendered images and can not be given with application/dicom."
        )


# --- single parameters --------------------------------------------------------------------------------------------


def _parameters(query: str) -> tuple[Given, tuple[str, ...]]:
    """Values of the known parameters, and the names of those that are not."""
    given: Given = {}
    unknown: dict[str, None] = {}
    for name, values in parse_query(query):
        name = _ALIASES.get(name, name)
        if name in given:
            raise BadRequest(f"The parameter {name!r} is given twice.")
        if name in _KNOWN:
            given[name] = ",".join(values).split(",") if values else []
        elif name not in _IGNORED:
            unknown[name] = None
    return given, tuple(unknown)


def _content_type(values: list[str]) -> str:
    for value in values:
        media_type = parse(value)
        if media_type is None:
            raise BadRequest(f"A value of 'contentType' is {shown([value])}: media types are needed.")
        if "*" in media_type.name:
            raise BadRequest("'contentType' takes no wildcards; without it the Accept header decides (§9.1.2.2.1).")
        for name in ("transfer-syntax", "charset"):
            if name in media_type.parameters:
                raise BadRequest(
                    f"The media types of 'contentType' take no parameter {name!r}; there are 'transferSyntax' and"
                    " 'charset' for it (§9.1.2.2.1)."
                )
    text = ", ".join(values)
    if not text:
        raise BadRequest("The parameter 'contentType' has no value: media types are needed.")
    parse_ranges(text)  # which refuses endless lists
    refuse_dicom(None, text)
    return text


def _transfer_syntax(values: list[str]) -> str:
    if len(values) != 1 or not (values[0] == ANY or is_uid(values[0])):
        raise BadRequest(
            f"The parameter 'transferSyntax' is {shown(values)}: one Transfer Syntax UID, or * for any, is needed."
        )
    return values[0]


def _is_dicom(entry: MediaRange) -> bool:
    return entry.media_type.name == DICOM and entry.q > 0

"""Retrieve Capabilities — PS3.18 §8.9, Annexes G and H.

Request   OPTIONS on the Base URI, or on a resource below it.
Behavior  The Transaction rows as a tree of resources, each with its methods, parameters and media types.
Response  200 with WADL in XML, or in JSON (Annex G) where that is asked for; 304 where it is known already.

A CORS preflight, which is an OPTIONS request too, was answered before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from skiagraph.services.archive import Archive
from skiagraph.standard import attributes, dictionary, modality_worklist, workitem
from skiagraph.standard.media_types import JSON
from skiagraph.values import Level
from skiagraph.wire import charset, wadl
from skiagraph.wire.accept import Offer, choose
from skiagraph.wire.conditional import entity_tag, is_not_modified
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction
from skiagraph.wire.wadl import Element, doc, element

WADL = "application/vnd.sun.wadl+xml"
OFFERS = (Offer(WADL), Offer(JSON))

_COMMON = (400, 401, 403, 500, 503)

_NOTES = (
    (
        "Character sets",
        f"JSON is UTF-8; XML, HTML and text are, unless one of these is asked for: {', '.join(charset.NAMES[1:])}.",
    ),
    ("Fuzzy matching", "Each word of the key begins, or sounds like, some word of the person name, in any order."),
    ("Other matching", "Every attribute is matched at its level, nested and private ones too."),
    (
        "Quality",
        "1 to 100 of the encoder: libjpeg's scale for image/jpeg, and what comes nearest to it for other lossy types.",
    ),
    ("Annotation", "patient and technique, as the standard has them; no others."),
    (
        "Notification connections",
        "WebSockets at ws/subscribers/{ae} and subscribers/{ae}; over plain HTTP the same queue at"
        " subscribers/{ae}/events.",
    ),
    (
        "Extensions",
        "DELETE of Studies, Series and Instances; POST, PUT, GET and DELETE of modality worklist entries; changes;"
        " application/zip; anonymize=yes on retrieval.",
    ),
)
"""What the description has to say besides resources and methods (Annex H, §8.3, §8.8)."""


@dataclass(slots=True)
class _Node:
    path: str
    children: dict[str, _Node] = field(default_factory=dict)
    rows: list[Transaction] = field(default_factory=list)


def retrieve(archive: Archive, request: Request, rows: Sequence[Transaction]) -> Response:
    """OPTIONS of the Base URI, or of a resource.

    Raises
    ------
    NoAcceptableRepresentation
    """
    choice = choose(request.headers.get("accept"), None, OFFERS, strict=archive.settings.strict_accept)
    described = describe(rows, request.base_url, request.path)
    in_xml = choice.offer.media_type == WADL
    body = wadl.to_xml(described) if in_xml else orjson.dumps(wadl.to_json(described))
    tag = entity_tag(hashlib.blake2b(body, digest_size=12).hexdigest())
    headers = [("etag", tag), ("cache-control", "no-cache"), ("vary", "Accept")]
    if is_not_modified(request.headers, etag=tag):
        return Response(304, headers)
    return Response(200, [("content-type", choice.offer.media_type), *headers], body, len(body))


def describes(accept: str | None) -> bool:
    """Whether a user agent asks for a description by name."""
    return any(name in (accept or "").lower() for name in (WADL, JSON))


def describe(rows: Iterable[Transaction], base_url: str, path: str = "/") -> Element:
    """Return the description of the resource at a path below the Base URI, and of all below it (Table H-1)."""
    node = _tree(rows)
    names: list[str] = []
    for segment in filter(None, path.split("/")):
        found = node.children.get(segment) or next(
            (child for child in node.children.values() if child.path.startswith("{")), None
        )
        if found is None:
            break
        node = found
        names.append(segment)
    if names:
        resources: Iterable[Element] = [_resource(node, "/".join(names))]
    else:
        resources = [_resource(child, child.path) for child in node.children.values()]
    return element(
        "application",
        (
            doc("A DICOMweb origin server: PS3.18 2024e, and of later editions what its conformance statement names."),
            *(doc(text, title) for title, text in _NOTES),
            element("resources", resources, base=base_url + "/"),
        ),
    )


def _tree(rows: Iterable[Transaction]) -> _Node:
    root = _Node("")
    for row in rows:
        node = root
        for segment in row.template.strip("/").split("/"):
            node = node.children.setdefault(segment, _Node(segment))
        node.rows.append(row)
    return root


def _resource(node: _Node, path: str) -> Element:
    template = [element("param", name=name, style="template", required="true") for name in _variables(node.path)]
    return element(
        "resource",
        (
            *template,
            *(_method(row) for row in node.rows),
            *(_resource(child, child.path) for child in node.children.values()),
        ),
        path=path.replace("*}", "}"),
    )


def _variables(segment: str) -> list[str]:
    return [segment.strip("{}*")] if segment.startswith("{") else []


def _method(row: Transaction) -> Element:
    carries = row.method in ("POST", "PUT")
    media_types = [element("representation", mediaType=media_type) for media_type in row.media_types]
    good = sorted(status for status in row.statuses if status < 400)
    bad = sorted({*(status for status in row.statuses if status >= 400), *_COMMON})
    accept = () if carries else (element("param", name="Accept", style="header", default=_default(row)),)
    return element(
        "method",
        (
            doc(f"PS3.18 {row.section}" if row.section != "-" else "An extension.", row.name),
            element("request", (*accept, *parameters(row), *(media_types if carries else ()))),
            element("response", () if carries else media_types, status=" ".join(map(str, good))),
            element("response", status=" ".join(map(str, bad))),
        ),
        name=row.method,
        id=f"{row.method.lower()}{row.template}".translate(_NAMES),
    )


_NAMES = str.maketrans({"/": ".", "{": "", "}": "", "*": ""})


def _default(row: Transaction) -> str:
    return row.media_types[0] if row.media_types else "*/*"


# Query parameters -------------------------------------------------------------------------------------------------

_FLAG = ("true", "false")
_PAGING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fuzzymatching", _FLAG),
    ("emptyvaluematching", _FLAG),
    ("multiplevaluematching", _FLAG),
    ("limit", ()),
    ("offset", ()),
)
_IMAGE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("annotation", ("patient", "technique")),
    ("quality", ()),
    ("viewport", ()),
    ("window", ()),
    ("iccprofile", ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3")),
)
_OF_SECTION: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "9": (
        ("requestType", ("WADO",)),
        ("studyUID", ()),
        ("seriesUID", ()),
        ("objectUID", ()),
        ("contentType", ()),
        ("charset", ()),
        ("anonymize", ("yes",)),
        ("annotation", ("patient", "technique")),
        ("rows", ()),
        ("columns", ()),
        ("region", ()),
        ("windowCenter", ()),
        ("windowWidth", ()),
        ("frameNumber", ()),
        ("imageQuality", ()),
        ("presentationUID", ()),
        ("presentationSeriesUID", ()),
        ("transferSyntax", ()),
    ),
    "11.4": (("workitem", ()),),
    "11.6": (("transaction-uid", ()),),
    "11.7": (("requester", ()),),
    "11.8": (("requester", ()),),
    "11.10": (("deletionlock", _FLAG), ("filter", ())),
}


def parameters(row: Transaction) -> Iterator[Element]:
    """Yield the query parameters of a Transaction; keys of a search by keyword and by tag."""
    if row.section in ("10.6", "11.9", "14.4"):
        yield from _keys(_paths(row))
        yield from _parameters(_PAGING)
        yield element("param", [element("option", value="all")], name="includefield", style="query", repeating="true")
    elif row.template.endswith("/rendered"):
        yield from _parameters(_IMAGE)
    elif row.template.endswith("/thumbnail"):
        yield from _parameters([("viewport", ())])
    elif row.section == "15":
        yield from _parameters([("update" if row.method == "POST" else "includefield", ())])
    yield from _parameters(_OF_SECTION.get(row.section, ()))
    if row.media_types and row.method == "GET" and row.section != "9":
        yield from _parameters([("accept", ())])


def _paths(row: Transaction) -> Iterator[tuple[str, ...]]:
    """Match keys that a search has to support."""
    match row.section:
        case "10.6":
            return _paths_of_studies(row.template)
        case "11.9":
            return _paths_of_workitems()
        case _:
            return (key.path for key in modality_worklist.TABLE if key.matched == "R" and _vr(key.path) != "SQ")


def _parameters(named: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Element]:
    for name, values in named:
        yield element("param", [element("option", value=value) for value in values], name=name, style="query")


def _paths_of_studies(template: str) -> Iterator[tuple[str, ...]]:
    level = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}[template.rpartition("/")[2]]
    levels = attributes.searched_levels(level, study_given="{study}" in template, series_given="{series}" in template)
    for one in sorted(levels):
        yield from attributes.MATCHING_KEYS[one]


def _paths_of_workitems() -> Iterator[tuple[str, ...]]:
    for row in workitem.requirements():
        if row.match in ("R", "U") and _vr(row.path) != "SQ":
            yield row.path


def _keys(paths: Iterable[tuple[str, ...]]) -> Iterator[Element]:
    for path in paths:
        keywords = [dictionary.keyword_of(int(tag, 16)) or tag for tag in path]
        more = {"repeating": "true"} if _vr(path) == "UI" else {}
        for name in (".".join(keywords), ".".join(path)):
            yield element("param", name=name, style="query", **more)


def _vr(path: tuple[str, ...]) -> str | None:
    return dictionary.vr_of(int(path[-1], 16))

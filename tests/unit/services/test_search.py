"""services.search: PS3.18 §10.6.3, against an index that answers what the test says."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pytest

from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.index.base import Found, Match
from skiagraph.services.archive import Archive
from skiagraph.services.recent import Recent
from skiagraph.services.search import TRANSACTIONS
from skiagraph.settings import Settings
from skiagraph.standard import dicom_json
from skiagraph.standard.matching import Search
from skiagraph.standard.native_xml import from_xml
from skiagraph.testing.headers import nested
from skiagraph.values import Level, ResourcePath
from skiagraph.wire.message import Request, Response

BASE = "https://pacs.example/dicom-web"
JSON, XML = "application/dicom+json", 'multipart/related; type="application/dicom+xml"'
REMAINING = f"299 {BASE}: There are 7 additional results that can be requested"


def match(uid: str, before: bytes = b"{", after: bytes = b"}") -> Match:
    return Match(ResourcePath(uid), before, after)


FULL = match("1.2", b'{"00080061":{"vr":"CS","Value":["CT"]},', b',"0020000D":{"vr":"UI","Value":["1.2"]}}')


@dataclass
class Index:
    """Gives chunks of matches to any search, and keeps what was asked."""

    chunks: list[list[Match]] = field(default_factory=list)
    remaining: int = 0
    total: int | None = None
    asked: list[Search] = field(default_factory=list)
    closed: bool = False
    broken: bool = False

    async def search(self, search: Search) -> Found:
        self.asked.append(search)
        return Found(self._matches(), not any(self.chunks), self.remaining, self.total)

    async def _matches(self) -> AsyncIterator[Sequence[Match]]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.broken:
                raise OSError("the disk is gone")
        finally:
            self.closed = True


async def body(response: Response) -> bytes:
    assert response.body is not None
    if isinstance(response.body, bytes):
        assert response.length == len(response.body)
        return response.body
    return b"".join([bytes(chunk) async for chunk in response.body])


def ask(
    index: Index,
    template: str = "/studies",
    query: str = "",
    accept: str | None = JSON,
    *,
    accept_encoding: str | None = None,
    slash: bool = False,
    **settings: Any,
) -> tuple[Response, bytes]:
    row = next(row for row in TRANSACTIONS if row.template == template)
    parameters = {name: uid for name, uid in (("study", "1.2"), ("series", "1.3")) if f"{{{name}}}" in template}
    path = template.format(**parameters) + ("/" if slash else "")
    given = {"accept": accept, "accept-encoding": accept_encoding}
    headers = {name: value for name, value in given.items() if value is not None}
    request = Request("GET", path, query, headers, parameters, BASE, body=cast("Any", None))
    nothing = cast("Any", None)
    archive = Archive(Settings(**settings), nothing, cast("Any", index), nothing, Recent(0), nothing, nothing, nothing)

    async def run() -> tuple[Response, bytes]:
        response = await row.handler(archive, request)
        assert response.status in row.statuses
        return response, b"" if response.body is None else await body(response)

    return asyncio.run(run())


def header(response: Response, name: str) -> list[str]:
    assert all(key == key.lower() and value.isascii() and value.isprintable() for key, value in response.headers)
    return [value for key, value in response.headers if key == name]


@pytest.mark.parametrize(
    ("template", "level", "study", "series"),
    [
        ("/studies", Level.STUDY, None, None),
        ("/studies/{study}/series", Level.SERIES, "1.2", None),
        ("/studies/{study}/instances", Level.INSTANCE, "1.2", None),
        ("/series", Level.SERIES, None, None),
        ("/studies/{study}/series/{series}/instances", Level.INSTANCE, "1.2", "1.3"),
        ("/instances", Level.INSTANCE, None, None),
        ("/series/{series}/instances", Level.INSTANCE, None, "1.3"),
    ],
)
def test_resources(template: str, level: Level, study: str | None, series: str | None) -> None:
    """Table 10.6.1-1, and the additional path of Annex H."""
    index = Index()
    ask(index, template, "PatientID=7")
    (search,) = index.asked
    assert (search.level, search.study_instance_uid, search.series_instance_uid) == (level, study, series)
    assert len(search.conditions) == 1


@pytest.mark.parametrize(
    "chunks", [[[FULL]], [[FULL, match("1.3")], [match("1.4")]], [[FULL], [], [match("1.3")], [match("1.4")]]]
)
def test_json(chunks: list[list[Match]]) -> None:
    response, content = ask(Index(chunks))
    assert response.status == 200
    assert header(response, "content-type") == [JSON]
    assert header(response, "vary") == ["Accept, Accept-Encoding"]
    results = orjson.loads(content)
    assert results[0] == {
        "00080061": {"vr": "CS", "Value": ["CT"]},
        "00081190": {"vr": "UR", "Value": [f"{BASE}/studies/1.2"]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
    }
    assert list(results[0]) == sorted(results[0])
    assert [result["00081190"]["Value"][0] for result in results] == [
        f"{BASE}/{each.path}" for chunk in chunks for each in chunk
    ]
    assert isinstance(response.body, bytes) == (len(chunks) == 1), "what is there already goes out in one piece"


@pytest.mark.parametrize("chunks", [[[FULL]], [[FULL, match("1.3")], [match("1.4")]]])
def test_xml(chunks: list[list[Match]]) -> None:
    response, content = ask(Index(chunks), accept=XML)
    (content_type,) = header(response, "content-type")
    assert content_type.startswith('multipart/related; type="application/dicom+xml"; boundary=')
    boundary = content_type.partition("boundary=")[2].encode()
    first, *parts, last = (b"\r\n" + content).split(b"\r\n--" + boundary)
    assert (first, last.strip()) == (b"", b"--")
    documents = []
    for part in parts:
        head, _, document = part.partition(b"\r\n\r\n")
        assert b"Content-Type: application/dicom+xml" in head
        assert b"Content-Length: %d" % len(document) in head
        documents.append(from_xml(document))
    assert [document["00081190"]["Value"][0] for document in documents] == [
        f"{BASE}/{each.path}" for chunk in chunks for each in chunk
    ]
    assert documents[0]["00080061"] == {"vr": "CS", "Value": ["CT"]}


@pytest.mark.parametrize(
    ("accept", "empty_search", "status", "content"),
    [
        pytest.param(JSON, "200", 200, b"[]", id="newer editions"),
        pytest.param(JSON, "204", 204, b"", id="8.3.4.4.1"),
        pytest.param(XML, "200", 204, b"", id="no multipart without parts"),
    ],
)
def test_empty(accept: str, empty_search: str, status: int, content: bytes) -> None:
    response, found = ask(Index(), accept=accept, empty_search=empty_search)
    assert (response.status, found) == (status, content)
    assert bool(header(response, "content-type")) == bool(content)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, JSON, id="no header"),
        pytest.param("*/*", JSON, id="anything"),
        pytest.param("application/json", "application/json", id="JSON by its other name"),
        pytest.param("application/dicom+json, application/json", JSON, id="dicomweb-client"),
        pytest.param(
            "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
            JSON,
            id="OHIF#3726",
        ),
    ],
)
def test_accept(accept: str | None, expected: str) -> None:
    response, _ = ask(Index([[FULL]]), accept=accept)
    assert header(response, "content-type") == [expected]


def test_accept_parameter() -> None:
    response, _ = ask(Index([[FULL]]), query="accept=application/json", accept="*/*")
    assert header(response, "content-type") == ["application/json"]
    assert header(response, "warning") == []


def test_not_acceptable() -> None:
    with pytest.raises(NoAcceptableRepresentation):
        ask(Index([[FULL]]), accept="image/png")
    with pytest.raises(NoAcceptableRepresentation):
        ask(Index([[FULL]]), accept=None, strict_accept=True)


def test_more_results() -> None:
    """§8.3.4.4.1."""
    response, _ = ask(
        Index([[FULL]], remaining=7, total=10), query="PatientName=M%C3%BCller*&limit=1&offset=2&&fuzzymatching=true"
    )
    assert header(response, "warning") == [REMAINING]
    assert header(response, "x-total-count") == ["10"]
    assert header(response, "link") == [
        f'<{BASE}/studies?PatientName=M%C3%BCller*&limit=1&fuzzymatching=true&offset=3>; rel="next"'
    ]


def test_no_more_results() -> None:
    response, _ = ask(Index([[FULL]], total=1), query="limit=1")
    assert (header(response, "warning"), header(response, "link")) == ([], [])


def test_limit_0() -> None:
    """A next page of nothing would be asked for without end."""
    response, content = ask(Index(remaining=7, total=7), query="limit=0")
    assert (response.status, content) == (200, b"[]")
    assert header(response, "warning") == [REMAINING]
    assert header(response, "link") == []


def test_limit_of_the_server() -> None:
    index = Index([[FULL]], remaining=7, total=8)
    response, _ = ask(index, query="StudyDate=2020.01.01-", max_search_results=1)
    assert index.asked[0].limit == 1
    assert header(response, "link") == [f'<{BASE}/studies?StudyDate=2020.01.01-&offset=1>; rel="next"']


def test_warnings_have_a_field_each() -> None:
    response, _ = ask(Index([[FULL]], remaining=7, total=8), query="foo=1&limit=1&Modality=CT")
    assert header(response, "warning") == [
        REMAINING,
        f"299 {BASE}: Unknown parameters were ignored: foo.",
        f"299 {BASE}: Attributes below the level of the results were ignored: Modality (use ModalitiesInStudy).",
    ]


def test_hostile_query_stays_in_its_place() -> None:
    response, _ = ask(Index([[FULL]], remaining=7, total=8), query='x=">\r\nSet-Cookie: a=bÃ©<&limit=1')
    (link,) = header(response, "link")
    assert link == f'<{BASE}/studies?x=%22%3E%0D%0ASet-Cookie:%20a=b%C3%A9%3C&limit=1&offset=1>; rel="next"'


def test_bad_request() -> None:
    index = Index()
    with pytest.raises(BadRequest):
        ask(index, query="limit=x")
    with pytest.raises(BadRequest, match="at most 1"):
        ask(index, query="PatientID=1&StudyID=2", max_query_conditions=1)
    assert index.asked == []


def test_failure_while_streaming_breaks_the_answer() -> None:
    index = Index([[FULL], [match("1.3")]], broken=True)
    with pytest.raises(OSError, match="gone"):
        ask(index)
    assert index.closed


def test_abandoned_answer_lets_go_of_the_index() -> None:
    index = Index([[FULL], [match("1.3")], [match("1.4")]])

    async def run() -> None:
        row = TRANSACTIONS[0]
        request = Request("GET", "/studies", "", {}, {}, BASE, body=cast("Any", None))
        nothing = cast("Any", None)
        archive = Archive(Settings(), nothing, cast("Any", index), nothing, Recent(0), nothing, nothing, nothing)
        response = await row.handler(archive, request)
        stream = cast("Any", response.body)
        await anext(stream)
        await stream.aclose()

    asyncio.run(run())
    assert index.closed


ROWS = b',"00280010":{"vr":"US","Value":[512]}}'
BULK = b'"00081140":{"vr":"SQ","Value":[{"00660129":{"vr":"OD","BulkDataURI":"bulkdata/a/0/b"}}]},'
PIXELS = b',"7FE00010":{"vr":"OW","BulkDataURI":"pixeldata"}}'


def found_instances() -> list[list[Match]]:
    return [
        [Match(ResourcePath("1.2", "1.3", "1.4"), b"{", ROWS), Match(ResourcePath("1.2", "1.3", "1.5"), b"{", ROWS)],
        [Match(ResourcePath("1.2", "1.3", "1.6"), b"{" + BULK, PIXELS)],
    ]


def bulk_uris(results: list[dict[str, Any]]) -> tuple[str, str]:
    (found,) = (result for result in results if "7FE00010" in result)
    (item,) = found["00081140"]["Value"]
    return item["00660129"]["BulkDataURI"], found["7FE00010"]["BulkDataURI"]


def xml_documents(response: Response, content: bytes) -> list[dict[str, Any]]:
    boundary = header(response, "content-type")[0].partition("boundary=")[2].encode()
    _, *parts, _ = (b"\r\n" + content).split(b"\r\n--" + boundary)
    return [from_xml(part.partition(b"\r\n\r\n")[2]) for part in parts]


@pytest.mark.parametrize(
    ("template", "slash", "relative", "base"),
    [
        pytest.param("/instances", False, False, f"{BASE}/studies/1.2/series/1.3/instances/1.6/", id="absolute"),
        pytest.param("/instances", False, True, "studies/1.2/series/1.3/instances/1.6/", id="relative"),
        pytest.param("/instances", True, True, "../studies/1.2/series/1.3/instances/1.6/", id="relative, slash"),
        pytest.param("/studies/{study}/instances", False, True, "series/1.3/instances/1.6/", id="relative, study"),
        pytest.param("/studies/{study}/series/{series}/instances", False, True, "instances/1.6/", id="series"),
        pytest.param(
            "/series/{series}/instances", False, True, "../../studies/1.2/series/1.3/instances/1.6/", id="Annex H"
        ),
    ],
)
def test_bulk_data(template: str, slash: bool, relative: bool, base: str) -> None:
    """A value that is only too large is not empty (Annex F): each URI leads to its Instance, as in the metadata."""
    expected = f"{base}bulkdata/a/0/b", f"{base}pixeldata"
    _, content = ask(Index(found_instances()), template, slash=slash, relative_urls=relative)
    assert bulk_uris(orjson.loads(content)) == expected
    response, content = ask(Index(found_instances()), template, accept=XML, slash=slash, relative_urls=relative)
    assert bulk_uris(xml_documents(response, content)) == expected


@pytest.mark.parametrize("depth", [84, 250])
@pytest.mark.parametrize("accept", [JSON, XML])
def test_deep_sequences(accept: str, depth: int) -> None:
    deep = dicom_json.encode({"00081140": nested(depth)})
    index = Index([[Match(ResourcePath("1.2", "1.3", "1.4"), deep[:-1] + b",", b',"00280010":{"vr":"US"}}')]])
    response, content = ask(index, "/instances", accept=accept)
    assert response.status == 200
    assert content.count(b"00081140") == depth


@pytest.mark.parametrize("accept", [JSON, XML])
@pytest.mark.parametrize("chunks", [1, 2])
def test_compressed(accept: str, chunks: int) -> None:
    def run(accept_encoding: str | None) -> tuple[Response, bytes]:
        return ask(Index([[FULL] * 20] * chunks), accept=accept, accept_encoding=accept_encoding)

    plain, expected = run(None)
    assert header(plain, "content-encoding") == []
    response, content = run("gzip, deflate")
    assert header(response, "content-encoding") == ["gzip"]
    assert header(response, "vary") == header(plain, "vary") == ["Accept, Accept-Encoding"]
    content = gzip.decompress(content)
    assert len(content) == len(expected)
    if accept == JSON:
        assert content == expected
    refused, content = run("br, gzip;q=0")
    assert header(refused, "content-encoding") == []
    assert len(content) == len(expected)


def test_short_answers_are_not_compressed() -> None:
    response, content = ask(Index([[FULL]]), accept_encoding="gzip")
    assert header(response, "content-encoding") == []
    assert orjson.loads(content)
    response, content = ask(Index(), accept_encoding="gzip")
    assert (header(response, "content-encoding"), content) == ([], b"[]")


def test_failure_while_compressing_breaks_the_answer() -> None:
    index = Index([[FULL] * 20, [FULL] * 20], broken=True)
    with pytest.raises(OSError, match="gone"):
        ask(index, accept_encoding="gzip")
    assert index.closed

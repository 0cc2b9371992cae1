"""services.record_answers: answers of searches for records, against an index that answers what the test says."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pytest

from archives import Answer
from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.index.base import FoundRecords, Record, RecordSearch
from skiagraph.services import record_answers
from skiagraph.services.archive import Archive
from skiagraph.services.recent import Recent
from skiagraph.settings import Settings
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Single
from skiagraph.standard.native_xml import from_xml
from skiagraph.standard.return_table import ReturnTable
from skiagraph.testing.headers import element
from skiagraph.values import Attributes
from skiagraph.wire.message import Request

BASE = "https://pacs.example/dicom-web"
KIND = Kind("Workitem", 900, (), ("00404005",))
TABLE = ReturnTable(frozenset({("00741000",), ("00741204",)}), secret=frozenset({"00081195"}))
LOCK = "1.2.3.4.5.6.7.8.9"
STATE = element("CS", "SCHEDULED")


def record(number: int = 1) -> Record:
    attributes = {
        "00081195": element("UI", LOCK),
        "00741000": STATE,
        "00404005": element("DT", "2024"),
        "00100020": element("LO", f"P{number}"),
        "0040A370": {"vr": "SQ", "Value": [{"00080050": element("SH", "A1"), "00081195": element("UI", LOCK)}]},
    }
    return Record(KIND, str(number), attributes)


SHOWN: Attributes = {"00741000": STATE, "00741204": {"vr": "LO"}}


@dataclass
class Index:
    chunks: list[list[Record]] = field(default_factory=list)
    remaining: int = 0
    total: int | None = None
    asked: list[RecordSearch] = field(default_factory=list)

    async def find(self, search: RecordSearch) -> FoundRecords:
        self.asked.append(search)
        return FoundRecords(self._records(), not any(self.chunks), self.remaining, self.total)

    async def _records(self) -> AsyncIterator[Sequence[Record]]:
        for chunk in self.chunks:
            yield chunk


def ask(index: Index, accept: str | None = None, query: str = "", *, encoding: str = "", **settings: Any) -> Answer:
    headers = {"accept-encoding": encoding} | ({"accept": accept} if accept is not None else {})
    request = Request("GET", "/workitems", query, headers, {}, BASE, body=cast("Any", None))
    nothing = cast("Any", None)
    archive = Archive(Settings(**settings), nothing, cast("Any", index), nothing, Recent(0), nothing, nothing, nothing)

    async def run() -> Answer:
        only = (Single(("00741000",), "CS", "SCHEDULED"),)
        response = await record_answers.search(archive, request, KIND, TABLE, conditions=only)
        body = response.body
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = b"".join([bytes(chunk) async for chunk in body])
        else:
            assert response.length == len(body)
        return Answer(response.status, dict(response.headers), body, response.length)

    return asyncio.run(run())


MANY = [[record(1)], [], [record(2), record(3)], [record(n) for n in range(4, 30)]]


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/dicom+json", "application/json", "application/*"],
)
@pytest.mark.parametrize(("chunks", "number"), [([[record()]], 1), (MANY, 29)])
def test_json(accept: str | None, chunks: list[list[Record]], number: int) -> None:
    answer = ask(Index(chunks), accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == (accept if accept == "application/json" else "application/dicom+json")
    assert orjson.loads(answer.body) == [SHOWN] * number


@pytest.mark.parametrize("kind", ["xml", "json"])
@pytest.mark.parametrize(("chunks", "number"), [([[record()]], 1), (MANY, 29)])
def test_multipart(kind: str, chunks: list[list[Record]], number: int) -> None:
    """§8.6.1.2: one part for each match."""
    answer = ask(Index(chunks), f'multipart/related; type="application/dicom+{kind}"')
    assert [part.type for part in answer.parts] == [f"application/dicom+{kind}"] * number
    for part in answer.parts:
        assert (from_xml(part.body) if kind == "xml" else orjson.loads(part.body)[0]) == SHOWN


def test_xml_alone() -> None:
    """A Native DICOM Model holds one data set: more of them go out as parts."""
    answer = ask(Index([[record()]]), "application/dicom+xml")
    assert answer.headers["content-type"] == "application/dicom+xml"
    assert from_xml(answer.body) == SHOWN
    answer = ask(Index(MANY), "application/dicom+xml")
    assert [part.type for part in answer.parts] == ["application/dicom+xml"] * 29


@pytest.mark.parametrize(
    ("accept", "settings", "status"),
    [
        (None, {}, 200),
        (None, {"empty_search": "204"}, 204),
        ("application/dicom+xml", {}, 204),
        ('multipart/related; type="application/dicom+xml"', {}, 204),
        ('multipart/related; type="application/dicom+json"', {}, 204),
    ],
)
def test_nothing_found(accept: str | None, settings: dict[str, Any], status: int) -> None:
    answer = ask(Index(), accept, **settings)
    assert (answer.status, answer.body) == (status, b"[]" if status == 200 else b"")


def test_pages_and_warnings() -> None:
    """§8.3.4.4: how many are left, and where."""
    index = Index([[record()]], remaining=7, total=10)
    answer = ask(index, None, "limit=1&offset=2&Nonsense=1&PatientID=P1")
    assert answer.headers["x-total-count"] == "10"
    assert answer.headers["link"] == f'<{BASE}/workitems?limit=1&Nonsense=1&PatientID=P1&offset=3>; rel="next"'
    (asked,) = index.asked
    assert (asked.kind, asked.limit, asked.offset) == (KIND, 1, 2)
    assert asked.conditions == (Single(("00100020",), "LO", "P1"), Single(("00741000",), "CS", "SCHEDULED"))
    assert orjson.loads(answer.body) == [SHOWN | {"00100020": element("LO", "P1")}]


def test_warning_order() -> None:
    answer = ask(Index([[record()]], remaining=7, total=10), None, "limit=3")
    assert answer.headers["warning"] == f"299 {BASE}: There are 7 additional results that can be requested"
    answer = ask(Index([[record()]]), None, "Nonsense=1")
    assert answer.headers["warning"] == f"299 {BASE}: Unknown parameters were ignored: Nonsense."


@pytest.mark.parametrize("query", ["includefield=all", "includefield=0040A370,TransactionUID,0040A370.00081195"])
@pytest.mark.parametrize("accept", ["application/dicom+json", 'multipart/related; type="application/dicom+xml"'])
def test_a_lock_never_goes_out(query: str, accept: str) -> None:
    answer = ask(Index([[record()]]), accept, query)
    assert LOCK.encode() not in answer.body
    assert b"00080050" in answer.body


def test_a_lock_is_no_match_key() -> None:
    index = Index([[record()]])
    answer = ask(index, None, f"TransactionUID={LOCK}")
    assert "never disclosed" in answer.headers["warning"]
    assert len(index.asked[0].conditions) == 1


def test_gzip() -> None:
    answer = ask(Index(MANY), None, encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(orjson.loads(gzip.decompress(answer.body))) == 29
    assert "content-encoding" not in ask(Index([[record()]]), None, encoding="gzip").headers


@pytest.mark.parametrize("accept", ["image/png", "application/dicom"])
def test_not_acceptable(accept: str) -> None:
    with pytest.raises(NoAcceptableRepresentation):
        ask(Index([[record()]]), accept)


def test_strict_accept() -> None:
    with pytest.raises(NoAcceptableRepresentation):
        ask(Index([[record()]]), None, strict_accept=True)


@pytest.mark.parametrize("query", ["limit=-1", "limit=1&limit=2", "PatientID=1&PatientID=2", "fuzzymatching=perhaps"])
def test_bad_parameter(query: str) -> None:
    with pytest.raises(BadRequest):
        ask(Index(), None, query)

"""Hostile clients of the worklist: whatever they send is answered with 2xx or 4xx, and others are served as ever."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from lxml import etree
from structlog.testing import capture_logs

from archives import BASE, Answer, Given, opened
from skiagraph.errors import codes
from skiagraph.standard import dictionary
from skiagraph.standard import workitem as standard
from skiagraph.wire.message import Request
from workitems import attributes, change, code, workitem

JSON, XML = {"content-type": "application/dicom+json"}, {"content-type": "application/dicom+xml"}
LOCK = "1.2.3.4.5.6.7.8"
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
SECRET = "Mustermann^Erika Luise"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    with opened(tmp_path_factory.mktemp("hostile") / "data", max_data_set_bytes=2**20) as archive:
        yield archive


def send(given: Given, method: str, path: str, body: Any = None, headers: dict[str, str] = JSON) -> Answer:
    path, _, query = path.partition("?")
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return given.get(path, method=method, query=query, headers=headers, body=data)


def fresh(given: Given, uid: str, **named: Any) -> str:
    assert send(given, "POST", f"workitems?workitem={uid}", [workitem(**named)]).status == 201
    return uid


_uids = (f"2.25.{number}" for number in range(1, 10**9))

TAGS = sorted({tag for row in standard.requirements() for tag in row.path})
VRS = sorted({vr for vrs in dictionary.standard_vrs().values() for vr in vrs.split(" or ") if len(vr) == 2})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\0", "1.2.3", "SCHEDULED", "20260101", "20269999", "A\\B", "A^B=C=D", "\ud800", "x" * 500]
    ),
)
DEPTHS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Alphabetic", "vr", "Value", "InlineBinary", *TAGS[:9]]), inner, max_size=3),
        st.dictionaries(
            st.sampled_from(TAGS),
            st.fixed_dictionaries({"vr": st.sampled_from(VRS), "Value": st.lists(inner, max_size=3)}),
            max_size=3,
        ),
    ),
    max_leaves=8,
)
ELEMENTS = st.one_of(
    st.fixed_dictionaries({"vr": st.sampled_from(VRS)}, optional={"Value": st.lists(DEPTHS, max_size=3)}),
    st.fixed_dictionaries({"vr": st.sampled_from(VRS), "InlineBinary": st.sampled_from(["AAA=", "!", "", None, 1])}),
    st.fixed_dictionaries({"vr": st.sampled_from([*VRS, "XX", "", None, 1]), "Value": DEPTHS}),
    DEPTHS,
)
DATA_SETS = st.dictionaries(
    st.one_of(st.sampled_from(TAGS), st.sampled_from(["00091001", "00090010", "ZZZ", "", "PatientName", "FFFEE000"])),
    ELEMENTS,
    max_size=4,
)


def dumped(data_set: Any) -> bytes:
    """As JSON, with numbers and characters that a strict writer would refuse."""
    return json.dumps(data_set).encode()


@settings(max_examples=150)
@examples(st.data())
def test_whatever_stands_in_a_data_set(given: Given, data: st.DataObject) -> None:
    uid = next(_uids)
    drawn = data.draw(DATA_SETS)
    created = send(given, "POST", f"workitems?workitem={uid}", dumped([workitem() | drawn]))
    assert created.status in (201, 400, 413), created.error
    if created.status == 400:
        assert send(given, "GET", f"workitems/{uid}").status == 404
        fresh(given, uid)
    send(given, "POST", f"workitems/{uid}/subscribers/WATCHER")
    updated = send(given, "POST", f"workitems/{uid}", dumped(data.draw(DATA_SETS)))
    assert updated.status in (200, 400, 409, 413), updated.error
    claimed = send(given, "PUT", f"workitems/{uid}/state", dumped([change("IN PROGRESS", LOCK)]))
    assert claimed.status == 200
    asked = send(given, "POST", f"workitems/{uid}/cancelrequest", dumped([data.draw(DATA_SETS)]))
    assert asked.status in (202, 400, 413), asked.error
    again = send(given, "POST", f"workitems/{uid}?transaction-uid={LOCK}", dumped(data.draw(DATA_SETS)))
    assert again.status in (200, 400, 413), again.error
    ended = send(given, "PUT", f"workitems/{uid}/state", dumped([data.draw(DATA_SETS) | change("CANCELED", LOCK)]))
    assert ended.status in (200, 400), ended.error
    # What was taken can be given, in every form
    found = orjson.loads(send(given, "GET", f"workitems/{uid}").body)
    assert LOCK not in json.dumps(found)
    for path, query in ((f"workitems/{uid}", ""), ("workitems", f"SOPInstanceUID={uid}&includefield=all")):
        answer = given.get(path, "application/dicom+xml", query=query)
        assert answer.status == 200
        etree.fromstring(answer.body)
    answer = given.get("workitems", query=f"SOPInstanceUID={uid}&includefield=all")
    assert orjson.loads(answer.body)[0]["00741000"] == found[0]["00741000"]
    for one in asyncio.run(given.archive.index.queued("WATCHER", 0, 10**6)):
        orjson.loads(one.report)


def _nested(depth: int) -> bytes:
    return b'{"00404021":{"vr":"SQ","Value":[' * depth + b"]}}" * depth


NEEDED = orjson.dumps(workitem())[1:-1]


@pytest.mark.parametrize(
    ("content", "headers", "statuses"),
    [
        pytest.param(b"{" + NEEDED + b"," + _nested(30)[1:-1] + b"}", JSON, {201}, id="nested as deep as may be"),
        pytest.param(b"{" + NEEDED + b"," + _nested(70)[1:-1] + b"}", JSON, {400}, id="nested too deep"),
        pytest.param(_nested(20_000), JSON, {400, 413}, id="nested without end"),
        pytest.param(b"[" * 500_000, JSON, {400, 413}, id="brackets"),
        pytest.param(b"[{" + NEEDED + b'},{"x":1}]', JSON, {400}, id="one more data set"),
        pytest.param(b"[" + b"{}," * 20_000 + b"{}]", JSON, {400, 413}, id="many data sets"),
        pytest.param(b'{"' + b"x" * 2**20 + b'":1}', JSON, {413}, id="too large"),
        pytest.param(b"{" + NEEDED + b',"00741204":{"vr":"LO"}}', JSON, {400}, id="a tag twice: the last counts"),
        pytest.param(b"null", JSON, {400}, id="null"),
        pytest.param(b"7", JSON, {400}, id="a number"),
        pytest.param(b"\xff\xfe{}", JSON, {400}, id="no UTF-8"),
        pytest.param(b"", JSON, {400}, id="nothing"),
        pytest.param(b"<a" + b"<a>" * 5000, XML, {400}, id="broken XML"),
        pytest.param(b"<NativeDicomModel>" + b"<DicomAttribute>" * 5000, XML, {400}, id="deep XML"),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
            XML,
            {400},
            id="entities",
        ),
        pytest.param(b"<NativeDicomModel/>", XML, {400}, id="empty XML"),
        pytest.param(b"{}", {"content-type": "application/json; charset=x"}, {400, 415}, id="charset"),
        pytest.param(b"{}", {"content-type": "application"}, {400, 415}, id="no media type"),
        pytest.param(b"{}", {"content-type": "multipart/related"}, {400, 415}, id="no boundary"),
        pytest.param(b"\x1f\x8b\x08", JSON | {"content-encoding": "gzip"}, {400}, id="broken gzip"),
        pytest.param(b"{}", JSON | {"content-encoding": "zip"}, {415}, id="unknown coding"),
        pytest.param(b"DICM" * 99, {"content-type": "application/dicom"}, {400}, id="no PS3.10 file"),
    ],
)
@pytest.mark.parametrize("target", ["POST workitems", "POST workitems/1.9", "PUT workitems/1.9/state"])
def test_payloads(given: Given, content: bytes, headers: dict[str, str], statuses: set[int], target: str) -> None:
    if given.get("workitems/1.9").status == 404:
        fresh(given, "1.9")
    method, path = target.split()
    answer = send(given, method, path, content, headers)
    allowed = statuses if path == "workitems" else (statuses - {201}) | {200, 400, 409}
    assert answer.status in allowed, answer.error
    assert orjson.loads(given.get("workitems/1.9").body)[0]["00741000"]["Value"] == ["SCHEDULED"]


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"ProcedureStepState": ["SCHEDULED", "COMPLETED"]}, id="two states"),
        pytest.param({"ProcedureStepState": [None, "SCHEDULED"]}, id="a state behind nothing"),
        pytest.param({"ScheduledProcedureStepPriority": ["LOW", "HIGH"]}, id="two priorities"),
        pytest.param({"ScheduledProcedureStepStartDateTime": ["2026", "2027"]}, id="two starts"),
    ],
)
def test_one_value_is_one_value(given: Given, named: dict[str, Any]) -> None:
    assert send(given, "POST", f"workitems?workitem={next(_uids)}", [workitem(**named)]).status == 400


@pytest.mark.parametrize(
    "element",
    [
        pytest.param({"00741204": {"vr": "SQ", "Value": [{"00100010": {"vr": "PN"}}]}}, id="a label of Items"),
        pytest.param({"00741202": {"vr": "OB", "InlineBinary": "AAAA"}}, id="a label of bytes"),
    ],
)
def test_another_vr_is_no_value(given: Given, element: dict[str, Any]) -> None:
    assert send(given, "POST", f"workitems?workitem={next(_uids)}", [workitem() | element]).status == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("&".join(f"00{n:02X}0010=1" for n in range(0x10, 0xE0, 2)), 400, id="too many keys"),
        pytest.param("filter=" + ",".join(["WorklistLabel=A"] * 5000), 400, id="a key again and again"),
        pytest.param("filter=" + ",".join(f"0040{n:04X}=A" for n in range(0x4000, 0x4FFF)), 400, id="a long filter"),
        pytest.param("WorklistLabel=" + "*" * 5000, 400, id="stars"),
        pytest.param("WorklistLabel=" + "*?" * 50 + "x", 400, id="wild cards that a regular expression would hate"),
        pytest.param("WorklistLabel=" + "*a" * 16 + "b", 201, id="as many wild cards as may be"),
        pytest.param("filter=" + "%2525" * 500, 400, id="percent signs"),
        pytest.param("filter=%FF%FE=%00", 400, id="no UTF-8"),
        pytest.param("filter===", 400, id="equals"),
        pytest.param("filter=,,,", 400, id="commas"),
        pytest.param("ScheduledProcedureStepStartDateTime=-", 400, id="an empty range"),
        pytest.param(".".join(["ReferencedRequestSequence"] * 100) + "=1", 400, id="a deep path"),
    ],
)
def test_filters(given: Given, query: str, status: int) -> None:
    answer = send(given, "POST", f"workitems/{FILTERED}/subscribers/FILTERER?{query}")
    assert answer.status == status, answer.error
    fresh(given, next(_uids), WorklistLabel="a" * 64)
    assert send(given, "DELETE", f"workitems/{FILTERED}/subscribers/FILTERER").status == (200 if status == 201 else 404)


async def _status(given: Given, query: str) -> int:
    transaction, variables = given.router.resolve("GET", "/workitems")
    request = Request("GET", "/workitems", query, {}, variables, BASE, _no_body)
    try:
        response = await transaction.handler(given.archive, request)
    except Exception as error:
        return codes(error).http
    if isinstance(response.body, AsyncIterator):
        async for _ in response.body:
            pass
    return response.status


async def _no_body() -> AsyncIterator[bytes]:
    return
    yield b""


def test_searches_that_make_no_sense(given: Given) -> None:
    dice = random.Random(5)
    names = ["PatientName", "ReferencedRequestSequence.AccessionNumber", "00741000", "limit", "offset", "includefield"]
    names += ["fuzzymatching", "emptyvaluematching", "accept", "charset", "TransactionUID", "00404005", "x", ""]
    texts = ["", "*", "-", "%00", "%FF", "1", "-1", "true", "all", "9" * 30, "\\", "a,b", "2026-", "=", "%2C", "+", '"']
    for _ in range(400):
        query = "&".join(f"{dice.choice(names)}={dice.choice(texts)}" for _ in range(dice.randint(1, 4)))
        assert asyncio.run(_status(given, query)) in (200, 204, 400, 406), query


def test_thousands_of_subscriptions_of_one_ae_are_as_many_rows(given: Given) -> None:
    uids = [fresh(given, next(_uids)) for _ in range(20)]
    for _ in range(15):
        for uid in uids:
            assert send(given, "POST", f"workitems/{uid}/subscribers/GLUTTON?deletionlock=true").status == 201

    def rows(books: Any) -> int:
        (found,) = books._connection.execute("SELECT count(*) FROM step_subscriptions WHERE ae_title = 'GLUTTON'")
        return int(found[0])

    assert given.archive.index.together([rows]) == [len(uids)]
    assert send(given, "DELETE", f"workitems/{GLOBAL}/subscribers/GLUTTON").status == 200
    assert given.archive.index.together([rows]) == [0]


def test_no_word_of_a_data_set_is_logged_or_told(tmp_path: Path) -> None:
    """Neither where it is taken nor where it is refused; the latter names attributes only."""
    hostile: list[Any] = [
        workitem(PatientName=SECRET, ScheduledProcedureStepPriority=SECRET),
        workitem(PatientName=SECRET, ScheduledProcedureStepStartDateTime=SECRET),
        workitem() | {"00100010": {"vr": "US", "Value": [SECRET]}},
        workitem() | {SECRET: {"vr": "LO", "Value": ["x"]}},
        workitem() | {"00100010": {"vr": "PN", "BulkDataURI": SECRET}},
        workitem() | {"00100010": SECRET},
        workitem() | {"00104000": {"vr": SECRET}},
    ]
    with opened(tmp_path / "data") as given, capture_logs() as logs:
        name = fresh(given, "1.2", PatientName=SECRET, ScheduledStationNameCodeSequence=code(SECRET))
        send(given, "POST", f"workitems/{name}/subscribers/WATCHER")
        answers = [send(given, "POST", "workitems", [one]) for one in hostile]
        answers += [send(given, "POST", f"workitems/{name}", one) for one in hostile]
        answers.append(send(given, "POST", "workitems", b'{"x": "' + SECRET.encode()))
        answers.append(send(given, "POST", "workitems", b"<" + SECRET.encode(), XML))
        answers.append(send(given, "PUT", f"workitems/{name}/state", [change(SECRET, LOCK)]))
        answers.append(send(given, "PUT", f"workitems/{name}/state", [change("IN PROGRESS", SECRET)]))
        answers.append(send(given, "POST", f"workitems/{name}", [attributes(PatientName=SECRET)]))
        answers.append(send(given, "POST", f"workitems/{name}?transaction-uid={SECRET}", [attributes(PatientName="x")]))
        answers.append(send(given, "PUT", f"workitems/{name}/state/{SECRET}", [change("IN PROGRESS", LOCK)]))
    assert [answer.status for answer in answers].count(400) >= len(answers) - 2
    for answer in answers:
        told = [getattr(answer.error, name, None) for name in ("message", "details", "warning")]
        assert SECRET not in f"{answer.error!r} {told} {answer.headers}"
    assert SECRET not in str(logs)

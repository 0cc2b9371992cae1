"""Every status that a transaction of the worklist declares is answered, and no other — PS3.18 chapter 11, §8.10.4."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from archives import Answer, Given, opened
from skiagraph.services import event_queue, feed, subscriptions, upkeep, workitem_state, worklist
from workitems import attributes, change, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK = "1.2.3.4"
GLOBAL = "1.2.840.10008.5.1.4.34.5"
ROWS = [
    *worklist.TRANSACTIONS,
    *workitem_state.TRANSACTIONS,
    *subscriptions.TRANSACTIONS,
    *event_queue.TRANSACTIONS,
    *feed.TRANSACTIONS,
]
LARGE = b'{"00400400":{"vr":"LT","Value":["' + b"x" * 10_000 + b'"]}}'
STEP, LABEL, CLAIM = [workitem()], [attributes(ProcedureStepLabel="B")], [change("IN PROGRESS", LOCK)]

# method, path, payload, headers, status; in this order. /1.1 is SCHEDULED, /1.2 COMPLETED or CANCELED, /1.9 deleted.
ASKED: list[tuple[str, str, Any, dict[str, str], int]] = [
    ("POST", "workitems?workitem=1.1", STEP, JSON, 201),
    ("POST", "workitems?workitem=1.1", STEP, JSON, 409),
    ("POST", "workitems", [{}], JSON, 400),
    ("POST", "workitems", LARGE, JSON, 413),
    ("POST", "workitems", b"x", {"content-type": "text/plain"}, 415),
    ("GET", "workitems", None, {}, 200),
    ("GET", "workitems?PatientID=nobody", None, {}, 204),
    ("GET", "workitems?limit=-", None, {}, 400),
    ("GET", "workitems", None, {"accept": "image/png"}, 406),
    ("GET", "workitems/1.1", None, {}, 200),
    ("GET", "workitems/1.1", None, {"if-none-match": "*"}, 304),
    ("GET", "workitems/1.1", None, {"accept": "image/png, application/dicom+json"}, 400),
    ("GET", "workitems/1.1", None, {"accept": "image/png"}, 406),
    ("GET", "workitems/1.0", None, {}, 404),
    ("GET", "workitems/1.9", None, {}, 410),
    ("POST", "workitems/1.1", LABEL, JSON, 200),
    ("POST", "workitems/1.2", LABEL, JSON, 400),
    ("POST", "workitems/1.0", LABEL, JSON, 404),
    ("POST", f"workitems/1.1?transaction-uid={LOCK}", LABEL, JSON, 409),
    ("POST", "workitems/1.9", LABEL, JSON, 410),
    ("POST", "workitems/1.1", LARGE, JSON, 413),
    ("POST", "workitems/1.1", b"x", {"content-type": "text/plain"}, 415),
    *(
        (method, path.format(form), body, headers, status)
        for form in ("", "/ASKER")
        for method, path, body, headers, status in (
            ("PUT", "workitems/1.1/state{}", [change("COMPLETED", LOCK)], JSON, 409),
            ("PUT", "workitems/1.1/state{}", [change("IN PROGRESS", None)], JSON, 400),
            ("PUT", "workitems/1.0/state{}", CLAIM, JSON, 404),
            ("PUT", "workitems/1.9/state{}", CLAIM, JSON, 410),
            ("PUT", "workitems/1.1/state{}", LARGE, JSON, 413),
            ("PUT", "workitems/1.1/state{}", b"x", {"content-type": "text/plain"}, 415),
            ("POST", "workitems/1.2/cancelrequest{}", None, {}, 202),
            ("POST", "workitems/1.1/cancelrequest{}", b"{", JSON, 400),
            ("POST", "workitems/1.0/cancelrequest{}", None, {}, 404),
            ("POST", "workitems/1.9/cancelrequest{}", None, {}, 410),
            ("POST", "workitems/1.1/cancelrequest{}", LARGE, JSON, 413),
            ("POST", "workitems/1.1/cancelrequest{}", b"x", {"content-type": "text/plain"}, 415),
        )
    ),
    ("POST", "workitems/1.1/subscribers/A", None, {}, 201),
    ("POST", "workitems/1.1/subscribers/A?deletionlock=x", None, {}, 400),
    ("POST", "workitems/1.0/subscribers/A", None, {}, 404),
    ("POST", "workitems/1.9/subscribers/A", None, {}, 410),
    ("POST", f"workitems/{GLOBAL}/subscribers/A", None, {}, 201),
    ("POST", f"workitems/{GLOBAL}/subscribers/A/suspend", None, {}, 200),
    ("POST", f"workitems/{GLOBAL}/subscribers/A/suspend", None, {}, 404),
    ("POST", "workitems/1.1/subscribers/A/suspend", None, {}, 400),
    ("DELETE", "workitems/1.1/subscribers/A", None, {}, 200),
    ("DELETE", "workitems/1.1/subscribers/A", None, {}, 404),
    ("DELETE", "workitems/1.1/subscribers/ABCDEFGHIJKLMNOPQ", None, {}, 400),
    ("DELETE", "workitems/1.9/subscribers/A", None, {}, 410),
    ("GET", "subscribers/A/events", None, {}, 200),
    ("GET", "subscribers/A/events?after=x", None, {}, 400),
    ("DELETE", "subscribers/A/events?upto=1", None, {}, 204),
    ("DELETE", "subscribers/A/events?upto=0", None, {}, 400),
    ("GET", "subscribers/A", None, {}, 426),
    ("GET", "ws/subscribers/A", None, {}, 426),
    ("GET", "changes", None, {}, 200),
    ("GET", "changes?after=x", None, {}, 400),
    ("PUT", "workitems/1.1/state", CLAIM, JSON, 200),
    ("POST", "workitems/1.1/cancelrequest", None, {}, 409),
    ("POST", "workitems?workitem=1.3", STEP, JSON, 201),
    ("PUT", "workitems/1.3/state/ASKER", CLAIM, JSON, 200),
    ("POST", "workitems/1.3/cancelrequest/ASKER", None, {}, 409),
]
ELSEWHERE = {
    "Search for Workitems": {413},  # answers are streamed, or cut into pages
    "Subscribe": {403},  # filtered subscriptions are supported, and nobody is refused
    "Suspend Global Subscription": {410},  # of the well-known UIDs none is deleted
    "Open Notification Connection": {101, 400},  # with a handshake
}


def send(given: Given, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
    path, _, query = path.partition("?")
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return given.get(path, method=method, query=query, headers=headers, body=data)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder: Path = tmp_path_factory.mktemp("statuses")
    with opened(folder, max_data_set_bytes=9000, empty_search="204") as archive:
        for uid in ("1.2", "1.9"):
            assert send(archive, "POST", f"workitems?workitem={uid}", STEP, JSON).status == 201
            assert send(archive, "POST", f"workitems/{uid}/cancelrequest", None, {}).status == 202
        assert send(archive, "POST", "workitems/1.2/subscribers/KEEPER?deletionlock=true", None, {}).status == 201
        asyncio.run(upkeep.look(archive.archive, time.time() + 25 * 3600))
        yield archive


def test_each_status_of_each_row(given: Given) -> None:
    seen: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for method, path, body, headers, status in ASKED:
        answer = send(given, method, path, body, headers)
        assert answer.status == status, (method, path, answer.error)
        row, _ = given.router.resolve(method, "/" + path.partition("?")[0])
        seen[row.name, row.method, row.template].add(status)
    for row in ROWS:
        answered = seen[row.name, row.method, row.template]
        assert answered == set(row.statuses) - ELSEWHERE.get(row.name, set()), (row.name, row.template)

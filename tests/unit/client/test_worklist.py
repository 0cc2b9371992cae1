"""client.worklist: what a worker does, against an archive, and while networks and servers fail it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from websockets.sync.server import ServerConnection, serve

from archives import BASE, Given, opened
from skiagraph.client import worklist as module
from skiagraph.client.worklist import AlreadyClaimed, Code, Reference, Step, Worklist, WorklistError
from workitems import attributes, code, workitem

STATION = Code("GPU1", "99LAB", "The machine")
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"


class Network(httpx.BaseTransport):
    """Brings requests to an archive; breaks when it is told to."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.sent: list[tuple[str, str]] = []
        self.breaks: list[str] = []
        """What becomes of the next requests: "before" or "after" they arrive; anything else is brought."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/dicom-web/")
        self.sent.append((request.method, path))
        fate = self.breaks.pop(0) if self.breaks else ""
        if fate == "before":
            raise httpx.WriteError("broken", request=request)
        if fate == "refused":
            raise httpx.ConnectError("refused", request=request)
        headers = {name.lower(): text for name, text in request.headers.items()}
        query = request.url.query.decode()
        answer = self.given.get(path, method=request.method, headers=headers, query=query, body=request.read())
        if fate == "after":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        text = {"message": str(answer.error)} if answer.error else None
        warning = getattr(answer.error, "warning", None)
        fields = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        if warning:
            fields["warning"] = f"299 {BASE}: {warning}"
        body = json.dumps({"detail": text["message"]}).encode() if text else answer.content
        return httpx.Response(answer.status, headers=fields, content=body, request=request)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with opened(tmp_path / "data") as given:
        yield Network(given)


@pytest.fixture
def worker(network: Network) -> Iterator[Worklist]:
    with Worklist(BASE, "WORKER", client=httpx.Client(transport=network)) as opened:
        yield opened


def state(worker: Worklist, uid: str) -> str:
    return str(worker.retrieve(uid)["00741000"]["Value"][0])


# What one does ----------------------------------------------------------------------------------------------------


def test_from_scheduled_to_completed(worker: Worklist) -> None:
    step = workitem(
        ScheduledWorkitemCodeSequence=code("AIR"),
        InputInformationSequence={
            "StudyInstanceUID": "1.1",
            "SeriesInstanceUID": "1.2",
            "TypeOfInstances": "DICOM",
            "ReferencedSOPSequence": [
                {"ReferencedSOPClassUID": "1.9", "ReferencedSOPInstanceUID": f"1.3.{number}"} for number in "12"
            ],
            "WADORSRetrievalSequence": {"RetrieveURL": "http://somewhere/studies/1.1"},
        },
    )
    uid = worker.create(step)
    assert uid.startswith("2.25.")
    with worker.claim(uid) as claimed:
        assert state(worker, uid) == "IN PROGRESS"
        assert claimed.inputs == [
            Reference("1.1", "1.2", f"1.3.{n}", "1.9", "http://somewhere/studies/1.1") for n in "12"
        ]
        assert claimed.inputs[0].path == "studies/1.1/series/1.2/instances/1.3.1"
        claimed.progress(50, "Half")
        (progress,) = worker.retrieve(uid)["00741002"]["Value"]
        assert progress["00741004"]["Value"] == [50]
        output = Reference("1.1", "1.5", "1.6", "1.9", "http://here")
        claimed.complete(station=STATION, outputs=[output], description="Done")
    found = worker.retrieve(uid)
    assert found["00741000"]["Value"] == ["COMPLETED"]
    (performed,) = found["00741216"]["Value"]
    assert performed["00404019"]["Value"] == step["00404018"]["Value"]
    (made,) = performed["00404033"]["Value"]
    assert made["00081199"]["Value"][0]["00081155"]["Value"] == ["1.6"]
    assert made["0040E025"]["Value"][0]["00081190"]["Value"] == ["http://here"]


def test_completed_without_output(worker: Worklist) -> None:
    uid = worker.create(workitem())
    with worker.claim(uid) as step:
        with pytest.raises(ValueError, match="name what was performed"):
            step.complete(station=STATION)
        step.complete(station=STATION, performed=Code("A", "99LAB", "Something"))
    assert state(worker, uid) == "COMPLETED"


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        (Reference("1"), "studies/1"),
        (Reference("1", "2"), "studies/1/series/2"),
        (Reference("1", "2", "3"), "studies/1/series/2/instances/3"),
        (Reference("1", None, "3"), "studies/1"),
    ],
)
def test_paths_of_references(reference: Reference, path: str) -> None:
    assert reference.path == path


def test_a_block_that_fails_cancels_its_step(worker: Worklist) -> None:
    uid = worker.create(workitem())
    with pytest.raises(ZeroDivisionError), worker.claim(uid):
        _ = 1 / 0
    found = worker.retrieve(uid)
    assert found["00741000"]["Value"] == ["CANCELED"]
    assert found["00741002"]["Value"][0]["00741238"]["Value"] == ["The worker failed (ZeroDivisionError)."]


def test_a_block_that_does_not_finish_cancels_its_step(worker: Worklist) -> None:
    uid = worker.create(workitem())
    with worker.claim(uid):
        pass
    assert state(worker, uid) == "CANCELED"


def test_a_block_may_cancel_with_a_code(worker: Worklist) -> None:
    uid = worker.create(workitem())
    with worker.claim(uid) as step:
        step.cancel("No contrast", Code("110501", "DCM", "Equipment failure"))
    (progress,) = worker.retrieve(uid)["00741002"]["Value"]
    assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110501"]


def test_of_two_workers_one_wins(worker: Worklist, network: Network) -> None:
    uid = worker.create(workitem())
    other = Worklist(BASE, "OTHER", client=httpx.Client(transport=network))
    with worker.claim(uid) as step:
        with pytest.raises(AlreadyClaimed) as raised:
            other.take(uid)
        assert raised.value.status == 400
        assert "The Transaction UID is incorrect." in str(raised.value)
        step.cancel()
    with pytest.raises(AlreadyClaimed):
        other.take(uid)
    with pytest.raises(AlreadyClaimed):
        other.take("1.2.3.4")


def test_a_lock_that_was_kept_goes_on_after_a_crash(worker: Worklist) -> None:
    uid = worker.create(workitem())
    lock = worker.take(uid).lock
    step = Step(worker, uid, lock)
    step.complete(station=STATION, performed=Code("A", "99LAB", "Something"))
    assert state(worker, uid) == "COMPLETED"


def test_request_cancellation(worker: Worklist) -> None:
    uid = worker.create(workitem())
    worker.request_cancellation(uid, "Wrong patient")
    found = worker.retrieve(uid)
    assert found["00741000"]["Value"] == ["CANCELED"]
    assert found["00741002"]["Value"][0]["00741238"]["Value"] == ["Wrong patient"]


def test_search(worker: Worklist) -> None:
    uids = [worker.create(workitem(PatientID=str(number))) for number in range(5)]
    assert [one["00080018"]["Value"][0] for one in worker.search()] == uids
    assert [one["00080018"]["Value"][0] for one in worker.search({"PatientID": "3"})] == [uids[3]]
    assert worker.search({"PatientID": "9"}) == []
    assert len(worker.search({"limit": "2"})) == 2


def test_search_goes_on_where_a_server_gives_less_than_there_is(tmp_path: Path) -> None:
    with opened(tmp_path / "data", max_search_results=2) as given:
        network = Network(given)
        worker = Worklist(BASE, "WORKER", client=httpx.Client(transport=network))
        uids = [worker.create(workitem()) for _ in range(5)]
        assert [one["00080018"]["Value"][0] for one in worker.search()] == uids
        assert [one["00080018"]["Value"][0] for one in worker.search({"offset": "1"})] == uids[1:]
        assert len(worker.search({"limit": "1"})) == 1


@pytest.mark.parametrize("ae", ["A B", "A?B", "A#B", "A%42", 'A"B', "A&B"])
def test_ae_titles_are_quoted(network: Network, ae: str) -> None:
    with Worklist(BASE, ae, client=httpx.Client(transport=network)) as worker:
        uid = worker.create(workitem())
        worker.subscribe(workitem=uid)

        def subscribers(books: Any) -> Any:
            return books.all_subscribers()

        assert network.given.archive.index.together([subscribers]) == [[ae]]
        with worker.claim(uid):
            pass
        worker.unsubscribe()
        assert network.given.archive.index.together([subscribers]) == [[]]


def test_what_the_server_refuses(worker: Worklist) -> None:
    with pytest.raises(WorklistError) as raised:
        worker.create(attributes(PatientName="Doe"))
    assert raised.value.status == 400
    assert "The Workitem can not be created." in str(raised.value)
    with pytest.raises(WorklistError, match="404: There is no Workitem"):
        worker.retrieve("1.2.3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"detail": "No.", "details": ["a", "b"]}', "No. a b"),
        ('{"0040A160": {"vr": "UT", "Value": ["No.\\nNever."]}}', "No.\nNever."),
        ('[{"0040A160": {"vr": "UT", "Value": ["No."]}}]', "No."),
        ("<html>No</html>\n", "<html>No</html>"),
        ("[]", "[]"),
        ("null", "null"),
        ("{}", "{}"),
        ("", ""),
        ("x" * 999, "x" * 500),
    ],
)
def test_what_servers_say(text: str, expected: str) -> None:
    error = WorklistError.of(httpx.Response(400, text=text))
    assert str(error) == f"400: {expected}"


# Broken connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["before", "after"])
@pytest.mark.parametrize("number", range(4), ids=["claim", "progress", "performed", "COMPLETED"])
def test_one_break_is_no_obstacle(worker: Worklist, network: Network, fate: str, number: int) -> None:
    uid = worker.create(workitem(ScheduledWorkitemCodeSequence=code("A")))
    fates = [""] * 4
    fates[number] = fate

    def next_fate() -> None:
        network.breaks = [fates.pop(0)]

    next_fate()
    step = worker.take(uid)
    _ = step.attributes
    next_fate()
    step.progress(10)
    real = step._update

    def update(attributes: Any) -> None:
        next_fate()
        real(attributes)
        next_fate()

    step._update = update  # type: ignore[method-assign]
    step.complete(station=STATION)
    assert fates == []
    assert state(worker, uid) == "COMPLETED"


@pytest.mark.parametrize("fate", ["before", "after"])
def test_a_claim_of_another_is_not_taken_for_ours(worker: Worklist, network: Network, fate: str) -> None:
    uid = worker.create(workitem())
    Worklist(BASE, "OTHER", client=httpx.Client(transport=network)).take(uid)
    network.breaks = [fate]
    with pytest.raises(AlreadyClaimed):
        worker.take(uid)


@pytest.mark.parametrize("fates", [["before"] * 3, ["refused"]])
def test_a_network_that_is_down_says_so(worker: Worklist, network: Network, fates: list[str]) -> None:
    network.breaks = list(fates)
    with pytest.raises(httpx.TransportError):
        worker.take("1.2")
    network.breaks = list(fates)
    with pytest.raises(httpx.TransportError):
        worker.search()


def test_nothing_is_created_twice(worker: Worklist, network: Network) -> None:
    network.breaks = ["after"]
    with pytest.raises(httpx.TransportError):
        worker.create(workitem(), "1.2.3")
    assert network.sent == [("POST", "workitems")]
    assert state(worker, "1.2.3") == "SCHEDULED"


def test_what_went_wrong_first_is_told(worker: Worklist, network: Network) -> None:
    uid = worker.create(workitem())

    def work() -> None:
        with worker.claim(uid):
            network.breaks = ["before"] * 9
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        work()


# Event reports ----------------------------------------------------------------------------------------------------


def report(number: int, uid: str = "1.2", state: str = "SCHEDULED", readiness: str = "READY") -> str:
    return json.dumps(
        attributes(ProcedureStepState=state, InputReadinessState=readiness)
        | {
            "00000110": {"vr": "US", "Value": [number]},
            "00001000": {"vr": "UI", "Value": [uid]},
            "00001002": {"vr": "US", "Value": [1]},
        }
    )


@contextmanager
def serving(handler: Callable[[ServerConnection], None], **more: Any) -> Iterator[str]:
    """A server of WebSockets; its Base URI."""
    with serve(handler, "127.0.0.1", 0, **more) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}/dicom-web"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the client would have slept."""
    found: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=found.append))
    return found


class TestReports:
    def test_one_is_acknowledged_when_the_next_is_asked_for(self, pauses: list[float]) -> None:
        said: list[Any] = []
        paths: list[str] = []

        def handler(socket: ServerConnection) -> None:
            assert socket.request is not None
            paths.append(socket.request.path)
            for number in (1, 2, 3):
                socket.send(report(number))
                if number < 3:
                    said.append(json.loads(socket.recv()))
            socket.recv()

        with serving(handler) as url, Worklist(url, "A B") as worker:
            reports = worker.reports()
            found = [next(reports) for _ in range(3)]
            reports.close()  # type: ignore[attr-defined]
        assert [one["00000110"]["Value"] for one in found] == [[1], [2], [3]]
        assert said == [{"00000120": {"vr": "US", "Value": [number]}} for number in (1, 2)]
        assert paths == ["/dicom-web/ws/subscribers/A%20B?acknowledge=true"]
        assert pauses == []

    def test_a_broken_connection_is_opened_again_ever_more_slowly(self, pauses: list[float]) -> None:
        connections = []

        def handler(socket: ServerConnection) -> None:
            connections.append(socket)
            if len(connections) < 5:
                socket.socket.close()
            else:
                socket.send(report(7))
                socket.recv()

        with serving(handler) as url, Worklist(url, "A") as worker:
            reports = worker.reports()
            assert next(reports)["00000110"]["Value"] == [7]
            reports.close()  # type: ignore[attr-defined]
        assert len(pauses) == 4
        assert all(0 < pause <= 30 for pause in pauses)

    def test_nobody_listens(self, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        class Enough(Exception):
            pass

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 12:
                raise Enough

        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
        with serving(lambda _: None) as url:
            pass
        with Worklist(url, "A") as worker, pytest.raises(Enough):
            next(worker.reports())
        assert pauses == sorted(pauses)
        assert pauses[-1] == 30

    @pytest.mark.parametrize(("status", "fatal"), [(400, True), (401, True), (404, True), (429, False), (503, False)])
    def test_refusals(self, pauses: list[float], status: int, fatal: bool) -> None:
        answers = []

        def refuse(socket: ServerConnection, request: Any) -> Any:
            answers.append(1)
            return socket.respond(status, '{"detail": "Not so."}') if len(answers) == 1 else None

        def handler(socket: ServerConnection) -> None:
            socket.send(report(1))
            socket.recv()

        with serving(handler, process_request=refuse) as url, Worklist(url, "A") as worker:
            reports = worker.reports()
            if fatal:
                with pytest.raises(WorklistError, match=f"{status}: Not so."):
                    next(reports)
            else:
                next(reports)
                assert len(pauses) == 1
            reports.close()  # type: ignore[attr-defined]

    def test_credentials_go_with_the_handshake(self, pauses: list[float]) -> None:
        seen = []

        def handler(socket: ServerConnection) -> None:
            assert socket.request is not None
            seen.append((socket.request.headers.get("authorization"), socket.request.headers.get("x-other")))
            socket.send(report(1))
            socket.recv()

        client = httpx.Client(headers={"Authorization": "Bearer abc", "X-Other": "no"})
        with serving(handler) as url, Worklist(url, "A", client=client) as worker:
            reports = worker.reports()
            next(reports)
            reports.close()  # type: ignore[attr-defined]
        assert seen == [("Bearer abc", None)]

    def test_heartbeats_are_no_reports(self, pauses: list[float]) -> None:
        def handler(socket: ServerConnection) -> None:
            for text in ("{}", "{}", report(1)):
                socket.send(text)
            socket.recv()

        with serving(handler) as url, Worklist(url, "A") as worker:
            reports = worker.reports()
            assert next(reports)["00000110"]["Value"] == [1]
            reports.close()  # type: ignore[attr-defined]


def test_ready_names_what_waits_and_matches(worker: Worklist, monkeypatch: pytest.MonkeyPatch) -> None:
    there = worker.create(workitem(PatientID="mine"))
    worker.create(workitem(PatientID="mine", InputReadinessState="INCOMPLETE"))
    worker.create(workitem(PatientID="another's"))

    def reports() -> Iterator[Any]:
        claimed = worker.create(workitem(PatientID="mine"))
        worker.take(claimed)
        yield json.loads(report(1, claimed))
        yield json.loads(report(2, worker.create(workitem(PatientID="another's"))))
        yield json.loads(report(3, there, state="IN PROGRESS"))
        yield json.loads(report(4, there, readiness="INCOMPLETE"))
        yield json.loads(report(5, worker.create(workitem(PatientID="mine"), "1.2.3.4")))

    monkeypatch.setattr(worker, "reports", reports)
    assert list(worker.ready({"PatientID": "mine"})) == [there, "1.2.3.4"]

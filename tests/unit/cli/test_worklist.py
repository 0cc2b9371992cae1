"""`skiagraph worklist`: what is asked of the server, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from skiagraph.client.worklist import Worklist
from workitems import attributes, code, workitem

from .conftest import FakeServer

Run = Callable[..., Any]
UID, LOCK = "1.2.3.4", "1.2.9"
STEP = workitem(
    PatientName="Yamada^Tarou",
    PatientID="P7",
    ScheduledProcedureStepStartDateTime="20260131093015.5+0100",
    ScheduledWorkitemCodeSequence=code("AIR"),
) | attributes(SOPInstanceUID=UID)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("SKIAGRAPH_AE_TITLE", raising=False)


def answers(server: FakeServer, *responses: httpx.Response) -> None:
    given = iter(responses)
    server.before = lambda _: next(given)


def found(*steps: Any) -> httpx.Response:
    return httpx.Response(200, json=list(steps))


def requests(server: FakeServer) -> list[tuple[str, str]]:
    return [(request.method, request.url.raw_path.decode().removeprefix("/dicom-web/")) for request in server.requests]


def payload(request: httpx.Request) -> dict[str, Any]:
    (data_set,) = json.loads(request.content)
    return dict(data_set)


class TestList:
    def test_a_table(self, server: FakeServer, run: Run) -> None:
        answers(server, found(STEP, STEP))
        result = run("worklist", "list", "ProcedureStepState=SCHEDULED", "--limit", 1)
        assert result.exit_code == 0
        for text in ("2026-01-31 09:30", "SCHEDULED", "MEDIUM", "READY", "Find nodules", "Yamada Tarou", "P7", UID):
            assert text in result.output
        assert "1 Workitem. There are more" in result.output
        assert requests(server) == [("GET", "workitems?ProcedureStepState=SCHEDULED&limit=2")]

    @pytest.mark.parametrize("response", [found(), httpx.Response(204)], ids=["200", "204"])
    @pytest.mark.parametrize(
        ("terms", "text"), [([], "There are no Workitems."), (["PatientID=1"], "No Workitems match.")]
    )
    def test_nothing(self, server: FakeServer, run: Run, response: httpx.Response, terms: list[str], text: str) -> None:
        answers(server, response)
        assert text in run("worklist", "list", *terms).output

    def test_json(self, server: FakeServer, run: Run) -> None:
        answers(server, found(STEP))
        assert json.loads(run("worklist", "list", "--json").stdout) == [STEP]
        assert requests(server) == [("GET", "workitems?limit=100")]

    def test_warnings_of_the_server_are_told(self, server: FakeServer, run: Run) -> None:
        """A keyword that is misspelt is ignored: without this all Workitems would seem to match."""
        headers = [
            ("warning", "299 x: PatientIdd is unknown"),
            ("warning", "299 x: There are 9 additional results that"),
        ]
        answers(server, httpx.Response(200, json=[STEP], headers=headers))
        result = run("worklist", "list", "PatientIdd=7")
        assert "Warning of the server: 299 x: PatientIdd is unknown" in result.stderr
        assert "additional" not in result.output

    def test_what_a_server_sends_does_not_steer_the_terminal(self, server: FakeServer, run: Run) -> None:
        answers(server, found(STEP | attributes(ProcedureStepLabel="[bold]\x1b[2J[/bold]", PatientID="[red]")))
        output = run("worklist", "list").output
        assert "\x1b[2J" not in output
        assert "[bold]" in output
        assert "[red]" in output

    @pytest.mark.parametrize(
        "step", [{}, {"00741000": 7}, {"00741000": {"Value": 7}}, {"00404005": {"vr": "DT", "Value": [1]}}]
    )
    def test_odd_answers(self, server: FakeServer, run: Run, step: Any) -> None:
        answers(server, found(step))
        assert run("worklist", "list").exit_code == 0

    @pytest.mark.parametrize("content", [b"<html>", b"{}", b"[1]", b"\xff"])
    def test_no_worklist_there(self, server: FakeServer, run: Run, content: bytes) -> None:
        answers(server, httpx.Response(200, content=content))
        result = run("worklist", "list")
        assert result.exit_code == 1
        assert "no DICOM JSON" in result.output


def test_show(server: FakeServer, run: Run) -> None:
    answers(server, found(STEP))
    assert json.loads(run("worklist", "show", UID).stdout) == [STEP][0]
    assert requests(server) == [("GET", f"workitems/{UID}")]


def test_add(server: FakeServer, run: Run, tmp_path: Path) -> None:
    answers(server, *[httpx.Response(201)] * 3)
    (tmp_path / "one").write_text(json.dumps(STEP))
    (tmp_path / "two").write_text(json.dumps([STEP, STEP]))
    result = run("worklist", "add", tmp_path / "one", tmp_path / "two")
    assert result.exit_code == 0
    uids = result.output.split()
    assert [path for _, path in requests(server)] == [f"workitems?workitem={uid}" for uid in uids]
    assert all(payload(request) == STEP for request in server.requests)


def test_add_what_is_no_json(server: FakeServer, run: Run, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("Doe")
    result = run("worklist", "add", tmp_path / "one")
    assert result.exit_code == 1
    assert "is not JSON" in result.output
    assert server.requests == []


class TestClaim:
    def test_the_lock_is_printed(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(200))
        result = run("worklist", "claim", UID, "--ae", "READER 1")
        assert result.exit_code == 0
        assert requests(server) == [("PUT", f"workitems/{UID}/state/READER%201")]
        sent = payload(server.requests[0])
        assert sent["00741000"]["Value"] == ["IN PROGRESS"]
        assert sent["00081195"]["Value"] == result.output.split()

    def test_somebody_was_faster(self, server: FakeServer, run: Run) -> None:
        said = {"0040A160": {"vr": "UT", "Value": ["400 Bad Request\nNot the one.\nRequest abc"]}}
        answers(server, httpx.Response(400, json=said, headers={"warning": "299 x: The Transaction UID is incorrect."}))
        result = run("worklist", "claim", UID)
        assert result.exit_code == 1
        assert f"{UID} is claimed by somebody else, finished, or not there." in result.output
        assert "400: The Transaction UID is incorrect. Not the one." in result.output
        assert "Request abc" not in result.output


class TestEnd:
    def test_complete(self, server: FakeServer, run: Run) -> None:
        answers(server, found(STEP), httpx.Response(200), httpx.Response(200))
        result = run("worklist", "complete", UID, "--lock", LOCK, "--station", "GPU1:99LAB:The machine: 1")
        assert result.output == "COMPLETED\n"
        assert requests(server)[1:] == [
            ("POST", f"workitems/{UID}?transaction-uid={LOCK}"),
            ("PUT", f"workitems/{UID}/state/SKIAGRAPH-CLI"),
        ]
        (performed,) = payload(server.requests[1])["00741216"]["Value"]
        assert (
            performed["00404028"]["Value"]
            == attributes(PerformedStationNameCodeSequence=code("GPU1", "99LAB", "The machine: 1"))["00404028"]["Value"]
        )
        assert performed["00404019"]["Value"] == STEP["00404018"]["Value"]
        assert "Value" not in performed["00404033"]

    def test_complete_what_has_no_code(self, server: FakeServer, run: Run) -> None:
        answers(server, found(workitem()))
        result = run("worklist", "complete", UID, "--lock", LOCK, "--station", "A:B:C")
        assert result.exit_code == 2
        assert "--performed" in result.output

    @pytest.mark.parametrize("station", ["A", "A:B", "A:B:", ":B:C", "A::C"])
    def test_what_is_no_code(self, server: FakeServer, run: Run, station: str) -> None:
        result = run("worklist", "complete", UID, "--lock", LOCK, "--station", station)
        assert result.exit_code == 2
        assert "is no code" in result.output
        assert server.requests == []

    def test_cancel_with_the_lock(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(200), httpx.Response(200))
        assert run("worklist", "cancel", UID, "--lock", LOCK, "--reason", "why").output == "CANCELED\n"
        assert payload(server.requests[0])["00741002"]["Value"][0]["00741238"]["Value"] == ["why"]

    def test_ask_for_cancellation(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(202))
        assert run("worklist", "cancel", UID, "--reason", "why").output == "Cancellation requested\n"
        assert requests(server) == [("POST", f"workitems/{UID}/cancelrequest/SKIAGRAPH-CLI")]


def report(event: int, **named: Any) -> dict[str, Any]:
    command = {
        "00000110": {"vr": "US", "Value": [1]},
        "00001000": {"vr": "UI", "Value": [UID]},
        "00001002": {"vr": "US", "Value": [event]},
    }
    return command | attributes(**named)


REPORTS = [
    report(1, ProcedureStepState="SCHEDULED", InputReadinessState="READY"),
    report(
        3,
        ProcedureStepProgressInformationSequence={
            "ProcedureStepProgress": 50,
            "ProcedureStepProgressDescription": "Half",
        },
    ),
    report(2, RequestingAE="DESK", ReasonForCancellation="[bold]why"),
    report(5, ScheduledStationNameCodeSequence=code("GPU1", meaning="The machine")),
    report(4, SCPStatus="GOING DOWN"),
    {},
    {"00001002": {"Value": []}, "00741002": {"Value": [7]}},
]


class TestWatch:
    @pytest.fixture(autouse=True)
    def reports(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def reports(self: Worklist) -> Iterator[Any]:
            yield from REPORTS
            raise KeyboardInterrupt

        monkeypatch.setattr(Worklist, "reports", reports)

    def test_a_line_for_each_report(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(201), httpx.Response(200))
        lines = run("worklist", "watch", "--count", len(REPORTS)).output.splitlines()
        assert [line.split() for line in lines] == [
            ["state", "SCHEDULED", "READY", UID],
            ["progress", "50", "%", "Half", UID],
            ["cancel", "requested", "DESK", "[bold]why", UID],
            ["assigned", "The", "machine", UID],
            ["server", "GOING", "DOWN", UID],
            ["report"],
            ["report"],
        ]

    def test_json(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(201), httpx.Response(200))
        lines = run("worklist", "watch", "--json", "--count", 3).stdout.splitlines()
        assert [json.loads(line) for line in lines] == REPORTS[:3]

    @pytest.mark.parametrize("count", [2, 0], ids=["count", "Ctrl-C"])
    def test_the_subscription_ends_with_it(self, server: FakeServer, run: Run, count: int) -> None:
        answers(server, httpx.Response(201), httpx.Response(200))
        run("worklist", "watch", "WorklistLabel=CT", "--count", count)
        (subscribed, unsubscribed) = requests(server)
        ae = subscribed[1].partition("/subscribers/")[2].partition("?")[0]
        assert ae.startswith("WATCH-")
        assert len(ae) <= 16
        assert subscribed == (
            "POST",
            f"workitems/1.2.840.10008.5.1.4.34.5.1/subscribers/{ae}?WorklistLabel=CT",
        )
        assert unsubscribed == ("DELETE", f"workitems/1.2.840.10008.5.1.4.34.5/subscribers/{ae}")

    def test_two_who_watch_do_not_share_a_name(self, server: FakeServer, run: Run) -> None:
        answers(server, *[httpx.Response(201), httpx.Response(200)] * 2)
        for _ in range(2):
            run("worklist", "watch", "--count", 1)
        assert len({path.rpartition("/")[2] for _, path in requests(server)}) == 2

    def test_a_name_of_ones_own(self, server: FakeServer, run: Run) -> None:
        answers(server, httpx.Response(201), httpx.Response(200))
        run("worklist", "watch", "--count", 1, "--ae", "MINE")
        assert {path.rpartition("/")[2] for _, path in requests(server)} == {"MINE"}


@pytest.mark.parametrize("term", ["nonsense", "=1"])
@pytest.mark.parametrize("command", ["list", "watch"])
def test_what_is_no_condition(server: FakeServer, run: Run, command: str, term: str) -> None:
    result = run("worklist", command, term)
    assert result.exit_code == 2
    assert "is no condition" in result.output


@pytest.mark.parametrize(
    "arguments",
    [("list",), ("show", UID), ("claim", UID), ("cancel", UID), ("watch",)],
    ids=lambda arguments: arguments[0],
)
def test_a_server_that_is_not_there(server: FakeServer, run: Run, arguments: tuple[str, ...]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    server.before = refuse
    result = run("worklist", *arguments)
    assert result.exit_code == 3
    assert "can not be reached" in result.output

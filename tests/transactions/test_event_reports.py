"""Event reports, as subscribers get them over WebSockets and plain HTTP — PS3.18 §8.10, §11.13; PS3.4 CC.2.4."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.exceptions
from websockets.sync.client import ClientConnection, connect

from conftest import Server
from dicom_files import ct, part10, uid
from workitems import attributes, change, code, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK = "1.2.3.4.5.6.7.8"
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
PUSH = "1.2.840.10008.5.1.4.34.6.1"
Report = dict[str, Any]


@pytest.fixture
def ae() -> str:
    """An AE title that no other test has."""
    return f"E{uid()[-15:]}"


@contextmanager
def listening(url: str, ae: str, query: str = "") -> Iterator[ClientConnection]:
    address = f"ws{url.removeprefix('http')}/ws/subscribers/{ae}{query}"
    with connect(address, open_timeout=30, proxy=None) as socket:
        yield socket


def heard(socket: ClientConnection, timeout: float = 30) -> Report:
    report: Report = json.loads(socket.recv(timeout))
    return report


def silent(client: httpx.Client, socket: ClientConnection, ae: str) -> bool:
    """Whether nothing more comes: a report that is called for now is the next one."""
    name = create(client)
    assert client.post(f"workitems/{name}/subscribers/{ae}").status_code == 201
    return bool(heard(socket)["00001000"]["Value"] == [name])


def create(client: httpx.Client, **named: Any) -> str:
    name = uid()
    response = client.post(f"workitems?workitem={name}", json=[workitem(**named)], headers=JSON)
    assert response.status_code == 201, response.text
    return name


def subscribe(client: httpx.Client, name: str, ae: str, query: str = "") -> None:
    assert client.post(f"workitems/{name}/subscribers/{ae}{query}").status_code == 201


def put(client: httpx.Client, name: str, state: str) -> None:
    response = client.put(f"workitems/{name}/state", json=[change(state, LOCK)], headers=JSON)
    assert response.status_code == 200, response.text


def update(client: httpx.Client, name: str, *, lock: bool = False, **named: Any) -> None:
    query = f"?transaction-uid={LOCK}" if lock else ""
    response = client.post(f"workitems/{name}{query}", json=[attributes(**named)], headers=JSON)
    assert response.status_code == 200, response.text


def values(report: Report, tag: str) -> Any:
    return report.get(tag, {}).get("Value")


def states(reports: list[Report]) -> list[str]:
    return [values(report, "00741000")[0] for report in reports]


def test_a_frame_is_one_object_with_its_command_group(client: httpx.Client, base_url: str, ae: str) -> None:
    name = create(client)
    subscribe(client, name, ae)
    with listening(base_url, ae) as socket:
        text = str(socket.recv(30))
        report = json.loads(text)
    assert list(report) == sorted(report)
    assert values(report, "00000002") == [PUSH]
    assert values(report, "00000110") == [1]
    assert values(report, "00001000") == [name]
    assert values(report, "00001002") == [1]
    assert {tag: element["vr"] for tag, element in report.items()} == {
        "00000002": "UI",
        "00000110": "US",
        "00001000": "UI",
        "00001002": "US",
        "00404041": "CS",
        "00741000": "CS",
    }


def test_each_event_of_a_workitem(client: httpx.Client, base_url: str, ae: str) -> None:
    name = create(client)
    subscribe(client, name, ae)
    with listening(base_url, ae) as socket:
        assert values(heard(socket), "00741000") == ["SCHEDULED"]
        update(client, name, InputReadinessState="INCOMPLETE")
        changed = heard(socket)
        assert (values(changed, "00001002"), values(changed, "00404041")) == ([1], ["INCOMPLETE"])
        update(client, name, ScheduledStationNameCodeSequence=code("CT1"))
        assigned = heard(socket)
        assert values(assigned, "00001002") == [5]
        assert values(assigned, "00404025") == values(
            attributes(ScheduledStationNameCodeSequence=code("CT1")), "00404025"
        )
        put(client, name, "IN PROGRESS")
        assert values(heard(socket), "00741000") == ["IN PROGRESS"]
        update(
            client,
            name,
            lock=True,
            ProcedureStepProgressInformationSequence={
                "ProcedureStepProgress": "50",
                "ProcedureStepProgressDescription": "half",
            },
        )
        progress = heard(socket)
        assert values(progress, "00001002") == [3]
        assert values(values(progress, "00741002")[0], "00741004") == [50]
        update(client, name, lock=True, ProcedureStepLabel="Not worth a report")
        reason = attributes(ReasonForCancellation="No more needed", ContactDisplayName="Desk")
        client.post(f"workitems/{name}/cancelrequest/ASKER", json=[reason], headers=JSON)
        asked = heard(socket)
        assert values(asked, "00001002") == [2]
        assert values(asked, "00741236") == ["ASKER"]
        assert values(asked, "00741238") == ["No more needed"]
        assert values(asked, "0074100C") == ["Desk"]
        put(client, name, "CANCELED")
        canceled = heard(socket)
        assert values(canceled, "00741000") == ["CANCELED"]
        assert values(canceled, "0074100E")
        assert LOCK not in json.dumps(canceled)


def test_request_cancellation_of_a_scheduled_step_makes_two_reports(
    client: httpx.Client, base_url: str, ae: str
) -> None:
    name = create(client)
    subscribe(client, name, ae)
    client.post(f"workitems/{name}/cancelrequest")
    with listening(base_url, ae) as socket:
        assert states([heard(socket) for _ in range(3)]) == ["SCHEDULED", "IN PROGRESS", "CANCELED"]


def test_each_performer_makes_a_report_of_assignment(client: httpx.Client, base_url: str, ae: str) -> None:
    label = uid()[-16:]
    subscribe(client, FILTERED, ae, f"?WorklistLabel={label}")
    performers = [{"HumanPerformerCodeSequence": code(name), "HumanPerformerOrganization": "Org"} for name in "AB"]
    create(client, WorklistLabel=label, ScheduledHumanPerformersSequence=performers)
    with listening(base_url, ae) as socket:
        assert values(heard(socket), "00001002") == [1]
        found = [heard(socket) for _ in range(2)]
    assert [values(report, "00001002") for report in found] == [[5], [5]]
    codes = [values(values(report, "00404009")[0], "00080100") for report in found]
    assert codes == [["A"], ["B"]]
    assert values(found[0], "00404036") == ["Org"]


class TestGlobal:
    def test_new_workitems_are_reported(self, client: httpx.Client, base_url: str, ae: str) -> None:
        before = create(client)
        subscribe(client, GLOBAL, ae)
        with listening(base_url, ae) as socket:
            name = create(client)
            report = heard(socket)
            assert (values(report, "00001000"), states([report])) == ([name], ["SCHEDULED"])
            put(client, before, "IN PROGRESS")  # one that was there before, without an initial report
            assert values(heard(socket), "00001000") == [before]
        client.delete(f"workitems/{GLOBAL}/subscribers/{ae}")

    def test_suspended_ones_are_not_joined_but_kept(self, client: httpx.Client, base_url: str, ae: str) -> None:
        subscribe(client, GLOBAL, ae)
        before = create(client)
        assert client.post(f"workitems/{GLOBAL}/subscribers/{ae}/suspend").status_code == 200
        create(client)
        put(client, before, "IN PROGRESS")
        with listening(base_url, ae) as socket:
            assert [values(heard(socket), "00001000") for _ in range(2)] == [[before]] * 2
            assert silent(client, socket, ae)
        client.delete(f"workitems/{GLOBAL}/subscribers/{ae}")

    def test_unsubscribing_ends_specific_ones_too(self, client: httpx.Client, base_url: str, ae: str) -> None:
        name = create(client)
        subscribe(client, name, ae)
        subscribe(client, GLOBAL, ae)
        assert client.delete(f"workitems/{GLOBAL}/subscribers/{ae}").status_code == 200
        put(client, name, "IN PROGRESS")
        create(client)
        with listening(base_url, ae) as socket:
            assert states([heard(socket)]) == ["SCHEDULED"]
            assert silent(client, socket, ae)

    def test_filtered(self, client: httpx.Client, base_url: str, ae: str) -> None:
        label = uid()[-16:]
        mine = create(client, WorklistLabel=label)
        subscribe(client, FILTERED, ae, f"?filter=WorklistLabel={label},ScheduledProcedureStepPriority=HIGH")
        create(client, WorklistLabel=label, ScheduledProcedureStepPriority="LOW")
        create(client, ScheduledProcedureStepPriority="HIGH")
        both = create(client, WorklistLabel=label, ScheduledProcedureStepPriority="HIGH")
        put(client, mine, "IN PROGRESS")
        with listening(base_url, ae) as socket:
            assert values(heard(socket), "00001000") == [both]
            assert silent(client, socket, ae)

    def test_with_a_deletion_lock_all_states_are_reported(
        self, serving: Callable[..., AbstractContextManager[Server]], tmp_path: Path
    ) -> None:
        with serving(tmp_path / "data") as server, server.client() as client:
            names = [create(client) for _ in range(3)]
            subscribe(client, GLOBAL, "LOCKER", "?deletionlock=true")
            with listening(server.url, "LOCKER") as socket:
                assert sorted(values(heard(socket), "00001000")[0] for _ in names) == sorted(names)


class TestDelivery:
    def test_what_came_while_nobody_listened_is_replayed_in_order(
        self, client: httpx.Client, base_url: str, ae: str
    ) -> None:
        name = create(client)
        subscribe(client, name, ae)
        put(client, name, "IN PROGRESS")
        put(client, name, "CANCELED")
        with listening(base_url, ae) as socket:
            assert states([heard(socket) for _ in range(3)]) == ["SCHEDULED", "IN PROGRESS", "CANCELED"]

    def test_every_socket_of_an_ae_gets_each_report(self, client: httpx.Client, base_url: str, ae: str) -> None:
        name = create(client)
        with listening(base_url, ae) as first, listening(base_url, ae) as second:
            subscribe(client, name, ae)
            put(client, name, "IN PROGRESS")
            for socket in (first, second):
                assert states([heard(socket) for _ in range(2)]) == ["SCHEDULED", "IN PROGRESS"]

    def test_reports_are_given_until_they_are_acknowledged(self, client: httpx.Client, base_url: str, ae: str) -> None:
        name = create(client)
        subscribe(client, name, ae)
        put(client, name, "IN PROGRESS")
        with listening(base_url, ae, "?acknowledge=true") as socket:
            assert states([heard(socket) for _ in range(2)]) == ["SCHEDULED", "IN PROGRESS"]
        with listening(base_url, ae, "?acknowledge=true") as socket:
            found = [heard(socket) for _ in range(2)]
            assert states(found) == ["SCHEDULED", "IN PROGRESS"]
            socket.send(json.dumps({"00000120": {"vr": "US", "Value": values(found[0], "00000110")}}))
            put(client, name, "CANCELED")
            assert states([heard(socket)]) == ["CANCELED"]
            wait_until(lambda: len(queue(client, ae)) == 2)
        with listening(base_url, ae) as socket:
            assert states([heard(socket) for _ in range(2)]) == ["IN PROGRESS", "CANCELED"]

    def test_what_was_sent_is_not_sent_again(self, client: httpx.Client, base_url: str, ae: str) -> None:
        name = create(client)
        subscribe(client, name, ae)
        with listening(base_url, ae) as socket:
            heard(socket)
            wait_until(lambda: queue(client, ae) == [])
        with listening(base_url, ae) as socket:
            put(client, name, "IN PROGRESS")
            assert states([heard(socket)]) == ["IN PROGRESS"]

    def test_plain_http(self, client: httpx.Client, ae: str) -> None:
        name = create(client)
        subscribe(client, name, ae)
        put(client, name, "IN PROGRESS")
        response = client.get(f"subscribers/{ae}/events?limit=1")
        (first,) = response.json()
        assert states([first["report"]]) == ["SCHEDULED"]
        following = response.links["next"]["url"]
        assert following.endswith(f"?after={first['number']}")
        (second,) = client.get(following).json()
        assert states([second["report"]]) == ["IN PROGRESS"]
        assert len(queue(client, ae)) == 2
        assert client.delete(f"subscribers/{ae}/events?upto={first['number']}").status_code == 204
        assert [one["number"] for one in queue(client, ae)] == [second["number"]]

    @pytest.mark.parametrize("query", ["upto=0", "upto=x", "upto=999999999", ""])
    def test_what_can_not_be_acknowledged(self, client: httpx.Client, ae: str, query: str) -> None:
        assert client.delete(f"subscribers/{ae}/events?{query}").status_code == 400

    def test_a_wait_ends_with_the_first_report(self, client: httpx.Client, base_url: str, ae: str) -> None:
        name = create(client)
        subscribe(client, name, ae)
        (first,) = queue(client, ae)
        with httpx.Client(base_url=base_url, timeout=60, trust_env=False) as other:
            request = other.build_request("GET", f"subscribers/{ae}/events?after={first['number']}&wait=50")
            put(client, name, "IN PROGRESS")
            (second,) = other.send(request).json()
        assert states([second["report"]]) == ["IN PROGRESS"]

    def test_heartbeat(self, base_url: str, ae: str) -> None:
        with listening(base_url, ae, "?heartbeat=1") as socket:
            assert heard(socket) == {}


def queue(client: httpx.Client, ae: str) -> list[dict[str, Any]]:
    """Reports that are not acknowledged."""
    found: list[dict[str, Any]] = client.get(f"subscribers/{ae}/events").json()
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask until something holds; each question takes its time, so that nobody has to sleep."""
    assert any(holds() for _ in range(5000))


# Connections (§8.10.4) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws/subscribers/{}", "/subscribers/{}", "/ws/subscribers/{}/"])
def test_every_path_of_the_connection(client: httpx.Client, base_url: str, ae: str, path: str) -> None:
    subscribe(client, create(client), ae)
    with connect(f"ws{base_url.removeprefix('http')}{path.format(ae)}", proxy=None) as socket:
        assert states([heard(socket)]) == ["SCHEDULED"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/ws/elsewhere/A", 404, id="no such resource"),
        pytest.param("/ws/subscribers/ABCDEFGHIJKLMNOPQ", 400, id="no AE title"),
        pytest.param("/ws/subscribers/A?acknowledge=perhaps", 400, id="bad parameter"),
        pytest.param("/ws/changes?after=x", 400, id="bad number"),
    ],
)
def test_connections_refused(base_url: str, path: str, status: int) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as raised:
        connect(f"ws{base_url.removeprefix('http')}{path}", proxy=None)
    assert raised.value.response.status_code == status


def test_without_handshake(client: httpx.Client) -> None:
    response = client.get("ws/subscribers/A")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("text", ["", "ping", "[]", '{"00000120": 1}', '{"00000120": {"Value": [77]}}'])
def test_what_clients_say_besides_does_no_harm(client: httpx.Client, base_url: str, ae: str, text: str) -> None:
    with listening(base_url, ae, "?acknowledge=true") as socket:
        socket.send(text)
        socket.send(text.encode())
        subscribe(client, create(client), ae)
        assert states([heard(socket)]) == ["SCHEDULED"]


def test_a_subprotocol_is_named_where_one_is_offered(base_url: str, ae: str) -> None:
    address = f"ws{base_url.removeprefix('http')}/ws/subscribers/{ae}"
    with connect(address, subprotocols=["dicom"], proxy=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "dicom"


# Start and stop ---------------------------------------------------------------------------------------------------


def test_stop_and_start_are_reported(serving: Callable[..., AbstractContextManager[Server]], tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers=2) as server, server.client() as client:
        subscribe(client, create(client), "WATCHER")
        with listening(server.url, "WATCHER") as socket:
            assert states([heard(socket)]) == ["SCHEDULED"]
            server.process.terminate()
            farewell = heard(socket)
            assert values(farewell, "00001002") == [4]
            assert values(farewell, "00741242") == ["GOING DOWN"]
            with pytest.raises(websockets.exceptions.ConnectionClosedOK):
                socket.recv(30)
        assert server.process.wait(60) == 0
    with serving(tmp_path / "data") as server, listening(server.url, "WATCHER") as socket:
        restarted = heard(socket)
        assert values(restarted, "00741242") == ["RESTARTED"]
        assert values(restarted, "00741244") == values(restarted, "00741246") == ["WARM START"]


def test_nothing_is_lost_or_told_twice_when_the_server_is_killed(
    serving: Callable[..., AbstractContextManager[Server]], tmp_path: Path
) -> None:
    """Each state change and its report are one: kill -9 in between finds neither or both, in order."""
    expected: list[tuple[str, str]] = []
    found: list[tuple[str, str]] = []
    for round in range(4):
        with serving(tmp_path / "data", workers=2) as server, server.client() as client:
            if round == 0:
                subscribe(client, GLOBAL, "WATCHER")
            with listening(server.url, "WATCHER", "?acknowledge=true") as socket:
                last = 0
                names = [create(client) for _ in range(5)]
                for name in names:
                    put(client, name, "IN PROGRESS")
                expected += [(name, "SCHEDULED") for name in names] + [(name, "IN PROGRESS") for name in names]
                while len(found) < len(expected) - 4:  # the last ones are left to the next server
                    report = heard(socket)
                    if values(report, "00001002") == [1]:
                        found.append((values(report, "00001000")[0], states([report])[0]))
                    last = values(report, "00000110")[0]
                before = len(queue(client, "WATCHER"))
                socket.send(json.dumps({"00000120": {"vr": "US", "Value": [last]}}))
                wait_until(lambda before=before: len(queue(client, "WATCHER")) < before)  # type: ignore[misc]
            server.kill()
    with serving(tmp_path / "data") as server, listening(server.url, "WATCHER") as socket:
        while len(found) < len(expected):
            report = heard(socket)
            if values(report, "00001002") == [1]:
                found.append((values(report, "00001000")[0], states([report])[0]))
    assert found == expected


# The change feed --------------------------------------------------------------------------------------------------


def test_changes_of_instances(serving: Callable[..., AbstractContextManager[Server]], tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers=2) as server, server.client() as client:
        study, series = uid(), uid()
        address = f"ws{server.url.removeprefix('http')}/ws/changes?after=0"
        with connect(address, proxy=None) as socket:
            instances = [uid() for _ in range(3)]
            for instance in instances:
                data = part10(ct(StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=instance))
                assert client.post("studies", content=data, headers={"content-type": "application/dicom"}).is_success
            assert client.delete(f"studies/{study}").status_code == 204
            told = [json.loads(socket.recv(30)) for _ in range(6)]
        read = client.get("changes").json()
        assert read == told
        assert [entry["number"] for entry in read] == [1, 2, 3, 4, 5, 6]
        assert [entry["action"] for entry in read] == ["stored"] * 3 + ["deleted"] * 3
        assert [entry["SOPInstanceUID"] for entry in read[:3]] == instances
        assert sorted(entry["SOPInstanceUID"] for entry in read[3:]) == sorted(instances)
        assert read[0]["RetrieveURL"] == f"{server.url}/studies/{study}/series/{series}/instances/{instances[0]}"
        response = client.get("changes?after=2&limit=2")
        assert [entry["number"] for entry in response.json()] == [3, 4]
        assert response.links["next"]["url"] == f"{server.url}/changes?after=4"
        assert client.get("changes?after=6").json() == []
        assert client.get("changes?after=-1").status_code == 400

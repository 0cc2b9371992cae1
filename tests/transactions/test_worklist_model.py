"""Random transactions of several clients on several Workitems, held to a model of PS3.4 Table CC.1.1-2.

The model is the table as it is printed: it knows states and locks, the DIMSE status of each cell, and what that is
over HTTP. It counts the state reports that are due; the subscriber gets exactly these.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from websockets.sync.client import connect

from conftest import Server, running
from dicom_files import uid
from workitems import attributes, change, performed, workitem

JSON = {"content-type": "application/dicom+json"}
LOCKS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")
GLOBAL = "1.2.840.10008.5.1.4.34.5"

# DIMSE status by event and state: columns SCHEDULED, IN PROGRESS, COMPLETED, CANCELED
CORRECT = {
    "IN PROGRESS": (0x0000, 0xC302, 0xC300, 0xC300),
    "SCHEDULED": (0xC303, 0xC303, 0xC303, 0xC303),
    "COMPLETED": (0xC310, 0x0000, 0xB306, 0xC300),
    "CANCELED": (0xC310, 0x0000, 0xC300, 0xB304),
}
WRONG = {
    "IN PROGRESS": (0xC301, 0xC301, 0xC301, 0xC301),
    "SCHEDULED": (0xC303, 0xC303, 0xC303, 0xC303),
    "COMPLETED": (0xC301, 0xC301, 0xC301, 0xC301),
    "CANCELED": (0xC301, 0xC301, 0xC301, 0xC301),
}
REQUEST_CANCEL = (0x0000, 0x0000, 0xC311, 0xB304)
COLUMNS = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
HTTP = {
    0x0000: 200, 0xB304: 200, 0xB306: 200, 0xC300: 409, 0xC301: 400, 0xC302: 409, 0xC303: 409, 0xC304: 409,
    0xC310: 409, 0xC311: 409,
}  # fmt: skip


class Step:
    """What the model knows of one Workitem."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "SCHEDULED"
        self.lock: str | None = None
        self.label = "Find nodules"
        self.performed = False

    @property
    def column(self) -> int:
        return COLUMNS.index(self.state)


class Worklist(RuleBasedStateMachine):
    """Every step is one request; its status, the state afterwards, and in the end the reports, are as in the model."""

    server: Server

    steps = Bundle("steps")

    def __init__(self) -> None:
        super().__init__()
        self.client = self.server.client()
        self.ae = f"A{uid()[-12:]}"
        self.reports: list[tuple[str, str]] = []
        self.all: list[Step] = []

    @initialize()
    def subscribed(self) -> None:
        assert self.client.post(f"workitems/{GLOBAL}/subscribers/{self.ae}").status_code == 201

    @rule(target=steps)
    def create(self) -> Step:
        step = Step(uid())
        assert self._post(f"workitems?workitem={step.name}", workitem()).status_code == 201
        self.reports.append((step.name, "SCHEDULED"))
        self.all.append(step)
        return step

    @rule(step=steps)
    def create_again(self, step: Step) -> None:
        assert self._post(f"workitems?workitem={step.name}", workitem()).status_code == 409

    @rule(step=steps, wanted=st.sampled_from(COLUMNS), lock=st.sampled_from((None, *LOCKS)))
    def change_state(self, step: Step, wanted: str, lock: str | None) -> None:
        correct = lock is not None and (step.state == "SCHEDULED" or lock == step.lock)
        status = (CORRECT if correct else WRONG)[wanted][step.column]
        if status == 0x0000 and wanted == "COMPLETED" and not step.performed:
            status = 0xC304
        response = self.client.put(f"workitems/{step.name}/state", json=[change(wanted, lock)], headers=JSON)
        assert response.status_code == HTTP[status], (step.state, wanted, hex(status), response.text)
        assert ("warning" in response.headers) == (status != 0x0000)
        if status == 0x0000:
            step.state = wanted
            step.lock = step.lock or lock
            self.reports.append((step.name, wanted))
        self._compare(step)

    @rule(step=steps, lock=st.sampled_from((None, *LOCKS)), done=st.booleans())
    def update(self, step: Step, lock: str | None, done: bool) -> None:
        if step.state in ("COMPLETED", "CANCELED"):
            expected = 400
        elif step.state == "SCHEDULED":
            expected = 200 if lock is None else 409
        else:
            expected = 200 if lock == step.lock else 400
        label = f"label {len(self.reports)}"
        data_set = attributes(ProcedureStepLabel=label) | (performed() if done else {})
        query = f"?transaction-uid={lock}" if lock else ""
        response = self._post(f"workitems/{step.name}{query}", data_set)
        assert response.status_code == expected, (step.state, lock, response.text)
        if expected == 200:
            step.label = label
            step.performed = step.performed or done
        self._compare(step)

    @rule(step=steps)
    def request_cancellation(self, step: Step) -> None:
        status = REQUEST_CANCEL[step.column]
        response = self.client.post(f"workitems/{step.name}/cancelrequest")
        assert response.status_code == {200: 202}.get(HTTP[status], HTTP[status])
        if step.state == "SCHEDULED":
            step.state = "CANCELED"
            self.reports += [(step.name, "IN PROGRESS"), (step.name, "CANCELED")]
        self._compare(step)

    @rule(step=steps)
    def search(self, step: Step) -> None:
        found = self.client.get("workitems", params={"SOPInstanceUID": step.name, "ProcedureStepState": step.state})
        assert len(found.json()) == 1
        others = [state for state in COLUMNS if state != step.state]
        found = self.client.get("workitems", params={"SOPInstanceUID": step.name, "ProcedureStepState": others[0]})
        assert not found.content or found.json() == []

    @rule(first=steps, second=steps)
    def subscribe_to_some(self, first: Step, second: Step) -> None:
        for step in {first.name: first, second.name: second}.values():
            assert self.client.post(f"workitems/{step.name}/subscribers/{self.ae}").status_code == 201
            self.reports.append((step.name, step.state))

    def teardown(self) -> None:
        address = f"ws{self.server.url.removeprefix('http')}/ws/subscribers/{self.ae}"
        found = []
        with connect(address, proxy=None) as socket:
            while len(found) < len(self.reports):
                report = json.loads(socket.recv(30))
                if report["00001002"]["Value"] == [1]:
                    found.append((report["00001000"]["Value"][0], report["00741000"]["Value"][0]))
        assert found == self.reports
        self.client.delete(f"workitems/{GLOBAL}/subscribers/{self.ae}")
        self.client.close()

    def _post(self, path: str, data_set: object) -> httpx.Response:
        return self.client.post(path, json=[data_set], headers=JSON)

    def _compare(self, step: Step) -> None:
        (found,) = self.client.get(f"workitems/{step.name}").json()
        assert found["00741000"]["Value"] == [step.state]
        assert found["00741204"]["Value"] == [step.label]
        assert not any(lock in json.dumps(found) for lock in LOCKS)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_worklist_is_its_model(workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data", workers=workers) as server:

        class OnServer(Worklist):
            pass

        OnServer.server = server
        run_state_machine_as_test(
            OnServer,
            settings=settings(
                max_examples=15,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )

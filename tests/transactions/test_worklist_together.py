"""Many clients at one worklist, crashes, a full disk: one claim wins, reports tell what happened, in order and once."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from conftest import Server
from dicom_files import uid
from workitems import attributes, change, performed, workitem

JSON = {"content-type": "application/dicom+json"}
GLOBAL = "1.2.840.10008.5.1.4.34.5"
Serving = Callable[..., AbstractContextManager[Server]]

FOLLOWS = {
    None: {"SCHEDULED"},
    "SCHEDULED": {"IN PROGRESS"},
    "IN PROGRESS": {"COMPLETED", "CANCELED"},
    "COMPLETED": set[str](),
    "CANCELED": set[str](),
}


def reports_of(server: Server, ae: str) -> list[dict[str, Any]]:
    """All reports that wait for an AE title, in order."""
    found: list[dict[str, Any]] = []
    with server.client() as client:
        url = f"subscribers/{ae}/events?after=0"
        while page := client.get(url).json():
            found += page
            url = f"subscribers/{ae}/events?after={page[-1]['number']}"
    assert [one["number"] for one in found] == sorted({one["number"] for one in found})
    return [one["report"] for one in found]


def states_of(reports: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What state reports say of each Workitem, in order."""
    found = defaultdict(list)
    for report in reports:
        if report["00001002"]["Value"] == [1]:
            found[report["00001000"]["Value"][0]].append(report["00741000"]["Value"][0])
    return found


def is_history(states: list[str]) -> bool:
    """Whether states follow each other as Table CC.1.1-2 has it."""
    before: str | None = None
    for state in states:
        if state not in FOLLOWS[before]:
            return False
        before = state
    return True


class Performer:
    """Does whatever comes to its mind with whatever Workitem, and keeps what was allowed to it."""

    def __init__(self, server: Server, seed: int, names: list[str]) -> None:
        self.server = server
        self.dice = random.Random(seed)
        self.names = names
        self.lock = f"1.2.3.{seed + 1}"
        self.statuses: set[tuple[str, int]] = set()
        self.claimed: list[str] = []
        self.finished: list[str] = []
        self.labels: dict[str, str] = {}

    def work(self, steps: int) -> None:
        with self.server.client() as client:
            for _ in range(steps):
                try:
                    self.step(client)
                except httpx.TransportError:
                    return  # the server was killed

    def step(self, client: httpx.Client) -> None:
        name = self.dice.choice(self.names)
        action = self.dice.choice(["claim", "claim", "update", "complete", "cancel", "ask"])
        if action == "claim":
            status = self.put(client, name, "IN PROGRESS")
            if status == 200:
                self.claimed.append(name)
        elif action == "update":
            label = f"label {self.dice.random()}"
            data_set = attributes(ProcedureStepLabel=label) | performed()
            status = client.post(
                f"workitems/{name}?transaction-uid={self.lock}", json=[data_set], headers=JSON
            ).status_code
            if status == 200:
                self.labels[name] = label
        elif action == "ask":
            status = client.post(f"workitems/{name}/cancelrequest").status_code if self.dice.random() < 0.2 else 202
        else:
            status = self.put(client, name, "COMPLETED" if action == "complete" else "CANCELED")
            if status == 200:
                self.finished.append(name)
        self.statuses.add((action, status))

    def put(self, client: httpx.Client, name: str, state: str) -> int:
        response = client.put(f"workitems/{name}/state", json=[change(state, self.lock)], headers=JSON)
        return response.status_code


ALLOWED = {"claim": {200, 400, 409}, "update": {200, 400, 409}, "complete": {200, 400, 409}, "cancel": {200, 400, 409}}
ALLOWED["ask"] = {202, 409}


def create(client: httpx.Client, number: int) -> list[str]:
    names = [uid() for _ in range(number)]
    for name in names:
        assert client.post(f"workitems?workitem={name}", json=[workitem()], headers=JSON).status_code == 201
    return names


def check(server: Server, names: list[str], performers: list[Performer], ae: str) -> None:
    """Hold what everybody was told to what there is."""
    for performer in performers:
        for action, status in performer.statuses:
            assert status in ALLOWED[action], (action, status)
    claims = [name for performer in performers for name in performer.claimed]
    assert len(claims) == len(set(claims)), "one claim wins"
    histories = states_of(reports_of(server, ae))
    assert set(histories) >= set(names)
    with server.client() as client:
        for name in names:
            (found,) = client.get(f"workitems/{name}").json()
            assert is_history(histories[name]), histories[name]
            assert histories[name][-1] == found["00741000"]["Value"][0], "the last report tells the state"
            labels = [one.labels[name] for one in performers if name in one.labels]
            assert len(labels) <= 1, "only who has the lock updates"
            if labels:
                assert found["00741204"]["Value"] == labels
    for performer in performers:
        assert set(performer.finished) <= set(performer.claimed)


def test_fifty_performers(serving: Serving, tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers=2) as server, server.client() as client:
        assert client.post(f"workitems/{GLOBAL}/subscribers/WATCHER").status_code == 201
        names = create(client, 25)
        performers = [Performer(server, seed, names) for seed in range(50)]
        with ThreadPoolExecutor(50) as threads:
            list(threads.map(lambda performer: performer.work(16), performers))
        assert any(performer.claimed for performer in performers)
        check(server, names, performers, "WATCHER")
        finished = {name for performer in performers for name in performer.finished}
        assert finished, "something was finished"


@pytest.mark.slow
def test_killed_in_the_middle_of_it(serving: Serving, tmp_path: Path) -> None:
    """What was answered is there afterwards; what is there was reported; nothing is there half."""
    dice = random.Random(7)
    performers: list[Performer] = []
    names: list[str] = []
    for round in range(3):
        with serving(tmp_path / "data", workers=2) as server, server.client() as client:
            if round == 0:
                assert client.post(f"workitems/{GLOBAL}/subscribers/WATCHER").status_code == 201
            names += create(client, 10)
            some = [Performer(server, 100 * round + number, names) for number in range(6)]
            performers += some
            threads = [threading.Thread(target=performer.work, args=(10**6,)) for performer in some]
            for thread in threads:
                thread.start()
            enough = dice.randint(40, 150)
            while len(reports_of(server, "WATCHER")) < enough and any(thread.is_alive() for thread in threads):
                if all(state_is_final(client, name) for name in names):
                    break
            server.kill()
            for thread in threads:
                thread.join(60)
    with serving(tmp_path / "data") as server:
        for performer in performers:
            # Whether the last request of each was done before the kill nobody was told.
            performer.labels.clear()
        check(server, names, performers, "WATCHER")
        with server.client() as client:
            for performer in performers:
                for name in performer.finished:
                    assert state_is_final(client, name)


def state_is_final(client: httpx.Client, name: str) -> bool:
    (found,) = client.get(f"workitems/{name}").json()
    return found["00741000"]["Value"][0] in ("COMPLETED", "CANCELED")


def test_order_over_two_processes(serving: Serving, tmp_path: Path) -> None:
    """Every socket, of whichever process, gets all reports in the one order of the queue."""
    with serving(tmp_path / "data", workers=2) as server, server.client() as client:
        assert client.post(f"workitems/{GLOBAL}/subscribers/WATCHER").status_code == 201
        address = f"ws{server.url.removeprefix('http')}/ws/subscribers/WATCHER"
        with ExitStack() as opened:
            sockets = [opened.enter_context(connect(address, proxy=None)) for _ in range(6)]
            with ThreadPoolExecutor(8) as threads:
                made = threads.map(lambda _: create(client, 5), range(8))
                names = [name for some in made for name in some]
            found = []
            for socket in sockets:
                reports = [json.loads(socket.recv(60)) for _ in names]
                found.append([report["00001000"]["Value"][0] for report in reports])
        assert sorted(found[0]) == sorted(names)
        assert all(one == found[0] for one in found)


@pytest.fixture
def full(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose files can not grow beyond what a few Workitems need."""
    data = tmp_path / "data"
    with serving(data) as server, server.client() as client:
        assert client.post(f"workitems/{GLOBAL}/subscribers/WATCHER").status_code == 201
        create(client, 3)
    real = subprocess.Popen

    def limited(*arguments: Any, **options: Any) -> Any:
        limits = (900_000, 900_000)
        return real(*arguments, **options, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))

    monkeypatch.setattr(subprocess, "Popen", limited)
    with serving(data) as server:
        monkeypatch.setattr(subprocess, "Popen", real)
        yield server


def test_a_full_disk(full: Server) -> None:
    with full.client() as client:
        made, refused = [], 0
        while refused < 10:
            name = uid()
            data_set = workitem(CommentsOnTheScheduledProcedureStep=random.Random(len(made)).randbytes(8000).hex())
            status = client.post(f"workitems?workitem={name}", json=[data_set], headers=JSON).status_code
            assert status in (201, 507), status
            refused += status == 507
            made += [name] * (status == 201)
            assert len(made) < 2000
        for name in made:
            assert client.get(f"workitems/{name}").status_code == 200
        claim = client.put(f"workitems/{made[0]}/state", json=[change("IN PROGRESS", "1.2.3")], headers=JSON)
        assert claim.status_code in (200, 507)
        assert client.get("workitems?limit=5").status_code == 200
        reports = states_of(reports_of(full, "WATCHER"))
        assert all(name in reports for name in made), "a Workitem and its report are one"
        address = f"ws{full.url.removeprefix('http')}/ws/subscribers/WATCHER"
        with connect(address, proxy=None) as socket:
            told = {json.loads(socket.recv(30))["00001000"]["Value"][0] for _ in range(len(made))}
        assert len(told) > 1
        assert client.get("/workitems").status_code == 200
    assert full.stop() == 0

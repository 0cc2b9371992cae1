"""``python -m benchmarks.worklist``: the worklist over HTTP, and how soon a thousand subscribers hear of a change.

A server of its own with default settings and the default number of workers, so every change is on the disk before it
is answered. Nothing to compare with: Orthanc has no Unified Procedure Steps.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import orjson

from skiagraph.settings import Settings
from skiagraph.standard.workitem import GLOBAL_SUBSCRIPTION
from skiagraph.values import Attributes

from . import processes, records, servers
from .client import Connection, HttpError, request_bytes
from .crowd import Audience, Done, exchange
from .figures import quantile
from .servers import Server

WORKITEMS = "/dicom-web/workitems"
LOCK = "1.2.826.0.1.3680043.8.498.1"
CLIENTS = (1, 8, 32)
PAGE = 50
"""Workitems that a search asks for."""
_STATE, _TRANSACTION_UID, _PROGRESS_INFORMATION = "00741000", "00081195", "00741002"
_PROGRESS, _DESCRIPTION = "00741004", "00741006"
_SMALL_BUFFER = 4096
_FLOOD, _FLOODS = 48 << 10, 100  # bytes of a report and how many: more than sockets hold that nobody reads
_SETTLED = 0.5  # seconds without a report: acknowledgements are written by then


# Requests ---------------------------------------------------------------------------------------------------------


def _request(method: str, target: str, data_set: Attributes | None = None) -> bytes:
    body = b"" if data_set is None else orjson.dumps([data_set])
    headers = {
        "Content-Type": "application/dicom+json",
        "Accept": "application/dicom+json",
        "Content-Length": str(len(body)),
    }
    return request_bytes(method, WORKITEMS + target, headers) + body


def uid(number: int) -> str:
    """The UID of a Workitem that `create` makes."""
    return f"1.2.826.0.1.{number}"


def create(number: int) -> bytes:
    """The request that creates a Workitem."""
    scheduled: Attributes = {_STATE: {"vr": "CS", "Value": ["SCHEDULED"]}}
    return _request("POST", "", records.attributes(number, random.Random(number)) | scheduled)


def change(number: int, state: str) -> bytes:
    """The request that changes the state of a Workitem."""
    lock: Attributes = {_TRANSACTION_UID: {"vr": "UI", "Value": [LOCK]}}
    return _request("PUT", f"/{uid(number)}/state", lock | {_STATE: {"vr": "CS", "Value": [state]}})


def update(number: int, progress: int, description: str = "Reading") -> bytes:
    """The request that tells how far a claimed Workitem is."""
    told: Attributes = {
        _PROGRESS: {"vr": "DS", "Value": [progress]},
        _DESCRIPTION: {"vr": "ST", "Value": [description]},
    }
    return _request(
        "POST", f"/{uid(number)}?transaction-uid={LOCK}", {_PROGRESS_INFORMATION: {"vr": "SQ", "Value": [told]}}
    )


def search(number: int) -> bytes:
    """The request for a page of what is to be done."""
    return _request("GET", f"?ProcedureStepState=SCHEDULED&WorklistLabel=Label%20{number % 10}&limit={PAGE}")


# How many a second ------------------------------------------------------------------------------------------------


def rates(server: Server, rounds: int, batch: int) -> Iterator[str]:
    """Yield a table: requests per second by number of clients."""
    operations: tuple[tuple[str, int, int, Callable[[int], bytes]], ...] = (
        ("create", 201, batch, create),
        (f"search, {PAGE} of those scheduled with a label", 200, batch // 4, search),
        ("claim", 200, batch, lambda number: change(number, "IN PROGRESS")),
        ("update", 200, batch, lambda number: update(number, 50)),
        ("cancel", 200, batch, lambda number: change(number, "CANCELED")),
    )
    found: dict[tuple[str, int], list[Done]] = {}
    costs: dict[str, list[float]] = {}
    start = 0
    for _ in range(rounds):
        for clients in CLIENTS:
            for name, status, count, made in operations:
                requests = [made(number) for number in range(start, start + count)]
                before = processes.cpu_seconds(server.pid)
                done = exchange(server.port, [requests[one::clients] for one in range(clients)], status=status)
                found.setdefault((name, clients), []).append(done)
                costs.setdefault(name, []).append((processes.cpu_seconds(server.pid) - before) / count * 1e3)
            start += batch
    titles = "".join(f"{f'{clients} client{chr(115) * (clients > 1)}':>18}" for clients in CLIENTS)
    yield f"{'requests per second (median ms of one)':48}{titles}{'processor, ms':>16}"
    for name, *_ in operations:
        cells = ""
        for clients in CLIENTS:
            runs = found[name, clients]
            rate = statistics.median(done.rate for done in runs)
            took = statistics.median(one for done in runs for one in done.milliseconds)
            cells += f"{f'{rate:,.0f} ({took:.2f})':>18}"
        yield f"{name:48}{cells}{statistics.median(costs[name]):16.2f}"


# How soon subscribers hear ----------------------------------------------------------------------------------------


def reports(server: Server, rounds: int, subscribers: int, queue: int) -> Iterator[str]:
    """Yield a table: from the request that changes a state to the last report received."""
    numbers = iter(range(10**6, 2 * 10**6))
    idle, not_reading = processes.memory(server.pid).resident, subscribers // 10
    names = [f"S{number}" for number in range(subscribers)]
    reading = names[not_reading:]
    yield f"{f'{subscribers:,} subscribers, each with a WebSocket':64}{'median':>8}{'10th to 90th':>16}"
    with Connection(server.port) as caller:

        def told(audience: Audience) -> float:
            """Claim a new Workitem."""
            number = next(numbers)
            _ask(caller, create(number), 201)
            audience.quiet(_SETTLED)
            return _heard(caller, audience, change(number, "IN PROGRESS"))

        with Audience(server.port, map(_target, names)) as audience:
            opened = audience.seconds
            memory = (processes.memory(server.pid).resident - idle) / subscribers
            took = []
            for _ in range(rounds):
                number = next(numbers)
                _ask(caller, create(number), 201)
                _subscribe(server, names, uid(number))
                audience.quiet(_SETTLED)
                took.append(_heard(caller, audience, change(number, "IN PROGRESS")))
            yield _line("the state of a Workitem that all are subscribed to, ms", took)
            _subscribe(server, names, GLOBAL_SUBSCRIPTION)
            yield _line("the same with global subscriptions, ms", [told(audience) for _ in range(rounds)])
        yield f"{'  all WebSockets opened at once, s':64}{opened:8.2f}"
        yield f"{'  memory of the server for each, KiB':64}{memory / 1024:8.0f}"
        with _blocked(server, caller, names[:not_reading], next(numbers)):
            _subscribe(server, names[:not_reading], GLOBAL_SUBSCRIPTION)
            with Audience(server.port, map(_target, reading)) as audience:
                audience.quiet(_SETTLED)
                title = f"with global subscriptions, {not_reading} of them not reading, ms"
                yield _line(title, [told(audience) for _ in range(rounds)])
        exchange(server.port, [[_unsubscribe(name) for name in names]], status=200)
        number = next(numbers)
        _ask(caller, create(number), 201)
        _subscribe(server, ["LATE"], uid(number))
        _ask(caller, change(number, "IN PROGRESS"))
        exchange(server.port, [[update(number, 1, f"Image {one}") for one in range(queue - 2)]], status=200)
        begun = perf_counter()
        with Audience(server.port, [_target("LATE")]) as audience:
            audience.heard(queue)
        yield f"{f'{queue:,} reports that waited for one subscriber, s':64}{perf_counter() - begun:8.2f}"


def _target(ae: str) -> str:
    return f"/dicom-web/ws/subscribers/{ae}"


def _line(title: str, took: list[float]) -> str:
    spread = f"{quantile(took, 0.1):.1f} to {quantile(took, 0.9):.1f}"
    return f"{title:64}{statistics.median(took):8.1f}{spread:>16}"


def _ask(caller: Connection, request: bytes, status: int = 200) -> None:
    answer = caller.exchange(request)
    if answer.status != status:
        raise HttpError(f"The worklist answered {answer.status}; expected {status}.")


def _subscribe(server: Server, names: Sequence[str], target: str) -> None:
    exchange(server.port, [[_request("POST", f"/{target}/subscribers/{ae}") for ae in names]], status=201)


def _unsubscribe(ae: str) -> bytes:
    return _request("DELETE", f"/{GLOBAL_SUBSCRIPTION}/subscribers/{ae}")


def _heard(caller: Connection, audience: Audience, request: bytes) -> float:
    """Milliseconds until all have heard of a change."""
    begun = perf_counter()
    _ask(caller, request)
    audience.heard(1)
    return (perf_counter() - begun) * 1e3


@contextmanager
def _blocked(server: Server, caller: Connection, names: Sequence[str], number: int) -> Iterator[None]:
    """Subscribers that do not read, with more under way to them than their sockets hold."""
    exchange(server.port, [[_unsubscribe(name) for name in names]], status=200)
    _ask(caller, create(number), 201)
    _subscribe(server, names, uid(number))
    _ask(caller, change(number, "IN PROGRESS"))
    with Audience(server.port, map(_target, names), receive_buffer=_SMALL_BUFFER):
        for one in range(_FLOODS):
            _ask(caller, update(number, one, "x" * _FLOOD))
        yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worklist", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough")
    parser.add_argument("--folder", type=Path, help="where the server keeps its data: the disk that is measured")
    given = parser.parse_args()
    rounds, batch, subscribers, queue = (2, 64, 50, 200) if given.quick else (5, 1024, 1000, 10_000)
    with tempfile.TemporaryDirectory(prefix="skiagraph-worklist-", dir=given.folder) as folder:
        server = servers.skiagraph(Path(folder), Settings().workers)
        server.start()
        try:
            for line in (*rates(server, rounds, batch), "", *reports(server, rounds, subscribers, queue)):
                print(line)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

"""Store with several connections at once: worker processes that send prebuilt requests and time each.

Processes, not threads: a client that waits for its own interpreter lock would be measured instead of the server.
What they send is made before the clock starts.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any

from .client import Connection, HttpError, request_bytes
from .data import MULTIPART, PART_HEAD, PART_TAIL, Key, LargeInstance, Template

PATIENCE = 120.0  # seconds that one batch may take


class LoadError(Exception):
    """A batch was not stored."""


@dataclass(frozen=True)
class Batch:
    """What came of one batch: seconds from the first byte sent to the last answer; milliseconds of each request."""

    instances: int
    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Instances per second."""
        return self.instances / self.seconds


def store_head(target: str, content_length: int) -> bytes:
    """The head of a Store request with one part."""
    headers = {
        "Content-Type": MULTIPART,
        "Accept": "application/dicom+json",
        "Content-Length": str(content_length + len(PART_HEAD) + len(PART_TAIL)),
    }
    return request_bytes("POST", target, headers)


def _work(pipe: Pipe, barrier: Barrier, template: Template) -> None:
    bodies: list[bytearray] = []
    while (order := pipe.recv()) is not None:
        what, *given = order
        if what == "make":
            bodies = [template.instance(key) for key in given[0]]
            pipe.send(len(bodies))
            continue
        port, target = given
        try:
            pipe.send(_send(bodies, barrier, port, target))
        except (OSError, HttpError, LoadError, BrokenBarrierError) as error:
            barrier.abort()
            pipe.send(error)


def _send(bodies: list[bytearray], barrier: Barrier, port: int, target: str) -> tuple[float, float, list[float]]:
    head = store_head(target, len(bodies[0])) + PART_HEAD
    clock = time.perf_counter
    times = []
    with Connection(port) as connection:
        barrier.wait(PATIENCE)
        start = end = clock()  # CLOCK_MONOTONIC on Linux: the same in all processes
        for body in bodies:
            before = end
            answer = connection.exchange(head, (body, PART_TAIL))
            end = clock()
            times.append((end - before) * 1e3)
            if answer.status != 200:
                raise LoadError(f"Store answered {answer.status}; expected 200.")
    return start, end, times


class Senders:
    """So many connections, each in a process of its own. To be used in ``with``."""

    def __init__(self, template: Template, connections: int = 4) -> None:
        self.connections = connections
        self._template = template

    def __enter__(self) -> Senders:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(self.connections)
        self._pipes, self._processes = [], []
        for _ in range(self.connections):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self._barrier, self._template), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            try:
                pipe.send(None)
            except OSError:
                pass
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.terminate()
                process.join(5)

    def make(self, keys: Sequence[Key]) -> None:
        """Build these Instances, dealt out to the connections; a later `send` sends all of them."""
        if len(keys) < self.connections:
            raise LoadError(f"A batch needs at least {self.connections} Instances, one for each connection.")
        for number, pipe in enumerate(self._pipes):
            pipe.send(("make", keys[number :: self.connections]))
        for pipe in self._pipes:
            self._answer(pipe)

    def send(self, port: int, target: str) -> Batch:
        """Send what was made to one server, one Instance a request, all connections at once.

        Raises
        ------
        LoadError
            A request failed, was not answered 200, or the batch took longer than 120 s.
        """
        self._barrier.reset()
        for pipe in self._pipes:
            pipe.send(("send", port, target))
        answers = [self._answer(pipe) for pipe in self._pipes]
        # What failed first broke the barrier for the others: show the cause, not its effect.
        errors = sorted(
            (a for a in answers if isinstance(a, Exception)), key=lambda e: isinstance(e, BrokenBarrierError)
        )
        if errors:
            raise LoadError(str(errors[0])) from errors[0]
        times = [one for answer in answers for one in answer[2]]
        return Batch(len(times), max(a[1] for a in answers) - min(a[0] for a in answers), tuple(times))

    @staticmethod
    def _answer(pipe: Pipe) -> Any:
        if not pipe.poll(PATIENCE):
            raise LoadError(f"No answer within {PATIENCE:g} s.")
        return pipe.recv()


def store_large(port: int, target: str, large: LargeInstance, *, timeout: float = 600.0) -> float:
    """Store one large Instance in pieces and return the seconds it took.

    Raises
    ------
    LoadError
        It was not answered 200.
    """
    with Connection(port, timeout=timeout) as connection:
        start = time.perf_counter()
        pieces = (piece for source in ((PART_HEAD,), large.pieces(), (PART_TAIL,)) for piece in source)
        answer = connection.exchange(store_head(target, large.size), pieces, keep=True)
        if answer.status != 200:
            raise LoadError(f"Store of {large.size >> 20} MiB answered {answer.status}; expected 200.")
        return time.perf_counter() - start

"""One run: start the servers, let them take turns at every measure, collect the report."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from . import data, processes, reads, representations, servers
from .client import HttpError
from .data import Key, LargeInstance, Template
from .figures import Aim, Figure
from .load import LoadError, Senders, store_large
from .reads import Read, Reader
from .report import Report, Row, commit, machine, mebibytes
from .servers import Server

GROUPS = (
    "qido",
    "metadata",
    "retrieve",
    "frames",
    *representations.GROUPS,
    "store",
    "memory",
    "worklist",
    "records",
    "growth",
    "reader",
    "codecs",
)
SUBPARTS = {
    "worklist": "Worklist: requests, and reports to subscribers (Orthanc has none)",
    "records": "Searches of Workitems, as there are more of them",
    "growth": "Growth of the index",
    "reader": "Reader of DICOM files",
    "codecs": "Codecs, one frame of 512 × 512 pixels of 12 bits",
}
"""Groups that are programs of their own."""
NEED_SERVERS = frozenset(GROUPS) - SUBPARTS.keys()
STORE_AIM, FRAME_AIM = Aim(2), Aim(1.5, at_most=True, against="frame 1")
FAILURES = (OSError, HttpError, LoadError, reads.CheckError)


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    groups: tuple[str, ...]
    rounds: int = 7
    seconds: float = 0.4  # of requests, for each read, server and round
    batch: int = 200  # Instances stored in each round
    frames: int = 50_000
    large_bytes: int = 1 << 30
    workers: int = 2
    quick: bool = False

    @classmethod
    def of(cls, groups: tuple[str, ...], *, quick: bool, rounds: int | None, workers: int | None) -> Options:
        count = workers or max(1, min(4, os.cpu_count() or 1))
        if quick:
            return cls(groups, rounds or 2, 0.1, 60, 2_000, 64 << 20, count, quick=True)
        return cls(groups, rounds or 7, workers=count)


@dataclass(frozen=True)
class Job:
    """One measure of one server: `values` gives the milliseconds of one round, whose number it is told."""

    name: str
    server: Server
    values: Callable[[int], tuple[float, ...]]


class Run:
    """One run in a temporary folder."""

    def __init__(self, options: Options, folder: Path, console: Console) -> None:
        self.options, self.folder, self.console = options, folder, console
        self.report = Report()
        self.stored: set[str] = set()  # what a group of measures stored and another may find
        self.failed: set[tuple[str, str]] = set()  # (measure, server) that is not tried again

    def measure(self) -> Report:
        """Do all that was asked for."""
        started = time.monotonic()
        self.report.remarks += servers.missing()
        self.report.setup += machine(self.folder)
        if (before := os.getloadavg()[0]) > 1:
            self.remark(f"The machine was busy when this began (load average {before:.1f}): expect noise.")
        chosen = set(self.options.groups)
        if not chosen.isdisjoint(NEED_SERVERS):
            template = data.ct()
            ours, *others = self._servers()
            with servers.running(*others) as up, Senders(template) as senders:
                try:
                    ours.start()
                    up.insert(0, ours)
                except (servers.StartError, OSError) as error:
                    self.remark(str(error))
                try:
                    self._with_servers(up, senders, template)
                finally:
                    ours.stop()
        for name, title in SUBPARTS.items():
            if name in chosen:
                self._subpart(name, title)
        load = f"load average {before:.1f} when this began, {os.getloadavg()[1]:.1f} at its end; it makes some of that"
        self.report.setup += [*self._method(time.monotonic() - started), ("Others", load)]
        return self.report

    def _servers(self) -> tuple[Server, Server | None, Server | None, Server]:
        workers = self.options.workers
        made = (
            servers.skiagraph(self.folder / "skiagraph", workers),
            servers.orthanc(self.folder / "orthanc"),
            servers.nginx(self.folder / "nginx", workers),
            servers.floor(self.folder / "floor", workers),
        )
        version = " of commit ".join(filter(None, (made[0].version, commit())))
        for server in made:
            if server is not None:
                text = version if server is made[0] else server.version
                self.report.setup.append((server.name, f"{text}; {server.settings}"))
        return made

    def _method(self, seconds: float) -> list[tuple[str, str]]:
        options = self.options
        elements = data.count_elements(data.ct_dataset(8, 8))
        return [
            (
                "Data",
                f"synthetic CT, 512 × 512 × 16 bit, {elements} elements with those in sequences, 530 KB;"
                f" {reads.STUDIES} studies, {len(reads.CORPUS)} instances stored before the reads;"
                f" multi-frames of {options.frames:,} frames, 64 × 64 × 8 bit: native, and RLE without an offset table",
            ),
            ("Pictures", representations.METHOD),
            (
                "Client",
                "plain sockets with keep-alive, requests made before the clock starts, bodies received and counted;"
                " the same for all servers; every answer is looked at once before it is timed",
            ),
            (
                "Store",
                f"4 connections, each a process, one instance in each request, {options.batch} new instances in each"
                " round, the same ones to each server; only answers of 200 count",
            ),
            (
                "Reads",
                f"one connection; in each round one request that is not counted, then for {options.seconds:g} s"
                " (3 to 200 requests)",
            ),
            (
                "Rounds",
                f"{options.rounds}; servers take turns at every measure, in changing order, all running throughout;"
                " the disk is flushed (sync) between rounds",
            ),
            ("Duration", f"{seconds:.0f} s{', quick' if options.quick else ''}"),
        ]

    # --- with running servers ---------------------------------------------------------------------------------------

    def _with_servers(self, up: list[Server], senders: Senders, template: Template) -> None:
        by_name = {server.name: server for server in up}
        archives = [by_name[name] for name in ("skiagraph", "Orthanc") if name in by_name]
        self.report.memory_columns = tuple(f"{a.name} {what}" for a in archives for what in ("peak", "PSS after"))
        self._memory_row("idle, before anything", archives)
        with self.phase("storing what is read later", archives):
            senders.make(reads.CORPUS)
            for server in archives:
                senders.send(server.port, f"{server.root}/studies")
        for group in ("qido", "metadata", "retrieve"):
            if group in self.options.groups:
                with self.phase(group, archives):
                    self._reads(group, archives, by_name, template)
        if "frames" in self.options.groups:
            with self.phase("frames", archives):
                self._frames(archives)
        for group in representations.GROUPS:
            if group in self.options.groups:
                with self.phase(group, archives):
                    representations.measure(group, self, archives, by_name)
        if "store" in self.options.groups:
            with self.phase("store, 4 connections", archives):
                self._store(archives, by_name["floor"], senders)
        if "memory" in self.options.groups:
            self._large(archives)

    def rounds(self, what: str) -> Iterator[int]:
        for number in range(self.options.rounds):
            self.console.print(f"{what}: round {number + 1} of {self.options.rounds}", end="\r", highlight=False)
            os.sync()
            yield number
        self.console.print(" " * 60, end="\r")

    @staticmethod
    def turns(archives: list[Server], number: int) -> list[Server]:
        first = number % max(1, len(archives))
        return archives[first:] + archives[:first]

    def attempt(self, measure: str, server: Server, what: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
        """The values of one round, or none: a failure is reported once and that measure left out for that server."""
        if (measure, server.name) in self.failed:
            return ()
        try:
            return what()
        except FAILURES as error:
            self.failed.add((measure, server.name))
            self.remark(f"{server.name}: {measure}: {error}")
            return ()

    def remark(self, text: str) -> None:
        self.report.remarks.append(text)
        self.console.print(text, style="yellow", markup=False, highlight=False)

    def _reads(self, group: str, archives: list[Server], by_name: dict[str, Server], template: Template) -> None:
        jobs: list[Job] = []
        for read in (read for read in reads.READS if read.group == group):
            jobs += self.checked(read, archives)
        files = by_name.get("nginx") if group == "retrieve" else None
        if files is not None:
            for key in reads.CORPUS[: reads.MAIN_SERIES_SIZE]:
                (files.folder / "files" / f"{key.instance}.dcm").write_bytes(template.instance(key))
            for served in reads.FILES.values():
                jobs += self.checked(served, [files])
        if group == "retrieve":
            jobs += self.checked(reads.memory_read(len(template.data)), [by_name["floor"]])
        figures = self.time(jobs, group)
        for read in (read for read in reads.READS if read.group == group):
            ours = figures.get((read.name, "skiagraph"))
            self.report.rows.append(Row(read.title, ours, figures.get((read.name, "Orthanc")), aim=read.aim))
            if (file := reads.FILES.get(read.name)) and (sent := figures.get((file.name, "nginx"))):
                self.report.rows.append(Row("  against the file", ours, sent, against="nginx", aim=reads.NGINX_AIM))
            if read.name == "instance" and (sent := figures.get(("bytes", "floor"))):
                self.report.rows.append(Row("  against bytes from memory", ours, sent, against="floor"))

    def checked(self, read: Read, archives: list[Server]) -> list[Job]:
        """Those servers that give what is asked; differences between their answers become remarks."""
        jobs, kinds = [], {}
        for server in archives:
            try:
                kinds[server.name], size = reads.check(read, server.port, server.root)
                jobs.append(Job(read.name, server, self._timed(read, server, size)))
            except FAILURES as error:
                self.remark(f"{server.name}: {error}")
        if len({str(kind.same) for kind in kinds.values()}) > 1:
            said = "; ".join(f"{name} {kind.same}" for name, kind in kinds.items())
            self.remark(f"{read.title}: the answers are not of the same kind: {said}")
        if any(kind.known for kind in kinds.values()):
            said = "; ".join(
                f"{name}: " + ", ".join(f"{what} {value}" for what, value in kind.known.items())
                for name, kind in kinds.items()
            )
            self.report.remarks.append(f"{read.title}: {said}.")
        return jobs

    def _timed(self, read: Read, server: Server, size: int) -> Callable[[int], tuple[float, ...]]:
        def values(number: int) -> tuple[float, ...]:
            heads = read.heads(server.root)
            with Reader(server.port) as reader:
                if not read.once:
                    return reader.times(heads, size, seconds=self.options.seconds)
                share = (len(heads) - 1) // self.options.rounds
                fresh = heads[1 + number * share : 1 + (number + 1) * share]
                return reader.times(fresh, size, seconds=60, first=heads[0], most=len(fresh))

        return values

    def time(self, jobs: list[Job], what: str) -> dict[tuple[str, str], Figure]:
        """Time every job in every round; servers take turns, the order changes from round to round."""
        found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
        costs: dict[tuple[str, str], float] = {}
        names = list(dict.fromkeys(job.server.name for job in jobs))
        order = list(dict.fromkeys(job.name for job in jobs))
        for number in self.rounds(what):
            turn = {name: (place + number) % len(names) for place, name in enumerate(names)}
            for job in sorted(jobs, key=lambda job: (order.index(job.name), turn[job.server.name])):
                key = job.name, job.server.name
                before = processes.cpu_seconds(job.server.pid)
                if taken := self.attempt(job.name, job.server, functools.partial(job.values, number)):
                    found.setdefault(key, []).append(taken)
                    costs[key] = costs.get(key, 0) + processes.cpu_seconds(job.server.pid) - before
        return {
            key: Figure(tuple(rounds), processor=1e3 * costs[key] / sum(len(one) + 1 for one in rounds))
            for key, rounds in found.items()
        }

    def _frames(self, archives: list[Server]) -> None:
        count = self.options.frames
        jobs: list[Job] = []
        kinds: tuple[tuple[str, LargeInstance], ...] = (
            ("native", data.native_multiframe(Key(50, 1, 1), count)),
            ("RLE", data.encapsulated_multiframe(Key(51, 1, 1), count)),
        )
        titles = {}
        for kind, large in kinds:
            stored = [server for server in archives if self.store_one(kind, server, large) is not None]
            for frame in (1, large.frames):
                title = titles[kind, frame] = f"Frame {frame:,} of {large.frames:,}, {kind}"
                jobs += self.checked(reads.frame_read(title, title, large.key, frame), stored)
        figures = self.time(jobs, "frames")
        for kind, large in kinds:
            for frame in (1, large.frames):
                title = titles[kind, frame]
                ours, other = figures.get((title, "skiagraph")), figures.get((title, "Orthanc"))
                self.report.rows.append(Row(title, ours, other))
            first = figures.get((titles[kind, 1], "skiagraph"))
            last = figures.get((titles[kind, large.frames], "skiagraph"))
            title = f"The last frame against the first, {kind}"
            self.report.rows.append(Row(title, last, first, against="frame 1", aim=FRAME_AIM))

    def store_one(self, what: str, server: Server, large: LargeInstance) -> float | None:
        try:
            return store_large(server.port, f"{server.root}/studies", large)
        except FAILURES as error:
            self.remark(f"{server.name}: store of a large {what} instance: {error}")
            return None

    def _store(self, archives: list[Server], floor: Server, senders: Senders) -> None:
        rates: dict[str, list[tuple[float, ...]]] = {}
        times: dict[str, list[tuple[float, ...]]] = {}
        costs: dict[str, list[float]] = {}
        for number in self.rounds("store"):
            senders.make([Key(1000 + number, 1, instance) for instance in range(1, self.options.batch + 1)])
            for server in self.turns([*archives, floor], number):
                before = processes.cpu_seconds(server.pid)

                def batch(server: Server = server) -> tuple[float, ...]:
                    done = senders.send(server.port, f"{server.root}/studies")
                    times.setdefault(server.name, []).append(done.milliseconds)
                    return (done.rate,)

                if taken := self.attempt("store", server, batch):
                    rates.setdefault(server.name, []).append(taken)
                    cost = (processes.cpu_seconds(server.pid) - before) * 1e3 / self.options.batch
                    costs.setdefault(server.name, []).append(cost)
                os.sync()
        per_second = {name: Figure(tuple(rounds), "/s") for name, rounds in rates.items()}
        milliseconds = {name: Figure(tuple(rounds)) for name, rounds in times.items()}
        note = "processor time of the server for each instance: " + ", ".join(
            f"{name} {sorted(cost)[len(cost) // 2]:.2f} ms" for name, cost in costs.items()
        )
        ours, other = per_second.get("skiagraph"), per_second.get("Orthanc")
        self.report.rows += [
            Row("Store, instances", ours, other, aim=STORE_AIM, more_is_better=True, note=note),
            Row("Store, each request", milliseconds.get("skiagraph"), milliseconds.get("Orthanc")),
            Row("  against only reading the body", ours, per_second.get("floor"), "floor", more_is_better=True),
        ]

    def _large(self, archives: list[Server]) -> None:
        large = data.large_native(Key(60, 1, 1), self.options.large_bytes)
        cells: list[str] = []
        for server in archives:
            before = processes.memory(server.pid)
            processes.reset_peak(server.pid)
            os.sync()
            seconds = self.store_one("native", server, large)
            after = processes.memory(server.pid)
            cells += [mebibytes(after.peak), mebibytes(after.proportional)]
            if seconds is not None:
                rate, growth = large.size / seconds / 1e6, mebibytes(after.peak - before.resident)
                self.remark(
                    f"{server.name}: one instance of {mebibytes(large.size)} stored in {seconds:.1f} s"
                    f" ({rate:,.0f} MB/s), memory grew by {growth}."
                )
        self.report.memory.append((f"store of one instance of {mebibytes(large.size)}", *cells))

    @contextmanager
    def phase(self, name: str, archives: list[Server]) -> Iterator[None]:
        for server in archives:
            processes.reset_peak(server.pid)
        yield
        self._memory_row(name, archives)

    def _memory_row(self, name: str, archives: list[Server]) -> None:
        found = [processes.memory(server.pid) for server in archives]
        cells = [cell for one in found for cell in (mebibytes(one.peak), mebibytes(one.proportional))]
        self.report.memory.append((name, *cells))

    # --- without servers --------------------------------------------------------------------------------------------

    def _subpart(self, name: str, title: str) -> None:
        """Another measurement of this package, a program of its own: its table goes into the report as it is."""
        if importlib.util.find_spec(f"benchmarks.{name}") is None:
            self.remark(f"benchmarks/{name}.py is not there.")
            return
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if self.options.quick else [])]
        self.console.print(f"{title} …", end="\r")
        root = Path(__file__).resolve().parents[1]
        try:
            done = subprocess.run(
                command, cwd=root, capture_output=True, text=True, timeout=1800, check=False,
                env=os.environ | {"COLUMNS": "120"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            self.remark(f"{title}: not done within 30 minutes.")
            return
        if done.returncode:
            self.remark(f"{title}: ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
        self.report.subparts.append((title, done.stdout))

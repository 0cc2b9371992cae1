"""``skiagraph store``: send files, folders and zip archives to a DICOMweb server."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, FAILED, CommandError, amount, plural
from skiagraph.cli.options import Url
from skiagraph.cli.sources import Item, Skipped, find

if TYPE_CHECKING:
    import httpx

    from skiagraph.cli.journal import Journal
    from skiagraph.cli.upload import Result

_BATCH_ITEMS = 32
_BATCH_BYTES = 32 * 2**20
_EXAMPLES = 3
_PARTICULARS = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)|\b\d[\d.]*\b")


def store(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files, folders (with all below) and zip archives.", exists=True, metavar="PATH…"),
    ],
    url: Url = DEFAULT_URL,
    jobs: Annotated[int, typer.Option(help="Connections at the same time.", min=1, max=64)] = 4,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Keep the journal in this file, also after success: only new and changed files are sent next time.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Send files, folders and zip archives to a DICOMweb server.

    Of folders and archives everything that looks like DICOM is sent; DICOMDIR and other files are counted and left
    out. Interrupted or partly failed? Give the same command again: a journal in your state folder
    (`~/.local/state/skiagraph`) knows what the server has acknowledged. It is deleted when all went well.

    The exit code is 1 when anything failed. The summary groups the failures by reason.

    Examples:

    - `skiagraph store image.dcm`
    - `skiagraph store /media/cdrom export.zip --url https://pacs.example.org/dicom-web`
    - `skiagraph store /srv/incoming --resume incoming.journal` — every night, only what is new
    """
    import sqlite3

    from skiagraph.cli import client as http
    from skiagraph.cli.journal import Journal, default_path

    with http.connect(url) as client:
        path = resume or default_path(str(client.base_url))
        try:
            journal = Journal(path)
        except sqlite3.DatabaseError as error:
            raise CommandError(f"{path} is not a journal of skiagraph store: {error}", console.USAGE) from error
        with journal:
            check(client, journal)
            tally = send_all(paths, client, journal, jobs)
            finished = not tally.failures and not tally.interrupted
            if finished and resume is None:
                journal.remove()
    show(tally, resumable=not finished)
    if tally.interrupted:
        raise typer.Exit(console.INTERRUPTED)
    if not finished:
        raise typer.Exit(FAILED)


def check(client: httpx.Client, journal: Journal) -> None:
    """See that the server is there, and that it still has what the journal says; else forget the journal."""
    import httpx

    from skiagraph.cli import client as http

    uid = journal.last()
    parameters = {"limit": "1", **({"SOPInstanceUID": uid} if uid else {})}
    try:
        response = client.get("/instances" if uid else "/studies", params=parameters, headers={"Accept": http.JSON})
    except httpx.TransportError as error:
        raise http.unreachable(client, error) from error
    if response.status_code == 404:
        raise http.refusal(response)
    if uid and response.is_success and response.content.strip() in (b"", b"[]"):
        text = "The server has lost what was sent to it before (emptied?): everything is sent again."
        console.err().print(text, soft_wrap=True)
        journal.clear()


@dataclass(slots=True)
class Tally:
    """What became of everything."""

    stored: int = 0
    size: int = 0
    known: int = 0
    """Sent in an earlier run, and unchanged."""
    skipped: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Group] = field(default_factory=dict)
    warnings: dict[str, Group] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False


@dataclass(slots=True)
class Group:
    """Files that share a reason; only some names are kept, so that millions of failures fit."""

    text: str = ""
    """The sentence of the first; the others differ in numbers at most."""
    alike: bool = True
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str, text: str) -> None:
        self.text = self.text or text
        self.alike = self.alike and text == self.text
        self.count += 1
        if len(self.names) < _EXAMPLES:
            self.names.append(name)


def gather(groups: dict[str, Group], one: Result, text: str) -> None:
    """Put a result into the group of its reason: the sentence without the numbers and tags of this one file."""
    code, _, words = text.partition(": ")
    reason = f"{code}: {_PARTICULARS.sub('…', words)}" if words else text
    groups.setdefault(reason, Group()).add(one.item.name, text)


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group items into requests: of bounded number and size, no UID twice, those without UID alone.

    Answers name Instances by UID; in a request of its own every answer is certain.
    """
    batch: list[Item] = []
    uids: set[str] = set()
    size = 0
    for item in items:
        if not item.sop_instance_uid:
            yield [item]
            continue
        if batch and (len(batch) >= _BATCH_ITEMS or size + item.size > _BATCH_BYTES or item.sop_instance_uid in uids):
            yield batch
            batch, uids, size = [], set(), 0
        batch.append(item)
        uids.add(item.sop_instance_uid)
        size += item.size
    if batch:
        yield batch


class _Run:
    """One run: a thread finds files, `jobs` threads send them, the caller's thread counts and shows."""

    def __init__(self, paths: list[Path], client: httpx.Client, journal: Journal, jobs: int) -> None:
        from skiagraph.cli.upload import Uploader

        self.tally = Tally()
        self.stop = threading.Event()
        self.found = 0
        self.found_bytes = 0
        self._paths = paths
        self._journal = journal
        self._uploader = Uploader(client, self.stop)
        # Bounded: the finder waits for the senders, so a folder of millions costs no memory.
        self._batches: queue.Queue[list[Item] | None] = queue.Queue(jobs * 2)
        self.results: queue.Queue[list[Result] | BaseException | None] = queue.Queue()
        self.threads = [threading.Thread(target=self._find, args=(jobs,), daemon=True)]
        self.threads += [threading.Thread(target=self._send, daemon=True) for _ in range(jobs)]

    def _find(self, jobs: int) -> None:
        try:
            for batch in batches(self._items()):
                self._put(batch)
        except Exception as error:
            self.results.put(error)
        for _ in range(jobs):
            self._put(None)

    def _items(self) -> Iterator[Item]:
        for one in find(self._paths):
            if self.stop.is_set():
                return
            if isinstance(one, Skipped):
                self.tally.skipped[one.reason] += 1
            elif one in self._journal:
                self.tally.known += 1
            else:
                self.found += 1
                self.found_bytes += one.size
                yield one

    def _put(self, batch: list[Item] | None) -> None:
        while not self.stop.is_set():
            try:
                self._batches.put(batch, timeout=0.2)
            except queue.Full:
                continue
            return

    def _send(self) -> None:
        from skiagraph.cli.upload import Stopped

        try:
            while (batch := self._take()) is not None:
                self.results.put(self._uploader.send(batch))
        except Stopped:
            pass
        except Exception as error:
            self.results.put(error)
        self.results.put(None)

    def _take(self) -> list[Item] | None:
        while not self.stop.is_set():
            try:
                return self._batches.get(timeout=0.2)
            except queue.Empty:
                continue
        return None


def send_all(paths: list[Path], client: httpx.Client, journal: Journal, jobs: int) -> Tally:
    """Send everything; return what became of it. Ctrl-C stops after the requests that are on their way."""
    run = _Run(paths, client, journal, jobs)
    tally = run.tally
    started = time.perf_counter()
    for thread in run.threads:
        thread.start()
    try:
        with _display() as display:
            task = display.add_task("", total=None, text="")
            _collect(run, journal, jobs, display, task)
    except KeyboardInterrupt:
        tally.interrupted = True
    finally:
        run.stop.set()
        for thread in run.threads:
            thread.join(10)
        tally.seconds = time.perf_counter() - started
    return tally


def _collect(run: _Run, journal: Journal, jobs: int, display: Progress, task: TaskID) -> None:
    tally = run.tally
    while jobs:
        results = run.results.get()
        if results is None:
            jobs -= 1
            continue
        if isinstance(results, BaseException):
            raise results
        journal.add((one.item, one.sop_instance_uid) for one in results if one.failure is None)
        for one in results:
            if one.failure is not None:
                gather(tally.failures, one, one.failure)
                continue
            tally.stored += 1
            tally.size += one.item.size
            if one.warning is not None:
                gather(tally.warnings, one, one.warning)
        failed = sum(group.count for group in tally.failures.values())
        text = f"{tally.stored:,} of {run.found:,}" + (f", {failed:,} failed" if failed else "")
        sent = sum(one.item.size for one in results)
        display.update(task, advance=sent, total=run.found_bytes, text=text)


def _display() -> Progress:
    return console.progress(
        TextColumn("Storing {task.fields[text]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )


def show(tally: Tally, *, resumable: bool) -> None:
    """Print the summary."""
    out = console.out()
    speed = f"{amount(tally.size / tally.seconds)} per second" if tally.seconds > 0.1 and tally.stored else ""
    table = Table("", "instances", "", box=None, show_header=False, pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("stored", f"{tally.stored:,}", ", ".join(filter(None, (amount(tally.size), speed))))
    if tally.known:
        table.add_row("sent before", f"{tally.known:,}", "unchanged since the server acknowledged them")
    warned = sum(group.count for group in tally.warnings.values())
    if warned:
        table.add_row("  with warnings", f"{warned:,}", "stored all the same")
    failed = sum(group.count for group in tally.failures.values())
    table.add_row("failed", f"{failed:,}", "")
    skipped = sum(tally.skipped.values())
    if skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.skipped.most_common())
        table.add_row("left out", f"{skipped:,}", reasons)
    out.print(table)
    for title, groups in (("Failures", tally.failures), ("Warnings", tally.warnings)):
        if groups:
            out.print(f"\n{title} by reason:")
            for reason, group in sorted(groups.items(), key=lambda pair: -pair[1].count):
                text = group.text if group.alike else reason
                out.print(f"{plural(group.count, 'instance')}: {text}", markup=False, soft_wrap=True)
                for name in group.names:
                    out.print(f"    {name}", markup=False, soft_wrap=True)
                if group.count > len(group.names):
                    out.print(f"    … and {group.count - len(group.names):,} more")
    if resumable:
        out.print("\nThe same command again sends only what is missing.")

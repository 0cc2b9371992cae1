"""``skiagraph commit``: ask a DICOMweb server whether it has files safe (Storage Commitment)."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, FAILED, CommandError, plural
from skiagraph.cli.options import Url
from skiagraph.cli.sources import Item, Skipped, find
from skiagraph.cli.store import Group

if TYPE_CHECKING:
    import httpx

_BATCH = 2000
"""Files in one request."""
_LONGEST_WAIT = 60  # seconds between two checks, whatever the server says

_CLASS, _INSTANCE, _REASON = "00081150", "00081155", "00081197"
_COMMITTED, _FAILED = "00081199", "00081198"


def commit(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files, folders (with all below) and zip archives.", exists=True, metavar="PATH…"),
    ],
    url: Url = DEFAULT_URL,
) -> None:
    """Ask a DICOMweb server to take responsibility for files that were sent to it: are they safe there?

    This is Storage Commitment (PS3.18 chapter 13). The server answers for each SOP Instance UID whether it has the
    instance and keeps it; skiagraph reads every byte back before it says so. Nothing is sent but UIDs: whether the
    server has the same data set as the file, `skiagraph store` tells.

    The exit code is 0 when every file that looks like DICOM is committed, and there is at least one. Files that do not
    look like DICOM are counted and left out.

    Examples:

    - `skiagraph commit /media/cdrom`
    - `skiagraph commit /srv/outgoing --url https://pacs.example.org/dicom-web`
    """
    from skiagraph.cli import client as http

    tally = Tally()
    with http.connect(url) as client, _display() as display:
        task = display.add_task("", total=None)
        for batch in _batches(_named(paths, tally, display, task)):
            _ask(client, batch, tally)
            display.update(task, advance=sum(len(names) for names in batch.values()))
    show(tally)
    if tally.failures or not tally.committed:
        raise typer.Exit(FAILED)


@dataclass(slots=True)
class Tally:
    """What became of everything."""

    committed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Group] = field(default_factory=dict)
    """Files that are not committed, by reason."""

    def fail(self, reason: str, names: list[str]) -> None:
        for name in names:
            self.failures.setdefault(reason, Group()).add(name, reason)


_Reference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""


def _named(paths: list[Path], tally: Tally, display: Progress, task: TaskID) -> Iterator[tuple[_Reference, str]]:
    """Yield the UIDs and the name of each file."""
    found = 0
    for one in find(paths):
        if isinstance(one, Skipped):
            tally.skipped[one.reason] += 1
            continue
        found += 1
        display.update(task, total=found)
        reference = _reference(one)
        if reference is None:
            tally.fail("can not be read as DICOM", [one.name])
        else:
            yield reference, one.name


class _Source:
    """A file, as the reader of DICOM wants it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(max(0, length))


def _reference(item: Item) -> _Reference | None:
    """Return the UIDs of a file, from its data set: its File Meta Information may have others."""
    from skiagraph.errors import ArchiveError
    from skiagraph.standard import part10

    try:
        with item.open() as file:
            attributes = part10.read(_Source(file, item.size)).attributes
    except (ArchiveError, OSError):
        return None
    values = [(attributes.get(tag, {}).get("Value") or [None])[0] for tag in ("00080016", "00080018")]
    return (values[0], values[1]) if all(isinstance(value, str) and value for value in values) else None


def _batches(named: Iterator[tuple[_Reference, str]]) -> Iterator[dict[_Reference, list[str]]]:
    batch: dict[_Reference, list[str]] = {}
    for reference, name in named:
        if len(batch) >= _BATCH and reference not in batch:
            yield batch
            batch = {}
        batch.setdefault(reference, []).append(name)
    if batch:
        yield batch


def _ask(client: httpx.Client, batch: dict[_Reference, list[str]], tally: Tally) -> None:
    """Send one request, wait for its result, and count it."""
    from skiagraph.cli import client as http

    result = _result(client, [{_CLASS: _ui(of_class), _INSTANCE: _ui(uid)} for of_class, uid in batch])
    answered: dict[_Reference, int] = {}
    for tag in (_COMMITTED, _FAILED):
        for item in _items(result, tag):
            reason = _first(item, _REASON)
            code = reason if isinstance(reason, int) else 0x0110
            answered[str(_first(item, _CLASS)), str(_first(item, _INSTANCE))] = 0 if tag == _COMMITTED else code
    for reference, names in batch.items():
        found = answered.get(reference)
        if found == 0:
            tally.committed += len(names)
        elif found is None:
            tally.fail("the server said nothing about it", names)
        else:
            tally.fail(f"0x{found:04X}: {http.reason(found)}", names)


def _result(client: httpx.Client, items: list[dict[str, Any]]) -> dict[str, Any]:
    import httpx

    from skiagraph.cli import client as http

    path = f"/commitment-requests/2.25.{uuid.uuid4().int}"
    module = {_COMMITTED: {"vr": "SQ", "Value": items}}
    headers = {"Accept": http.JSON, "Content-Type": http.JSON}
    try:
        response = client.post(path, json=module, headers=headers)
        while response.status_code == 202:
            time.sleep(_pause(response))
            response = client.get(path, headers={"Accept": http.JSON})
    except httpx.TransportError as error:
        raise http.unreachable(client, error) from error
    if response.status_code in (404, 405):
        raise CommandError("This server has no Storage Commitment (PS3.18 chapter 13).")
    if not response.is_success:
        raise http.refusal(response)
    try:
        parsed = response.json()
    except ValueError:
        parsed = None
    if isinstance(parsed, list) and len(parsed) == 1:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        raise CommandError("The server's answer is no data set in DICOM JSON.")
    return parsed


def _pause(response: httpx.Response) -> float:
    told = response.headers.get("retry-after", "")
    return min(int(told), _LONGEST_WAIT) if told.isascii() and told.isdigit() else 1.0


def _items(data_set: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = data_set.get(tag)
    items = element.get("Value") if isinstance(element, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _first(item: dict[str, Any], tag: str) -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _ui(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


def _display() -> Progress:
    return console.progress(TextColumn("Asking"), BarColumn(), MofNCompleteColumn())


def show(tally: Tally) -> None:
    """Print the summary."""
    out = console.out()
    failed = sum(group.count for group in tally.failures.values())
    table = Table("", "files", "", box=None, show_header=False, pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("committed", f"{tally.committed:,}", "the server keeps them" if tally.committed else "")
    table.add_row("not committed", f"{failed:,}", "")
    if tally.skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.skipped.most_common())
        table.add_row("left out", f"{sum(tally.skipped.values()):,}", reasons)
    out.print(table)
    if tally.failures:
        out.print("\nNot committed, by reason:")
    for reason, group in sorted(tally.failures.items(), key=lambda pair: -pair[1].count):
        out.print(f"{plural(group.count, 'file')}: {reason}", markup=False, soft_wrap=True)
        for name in group.names:
            out.print(f"    {name}", markup=False, soft_wrap=True)
        if group.count > len(group.names):
            out.print(f"    … and {group.count - len(group.names):,} more")

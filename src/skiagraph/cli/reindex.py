"""``skiagraph reindex``: make the whole index anew from the blobs alone."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from skiagraph.cli import console
from skiagraph.cli.alone import in_use
from skiagraph.cli.console import FAILED, plural
from skiagraph.cli.options import Config, Data
from skiagraph.cli.verify import existing

if TYPE_CHECKING:
    from rich.console import Console

    from skiagraph.blobs.base import BlobStore
    from skiagraph.index.base import InstanceIndex, StoredInstance
    from skiagraph.index.carry import Carried
    from skiagraph.services.maintenance import Progress, Rebuilt
    from skiagraph.settings import Settings

_NOUNS = {
    "records": "record",
    "subscriptions": "subscription",
    "event reports": "event report",
    "change feed": "change feed entry",
}


def reindex(data: Data = None, config: Config = None) -> None:
    """Rebuild the whole index from the blobs alone.

    For when the index is lost or damaged, or `bulkdata_threshold` or `default_character_set` changed: both act when
    an instance is indexed. The new index is made beside the old one and takes its place when it is complete. The
    server must not run.

    Each blob is compared with the digests that the old index has, where there is one that can be read. What has
    changed since it was stored is listed, and makes the exit code 1. It is indexed as it is now, but keeps its old
    digests: `verify` goes on calling it corrupt.

    Workitems, worklist entries, performed steps, commitments, subscriptions, event reports and the change feed are in
    the index alone. They are taken over from the old one, as far as it can be read; what could not be is said.

    What else the blobs do not know is lost: which instances were deleted. The server will answer 404 for them, no
    longer 410. Their bytes are gone in either case.

    Examples:

    - `skiagraph reindex`
    - `skiagraph reindex --data /srv/images`
    """
    from skiagraph import app

    settings = console.settings(config, data=data)
    existing(settings)
    with in_use(settings.data, alone=True):
        path = app.index_path(settings)
        result, carried = rebuild(settings, app.blob_store(settings), path)
    out = console.out()
    out.print(f"{plural(result.added, 'instance')} indexed.")
    _tell(out, carried)
    if result.replaced or result.same:
        out.print(
            f"{plural(result.replaced + result.same, 'blob')} left aside: others hold the same SOP Instance UIDs."
        )
    if result.failures:
        out.print(f"{plural(len(result.failures), 'blob')} could not be indexed and stay as they are:")
        for key, why in result.failures:
            out.print(f"    {key}: {why}", markup=False, soft_wrap=True)
    if result.changed:
        have = "has changed since it was" if len(result.changed) == 1 else "have changed since they were"
        out.print(f"{plural(len(result.changed), 'blob')} {have} stored:")
        for key, where in result.changed:
            out.print(f"    {key}  {where}", markup=False, soft_wrap=True)
    if result.unknown:
        out.print(
            f"{plural(result.unknown, 'blob')} could not be compared with what was stored,"
            " as the old index does not have digests of them.",
            soft_wrap=True,
        )
    if result.failures or result.changed:
        raise typer.Exit(FAILED)


def _tell(out: Console, carried: Carried) -> None:
    """Say what the new index has of what blobs do not tell."""
    number = carried.numbers
    taken = [plural(number[part], noun) for part, noun in _NOUNS.items() if number[part] and part not in carried.lost]
    if taken:
        out.print(f"Taken over from the old index: {', '.join(taken)}.", soft_wrap=True)
    if carried.lost:
        out.print(
            f"The old index could not be read, or only in part. What it had of this is lost: {', '.join(carried.lost)}."
            " (Records are Workitems, worklist entries, performed steps and commitments.) A backup of the index has it:"
            " put that into the data folder and reindex again.",
            soft_wrap=True,
        )
    if "change feed" in carried.lost:
        out.print("The change feed begins anew: who follows it has to begin at 0 again.", soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Holdings:
    settings: Settings
    blobs: BlobStore
    index: InstanceIndex


def rebuild(settings: Settings, blobs: BlobStore, path: Path) -> tuple[Rebuilt, Carried]:
    """Make a new index beside the path and put it there."""
    # The one place besides app that makes an index: this one is not the archive's yet.
    from skiagraph.index.carry import carry, is_index
    from skiagraph.index.sql import SqlIndex
    from skiagraph.services import maintenance

    fresh = path.with_name(path.name + ".new")
    remove_fresh(fresh)
    before = path if is_index(path) else None
    # Only the finished file counts, and it is flushed as a whole.
    index = SqlIndex.open(fresh, durable=False)
    try:
        total = sum(1 for _ in blobs.keys())  # noqa: SIM118 - a BlobStore is no mapping
        columns = (TextColumn("Indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with console.progress(*columns) as display:
            task = display.add_task("", total=total)

            def on_progress(done: Progress) -> None:
                display.update(task, completed=done.blobs)

            with closing(entries_of(path)) as old:
                result = maintenance.reindex(_Holdings(settings, blobs, index), index, on_progress, old=old)
        index.close()
        carried = carry(before, fresh)
    except BaseException:
        index.close()
        remove_fresh(fresh)
        raise
    swap(fresh, path)
    remove_fresh(fresh)
    return result, carried


def entries_of(path: Path) -> Generator[StoredInstance]:
    """Yield what an index has, by key, as far as it can be read; nothing where there is none.

    However it is damaged, that is no reason not to make a new one: what is missing is told by what it leads to.
    """
    from skiagraph.index.sql import SqlIndex

    if not path.exists():
        return
    try:
        index = SqlIndex.open(path, durable=False)
    except Exception:
        return
    try:
        for chunk in index.entries():
            yield from chunk
    except Exception:
        return
    finally:
        index.close()


def files(path: Path) -> tuple[Path, ...]:
    """Return the files of an SQLite database, the main one first."""
    return (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))


def remove(path: Path) -> None:
    for file in files(path):
        file.unlink(missing_ok=True)


def remove_fresh(path: Path) -> None:
    """Remove an index that nobody else ever saw, with the file by which writers wait for each other."""
    remove(path)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)


def swap(fresh: Path, path: Path) -> None:
    """Put a closed database in the place of another one.

    The main file of the old one goes first: killed in between, there is no index, which the server notices and
    says, and never an old index without its write-ahead log, or a new one with that of the old.
    """
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    remove(path)
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

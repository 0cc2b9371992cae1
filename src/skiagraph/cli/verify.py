"""``skiagraph verify``: does the index match the blobs, and are the bytes those that were stored?"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from skiagraph.cli import console
from skiagraph.cli.alone import in_use
from skiagraph.cli.console import FAILED, CommandError, amount, plural
from skiagraph.cli.options import Config, Data

if TYPE_CHECKING:
    from skiagraph.services.archive import Archive
    from skiagraph.services.maintenance import Finding, Progress
    from skiagraph.settings import Settings

_MEANING = {
    "missing": "the index names it, its blob is not there",
    "orphaned": "a blob that the index does not name",
    "corrupt": "its bytes are not those that were stored",
}


def verify(
    data: Data = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what can be put right. The server must not run.")
    ] = False,
    config: Config = None,
) -> None:
    """Compare the index with the blobs: missing, orphaned, and corrupt by digest.

    Reads every byte of the archive; the server may run meanwhile. The exit code is 1 when anything is wrong.

    With `--repair` the index forgets instances whose blob is gone (they can be stored again), and orphaned blobs
    are taken into the index, or removed when their instance was deleted or replaced. Corrupt instances stay as they
    are: restore the blob from a backup, or delete the instance and store it again.

    Examples:

    - `skiagraph verify`
    - `skiagraph verify --data /srv/images --repair`
    """
    from skiagraph import app

    settings = console.settings(config, data=data)
    existing(settings)
    app.check_index(settings)
    with ExitStack() as stack:
        stack.enter_context(in_use(settings.data, alone=repair))
        archive = app.open_archive(settings)
        stack.callback(archive.index.close)
        left = report(archive, repair=repair)
    if left:
        raise typer.Exit(FAILED)


def existing(settings: Settings) -> None:
    """Raise CommandError where there is no archive yet."""
    if not settings.data.is_dir():
        raise CommandError(f"There is no archive in {settings.data.absolute()}. Name its folder with --data.")


def report(archive: Archive, *, repair: bool) -> int:
    """Verify, print each finding, return how many are left."""
    from skiagraph.services import maintenance

    out = console.out()
    counts = dict.fromkeys(_MEANING, 0)
    left = 0
    last = maintenance.Progress()
    columns = (SpinnerColumn(), TextColumn("Verifying {task.fields[text]}"), TimeElapsedColumn())
    with console.progress(*columns) as display:
        task = display.add_task("", total=None, text="")

        def on_progress(progress: Progress) -> None:
            nonlocal last
            last = progress
            display.update(task, text=f"{plural(progress.blobs, 'instance')}, {amount(progress.size)}")

        # Repairs change what is being read, so they come after.
        findings = list(maintenance.verify(archive, on_progress))
    for finding in findings:
        counts[finding.kind] += 1
        done = asyncio.run(maintenance.repair(archive, finding)) if repair else None
        left += done is None
        out.print(describe(finding) + (f" — {done}" if done else ""), markup=False, soft_wrap=True)
    out.print(f"{plural(last.blobs, 'instance')}, {amount(last.size)} read.")
    if not findings:
        out.print("Index and blobs match.")
    for kind, count in counts.items():
        if count:
            out.print(f"{count:,} {kind}: {_MEANING[kind]}")
    if repair and findings:
        out.print(f"{len(findings) - left:,} put right, {left:,} left.")
    return left


def describe(finding: Finding) -> str:
    """Return one line about a finding: kind, blob, instance, what is wrong."""
    parts = [finding.kind, finding.key, str(finding.path or ""), finding.detail]
    return "  ".join(part for part in parts if part)

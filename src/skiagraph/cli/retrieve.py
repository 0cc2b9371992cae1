"""``skiagraph retrieve``: get a Study, Series or Instance from a DICOMweb server into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, SpinnerColumn, TextColumn, TransferSpeedColumn

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, USAGE, CommandError, amount, plural
from skiagraph.cli.options import Url
from skiagraph.values import ResourcePath, is_uid

_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def retrieve(
    study: Annotated[str, typer.Argument(help="Study Instance UID.", metavar="STUDY")],
    series: Annotated[str | None, typer.Argument(help="Series Instance UID.", metavar="[SERIES")] = None,
    instance: Annotated[str | None, typer.Argument(help="SOP Instance UID.", metavar="[INSTANCE]]")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the files; created if need be.", file_okay=False)
    ] = Path(),
    anonymize: Annotated[
        bool,
        typer.Option("--anonymize", help="Without what identifies the patient (PS3.15 Basic Profile), under new UIDs."),
    ] = False,
    archive: Annotated[
        bool, typer.Option("--zip", help="Into one ZIP archive, from servers that give them; named by the UID.")
    ] = False,
    dicomdir: Annotated[
        bool, typer.Option("--dicomdir", help="With --zip: a File-set with a DICOMDIR, as media readers want it.")
    ] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Get a study, a series or an instance from a DICOMweb server into a folder.

    Each instance becomes a file named by its SOP Instance UID, in the transfer syntax in which it is stored.
    A file appears only when it is whole; one of the same name is replaced.

    With `--zip` all of it becomes one file, such as `1.2.3.zip`.

    With `--anonymize`, which skiagraph servers know, pixels are not cleaned, and what can not be de-identified is left
    out; what a server sends as it was all the same is not kept.

    Examples:

    - `skiagraph retrieve 1.2.3 --output study`
    - `skiagraph retrieve 1.2.3 1.2.3.4 --output series --url https://pacs.example.org/dicom-web`
    - `skiagraph retrieve 1.2.3 --output nameless --anonymize`
    - `skiagraph retrieve 1.2.3 --zip --dicomdir`
    """
    import httpx

    from skiagraph.cli import archive_file
    from skiagraph.cli import client as http
    from skiagraph.cli.download import Saved, refuse_identified, save

    if archive and anonymize:
        raise CommandError("--zip and --anonymize do not go together: each file has to be looked at.", USAGE)
    if dicomdir and not archive:
        raise CommandError("--dicomdir goes with --zip.", USAGE)
    for uid in filter(None, (study, series, instance)):
        if not is_uid(uid):
            raise CommandError(f"{uid} is not a UID: digits and dots, at most 64 characters.", USAGE)
    path = ResourcePath(study, series, instance)
    output.mkdir(parents=True, exist_ok=True)
    where = output
    columns = (SpinnerColumn(), TextColumn("{task.fields[files]:,} instances"), DownloadColumn(), TransferSpeedColumn())
    with http.connect(url) as client, console.progress(*columns) as display:
        task = display.add_task("", total=None, files=0)

        def on_progress(saved: Saved) -> None:
            display.update(task, completed=saved.size, files=saved.files)

        saved = Saved()
        try:
            query = {"anonymize": "yes"} if anonymize else {"dicomdir": "yes"} if dicomdir else None
            accept = archive_file.ACCEPT if archive else _ACCEPT
            with client.stream("GET", f"/{path}", params=query, headers={"Accept": accept}) as response:
                if not response.is_success:
                    raise http.refusal(response)
                partial = response.status_code == 206
                if response.status_code != 204:
                    check = refuse_identified if anonymize else None
                    content_type = response.headers.get("content-type", "")
                    chunks = response.iter_bytes()
                    if archive:
                        where = output / f"{instance or series or study}.zip"
                        saved = archive_file.save(content_type, chunks, where, on_progress)
                    else:
                        saved = save(content_type, chunks, output, on_progress, check)
                warning = response.headers.get("warning", "").partition(": ")[2]
        except httpx.ConnectError as error:
            raise http.unreachable(client, error) from error
        except httpx.TransportError as error:
            kept = "nothing is kept" if archive else "whole instances that arrived are kept"
            raise CommandError(f"The connection was lost; {kept}: {error}") from error
    console.out().print(
        f"{plural(saved.files, 'instance')}, {amount(saved.size)}, in {where}", markup=False, soft_wrap=True
    )
    if anonymize and warning:
        console.err().print(f"The server warns: {warning}", markup=False, soft_wrap=True)
    if partial:
        raise CommandError("The server says that this is not all: it could not give every instance.")

"""``skiagraph serve``: start the server."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skiagraph.cli import console
from skiagraph.cli.alone import in_use
from skiagraph.cli.options import Config, Data

if TYPE_CHECKING:
    from skiagraph.settings import Settings


def serve(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on. [default: 8080]")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Server processes. [default: one per processor, at most 4]")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Base URI as clients see it, such as https://pacs.example.org/dicom-web.")
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure", help="Listen on other than loopback addresses, although anybody may then read."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Folder whose DICOM files are stored first, when the archive is empty.", exists=True, file_okay=False
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Start the server.

    Every option is also a setting of the configuration file and of the environment
    (`--port 9000`, `SKIAGRAPH_PORT=9000`, `port = 9000`); `skiagraph config` shows them all.
    End it with Ctrl-C: requests in flight end first.

    Examples:

    - `skiagraph serve` — on this machine only, with everything kept in the folder `data`
    - `skiagraph serve --data /srv/images --port 9000`
    - `skiagraph serve --config /etc/skiagraph.toml --public-url https://pacs.example.org/dicom-web`
    """
    settings = console.settings(
        config, data=data, host=host, port=port, workers=workers, public_url=public_url, insecure=insecure
    )
    from skiagraph import app

    def on_ready() -> None:
        if samples is not None:
            load(samples, local_url(settings))
        console.out().print(welcome(settings), markup=False, soft_wrap=True)

    with in_use(settings.data, alone=False):
        app.serve(settings, on_ready=on_ready)


def local_url(settings: Settings) -> str:
    """Return the Base URI for programs on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}{settings.base_path}"


def load(folder: Path, url: str) -> None:
    """Store the files of a folder, unless the server has a Study already."""
    import tempfile

    import httpx

    from skiagraph.cli import client as http
    from skiagraph.cli.journal import Journal
    from skiagraph.cli.store import send_all

    try:
        with http.connect(url) as client, tempfile.TemporaryDirectory() as scratch:
            found = client.get("/studies", params={"limit": "1"}, headers={"Accept": http.JSON})
            if not found.is_success or found.content.strip() not in (b"", b"[]"):
                return
            with Journal(Path(scratch) / "journal") as journal:
                tally = send_all([folder], client, journal, jobs=2)
    except httpx.HTTPError as error:
        console.err().print(f"The samples could not be loaded: {error}", markup=False, soft_wrap=True)
        return
    console.out().print(f"The archive was empty: {console.plural(tally.stored, 'sample instance')} stored.")
    for reason, group in tally.failures.items():
        console.err().print(f"{group.names[0]} and as many as {group.count} not stored: {reason}", markup=False)


def welcome(settings: Settings) -> str:
    """Return where the server is and what to try there."""
    base = local_url(settings)
    here = base.removesuffix(settings.base_path)
    option = "" if base == console.DEFAULT_URL else f" --url {base}"
    # `make serve` runs the command out of .venv, which is on nobody's path.
    command = "skiagraph" if shutil.which("skiagraph") else os.path.relpath(sys.argv[0])
    lines = [
        f"skiagraph serves DICOMweb on {base}",
        *([f"  seen by clients as {settings.public_url}"] if settings.public_url else []),
        f"  data in {settings.data.absolute()}",
        "",
        "Try, in another terminal:",
        f"  curl '{base}/studies'",
        f"  curl '{base}/studies?ModalitiesInStudy=CT&includefield=StudyDescription'",
        f"  curl '{base}/instances?limit=1'",
        f"  curl --data-binary @image.dcm -H 'Content-Type: application/dicom' {base}/studies",
        f"  {command} search{option}",
        f"  {command} store FOLDER{option}",
        f"  curl {here}/readyz",
        "",
        "Documentation: docs/ beside the source, starting with docs/tutorial/first-steps.md. Stop with Ctrl-C.",
    ]
    return "\n".join(lines)

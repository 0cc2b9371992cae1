"""``skiagraph serve``: start the server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skiagraph.cli import console
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

    console.out().print(welcome(settings, samples is not None), markup=False, soft_wrap=True)
    app.serve(settings, samples=samples)


def welcome(settings: Settings, samples: bool) -> str:
    """Return where the server is and what to try there."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    here = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{settings.port}"  # noqa: S104
    base = here + settings.base_path
    option = "" if base == console.DEFAULT_URL else f" --url {base}"
    lines = [
        f"skiagraph serves DICOMweb on {base}",
        *([f"  seen by clients as {settings.public_url}"] if settings.public_url else []),
        f"  data in {settings.data.absolute()}",
        "",
        "Try, in another terminal:",
        f"  curl '{base}/studies'",
        f"  curl '{base}/studies?PatientName=*&ModalitiesInStudy=CT&includefield=StudyDescription'",
        f"  curl '{base}/instances?limit=1'",
        f"  curl --data-binary @image.dcm -H 'Content-Type: application/dicom' {base}/studies",
        f"  skiagraph search{option}",
        f"  skiagraph store FOLDER{option}",
        f"  curl {here}/readyz",
        "",
        *(["An empty archive is filled with the sample studies first."] if samples else []),
        "Documentation: docs/ beside the source, starting with docs/tutorial/first-steps.md. Stop with Ctrl-C.",
    ]
    return "\n".join(lines)

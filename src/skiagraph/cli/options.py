"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from skiagraph.cli.console import DEFAULT_URL

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Folder that holds the archive: blobs and index. [default: data]", file_okay=False),
]

Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="TOML file with settings.", exists=True, dir_okay=False, readable=True),
]

Url: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Base URI of the DICOMweb server. Any server will do.",
        envvar="SKIAGRAPH_URL",
        show_default=DEFAULT_URL,
    ),
]

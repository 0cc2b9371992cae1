"""The command line: one module per command, put together here.

Exit codes, the same for every command: 0 all is well, 1 something failed or differs (it is listed),
2 the command line or a setting is wrong, 3 the server can not be reached, 130 interrupted.
"""

from __future__ import annotations

from typing import Annotated

import typer

from skiagraph.cli import commit, config, reindex, retrieve, schedule, search, serve, store, verify, worklist
from skiagraph.cli.console import Commands, version

app = typer.Typer(
    name="skiagraph",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "First steps: `skiagraph serve` in one terminal; in another `skiagraph store FOLDER`, then"
        " `skiagraph search` and `skiagraph retrieve STUDY --output FOLDER`."
        " Exit codes: 0 all is well, 1 something failed or differs, 2 wrong command line or setting,"
        " 3 server not reachable."
    ),
)


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=version, is_eager=True)
    ] = False,
) -> None:
    """A DICOMweb origin server: it stores, finds and returns medical images over HTTP, as DICOM PS3.18 describes."""


app.command()(serve.serve)
app.command()(store.store)
app.command()(search.search)
app.command()(retrieve.retrieve)
app.add_typer(worklist.worklist, name="worklist")
app.add_typer(schedule.schedule, name="schedule")
app.command()(commit.commit)
app.command()(verify.verify)
app.command()(reindex.reindex)
app.command()(config.config)

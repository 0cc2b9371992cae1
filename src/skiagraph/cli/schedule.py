"""``skiagraph schedule``: give modalities a worklist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, FAILED, CommandError, plural
from skiagraph.cli.options import Url

if TYPE_CHECKING:
    import httpx

schedule = typer.Typer(no_args_is_help=True, help="Give modalities a worklist: add entries, list them, remove them.")

RESOURCE = "/modality-scheduled-procedure-steps"

_STEP = "00400100"
COLUMNS = (
    ("Date", (_STEP, "00400002")),
    ("Time", (_STEP, "00400003")),
    ("Station", (_STEP, "00400001")),
    ("Modality", (_STEP, "00080060")),
    ("Patient", ("00100010",)),
    ("Patient ID", ("00100020",)),
    ("Accession", ("00080050",)),
    ("Step", (_STEP, "00400007")),
    ("Step ID", (_STEP, "00400009")),
    ("Study Instance UID", ("0020000D",)),
)
"""Heading and path of the columns of a list."""

_TYPES = ((b"{", "application/dicom+json"), (b"[", "application/dicom+json"), (b"<", "application/dicom+xml"))


@schedule.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of DICOM JSON (one entry or an array), XML, or DICOM (.wl).", exists=True),
    ],
    url: Url = DEFAULT_URL,
) -> None:
    """Add worklist entries from files. Of one file all entries are added, or none.

    An entry needs a Patient's Name and ID, a Study Instance UID, a Requested Procedure ID, and in its Scheduled
    Procedure Step Sequence the station's AE title, modality, start date and time, and a Scheduled Procedure Step ID.

    Examples:

    - `skiagraph schedule add tomorrow.json`
    - `skiagraph schedule add *.wl --url http://ris.example:8080/dicom-web`
    """
    from skiagraph.cli import client as http

    failed = 0
    with http.connect(url) as client:
        for file in files:
            content = file.read_bytes()
            start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
            kind = next((name for mark, name in _TYPES if mark == start), "application/dicom")
            response = _send(client, "POST", RESOURCE, content=content, headers={"content-type": kind})
            if response.is_success:
                console.out().print(f"{file}: added", markup=False, soft_wrap=True)
            else:
                failed += 1
                why = http.explanation(response) or f"the server answered {response.status_code}"
                console.out().print(f"{file}: not added: {why}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


@schedule.command("list")
def list_(
    terms: Annotated[list[str] | None, typer.Argument(help="Conditions.", metavar="[KEY=VALUE…]")] = None,
    url: Url = DEFAULT_URL,
    limit: Annotated[int, typer.Option(help="Most results.", min=1)] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print DICOM JSON instead of a table.")] = False,
) -> None:
    """List the steps that are to be performed, earliest first.

    With `ProcedureStepState=COMPLETED` those that were performed.

    Examples:

    - `skiagraph schedule list`
    - `skiagraph schedule list ScheduledProcedureStepSequence.Modality=CT`
    - `skiagraph schedule list ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=20260131`
    """
    import httpx
    import orjson

    from skiagraph.cli import client as http
    from skiagraph.cli.search import parse

    _, conditions = parse(["studies", *(terms or [])])
    query = httpx.QueryParams([*conditions, ("limit", str(limit if json else limit + 1))])
    with http.connect(url) as client:
        response = _send(client, "GET", RESOURCE, params=query, headers={"accept": http.JSON})
        if not response.is_success:
            raise http.refusal(response)
        for warning in response.headers.get_list("warning"):
            if "additional results" not in warning:
                console.err().print(f"Warning of the server: {warning}", markup=False, soft_wrap=True)
    try:
        found = orjson.loads(response.content or b"[]")
    except orjson.JSONDecodeError as error:
        raise CommandError("The answer of the server is not JSON. Is --url a Base URI of DICOMweb?") from error
    if json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return
    if not found:
        console.out().print("No entries match." if conditions else "The worklist is empty.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in COLUMNS:
        table.add_column(heading, overflow="fold")
    for entry in found[:limit]:
        table.add_row(*(_shown(entry, path) for _, path in COLUMNS))
    console.out().print(table)
    more = " There are more: a higher --limit shows them." if len(found) > limit else ""
    console.out().print(plural(min(len(found), limit), "entry") + "." + more)


@schedule.command()
def remove(
    study: Annotated[str, typer.Argument(help="Study Instance UID.", metavar="STUDY")],
    step: Annotated[str, typer.Argument(help="Scheduled Procedure Step ID.", metavar="STEP")],
    url: Url = DEFAULT_URL,
) -> None:
    """Remove an entry from the worklist."""
    from skiagraph.cli import client as http

    with http.connect(url) as client:
        response = _send(client, "DELETE", f"{RESOURCE}/{quote(study, safe='')}/{quote(step)}")
        if not response.is_success:
            raise http.refusal(response)
    console.out().print("Removed.")


def _send(client: httpx.Client, method: str, path: str, **named: Any) -> httpx.Response:
    import httpx

    from skiagraph.cli import client as http

    try:
        return client.request(method, path, **named)
    except httpx.TransportError as error:
        raise http.unreachable(client, error) from error


def _shown(entry: Any, path: tuple[str, ...]) -> Any:
    from rich.text import Text

    from skiagraph.cli.search import readable

    for tag in path[:-1]:
        items = (entry.get(tag) or {}).get("Value") if isinstance(entry, dict) else None
        entry = items[0] if items else {}
    element = entry.get(path[-1]) if isinstance(entry, dict) else None
    if not isinstance(element, dict):
        return Text("")
    values = element.get("Value") or ()
    return Text("/".join(readable(value, element.get("vr", "")) for value in values if value is not None))

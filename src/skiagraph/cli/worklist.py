"""``skiagraph worklist``: look at a UPS-RS worklist, work on it, watch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, FAILED, USAGE, CommandError, plural
from skiagraph.cli.options import Url

if TYPE_CHECKING:
    import httpx

    from skiagraph.client.worklist import Step, Worklist

worklist = typer.Typer(no_args_is_help=True, help="Look at a worklist (UPS-RS), work on it, watch it.")

Ae = Annotated[str, typer.Option("--ae", help="AE title of who works or watches.", envvar="SKIAGRAPH_AE_TITLE")]
Uid = Annotated[str, typer.Argument(help="SOP Instance UID of the Workitem.", metavar="UID")]
Lock = Annotated[str, typer.Option(help="Transaction UID that `claim` printed.", metavar="UID")]
DEFAULT_AE = "SKIAGRAPH-CLI"
Watcher = Annotated[
    str | None,
    typer.Option("--ae", help="AE title of who watches. [default: one of its own]", envvar="SKIAGRAPH_AE_TITLE"),
]

COLUMNS = (
    ("Start", "00404005"),
    ("State", "00741000"),
    ("Priority", "00741200"),
    ("Input", "00404041"),
    ("Worklist", "00741202"),
    ("Step", "00741204"),
    ("Patient", "00100010"),
    ("Patient ID", "00100020"),
    ("SOP Instance UID", "00080018"),
)
"""Heading and tag of the columns of a list."""

_EVENTS = {"1": "state", "2": "cancel requested", "3": "progress", "4": "server", "5": "assigned"}
_UID = "00080018"


@worklist.command("list")
def list_(
    terms: Annotated[list[str] | None, typer.Argument(help="Conditions.", metavar="[KEY=VALUE…]")] = None,
    url: Url = DEFAULT_URL,
    limit: Annotated[int, typer.Option(help="Most results.", min=1)] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print DICOM JSON instead of a table.")] = False,
) -> None:
    """List Workitems, earliest start first.

    Examples:

    - `skiagraph worklist list ProcedureStepState=SCHEDULED InputReadinessState=READY`
    - `skiagraph worklist list ScheduledStationNameCodeSequence.CodeValue=CT1`
    """
    keys = _keys(terms or [])
    with _open(url, DEFAULT_AE) as opened:
        found = opened.search({**keys, "limit": str(limit if json else limit + 1)})
    if json:
        _print_json(found)
        return
    if not found:
        console.out().print("No Workitems match." if keys else "There are no Workitems.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in COLUMNS:
        table.add_column(heading, overflow="fold")
    for one in found[:limit]:
        table.add_row(*(Text(_shown(one, tag)) for _, tag in COLUMNS))
    console.out().print(table)
    more = " There are more: a higher --limit shows them." if len(found) > limit else ""
    console.out().print(plural(min(len(found), limit), "Workitem") + "." + more)


@worklist.command()
def show(uid: Uid, url: Url = DEFAULT_URL) -> None:
    """Print one Workitem as DICOM JSON."""
    with _open(url, DEFAULT_AE) as opened:
        _print_json(opened.retrieve(uid))


@worklist.command()
def add(
    files: Annotated[
        list[Path], typer.Argument(help="Files of DICOM JSON, one Workitem or an array each.", exists=True)
    ],
    url: Url = DEFAULT_URL,
) -> None:
    """Create Workitems from files of DICOM JSON, and print their UIDs."""
    import orjson

    with _open(url, DEFAULT_AE) as opened:
        for file in files:
            try:
                found = orjson.loads(file.read_bytes())
            except orjson.JSONDecodeError as error:
                raise CommandError(f"{file} is not JSON: {error}") from error
            for one in found if isinstance(found, list) else [found]:
                console.out().print(opened.create(one))


@worklist.command()
def claim(uid: Uid, ae: Ae = DEFAULT_AE, url: Url = DEFAULT_URL) -> None:
    """Claim a Workitem, and print the Transaction UID that `complete` and `cancel` need."""
    from skiagraph.client.worklist import AlreadyClaimed

    with _open(url, ae) as opened:
        try:
            step = opened.take(uid)
        except AlreadyClaimed as error:
            raise CommandError(f"{uid} is claimed by somebody else, finished, or not there. {error}", FAILED) from error
    console.out().print(step.lock)


@worklist.command()
def complete(
    uid: Uid,
    lock: Lock,
    station: Annotated[str, typer.Option(help="Where it was performed: VALUE:SCHEME:MEANING.")],
    performed: Annotated[
        str | None, typer.Option(help="What was performed: VALUE:SCHEME:MEANING. [default: what was scheduled]")
    ] = None,
    ae: Ae = DEFAULT_AE,
    url: Url = DEFAULT_URL,
) -> None:
    """Complete a Workitem that was claimed. What was made and stored is named by programs, not by this command."""
    where, what = _code(station), None if performed is None else _code(performed)
    with _open(url, ae) as opened:
        try:
            _step(opened, uid, lock).complete(station=where, performed=what)
        except ValueError as error:
            raise CommandError(f"{error} (--performed)", USAGE) from error
    console.out().print("COMPLETED")


@worklist.command()
def cancel(
    uid: Uid,
    lock: Annotated[str | None, typer.Option(help="Transaction UID, for who has claimed it.", metavar="UID")] = None,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    ae: Ae = DEFAULT_AE,
    url: Url = DEFAULT_URL,
) -> None:
    """Cancel a Workitem: with its Transaction UID at once, else by asking its performer."""
    with _open(url, ae) as opened:
        if lock is None:
            opened.request_cancellation(uid, reason)
        else:
            _step(opened, uid, lock).cancel(reason)
    console.out().print("Cancellation requested" if lock is None else "CANCELED")


@worklist.command()
def watch(
    terms: Annotated[list[str] | None, typer.Argument(help="Conditions.", metavar="[KEY=VALUE…]")] = None,
    ae: Watcher = None,
    url: Url = DEFAULT_URL,
    json: Annotated[bool, typer.Option("--json", help="Print each report as a line of DICOM JSON.")] = False,
    count: Annotated[int, typer.Option(help="Stop after so many reports; 0: never.", min=0)] = 0,
) -> None:
    """Print what happens on the worklist, as it happens. Ctrl-C ends it; the subscription ends with it."""
    import secrets

    import orjson

    seen = 0
    with _open(url, ae or f"WATCH-{secrets.token_hex(5)}") as opened:  # who shares a name ends the other's subscription
        opened.subscribe(_keys(terms or []) or None)
        try:
            for report in opened.reports():
                line = orjson.dumps(report).decode() if json else _line(report)
                console.out().print(line, markup=False, soft_wrap=True)
                seen += 1
                if seen == count:
                    return
        finally:
            opened.unsubscribe()


def _line(report: dict[str, Any]) -> str:
    kind = _EVENTS.get(_shown(report, "00001002"), "report")
    told = _first_item(report, "00741002")
    progress, description = _shown(told, "00741004"), _shown(told, "00741006")
    station = _shown(_first_item(report, "00404025"), "00080104") or _shown(_first_item(report, "00404009"), "00080104")
    words = [
        *(_shown(report, tag) for tag in ("00741000", "00404041", "00741242", "00741236", "00741238")),
        f"{progress} %" if progress else "",
        description,
        station,
    ]
    return f"{kind:17}{' '.join(word for word in words if word):34} {_shown(report, '00001000')}"


def _first_item(attributes: dict[str, Any], tag: str) -> dict[str, Any]:
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, dict) else {}


@contextmanager
def _open(url: str, ae: str) -> Iterator[Worklist]:
    import httpx

    from skiagraph.cli import client as http
    from skiagraph.client.worklist import Worklist, WorklistError

    connection = http.connect(url)
    connection.event_hooks["response"].append(_warn)
    try:
        with Worklist(url, ae, client=connection) as opened:
            yield opened
    except WorklistError as error:
        raise CommandError(f"The server answered {error}", FAILED) from error
    except httpx.TransportError as error:
        raise http.unreachable(connection, error) from error


def _warn(response: httpx.Response) -> None:
    """Pass on what a server says about a request that it did; of one that it refused it is part of the message."""
    if response.is_success:
        for warning in response.headers.get_list("warning"):
            if "additional results" not in warning:
                console.err().print(f"Warning of the server: {warning}", markup=False, soft_wrap=True)


def _step(opened: Worklist, uid: str, lock: str) -> Step:
    from skiagraph.client.worklist import Step

    return Step(opened, uid, lock)


def _keys(terms: list[str]) -> dict[str, str]:
    keys = {}
    for term in terms:
        key, equals, value = term.partition("=")
        if not equals or not key:
            raise CommandError(f"{term} is no condition; it looks like ProcedureStepState=SCHEDULED.", USAGE)
        keys[key.strip()] = value
    return keys


def _code(text: str) -> Any:
    from skiagraph.client.worklist import Code

    value, _, rest = text.partition(":")
    scheme, _, meaning = rest.partition(":")
    if not (value and scheme and meaning):
        raise CommandError(f"{text} is no code; it looks like GPU1:99LAB:The machine.", USAGE)
    return Code(value, scheme, meaning)


def _shown(attributes: dict[str, Any], tag: str) -> str:
    """The first value of an attribute for people."""
    from skiagraph.cli.search import readable

    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(element, dict) or not isinstance(values, list) or not values:
        return ""
    text = readable(values[0], "" if tag == _UID else element.get("vr", ""))
    if element.get("vr") == "DT" and text[:12].isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}"
    return text


def _print_json(found: Any) -> None:
    import orjson

    console.out().print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), markup=False, soft_wrap=True)

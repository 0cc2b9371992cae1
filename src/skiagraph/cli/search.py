"""``skiagraph search``: find Studies, Series and Instances on a DICOMweb server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from skiagraph.cli import console
from skiagraph.cli.console import DEFAULT_URL, USAGE, CommandError, plural
from skiagraph.cli.options import Url

if TYPE_CHECKING:
    import httpx

LEVELS = ("studies", "series", "instances")
_ONE = {"studies": "study", "instances": "instance"}

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "studies": (
        ("Date", "00080020"),
        ("Patient", "00100010"),
        ("Patient ID", "00100020"),
        ("Modalities", "00080061"),
        ("Description", "00081030"),
        ("Series", "00201206"),
        ("Instances", "00201208"),
        ("Study Instance UID", "0020000D"),
    ),
    "series": (
        ("Number", "00200011"),
        ("Modality", "00080060"),
        ("Description", "0008103E"),
        ("Instances", "00201209"),
        ("Series Instance UID", "0020000E"),
        ("Study Instance UID", "0020000D"),
    ),
    "instances": (
        ("Number", "00200013"),
        ("SOP Class", "00080016"),
        ("Rows", "00280010"),
        ("Columns", "00280011"),
        ("Frames", "00280008"),
        ("SOP Instance UID", "00080018"),
        ("Series Instance UID", "0020000E"),
    ),
}
"""Heading and tag of the columns of each level."""

_WANTED = {"studies": "StudyDescription", "series": "", "instances": "NumberOfFrames"}
"""What the columns need beyond the attributes that every server returns."""

_RIGHT = {"Series", "Instances", "Number", "Rows", "Columns", "Frames"}


def search(
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to find: studies (default), series or instances; then conditions.",
            metavar="[LEVEL] [KEY=VALUE…]",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    limit: Annotated[int, typer.Option(help="Most results.", min=1)] = 100,
    offset: Annotated[int, typer.Option(help="Results to leave out first.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print DICOM JSON instead of a table.")] = False,
) -> None:
    """Find studies, series or instances on a DICOMweb server.

    A key is the keyword of an attribute or its tag; the value may hold the wildcards `*` and `?`, dates and times
    may be ranges, UIDs and modalities lists. All conditions must hold. Quote what the shell would change.

    Examples:

    - `skiagraph search` — the studies
    - `skiagraph search 'PatientName=*yamada*' StudyDate=20200101-20201231`
    - `skiagraph search studies ModalitiesInStudy=CT`
    - `skiagraph search series StudyInstanceUID=1.2.3`
    - `skiagraph search instances Modality=SM includefield=TotalPixelMatrixColumns --json`
    """
    level, conditions = parse(terms or [])
    from skiagraph.cli import client as http

    keys = {key.lower() for key, _ in conditions}
    # One more than asked for tells whether there are more.
    parameters = conditions + ([] if "limit" in keys else [("limit", str(limit if json else limit + 1))])
    if offset:
        parameters.append(("offset", str(offset)))
    if _WANTED[level] and not json:
        parameters.append(("includefield", _WANTED[level]))
    with http.connect(url) as client:
        if json:
            _print_json(client, level, parameters)
            return
        matches = _matches(client, level, parameters)
    more = "limit" not in keys and len(matches) > limit
    if not matches:
        console.out().print(f"No {level} match." if conditions else f"There are no {level}.")
        return
    shown = matches[:limit] if more else matches
    console.out().print(table(level, shown))
    if more:
        console.out().print(f"There are more. The next: --offset {offset + limit}; all at once: a higher --limit.")
    else:
        console.out().print(f"{len(shown):,} series" if level == "series" else plural(len(shown), _ONE[level]))


def parse(terms: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """Return the level and the conditions.

    Raises
    ------
    CommandError
        A term is neither a level in the first place nor KEY=VALUE.
    """
    level = "studies"
    if terms and "=" not in terms[0]:
        level, terms = terms[0].lower(), terms[1:]
        if level not in LEVELS:
            raise CommandError(f"{level} is none of {', '.join(LEVELS)}, and no condition like PatientID=4711.", USAGE)
    conditions = []
    for term in terms:
        key, equals, value = term.partition("=")
        if not equals or not key:
            raise CommandError(f"{term} is no condition; it looks like PatientID=4711.", USAGE)
        conditions.append((key.strip(), value))
    return level, conditions


def _request(client: httpx.Client, level: str, parameters: list[tuple[str, str]]) -> httpx.Request:
    import httpx

    from skiagraph.cli import client as http

    query = httpx.QueryParams([(key, value) for key, value in parameters])
    return client.build_request("GET", f"/{level}", params=query, headers={"Accept": http.JSON})


def _matches(client: httpx.Client, level: str, parameters: list[tuple[str, str]]) -> list[dict[str, Any]]:
    import httpx
    import orjson

    from skiagraph.cli import client as http

    try:
        response = client.send(_request(client, level, parameters))
    except httpx.TransportError as error:
        raise http.unreachable(client, error) from error
    if not response.is_success:
        raise http.refusal(response)
    for warning in response.headers.get_list("warning"):
        console.err().print(f"Warning of the server: {warning}", markup=False, soft_wrap=True)
    if not response.content.strip():
        return []
    try:
        matches = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise CommandError("The answer of the server is not JSON. Is --url a Base URI of DICOMweb?") from error
    if not isinstance(matches, list):
        raise CommandError("The answer of the server is not a list of results.")
    return [match for match in matches if isinstance(match, dict)]


def _print_json(client: httpx.Client, level: str, parameters: list[tuple[str, str]]) -> None:
    """Pass the answer through as it arrives: it may be large."""
    import httpx

    from skiagraph.cli import client as http

    out = typer.get_binary_stream("stdout")
    try:
        response = client.send(_request(client, level, parameters), stream=True)
        if not response.is_success:
            raise http.refusal(response)
        empty = True
        for chunk in response.iter_bytes():
            empty = False
            out.write(chunk)
        out.write(b"[]\n" if empty else b"\n")
        out.flush()
        response.close()
    except httpx.TransportError as error:
        raise http.unreachable(client, error) from error


def table(level: str, matches: list[dict[str, Any]]) -> Table:
    """Return the results as a table. UIDs are never cut off: they are there to be copied."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in COLUMNS[level]:
        uid = heading.endswith("UID")
        result.add_column(
            heading, justify="right" if heading in _RIGHT else "left", overflow="fold" if uid else "ellipsis"
        )
    for match in matches:
        result.add_row(*(_cell(match, tag) for _, tag in COLUMNS[level]))
    return result


def _cell(match: dict[str, Any], tag: str) -> Any:
    from rich.text import Text

    attribute = match.get(tag)
    if not isinstance(attribute, dict):
        return Text("")
    return Text("/".join(readable(value, attribute.get("vr", "")) for value in attribute.get("Value", [])))


def readable(value: Any, vr: str) -> str:
    """Return one value of DICOM JSON for people: names with their scripts, dates with dashes, UIDs by name."""
    if isinstance(value, dict):
        groups = [value.get(group) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return " ".join(_clean(str(group).rstrip("^").replace("^", " ")) for group in groups if group)
    text = _clean(str(value)) if value is not None else ""
    if vr == "DA" and len(text) == 8 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if vr == "UI" and text.startswith("1.2.840.10008."):
        from pydicom.uid import UID

        return UID(text).name.removesuffix(" Storage")
    return text


def _clean(text: str) -> str:
    # What a server sends must not steer the terminal.
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)

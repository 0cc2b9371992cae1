"""Writes the parts of the reference that are made from the program: run it with the project's Python.

A page holds ``<!-- generated: NAME -->`` … ``<!-- end -->``; what stands between is replaced by the result of the
function NAME below. A test fails when a page is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

REFERENCE = Path(__file__).parent / "reference"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [" | ".join(heads)]
    lines.append(" | ".join("---" for _ in lines[0].split(" | ")))
    lines += [" | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def settings() -> str:
    from skiagraph.cli.config import toml_value
    from skiagraph.settings import Settings

    def kind(field: FieldInfo) -> str:
        text = re.sub(r"(typing|pathlib|skiagraph\.settings)\.", "", str(field.annotation))
        text = {"<class 'bool'>": "true or false", "<class 'int'>": "integer", "<class 'str'>": "text"}.get(text, text)
        text = {"<class 'Path'>": "path", "str | None": "text", "int | None": "integer"}.get(text, text)
        if text.startswith("Literal["):
            text = " or ".join(f"`{word.strip()}`" for word in text[8:-1].replace("'", '"').split(","))
        text = {"tuple[str, ...]": "list of texts"}.get(text, text)
        bounds = {type(item).__name__: item for item in field.metadata}
        low, high = getattr(bounds.get("Ge"), "ge", None), getattr(bounds.get("Le"), "le", None)
        if low is not None and high is not None:
            return f"{text}, {low:,} to {high:,}"
        return f"{text}, {low:,} or more" if low is not None else text

    def default(field: FieldInfo) -> str:
        if field.default_factory is not None:
            return "see below"
        return "not set" if field.default is None else f"`{toml_value(field.default)}`"

    return "".join(
        f"### {name}\n\n{field.description}\n\nTakes {kind(field)}. Default: {default(field)}."
        f" Environment: `SKIAGRAPH_{name.upper()}`.\n\n".replace("Default: see below. ", "")
        for name, field in Settings.model_fields.items()
    )


def errors() -> str:
    from skiagraph.errors import CODES

    def meaning(cls: type[BaseException]) -> str:
        return "everything else; the text is hidden from clients" if cls is BaseException else str(cls.__doc__)

    return table(
        ("error", "meaning", "HTTP status", "Failure Reason in a store response", "DIMSE status"),
        (
            (
                "any other" if cls is BaseException else f"`{cls.__name__}`",
                meaning(cls),
                codes.http,
                f"0x{codes.store:04X} ({codes.store})",
                f"0x{codes.dimse:04X}",
            )
            for cls, codes in CODES.items()
        ),
    )


def transactions() -> str:
    from skiagraph.app import TRANSACTIONS

    sections: dict[str, list[Any]] = {}
    for row in TRANSACTIONS:
        sections.setdefault(row.section, []).append(row)
    out = []
    for section, rows in sections.items():
        out.append(f"### PS3.18 §{section}\n\n" if section[0].isdigit() else f"### {section}\n\n")
        out.append(
            table(
                ("transaction", "request", "media types", "status codes", "scope"),
                (
                    (
                        row.name,
                        f"`{row.method} {row.template}`",
                        "<br>".join(f"`{kind}`" for kind in row.media_types) or "–",
                        ", ".join(map(str, sorted(row.statuses))),
                        row.scope,
                    )
                    for row in rows
                ),
            )
        )
        out.append("\n")
    return "".join(out)


def syntaxes() -> str:
    from skiagraph.pixels import transcode
    from skiagraph.standard import transfer_syntaxes
    from skiagraph.wire.accept import convertible_natively

    def on_demand(row: Any) -> str:
        if row.uid == transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN:
            return "as it is"
        target = transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN
        return "yes" if target in (*transcode.reachable(row.uid), *convertible_natively(row.uid)) else "–"

    return table(
        ("Transfer Syntax", "UID", "stored and returned as stored", "Explicit VR Little Endian on demand"),
        (
            (
                row.name,
                row.uid,
                "stored, never returned" if row.implicit_vr or row.big_endian else "yes",
                on_demand(row),
            )
            for row in transfer_syntaxes.TRANSFER_SYNTAXES
        ),
    )


def conversions() -> str:
    """Stored × requested, by what the syntaxes can do."""
    from skiagraph.pixels import decode, transcode
    from skiagraph.standard import transfer_syntaxes
    from skiagraph.wire.accept import convertible_natively

    targets = (*transcode.LOSSLESS_TARGETS, "1.2.840.10008.1.2.4.111", *transcode.LOSSY_TARGETS)

    def cell(stored: str, target: str) -> str:
        if stored == target:
            return "="
        if target not in (*transcode.reachable(stored), *convertible_natively(stored)):
            return ""
        return "named" if transcode.is_lossy_conversion(stored, target) else "yes"

    def short(uid: str) -> str:
        return uid.removeprefix("1.2.840.10008.1.2") if uid.startswith("1.2.840.10008.1.2.") else uid

    rows = [row for row in transfer_syntaxes.TRANSFER_SYNTAXES if decode.can_decode(row.uid)]
    return table(
        ("stored", *(f"`{short(uid)}`" for uid in targets)),
        ((f"`{short(row.uid)}` {row.name}", *(cell(row.uid, uid) for uid in targets)) for row in rows),
    )


def videos() -> str:
    """What becomes of each video syntax."""
    from skiagraph.standard import transfer_syntaxes

    def rendered(row: Any) -> str:
        if row.media_type == "video/mp4":
            return "the coded pictures as stored, where a browser plays them; else encoded"
        return "encoded"

    rows = [row for row in transfer_syntaxes.TRANSFER_SYNTAXES if row.video]
    return table(
        ("stored", "UID", "the stream, as stored", "`video/mp4`, rendered", "pictures of frames"),
        ((row.name, row.uid, f"`{row.media_type}`", rendered(row), "yes") for row in rows),
    )


def holds() -> str:
    """What pixels the syntaxes hold."""
    from skiagraph.pixels import encode
    from skiagraph.standard import transfer_syntaxes

    def bits(numbers: Iterable[int]) -> str:
        found = sorted(numbers)
        whole = found == list(range(found[0], found[-1] + 1))
        return f"{found[0]}–{found[-1]}" if whole and len(found) > 2 else ", ".join(map(str, found))

    everything = (
        (transfer_syntaxes.get(uid).name, uid, "any that are whole bytes, or 1", "any", "any", "yes")
        for uid in encode.ENCODERS
        if uid not in encode.HOLDS
    )
    limited = (
        (
            transfer_syntaxes.get(uid).name,
            uid,
            ", ".join(map(str, sorted(row.bits_allocated))),
            bits(row.bits_stored),
            ", ".join(sorted(row.photometric)),
            "greyscale" if row.signed else "no",
        )
        for uid, row in encode.HOLDS.items()
    )
    return table(
        ("Transfer Syntax", "UID", "Bits Allocated", "Bits Stored", "decoded Photometric Interpretation", "signed"),
        sorted((*everything, *limited), key=lambda row: [int(part) for part in row[1].split(".")]),
    )


def keys() -> str:
    from skiagraph.standard import attributes

    levels = (
        ("Study", attributes.STUDY_KEYS),
        ("Series", attributes.SERIES_KEYS),
        ("Instance", attributes.INSTANCE_KEYS),
    )
    meaning = {"U": "always (unique key)", "R": "always", "C": "when known"}
    rows = (
        (level, key.keyword, f"({key.tag[:4]},{key.tag[4:]})", key.vr, meaning[key.type])
        for level, rows in levels
        for key in rows
    )
    return table(("level", "attribute", "tag", "VR", "returned"), rows)


def cli() -> str:
    from typer.main import get_command

    from skiagraph.cli import app

    group: Any = get_command(app)
    out = []
    for name, command in _commands(group):
        if hasattr(command, "commands"):
            out.append(f"## skiagraph {name}\n\n{_paragraphs(command.help)}\n\n")
            continue
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        usage = " ".join(["skiagraph", name, "[OPTIONS]", *(one.metavar or one.name.upper() for one in arguments)])
        heading = "###" if " " in name else "##"
        out.append(f"{heading} skiagraph {name}\n\n{_paragraphs(command.help)}\n\n```text\n{usage}\n```\n\n")
        if arguments:
            out.append(
                table(("argument", "meaning"), ((f"`{one.metavar}`", one.help or "") for one in arguments)) + "\n"
            )
        rows = ((", ".join(f"`{flag}`" for flag in one.opts), _option_help(one)) for one in options)
        out.append(table(("option", "meaning"), rows) + "\n")
    return "".join(out)


def _commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all commands by their whole names, each group before those in it."""
    for name, command in group.commands.items():
        yield above + name, command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{above}{name} ")


def _paragraphs(text: str) -> str:
    return re.sub(r"[ \t]+\n", "\n", text).strip()


def _option_help(option: Any) -> str:
    shown = option.show_default if isinstance(option.show_default, str) else None
    default = shown or (
        option.default if isinstance(option.default, int) and not isinstance(option.default, bool) else None
    )
    text = option.help or ""
    if default is not None and "[default" not in text:
        text += f" Default: {default}."
    if option.envvar:
        text += f" Environment: `{option.envvar}`."
    return re.sub(r" ?\[default: (.*?)\]", r" Default: \1.", text)


def deidentified() -> str:
    """Table E.1-1 of PS3.15, and what is done beyond it."""
    from skiagraph.standard import dictionary
    from skiagraph.standard.confidentiality_profile import ALSO, TABLE

    patterns = [
        ("(gggg,eeee), gggg odd", "Private Attributes", "X", ""),
        ("(50xx,xxxx)", "Curve Data", "X", ""),
        ("(60xx,3000)", "Overlay Data", "X", ""),
        ("(60xx,4000)", "Overlay Comments", "X", ""),
        ("(60xx,xxxx)", "all other attributes of overlays", "", "X"),
    ]

    def name(tag: int) -> str:
        entry = dictionary.find(tag)
        return "" if entry is None else entry.name

    return table(
        ("tag", "attribute", "Basic Profile", "here"),
        (
            *(
                (
                    f"({tag >> 16:04X},{tag & 0xFFFF:04X})",
                    name(tag),
                    TABLE.get(tag, "").replace("*", "\\*"),
                    ALSO.get(tag, ""),
                )
                for tag in sorted({**TABLE, **ALSO})
            ),
            *patterns,
        ),
    )


def step_diagram() -> str:
    """The states of a procedure step, as Mermaid draws them."""
    from skiagraph.standard.procedure_step import State, transitions

    def name(state: State | None) -> str:
        return "[*]" if state is None else state.name

    lines = [f"    {state.name}: {state}" for state in State]
    lines += [f"    {name(before)} --> {name(after)}: {event}" for before, event, after in transitions()]
    lines += [f"    {state.name} --> [*]" for state in State if state.final]
    return "\n".join(("```mermaid", "stateDiagram-v2", *lines, "```"))


def step_table() -> str:
    """PS3.4 Table CC.1.1-2: what follows from each event in each state, over HTTP, with the DIMSE status."""
    from skiagraph.standard.procedure_step import TABLE, Event, Outcome, State

    update = (Event.UPDATE, Event.UPDATE_WITHOUT_LOCK, Event.UPDATE_WRONG_LOCK)
    done = {Event.CREATE: "201", Event.REQUEST_CANCEL: "202"}

    def cell(event: Event, state: State | None) -> str:
        match TABLE[event].of(state):
            case Outcome.DONE:
                return done.get(event, "200")
            case Outcome.DONE_IF_FINAL:
                return "200, or 409 (C304) while something is missing"
            case Outcome.CANCELED_BY_SERVER:
                return "202: the server cancels it"
            case Outcome.PASSED_ON:
                return "202: its subscribers are told; 409 (C312) without any"
            case Outcome.ALREADY_CANCELED | Outcome.ALREADY_COMPLETED as outcome:
                return f"{done.get(event, '200')} with Warning ({outcome.dimse:04X})"
            case Outcome.NO_SUCH_INSTANCE as outcome:
                return f"404, 410 ({outcome.dimse:04X})"
            case outcome:
                wrong = outcome is Outcome.WRONG_LOCK or (outcome is Outcome.NO_LONGER_UPDATABLE and event in update)
                return f"{400 if wrong else 409} ({outcome.dimse:04X})"

    return table(
        ("request", "no such step", *State), ((event, *(cell(event, one) for one in (None, *State))) for event in Event)
    )


def step_attributes() -> str:
    """PS3.4 Table CC.2.5-3, without the macros."""
    from skiagraph.standard.workitem import requirements

    return table(
        ("attribute", "tag", "N-CREATE", "N-SET", "final state", "match key", "returned"),
        (
            (
                "> " * (len(row.path) - 1) + row.keyword,
                f"({row.path[-1][:4]},{row.path[-1][4:]})",
                row.create,
                row.set,
                row.final,
                row.match,
                row.returned,
            )
            for row in requirements()
            if row.final  # rows of macros have none
        ),
    )


MAKERS = {
    maker.__name__: maker
    for maker in (
        settings,
        errors,
        transactions,
        syntaxes,
        conversions,
        videos,
        holds,
        keys,
        cli,
        deidentified,
        step_diagram,
        step_table,
        step_attributes,
    )
}


def generate(page: str) -> str:
    """Return the page with its generated parts made anew."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{MAKERS[match[2]]().rstrip()}\n\n{match[3]}"

    return _BLOCK.sub(block, page)


def main() -> None:
    for path in sorted(REFERENCE.glob("*.md")):
        before = path.read_text("utf-8")
        after = generate(before)
        if before != after:
            path.write_text(after, "utf-8")
            sys.stdout.write(f"{path.name} written\n")


if __name__ == "__main__":
    main()

"""An SR document as plain text: one line per item, indented by its depth — PS3.18 Table 8.7.4-1, category Text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from skiagraph.standard import structured_report
from skiagraph.standard.report_table import Table
from skiagraph.standard.structured_report import CONTAINER, Item, Reference, Report
from skiagraph.values import Attributes
from skiagraph.wire import report_phrases

CONTENT_TYPE = "text/plain; charset=utf-8"

_BAR = " | "
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def to_text(attributes: Attributes, report: Report) -> bytes:
    """Write an SR document as text in UTF-8, lines ended by LF."""
    title = report_phrases.title(report)
    lines = [title, "=" * min(len(title), 72)]
    flags = report_phrases.flags(report)
    if flags:
        lines.append(", ".join(flags))
    lines += (f"{label}: {value}" for label, value in report_phrases.facts(attributes, report))
    lines.append("")
    waiting: list[tuple[report_phrases.Run, int]] = [(run, 0) for run in reversed(report_phrases.runs(report.content))]
    while waiting:
        run, depth = waiting.pop()
        if isinstance(run, tuple):
            lines.append(_indented(sentence(run, report), depth))
            continue
        if run.value_type == CONTAINER and depth == 0 and lines[-1]:
            lines.append("")
        lines.append(_indented(_line(run, report), depth))
        if isinstance(run.value, Table):
            lines += (_indented(row, depth + 1) for row in _rows(run.value, report))
        waiting += ((child, depth + 1) for child in reversed(report_phrases.runs(run)))
    text = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    return (_CONTROLS.sub("\ufffd", text) + "\n").encode()


def _line(item: Item, report: Report) -> str:
    relation = report_phrases.relation(item)
    before = f"[{relation}] " if relation else ""
    if item.target:
        target = structured_report.find(report.content, item.target)
        return before + ("see " + report_phrases.label(target) if target else "see an item that is not there")
    observed = f" [{report_phrases.date_time(item.observed)}]" if item.observed else ""
    value = report_phrases.value(item)
    if isinstance(item.value, Reference):
        value += f" ({item.value.sop_instance_uid})"
    return f"{before}{report_phrases.label(item)}{f': {value}' if value else ''}{observed}"


def _rows(table: Table, report: Report) -> Iterator[str]:
    """A table as lines, cells with a bar between them."""
    columns, named = report_phrases.shown_columns(table), report_phrases.has_row_headings(table)
    if report_phrases.has_column_headings(table):
        names = [report_phrases.heading(table.column_headings.get(column)) for column in columns]
        yield _BAR.join([""] * named + names)
    for row in report_phrases.shown_rows(table):
        cells = [_joined(report_phrases.cell(table, row, column, report)) for column in columns]
        yield _BAR.join(([report_phrases.heading(table.row_headings.get(row))] if named else []) + cells)


def _joined(text: str) -> str:
    """Text that must not be broken."""
    return " ".join(text.split())


def sentence(items: tuple[Item, ...], report: Report) -> str:
    """Items that are read as prose, what is below each of them in brackets behind it."""
    pieces: list[str] = []
    depth = 0
    for found in report_phrases.prose(items):
        if found == "(":
            depth += 1
            pieces.append("(")
        elif found == ")":
            depth -= 1
            pieces[-1] += ")"
        else:
            text = _line(found, report) if depth else report_phrases.value(found)
            if pieces and pieces[-1] == "(":
                pieces[-1] += text
                continue
            if depth:
                pieces[-1] += ";"
            pieces.append(text)
    return " ".join(pieces)


def _indented(text: str, depth: int) -> str:
    blanks = "  " * min(depth, report_phrases.DEEPEST)
    return blanks + re.sub(r"\r\n?|\n", "\n" + blanks + "  ", text)

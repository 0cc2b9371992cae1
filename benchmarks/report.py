"""The tables: on the terminal with rich, and as Markdown for docs/reference/performance.md."""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .figures import Aim, Figure, Ratio, ratio


@dataclass(frozen=True)
class Row:
    """One measure: our figure, another's, and what their ratio should be. Either may be missing, with the reason."""

    title: str
    ours: Figure | None
    other: Figure | None = None
    against: str = "Orthanc"
    aim: Aim | None = None
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> Ratio | None:
        """How many times better ours is; for an aim of "at most", how many times more ours costs."""
        if self.ours is None or self.other is None:
            return None
        if self.aim is not None and self.aim.at_most:
            return ratio(self.other, self.ours, more_is_better=self.more_is_better)
        return ratio(self.ours, self.other, more_is_better=self.more_is_better)

    @property
    def verdict(self) -> str:
        """pass, miss, or nothing where there is no aim or no ratio."""
        found = self.ratio
        if self.aim is None or found is None:
            return ""
        return "pass" if self.aim.met(found.value) else "miss"

    def cells(self) -> tuple[str, ...]:
        found = self.ratio
        return (
            self.title,
            show(self.ours),
            self.against if self.other is not None else "–",
            show(self.other),
            f"{number(found.value)}× ({number(found.least)}–{number(found.greatest)})" if found else "–",
            str(self.aim) if self.aim else "",
            self.verdict,
        )


COLUMNS = ("Measure", "skiagraph", "against", "its figure", "ratio (single rounds)", "aim", "")


@dataclass
class Report:
    """What one run found."""

    rows: list[Row] = field(default_factory=list)
    memory: list[tuple[str, ...]] = field(default_factory=list)  # phase, then a cell for each of memory_columns
    memory_columns: tuple[str, ...] = ()
    subparts: list[tuple[str, str]] = field(default_factory=list)  # title, text
    remarks: list[str] = field(default_factory=list)
    setup: list[tuple[str, str]] = field(default_factory=list)  # machine, versions, method


def number(value: float) -> str:
    """Three significant figures, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def show(figure: Figure | None) -> str:
    """The median, and the tenth and ninetieth percentiles."""
    if figure is None:
        return "–"
    return f"{number(figure.median)} {figure.unit} ({number(figure.low)}–{number(figure.high)})"


def mebibytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 2**20:,.0f} MiB"


def machine(folder: Path) -> list[tuple[str, str]]:
    """What the figures depend on: processor, memory, disk, kernel, Python."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    kilobytes = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return [
        ("Processor", f"{cpu}, {os.cpu_count()} logical"),
        ("Memory", f"{kilobytes / 2**20:.0f} GiB"),
        ("Disk", f"{_file_system(folder)}; write and fsync of 530 KB: {flush_milliseconds(folder):.2f} ms (median)"),
        ("System", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
    ]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _file_system(folder: Path) -> str:
    found = ("?", -1)
    for line in _lines("/proc/mounts"):
        _, point, kind, *_ = line.split()
        if folder.is_relative_to(point) and len(point) > found[1]:
            found = (kind, len(point))
    free = shutil.disk_usage(folder).free
    return f"{found[0]}, {free >> 30} GiB free"


def flush_milliseconds(folder: Path) -> float:
    """What it costs here to write 530 KB durably."""
    data, times = os.urandom(530_000), []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for place in range(12):
            start = time.perf_counter()
            with (Path(scratch) / str(place)).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def commit() -> str:
    """The checked-out commit, or nothing outside a clone."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%h of %cs"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def print_report(report: Report, console: Console) -> None:
    if report.rows:
        table = Table(*COLUMNS, title="Medians (10th–90th percentile); a ratio above 1 is in favour of skiagraph")
        for row in report.rows:
            style = {"miss": "red", "pass": "green"}.get(row.verdict, "")
            table.add_row(*row.cells(), style=style)
            if row.note:
                table.add_row(f"  {row.note}", style="dim")
        console.print(table)
    if report.memory:
        table = Table("Memory at peak", *report.memory_columns, title="Sum over the processes of each server")
        for cells in report.memory:
            table.add_row(*cells)
        console.print(table)
    for title, text in report.subparts:
        console.rule(title)
        console.print(text, markup=False, highlight=False)
    for remark in report.remarks:
        console.print(f"• {remark}", markup=False, highlight=False)
    met = [row for row in report.rows if row.verdict]
    if met:
        console.print(f"Aims met: {sum(row.verdict == 'pass' for row in met)} of {len(met)}.")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [*lines, ""]


_PROFILE = Path(__file__).with_name("what_the_profile_shows.md")
"""What people found out, and figures can not tell."""


def markdown(report: Report) -> str:
    """docs/reference/performance.md."""
    lines = [
        "# Performance",
        "",
        "<!-- Written by `python -m benchmarks --write`; edits are lost. -->",
        "",
        "skiagraph beside other servers: same data, same client, one run, on one machine. `make bench` repeats it and",
        "`python -m benchmarks --write` writes this page. Figures of different runs or machines do not compare;",
        "the ratios inside one run do. A part that was measured in a run of its own says so.",
        "",
    ]
    if report.rows:
        lines += ["## Results", ""]
        lines += [
            "Median (10th–90th percentile). The ratio says how many times better skiagraph is, from the medians, and"
        ]
        lines += ["in brackets the least and greatest of single rounds; for an aim with ≤ it says how many times more"]
        lines += ["skiagraph needs.", ""]
        lines += _table((*COLUMNS[:-1], "verdict"), (row.cells() for row in report.rows))
        lines += [f"- {row.title}: {row.note}" for row in report.rows if row.note]
        lines += [""] if any(row.note for row in report.rows) else []
    if report.memory:
        lines += ["## Memory at peak", ""]
        lines += [
            "The kernel's high-water mark of resident memory, summed over the processes of each server, in each phase;"
        ]
        lines += [
            "pages that workers share count once for each. PSS counts them once; it is taken at the end of the phase.",
            "",
        ]
        lines += _table(("Phase", *report.memory_columns), report.memory)
    for title, text in report.subparts:
        lines += _subpart(title, text)
    lines += [_PROFILE.read_text("utf-8")]
    if report.remarks:
        lines += ["## Remarks", "", *(f"- {remark}" for remark in report.remarks), ""]
    lines += ["## Machine and method", "", *_table(("What", "How"), report.setup)]
    return "\n".join(lines)


def _subpart(title: str, text: str) -> list[str]:
    return [f"## {title}", "", "```text", text.rstrip(), "```", ""]


def renewed(page: str, report: Report) -> str:
    """Return a page with the parts that a run measured in place of the old ones; all others stay."""
    top, *sections = re.split(r"(?m)^(?=## )", page)
    profile = _PROFILE.read_text("utf-8")
    told = f"In a run of its own, of commit {commit() or '?'}; load average at its end {os.getloadavg()[0]:.1f}."
    new = {
        f"## {title}": "\n".join(_subpart(title, f"{text.rstrip()}\n\n{told}")) + "\n"
        for title, text in report.subparts
    }
    known = [section.splitlines()[0] for section in sections]
    found = [top]
    for name, section in zip(known, sections, strict=True):
        if name == profile.splitlines()[0]:
            found += [text for title, text in new.items() if title not in known]
            section = profile + "\n"
        found.append(new.get(name, section))
    return "".join(found)

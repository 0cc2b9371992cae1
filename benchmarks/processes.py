"""Memory and processor time of a server's process tree, read from /proc (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Bytes, summed over the processes of a tree; None where the kernel does not tell."""

    resident: int  # RSS: shared pages counted in every process that maps them
    proportional: int | None  # PSS: shared pages divided among those that map them
    peak: int  # the highest RSS of each process since `reset_peak`


def tree(pid: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def _kilobytes(path: Path, *names: str) -> list[int | None]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return [None] * len(names)
    fields = {line.partition(":")[0]: line.split() for line in lines}
    return [int(fields[name][1]) * 1024 if name in fields else None for name in names]


def memory(pid: int) -> Memory:
    """Memory of the tree now."""
    resident = peak = proportional = 0
    shared_known = True
    for process in tree(pid):
        proc = Path(f"/proc/{process}")
        rss, high = _kilobytes(proc / "status", "VmRSS", "VmHWM")
        (pss,) = _kilobytes(proc / "smaps_rollup", "Pss")
        resident += rss or 0
        peak += high or 0
        shared_known = shared_known and pss is not None
        proportional += pss or 0
    return Memory(resident, proportional if shared_known else None, peak)


def reset_peak(pid: int) -> None:
    """Let the kernel's high-water marks of the tree start again from now (no sampling, so no moment is missed)."""
    for process in tree(pid):
        try:
            Path(f"/proc/{process}/clear_refs").write_text("5")
        except OSError:
            pass  # not ours, or ended


def cpu_seconds(pid: int) -> float:
    """Processor time, user and system, that the tree has used."""
    ticks = 0
    for process in tree(pid):
        try:
            after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in after_name[11:15])
    return ticks / TICK

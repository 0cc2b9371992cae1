"""``python -m benchmarks`` (``make bench``): measure skiagraph beside Orthanc and nginx and print the tables."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from . import report as reports
from .run import GROUPS, NEED_SERVERS, Options, Run

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "performance.md"


def options(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Options]:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="GROUP,…", help=f"run only these: {', '.join(GROUPS)}")
    parser.add_argument(
        "--rounds", type=int, help="rounds of each measure, servers taking turns [default: 7; quick: 2]"
    )
    parser.add_argument("--quick", action="store_true", help="small and rough, in less than a minute")
    parser.add_argument("--workers", type=int, default=None, help="processes of skiagraph, nginx and the floor")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[2])}")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made: the disk that is measured")
    given = parser.parse_args(arguments)
    groups = tuple(given.only.split(",")) if given.only else GROUPS
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"--only takes {', '.join(GROUPS)}; not {', '.join(sorted(unknown))}")
    if given.rounds is not None and given.rounds < 1:
        parser.error("--rounds takes a number from 1")
    return given, Options.of(groups, quick=given.quick, rounds=given.rounds, workers=given.workers)


def main() -> int:
    """Run; 0 also where an aim is missed: this measures, it does not judge."""
    given, chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped then, too
    console = Console(width=None if sys.stdout.isatty() else 150)
    with tempfile.TemporaryDirectory(prefix="skiagraph-benchmarks-", dir=given.folder) as folder:
        report = Run(chosen, Path(folder), console).measure()
    reports.print_report(report, console)
    if given.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        some = NEED_SERVERS.isdisjoint(chosen.groups) and PAGE.exists()
        PAGE.write_text(reports.renewed(PAGE.read_text("utf-8"), report) if some else reports.markdown(report))
        console.print(f"Written: {PAGE}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

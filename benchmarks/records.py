"""How searches for Workitems, creates and claims grow with the number of Workitems: ``python -m benchmarks.records``.

Medians of whole searches for a page of 50, with how many there are behind it. The index is filled directly, without
flushes: no server, no HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from skiagraph.index.base import Books, Record, RecordSearch
from skiagraph.index.sql import SqlIndex
from skiagraph.standard import workitem
from skiagraph.standard.workitem import WORKITEM
from skiagraph.values import Attributes
from skiagraph.wire import record_query

GROUP = 500
"""Workitems that are created in one transaction."""

LONGEST = 3000
"""Milliseconds after which a search is not repeated."""

SEARCHES = {
    "no condition": "",
    "state": "ProcedureStepState=SCHEDULED",
    "rare state": "ProcedureStepState=IN%20PROGRESS",
    "two states": "ProcedureStepState=SCHEDULED,IN%20PROGRESS",
    "state and label": "ProcedureStepState=SCHEDULED&WorklistLabel=Label%203",
    "station code": "ScheduledStationNameCodeSequence.CodeValue=ST7",
    "station code with its scheme": "ScheduledStationNameCodeSequence.CodeValue=ST7"
    "&ScheduledStationNameCodeSequence.CodingSchemeDesignator=99X",
    "workitem code and state": "ScheduledWorkitemCodeSequence.CodeValue=W3&ProcedureStepState=SCHEDULED",
    "state, label and station code": "ProcedureStepState=SCHEDULED&WorklistLabel=Label%203"
    "&ScheduledStationNameCodeSequence.CodeValue=ST7",
    "a day and state": "ScheduledProcedureStepStartDateTime=20240115&ProcedureStepState=SCHEDULED",
    "from a day on": "ScheduledProcedureStepStartDateTime=20240115-",
    "Patient ID": "PatientID=P77",
    "Patient ID with wildcard": "PatientID=P7?",
    "name with wildcard": "PatientName=DOE7%5E*",
    "name with wildcards": "PatientName=*oe77%5E*",
    "from a day on, and state": "ScheduledProcedureStepStartDateTime=20240115-&ProcedureStepState=SCHEDULED",
    "what is no key": "CommentsOnTheScheduledProcedureStep=x",
    "UID": "SOPInstanceUID=1.2.826.0.1.77",
    "Accession Number": "ReferencedRequestSequence.AccessionNumber=A77",
}


def attributes(number: int, dice: random.Random) -> Attributes:
    """Make a Workitem; 30 in 100 are SCHEDULED, one in 1,000 is IN PROGRESS."""

    def code(value: str) -> Attributes:
        return {
            "00080100": {"vr": "SH", "Value": [value]},
            "00080102": {"vr": "SH", "Value": ["99X"]},
            "00080104": {"vr": "LO", "Value": [f"Meaning of {value}"]},
        }

    chance = dice.random()
    state = "SCHEDULED" if chance < 0.3 else "IN PROGRESS" if chance < 0.301 else "COMPLETED"
    start = f"202401{dice.randrange(1, 31):02}{dice.randrange(24):02}{dice.randrange(60):02}00"
    patient = dice.randrange(number // 10 + 1) if number > 100 else number
    found: Attributes = {
        "00080016": {"vr": "UI", "Value": [workitem.SOP_CLASS]},
        "00080018": {"vr": "UI", "Value": [f"1.2.826.0.1.{number}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Doe{patient}^Jane"}]},
        "00100020": {"vr": "LO", "Value": [f"P{patient}"]},
        "00100021": {"vr": "LO", "Value": ["HOSPITAL"]},
        "00100030": {"vr": "DA", "Value": ["19700101"]},
        "00100040": {"vr": "CS", "Value": ["F"]},
        "0020000D": {"vr": "UI", "Value": [f"1.2.826.0.2.{number}"]},
        "00404005": {"vr": "DT", "Value": [start]},
        "00404018": {"vr": "SQ", "Value": [code(f"W{dice.randrange(10)}")]},
        "00404021": {"vr": "SQ"},
        "00404025": {"vr": "SQ", "Value": [code(f"ST{dice.randrange(50)}")]},
        "00404041": {"vr": "CS", "Value": [dice.choice(["READY", "READY", "INCOMPLETE"])]},
        "0040A370": {
            "vr": "SQ",
            "Value": [{"00080050": {"vr": "SH", "Value": [f"A{number}"]}, "0020000D": {"vr": "UI"}}],
        },
        "00741000": {"vr": "CS", "Value": [state]},
        "00741200": {"vr": "CS", "Value": [dice.choice(["HIGH", "MEDIUM", "LOW"])]},
        "00741202": {"vr": "LO", "Value": [f"Label {dice.randrange(10)}"]},
        "00741204": {"vr": "LO", "Value": [f"Procedure {dice.randrange(200)}"]},
    }
    return found


def fill(index: SqlIndex, number: int) -> float:
    """Create Workitems; return microseconds for each, of the last fifth."""
    dice = random.Random(1)

    def group(start: int) -> Iterator[Record]:
        for one in range(start, start + GROUP):
            yield Record(WORKITEM, f"1.2.826.0.1.{one}", attributes(one, dice))

    took = []
    for start in range(0, number, GROUP):
        records = list(group(start))
        begun = time.perf_counter()
        results = index.together([lambda books, record=record: books.put(record) for record in records])  # type: ignore[misc]
        took.append((time.perf_counter() - begun) / GROUP * 1e6)
        for result in results:
            if isinstance(result, Exception):
                raise result
    return statistics.median(took[-max(1, len(took) // 5) :])


def ask(index: SqlIndex, query: str, repeat: int) -> tuple[float, int | None]:
    """Return the median of a search in milliseconds, and how many match."""
    asked = record_query.parse(query)

    async def once() -> int | None:
        found = await index.find(RecordSearch(WORKITEM, asked.conditions, 50))
        async for _ in found.records:
            pass
        return found.total

    took: list[float] = []
    total = None
    while len(took) < repeat and sum(took) < LONGEST:
        begun = time.perf_counter()
        total = asyncio.run(once())
        took.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(took), total


def claim(index: SqlIndex, number: int, repeat: int) -> float:
    """Change the state of Workitems, each in a transaction of its own; return microseconds for each."""
    dice = random.Random(2)
    took = []
    for _ in range(repeat):
        uid = f"1.2.826.0.1.{dice.randrange(number)}"

        def work(books: Books, uid: str = uid) -> None:
            record = books.get(WORKITEM, uid)
            if record is None:
                raise LookupError(uid)
            state = {"vr": "CS", "Value": ["IN PROGRESS"]}
            books.put(replace(record, attributes=record.attributes | {"00741000": state}))

        begun = time.perf_counter()
        (result,) = index.together([work])
        took.append((time.perf_counter() - begun) * 1e6)
        if isinstance(result, Exception):
            raise result
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__)
    parser.add_argument("--numbers", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 Workitems")
    parser.add_argument("--folder", type=Path, help="kept, and used again; without, a temporary one")
    parser.add_argument("--repeat", type=int, default=21)
    options = parser.parse_args()
    numbers: list[int] = [1000, 10_000] if options.quick else options.numbers
    with tempfile.TemporaryDirectory(prefix="skiagraph-records-") as temporary:
        columns = [column(options.folder or Path(temporary), number, options.repeat) for number in numbers]
    last = f"{numbers[-1]:,}"
    print(
        f"{'median':34}"
        + "".join(f"{number:>12,}" for number in numbers)
        + f"{'last/first':>12}{f'matches of {last}':>24}"
    )
    for name in columns[0]:
        values = [one[name][0] for one in columns]
        total = columns[-1][name][1]
        ratio = f"{values[-1] / values[0]:.2f}" if all(values) else "-"
        cells = "".join(f"{value:12.2f}" if value else f"{'-':>12}" for value in values)
        print(f"{name:34}{cells}{ratio:>12}{'' if total is None else f'{total:,}':>24}".rstrip())


def column(folder: Path, number: int, repeat: int) -> dict[str, tuple[float, int | None]]:
    """Measure one size: what each costs, and how many match."""
    path = folder / f"{number}.sqlite"
    new = not path.exists()
    index = SqlIndex.open(path, durable=False)
    filled = fill(index, number) if new else 0.0
    found = {f"{name}, ms": ask(index, query, repeat) for name, query in SEARCHES.items()}
    found[f"create in groups of {GROUP}, µs"] = (filled, None)
    found["claim, µs"] = (claim(index, number, 200), None)
    index.close()
    return found


if __name__ == "__main__":
    main()

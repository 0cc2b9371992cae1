"""``python -m benchmarks.growth``: what reads cost as the index grows. Fills an index directly; no server, no files.

The archive is made of CTs of 250 elements, 100 to a series, 2 series to a study, 2 studies to a patient and to a
day; UIDs in no order. One instance in 1,000 is a compressed multi-frame of 50,000 frames.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from statistics import median

from skiagraph.index.base import NewInstance
from skiagraph.index.sql import SqlIndex
from skiagraph.standard.matching import AnyOf, PersonName, Range, Search, Single
from skiagraph.testing.headers import JPEG_BASELINE, ct_attributes, data_set, element, header, name, new_instance
from skiagraph.values import Level, ResourcePath

IN_SERIES, IN_STUDY = 100, 200
FRAMES = 50_000
BATCH = 500
ROUNDS = 200
FIRST_DAY = datetime.date(2015, 1, 1)

_SPANS = [(4096 + 20_000 * i, 19_000) for i in range(FRAMES)]
_ATTRIBUTES = ct_attributes(250)


def uid(kind: str, number: int) -> str:
    """Return a UID of usual length that has nothing to do with the order of arrival."""
    digest = blake2b(f"{kind}{number}".encode(), digest_size=14).digest()
    return f"1.2.826.0.1.3680043.8.{int.from_bytes(digest, 'big')}"


def path(number: int) -> ResourcePath:
    """Return the path of an instance."""
    return ResourcePath(uid("study", number // IN_STUDY), uid("series", number // IN_SERIES), uid("instance", number))


def day(study: int) -> str:
    """Return the Study Date: two studies each day."""
    return (FIRST_DAY + datetime.timedelta(days=study // 2)).strftime("%Y%m%d")


def instance(number: int) -> NewInstance:
    """Return the header of an instance."""
    study, where = number // IN_STUDY, path(number)
    attributes = _ATTRIBUTES | {
        "00080020": element("DA", day(study)),
        "00080050": element("SH", f"A{study}"),
        "00100010": element("PN", name(f"Family{study // 2}^Given{study // 2 % 97}")),
        "00100020": element("LO", f"P{study // 2}"),
        "00200011": element("IS", number // IN_SERIES % 2 + 1),
        "00200013": element("IS", number % IN_SERIES + 1),
        "00200032": element("DS", -150.5, -150.5, float(number % IN_SERIES)),
        "00189005": element("SH", f"{number}"),
    }
    whole = data_set(
        where.study_instance_uid, where.series_instance_uid or "", where.sop_instance_uid or "", attributes
    )
    key, content = f"{number:012x}", b"%d" % number
    if number % 1000 == 999:
        return new_instance(header(whole, transfer_syntax_uid=JPEG_BASELINE, spans=_SPANS), key=key, content=content)
    return new_instance(header(whole), key=key, content=content)


def fill(index: SqlIndex, start: int, end: int) -> float:
    """Add instances; return microseconds of the index (prepare and add) for each."""
    spent = 0.0
    for first in range(start, end, BATCH):
        new = [instance(number) for number in range(first, min(end, first + BATCH))]
        began = time.perf_counter()
        index.add([index.prepare(one) for one in new], "reject")
        spent += time.perf_counter() - began
    return spent / max(1, end - start) * 1e6


Ask = Callable[[SqlIndex, random.Random, int], Awaitable[int]]


async def _found(index: SqlIndex, search: Search) -> int:
    found = await index.search(search)
    return sum([len(chunk) async for chunk in found.matches])


def questions() -> Iterator[tuple[str, Ask]]:
    """Yield what is measured; each returns how much it got."""

    async def studies(index: SqlIndex, _: random.Random, size: int) -> int:
        return await _found(index, Search(Level.STUDY, limit=5))

    async def by_patient(index: SqlIndex, chance: random.Random, size: int) -> int:
        patient = chance.randrange(size) // IN_STUDY // 2
        return await _found(
            index, Search(Level.STUDY, conditions=(Single(("00100020",), "LO", f"P{patient}"),), limit=5)
        )

    async def by_name(index: SqlIndex, chance: random.Random, size: int) -> int:
        patient = chance.randrange(size) // IN_STUDY // 2
        return await _found(
            index, Search(Level.STUDY, conditions=(PersonName(("00100010",), f"family{patient}^*"),), limit=5)
        )

    async def by_date(index: SqlIndex, chance: random.Random, size: int) -> int:
        date = day(chance.randrange(size) // IN_STUDY)
        return await _found(index, Search(Level.STUDY, conditions=(Range(("00080020",), "DA", date, date),), limit=5))

    async def by_modality(index: SqlIndex, chance: random.Random, size: int) -> int:
        either = AnyOf((Single(("00080061",), "CS", "CT"), Single(("00080061",), "CS", "MR")))
        return await _found(index, Search(Level.STUDY, conditions=(either,), limit=5))

    async def series(index: SqlIndex, chance: random.Random, size: int) -> int:
        return await _found(index, Search(Level.SERIES, path(chance.randrange(size)).study_instance_uid))

    async def instances(index: SqlIndex, chance: random.Random, size: int) -> int:
        where = path(chance.randrange(size))
        return await _found(index, Search(Level.INSTANCE, where.study_instance_uid, where.series_instance_uid))

    async def locate(index: SqlIndex, chance: random.Random, size: int) -> int:
        return (await index.locate(path(chance.randrange(size)))).id

    async def document(index: SqlIndex, chance: random.Random, size: int) -> int:
        documents = await index.documents(path(chance.randrange(size)))
        return sum([len(chunk) async for chunk in documents])

    async def documents(index: SqlIndex, chance: random.Random, size: int) -> int:
        where = path(chance.randrange(size))
        found = await index.documents(ResourcePath(where.study_instance_uid, where.series_instance_uid))
        return sum([len(chunk) async for chunk in found])

    async def version(index: SqlIndex, chance: random.Random, size: int) -> int:
        where = path(chance.randrange(size))
        return len(await index.version(ResourcePath(where.study_instance_uid, where.series_instance_uid)))

    def frame(number: int) -> Ask:
        async def ask(index: SqlIndex, chance: random.Random, size: int) -> int:
            stored = await index.locate(path(chance.randrange(size // 1000) * 1000 + 999))
            return (await index.frame_spans(stored, [number]))[0].offset

        return ask

    async def add(index: SqlIndex, chance: random.Random, size: int) -> int:
        new = index.prepare(instance(size))
        began = time.perf_counter()
        index.add([new], "reject")
        spent = time.perf_counter() - began
        index.delete(new.path)
        return -int(spent * 1e9)  # negative: the time itself

    yield "search studies, limit 5", studies
    yield "search studies by Patient ID", by_patient
    yield "search studies by Patient's Name and wildcard", by_name
    yield "search studies by Study Date, limit 5", by_date
    yield "search studies by modalities, limit 5", by_modality
    yield "search series of a study", series
    yield "search the 100 instances of a series", instances
    yield "locate an instance", locate
    yield "version of a series (ETag)", version
    yield "metadata document of an instance", document
    yield "metadata documents of a series of 100", documents
    yield "locate, then span of frame 1", frame(1)
    yield f"locate, then span of frame {FRAMES:,}", frame(FRAMES)
    yield "add one instance", add


async def measure(index: SqlIndex, size: int) -> dict[str, float]:
    """Return the median of each question, in microseconds."""
    figures = {}
    for what, ask in questions():
        chance = random.Random(size)
        await ask(index, chance, size)
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            got = await ask(index, chance, size)
            times.append((time.perf_counter() - began) if got >= 0 else -got / 1e9)
        figures[what] = median(times) * 1e6
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--sizes", default="1000,100000,1000000", help="numbers of instances, ascending")
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 instances")
    parser.add_argument("--folder", type=Path, help="where the index is made")
    given = parser.parse_args()
    sizes = [1000, 10_000] if given.quick else [int(size) for size in given.sizes.split(",")]
    columns: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="skiagraph-growth-", dir=given.folder) as folder:
        file = Path(folder) / "index.sqlite"
        index = SqlIndex.open(file, durable=True)
        filled = 0
        for size in sizes:
            cost = fill(index, filled, size)
            filled = size
            columns.append(asyncio.run(measure(index, size)))
            columns[-1][f"fill, each instance in batches of {BATCH}"] = cost
            columns[-1]["bytes of the index for each instance"] = file.stat().st_size / size
        index.close()
    print(f"{'median, microseconds':48}" + "".join(f"{size:>12,}" for size in sizes) + f"{'last/first':>12}")
    for what in columns[0]:
        values = [column[what] for column in columns]
        print(f"{what:48}" + "".join(f"{value:12,.0f}" for value in values) + f"{values[-1] / values[0]:12.2f}")


if __name__ == "__main__":
    main()

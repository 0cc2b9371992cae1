"""The measures of pictures and conversions: rendered, thumbnails, transcoded frames, tiles, a seek, a long object.

*First* means that each resource is asked for once, so that no server can have kept the answer; *again* that the same
one is asked for over and over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import data, images, processes, reads
from .client import Answer, Connection, request_bytes
from .data import Key, LargeInstance, Template
from .figures import Aim, Figure
from .http2 import Connection2
from .reads import DICOM, Read, instance_path
from .report import Row, mebibytes
from .servers import Server

if TYPE_CHECKING:
    from .run import Job, Options, Run

GROUPS = ("rendered", "transcoded", "tiles", "video", "long")

JPEG = "image/jpeg"
NATIVE = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
AS_JPEG_LS = f'multipart/related; type="image/jls"; transfer-syntax={images.JPEG_LS}'
AS_HTJ2K = f'multipart/related; type="image/jphc"; transfer-syntax={images.HTJ2K}'
TILE = 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50'
FIRST_AIM, AGAIN_AIM = Aim(2), Aim(6)

METHOD = (
    "the same CT, native, JPEG 2000 and JPEG-LS; a radiograph of 2,500 × 3,000 × 12 bit (15 MB); a slide of 4,096"
    " tiles in JPEG, 256 × 256; an MP4; a multi-frame of 512 × 512 × 12 bit. First: each Instance is asked for once,"
    " after one request that is not counted; again: the same one each time. A thumbnail is compared with a rendering"
    " in 256 × 256"
)

TILES = 64
SEEK = 2**20
"""Bytes that a player asks for where it is put."""


@dataclass(frozen=True)
class Measure:
    """One row: the same from both archives, or (`theirs`) what comes nearest to it."""

    title: str
    kept: str
    """Which of the Instances that were stored for the group; `path` is below each of them."""
    path: str
    accept: str
    kind: Callable[[Answer], reads.Kind]
    aim: Aim | None = None
    once: bool = False
    theirs: str | None = None
    alone: bool = False
    """Orthanc has nothing like it."""


RENDERED = (
    Measure("Rendered CT, first", "ct", "/rendered", JPEG, reads.picture_kind, FIRST_AIM, once=True),
    Measure("Rendered CT, again", "ct", "/rendered", JPEG, reads.picture_kind, AGAIN_AIM),
    Measure(
        "Rendered CT, window of its own, first", "ct", "/rendered?window={window},400,linear", JPEG,
        reads.picture_kind, FIRST_AIM, once=True,
    ),
    Measure("Rendered radiograph, first", "dx", "/rendered", JPEG, reads.picture_kind, FIRST_AIM, once=True),
    Measure("Rendered radiograph, again", "dx", "/rendered", JPEG, reads.picture_kind, AGAIN_AIM),
    Measure(
        "Rendered radiograph in 1024 × 1024, first", "dx", "/rendered?viewport=1024,1024", JPEG, reads.picture_kind,
        FIRST_AIM, once=True,
    ),
    Measure(
        "Thumbnail of a CT, first", "ct", "/thumbnail", JPEG, reads.picture_kind, FIRST_AIM, once=True,
        theirs="/rendered?viewport=256,256",
    ),
    Measure(
        "Thumbnail of a CT, again", "ct", "/thumbnail", JPEG, reads.picture_kind, AGAIN_AIM,
        theirs="/rendered?viewport=256,256",
    ),
    Measure(
        "Thumbnail of a radiograph, first", "dx", "/thumbnail", JPEG, reads.picture_kind, FIRST_AIM, once=True,
        theirs="/rendered?viewport=256,256",
    ),
)  # fmt: skip
TRANSCODED = (
    Measure("Frame JPEG 2000 → native, first", "j2k", "/frames/1", NATIVE, reads.parts_kind, once=True),
    Measure("Frame JPEG 2000 → native, again", "j2k", "/frames/1", NATIVE, reads.parts_kind),
    Measure("Frame native → HTJ2K, first", "ct", "/frames/1", AS_HTJ2K, reads.parts_kind, once=True, alone=True),
    Measure("Frame native → HTJ2K, again", "ct", "/frames/1", AS_HTJ2K, reads.parts_kind, alone=True),
    Measure("Frame JPEG-LS → native, first", "jls", "/frames/1", NATIVE, reads.parts_kind, once=True),
    Measure("Frame JPEG-LS → native, again", "jls", "/frames/1", NATIVE, reads.parts_kind),
    Measure("Frame native → JPEG-LS, first", "ct", "/frames/1", AS_JPEG_LS, reads.coded_kind, once=True),
    Measure("Frame native → JPEG-LS, again", "ct", "/frames/1", AS_JPEG_LS, reads.coded_kind),
)
KEPT: dict[str, tuple[int, Callable[[], Template], int]] = {
    # study of its own, what, and how many for each round
    "ct": (30, data.ct, 12),
    "dx": (31, images.radiograph, 3),
    "j2k": (32, lambda: images.compressed_ct(images.J2K), 12),
    "jls": (33, lambda: images.compressed_ct(images.JPEG_LS), 12),
}


class Group(Protocol):
    """Measures one group and adds its rows to the report."""

    def __call__(self, run: Run, archives: list[Server], by_name: dict[str, Server]) -> None: ...


def measure(group: str, run: Run, archives: list[Server], by_name: dict[str, Server]) -> None:
    """Measure one of `GROUPS`."""
    measures: dict[str, Group] = {
        "rendered": lambda run, archives, _: _measures(run, archives, "rendered", RENDERED),
        "transcoded": lambda run, archives, _: _measures(run, archives, "transcoded", TRANSCODED),
        "tiles": _tiles,
        "video": _video,
        "long": _long,
    }
    measures[group](run, archives, by_name)


def _keys(name: str, options: Options) -> list[Key]:
    study, _, each = KEPT[name]
    return [Key(study, 1, number) for number in range(1, 2 + each * options.rounds)]


def _measures(run: Run, archives: list[Server], group: str, measures: Sequence[Measure]) -> None:
    for name in dict.fromkeys(one.kept for one in measures):
        if name in run.stored:
            continue
        run.stored.add(name)
        template = KEPT[name][1]()
        for key in _keys(name, run.options):
            large = images.whole(key, template)
            for server in archives:
                run.store_one(name, server, large)
    jobs: list[Job] = []
    for one in measures:
        ours = _read(one, group, one.path, run.options)
        other = archives[1:] if not one.alone else []
        if one.theirs is None:
            jobs += run.checked(ours, archives[:1] + other)
        else:
            jobs += run.checked(ours, archives[:1])
            jobs += run.checked(_read(one, group, one.theirs, run.options), other)
    figures = run.time(jobs, group)
    for one in measures:
        pair = figures.get((one.title, "skiagraph")), figures.get((one.title, "Orthanc"))
        run.report.rows.append(Row(one.title, *pair, aim=one.aim, note=processor(*pair)))


def _read(one: Measure, group: str, path: str, options: Options) -> Read:
    keys = _keys(one.kept, options)
    if not one.once:
        keys = keys[:1]
    # Windows that nobody has asked for before, so that no lookup table is there yet
    targets = tuple(instance_path(key) + path.replace("{window}", str(100 + key.instance)) for key in keys)
    return Read(one.title, group, one.title, targets, one.accept, one.kind, once=one.once)


def processor(*figures: Figure | None) -> str:
    """Processor time, which other programs of the machine disturb less than the time that passes."""
    said = [
        f"{name} {figure.processor:.2f} ms"
        for name, figure in zip(("skiagraph", "Orthanc"), figures, strict=False)
        if figure is not None and figure.processor is not None
    ]
    return "processor time of the server for each request: " + ", ".join(said) if said else ""


# Tiles


def _tiles(run: Run, archives: list[Server], by_name: dict[str, Server]) -> None:
    from .run import Job

    large = images.slide(Key(40, 1, 1))
    stored = [server for server in archives if run.store_one("slide", server, large) is not None]
    across = images.TILES_ACROSS
    frames = [1 + row * across + column for row in range(20, 28) for column in range(20, 28)]
    title = f"{TILES} tiles of a slide over one connection"
    again = f"{TILES} tiles as HTTP/2 streams"
    jobs = []
    for server in stored:
        targets = [f"{server.root}{instance_path(large.key)}/frames/{frame}" for frame in frames]
        if run.checked(
            Read(title, "tiles", title, (targets[0].removeprefix(server.root),), TILE, reads.parts_kind), [server]
        ):
            jobs.append(Job(title, server, _repeated(run.options, _in_turn(server, targets))))
            if server.name == "skiagraph":
                jobs.append(Job(again, server, _repeated(run.options, _at_once(server, targets))))
    figures = run.time(jobs, "tiles")
    ours, other = figures.get((title, "skiagraph")), figures.get((title, "Orthanc"))
    run.report.rows += [
        Row(f"{title}, HTTP/1.1 in turn", ours, other, note=processor(ours, other)),
        Row(f"{again}, against in turn", figures.get((again, "skiagraph")), ours, against="HTTP/1.1"),
    ]


def _repeated(options: Options, once: Callable[[], float]) -> Callable[[int], tuple[float, ...]]:
    def values(_: int) -> tuple[float, ...]:
        once()
        until, taken = time.perf_counter() + options.seconds, [once()]
        while time.perf_counter() < until:
            taken.append(once())
        return tuple(taken)

    return values


def _in_turn(server: Server, targets: list[str]) -> Callable[[], float]:
    heads = [request_bytes("GET", target, {"Accept": TILE}) for target in targets]

    def once() -> float:
        with Connection(server.port) as connection:
            start = time.perf_counter()
            for head in heads:
                answer = connection.exchange(head)
                if answer.status != 200:
                    raise reads.CheckError(f"A tile was answered {answer.status}; expected 200.")
            return (time.perf_counter() - start) * 1e3

    return once


def _at_once(server: Server, targets: list[str]) -> Callable[[], float]:
    def once() -> float:
        with Connection2(server.port) as connection:
            start = time.perf_counter()
            connection.get(targets, {"accept": TILE})
            return (time.perf_counter() - start) * 1e3

    return once


# Video


def _video(run: Run, archives: list[Server], by_name: dict[str, Server]) -> None:
    from .run import Job

    size = 16 * 2**20 if run.options.quick else 256 * 2**20
    large = images.video(Key(41, 1, 1), size)
    ours, jobs = archives[0], []
    title = f"Seek in an MP4 of {mebibytes(size)}, 1 MiB by Range"
    if ours.name == "skiagraph" and run.store_one("video", ours, large) is not None:
        jobs.append(
            Job(title, ours, _seeks(run.options, ours, f"{ours.root}{instance_path(large.key)}/pixeldata", size))
        )
    if (files := by_name.get("nginx")) is not None:
        (files.folder / "files" / "video.mp4").write_bytes(images.movie(size))
        jobs.append(Job(title, files, _seeks(run.options, files, "/video.mp4", size)))
    figures = run.time(jobs, "video")
    own, sent = figures.get((title, "skiagraph")), figures.get((title, "nginx"))
    run.report.rows.append(Row(title, own, sent, against="nginx", note=processor(own)))


def _seeks(options: Options, server: Server, target: str, size: int) -> Callable[[int], tuple[float, ...]]:
    """Ask for a piece here and a piece there, as one who looks for something in a film."""
    steps = [(number * 0.618034) % 1 for number in range(1, 101)]
    heads = []
    for step in steps:
        start = int(step * (size - SEEK))
        asked = {"Accept": "*/*", "Range": f"bytes={start}-{start + SEEK - 1}"}
        heads.append(request_bytes("GET", target, asked))

    def values(_: int) -> tuple[float, ...]:
        with reads.Reader(server.port) as reader:
            return reader.times(heads, SEEK, seconds=options.seconds, status=206)

    return values


# A long object


def _long(run: Run, archives: list[Server], by_name: dict[str, Server]) -> None:
    frames = 100 if run.options.quick else 1000
    large = images.long_object(Key(42, 1, 1), frames)
    for server in archives:
        run.store_one("long", server, large)
    figures: dict[str, Figure] = {}
    grown: dict[str, str] = {}
    for server in archives:
        before = processes.memory(server.pid)
        processes.reset_peak(server.pid)
        if taken := run.attempt("long object", server, lambda server=server: (_whole(server, large),)):  # type: ignore[misc]
            figures[server.name] = Figure((taken,), "s")
            grown[server.name] = mebibytes(processes.memory(server.pid).peak - before.resident)
    note = "memory grew by " + ", ".join(f"{name} {size}" for name, size in grown.items())
    title = f"{frames:,} frames of 512 KB native → JPEG-LS, one Instance"
    run.report.rows.append(Row(title, figures.get("skiagraph"), figures.get("Orthanc"), note=note))


def _whole(server: Server, large: LargeInstance) -> float:
    accept = DICOM.replace("transfer-syntax=*", f"transfer-syntax={images.JPEG_LS}")
    head = request_bytes("GET", server.root + instance_path(large.key), {"Accept": accept})
    with Connection(server.port, timeout=600) as connection:
        start = time.perf_counter()
        answer = connection.exchange(head)
        if answer.status != 200 or answer.size < large.size // 10:
            raise reads.CheckError(f"The long object was answered {answer.status} with {answer.size} bytes.")
        return time.perf_counter() - start

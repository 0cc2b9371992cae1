"""The reads that are timed: what is asked, how the answers are compared first, and the aim of each."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from .client import Answer, Connection, request_bytes
from .data import Key
from .figures import Aim

JSON = "application/dicom+json"
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'

# What is stored before the reads: a study with a series of 100 and three short ones, and 19 studies of 3 Instances.
MAIN = Key(1, 1, 1)
MAIN_SERIES_SIZE = 100
STUDIES = 20
CORPUS = (
    *(Key(1, 1, instance) for instance in range(1, MAIN_SERIES_SIZE + 1)),
    *(Key(1, series, instance) for series in (2, 3, 4) for instance in (1, 2)),
    *(Key(study, 1, instance) for study in range(2, STUDIES + 1) for instance in (1, 2, 3)),
)


class CheckError(Exception):
    """An answer is not what was asked for."""


def study_path(key: Key) -> str:
    return f"/studies/{key.study_instance_uid}"


def series_path(key: Key) -> str:
    return f"{study_path(key)}/series/{key.series_instance_uid}"


def instance_path(key: Key) -> str:
    return f"{series_path(key)}/instances/{key.uid}"


@dataclass(frozen=True)
class Kind:
    """What two servers' answers must have in common, and what may differ but is worth knowing."""

    same: dict[str, object]
    known: dict[str, object] = field(default_factory=dict)


def search_kind(uid_tag: str) -> Callable[[Answer], Kind]:
    """Of a search: how many results, and which (by the UID of the level)."""

    def kind(answer: Answer) -> Kind:
        results = answer.json()
        uids = sorted(result[uid_tag]["Value"][0] for result in results)
        attributes = min((len(result) for result in results), default=0)
        return Kind({"results": len(results), "UIDs": hash(tuple(uids))}, {"attributes of a result": attributes})

    return kind


def metadata_kind(answer: Answer) -> Kind:
    """Of metadata: which Instances, and how many elements each has."""
    instances = answer.json()
    uids = sorted(instance["00080018"]["Value"][0] for instance in instances)
    elements = min((len(instance) for instance in instances), default=0)
    return Kind(
        {"instances": len(instances), "UIDs": hash(tuple(uids))},
        {"elements of an instance": elements, "bytes": answer.size},
    )


def parts_kind(answer: Answer) -> Kind:
    """Of a multipart answer: how many parts, how many bytes in them."""
    parts = answer.parts()
    return Kind({"parts": len(parts), "payload bytes": sum(len(payload) for _, payload in parts)})


def coded_kind(answer: Answer) -> Kind:
    """Of a multipart answer of frames that each server encodes in its own way: how many parts."""
    parts = answer.parts()
    return Kind({"parts": len(parts)}, {"payload bytes": sum(len(payload) for _, payload in parts)})


def picture_kind(answer: Answer) -> Kind:
    """Of a rendered picture: its media type, its size in pixels, and how many bytes it takes."""
    with Image.open(io.BytesIO(answer.body or b"")) as image:
        image.load()
        return Kind({"format": image.format, "pixels": image.size}, {"bytes": answer.size})


def file_kind(answer: Answer) -> Kind:
    """Of a single file: its bytes."""
    return Kind({"parts": 1, "payload bytes": answer.size})


@dataclass(frozen=True)
class Read:
    """One read. `targets` are below the root of the DICOMweb services; with several, they are asked in turn."""

    name: str
    group: str
    title: str
    targets: tuple[str, ...]
    accept: str
    kind: Callable[[Answer], Kind]
    aim: Aim | None = None
    once: bool = False
    """The first target is asked for to begin with and is not counted; each of the others is asked for once, ever."""

    def heads(self, root: str) -> list[bytes]:
        """The requests, ready to send."""
        return [request_bytes("GET", root + target, {"Accept": self.accept}) for target in self.targets]


_ALL_OF_THE_SERIES = tuple(Key(1, 1, instance) for instance in range(1, MAIN_SERIES_SIZE + 1))
_STUDY, _SERIES, _INSTANCE = study_path(MAIN), series_path(MAIN), instance_path(MAIN)
READS = (
    Read("studies", "qido", f"Search: {STUDIES} studies", ("/studies",), JSON, search_kind("0020000D"), Aim(10)),
    Read("series", "qido", "Search: 4 series of a study", (f"{_STUDY}/series",), JSON, search_kind("0020000E")),
    Read(
        "instances", "qido", "Search: 100 instances of a series", (f"{_SERIES}/instances",), JSON,
        search_kind("00080018"), Aim(100),
    ),
    Read(
        "instance metadata", "metadata", "Metadata of an instance", (f"{_INSTANCE}/metadata",), JSON,
        metadata_kind, Aim(4),
    ),
    Read(
        "series metadata", "metadata", "Metadata of a series of 100", (f"{_SERIES}/metadata",), JSON,
        metadata_kind, Aim(50),
    ),
    Read("instance", "retrieve", "Instance of 530 KB, the same each time", (_INSTANCE,), DICOM, parts_kind, Aim(1.6)),
    Read(
        "instances in turn", "retrieve", "Instance of 530 KB, 100 in turn",
        tuple(map(instance_path, _ALL_OF_THE_SERIES)), DICOM, parts_kind, Aim(1.6),
    ),
    Read(
        "frame", "retrieve", "Frame of 524 KB, the same each time", (f"{_INSTANCE}/frames/1",), FRAMES,
        parts_kind, Aim(2),
    ),
    Read(
        "frames in turn", "retrieve", "Frame of 524 KB, of 100 instances in turn",
        tuple(f"{instance_path(key)}/frames/1" for key in _ALL_OF_THE_SERIES), FRAMES, parts_kind, Aim(2),
    ),
    Read("series retrieve", "retrieve", "Series of 100, 53 MB", (_SERIES,), DICOM, parts_kind, Aim(2.5)),
)  # fmt: skip
# What the two reads of an instance are compared with besides: the same files as nginx serves them, and the same
# number of bytes as a program of ten lines sends them from memory.
FILES = {
    "instance": Read("file", "retrieve", "file", ("/1.dcm",), "*/*", file_kind),
    "instances in turn": Read(
        "files in turn",
        "retrieve",
        "files",
        tuple(f"/{key.instance}.dcm" for key in _ALL_OF_THE_SERIES),
        "*/*",
        file_kind,
    ),
}


def memory_read(size: int) -> Read:
    """``size`` bytes from the floor."""
    return Read("bytes", "retrieve", "bytes", (f"/bytes/{size}",), "*/*", file_kind)


NGINX_AIM = Aim(1.6, at_most=True, against="nginx")


def frame_read(name: str, title: str, key: Key, frame: int) -> Read:
    """One frame of a multi-frame Instance, in its stored syntax."""
    return Read(name, "frames", title, (f"{instance_path(key)}/frames/{frame}",), FRAMES, parts_kind)


class Reader:
    """A connection to one server that is opened anew where the server closes it. To be used in ``with``."""

    def __init__(self, port: int, *, timeout: float = 120.0) -> None:
        self._port, self._timeout = port, timeout
        self._connection: Connection | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def connect(self) -> Connection:
        """The open connection, or a new one."""
        if self._connection is None or self._connection.closed:
            if self._connection is not None:
                self._connection.close()
            self._connection = Connection(self._port, timeout=self._timeout)
        return self._connection

    def ask(self, head: bytes, *, keep: bool = False) -> tuple[float, Answer]:
        """One exchange and its milliseconds; a new connection is opened before the clock starts."""
        connection = self.connect()
        start = time.perf_counter()
        try:
            answer = connection.exchange(head, keep=keep)
        except Exception:
            connection.closed = True
            raise
        return (time.perf_counter() - start) * 1e3, answer

    def times(
        self,
        heads: list[bytes],
        size: int,
        *,
        seconds: float,
        least: int = 3,
        most: int = 200,
        first: bytes | None = None,
        status: int = 200,
    ) -> tuple[float, ...]:
        """Milliseconds of repeated exchanges, the requests in turn, after one (`first`) that is not counted.

        Raises
        ------
        CheckError
            An answer was not of the status, or of another size than the one checked before.
        """
        self.ask(first or heads[0])
        until = time.perf_counter() + seconds
        taken: list[float] = []
        while len(taken) < min(least, most) or (len(taken) < most and time.perf_counter() < until):
            milliseconds, answer = self.ask(heads[len(taken) % len(heads)])
            # Boundaries and URLs vary a little, pictures with their windows
            if answer.status != status or abs(answer.size - size) > max(256, size // 20):
                raise CheckError(f"Answered {answer.status} with {answer.size} bytes; expected {status} with {size}.")
            taken.append(milliseconds)
        return tuple(taken)


def check(read: Read, port: int, root: str) -> tuple[Kind, int]:
    """Ask once and look at the whole answer; its kind and size.

    Raises
    ------
    CheckError
        The answer is not 200, or not of the media type asked for.
    """
    with Reader(port) as reader:
        _, answer = reader.ask(read.heads(root)[0], keep=True)
    if answer.status != 200:
        text = " ".join((answer.body or b"")[:200].decode(errors="replace").split())
        raise CheckError(f"{read.title}: answered {answer.status}; expected 200. {text}")
    try:
        return read.kind(answer), answer.size
    except Exception as error:
        raise CheckError(f"{read.title}: the answer can not be read: {error}") from error

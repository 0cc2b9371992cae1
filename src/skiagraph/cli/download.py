"""Reading a multipart answer of Instances into files, never a whole Instance in memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from skiagraph.cli.console import CommandError
from skiagraph.cli.sources import HEAD, sop_instance_uid
from skiagraph.errors import BadRequest
from skiagraph.values import is_uid
from skiagraph.wire.multipart_reader import MultipartReader, PartBegin, PartData, parse_related


@dataclass(slots=True)
class Saved:
    """What arrived."""

    files: int = 0
    size: int = 0


class _File:
    """One Instance on its way to its place: first under a name nobody looks at, then renamed in one step."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f".{secrets.token_hex(8)}.part"
        self._file: BinaryIO = self._path.open("xb")
        self._head = b""

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        if len(self._head) < HEAD:
            self._head += bytes(data[: HEAD - len(self._head)])

    def finish(self, folder: Path, number: int) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        # The name comes from a server: only a UID may become one.
        uid = sop_instance_uid(self._head)
        self._path.replace(folder / f"{uid if is_uid(uid) else f'instance-{number:06}'}.dcm")

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def save(content_type: str, chunks: Iterable[bytes], folder: Path, on_progress: Callable[[Saved], None]) -> Saved:
    """Write the Instances of an answer to files named by SOP Instance UID; what is cut off leaves no file.

    Raises
    ------
    CommandError
        The answer is not multipart, or ends too early; whole Instances that arrived before it are kept.
    """
    saved = Saved()
    current: _File | None = None
    try:
        reader = MultipartReader(parse_related(content_type).boundary, max_header_bytes=64 * 2**10, max_parts=10**9)
        for chunk in chunks:
            saved.size += len(chunk)
            for event in reader.feed(chunk):
                if isinstance(event, PartBegin):
                    current = _File(folder)
                elif current is None:
                    continue
                elif isinstance(event, PartData):
                    current.write(event.data)
                else:
                    current.finish(folder, saved.files + 1)
                    current = None
                    saved.files += 1
            on_progress(saved)
        reader.close()
    except BadRequest as error:
        raise CommandError(f"The answer is not whole after {saved.files} instances: {error.message}") from error
    finally:
        if current is not None:
            current.discard()
    return saved

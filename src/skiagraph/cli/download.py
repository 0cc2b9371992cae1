"""Reading a multipart answer of Instances into files, never a whole Instance in memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from skiagraph.cli.console import CommandError
from skiagraph.cli.sources import HEAD, sop_instance_uid
from skiagraph.errors import BadRequest
from skiagraph.values import is_uid
from skiagraph.wire.multipart_reader import MultipartReader, PartBegin, PartData, parse_related

Check: TypeAlias = Callable[[Path], None]


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

    def finish(self, folder: Path, number: int, check: Check | None) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if check is not None:
            check(self._path)
        # The name comes from a server: only a UID may become one.
        uid = sop_instance_uid(self._head)
        self._path.replace(folder / f"{uid if is_uid(uid) else f'instance-{number:06}'}.dcm")

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def refuse_identified(path: Path) -> None:
    """Raise CommandError unless a file says that the identity of the patient was removed."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        data_set = pydicom.dcmread(path, specific_tags=["PatientIdentityRemoved"], stop_before_pixels=True)
        removed = data_set.get("PatientIdentityRemoved") == "YES"
    except (InvalidDicomError, OSError, ValueError) as error:
        raise CommandError("The server sent something that is no DICOM file; it is not kept.") from error
    if not removed:
        raise CommandError("The server does not de-identify: it sent an instance as it is, which is not kept.")


def save(
    content_type: str,
    chunks: Iterable[bytes],
    folder: Path,
    on_progress: Callable[[Saved], None],
    check: Check | None = None,
) -> Saved:
    """Write the Instances of an answer to files named by SOP Instance UID; what is cut off leaves no file.

    Parameters
    ----------
    check
        Raises CommandError for a file that must not be kept; it and those behind it are not.

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
                    current.finish(folder, saved.files + 1, check)
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

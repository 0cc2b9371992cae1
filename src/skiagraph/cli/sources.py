"""Where Instances to send come from: files, folders and zip archives, one after the other, never all in memory."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD = 16 * 2**10
"""Bytes looked at to tell what a file is."""

_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Item:
    """One file that is likely DICOM."""

    name: str
    """For people and for the journal: the absolute path, and for a zip ``path!entry``."""
    size: int
    """Bytes."""
    stamp: str
    """Changes when the content does: time of modification, and the checksum of a zip entry."""
    sop_instance_uid: str
    """As its File Meta Information says, "" when unknown."""
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file that is not sent."""

    name: str
    reason: str


def find(paths: Iterable[Path]) -> Iterator[Item | Skipped]:
    """Yield what the paths hold, folders in the order of names.

    A file that is named itself is yielded whatever it looks like: whoever names it wants to hear what the
    server says to it. Of folders and zip archives only what looks like DICOM is yielded, the rest as `Skipped`.
    """
    for path in paths:
        if path.is_dir():
            for file in _walk(path):
                yield from _file(file, named=False)
        else:
            yield from _file(path, named=True)


def _walk(folder: Path) -> Iterator[Path]:
    # Links to folders are not followed: they can go in circles.
    for current, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield Path(current, name)


def _file(path: Path, *, named: bool) -> Iterator[Item | Skipped]:
    name = str(path.absolute())
    try:
        status = path.stat()
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        yield Skipped(name, error.strerror or "can not be read")
        return
    if head.startswith(_ZIP):
        yield from _zip(path, f"{status.st_mtime_ns}")
        return
    reason = None if named else _why_not(path.name, head)
    if reason:
        yield Skipped(name, reason)
    else:
        yield Item(name, status.st_size, f"{status.st_mtime_ns}", sop_instance_uid(head), lambda: path.open("rb"))


def _zip(path: Path, stamp: str) -> Iterator[Item | Skipped]:
    """Yield the entries; their names are shown and journalled, and never become files here."""
    name = str(path.absolute())
    try:
        # Entries are read through this one handle; it closes when the last of its items is gone.
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        yield Skipped(name, f"zip archive can not be read: {error}")
        return
    for info in archive.infolist():
        if info.is_dir():
            continue
        entry = f"{name}!{info.filename}"
        try:
            with archive.open(info) as file:
                head = file.read(HEAD)
        except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, ValueError) as error:
            yield Skipped(entry, f"zip entry can not be read: {_first_words(error)}")
            continue
        except Exception as error:
            # Each compression has its own errors (zlib.error, LZMAError): none may end the run.
            yield Skipped(entry, f"zip entry can not be read: {type(error).__name__}")
            continue
        reason = "zip archive inside a zip archive" if head.startswith(_ZIP) else _why_not(Path(entry).name, head)
        if reason:
            yield Skipped(entry, reason)
        else:
            yield Item(entry, info.file_size, f"{stamp}-{info.CRC:08x}", sop_instance_uid(head), _opener(archive, info))


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: archive.open(info)  # type: ignore[return-value]


def _first_words(error: Exception) -> str:
    # Messages of zipfile end in the names of entries.
    return str(error).split("'")[0].strip().rstrip(",:") or type(error).__name__


def _why_not(name: str, head: bytes) -> str | None:
    """Return why a file is not sent, None when it looks like DICOM."""
    if name.upper() == "DICOMDIR" or file_meta(head).get(0x0002) == _MEDIA_DIRECTORY:
        return "directory of a medium (DICOMDIR)"
    if head[128:132] == b"DICM" or looks_like_dataset(head):
        return None
    return "not DICOM"


def looks_like_dataset(head: bytes) -> bool:
    """Whether the bytes can begin a data set without preamble: a first element of group 2 or 8, as all files have."""
    if len(head) < 8:
        return False
    little, big = struct.unpack("<HH", head[:4]), struct.unpack(">HH", head[:4])
    for group, element in (little, big):
        if group in (0x0002, 0x0008) and element <= 0x0100:
            vr, length = head[4:6], struct.unpack("<I", head[4:8])[0]
            return (vr.isalpha() and vr.isupper()) or length <= 0x1000
    return False


def sop_instance_uid(head: bytes) -> str:
    """Return the Media Storage SOP Instance UID of the File Meta Information, "" when there is none."""
    return file_meta(head).get(0x0003, "")


def file_meta(head: bytes) -> dict[int, str]:
    """Return the UIDs of the File Meta Information by element number (PS3.10 §7.1); {} when there is none.

    Only good for telling files apart: whatever is odd ends the reading.
    """
    found: dict[int, str] = {}
    position = 132
    if head[128:132] != b"DICM":
        return found
    while position + 8 <= len(head) and head[position : position + 2] == b"\x02\x00":
        element = int.from_bytes(head[position + 2 : position + 4], "little")
        vr = head[position + 4 : position + 6]
        if vr in (b"OB", b"UN"):
            length, start = int.from_bytes(head[position + 8 : position + 12], "little"), position + 12
        else:
            length, start = int.from_bytes(head[position + 6 : position + 8], "little"), position + 8
        if vr == b"UI" and start + length <= len(head):
            found[element] = head[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        position = start + length
    return found

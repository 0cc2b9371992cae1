"""Files that were made on request and can be made again, in a local folder and within a number of bytes.

All processes of a server share the folder: what one of them made serves all. A file has the name of what it holds;
while it is made it ends in ``.part`` and is locked, so that no two processes make the same. Those that were not used
for the longest time go first.
"""

from __future__ import annotations

import fcntl
import io
import os
from contextlib import suppress
from pathlib import Path

from skiagraph.blobs.base import Opened
from skiagraph.blobs.file import FileOpened
from skiagraph.errors import PayloadTooLarge, ResourceNotFound, StorageFull

_PART = ".part"


class FileDraft(io.RawIOBase):
    """A file in the making: open for writing, with ``seek``."""

    def __init__(self, scratch: FileScratch, name: str, fd: int) -> None:
        self._scratch, self._name, self._fd = scratch, name, fd
        self._position = self._size = 0
        self._part = scratch.folder / (name + _PART)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def write(self, data: bytes) -> int:  # type: ignore[override]
        end = self._position + len(data)
        if end > self._scratch.limit:
            raise PayloadTooLarge(self._scratch.too_large())
        self._scratch.check_room()
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, self._position)
            self._position += written
            rest = rest[written:]
        self._size = max(self._size, end)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        self._position = self._size = self._position if size is None else size
        os.ftruncate(self._fd, self._size)
        return self._size

    def keep(self) -> Opened:
        with suppress(FileNotFoundError):  # somebody cleared the folder: what is open can be read all the same
            self._part.rename(self._scratch.folder / self._name)
        opened = FileOpened(f"/proc/self/fd/{self._fd}", self._name)
        self.close()
        self._scratch.make_room()
        return opened

    def discard(self) -> None:
        if self._fd >= 0:
            self._part.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)  # unlocks it
            self._fd = -1
        super().close()


class FileScratch:
    """A `blobs.base.Scratch` in a local folder."""

    def __init__(self, folder: Path, limit: int, *, keep_free: int = 0) -> None:
        self.folder = folder
        self.limit = limit
        self._keep_free = keep_free

    def open(self, name: str) -> Opened | None:
        path = self.folder / name
        try:
            opened = FileOpened(str(path), name)
            os.utime(path)
        except (ResourceNotFound, OSError):
            return None
        return opened

    def draft(self, name: str) -> FileDraft | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / (name + _PART)
        fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == path.stat().st_ino:  # else it got its name since it was opened
                os.ftruncate(fd, 0)
                return FileDraft(self, name, fd)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
        return None

    def check_room(self) -> None:
        """Raise StorageFull when less than `keep_free` bytes of the disk are free."""
        if self._keep_free:
            disk = os.statvfs(self.folder)
            if disk.f_bavail * disk.f_frsize < self._keep_free:
                raise StorageFull("The disk of this server is too full to make a video.")

    def too_large(self) -> str:
        """What is said of a file that does not fit."""
        return (
            f"What was asked for takes more than the {self.limit} bytes that this server keeps of such files"
            " (video_bytes): a smaller viewport, lower quality or fewer frames are needed."
        )

    def make_room(self) -> None:
        """Remove the files that were not used for the longest time, until the others are within the limit."""
        found = []
        for path in self.folder.glob("*"):
            if path.suffix != _PART:
                with suppress(FileNotFoundError):
                    status = path.stat()
                    found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)
            total -= size

    def clear(self) -> None:
        for path in self.folder.glob("*"):
            if path.suffix != _PART:
                path.unlink(missing_ok=True)
                continue
            draft = self.draft(path.stem)
            if draft is not None:  # nobody is at it
                draft.discard()

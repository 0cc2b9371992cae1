"""Blobs as files in a folder of this machine, durable before they are acknowledged.

Layout below the root::

    9f1c23/e4/9f1c23e4a0b1-5d2e77aa-00002c.dcm     a blob: time, writer, counter (all hexadecimal)
    9f1c23/e4/9f1c23e4a0b1-5d2e77aa-00002d.part    the same while it arrives
    .writers/5d2e77aa                              locked while its process lives; holds its low-water mark

Blobs that arrive within about a minute share a folder, so that one flush of the folder serves many of them.
A crash can leave files that no index names. Each key names its writer, each writer notes below which key all
is settled: `recover` looks at no more than the folders since then, and never at files of a living process.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from skiagraph.blobs.base import Chunk, Staged
from skiagraph.errors import ArchiveError, ResourceNotFound, StorageFull
from skiagraph.values import ByteRange

CHUNK = 2**20
"""Bytes read at once: a 512 × 512 CT in one go, and little memory for the largest file."""

_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_FULL = "The disk of this server is full: nothing can be stored until there is room."
_IOV_MAX = 1024
_SYNC_FILE_RANGE_WRITE = 2
_MARK_EVERY = 60.0  # seconds between notes of the low-water mark


class FileStaged:
    """Bytes on their way into a `FileBlobStore`."""

    def __init__(self, store: FileBlobStore, key: str) -> None:
        self._store = store
        self.key = key
        self.size = 0
        self._path = store.path(key).with_suffix(".part")
        self._fd = store.create(self._path)

    def write(self, chunks: Sequence[Chunk]) -> None:
        start = self.size
        try:
            self._store.check_room()
            for first in range(0, len(chunks), _IOV_MAX):
                self._write_some(list(chunks[first : first + _IOV_MAX]))
        except OSError as error:
            raise _meaning(error) from error
        if self._store.durable:
            _start_writing(self._fd, start, self.size - start)

    def _write_some(self, chunks: list[Chunk]) -> None:
        wanted = sum(map(len, chunks))
        written = os.writev(self._fd, chunks)
        self.size += written
        if written < wanted:  # a full disk or a signal cut the call short
            rest = memoryview(b"".join(chunks))[written:]
            while rest:
                written = os.write(self._fd, rest)
                self.size += written
                rest = rest[written:]

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def flush(self) -> None:
        try:
            if self._store.durable:
                os.fdatasync(self._fd)
        except OSError as error:
            raise _meaning(error) from error

    def publish(self) -> Path:
        """Give the file its name and make its bytes durable; return its folder, still to be flushed."""
        path = self._path.with_suffix(".dcm")
        self._path.rename(path)
        # After the rename: one commit of the file system's journal then holds the file and its name.
        self.flush()
        self.close()
        return path.parent

    def discard(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)
        self._store.forget(self.key)

    def close(self) -> None:
        """Let go of the file; harmless a second time."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class FileOpened:
    """A blob opened for reading at any offset; closed with `close` or when nobody holds it any more."""

    def __init__(self, path: str, key: str) -> None:
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ResourceNotFound(f"There is no blob {key}.") from error
        self.size = os.fstat(self._fd).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    async def read(self, offset: int, length: int) -> bytes:
        """Read without holding up the event loop: at once what is in memory, elsewhere what is on the disk or long."""
        if 0 < length <= CHUNK and self._in_memory(offset) and self._in_memory(offset + length - 1):
            data = os.pread(self._fd, length, offset)
            if len(data) == length:
                return data
        return await asyncio.to_thread(self._read_all, offset, length)

    def _in_memory(self, offset: int) -> bool:
        """Whether the kernel has this byte at hand. The first and the last stand for a chunk: files are read ahead."""
        try:
            return _NOWAIT != 0 and os.preadv(self._fd, [bytearray(1)], offset, _NOWAIT) == 1
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return False
            raise

    def _read_all(self, offset: int, length: int) -> bytes:
        data = os.pread(self._fd, length, offset)
        while len(data) < length:
            more = os.pread(self._fd, length - len(data), offset + len(data))
            if not more:
                raise OSError(errno.EIO, "blob is shorter than it was")
            data += more
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class FileBlobStore:
    """A `blobs.base.BlobStore` in a local folder. Any number of processes may share the folder."""

    def __init__(self, root: Path, *, durable: bool = True, keep_free: int = 0) -> None:
        self.root = root
        self._keep_free = keep_free
        self._root = str(root)
        self.durable = durable
        self._writers = root / ".writers"
        self._lock = threading.Lock()
        self._writer = ""
        self._writer_fd = -1
        self._pid = 0
        self._last = (0, 0)
        self._inflight: set[str] = set()
        self._marked = 0.0
        self._folders: set[Path] = set()
        root.mkdir(parents=True, exist_ok=True)

    # Keys

    def path(self, key: str) -> Path:
        return Path(self._path(key))

    def _path(self, key: str) -> str:
        return f"{self._root}/{key[:6]}/{key[6:8]}/{key}.dcm"

    def _new_key(self) -> str:
        with self._lock:
            if self._pid != os.getpid():
                self._register()
            now = time.time_ns() // 1_000_000
            stamp, counter = self._last
            # Ascending even when the clock steps back.
            self._last = (stamp, counter + 1) if now <= stamp else (now, 0)
            key = f"{self._last[0]:012x}-{self._writer}-{self._last[1]:06x}"
            self._inflight.add(key)
            return key

    def _register(self) -> None:
        """Become a writer of our own: processes forked from one store must not share a name."""
        self._writers.mkdir(exist_ok=True)
        self._pid = os.getpid()
        self._writer = secrets.token_hex(4)
        self._inflight = set()
        self._folders = set()
        self._writer_fd = os.open(self._writers / self._writer, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._writer_fd, fcntl.LOCK_EX)
        self._note_mark(f"{time.time_ns() // 1_000_000:012x}")
        if self.durable:
            _flush_folder(self._writers)

    def _note_mark(self, mark: str) -> None:
        self._marked = time.monotonic()
        os.pwrite(self._writer_fd, mark[:12].encode(), 0)

    def forget(self, key: str) -> None:
        """Nothing of this key is on its way any more."""
        with self._lock:
            self._inflight.discard(key)

    # Writing

    def stage(self) -> FileStaged:
        try:
            return FileStaged(self, self._new_key())
        except OSError as error:
            raise _meaning(error) from error

    def check_room(self) -> None:
        """Raise StorageFull when less than `keep_free` bytes of the disk are free."""
        if self._keep_free:
            disk = os.statvfs(self._root)
            if disk.f_bavail * disk.f_frsize < self._keep_free:
                raise StorageFull(_FULL)

    def create(self, path: Path) -> int:
        """Create a file of ours, and its folder where it is the first."""
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o640)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.durable:
                _flush_folder(path.parent.parent)
                _flush_folder(self.root)
            return os.open(path, flags, 0o640)

    def publish(self, staged: Sequence[Staged]) -> None:
        try:
            folders = {one.publish() for one in staged if isinstance(one, FileStaged)}
            if self.durable:
                for folder in folders:
                    _flush_folder(folder)
        except OSError as error:
            raise _meaning(error) from error

    def settle(self, staged: Sequence[Staged]) -> None:
        with self._lock:
            self._inflight.difference_update(one.key for one in staged)
            if time.monotonic() - self._marked > _MARK_EVERY:
                self._note_mark(min(self._inflight, default=f"{self._last[0]:012x}"))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)
            self.forget(key)

    def recover(self, known: Callable[[Sequence[str]], set[str]]) -> int:
        removed = 0
        for note in sorted(self._writers.glob("*")) if self._writers.exists() else ():
            fd = os.open(note, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue  # its process lives
            try:
                removed += self._recover_writer(note.name, os.pread(fd, 12, 0).decode("ascii", "replace"), known)
                note.unlink(missing_ok=True)
            finally:
                os.close(fd)
        return removed

    def _recover_writer(self, writer: str, mark: str, known: Callable[[Sequence[str]], set[str]]) -> int:
        removed = 0
        for folder in self._folders_since(mark):
            parts = list(folder.glob(f"*-{writer}-*.part"))
            blobs = {path.stem: path for path in folder.glob(f"*-{writer}-*.dcm")}
            named = known(list(blobs)) if blobs else set()
            for path in parts + [path for key, path in blobs.items() if key not in named]:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def close(self) -> None:
        """Sign off: nothing of this process is on its way any more."""
        with self._lock:
            if self._writer_fd >= 0 and self._pid == os.getpid():
                if not self._inflight:
                    (self._writers / self._writer).unlink(missing_ok=True)
                os.close(self._writer_fd)
            self._writer_fd = -1
            self._pid = 0

    # Reading

    def open(self, key: str) -> FileOpened:
        return FileOpened(self._path(key), key)

    def read(self, key: str, span: ByteRange | None = None) -> AsyncIterator[Chunk]:
        opened = self.open(key)
        span = span or ByteRange(0, opened.size)
        if span.end > opened.size:
            raise ResourceNotFound(f"Blob {key} ends at {opened.size}, before byte {span.end}.")
        return _stream(opened, span)

    async def read_bytes(self, key: str, span: ByteRange) -> Chunk:
        opened = self.open(key)
        try:
            if span.end > opened.size:
                raise ResourceNotFound(f"Blob {key} ends at {opened.size}, before byte {span.end}.")
            return await opened.read(span.offset, span.length)
        finally:
            opened.close()

    def size(self, key: str) -> int:
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError as error:
            raise ResourceNotFound(f"There is no blob {key}.") from error

    def keys(self) -> Iterator[str]:
        for folder in self._folders_since(""):
            yield from sorted(path.stem for path in folder.glob("*.dcm"))

    def _folders_since(self, mark: str) -> Iterator[Path]:
        for upper in sorted(self.root.glob("[0-9a-f]" * 6)):
            if upper.name >= mark[:6]:
                for folder in sorted(upper.glob("[0-9a-f]" * 2)):
                    if upper.name + folder.name >= mark[:8]:
                        yield folder


async def _stream(opened: FileOpened, span: ByteRange) -> AsyncIterator[Chunk]:
    try:
        offset = span.offset
        while offset < span.end:
            length = min(CHUNK, span.end - offset)
            yield await opened.read(offset, length)
            offset += length
    finally:
        opened.close()


def _load_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Linux's call to start writing pages to the disk, which Python does not offer."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return cast("Callable[[int, int, int, int], int]", function)


_sync_file_range = _load_sync_file_range()


def _start_writing(fd: int, offset: int, length: int) -> None:
    """Let the disk begin with these bytes now: the flush that comes later then has little left to wait for."""
    if _sync_file_range is not None:
        _sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _meaning(error: OSError) -> ArchiveError | OSError:
    """Tell a full disk from other failures."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(_FULL)
    return error

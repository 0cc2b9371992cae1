"""A bus for the processes of one machine: Unix datagram sockets in a folder.

Each process has a socket there, named by itself, and sends a word to all others. A process that died leaves its
socket behind; whoever finds nobody at its end removes it.

The name of a socket has some hundred bytes at most, and a folder can have a longer one. So the folder is opened, and
named by its descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from skiagraph.bus.base import Topic

_NEXT_LOOK = 1.0
"""Seconds after which who listens looks without being called: a call can be lost."""

_DESCRIPTORS = Path("/proc/self/fd")
"""Where a folder that is open has a short name; Linux has it."""


class LocalBus:
    """A `Bus` of one machine; opened on first use, as it needs the running event loop.

    Parameters
    ----------
    folder
        Where the sockets are; made when it is not there. None: this process alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._listening: defaultdict[Topic, set[asyncio.Event]] = defaultdict(set)
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look: asyncio.TimerHandle | None = None
        self._stopping = False

    def publish(self, topic: Topic) -> None:
        self._open()
        self._wake(topic)
        if self._folder is not None and self._socket is not None:
            _call_others(self._folder, topic, self._socket, self._path)

    @contextlib.contextmanager
    def listen(self, topic: Topic) -> Iterator[asyncio.Event]:
        self._open()
        event = asyncio.Event()
        if topic is Topic.STOPPING and self._stopping:
            event.set()  # who comes late hears it too
        self._listening[topic].add(event)
        try:
            yield event
        finally:
            self._listening[topic].discard(event)

    def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._socket is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._socket)
            self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._socket = self._path = self._loop = self._look = None
        self._stopping = False

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self.close()  # what belongs to a loop that has ended
        self._loop = loop
        self._look = self._loop.call_later(_NEXT_LOOK, self._look_again)
        if self._folder is None:
            return
        name = secrets.token_hex(4)
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _short(self._folder) as folder:
                found.bind(f"{folder}/{name}")
        except OSError:
            found.close()  # a file system without sockets, say: the looks have to do
            return
        self._path = self._folder / name
        self._socket = found
        self._loop.add_reader(found, self._receive, found)

    def _look_again(self) -> None:
        for topic in (Topic.REPORTS, Topic.CHANGES):
            self._wake(topic)
        if self._loop is not None:
            self._look = self._loop.call_later(_NEXT_LOOK, self._look_again)

    def _receive(self, mine: socket.socket) -> None:
        topics = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                topics.add(mine.recv(64))
        for topic in Topic:
            if topic.value.encode() in topics:
                self._wake(topic)

    def _wake(self, topic: Topic) -> None:
        self._stopping = self._stopping or topic is Topic.STOPPING
        for event in self._listening[topic]:
            event.set()


def call(folder: Path, topic: Topic) -> None:
    """Wake all processes that have a bus in a folder, from a process that has none. Never blocks, never raises."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as mine:
        _call_others(folder, topic, mine, None)


def _call_others(folder: Path, topic: Topic, mine: socket.socket, own: Path | None) -> None:
    with contextlib.suppress(OSError), _short(folder) as short:
        for path in folder.iterdir():
            if path != own:
                _send(mine, f"{short}/{path.name}", path, topic)


def _send(mine: socket.socket, address: str, path: Path, topic: Topic) -> None:
    try:
        mine.sendto(topic.value.encode(), address)
    except BlockingIOError:
        pass  # its queue is full: it will wake anyway
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except OSError:
        pass


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """Lend a name of a folder that is short enough for sockets in it. Raises OSError where there is no folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = _DESCRIPTORS / str(descriptor)
        yield short if short.exists() else folder
    finally:
        os.close(descriptor)

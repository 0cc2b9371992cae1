"""A bus for the processes of one machine: Unix datagram sockets in a folder.

Each process has a socket there, named by itself, and sends a byte to all others. A process that died leaves its
socket behind; whoever finds nobody at its end removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skiagraph.bus.base import Topic

_NEXT_LOOK = 1.0
"""Seconds after which who listens looks without being called: a call can be lost."""


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

    def publish(self, topic: Topic) -> None:
        self._wake(topic)
        if self._folder is None:
            return
        self._open()
        if self._socket is not None:
            _call_others(self._folder, topic, self._socket, self._path)

    @contextmanager
    def listen(self, topic: Topic) -> Iterator[asyncio.Event]:
        self._open()
        event = asyncio.Event()
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

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self.close()  # what belongs to a loop that has ended
        self._loop = loop
        self._look = self._loop.call_later(_NEXT_LOOK, self._look_again)
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / secrets.token_hex(4)
            found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            found.bind(str(self._path))
        except OSError:
            self._path = None  # a path too long, or a file system without sockets: the looks have to do
            return
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
        for event in self._listening[topic]:
            event.set()


def call(folder: Path, topic: Topic) -> None:
    """Wake all processes that have a bus in a folder, from a process that has none. Never blocks, never raises."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as mine:
        _call_others(folder, topic, mine, None)


def _call_others(folder: Path, topic: Topic, mine: socket.socket, own: Path | None) -> None:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path != own:
                _send(mine, path, topic)


def _send(mine: socket.socket, path: Path, topic: Topic) -> None:
    try:
        mine.sendto(topic.value.encode(), str(path))
    except BlockingIOError:
        pass  # its queue is full: it will wake anyway
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)
    except OSError:
        pass

"""Stored videos that were read lately, kept open where reading stopped: the next frame is the likeliest to be wanted.

An open video holds a decoder and some pictures, so that there are few of them, and none for long. Where a video turned
out to end before its data set says so is remembered longer: to find that again may take decoding all of it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol


class Reader(Protocol):
    """What is kept open: a `pixels.video_decode.VideoReader` and what it reads from."""

    @property
    def next_number(self) -> int: ...

    def close(self) -> None: ...


@dataclass(eq=False, slots=True)
class _Idle:
    key: Hashable
    reader: Reader
    timer: asyncio.TimerHandle


class OpenVideos:
    """Readers that nobody uses at the moment. Its methods belong to an event loop.

    Parameters
    ----------
    most
        How many are kept open; the one that was not used for the longest time is closed first.
    seconds
        How long one is kept.
    ends
        Of how many videos it is remembered that they end early.
    """

    def __init__(self, most: int = 2, seconds: float = 30, ends: int = 1000) -> None:
        self._most = most
        self._seconds = seconds
        self._idle: list[_Idle] = []
        self._most_ends = ends
        self._ends: OrderedDict[Hashable, int] = OrderedDict()

    def take(self, key: Hashable, number: int) -> Reader | None:
        """The one of this video whose position is nearest before a frame, or nearest at all; it is the caller's now."""
        found = [idle for idle in self._idle if idle.key == key]
        if not found:
            return None
        best = min(found, key=lambda idle: (idle.reader.next_number > number, abs(idle.reader.next_number - number)))
        self._idle.remove(best)
        best.timer.cancel()
        return best.reader

    def give(self, key: Hashable, reader: Reader) -> None:
        """Keep one for who comes next."""
        timer = asyncio.get_running_loop().call_later(self._seconds, self._expire, reader)
        self._idle.append(_Idle(key, reader, timer))
        while len(self._idle) > self._most:
            self._drop(self._idle[0])

    def ends_before(self, key: Hashable, number: int) -> bool:
        """Whether a video is known to have no such frame."""
        return number >= self._ends.get(key, number + 1)

    def ended(self, key: Hashable, number: int) -> None:
        """Remember that a video has no such frame."""
        self._ends[key] = min(number, self._ends.pop(key, number))
        if len(self._ends) > self._most_ends:
            self._ends.popitem(last=False)

    def close(self) -> None:
        """Close all."""
        for idle in tuple(self._idle):
            self._drop(idle)

    def _expire(self, reader: Reader) -> None:
        for idle in tuple(self._idle):
            if idle.reader is reader:
                self._drop(idle)

    def _drop(self, idle: _Idle) -> None:
        self._idle.remove(idle)
        idle.timer.cancel()
        idle.reader.close()

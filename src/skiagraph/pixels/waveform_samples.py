"""Samples of a waveform in physical units, as many as a picture shows — PS3.3 C.10.9.1.

Recordings last for days, so samples are read piece by piece, and what is longer than a picture is wide becomes its
least and greatest values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.waveform import MOST_CHANNELS, Group

LARGEST_READ: Final = 64 * 2**20
"""Bytes of a group that are read to draw it; of longer ones so much, spread evenly."""

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Span:
    """Samples of a group that are to be drawn, and as how many columns at most."""

    group: Group
    first: int
    """From 0."""
    count: int
    columns: int

    @property
    def exact(self) -> bool:
        """They are so few that each is drawn."""
        return self.count <= 2 * self.columns

    @property
    def sparse(self) -> bool:
        """They are so many that only a part of them is read."""
        return self.count * self.group.stride > LARGEST_READ

    @property
    def shown(self) -> int:
        """Channels that are drawn."""
        return min(len(self.group.channels), MOST_CHANNELS)

    def pieces(self, *, sequential: bool = False) -> Iterator[tuple[int, int]]:
        """What to read: first sample (from 0, of the group) and number of samples of each piece, ascending.

        Parameters
        ----------
        sequential
            All of them, as they can only be reached one behind the other.
        """
        most = max(_PIECE // self.group.stride, 1)
        if sequential or not self.sparse:
            for at in range(0, self.count, most):
                yield self.first + at, min(most, self.count - at)
            return
        each = max(LARGEST_READ // self.group.stride // self.columns, 1)
        for column in range(self.columns):
            start, end = (self.count * edge // self.columns for edge in (column, column + 1))
            if end > start:
                yield self.first + start, min(each, end - start)


@dataclass(frozen=True, slots=True)
class Trace:
    """Samples of a span as lines: `values[i]` of all channels at `times[i]`."""

    times: NDArray[np.float64]
    """Seconds from the first sample of the group, (points,)."""
    values: NDArray[np.float32]
    """In physical units, (points, channels); not a number where there is none."""


class Samples:
    """The samples of a span, gathered from pieces in any order."""

    def __init__(self, span: Span) -> None:
        self._span = span
        if span.exact:
            self._exact = np.full((span.count, span.shown), np.nan, np.float64)
        else:
            self._least = np.full((span.columns, span.shown), np.inf)
            self._greatest = np.full((span.columns, span.shown), -np.inf)

    def add(self, first: int, data: bytes | bytearray | memoryview) -> None:
        """Take whole samples of all channels, `first` being the number of the first of them in the group, from 0."""
        span, group = self._span, self._span.group
        length = len(data) // group.stride * group.stride
        if not length:
            return
        counts = np.frombuffer(data[:length], group.encoding.dtype).reshape(-1, len(group.channels))[:, : span.shown]
        if group.encoding.law:
            counts = _expansion(group.encoding.law)[counts]
        places = np.arange(first - span.first, first - span.first + len(counts))
        inside = (places >= 0) & (places < span.count)
        if not inside.all():
            counts, places = counts[inside], places[inside]
            if not len(counts):
                return
        if group.padding is not None:
            counts = np.where(counts == group.padding, np.nan, counts.astype(np.float64))
        if span.exact:
            self._exact[places] = counts
            return
        columns = places * span.columns // span.count
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        wanted = columns[starts]
        self._least[wanted] = np.fmin(self._least[wanted], np.fmin.reduceat(counts, starts, axis=0))
        self._greatest[wanted] = np.fmax(self._greatest[wanted], np.fmax.reduceat(counts, starts, axis=0))

    def trace(self) -> Trace:
        """What was gathered, in physical units."""
        span, group = self._span, self._span.group
        if span.exact:
            places = np.arange(span.count, dtype=np.float64)
            counts = self._exact
        else:
            middles = (np.arange(span.columns) + 0.5) * span.count / span.columns
            places = np.repeat(middles, 2)
            counts = np.empty((2 * span.columns, span.shown))
            counts[0::2], counts[1::2] = self._least, self._greatest
            counts[~np.isfinite(counts)] = np.nan
        channels = group.channels[: span.shown]
        scales = np.array([channel.scale for channel in channels])
        baselines = np.array([channel.baseline for channel in channels])
        values = np.clip(counts * scales + baselines, -3e38, 3e38).astype(np.float32)
        return Trace((span.first + places) / group.frequency, values)


@lru_cache(maxsize=2)
def _expansion(law: str) -> NDArray[np.int16]:
    """The linear values, scaled to 16 bits, of the 256 codes of ITU-T G.711."""
    codes = np.arange(256)
    if law == "mu":
        codes = ~codes & 0xFF
        steps = ((((codes & 0x0F) << 3) + 0x84) << ((codes >> 4) & 7)) - 0x84
        return np.where(codes & 0x80, -steps, steps).astype(np.int16)
    codes = codes ^ 0x55
    exponent, mantissa = (codes >> 4) & 7, (codes & 0x0F) << 4
    steps = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(codes & 0x80, steps, -steps).astype(np.int16)

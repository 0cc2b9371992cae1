"""Which sample of an MP4 file is which frame: the order in which frames are shown, and where decoding can begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skiagraph.standard import mp4
from skiagraph.standard.mp4 import Track


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The frames of a track, in units of its time scale."""

    shown: NDArray[np.int64]
    """Presentation times, ascending: of frame n at n - 1."""
    begins: NDArray[np.int64]
    """Presentation times, ascending, of the samples that decoding can begin at."""
    decoded: NDArray[np.int64]
    """Their decoding times, which is what seeking goes by."""

    @property
    def count(self) -> int:
        return len(self.shown)

    def begin(self, number: int) -> tuple[int, int]:
        """Decoding time of the sample to begin at for a frame (from 1), and number of the frame that it is."""
        place = int(np.searchsorted(self.begins, self.shown[number - 1], "right")) - 1
        if place < 0:
            return 0, 1
        return int(self.decoded[place]), self.number(int(self.begins[place]))

    def number(self, time: int) -> int:
        """Number (from 1) of the frame that is shown at a time."""
        return max(1, int(np.searchsorted(self.shown, time, "right")))


def of_track(track: Track) -> FrameIndex:
    """The index of a picture track; empty where its tables are."""
    deltas = _spread(track.tables.get(b"stts", b""), track.samples)
    times = np.cumsum(deltas) - deltas
    # With a sign in version 0 too: QuickTime writes it so, and a time that late would be none
    offsets = _spread(track.tables.get(b"ctts", b""), track.samples, signed=True)
    if len(offsets):
        # As the library that decodes has it: no frame is shown before it is decoded
        offsets = offsets - min(0, int(offsets.min()))
        offsets = np.pad(offsets, (0, max(0, len(times) - len(offsets))), "edge")[: len(times)]
        shown = times + offsets
    else:
        shown = times
    if b"stss" in track.tables:
        numbers = np.frombuffer(mp4.entries(track.tables[b"stss"], 1), np.uint32).astype(np.int64) - 1
        places = numbers[(numbers >= 0) & (numbers < len(times))]
    else:
        places = np.arange(len(times))
    order = np.argsort(shown[places], kind="stable")
    places = places[order]
    return FrameIndex(np.sort(shown, kind="stable"), shown[places], times[places])


def _spread(table: bytes, most: int, *, signed: bool = False) -> NDArray[np.int64]:
    """The value of each sample, of a table of runs."""
    found = np.frombuffer(mp4.entries(table, 2), np.uint32).reshape(-1, 2)
    values = found[:, 1].astype(np.int32) if signed else found[:, 1]
    return np.repeat(values.astype(np.int64), np.minimum(found[:, 0], most))[:most]

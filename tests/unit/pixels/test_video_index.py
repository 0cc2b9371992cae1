"""Which sample is which frame."""

from __future__ import annotations

import struct

import pytest

from skiagraph.pixels import video_index
from skiagraph.standard.mp4 import Box, Track


def track(samples: int, times: list[int], offsets: list[int] | None = None, begins: list[int] | None = None) -> Track:
    """A track by its tables: pairs of runs, and numbers of samples."""
    tables = {b"stts": struct.pack(f">LL{len(times)}L", 0, len(times) // 2, *times)}
    if offsets is not None:
        tables[b"ctts"] = struct.pack(">LL", 0, len(offsets) // 2) + b"".join(
            struct.pack(">Ll", *offsets[at : at + 2]) for at in range(0, len(offsets), 2)
        )
    if begins is not None:
        tables[b"stss"] = struct.pack(f">LL{len(begins)}L", 0, len(begins), *begins)
    return Track(b"avc1", 100, samples, tables, Box(b"trak", 0, 8, 8))


def test_without_reordering() -> None:
    index = video_index.of_track(track(4, [4, 10]))
    assert index.shown.tolist() == [0, 10, 20, 30]
    assert index.begin(3) == (20, 3), "decoding begins anywhere"


def test_frames_are_counted_as_they_are_shown() -> None:
    """Decoded I P B B: shown I B B P."""
    index = video_index.of_track(track(4, [4, 10], [1, 10, 1, 30, 2, 0], [1]))
    assert index.shown.tolist() == [10, 20, 30, 40]
    assert [index.number(time) for time in (10, 20, 30, 40)] == [1, 2, 3, 4]
    assert index.begin(4) == (0, 1)


def test_a_frame_that_refers_to_a_group_before_begins_there() -> None:
    """An open group: the fourth sample can be begun at, but the fifth is shown before it and needs what was before."""
    index = video_index.of_track(track(6, [6, 10], [3, 0, 1, 10, 1, -10, 1, 0], [1, 4]))
    assert index.shown.tolist() == [10, 20, 30, 40, 50, 60]
    assert index.begin(4) == (0, 1)
    assert index.begin(5) == (30, 5)


def test_negative_offsets_are_moved_as_the_decoder_moves_them() -> None:
    index = video_index.of_track(track(3, [3, 10], [1, 0, 1, 10, 1, -10]))
    assert index.shown.tolist() == [10, 20, 30]


def test_times_of_different_length() -> None:
    index = video_index.of_track(track(4, [2, 10, 2, 100]))
    assert index.shown.tolist() == [0, 10, 20, 120]
    assert [index.number(time) for time in (0, 15, 119, 10**9)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("made", "count"),
    [
        pytest.param(track(0, []), 0, id="nothing"),
        pytest.param(track(3, [10, 10]), 3, id="more times than samples"),
        pytest.param(track(9, [3, 10]), 3, id="fewer times than samples"),
        pytest.param(track(3, [3, 10], [1, 5]), 3, id="fewer offsets than samples"),
        pytest.param(track(3, [3, 10], None, [0, 99]), 3, id="no sample to begin at"),
        pytest.param(track(3, [3, 2**32 - 1], [3, -(2**31)]), 3, id="numbers at their limits"),
    ],
)
def test_tables_that_contradict_each_other(made: Track, count: int) -> None:
    index = video_index.of_track(made)
    assert index.count == count
    for number in range(1, count + 1):
        _, begin = index.begin(number)
        assert 1 <= begin <= number

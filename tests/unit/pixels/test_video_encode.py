"""Videos that are made: every browser plays them, and the same pictures give the same bytes."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

import video_files
from skiagraph.pixels import video_encode
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.video_color import rgb
from skiagraph.pixels.video_decode import VideoReader
from skiagraph.pixels.video_encode import VideoCopy, VideoWriter
from skiagraph.standard.part10 import BytesSource
from video_files import CONTAINERS, decoded, video


def made(pictures: list[NDArray[np.uint8]], milliseconds: list[float] | float = 40.0, **options: Any) -> bytes:
    out = io.BytesIO()
    rows, columns = pictures[0].shape[:2]
    times = milliseconds if isinstance(milliseconds, list) else [milliseconds] * len(pictures)
    writer = VideoWriter(out, columns, rows, rate=video_encode.speed(times[0]), **options)
    for picture, time in zip(pictures, times, strict=True):
        writer.add(picture, time)
    writer.finish()
    return out.getvalue()


def plain(value: int | tuple[int, int, int], rows: int = 48, columns: int = 64) -> NDArray[np.uint8]:
    shape = (rows, columns) if isinstance(value, int) else (rows, columns, 3)
    return np.full(shape, value, np.uint8)


def test_what_browsers_play() -> None:
    with av.open(io.BytesIO(made([plain(9), plain(200)]))) as file:
        (stream,) = file.streams
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 13, 1)
        assert not context.has_b_frames
        assert (stream.start_time, stream.frames, stream.average_rate) == (0, 2, 25)


def test_the_same_pictures_give_the_same_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (12, 48, 64, 3), np.uint8)
    assert made(list(noise)) == made(list(noise))


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255, (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 40, 90)])
def test_values_come_back(value: int | tuple[int, int, int]) -> None:
    (found,) = decoded(made([plain(value)], quality=100))
    assert np.abs(found.astype(int) - value).max() <= 3


def test_gray_and_colour_are_the_same_gray() -> None:
    gray = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    (one,), (other,) = decoded(made([gray])), decoded(made([np.repeat(gray[..., None], 3, axis=2)]))
    assert np.abs(one.astype(int) - other).max() <= 4


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (47, 64), (48, 63), (2, 300)])
@pytest.mark.parametrize("value", [120, (200, 40, 90)], ids=["gray", "colour"])
def test_odd_sizes_get_a_line_more(size: tuple[int, int], value: int | tuple[int, int, int]) -> None:
    (found,) = decoded(made([plain(value, *size)]))
    assert found.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert np.abs(found.astype(int) - value).max() <= 8


def test_times() -> None:
    times = [40.0, 100.0, 33.366, 1000.0]
    with av.open(io.BytesIO(made([plain(50 * number) for number in range(4)], times))) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
        starts = [float(packet.pts * packet.time_base) * 1000 for packet in packets]
        ends = starts[-1] + float(packets[-1].duration * packets[-1].time_base) * 1000
    assert np.allclose([*starts, ends], [0, 40, 140, 173.366, 1173.366], atol=0.02)


def test_each_second_can_be_sought() -> None:
    with av.open(io.BytesIO(made([plain(number) for number in range(100)]))) as file:
        keys = [number for number, packet in enumerate(file.demux(video=0)) if packet.is_keyframe and packet.size]
    assert np.diff(keys).max() <= 25


def test_quality() -> None:
    noise = list(np.random.default_rng(1).integers(0, 256, (4, 48, 64, 3), np.uint8))
    sizes = [len(made(noise, quality=quality)) for quality in (1, 50, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[3] / 3
    assert len(made(noise)) == sizes[2], "90 by default"


def test_pixels_that_are_no_squares() -> None:
    with av.open(io.BytesIO(made([plain(9)], aspect=Fraction(16, 15)))) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(16, 15)


@pytest.mark.parametrize(
    ("columns", "rows", "fits"),
    [(4096, 2176, True), (8688, 1024, True), (8690, 2, False), (4096, 2178, False), (1, 1, True)],
)
def test_sizes(columns: int, rows: int, fits: bool) -> None:
    assert (video_encode.check_size(columns, rows) is None) is fits


@pytest.mark.parametrize("full", [False, True], ids=["limited range", "full range"])
def test_pictures_of_another_video(full: bool) -> None:
    """Their matrix stays, and is told; their range becomes limited."""
    source = VideoFrame.from_ndarray(plain((200, 40, 90)), format="rgb24").reformat(
        format="yuv420p", dst_colorspace=5, src_color_range=2, dst_color_range=2 if full else 1
    )
    source.colorspace, source.color_range = 6, 2 if full else 1
    out = io.BytesIO()
    writer = VideoWriter(out, 64, 48, rate=Fraction(25), tags=(6, 6, 6))
    writer.add_frame(source, 40)
    writer.finish()
    with av.open(io.BytesIO(out.getvalue())) as file:
        (frame,) = file.decode(video=0)
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc), int(frame.color_range)) == (
        6,
        6,
        6,
        1,
    )
    assert np.abs(rgb(frame).astype(int) - (200, 40, 90)).max() <= 3


# Copies


@pytest.mark.parametrize("name", ["H.264 in a transport stream", "H.264 in QuickTime", "H.264 in MP4"])
def test_coded_pictures_are_copied(name: str) -> None:
    container, codec, _ = CONTAINERS[name]
    data = video(container, codec)
    reader = VideoReader(BytesSource(data))
    assert VideoCopy.fits(reader)
    out = io.BytesIO()
    copy = VideoCopy(reader, out)
    while copy.step():
        pass
    copy.finish()
    assert [video_files.number_of(picture) for picture in decoded(out.getvalue())] == list(range(1, 31))
    with av.open(io.BytesIO(out.getvalue())) as file:
        assert file.start_time == 0


@pytest.mark.parametrize("name", ["H.265 in MP4", "MPEG-2 in a transport stream"])
def test_other_codings_are_not_copied(name: str) -> None:
    container, codec, _ = CONTAINERS[name]
    assert not VideoCopy.fits(VideoReader(BytesSource(video(container, codec))))


def test_profiles_that_browsers_do_not_play_are_not_copied() -> None:
    assert not VideoCopy.fits(VideoReader(BytesSource(high_10())))


def high_10() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        frame = av.video.frame.VideoFrame.from_ndarray(plain(9, 64, 64), format="gray").reformat(format="yuv420p10le")
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def test_a_stream_that_does_not_tell_times() -> None:
    copy = VideoCopy(VideoReader(BytesSource(video("h264"))), io.BytesIO())
    with pytest.raises(BadPixels):
        copy.step()


def test_failures_of_the_file_come_through() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    writer = VideoWriter(Full(), 64, 48, rate=Fraction(25))
    writer.add(plain(9), 40)
    with pytest.raises(OSError, match="space"):
        writer.finish()
    with pytest.raises(OSError, match="space"):
        made_in(Full(), 300)


def made_in(file: io.BytesIO, count: int) -> None:
    writer = VideoWriter(file, 64, 48, rate=Fraction(25))
    for number in range(count):
        writer.add(np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8), 40)

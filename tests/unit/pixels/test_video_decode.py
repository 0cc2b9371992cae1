"""Frames of stored videos: the right ones, in the right colours; nothing worse than `BadPixels` from hostile ones."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

import video_files
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.video_color import rgb
from skiagraph.pixels.video_decode import MOST_PIXELS, VideoReader, container_of
from skiagraph.standard.part10 import BytesSource
from video_files import CONTAINERS, video


def everything(reader: VideoReader) -> list[tuple[int, VideoFrame]]:
    found = []
    while True:
        try:
            frame = reader.read()
        except EOFError:
            return found
        if frame is not None:
            found.append(frame)


def frame(reader: VideoReader, number: int) -> tuple[int, int]:
    """Go to a frame; return which one the reader says it is, and which one it is."""
    reader.go_to(number)
    while (found := reader.read()) is None:
        pass
    return found[0], video_files.number_of(rgb(found[1]))


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_frame_in_order(name: str) -> None:
    container, codec, _ = CONTAINERS[name]
    reader = VideoReader(BytesSource(video(container, codec)))
    assert (reader.columns, reader.rows, reader.rate, reader.aspect) == (96, 64, 25, 1)
    found = [(number, video_files.number_of(rgb(one))) for number, one in everything(reader)]
    assert found == [(number, number) for number in range(1, 31)]


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_frame(name: str) -> None:
    """Before and behind, at the first picture of a group and beside it, twice the same."""
    container, codec, _ = CONTAINERS[name]
    reader = VideoReader(BytesSource(video(container, codec)))
    for number in (17, 3, 30, 11, 10, 1, 29, 29, 16, 2):
        assert frame(reader, number) == (number, number)


@pytest.mark.parametrize("name", CONTAINERS)
def test_far_frames(name: str) -> None:
    """Frames that are sought, as there are too many between; each shows its number modulo 40."""
    container, codec, _ = CONTAINERS[name]
    reader = VideoReader(BytesSource(long_video(container, codec)))
    for number in (397, 8, 300, 120, 119, 400, 1):
        assert frame(reader, number) == (number, (number - 1) % 40 + 1)


def long_video(container: str, codec: str) -> bytes:
    """Ten times forty frames, group after group."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(
            codec, rate=25, options={"g": "12", "bf": "2", "threads": "1", **_QUIET.get(codec, {})}
        )
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        if codec == "mpeg2video":
            stream.bit_rate = 2_000_000
        for number in range(400):
            gray = video_files.gray(number % 40 + 1)
            file.mux(stream.encode(VideoFrame.from_ndarray(np.full((32, 32, 3), gray, np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


_QUIET = {"libx265": {"x265-params": "log-level=none:keyint=12:bframes=2:pools=1:frame-threads=1"}}


@pytest.mark.parametrize("name", ["H.264 in MP4", "MPEG-2 in a transport stream", "MPEG-2 alone"])
def test_frames_that_do_not_exist(name: str) -> None:
    container, codec, _ = CONTAINERS[name]
    reader = VideoReader(BytesSource(video(container, codec)))
    with pytest.raises((BadPixels, EOFError)):
        frame(reader, 31)
    assert frame(reader, 5) == (5, 5), "the reader goes on"


def test_a_fragmented_file() -> None:
    reader = VideoReader(BytesSource(video(movflags="frag_keyframe+empty_moov")))
    assert frame(reader, 22) == (22, 22)
    assert frame(reader, 4) == (4, 4)


# Hostile


def test_pictures_that_are_too_large(tmp_path: Path) -> None:
    """A sequence header of 4095 × 4095, of which only some bytes are needed to have a decoder allocate much."""
    data = bytearray(video("mpeg2video", "mpeg2video"))
    for at in range(len(data) - 8):
        if data[at : at + 4] == b"\0\0\1\xb3":
            data[at + 4 : at + 7] = b"\xff\xff\xff"
    with pytest.raises(BadPixels, match=f"more than the {MOST_PIXELS}"):
        VideoReader(BytesSource(bytes(data)))


@pytest.mark.parametrize("container", ["mp4", "mpegts", "h264"])
def test_pictures_larger_than_level_5_1(container: str) -> None:
    """Before any of them is decoded: a few bytes can stand for a picture of any size."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 4096, 2304, "yuv420p"
        file.mux(stream.encode(VideoFrame(4096, 2304, "yuv420p")))
        file.mux(stream.encode(None))
    with pytest.raises(BadPixels, match=f"more than the {MOST_PIXELS}|can not be read"):
        VideoReader(BytesSource(out.getvalue()))


def test_many_streams() -> None:
    """A program map of a thousand streams."""
    entries = b"".join(struct.pack(">BHH", 0x1B, 0xE000 | 0x100 + number, 0xF000) for number in range(1, 33))
    table = struct.pack(">BHHBBBHH", 2, 0xB000 | 13 + len(entries), 1, 0xC1, 0, 0, 0xE101, 0xF000) + entries + bytes(4)
    programs = struct.pack(">BHHBBBHH", 0, 0xB00D, 1, 0xC1, 0, 0, 1, 0xE050) + bytes(4)

    def packet(pid: int, section: bytes) -> bytes:
        return struct.pack(">BHB", 0x47, 0x4000 | pid, 0x10) + (b"\0" + section).ljust(184, b"\xff")[:184]

    data = (packet(0, programs) + packet(0x50, table)) * 200
    with pytest.raises(BadPixels):
        VideoReader(BytesSource(data))


def test_many_tracks() -> None:
    """Of many tracks only the first one with pictures is given to the decoder."""
    data = video()
    at = data.index(b"moov") - 4
    head, moov = data[:at], data[at:]
    start = moov.index(b"trak") - 4
    track = moov[start : start + int.from_bytes(moov[start : start + 4], "big")]
    moov = moov[:start] + track * 2000 + moov[start + len(track) :]
    moov = struct.pack(">L", len(moov)) + moov[4:]
    reader = VideoReader(BytesSource(head + moov))
    assert len(everything(reader)) == 30


def test_a_stream_without_pictures_ends() -> None:
    """A parameter set, and then bytes in which no picture begins: they are not gathered for ever."""

    class Endless:
        size = 2**40
        head = video("h264")[:60]

        def read_at(self, offset: int, length: int) -> bytes:
            return self.head[offset : offset + length].ljust(min(length, 2**16), b"\xaa")

    with pytest.raises((BadPixels, EOFError)):
        everything(VideoReader(Endless()))


@pytest.mark.parametrize("name", CONTAINERS)
def test_cut_off(name: str) -> None:
    """What is there is shown; nothing else comes."""
    container, codec, _ = CONTAINERS[name]
    data = video(container, codec)
    for length in (3, 30, len(data) // 2, len(data) - 7):
        try:
            found = everything(VideoReader(BytesSource(data[:length])))
        except BadPixels:
            continue
        assert len(found) <= 30


@settings(max_examples=100)
@given(st.data())
def test_damaged(data: st.DataObject) -> None:
    container, codec, _ = CONTAINERS[data.draw(st.sampled_from(sorted(CONTAINERS)))]
    content = bytearray(video(container, codec))
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 4))] = data.draw(st.binary(max_size=4))
    try:
        reader = VideoReader(BytesSource(bytes(content)))
        reader.go_to(data.draw(st.integers(1, 30)))
        for _, frame in everything(reader):
            assert rgb(frame).ndim == 3
    except BadPixels:
        pass


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"\0\0\0\x18ftypisom", "mp4", id="MP4"),
        pytest.param(b"\x47" + bytes(187) + b"\x47", "mpegts", id="transport stream"),
        pytest.param(bytes(4) + b"\x47" + bytes(191) + b"\x47", "mpegts", id="with time stamps"),
        pytest.param(b"\0\0\1\xba", "mpeg", id="program stream"),
        pytest.param(b"\0\0\1\xb3", "mpegvideo", id="MPEG-2"),
        pytest.param(b"\0\0\0\1\x67", "h264", id="H.264 parameter set"),
        pytest.param(b"\0\0\1\x09", "h264", id="H.264 delimiter"),
        pytest.param(b"\0\0\0\1\x40\1", "hevc", id="H.265 parameter set"),
        pytest.param(b"\0\0\0\1\x46\1", "hevc", id="H.265 delimiter"),
    ],
)
def test_containers(head: bytes, expected: str) -> None:
    assert container_of(head) == expected


@pytest.mark.parametrize(
    "head", [b"", b"\xff\xd8\xff", b"RIFF....AVI ", b"\x1a\x45\xdf\xa3", b"\0\0\0\1\xff", b"#EXTM3U"]
)
def test_no_other_containers(head: bytes) -> None:
    with pytest.raises(BadPixels):
        container_of(head)

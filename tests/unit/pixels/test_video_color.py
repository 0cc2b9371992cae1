"""Colours of the pictures of a video."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from skiagraph.pixels.video_color import colours, rgb, tags


@pytest.mark.parametrize(
    ("space", "expected"),
    [pytest.param("bt709", (200, 40, 90), id="BT.709"), pytest.param("smpte170m", (200, 40, 90), id="BT.601")],
)
@pytest.mark.parametrize("full", [False, True], ids=["limited range", "full range"])
def test_colours_are_what_the_stream_says(space: str, expected: tuple[int, int, int], full: bool) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25, options={"qp": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        number = {"bt709": 1, "smpte170m": 6}[space]
        stream.codec_context.colorspace, stream.codec_context.color_range = number, 2 if full else 1
        picture = VideoFrame.from_ndarray(np.full((64, 64, 3), expected, np.uint8), format="rgb24").reformat(
            format="yuv420p", dst_colorspace={1: 1, 6: 5}[number], src_color_range=2, dst_color_range=2 if full else 1
        )
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with av.open(io.BytesIO(out.getvalue())) as file:
        (found,) = file.decode(video=0)
    assert np.abs(rgb(found).astype(int) - expected).max() <= 3


def test_a_size_that_changes_is_brought_to_one() -> None:
    frame = VideoFrame.from_ndarray(np.full((32, 48, 3), 99, np.uint8), format="rgb24")
    assert rgb(frame, (64, 96)).shape == (64, 96, 3)


def picture(
    rows: int = 48, *, matrix: int = 2, primaries: int = 2, transfer: int = 2, form: str = "yuv420p"
) -> VideoFrame:
    frame = VideoFrame(64, rows, form)
    frame.colorspace, frame.color_primaries, frame.color_trc = matrix, primaries, transfer
    return frame


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(picture(), (6, 6, 6), id="small, and nothing told"),
        pytest.param(picture(720), (1, 1, 1), id="large, and nothing told"),
        pytest.param(picture(720, matrix=5), (5, 5, 6), id="BT.601 of 625 lines"),
        pytest.param(picture(matrix=1, primaries=1, transfer=13), (1, 1, 13), id="all told"),
        pytest.param(picture(matrix=9, transfer=16), (9, 9, 16), id="BT.2020 with PQ"),
        pytest.param(picture(matrix=8, primaries=9), (6, 9, 6), id="a matrix that is not handled"),
    ],
)
def test_tags(frame: VideoFrame, expected: tuple[int, int, int]) -> None:
    assert tags(frame) == expected


def test_range() -> None:
    assert colours(picture())[1] == 1
    assert colours(picture(form="yuvj420p"))[1] == 2

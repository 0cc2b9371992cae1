"""Frames of stored videos as pictures: PS3.18 Table 8.7.2-1 makes each of them a Single Frame Image."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import video_files
from archives import Given, opened
from skiagraph.blobs.base import Opened
from skiagraph.errors import NoAcceptableRepresentation, PayloadTooLarge, ResourceNotFound
from skiagraph.pixels.image import BadPixels
from skiagraph.services import videos
from skiagraph.services.videos import StreamSource
from skiagraph.values import ByteRange
from video_files import CONTAINERS, number_of, stored, video


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive
        archive.archive.open_videos.close()


def picture(body: bytes) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_frame_of_any_video(given: Given, name: str) -> None:
    container, codec, syntax = CONTAINERS[name]
    (instance,) = given.store(stored(video(container, codec), syntax))
    for number in (20, 1, 30):
        answer = given.get(f"{instance.path}/frames/{number}/rendered", "image/png")
        assert answer.headers["content-type"] == "image/png"
        assert number_of(picture(answer.body)) == number
    assert picture(answer.body).shape == (64, 96, 3)


def test_frames_below_their_own_fragments(given: Given) -> None:
    (instance,) = given.store(stored(video(), "102.1", fragments=7))
    assert number_of(picture(given.get(f"{instance.path}/frames/17/rendered", "image/png").body)) == 17


def test_a_list_of_frames_and_all_of_them(given: Given) -> None:
    (instance,) = given.store(stored(video()))
    parts = given.get(f"{instance.path}/frames/9,2,30/rendered").parts
    assert [number_of(picture(part.body)) for part in parts] == [9, 2, 30]
    assert [part.location for part in parts] == [f"{instance.path}/frames/{number}" for number in (9, 2, 30)]
    parts = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/png"').parts
    assert [number_of(picture(part.body)) for part in parts] == list(range(1, 31))


def test_one_picture_of_all_is_the_middle_frame(given: Given) -> None:
    (instance,) = given.store(stored(video()))
    assert number_of(picture(given.get(f"{instance.path}/rendered", "image/png").body)) == 15
    thumbnail = picture(given.get(f"{instance.path}/thumbnail", "image/png").body)
    assert thumbnail.shape == (64, 96, 3)
    assert number_of(thumbnail) == 15
    of_study = given.get(f"{instance.path}".partition("/series")[0] + "/thumbnail", "image/png")
    assert number_of(picture(of_study.body)) == 15
    small = picture(given.get(f"{instance.path}/frames/3/thumbnail", "image/png", query="viewport=12,12").body)
    assert (small.shape, number_of(small)) == ((8, 12, 3), 3)


def test_an_animation(given: Given) -> None:
    (instance,) = given.store(stored(video()))
    answer = given.get(f"{instance.path}/rendered", "image/gif", query="viewport=48,32")
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(answer.body)))]
    assert [number_of(frame) for frame in frames] == list(range(1, 31))
    assert frames[0].shape == (32, 48, 3)


def test_parameters(given: Given) -> None:
    (instance,) = given.store(stored(video()))
    url = f"{instance.path}/frames/4/rendered"
    plain = picture(given.get(url, "image/png").body)
    written = picture(given.get(url, "image/png", query="annotation=patient").body)
    assert (plain != written).any()
    region = picture(given.get(url, "image/png", query="viewport=20,20,10,10,-20,20").body)
    assert region.shape == (20, 20, 3)
    assert Image.open(io.BytesIO(given.get(url, "image/png", query="iccprofile=srgb").body)).info["icc_profile"]


def test_a_shutter_and_overlays(given: Given) -> None:
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 10,
        "ShutterRightVerticalEdge": 90,
        "ShutterUpperHorizontalEdge": 5,
        "ShutterLowerHorizontalEdge": 60,
    }
    (instance,) = given.store(stored(video(), **shutter))
    found = picture(given.get(f"{instance.path}/frames/4/rendered", "image/png").body)
    assert (found[0, 0] == 0).all()
    assert (found[30, 40] > 0).all()


def test_frames_that_do_not_exist(given: Given) -> None:
    """By the data set 404; by the stream 406, and the others of a multipart answer are there."""
    short, whole = given.store(stored(video(), frames=33), stored(video()))
    assert isinstance(given.get(f"{whole.path}/frames/31/rendered").error, ResourceNotFound)
    assert isinstance(given.get(f"{short.path}/frames/33/rendered").error, NoAcceptableRepresentation)
    parts = given.get(f"{short.path}/frames/30,33/rendered", 'multipart/related; type="image/png"').parts
    assert [part.type for part in parts] == ["image/png", "text/plain"]
    assert isinstance(given.get(f"{whole.path}/frames/3").error, NoAcceptableRepresentation), "no value of its own"


@pytest.mark.parametrize("name", ["mp4", "mpegts", "mpeg2video"])
def test_all_frames_of_a_video_that_ends_early(given: Given, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What there is, and once that there is no more."""
    codec = "mpeg2video" if name == "mpeg2video" else "libx264"
    (instance,) = given.store(stored(video(name, codec), frames=100_000))
    opens = []
    real = video_files.av.open
    monkeypatch.setattr(video_files.av, "open", lambda *args, **more: opens.append(args) or real(*args, **more))
    parts = given.get(f"{instance.path}/rendered", 'multipart/related; type="image/png"').parts
    assert [part.type for part in parts] == ["image/png"] * 30 + ["text/plain"]
    assert parts[-1].body == b"The video ends before frame 31.\n"
    before = len(opens)
    listed = given.get(f"{instance.path}/frames/3,99,98,31,4/rendered", 'multipart/related; type="image/png"').parts
    assert [part.type for part in listed] == ["image/png", *["text/plain"] * 3, "image/png"], "one for each in a list"
    with Image.open(io.BytesIO(given.get(f"{instance.path}/rendered", "image/gif").body)) as animation:
        assert animation.n_frames == 30  # type: ignore[attr-defined]
    assert given.get(f"{instance.path}/frames/50/rendered").status == 406
    assert len(opens) <= before + 2, "that they are missing is known"


def test_a_damaged_frame_of_a_video_does_not_end_the_animation(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(stored(video()))
    real = videos._read

    async def read(archive: Any, reader: Any, subject: Any, wanted: Any) -> Any:
        if subject.frame == 2:
            raise BadPixels("It is damaged.")
        return await real(archive, reader, subject, wanted)

    monkeypatch.setattr(videos, "_read", read)
    with Image.open(io.BytesIO(given.get(f"{instance.path}/frames/1,2,3/rendered", "image/gif").body)) as animation:
        assert animation.n_frames == 3  # type: ignore[attr-defined]
    assert given.get(f"{instance.path}/frames/2,3/rendered", "image/gif").status == 406, "of no size that is known"


@pytest.mark.parametrize(
    "content", [b"\0\0\1\xb3 stream", bytes(1000), b"", video()[:900], video("mpegts")[:100]], ids=range(5)
)
def test_what_is_no_video_is_406_and_has_an_icon(given: Given, content: bytes) -> None:
    (instance,) = given.store(stored(content or b"\0\0"))
    for path in ("rendered", "frames/1/rendered"):
        assert isinstance(given.get(f"{instance.path}/{path}", "image/jpeg").error, NoAcceptableRepresentation)
    assert isinstance(given.get(f"{instance.path}/rendered", "video/mp4").error, NoAcceptableRepresentation | None)
    icon = picture(given.get(f"{instance.path}/thumbnail", "image/png").body)
    assert len(np.unique(icon.reshape(-1, 3), axis=0)) > 3


def test_a_frame_too_far_from_where_decoding_begins(tmp_path: Path) -> None:
    content = video("mpeg2video", "mpeg2video", 40)
    (tmp_path / "a").mkdir()
    with opened(tmp_path / "a", max_video_pixels=2**20) as given:
        (instance,) = given.store(stored(content * 10, "100", frames=400))
        assert given.get(f"{instance.path}/frames/3/rendered").status == 200
        error = given.get(f"{instance.path}/frames/400/rendered").error
        assert isinstance(error, PayloadTooLarge)
        assert "max_video_pixels" in error.message
        given.archive.open_videos.close()


def test_frame_after_frame_is_read_in_one_row(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is kept where it stopped."""
    opens = []
    real = video_files.av.open
    monkeypatch.setattr(video_files.av, "open", lambda *args, **more: opens.append(args) or real(*args, **more))
    (instance,) = given.store(stored(video()))
    given.get(f"{instance.path}/frames/1,2,3,4,5,9,12/rendered")
    assert len(opens) == 1


def test_ranges_of_a_blob_are_one_source() -> None:
    class Blob:
        size = 20

        def read_at(self, offset: int, length: int) -> bytes:
            return bytes(range(20))[offset : offset + length]

        def close(self) -> None:
            pass

    blob: Opened = Blob()
    ranges = (ByteRange(2, 3), ByteRange(7, 0), ByteRange(8, 1), ByteRange(12, 5))
    whole = bytes([2, 3, 4, 8, 12, 13, 14, 15, 16])
    source = StreamSource(blob, ranges)
    assert source.size == 9
    for offset, length in itertools.product(range(11), range(11)):
        assert source.read_at(offset, length) == whole[offset : offset + length]

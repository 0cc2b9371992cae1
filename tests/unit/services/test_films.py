"""Multi-frame images and stored videos as video/mp4 — PS3.18 Table 8.7.4-1, §8.3.5.1."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit

import video_files
from archives import BASE, Given, compressed, opened
from dicom_files import ct, part10
from skiagraph.errors import BadRequest, NoAcceptableRepresentation, PayloadTooLarge
from skiagraph.pixels import picture, video_encode
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition
from skiagraph.services import films, pictures, rendered
from skiagraph.standard import mp4
from skiagraph.standard.part10 import BytesSource
from skiagraph.wire.message import Request, Response
from video_files import CONTAINERS, decoded, number_of, stored, video

MP4 = "video/mp4"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def cine(frames: int = 12, rows: int = 32, columns: int = 48, **changes: Any) -> bytes:
    """A multi-frame image of plain gray frames."""
    data = b"".join(bytes([video_files.gray(number)]) * (rows * columns) for number in range(1, frames + 1))
    defaults: dict[str, Any] = {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "NumberOfFrames": frames,
        "FrameTime": 40,
        "PixelData": data + b"\0" * (len(data) % 2),
    }
    given = defaults | changes
    return part10(ct(**{name: value for name, value in given.items() if value is not None or name in _OF_CT}))


_OF_CT = ("RescaleSlope", "RescaleIntercept")


def numbers(body: bytes) -> list[int]:
    return [number_of(frame) for frame in decoded(body)]


# Multi-frame images


def test_all_frames_in_order(given: Given) -> None:
    (instance,) = given.store(cine())
    answer = given.get(f"{instance.path}/rendered", MP4)
    assert answer.status == 200
    assert answer.headers["content-type"] == MP4
    assert answer.headers["content-location"] == f"{BASE}/{instance.path}"
    assert answer.headers["accept-ranges"] == "bytes"
    assert numbers(answer.body) == list(range(1, 13))
    assert answer.body.index(b"moov") < answer.body.index(b"mdat"), "a player needs the index first"


def test_a_default_is_no_video(given: Given) -> None:
    """PS3.18 has none for multi-frame images; an img element shows an animation."""
    (instance,) = given.store(cine())
    assert given.get(f"{instance.path}/rendered").headers["content-type"] == "image/gif"
    browser = "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5"
    assert given.get(f"{instance.path}/rendered", browser).headers["content-type"] == MP4
    chromium = given.get(f"{instance.path}/rendered", "*/*", headers={"range": "bytes=0-"})
    assert (chromium.status, chromium.headers["content-type"]) == (206, MP4), "an animation can not be sought"


@pytest.mark.parametrize(
    ("attributes", "milliseconds"),
    [
        pytest.param({"FrameTime": 33.333}, 33.333, id="Frame Time"),
        pytest.param({"FrameTime": None, "CineRate": 50}, 20, id="Cine Rate"),
        pytest.param({"FrameTime": None, "RecommendedDisplayFrameRate": 8}, 125, id="Recommended Display Frame Rate"),
        pytest.param({"FrameTime": None}, 100, id="nothing"),
        pytest.param({"FrameTime": "0.0001"}, 4, id="faster than any display"),
        pytest.param({"FrameTime": 99999999}, 10_000, id="slower than anybody waits"),
    ],
)
def test_speed(given: Given, attributes: dict[str, Any], milliseconds: float) -> None:
    (instance,) = given.store(cine(5, **attributes))
    assert np.allclose(starts(given.get(f"{instance.path}/rendered", MP4).body), np.arange(6) * milliseconds, atol=0.05)


def test_frames_of_different_length(given: Given) -> None:
    """Frame Time Vector (0018,1065): each the time since the frame before."""
    (instance,) = given.store(cine(4, FrameTime=None, FrameTimeVector=[0, 10, 20, 300]))
    assert np.allclose(starts(given.get(f"{instance.path}/rendered", MP4).body), [0, 10, 30, 330, 630], atol=0.05)


def starts(body: bytes) -> list[float]:
    """When frames are shown, and the end of the last one; milliseconds."""
    with av.open(io.BytesIO(body)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    times = [float(packet.pts * packet.time_base) * 1000 for packet in packets]
    return [*times, times[-1] + float(packets[-1].duration * packets[-1].time_base) * 1000]


def test_parameters(given: Given) -> None:
    (instance,) = given.store(cine())

    def frames(query: str) -> list[np.ndarray]:  # type: ignore[type-arg]
        return decoded(given.get(f"{instance.path}/rendered", MP4, query=query).body)

    plain = frames("")
    assert plain[0].shape == (32, 48, 3)
    assert frames("viewport=23,100")[0].shape == (16, 24, 3), "23 × 15, and a line more on each side"
    assert frames("viewport=96,64")[0].shape == (64, 96, 3)
    dark = frames("window=1000,10,linear")
    assert max(int(frame.max()) for frame in dark) <= 3
    written = frames("viewport=300,200&annotation=patient")
    assert all(frame[:60, :150].max() > 230 for frame in written)
    few, many = (len(given.get(f"{instance.path}/rendered", MP4, query=f"quality={q}").body) for q in (1, 100))
    assert few <= many
    assert frames("iccprofile=srgb")[0].shape == plain[0].shape
    error = given.get(f"{instance.path}/rendered", MP4, query="iccprofile=adobergb").error
    assert isinstance(error, BadRequest)


def test_colour(given: Given) -> None:
    data = np.zeros((3, 32, 48, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    (instance,) = given.store(
        cine(3, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=data.tobytes())
    )
    (frame, *_) = decoded(given.get(f"{instance.path}/rendered", MP4).body)
    assert np.abs(frame.astype(int) - [200, 40, 90]).max() <= 3


def test_the_same_request_gives_the_same_bytes(given: Given, tmp_path: Path) -> None:
    file = cine()
    (instance,) = given.store(file)
    first = given.get(f"{instance.path}/rendered", MP4)
    second = given.get(f"{instance.path}/rendered", MP4)
    assert first.headers["etag"] == second.headers["etag"]
    assert not first.headers["etag"].startswith("W/")
    given.archive.scratch.clear()
    assert first.body == second.body == given.get(f"{instance.path}/rendered", MP4).body
    again = given.get(f"{instance.path}/rendered", MP4, headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = given.get(f"{instance.path}/rendered", MP4, query="viewport=24,16")
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [("bytes=0-", 0, None), ("bytes=0-99", 0, 100), ("bytes=50-1500", 50, 1501), ("bytes=-7", -7, None)],
)
def test_seeking(given: Given, header: str, start: int, end: int | None) -> None:
    """A video element asks for ranges, across the index that was put in front too."""
    (instance,) = given.store(cine())
    whole = given.get(f"{instance.path}/rendered", MP4).body
    answer = given.get(f"{instance.path}/rendered", MP4, headers={"range": header})
    assert (answer.status, answer.body) == (206, whole[start:end])
    assert answer.headers["content-range"].endswith(f"/{len(whole)}")


def test_ranges_cost_no_encoding(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(cine())
    whole = given.get(f"{instance.path}/rendered", MP4).body
    monkeypatch.setattr(video_encode.VideoWriter, "add", None)
    for at in (0, 700, len(whole) - 1):
        answer = given.get(f"{instance.path}/rendered", MP4, headers={"range": f"bytes={at}-{at}"})
        assert answer.body == whole[at : at + 1]


def test_head_makes_nothing(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(cine())
    with monkeypatch.context() as patch:
        patch.setattr(video_encode, "VideoWriter", None)
        answer = given.get(f"{instance.path}/rendered", MP4, method="HEAD")
    assert (answer.status, answer.length) == (200, None)
    whole = given.get(f"{instance.path}/rendered", MP4).body
    assert given.get(f"{instance.path}/rendered", MP4, method="HEAD").length == len(whole)


def test_a_damaged_frame_is_named(given: Given) -> None:
    frame = picture.encode(np.full((6, 8), 99, np.uint8), picture.JPEG)
    (instance,) = given.store(
        compressed([frame, frame, b"\xff\xd8 damaged"], JPEGBaseline8Bit, BitsAllocated=8, BitsStored=8, HighBit=7)
    )
    error = given.get(f"{instance.path}/rendered", MP4).error
    assert isinstance(error, BadPixels)
    assert error.message.startswith("Frame 3: ")
    assert not list((given.archive.settings.data / "made").glob("*")), "nothing is left"


def test_what_is_no_film(given: Given) -> None:
    slide = cine(SOPClassUID=pictures.WHOLE_SLIDE)
    for instance in given.store(cine(1), slide):
        error = given.get(f"{instance.path}/rendered", MP4).error
        assert isinstance(error, NoAcceptableRepresentation)
    (instance,) = given.store(cine())
    assert isinstance(given.get(f"{instance.path}/frames/1,2/rendered", MP4).error, NoAcceptableRepresentation)
    assert isinstance(given.get(f"{instance.path}/thumbnail", MP4).error, NoAcceptableRepresentation)


# Bounds


def test_no_more_pixels_than_the_limit(tmp_path: Path) -> None:
    with opened(tmp_path, max_video_pixels=2**20) as given:
        small, large = given.store(cine(4), cine(9, 512, 512))
        assert given.get(f"{small.path}/rendered", MP4).status == 200
        error = given.get(f"{large.path}/rendered", MP4).error
        assert isinstance(error, PayloadTooLarge)
        assert "max_video_pixels" in error.message


@pytest.mark.parametrize(
    ("query", "kind"), [("", PayloadTooLarge), ("viewport=9000,9000", BadRequest)], ids=["itself", "asked for"]
)
def test_no_larger_than_the_coding_allows(given: Given, query: str, kind: type[Exception]) -> None:
    (instance,) = given.store(cine(2, 2, 9000, PixelData=bytes(36000)))
    error = given.get(f"{instance.path}/rendered", MP4, query=query).error
    assert isinstance(error, kind)
    assert given.get(f"{instance.path}/rendered", MP4, query="viewport=2000,2000").status == 200


def test_no_more_bytes_than_the_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 256, 256), np.uint8).tobytes()
    with opened(tmp_path, video_bytes=2**20) as given:
        (instance,) = given.store(cine(40, 256, 256, PixelData=noise))
        error = given.get(f"{instance.path}/rendered", MP4).error
        assert isinstance(error, PayloadTooLarge)
        assert "video_bytes" in error.message
        assert not list((tmp_path / "made").glob("*"))
        assert given.get(f"{instance.path}/rendered", MP4, query="viewport=64,64").status == 200


# Together


def request(instance: Any) -> Request:
    path = instance.path

    async def body() -> Any:
        return
        yield b""

    variables = {
        "study": path.study_instance_uid,
        "series": path.series_instance_uid,
        "instance": path.sop_instance_uid,
    }
    return Request("GET", f"/{path}/rendered", "", {"accept": MP4}, variables, BASE, body)


def test_it_is_made_once_for_all_who_ask(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(cine())
    made = []
    real = films._make
    monkeypatch.setattr(films, "_make", lambda *args: made.append(args) or real(*args))

    async def main() -> list[Response]:
        return await asyncio.gather(*(rendered.retrieve(given.archive, request(instance)) for _ in range(5)))

    answers = asyncio.run(main())
    assert len(made) == 1
    assert len({answer.body for answer in answers if isinstance(answer.body, bytes)}) == 1


def test_another_process_is_waited_for(given: Given) -> None:
    (instance,) = given.store(cine())
    wanted = Rendition(MP4)
    begun = given.archive.scratch.draft(films._name(instance, wanted))
    assert begun is not None

    async def main() -> films.Film:
        task = asyncio.create_task(films.find(given.archive, instance, wanted))
        await asyncio.sleep(0)
        begun.write(video())
        await asyncio.to_thread(begun.keep)
        return await task

    assert asyncio.run(main()).length == len(video())


def test_nothing_is_made_for_who_has_left(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the step is over that is under way."""
    (instance,) = given.store(cine(30))
    left: list[asyncio.Event] = []
    added = []
    real = video_encode.VideoWriter.add

    def add(self: Any, *args: Any) -> None:
        added.append(args)
        left[0].loop.call_soon_threadsafe(left[0].set)  # type: ignore[attr-defined]
        real(self, *args)

    monkeypatch.setattr(video_encode.VideoWriter, "add", add)

    async def main() -> None:
        event = asyncio.Event()
        event.loop = asyncio.get_running_loop()  # type: ignore[attr-defined]
        left.append(event)

        task = asyncio.create_task(rendered.retrieve(given.archive, request(instance)))
        await event.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(main())
    assert 0 < len(added) < 30
    assert not list((given.archive.settings.data / "made").glob("*"))


def test_it_goes_on_while_somebody_waits(given: Given) -> None:
    (instance,) = given.store(cine())

    async def main() -> Response:
        tasks = [asyncio.create_task(rendered.retrieve(given.archive, request(instance))) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return await tasks[1]

    assert asyncio.run(main()).status == 200


# Stored videos


@pytest.mark.parametrize("name", CONTAINERS)
def test_stored_videos(given: Given, name: str) -> None:
    container, codec, syntax = CONTAINERS[name]
    content = video(container, codec)
    (instance,) = given.store(stored(content, syntax))
    answer = given.get(f"{instance.path}/rendered")
    assert answer.headers["content-type"] == MP4, "their default"
    assert numbers(answer.body) == list(range(1, 31))
    assert answer.body.index(b"moov") < answer.body.index(b"mdat")
    with av.open(io.BytesIO(answer.body)) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert file.streams.video[0].average_rate == 25
    part = given.get(f"{instance.path}/rendered", headers={"range": "bytes=100-199"})
    assert (part.status, part.body) == (206, answer.body[100:200])


def test_what_browsers_play_is_sent_as_it_is(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """The coded pictures byte for byte, from where they are stored."""
    content = video()
    one, many = given.store(stored(content), stored(content, "102.1", fragments=5))
    monkeypatch.setattr(films, "_make", None)
    monkeypatch.setattr(films.videos, "open_reader", None)
    for instance in (one, many):
        body = given.get(f"{instance.path}/rendered", MP4).body
        assert len(body) == len(content) + len(content) % 2
        data = content.index(b"mdat")
        coded = content[data : content.index(b"moov", data) - 4]
        assert coded in body
        assert given.get(f"{instance.path}/rendered", MP4, method="HEAD").length == len(body)


def test_an_index_in_front_stays_there(given: Given) -> None:
    last = video()
    pieces = mp4.in_front(mp4.read(BytesSource(last)), len(last))
    content = b"".join(one if isinstance(one, bytes) else last[one.offset : one.end] for one in pieces)
    (instance,) = given.store(stored(content))
    assert given.get(f"{instance.path}/rendered", MP4).body[: len(content)] == content


def test_coded_pictures_of_a_transport_stream_are_kept(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = given.store(stored(video("mpegts"), "103"))
    monkeypatch.setattr(films, "VideoWriter", None)
    assert numbers(given.get(f"{instance.path}/rendered", MP4).body) == list(range(1, 31))


def test_a_stream_that_can_not_be_copied_is_encoded(given: Given) -> None:
    """Its times begin anew in the middle, which no file can have."""
    (instance,) = given.store(stored(video("mpegts") * 2, "103", frames=60))
    answer = given.get(f"{instance.path}/rendered", MP4)
    assert numbers(answer.body) == [*range(1, 31), *range(1, 31)]
    assert answer.body.count(b"moov") == 1


def test_copies_are_not_limited_as_what_is_encoded(tmp_path: Path) -> None:
    with opened(tmp_path, max_video_pixels=2**20) as given:
        (instance,) = given.store(stored(video("mpegts"), "103", frames=100_000))
        assert given.get(f"{instance.path}/rendered", MP4).status == 200
        assert given.get(f"{instance.path}/rendered", MP4, query="quality=50").status == 413


def test_parameters_of_stored_videos(given: Given) -> None:
    (instance,) = given.store(stored(video()))
    frames = decoded(given.get(f"{instance.path}/rendered", MP4, query="viewport=49,31").body)
    assert frames[0].shape == (32, 48, 3)
    assert [number_of(frame) for frame in frames] == list(range(1, 31))
    written = decoded(given.get(f"{instance.path}/rendered", MP4, query="annotation=patient&viewport=300,200").body)
    assert all(frame[:60, :150].max() > 225 for frame in written)


def test_stored_videos_that_are_drawn_on_are_encoded(given: Given) -> None:
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 20,
        "ShutterRightVerticalEdge": 80,
        "ShutterUpperHorizontalEdge": 10,
        "ShutterLowerHorizontalEdge": 50,
    }
    (instance,) = given.store(stored(video(), **shutter))
    (frame, *_) = decoded(given.get(f"{instance.path}/rendered", MP4).body)
    assert frame[2, 2].max() <= 5
    assert number_of(frame[20:40, 30:70]) == 1


@pytest.mark.parametrize("length", [20, 700, 1500])
def test_damaged_videos_are_406_or_as_long_as_they_are(given: Given, length: int) -> None:
    for name in ("H.265 in MP4", "MPEG-2 in a program stream", "H.264 in a transport stream"):
        container, codec, syntax = CONTAINERS[name]
        (instance,) = given.store(stored(video(container, codec)[:length], syntax))
        answer = given.get(f"{instance.path}/rendered", MP4, query="viewport=48,32")
        if answer.error is not None:
            assert isinstance(answer.error, NoAcceptableRepresentation)
        else:
            assert 0 < len(decoded(answer.body)) <= 30


def test_the_limit_counts_frames_that_are_there(tmp_path: Path) -> None:
    """Whatever Number of Frames says."""
    with opened(tmp_path, max_video_pixels=2**20) as given:
        content = video("mpeg2video", "mpeg2video", 40) * 5
        (instance,) = given.store(stored(content, "100", frames=1))
        assert isinstance(given.get(f"{instance.path}/rendered", MP4).error, PayloadTooLarge)


# Studies


def test_videos_among_other_things(given: Given) -> None:
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    film, image, one = given.store(
        stored(video(), SeriesNumber=1, InstanceNumber=1, **study),
        cine(InstanceNumber=2, **study),
        cine(1, InstanceNumber=3, **study),
    )
    answer = given.get("studies/1.2.3/rendered", 'multipart/related; type="video/mp4"')
    assert answer.status == 206
    assert "1 of 3 instances" in answer.headers["warning"]
    assert [part.location for part in answer.parts] == [str(film.path), str(image.path)]
    assert [len(numbers(part.body)) for part in answer.parts] == [30, 12]
    everything = given.get("studies/1.2.3/rendered").parts
    assert [part.type for part in everything] == [MP4] + ["image/jpeg"] * 13
    assert everything[-1].location == str(one.path)


def test_a_film_that_can_not_be_made_says_so_in_its_part(given: Given) -> None:
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    given.store(stored(b"\0\0\1\xb3 no", "100", InstanceNumber=1, **study), cine(InstanceNumber=2, **study))
    parts = given.get("studies/1.2.3/rendered", 'multipart/related; type="video/mp4"').parts
    assert [part.type for part in parts] == ["text/plain", MP4]

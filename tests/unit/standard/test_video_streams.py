"""What videos say of themselves."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.part10 import BytesSource
from skiagraph.standard.video_streams import VideoStream, recognize


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">L4s", 8 + len(body), kind) + body


def mp4(kind: bytes = b"avc1", *, profile: int = 100, level: int = 41, frames: int = 12, front: bytes = b"") -> bytes:
    """The boxes of an MP4 file that tell of its picture track, behind a sound track."""
    entry = bytearray(78)
    struct.pack_into(">HH", entry, 24, 320, 240)
    if kind == b"avc1":
        configuration = box(b"avcC", bytes([1, profile, 0, level]), bytes(20))
    else:
        configuration = box(b"hvcC", bytes([1, profile]), bytes(10), bytes([level]), bytes(20))
    sound = box(b"stsd", bytes(8), box(b"mp4a", bytes(100)))
    picture = box(b"stsd", bytes(8), box(kind, bytes(entry), box(b"pasp", bytes(8)), configuration))
    sizes = box(b"stsz", bytes(8), struct.pack(">L", frames))

    def track(handler: bytes, description: bytes) -> bytes:
        times = box(b"mdhd", struct.pack(">LLLLL", 0, 0, 0, 1000, 480), bytes(4))
        return box(
            b"trak",
            box(
                b"mdia",
                times,
                box(b"hdlr", bytes(8), handler, bytes(13)),
                box(b"minf", box(b"stbl", description, sizes)),
            ),
        )

    return box(b"ftyp", b"isom") + front + box(b"moov", track(b"soun", sound), track(b"vide", picture))


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        pytest.param(mp4(), "102", id="High 4.1"),
        pytest.param(mp4(profile=77, level=31), "102", id="Main"),
        pytest.param(mp4(level=42), "104", id="High 4.2"),
        pytest.param(mp4(profile=128, level=42), "106", id="Stereo High"),
        pytest.param(mp4(b"hvc1", profile=1, level=153), "107", id="H.265 Main"),
        pytest.param(mp4(b"hev1", profile=2, level=93), "108", id="H.265 Main 10"),
        pytest.param(mp4(front=box(b"mdat", bytes(999))), "102", id="pictures before their description"),
        pytest.param(mp4(front=struct.pack(">L4sQ", 1, b"mdat", 16 + 99) + bytes(99)), "102", id="a length of 64 bits"),
    ],
)
def test_mp4(data: bytes, syntax: str) -> None:
    assert recognize(BytesSource(data)) == VideoStream(
        f"1.2.840.10008.1.2.4.{syntax}", 240, 320, 12, 40.0, bits=10 if syntax == "108" else 8
    )


@pytest.mark.parametrize(("count", "found"), [(10, True), (2**17, False)])
def test_boxes_without_end(count: int, found: bool) -> None:
    """What is in front of the profile is not looked through for ever."""
    configuration = mp4()[mp4().index(b"avcC") - 4 :][:32]
    data = mp4().replace(configuration, box(b"free") * count + configuration)
    lengths = {kind: data.index(kind) - 4 for kind in (b"moov", b"avc1")}
    behind = data.rindex(b"trak") - 4
    parents = [
        lengths[b"moov"],
        behind,
        *(data.index(kind, behind) - 4 for kind in (b"mdia", b"minf", b"stbl", b"stsd")),
    ]
    whole = bytearray(data)
    for at in (*parents, lengths[b"avc1"]):
        longer = int.from_bytes(whole[at : at + 4], "big") + 8 * count
        whole[at : at + 4] = longer.to_bytes(4, "big")
    if found:
        assert recognize(BytesSource(bytes(whole))) == recognize(BytesSource(mp4()))
        return
    with pytest.raises(CannotUnderstand, match="does not tell its profile"):
        recognize(BytesSource(bytes(whole)))


@pytest.mark.parametrize(
    ("columns", "rows", "syntax"),
    [pytest.param(720, 576, "100", id="Main Level"), pytest.param(1920, 1080, "101", id="High Level")],
)
@pytest.mark.parametrize("front", [pytest.param(b"", id="elementary"), pytest.param(b"\0\0\1\xba\x44", id="program")])
def test_mpeg_2(columns: int, rows: int, syntax: str, front: bytes) -> None:
    data = front + b"\0\0\1\xb3" + (columns << 12 | rows).to_bytes(3, "big") + bytes(9)
    assert recognize(BytesSource(data)) == VideoStream(f"1.2.840.10008.1.2.4.{syntax}", rows, columns, None)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFFxxxxAVI ", id="another format"),
        pytest.param(b"\0\0\1\xba" + bytes(99), id="no sequence header"),
        pytest.param(mp4(level=51), id="H.264 level 5.1"),
        pytest.param(mp4(profile=110), id="H.264 High 10"),
        pytest.param(mp4(b"hvc1", profile=4, level=93), id="H.265 range extensions"),
        pytest.param(box(b"ftyp", b"isom") + box(b"moov"), id="no track"),
        pytest.param(box(b"ftyp", b"isom") + b"\0\0\0\3moov" + bytes(99), id="a box shorter than its header"),
        pytest.param(box(b"ftyp", b"isom") + box(b"moov") * 20_000, id="very many boxes"),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        recognize(BytesSource(data))


@given(st.data())
@settings(max_examples=100)
def test_damaged_videos_are_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(mp4()[: data.draw(st.integers(0, 700))])
    for at, value in data.draw(st.dictionaries(st.integers(0, 699), st.integers(0, 255), max_size=4)).items():
        if at < len(damaged):
            damaged[at] = value
    try:
        recognize(BytesSource(bytes(damaged)))
    except CannotUnderstand:
        pass


@pytest.mark.parametrize(
    ("pictures", "frames"),
    [
        pytest.param(b"\0\0\1\0abcd" * 7, 7, id="no extension, as in MPEG-1"),
        pytest.param((b"\0\0\1\0abcd\0\0\1\xb5\x8f\xff\x03" + bytes(3)) * 7, 7, id="frames"),
        pytest.param((b"\0\0\1\0ab\0\0\1\xb5\x8f\xff\1cd\0\0\1\0ab\0\0\1\xb5\x8f\xff\2cd") * 7, 7, id="fields"),
        pytest.param((b"\0\0\1\0abcd" + b"x" * 99_991) * 70, 70, id="more than is read at once"),
        pytest.param((b"\0\0\1\0abc" + b"x" * (2**20 - 9)) * 5, 5, id="across what is read at once"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_frames_of_mpeg_2(pictures: bytes, frames: int | None) -> None:
    stream = b"\0\0\1\xb3\x14\0\xf0\x15" + pictures
    assert recognize(BytesSource(stream)) == VideoStream("1.2.840.10008.1.2.4.100", 240, 320, frames, 1000 / 30)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("video-h264-1280x720.mp4", VideoStream("1.2.840.10008.1.2.4.102", 720, 1280, 12, 40.0)),
        ("video-hevc-1280x720.mp4", VideoStream("1.2.840.10008.1.2.4.107", 720, 1280, 12, 40.0)),
        ("video-mpeg2-720x576.m2v", VideoStream("1.2.840.10008.1.2.4.100", 576, 720, 12, 40.0)),
    ],
)
def test_real_videos(shared_data: Path, name: str, expected: VideoStream) -> None:
    assert recognize(BytesSource((shared_data / "payloads" / "video" / name).read_bytes())) == expected

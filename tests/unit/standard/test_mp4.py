"""MP4 files by their boxes."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import mp4
from skiagraph.standard.part10 import BytesSource
from skiagraph.values import ByteRange
from video_files import video


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">L4s", 8 + len(body), kind) + body


def joined(data: bytes, pieces: list[bytes | ByteRange]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else data[piece.offset : piece.end] for piece in pieces)


def track(samples: int = 3, times: bytes = struct.pack(">LLLL", 0, 1, 3, 10), handler: bytes = b"vide") -> bytes:
    sizes = box(b"stsz", struct.pack(">LLL", 0, 0, samples), bytes(4 * min(samples, 10)))
    table = box(b"stbl", box(b"stsd", bytes(8)), box(b"stts", times), sizes)
    return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12)), box(b"minf", table)))


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_file_tells_its_pictures(container: str) -> None:
    movie = mp4.read(BytesSource(video(container)))
    assert movie.track is not None
    assert (movie.track.codec, movie.track.profile, movie.track.samples) == (b"avc1", 100, 30)
    assert {b"stts", b"ctts", b"stss"} <= set(movie.track.tables)
    assert movie.brand == (b"isom" if container == "mp4" else b"qt  ")
    assert not movie.fragmented


def test_h265() -> None:
    movie = mp4.read(BytesSource(video("mp4", "libx265")))
    assert movie.track is not None
    assert (movie.track.codec, movie.track.profile) == (b"hev1", 1)


def test_the_index_goes_to_the_front() -> None:
    """Its offsets move with the data: every coded picture is where the index says."""
    data = video()
    movie = mp4.read(BytesSource(data))
    assert movie.moov.offset > movie.data, "the encoder writes it last"
    moved = joined(data, mp4.in_front(movie, len(data)))
    assert len(moved) == len(data)
    assert moved.index(b"moov") < moved.index(b"mdat")
    again = mp4.read(BytesSource(moved))
    assert mp4.in_front(again, len(moved)) == [ByteRange(0, len(moved))]
    with av.open(io.BytesIO(data)) as one, av.open(io.BytesIO(moved)) as other:
        for before, after in zip(one.demux(video=0), other.demux(video=0), strict=True):
            assert bytes(before) == bytes(after)


def test_a_type_that_comes_last_stays_there() -> None:
    """A box out of its place: nothing is sent twice."""
    data = video()
    kind = data[: int.from_bytes(data[:4], "big")]
    turned = data[len(kind) :] + kind
    movie = mp4.read(BytesSource(turned))
    assert movie.moov.offset > movie.data
    pieces = mp4.in_front(movie, len(turned))
    assert all(isinstance(piece, bytes) or piece.length > 0 for piece in pieces)
    moved = joined(turned, pieces)
    assert len(moved) == len(turned)
    assert moved[4:8] == b"moov"
    assert moved.endswith(kind)


def test_data_behind_the_index_stays() -> None:
    """Offsets of what follows the index do not change."""
    first, second = box(b"mdat", b"a" * 8), box(b"mdat", b"b" * 8)
    head = box(b"ftyp", b"isom")

    def chunks(*offsets: int) -> bytes:
        return box(b"stco", struct.pack(f">LL{len(offsets)}L", 0, len(offsets), *offsets))

    def whole(*offsets: int) -> bytes:
        moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", chunks(*offsets))))))
        return head + first + moov + second

    data = whole(0, 0)
    data = whole(data.index(b"aaaa"), data.index(b"bbbb"))
    moved = joined(data, mp4.in_front(mp4.read(BytesSource(data)), len(data)))
    at = moved.index(b"stco") + 12
    offsets = struct.unpack(">LL", moved[at : at + 8])
    assert [moved[offset : offset + 4] for offset in offsets] == [b"aaaa", b"bbbb"]


def test_offsets_that_have_no_room_stay() -> None:
    far = struct.pack(">LLL", 0, 1, 2**32 - 3)
    moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stco", far))))))
    data = box(b"ftyp", b"isom") + struct.pack(">L4sQ", 1, b"mdat", 2**32)
    movie = mp4.Movie(b"isom", mp4.Box(b"moov", 2**32, 2**32 + 8, 2**32 + len(moov)), moov, 12, 12, False, None)
    assert mp4.in_front(movie, 2**32 + len(moov)) == [ByteRange(0, 2**32 + len(moov))]
    assert len(data) == 28


def test_a_fragmented_file_stays_and_is_counted() -> None:
    data = video(movflags="frag_keyframe+empty_moov")
    movie = mp4.read(BytesSource(data))
    assert movie.fragmented
    assert mp4.in_front(movie, len(data)) == [ByteRange(0, len(data))]
    assert mp4.count_fragmented(BytesSource(data)) == 30


def test_what_is_no_picture_becomes_free_space() -> None:
    data = box(b"ftyp", b"isom") + box(
        b"moov", box(b"mvhd", bytes(4)), track(handler=b"soun"), track(), track(), box(b"udta", b"secret  ")
    )
    alone = mp4.pictures_alone(mp4.read(BytesSource(data)))
    assert [alone.count(kind) for kind in (b"mvhd", b"trak", b"udta", b"free")] == [1, 1, 0, 3]


def test_edits_become_free_space() -> None:
    """So that every sample is a frame."""
    data = video("mov")
    assert b"edts" in data
    assert b"edts" not in mp4.pictures_alone(mp4.read(BytesSource(data)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(box(b"ftyp", b"isom") + box(b"mdat", bytes(99)), id="no index"),
        pytest.param(box(b"moov", track(mp4.MOST_SAMPLES + 1)), id="too many samples"),
        pytest.param(box(b"moov", track(times=struct.pack(">LLLL", 0, 1, 2**32 - 1, 1))), id="too many times"),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        mp4.read(BytesSource(data))


def test_an_index_that_is_too_large() -> None:
    class Large:
        size = mp4.LARGEST_MOVIE_BOX + 9

        def read_at(self, offset: int, length: int) -> bytes:
            assert length <= 16, "it is not read"
            return (struct.pack(">L4s", self.size, b"moov") + bytes(8))[offset : offset + length]

    with pytest.raises(CannotUnderstand, match="more than"):
        mp4.read(Large())


@settings(max_examples=150)
@given(st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(video())
    start = content.index(b"moov")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.one_of(st.integers(0, 60), st.integers(start, len(content) - 5)))
        content[at : at + 4] = data.draw(st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\x08", b"trak", b"stbl", b""]))
    source = BytesSource(bytes(content[: data.draw(st.integers(start, len(content)))]))
    try:
        movie = mp4.read(source)
    except CannotUnderstand:
        return
    assert len(mp4.pictures_alone(movie)) == len(movie.content)
    assert len(joined(bytes(content), mp4.in_front(movie, source.size))) == source.size
    mp4.count_fragmented(source)


def test_entries() -> None:
    assert list(mp4.entries(struct.pack(">LLLL", 0, 1, 3, 10), 2)) == [3, 10]
    assert list(mp4.entries(struct.pack(">LLLL", 0, 2**31, 3, 10), 1)) == [3, 10], "no more than are there"
    assert np.frombuffer(mp4.entries(b"", 2), np.uint32).size == 0

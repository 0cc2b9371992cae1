"""Retrieve Frames: PS3.18 §10.4, §8.7.3.3; every native and encapsulated layout."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from archives import BASE, Given, compressed, opened
from dicom_files import ct, part10
from skiagraph.errors import BadRequest
from skiagraph.services.frames import parse
from skiagraph.services.stored_frames import shifted

ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
OCTETS = 'multipart/related; type="application/octet-stream"'
ANY = f"{OCTETS}; transfer-syntax=*"
STREAMS = [b"\xff\x4f\xff\x51 stream %d " % number for number in range(1, 6)]
JPEGS = [b"\xff\xd8\xff\xe0 stream %d\xff\xd9" % number for number in range(1, 6)]


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def native(
    syntax: str = ExplicitVRLittleEndian, frames: int = 3, bits: int = 16, rows: int = 4, columns: int = 5
) -> bytes:
    """Frames of ascending values, in the byte order of the syntax."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    pixels = numpy.arange(frames * rows * columns).astype(f"{order}u{bits // 8}").tobytes()
    data = ct(Rows=rows, Columns=columns, NumberOfFrames=frames, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OW" if bits > 8 else "OB"
    return part10(data, syntax)


def expected(number: int, bits: int = 16, rows: int = 4, columns: int = 5) -> bytes:
    size = rows * columns
    return numpy.arange((number - 1) * size, number * size).astype(f"<u{bits // 8}").tobytes()


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=["explicit", "implicit", "big endian", "deflated"],
)
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_native_frames_are_little_endian(given: Given, syntax: str, bits: int) -> None:
    """§8.7.3.3.1, whatever the stored byte order."""
    (instance,) = given.store(native(syntax, bits=bits))
    answer = given.get(f"{instance.path}/frames/1,2,3")
    assert answer.status == 200
    assert [part.body for part in answer.parts] == [expected(number, bits) for number in (1, 2, 3)]
    assert [part.location for part in answer.parts] == [f"{instance.path}/frames/{number}" for number in (1, 2, 3)]
    assert {part.headers["content-type"] for part in answer.parts} == {
        f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    }
    assert answer.length == len(answer.body)


@pytest.mark.parametrize("asked", ["2", "3,1", "2,3,1"])
def test_frames_come_in_the_order_asked_for(given: Given, asked: str) -> None:
    (instance,) = given.store(native())
    answer = given.get(f"{instance.path}/frames/{asked}")
    assert [part.body for part in answer.parts] == [expected(int(number)) for number in asked.split(",")]


def test_big_endian_words_across_odd_frames(given: Given) -> None:
    """OW of 8 bits: bytes are swapped in pairs of the whole value, and frames of 9 bytes begin within pairs."""
    data = ct(Rows=3, Columns=3, NumberOfFrames=2, BitsAllocated=8, BitsStored=8, HighBit=7)
    pixels = bytes(range(18))
    data.PixelData = numpy.frombuffer(pixels, "<u2").byteswap().tobytes()
    data["PixelData"].VR = "OW"
    (instance,) = given.store(part10(data, ExplicitVRBigEndian))
    answer = given.get(f"{instance.path}/frames/1,2")
    assert [part.body for part in answer.parts] == [pixels[:9], pixels[9:]]


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixel_data(given: Given, keyword: str) -> None:
    form = "<24f" if keyword == "FloatPixelData" else "<24d"
    values = struct.pack(form, *(number / 3 for number in range(24)))
    data = ct(Rows=3, Columns=4, NumberOfFrames=2, BitsAllocated=32 if form == "<24f" else 64, PixelData=None)
    setattr(data, keyword, values)
    (instance,) = given.store(part10(data))
    answer = given.get(f"{instance.path}/frames/2")
    assert answer.parts[0].body == values[len(values) // 2 :]


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=["little", "big"])
def test_one_bit_frames_start_with_their_first_bit(given: Given, rows: int, syntax: str) -> None:
    """PS3.5 §8.1.1: frames of 5·rows bits are packed without gaps, each sent from a byte of its own."""
    generator = numpy.random.default_rng(rows)
    bits = generator.integers(0, 2, (7, rows * 5), dtype="u1")
    packed = numpy.packbits(bits.ravel(), bitorder="little").tobytes()
    data = ct(Rows=rows, Columns=5, NumberOfFrames=7, BitsAllocated=1, BitsStored=1, HighBit=0)
    data.PixelData = packed + b"\0" * (len(packed) % 2)
    data["PixelData"].VR = "OB"
    (instance,) = given.store(part10(data, syntax))
    answer = given.get(f"{instance.path}/frames/7,1,2,3,4,5,6")
    frames = [numpy.packbits(one, bitorder="little").tobytes() for one in bits]
    assert [part.body for part in answer.parts] == [frames[6], *frames[:6]]
    single = given.get(f"{instance.path}/frames/3", "application/octet-stream", headers={"range": "bytes=0-0"})
    assert single.body == frames[2][:1]


@settings(max_examples=200, deadline=None)
@given_by(st.binary(min_size=1, max_size=40), st.data())
def test_shifting_bits(data: bytes, draw: st.DataObject) -> None:
    """The same as with numbers of any length, however the stream is cut."""
    shift = draw.draw(st.integers(0, 7))
    bits = draw.draw(st.integers(1, max(1, 8 * len(data) - shift)))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=4)))
    chunks = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def run() -> bytes:
        return b"".join([chunk async for chunk in shifted(stream(), shift, bits)])

    number = int.from_bytes(data, "little") >> shift & (1 << bits) - 1
    assert asyncio.run(run()) == number.to_bytes(-(-bits // 8), "little")


@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_compressed_frames_are_the_bare_stream(given: Given, fragments: int) -> None:
    """§8.7.3.3.2: no Items, no offset table; Fragments of one frame are put together."""
    (instance,) = given.store(compressed(STREAMS, JPEG2000Lossless, fragments=fragments))
    answer = given.get(f"{instance.path}/frames/2,5,1", ANY)
    assert [part.body.rstrip(b"\0") for part in answer.parts] == [STREAMS[1], STREAMS[4], STREAMS[0]]
    assert {part.headers["content-type"] for part in answer.parts} == {f"image/jp2; transfer-syntax={JPEG2000Lossless}"}
    assert answer.headers["content-type"].startswith('multipart/related; type="image/jp2"; boundary=')
    assert answer.length == len(answer.body)


MULTIPART = 'multipart/related; type="{}"'


@pytest.mark.parametrize(
    ("stored", "accept", "sent"),
    [
        pytest.param(JPEG2000Lossless, ANY, "image/jp2", id="as widespread viewers ask"),
        pytest.param(JPEG2000Lossless, "*/*", "image/jp2", id="as stored"),
        pytest.param(JPEG2000Lossless, MULTIPART.format("image/*"), "image/jp2", id="8.7.3.5 wildcard in type"),
        pytest.param(JPEG2000Lossless, "multipart/related; type=image/jp2", "image/jp2", id="unquoted"),
        pytest.param(JPEG2000Lossless, MULTIPART.format("image/jp2"), "image/jp2", id="8.7.3-5 default of jp2 is .90"),
        pytest.param(
            JPEG2000Lossless,
            MULTIPART.format("image/jp2") + f"; transfer-syntax={JPEG2000}",
            None,
            id="damaged, asked for in another syntax of the same type",
        ),
        pytest.param(JPEG2000Lossless, OCTETS, None, id="damaged, needs decoding"),
        pytest.param(JPEG2000Lossless, MULTIPART.format("image/jls"), None, id="damaged, needs transcoding"),
        pytest.param("1.2.840.10008.1.2.4.92", OCTETS, None, id="no decoder"),
        pytest.param(
            JPEGLosslessSV1, MULTIPART.format("image/jpeg"), "image/jpeg", id="8.7.3-5 default of jpeg is .70"
        ),
        pytest.param(
            JPEGBaseline8Bit, MULTIPART.format("image/jpeg"), "image/jpeg", id="8.7.3.4 lossy is all there is"
        ),
        pytest.param(JPEGBaseline8Bit, OCTETS, "image/jpeg", id="8.7.3.4 damaged, also for octet-stream"),
        pytest.param(JPEGLSLossless, MULTIPART.format("image/x-jls"), "image/jls", id="obsolete name"),
        pytest.param(RLELossless, MULTIPART.format("image/x-dicom-rle"), "image/dicom-rle", id="obsolete name of RLE"),
        pytest.param(HTJ2KLossless, MULTIPART.format("image/jphc"), "image/jphc", id="HTJ2K"),
        pytest.param(ExplicitVRLittleEndian, MULTIPART.format("image/jp2"), "image/jp2", id="encoded"),
        pytest.param(ExplicitVRLittleEndian, MULTIPART.format("video/mp4"), None, id="no encoder"),
        pytest.param(ExplicitVRLittleEndian, ANY, "application/octet-stream", id="native"),
    ],
)
def test_accept(given: Given, stored: str, accept: str, sent: str | None) -> None:
    streams = JPEGS if "4.5" in stored or "4.7" in stored else STREAMS
    (instance,) = given.store(native() if stored == ExplicitVRLittleEndian else compressed(streams, stored))
    answer = given.get(f"{instance.path}/frames/1,2", accept)
    if sent is None:
        assert answer.status == 406
        assert answer.error.details  # type: ignore[union-attr]
    else:
        assert answer.status == 200
        assert {part.type for part in answer.parts} == {sent}


@pytest.mark.parametrize(
    ("accept", "frames", "content_type"),
    [
        pytest.param("image/jp2", "1", f"image/jp2; transfer-syntax={JPEG2000Lossless}", id="single part"),
        pytest.param("image/jp2", "1,2", None, id="8.6.1 single part is for one"),
        pytest.param(
            "image/avif,image/webp,image/*,*/*;q=0.8",
            "1",
            f"image/jp2; transfer-syntax={JPEG2000Lossless}",
            id="img element of a browser",
        ),
        pytest.param("*/*", "1", "multipart/related", id="common §2.4: multipart is the default"),
    ],
)
def test_single_part(given: Given, accept: str, frames: str, content_type: str | None) -> None:
    (instance,) = given.store(compressed(STREAMS, JPEG2000Lossless))
    answer = given.get(f"{instance.path}/frames/{frames}", accept)
    if content_type is None:
        assert answer.status == 406
        return
    assert answer.headers["content-type"].startswith(content_type)
    if content_type.startswith("image"):
        assert answer.body.rstrip(b"\0") == STREAMS[0]
        assert answer.headers["content-location"] == f"{BASE}/{instance.path}/frames/1"


def test_encapsulated_uncompressed(given: Given) -> None:
    """1.2.840.10008.1.2.1.98: frames in Items, as they are; the padding of odd ones is none of theirs."""
    frames = [bytes(range(number, number + 15)) for number in range(3)]
    (instance,) = given.store(
        compressed(
            frames,
            ENCAPSULATED_UNCOMPRESSED,
            Rows=3,
            Columns=5,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
        )
    )
    answer = given.get(f"{instance.path}/frames/1,2,3", OCTETS)
    assert [part.body[:15] for part in answer.parts] == frames
    assert answer.parts[0].headers["content-type"].endswith(f"transfer-syntax={ExplicitVRLittleEndian}")


def test_frames_of_a_video(given: Given) -> None:
    """They can not be cut out of the stream; the answer says where the stream is."""
    (instance,) = given.store(video())
    answer = given.get(f"{instance.path}/frames/1")
    assert answer.status == 406
    assert "pixeldata" in str(answer.error)


def video() -> bytes:
    return compressed([b"\0\0\0\x18ftypmp42 one stream"], MPEG4HP41).replace(b"IS\x02\x001 ", b"IS\x02\x0025")


@pytest.mark.parametrize(
    ("frames", "named"),
    [("4", "missing: 4"), ("1,4", "missing: 4"), ("9,2,7", "missing: 9, 7"), ("99999999999999999999", "missing")],
)
def test_frames_that_do_not_exist(given: Given, frames: str, named: str) -> None:
    """404 with the list, and nothing sent."""
    (instance,) = given.store(native())
    answer = given.get(f"{instance.path}/frames/{frames}")
    assert answer.status == 404
    assert named in str(answer.error)
    assert "3 frames" in str(answer.error)


def test_an_instance_without_pixels_has_no_frames(given: Given) -> None:
    (instance,) = given.store(part10(ct(PixelData=None)))
    answer = given.get(f"{instance.path}/frames/1")
    assert answer.status == 404
    assert "no pixel data" in str(answer.error)


def test_a_single_frame_image_has_frame_one(given: Given) -> None:
    (instance,) = given.store(part10(ct()))
    assert given.get(f"{instance.path}/frames/1").parts[0].body == bytes(range(96))
    assert given.get(f"{instance.path}/frames/2").status == 404


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1,", ",1", "1,,2", "a", "1-3", "01", "1.5", "1,1", "2,1,2", "١", "+1"]
)
def test_malformed_lists(text: str) -> None:
    with pytest.raises(BadRequest):
        parse(text, 100)


@pytest.mark.parametrize(("text", "numbers"), [("1", [1]), ("3,1,2", [3, 1, 2]), ("1, 2", [1, 2])])
def test_lists(text: str, numbers: list[int]) -> None:
    assert parse(text, 100) == numbers


def test_most_frames_in_a_list() -> None:
    assert len(parse(",".join(map(str, range(1, 101))), 100)) == 100
    with pytest.raises(BadRequest, match="more than 100"):
        parse(",".join(map(str, range(1, 102))), 100)


def test_conditions_and_ranges(given: Given) -> None:
    (instance,) = given.store(native())
    path = f"{instance.path}/frames/2"
    first = given.get(path, "application/octet-stream")
    assert given.get(path, "application/octet-stream", headers={"if-none-match": first.headers["etag"]}).status == 304
    other = given.get(
        f"{instance.path}/frames/1", "application/octet-stream", headers={"if-none-match": first.headers["etag"]}
    )
    assert other.status == 200
    part = given.get(path, "application/octet-stream", headers={"range": "bytes=3-6"})
    assert (part.status, part.body) == (206, expected(2)[3:7])
    part = given.get(path, "*/*", headers={"range": "bytes=-3"})
    assert (part.status, part.body) == (206, expected(2)[-3:])


@pytest.mark.parametrize(
    "syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian], ids=["deflated", "big endian"]
)
def test_ranges_of_what_is_not_stored_so(given: Given, syntax: str) -> None:
    (instance,) = given.store(native(syntax))
    for first, last in [(0, 0), (1, 1), (1, 2), (3, 10), (0, 39), (39, 39)]:
        part = given.get(
            f"{instance.path}/frames/2", "application/octet-stream", headers={"range": f"bytes={first}-{last}"}
        )
        assert (part.status, part.body) == (206, expected(2)[first : last + 1])


def test_frames_far_into_deflated_data(given: Given) -> None:
    (instance,) = given.store(native(DeflatedExplicitVRLittleEndian, frames=3, rows=1000, columns=700))
    answer = given.get(f"{instance.path}/frames/3,1")
    assert [part.body for part in answer.parts] == [expected(number, 16, 1000, 700) for number in (3, 1)]


def test_many_small_frames_are_sent_in_few_chunks(given: Given) -> None:
    streams = [b"\xff\x4f\xff\x51" + bytes(1000) + b"%06d" % number for number in range(3000)]
    (instance,) = given.store(compressed(streams, JPEG2000Lossless))
    answer = given.get(f"{instance.path}/frames/" + ",".join(map(str, range(1, 3001))), ANY)
    assert len(answer.parts) == 3000
    assert answer.length == len(answer.body)

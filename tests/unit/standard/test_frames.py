"""Frame tables: native arithmetic, offset tables true and false, fragments by count, by start and by end."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest

import part10_bytes as b
from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.standard import part10
from skiagraph.standard.header import MULTI_FRAGMENT, Header, PixelData

SOI, EOI = b"\xff\xd8\xff\xe0", b"\xff\xd9"
RLE_START = b"\1\0\0\0\x40\0\0\0"
MPEG2 = "1.2.840.10008.1.2.4.101"
J2K = "1.2.840.10008.1.2.4.90"
LOST = "nothing tells where a frame begins"


def frames(data: bytes, header: Header) -> list[bytes]:
    """Cut the frames out as a server would."""
    pixels = header.pixel_data
    assert pixels is not None
    assert pixels.encapsulated
    cut = []
    for offset, length in zip(pixels.spans[::2], pixels.spans[1::2], strict=True):
        if length & MULTI_FRAGMENT:
            end = offset + (length ^ MULTI_FRAGMENT)
            frame = b""
            while offset < end:
                assert data[offset : offset + 4] == b"\xfe\xff\x00\xe0"
                (size,) = struct.unpack_from("<L", data, offset + 4)
                frame += data[offset + 8 : offset + 8 + size]
                offset += 8 + size
            assert offset == end
        else:
            frame = data[offset : offset + length]
        cut.append(frame)
    return cut


def words(*values: int, code: str = "L") -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


@dataclass
class Case:
    fragments: list[bytes]
    frames: list[bytes]
    declared: int | None = None
    table: bytes = b""
    syntax: str = b.JPEG_BASELINE
    extended: tuple[bytes, bytes] | None = None
    remark: str | None = None
    problem: str | None = None
    count: int | None = None
    more: dict[str, int] = field(default_factory=dict)


A, B, C = SOI + b"a" + EOI + b"\0", SOI + b"bbbb" + EOI, SOI + b"cccccc" + EOI
HALVES = [A[:4], A[4:], B[:4], B[4:]]

CASES = [
    pytest.param(Case([A], [A]), id="one frame, Number of Frames missing"),
    pytest.param(Case([A, B], [A, B], 2), id="A.4 one fragment a frame, empty table"),
    pytest.param(Case([A, B], [A, B], 2, words(0, 16)), id="A.4 one fragment a frame, Basic Offset Table"),
    pytest.param(Case([A[:4], A[4:]], [A]), id="A.4 one frame of several fragments"),
    pytest.param(Case(HALVES, [A, B], 2, words(0, 24)), id="A.4 several fragments a frame, Basic Offset Table"),
    pytest.param(Case(HALVES, [A, B], 2, words(0, 24, 50)), id="Basic Offset Table with the end as well"),
    pytest.param(Case([*HALVES, b""], [A, B], 2, words(0, 24)), id="an empty last fragment"),
    pytest.param(Case(HALVES, [A, B], 2), id="empty table: by the start of the code streams"),
    pytest.param(
        Case([*HALVES, SOI + b"thumb", EOI], [A, B + SOI + b"thumb" + EOI], 2, words(0, 24)),
        id="the table wins over what looks like a start",
    ),
    pytest.param(
        Case(HALVES, [A, B], 2, words(0, 20), remark="does not point to the fragments"),
        id="a table that lies: into a fragment",
    ),
    pytest.param(
        Case(HALVES, [A, B], 2, words(4, 24), remark="does not point to the fragments"),
        id="a table that lies: does not begin with 0",
    ),
    pytest.param(
        Case([A, B], [A, B], 2, words(0), remark="does not point to the fragments"),
        id="a table that lies: too short",
    ),
    pytest.param(
        Case([A, B], [A, B], 2, words(24, 0), remark="does not point to the fragments"),
        id="a table that lies: descending",
    ),
    pytest.param(
        Case(HALVES, [A, B], 2, extended=(words(0, 24, code="Q"), words(8, 10, code="Q"))),
        id="C.7.6.3.1.8 Extended Offset Table",
    ),
    pytest.param(
        Case([A, B], [A, B], 2, extended=(words(0, 99, code="Q"), words(8, 10, code="Q")), remark="does not point"),
        id="an Extended Offset Table that lies",
    ),
    pytest.param(
        Case([A, B], [A, B], 2, extended=(words(0, 16, code="Q"), words(8, code="Q"))),
        id="an Extended Offset Table whose lengths do not match is not looked at",
    ),
    pytest.param(
        Case([b"x" + EOI, b"yy", b"y" + EOI + b"\0"], [b"x" + EOI, b"yyy" + EOI + b"\0"], 2),
        id="empty table: by the end of the code streams",
    ),
    pytest.param(
        Case([SOI + b"1", SOI + b"2" + EOI, SOI + EOI], [SOI + b"1" + SOI + b"2" + EOI, SOI + EOI], 2),
        id="starts are too many, ends are right",
    ),
    pytest.param(
        Case([b"xx", b"yy", b"zz"], [], 2, problem=LOST, count=0), id="no code streams: frames can not be told apart"
    ),
    pytest.param(Case([A], [A], 3, problem="1 fragments, fewer than its 3 frames", count=1), id="frames are missing"),
    pytest.param(Case([], [], 2, problem="no fragments", count=0), id="no fragments"),
    pytest.param(Case([], [], problem="no fragments", count=0), id="no fragments, one frame"),
    pytest.param(Case([b"s1", b"s2"], [b"s1s2"], 12, syntax=MPEG2, count=12), id="A.4.5 video is one stream"),
    pytest.param(
        Case([RLE_START + b"a", RLE_START + b"bb"], [RLE_START + b"a", RLE_START + b"bb"], 2, syntax=b.RLE),
        id="A.4.2 RLE",
    ),
    pytest.param(
        Case(
            [RLE_START + b"aaa", b"aa", RLE_START + b"bb"], [RLE_START + b"aaaaa", RLE_START + b"bb"], 2, syntax=b.RLE
        ),
        id="RLE frames of several fragments",
    ),
    pytest.param(
        Case(
            [b"\xff\x4f\xff\x51a", b"a", b"\xff\x4f\xff\x51b"],
            [b"\xff\x4f\xff\x51aa", b"\xff\x4f\xff\x51b"],
            2,
            syntax=J2K,
        ),
        id="JPEG 2000",
    ),
    pytest.param(
        Case([b"\0\0", b"\1\1\1\1"], [b"\0\0", b"\1\1\1\1"], 2, syntax="1.2.840.10008.1.2.1.98"),
        id="A.4.11 encapsulated uncompressed",
    ),
    pytest.param(Case([b"\3\0", b"\3\0"], [b"\3\0", b"\3\0"], 2, syntax="1.2.840.10008.1.2.8.1"), id="deflated frames"),
]


@pytest.mark.parametrize("case", CASES)
def test_encapsulated(case: Case) -> None:
    extended = b""
    if case.extended:
        extended = b.explicit(0x7FE00001, "OV", case.extended[0]) + b.explicit(0x7FE00002, "OV", case.extended[1])
    head = b.meta(case.syntax) + b.image(case.declared) + extended
    data = head + b.fragments(*case.fragments, table=case.table)
    for threshold in (0, 1024):  # the tables may be bulk data themselves
        header = part10.read(part10.BytesSource(data), bulkdata_threshold=threshold)
        pixels = header.pixel_data
        assert pixels is not None
        assert frames(data, header) == case.frames
        assert pixels.frames == (len(case.frames) if case.count is None else case.count)
        assert pixels.video == (case.syntax == MPEG2)
        assert (pixels.problem is None) == (case.problem is None)
        assert case.problem is None or case.problem in str(pixels.problem)
        assert (case.remark is None) == (header.warnings == ())
        assert case.remark is None or case.remark in header.warnings[0]
        assert data[pixels.offset : pixels.offset + 4] == b"\xfe\xff\x00\xe0"
        assert data[pixels.offset + pixels.length :] == b.SEQUENCE_END
        assert header.attributes["7FE00010"] == {"vr": "OB", "BulkDataURI": "pixeldata"}
        assert header.bulkdata["pixeldata"].encapsulated


def native(length: int, *, tag: int = 0x7FE00010, vr: str = "OW", **image: int | bytes | None) -> PixelData:
    pixels = part10.read(
        part10.BytesSource(b.meta(b.EXPLICIT) + b.image(**image) + b.explicit(tag, vr, bytes(length)))  # type: ignore[arg-type]
    ).pixel_data
    assert pixels is not None
    return pixels


def photometric(text: bytes) -> bytes:
    return b.explicit(0x00280004, "CS", text)


@pytest.mark.parametrize(
    ("length", "image", "count", "bits"),
    [
        pytest.param(4, {}, 1, 32, id="one frame"),
        pytest.param(24, {"frames": 3, "allocated": 16}, 3, 64, id="16 bit"),
        pytest.param(4, {"frames": 3, "rows": 3, "columns": 3, "allocated": 1}, 3, 9, id="8.1.1 1 bit, not on bytes"),
        pytest.param(12, {"samples": 3}, 1, 96, id="three samples"),
        pytest.param(6, {"allocated": 12}, 1, 48, id="12 bit packed"),
        pytest.param(8, {"samples": 3, "extra": photometric(b"YBR_FULL_422")}, 1, 64, id="YBR_FULL_422"),
        pytest.param(12, {"samples": 3, "extra": photometric(b"YBR_FULL_422")}, 1, 96, id="YBR_FULL_422 in name only"),
        pytest.param(6, {}, 1, 32, id="more bytes than needed"),
        pytest.param(4, {"frames": 0}, 1, 32, id="Number of Frames is 0"),
    ],
)
def test_native(length: int, image: dict[str, int], count: int, bits: int) -> None:
    pixels = native(length, **image)
    assert (pixels.frames, pixels.frame_bits, pixels.problem) == (count, bits, None)


@pytest.mark.parametrize(("tag", "vr", "bits"), [(0x7FE00008, "OF", 32), (0x7FE00009, "OD", 64)])
def test_float_pixel_data(tag: int, vr: str, bits: int) -> None:
    pixels = native(bits, tag=tag, vr=vr, frames=2, allocated=bits)
    assert (pixels.tag, pixels.frames, pixels.frame_bits, pixels.length) == (f"{tag:08X}", 2, 4 * bits, bits)


@pytest.mark.parametrize(
    ("length", "image", "count", "problem"),
    [
        pytest.param(10, {"frames": 4}, 2, "10 bytes: 2 whole frames of 4 bytes, not 4", id="frames are missing"),
        pytest.param(2, {}, 0, "0 whole frames", id="not even one"),
        pytest.param(4, {"rows": 0}, 0, "Rows is 0", id="no rows"),
        pytest.param(4, {"columns": 0}, 0, "Columns is 0", id="no columns"),
        pytest.param(4, {"allocated": 0}, 0, "Bits Allocated is 0", id="no bits"),
        pytest.param(4, {"frames": 2, "rows": 65535, "columns": 65535}, 0, "0 whole frames", id="huge frames"),
    ],
)
def test_native_data_that_is_short(length: int, image: dict[str, int], count: int, problem: str) -> None:
    pixels = native(length, **image)
    assert pixels.frames == count
    assert problem in str(pixels.problem)


def test_pixel_data_without_description() -> None:
    data = b.meta(b.EXPLICIT) + b.explicit(0x7FE00010, "OW", b"\0\0")
    pixels = part10.read(part10.BytesSource(data)).pixel_data
    assert pixels is not None
    assert pixels.frames == 0
    assert pixels.problem == "Rows is missing or not a number: the frames can not be told apart."


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        pytest.param(-8 - 6, "an Item of Pixel Data \\(7FE0,0010\\) at offset [0-9]+ declares 10", id="in a fragment"),
        pytest.param(-8 - 14, "ends at offset [0-9]+ within Pixel Data", id="in an Item header"),
        pytest.param(-4, "ends at offset [0-9]+ within Pixel Data", id="in the delimiter"),
    ],
)
def test_truncated_fragments_fail(cut: int, message: str) -> None:
    data = b.meta(b.JPEG_BASELINE) + b.image(2) + b.fragments(A, B)
    with pytest.raises(CannotUnderstand, match=message):
        part10.read(part10.BytesSource(data[:cut]))


def test_a_missing_delimiter_at_the_end_of_the_file_is_remarked() -> None:
    data = b.meta(b.JPEG_BASELINE) + b.image(2) + b.fragments(A, B)[:-8]
    header = part10.read(part10.BytesSource(data))
    assert frames(data, header) == [A, B]
    assert header.warnings == ("(7FE0,0010): the Sequence Delimitation Item is missing",)


def test_something_else_among_fragments_fails() -> None:
    data = b.meta(b.JPEG_BASELINE) + b.image(2) + b.fragments(A)[:-8] + b.explicit(0x7FE10010, "LO", b"ABCD")
    with pytest.raises(CannotUnderstand, match="no Item and no end"):
        part10.read(part10.BytesSource(data))


def test_fragments_are_bounded() -> None:
    data = b.meta(b.JPEG_BASELINE) + b.image(2) + b.fragments(*[b""] * 100)
    with pytest.raises(OutOfResources, match=r"more than 50 fragments.*max_header_bytes"):
        part10.read(part10.BytesSource(data), max_header_bytes=2000)


def test_many_fragments_of_all_sizes() -> None:
    """Windows of both kinds, and Items that lie across their borders."""
    wanted = [SOI + bytes([n % 251]) * (n * 37 % 20011) for n in range(2000)]
    data = b.meta(b.JPEG_BASELINE) + b.image(None, extra=b.explicit(0x00280008, "IS", b"2000")) + b.fragments(*wanted)
    header = part10.read(part10.BytesSource(data))
    assert frames(data, header) == wanted

"""services.plain: parts of values, whatever lies between them and the file."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as given_by
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from archives import Given, opened
from dicom_files import ct, part10
from skiagraph.blobs.base import Chunk
from skiagraph.errors import ResourceNotFound
from skiagraph.services import plain
from skiagraph.services.plain import Value, fragments
from skiagraph.services.representation import Damaged
from skiagraph.standard.explicit_le import swapped
from skiagraph.values import ByteRange


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


class Memory:
    """Bytes as an `Opened` blob."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def close(self) -> None: ...


def gathered(chunks: AsyncIterator[Chunk]) -> bytes:
    async def run() -> bytes:
        return b"".join([bytes(chunk) async for chunk in chunks])

    return asyncio.run(run())


def item(data: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(data) if length is None else length) + data


END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


@pytest.mark.parametrize(
    ("data", "skip", "found"),
    [
        pytest.param(
            item(b"") + item(b"ab") + item(b"cdef") + END, 1, [b"ab", b"cdef"], id="PS3.5 A.4 after the table"
        ),
        pytest.param(item(b"ab") + item(b"cdef"), 0, [b"ab", b"cdef"], id="to the end of the last Item"),
        pytest.param(item(b"ab") + item(b"cd", 100), 0, [b"ab", b"cd"], id="cut by the end"),
        pytest.param(item(b"ab") + b"garbage.", 0, [b"ab"], id="no Item"),
        pytest.param(b"", 0, [], id="nothing"),
        pytest.param(item(b"ab") + b"\xfe\xff", 0, [b"ab"], id="cut within a header"),
    ],
)
def test_fragments(data: bytes, skip: int, found: list[bytes]) -> None:
    source = b"before" + data
    spans = fragments(Memory(source), ByteRange(6, len(data)), skip=skip)
    assert [source[span.offset : span.end] for span in spans] == found


def scattered(at: int, *pieces: tuple[int, int]) -> Value:
    return Value(tuple(ByteRange(at + offset, length) for offset, length in pieces))


def test_parts_of_a_value(given: Given) -> None:
    """Any part of any layout is that part of the whole."""
    pixels = bytes(range(256)) * 6
    frames = {"Rows": 24, "Columns": 32, "PixelData": pixels}
    native, big, deflated = given.store(
        part10(ct(**frames)),
        part10(ct(**frames), ExplicitVRBigEndian),
        part10(ct(**frames), DeflatedExplicitVRLittleEndian),
    )
    at = native.pixel_offset
    cases = [
        (native, Value((ByteRange(at, 1536),)), pixels),
        (native, scattered(at, (0, 10), (100, 7), (50, 30)), pixels[:10] + pixels[100:107] + pixels[50:80]),
        (native, Value(()), b""),
        (native, Value((ByteRange(at, 11),), 4), swapped(pixels[:11], 4)),
        (big, Value((ByteRange(big.pixel_offset, 1536),), 2), swapped(pixels, 2)),
        (deflated, Value((ByteRange(deflated.pixel_offset, 1536),)), pixels),
        (deflated, scattered(deflated.pixel_offset, (9, 3), (0, 2)), pixels[9:12] + pixels[:2]),
    ]
    for instance, value, whole in cases:
        assert value.length == len(whole)
        assert gathered(plain.read(given.archive, instance, value)) == whole

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given_by(st.sampled_from(range(len(cases))), st.data())
    def parts(number: int, data: st.DataObject) -> None:
        instance, value, whole = cases[number]
        start = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(start, len(whole)))
        part = ByteRange(start, end - start)
        assert gathered(plain.read(given.archive, instance, value, part)) == whole[start:end]

    parts()


def test_swapping_across_chunks(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that lie across two chunks are put together first."""
    (instance,) = given.store(part10(ct()))
    data = bytes(range(96))

    async def crumbs(key: str, span: ByteRange) -> AsyncIterator[bytes]:
        for start in range(span.offset, span.end, 5):
            yield data[start : min(start + 5, span.end)]

    monkeypatch.setattr(type(given.archive.blobs), "read", lambda self, key, span: crumbs(key, span))
    for word in (2, 4, 8):
        whole = swapped(data, word)
        for part in (ByteRange(0, 96), ByteRange(3, 50), ByteRange(95, 1), ByteRange(7, 1)):
            value = Value((ByteRange(0, 96),), word)
            assert gathered(plain.read(given.archive, instance, value, part)) == whole[part.offset : part.end]


def test_deflated_bytes_that_went_bad(given: Given) -> None:
    (instance,) = given.store(part10(ct(PixelData=bytes(range(256)) * 40), DeflatedExplicitVRLittleEndian))
    path = given.archive.blobs.path(instance.key)  # type: ignore[attr-defined]
    whole = path.read_bytes()
    start = instance.dataset_offset
    value = Value((ByteRange(instance.pixel_offset, 10_240),))
    path.write_bytes(whole[:start] + b"\xff" * (len(whole) - start))
    with pytest.raises(Damaged, match="corrupt"):
        gathered(plain.read(given.archive, instance, value))
    path.write_bytes(whole[:start] + b"\x03\x00".ljust(len(whole) - start, b"\0"))  # an empty deflate stream
    with pytest.raises(Damaged, match="too early"):
        gathered(plain.read(given.archive, instance, value))
    path.write_bytes(whole[:-60])
    with pytest.raises(ResourceNotFound):
        gathered(plain.read(given.archive, instance, value))

"""The reader on hostile and on huge input: only errors of ours, no endless work, the memory of a window."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import pytest
from benchmarks.reader import ct_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import part10_bytes as b
from skiagraph.errors import InstanceError, OutOfResources
from skiagraph.standard import dicom_json, part10
from skiagraph.standard.header import MULTI_FRAGMENT, Header

MIB = 1 << 20


def read_or_refuse(data: bytes) -> Header | None:
    """Read; whatever the bytes are, the answer is a header that holds together, or an error of ours."""
    try:
        header = part10.read(part10.BytesSource(data), max_header_bytes=4 * MIB, max_inflated_bytes=4 * MIB)
    except (InstanceError, OutOfResources) as error:
        assert error.message.isascii()  # noqa: PT017
        return None
    dicom_json.encode(header.attributes)
    dicom_json.encode(header.meta)
    assert list(header.attributes) == sorted(header.attributes)
    plain = part10.plain(part10.BytesSource(data), header, max_inflated_bytes=4 * MIB)
    for bulk in header.bulkdata.values():
        assert 0 <= bulk.offset <= bulk.offset + bulk.length <= plain.size
    pixels = header.pixel_data
    if pixels is not None:
        assert pixels.frames >= 0
        assert pixels.frames * pixels.frame_bits <= 8 * pixels.length
        for offset, length in zip(pixels.spans[::2], pixels.spans[1::2], strict=True):
            assert pixels.offset < offset
            assert offset + (length & ~MULTI_FRAGMENT) <= pixels.offset + pixels.length
    return header


def seeds() -> dict[str, bytes]:
    nested = b.explicit(0x0040A730, "SQ", b.open_item(b.explicit(0x0040A730, "SQ", b.item(b.explicit(8, "OB", b"x")))))
    jpeg = b.fragments(b"\xff\xd8\xff\xe0", b"ab", b"\xff\xd8\xff\xe0", table=struct.pack("<2L", 0, 22))
    text = b.explicit(0x00080005, "CS", b"\\ISO 2022 IR 87") + b.explicit(0x00100010, "PN", b"\x1b$B;3ED\x1b(B^x")
    return {
        "ct": ct_file()[:20_000],
        "nested": b.meta(b.EXPLICIT) + text + nested + b.image(2) + b.explicit(0x7FE00010, "OW", bytes(8)),
        "implicit": b.meta(b.IMPLICIT) + b.implicit(0x0040A730, b.item(b.implicit(0x00100010, b"A^B")) * 3),
        "big endian": b.meta(b.BIG_ENDIAN) + b.explicit(0x00280010, "US", b"\0\1", order=">"),
        "fragments": b.meta(b.JPEG_BASELINE) + text + b.image(2) + jpeg,
    }


SEEDS = seeds()


@pytest.mark.parametrize("name", SEEDS)
def test_every_truncation_is_read_or_refused(name: str) -> None:
    data = SEEDS[name]
    for length in range(0, len(data), max(1, len(data) // 500)):
        read_or_refuse(data[:length])


@pytest.mark.parametrize("name", SEEDS)
def test_mutations_are_read_or_refused(name: str) -> None:
    @settings(max_examples=400, deadline=None)
    @given(st.randoms(use_true_random=False), st.integers(1, 8))
    def check(rng: random.Random, count: int) -> None:
        data = bytearray(SEEDS[name])
        for _ in range(count):
            at = rng.randrange(len(data))
            match rng.randrange(5):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"))
                case 2:
                    data[at : at + 8] = rng.choice((b.ITEM_END, b.SEQUENCE_END, b.item()))
                case 3:
                    del data[at : at + rng.randrange(1, 20)]
                case _:
                    data[at:at] = (
                        data[: rng.randrange(40)] if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 9))
                    )
            if len(data) < 10:
                break
        read_or_refuse(bytes(data))

    check()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b.EXPLICIT, b.IMPLICIT, b.BIG_ENDIAN, b.DEFLATED, b.JPEG_BASELINE]))
def test_random_bytes_are_read_or_refused(data: bytes, syntax: str) -> None:
    read_or_refuse(data)
    read_or_refuse(b.meta(syntax) + data)


@pytest.mark.shared_data
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=False))
def test_mutations_of_real_files_are_read_or_refused(rng: random.Random, shared_data: Path) -> None:
    path = rng.choice(sorted((shared_data / "text").rglob("*.dcm")))
    data = bytearray(path.read_bytes()[:50_000])
    for _ in range(rng.randrange(1, 10)):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    read_or_refuse(bytes(data))


@pytest.mark.shared_data
def test_the_broken_files_are_read_or_refused(shared_data: Path) -> None:
    read = {
        path.name
        for path in (shared_data / "broken").rglob("*")
        if path.is_file() and read_or_refuse(path.read_bytes())
    }
    assert {"tags-out-of-order.dcm", "unknown-vr.dcm", "stray-item-delimiter.dcm", "odd-length-value.dcm"} <= read
    assert {"frames-missing.dcm", "pixels-too-short.dcm", "zero-rows.dcm", "rle-bad-header.dcm"} <= read
    assert not {name for name in read if "truncated" in name} - {"truncated-at-900.dcm"}  # it ends with an element
    assert not read & {"deep-open-sequences.dcm", "length-4GiB-sequence.dcm", "sequence-never-closed.dcm", "random.dcm"}


def test_sequences_of_a_hostile_depth_cost_little() -> None:
    data = (
        b.meta(b.EXPLICIT) + (b.explicit(0x0040A730, "SQ", length=b.UNDEFINED) + b.item()[:4] + b"\xff" * 4) * 100_000
    )
    assert read_or_refuse(data) is None


class Sparse:
    """A source of any size that is not there: a head, the same unit over and over, and a tail."""

    def __init__(self, head: bytes, unit: bytes, step: int, count: int, tail: bytes = b"") -> None:
        self._head, self._unit, self._step, self._count, self._tail = head, unit, step, count, tail
        self.bytes_read = 0

    @property
    def size(self) -> int:
        return len(self._head) + self._step * self._count + len(self._tail)

    def read_at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        self.bytes_read += length
        out = bytearray(length)

        def put(start: int, data: bytes) -> None:
            begin, end = max(start, offset), min(start + len(data), offset + length)
            if begin < end:
                out[begin - offset : end - offset] = data[begin - start : end - start]

        put(0, self._head)
        first = max(0, (offset - len(self._head)) // self._step)
        for number in range(first, min(self._count, first + length // self._step + 2)):
            put(len(self._head) + number * self._step, self._unit)
        put(self.size - len(self._tail), self._tail)
        return bytes(out)


def measured(source: Sparse) -> tuple[Header, int]:
    """The header, and the most memory that reading took beside it, bytes."""
    tracemalloc.start()
    try:
        header = part10.read(source)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return header, peak - now


FRAMES = b.explicit(0x00280008, "IS", b"4096")
AFTER = b.explicit(0xFFFCFFFC, "OB", bytes(10))


def test_a_native_multi_frame_of_2_gb_is_skipped() -> None:
    length = 4096 * 512 * 512 * 2
    head = b.meta(b.EXPLICIT) + b.image(rows=512, columns=512, allocated=16, extra=FRAMES)
    source = Sparse(head + b.explicit(0x7FE00010, "OW", length=length), b"", 512 * 512 * 2, 4096, AFTER)
    assert source.size > 2 << 30
    header, peak = measured(source)
    assert header.pixel_data is not None
    assert (header.pixel_data.frames, header.pixel_data.length, header.warnings) == (4096, length, ())
    assert "FFFCFFFC" in header.attributes
    assert peak < 2 * MIB
    assert source.bytes_read < MIB


@pytest.mark.parametrize("table", [False, True], ids=["empty table", "Basic Offset Table"])
def test_an_encapsulated_multi_frame_of_2_gb_is_walked(table: bool) -> None:
    step = 512 * 1024
    offsets = struct.pack("<4096L", *(step * n for n in range(4096))) if table else b""
    head = b.meta(b.JPEG_BASELINE) + b.image(extra=FRAMES) + b.explicit(0x7FE00010, "OB", length=b.UNDEFINED)
    unit = struct.pack("<HHL", 0xFFFE, 0xE000, step - 8) + b"\xff\xd8\xff\xe0"
    source = Sparse(head + b.item(offsets), unit, step, 4096, b.SEQUENCE_END + AFTER)
    assert source.size > 2 << 30
    header, peak = measured(source)
    assert header.pixel_data is not None
    assert (header.pixel_data.frames, header.pixel_data.problem, header.warnings) == (4096, None, ())
    assert list(header.pixel_data.spans[:4]) == [
        len(head) + 16 + len(offsets),
        step - 8,
        len(head) + 16 + len(offsets) + step,
        step - 8,
    ]
    assert "FFFCFFFC" in header.attributes
    assert peak < 2 * MIB
    assert source.bytes_read < 2 * MIB


def test_bulk_data_everywhere_is_skipped() -> None:
    block = b.explicit(0x00091001, "OB", length=MIB)
    head = b.meta(b.EXPLICIT) + b.explicit(0x0040A730, "SQ", length=b.UNDEFINED)
    unit = struct.pack("<HHL", 0xFFFE, 0xE000, len(block) + MIB) + block
    source = Sparse(head, unit, len(unit) + MIB, 2048, b.SEQUENCE_END + AFTER)
    header, peak = measured(source)
    assert len(header.attributes["0040A730"]["Value"]) == len(header.bulkdata) == 2048
    assert peak < 4 * MIB

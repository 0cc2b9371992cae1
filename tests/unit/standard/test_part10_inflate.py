"""The plain stream of a deflated file: any read equals a slice, in bounded memory."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.standard import part10_inflate
from skiagraph.standard.part10 import BytesSource
from skiagraph.standard.part10_inflate import InflatedSource

HEAD = b"preamble and meta"
GIB = 1 << 30


def file(body: bytes) -> BytesSource:
    packer = zlib.compressobj(wbits=-15)
    return BytesSource(HEAD + packer.compress(body) + packer.flush())


BODY = random.Random(1).randbytes(300_000) + bytes(500_000)
PLAIN = HEAD + BODY


@pytest.mark.parametrize("kept", [1 << 22, 1000], ids=["kept whole", "inflated as it is read"])
def test_any_read_is_a_slice_of_the_plain_stream(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part10_inflate, "_KEPT", kept)
    source = InflatedSource(file(BODY), len(HEAD), GIB)
    assert source.size == len(PLAIN)

    @settings(max_examples=60)
    @given(st.integers(0, len(PLAIN) + 10), st.integers(0, 200_000))
    def check(offset: int, length: int) -> None:
        assert source.read_at(offset, length) == PLAIN[offset : offset + length]

    check()
    assert source.read_at(0, 2 * len(PLAIN)) == PLAIN


def test_reading_on_with_overlap_inflates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part10_inflate, "_KEPT", 1000)
    source = InflatedSource(file(BODY), len(HEAD), GIB)
    rewinds = 0
    rewind = InflatedSource._rewind

    def counted(self: InflatedSource) -> None:
        nonlocal rewinds
        rewinds += 1
        rewind(self)

    monkeypatch.setattr(InflatedSource, "_rewind", counted)
    for offset in range(0, len(PLAIN), 10_000):
        assert source.read_at(offset, 70_000) == PLAIN[offset : offset + 70_000]
    assert rewinds == 0


def test_memory_is_that_of_a_window() -> None:
    packed = file(bytes(64 << 20))
    tracemalloc.start()
    try:
        source = InflatedSource(packed, len(HEAD), GIB)
        for offset in range(0, source.size, 1 << 20):
            source.read_at(offset, 1 << 16)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_the_limit_is_inclusive() -> None:
    assert InflatedSource(file(bytes(5000)), len(HEAD), 5000).size == len(HEAD) + 5000
    with pytest.raises(OutOfResources, match="max_inflated_bytes"):
        InflatedSource(file(bytes(5001)), len(HEAD), 5000)


@pytest.mark.parametrize("cut", [1, 10, 100_000])
def test_truncated_streams_fail(cut: int) -> None:
    whole = file(BODY).read_at(0, GIB)
    with pytest.raises(CannotUnderstand, match="does not end"):
        InflatedSource(BytesSource(whole[:-cut]), len(HEAD), GIB)


@pytest.mark.parametrize("tail", [0, 1, 70_000])
def test_bytes_behind_the_stream_are_counted(tail: int) -> None:
    whole = file(BODY).read_at(0, GIB)
    source = InflatedSource(BytesSource(whole + bytes(tail)), len(HEAD), GIB)
    assert (source.trailing, source.size) == (tail, len(PLAIN))

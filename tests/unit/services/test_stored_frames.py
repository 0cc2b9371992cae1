"""Frames cut out of native pixel data in one pass, and put together again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from archives import opened
from dicom_files import ct, part10
from skiagraph.services import stored_frames


async def stream(frames: list[bytes]) -> AsyncIterator[bytes]:
    for frame in frames:
        yield frame


@settings(max_examples=100, deadline=None)
@given_by(st.integers(1, 40), st.integers(1, 9), st.data())
def test_frames_are_joined_without_gaps(bits: int, count: int, data: st.DataObject) -> None:
    """PS3.5 §8.1.1: also where frames do not fill whole bytes."""
    frames = [data.draw(st.integers(0, (1 << bits) - 1)) for _ in range(count)]
    encoded = [frame.to_bytes(-(-bits // 8), "little") for frame in frames]

    async def run() -> bytes:
        return b"".join([chunk async for chunk in stored_frames.joined(stream(encoded), bits)])

    whole = sum(frame << bits * number for number, frame in enumerate(frames))
    assert asyncio.run(run()) == whole.to_bytes(-(-bits * count // 8), "little")


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=["little", "big", "deflated"],
)
@pytest.mark.parametrize("rows", [3, 8])
@pytest.mark.parametrize("bits", [1, 16])
def test_all_frames_in_one_pass(tmp_path: Path, syntax: str, rows: int, bits: int) -> None:
    values = numpy.random.default_rng(rows).integers(0, 2**bits, (5, rows * 5))
    data = ct(Rows=rows, Columns=5, NumberOfFrames=5, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    if bits == 1:
        pixels = numpy.packbits(values.ravel().astype("u1"), bitorder="little").tobytes()
        expected = [numpy.packbits(frame.astype("u1"), bitorder="little").tobytes() for frame in values]
    else:
        pixels = values.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
        expected = [frame.astype("<u2").tobytes() for frame in values]
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OB" if bits == 1 else "OW"
    with opened(tmp_path) as given:
        (instance,) = given.store(part10(data, syntax))

        async def run() -> list[bytes]:
            return [frame async for frame in stored_frames.every(given.archive, instance)]

        async def one_by_one() -> list[bytes]:
            return [await stored_frames.read(given.archive, instance, number) for number in range(1, 6)]

        assert asyncio.run(run()) == expected
        assert asyncio.run(one_by_one()) == expected

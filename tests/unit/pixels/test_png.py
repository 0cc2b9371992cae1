"""PNG files before they are decoded: what is whole is handed on, nothing else."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from damage import damaged
from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.pixels.consumer import PNG, frames
from skiagraph.pixels.png import critical

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY = np.add.outer(np.arange(21), np.arange(37)).astype(np.uint8)
PALETTE = bytes(range(48))


def chunk(kind: bytes, content: bytes = b"", *, crc: int = 0) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content) ^ crc)


def header(depth: int = 8, colour: int = 0, interlace: int = 0, *, columns: int = 37, method: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">LLBBBBB", columns, 21, depth, colour, method, 0, interlace))


def lines(cells: NDArray[np.uint8], kind: int = 0) -> bytes:
    """Rows with the number of a filter in front of each."""
    return b"".join(bytes([kind]) + row.tobytes() for row in cells)


def adam7(cells: NDArray[np.uint8]) -> Iterator[bytes]:
    for left, top, across, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
    ):  # fmt: skip
        yield lines(cells[top::down, left::across])


PACKED = zlib.compress(lines(GRAY))
END = chunk(b"IEND")
WHOLE = SIGNATURE + header() + chunk(b"IDAT", PACKED) + END


def read(body: bytes) -> NDArray[np.uint8]:
    (found,) = frames(PNG, body, 2**20)
    return np.frombuffer(found.data, np.uint8).reshape(found.rows, found.columns, -1).squeeze()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(WHOLE, id="plain"),
        pytest.param(
            SIGNATURE + header(interlace=1) + chunk(b"IDAT", zlib.compress(b"".join(adam7(GRAY)))) + END, id="Adam7"
        ),
        pytest.param(
            SIGNATURE + header() + b"".join(chunk(b"IDAT", PACKED[at : at + 7]) for at in range(0, 999, 7)) + END,
            id="many IDAT",
        ),
        pytest.param(
            SIGNATURE + header() + chunk(b"tEXt", b"a\0b", crc=1) + chunk(b"gAMA", b"") + chunk(b"IDAT", PACKED) + END,
            id="what may be left out is damaged",
        ),
        pytest.param(WHOLE + b"and more", id="something behind it"),
    ],
)  # fmt: skip
def test_whole(body: bytes) -> None:
    assert np.array_equal(read(body), GRAY)


def test_what_may_be_left_out_is() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 1000)
    out = io.BytesIO()
    Image.fromarray(GRAY).save(out, "PNG", pnginfo=text)
    assert b"Comment" in out.getvalue()
    assert b"Comment" not in critical(out.getvalue())


def data(plain: bytes) -> bytes:
    return SIGNATURE + header() + chunk(b"IDAT", zlib.compress(plain)) + END


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(SIGNATURE, id="nothing but the signature"),
        pytest.param(WHOLE[:-1], id="truncated at the end"),
        pytest.param(WHOLE[: len(WHOLE) // 2], id="truncated"),
        pytest.param(SIGNATURE + chunk(b"IDAT", PACKED) + END, id="no header"),
        pytest.param(SIGNATURE + header() + header() + chunk(b"IDAT", PACKED) + END, id="two headers"),
        pytest.param(SIGNATURE + header(depth=3) + chunk(b"IDAT", PACKED) + END, id="3 bits"),
        pytest.param(SIGNATURE + header(depth=16, colour=3) + chunk(b"IDAT", PACKED) + END, id="palette of 16 bits"),
        pytest.param(SIGNATURE + header(method=1) + chunk(b"IDAT", PACKED) + END, id="another compression"),
        pytest.param(SIGNATURE + header(interlace=2) + chunk(b"IDAT", PACKED) + END, id="another interlace"),
        pytest.param(SIGNATURE + chunk(b"IHDR", b"123") + chunk(b"IDAT", PACKED) + END, id="half a header"),
        pytest.param(SIGNATURE + header(colour=3) + chunk(b"IDAT", PACKED) + END, id="no palette"),
        pytest.param(
            SIGNATURE + header(colour=3) + chunk(b"PLTE", PALETTE[:5]) + chunk(b"IDAT", PACKED) + END, id="odd palette"
        ),
        pytest.param(
            SIGNATURE + header(1, 3) + chunk(b"PLTE", PALETTE) + chunk(b"IDAT", PACKED) + END, id="palette too long"
        ),
        pytest.param(SIGNATURE + header() + chunk(b"PLTE", PALETTE) + chunk(b"IDAT", PACKED) + END, id="gray palette"),
        pytest.param(SIGNATURE + header() + chunk(b"IDAT", PACKED, crc=1) + END, id="wrong sum"),
        pytest.param(SIGNATURE + header() + END, id="no picture"),
        pytest.param(SIGNATURE + header() + chunk(b"ABCD") + chunk(b"IDAT", PACKED) + END, id="unknown critical chunk"),
        pytest.param(
            SIGNATURE + header() + chunk(b"IDAT", PACKED[:9]) + chunk(b"tEXt") + chunk(b"IDAT", PACKED[9:]) + END,
            id="a chunk within the picture",
        ),
        pytest.param(SIGNATURE + header() + chunk(b"IDAT", PACKED[:-1]) + END, id="picture without its sum"),
        pytest.param(SIGNATURE + header() + chunk(b"IDAT", PACKED + b"x") + END, id="something behind the picture"),
        pytest.param(SIGNATURE + header() + chunk(b"IDAT", b"\0" + PACKED) + END, id="not deflated"),
        pytest.param(data(lines(GRAY)[:-1]), id="a byte too few"),
        pytest.param(data(lines(GRAY) + b"x"), id="a byte too many"),
        pytest.param(data(lines(GRAY[:-1]) + lines(GRAY[-1:], 5)), id="an unknown filter in the last row"),
        pytest.param(data(lines(GRAY, 255)), id="unknown filters"),
    ],
)
def test_damaged(body: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        critical(body)


def test_a_bomb_is_inflated_no_further_than_its_picture() -> None:
    body = data(bytes(2**24))
    assert len(body) < 2**15
    with pytest.raises(CannotUnderstand, match="end of its picture"):
        critical(body)


def test_damaged_files_take_nothing_from_the_process() -> None:
    """The decoder itself would give None away: it was seen to end processes."""
    rng = Random(1)
    before = sys.getrefcount(None)
    read_some = 0
    for _ in range(600):
        try:
            read(damaged(WHOLE, rng))
            read_some += 1
        except (CannotUnderstand, OutOfResources):
            pass
    assert 0 < read_some < 600
    assert abs(sys.getrefcount(None) - before) < 50

"""PNG and GIF files as native frames."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.pixels.consumer import GIF, PNG, Picture, frames

GREY = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8)
COLOUR = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
MOST = 2**20


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels(picture: Picture) -> np.ndarray:
    shape = (picture.rows, picture.columns) + ((3,) if picture.samples == 3 else ())
    return np.frombuffer(picture.data, f"<u{picture.bits // 8}").reshape(shape)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param(Image.fromarray(GREY), GREY, id="grey"),
        pytest.param(Image.fromarray(GREY.astype(np.uint16) * 257), GREY.astype(np.uint16) * 257, id="16 bit"),
        pytest.param(Image.fromarray(COLOUR), COLOUR, id="colour"),
        pytest.param(Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR, id="alpha"),
        pytest.param(Image.fromarray(np.dstack([GREY, GREY[::-1]]), "LA"), GREY, id="grey and alpha"),
        pytest.param(
            Image.fromarray(COLOUR).quantize(16),
            np.asarray(Image.fromarray(COLOUR).quantize(16).convert("RGB")),
            id="indexed",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_png(picture: Image.Image, expected: np.ndarray) -> None:
    (found,) = frames(PNG, saved(picture, "PNG"), MOST)
    assert found.bits == expected.dtype.itemsize * 8
    assert (pixels(found) == expected).all()


def test_gif_frames_are_as_they_are_seen() -> None:
    first = Image.new("RGB", (30, 20), (255, 0, 0))
    second = first.copy()
    second.paste((0, 0, 255), (5, 5, 10, 10))  # stored as a small picture on the first
    body = saved(first, "GIF", save_all=True, append_images=[second])
    found = [pixels(picture) for picture in frames(GIF, body, MOST)]
    assert (found[0] == np.asarray(first)).all()
    assert (found[1] == np.asarray(second)).all()


def bomb(columns: int, rows: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

    header = struct.pack(">LLBBBBB", columns, rows, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("media_type", "body", "error"),
    [
        pytest.param(PNG, bomb(60_000, 60_000), OutOfResources, id="PNG bomb"),
        pytest.param(PNG, bomb(100_000, 1), CannotUnderstand, id="too wide"),
        pytest.param(PNG, bomb(0, 1), CannotUnderstand, id="nothing"),
        pytest.param(PNG, bomb(9, 9), CannotUnderstand, id="damaged PNG"),
        pytest.param(PNG, b"", CannotUnderstand, id="empty PNG"),
        pytest.param(PNG, b"GIF89a" + bytes(50), CannotUnderstand, id="a GIF is no PNG"),
        pytest.param(GIF, b"", CannotUnderstand, id="empty GIF"),
        pytest.param(GIF, b"GIF89a\xff\xff\xff\xff" + bytes(50), OutOfResources, id="GIF bomb"),
        pytest.param(GIF, b"GIF89a\4\0\4\0" + bytes(50), CannotUnderstand, id="damaged GIF"),
    ],
)
def test_refused(media_type: str, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(frames(media_type, body, MOST))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
@given(st.data())
@settings(max_examples=60)
def test_damaged_files_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    whole = saved(Image.fromarray(COLOUR), kind)
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at, value in data.draw(st.dictionaries(st.integers(0, len(whole)), st.integers(0, 255), max_size=4)).items():
        if at < len(damaged):
            damaged[at] = value
    try:
        for picture in frames(f"image/{kind.lower()}", bytes(damaged), MOST):
            assert len(picture.data) == picture.rows * picture.columns * picture.samples * picture.bits // 8
    except (CannotUnderstand, OutOfResources):
        pass

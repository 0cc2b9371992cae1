"""What JPEG XL images say of themselves, as libjxl writes them."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.jpeg_xl_stream import recognize
from skiagraph.standard.part10 import BytesSource


def encoded(rows: int, columns: int, samples: int = 1, bits: int = 8, **options: Any) -> bytes:
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    picture = np.full(shape, 77, np.uint8 if bits == 8 else np.uint16)
    picture[::2] += 5
    return bytes(imagecodecs.jpegxl_encode(picture, bitspersample=bits, effort=3, **options))


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(
    ("options", "syntax", "colour"),
    [({"lossless": True}, "110", "RGB"), ({"distance": 1.0}, "112", "XYB")],
    ids=["lossless", "lossy"],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        pytest.param(24, 48, id="multiples of 8, 2 to 1"),
        pytest.param(33, 47, id="odd"),
        pytest.param(80, 80, id="square"),
        pytest.param(300, 400, id="4 to 3"),
        pytest.param(90, 160, id="16 to 9"),
    ],
)
def test_recognized(
    rows: int, columns: int, samples: int, bits: int, options: Any, syntax: str, colour: str, container: bool
) -> None:
    stream = recognize(BytesSource(encoded(rows, columns, samples, bits, usecontainer=container, **options)))
    assert stream.transfer_syntax_uid == f"1.2.840.10008.1.2.4.{syntax}"
    assert (stream.rows, stream.columns, stream.samples, stream.precision) == (rows, columns, samples, bits)
    assert stream.photometric_interpretation == (colour if samples == 3 else "MONOCHROME2")
    assert stream.loss_known


@pytest.mark.parametrize("colour", [False, True])
def test_a_recompressed_jpeg(colour: bool) -> None:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB" if colour else "L").save(out, "JPEG")
    stream = recognize(BytesSource(bytes(imagecodecs.jpegxl_encode_jpeg(out.getvalue(), usecontainer=True))))
    assert stream.transfer_syntax_uid == "1.2.840.10008.1.2.4.111"
    assert stream.lossy_method == "ISO_10918_1"
    assert stream.photometric_interpretation == ("YBR_FULL_422" if colour else "MONOCHROME2")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\x0a", id="only the signature"),
        pytest.param(b"\xff\xd8\xff", id="JPEG"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n", id="only a container"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\0jxlc\xff\xd8", id="a container of something else"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x04jxlc" * 9, id="a box shorter than its header"),
        pytest.param(encoded(9, 9, 3, 8, lossless=True)[:5], id="truncated"),
        pytest.param(bytes(imagecodecs.jpegxl_encode(np.zeros((9, 9, 4), np.uint8), lossless=True)), id="transparency"),
        pytest.param(
            bytes(imagecodecs.jpegxl_encode(np.zeros((9, 9), np.float32), lossless=True)), id="floating point"
        ),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        recognize(BytesSource(data))


@given(st.data())
def test_damaged_images_are_read_or_refused(data: st.DataObject) -> None:
    sound = bytearray(encoded(33, 47, 3, 12, lossless=True, usecontainer=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 8))):
        sound[data.draw(st.integers(0, min(80, len(sound) - 1)))] = data.draw(st.integers(0, 255))
    try:
        stream = recognize(BytesSource(bytes(sound[: data.draw(st.integers(0, len(sound)))])))
    except CannotUnderstand:
        return
    assert 0 < stream.rows < 65536
    assert 0 < stream.columns < 65536

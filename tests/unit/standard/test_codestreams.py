"""Headers of compressed images."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.codestreams import CodeStream, recognize
from skiagraph.standard.part10 import BytesSource

GREY = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 80
COLOUR = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])


def saved(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def found(data: bytes) -> CodeStream:
    return recognize(BytesSource(data))


@pytest.mark.parametrize(
    ("data", "syntax", "samples", "precision", "photometric", "method"),
    [
        pytest.param(saved(GREY, "JPEG"), "50", 1, 8, "MONOCHROME2", "ISO_10918_1", id="JPEG baseline"),
        pytest.param(saved(COLOUR, "JPEG"), "50", 3, 8, "YBR_FULL_422", "ISO_10918_1", id="JPEG subsampled"),
        pytest.param(saved(COLOUR, "JPEG", subsampling=0), "50", 3, 8, "YBR_FULL_422", "ISO_10918_1", id="JPEG YCbCr"),
        pytest.param(saved(COLOUR, "JPEG", keep_rgb=True), "50", 3, 8, "RGB", "ISO_10918_1", id="JPEG RGB"),
        pytest.param(
            saved(COLOUR, "JPEG", icc_profile=bytes(200_000)),
            "50",
            3,
            8,
            "YBR_FULL_422",
            "ISO_10918_1",
            id="long header",
        ),
        pytest.param(saved(GREY, "JPEG", progressive=True), "55", 1, 8, "MONOCHROME2", "ISO_10918_1", id="progressive"),
        pytest.param(
            imagecodecs.jpeg_encode(GREY, lossless=True, predictor=1),
            "70",
            1,
            8,
            "MONOCHROME2",
            None,
            id="JPEG lossless SV1",
        ),
        pytest.param(
            imagecodecs.jpeg_encode(GREY, lossless=True, predictor=4),
            "57",
            1,
            8,
            "MONOCHROME2",
            None,
            id="JPEG lossless",
        ),
        pytest.param(imagecodecs.jpegls_encode(DEEP), "80", 1, 16, "MONOCHROME2", None, id="JPEG-LS"),
        pytest.param(imagecodecs.jpegls_encode(COLOUR), "80", 3, 8, "RGB", None, id="JPEG-LS colour"),
        pytest.param(
            imagecodecs.jpegls_encode(GREY, level=3), "81", 1, 8, "MONOCHROME2", "ISO_14495_1", id="JPEG-LS near"
        ),
        pytest.param(saved(GREY, "JPEG2000", no_jp2=True), "90", 1, 8, "MONOCHROME2", None, id="J2K code stream"),
        pytest.param(saved(GREY, "JPEG2000"), "90", 1, 8, "MONOCHROME2", None, id="JP2"),
        pytest.param(saved(COLOUR, "JPEG2000", mct=1), "90", 3, 8, "YBR_RCT", None, id="JP2 RCT"),
        pytest.param(saved(COLOUR, "JPEG2000", mct=0), "90", 3, 8, "RGB", None, id="JP2 RGB"),
        pytest.param(
            saved(COLOUR, "JPEG2000", irreversible=True, mct=1), "91", 3, 8, "YBR_ICT", "ISO_15444_1", id="JP2 ICT"
        ),
        pytest.param(imagecodecs.htj2k_encode(GREY), "201", 1, 8, "MONOCHROME2", None, id="HTJ2K"),
        pytest.param(
            imagecodecs.htj2k_encode(GREY, level=0.01, reversible=False),
            "203",
            1,
            8,
            "MONOCHROME2",
            "ISO_15444_15",
            id="HTJ2K lossy",
        ),
    ],
)
def test_recognized(
    data: bytes, syntax: str, samples: int, precision: int, photometric: str, method: str | None
) -> None:
    stream = found(data)
    assert stream.transfer_syntax_uid == f"1.2.840.10008.1.2.4.{syntax}"
    assert (stream.rows, stream.columns, stream.samples) == (20, 30, samples)
    assert stream.precision == precision
    assert stream.photometric_interpretation == photometric
    assert stream.lossy_method == method
    assert not stream.signed
    body = data[stream.offset : stream.offset + stream.length]
    assert body.startswith((b"\xff\xd8", b"\xff\x4f\xff\x51"))
    assert body.rstrip(b"\0").endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="another format"),
        pytest.param(b"\xff\xd8\xff\xd9", id="no frame"),
        pytest.param(b"\xff\xd8" + b"\xff\xfe\0\2" * 20_000, id="only comments"),
        pytest.param(b"\xff\xd8" + b"\xff" * 100, id="only fill bytes"),
        pytest.param(b"\xff\xd8\xff\xc0\0\0\xff\xda\0\0", id="segments without length"),
        pytest.param(saved(GREY, "JPEG2000")[:90], id="truncated JP2"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08free" * 9, id="JP2 without code stream"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\1free" + bytes(8), id="a box that goes nowhere"),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        found(data)


def test_four_samples_are_refused() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (4, 4)).save(out, "JPEG")
    with pytest.raises(CannotUnderstand, match="samples"):
        found(out.getvalue())


@pytest.mark.parametrize("whole", [saved(COLOUR, "JPEG"), saved(COLOUR, "JPEG2000"), imagecodecs.jpegls_encode(GREY)])
@given(st.data())
@settings(max_examples=60)
def test_damaged_streams_are_read_or_refused(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole[: data.draw(st.integers(0, 400))])
    for at, value in data.draw(st.dictionaries(st.integers(0, 399), st.integers(0, 255), max_size=4)).items():
        if at < len(damaged):
            damaged[at] = value
    try:
        stream = found(bytes(damaged))
    except CannotUnderstand:
        return
    assert 0 < stream.rows < 65536
    assert 0 < stream.columns < 65536


@pytest.mark.shared_data
def test_real_code_streams_are_what_their_names_say(shared_data: Path) -> None:
    kinds = {
        "jpeg-baseline": "50",
        "jpeg-extended": "51",
        "jpeg-lossless": "70",
        "jpegls-lossless": "80",
        "jpegls-near": "81",
        "j2k-lossless": "90",
        "j2k-lossy": "91",
    }
    seen = set()
    for path in sorted((shared_data / "payloads" / "codestreams").glob("tile-j*")):
        match = re.fullmatch(r"tile-(\w+-\w+)-(gray|rgb|ybr)-([0-9]+)", path.stem)
        assert match is not None
        stream = found(path.read_bytes())
        assert stream.transfer_syntax_uid == f"1.2.840.10008.1.2.4.{kinds[match[1]]}"
        assert (stream.rows, stream.columns, stream.precision) == (240, 240, int(match[3]))
        assert {"gray": "MONO", "rgb": "RGB", "ybr": "YBR"}[match[2]] == stream.photometric_interpretation[
            : 4 if match[2] == "gray" else 3
        ]
        seen.add(match[1])
    assert seen == set(kinds)

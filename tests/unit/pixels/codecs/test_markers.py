"""What JPEG and JPEG-LS streams say before they are decoded."""

from __future__ import annotations

import struct

import pytest

from pictures import image
from skiagraph.pixels.codecs import markers
from skiagraph.pixels.image import BadPixels

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def frame(
    marker: int = 0xC0, *, precision: int = 8, rows: int = 2, columns: int = 3, sampling: bytes = b"\x11"
) -> bytes:
    components = b"".join(bytes([number + 1, value, 0]) for number, value in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", precision, rows, columns, len(sampling)) + components)


def test_all_that_is_said() -> None:
    stream = SOI + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + b"\xff" + frame(sampling=b"\x21\x11\x11") + SOS + EOI
    found = markers.read(stream, "JPEG")
    assert (found.process, found.precision, found.rows, found.columns, found.components) == (0xC0, 8, 2, 3, 3)
    assert (found.identifiers, found.subsampled, found.jfif, found.adobe_transform, found.ended) == (
        b"\1\2\3",
        True,
        True,
        None,
        True,
    )


@pytest.mark.parametrize(
    ("adobe", "transform"),
    [(b"Adobe\0\x64\0\0\0\0\1", 1), (b"Adobe\0\x64\0\0\0\0\0", 0), (b"Adobe\0\0\0", None), (b"Else", None)],
    ids=["YCbCr", "none", "too short", "other"],
)
def test_adobe(adobe: bytes, transform: int | None) -> None:
    stream = SOI + segment(0xEE, adobe) + frame(sampling=b"\x11\x11\x11") + SOS
    found = markers.read(stream, "JPEG")
    assert (found.adobe_transform, found.ended) == (transform, False)


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        pytest.param(b"", "does not begin with SOI", id="nothing"),
        pytest.param(SOI + EOI, "no frame header", id="empty"),
        pytest.param(SOI + SOS, "no frame header", id="scan without frame"),
        pytest.param(SOI + frame()[:-3], "no frame header", id="cut within the frame header"),
        pytest.param(SOI + segment(0xC0, b"\x08\0\2\0\3\3\1\x11\0"), "no frame header", id="fewer components"),
        pytest.param(SOI + b"\0\0\0\0", "no marker at offset 2", id="no marker"),
        pytest.param(SOI + frame() + SOS * 300, "more than 200 scans", id="endless scans"),
    ],
)
def test_damage(stream: bytes, says: str) -> None:
    with pytest.raises(BadPixels, match=says):
        markers.read(stream, "JPEG")


@pytest.mark.parametrize("change", [{"rows": 25}, {"columns": 1}, {"samples": 3}, {"precision": 0}, {"precision": 33}])
def test_what_contradicts_the_data_set(change: dict[str, int]) -> None:
    said = {"rows": 24, "columns": 31, "samples": 1, "precision": 8}
    markers.check(image(), "JPEG", **said)
    with pytest.raises(BadPixels, match=str(next(iter(change.values())))):
        markers.check(image(), "JPEG", **said | change)

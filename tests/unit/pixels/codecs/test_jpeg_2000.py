"""JPEG 2000 and HTJ2K: headers, signs, colour transforms, and what hostile headers cost."""

from __future__ import annotations

import struct
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from pictures import image, pixels
from skiagraph.pixels.codecs import jpeg_2000
from skiagraph.pixels.image import BadPixels, ImageParams

LOSSLESS = (jpeg_2000.LOSSLESS, jpeg_2000.HT_LOSSLESS, jpeg_2000.HT_LOSSLESS_RPCL)


@pytest.mark.parametrize("uid", [*LOSSLESS, jpeg_2000.LOSSY, jpeg_2000.HT])
@pytest.mark.parametrize("kind", [(8, 8, 0), (16, 10, 0), (16, 12, 0), (16, 12, 1), (16, 16, 1)], ids=str)
def test_the_header_says_what_the_data_set_says(uid: str, kind: tuple[int, int, int]) -> None:
    """PS3.5 §8.2.4: precision and sign are those of Bits Stored and Pixel Representation."""
    of = image("MONOCHROME2", *kind)
    frame, _ = jpeg_2000.encode(pixels(of), uid, of)
    header = jpeg_2000.read(frame)
    assert (header.precision, header.signed) == (of.bits_stored, of.signed)
    assert header.high_throughput is ("20" in uid[-3:])
    assert header.reversible is (uid in LOSSLESS)


@pytest.mark.parametrize("uid", [jpeg_2000.HT_LOSSLESS, jpeg_2000.HT])
@pytest.mark.parametrize("kind", [(16, 10, 0), (16, 12, 0), (16, 12, 1), (16, 15, 1)], ids=str)
def test_two_decoders_agree_about_patched_headers(uid: str, kind: tuple[int, int, int]) -> None:
    """OpenJPH encodes all bits of the array; the precision is lowered afterwards."""
    of = image("MONOCHROME2", *kind)
    frame, described = jpeg_2000.encode(pixels(of, extremes=False), uid, of)
    by_openjpeg, _ = jpeg_2000.decode(frame, uid, described)
    by_openjph = imagecodecs.htj2k_decode(frame)
    assert np.abs(by_openjpeg.astype(int) - by_openjph).max() <= (uid == jpeg_2000.HT)


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (65, 1000), (512, 512), (3000, 2100)], ids=str)
def test_rpcl(rows: int, columns: int) -> None:
    """PS3.5 §10.18: RPCL, TLM, and a lowest resolution of 64 or less."""
    of = image(allocated=8, rows=rows, columns=columns)
    frame, _ = jpeg_2000.encode(np.zeros(of.shape, np.uint8), jpeg_2000.HT_LOSSLESS_RPCL, of)
    at = frame.index(b"\xff\x52")
    assert frame[at + 5] == 2, "RPCL"
    levels = frame[at + 9]
    assert min(rows, columns) / 2**levels <= 64
    assert b"\xff\x55" in frame[: jpeg_2000.read(frame).end], "TLM"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param(0, 1, id="unsigned stream, signed data set"),
        pytest.param(1, 0, id="signed stream, unsigned data set"),
    ],
)
@pytest.mark.parametrize("bits", [12, 16])
def test_signs_that_disagree(written: int, said: int, bits: int) -> None:
    """The bits count: they are those of the cells."""
    cells = pixels(image(stored=bits, signed=written))
    frame, _ = jpeg_2000.encode(cells, jpeg_2000.LOSSLESS, image(stored=bits, signed=written))
    found, _ = jpeg_2000.decode(frame, jpeg_2000.LOSSLESS, image(stored=bits, signed=said))
    mask = (1 << bits) - 1
    assert np.array_equal(found.astype(int) & mask, cells.astype(int) & mask)
    assert bool(found.min() < 0) is bool(said)


@pytest.mark.parametrize(
    ("transformed", "said", "comes"),
    [
        pytest.param(True, "YBR_RCT", "RGB", id="RCT"),
        pytest.param(True, "RGB", "RGB", id="transformed, said RGB"),
        pytest.param(True, "YBR_FULL_422", "RGB", id="transformed, said something of before"),
        pytest.param(False, "RGB", "RGB", id="plain RGB"),
        pytest.param(False, "YBR_RCT", "RGB", id="said RCT, nothing transformed"),
        pytest.param(False, "YBR_FULL", "YBR_FULL", id="plain YBR"),
    ],
)
def test_colour(transformed: bool, said: str, comes: str) -> None:
    cells = pixels(image("RGB", 8))
    frame, _ = jpeg_2000.encode(cells, jpeg_2000.LOSSLESS, image("RGB" if transformed else "YBR_FULL", 8))
    found, described = jpeg_2000.decode(frame, jpeg_2000.LOSSLESS, image(said, 8))
    assert np.array_equal(found, cells)
    assert described.photometric_interpretation == comes


def test_boxes_are_passed_over() -> None:
    """A palette in the JP2 header is not applied: PALETTE COLOR stays indices."""
    of = image("PALETTE COLOR", 8)
    frame, _ = jpeg_2000.encode(pixels(of), jpeg_2000.LOSSLESS, of)
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">L4s", 14, b"pclr") + b"\0\1\3\7\7\7"
    for length in (len(frame) + 8, 0):
        jp2 = boxes + struct.pack(">L4s", length, b"jp2c") + frame
        assert np.array_equal(jpeg_2000.decode(jp2, jpeg_2000.LOSSLESS, of)[0], pixels(of))
    long = boxes + struct.pack(">L4sQ", 1, b"jp2c", len(frame) + 16) + frame
    assert jpeg_2000.codestream(long) == frame
    for damaged in (boxes, boxes + b"\0\0\0\1", boxes + struct.pack(">L4s", 3, b"abcd")):
        with pytest.raises(BadPixels, match="no code stream"):
            jpeg_2000.codestream(damaged)


@pytest.mark.parametrize("uid", [*LOSSLESS, jpeg_2000.LOSSY, jpeg_2000.HT])
def test_streams_that_end_too_early(uid: str) -> None:
    of = image()
    frame, described = jpeg_2000.encode(pixels(of), uid, of)
    whole, _ = jpeg_2000.decode(frame, uid, described)
    end = frame.rindex(b"\xff\xd9")
    assert np.array_equal(jpeg_2000.decode(frame[:end], uid, described)[0], whole), "the end marker alone is missing"
    for part in (0.95, 0.5):
        with pytest.raises(BadPixels, match="tile-parts are not all there"):
            jpeg_2000.decode(frame[: int(end * part)], uid, described)


def siz(stream: bytes, place: int, value: int) -> bytes:
    return stream[:place] + struct.pack(">L", value) + stream[place + 4 :]


def precincts(stream: bytes, sizes: int) -> bytes:
    """Put precinct sizes into the COD segment."""
    at = stream.index(b"\xff\x52")
    levels = stream[at + 9]
    (length,) = struct.unpack_from(">H", stream, at + 2)
    body = bytes([stream[at + 4] | 1]) + stream[at + 5 : at + 2 + length] + bytes([sizes] * (levels + 1))
    return stream[: at + 2] + struct.pack(">H", len(body) + 2) + body + stream[at + 2 + length :]


def test_crumbs_are_refused() -> None:
    """Each tile and precinct costs the decoder more than the samples in it."""
    of = image(rows=1000, columns=1000)
    frame, _ = jpeg_2000.encode(np.zeros(of.shape, np.uint16), jpeg_2000.LOSSLESS, of)
    with pytest.raises(BadPixels, match="1000000 tiles"):
        jpeg_2000.read(siz(siz(frame, 24, 1), 28, 1))
    with pytest.raises(BadPixels, match="precincts"):
        jpeg_2000.decode(precincts(frame, 0x11), jpeg_2000.LOSSLESS, of)
    assert jpeg_2000.read(precincts(frame, 0x77)).rows == 1000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda s: siz(s, 8, 0), "empty image area", id="no columns"),
        pytest.param(lambda s: siz(s, 24, 0), "empty tiles", id="tiles without columns"),
        pytest.param(lambda s: siz(s, 8, 2**32 - 1), "tiles|columns", id="endless columns"),
        pytest.param(lambda s: s[:30], "does not begin", id="cut within SIZ"),
        pytest.param(lambda s: s[:40] + b"\xff\xff" + s[42:], "incomplete", id="endless components"),
        pytest.param(lambda s: s[:43] + b"\2" + s[44:], "subsampled", id="subsampled"),
        pytest.param(lambda s: s[:42] + b"\x7f" + s[43:], "precision of 128", id="precision"),
        pytest.param(lambda s: s[: jpeg_2000.read(s).end], "tile-parts", id="main header alone"),
        pytest.param(
            lambda s: s.replace(b"\xff\x90\0\x0a\0\0", b"\xff\x90\0\x0a\0\0", 1)[:-40], "tile-parts", id="cut"
        ),
    ],
)
def test_damage(change: object, says: str) -> None:
    of = image()
    frame, _ = jpeg_2000.encode(pixels(of), jpeg_2000.LOSSLESS, of)
    with pytest.raises(BadPixels, match=says):
        jpeg_2000.decode(change(frame), jpeg_2000.LOSSLESS, of)  # type: ignore[operator]


@pytest.mark.parametrize("signed", [0, 1])
def test_htj2k_of_many_bits(signed: int) -> None:
    """Other writers use more than 16 bits; OpenJPEG does not read them."""
    of = image(allocated=32, stored=24, signed=signed)
    frame = bytes(imagecodecs.htj2k_encode(pixels(of), reversible=True))
    found, _ = jpeg_2000.decode(frame, jpeg_2000.HT_LOSSLESS, of)
    assert np.array_equal(found, pixels(of))


def test_lossy_streams_do_not_wrap() -> None:
    """What overshoots black or white stays black or white."""
    of = image("RGB", 8)
    cells = np.where(pixels(of) > 128, np.uint8(255), np.uint8(0))
    for uid in (jpeg_2000.LOSSY, jpeg_2000.HT):
        frame, described = jpeg_2000.encode(cells, uid, of)
        found, _ = jpeg_2000.decode(frame, uid, described)
        assert np.abs(found.astype(int) - cells).max() < 64


def test_the_image_given_is_not_changed() -> None:
    of = image("RGB", 8)
    _, described = jpeg_2000.encode(pixels(of), jpeg_2000.LOSSLESS, of)
    assert of == image("RGB", 8)
    assert described == replace(of, photometric_interpretation="YBR_RCT")
    assert isinstance(described, ImageParams)

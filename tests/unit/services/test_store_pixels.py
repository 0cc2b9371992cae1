"""Pixels in parts: which Transfer Syntax they are stored under, and what the data set then says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.services import store_pixels
from skiagraph.services.coercion import Changes
from skiagraph.services.store_pixels import PIXEL_DATA
from skiagraph.standard.part10 import BytesSource
from skiagraph.standard.part10_writer import Span
from skiagraph.values import Attributes
from skiagraph.wire import media_type
from skiagraph.wire.media_type import MediaType

GREY = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8)
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
MACRO: Attributes = {
    "00280002": {"vr": "US", "Value": [1]},
    "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]},
    "00280010": {"vr": "US", "Value": [20]},
    "00280011": {"vr": "US", "Value": [30]},
    "00280100": {"vr": "US", "Value": [8]},
    "00280101": {"vr": "US", "Value": [8]},
    "00280102": {"vr": "US", "Value": [7]},
    "00280103": {"vr": "US", "Value": [0]},
}
RLE = b"\1\0\0\0\x40\0\0\0" + bytes(56) + b"\xe3\7"
JXL = imagecodecs.jpegxl_encode(GREY, lossless=True)
PNG = imagecodecs.png_encode(GREY)


def jpeg(picture: np.ndarray = GREY) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Body(BytesSource):
    """A part."""

    data: bytes
    media_type: MediaType | None = None

    def __post_init__(self) -> None:
        super().__init__(self.data)

    @property
    def span(self) -> Span:
        return Span(self, 0, self.size)


def image(
    given: Attributes | Changes, content_type: str, *bodies: bytes, hint: str = "", most: int = 2**20
) -> store_pixels.Image:
    changes = given if isinstance(given, Changes) else Changes(given)
    attributes = changes.attributes
    attributes[PIXEL_DATA] = {"vr": "OB", "BulkDataURI": "x"}
    kind = media_type.parse(content_type)
    parts = [Body(body, kind) for body in bodies]
    return store_pixels.image(changes, parts, hint, keep=lambda data: Body(data).span, max_frame_bytes=most)


@pytest.mark.parametrize(
    ("content_type", "body", "hint", "syntax", "encapsulated"),
    [
        pytest.param("application/octet-stream", bytes(600), "", ".1", False, id="native"),
        pytest.param("", bytes(600), "", ".1", False, id="no media type"),
        pytest.param("application/octet-stream", bytes(600), ".4.50", ".1", False, id="a hint that is wrong"),
        pytest.param("application/octet-stream", jpeg(), ".4.50", ".4.50", True, id="a hint that is right"),
        pytest.param("application/octet-stream", RLE, ".5", ".5", True, id="RLE by a hint"),
        pytest.param("image/dicom-rle", RLE, "", ".5", True, id="RLE"),
        pytest.param("image/x-dicom-rle", RLE, "", ".5", True, id="RLE by its old name"),
        pytest.param("image/jls", jpeg(), ".4.80", ".4.50", True, id="what it is counts, not what is claimed"),
        pytest.param("image/jphc", imagecodecs.htj2k_encode(GREY), "", ".4.201", True, id="HTJ2K"),
        pytest.param("image/jxl", JXL, "", ".4.110", True, id="JPEG XL"),
        pytest.param("image/jxl", JXL, ".4.112", ".4.112", True, id="JPEG XL that may be lossless"),
        pytest.param("image/jxl", JXL, ".4.110", ".4.110", True, id="JPEG XL that is lossless"),
        pytest.param("image/jxl", JXL, ".4.50", ".4.110", True, id="a hint of another codec"),
        pytest.param("image/jpeg", PNG, "", ".1", False, id="PNG under the name of JPEG"),
        pytest.param("image/png", jpeg(), "", ".4.50", True, id="JPEG under the name of PNG"),
        pytest.param("application/octet-stream", PNG, "", ".1", False, id="PNG under no name"),
        pytest.param("image/tiff", jpeg(), "", ".4.50", True, id="JPEG under a name that can not be stored"),
    ],
)
def test_transfer_syntax(content_type: str, body: bytes, hint: str, syntax: str, encapsulated: bool) -> None:
    base = "1.2.840.10008.1.2"
    found = image(dict(MACRO), content_type, body, hint=hint and base + hint)
    assert found.transfer_syntax_uid == base + syntax
    assert found.bulk.encapsulated is encapsulated


class TestAttributes:
    def test_come_from_the_stream(self) -> None:
        attributes: Attributes = {}
        image(attributes, "image/jpeg", jpeg())
        assert {tag: attributes[tag] for tag in MACRO} == MACRO
        assert attributes["00282110"]["Value"] == ["01"]
        assert attributes["00282114"]["Value"] == ["ISO_10918_1"]
        assert "00280006" not in attributes, "one sample has no planes"

    def test_what_is_given_stays(self) -> None:
        changes = Changes({"00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}, "00280100": {"vr": "US", "Value": [16]}})
        image(changes, "image/jpeg", jpeg())
        assert changes.attributes["00280004"]["Value"] == ["MONOCHROME1"]
        assert changes.attributes["00280100"]["Value"] == [16]
        assert not changes

    @pytest.mark.parametrize(
        ("picture", "content_type", "wrong", "right"),
        [
            pytest.param(GREY, "JPEG", {"00282110": ("CS", "00")}, ["01"], id="lossy is not lossless"),
            pytest.param(GREY, "JPEG", {"00280004": ("CS", "RGB")}, ["MONOCHROME2"], id="grey is no colour"),
            pytest.param(RGB, "JPEG", {"00280004": ("CS", "RGB")}, ["YBR_FULL_422"], id="colours of JPEG"),
            pytest.param(RGB, "JPEG", {"00280006": ("US", 1)}, [0], id="planes"),
            pytest.param(RGB, "JPEG", {"00280004": ("CS", "YBR_FULL")}, None, id="the other name of JPEG colours"),
            pytest.param(GREY, "JPEG", {"00280101": ("US", 12), "00280100": ("US", 16)}, [8], id="too many bits"),
            pytest.param(GREY, "JPEG", {"00280101": ("US", 7), "00280102": ("US", 6)}, None, id="fewer bits"),
            pytest.param(RGB, "PNG", {"00280004": ("CS", "PALETTE COLOR")}, ["RGB"], id="expanded palette"),
            pytest.param(RGB, "JPEG2000", {"00280004": ("CS", "YBR_ICT")}, ["RGB"], id="colours of JPEG 2000"),
        ],
    )
    def test_what_contradicts_the_stream_is_corrected(
        self, picture: np.ndarray, content_type: str, wrong: dict[str, Any], right: list[Any] | None
    ) -> None:
        given = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in wrong.items()}
        changes = Changes(dict(given))
        out = io.BytesIO()
        Image.fromarray(picture).save(out, content_type)
        image(changes, "image/x", out.getvalue())
        tag = next(iter(wrong))
        if right is None:
            assert not changes
            assert changes.attributes[tag] == given[tag]
        else:
            assert changes.original == {tag: given[tag]}
            assert changes.attributes[tag] == {"vr": wrong[tag][0], "Value": right}

    def test_colour_of_a_stream_that_does_not_tell(self) -> None:
        """Baseline without JFIF and Adobe markers, not subsampled: RGB is as likely as any."""
        out = io.BytesIO()
        Image.fromarray(RGB).save(out, "JPEG", subsampling=0)
        stream = out.getvalue()
        length = int.from_bytes(stream[4:6], "big")
        changes = Changes({"00280004": {"vr": "CS", "Value": ["RGB"]}})
        image(changes, "image/jpeg", stream[:2] + stream[4 + length :])
        assert changes.attributes["00280004"]["Value"] == ["RGB"]
        assert not changes

    def test_frames_are_counted(self) -> None:
        attributes: Attributes = {}
        found = image(attributes, "image/jpeg", jpeg(), jpeg(), jpeg())
        assert attributes["00280008"] == {"vr": "IS", "Value": [3]}
        assert len(found.bulk.spans) == 3

    def test_of_png(self) -> None:
        attributes: Attributes = {}
        found = image(attributes, "image/png", imagecodecs.png_encode(GREY.astype(np.uint16) * 200))
        assert attributes["00280100"]["Value"] == [16]
        assert attributes[PIXEL_DATA]["vr"] == "OW"
        assert not found.bulk.encapsulated
        (span,) = found.bulk.spans
        assert (np.frombuffer(span.source.read_at(0, 9999), "<u2").reshape(20, 30) == GREY.astype(int) * 200).all()


@pytest.mark.parametrize(
    ("changes", "content_type", "bodies", "error"),
    [
        pytest.param({}, "image/heic", [b"x"], CannotUnderstand, id="a media type that is not known"),
        pytest.param({}, "image/dicom-rle", [b"x" * 99], CannotUnderstand, id="no RLE"),
        pytest.param({}, "image/jxl", [b"x" * 99], CannotUnderstand, id="no JPEG XL"),
        pytest.param({}, "image/jpeg", [b"x" * 99], CannotUnderstand, id="no JPEG"),
        pytest.param({}, "image/jpeg", [jpeg(), jpeg(GREY[:8])], CannotUnderstand, id="frames of two sizes"),
        pytest.param({}, "image/jpeg", [jpeg(np.dstack([GREY] * 3))], CannotUnderstand, id="colour, said to be grey"),
        pytest.param({"00280008": {"vr": "IS", "Value": [3]}}, "image/jpeg", [jpeg()], CannotUnderstand, id="frames"),
        pytest.param(
            {"00280010": {"vr": "US", "Value": [{}]}}, "image/jpeg", [jpeg()], CannotUnderstand, id="no number"
        ),
        pytest.param({"00280010": {"vr": "US"}}, "image/dicom-rle", [RLE], CannotUnderstand, id="Rows are missing"),
        pytest.param({}, "video/mp4", [b"x" * 99], CannotUnderstand, id="no video"),
        pytest.param(
            {"00280100": {"vr": "US", "Value": [16]}},
            "image/png",
            [imagecodecs.png_encode(GREY)],
            CannotUnderstand,
            id="PNG of another depth",
        ),
        pytest.param(
            {"00280010": {"vr": "US", "Value": [2000]}, "00280011": {"vr": "US", "Value": [2000]}},
            "image/png",
            [imagecodecs.png_encode(np.zeros((2000, 2000), np.uint8))],
            OutOfResources,
            id="a picture that is too large",
        ),
    ],
)
def test_refused(changes: Any, content_type: str, bodies: list[bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        image(MACRO | changes, content_type, *bodies)

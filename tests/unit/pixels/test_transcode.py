"""Conversions between Transfer Syntaxes, and what they do to the data set."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pictures import image, pixels
from skiagraph.pixels import decode, encode, transcode
from skiagraph.pixels.codecs import jpeg, jpeg_xl
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard import transfer_syntaxes
from skiagraph.values import Attributes, is_strict_uid

X = "1.2.840.10008.1.2"
NATIVE, RLE, J2K, BASELINE, RECOMPRESSED = f"{X}.1", f"{X}.5", f"{X}.4.90", f"{X}.4.50", f"{X}.4.111"
TYPES = {
    "16 bit": image(stored=12),
    "signed": image(signed=1),
    "RGB": image("RGB", 8),
    "palette": image("PALETTE COLOR", 8),
    "1 bit": image(allocated=1),
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_way_there_and_back(kind: str) -> None:
    """Stored in any lossless syntax, converted to any other: the cells are those that were stored."""
    of = TYPES[kind]
    cells = pixels(of)
    stored = [
        (uid, *encode.encode(cells, uid, of)) for uid in transcode.LOSSLESS_TARGETS if encode.unfit(uid, of) is None
    ]
    assert len(stored) >= 8
    for uid, frame, described in stored:
        offered = transcode.targets(uid, described)
        assert uid not in offered
        lossless = [other for other in offered if not transcode.is_lossy_conversion(uid, other)]
        assert {uid, *lossless} == {other for other, _, _ in stored}
        for other in offered:
            made, params = transcode.transcode_frame(frame, uid, other, described)
            found, decoded = decode.decode(made, other, params)
            assert found.shape == cells.shape
            if other in lossless:
                assert np.array_equal(found, cells), (uid, other)
                assert decoded.photometric_interpretation == of.photometric_interpretation


def test_lossy_ones_come_last() -> None:
    """Negotiation takes the first of several that are equally good."""
    offered = transcode.targets(NATIVE, image("RGB", 8))
    lossy = [transcode.is_lossy_conversion(NATIVE, uid) for uid in offered]
    assert lossy == sorted(lossy)
    assert any(lossy)
    assert transcode.reachable(RLE)[0] == NATIVE, "the default of PS3.18"


@pytest.mark.parametrize(
    ("stored", "target", "lossy"),
    [
        (NATIVE, BASELINE, True),
        (BASELINE, RECOMPRESSED, False),
        (RECOMPRESSED, BASELINE, False),
        (BASELINE, J2K, False),
        (BASELINE, BASELINE, False),
        (J2K, f"{X}.4.91", True),
    ],
)
def test_what_makes_another_image(stored: str, target: str, lossy: bool) -> None:
    assert transcode.is_lossy_conversion(stored, target) is lossy


def test_what_can_not_be_decoded_can_not_be_converted() -> None:
    for row in transfer_syntaxes.TRANSFER_SYNTAXES:
        if row.video or row.referenced:
            assert transcode.reachable(row.uid) == ()
    assert transcode.reachable("1.2.3") == ()


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_jpeg_and_jpeg_xl_byte_by_byte(padding: bytes) -> None:
    of = image("RGB", 8)
    frame, described = encode.encode(pixels(of), BASELINE, of)
    recompressed, params = transcode.transcode_frame(frame + padding, BASELINE, RECOMPRESSED, described)
    assert params == described
    back, _ = transcode.transcode_frame(recompressed, RECOMPRESSED, BASELINE, described)
    assert back == frame
    lossless, _ = encode.encode(pixels(of), jpeg_xl.LOSSLESS, of)
    with pytest.raises(BadPixels, match="no recompressed JPEG"):
        transcode.transcode_frame(lossless, RECOMPRESSED, BASELINE, of)


@pytest.mark.parametrize(
    "of",
    [image("RGB", 8, planar_configuration=1), image("YBR_FULL_422", 8, rows=4, columns=4), image(stored=12)],
    ids=["planes", "subsampled", "unused bits"],
)
def test_native_bytes_stay_as_they_are(of: ImageParams) -> None:
    size = 32 if of.photometric_interpretation == "YBR_FULL_422" else of.frame_bytes
    frame = bytes(np.random.default_rng(3).integers(0, 256, size, np.uint8))
    for uid in (f"{X}.1.98", f"{X}.8.1", f"{X}.1.99"):
        assert uid in transcode.targets(NATIVE, of)
        made, params = transcode.transcode_frame(frame, NATIVE, uid, of)
        assert params == of
        assert transcode.transcode_frame(made, uid, NATIVE, of) == (frame, of)


def test_floating_point_stays_native() -> None:
    of = ImageParams(2, 2, 1, 32, 32, 31, 1, pixel_tag="7FE00008")
    assert transcode.targets(NATIVE, of) == (f"{X}.1.99",)
    assert transcode.pixel_vr(NATIVE, of) == "OF"
    assert transcode.pixel_vr(NATIVE, replace(of, bits_allocated=64, pixel_tag="7FE00009")) == "OD"


def test_bounds() -> None:
    with pytest.raises(BadPixels, match="limit"):
        transcode.transcode_frame(b"", NATIVE, RLE, image(), limit=100)
    with pytest.raises(BadPixels, match="2 bytes"):
        transcode.transcode_frame(b"ab", NATIVE, RLE, image())
    with pytest.raises(BadPixels, match="holds 8 to 8 bits"):
        transcode.transcode_frame(pixels(image(signed=1)).tobytes(), NATIVE, BASELINE, image(signed=1))


# What changes in the data set


def data_set(of: ImageParams, **changes: object) -> Attributes:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns, data.SamplesPerPixel = of.rows, of.columns, of.samples_per_pixel
    data.PhotometricInterpretation = of.photometric_interpretation
    data.BitsAllocated, data.BitsStored, data.HighBit = of.bits_allocated, of.bits_stored, of.high_bit
    data.PixelRepresentation = of.pixel_representation
    if of.samples_per_pixel > 1:
        data.PlanarConfiguration = of.planar_configuration
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    found: Attributes = json.loads(data.to_json())
    return found


def converted(of: ImageParams, stored: str, target: str, **changes: object) -> Attributes:
    cells = pixels(replace(of, planar_configuration=0))
    frame, described = encode.encode(cells, stored, of)
    _, params = transcode.transcode_frame(frame, stored, target, described)
    return transcode.changes(data_set(described, **changes), stored, target, params, ratio=7.654321)


def values(attributes: Attributes) -> dict[str, object]:
    return {tag: attribute["Value"][0] for tag, attribute in attributes.items()}


@pytest.mark.parametrize(
    ("of", "stored", "target", "expected"),
    [
        pytest.param(image(stored=12), NATIVE, J2K, {}, id="grey: nothing"),
        pytest.param(image("RGB", 8), NATIVE, J2K, {"00280004": "YBR_RCT"}, id="RCT"),
        pytest.param(image("RGB", 8), J2K, NATIVE, {"00280004": "RGB"}, id="RCT undone"),
        pytest.param(image("RGB", 8), J2K, f"{X}.4.201", {}, id="RCT to RCT"),
        pytest.param(image("RGB", 8), NATIVE, f"{X}.4.80", {}, id="JPEG-LS transforms nothing"),
        pytest.param(image("RGB", 8), NATIVE, RLE, {"00280006": 1}, id="RLE is planes"),
        pytest.param(image("RGB", 8), RLE, NATIVE, {"00280006": 0}, id="by pixel again"),
        pytest.param(image("YBR_FULL", 8), NATIVE, J2K, {}, id="YBR_FULL stays"),
        pytest.param(
            image("RGB", 8), BASELINE, NATIVE, {"00280004": "RGB", "00282110": "01"}, id="what was lost stays lost"
        ),
        pytest.param(image("RGB", 8), BASELINE, RECOMPRESSED, {"00282110": "01"}, id="recompressed"),
    ],
)
def test_changes(of: ImageParams, stored: str, target: str, expected: dict[str, object]) -> None:
    assert values(converted(of, stored, target)) == expected


@pytest.mark.parametrize("target", transcode.LOSSY_TARGETS)
def test_a_lossy_conversion_is_a_derived_image(target: str) -> None:
    """PS3.3 C.7.6.1.1.2 and C.7.6.1.1.5."""
    of = image(stored=12) if target == jpeg.EXTENDED else image(allocated=8)
    new = converted(of, NATIVE, target)
    assert new["00080008"]["Value"] == ["DERIVED", "PRIMARY", "AXIAL"]
    assert new["00282110"]["Value"] == ["01"]
    assert new["00282112"] == {"vr": "DS", "Value": [7.654]}
    assert new["00282114"]["Value"] == [transcode.METHODS[target]]
    (uid,) = new["00080018"]["Value"]
    assert uid != "1.2.3.4"
    assert is_strict_uid(uid)
    assert uid == transcode.derived_uid("1.2.3.4", target), "the same each time"
    (source,) = new["00082112"]["Value"]
    assert source["00081155"]["Value"] == ["1.2.3.4"]
    assert source["0040A170"]["Value"][0]["00080100"]["Value"] == ["121320"]


def test_what_was_lost_before_stays_on_record() -> None:
    new = converted(
        image(allocated=8),
        NATIVE,
        BASELINE,
        LossyImageCompression="01",
        LossyImageCompressionRatio=[3],
        LossyImageCompressionMethod=["ISO_15444_1"],
        ImageType=["DERIVED"],
    )
    assert new["00282112"]["Value"] == [3, 7.654]
    assert new["00282114"]["Value"] == ["ISO_15444_1", "ISO_10918_1"]
    assert new["00080008"]["Value"] == ["DERIVED", "SECONDARY"]


@pytest.mark.parametrize(("meaning", "kept"), [("plain", 2), ("Täter", None)])
def test_earlier_sources(meaning: str, kept: int | None) -> None:
    """What is not ASCII would need the character set of the data set: it stays as it is."""
    source = Dataset()
    source.ReferencedSOPInstanceUID = "1.2.9"
    code = Dataset()
    code.CodeMeaning = meaning
    source.PurposeOfReferenceCodeSequence = [code]
    new = converted(image(allocated=8), NATIVE, BASELINE, SourceImageSequence=[source])
    assert len(new["00082112"]["Value"]) == kept if kept else "00082112" not in new


def test_twelve_bits_of_extended_jpeg() -> None:
    """Table 8.2.1-1: Process 4 has 12 bits stored."""
    new = values(converted(image(stored=10), NATIVE, jpeg.EXTENDED))
    assert (new["00280101"], new["00280102"]) == (12, 11)


@pytest.mark.parametrize(
    ("uid", "of", "vr"),
    [
        (NATIVE, image(), "OW"),
        (NATIVE, image(allocated=8), "OB"),
        (NATIVE, image(allocated=1), "OB"),
        (J2K, image(), "OB"),
    ],
)
def test_vr_of_pixel_data(uid: str, of: ImageParams, vr: str) -> None:
    """PS3.5 Annex A.2 and A.4."""
    assert transcode.pixel_vr(uid, of) == vr

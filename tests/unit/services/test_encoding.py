"""Instances as PS3.10 files in another Transfer Syntax: what pydicom makes of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from archives import Answer, Given, compressed, opened, read
from dicom_files import ct, part10
from pictures import image, pixels
from pixel_files import DEFLATED_FRAMES, GREY, RGB, module, native, stored_as
from skiagraph.pixels import decode, encode, transcode


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def get(given: Given, path: object, syntax: str) -> Answer:
    return given.get(path, f"application/dicom; transfer-syntax={syntax}")


@pytest.mark.parametrize("target", [uid for uid in transcode.LOSSLESS_TARGETS if uid != ExplicitVRLittleEndian])
@pytest.mark.parametrize(
    "stored", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("frames", [1, 3])
def test_from_native(given: Given, stored: str, target: str, frames: int) -> None:
    if stored == target:
        return
    (instance,) = given.store(native(frames=frames, syntax=stored, ContentDate="20200101"))
    answer = get(given, instance.path, target)
    assert answer.status == 200
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={target}"
    data = read(answer.body)
    assert data.file_meta.TransferSyntaxUID == target
    assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID == instance.path.sop_instance_uid
    assert (data.PatientName, data.ContentDate, data.BitsStored) == ("Zeta^Zachary", "20200101", 12)
    if target == DeflatedExplicitVRLittleEndian:
        assert data.PixelData == b"".join(pixels(GREY, number).tobytes() for number in range(frames))
        return
    assert data["PixelData"].VR == "OB"
    cut = list(generate_frames(data.PixelData, number_of_frames=frames))
    for number, frame in enumerate(cut):
        assert len(frame) % 2 == 0
        assert np.array_equal(decode.decode(frame, target, GREY)[0], pixels(GREY, number))


@pytest.mark.parametrize("stored", [RLELossless, JPEG2000Lossless, DEFLATED_FRAMES, "1.2.840.10008.1.2.1.98"])
@pytest.mark.parametrize("target", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.4.80"])
def test_from_compressed(given: Given, stored: str, target: str) -> None:
    (instance,) = given.store(stored_as(stored, RGB, frames=2))
    answer = get(given, instance.path, target)
    data = read(answer.body)
    assert data.file_meta.TransferSyntaxUID == target
    assert data.PhotometricInterpretation == "RGB"
    assert data.PlanarConfiguration == 0
    if target == "1.2.840.10008.1.2.4.80":
        frames = [decode.decode(frame, target, RGB)[0] for frame in generate_frames(data.PixelData, number_of_frames=2)]
        assert np.array_equal(frames[1], pixels(RGB, 1))
    else:
        assert data.PixelData == pixels(RGB, 0).tobytes() + pixels(RGB, 1).tobytes()


def test_ranges_of_native_pixels(given: Given) -> None:
    """Where the length is known, so is every byte."""
    of = image(allocated=8, rows=3, columns=7)
    (instance,) = given.store(stored_as(RLELossless, of))
    whole = get(given, instance.path, ExplicitVRLittleEndian)
    assert whole.length == len(whole.body)
    assert whole.body.endswith(pixels(of).tobytes() + b"\0")
    for start, end in [(0, 10), (100, 200), (len(whole.body) - 30, len(whole.body) - 1), (len(whole.body) - 1, None)]:
        part = given.get(
            instance.path,
            f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}",
            headers={"range": f"bytes={start}-{'' if end is None else end}"},
        )
        assert part.status == 206
        assert part.body == whole.body[start : len(whole.body) if end is None else end + 1]


def test_ranges_of_one_compressed_frame(given: Given) -> None:
    (instance,) = given.store(native())
    whole = get(given, instance.path, RLELossless)
    assert whole.length == len(whole.body)
    part = given.get(instance.path, f"application/dicom; transfer-syntax={RLELossless}", headers={"range": "bytes=-40"})
    assert part.body == whole.body[-40:]


def test_a_lossy_file_is_another_image(given: Given) -> None:
    (instance,) = given.store(native(image(allocated=8), frames=2))
    first = get(given, instance.path, JPEGBaseline8Bit)
    data = read(first.body)
    assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID != instance.path.sop_instance_uid
    assert data.SourceImageSequence[0].ReferencedSOPInstanceUID == instance.path.sop_instance_uid
    assert data.ImageType[0] == "DERIVED"
    assert (data.LossyImageCompression, data.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert data.LossyImageCompressionRatio > 1
    assert [element.tag for element in data] == sorted(element.tag for element in data)
    again = get(given, instance.path, JPEGBaseline8Bit)
    assert (again.body, again.headers["etag"]) == (first.body, first.headers["etag"]), "same request, same bytes"


def test_offset_tables_and_icons_of_the_old_syntax_are_left_out(given: Given) -> None:
    icon = Dataset()
    icon.Rows, icon.Columns = 1, 1
    icon.PixelData = encapsulate([b"icon"])
    icon["PixelData"].VR = "OB"
    icon["PixelData"].is_undefined_length = True
    frame = stored_as(RLELossless, IconImageSequence=[icon])
    (instance,) = given.store(frame)
    data = read(get(given, instance.path, JPEG2000Lossless).body)
    assert "IconImageSequence" not in data
    original = pydicom.dcmread(io.BytesIO(frame))
    original.ExtendedOffsetTable = bytes(8)
    original.ExtendedOffsetTableLengths = (100).to_bytes(8, "little")
    (instance,) = given.store(part10(original, RLELossless))
    data = read(get(given, instance.path, ExplicitVRLittleEndian).body)
    assert "ExtendedOffsetTable" not in data
    assert "ExtendedOffsetTableLengths" not in data


def test_frames_that_are_not_alike(given: Given) -> None:
    """One data set can not say of one frame that it is RGB and of the next that it is not."""
    rgb, _ = encode.encode(pixels(RGB), JPEG2000Lossless, RGB)
    plain = image("YBR_FULL", 8)
    ybr, _ = encode.encode(pixels(plain), JPEG2000Lossless, plain)
    (instance,) = given.store(compressed([rgb, ybr], JPEG2000Lossless, **module(plain)))
    answer = get(given, instance.path, ExplicitVRLittleEndian)
    assert answer.error is not None
    assert "not encoded alike" in str(answer.error)


def test_a_data_set_without_pixels_can_be_deflated(given: Given) -> None:
    (instance,) = given.store(part10(ct(PixelData=None)))
    answer = get(given, instance.path, DeflatedExplicitVRLittleEndian)
    assert read(answer.body).PatientName == "Zeta^Zachary"
    assert get(given, instance.path, JPEG2000Lossless).status == 406


def test_file_meta_of_others_is_kept(given: Given) -> None:
    data = pydicom.dcmread(io.BytesIO(native()))
    data.file_meta.SourceApplicationEntityTitle = "MODALITY"
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    (instance,) = given.store(out.getvalue())
    assert read(get(given, instance.path, RLELossless).body).file_meta.SourceApplicationEntityTitle == "MODALITY"

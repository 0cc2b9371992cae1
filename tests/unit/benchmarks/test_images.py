"""The images that are rendered and transcoded: they are DICOM, and whole."""

from __future__ import annotations

import io

import pydicom
import pytest
from benchmarks import images
from benchmarks.data import Key, LargeInstance

from skiagraph.pixels import decode
from skiagraph.pixels.image import ImageParams


@pytest.mark.parametrize("syntax", [images.JPEG_LS, images.J2K])
def test_compressed_ct_holds_the_pixels_of_the_ct(syntax: str) -> None:
    template = images.compressed_ct(syntax)
    made = pydicom.dcmread(io.BytesIO(template.instance(Key(3, 1, 7))))
    (frame,) = pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)
    pixels, _ = decode.decode(frame, syntax, ImageParams(512, 512, 1, 16, 16, 15, 1))
    assert made.SOPInstanceUID == Key(3, 1, 7).uid
    assert pixels.tobytes() == images.ct_dataset().PixelData


@pytest.mark.parametrize(
    ("large", "frames"),
    [
        pytest.param(images.slide(Key(4, 1, 1)), 4096, id="slide"),
        pytest.param(images.long_object(Key(5, 1, 1), 45), 40, id="long object"),
        pytest.param(images.video(Key(6, 1, 1), 1000), 1500, id="video"),
    ],
)
def test_objects_in_pieces_are_whole(large: LargeInstance, frames: int) -> None:
    sent = b"".join(large.pieces())
    assert len(sent) == large.size
    made = pydicom.dcmread(io.BytesIO(sent))
    assert (made.SOPInstanceUID, made.NumberOfFrames) == (large.key.uid, frames)
    if made.file_meta.TransferSyntaxUID.is_encapsulated:
        count = large.frames
        assert len(list(pydicom.encaps.generate_fragments(made.PixelData))) - 1 == count
    else:
        assert len(made.PixelData) == frames * large.frame_bytes

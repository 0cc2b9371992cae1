"""DICOM files whose frames are synthetic pixels, native or really compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from archives import compressed
from dicom_files import ct, part10
from pictures import image, pixels
from skiagraph.pixels import encode
from skiagraph.pixels.image import ImageParams

RGB = image("RGB", 8)
GREY = image(stored=12)
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def module(of: ImageParams) -> dict[str, Any]:
    """The Image Pixel Module as keywords."""
    more: dict[str, Any] = {"PlanarConfiguration": of.planar_configuration} if of.samples_per_pixel > 1 else {}
    return more | {
        "Rows": of.rows,
        "Columns": of.columns,
        "SamplesPerPixel": of.samples_per_pixel,
        "PhotometricInterpretation": of.photometric_interpretation,
        "BitsAllocated": of.bits_allocated,
        "BitsStored": of.bits_stored,
        "HighBit": of.high_bit,
        "PixelRepresentation": of.pixel_representation,
    }


def stored_as(syntax: str, of: ImageParams = GREY, frames: int = 1, **more: Any) -> bytes:
    """An Instance with frames of its own kind each, in a Transfer Syntax that is encapsulated."""
    coded = [encode.encode(pixels(of, number), syntax, of) for number in range(frames)]
    frames_of = [frame for frame, _ in coded]
    if syntax != DEFLATED_FRAMES:
        return compressed(frames_of, syntax, **module(coded[0][1]), **more)
    # pydicom does not know it, but it has as many bytes (with its padding) as another one
    data = compressed(frames_of, JPEG2000Lossless, **module(coded[0][1]), **more)
    return data.replace(JPEG2000Lossless.encode(), DEFLATED_FRAMES.encode() + b"\0", 1)


def native(of: ImageParams = GREY, frames: int = 1, syntax: str = ExplicitVRLittleEndian, **more: Any) -> bytes:
    data = ct(**module(of), NumberOfFrames=frames, **more)
    cells = np.stack([pixels(of, number) for number in range(frames)])
    if of.bits_allocated == 1:
        data.PixelData = np.packbits(cells.ravel(), bitorder="little").tobytes()
    else:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        data.PixelData = cells.astype(cells.dtype.newbyteorder(order)).tobytes()
    data.PixelData += b"\0" * (len(data.PixelData) % 2)
    data["PixelData"].VR = "OW" if of.bits_allocated > 8 else "OB"
    return part10(data, syntax)

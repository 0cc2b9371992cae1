"""Frames of DICOM files, cut out by pydicom: what a codec is given."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from skiagraph.pixels.image import ImageParams
from skiagraph.values import Attributes


def load(file: Path | bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(file) if isinstance(file, bytes) else file, force=True)


def attributes(data: Dataset) -> Attributes:
    """The data set, pixels apart, in the DICOM JSON Model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Group 0028 has nothing nested, and no bulk data that matters here
        plain = Dataset({element.tag: element for element in data if element.tag.group in (0x0008, 0x0028)})
        found: Attributes = json.loads(plain.to_json(bulk_data_threshold=64, bulk_data_element_handler=lambda _: ""))
    for tag in ("7FE00008", "7FE00009"):
        if int(tag, 16) in data:
            found[tag] = {"vr": "OF"}
    return found


def frames(file: Path | bytes) -> tuple[str, ImageParams, list[bytes]]:
    """Transfer Syntax, image, and each frame: little endian from its first bit on, or the code stream."""
    data = load(file)
    uid = str(data.file_meta.TransferSyntaxUID)
    image = ImageParams.from_attributes(attributes(data))
    element = next(data[tag] for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) if tag in data)
    if element.is_undefined_length:
        return uid, image, list(generate_frames(element.value, number_of_frames=image.number_of_frames))
    value = element.value
    if uid == "1.2.840.10008.1.2.2" and element.VR != "OB":
        word = 2 if image.bits_allocated <= 16 else image.bits_allocated // 8
        value = np.frombuffer(value, f">u{word}").astype(f"<u{word}").tobytes()
    if image.cells * image.bits_allocated % 8:
        bits = np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")
        size = image.cells * image.bits_allocated
        return (
            uid,
            image,
            [
                np.packbits(bits[at : at + size], bitorder="little").tobytes()
                for at in range(0, size * image.number_of_frames, size)
            ],
        )
    size = len(value) // image.number_of_frames if image.photometric_interpretation == "YBR_FULL_422" else 0
    size = size or image.frame_bytes
    return uid, image, [value[at : at + size] for at in range(0, size * image.number_of_frames, size)]

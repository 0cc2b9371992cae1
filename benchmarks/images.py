"""The images that are rendered and transcoded: a radiograph, compressed CTs, a slide, a video, a long object.

Like those of `data`: synthetic, deterministic, made once, with place-holders for what differs between Instances.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import (
    MPEG4HP41,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    VideoEndoscopicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
)

from skiagraph.pixels import encode
from skiagraph.pixels.image import ImageParams

from .data import Key, LargeInstance, Template, common, ct_dataset, file_bytes

JPEG_LS, J2K, HTJ2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"

DX_SIZE = 2500, 3000
"""Columns and rows of the radiograph."""

TILE, TILES_ACROSS = 256, 64
"""Pixels of a tile's side; tiles in a row and in a column of the slide."""

_LENGTH = b"\x5a\xa5\x5a\xa5"
_DELIMITATION = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


def _set(dataset: Dataset, **values: object) -> Dataset:
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _gray(dataset: Dataset, rows: int, columns: int, bits: int) -> Dataset:
    return _set(
        dataset, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=rows, Columns=columns,
        BitsAllocated=16, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=0, BurnedInAnnotation="NO",
    )  # fmt: skip


def soft(generator: np.random.Generator, rows: int, columns: int, noise: float) -> NDArray[np.float64]:
    """Slow waves with noise on them, 0 to 4095."""
    y, x = np.mgrid[0:rows, 0:columns]
    waves = 2000 + 900 * np.sin(x / 211) * np.cos(y / 173) + 300 * np.sin((x + y) / 37)
    shown: NDArray[np.float64] = np.clip(waves + generator.normal(0, noise, (rows, columns)), 0, 4095)
    return shown


def radiograph() -> Template:
    """2,500 × 3,000 pixels of 12 bits, 15 MB."""
    columns, rows = DX_SIZE
    dataset = _gray(common(DigitalXRayImageStorageForPresentation, "DX"), rows, columns, 12)
    _set(dataset, WindowCenter="2048", WindowWidth="3600", PixelSpacing=["0.14", "0.14"])
    pixels = soft(np.random.default_rng(1), rows, columns, 12).astype("<u2")
    dataset.add_new(Tag(0x7FE0, 0x0010), "OW", pixels.tobytes())
    return Template(file_bytes(dataset, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian))


def compressed_ct(syntax: str) -> Template:
    """The CT Instance of all other measurements, in another Transfer Syntax."""
    dataset = ct_dataset()
    cells = np.frombuffer(dataset.PixelData, "<i2").reshape(dataset.Rows, dataset.Columns)
    frame, _ = encode.encode(cells, syntax, ImageParams(*cells.shape, 1, 16, 16, 15, 1))
    dataset.add_new(Tag(0x7FE0, 0x0010), "OB", encapsulate([frame]))
    dataset["PixelData"].is_undefined_length = True
    return Template(file_bytes(dataset, CTImageStorage, syntax))


@cache
def tiles() -> tuple[bytes, ...]:
    """64 JPEG tiles of something like stained tissue."""
    from imagecodecs import jpeg8_encode

    generator = np.random.default_rng(2)
    made = []
    for number in range(TILES_ACROSS):
        dark = soft(generator, TILE, TILE, 150)[..., None] / 4095
        colour = np.array([235, 180 - number, 220]) * (1 - dark) + np.array([120, 60 + number, 150]) * dark
        data = bytes(jpeg8_encode(colour.astype(np.uint8), level=85, subsampling="422"))
        made.append(data + b"\0" * (len(data) % 2))
    return tuple(made)


def slide(key: Key) -> LargeInstance:
    """A whole slide image of 16,384² pixels: 4,096 tiles in JPEG, TILED_FULL, without an offset table."""
    count = TILES_ACROSS**2
    dataset = _set(
        common(VLWholeSlideMicroscopyImageStorage, "SM"),
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0, Rows=TILE, Columns=TILE, BitsAllocated=8,
        BitsStored=8, HighBit=7, PixelRepresentation=0, NumberOfFrames=str(count), BurnedInAnnotation="NO",
        TotalPixelMatrixColumns=TILE * TILES_ACROSS, TotalPixelMatrixRows=TILE * TILES_ACROSS,
        DimensionOrganizationType="TILED_FULL", LossyImageCompression="01",
    )  # fmt: skip
    fragments = b"".join(b"\xfe\xff\x00\xe0" + len(tile).to_bytes(4, "little") + tile for tile in tiles())
    return _encapsulated(key, dataset, str(JPEGBaseline8Bit), count, fragments, TILES_ACROSS, TILE * TILE * 3)


def _encapsulated(
    key: Key, dataset: Dataset, syntax: str, frames: int, piece: bytes, times: int, frame_bytes: int
) -> LargeInstance:
    """Fragments in so many equal pieces behind an empty Basic Offset Table."""
    dataset.add_new(Tag(0x7FE0, 0x0010), "OB", b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
    dataset["PixelData"].is_undefined_length = True
    data = bytes(Template(file_bytes(dataset, dataset.SOPClassUID, syntax)).instance(key))
    return LargeInstance(
        key, frames, frame_bytes, syntax, data[: data.rindex(_DELIMITATION)], piece, times, _DELIMITATION
    )


def movie(size: int) -> bytes:
    """Something with the boxes of an MP4 file, of so many bytes; what is seen does not matter to who serves it."""
    brand = b"isom\0\0\2\0isomiso2avc1mp41"
    head = (len(brand) + 8).to_bytes(4, "big") + b"ftyp" + brand
    media = size - len(head)
    return head + media.to_bytes(4, "big") + b"mdat" + random.Random(3).randbytes(media - 8)


def video(key: Key, size: int) -> LargeInstance:
    """An Instance of MPEG-4 video in one Fragment of so many bytes (even)."""
    dataset = _set(
        common(VideoEndoscopicImageStorage, "ES"), SamplesPerPixel=3, PhotometricInterpretation="YBR_PARTIAL_420",
        PlanarConfiguration=0, Rows=1080, Columns=1920, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, NumberOfFrames="1500", FrameTime="40", FrameIncrementPointer=[0x00181063],
        BurnedInAnnotation="NO", LossyImageCompression="01",
    )  # fmt: skip
    fragment = b"\xfe\xff\x00\xe0" + size.to_bytes(4, "little") + movie(size)
    return _encapsulated(key, dataset, str(MPEG4HP41), 1, fragment, 1, size)


def long_object(key: Key, frames: int) -> LargeInstance:
    """Native frames of 512 × 512 pixels of 12 bits, a multiple of 20, twenty of them different."""
    frames -= frames % 20
    dataset = _gray(common(MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "OT"), 512, 512, 12)
    _set(dataset, ConversionType="SYN", NumberOfFrames=str(frames), FrameTime="40", FrameIncrementPointer=[0x00181063])
    dataset.add_new(Tag(0x7FE0, 0x0010), "OW", _LENGTH)
    data = bytes(Template(file_bytes(dataset, dataset.SOPClassUID, ExplicitVRLittleEndian)).instance(key))
    generator = np.random.default_rng(4)
    piece = b"".join(soft(generator, 512, 512, 12).astype("<u2").tobytes() for _ in range(20))
    head = data[: -len(_LENGTH) - 4] + (len(piece) * frames // 20).to_bytes(4, "little")
    return LargeInstance(key, frames, 512 * 512 * 2, str(ExplicitVRLittleEndian), head, piece, frames // 20, b"")


def whole(key: Key, template: Template) -> LargeInstance:
    """One Instance of a template."""
    return LargeInstance(key, 1, 0, "", bytes(template.instance(key)), b"", 0, b"")

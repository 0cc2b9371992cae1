"""The Image Pixel Module as a value — PS3.3 C.7.6.3, C.7.6.24 (Float) and C.7.6.25 (Double Float).

What a codec has to know of an image, and nothing else of the data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.values import Attributes

PIXEL_DATA: Final = "7FE00010"
FLOAT_PIXEL_DATA: Final = "7FE00008"
DOUBLE_FLOAT_PIXEL_DATA: Final = "7FE00009"

SUBSAMPLED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Photometric Interpretations whose native form has one pair of chrominance samples for two pixels."""

_WORDS: Final = (8, 16, 32, 64)
_MOST_FRAMES: Final = 2**31 - 1


class BadPixels(NoAcceptableRepresentation):
    """The pixel data, or what the data set says of it, can not be understood or converted."""


@dataclass(frozen=True, slots=True)
class ImageParams:
    """How the pixels of an Instance are encoded."""

    rows: int
    """1 to 65535."""
    columns: int
    """1 to 65535."""
    samples_per_pixel: int = 1
    """1 to 4."""
    bits_allocated: int = 16
    """Of one cell: 1, 8, 16, 32 or 64; others up to 64 are read, packed without gaps."""
    bits_stored: int = 16
    high_bit: int = 15
    """Most significant of the bits stored; bits_stored - 1 nearly always."""
    pixel_representation: int = 0
    """0 unsigned, 1 two's complement."""
    photometric_interpretation: str = "MONOCHROME2"
    planar_configuration: int = 0
    """0 colour by pixel, 1 colour by plane; 0 also where there is one sample."""
    number_of_frames: int = 1
    pixel_tag: str = PIXEL_DATA
    """Pixel Data, Float Pixel Data or Double Float Pixel Data."""

    @property
    def signed(self) -> bool:
        return self.pixel_representation == 1

    @property
    def is_float(self) -> bool:
        return self.pixel_tag != PIXEL_DATA

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the cells: uint8/16/32/64 or int8/16/32/64, float32, float64; uint8 for single bits."""
        if self.is_float:
            return np.dtype(np.float32 if self.bits_allocated == 32 else np.float64)
        size = next(bits for bits in _WORDS if bits >= self.bits_allocated) // 8
        return np.dtype(f"{'i' if self.signed and self.bits_allocated > 1 else 'u'}{size}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array that one frame is decoded to."""
        if self.samples_per_pixel == 1:
            return self.rows, self.columns
        return self.rows, self.columns, self.samples_per_pixel

    @property
    def cells(self) -> int:
        """Cells of one frame with nothing subsampled."""
        return self.rows * self.columns * self.samples_per_pixel

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame with nothing subsampled; the last byte may be used in part."""
        return -(-self.cells * self.bits_allocated // 8)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the array that one frame is decoded to."""
        return self.cells * self.dtype.itemsize

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> ImageParams:
        """Read them from a data set in the DICOM JSON Model.

        What is missing or impossible but can be told from the rest is told from it; archives are full of such images.

        Raises
        ------
        BadPixels
            A size is missing or out of range; the sentence names the attribute.
        """
        tag = next((tag for tag in (FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA) if tag in attributes), PIXEL_DATA)
        samples = _number(attributes, "00280002", "Samples per Pixel", 1, 4, default=1)
        if tag != PIXEL_DATA:
            allocated = stored = 32 if tag == FLOAT_PIXEL_DATA else 64
            high, representation = stored - 1, 1
        else:
            allocated = _number(attributes, "00280100", "Bits Allocated", 1, 64)
            stored = _number(attributes, "00280101", "Bits Stored", 1, 64, default=allocated)
            stored = min(stored, allocated)
            high = _number(attributes, "00280102", "High Bit", 0, 63, default=stored - 1)
            if not stored - 1 <= high < allocated:
                high = stored - 1
            representation = _number(attributes, "00280103", "Pixel Representation", 0, 1, default=0)
        photometric = _first(attributes, "00280004")
        if not isinstance(photometric, str) or not photometric.strip():
            photometric = "RGB" if samples == 3 else "MONOCHROME2"
        frames = _first(attributes, "00280008")
        return cls(
            rows=_number(attributes, "00280010", "Rows", 1, 65535),
            columns=_number(attributes, "00280011", "Columns", 1, 65535),
            samples_per_pixel=samples,
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=high,
            pixel_representation=representation,
            photometric_interpretation=photometric.strip().upper(),
            planar_configuration=_number(attributes, "00280006", "Planar Configuration", 0, 1, default=0)
            if samples > 1
            else 0,
            number_of_frames=frames if isinstance(frames, int) and 1 <= frames <= _MOST_FRAMES else 1,
            pixel_tag=tag,
        )


def _number(attributes: Attributes, tag: str, name: str, least: int, most: int, *, default: int | None = None) -> int:
    value = _first(attributes, tag)
    if isinstance(value, int) and least <= value <= most:
        return value
    if default is not None:
        return default
    what = "missing or not a number" if not isinstance(value, int) else str(value)
    raise BadPixels(
        f"{name} ({tag[:4]},{tag[4:]}) is {what}: the pixels can not be decoded. {least} to {most} is needed."
    )


def _first(attributes: Attributes, tag: str) -> Any:
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None

"""Overlay Planes: PS3.3 C.9.2, in their own Overlay Data and in unused bits of the pixels (retired).

Graphics are drawn white; of a region of interest, the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import elements
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import ImageParams
from skiagraph.values import Attributes

WHITE = 255
GROUPS = tuple(f"60{number:02X}" for number in range(0, 0x20, 2))


@dataclass(frozen=True, slots=True)
class Plane:
    """One Overlay Plane."""

    group: str
    """Such as ``6000``."""
    rows: int
    columns: int
    top: int
    """Row of the image, from 0, that its first row lies on; may be negative."""
    left: int
    roi: bool
    frames: int
    first_frame: int
    """Frame of the image, from 1, that its first frame belongs to."""
    bit: int
    """Of the pixel cell, for planes embedded in the pixels; -1 for those with Overlay Data."""


def planes(attributes: Attributes) -> tuple[Plane, ...]:
    """The planes that a data set describes sufficiently."""
    found = []
    for group in GROUPS:
        if group + "0010" not in attributes:
            continue
        rows, columns = elements.integer(attributes, group + "0010"), elements.integer(attributes, group + "0011")
        if not rows or not columns or not 0 < rows <= 65535 or not 0 < columns <= 65535:
            continue
        bit = -1
        if group + "3000" not in attributes:
            position = elements.integer(attributes, group + "0102")
            if not position or not 0 < position < 16:
                continue
            bit = position
        origin = elements.integers(attributes, group + "0050")
        top, left = origin[:2] if len(origin) >= 2 else (1, 1)
        found.append(
            Plane(
                group,
                rows,
                columns,
                top - 1,
                left - 1,
                elements.text(attributes, group + "0040") == "R",
                max(1, elements.integer(attributes, group + "0015") or 1),
                max(1, elements.integer(attributes, group + "0051") or 1),
                bit,
            )
        )
    return tuple(found)


def mask(plane: Plane, attributes: Attributes, bulk: Bulk, frame: int) -> NDArray[np.bool_] | None:
    """The bits of a plane with Overlay Data on one frame (from 1); None when it is not on it, or has no data."""
    number = _frame_of(plane, frame)
    if number is None:
        return None
    raw = elements.octets(attributes, plane.group + "3000", bulk)
    if raw is None:
        return None
    size = plane.rows * plane.columns
    start = number * size
    octets = np.frombuffer(raw, np.uint8, offset=min(start // 8, len(raw)))[: -(-(start % 8 + size) // 8)]
    bits = np.unpackbits(octets, bitorder="little")[start % 8 :][:size]
    whole = len(bits) // plane.columns
    return bits[: whole * plane.columns].reshape(whole, plane.columns).astype(np.bool_) if whole else None


def embedded(plane: Plane, cells: NDArray[Any], frame: int, image: ImageParams) -> NDArray[np.bool_] | None:
    """The bits of a plane that lies in a bit of the pixel cells; None where that bit is part of the pixels."""
    low = image.high_bit - image.bits_stored + 1
    if _frame_of(plane, frame) is None or low <= plane.bit <= image.high_bit or plane.bit >= image.bits_allocated:
        return None
    if cells.dtype.kind not in "iu" or cells.ndim != 2:
        return None
    return (cells.view(f"u{cells.dtype.itemsize}") >> plane.bit & 1).astype(np.bool_)


def draw(picture: NDArray[np.uint8], plane: Plane, bits: NDArray[np.bool_]) -> None:
    """Draw a plane onto a picture, in place; what lies outside is left out."""
    picture[placed(plane, bits, picture.shape[0], picture.shape[1])] = WHITE


def placed(plane: Plane, bits: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Which pixels of an image a plane covers; of a region of interest, the outline."""
    if plane.roi:
        bits = bits & ~_inner(bits)
    covered = np.zeros((rows, columns), np.bool_)
    top, left = max(plane.top, 0), max(plane.left, 0)
    bottom, right = min(plane.top + bits.shape[0], rows), min(plane.left + bits.shape[1], columns)
    if top < bottom and left < right:
        covered[top:bottom, left:right] = bits[
            top - plane.top : bottom - plane.top, left - plane.left : right - plane.left
        ]
    return covered


def _frame_of(plane: Plane, frame: int) -> int | None:
    """Which frame of the plane, from 0, belongs to a frame of the image; a plane of one frame to all from there on."""
    number = frame - plane.first_frame
    if plane.frames == 1:
        return 0
    return number if 0 <= number < plane.frames else None


def _inner(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those that have neighbours on all four sides."""
    inner = np.zeros_like(bits)
    inner[1:-1, 1:-1] = bits[:-2, 1:-1] & bits[2:, 1:-1] & bits[1:-1, :-2] & bits[1:-1, 2:]
    return inner

"""Where frames lie in the patient, and the order that follows: PS3.3 C.7.6.2, C.7.6.16.2; PS3.18 §8.3.5.1.6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import appearance, elements
from skiagraph.values import Attributes

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """The grid of pixels of a frame in the patient's coordinates: mm."""

    origin: Vector
    """Center of the first pixel."""
    across: Vector
    """From a pixel to the next of its row."""
    down: Vector
    """From a pixel to the next of its column."""
    thickness: float
    """Of the slice; 0 where it is not said."""

    @property
    def normal(self) -> NDArray[np.float64]:
        """Of length 1."""
        product = np.cross(np.array(self.across), np.array(self.down))
        return np.asarray(product / np.linalg.norm(product), np.float64)


@dataclass(frozen=True, slots=True)
class Place:
    """What there is to order a frame by, and to align it with others."""

    dimensions: tuple[int, ...]
    """Dimension Index Values; () without."""
    plane: Plane | None
    volume: Vector | None
    """Image Position (Volume)."""


def places(attributes: Attributes, frames: int) -> tuple[Place, ...]:
    """The places of all frames of an image."""
    return tuple(_place(attributes, frame) for frame in range(1, frames + 1))


def frame_of_reference(attributes: Attributes) -> str:
    """Its UID; "" without."""
    return elements.text(attributes, "00200052")


def _place(attributes: Attributes, frame: int) -> Place:
    content = appearance.macro(attributes, frame, "00209111")
    volume = elements.numbers(appearance.macro(attributes, frame, "0020930E"), "00209301")
    return Place(
        tuple(elements.integers(content, "00209157")[:16]),
        _plane(attributes, frame),
        _vector(volume) if len(volume) == 3 else None,
    )


def _plane(attributes: Attributes, frame: int) -> Plane | None:
    position, orientation, measures = (
        appearance.macro(attributes, frame, tag) or attributes for tag in ("00209113", "00209116", "00289110")
    )
    origin = elements.numbers(position, "00200032")
    cosines = elements.numbers(orientation, "00200037")
    spacing = elements.numbers(measures, "00280030")
    if len(origin) != 3 or len(cosines) != 6 or len(spacing) != 2 or min(spacing) <= 0:
        return None
    values = np.array((*origin, *cosines, *spacing))
    if np.abs(values).max() > 1e6:
        return None
    row, column = values[3:6], values[6:9]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 1e-3 or np.linalg.norm(np.cross(row, column)) < 1e-3 * lengths[0] * lengths[1]:
        return None
    # The first spacing is between rows
    across, down = row / lengths[0] * spacing[1], column / lengths[1] * spacing[0]
    thickness = elements.number(measures, "00180050") or 0.0
    return Plane(_vector(origin), _vector(across.tolist()), _vector(down.tolist()), min(max(thickness, 0.0), 1e4))


def _vector(values: Sequence[float]) -> Vector:
    x, y, z = values
    return float(x), float(y), float(z)


def order(found: Sequence[Place]) -> list[int]:
    """The order in which frames are shown: indices into the sequence, which is in the order of the references.

    By Dimension Index Values, then Image Position (Patient) along the slices, then Image Position (Volume). Slices that
    look another way follow in the order in which they are referred to.
    """
    groups: list[NDArray[np.float64]] = []
    keys = list(_keys(found, groups))
    return sorted(range(len(found)), key=lambda number: keys[number])


def _keys(
    found: Sequence[Place], groups: list[NDArray[np.float64]]
) -> Iterator[tuple[tuple[int, ...], int, float, tuple[float, ...], int]]:
    for number, place in enumerate(found):
        group, depth = -1, 0.0
        if place.plane is not None:
            normal = place.plane.normal
            group = next((at for at, other in enumerate(groups) if float(normal @ other) > 0.99), len(groups))
            if group == len(groups):
                groups.append(normal)
            depth = float(groups[group] @ np.array(place.plane.origin))
        along = place.volume[::-1] if place.volume is not None else ()
        yield place.dimensions, group, round(depth, 3), along, number

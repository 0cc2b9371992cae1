"""Where frames lie in the patient, and the order that follows: PS3.3 C.7.6.2, C.7.6.16.2; PS3.18 §8.3.5.1.6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import appearance, elements
from skiagraph.values import Attributes

Vector = tuple[float, float, float]

_CLOSEST = 1e-9  # mm between pixels; a millionth of a micrometre


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
        return np.asarray(normals([self])[0], np.float64)


@dataclass(frozen=True, slots=True)
class Place:
    """What there is to order a frame by, and to align it with others."""

    dimensions: tuple[int, ...]
    """Dimension Index Values; () without."""
    plane: Plane | None
    volume: Vector | None
    """Image Position (Volume)."""


def normals(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """The direction in which planes follow each other, (n, 3), of length 1; there has to be one."""
    found = np.cross([plane.across for plane in planes], [plane.down for plane in planes])
    return np.asarray(found / np.linalg.norm(found, axis=-1, keepdims=True), np.float64)


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
    if len(origin) != 3 or len(cosines) != 6 or len(spacing) != 2 or min(spacing) < _CLOSEST:
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
    groups, depths = _along([place.plane for place in found])
    keys = [
        (place.dimensions, groups[number], round(depths[number], 3), place.volume[::-1] if place.volume else ())
        for number, place in enumerate(found)
    ]
    return sorted(range(len(found)), key=lambda number: keys[number])


def _along(planes: Sequence[Plane | None]) -> tuple[list[int], list[float]]:
    """Which of the planes look the same way, by numbers in the order in which they come, and how deep each one lies."""
    groups, depths = np.full(len(planes), -1), np.zeros(len(planes))
    there = np.array([plane is not None for plane in planes], np.bool_)
    known = [plane for plane in planes if plane is not None]
    if known:
        towards = normals(known)
        origins = np.array([plane.origin for plane in known])
        group, deep, left = np.full(len(known), -1), np.zeros(len(known)), np.arange(len(known))
        while len(left):
            normal = towards[left[0]]
            alike = left[towards[left] @ normal > 0.99]
            group[alike] = group.max() + 1
            deep[alike] = origins[alike] @ normal
            left = left[group[left] < 0]
        groups[there], depths[there] = group, deep
    return groups.tolist(), depths.tolist()

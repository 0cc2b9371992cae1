"""One set of images laid over another: PS3.3 C.11.14 Presentation State Blending, PS3.4 N.2.4.

The superimposed frames are a stack in the patient: for each pixel of an underlying frame the value at its place is
found between the slices next to it. They go through their own Modality and VOI LUT and the palette, and are mixed with
the gray of the underlying frame: superimposed · opacity + underlying · (1 - opacity).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import decode, elements, render, window
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import tones
from skiagraph.pixels.presentation.planes import Plane, normals
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.pixels.rendition import Subject
from skiagraph.values import Attributes

MOST_SLICES = 64
"""Superimposed frames that one underlying frame may cut through."""

MOST_PIXELS = 2**24
"""Pixels of the frames, underlying or superimposed, that are blended."""

_LARGEST = 1e6  # of the values of a matrix
_FURTHEST = 1e12  # mm to where one may take a plane
_BAND = 2**18  # pixels that are blended at once

_NO_PLACE = (
    "The images that are blended can not be aligned: they lie in different Frames of Reference, or do not say where"
    " they lie, and no Spatial Registration in this archive relates them."
)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A superimposed frame."""

    stored: bytes
    subject: Subject
    tones: Tones
    plane: Plane | None
    """None: pixel for pixel over the underlying frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """What is superimposed on one frame."""

    slices: tuple[Slice, ...]
    """Neighbours in the patient stand side by side; none where nothing lies over the frame."""
    underlying: Plane | None
    """In the coordinates of the superimposed frames."""
    opacity: float
    reach: float = 0.0
    """mm that the slices reach beyond the first and the last of the whole stack."""


def relation(registration: Attributes, source: str, target: str) -> NDArray[np.float64] | None:
    """The matrix (4, 4) from one Frame of Reference to another by a Spatial Registration; None when it has none."""
    from_source, from_target = _matrix(registration, source), _matrix(registration, target)
    if from_source is None or from_target is None:
        return None
    found: NDArray[np.float64] = np.linalg.inv(from_target) @ from_source
    return found


def _matrix(registration: Attributes, frame_of_reference: str) -> NDArray[np.float64] | None:
    """What takes a Frame of Reference to that of the registration (PS3.3 C.20.2)."""
    own = bool(frame_of_reference) and elements.text(registration, "00200052") == frame_of_reference
    whole: NDArray[np.float64] | None = np.eye(4) if own else None
    for item in elements.items(registration, "00700308"):
        if not frame_of_reference or elements.text(item, "00200052") != frame_of_reference:
            continue
        found = np.eye(4)
        for step in elements.items(item, "00700309"):
            for entry in elements.items(step, "0070030A"):
                values = np.array(elements.numbers(entry, "300600C6"))
                if len(values) == 16 and np.abs(values).max() < _LARGEST and np.abs(found).max() < _FURTHEST:
                    found = values.reshape(4, 4) @ found
        if np.abs(found).max() < _FURTHEST and abs(np.linalg.det(found)) > 1e-9:
            whole = found
    return whole


def moved(plane: Plane, by: NDArray[np.float64]) -> Plane | None:
    """A plane in other coordinates; None where they are beyond all reason."""
    origin = by @ (*plane.origin, 1.0)
    across, down = by[:3, :3] @ plane.across, by[:3, :3] @ plane.down
    if not np.abs((origin[:3], across, down)).max() < _FURTHEST:
        return None
    return Plane(tuple(origin[:3].tolist()), tuple(across.tolist()), tuple(down.tolist()), plane.thickness)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Frames that lie one behind the other in the patient."""

    planes: tuple[Plane, ...]
    normal: NDArray[np.float64]
    order: NDArray[np.intp]
    """Of the frames along the normal."""
    depths: NDArray[np.float64]
    """mm along the normal, ascending."""
    reach: float
    """mm that it reaches beyond its first and its last frame."""
    parallel: bool


def stacked(planes: Sequence[Plane | None]) -> Stack | None:
    """The frames as a stack; None where it is not said of all of them where they lie."""
    known = [plane for plane in planes if plane is not None]
    if not known or len(known) < len(planes):
        return None
    towards = normals(known)
    depths = np.array([plane.origin for plane in known]) @ towards[0]
    order = np.argsort(depths, kind="stable")
    depths = depths[order]
    parallel = bool((towards @ towards[0] >= 0.999).all())
    return Stack(tuple(known), towards[0], order, depths, _reach(depths, known[0]), parallel)


def needed(plane: Plane, rows: int, columns: int, stack: Stack) -> list[int]:
    """Which frames of a stack lie next to a frame: their indices, in their order along the stack; [] when none does.

    Raises
    ------
    BadPixels
        The stack is not parallel, or the frame cuts through more than `MOST_SLICES` of it.
    """
    if not stack.parallel:
        raise BadPixels("The superimposed frames are not parallel: they can not be blended.")
    depths = stack.depths
    corners = _depths(plane, stack.normal, np.array([0.0, columns - 1]), np.array([0.0, rows - 1]))
    if corners.max() < depths[0] - stack.reach or corners.min() > depths[-1] + stack.reach:
        return []
    first = max(int(np.searchsorted(depths, corners.min(), "right")) - 1, 0)
    last = min(int(np.searchsorted(depths, corners.max(), "left")), len(depths) - 1)
    if last - first >= MOST_SLICES:
        raise BadPixels(f"A frame cuts through more than {MOST_SLICES} of those that are to be laid over it.")
    return [int(number) for number in stack.order[first : last + 1]]


def align(underlying: Plane | None, stack: Stack | None, counts: tuple[int, int], *, same_size: bool) -> bool:
    """Whether frames are aligned by their places (True), or one to one in their order (False).

    Raises
    ------
    BadPixels
        Neither is possible.
    """
    if underlying is not None and stack is not None:
        return True
    if counts[0] == counts[1] and same_size:
        return False
    raise BadPixels(_NO_PLACE)


def superimpose(shown: NDArray[np.uint8], blend: Blend) -> NDArray[np.uint8]:
    """Lay the slices over a frame, gray or RGB; return RGB.

    Raises
    ------
    BadPixels
        A slice can not be decoded, is in colour, or too large.
    """
    under = np.repeat(shown[..., None], 3, axis=-1) if shown.ndim == 2 else shown
    if not blend.slices:
        return under
    rows, columns = shown.shape[:2]
    for image in (shown.shape, *((one.subject.image.rows, one.subject.image.columns) for one in blend.slices)):
        if image[0] * image[1] > MOST_PIXELS:
            raise BadPixels(f"Images of more than {MOST_PIXELS} pixels are not blended.")
    if blend.underlying is None or blend.slices[0].plane is None:
        values, look = _values(blend.slices[0])
        inside = np.ones(values.shape, np.bool_)
        if values.shape != (rows, columns):
            raise BadPixels(_NO_PLACE)
    else:
        values, inside, look = _sampled(blend, blend.underlying, rows, columns)
    assert look.voi is not None, "they are resolved"
    out = np.empty_like(under)
    for band in _bands(rows, columns):
        over = tones.present(render.contrast(values[band], look.voi), look)
        if over.ndim == 2:
            over = np.repeat(over[..., None], 3, axis=-1)
        share = np.where(inside[band], blend.opacity, 0.0)[..., None]
        out[band] = np.floor(over * share + under[band] * (1.0 - share) + 0.5)
    return out


def _bands(rows: int, columns: int) -> Iterator[slice]:
    """Rows that are worked on at once: what is reckoned for each pixel takes hundreds of bytes."""
    step = max(_BAND // columns, 1)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _values(one: Slice) -> tuple[NDArray[np.float64], Tones]:
    """Modality values, and the tones with a window where there is no VOI."""
    pixels, described = decode.decode(one.stored, one.subject.transfer_syntax_uid, one.subject.image)
    if pixels.ndim == 3 or described.photometric_interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise BadPixels("The superimposed images are in colour: only gray ones can be blended.")
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels)
    return render.modality_values(pixels, one.tones.modality), tones.resolved(one.tones, pixels, described)


def _depths(
    plane: Plane, normal: NDArray[np.float64], across: NDArray[np.float64], down: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Along the normal, of the pixels in these columns and rows."""
    found: NDArray[np.float64] = (
        float(normal @ np.array(plane.origin))
        + down[:, None] * float(normal @ np.array(plane.down))
        + across[None, :] * float(normal @ np.array(plane.across))
    )
    return found


def _reach(depths: NDArray[np.float64], plane: Plane) -> float:
    """How far beyond its first and last slice a stack reaches: half of one."""
    gap = float(np.median(np.diff(depths))) if len(depths) > 1 else 0.0
    return max(gap, plane.thickness, 0.01) / 2


def _sampled(
    blend: Blend, plane: Plane, rows: int, columns: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], Tones]:
    """The values of a stack at the places of the pixels of a plane, where there are any, and how they are shown."""
    slices, reach = blend.slices, blend.reach
    stack = [one.plane for one in slices]
    assert all(other is not None for other in stack), "they are aligned by their places"
    places = [other for other in stack if other is not None]
    normal = places[0].normal
    depths = np.array([float(normal @ np.array(other.origin)) for other in places])
    across, down = np.arange(columns, dtype=np.float64), np.arange(rows, dtype=np.float64)
    look = slices[0].tones
    values, weights = np.zeros((rows, columns)), np.zeros((rows, columns))
    for number, one in enumerate(slices):
        # A slice counts less and less up to its neighbours; beyond the first and the last one, half of a slice
        below = depths[number - 1] if number else depths[number] - reach
        above = depths[number + 1] if number + 1 < len(depths) else depths[number] + reach
        plain: NDArray[np.float64] | None = None
        for band in _bands(rows, columns):
            depth = _depths(plane, normal, across, down[band])
            share = np.minimum(
                _ramp(depth, below, depths[number], number == 0),
                _ramp(-depth, -above, -depths[number], number + 1 == len(depths)),
            )
            if not share.any():
                continue
            if plain is None:
                plain, look = _values(one)
            found, there = _in_plane(plain, places[number], plane, across, down[band])
            share = np.where(there, share, 0.0)
            values[band] += np.where(share > 0, found, 0.0) * share
            weights[band] += share
    if look.voi is None:  # no slice was needed after all
        look = replace(look, voi=window.full_range(0, 1))
    inside = weights > 1e-6
    np.divide(values, weights, out=values, where=inside)
    values[~inside] = 0.0
    return values, inside, look


def _ramp(depth: NDArray[np.float64], foot: float, top: float, end: bool) -> NDArray[np.float64]:
    """From 0 at the foot to 1 at the top; at the end of a stack 1 from the foot on."""
    if end or top - foot < 1e-9:
        return (depth >= min(foot, top) - 1e-6).astype(np.float64)
    return np.clip((depth - foot) / (top - foot), 0.0, 1.0)


def _in_plane(
    values: NDArray[np.float64],
    place: Plane,
    plane: Plane,
    across: NDArray[np.float64],
    down: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of one slice below the pixels of a plane, between its own pixels; and where it has any."""
    basis = np.stack((place.across, place.down, place.normal), axis=-1)
    to_slice = np.linalg.inv(basis)
    start = to_slice @ (np.array(plane.origin) - np.array(place.origin))
    right, below = to_slice @ np.array(plane.across), to_slice @ np.array(plane.down)
    x = start[0] + down[:, None] * below[0] + across[None, :] * right[0]
    y = start[1] + down[:, None] * below[1] + across[None, :] * right[1]
    rows, columns = values.shape
    there = (x >= -0.5) & (y >= -0.5) & (x <= columns - 0.5) & (y <= rows - 0.5)
    x, y = np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1)
    x0, y0 = x.astype(np.intp), y.astype(np.intp)
    x1, y1 = np.minimum(x0 + 1, columns - 1), np.minimum(y0 + 1, rows - 1)
    fx, fy = x - x0, y - y0
    upper = values[y0, x0] * (1 - fx) + values[y0, x1] * fx
    lower = values[y1, x0] * (1 - fx) + values[y1, x1] * fx
    return upper * (1 - fy) + lower * fy, there

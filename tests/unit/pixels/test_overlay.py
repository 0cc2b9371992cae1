"""Overlay Planes: PS3.3 C.9.2."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from skiagraph.pixels import overlay
from skiagraph.pixels.image import ImageParams


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def plane(bits: np.ndarray | None = None, group: str = "6000", **changes: Any) -> dict[str, Any]:  # type: ignore[type-arg]
    """Attributes of a plane; keyword arguments by the last four digits, prefixed with e."""
    rows, columns = (2, 3) if bits is None else bits.shape[-2:]
    attributes = {
        f"{group}0010": element(rows),
        f"{group}0011": element(columns),
        f"{group}0040": element("G"),
        f"{group}0050": element(1, 1),
        f"{group}0100": element(1),
        f"{group}0102": element(0),
    }
    if bits is not None:
        data = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
        attributes[f"{group}3000"] = {"vr": "OW", "InlineBinary": base64.b64encode(data).decode()}
    return attributes | {group + key[1:]: element(*value) for key, value in changes.items()}


CROSS = np.array([[1, 0, 1], [0, 1, 0]], bool)


def drawn(attributes: dict[str, Any], rows: int = 4, columns: int = 4, frame: int = 1) -> list[list[int]]:
    picture = np.zeros((rows, columns), np.uint8)
    for found in overlay.planes(attributes):
        bits = overlay.mask(found, attributes, {}, frame)
        if bits is not None:
            overlay.draw(picture, found, bits)
    return (picture // 255).tolist()  # type: ignore[no-any-return]


def test_graphics() -> None:
    assert drawn(plane(CROSS)) == [[1, 0, 1, 0], [0, 1, 0, 0], [0] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param((2, 2), [[0] * 4, [0, 1, 0, 1], [0, 0, 1, 0], [0] * 4], id="inside"),
        pytest.param((0, 1), [[0, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4], id="begins above the image"),
        pytest.param((1, -1), [[1, 0, 0, 0], [0] * 4, [0] * 4, [0] * 4], id="begins left of the image"),
        pytest.param((4, 4), [[0] * 4, [0] * 4, [0] * 4, [0, 0, 0, 1]], id="ends outside"),
        pytest.param((9, 9), [[0] * 4] * 4, id="nowhere on it"),
    ],
)
def test_origin(origin: tuple[int, int], expected: list[list[int]]) -> None:
    """C.9.2: 1\\1 is the first pixel; it may be negative."""
    assert drawn(plane(CROSS, e0050=origin)) == expected


def test_a_region_of_interest_is_outlined() -> None:
    bits = np.ones((4, 4), bool)
    assert drawn(plane(bits, e0040=("R",))) == [[1] * 4, [1, 0, 0, 1], [1, 0, 0, 1], [1] * 4]


def test_several_planes() -> None:
    attributes = plane(CROSS) | plane(CROSS, "601E", e0050=(3, 1))
    assert drawn(attributes) == [[1, 0, 1, 0], [0, 1, 0, 0]] * 2


FRAMES = np.zeros((2, 3, 3), bool)
FRAMES[0, 0, 0] = FRAMES[1, 2, 2] = True


@pytest.mark.parametrize(
    ("frame", "first", "expected"), [(1, 1, (0, 0)), (2, 1, (2, 2)), (3, 1, None), (4, 4, (0, 0)), (3, 4, None)]
)
def test_multi_frame_overlays(frame: int, first: int, expected: tuple[int, int] | None) -> None:
    """C.9.3: Number of Frames in Overlay and Image Frame Origin; frames are packed without gaps (9 bits each)."""
    attributes = plane(FRAMES, e0015=(2,), e0051=(first,))
    found = np.argwhere(np.array(drawn(attributes, frame=frame))).tolist()
    assert found == ([] if expected is None else [list(expected)])


def test_a_plane_of_one_frame_is_on_all() -> None:
    assert drawn(plane(CROSS), frame=7)[0] == [1, 0, 1, 0]


def test_data_that_is_too_short_is_drawn_as_far_as_it_goes() -> None:
    attributes = plane(np.ones((4, 8), bool))
    attributes["60003000"]["InlineBinary"] = base64.b64encode(b"\xff\xff").decode()
    assert drawn(attributes, 4, 8) == [[1] * 8] * 2 + [[0] * 8] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"e0010": ()},
        {"e0010": (0,)},
        {"e0011": (-1,)},
        {"e0010": (10**6,)},
        {"e0010": ("x",)},
    ],
)
def test_planes_without_a_size_are_none(changes: dict[str, Any]) -> None:
    assert overlay.planes(plane(CROSS, **changes)) == ()


def test_planes_in_unused_bits() -> None:
    """C.9.2.1.1 (retired): the plane lies in a bit of the pixel cells that is not stored."""
    attributes = plane(None, e0100=(16,), e0102=(15,))
    (found,) = overlay.planes(attributes)
    image = ImageParams(2, 3, bits_stored=12, high_bit=11)
    cells = (CROSS.astype(np.uint16) << 15) | 0x0123
    bits = overlay.embedded(found, cells, 1, image)
    assert bits is not None
    assert bits.tolist() == CROSS.tolist()
    assert overlay.embedded(found, cells.view(np.int16), 1, image) is not None


@pytest.mark.parametrize("bit", [3, 11, 20])
def test_bits_of_the_pixels_are_no_plane(bit: int) -> None:
    (found,) = overlay.planes(plane(None, e0102=(12,)))
    image = ImageParams(2, 3, bits_stored=12, high_bit=11)
    other = overlay.Plane(*[getattr(found, name) for name in found.__dataclass_fields__][:-1], bit)
    assert overlay.embedded(other, np.zeros((2, 3), np.uint16), 1, image) is None


def test_drawn_in_colour_too() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    attributes = plane(CROSS)
    (found,) = overlay.planes(attributes)
    bits = overlay.mask(found, attributes, {}, 1)
    assert bits is not None
    overlay.draw(picture, found, bits)
    assert picture[0, 0].tolist() == [255] * 3

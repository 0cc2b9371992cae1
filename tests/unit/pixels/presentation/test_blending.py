"""One set of images laid over another: values at the right places in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.presentation import blending
from skiagraph.pixels.presentation.blending import Blend, Slice, Stack
from skiagraph.pixels.presentation.planes import Plane
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.pixels.rendition import Subject
from skiagraph.standard.rendering import VoiFunction, Window

NATIVE = "1.2.840.10008.1.2.1"
WINDOW = Window(128, 256, VoiFunction.LINEAR_EXACT)


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def a_slice(pixels: NDArray[np.uint8], plane: Plane | None, look: Tones | None = None, **more: Any) -> Slice:
    rows, columns = pixels.shape[:2]
    image = ImageParams(rows, columns, (pixels.ndim == 3 and 3) or 1, 8, 8, 7, 0, **more)
    return Slice(pixels.tobytes(), Subject({}, image, NATIVE, 1, {}), look or Tones(voi=WINDOW), plane)


def field(x: Any, y: Any, z: Any) -> Any:
    """What is measured at a place: linear, so that it can be found exactly between pixels."""
    return 100 + 2.0 * x - 1.5 * y + 3.0 * z


def sampled(plane: Plane, rows: int, columns: int) -> NDArray[np.float64]:
    down, across = np.mgrid[:rows, :columns]
    places = (
        np.array(plane.origin) + down[..., None] * np.array(plane.down) + across[..., None] * np.array(plane.across)
    )
    found: NDArray[np.float64] = field(places[..., 0], places[..., 1], places[..., 2])
    return found


STACK = [Plane((-4, -4, z), (2, 0, 0), (0, 2, 0), 2.0) for z in (-6.0, -2.0, 2.0, 6.0)]
SLICES = [a_slice(sampled(plane, 9, 9).astype(np.uint8), plane) for plane in STACK]


def stacked(planes: Sequence[Plane] = STACK) -> Stack:
    found = blending.stacked(planes)
    assert found is not None
    return found


def over(plane: Plane, rows: int = 8, columns: int = 8, opacity: float = 1.0) -> NDArray[np.uint8]:
    stack = stacked()
    numbers = blending.needed(plane, rows, columns, stack)
    blend = Blend(tuple(SLICES[number] for number in numbers), plane, opacity, stack.reach)
    return blending.superimpose(np.full((rows, columns), 7, np.uint8), blend)


@pytest.mark.parametrize(
    "plane",
    [
        pytest.param(Plane((0, 0, 2), (1, 0, 0), (0, 1, 0), 1), id="on a slice"),
        pytest.param(Plane((0, 0, 0.5), (1, 0, 0), (0, 1, 0), 1), id="between slices"),
        pytest.param(Plane((7, 7, -1), (-1, 0, 0), (0, -1, 0), 1), id="turned half"),
        pytest.param(Plane((0, 0, -3), (0, 1, 0), (1, 0, 0), 1), id="seen from the other side"),
        pytest.param(Plane((1, 3, -4), (1, 0, 0), (0, 0, 1), 1), id="across the slices"),
        pytest.param(Plane((0, 0, -2), (0.8, 0, 0.6), (0, 1, 0), 1), id="oblique"),
        pytest.param(Plane((0.3, 0.1, 0), (0.5, 0.2, 0), (-0.2, 0.5, 0), 1), id="turned a little"),
    ],
)
def test_values_are_those_of_the_place(plane: Plane) -> None:
    expected = sampled(plane, 8, 8) * 255 / 256
    assert np.abs(over(plane)[..., 0] - expected).max() <= 1.5


def test_only_where_there_is_something() -> None:
    shown = over(Plane((8, 8, 0), (1, 0, 0), (0, 1, 0), 1))
    assert (shown[0, 0] != 7).all()
    assert (shown[:, 6:] == 7).all(), "its last pixels are centered at 12 and 1 wide to either side"


@pytest.mark.parametrize(("z", "reached"), [(-8.0, True), (-8.1, False), (8.0, True), (8.1, False)])
def test_a_stack_reaches_half_a_slice_beyond_its_ends(z: float, reached: bool) -> None:
    assert bool((over(Plane((0, 0, z), (1, 0, 0), (0, 1, 0), 1)) != 7).any()) is reached


@pytest.mark.parametrize(
    ("plane", "slices"),
    [
        pytest.param(Plane((0, 0, 3), (1, 0, 0), (0, 1, 0), 1), [2, 3], id="between two"),
        pytest.param(Plane((0, 0, 2), (1, 0, 0), (0, 1, 0), 1), [2], id="on one"),
        pytest.param(Plane((0, 0, 7), (1, 0, 0), (0, 1, 0), 1), [3], id="beyond the last"),
        pytest.param(Plane((0, 0, 90), (1, 0, 0), (0, 1, 0), 1), [], id="far away"),
        pytest.param(Plane((0, 0, -4), (1, 0, 0), (0, 0, 1), 1), [0, 1, 2, 3], id="across"),
    ],
)
def test_only_the_slices_next_to_it_are_needed(plane: Plane, slices: list[int]) -> None:
    assert stacked().reach == 2.0
    assert blending.needed(plane, 8, 8, stacked()) == slices
    turned = blending.needed(plane, 8, 8, stacked(STACK[::-1]))
    assert turned == [3 - number for number in slices], "in the order of the stack, whatever that of the references"


def test_slices_that_can_not_be_one_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadPixels, match="not parallel"):
        blending.needed(STACK[0], 8, 8, stacked([STACK[0], Plane((0, 0, 0), (0, 1, 0), (0, 0, 1), 1)]))
    monkeypatch.setattr(blending, "MOST_SLICES", 2)
    with pytest.raises(BadPixels, match="more than 2"):
        blending.needed(Plane((0, 0, -6), (1, 0, 0), (0, 0, 1), 1), 13, 8, stacked())


def test_a_picture_in_bands_is_that_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = Plane((0, 0, -2), (0.8, 0, 0.6), (0, 1, 0), 1)
    at_once = over(plane, 9, 8, 0.4)
    monkeypatch.setattr(blending, "_BAND", 16)
    assert (over(plane, 9, 8, 0.4) == at_once).all()


def test_what_is_too_large_is_not_blended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blending, "MOST_PIXELS", 80)
    with pytest.raises(BadPixels, match="more than 80 pixels"):
        over(Plane((0, 0, 0), (1, 0, 0), (0, 1, 0), 1), 8, 8)
    assert over(Plane((0, 0, 90), (1, 0, 0), (0, 1, 0), 1), 80, 8).shape == (80, 8, 3), "nothing lies over it"


@pytest.mark.parametrize(("opacity", "expected"), [(0.0, 50), (0.25, 88), (1.0, 200)])
def test_opacity(opacity: float, expected: int) -> None:
    slices = (a_slice(np.full((2, 2), 201, np.uint8), None, Tones(voi=WINDOW)),)
    shown = blending.superimpose(np.full((2, 2), 50, np.uint8), Blend(slices, None, opacity))
    assert shown.shape == (2, 2, 3)
    assert shown[0, 0].tolist() == [expected] * 3


def test_palette_of_the_superimposed() -> None:
    def ramp(end: int) -> Lut:
        return Lut(0, np.array([0, end], np.uint16).tobytes(), 8)

    look = Tones(voi=WINDOW, palette=(ramp(255), ramp(10), ramp(0)))
    slices = (a_slice(np.full((1, 1), 255, np.uint8), None, look),)
    shown = blending.superimpose(np.full((1, 1, 3), 100, np.uint8), Blend(slices, None, 0.5))
    assert shown.tolist() == [[[178, 55, 50]]]


def test_nothing_over_it() -> None:
    shown = blending.superimpose(np.full((2, 2), 50, np.uint8), Blend((), None, 1.0))
    assert shown.tolist() == [[[50] * 3] * 2] * 2


def test_colour_can_not_be_superimposed() -> None:
    one = a_slice(np.zeros((2, 2, 3), np.uint8), None, photometric_interpretation="RGB")
    with pytest.raises(BadPixels, match="in colour"):
        blending.superimpose(np.zeros((2, 2), np.uint8), Blend((one,), None, 1.0))


def test_how_frames_are_aligned() -> None:
    plane, stack = STACK[0], stacked()
    assert blending.align(plane, stack, (1, 4), same_size=False)
    assert not blending.align(None, stack, (4, 4), same_size=True)
    assert not blending.align(plane, blending.stacked([None]), (1, 1), same_size=True)
    assert blending.stacked([plane, None]) is None
    for counts, same_size in (((1, 4), True), ((4, 4), False)):
        with pytest.raises(BadPixels, match="can not be aligned"):
            blending.align(None, stack, counts, same_size=same_size)


def registered(frame_of_reference: str, *matrix: float) -> dict[str, Any]:
    step = {"0070030A": element({"300600C6": element(*matrix)})}
    return {"00200052": element(frame_of_reference), "00700309": element(step)}


SHIFT = (1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1)
SCALE = (2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1)


def test_registration() -> None:
    registration = {
        "00200052": element("1.1"),
        "00700308": element(registered("1.2", *SHIFT), registered("1.3", *SCALE)),
    }
    forward = blending.relation(registration, "1.2", "1.1")
    assert forward is not None
    moved = blending.moved(Plane((0, 0, 0), (1, 0, 0), (0, 1, 0), 3), forward)
    assert moved == Plane((5, 6, 7), (1, 0, 0), (0, 1, 0), 3)
    back = blending.relation(registration, "1.1", "1.2")
    assert back is not None
    assert (back @ forward).tolist() == np.eye(4).tolist()
    both = blending.relation(registration, "1.2", "1.3")
    assert both is not None
    assert (both @ (0, 0, 0, 1)).tolist() == [2.5, 3, 3.5, 1]


@pytest.mark.parametrize("value", [1e20, 1e308])
def test_nothing_is_moved_beyond_all_reason(value: float) -> None:
    by = np.diag([1.0, 1.0, value, 1.0])
    assert blending.moved(Plane((0, 0, 1), (1, 0, 0), (0, 1, 0), 3), by) is None


@pytest.mark.parametrize(
    "registration",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"00200052": element("1.1")}, id="only one of the two"),
        pytest.param({"00200052": element("1.1"), "00700308": element(registered("1.2", *[0] * 16))}, id="no inverse"),
    ],
)
def test_what_relates_nothing(registration: dict[str, Any]) -> None:
    assert blending.relation(registration, "1.2", "1.1") is None


def test_a_matrix_that_is_too_large_is_none() -> None:
    registration = {"00200052": element("1.1"), "00700308": element(registered("1.2", *[1e300] * 16))}
    found = blending.relation(registration, "1.2", "1.1")
    assert found is None or np.isfinite(found).all()


def test_matrices_that_grow_beyond_all_reason() -> None:
    """Each within bounds, all together not."""
    step = {"0070030A": element(*[{"300600C6": element(*(np.eye(4) * 9e5).flatten().tolist())}] * 60)}
    registration = {
        "00200052": element("1.1"),
        "00700308": element({"00200052": element("1.2"), "00700309": element(step)}),
    }
    assert blending.relation(registration, "1.2", "1.1") is None

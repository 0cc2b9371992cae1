"""Where frames lie, and the order that follows."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.pixels.presentation import planes
from skiagraph.pixels.presentation.planes import Place, Plane


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


AXIAL = {"00200037": element(1, 0, 0, 0, 1, 0), "00280030": element(0.5, 0.25)}


def test_of_a_single_frame() -> None:
    (place,) = planes.places({"00200032": element(1, 2, 3), "00180050": element(5), **AXIAL}, 1)
    assert place == Place((), Plane((1, 2, 3), (0.25, 0, 0), (0, 0.5, 0), 5.0), None)


def test_of_functional_groups() -> None:
    shared = {
        "00209116": element({"00200037": element(0, 1, 0, 0, 0, -1)}),
        "00289110": element({"00280030": element(1, 1)}),
    }
    frames = [
        {
            "00209111": element({"00209157": element(1, number)}),
            "00209113": element({"00200032": element(number, 0, 0)}),
            "0020930E": element({"00209301": element(0, 0, number)}),
        }
        for number in (4, 7)
    ]
    found = planes.places({"52009229": element(shared), "52009230": element(*frames)}, 2)
    assert [place.dimensions for place in found] == [(1, 4), (1, 7)]
    assert [place.volume for place in found] == [(0, 0, 4), (0, 0, 7)]
    assert found[1].plane == Plane((7, 0, 0), (0, 1, 0), (0, 0, -1), 0.0)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"00200032": element(1, 2), **AXIAL}, id="half a position"),
        pytest.param({"00200032": element(1, 2, 3), **AXIAL, "00280030": element(0, 1)}, id="no spacing"),
        pytest.param({"00200032": element(1, 2, 3), **AXIAL, "00280030": element(1e-300, 1)}, id="nearly none"),
        pytest.param({"00200032": element(1, 2, 3), **AXIAL, "00200037": element(1, 0, 0, 2, 0, 0)}, id="no plane"),
        pytest.param({"00200032": element(1, 2, 3), **AXIAL, "00200037": element(*[0] * 6)}, id="no direction"),
        pytest.param({"00200032": element(1, 2, 1e30), **AXIAL}, id="far away"),
    ],
)
def test_what_is_no_plane(attributes: dict[str, Any]) -> None:
    assert planes.places(attributes, 1) == (Place((), None, None),)


def at(z: float, *dimensions: int, sagittal: bool = False) -> Place:
    plane = Plane((z, 0, 0), (0, 1, 0), (0, 0, 1), 1) if sagittal else Plane((0, 0, z), (1, 0, 0), (0, 1, 0), 1)
    return Place(dimensions, plane, None)


@pytest.mark.parametrize(
    ("found", "order"),
    [
        pytest.param([Place((), None, None)] * 3, [0, 1, 2], id="of the references"),
        pytest.param([at(3), at(-1), at(2)], [1, 2, 0], id="by position"),
        pytest.param([at(0, 2, 1), at(1, 1, 2), at(2, 1, 1)], [2, 1, 0], id="by dimensions first"),
        pytest.param(
            [Place((), None, (0, 0, 2)), Place((), None, (5, 0, 1)), Place((), None, (4, 0, 1))],
            [2, 1, 0],
            id="by position in the volume",
        ),
        pytest.param(
            [at(3), at(2, sagittal=True), at(1), at(0, sagittal=True)],
            [2, 0, 3, 1],
            id="one orientation after the other",
        ),
        pytest.param([at(1), at(1), at(1)], [0, 1, 2], id="as they are referred to where nothing else tells"),
    ],
)
def test_order(found: list[Place], order: list[int]) -> None:
    assert planes.order(found) == order

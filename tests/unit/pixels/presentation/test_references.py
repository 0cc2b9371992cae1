"""What a presentation state is for."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.pixels.presentation import references
from skiagraph.pixels.presentation.references import Reference, SeriesReference


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def image(uid: str, *frames: object) -> dict[str, Any]:
    return {"00081155": element(uid)} | ({"00081160": element(*frames)} if frames else {})


def test_series() -> None:
    state = {
        "00081115": element(
            {"0020000E": element("1.1"), "00081140": element(image("1.1.1"), image("1.1.2", 3, "2", 3))},
            {"0020000E": element("1.2")},
            "no Item",
        )
    }
    assert references.series(state) == (
        SeriesReference("", "1.1", (Reference("1.1.1"), Reference("1.1.2", (3, 2)))),
        SeriesReference("", "1.2", ()),
    )


def test_a_blending_names_the_study() -> None:
    found = references.series({"0020000D": element("1.9"), "00081115": element({"0020000E": element("1.1")})})
    assert found == (SeriesReference("1.9", "1.1", ()),)


@pytest.mark.parametrize(
    ("item", "covered"),
    [
        pytest.param({}, {"a1", "a2", "b1"}, id="no reference is everything"),
        pytest.param({"00081140": element()}, {"a1", "a2", "b1"}, id="so is an empty one"),
        pytest.param({"00081140": element(image("a"))}, {"a1", "a2"}, id="all frames of an image"),
        pytest.param({"00081140": element(image("a", 2))}, {"a2"}, id="a frame"),
        pytest.param({"00081140": element(image("a", 1), image("a", 2))}, {"a1", "a2"}, id="frames in two Items"),
        pytest.param({"00081140": element(image("a", 1), image("a"))}, {"a1", "a2"}, id="a frame, and all"),
        pytest.param({"00081140": element(image("c"))}, set(), id="another image"),
        pytest.param({"00081140": element({}, 5, image("b", "x"))}, {"b1"}, id="what can not be understood"),
    ],
)
def test_scope(item: dict[str, Any], covered: set[str]) -> None:
    scope = references.scope(item)
    assert {f"{uid}{frame}" for uid, frame in (("a", 1), ("a", 2), ("b", 1)) if scope.covers(uid, frame)} == covered

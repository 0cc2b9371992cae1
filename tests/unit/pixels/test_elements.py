"""Values of a data set for rendering: what is odd is none, and never an error."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.pixels import elements


@pytest.mark.parametrize(
    ("values", "number", "integer"),
    [
        ([5], 5.0, 5),
        (["5"], 5.0, 5),
        (["5.5"], 5.5, None),
        ([5.0], 5.0, 5),
        (["x"], None, None),
        ([None], None, None),
        ([True], None, None),
        (["NaN"], None, None),
        (["Infinity"], None, None),
        ([10**400], None, None),
        ([2**60], float(2**60), None),
        ([{}], None, None),
        ([[]], None, None),
        ([], None, None),
    ],
)
def test_numbers(values: list[Any], number: float | None, integer: int | None) -> None:
    attributes = {"00280010": {"vr": "US", "Value": values}}
    assert elements.number(attributes, "00280010") == number
    assert elements.integer(attributes, "00280010") == integer


def test_lists_end_at_the_first_value_that_is_none() -> None:
    attributes = {"00281050": {"vr": "DS", "Value": [1, "2.5", None, 4]}}
    assert elements.numbers(attributes, "00281050") == [1, 2.5]
    assert elements.integers(attributes, "00281050") == [1]


@pytest.mark.parametrize(
    "element", [{}, {"vr": "OW"}, {"InlineBinary": 5}, {"InlineBinary": "é"}, {"BulkDataURI": "x"}]
)
def test_octets_that_are_not_there(element: dict[str, Any]) -> None:
    assert elements.octets({"00281201": element}, "00281201", {}) is None


def test_octets() -> None:
    assert elements.octets({"1": {"InlineBinary": "AAE="}}, "1", {}) == b"\0\1"
    assert elements.octets({"1": {"BulkDataURI": "x"}}, "1", {"x": b"abc"}) == b"abc"


def test_words() -> None:
    def listed(values: list[int]) -> Any:
        found = elements.words({"1": {"Value": values}}, "1", {})
        return None if found is None else found.tolist()

    assert listed([1, 65535, -1]) == [1, 65535, 65535]
    bulk = {"x": b"\1\2\3\4\5"}
    sixteen, eight = (elements.words({"1": {"BulkDataURI": "x"}}, "1", bulk, bits=bits) for bits in (16, 8))
    assert sixteen is not None
    assert sixteen.tolist() == [0x0201, 0x0403]
    assert eight is not None
    assert eight.tolist() == [1, 2, 3, 4, 5]


def test_items_and_texts() -> None:
    attributes: dict[str, Any] = {"1": {"vr": "SQ", "Value": [{"a": 1}, None, {"b": 2}]}, "2": {"Value": ["x", 5, "y"]}}
    assert elements.items(attributes, "1") == [{"a": 1}, {"b": 2}]
    assert elements.item(attributes, "1") == {"a": 1}
    assert elements.item(attributes, "3") == {}
    assert elements.texts(attributes, "2") == ["x", "y"]
    assert elements.text(attributes, "2") == "x"
    assert elements.text(attributes, "3") == ""

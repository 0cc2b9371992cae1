"""Lookup tables: PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5, C.7.9.2, and how they are really written."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.pixels import lut
from skiagraph.pixels.lut import Lut, expand


def item(descriptor: list[int], *, values: list[int] | None = None, raw: bytes | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"vr": "US", "Value": values}
    if raw is not None:
        data = {"vr": "OW", "InlineBinary": base64.b64encode(raw).decode()}
    return {"00283002": {"vr": "US", "Value": descriptor}, "00283006": data}


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


@pytest.mark.parametrize(
    ("given_item", "signed", "first", "bits", "values"),
    [
        pytest.param(item([3, 5, 12], values=[0, 9, 4095]), False, 5, 12, [0, 9, 4095], id="US values"),
        pytest.param(item([3, 5, 12], values=[0, 9, -1]), False, 5, 16, [0, 9, 65535], id="read as SS"),
        pytest.param(item([2, 0, 16], raw=words(1, 65535)), False, 0, 16, [1, 65535], id="OW"),
        pytest.param(item([4, 0, 8], raw=bytes([1, 2, 3, 255])), False, 0, 8, [1, 2, 3, 255], id="8 bits packed"),
        pytest.param(item([3, 0, 8], raw=bytes([1, 2, 3, 0])), False, 0, 8, [1, 2, 3], id="8 bits packed, odd count"),
        pytest.param(item([3, 0, 8], raw=words(1, 2, 255)), False, 0, 8, [1, 2, 255], id="8 bits in words"),
        pytest.param(item([4, 0, 8], values=[0x0201, 0xFF03]), False, 0, 8, [1, 2, 3, 255], id="8 bits packed as US"),
        pytest.param(item([2, 0, 8], raw=words(0, 0xFF00)), False, 0, 16, [0, 0xFF00], id="8 bits said, 16 used"),
        pytest.param(item([2, 0, 10], values=[0, 4095]), False, 0, 12, [0, 4095], id="10 bits said, 12 used"),
        pytest.param(item([2, 65535, 8], values=[0, 1]), True, -1, 8, [0, 1], id="negative first value written as US"),
        pytest.param(item([2, -5, 8], values=[0, 1]), True, -5, 8, [0, 1], id="negative first value"),
        pytest.param(item([2, -1, 8], values=[0, 1]), False, 65535, 8, [0, 1], id="first value 65535 written as SS"),
        pytest.param(item([5, 0, 16], raw=words(1, 2)), False, 0, 16, [1, 2], id="shorter than it says"),
        pytest.param(item([1, 0, 16], raw=words(1, 2)), False, 0, 16, [1], id="longer than it says"),
        pytest.param(item([2, 0, 0], values=[0, 7]), False, 0, 16, [0, 7], id="no bits: 16"),
    ],
)
def test_from_item(given_item: dict[str, Any], signed: bool, first: int, bits: int, values: list[int]) -> None:
    found = lut.from_item(given_item, {}, signed=signed)
    assert found is not None
    assert (found.first, found.bits, found.values.tolist()) == (first, bits, values)


def test_a_descriptor_of_0_means_65536_entries() -> None:
    """C.11.1.1: the number does not fit into 16 bits."""
    found = lut.from_item(item([0, 0, 16], raw=np.arange(65536, dtype="<u2").tobytes()), {}, signed=False)
    assert found is not None
    assert len(found) == 65536


def test_data_may_be_bulk() -> None:
    element = item([2, 0, 16]) | {"00283006": {"vr": "OW", "BulkDataURI": "bulkdata/1"}}
    found = lut.from_item(element, {"bulkdata/1": words(3, 4)}, signed=False)
    assert found is not None
    assert found.values.tolist() == [3, 4]
    assert lut.from_item(element, {}, signed=False) is None


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({}, id="empty item"),
        pytest.param({"00283002": {"vr": "US", "Value": [2, 0, 8]}}, id="no data"),
        pytest.param(item([2, 0], values=[1, 2]), id="descriptor of two values"),
        pytest.param(item([2, 0, 8], values=[]), id="empty data"),
        pytest.param(item([2, 0, 8], values=["x", "y"]), id="no numbers"),  # type: ignore[list-item]
        pytest.param(item([2, 0, 8], raw=b""), id="no bytes"),
    ],
)
def test_what_is_no_table(broken: dict[str, Any]) -> None:
    assert lut.from_item(broken, {}, signed=False) is None


def test_inputs_outside_take_the_ends() -> None:
    """C.11.1.1.1: below the first value mapped the first entry, above the last value the last."""
    table = Lut(10, np.array([100, 101, 102], np.uint16).tobytes(), 8)
    inputs = np.array([-5, 9, 10, 11, 12, 13, 500], np.int32)
    assert lut.apply(inputs, table).tolist() == [100, 100, 100, 101, 102, 102, 102]
    assert lut.apply(np.array([10.4, 10.5, 11.6]), table).tolist() == [100, 101, 102]
    assert lut.scaled(np.array([10]), Lut(10, np.array([255], np.uint16).tobytes(), 8)).tolist() == [1.0]


# Segmented Palette Color Lookup Table Data, C.7.9.2

SEGMENTED = [
    pytest.param([0, 3, 7, 8, 9], 3, 16, [7, 8, 9], id="discrete"),
    pytest.param([0, 1, 10, 1, 5, 20], 6, 16, [10, 12, 14, 16, 18, 20], id="linear: up to the end value"),
    pytest.param([0, 1, 20, 1, 4, 0], 5, 16, [20, 15, 10, 5, 0], id="linear: downwards"),
    pytest.param([0, 2, 1, 2, 2, 1, 0, 0], 4, 16, [1, 2, 1, 2], id="indirect: one segment again"),
    pytest.param([0, 1, 0, 1, 2, 4, 2, 2, 0, 0], 6, 16, [0, 2, 4, 0, 2, 4], id="indirect: two segments again"),
    pytest.param([0, 1, 9, 0, 1, 5, 2, 1, 6, 0], 3, 16, [9, 5, 5], id="indirect: offset in bytes"),
    pytest.param([0, 2, 1, 2, 2, 1, 0, 0, 0, 0], 4, 8, [1, 2, 1, 2], id="8 bits: offset of four bytes"),
    pytest.param([0, 100, 1, 2], 2, 16, [1, 2], id="longer than the data"),
    pytest.param([0, 5, 1, 2, 3, 4, 5], 3, 16, [1, 2, 3], id="longer than the table"),
    pytest.param([1, 5, 9], 5, 16, [], id="linear without an entry before"),
    pytest.param([3, 1, 1], 1, 16, [], id="unknown opcode"),
    pytest.param([0, 1, 5, 2, 1, 6, 0], 9, 16, [5], id="indirect to itself"),
    pytest.param([0, 1, 5, 2, 1], 9, 16, [5], id="indirect without offset"),
    pytest.param([0, 1, 5, 2, 1, 60000, 60000], 9, 16, [5], id="indirect to nowhere"),
    pytest.param([], 9, 16, [], id="empty"),
]


@pytest.mark.parametrize(("data", "count", "bits", "expected"), SEGMENTED)
def test_expand(data: list[int], count: int, bits: int, expected: list[int]) -> None:
    assert expand(data, count, bits) == expected


@given(
    st.lists(st.integers(0, 65535) | st.integers(0, 4), max_size=60), st.integers(1, 65536), st.sampled_from([8, 16])
)
def test_segments_never_grow_beyond_the_table(data: list[int], count: int, bits: int) -> None:
    assert len(expand(data, count, bits)) <= count


def palette_of(red: dict[str, Any], green: dict[str, Any], blue: dict[str, Any]) -> dict[str, Any]:
    return red | green | blue


def channel(number: int, descriptor: list[int], raw: bytes, *, segmented: bool = False) -> dict[str, Any]:
    tag = f"0028122{number}" if segmented else f"0028120{number}"
    return {
        f"0028110{number}": {"vr": "US", "Value": descriptor},
        tag: {"vr": "OW", "InlineBinary": base64.b64encode(raw).decode()},
    }


def test_palette() -> None:
    attributes = palette_of(
        channel(1, [2, 0, 16], words(0, 65535)),
        channel(2, [2, 0, 16], words(0, 257)),
        channel(3, [2, 0, 16], words(0, 0)),
    )
    found = lut.palette(attributes, {}, signed=False)
    assert found is not None
    assert [part.values.tolist() for part in found] == [[0, 65535], [0, 257], [0, 0]]
    assert {part.bits for part in found} == {16}


def test_palette_of_16_bits_that_uses_8() -> None:
    attributes = palette_of(*(channel(number, [2, 0, 16], words(0, 255)) for number in (1, 2, 3)))
    found = lut.palette(attributes, {}, signed=False)
    assert found is not None
    assert {part.bits for part in found} == {8}


def test_segmented_palette() -> None:
    data = words(0, 1, 0, 1, 3, 768)
    attributes = palette_of(*(channel(number, [4, 0, 16], data, segmented=True) for number in (1, 2, 3)))
    found = lut.palette(attributes, {}, signed=False)
    assert found is not None
    assert found[0].values.tolist() == [0, 256, 512, 768]


def test_a_palette_needs_all_three_colours() -> None:
    attributes = channel(1, [2, 0, 16], words(0, 255)) | channel(2, [2, 0, 16], words(0, 255))
    assert lut.palette(attributes, {}, signed=False) is None
    assert lut.palette({}, {}, signed=False) is None

"""Folding what Instances say about their Study or Series."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.index.fold import Folded, is_empty
from skiagraph.testing.headers import element, nested

ELEMENTS = st.sampled_from([{"vr": "LO"}, element("LO", ""), element("LO", "a"), element("LO", "b")])
SAYINGS = st.dictionaries(st.sampled_from(["00081030", "00100020", "00100010"]), ELEMENTS)


@settings(max_examples=300)
@given(st.lists(SAYINGS, min_size=1, max_size=6), st.randoms())
def test_order_of_arrival_does_not_count(sayings: list[dict[str, Any]], chance: Any) -> None:
    keyed = [(f"{number:02}", attributes) for number, attributes in enumerate(sayings)]
    expected = {
        tag: min(
            (is_empty(attributes[tag]), key, attributes[tag]["vr"], str(attributes[tag]))
            for key, attributes in keyed
            if tag in attributes
        )
        for attributes in sayings
        for tag in attributes
    }
    chance.shuffle(keyed)
    folded = Folded.first(keyed[0][1], keyed[0][0])
    for key, attributes in keyed[1:]:
        folded = Folded.load(*folded.dump())  # as between two transactions
        folded.add(attributes, key)
    assert {tag: str(found) for tag, found in folded.attributes.items()} == {
        tag: found[3] for tag, found in expected.items()
    }
    assert folded.source == "00"
    for tag, (_, key, _, _) in expected.items():
        assert folded.sources.get(tag, folded.source) == key


def test_the_same_again_changes_nothing() -> None:
    folded = Folded.first({"00100020": element("LO", "P")}, "1")
    assert not folded.add({"00100020": element("LO", "P")}, "2")
    assert not folded.add({"00100020": element("LO", "other")}, "3")
    assert not folded.add({"00100020": {"vr": "LO"}}, "4")
    assert folded.dump() == (b'{"00100020":{"vr":"LO","Value":["P"]}}', "1", None)


@pytest.mark.parametrize("depth", [83, 84, 85, 250])
def test_deep_sequences(depth: int) -> None:
    folded = Folded.first({"00081110": nested(depth)}, "1")
    assert folded.add({"00081032": nested(depth)}, "2")
    again = Folded.load(*folded.dump())
    assert again.attributes == {"00081032": nested(depth), "00081110": nested(depth)}


def test_what_was_empty_is_filled() -> None:
    folded = Folded.first({"00100020": {"vr": "LO"}}, "1")
    assert folded.add({"00100020": element("LO", "P"), "00081030": element("LO", "D")}, "2")
    assert folded.dump() == (
        b'{"00081030":{"vr":"LO","Value":["D"]},"00100020":{"vr":"LO","Value":["P"]}}',
        "1",
        '{"00081030":"2","00100020":"2"}',
    )


@pytest.mark.parametrize(
    ("found", "empty"),
    [
        ({"vr": "LO"}, True),
        ({"vr": "LO", "Value": []}, True),
        ({"vr": "LO", "Value": [None]}, True),
        ({"vr": "LO", "Value": [""]}, True),
        ({"vr": "PN", "Value": [{}]}, True),
        ({"vr": "LO", "Value": [None, "a"]}, False),
        ({"vr": "IS", "Value": [0]}, False),
        ({"vr": "OB", "InlineBinary": "AA=="}, False),
    ],
)
def test_is_empty(found: dict[str, Any], empty: bool) -> None:
    assert is_empty(found) is empty

"""Answers as pieces of JSON."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from skiagraph.index import answers
from skiagraph.testing.headers import ct_attributes, data_set, element, nested


def _whole(answer: tuple[bytes, bytes]) -> dict[str, Any]:
    before, after = answer
    assert before.startswith(b"{")
    assert before == b"{" or before.endswith(b",")
    found: dict[str, Any] = orjson.loads(before + b'"00081190":0' + after)
    assert list(found) == sorted(found)
    assert found.pop("00081190") == 0
    return found


def test_study_without_values() -> None:
    """Table 10.6.3-3: required attributes are returned empty, conditional ones not at all."""
    found = _whole(answers.study("1.1", answers.study_answer({}), "[]", 0, 0))
    assert found == {
        "00080020": {"vr": "DA"},
        "00080030": {"vr": "TM"},
        "00080050": {"vr": "SH"},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00080061": {"vr": "CS"},
        "00080090": {"vr": "PN"},
        "00100010": {"vr": "PN"},
        "00100020": {"vr": "LO"},
        "00100030": {"vr": "DA"},
        "00100040": {"vr": "CS"},
        "0020000D": {"vr": "UI", "Value": ["1.1"]},
        "00200010": {"vr": "SH"},
        "00201206": {"vr": "IS", "Value": [0]},
        "00201208": {"vr": "IS", "Value": [0]},
    }


def test_series_without_values() -> None:
    """Table 10.6.3-4."""
    found = _whole(answers.series(answers.series_uids("1.1", "2.1"), answers.series_answer({}), 3, None))
    assert found == {
        "00080060": {"vr": "CS"},
        "0020000D": {"vr": "UI", "Value": ["1.1"]},
        "0020000E": {"vr": "UI", "Value": ["2.1"]},
        "00200011": {"vr": "IS"},
        "00201209": {"vr": "IS", "Value": [3]},
    }


def test_instance_of_a_series() -> None:
    """Table 10.6.3-5, and the unique keys above."""
    attributes = data_set("1.1", "2.1", "3.1", {"00280010": element("US", 512), "00280008": {"vr": "IS"}})
    answer = answers.instance_answer(attributes, "1.2.840.10008.1.2.1")
    assert _whole(answers.instance(answers.series_uids("1.1", "2.1"), answer, None, None)) == {
        "00080016": attributes["00080016"],
        "00080018": attributes["00080018"],
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
        "0020000D": {"vr": "UI", "Value": ["1.1"]},
        "0020000E": {"vr": "UI", "Value": ["2.1"]},
        "00200013": {"vr": "IS"},
        "00280010": {"vr": "US", "Value": [512]},
    }


def test_all_tables_together() -> None:
    attributes = data_set("1.1", "2.1", "3.1", ct_attributes(60))
    study = answers.study_answer(attributes), '["CT"]', 1, 2
    series = answers.series_answer(attributes), 2
    instance = answers.instance_answer(attributes, "1.2.840.10008.1.2.1")
    uids = answers.series_uids("1.1", "2.1")
    every = _whole(answers.instance(uids, instance, series, study))
    assert set(every) == (
        set(_whole(answers.study("1.1", *study)))
        | set(_whole(answers.series(uids, *series, None)))
        | set(_whole(answers.instance(uids, instance, None, None)))
    )
    assert set(_whole(answers.series(uids, *series, study))) < set(every)


@pytest.mark.parametrize(
    ("stored", "available"),
    [
        pytest.param("1.2.840.10008.1.2", ["1.2.840.10008.1.2.1"], id="Implicit VR never goes out"),
        pytest.param("1.2.840.10008.1.2.2", ["1.2.840.10008.1.2.1"], id="Big Endian never goes out"),
        pytest.param("1.2.840.10008.1.2.1", ["1.2.840.10008.1.2.1"], id="Explicit VR Little Endian"),
        pytest.param("1.2.840.10008.1.2.1.99", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"], id="Deflated"),
        pytest.param("1.2.840.10008.1.2.4.90", ["1.2.840.10008.1.2.4.90"], id="compressed"),
    ],
)
def test_available_transfer_syntaxes(stored: str, available: list[str]) -> None:
    assert answers.available_transfer_syntaxes(stored) == {"vr": "UI", "Value": available}


def test_extend() -> None:
    answer = answers.study("1.1", answers.study_answer({}), "[]", 0, 0)
    more = {
        "00020010": element("UI", "1"),
        "00081030": element("LO", "d"),
        "00081190": element("UR", "no"),
        "00100020": element("LO", "P"),
        "FFFEE000": element("LO", "z"),
    }
    found = _whole(answers.extend(answer, more))
    assert found == _whole(answer) | {tag: value for tag, value in more.items() if tag != "00081190"}


@pytest.mark.parametrize("depth", [84, 85, 250])
def test_deep_sequences(depth: int) -> None:
    """orjson alone stops at 84; 250 is the most that `max_sequence_depth` can be."""
    answer = answers.study("1.1", answers.study_answer({}), "[]", 0, 0)
    more = {"00081140": nested(depth), "00400555": nested(depth)}
    assert _whole(answers.extend(answer, more)) == _whole(answer) | more
    odd = {"00400275": element("SQ", {"00400009": nested(depth)})}
    found = _whole(answers.series(b"", answers.series_answer(odd), 1, None))
    assert found["00400275"]["Value"][0]["00400009"] == nested(depth)


def test_bulk_data_that_can_not_be_named_is_left_out() -> None:
    """An element without anything would say that it has no value (PS3.18 F.2.5)."""
    bulk = {"vr": "OB", "BulkDataURI": "bulkdata/1"}
    inner = {"00282000": bulk, "00100020": element("LO", "P")}
    given = {"00189073": bulk, "00480105": element("SQ", inner, {}), "00081140": {"vr": "SQ"}}
    expected = {"00480105": element("SQ", {"00100020": element("LO", "P")}, {}), "00081140": {"vr": "SQ"}}
    before = repr(given)
    assert answers.without_bulk(given) == expected
    assert repr(given) == before
    assert answers.without_bulk({"00081140": nested(250, inner)}) == {
        "00081140": nested(250, {"00100020": element("LO", "P")})
    }


def test_no_bulk_data_in_request_attributes() -> None:
    """What an Instance says about its Series may have VRs that the standard does not have."""
    odd = {"00400275": element("SQ", {"00400009": {"vr": "OB", "BulkDataURI": "bulkdata/1"}})}
    found = _whole(answers.series(b"", answers.series_answer(odd), 1, None))
    assert "BulkDataURI" not in str(found)

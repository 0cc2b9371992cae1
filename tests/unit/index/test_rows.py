"""From a header to rows."""

from __future__ import annotations

from array import array
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand
from skiagraph.index import rows
from skiagraph.index.schema import NO_NUMBER, instances, series, studies
from skiagraph.standard import date_time
from skiagraph.testing.headers import ct_attributes, data_set, element, header, name, nested, new_instance


def _prepare(**attributes: Any) -> rows.Prepared:
    return rows.prepare(new_instance(header(data_set("1.1", "2.1", "3.1", attributes))))


def test_columns_are_those_of_the_tables() -> None:
    """Each in the order in which rows give their values."""
    assert set(rows.INSTANCE_COLUMNS) == set(instances.c.keys()) - {"id", "committed_at"}
    assert set(rows.STUDY_COLUMNS) < set(studies.c.keys())
    assert set(rows.SERIES_COLUMNS) < set(series.c.keys())
    prepared = _prepare(**ct_attributes(60))
    assert len(prepared.row) == len(rows.INSTANCE_COLUMNS) - 1  # the Series is not known yet
    study = dict(zip(rows.STUDY_COLUMNS, rows.study_row(prepared.study_attributes), strict=True))
    moment = (date_time.date("20240131") or (0, 0))[0] + (date_time.time("101530.123") or (0, 0))[0]
    assert {key: value for key, value in study.items() if key != "answer"} == {
        "recency": -moment,
        "accession_number": "A-1",
        "study_id": "S-1",
        "patient_id": "P-1",
        "patient_birth_date": (date_time.date("19700101") or (0, 0))[0],
        "patient_sex": "F",
        "study_description": "Thorax",
        "patient_name_alphabetic": "doe^jane",
        "patient_name_ideographic": None,
        "patient_name_phonetic": None,
        "referring_physician_name_alphabetic": "refer^ring",
        "referring_physician_name_ideographic": None,
        "referring_physician_name_phonetic": None,
        "irregular": 0,
    }
    of_series = dict(zip(rows.SERIES_COLUMNS, rows.series_row(prepared.series_attributes), strict=True))
    assert {key: value for key, value in of_series.items() if key != "answer"} == {
        "series_number": 1,
        "modality": "CT",
        "series_description": "Axial 1.0",
        "performed": None,
        "irregular": 0,
    }


@pytest.mark.parametrize(
    ("found", "value", "regular"),
    [
        (None, None, True),
        ({"vr": "LO"}, None, True),
        (element("LO", "a"), "a", True),
        (element("LO", " a "), " a ", True),
        (element("LO", "a", "b"), "a", False),
        (element("LO", None, "b"), None, False),
        (element("LO", ""), None, False),
        (element("LO", 1), None, False),
        (element("LO", "a\0b"), "a b", False),
        (element("LO", "x" * 2000), "x" * 1024, False),
        ({"vr": "UN", "InlineBinary": "YQ=="}, None, False),
        ({"vr": "UT", "BulkDataURI": "bulkdata/1"}, None, False),
    ],
)
def test_text(found: Any, value: str | None, regular: bool) -> None:
    assert rows.text({} if found is None else {"00100020": found}, "00100020") == (value, regular)


@pytest.mark.parametrize(
    ("found", "value", "regular"),
    [
        (None, NO_NUMBER, True),
        ({"vr": "IS"}, NO_NUMBER, True),
        (element("IS", 7), 7, True),
        (element("IS", " -7 "), -7, True),
        (element("IS", "7.0"), 7, True),
        (element("IS", "7.5"), NO_NUMBER, False),
        (element("IS", "seven"), NO_NUMBER, False),
        (element("IS", 2**63 - 1), NO_NUMBER, False),
        (element("IS", "9" * 30), NO_NUMBER, False),
        (element("IS", 1e308), NO_NUMBER, False),
        (element("IS", float("inf")), NO_NUMBER, False),
        (element("IS", True), NO_NUMBER, False),
        (element("IS", 7, 8), 7, False),
    ],
)
def test_integer(found: Any, value: int, regular: bool) -> None:
    assert rows.integer({} if found is None else {"00200013": found}, "00200013") == (value, regular)


@pytest.mark.parametrize(
    ("found", "value", "regular"),
    [
        (None, (None, None, None), True),
        ({"vr": "PN"}, (None, None, None), True),
        (element("PN", name("Döe^Jane^^", "山田", "やまだ")), ("doe^jane", "山田", "やまた"), None),
        (element("PN", "Doe^Jane=X"), ("doe^jane", "x", None), True),
        (element("PN", {}), (None, None, None), False),
        (element("PN", name("^^")), (None, None, None), False),
        (element("PN", name("A"), name("B")), ("a", None, None), False),
        (element("PN", 3), (None, None, None), False),
        ({"vr": "UN", "InlineBinary": "YQ=="}, (None, None, None), False),
    ],
)
def test_name(found: Any, value: Any, regular: bool | None) -> None:
    groups, is_regular = rows.name({} if found is None else {"00100010": found}, "00100010")
    if regular is None:  # which marks of kana count is `person_name`'s to say
        groups, value, regular = groups[:2], value[:2], True
    assert (groups, is_regular) == (value, regular)


@pytest.mark.parametrize(
    ("date", "time", "known", "regular"),
    [
        ("20240131", "1015", True, True),
        ("2024.01.31", None, True, True),
        ("20240131", "nonsense", True, False),
        ("nonsense", "1015", False, False),
        (None, "1015", False, True),
        (None, None, False, True),
    ],
)
def test_date_and_time(date: str | None, time: str | None, known: bool, regular: bool) -> None:
    attributes = {}
    if date is not None:
        attributes["00080020"] = element("DA", date)
    if time is not None:
        attributes["00080030"] = element("TM", time)
    moment, is_regular = rows.date_and_time(attributes, "00080020", "00080030")
    assert (moment is not None, is_regular) == (known, regular)


def test_split_by_level() -> None:
    """Computed attributes are the archive's own; Timezone Offset From UTC is needed at every level."""
    study, series = rows.split(
        {
            "00080018": element("UI", "3.1"),
            "00080060": element("CS", "CT"),
            "00080061": element("CS", "LIE"),
            "00080201": element("SH", "+0100"),
            "00091001": element("LO", "private"),
            "00100020": element("LO", "P"),
            "00104000": element("LT", "x" * 70_000),
            "00201209": element("IS", 99),
            "00400275": element("SQ", {"00400009": element("SH", "S" * 70_000)}),
        }
    )
    assert list(study) == ["00080201", "00100020"]
    assert list(series) == ["00080060", "00080201"]


@pytest.mark.parametrize("value", [2**64, "\ud800"], ids=["number beyond 64 bits", "lone surrogate"])
def test_what_json_can_not_hold(value: Any) -> None:
    with pytest.raises(CannotUnderstand):
        _prepare(**{"00180050": element("DS", value)})


def test_hostile_pixel_numbers_fit() -> None:
    of = header(data_set("1.1", "2.1", "3.1"))
    from dataclasses import replace

    pixels = of.pixel_data
    assert pixels is not None
    hostile = replace(of, pixel_data=replace(pixels, frames=2**70, frame_bits=2**80))
    row = dict(zip(rows.INSTANCE_COLUMNS, rows.prepare(new_instance(hostile)).row, strict=False))
    assert row["frames"] == row["frame_bits"] == 2**63 - 1


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"},", b"}", b",", b"x" * 1000, b"y" * 300_000]), max_size=30).map(b"".join))
def test_cut(document: bytes) -> None:
    parts = rows.cut(document)
    assert b"".join(parts) == document
    for part in parts[:-1]:
        assert len(part) > rows.PART
        assert part.endswith(b"},")
        assert part.find(b"},", rows.PART) == len(part) - 2


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5000))
@settings(max_examples=50)
def test_pack_spans(numbers: list[int]) -> None:
    packed = rows.pack_spans(array("Q", numbers))
    assert all(len(row) == rows.FRAMES_PER_ROW * 16 for row in packed[:-1])
    assert array("Q", b"".join(packed)).tolist() == numbers


def test_versions_add_up_in_any_order() -> None:
    numbers = [rows.instance_version(f"1.{i}", b"p", b"d%d" % i) for i in range(10)]
    total = 0
    for number in numbers:
        total = rows.add_versions(total, number)
    for number in numbers[::-1]:
        assert 0 < total < 2**128
        total = rows.remove_version(total, number)
    assert total == 0
    assert rows.instance_version("1", b"p", b"d") != rows.instance_version("2", b"p", b"d")


@pytest.mark.parametrize("depth", [83, 84, 85, 250])
def test_deep_sequences_count_by_their_size(depth: int) -> None:
    study, series = rows.split({"00081110": nested(depth), "00081250": nested(depth)})
    assert (list(study), list(series)) == (["00081110"], ["00081250"])
    wide = nested(depth, {"00100020": element("LO", "x" * 70_000)})
    assert rows.split({"00081110": wide, "00081250": wide}) == ({}, {})


def test_document_is_the_header() -> None:
    attributes = data_set("1.1", "2.1", "3.1", ct_attributes(250))
    prepared = rows.prepare(new_instance(header(attributes)))
    assert orjson.loads(b"".join(map(rows.decompress, prepared.parts))) == attributes

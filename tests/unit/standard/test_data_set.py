"""Data sets as people send them, to the letter of PS3.18 Annex F."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import data_set, dicom_json, native_xml
from skiagraph.values import Attributes


def attribute(tag: str, vr: str | None = None, *values: Any, **members: Any) -> Attributes:
    element: dict[str, Any] = {} if vr is None else {"vr": vr}
    if values:
        element["Value"] = list(values)
    return {tag: element | members}


ITEM = attribute("00080100", "SH", "121726")

LENIENT = [
    pytest.param({}, {}, id="nothing"),
    pytest.param(attribute("0040a370", "SQ", ITEM), attribute("0040A370", "SQ", ITEM), id="tag in lower case"),
    pytest.param(attribute("PatientID", "LO", "1"), attribute("00100020", "LO", "1"), id="keyword in place of the tag"),
    pytest.param(attribute("00100020", None, "1"), attribute("00100020", "LO", "1"), id="no vr"),
    pytest.param({"00100020": {"VR": "lo", "value": ["1"]}}, attribute("00100020", "LO", "1"), id="names in any case"),
    pytest.param(
        {"00100020": {"vr": "LO", "Value": "1"}}, attribute("00100020", "LO", "1"), id="a value without array"
    ),
    pytest.param(
        attribute("00080100", "LO", "1"), ITEM | attribute("00080100", "SH", "1"), id="the VR of the dictionary"
    ),
    pytest.param(attribute("00081197", "UI", "274"), attribute("00081197", "US", 274), id="US written as UI (§B.27)"),
    pytest.param(attribute("00100020", "LO", 12), attribute("00100020", "LO", "12"), id="a number where text belongs"),
    pytest.param(
        attribute("00100010", "PN", "Doe^J=山田"),
        attribute("00100010", "PN", {"Alphabetic": "Doe^J", "Ideographic": "山田"}),
        id="a name that is text",
    ),
    pytest.param(
        attribute("00100010", "PN", {"alphabetic": "Doe^J "}),
        attribute("00100010", "PN", {"Alphabetic": "Doe^J"}),
        id="a name with groups in lower case",
    ),
    pytest.param(
        attribute("00081050", "LO", {"Alphabetic": "A"}, None),
        attribute("00081050", "PN", {"Alphabetic": "A"}, None),
        id="an empty one among names",
    ),
    pytest.param(
        attribute("00081030", "LO", {"Alphabetic": "A^B"}), attribute("00081030", "LO", "A^B"), id="a name as LO"
    ),
    pytest.param(attribute("00080020", "DA", "20240131 "), attribute("00080020", "DA", "20240131"), id="padding"),
    pytest.param(attribute("00081155", "UI", "1.2\0"), attribute("00081155", "UI", "1.2"), id="padding of a UID"),
    pytest.param(
        attribute("00104000", "LT", " a\\b "), attribute("00104000", "LT", " a\\b"), id="blanks of a long text"
    ),
    pytest.param(attribute("00200013", "IS", "007"), attribute("00200013", "IS", 7), id="IS as text"),
    pytest.param(attribute("00741004", "DS", "2.50"), attribute("00741004", "DS", 2.5), id="DS as text"),
    pytest.param(attribute("00280010", "US", 5.0), attribute("00280010", "US", 5), id="a whole number with a fraction"),
    pytest.param(attribute("00280106", "SS", -1), attribute("00280106", "SS", -1), id="US or SS: as said"),
    pytest.param(attribute("00280106", None, -1), attribute("00280106", "SS", -1), id="US or SS: as the value allows"),
    pytest.param(attribute("00189074", "DT", ""), attribute("00189074", "DT"), id="an empty text is no value"),
    pytest.param({"00100020": {"vr": "LO", "Value": [None]}}, attribute("00100020", "LO"), id="nor is null"),
    pytest.param({"00100020": {"vr": "LO", "Value": []}}, attribute("00100020", "LO"), id="nor an empty array"),
    pytest.param(
        attribute("00080060", "CS", "A", "", "B"),
        attribute("00080060", "CS", "A", None, "B"),
        id="an empty one of three",
    ),
    pytest.param(
        attribute("00209165", "AT", "(0020,9056)"), attribute("00209165", "AT", "00209056"), id="AT as printed"
    ),
    pytest.param(attribute("0040A370", "SQ", None), attribute("0040A370", "SQ", {}), id="an Item that is null"),
    pytest.param(attribute("0040A370", "UN", ITEM), attribute("0040A370", "SQ", ITEM), id="a Sequence under UN"),
    pytest.param(attribute("00080005", "CS", "ISO_IR 100"), {}, id="Specific Character Set"),
    pytest.param(attribute("00020010", "UI", "1.2"), {}, id="File Meta Information"),
    pytest.param(attribute("00080000", "UL", 12), {}, id="Group Length"),
    pytest.param(attribute("00001000", "UI", "1.2"), attribute("00001000", "UI", "1.2"), id="command elements stay"),
    pytest.param(
        attribute("00091001", None, "7") | attribute("00090010", "LO", "GEMS_IDEN_01"),
        attribute("00090010", "LO", "GEMS_IDEN_01") | attribute("00091001", "LO", "7"),
        id="a private element by its reservation",
    ),
    pytest.param(attribute("00091001", "SH", "7"), attribute("00091001", "SH", "7"), id="a private element without"),
    pytest.param(
        attribute("00091001", "SQ", ITEM) | attribute("00090010", "LO", "GEMS_IDEN_01"),
        attribute("00090010", "LO", "GEMS_IDEN_01") | attribute("00091001", "SQ", ITEM),
        id="a private element that is not as published",
    ),
    pytest.param(
        attribute("00100010", "SQ", {"Alphabetic": "A"}),
        attribute("00100010", "PN", {"Alphabetic": "A"}),
        id="a name as SQ",
    ),
    pytest.param(
        {"00420011": {"vr": "OB", "InlineBinary": "AQI D"}},
        {"00420011": {"vr": "OB", "InlineBinary": "AQID"}},
        id="base64 with blanks",
    ),
    pytest.param({"00420011": {"vr": "OB", "InlineBinary": ""}}, {"00420011": {"vr": "OB"}}, id="no bytes"),
    pytest.param(attribute("00189310", "FD", "NaN", 1), attribute("00189310", "FD", "NaN", 1.0), id="not a number"),
]

REFUSED = [
    pytest.param(attribute("PatientXD", "LO", "1"), "neither a tag", id="a name that is none"),
    pytest.param({"00100020": "1"}, r"\(0010,0020\) is no object", id="no element"),
    pytest.param({"00100020": {"vr": "XX", "Value": ["1"]}}, r"\(0010,0020\) has a vr", id="no VR"),
    pytest.param({"00100020": {"vr": 7, "Value": ["1"]}}, r"\(0010,0020\) has a vr", id="a VR that is a number"),
    pytest.param(attribute("00111001", None, "1"), "has no vr", id="a VR that nobody knows"),
    pytest.param(
        attribute("00420011", "OB", BulkDataURI="https://x/1"), r"\(0042,0011\) refers to bulk data", id="bulk data"
    ),
    pytest.param(
        attribute("0040A370", "SQ", ITEM, attribute("00080100", "SH", BulkDataURI="x")),
        r"\(0040,A370\)\[2\]\.\(0008,0100\) refers to bulk data",
        id="bulk data in an Item",
    ),
    pytest.param(attribute("00100020", "LO", "1", InlineBinary="AQ=="), "both Value and InlineBinary", id="both"),
    pytest.param(attribute("00100020", "LO", InlineBinary="AQ=="), "come as Value", id="text in base64"),
    pytest.param(attribute("00420011", "OB", InlineBinary="A"), "no base64", id="no base64"),
    pytest.param(attribute("00420011", "OB", InlineBinary=7), "no base64", id="base64 that is a number"),
    pytest.param(attribute("00420011", "OB", "AQ=="), "not one of VR OB", id="bytes as Value"),
    pytest.param(attribute("00100020", "LO", "1\\2"), "not one of VR LO", id="a backslash"),
    pytest.param(attribute("00100020", "LO", True), "not one of VR LO", id="true"),
    pytest.param(attribute("00100020", "LO", ["1"]), "not one of VR LO", id="an array in the array"),
    pytest.param(attribute("00200013", "IS", "one"), "not one of VR IS", id="IS that is a word"),
    pytest.param(attribute("00200013", "IS", 1.5), "not one of VR IS", id="IS with a fraction"),
    pytest.param(attribute("00741004", "DS", "much"), "not one of VR DS", id="DS that is a word"),
    pytest.param(attribute("00741004", "DS", False), "not one of VR DS", id="DS that is false"),
    pytest.param(attribute("00741004", "DS", float("inf")), "not one of VR DS", id="DS without end"),
    pytest.param(attribute("00081197", "US", 65536), "not one of VR US", id="US that is too large"),
    pytest.param(attribute("00189310", "FD", "much"), "not one of VR FD", id="FD that is a word"),
    pytest.param(attribute("00209165", "AT", "0020"), "not one of VR AT", id="AT that is none"),
    pytest.param(attribute("00209165", "AT", 12), "not one of VR AT", id="AT that is a number"),
    pytest.param(attribute("00100010", "PN", {"Alphabetic": 7}), "not one of VR PN", id="a name that is a number"),
    pytest.param(attribute("00100010", "PN", 7), "not one of VR PN", id="a number for a name"),
    pytest.param(attribute("0040A370", "SQ", "x"), r"\(0040,A370\)\[1\]\. is no object", id="text for an Item"),
    pytest.param(ITEM | attribute("CodeValue", "SH", "1"), r"\(0008,0100\) is there twice", id="twice"),
    pytest.param(attribute("FFFEE000", "SQ"), "no element of a data set", id="an Item's own tag"),
    pytest.param(attribute("00100020", "SQ", ITEM), "not one of VR LO or SQ", id="a Sequence that is none"),
    pytest.param(attribute("00100020", "LO", {}), "not one of VR LO", id="an object for text"),
    pytest.param([], "no object", id="an array"),
    pytest.param("x", "no object", id="text"),
    pytest.param(None, "no object", id="null"),
]


@pytest.mark.parametrize(("given_", "expected"), LENIENT)
def test_what_can_be_read_in_one_way_is_read(given_: Any, expected: Attributes) -> None:
    found = data_set.normalised(given_)
    assert repr(found) == repr(dict(sorted(expected.items())))  # 5 is not 5.0, and tags ascend
    assert data_set.normalised(found) == found


@pytest.mark.parametrize(("given_", "message"), REFUSED)
def test_what_can_not_be_read_is_refused_with_its_place(given_: Any, message: str) -> None:
    with pytest.raises(CannotUnderstand, match=message):
        data_set.normalised(given_)


def _nested(depth: int) -> Attributes:
    made: Attributes = {}
    for _ in range(depth):
        made = attribute("0040A730", "SQ", made)
    return made


def test_depth_is_bounded() -> None:
    assert orjson.dumps(data_set.normalised(_nested(data_set.DEEPEST)))
    with pytest.raises(CannotUnderstand, match="nested deeper than 64"):
        data_set.normalised(_nested(data_set.DEEPEST + 1))


@pytest.mark.parametrize(
    ("attributes", "declared"),
    [
        (attribute("00100020", "LO", "1"), False),
        (attribute("00100020", "LO", "Ä"), True),
        (attribute("0040A370", "SQ", {}, attribute("00100010", "PN", {"Alphabetic": "Müller"})), True),
        (attribute("00420011", "OB", InlineBinary="AQID"), False),
    ],
    ids=["ASCII", "not ASCII", "not ASCII in an Item", "bytes"],
)
def test_character_set_is_named_where_it_matters(attributes: Attributes, declared: bool) -> None:
    made = data_set.character_set(attributes)
    assert (made.pop("00080005", None) == {"vr": "CS", "Value": ["ISO_IR 192"]}) is declared
    assert made == attributes
    assert "00080005" not in attributes


# JSON and XML say the same -----------------------------------------------------------------------------------------

_WORD = st.text(
    st.characters(codec="utf-8", exclude_characters="\\=^\r", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8
)
_TEXT = _WORD.map(str.strip).filter(bool)
_LEAVES = st.one_of(
    st.tuples(
        st.sampled_from(["00100020", "00081030", "00741204"]), st.just("LO"), st.lists(_TEXT, min_size=1, max_size=3)
    ),
    st.tuples(st.just("00104000"), st.just("LT"), st.lists(_TEXT, min_size=1, max_size=1)),
    st.tuples(st.just("00081197"), st.just("US"), st.lists(st.integers(0, 65535), min_size=1, max_size=3)),
    st.tuples(st.just("00200013"), st.just("IS"), st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=2)),
    st.tuples(
        st.just("00189310"),
        st.just("FD"),
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=2),
    ),
    st.tuples(
        st.just("00100010"),
        st.just("PN"),
        st.lists(
            st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic"]), _TEXT, min_size=1), min_size=1, max_size=2
        ),
    ),
    st.tuples(st.just("00080060"), st.just("CS"), st.just([])),
)
_DATA_SETS = st.recursive(
    st.lists(_LEAVES, max_size=4),
    lambda inner: st.lists(
        st.one_of(
            _LEAVES, st.tuples(st.sampled_from(["0040A370", "00404018"]), st.just("SQ"), st.lists(inner, max_size=3))
        ),
        max_size=4,
    ),
    max_leaves=12,
)


def _made(leaves: Any) -> Attributes:
    found: Attributes = {}
    for tag, vr, values in leaves:
        found[tag] = {"vr": vr} | ({"Value": [_made(v) if vr == "SQ" else v for v in values]} if values else {})
    return dict(sorted(found.items()))


@given(_DATA_SETS)
def test_json_and_xml_are_read_as_the_same(leaves: Any) -> None:
    attributes = data_set.normalised(_made(leaves))
    declared = data_set.character_set(attributes)
    assert data_set.normalised(orjson.loads(dicom_json.encode(declared))) == attributes
    assert data_set.normalised(native_xml.from_xml(native_xml.to_xml(declared), as_text=True)) == attributes


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "00080100", "0040A370", "PatientName", "x"]), inner
        )
    ),
    max_leaves=15,
)


@given(_JSON)
def test_anything_is_read_or_refused(value: Any) -> None:
    try:
        found = data_set.normalised(value)
    except CannotUnderstand:
        return
    assert data_set.normalised(found) == found

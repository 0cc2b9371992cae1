"""standard.matching: the reference predicate, PS3.4 C.2.2.2."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    InSequence,
    Multiple,
    PersonName,
    Private,
    Range,
    Single,
    UidList,
    Wildcard,
    like,
    matches,
    number,
)
from skiagraph.values import Attributes


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def binary(data: bytes) -> dict[str, Any]:
    return {"vr": "UN", "InlineBinary": base64.b64encode(data).decode()}


TAG = "00080050"
AT = (TAG,)


@pytest.mark.parametrize(
    ("condition", "stored", "expected"),
    [
        pytest.param(Single(AT, "SH", "A1"), element("SH", "A1"), True, id="C.2.2.2.1 equal"),
        pytest.param(Single(AT, "SH", "A1"), element("SH", "a1"), False, id="C.2.2.2.1 case-sensitive"),
        pytest.param(Single(AT, "SH", "A"), element("SH", "A1"), False, id="C.2.2.2.1 the whole value"),
        pytest.param(Single(AT, "CS", "PT"), element("CS", "CT", "PT"), True, id="C.2.2.3 any value"),
        pytest.param(Single(AT, "CS", "PT"), element("CS", None, "PT"), True, id="null among values"),
        pytest.param(Single(AT, "SH", "A1"), element("SH"), False, id="empty attribute"),
        pytest.param(Single(AT, "SH", "A*"), element("SH", "A*"), True, id="stars are text here"),
        pytest.param(Single(AT, "IS", "7"), element("IS", 7), True, id="IS number"),
        pytest.param(Single(AT, "IS", "007"), element("IS", "7"), True, id="IS by value"),
        pytest.param(Single(AT, "IS", "7.0"), element("IS", "+7"), True, id="IS by value, any form"),
        pytest.param(Single(AT, "IS", "7"), element("IS", "seven"), False, id="IS malformed in the data set"),
        pytest.param(Single(AT, "DS", "1.5"), element("DS", 1.5), True, id="DS number"),
        pytest.param(Single(AT, "DS", "1.50"), element("DS", "15e-1"), True, id="DS by value"),
        pytest.param(Single(AT, "US", "512"), element("US", 512), True, id="US"),
        pytest.param(Single(AT, "UV", str(2**64 - 1)), element("UV", str(2**64 - 1)), True, id="UV as string"),
        pytest.param(Single(AT, "UV", str(2**64 - 1)), element("UV", str(2**64 - 2)), False, id="UV exactly"),
        pytest.param(Single(AT, "AT", "00100010"), element("AT", "00100010"), True, id="AT"),
        pytest.param(Single(AT, "UN", "7"), element("US", 7), True, id="VR unknown to the query, a number"),
        pytest.param(Single(AT, "UN", "07"), element("IS", 7), True, id="VR unknown to the query, IS"),
        pytest.param(Single(AT, "UN", "x"), element("LO", "x"), True, id="VR unknown to the query, text"),
        pytest.param(Single(AT, "UN", "x"), binary(b"w\\x "), True, id="UN bytes read as text"),
        pytest.param(Single(AT, "UN", "x"), {"vr": "UN", "InlineBinary": "!"}, False, id="UN of broken base64"),
        pytest.param(Single(AT, "UN", "x"), {"vr": "UN", "BulkDataURI": "x"}, False, id="UN as bulk data"),
        pytest.param(Wildcard(AT, "LO", "A*1"), element("LO", "A\n1"), True, id="C.2.2.2.4 star"),
        pytest.param(Wildcard(AT, "LO", "A*1"), element("LO", "A1"), True, id="C.2.2.2.4 star for nothing"),
        pytest.param(Wildcard(AT, "LO", "A?1"), element("LO", "A1"), False, id="C.2.2.2.4 question mark for one"),
        pytest.param(Wildcard(AT, "LO", "A?1"), element("LO", "A^1"), True, id="C.2.2.2.4 question mark"),
        pytest.param(Wildcard(AT, "LO", "a*"), element("LO", "A1"), False, id="C.2.2.2.4 case-sensitive"),
        pytest.param(Wildcard(AT, "LO", "A.1"), element("LO", "A11"), False, id="no regular expression"),
        pytest.param(Wildcard(AT, "LO", "[A]*"), element("LO", "A1"), False, id="no file name pattern"),
        pytest.param(Wildcard(AT, "LO", "A%"), element("LO", "A1"), False, id="no SQL pattern"),
        pytest.param(UidList(AT, ("1.2", "1.3")), element("UI", "1.3"), True, id="C.2.2.2.2 any"),
        pytest.param(UidList(AT, ("1.2", "1.3")), element("UI", "1.30"), False, id="C.2.2.2.2 whole UIDs"),
        pytest.param(UidList(AT, ("1.2",)), element("UI", "1.9", "1.2"), True, id="C.2.2.2.2 any value"),
        pytest.param(Empty(AT, "SH"), element("SH"), True, id="C.2.2.2.7 empty"),
        pytest.param(Empty(AT, "SH"), None, True, id="C.2.2.2.7 absent"),
        pytest.param(Empty(AT, "SH"), element("SH", None), True, id="C.2.2.2.7 null"),
        pytest.param(Empty(AT, "SH"), element("SH", ""), True, id="C.2.2.2.7 empty string"),
        pytest.param(Empty(AT, "SH"), element("SH", "", "x"), False, id="C.2.2.2.7 one value of two"),
        pytest.param(Empty(AT, "PN"), element("PN", {}), True, id="C.2.2.2.7 empty name"),
        pytest.param(Empty(AT, "SQ"), element("SQ"), True, id="C.2.2.2.7 no items"),
        pytest.param(Empty(AT, "SQ"), element("SQ", {}), False, id="C.2.2.2.7 an empty item is an item"),
        pytest.param(Empty(AT, "OB"), {"vr": "OB", "BulkDataURI": "x"}, False, id="C.2.2.2.7 bulk data"),
        pytest.param(Empty(AT, "OB"), {"vr": "OB", "InlineBinary": "AAA="}, False, id="C.2.2.2.7 inline binary"),
        pytest.param(Empty(AT, "IS"), element("IS", 0), False, id="C.2.2.2.7 zero is a value"),
        pytest.param(Multiple(AT, "CS", ("PT", "CT")), element("CS", "CT", "MR", "PT"), True, id="C.2.2.2.8 every one"),
        pytest.param(Multiple(AT, "CS", ("PT", "CT")), element("CS", "CT"), False, id="C.2.2.2.8 one is missing"),
        pytest.param(
            AnyOf((Single(AT, "CS", "CT"), Wildcard(AT, "CS", "M*"))), element("CS", "MR"), True, id="any of several"
        ),
        pytest.param(AnyOf((Single(AT, "CS", "CT"),)), element("CS", "MR"), False, id="none of several"),
    ],
)
def test_values(condition: Condition, stored: dict[str, Any] | None, expected: bool) -> None:
    assert matches(condition, {} if stored is None else {TAG: stored}) is expected


@pytest.mark.parametrize(
    ("vr", "low", "high", "stored", "expected"),
    [
        pytest.param("DA", "20220928", "20220928", "20220928", True, id="single date"),
        pytest.param("DA", "20220928", "20220928", "2022.09.28", True, id="ACR-NEMA date"),
        pytest.param("DA", "20220928", "20220930", "20220930", True, id="C.2.2.2.5 last day included"),
        pytest.param("DA", "20220928", "20220930", "20221001", False, id="C.2.2.2.5 day after"),
        pytest.param("DA", "20220928", None, "99991231", True, id="C.2.2.2.5 open end"),
        pytest.param("DA", None, "20220928", "20220929", False, id="C.2.2.2.5 open start"),
        pytest.param("DA", None, "20220928", "", False, id="no date"),
        pytest.param("DA", "20220928", None, "yesterday", False, id="malformed date"),
        pytest.param("DA", "20220930", "20220928", "20220929", False, id="wrong way round"),
        pytest.param("TM", "2230", "2230", "223059.999999", True, id="C.2.2.2.1 the minute"),
        pytest.param("TM", "2230", "2230", "223100", False, id="C.2.2.2.1 the minute after"),
        pytest.param("TM", "2230", "2230", "22:30", True, id="ACR-NEMA time"),
        pytest.param("TM", "223000", "223000", "2230", True, id="a value stands at its first moment"),
        pytest.param("TM", "214137", "214137", "214137.000", True, id="fraction of the second"),
        pytest.param("TM", "10", "11", "115959", True, id="end covers its hour"),
        pytest.param("TM", "10", "11", "12", False, id="end covers its hour only"),
        pytest.param("DT", "2022", "2022", "20220928214137", True, id="year"),
        pytest.param("DT", "202209", "202209", "20221001", False, id="month"),
        pytest.param("DT", "20220928", None, "2022", False, id="a year stands at its first moment"),
        pytest.param("DT", "20220928220000", "20220928220000", "20220928220000.5", True, id="second"),
    ],
)
def test_range(vr: str, low: str | None, high: str | None, stored: str, expected: bool) -> None:
    assert matches(Range(AT, vr, low, high), {TAG: element(vr, stored)}) is expected


@pytest.mark.parametrize(
    ("asked", "query_zone", "stored", "stored_zone", "expected"),
    [
        pytest.param("2022092822", None, "2022092822", "+0100", True, id="no zone asked: as stored"),
        pytest.param("2022092822", "+0000", "2022092822", None, True, id="no zone stored: as stored"),
        pytest.param("2022092822", "+0000", "2022092823", "+0100", True, id="same moment"),
        pytest.param("2022092822", "+0000", "2022092822", "+0100", False, id="another moment"),
        pytest.param("2022092822-0500", None, "2022092903", "+0000", True, id="offset in the key"),
        pytest.param("2022092822-0500", "+0000", "2022092903", "+0000", True, id="offset in the key goes first"),
        pytest.param("2022092822", "+0000", "2022092817-0500", "+0900", True, id="offset in the value goes first"),
    ],
)
def test_zones(asked: str, query_zone: str | None, stored: str, stored_zone: str | None, expected: bool) -> None:
    data: Attributes = {TAG: element("DT", stored)}
    if stored_zone is not None:
        data["00080201"] = element("SH", stored_zone)
    assert matches(Range(AT, "DT", asked, asked, query_zone), data) is expected
    inner = InSequence(("00400275",), (Range(AT, "DT", asked, asked, query_zone),))
    nested = {"00400275": element("SQ", {TAG: data.pop(TAG)}), **data}
    assert matches(inner, nested) is expected, "the zone of the data set holds in its Items"


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        pytest.param("20060705", "0959", False, id="before"),
        pytest.param("20060705", "1000", True, id="first minute"),
        pytest.param("20060705", "2300", True, id="first evening: one interval, not three windows"),
        pytest.param("20060706", "0300", True, id="night between"),
        pytest.param("20060707", "180059", True, id="last minute"),
        pytest.param("20060707", "1801", False, id="after"),
        pytest.param("20060706", None, True, id="time missing: start of the day"),
        pytest.param("20060705", None, False, id="time missing: start of the first day"),
        pytest.param("20060706", "noon", True, id="malformed time is missing"),
        pytest.param(None, "1200", False, id="date missing"),
    ],
)
def test_combined_date_time(date: str | None, time: str | None, expected: bool) -> None:
    """PS3.18 §8.3.4.1.1: StudyDate=20060705-20060707 with StudyTime=1000-1800 are 56 hours."""
    data: Attributes = {
        "00080020": element("DA", *[date] * bool(date)),
        "00080030": element("TM", *[time] * bool(time)),
    }
    condition = DateTimeRange(("00080020",), ("00080030",), "200607051000", "200607071800")
    assert matches(condition, data) is expected


def test_combined_date_time_in_a_zone() -> None:
    data = {
        "00080020": element("DA", "20220928"),
        "00080030": element("TM", "2330"),
        "00080201": element("SH", "+0000"),
    }

    def day(text: str, zone: str | None) -> bool:
        return matches(DateTimeRange(("00080020",), ("00080030",), text, text, zone), data)

    assert day("20220928", None)
    assert day("20220928", "+0000")
    assert not day("20220928", "+0100")
    assert day("20220929", "+0100")


NAME = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}


@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        pytest.param("zeta^zachary", {"Alphabetic": "Zeta^Zachary"}, True, id="any case"),
        pytest.param("Zeta", {"Alphabetic": "Zeta^Zachary"}, False, id="no substring without wildcards"),
        pytest.param("Zeta^*", {"Alphabetic": "Zeta^Zachary"}, True, id="wildcard"),
        pytest.param("Zeta^*", {"Alphabetic": "Zeta"}, True, id="empty component at the end"),
        pytest.param("Zeta^^^", {"Alphabetic": "Zeta"}, True, id="empty components in the key"),
        pytest.param("Zeta", {"Alphabetic": "Zeta^^^"}, True, id="empty components in the value"),
        pytest.param("*head*", {"Alphabetic": "Brain^HEADache"}, True, id="contains"),
        pytest.param("M?ller*", {"Alphabetic": "Müller^Jürgen"}, True, id="question mark"),
        pytest.param("Muller^Jurgen", {"Alphabetic": "Müller^Jürgen"}, True, id="accents of the value"),
        pytest.param("Müller*", {"Alphabetic": "MULLER^J"}, True, id="accents of the key"),
        pytest.param("山田*", NAME, True, id="a key without = looks into every group"),
        pytest.param("ヤマダ*", NAME, True, id="katakana for hiragana"),
        pytest.param("yamada*=山田*", NAME, True, id="two groups"),
        pytest.param("yamada*=鈴木*", NAME, False, id="two groups, one differs"),
        pytest.param("=山田*", NAME, True, id="second group alone"),
        pytest.param("=yamada*", NAME, False, id="second group is not the first"),
        pytest.param("==やまだ*", NAME, True, id="third group alone"),
        pytest.param("Zeta", "Zeta=x", True, id="name as plain text"),
        pytest.param("Zeta", {}, False, id="empty name"),
    ],
)
def test_person_name(key: str, stored: object, expected: bool) -> None:
    assert matches(PersonName(AT, key), {TAG: element("PN", stored)}) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("jurgen muller", True, id="any order"),
        pytest.param("mueller", True, id="sounds alike"),
        pytest.param("Jürg", True, id="beginning of a word"),
        pytest.param("maier jurgen", False, id="every word has to match"),
        pytest.param("*ull* j?rgen", True, id="wildcards in words"),
        pytest.param("Müller^Jürgen^Dr", False, id="a word too many"),
        pytest.param("Müller^*", True, id="literal matching stays"),
    ],
)
def test_fuzzy(key: str, expected: bool) -> None:
    data = {TAG: element("PN", None, {"Alphabetic": "Müller^Jürgen"})}
    assert matches(PersonName(AT, key, fuzzy=True), data) is expected


REQUESTS = element(
    "SQ",
    {"00400009": element("SH", "S1"), "00401001": element("SH", "R1")},
    {},
    {"00400009": element("SH", "S2"), "00401001": element("SH", "R2")},
)
STEP, PROCEDURE = ("00400009",), ("00401001",)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param((Single(STEP, "SH", "S1"), Single(PROCEDURE, "SH", "R1")), True, id="one item satisfies both"),
        pytest.param((Single(STEP, "SH", "S1"), Single(PROCEDURE, "SH", "R2")), False, id="two items do not count"),
        pytest.param((Empty(STEP, "SH"),), True, id="an item without it"),
        pytest.param((), True, id="any item"),
    ],
)
def test_sequence(conditions: tuple[Condition, ...], expected: bool) -> None:
    """C.2.2.2.6."""
    assert matches(InSequence(("00400275",), conditions), {"00400275": REQUESTS}) is expected
    assert not matches(InSequence(("00400275",), conditions), {"00400275": element("SQ")})
    assert not matches(InSequence(("00400275",), conditions), {})


def test_long_path_looks_into_every_item() -> None:
    assert matches(Single(("00400275", "00401001"), "SH", "R2"), {"00400275": REQUESTS})
    assert not matches(Single(("00400275", "00401001", "00080100"), "SH", "R2"), {"00400275": REQUESTS})


def private(block: str, creator: str, value: str) -> Attributes:
    return {f"000900{block}": element("LO", creator), f"0009{block}02": element("LO", value)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(private("10", "Vendor", "x"), True, id="first block"),
        pytest.param(private("E7", "Vendor", "x"), True, id="any block"),
        pytest.param(private("10", "Other", "x"), False, id="another creator"),
        pytest.param(private("10", "Other", "x") | private("11", "Vendor", "y"), False, id="its own block only"),
        pytest.param(private("10", "Vendor", "y") | private("11", "Vendor", "x"), True, id="two blocks of one creator"),
        pytest.param({"00091002": element("LO", "x")}, False, id="no creator"),
    ],
)
def test_private(data: Attributes, expected: bool) -> None:
    """PS3.5 §7.8.1."""
    condition = Private("Vendor", Single(("00091002",), "LO", "x"))
    assert matches(condition, data) is expected
    assert matches(InSequence(("00081111",), (condition,)), {"00081111": element("SQ", data)}) is expected
    assert matches(Private("Vendor", AnyOf((condition.condition,))), data) is expected


def test_private_empty() -> None:
    condition = Private("Vendor", Empty(("00091002",), "LO"))
    assert matches(condition, {})
    assert matches(condition, private("10", "Other", "x"))
    assert matches(condition, {"00090010": element("LO", "Vendor"), "00091002": element("LO")})
    assert not matches(condition, private("11", "Vendor", "x"))


def test_private_sequence() -> None:
    data = {"00090011": element("LO", "Vendor"), "00091103": element("SQ", private("10", "Vendor", "x"))}
    inner = Private("Vendor", Single(("00091002",), "UN", "x"))
    assert matches(Private("Vendor", InSequence(("00091003",), (inner,))), data)


def test_all_conditions_hold() -> None:
    data = {TAG: element("SH", "A1"), "00080060": element("CS", "CT")}
    assert matches((), data)
    assert matches((Single(AT, "SH", "A1"), Single(("00080060",), "CS", "CT")), data)
    assert not matches((Single(AT, "SH", "A1"), Single(("00080060",), "CS", "MR")), data)


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="ab", max_size=12))
def test_like_is_the_definition(pattern: str, text: str) -> None:
    def slow(p: str, t: str) -> bool:
        if not p:
            return not t
        if p[0] == "*":
            return any(slow(p[1:], t[i:]) for i in range(len(t) + 1))
        return bool(t) and p[0] in ("?", t[0]) and slow(p[1:], t[1:])

    while "**" in pattern:  # only to keep the definition quick
        pattern = pattern.replace("**", "*")
    assert like(pattern, text) is slow(pattern, text)


def test_like_does_not_blow_up() -> None:
    assert not like("*a" * 40 + "b", "a" * 2000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("+7", 7),
        ("-07.50", -7.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (7, 7),
        (0.5, 0.5),
        ("", None),
        ("1e999", None),
        ("9" * 5000, None),
        ("nan", None),
        ("NaN", None),
        ("0x10", None),
        ("1_0", None),
        ("٧", None),
        (True, None),
        (None, None),
        (float("inf"), None),
        ({}, None),
    ],
)
def test_number(value: object, expected: float | None) -> None:
    assert number(value) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.dictionaries(
        st.sampled_from([TAG, "00090010", "00091002", "Alphabetic", "vr"]), inner, max_size=3
    ),
    max_leaves=6,
)
elements = st.fixed_dictionaries(
    {"vr": st.sampled_from(["SH", "PN", "SQ", "UN", "IS", "DA"])},
    optional={"Value": st.lists(json_values, max_size=3), "InlineBinary": st.text(max_size=8)},
)
CONDITIONS: tuple[Condition, ...] = (
    Single(AT, "IS", "1"),
    Single(AT, "UN", "1"),
    Wildcard(AT, "SH", "*"),
    UidList(AT, ("1",)),
    Range(AT, "DA", "20220101", None),
    Range(AT, "DT", None, "2022", "+0100"),
    DateTimeRange(AT, ("00080030",), "2022", None, "+0100"),
    PersonName(AT, "a*", fuzzy=True),
    Empty(AT, "SH"),
    Multiple(AT, "PN", ("a", "b")),
    InSequence(AT, (Single(AT, "SH", "x"),)),
    Private("x", Single(("00091002",), "UN", "x")),
)


@given(st.dictionaries(st.sampled_from([TAG, "00090010", "00091002", "00080201"]), elements, max_size=4))
def test_no_data_set_is_an_error(data: Attributes) -> None:
    for condition in CONDITIONS:
        matches(condition, data)

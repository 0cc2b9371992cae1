"""wire.match_key: what the value of an attribute asks for, PS3.18 §8.3.4.1."""

from __future__ import annotations

import pytest

from skiagraph.errors import BadRequest
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    Multiple,
    PersonName,
    Range,
    Single,
    UidList,
    Wildcard,
)
from skiagraph.wire.match_key import MatchKey, Options, combined, condition, timezone

PATH = ("00080050",)
EMPTY, MULTIPLE, FUZZY = Options(empty=True), Options(multiple=True), Options(fuzzy=True)


def key(vr: str, *values: str, plus: bool = False) -> MatchKey:
    return MatchKey.of("Keyword", PATH, vr, list(values), plus=plus)


def same(vr: str, value: str, zone: str | None = None) -> Range:
    return Range(PATH, vr, value, value, zone)


@pytest.mark.parametrize(
    ("vr", "values", "options", "expected"),
    [
        pytest.param("LO", ["A1"], Options(), Single(PATH, "LO", "A1"), id="single value"),
        pytest.param("LO", [" A1 "], Options(), Single(PATH, "LO", "A1"), id="blanks around do not count"),
        pytest.param("LT", [" A1 "], Options(), Single(PATH, "LT", " A1"), id="leading blanks count in LT"),
        pytest.param("LO", ["Doe, Ltd", " x"], Options(), Single(PATH, "LO", "Doe, Ltd,x"), id="commas are text in LO"),
        pytest.param("LO", ["A*"], Options(), Wildcard(PATH, "LO", "A*"), id="star"),
        pytest.param("LO", ["A**?"], Options(), Wildcard(PATH, "LO", "A*?"), id="stars in a row are one"),
        pytest.param("UN", ["A*"], Options(), Wildcard(PATH, "UN", "A*"), id="wildcard, VR unknown"),
        pytest.param("PN", ["Zeta^*"], Options(), PersonName(PATH, "Zeta^*"), id="name"),
        pytest.param("PN", ["Zeta"], FUZZY, PersonName(PATH, "Zeta", fuzzy=True), id="fuzzy name"),
        pytest.param("LO", ["Zeta"], FUZZY, Single(PATH, "LO", "Zeta"), id="fuzzy is for names"),
        pytest.param("UI", ["1.2"], Options(), UidList(PATH, ("1.2",)), id="UID"),
        pytest.param("UI", ["1.2", "1.3"], Options(), UidList(PATH, ("1.2", "1.3")), id="UIDs at raw commas"),
        pytest.param("UI", ["1.2,1.3"], Options(), UidList(PATH, ("1.2", "1.3")), id="UIDs at %2C"),
        pytest.param("UI", ["1.2\\1.3"], Options(), UidList(PATH, ("1.2", "1.3")), id="UIDs at a backslash"),
        pytest.param("UI", ["1.2\\\\1.3"], Options(), UidList(PATH, ("1.2", "1.3")), id="UIDs as OHIF sends them"),
        pytest.param("UI", ["1.2", "", "1.2 "], Options(), UidList(PATH, ("1.2",)), id="UIDs: empty ones and doubles"),
        pytest.param("CS", ["CT"], Options(), Single(PATH, "CS", "CT"), id="code"),
        pytest.param("CS", ["ct"], Options(), Single(PATH, "CS", "ct"), id="code in lower case is another"),
        pytest.param(
            "CS", ["CT,MR"], Options(), AnyOf((Single(PATH, "CS", "CT"), Single(PATH, "CS", "MR"))), id="any code"
        ),
        pytest.param(
            "CS", ["CT", "M*"], Options(), AnyOf((Single(PATH, "CS", "CT"), Wildcard(PATH, "CS", "M*"))), id="wild code"
        ),
        pytest.param("CS", ["CT\\MR"], MULTIPLE, Multiple(PATH, "CS", ("CT", "MR")), id="C.2.2.2.8 backslash"),
        pytest.param("CS", ["CT", "MR"], MULTIPLE, Multiple(PATH, "CS", ("CT", "MR")), id="C.2.2.2.8 comma"),
        pytest.param("CS", ["CT,MR"], MULTIPLE, Multiple(PATH, "CS", ("CT", "MR")), id="C.2.2.2.8 %2C"),
        pytest.param("CS", ["CT"], MULTIPLE, Single(PATH, "CS", "CT"), id="C.2.2.2.8 one value"),
        pytest.param(
            "LO", ["a,b", "c"], MULTIPLE, Multiple(PATH, "LO", ("a,b", "c")), id="C.2.2.2.8 %2C is text in LO"
        ),
        pytest.param("UT", ["a", "b"], MULTIPLE, Single(PATH, "UT", "a,b"), id="C.2.2.2.8 not for UT"),
        pytest.param("UI", ["1", "2"], MULTIPLE, UidList(PATH, ("1", "2")), id="C.2.2.2.8 not for UI"),
        pytest.param("SH", ['""'], EMPTY, Empty(PATH, "SH"), id="C.2.2.2.7"),
        pytest.param("SQ", ['""'], EMPTY, Empty(PATH, "SQ"), id="C.2.2.2.7 sequence"),
        pytest.param("DA", ['""'], EMPTY, Empty(PATH, "DA"), id="C.2.2.2.7 date"),
        pytest.param("SH", ['""'], Options(), Single(PATH, "SH", '""'), id="C.2.2.2.7 not asked for"),
        pytest.param("IS", ["7"], Options(), Single(PATH, "IS", "7"), id="number"),
        pytest.param("DS", ["-1.5e3"], Options(), Single(PATH, "DS", "-1.5e3"), id="decimal"),
        pytest.param("AS", ["042Y"], Options(), Single(PATH, "AS", "042Y"), id="age"),
        pytest.param("AT", ["(0010,001a)"], Options(), Single(PATH, "AT", "0010001A"), id="tag"),
        pytest.param("DA", ["20220928"], Options(), same("DA", "20220928"), id="date"),
        pytest.param("DA", ["2022.09.28"], Options(), same("DA", "20220928"), id="date with dots"),
        pytest.param("DA", ["20220901-20220930"], Options(), Range(PATH, "DA", "20220901", "20220930"), id="dates"),
        pytest.param("DA", ["20220901 - 20220930"], Options(), Range(PATH, "DA", "20220901", "20220930"), id="blanks"),
        pytest.param("DA", ["20220901-"], Options(), Range(PATH, "DA", "20220901", None), id="from"),
        pytest.param("DA", ["-20220930"], Options(), Range(PATH, "DA", None, "20220930"), id="until"),
        pytest.param("TM", ["2230"], Options(), same("TM", "2230"), id="minute"),
        pytest.param("TM", ["22:30-23"], Options(), Range(PATH, "TM", "2230", "23"), id="times"),
        pytest.param("TM", ["214137.250"], Options(), same("TM", "214137.250"), id="fraction"),
        pytest.param("DT", ["2022"], Options(timezone="+0100"), same("DT", "2022", "+0100"), id="year in a zone"),
        pytest.param("DA", ["20220928"], Options(timezone="+0100"), same("DA", "20220928"), id="dates have no zone"),
        pytest.param("DT", ["20220928-0500"], Options(), same("DT", "20220928-0500"), id="negative offset"),
        pytest.param("DT", ["2021-2022"], Options(), Range(PATH, "DT", "2021", "2022"), id="years"),
        pytest.param(
            "DT",
            ["20220928-0500-20220930+0100"],
            Options(),
            Range(PATH, "DT", "20220928-0500", "20220930+0100"),
            id="offsets in a range",
        ),
        pytest.param("DT", ["-2022"], Options(), Range(PATH, "DT", None, "2022"), id="until a year"),
        pytest.param("DT", ["2022-0500-"], Options(), Range(PATH, "DT", "2022-0500", None), id="from, with offset"),
    ],
)
def test_condition(vr: str, values: list[str], options: Options, expected: Condition) -> None:
    assert condition(key(vr, *values), options) == expected


@pytest.mark.parametrize(
    ("vr", "value", "options", "says"),
    [
        pytest.param("UI", "1.2.*", Options(), "UID", id="wildcard in UI"),
        pytest.param("UI", "1.2a", Options(), "UID", id="no UID"),
        pytest.param("UI", "1" * 65, Options(), "UID", id="long UID"),
        pytest.param("DA", "2022*", Options(), "YYYYMMDD", id="wildcard in DA"),
        pytest.param("DA", "20221301", Options(), "YYYYMMDD", id="month 13"),
        pytest.param("DA", "2022", Options(), "YYYYMMDD", id="partial date"),
        pytest.param("DA", "2022-09-28", Options(), "YYYYMMDD", id="ISO 8601"),
        pytest.param("DA", "-", Options(), "YYYYMMDD", id="hyphen alone"),
        pytest.param("DA", "20220101-20220102-20220103", Options(), "YYYYMMDD", id="two hyphens"),
        pytest.param("DA", "20220101,20220102", Options(), "YYYYMMDD", id="list of dates"),
        pytest.param("TM", "25", Options(), "HHMMSS", id="hour 25"),
        pytest.param("TM", "1-2", Options(), "HHMMSS", id="one digit"),
        pytest.param("DT", "2022-13-45", Options(), "YYYYMMDDHHMMSS", id="no date-time"),
        pytest.param("DT", "today", Options(), "YYYYMMDDHHMMSS", id="word"),
        pytest.param("DT", "-", Options(), "YYYYMMDDHHMMSS", id="DT hyphen alone"),
        pytest.param("IS", "1,2", Options(), "no number", id="list of numbers"),
        pytest.param("IS", "1-5", Options(), "no number", id="range of numbers"),
        pytest.param("IS", "1*", Options(), "no wildcards for attributes of VR IS", id="wildcard in IS"),
        pytest.param("US", "many", Options(), "no number", id="word for a number"),
        pytest.param("AS", "42", Options(), "age", id="no age"),
        pytest.param("AT", "PatientName", Options(), "tag", id="no tag"),
        pytest.param("SQ", "x", Options(), "Keyword.CodeValue", id="sequence"),
        pytest.param("CS", "CT,M*", MULTIPLE, "multiplevaluematching", id="C.2.2.2.8 no wildcards"),
        pytest.param("LO", "*a" * 17, Options(), "more than 16 wildcards", id="endless pattern"),
        pytest.param("LO", "a\0", Options(), "control characters", id="NUL"),
    ],
)
def test_malformed(vr: str, value: str, options: Options, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        condition(key(vr, value), options)
    assert value not in caught.value.message.split(), "values may be of patients"


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        pytest.param("LO", "a+b", AnyOf((Single(PATH, "LO", "a+b"), Single(PATH, "LO", "a b"))), id="text"),
        pytest.param("PN", "Doe+J*", AnyOf((PersonName(PATH, "Doe+J*"), PersonName(PATH, "Doe J*"))), id="name"),
        pytest.param("IS", "+7", Single(PATH, "IS", "+7"), id="number"),
        pytest.param("DT", "2022+0100", same("DT", "2022+0100"), id="offset"),
    ],
)
def test_raw_plus(vr: str, value: str, expected: Condition) -> None:
    """Form encoders, dicomweb-client's among them, write blanks so."""
    assert condition(key(vr, value, plus=True), Options()) == expected


@pytest.mark.parametrize("values", [[], [""], ["*"], ["**"], [" * "], ["", ""]])
def test_universal(values: list[str]) -> None:
    assert key("LO", *values).universal


@pytest.mark.parametrize("value", ["?", "a", "*?", '""'])
def test_not_universal(value: str) -> None:
    assert not key("LO", value).universal


STUDY = ("00080020", "00080030")


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        pytest.param(("20060705", "20060707"), ("1000", "1800"), ("200607051000", "200607071800"), id="both closed"),
        pytest.param(("20060705", None), ("1000", None), ("200607051000", None), id="both from"),
        pytest.param((None, "20060707"), (None, "1800"), (None, "200607071800"), id="both until"),
        pytest.param(("20060705", "20060705"), ("10", "10"), ("2006070510", "2006070510"), id="one moment"),
        pytest.param(("20060705", "20060705"), ("10", None), ("2006070510", "20060705"), id="rest of a day"),
        pytest.param(("20060705", "20060707"), (None, "18"), ("20060705", "2006070718"), id="until a time"),
        pytest.param(("20060705", None), (None, "1800"), None, id="end of time without its date"),
        pytest.param((None, "20060707"), ("1000", "1800"), None, id="start of time without its date"),
        pytest.param(("20060705", "20060707"), ("10", "10"), None, id="one time on several days"),
    ],
)
def test_combined(
    date: tuple[str | None, str | None], time: tuple[str | None, str | None], expected: tuple[str, str] | None
) -> None:
    dates, times = Range(STUDY[:1], "DA", *date), Range(STUDY[1:], "TM", *time)
    found = list(combined({STUDY[1]: times, STUDY[0]: dates}, None))
    if expected is None:
        assert set(found) == {dates, times}
    else:
        assert found == [DateTimeRange(STUDY[:1], STUDY[1:], *expected)]


def test_a_date_in_a_zone_is_an_interval() -> None:
    date = Range(STUDY[:1], "DA", "20220928", "20220928")
    assert list(combined({STUDY[0]: date}, None)) == [date]
    assert list(combined({STUDY[0]: date}, "+0100")) == [
        DateTimeRange(STUDY[:1], STUDY[1:], "20220928", "20220928", "+0100")
    ]


def test_other_ranges_stay() -> None:
    ranges = {tag: Range((tag,), "DA", "20220928", None) for tag in ("00100030", "00400244", "0040A13A")}
    assert list(combined(ranges, None)) == list(ranges.values())


@pytest.mark.parametrize(("value", "expected"), [("+0100", "+0100"), ("-0330", "-0330"), ("", None), ("*", None)])
def test_timezone(value: str, expected: str | None) -> None:
    assert timezone(key("SH", value)) == expected


@pytest.mark.parametrize("value", ["0100", "+1500", "Z", "+01:00"])
def test_malformed_timezone(value: str) -> None:
    with pytest.raises(BadRequest, match="no offset"):
        timezone(key("SH", value))

"""standard.date_time: DA, TM and DT by meaning, PS3.5 §6.2."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.standard import date_time
from skiagraph.standard.date_time import DAY

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def day(*ymd: int) -> int:
    return datetime.date(*ymd).toordinal() * DAY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("20220928", (day(2022, 9, 28), day(2022, 9, 29)), id="a day"),
        pytest.param("2022.09.28", (day(2022, 9, 28), day(2022, 9, 29)), id="ACR-NEMA"),
        pytest.param(" 20220928 ", (day(2022, 9, 28), day(2022, 9, 29)), id="padded"),
        pytest.param("20240229", (day(2024, 2, 29), day(2024, 3, 1)), id="leap day"),
        pytest.param("20230229", None, id="no leap day"),
        pytest.param("00000101", None, id="year 0"),
        pytest.param("202209", None, id="no day"),
        pytest.param("2022-09-28", None, id="ISO 8601"),
        pytest.param("2022.0928", None, id="half dotted"),
        pytest.param("２０２２０９２８", None, id="other digits"),
        pytest.param("", None, id="empty"),
    ],
)
def test_date(text: str, expected: tuple[int, int] | None) -> None:
    assert date_time.date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("22", (22 * HOUR, 23 * HOUR), id="hour"),
        pytest.param("2230", (22 * HOUR + 30 * MINUTE, 22 * HOUR + 31 * MINUTE), id="minute"),
        pytest.param("22:30", (22 * HOUR + 30 * MINUTE, 22 * HOUR + 31 * MINUTE), id="ACR-NEMA"),
        pytest.param("000001", (SECOND, 2 * SECOND), id="second"),
        pytest.param("00:00:01", (SECOND, 2 * SECOND), id="ACR-NEMA second"),
        pytest.param("000001.5", (SECOND + 500_000, SECOND + 600_000), id="tenth"),
        pytest.param("000001.000007", (SECOND + 7, SECOND + 8), id="microsecond"),
        pytest.param("235960", (DAY - SECOND, DAY), id="leap second"),
        pytest.param("24", None, id="hour 24"),
        pytest.param("2260", None, id="minute 60"),
        pytest.param("000061", None, id="second 61"),
        pytest.param("0000:01", None, id="mixed"),
        pytest.param("223", None, id="odd digits"),
        pytest.param("0000.5", None, id="fraction of a minute"),
        pytest.param("000001.", None, id="no fraction"),
        pytest.param("000001.0000000", None, id="seven digits"),
    ],
)
def test_time(text: str, expected: tuple[int, int] | None) -> None:
    assert date_time.time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("+0100", HOUR, id="east"),
        pytest.param("-0330", -(3 * HOUR + 30 * MINUTE), id="west"),
        pytest.param("-0000", 0, id="zero"),
        pytest.param("+1400", 14 * HOUR, id="easternmost"),
        pytest.param("-1200", -12 * HOUR, id="westernmost"),
        pytest.param("+1401", None, id="too far east"),
        pytest.param("-1230", None, id="too far west"),
        pytest.param("+0160", None, id="minute 60"),
        pytest.param("0100", None, id="no sign"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_zone(text: str | None, expected: int | None) -> None:
    assert date_time.zone(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2022", ((day(2022, 1, 1), day(2023, 1, 1)), None), id="year"),
        pytest.param("202402", ((day(2024, 2, 1), day(2024, 3, 1)), None), id="month"),
        pytest.param("202212", ((day(2022, 12, 1), day(2023, 1, 1)), None), id="december"),
        pytest.param("20220928", ((day(2022, 9, 28), day(2022, 9, 29)), None), id="day"),
        pytest.param("2022092822", ((day(2022, 9, 28) + 22 * HOUR, day(2022, 9, 28) + 23 * HOUR), None), id="hour"),
        pytest.param("2007-0500", ((day(2007, 1, 1), day(2008, 1, 1)), -5 * HOUR), id="offset of a year, PS3.5 note"),
        pytest.param(
            "20220928214137.25+0100",
            (
                (
                    day(2022, 9, 28) + 21 * HOUR + 41 * MINUTE + 37 * SECOND + 250_000,
                    day(2022, 9, 28) + 21 * HOUR + 41 * MINUTE + 37 * SECOND + 260_000,
                ),
                HOUR,
            ),
            id="all of it",
        ),
        pytest.param("20221301", None, id="month 13"),
        pytest.param("20220928+9999", None, id="no such offset"),
        pytest.param("202", None, id="three digits"),
        pytest.param("20220928T21", None, id="ISO 8601"),
    ],
)
def test_date_time(text: str, expected: object) -> None:
    assert date_time.date_time(text) == expected


@given(st.datetimes(), st.sampled_from(["%Y", "%Y%m", "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S.%f"]))
def test_any_precision_holds_the_moment(moment: datetime.datetime, form: str) -> None:
    read = date_time.date_time(moment.strftime(form).zfill(4 if form == "%Y" else 0))
    if moment.year < 1000:  # strftime does not pad years on all platforms
        return
    assert read is not None
    exact = (moment - datetime.datetime(1, 1, 1)) // datetime.timedelta(microseconds=1) + DAY  # noqa: DTZ001
    assert read[0][0] <= exact < read[0][1]


@given(st.text(alphabet="0123456789.:+- x", max_size=30))
def test_no_text_is_an_error(text: str) -> None:
    for read in (date_time.date, date_time.time, date_time.zone, date_time.date_time):
        read(text)

"""Range requests: RFC 9110 §14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import RangeNotSatisfiable
from skiagraph.values import ByteRange
from skiagraph.wire.conditional import http_date
from skiagraph.wire.ranges import content_range, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="no header"),
        pytest.param("bytes=0-0", ByteRange(0, 1), id="14.1.2 first byte"),
        pytest.param("bytes=2-5", ByteRange(2, 4), id="14.1.2 both ends inclusive"),
        pytest.param("bytes=7-", ByteRange(7, 3), id="14.1.2 to the end"),
        pytest.param("bytes=-3", ByteRange(7, 3), id="14.1.2 the last bytes"),
        pytest.param("bytes=-99", ByteRange(0, 10), id="14.1.2 more than there is"),
        pytest.param("bytes=0-", ByteRange(0, 10), id="everything, as video elements ask first"),
        pytest.param("bytes=5-999999999999", ByteRange(5, 5), id="14.1.2 end behind the end"),
        pytest.param("Bytes = 1 - 2", ByteRange(1, 2), id="case and blanks"),
        pytest.param("bytes=1-2,", ByteRange(1, 2), id="empty list elements"),
        pytest.param("bytes=0-1,3-4", None, id="several ranges: all of it"),
        pytest.param("bytes=5-2", None, id="14.1.1 backwards is invalid"),
        pytest.param("items=0-1", None, id="14.2 other unit"),
        pytest.param("bytes=", None, id="14.2 nothing"),
        pytest.param("bytes=-", None, id="14.2 only the hyphen"),
        pytest.param("bytes=a-b", None, id="14.2 letters"),
        pytest.param("bytes=1", None, id="14.2 no hyphen"),
        pytest.param("bytes=١-٢", None, id="14.2 other digits"),
        pytest.param("bytes=" + "9" * 5000 + "-", None, id="14.2 absurd number"),
        pytest.param("", None, id="14.2 empty"),
    ],
)
def test_parse_range(header: str | None, expected: ByteRange | None) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "length"),
    [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)],
)
def test_not_satisfiable(header: str, length: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as error:
        parse_range(header, length)
    assert error.value.length == length


_TIME = 784111777.0


@pytest.mark.parametrize(
    ("if_range", "etag", "last_modified", "honoured"),
    [
        pytest.param('"v1"', '"v1"', None, True, id="13.1.5 same entity tag"),
        pytest.param('"v0"', '"v1"', None, False, id="13.1.5 other entity tag"),
        pytest.param('"v1"', None, None, False, id="no entity tag"),
        pytest.param('W/"v1"', 'W/"v1"', None, False, id="13.1.5 weak tags never match"),
        pytest.param('"v1"', 'W/"v1"', None, False, id="13.1.5 ours is weak"),
        pytest.param(http_date(_TIME), None, _TIME + 0.5, True, id="13.1.5 same date"),
        pytest.param(http_date(_TIME + 1), None, _TIME, False, id="13.1.5 not even a later date"),
        pytest.param(http_date(_TIME), '"v1"', None, False, id="no date"),
        pytest.param("nonsense", '"v1"', _TIME, False, id="nonsense"),
    ],
)
def test_if_range(if_range: str, etag: str | None, last_modified: float | None, honoured: bool) -> None:
    span = parse_range("bytes=0-1", 10, if_range=if_range, etag=etag, last_modified=last_modified)
    assert span == (ByteRange(0, 2) if honoured else None)


def test_if_range_comes_before_the_range() -> None:
    assert parse_range("bytes=99-", 10, if_range='"v0"', etag='"v1"') is None


def test_content_range() -> None:
    assert content_range(ByteRange(2, 4), 10) == "bytes 2-5/10"
    assert content_range(None, 10) == "bytes */10"


@given(st.text(st.sampled_from("bytes=-,0123456789 "), max_size=20) | st.text(max_size=20), st.integers(0, 50))
def test_ranges_lie_within(header: str, length: int) -> None:
    try:
        span = parse_range(header, length)
    except RangeNotSatisfiable:
        return
    if span is not None:
        assert 0 <= span.offset < span.end <= length

"""Conditional requests: RFC 9110 §13 and §5.6.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import PreconditionFailed
from skiagraph.wire.conditional import entity_tag, http_date, is_not_modified, parse_http_date

TIME = 784111777.25
SAME, EARLIER, LATER = http_date(TIME), http_date(TIME - 1), http_date(TIME + 1)


@pytest.mark.parametrize(
    ("headers", "not_modified"),
    [
        pytest.param({}, False, id="no precondition"),
        pytest.param({"if-none-match": '"v1"'}, True, id="13.1.2 same"),
        pytest.param({"if-none-match": 'W/"v1"'}, True, id="13.1.2 weak comparison"),
        pytest.param({"if-none-match": 'w/"v1"'}, True, id="lower case w"),
        pytest.param({"if-none-match": "v1"}, True, id="lost quotes"),
        pytest.param({"if-none-match": '"v0"'}, False, id="13.1.2 other"),
        pytest.param({"if-none-match": '"v0", W/"x,y" ,"v1"'}, True, id="13.1.2 list"),
        pytest.param({"if-none-match": '"v0","v1x"'}, False, id="13.1.2 list without"),
        pytest.param({"if-none-match": "*"}, True, id="13.1.2 any"),
        pytest.param({"if-none-match": ""}, False, id="empty list"),
        pytest.param({"if-none-match": '"v1'}, False, id="malformed"),
        pytest.param({"if-modified-since": SAME}, True, id="13.1.3 same second"),
        pytest.param({"if-modified-since": LATER}, True, id="13.1.3 older"),
        pytest.param({"if-modified-since": EARLIER}, False, id="13.1.3 newer"),
        pytest.param({"if-modified-since": "yesterday"}, False, id="13.1.3 no date"),
        pytest.param({"if-none-match": '"v0"', "if-modified-since": LATER}, False, id="13.1.3 tags go before dates"),
        pytest.param({"if-match": '"v1"'}, False, id="13.1.1 same"),
        pytest.param({"if-match": '"v0", "v1"'}, False, id="13.1.1 list"),
        pytest.param({"if-match": "*"}, False, id="13.1.1 any"),
        pytest.param({"if-match": '"v1"', "if-none-match": '"v1"'}, True, id="13.2.2 order"),
        pytest.param({"if-unmodified-since": SAME}, False, id="13.1.4 same"),
        pytest.param({"if-unmodified-since": "yesterday"}, False, id="13.1.4 no date"),
        pytest.param({"if-match": '"v1"', "if-unmodified-since": EARLIER}, False, id="13.1.4 tags go before dates"),
    ],
)
def test_reading(headers: dict[str, str], not_modified: bool) -> None:
    for method in ("GET", "HEAD"):
        assert is_not_modified(headers, etag='"v1"', last_modified=TIME, method=method) is not_modified


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"if-match": '"v0"'}, id="13.1.1 other"),
        pytest.param({"if-match": 'W/"v1"'}, id="13.1.1 strong comparison"),
        pytest.param({"if-match": ""}, id="13.1.1 empty list"),
        pytest.param({"if-unmodified-since": EARLIER}, id="13.1.4 newer"),
        pytest.param({"if-match": '"v0"', "if-none-match": '"v1"'}, id="13.2.2 order"),
    ],
)
def test_precondition_failed(headers: dict[str, str]) -> None:
    with pytest.raises(PreconditionFailed):
        is_not_modified(headers, etag='"v1"', last_modified=TIME)


def test_changing_methods() -> None:
    with pytest.raises(PreconditionFailed):
        is_not_modified({"if-none-match": "*"}, etag='"v1"', method="DELETE")
    assert not is_not_modified({"if-none-match": '"v0"'}, etag='"v1"', method="DELETE")
    assert not is_not_modified({"if-modified-since": LATER}, last_modified=TIME, method="DELETE")


def test_weak_tag_of_ours() -> None:
    assert is_not_modified({"if-none-match": '"v1"'}, etag='W/"v1"')
    with pytest.raises(PreconditionFailed):
        is_not_modified({"if-match": '"v1"'}, etag='W/"v1"')


def test_without_tag_or_date() -> None:
    assert not is_not_modified({"if-none-match": '"v1"', "if-modified-since": LATER})
    assert not is_not_modified({"if-modified-since": LATER, "if-unmodified-since": EARLIER})
    with pytest.raises(PreconditionFailed):
        is_not_modified({"if-match": '"v1"'})


def test_entity_tag() -> None:
    assert entity_tag("v1-json") == '"v1-json"'
    assert entity_tag("v1", weak=True) == 'W/"v1"'
    for opaque in ("", 'a"b', "a b", "é", "a\nb"):
        with pytest.raises(ValueError):
            entity_tag(opaque)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", id="5.6.7 IMF-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", id="5.6.7 RFC 850"),
        pytest.param("Sun Nov  6 08:49:37 1994", id="5.6.7 asctime"),
        pytest.param("Sun, 06 Nov 1994 09:49:37 +0100", id="other zone"),
    ],
)
def test_dates(text: str) -> None:
    assert parse_http_date(text) == 784111777
    assert http_date(784111777.99) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.text(max_size=40) | st.text("SunNov 0123456789:,+-GMT", max_size=40))
def test_anything_is_a_date_or_none(text: str) -> None:
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), int)


@given(st.integers(0, 253402300799))
def test_dates_round_trip(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


@given(st.text(st.sampled_from('W/",* v1\\'), max_size=30))
def test_any_list_of_tags_can_be_read(header: str) -> None:
    is_not_modified({"if-none-match": header}, etag='"v1"')

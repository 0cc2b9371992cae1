"""The grammar of query strings: PS3.18 §8.3.1, RFC 3986."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.wire.query import accept, parse_query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", [], id="none"),
        pytest.param("a=1&b=2&a=3", [("a", ["1"]), ("b", ["2"]), ("a", ["3"])], id="order and repetition stay"),
        pytest.param("a", [("a", [])], id="8.3.1 name without value"),
        pytest.param("a=", [("a", [""])], id="empty value"),
        pytest.param("a=1,2,,3", [("a", ["1", "2", "", "3"])], id="8.3.1 list"),
        pytest.param("a=1%2C2,3", [("a", ["1,2", "3"])], id="8.3 encoded comma is data"),
        pytest.param("a=b+c%20d%2Be", [("a", ["b+c d+e"])], id="RFC 3986 plus stays plus"),
        pytest.param("a=b=c%26d", [("a", ["b=c&d"])], id="separators in values"),
        pytest.param("&&a=1&", [("a", ["1"])], id="empty parameters"),
        pytest.param("=1", [("", ["1"])], id="no name"),
        pytest.param("%61=%C3%A9", [("a", ["é"])], id="encoded UTF-8, encoded name"),
        pytest.param("a=%c3%a9", [("a", ["é"])], id="lower case hex digits"),
        pytest.param("a=\xc3\xa9*", [("a", ["é*"])], id="raw UTF-8 as Latin-1"),
        pytest.param("a=%00", [("a", ["\0"])], id="NUL is for the parameter to judge"),
    ],
)
def test_parse_query(query: str, expected: list[tuple[str, list[str]]]) -> None:
    assert parse_query(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("a=%", id="cut"),
        pytest.param("a=%2", id="one digit"),
        pytest.param("a=%zz", id="no digits"),
        pytest.param("a=%C3", id="half a character"),
        pytest.param("a=%FF", id="no UTF-8"),
        pytest.param("a=%ED%A0%80", id="surrogate"),
        pytest.param("a=\xe9", id="raw Latin-1"),
        pytest.param("%GG=1", id="name"),
        pytest.param("a=€", id="not bytes"),
    ],
)
def test_broken_encoding(query: str) -> None:
    with pytest.raises(BadRequest):
        parse_query(query)


def test_messages_hold_no_values() -> None:
    with pytest.raises(BadRequest) as error:
        parse_query("PatientName=Doe%FF")
    assert "PatientName" in error.value.message
    assert "Doe" not in error.value.message


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", None),
        ("limit=1", None),
        ("Accept=a/b", None),
        ("accept=", None),
        ("acceptance=a/b", None),
        ("accept=application/dicom%2Bjson", "application/dicom+json"),
        ("accept=application/dicom+json&limit=1", "application/dicom+json"),
        ("accept=a/b,c/d;q=0.5&accept=e/f", "a/b, c/d;q=0.5, e/f"),
        (
            "accept=multipart/related;%20type=%22application/dicom%22;%20transfer-syntax=*",
            'multipart/related; type="application/dicom"; transfer-syntax=*',
        ),
    ],
)
def test_accept(query: str, value: str | None) -> None:
    assert accept(query) == value


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.lists(st.text(max_size=8), min_size=1)), max_size=5))
def test_reads_what_was_encoded(parameters: list[tuple[str, list[str]]]) -> None:
    query = "&".join(
        quote(name, safe="+") + "=" + ",".join(quote(value, safe="+") for value in values)
        for name, values in parameters
    )
    assert parse_query(query) == parameters


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_anything_is_read_or_refused(query: str) -> None:
    try:
        parse_query(query)
    except BadRequest:
        pass

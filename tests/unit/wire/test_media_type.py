"""Media types and media ranges: RFC 9110 §8.3.1, §12.5.1; PS3.18 §8.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.wire.media_type import (
    MAX_RANGES,
    MediaRange,
    MediaType,
    parse,
    parse_ranges,
    quote,
    split_list,
    split_parameters,
)


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        pytest.param("application/dicom", "application/dicom", {}, id="plain"),
        pytest.param(" Application/DICOM ", "application/dicom", {}, id="8.7.1 names are case-insensitive"),
        pytest.param(
            'multipart/related; TYPE="Application/Dicom"; Boundary=AbC',
            "multipart/related",
            {"type": "Application/Dicom", "boundary": "AbC"},
            id="8.7.1 values keep their case",
        ),
        pytest.param(
            "multipart/related;type=application/dicom;boundary=b",
            "multipart/related",
            {"type": "application/dicom", "boundary": "b"},
            id="8.7.1 type without quotes",
        ),
        pytest.param(
            'multipart/related; type = "application/dicom" ; boundary = b',
            "multipart/related",
            {"type": "application/dicom", "boundary": "b"},
            id="blanks around the equals sign",
        ),
        pytest.param('a/b; x="c\\"d\\\\e"', "a/b", {"x": 'c"d\\e'}, id="RFC 9110 5.6.4 escaped characters"),
        pytest.param('a/b; x="c;d,e=f"', "a/b", {"x": "c;d,e=f"}, id="separators within quotes"),
        pytest.param('a/b; x=""', "a/b", {"x": ""}, id="empty quoted string"),
        pytest.param("a/b;; ;x=1;", "a/b", {"x": "1"}, id="empty parameters are passed over"),
        pytest.param("a/b; boundary==_x=1", "a/b", {"boundary": "=_x=1"}, id="equals signs in a value"),
        pytest.param(
            "a/b; transfer-syntax=*; transfer-syntax=*", "a/b", {"transfer-syntax": "*"}, id="same parameter twice"
        ),
        pytest.param(
            'multipart/related; type="application/dicom; transfer-syntax=*"',
            "multipart/related",
            {"type": "application/dicom", "transfer-syntax": "*"},
            id="quotes around type and transfer-syntax",
        ),
        pytest.param(
            'multipart/related; "type=application/dicom; transfer-syntax=*"',
            "multipart/related",
            {"type": "application/dicom", "transfer-syntax": "*"},
            id="quotes around all parameters",
        ),
        pytest.param(
            '"multipart/related; type=application/dicom"',
            "multipart/related",
            {"type": "application/dicom"},
            id="quotes around everything",
        ),
    ],
)
def test_parse(text: str, name: str, parameters: dict[str, str]) -> None:
    assert parse(text) == MediaType(name, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "application",
        "application/",
        "/dicom",
        "a/b/c",
        "a b/c",
        "a/b; x",
        "a/b; =1",
        "a/b; x=",
        "a/b; x y=1",
        'a/b; x="open',
        'a/b; x="open\\',
        'a/b; x="c"d',
        "a/b; x=c\x00d",
        'a/b; x="c\nd"',
        "a/b, c/d",
        pytest.param("a/b; x=1; x=2", id="RFC 6838 one parameter, two values"),
        pytest.param("a/b; x=1; X=2", id="RFC 6838 one parameter, two values, other case"),
        pytest.param(
            'multipart/related; type="a/b; transfer-syntax=1.2"; transfer-syntax=*', id="contradiction within quotes"
        ),
        pytest.param('multipart/related; type="; transfer-syntax=1.2"', id="no type within quotes"),
        '"a/b; x="',
    ],
)
def test_malformed(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(" , ,", [], id="empty entries"),
        pytest.param("*/*", [("*/*", {}, 1.0)], id="any"),
        pytest.param("image/*;q=0.5", [("image/*", {}, 0.5)], id="weight"),
        pytest.param("a/b;q=0, c/d;Q=1.000", [("a/b", {}, 0.0), ("c/d", {}, 1.0)], id="bounds of the weight"),
        pytest.param("a/b;q=.5", [("a/b", {}, 0.5)], id="weight without zero"),
        pytest.param("a/b;q=2, c/d;q=x, e/f;q=-1", [("a/b", {}, 1), ("c/d", {}, 1), ("e/f", {}, 1)], id="8.7.7 bad q"),
        pytest.param(
            "a/b;q=nan, c/d;q=1e3", [("a/b", {}, 1.0), ("c/d", {}, 1.0)], id="8.7.7 q that float() would take"
        ),
        pytest.param("a/b;x=1;q=0.5;y=2", [("a/b", {"x": "1", "y": "2"}, 0.5)], id="parameters behind the weight"),
        pytest.param("bad, a/b, c/, d/e;f", [("a/b", {}, 1.0)], id="8.7.7 invalid entries are ignored"),
        pytest.param("a/b;x=1;x=2, c/d", [("c/d", {}, 1.0)], id="RFC 6838 repeated parameter"),
        pytest.param('a/b;x="1,2";q=0.5,c/d', [("a/b", {"x": "1,2"}, 0.5), ("c/d", {}, 1.0)], id="comma in quotes"),
        pytest.param('a/b;x="1\\",2",c/d', [("a/b", {"x": '1",2'}, 1.0), ("c/d", {}, 1.0)], id="escaped quote"),
        pytest.param('a/b, c/d;x="open, e/f', [("a/b", {}, 1.0)], id="open quotes spoil the rest only"),
    ],
)
def test_parse_ranges(text: str, expected: list[tuple[str, dict[str, str], float]]) -> None:
    assert parse_ranges(text) == tuple(MediaRange(MediaType(name, p), q) for name, p, q in expected)


def test_endless_list() -> None:
    assert len(parse_ranges(",".join(["a/b"] * MAX_RANGES))) == MAX_RANGES
    with pytest.raises(BadRequest, match=str(MAX_RANGES)):
        parse_ranges(",".join(["a/b"] * (MAX_RANGES + 1)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1.2.840", "1.2.840"),
        ("*", "*"),
        ("application/dicom", '"application/dicom"'),
        ("", '""'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("a b", '"a b"'),
    ],
)
def test_quote(value: str, written: str) -> None:
    assert quote(value) == written


def test_written_with_quotes_where_needed() -> None:
    media_type = MediaType("multipart/related", {"type": "application/dicom", "transfer-syntax": "*"})
    assert str(media_type) == 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_split() -> None:
    assert split_list('for="[2001:db8::1]:80", proto=https;host="a,b" ,,') == [
        'for="[2001:db8::1]:80"',
        'proto=https;host="a,b"',
    ]
    assert split_parameters('For="[2001:db8::1]:80";proto=https') == {"for": "[2001:db8::1]:80", "proto": "https"}
    assert split_parameters("for") is None


_TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-", min_size=1, max_size=10)
_NAMES = st.builds("{}/{}".format, _TOKENS, _TOKENS)
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_characters="\x7f"), max_size=20)


@given(_NAMES, st.dictionaries(_TOKENS.filter(lambda name: name not in ("type", "q")), _VALUES, max_size=4))
def test_parse_undoes_str(name: str, parameters: dict[str, str]) -> None:
    media_type = MediaType(name, parameters)
    assert parse(str(media_type)) == media_type
    assert parse_ranges(f"{media_type}; q=0.25, x/y") == (MediaRange(media_type, 0.25), MediaRange(MediaType("x/y")))


@given(st.text(st.sampled_from('ab/;,=" \\*q01.type-\x00\n'), max_size=60))
def test_anything_can_be_read(text: str) -> None:
    parse(text)
    for entry in parse_ranges(text):
        assert 0 <= entry.q <= 1


@pytest.mark.parametrize(
    "text", ['a/b;x="' * 8000, '"' * 50_000, '\\"' * 30_000, ";" * 60_000, "a/b;" * 15_000, "=" * 60_000]
)
def test_hostile_text_costs_linear_time(text: str) -> None:
    parse(text)
    split_list(text)

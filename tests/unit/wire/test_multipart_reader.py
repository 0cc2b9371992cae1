"""Reading multipart payloads: RFC 2046 §5.1, PS3.18 §8.6.1.2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, UnsupportedMediaType
from skiagraph.wire import multipart_writer
from skiagraph.wire.multipart_reader import (
    MAX_BOUNDARY,
    MAX_PADDING,
    MultipartReader,
    PartBegin,
    PartData,
    PartEnd,
    parse_related,
)

Part = tuple[Mapping[str, str], bytes]


def read(
    chunks: Iterable[bytes], boundary: str = "b", *, max_header_bytes: int = 1024, max_parts: int = 100
) -> list[Part]:
    """All parts of a payload; checks that events come in order."""
    reader = MultipartReader(boundary, max_header_bytes=max_header_bytes, max_parts=max_parts)
    parts: list[Part] = []
    current: tuple[Mapping[str, str], list[bytes]] | None = None
    for chunk in chunks:
        for event in reader.feed(chunk):
            match event:
                case PartBegin(headers):
                    assert current is None
                    current = (headers, [])
                case PartData(data):
                    assert current is not None
                    assert len(data) > 0
                    current[1].append(bytes(data))
                case PartEnd():
                    assert current is not None
                    parts.append((current[0], b"".join(current[1])))
                    current = None
    reader.close()
    assert current is None
    return parts


def ways(payload: bytes) -> list[list[bytes]]:
    """The payload whole, byte by byte, and cut once at each place (each hundredth of long ones)."""
    cuts = range(1, len(payload), 1 + len(payload) // 100)
    return [[payload], [payload[i : i + 1] for i in range(len(payload))], *([payload[:i], payload[i:]] for i in cuts)]


DICOM = {"content-type": "application/dicom"}
HEAD = b"Content-Type: application/dicom\r\n\r\n"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b"--b\r\n" + HEAD + b"data\r\n--b--\r\n", [(DICOM, b"data")], id="one part"),
        pytest.param(
            b"--b\r\n" + HEAD + b"data\r\n--b\r\nA: 1\r\nB: 2\r\n\r\nmore\r\n--b--\r\n",
            [(DICOM, b"data"), ({"a": "1", "b": "2"}, b"more")],
            id="two parts",
        ),
        pytest.param(b"\r\n--b\r\n" + HEAD + b"data\r\n--b--", [(DICOM, b"data")], id="no line end behind the last"),
        pytest.param(
            b"Preamble\r\n--bb\r\nmore\r\n--b\r\n" + HEAD + b"data\r\n--b--\r\nEpilogue\r\n--b\r\n\r\n\r\n--b--",
            [(DICOM, b"data")],
            id="preamble and epilogue",
        ),
        pytest.param(b"x--b\r\n\r\n--b\r\n" + HEAD + b"data\r\n--b--", [(DICOM, b"data")], id="boundary within a line"),
        pytest.param(b"--b \t \r\n" + HEAD + b"data\r\n--b\t--", None, id="blanks before the closing dashes are none"),
        pytest.param(
            b"--b \t \r\n" + HEAD + b"data\r\n--b  \r\n\r\nmore\r\n--b-- \r\n",
            [(DICOM, b"data"), ({}, b"more")],
            id="blanks behind the boundary",
        ),
        pytest.param(
            b"--b\r\n" + HEAD + b"data\r\n--bb\r\n--b-\r\n--b x\r\n--b\rx\r\n--b--",
            [(DICOM, b"data\r\n--bb\r\n--b-\r\n--b x\r\n--b\rx")],
            id="boundary is the beginning of other lines",
        ),
        pytest.param(
            b"--b\r\n" + HEAD + b"a\r\n\r\nb\n--b\r\nc\r--b\r\n\r\n--\r\n--b--",
            [(DICOM, b"a\r\n\r\nb\n--b\r\nc\r--b\r\n\r\n--")],
            id="line ends and boundary-like bytes in data",
        ),
        pytest.param(b"--b\r\n" + HEAD + b"\r\r\n\r\n--b--", [(DICOM, b"\r\r\n")], id="data ends in line ends"),
        pytest.param(b"--b\r\n\r\ndata\r\n--b--", [({}, b"data")], id="no header"),
        pytest.param(b"--b\r\n" + HEAD + b"\r\n--b--", [(DICOM, b"")], id="empty body"),
        pytest.param(
            b"--b\r\nA: 1\r\n\r\n--b--",
            [({"a": "1"}, b"")],
            id="no body: the blank line ends the header and begins the delimiter",
        ),
        pytest.param(b"--b\r\n\r\n--b\r\n\r\n\r\n--b--", [({}, b""), ({}, b"")], id="neither header nor body"),
        pytest.param(b"--b\r\n\r\n\r\r\n--b--", [({}, b"\r")], id="body of one carriage return"),
        pytest.param(b"--b\n\n\n\n--b--", [({}, b"\n")], id="LF only: body of one line feed"),
        pytest.param(
            b"--b\nA: 1\n\ndata\n\n--b\nB: 2\n\nmore\r\n--b--\n",
            [({"a": "1"}, b"data\n"), ({"b": "2"}, b"more\r")],
            id="LF only, told by the first delimiter",
        ),
        pytest.param(b"pre\n--b\n\n--b--", [({}, b"")], id="LF only, preamble, no body"),
        pytest.param(
            b"--b\r\nA: 1\nB: 2\n\ndata\n--b\nx\r\n--b\n\r\nmore\r\n--b--",
            [({"a": "1", "b": "2"}, b"data\n--b\nx"), ({}, b"more")],
            id="LF only in headers",
        ),
        pytest.param(b"pre\n--b\r\n\r\ndata\n\r\n--b--", [({}, b"data\n")], id="LF before the first delimiter"),
        pytest.param(
            b"--b\r\ncontent-TYPE:application/dicom; a=b \r\nX-Y:  \t1\t \r\n\r\n\r\n--b--",
            [({"content-type": "application/dicom; a=b", "x-y": "1"}, b"")],
            id="names in any case, blanks around values",
        ),
        pytest.param(b"--b\r\nA: 1\r\n 2\r\n\t3\r\n\r\n\r\n--b--", [({"a": "1 2 3"}, b"")], id="folded lines"),
        pytest.param(
            b"--b\r\nA: 1\r\nA: 2\r\n\r\n\r\n--b--", [({"a": "1"}, b"")], id="the first of equal fields counts"
        ),
        pytest.param(b"--b\r\nA:\r\n\r\n\r\n--b--", [({"a": ""}, b"")], id="empty value"),
        pytest.param(b"--b\r\nA: \xe9:b\r\n\r\n\r\n--b--", [({"a": "é:b"}, b"")], id="Latin-1 and colons in values"),
        pytest.param(
            b"--b\r\nContent-ID: <1@x>\r\nContent-Type: application/dicom\r\nContent-Length: 99\r\n\r\ndata\r\n--b--",
            [({"content-id": "<1@x>", "content-type": "application/dicom", "content-length": "99"}, b"data")],
            id="wrong Content-Length: the boundary decides",
        ),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"no boundary at all", None, id="no boundary"),
        pytest.param(b"--b", None, id="cut in the first delimiter"),
        pytest.param(b"--b\r\nA: 1\r\n", None, id="cut in a header"),
        pytest.param(b"--b\r\n" + HEAD, None, id="cut before the body"),
        pytest.param(b"--b\r\n" + HEAD + b"data", None, id="cut in a body"),
        pytest.param(b"--b\r\n" + HEAD + b"data\r\n--b", None, id="cut in a delimiter"),
        pytest.param(b"--b\r\n" + HEAD + b"data\r\n--b-", None, id="cut in the closing delimiter"),
        pytest.param(b"--b\r\n" + HEAD + b"data\r\n--b\r\n", None, id="closing delimiter is missing"),
        pytest.param(b"--b--\r\n", None, id="no part"),
        pytest.param(b"--b\r\n--b--", None, id="delimiter in place of a header"),
        pytest.param(b"--b\r\nno colon\r\n\r\n\r\n--b--", [({}, b"")], id="header line without colon"),
        pytest.param(b"--b\r\n: 1\r\n\r\n\r\n--b--", [({}, b"")], id="header line without name"),
        pytest.param(b"--b\r\nA b: 1\r\n\r\n\r\n--b--", [({}, b"")], id="blank in a name"),
        pytest.param(b"--b\r\n folded\r\n\r\n\r\n--b--", [({}, b"")], id="folded line without a first"),
        pytest.param(b"--b\r\nA: 1\x002\r\n\r\n\r\n--b--", [({}, b"")], id="NUL in a header"),
        pytest.param(b"--b\r\nA: 1\r2\r\n\r\n\r\n--b--", [({}, b"")], id="carriage return in a header"),
    ],
)
def test_rules(payload: bytes, expected: list[Part] | None) -> None:
    for chunks in ways(payload):
        if expected is None:
            with pytest.raises(BadRequest):
                read(chunks)
        else:
            assert read(chunks) == expected


def test_long_header_is_refused_while_it_comes() -> None:
    fits = b"A: " + b"x" * 100
    payload = b"--b\r\n" + fits + b"\r\n\r\nd\r\n--b--"
    for chunks in ways(payload):
        assert read(chunks, max_header_bytes=len(fits)) == [({"a": "x" * 100}, b"d")]
        with pytest.raises(BadRequest, match="longer than 50 bytes"):
            read(chunks, max_header_bytes=50)
    reader = MultipartReader("b", max_header_bytes=50, max_parts=1)
    with pytest.raises(BadRequest, match="longer"):
        reader.feed(b"--b\r\nA: " + b"x" * 100)


def test_too_many_parts() -> None:
    payload = b"\r\n--b\r\n\r\n" * 3 + b"\r\n--b--"
    assert len(read([payload], max_parts=3)) == 3
    with pytest.raises(BadRequest, match="more than 2 parts"):
        read([payload], max_parts=2)


def test_endless_padding_is_data() -> None:
    line = b"\r\n--b" + b" " * (MAX_PADDING + 1) + b"\r\n"
    assert read([b"--b\r\n\r\nx", line, b"\r\n--b--"]) == [({}, b"x" + line)]


def test_bodies_are_slices_of_the_chunks() -> None:
    reader = MultipartReader("b", max_header_bytes=100, max_parts=10)
    reader.feed(b"--b\r\n\r\n")
    chunk = bytes(1000)
    (event,) = reader.feed(chunk)
    (again,) = reader.feed(chunk)
    assert isinstance(again, PartData)
    assert isinstance(event, PartData)
    assert again.data is chunk
    assert isinstance(event.data, memoryview)
    assert event.data.obj is not None


def test_what_may_begin_a_delimiter_is_held_back() -> None:
    reader = MultipartReader("b", max_header_bytes=100, max_parts=10)
    reader.feed(b"--b\r\n\r\nx")
    for held in (b"\r", b"\n", b"--", b"b", b" \t"):
        assert reader.feed(held) == []
    assert b"".join(bytes(event.data) for event in reader.feed(b"x") if isinstance(event, PartData)) == b"\r\n--b \tx"


def test_nothing_comes_after_the_end() -> None:
    reader = MultipartReader("b", max_header_bytes=100, max_parts=10)
    assert reader.feed(b"--b\r\n\r\n\r\n--b--") == [PartBegin({}), PartEnd()]
    assert reader.feed(b"\r\n--b\r\n\r\n") == []
    assert reader.feed(b"") == []
    reader.close()


@pytest.mark.parametrize(
    ("content_type", "boundary", "part_type"),
    [
        pytest.param('multipart/related; type="application/dicom"; boundary=b1', "b1", "application/dicom", id="usual"),
        pytest.param("Multipart/Related;BOUNDARY=B1;TYPE=Application/DICOM", "B1", "application/dicom", id="any case"),
        pytest.param('multipart/related; boundary="a b:c/=?"', "a b:c/=?", "", id="quoted boundary, no type"),
        pytest.param('multipart/related; boundary="a\\"\\\\b"; type=""', 'a"\\b', "", id="escaped characters"),
        pytest.param(
            "multipart/related; boundary====1==; type=a/b", "===1==", "a/b", id="equals signs, as Python writes"
        ),
        pytest.param(
            'multipart/related;start="<fdb8@resteasy-multipart>";type="application/dicom+xml"; boundary=31a0-77d1',
            "31a0-77d1",
            "application/dicom+xml",
            id="B.13 as RESTEasy writes",
        ),
        pytest.param(
            "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1; boundary=b; charset=utf-8",
            "b",
            "application/dicom",
            id="B.13 unknown parameters",
        ),
    ],
)
def test_parse_related(content_type: str, boundary: str, part_type: str) -> None:
    related = parse_related(content_type)
    assert (related.boundary, related.type) == (boundary, part_type)
    assert related.parameters["boundary"] == boundary


@pytest.mark.parametrize(
    ("content_type", "error"),
    [
        ("", BadRequest),
        ("multipart/related", BadRequest),
        ('multipart/related; type="application/dicom"', BadRequest),
        ('multipart/related; boundary=""', BadRequest),
        ("multipart/related; boundary=a; boundary=b", BadRequest),
        ('multipart/related; boundary="open', BadRequest),
        (f"multipart/related; boundary={'b' * (MAX_BOUNDARY + 1)}", BadRequest),
        ("multipart/related; boundary=é", BadRequest),
        ("multipart/mixed; boundary=b", UnsupportedMediaType),
        ("application/dicom", UnsupportedMediaType),
    ],
)
def test_parse_related_refuses(content_type: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_related(content_type)


def cut(payload: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(payload) + 1) for place in places), len(payload)]
    return [payload[start:end] for start, end in pairwise(edges)]


# Bodies made of what delimiters are made of; a body that holds a whole delimiter is its writer's fault
_BODIES = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"Bx", b"B", b"x", b"\0", b" "]), max_size=12
).map(b"".join)
_CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=8)


@given(st.lists(_BODIES, min_size=1, max_size=4), _CUTS)
@example([b"\r\n--Bx"], [])
@example([b"\r\n--B"], [82, 83, 84])
@settings(max_examples=300)
def test_reading_undoes_writing_however_it_is_cut(bodies: list[bytes], places: list[int]) -> None:
    boundary = "By"
    payload = b""
    for number, body in enumerate(bodies):
        payload += multipart_writer.part_header(
            boundary, "application/dicom", length=len(body), location=f"/{number}", first=number == 0
        )
        payload += body
    payload += multipart_writer.closing(boundary)
    expected = [
        (
            {
                "content-type": "application/dicom",
                "content-length": str(len(body)),
                "content-location": f"/{number}",
            },
            body,
        )
        for number, body in enumerate(bodies)
    ]
    assert read(cut(payload, places), boundary) == expected


_SOUP = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b"--b", b"--b--", b"--bb", b" ", b"A: 1", b"\r\n\r\n", b"x", b"-"]),
    max_size=25,
).map(b"".join)


@given(_SOUP, _CUTS)
@settings(max_examples=500)
def test_any_cut_gives_the_same(payload: bytes, places: list[int]) -> None:
    def outcome(chunks: list[bytes]) -> list[Part] | str:
        try:
            return read(chunks)
        except BadRequest as error:
            return error.message

    whole = outcome([payload])
    assert outcome(cut(payload, places)) == whole
    assert outcome([payload[i : i + 1] for i in range(len(payload))]) == whole


@given(st.binary(max_size=300), _CUTS)
def test_hostile_bytes_give_nothing_but_bad_request(payload: bytes, places: list[int]) -> None:
    try:
        read(cut(b"--b\r\n" + payload, places))
    except BadRequest:
        pass

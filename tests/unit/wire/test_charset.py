"""The character set of an answer: PS3.18 §8.8, Annex D."""

from __future__ import annotations

import pytest
from lxml import etree

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.wire import charset
from skiagraph.wire.accept import Offer, choose

ALL = "\u00e4 \u6f22\u5b57 \U0001f41f"


def selected(accept: str = "*/*", query: str = "", header: str | None = None) -> charset.Charset:
    offers = (Offer("text/html"), Offer("text/html", multipart=True), Offer("text/plain"))
    return charset.select(choose(accept, None, offers), query, header)


@pytest.mark.parametrize(
    ("accept", "query", "header", "name"),
    [
        pytest.param("*/*", "", None, "utf-8", id="nothing asked"),
        pytest.param("text/html; charset=ISO-8859-1", "", None, "ISO-8859-1", id="media type"),
        pytest.param('multipart/related; type="text/html"; charset=GBK', "", None, "GBK", id="multipart"),
        pytest.param("text/plain;q=0.5;charset=GBK, text/html", "", None, "utf-8", id="of another media type"),
        pytest.param('text/html; charset="ISO_IR 144"', "", None, "ISO-8859-5", id="Defined Term"),
        pytest.param("*/*", "charset=iso-8859-2", None, "ISO-8859-2", id="query"),
        pytest.param("*/*", "charset=ISO_IR%20101", None, "ISO-8859-2", id="Defined Term in the query"),
        pytest.param("*/*", "charset=ISO%202022%20IR%2013%5CISO%202022%20IR%2087", None, "ISO-2022-JP", id="two"),
        pytest.param("*/*", "charset=gbk;q=0.1,utf-8;q=0.9", None, "utf-8", id="weights"),
        pytest.param("*/*", "charset=x,y", "gbk", "GBK", id="unknown ones are ignored"),
        pytest.param("*/*", "charset=*", "gbk", "GBK", id="no wildcard in the query"),
        pytest.param("text/html; charset=utf-8", "charset=gbk", "iso-8859-1", "utf-8", id="media type goes first"),
        pytest.param("*/*", "charset=gbk", "iso-8859-1", "GBK", id="query goes before the header"),
        pytest.param("*/*", "", "iso-8859-1;q=0.5, gb18030;q=0.8, *;q=0.1", "GB18030", id="header"),
        pytest.param("*/*", "", "*", "utf-8", id="any"),
        pytest.param("*/*", "", "klingon", "utf-8", id="none that is known"),
        pytest.param("*/*", "", "gbk;q=0", "utf-8", id="refused"),
        pytest.param("*/*", "", "gbk;q=x, , ;;", "GBK", id="malformed"),
    ],
)
def test_select(accept: str, query: str, header: str | None, name: str) -> None:
    assert selected(accept, query, header).name == name


def test_every_codec_is_there() -> None:
    for found in set(charset._KNOWN.values()):
        assert found.text(b"abc").decode(found.codec) == "abc"


@pytest.mark.parametrize("name", ["iso-8859-1", "gbk", "iso-2022-jp", "us-ascii", "utf-8"])
def test_xml_keeps_what_the_set_lacks(name: str) -> None:
    document = f'<?xml version="1.0" encoding="UTF-8"?><a b="{ALL}">{ALL}</a>'.encode()
    root = etree.fromstring(selected(header=name).xml(document))
    assert root.text == root.get("b") == ALL


def test_html_says_what_it_is() -> None:
    page = f'<!DOCTYPE html><meta charset="utf-8"><p>{ALL}'.encode()
    found = selected(header="iso-8859-1").html(page)
    assert b'<meta charset="ISO-8859-1"><p>\xe4 &#28450;&#23383; &#128031;' in found


def test_text_that_the_set_lacks() -> None:
    assert selected(header="iso-8859-1").text("ä".encode()) == b"\xe4"
    with pytest.raises(NoAcceptableRepresentation):
        selected(header="iso-8859-1").text(ALL.encode())

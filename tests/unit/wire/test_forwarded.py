"""The Base URI behind proxies: RFC 7239, X-Forwarded-*."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.wire.forwarded import Proxies, public_base

PROXY, INNER, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.9"


def base(
    headers: dict[str, str], *, peer: str | None = PROXY, public_url: str | None = None, scheme: str = "http"
) -> str:
    return public_base(
        Proxies(("10.0.0.0/8", "::1")),
        scheme=scheme,
        headers=headers,
        peer=peer,
        server=("127.0.0.1", 8080),
        base_path="/dicom-web",
        public_url=public_url,
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"host": "pacs.example.org"}, "http://pacs.example.org", id="Host"),
        pytest.param({"host": "pacs.example.org:8042"}, "http://pacs.example.org:8042", id="Host with port"),
        pytest.param({"host": "pacs.example.org:80"}, "http://pacs.example.org", id="port that the scheme implies"),
        pytest.param({"host": "pacs:0080"}, "http://pacs", id="zeros before the port"),
        pytest.param({"host": "pacs:"}, "http://pacs", id="empty port"),
        pytest.param({"host": "[2001:db8::1]:8042"}, "http://[2001:db8::1]:8042", id="IPv6"),
        pytest.param({"host": "my_pacs"}, "http://my_pacs", id="underscore, as container names have"),
        pytest.param({}, "http://127.0.0.1:8080", id="HTTP/1.0 without Host"),
        pytest.param({"host": "a", "forwarded": "for=203.0.113.9;proto=https;host=b"}, "https://b", id="RFC 7239"),
        pytest.param(
            {"host": "a", "forwarded": 'For="[2001:db8:cafe::17]:4711";Proto=HTTPS;Host="b:8443"'},
            "https://b:8443",
            id="quoted",
        ),
        pytest.param({"host": "a", "forwarded": "proto=https"}, "https://a", id="only the scheme"),
        pytest.param({"host": "a", "forwarded": "proto=https, host=b"}, "http://b", id="only the last proxy is known"),
        pytest.param(
            {"host": "a", "forwarded": f"for={CLIENT};proto=https;host=pub, for={INNER};proto=http;host=in"},
            "https://pub",
            id="chain of trusted proxies: the first of them",
        ),
        pytest.param(
            {"host": "a", "forwarded": f"for={CLIENT};proto=https, for={INNER};proto=http;host=in"},
            "https://in",
            id="what the first leaves out comes from the next",
        ),
        pytest.param(
            {"host": "a", "forwarded": f"for=1.2.3.4;host=evil, for={CLIENT};proto=https;host=pub"},
            "https://pub",
            id="what the client wrote itself is not believed",
        ),
        pytest.param(
            {"host": "a", "forwarded": "for=_hidden;host=b, for=unknown;proto=https"}, "https://a", id="hidden"
        ),
        pytest.param({"host": "a", "forwarded": "nonsense"}, "http://a", id="malformed"),
        pytest.param({"host": "a", "forwarded": ""}, "http://a", id="empty"),
        pytest.param({"host": "a", "x-forwarded-proto": "https"}, "https://a", id="X-Forwarded-Proto"),
        pytest.param(
            {"host": "a", "x-forwarded-host": "b", "x-forwarded-proto": "https"}, "https://b", id="Host, Proto"
        ),
        pytest.param(
            {"host": "a", "x-forwarded-host": "b", "x-forwarded-port": "8443", "x-forwarded-proto": "https"},
            "https://b:8443",
            id="X-Forwarded-Port",
        ),
        pytest.param(
            {"host": "a", "x-forwarded-host": "b:81", "x-forwarded-port": "82"}, "http://b:81", id="port of the host"
        ),
        pytest.param(
            {"host": "a", "x-forwarded-port": "443", "x-forwarded-proto": "https"}, "https://a", id="implied port"
        ),
        pytest.param({"host": "a", "x-forwarded-prefix": "/pacs"}, "http://a/pacs", id="X-Forwarded-Prefix"),
        pytest.param({"host": "a", "x-forwarded-prefix": "/pacs/x/"}, "http://a/pacs/x", id="prefix with slash"),
        pytest.param({"host": "a", "x-forwarded-prefix": "/"}, "http://a", id="prefix of a slash"),
        pytest.param(
            {"host": "a", "x-forwarded-host": "evil, pub", "x-forwarded-proto": "https", "x-forwarded-for": CLIENT},
            "https://pub",
            id="the last entry is by the peer",
        ),
        pytest.param(
            {
                "host": "a",
                "x-forwarded-host": "evil, pub, in",
                "x-forwarded-proto": "https, http",
                "x-forwarded-for": f"1.2.3.4, {CLIENT}, {INNER}",
            },
            "https://pub",
            id="chain of trusted proxies by X-Forwarded-For",
        ),
        pytest.param(
            {"host": "a", "x-forwarded-host": "b", "forwarded": "host=c;proto=https"},
            "https://c",
            id="Forwarded goes first",
        ),
    ],
)
def test_base(headers: dict[str, str], expected: str) -> None:
    assert base(headers) == expected + "/dicom-web"


@pytest.mark.parametrize("peer", [CLIENT, None, "", "unix:", "2001:db8::1", "nonsense"])
def test_others_change_nothing(peer: str | None) -> None:
    headers = {"host": "a", "forwarded": "host=b;proto=https", "x-forwarded-host": "c", "x-forwarded-prefix": "/p"}
    assert base(headers, peer=peer) == "http://a/dicom-web"


@pytest.mark.parametrize("peer", ["::1", "::ffff:10.1.2.3", "10.255.0.1"])
def test_trusted_addresses(peer: str) -> None:
    assert base({"host": "a", "x-forwarded-proto": "https"}, peer=peer) == "https://a/dicom-web"


def test_public_url_is_the_answer() -> None:
    assert base({"host": "<evil>"}, public_url="https://pacs.example.org/rs/") == "https://pacs.example.org/rs"


def test_networks_are_checked_at_start() -> None:
    with pytest.raises(ValueError, match=r"proxy\.local"):
        Proxies(("proxy.local",))


@pytest.mark.parametrize(
    "host",
    [
        *("a b", "a/b", 'a"b', "a<b", "a\\b", "a\r\nX: 1", "a\nb", "a@b", "a?b", "a#b", "a,b", "a%2fb", "é"),
        *("a:b", "a:-1", "a:99999", "a:0", "a:1:2", "[::1", "::1", "[zz]", "[]", ":80", "a" * 256, "a:123456"),
    ],
)
def test_hostile_hosts(host: str) -> None:
    for headers in ({"host": host}, {"host": "a", "x-forwarded-host": host}):
        if "," not in host or "x-forwarded-host" not in headers:
            with pytest.raises(BadRequest):
                base(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-proto": "javascript"},
        {"x-forwarded-prefix": "//evil.example.org"},
        {"x-forwarded-prefix": "pacs"},
        {"x-forwarded-prefix": '/a"b'},
        {"x-forwarded-prefix": "/" + "a" * 1000},
        {"x-forwarded-port": "0"},
        {"x-forwarded-port": "x"},
        {"forwarded": 'host="a/b"'},
    ],
)
def test_hostile_headers_through_a_proxy(headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        base({"host": "a", **headers})


def test_no_host_at_all() -> None:
    with pytest.raises(BadRequest):
        public_base(
            Proxies(()), scheme="http", headers={}, peer=None, server=None, base_path="/dicom-web", public_url=None
        )
    assert (
        public_base(
            Proxies(()), scheme="https", headers={}, peer=None, server=("::1", 443), base_path="", public_url=None
        )
        == "https://[::1]"
    )


_HEADERS = st.dictionaries(
    st.sampled_from(
        ["host", "forwarded", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-prefix"]
    ),
    st.text(max_size=20) | st.text(st.sampled_from('ab.:[]/;,="10 for=host=proto'), max_size=30),
)


@given(_HEADERS)
def test_nothing_but_urls_comes_out(headers: dict[str, str]) -> None:
    try:
        url = base(headers)
    except BadRequest:
        return
    assert re.fullmatch(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?/dicom-web", url)

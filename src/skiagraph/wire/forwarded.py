"""The Base URI as the client sees it: Host, Forwarded (RFC 7239) and X-Forwarded-* of trusted proxies.

Every URL in an answer starts with it, so nobody but the operator's own proxies may change it. Proxies append to
these headers, so they are read from the end: the last entry is by the peer; the one before it counts only if the
peer was called by a trusted proxy in its turn, and so on. Forwarded goes before X-Forwarded-*.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from skiagraph.errors import BadRequest
from skiagraph.wire.media_type import split_list, split_parameters

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"([A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5})?)?", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_MAX_HOPS = 50


class Proxies:
    """Which peers are proxies that are believed.

    Parameters
    ----------
    networks
        Addresses or networks in CIDR notation; ``0.0.0.0/0`` and ``::/0`` are everybody.

    Raises
    ------
    ValueError
        One of them is neither; the message names it.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[_Network] = [ipaddress.ip_network(text, strict=False) for text in networks]
        self._known: dict[str, bool] = {}

    def trusts(self, address: str | None) -> bool:
        """Whether it is the address of a trusted proxy; unknown peers and names are not."""
        if address is None:
            return False
        if address in self._known:
            return self._known[address]
        trusted = self._trusts(address)
        if len(self._known) < 1000:
            self._known[address] = trusted
        return trusted

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        # A socket for both versions of IP shows IPv4 peers as ::ffff:a.b.c.d
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


def public_base(
    proxies: Proxies,
    *,
    scheme: str,
    headers: Mapping[str, str],
    peer: str | None,
    server: tuple[str, int | None] | None,
    base_path: str,
    public_url: str | None,
) -> str:
    """Base URI of the services for one request, without trailing slash.

    Parameters
    ----------
    headers
        Of the request, names lower case, several fields of one name joined with commas.
    peer
        Address of the other end of the connection.
    server
        Address and port of this end, for requests without Host.
    base_path
        Path of the Base URI on this server, such as ``/dicom-web``; a prefix that the proxy took away goes before it.
    public_url
        When given it is the answer, whatever the request says.

    Raises
    ------
    BadRequest
        Host, or what a trusted proxy says in its stead, is no host, scheme, port or path.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    host = headers.get("host", "").strip()
    port = prefix = ""
    if server is not None and host in (server[0], "localhost"):
        # dicomweb-client names the host without the port it talks to; that we are at this very address is certain.
        port = str(server[1] or "")
    if proxies.trusts(peer):
        told = _x_forwarded(proxies, headers)
        if "forwarded" in headers:
            told |= _forwarded(proxies, headers["forwarded"])
        scheme = told.get("proto", scheme)
        if "host" in told:
            host, port = told["host"], ""
        port = told.get("port", port)
        prefix = told.get("prefix", "")
    if not host:
        if server is None:
            raise BadRequest("The request has no Host header.")
        host = f"[{server[0]}]" if ":" in server[0] else server[0]
        port = port or str(server[1] or "")
    return _base(scheme, host, port, prefix) + base_path.rstrip("/")


@lru_cache(maxsize=256)
def _base(scheme: str, host: str, port: str, prefix: str) -> str:
    """The URL up to the base path, of checked parts; ports that the scheme implies are left out."""
    scheme = scheme.lower()
    if scheme not in _PORTS:
        raise BadRequest("The scheme of the request is neither http nor https.")
    match = _HOST.fullmatch(host) if len(host) <= 261 else None
    if match is None:
        raise BadRequest("The Host of the request is not a host name or address with an optional port.")
    port = match[2] or port
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:9]) <= 65535):
        raise BadRequest("The port of the request is not between 1 and 65535.")
    number = int(port) if port else _PORTS[scheme]
    if len(prefix) > 1000 or _PREFIX.fullmatch(prefix) is None:
        raise BadRequest("The prefix that the proxy names is not a path such as /pacs.")
    authority = match[1] if number == _PORTS[scheme] else f"{match[1]}:{number}"
    return f"{scheme}://{authority}{prefix.rstrip('/')}"


def _forwarded(proxies: Proxies, header: str) -> dict[str, str]:
    """Host and proto of the first proxy that can be believed; what it leaves out, from those behind it."""
    told: dict[str, str] = {}
    for element in reversed(split_list(header)[-_MAX_HOPS:]):
        pairs = split_parameters(element)
        if pairs is None:
            break
        told |= {name: value for name, value in pairs.items() if name in ("host", "proto") and value}
        if not proxies.trusts(_node(pairs.get("for", ""))):
            break
    return told


def _x_forwarded(proxies: Proxies, headers: Mapping[str, str]) -> dict[str, str]:
    """The same of the older headers: lists that each proxy appends to, or replaces by one value."""
    hops = 1
    for node in reversed(_values(headers.get("x-forwarded-for", ""))[1:][-_MAX_HOPS:]):
        if not proxies.trusts(_node(node)):
            break
        hops += 1
    told = {}
    for name in ("proto", "host", "port", "prefix"):
        values = _values(headers.get(f"x-forwarded-{name}", ""))
        if values:
            told[name] = values[-min(hops, len(values))]
    return told


def _values(header: str) -> list[str]:
    return [value.strip() for value in header.split(",") if value.strip()]


def _node(text: str) -> str:
    """The address in ``192.0.2.1``, ``192.0.2.1:80``, ``[2001:db8::1]`` or ``[2001:db8::1]:80``."""
    text = text.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text

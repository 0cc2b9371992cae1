"""Cross-origin requests: answered before anything else, and on every answer, errors included."""

from __future__ import annotations

from collections.abc import Mapping

Headers = list[tuple[str, str]]

_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_EXPOSED = (
    "Content-Type, Content-Length, Content-Location, Content-Range, Content-Encoding, Content-Disposition,"
    " Accept-Ranges, ETag, Last-Modified, Link, Location, Retry-After, Warning, X-Request-Id, X-Total-Count"
)
_USUAL_HEADERS = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, Range, X-Request-Id"


class Cors:
    """Which web origins may read answers.

    Parameters
    ----------
    origins
        Origins such as ``https://viewer.example.org``, or ``*`` for every origin without credentials.
    """

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def headers(self, request: Mapping[str, str]) -> Headers:
        """Headers for the answer to a request of a page; nothing for requests that are none."""
        origin = request.get("origin")
        # Pages that are isolated (for SharedArrayBuffer, as volume viewers need it) load only what says so.
        isolated = ("cross-origin-resource-policy", "cross-origin")
        if self._any:
            if origin is None:
                return [isolated]
            return [("access-control-allow-origin", "*"), ("access-control-expose-headers", _EXPOSED), isolated]
        headers = [("vary", "Origin")]
        if origin is not None and origin.lower() in self._origins:
            headers += [
                ("access-control-allow-origin", origin),
                ("access-control-allow-credentials", "true"),
                ("access-control-expose-headers", _EXPOSED),
                isolated,
            ]
        return headers

    def preflight(self, method: str, request: Mapping[str, str]) -> Headers | None:
        """Headers of the answer (204) to a preflight request; None where the request is none (§8.9)."""
        if method != "OPTIONS" or "origin" not in request or "access-control-request-method" not in request:
            return None
        headers = self.headers(request)
        if any(name == "access-control-allow-origin" for name, _ in headers):
            headers += [
                ("access-control-allow-methods", _METHODS),
                ("access-control-allow-headers", request.get("access-control-request-headers") or _USUAL_HEADERS),
                ("access-control-max-age", "86400"),
            ]
            if request.get("access-control-request-private-network") == "true":
                headers.append(("access-control-allow-private-network", "true"))
        return headers

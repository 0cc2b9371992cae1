"""http.cors: what browsers need to hear."""

from __future__ import annotations

import pytest

from skiagraph.http.cors import Cors

PAGE = "https://viewer.example.org"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization,accept",
}


@pytest.mark.parametrize(
    ("origins", "origin", "allowed", "credentials"),
    [
        pytest.param(("*",), PAGE, "*", False, id="every origin, then no credentials"),
        pytest.param(("*",), None, None, False, id="no page asks"),
        pytest.param((PAGE,), PAGE, PAGE, True, id="a listed origin"),
        pytest.param((PAGE + "/",), PAGE, PAGE, True, id="listed with a slash"),
        pytest.param((PAGE,), "https://other.example.org", None, False, id="another origin"),
        pytest.param((), PAGE, None, False, id="nobody"),
    ],
)
def test_who_may_read(origins: tuple[str, ...], origin: str | None, allowed: str | None, credentials: bool) -> None:
    headers = dict(Cors(origins).headers({"origin": origin} if origin else {}))
    assert headers.get("access-control-allow-origin") == allowed
    assert ("access-control-allow-credentials" in headers) is credentials
    if allowed:
        exposed = headers["access-control-expose-headers"]
        assert all(
            name in exposed for name in ("Content-Type", "Content-Location", "ETag", "Warning", "Link", "Location")
        )


def test_answers_that_depend_on_the_origin_say_so() -> None:
    assert ("vary", "Origin") in Cors((PAGE,)).headers({})


def test_preflight_grants_what_is_asked() -> None:
    headers = dict(Cors(("*",)).preflight("OPTIONS", PREFLIGHT) or ())
    assert headers["access-control-allow-headers"] == "authorization,accept"
    assert "DELETE" in headers["access-control-allow-methods"]


def test_preflight_of_a_stranger_grants_nothing() -> None:
    headers = dict(Cors(("https://only.example.org",)).preflight("OPTIONS", PREFLIGHT) or ())
    assert "access-control-allow-methods" not in headers


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("GET", PREFLIGHT, id="not OPTIONS"),
        pytest.param("OPTIONS", {"origin": PAGE}, id="8.9 OPTIONS of a page that asks for capabilities"),
        pytest.param("OPTIONS", {}, id="OPTIONS"),
    ],
)
def test_what_is_no_preflight(method: str, headers: dict[str, str]) -> None:
    assert Cors(("*",)).preflight(method, headers) is None

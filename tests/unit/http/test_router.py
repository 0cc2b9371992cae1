"""http.router: paths to Transactions."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.errors import BadRequest, MethodNotAllowed, ResourceNotFound
from skiagraph.http.router import Router
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction


async def _handler(_: Any, __: Request) -> Response:
    return Response(200)


def _row(method: str, template: str) -> Transaction:
    return Transaction(f"{method} {template}", "10", method, template, "read", frozenset({200}), (), _handler)


INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
ROUTER = Router(
    [
        _row("GET", "/studies"),
        _row("POST", "/studies"),
        _row("GET", "/studies/{study}"),
        _row("POST", "/studies/{study}"),
        _row("GET", "/studies/{study}/metadata"),
        _row("GET", "/studies/{study}/series"),
        _row("GET", INSTANCE),
        _row("GET", INSTANCE + "/frames/{frames}"),
        _row("GET", INSTANCE + "/bulkdata"),
        _row("GET", INSTANCE + "/bulkdata/{path*}"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "template", "variables"),
    [
        pytest.param("GET", "/studies", "/studies", {}, id="literal"),
        pytest.param("GET", "/studies/", "/studies", {}, id="trailing slash"),
        pytest.param("HEAD", "/studies", "/studies", {}, id="HEAD is GET"),
        pytest.param("GET", "/studies/1.2", "/studies/{study}", {"study": "1.2"}, id="variable"),
        pytest.param("GET", "/studies/1.2/metadata", "/studies/{study}/metadata", {"study": "1.2"}, id="suffix"),
        pytest.param("GET", "/studies/1.2/metadata/", "/studies/{study}/metadata", {"study": "1.2"}, id="suffix slash"),
        pytest.param(
            "GET",
            "/studies/1.2/series/3/instances/4/frames/1,2",
            INSTANCE + "/frames/{frames}",
            {"study": "1.2", "series": "3", "instance": "4", "frames": "1,2"},
            id="frames",
        ),
        pytest.param(
            "GET",
            "/studies/1.2/series/3/instances/4/bulkdata/00480105/0/00282000",
            INSTANCE + "/bulkdata/{path*}",
            {"study": "1.2", "series": "3", "instance": "4", "path": "00480105/0/00282000"},
            id="the rest of the path",
        ),
        pytest.param(
            "GET",
            "/studies/1.2/series/3/instances/4/bulkdata",
            INSTANCE + "/bulkdata",
            {"study": "1.2", "series": "3", "instance": "4"},
            id="without a rest",
        ),
    ],
)
def test_resolves(method: str, path: str, template: str, variables: dict[str, str]) -> None:
    transaction, found = ROUTER.resolve(method, path)
    assert (transaction.template, found) == (template, variables)


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        pytest.param("GET", "/nothing", ResourceNotFound, id="unknown"),
        pytest.param("GET", "/studies/1.2/nothing", ResourceNotFound, id="unknown suffix"),
        pytest.param("GET", "/studies//metadata", ResourceNotFound, id="empty segment"),
        pytest.param("GET", "/studies/one", BadRequest, id="5.1.1 not a UID"),
        pytest.param("GET", "/studies/../metadata", BadRequest, id="dots are no UID"),
        pytest.param("GET", "/studies/" + "1" * 65, BadRequest, id="PS3.5 §9 more than 64 characters"),
        pytest.param("DELETE", "/studies", MethodNotAllowed, id="method"),
        pytest.param("PATCH", "/studies/1.2", MethodNotAllowed, id="method on a variable"),
    ],
)
def test_refuses(method: str, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ROUTER.resolve(method, path)


def test_405_says_what_is_allowed() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.resolve("DELETE", "/studies/1.2")
    assert caught.value.allow == ("GET", "HEAD", "OPTIONS", "POST")
    assert ROUTER.allow("/studies/1.2/metadata") == ("GET", "HEAD", "OPTIONS")
    assert ROUTER.allow("/nothing") == ()


def test_the_same_row_twice_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="declared twice"):
        Router([_row("GET", "/studies"), _row("GET", "/studies")])

"""What refusals of servers mean."""

from __future__ import annotations

import httpx
import pytest

from skiagraph.cli import client


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param(httpx.Response(500), "no reason given", id="no body"),
        pytest.param(httpx.Response(400, text="Wrong date."), "Wrong date.", id="text"),
        pytest.param(httpx.Response(404, html="<p>"), "Base URI", id="a page of something else"),
        pytest.param(httpx.Response(401), "credentials", id="credentials"),
        pytest.param(httpx.Response(400, json={"message": "No."}), "No.", id="plain JSON"),
        pytest.param(
            httpx.Response(400, json=[{"00741048": {"Value": [{"00000902": {"Value": ["Deep."]}}]}}]),
            "Deep.",
            id="DICOM",
        ),
        pytest.param(httpx.Response(400, content=b"{", headers={"content-type": "x/json"}), "no reason", id="no JSON"),
        pytest.param(httpx.Response(500, headers={"x-request-id": "77"}), "(request 77)", id="request id"),
    ],
)
def test_refusals(response: httpx.Response, text: str) -> None:
    assert text in str(client.refusal(response))


@pytest.mark.parametrize(
    ("code", "text"),
    [(0x0111, "another data set"), (0xA7FF, "out of resources"), (0xC123, "can not be understood"), (0x9999, "failed")],
)
def test_failure_reasons(code: int, text: str) -> None:
    assert text in client.reason(code)

"""Retrieve Capabilities — PS3.18 §8.9, Annexes G and H."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from lxml import etree

from skiagraph.app import TRANSACTIONS
from skiagraph.services import capabilities

WADL = "{http://wadl.dev.java.net/2009/02}"


def document(client: httpx.Client, path: str = "", **headers: str) -> etree._Element:
    response = client.options(path or str(client.base_url), headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.sun.wadl+xml"
    return etree.fromstring(response.content)


def methods(resource: etree._Element, path: str = "") -> dict[str, set[str]]:
    """Methods of all resources of a document, by their paths."""
    found: dict[str, set[str]] = {}
    for child in resource.findall(f"{WADL}resource"):
        here = f"{path}/{child.get('path')}"
        names = {str(method.get("name")) for method in child.findall(f"{WADL}method")}
        if names:
            found[here] = names
        found |= methods(child, here)
    return found


def test_every_transaction_is_described_once(client: httpx.Client, base_url: str) -> None:
    root = document(client)
    assert root.tag == f"{WADL}application"
    (resources,) = root.findall(f"{WADL}resources")
    assert resources.get("base") == base_url + "/"
    expected: dict[str, set[str]] = {}
    for row in TRANSACTIONS:
        expected.setdefault(row.template.replace("*}", "}"), set()).add(row.method)
    assert methods(resources) == expected
    names = [str(method.get("id")) for method in root.iter(f"{WADL}method")]
    assert len(names) == len(set(names)) == len(TRANSACTIONS)


def test_the_two_forms_say_the_same(client: httpx.Client) -> None:
    in_json = client.options(str(client.base_url), headers={"accept": "application/json"})
    assert in_json.status_code == 200
    assert in_json.headers["content-type"] == "application/json"

    def told(element: etree._Element) -> dict[str, Any]:
        found: dict[str, Any] = {
            "@" + str(name).replace("{http://www.w3.org/XML/1998/namespace}", "xml:"): value
            for name, value in element.attrib.items()
        }
        if element.tag == f"{WADL}doc":
            found["value"] = element.text
        for child in element:
            name = str(child.tag).removeprefix(WADL)
            if name in ("resources", "request"):
                found[name] = told(child)
            else:
                found.setdefault(name, []).append(told(child))
        return found

    assert in_json.json() == {"application": told(document(client))}


@pytest.mark.parametrize(
    ("path", "first"),
    [
        pytest.param("studies", "studies", id="a resource"),
        pytest.param("studies/1.2.3/series", "studies/1.2.3/series", id="below one that is named"),
    ],
)
def test_a_resource_below(client: httpx.Client, path: str, first: str) -> None:
    root = document(client, path, accept="application/vnd.sun.wadl+xml")
    (resource,) = root.findall(f"{WADL}resources/{WADL}resource")
    assert resource.get("path") == first
    assert methods(root.find(f"{WADL}resources"))  # type: ignore[arg-type]


def test_it_is_known_already(client: httpx.Client) -> None:
    first = client.options(str(client.base_url))
    second = client.options(str(client.base_url), headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 304
    assert second.content == b""


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("", {"accept": "image/png"}, 406, id="no such form"),
        pytest.param("studies", {}, 204, id="methods of a resource"),
        pytest.param("nothing", {}, 404, id="no such resource"),
        pytest.param("", {"origin": "http://x", "access-control-request-method": "GET"}, 204, id="a preflight"),
    ],
)
def test_other_answers(client: httpx.Client, path: str, headers: dict[str, str], status: int) -> None:
    response = client.options(path or str(client.base_url), headers=headers)
    assert response.status_code == status
    if status == 204:
        assert "allow" in response.headers or "access-control-allow-methods" in response.headers


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in TRANSACTIONS
        if row.section in ("10.6", "11.9", "14.4") or row.template.endswith(("/rendered", "/thumbnail"))
    ],
    ids=lambda row: row.template,
)
def test_the_parameters_that_are_named_are_known(client: httpx.Client, row: Any) -> None:
    """A parameter that the server did not know would be ignored with a Warning."""
    path = row.template.replace("{study}", "1.2").replace("{series}", "1.3").replace("{instance}", "1.4")
    for parameter in capabilities.parameters(row):
        name = parameter.attributes["name"]
        if name in ("accept", "includefield"):
            continue
        response = client.get(path.replace("{frames}", "1").lstrip("/"), params={name: ""})
        assert "nknown" not in response.headers.get("warning", ""), name


def test_worklists_of_modalities_are_described(client: httpx.Client) -> None:
    """Chapters 14 and 15: required matching keys of Table K.6-1, and the parameter that makes a Create an Update."""
    text = client.options("/", headers={"accept": "application/vnd.sun.wadl+xml"}).text
    for name in (
        "ScheduledProcedureStepSequence.ScheduledStationAETitle",
        "00400100.00400002",
        'path="modality-performed-procedure-steps"',
        'name="update"',
    ):
        assert name in text

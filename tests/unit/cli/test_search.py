"""Finding things: what is asked, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from skiagraph.cli.console import CommandError
from skiagraph.cli.search import parse, readable

from .conftest import FakeServer

Run = Callable[..., Any]
STUDY = {
    "00080020": {"vr": "DA", "Value": ["20240131"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
    "00100020": {"vr": "LO"},
    "0020000D": {"vr": "UI", "Value": ["1.2." + "3" * 60]},
    "00201208": {"vr": "IS", "Value": [12]},
}


def answer(server: FakeServer, *matches: object) -> None:
    server.before = lambda _request: httpx.Response(200, json=list(matches))


def asked(server: FakeServer) -> str:
    return str(server.requests[-1].url).removeprefix("http://127.0.0.1:8080/dicom-web")


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        pytest.param([], "/studies?limit=101&includefield=StudyDescription", id="nothing"),
        pytest.param(["series"], "/series?limit=101", id="level"),
        pytest.param(["series", "PatientID=7"], "/series?PatientID=7&limit=101", id="level and condition"),
        pytest.param(["Modality=SM", "--json"], "/studies?Modality=SM&limit=100", id="condition without level"),
        pytest.param(["instances"], "/instances?limit=101&includefield=NumberOfFrames", id="what the table needs"),
        pytest.param(["series", "PatientName=A^B*"], "/series?PatientName=A%5EB%2A&limit=101", id="characters"),
        pytest.param(["series", "--limit", 5, "--offset", 10], "/series?limit=6&offset=10", id="page"),
        pytest.param(["series", "limit=7"], "/series?limit=7", id="limit as a condition"),
        pytest.param(["--json"], "/studies?limit=100", id="JSON: as many as asked"),
        pytest.param(["series", "StudyID=a=b"], "/series?StudyID=a%3Db&limit=101", id="= in a value"),
    ],
)
def test_what_is_asked(server: FakeServer, run: Run, arguments: list[object], url: str) -> None:
    assert run("search", *arguments).exit_code == 0
    assert asked(server) == url
    assert server.requests[-1].headers["accept"] == "application/dicom+json"


def test_the_table_holds_names_dates_and_whole_uids(server: FakeServer, run: Run) -> None:
    answer(server, STUDY)
    output = run("search").output
    for text in ("2024-01-31", "Yamada Tarou 山田 太郎", "CT/SR", "1.2." + "3" * 60, "12", "1 study"):
        assert text in output


def test_more_results_than_shown_are_announced(server: FakeServer, run: Run) -> None:
    answer(server, STUDY, STUDY, STUDY)
    output = run("search", "--limit", 2).output
    assert output.count("2024-01-31") == 2
    assert "--offset 2" in output


@pytest.mark.parametrize(
    ("response", "text"),
    [(httpx.Response(204), "There are no studies."), (httpx.Response(200, json=[]), "There are no studies.")],
    ids=["204", "200 []"],
)
def test_nothing_found(server: FakeServer, run: Run, response: httpx.Response, text: str) -> None:
    server.before = lambda _request: response
    result = run("search")
    assert result.exit_code == 0
    assert text in result.output


def test_json_is_passed_through(server: FakeServer, run: Run) -> None:
    answer(server, STUDY)
    assert json.loads(run("search", "--json").output) == [STUDY]


def test_json_of_an_empty_answer_is_json(server: FakeServer, run: Run) -> None:
    server.before = lambda _request: httpx.Response(204)
    assert json.loads(run("search", "--json").output) == []


def test_a_warning_of_the_server_is_shown(server: FakeServer, run: Run) -> None:
    headers = {"warning": '299 x "There are more results"'}
    server.before = lambda _request: httpx.Response(200, json=[STUDY], headers=headers)
    assert "There are more results" in run("search").output


@pytest.mark.parametrize("arguments", [["search"], ["search", "--json"]], ids=["table", "JSON"])
def test_a_refusal_is_told_with_its_words(server: FakeServer, run: Run, arguments: list[str]) -> None:
    report = [{"00000902": {"vr": "LO", "Value": ["StudyDate is no date"]}}]
    server.before = lambda _request: httpx.Response(400, json=report)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "400: StudyDate is no date" in result.output


@pytest.mark.parametrize("body", [b"<html>", b'{"a": 1}'], ids=["no JSON", "no list"])
def test_what_is_no_answer_of_dicomweb_is_said(server: FakeServer, run: Run, body: bytes) -> None:
    server.before = lambda _request: httpx.Response(200, content=body)
    result = run("search")
    assert result.exit_code == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize("terms", [["patients"], ["studies", "PatientID"], ["studies", "=1"]])
def test_wrong_terms(terms: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        parse(terms)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("value", "vr", "text"),
    [
        pytest.param("20240131", "DA", "2024-01-31", id="date"),
        pytest.param("2024", "DA", "2024", id="no date"),
        pytest.param("1.2.840.10008.5.1.4.1.1.2", "UI", "CT Image", id="SOP class"),
        pytest.param({"Alphabetic": "A^B^^^"}, "PN", "A B", id="name"),
        pytest.param({"Phonetic": "や"}, "PN", "や", id="phonetic name alone"),
        pytest.param(None, "LO", "", id="no value"),
        pytest.param(7, "IS", "7", id="number"),
        pytest.param("a\x1b[31mb", "LO", "a\N{REPLACEMENT CHARACTER}[31mb", id="terminal codes stay inert"),
    ],
)
def test_values_for_people(value: object, vr: str, text: str) -> None:
    assert readable(value, vr) == text


def test_markup_in_values_stays_text(server: FakeServer, run: Run) -> None:
    answer(server, {**STUDY, "00100020": {"vr": "LO", "Value": ["[red]x[/red]"]}})
    assert "[red]x[/red]" in run("search").output

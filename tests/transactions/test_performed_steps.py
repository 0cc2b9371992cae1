"""Modality Performed Procedure Steps over HTTP: a row for every status — PS3.18 chapter 15, PS3.4 F.7, F.8."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from archives import opened
from dicom_files import uid
from procedure_steps import begun, data_set, ended
from skiagraph.errors import Unavailable
from skiagraph.services import upkeep
from skiagraph.standard.native_xml import from_xml, to_xml

MPPS = "modality-performed-procedure-steps"
JSON = {"content-type": "application/dicom+json"}
STATUS = "00400252"


def begin(client: httpx.Client, **changes: Any) -> str:
    name = uid()
    response = client.post(f"{MPPS}/{name}", json=begun(**changes), headers=JSON)
    assert response.status_code == 201, response.text
    return name


def update(client: httpx.Client, name: str, payload: Any) -> httpx.Response:
    return client.post(f"{MPPS}/{name}?update", json=payload, headers=JSON)


def get(client: httpx.Client, name: str, query: str = "") -> dict[str, Any]:
    response = client.get(f"{MPPS}/{name}{query}")
    assert response.status_code == 200, response.text
    (found,) = response.json()
    return dict(found)


class TestCreate:
    def test_201_with_what_is_missing_added(self, client: httpx.Client, base_url: str) -> None:
        name = uid()
        response = client.post(f"{MPPS}/{name}", json=[begun()], headers=JSON)
        assert (response.status_code, response.content) == (201, b"")
        assert response.headers["location"] == f"{base_url}/{MPPS}/{name}"
        assert response.headers["warning"].endswith("was created with modifications.")
        found = get(client, name)
        assert found["00080018"]["Value"] == [name]
        assert found["00080016"]["Value"] == ["1.2.840.10008.3.1.2.3.3"]
        assert "Value" not in found["00400340"]
        assert found[STATUS]["Value"] == ["IN PROGRESS"]

    def test_xml(self, client: httpx.Client) -> None:
        name = uid()
        kind = {"content-type": "application/dicom+xml"}
        assert client.post(f"{MPPS}/{name}", content=to_xml(begun()), headers=kind).status_code == 201

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            pytest.param({"PerformedProcedureStepStatus": "COMPLETED"}, "shall be IN PROGRESS", id="0106 final state"),
            pytest.param({"PerformedProcedureStepStatus": "DONE"}, "none of IN PROGRESS", id="no such state"),
            pytest.param({"PerformedProcedureStepStatus": None}, "(0040,0252) needs a value", id="no state"),
            pytest.param({"Modality": None}, "Modality (0008,0060) needs a value", id="type 1"),
            pytest.param({"PerformedStationAETitle": ""}, "(0040,0241) needs a value", id="empty type 1"),
            pytest.param({"ScheduledStepAttributesSequence": []}, "(0040,0270) needs a value", id="no scheduled step"),
            pytest.param(
                {"ScheduledStepAttributesSequence": [data_set(AccessionNumber="A")]},
                "StudyInstanceUID (0020,000D) needs a value",
                id="scheduled step without Study",
            ),
            pytest.param(
                {"ScheduledStepAttributesSequence": [data_set(StudyInstanceUID="1.2")] * 101},
                "more than 100 Items",
                id="too many scheduled steps",
            ),
            pytest.param({"SOPInstanceUID": "1.2.3"}, "is not that of the path", id="another UID"),
            pytest.param({"SOPClassUID": "1.2.3"}, "SOP Class UID", id="another SOP Class"),
        ],
    )
    def test_400(self, client: httpx.Client, change: dict[str, Any], sentence: str) -> None:
        name = uid()
        response = client.post(f"{MPPS}/{name}", json=begun(**change), headers=JSON)
        assert response.status_code == 400
        assert sentence in response.text
        assert client.get(f"{MPPS}/{name}").status_code == 404

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"", "application/dicom+json", 400),
            (b"[{},{}]", "application/dicom+json", 400),
            (b"<", "application/dicom+xml", 400),
            (b"x", "text/plain", 415),
        ],
    )
    def test_payloads(self, client: httpx.Client, content: bytes, kind: str, status: int) -> None:
        assert client.post(f"{MPPS}/{uid()}", content=content, headers={"content-type": kind}).status_code == status

    def test_409_in_whatever_state(self, client: httpx.Client) -> None:
        name = begin(client)
        assert client.post(f"{MPPS}/{name}", json=begun(), headers=JSON).status_code == 409
        assert update(client, name, ended()).status_code == 200
        assert client.post(f"{MPPS}/{name}", json=begun(), headers=JSON).status_code == 409

    def test_path_is_a_uid(self, client: httpx.Client) -> None:
        for ask in (client.post, client.get):
            assert ask(f"{MPPS}/one").status_code == 400


class TestUpdate:
    def test_200_step_by_step(self, client: httpx.Client) -> None:
        """Sequences are replaced whole; what is not named stays."""
        name = begin(client)
        for number in (1, 2):
            series = [data_set(SeriesInstanceUID=f"1.2.{i}", ProtocolName="P") for i in range(number)]
            response = update(client, name, data_set(PerformedSeriesSequence=series))
            assert (response.status_code, response.content) == (200, b"")
            assert len(get(client, name)["00400340"]["Value"]) == number
        assert update(client, name, ended(PerformedSeriesSequence=None)).status_code == 200
        found = get(client, name)
        assert found[STATUS]["Value"] == ["COMPLETED"]
        assert len(found["00400340"]["Value"]) == 2
        assert found["00400253"]["Value"] == ["PPS1"]

    @pytest.mark.parametrize(
        "parameter", ["update", "update=", "update=true", "x=1&update"], ids=["bare", "empty", "true", "second"]
    )
    def test_the_parameter_tells_it_from_create(self, client: httpx.Client, parameter: str) -> None:
        name = begin(client)
        response = client.post(f"{MPPS}/{name}?{parameter}", json=ended("DISCONTINUED"), headers=JSON)
        assert response.status_code == 200
        assert get(client, name)[STATUS]["Value"] == ["DISCONTINUED"]

    def test_discontinued_needs_no_series(self, client: httpx.Client) -> None:
        assert update(client, begin(client), ended("DISCONTINUED", PerformedSeriesSequence=[])).status_code == 200

    def test_what_create_set_may_be_repeated(self, client: httpx.Client) -> None:
        name = begin(client)
        again = begun() | ended()
        assert update(client, name, again).status_code == 200

    @pytest.mark.parametrize(
        ("payload", "status", "sentence"),
        [
            pytest.param(data_set(PerformedProcedureStepStatus="DONE"), 400, "none of", id="400 no such state"),
            pytest.param(data_set(SOPInstanceUID="1.2"), 400, "not that of the path", id="400 another UID"),
            pytest.param(data_set(PatientID="0815"), 409, "PatientID (0010,0020) can not be updated", id="409 fixed"),
            pytest.param(data_set(StudyID="1"), 409, "StudyID (0020,0010)", id="409 added later"),
            pytest.param(
                ended(PerformedProcedureStepEndDate=None), 409, "(0040,0250) needs a value", id="409 no end date"
            ),
            pytest.param(
                ended("DISCONTINUED", PerformedProcedureStepEndTime=""), 409, "(0040,0251)", id="409 no end time"
            ),
            pytest.param(ended(PerformedSeriesSequence=[]), 409, "(0040,0340) needs a value", id="409 no series"),
            pytest.param(
                ended(PerformedSeriesSequence=[data_set(ProtocolName="P")]), 409, "(0020,000E)", id="409 series UID"
            ),
        ],
    )
    def test_refused(self, client: httpx.Client, payload: dict[str, Any], status: int, sentence: str) -> None:
        name = begin(client)
        before = get(client, name)
        response = update(client, name, payload)
        assert response.status_code == status
        assert sentence in response.text
        assert get(client, name) == before

    @pytest.mark.parametrize("state", ["COMPLETED", "DISCONTINUED"])
    def test_409_final_is_final(self, client: httpx.Client, state: str) -> None:
        """F.7.2.2.2: DIMSE 0110, error ID A710."""
        name = begin(client)
        assert update(client, name, ended(state)).status_code == 200
        before = get(client, name)
        for payload in (data_set(PerformedProcedureStepDescription="x"), ended("COMPLETED"), begun()):
            response = update(client, name, payload)
            assert response.status_code == 409
            assert "may no longer be updated" in response.text
        assert get(client, name) == before

    def test_404(self, client: httpx.Client) -> None:
        assert update(client, uid(), ended()).status_code == 404

    def test_415(self, client: httpx.Client) -> None:
        name = begin(client)
        response = client.post(f"{MPPS}/{name}?update", content=b"x", headers={"content-type": "text/plain"})
        assert response.status_code == 415


class TestRetrieve:
    def test_200(self, client: httpx.Client, base_url: str) -> None:
        name = begin(client, PatientName="Müller^Anna")
        response = client.get(f"{MPPS}/{name}")
        assert response.headers["content-type"] == "application/dicom+json"
        assert response.headers["content-location"] == f"{base_url}/{MPPS}/{name}"
        assert response.json()[0]["00100010"]["Value"] == [{"Alphabetic": "Müller^Anna"}]
        unchanged = client.get(f"{MPPS}/{name}", headers={"if-none-match": response.headers["etag"]})
        assert unchanged.status_code == 304
        update(client, name, data_set(PerformedProcedureStepDescription="x"))
        changed = client.get(f"{MPPS}/{name}", headers={"if-none-match": response.headers["etag"]})
        assert changed.status_code == 200
        in_xml = client.get(f"{MPPS}/{name}", headers={"accept": "application/dicom+xml"})
        assert from_xml(in_xml.content)[STATUS]["Value"] == ["IN PROGRESS"]

    @pytest.mark.parametrize(
        ("query", "tags"),
        [
            ("?includefield=PatientID", {"00080016", "00080018", STATUS, "00100020"}),
            ("?includefield=00400270.StudyInstanceUID", {"00080016", "00080018", STATUS, "00400270"}),
            ("?includefield=Modality,00400241", {"00080016", "00080018", STATUS, "00080060", "00400241"}),
        ],
    )  # fmt: skip
    def test_includefield(self, client: httpx.Client, query: str, tags: set[str]) -> None:
        name = begin(client)
        assert set(get(client, name, query)) == tags
        assert get(client, name, "?includefield=all") == get(client, name)

    def test_statuses(self, client: httpx.Client) -> None:
        assert client.get(f"{MPPS}/{uid()}").status_code == 404
        name = begin(client)
        assert client.get(f"{MPPS}/{name}", headers={"accept": "image/png"}).status_code == 406
        assert client.get(f"{MPPS}/{name}?includefield=%FF").status_code == 400


def test_410_when_its_time_is_over(tmp_path: Path) -> None:
    """Setting `performed_step_days`; by default steps are kept for ever."""
    for days, status in ((0.0, 410), (None, 200)):
        with opened(tmp_path / str(status), performed_step_days=days) as given:
            path = f"{MPPS}/1.2.3"
            created = given.get(path, method="POST", headers=JSON, body=orjson.dumps(begun()))
            assert created.status == 201
            ending = {"method": "POST", "headers": JSON, "query": "update", "body": orjson.dumps(ended())}
            assert given.get(path, **ending).status == 200
            asyncio.run(upkeep.look(given.archive, 1e12))
            assert given.get(path).status == status
            assert given.get(path, **ending).status == (410 if status == 410 else 409)


def test_503_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise Unavailable("The index is busy; try again later.")

    with opened(tmp_path) as given:
        monkeypatch.setattr(given.archive.index, "together", fail)
        for query in ("", "update"):
            answer = given.get(f"{MPPS}/1.2.3", method="POST", headers=JSON, query=query, body=orjson.dumps(begun()))
            assert answer.status == 503

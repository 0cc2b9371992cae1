"""The modality worklist over HTTP — PS3.18 chapter 14 — and how entries come into it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dicom_files import uid
from procedure_steps import begun, data_set, ended, entry, step
from skiagraph.standard.native_xml import from_xml, to_xml

MWL, MPPS = "modality-scheduled-procedure-steps", "modality-performed-procedure-steps"
JSON = {"content-type": "application/dicom+json"}
STEP, STEP_ID, STATUS, STATE = "00400100", "00400009", "00400020", "00741000"
SEQUENCE = "ScheduledProcedureStepSequence"


def add(client: httpx.Client, *entries: dict[str, Any]) -> None:
    response = client.post(MWL, json=list(entries), headers=JSON)
    assert response.status_code == 201, response.text


def study_of(data: dict[str, Any]) -> str:
    return str(data["0020000D"]["Value"][0])


def search(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    parameters = {name.replace("__", "."): value for name, value in query.items()}
    response = client.get(MWL, params=parameters)
    assert response.status_code == 200, response.text
    return list(response.json())


def steps(found: list[dict[str, Any]]) -> list[str]:
    return [one[STEP]["Value"][0][STEP_ID]["Value"][0] for one in found]


# Search (§14.4) ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan(base_url: str) -> str:
    """Four steps of one day for one patient; returns the Patient ID."""
    patient = uid()[-16:]
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        for number, (station, modality, hour, day, doctor) in enumerate(
            [
                ("CT1", "CT", "0930", "20260131", "House^Gregory"),
                ("CT2", "CT", "1430", "20260131", "Wilson^James"),
                ("MR1", "MR", "080000", "20260131", "House^Gregory"),
                ("CT1", "CT", "0930", "20260201", "Cuddy^Lisa"),
            ],
            1,
        ):
            item = step(
                ScheduledStationAETitle=station,
                Modality=modality,
                ScheduledProcedureStepStartDate=day,
                ScheduledProcedureStepStartTime=hour,
                ScheduledPerformingPhysicianName=doctor,
                ScheduledProcedureStepID=f"S{number}",
            )
            add(
                client, entry(item, PatientID=patient, PatientName="Müller^Anna", AccessionNumber=f"{patient}-{number}")
            )
    return patient


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, ["S3", "S1", "S2", "S4"], id="all, earliest first"),
        pytest.param({"PatientName": "muller*"}, ["S3", "S1", "S2", "S4"], id="Patient's Name"),
        pytest.param({"PatientName": "Anna", "fuzzymatching": "true"}, ["S3", "S1", "S2", "S4"], id="fuzzy"),
        pytest.param({f"{SEQUENCE}.Modality": "CT"}, ["S1", "S2", "S4"], id="Modality"),
        pytest.param({f"{SEQUENCE}.Modality": "MR,US"}, ["S3"], id="list of modalities"),
        pytest.param({"00400100.00080060": "MR"}, ["S3"], id="by tags"),
        pytest.param({f"{SEQUENCE}.ScheduledStationAETitle": "CT1"}, ["S1", "S4"], id="Station AE Title"),
        pytest.param(
            {f"{SEQUENCE}.ScheduledPerformingPhysicianName": "house^*"}, ["S3", "S1"], id="performing physician"
        ),
        pytest.param({f"{SEQUENCE}.ScheduledProcedureStepStartDate": "20260201"}, ["S4"], id="a day"),
        pytest.param({f"{SEQUENCE}.ScheduledProcedureStepStartDate": "20260131-20260201"}, ["S3", "S1", "S2", "S4"],
                     id="days"),
        pytest.param(
            {
                f"{SEQUENCE}.ScheduledProcedureStepStartDate": "20260131-20260201",
                f"{SEQUENCE}.ScheduledProcedureStepStartTime": "1200-0800",
            },
            ["S2"],
            id="date and time are one interval",
        ),
        pytest.param({f"{SEQUENCE}.ScheduledProcedureStepStartTime": "0700-1000"}, ["S3", "S1", "S4"], id="time alone"),
        pytest.param(
            {f"{SEQUENCE}.Modality": "CT", f"{SEQUENCE}.ScheduledProcedureStepStartDate": "20260131"},
            ["S1", "S2"],
            id="modality and day",
        ),
        pytest.param({"limit": "2", "offset": "1"}, ["S1", "S2"], id="page"),
        pytest.param({f"{SEQUENCE}.ScheduledProcedureStepID": "S?"}, ["S3", "S1", "S2", "S4"], id="wildcard"),
    ],
)  # fmt: skip
def test_search(client: httpx.Client, plan: str, query: dict[str, str], expected: list[str]) -> None:
    assert steps(search(client, PatientID=plan, **query)) == expected


def test_return_keys(client: httpx.Client, plan: str) -> None:
    """Table K.6-1: types 1 and 2 always, others where they are there or asked for."""
    (found,) = search(client, PatientID=plan, limit=1, offset=1)
    assert found["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Anna"}]}
    assert found["00080005"]["Value"] == ["ISO_IR 192"]
    for tag in ("00081110", "00401003", "00321032", "00380010", "00101030", "001021C0"):
        assert "Value" not in found[tag]
    assert STATE not in found
    (item,) = found[STEP]["Value"]
    assert item["00400007"]["Value"] == ["CT Thorax"]
    assert item["00400011"] == {"vr": "SH"}
    (more,) = search(client, PatientID=plan, limit=1, offset=1, includefield="ProcedureStepState")
    assert more[STATE]["Value"] == ["SCHEDULED"]


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        pytest.param("application/dicom+json", 200, "application/dicom+json", id="200 JSON"),
        pytest.param('multipart/related; type="application/dicom+xml"', 200, "multipart/related", id="200 XML parts"),
        pytest.param('multipart/related; type="application/dicom+json"', 200, "multipart/related", id="200 JSON parts"),
        pytest.param("application/dicom+xml", 200, "application/dicom+xml", id="200 XML of one"),
        pytest.param("image/png", 406, "text/plain", id="406"),
    ],
)
def test_search_media_types(client: httpx.Client, plan: str, accept: str, status: int, kind: str) -> None:
    query = {"PatientID": plan, "limit": "1"}
    response = client.get(MWL, params=query, headers={"accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"].startswith(kind)
    if status == 200:
        assert response.headers["x-total-count"] == "4"
        assert "There are 3 additional results" in response.headers["warning"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("limit=x", 400, id="400 limit"),
        pytest.param(f"{SEQUENCE}.ScheduledProcedureStepStartDate=yesterday", 400, id="400 date"),
        pytest.param("PatientID=nobody&includefield=all", 200, id="200 nothing"),
        pytest.param("Nonsense=1&PatientID=nobody", 200, id="200 unknown parameter"),
    ],
)
def test_search_statuses(client: httpx.Client, query: str, status: int) -> None:
    response = client.get(f"{MWL}?{query}")
    assert response.status_code == status
    if "Nonsense" in query:
        assert "Nonsense" in response.headers["warning"]
        assert response.json() == []


# Entries ----------------------------------------------------------------------------------------------------------


def test_201_with_location_and_retrieved_again(client: httpx.Client, base_url: str) -> None:
    one = entry(step(ScheduledProcedureStepID="CT 1/ü"))
    response = client.post(MWL, json=one, headers=JSON)
    assert response.status_code == 201
    location = f"{base_url}/{MWL}/{study_of(one)}/CT%201/%C3%BC"
    assert response.headers["location"] == location
    found = client.get(location)
    assert found.status_code == 200
    assert found.headers["content-location"] == location
    assert found.json()[0] == one | {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
                                     STATE: {"vr": "CS", "Value": ["SCHEDULED"]}}  # fmt: skip
    assert client.get(location, headers={"if-none-match": found.headers["etag"]}).status_code == 304
    assert client.get(location, headers={"accept": "image/png"}).status_code == 406
    in_xml = client.get(location, headers={"accept": "application/dicom+xml"})
    assert from_xml(in_xml.content)["0020000D"]["Value"] == [study_of(one)]


def test_several_steps_become_several_entries(client: httpx.Client) -> None:
    """PS3.4 K.6.1.2.2: a worklist answers with one step at a time."""
    study = uid()
    both = entry(step(ScheduledProcedureStepID="A"), step(ScheduledProcedureStepID="B"), StudyInstanceUID=study)
    response = client.post(MWL, json=[both], headers=JSON)
    assert response.status_code == 201
    assert "location" not in response.headers
    found = search(client, StudyInstanceUID=study)
    assert steps(found) == ["A", "B"]
    assert [len(one[STEP]["Value"]) for one in found] == [1, 1]


@pytest.mark.parametrize("form", ["xml", "parts", "file"])
def test_other_forms_of_payload(client: httpx.Client, form: str) -> None:
    one = entry(PatientName="Yamada^Tarou")
    document = to_xml(one)
    if form == "xml":
        response = client.post(MWL, content=document, headers={"content-type": "application/dicom+xml"})
    elif form == "parts":
        body = b"--x\r\nContent-Type: application/dicom+xml\r\n\r\n" + document + b"\r\n--x--\r\n"
        kind = 'multipart/related; type="application/dicom+xml"; boundary=x'
        response = client.post(MWL, content=body, headers={"content-type": kind})
    else:
        import io

        import pydicom
        from pydicom.dataset import FileMetaDataset

        made = pydicom.Dataset.from_json(one)
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.31"
        made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        buffer = io.BytesIO()
        made.save_as(buffer, enforce_file_format=True)
        response = client.post(MWL, content=buffer.getvalue(), headers={"content-type": "application/dicom"})
    assert response.status_code == 201, response.text
    assert steps(search(client, StudyInstanceUID=study_of(one))) == ["SPS1"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"PatientName": None}, "PatientName (0010,0010) needs a value", id="400 without name"),
        pytest.param({"PatientID": ""}, "PatientID (0010,0020) needs a value", id="400 with an empty ID"),
        pytest.param({"StudyInstanceUID": None}, "StudyInstanceUID (0020,000D) needs a value", id="400 without Study"),
        pytest.param({"StudyInstanceUID": "1.x"}, "is no UID", id="400 broken UID"),
        pytest.param({SEQUENCE: []}, "has 1 to 20 Items", id="400 without step"),
        pytest.param({SEQUENCE: [step()] * 21}, "has 1 to 20 Items", id="400 too many steps"),
        pytest.param({SEQUENCE: [step(Modality=None)]}, "Modality (0008,0060) needs a value", id="400 modality"),
        pytest.param({SEQUENCE: [step(ScheduledProcedureStepStartDate="soon")]}, "is no date", id="400 date"),
        pytest.param({SEQUENCE: [step(ScheduledProcedureStepStartTime="late")]}, "is no time", id="400 time"),
        pytest.param({SEQUENCE: [step(ScheduledProcedureStepID="..")]}, "in a URL", id="400 dots"),
        pytest.param({SEQUENCE: [step(ScheduledProcedureStepID="a/")]}, "in a URL", id="400 slash"),
    ],
)
def test_what_is_no_entry(client: httpx.Client, change: dict[str, Any], sentence: str) -> None:
    """Return keys of type 1 need values; the answer names every fault, and nothing is kept."""
    good = entry()
    response = client.post(MWL, json=[good, entry(**change)], headers=JSON)
    assert response.status_code == 400
    assert sentence in response.text
    assert search(client, StudyInstanceUID=study_of(good)) == []


def test_all_faults_at_once(client: httpx.Client) -> None:
    response = client.post(MWL, json=[data_set(**{SEQUENCE: [data_set(Modality="CT")]})], headers=JSON)
    assert response.status_code == 400
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureID", "ScheduledStationAETitle"):
        assert name in response.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        pytest.param(b"", "application/dicom+json", 400, id="400 empty"),
        pytest.param(b"[]", "application/dicom+json", 400, id="400 no data set"),
        pytest.param(b"{", "application/dicom+json", 400, id="400 no JSON"),
        pytest.param(b"x", "image/png", 415, id="415"),
    ],
)
def test_payload_statuses(client: httpx.Client, content: bytes, kind: str, status: int) -> None:
    assert client.post(MWL, content=content, headers={"content-type": kind}).status_code == status


def test_409_all_or_none(client: httpx.Client) -> None:
    there, fresh = entry(), entry()
    add(client, there)
    response = client.post(MWL, json=[fresh, there], headers=JSON)
    assert response.status_code == 409
    assert f"There is an entry {study_of(there)}/SPS1" in response.text
    assert search(client, StudyInstanceUID=study_of(fresh)) == []
    assert client.post(MWL, json=[fresh, fresh], headers=JSON).status_code == 400


def test_put_adds_and_replaces(client: httpx.Client, base_url: str) -> None:
    one = entry()
    url = f"{MWL}/{study_of(one)}/SPS1"
    response = client.put(url, json=one, headers=JSON)
    assert (response.status_code, response.headers["location"]) == (201, f"{base_url}/{url}")
    moved = entry(step(ScheduledStationAETitle="CT9"), StudyInstanceUID=study_of(one))
    assert client.put(url, json=[moved], headers=JSON).status_code == 204
    (found,) = search(client, StudyInstanceUID=study_of(one))
    assert found[STEP]["Value"][0]["00400001"]["Value"] == ["CT9"]
    # The names of the path stand in for those of the payload
    bare = entry(step(ScheduledProcedureStepID=None), StudyInstanceUID=None)
    assert client.put(url, json=bare, headers=JSON).status_code == 204
    assert steps(search(client, StudyInstanceUID=study_of(one))) == ["SPS1"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"StudyInstanceUID": "1.2.3"}, 400, id="400 another Study"),
        pytest.param({SEQUENCE: [step(ScheduledProcedureStepID="X")]}, 400, id="400 another step"),
        pytest.param({SEQUENCE: [step(), step(ScheduledProcedureStepID="X")]}, 400, id="400 several steps"),
        pytest.param({"PatientID": None}, 400, id="400 incomplete"),
    ],
)
def test_put_statuses(client: httpx.Client, change: dict[str, Any], status: int) -> None:
    study = uid()
    payload = entry(**{"StudyInstanceUID": study} | change)
    assert client.put(f"{MWL}/{study}/SPS1", json=payload, headers=JSON).status_code == status
    assert client.put(f"{MWL}/{study}/SPS1", content=b"x", headers={"content-type": "a/b"}).status_code == 415


def test_removed_is_gone(client: httpx.Client) -> None:
    one = entry()
    url = f"{MWL}/{study_of(one)}/SPS1"
    for ask in (client.get, client.delete):
        assert ask(url).status_code == 404
        assert ask(f"{MWL}/no-uid/SPS1").status_code == 400
    add(client, one)
    assert client.delete(url).status_code == 204
    assert search(client, StudyInstanceUID=study_of(one)) == []
    for ask in (client.get, client.delete):
        assert ask(url).status_code == 410
    add(client, one)
    assert client.get(url).status_code == 200


# Performed steps lead to entries ----------------------------------------------------------------------------------


class TestPerformed:
    """What becomes of an entry that is performed."""

    def state(self, client: httpx.Client, study: str) -> tuple[str, str | None]:
        (found,) = client.get(f"{MWL}/{study}/SPS1").json()
        status = found[STEP]["Value"][0].get(STATUS, {}).get("Value", [None])[0]
        return found[STATE]["Value"][0], status

    def begin(self, client: httpx.Client, study: str) -> str:
        performed = uid()
        response = client.post(f"{MPPS}/{performed}", json=begun(study), headers=JSON)
        assert response.status_code == 201, response.text
        return performed

    def end(self, client: httpx.Client, performed: str, status: str) -> None:
        response = client.post(f"{MPPS}/{performed}?update", json=ended(status), headers=JSON)
        assert response.status_code == 200, response.text

    def test_completed_leaves_the_worklist(self, client: httpx.Client) -> None:
        one = entry(step(ScheduledProcedureStepStatus="ARRIVED"))
        study = study_of(one)
        add(client, one)
        assert self.state(client, study) == ("SCHEDULED", "ARRIVED")
        performed = self.begin(client, study)
        assert self.state(client, study) == ("IN PROGRESS", "STARTED")
        assert len(search(client, StudyInstanceUID=study)) == 1
        self.end(client, performed, "COMPLETED")
        assert self.state(client, study) == ("COMPLETED", "STARTED")
        assert search(client, StudyInstanceUID=study) == []
        for state, number in (("COMPLETED", 1), ("SCHEDULED", 0), ("*", 1)):
            assert len(search(client, StudyInstanceUID=study, ProcedureStepState=state)) == number

    def test_discontinued_is_to_be_done_again(self, client: httpx.Client) -> None:
        one = entry(step(ScheduledProcedureStepStatus="READY"))
        study = study_of(one)
        add(client, one)
        self.end(client, self.begin(client, study), "DISCONTINUED")
        assert self.state(client, study) == ("SCHEDULED", "READY")
        self.end(client, self.begin(client, study), "COMPLETED")
        assert self.state(client, study) == ("COMPLETED", "STARTED")

    def test_two_at_once(self, client: httpx.Client) -> None:
        one = entry()
        study = study_of(one)
        add(client, one)
        first, second = self.begin(client, study), self.begin(client, study)
        self.end(client, first, "DISCONTINUED")
        assert self.state(client, study) == ("IN PROGRESS", "STARTED")
        self.end(client, second, "DISCONTINUED")
        assert self.state(client, study) == ("SCHEDULED", None)

    def test_those_that_were_discontinued_leave_nothing(self, client: httpx.Client) -> None:
        one = entry()
        study = study_of(one)
        add(client, one)
        for _ in range(120):
            self.end(client, self.begin(client, study), "DISCONTINUED")
        self.end(client, self.begin(client, study), "COMPLETED")
        assert self.state(client, study) == ("COMPLETED", "STARTED")

    def test_the_scheduler_may_correct_what_is_being_performed(self, client: httpx.Client) -> None:
        one = entry()
        study = study_of(one)
        add(client, one)
        performed = self.begin(client, study)
        url = f"{MWL}/{study}/SPS1"
        corrected = entry(step(ScheduledProcedureStepStatus="READY"), StudyInstanceUID=study, PatientName="Roe^Jane")
        assert client.put(url, json=corrected, headers=JSON).status_code == 204
        assert self.state(client, study) == ("IN PROGRESS", "STARTED")
        self.end(client, performed, "DISCONTINUED")
        assert self.state(client, study) == ("SCHEDULED", "READY")
        (found,) = search(client, StudyInstanceUID=study)
        assert found["00100010"]["Value"] == [{"Alphabetic": "Roe^Jane"}]

"""The Worklist Service over HTTP: a row for every status of every transaction — PS3.18 §11.4 to §11.12."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dicom_files import uid
from workitems import attributes, change, code, performed, workitem

JSON = {"content-type": "application/dicom+json"}
LOCK, OTHER_LOCK = "1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.9"
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"

_labels = itertools.count()


def create(client: httpx.Client, **named: Any) -> str:
    """Create a Workitem; return its UID."""
    name = uid()
    response = client.post(f"workitems?workitem={name}", json=[workitem(**named)], headers=JSON)
    assert response.status_code == 201, response.text
    return name


def bring(client: httpx.Client, state: str, **named: Any) -> str:
    """Create a Workitem and bring it into a state, claimed with LOCK."""
    name = create(client, **named)
    if state != "SCHEDULED":
        assert put(client, name, "IN PROGRESS").status_code == 200
    if state == "COMPLETED":
        assert client.post(f"workitems/{name}?transaction-uid={LOCK}", json=performed(), headers=JSON).is_success
    if state in ("COMPLETED", "CANCELED"):
        assert put(client, name, state).status_code == 200
    return name


def put(client: httpx.Client, name: str, state: str | None, lock: str | None = LOCK) -> httpx.Response:
    return client.put(f"workitems/{name}/state", json=[change(state, lock)], headers=JSON)


def get(client: httpx.Client, name: str) -> dict[str, Any]:
    response = client.get(f"workitems/{name}", headers={"accept": "application/dicom+json"})
    assert response.status_code == 200
    (found,) = response.json()
    return dict(found)


def state_of(client: httpx.Client, name: str) -> str:
    return str(get(client, name)["00741000"]["Value"][0])


def warning(response: httpx.Response) -> str | None:
    value = response.headers.get("warning")
    return None if value is None else value.partition(": ")[2]


# Create (§11.4) ---------------------------------------------------------------------------------------------------


class TestCreate:
    def test_201_with_location_and_nothing_else(self, client: httpx.Client, base_url: str) -> None:
        name = uid()
        response = client.post(f"workitems?workitem={name}", json=[workitem()], headers=JSON)
        assert response.status_code == 201
        assert response.headers["location"] == f"{base_url}/workitems/{name}"
        assert response.content == b""
        assert warning(response) is None

    @pytest.mark.parametrize(
        ("query", "in_payload"),
        [
            pytest.param("?workitem={}", False, id="workitem parameter"),
            pytest.param("?{}", False, id="bare UID"),
            pytest.param("", True, id="SOP Instance UID in the data set"),
            pytest.param("?workitem={}", True, id="both, the same"),
        ],
    )
    def test_names(self, client: httpx.Client, query: str, in_payload: bool) -> None:
        name = uid()
        data_set = workitem() | (attributes(SOPInstanceUID=name) if in_payload else {})
        response = client.post("workitems" + query.format(name), json=data_set, headers=JSON)
        assert response.status_code == 201
        assert response.headers["location"].endswith(f"/workitems/{name}")

    def test_without_a_name_one_is_made(self, client: httpx.Client) -> None:
        response = client.post("workitems", json=[workitem()], headers=JSON)
        assert response.status_code == 201
        name = response.headers["location"].rpartition("/")[2]
        assert name.startswith("2.25.")
        assert state_of(client, name) == "SCHEDULED"

    def test_missing_type_2_attributes_are_added(self, client: httpx.Client) -> None:
        name = uid()
        data_set = workitem(CommentsOnTheScheduledProcedureStep=..., IssuerOfPatientID=..., WorklistLabel=None)
        response = client.post(f"workitems?workitem={name}", json=[data_set], headers=JSON)
        assert response.status_code == 201
        assert warning(response) == "The Workitem was created with modifications."
        found = get(client, name)
        assert "Value" not in found["00400400"]
        assert "Value" not in found["00100021"]
        assert found["00741202"]["Value"]

    @pytest.mark.parametrize(
        ("named", "status"),
        [
            *(
                pytest.param({keyword: value}, 400, id=f"type 1 {keyword} {'missing' if value is ... else 'empty'}")
                for keyword in (
                    "ScheduledProcedureStepPriority",
                    "ProcedureStepLabel",
                    "ScheduledProcedureStepStartDateTime",
                    "InputReadinessState",
                    "ProcedureStepState",
                )
                for value in (..., None)
            ),
            *(
                pytest.param({"ProcedureStepState": state}, 400, id=f"C309 created {state}")
                for state in ("IN PROGRESS", "COMPLETED", "CANCELED", "DONE")
            ),
            pytest.param({"TransactionUID": LOCK}, 400, id="Transaction UID shall be empty"),
            pytest.param(
                {"ProcedureStepProgressInformationSequence": {"ProcedureStepProgress": "1"}},
                400,
                id="Progress Information shall be empty",
            ),
            pytest.param(
                {"UnifiedProcedureStepPerformedProcedureSequence": {"PerformedProcedureStepDescription": "x"}},
                400,
                id="Performed Procedure shall be empty",
            ),
            pytest.param({"ScheduledProcedureStepPriority": "URGENT"}, 400, id="Priority is enumerated"),
            pytest.param({"InputReadinessState": "SOON"}, 400, id="Input Readiness State is enumerated"),
            pytest.param({"ScheduledProcedureStepStartDateTime": "tomorrow"}, 400, id="no date-time"),
            pytest.param({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, 400, id="another SOP Class"),
            pytest.param({"SOPInstanceUID": "1.2.3"}, 400, id="named differently in query and data set"),
            pytest.param({"SOPClassUID": "1.2.840.10008.5.1.4.34.6.3"}, 201, id="SOP Class Pull is as good"),
            pytest.param(
                {"ScheduledStationNameCodeSequence": [{"CodeValue": "A"}, {"CodeValue": "B"}]},
                201,
                id="codes without scheme and meaning are kept",
            ),
        ],
    )
    def test_data_sets(self, client: httpx.Client, named: dict[str, Any], status: int) -> None:
        name = uid()
        response = client.post(f"workitems?workitem={name}", json=[workitem(**named)], headers=JSON)
        assert response.status_code == status, response.text
        if status == 400:
            assert client.get(f"workitems/{name}").status_code == 404

    @pytest.mark.parametrize("state", ["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"])
    def test_409_where_the_uid_is_taken(self, client: httpx.Client, state: str) -> None:
        name = bring(client, state)
        assert client.post(f"workitems?workitem={name}", json=[workitem()], headers=JSON).status_code == 409
        assert state_of(client, name) == state

    @pytest.mark.parametrize(
        ("query", "content", "content_type", "status"),
        [
            pytest.param("?workitem=no-uid", None, "application/dicom+json", 400, id="no UID"),
            pytest.param(f"?workitem={GLOBAL}", None, "application/dicom+json", 400, id="the UID of all Workitems"),
            pytest.param("", b"", "application/dicom+json", 400, id="no data set"),
            pytest.param("", b"{", "application/dicom+json", 400, id="broken JSON"),
            pytest.param("", b"[{}, {}]", "application/dicom+json", 400, id="two data sets"),
            pytest.param("", b"x", "image/jpeg", 415, id="no data set at all"),
            pytest.param(
                "",
                b'{"00404021":{"vr":"SQ","BulkDataURI":"http://x"}}',
                "application/dicom+json",
                400,
                id="§11.1.3 no bulk data",
            ),
        ],
    )
    def test_payloads(
        self, client: httpx.Client, query: str, content: bytes | None, content_type: str, status: int
    ) -> None:
        headers = {"content-type": content_type}
        if content is None:
            response = client.post(f"workitems{query}", json=[workitem()], headers=headers)
        else:
            response = client.post(f"workitems{query}", content=content, headers=headers)
        assert response.status_code == status, response.text


# Retrieve (§11.5) -------------------------------------------------------------------------------------------------


class TestRetrieve:
    def test_200_with_everything_but_the_lock(self, client: httpx.Client, base_url: str) -> None:
        name = bring(client, "IN PROGRESS", PatientName="Doe^Jane")
        response = client.get(f"workitems/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/dicom+json"
        assert response.headers["content-location"] == f"{base_url}/workitems/{name}"
        (found,) = response.json()
        assert list(found) == sorted(found)
        assert found["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
        assert found["00080018"]["Value"] == [name]
        assert found["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
        assert found["00404010"]["Value"]
        assert "00081195" not in found
        assert LOCK not in response.text

    def test_xml(self, client: httpx.Client) -> None:
        name = create(client)
        response = client.get(f"workitems/{name}", headers={"accept": "application/dicom+xml"})
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/dicom+xml"
        assert b'keyword="ProcedureStepLabel"' in response.content

    @pytest.mark.parametrize(
        ("name", "accept", "status"),
        [
            pytest.param("1.2.3.999", "*/*", 404, id="unknown"),
            pytest.param("no-uid", "*/*", 400, id="no UID"),
            pytest.param(None, "image/png", 406, id="no data set"),
        ],
    )
    def test_failures(self, client: httpx.Client, name: str | None, accept: str, status: int) -> None:
        response = client.get(f"workitems/{name or create(client)}", headers={"accept": accept})
        assert response.status_code == status


# Update (§11.6) ---------------------------------------------------------------------------------------------------


NO_UPDATE = "The submitted request is inconsistent with the current state of the Workitem."


@pytest.mark.parametrize(
    ("state", "lock", "status", "text"),
    [
        pytest.param("SCHEDULED", None, 200, None, id="SCHEDULED, no lock"),
        pytest.param(
            "SCHEDULED", LOCK, 409, "The target URI did not reference a claimed Workitem.", id="SCHEDULED, a lock"
        ),
        pytest.param("IN PROGRESS", LOCK, 200, None, id="IN PROGRESS, right lock"),
        pytest.param("IN PROGRESS", None, 400, NO_UPDATE, id="IN PROGRESS, no lock: C301"),
        pytest.param("IN PROGRESS", OTHER_LOCK, 400, NO_UPDATE, id="IN PROGRESS, wrong lock: C301"),
        *(
            pytest.param(
                state,
                lock,
                400,
                NO_UPDATE,
                id=f"{state}: C300",
            )
            for state in ("COMPLETED", "CANCELED")
            for lock in (LOCK, None)
        ),
        pytest.param(None, None, 404, None, id="no such Workitem: C307"),
    ],
)
def test_update_by_state(client: httpx.Client, state: str | None, lock: str | None, status: int, text: str) -> None:
    name = bring(client, state) if state else uid()
    data_set = attributes(ProcedureStepLabel="Changed") | (attributes(TransactionUID=lock) if lock else {})
    response = client.post(f"workitems/{name}", json=[data_set], headers=JSON)
    assert response.status_code == status, response.text
    assert warning(response) == text
    if state:
        assert (get(client, name)["00741204"]["Value"] == ["Changed"]) == (status == 200)


@pytest.mark.parametrize(
    "query",
    [
        "transaction-uid={}",
        "Transaction-uid={}",
        "transaction={}",
        "TransactionUID={}",
        "00081195={}",
        "TRANSACTION-UID={}",
    ],
)
def test_the_lock_in_every_spelling(client: httpx.Client, query: str) -> None:
    name = bring(client, "IN PROGRESS")
    data_set = attributes(ProcedureStepLabel="Changed")
    wrong = client.post(f"workitems/{name}?{query.format(OTHER_LOCK)}", json=[data_set], headers=JSON)
    assert wrong.status_code == 400
    assert client.post(f"workitems/{name}?{query.format(LOCK)}", json=[data_set], headers=JSON).status_code == 200


def test_update_with_modifications_says_so(client: httpx.Client) -> None:
    name = create(client)
    data_set = attributes(ScheduledProcedureStepModificationDateTime="20200101", ProcedureStepLabel="Changed")
    response = client.post(f"workitems/{name}", json=[data_set], headers=JSON)
    assert response.status_code == 200
    assert warning(response) == "The Workitem was updated with modifications."


@pytest.mark.parametrize(
    ("data_set", "status"),
    [
        pytest.param(attributes(ProcedureStepState="IN PROGRESS"), 400, id="na: Procedure Step State"),
        pytest.param(attributes(PatientName="Roe"), 400, id="na: Patient's Name"),
        pytest.param(attributes(ReferencedRequestSequence=None), 400, id="na: Referenced Request Sequence"),
        pytest.param(attributes(ProcedureStepLabel=None), 400, id="3/1 can not be emptied"),
        pytest.param(attributes(ScheduledProcedureStepPriority="SOON"), 400, id="enumerated"),
        pytest.param(attributes(InputInformationSequence=None), 200, id="3/2 can be emptied"),
        pytest.param(attributes(ScheduledWorkitemCodeSequence=code("A")), 200, id="a Sequence is replaced"),
        pytest.param(attributes(SOPInstanceUID="1.2.3"), 400, id="another SOP Instance UID"),
        pytest.param(attributes(ScheduledProcedureStepModificationDateTime="20200101"), 200, id="the server's own"),
        pytest.param(attributes(PatientComments="late"), 200, id="what nobody named at creation"),
    ],
)
def test_update_of_attributes(client: httpx.Client, data_set: dict[str, Any], status: int) -> None:
    name = create(client, ScheduledWorkitemCodeSequence=[code("X"), code("Y")], PatientName="Doe")
    before = get(client, name)
    response = client.post(f"workitems/{name}", json=[data_set], headers=JSON)
    assert response.status_code == status, response.text
    after = get(client, name)
    if status == 200:
        (tag,) = data_set
        if tag == "00404010":
            assert after[tag]["Value"][0].startswith("202")
            assert not after[tag]["Value"][0].startswith("2020")
        else:
            assert after[tag] == data_set[tag]
    else:
        assert after == before


# Change State (§11.7) ---------------------------------------------------------------------------------------------

INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
MISSING, INCORRECT = "The Transaction UID is missing.", "The Transaction UID is incorrect."


@pytest.mark.parametrize(
    ("state", "target", "lock", "status", "text"),
    [
        pytest.param("SCHEDULED", "IN PROGRESS", LOCK, 200, None, id="claim"),
        pytest.param("SCHEDULED", "IN PROGRESS", None, 400, MISSING, id="claim without lock: C301"),
        pytest.param("IN PROGRESS", "IN PROGRESS", LOCK, 409, INCONSISTENT, id="claimed by oneself: C302"),
        pytest.param("IN PROGRESS", "IN PROGRESS", OTHER_LOCK, 400, INCORRECT, id="claimed by another: C301"),
        *(
            pytest.param(state, "IN PROGRESS", LOCK, 409, INCONSISTENT, id=f"claim of {state}: C300")
            for state in ("COMPLETED", "CANCELED")
        ),
        *(
            pytest.param(state, "SCHEDULED", LOCK, 409, INCONSISTENT, id=f"{state} to SCHEDULED: C303")
            for state in ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
        ),
        *(
            pytest.param("SCHEDULED", target, LOCK, 409, INCONSISTENT, id=f"SCHEDULED to {target}: C310")
            for target in ("COMPLETED", "CANCELED")
        ),
        *(
            pytest.param(state, target, None, 400, MISSING, id=f"{state} to {target} without lock: C301")
            for state in ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
            for target in ("COMPLETED", "CANCELED")
        ),
        *(
            pytest.param(state, target, OTHER_LOCK, 400, INCORRECT, id=f"{state} to {target}, wrong lock: C301")
            for state in ("IN PROGRESS", "COMPLETED", "CANCELED")
            for target in ("COMPLETED", "CANCELED")
        ),
        pytest.param("IN PROGRESS", "COMPLETED", LOCK, 409, INCONSISTENT, id="COMPLETED without results: C304"),
        pytest.param("IN PROGRESS", "CANCELED", LOCK, 200, None, id="CANCELED"),
        pytest.param(
            "COMPLETED",
            "COMPLETED",
            LOCK,
            200,
            "The UPS is already in the requested state of COMPLETED.",
            id="already COMPLETED: B306",
        ),
        pytest.param(
            "CANCELED",
            "CANCELED",
            LOCK,
            200,
            "The UPS is already in the requested state of CANCELED.",
            id="already CANCELED: B304",
        ),
        pytest.param("COMPLETED", "CANCELED", LOCK, 409, INCONSISTENT, id="COMPLETED to CANCELED: C300"),
        pytest.param("CANCELED", "COMPLETED", LOCK, 409, INCONSISTENT, id="CANCELED to COMPLETED: C300"),
        pytest.param("SCHEDULED", "DONE", LOCK, 400, INCONSISTENT, id="no state"),
        pytest.param("SCHEDULED", None, LOCK, 400, INCONSISTENT, id="state missing"),
        pytest.param("SCHEDULED", "IN PROGRESS", "no uid", 400, None, id="the lock is no UID"),
        pytest.param(None, "IN PROGRESS", LOCK, 404, None, id="no such Workitem: C307"),
    ],
)
def test_change_state(
    client: httpx.Client, state: str | None, target: str | None, lock: str | None, status: int, text: str | None
) -> None:
    name = bring(client, state) if state else uid()
    response = put(client, name, target, lock)
    assert response.status_code == status, response.text
    assert warning(response) == text
    if status == 200:
        assert response.content == b""
        assert state_of(client, name) == target
    elif state:
        assert state_of(client, name) == state


def test_completed_needs_its_final_state_attributes(client: httpx.Client) -> None:
    name = bring(client, "IN PROGRESS")
    for missing in (
        "PerformedStationNameCodeSequence",
        "PerformedProcedureStepStartDateTime",
        "PerformedProcedureStepEndDateTime",
        "PerformedWorkitemCodeSequence",
        "OutputInformationSequence",
    ):
        data_set = performed(**{missing: ...})
        assert client.post(f"workitems/{name}?transaction-uid={LOCK}", json=data_set, headers=JSON).status_code == 200
        refused = put(client, name, "COMPLETED")
        assert refused.status_code == 409
        assert missing in refused.text
    assert client.post(f"workitems/{name}?transaction-uid={LOCK}", json=performed(), headers=JSON).status_code == 200
    assert put(client, name, "COMPLETED").status_code == 200


def test_canceled_is_dated_and_given_a_reason(client: httpx.Client) -> None:
    name = bring(client, "CANCELED")
    (progress,) = get(client, name)["00741002"]["Value"]
    assert progress["00404052"]["Value"]
    assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110513"]


@pytest.mark.parametrize("form", ["state/{}", "state?requester={}", "state?requestor={}"])
def test_the_performer_in_path_or_query(client: httpx.Client, form: str) -> None:
    name = create(client)
    response = client.put(
        f"workitems/{name}/{form.format('PERFORMER')}", json=[change("IN PROGRESS", LOCK)], headers=JSON
    )
    assert response.status_code == 200
    bad = client.put(f"workitems/{name}/{form.format('X' * 17)}", json=[change("CANCELED", LOCK)], headers=JSON)
    assert bad.status_code == 400


def test_of_a_hundred_who_claim_one_wins(client: httpx.Client) -> None:
    name = create(client)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: put(client, name, "IN PROGRESS", f"1.2.3.{number}"), range(100)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 99
    assert {warning(answer) for answer in answers if answer.status_code == 400} == {INCORRECT}
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    assert put(client, name, "CANCELED", f"1.2.3.{winner}").status_code == 200


# Request Cancellation (§11.8) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "subscribed", "status", "text", "after"),
    [
        pytest.param("SCHEDULED", False, 202, None, "CANCELED", id="SCHEDULED: the server cancels"),
        pytest.param("IN PROGRESS", True, 202, None, "IN PROGRESS", id="IN PROGRESS: subscribers are told"),
        pytest.param(
            "IN PROGRESS", False, 409, "The performer cannot be contacted.", "IN PROGRESS", id="nobody to tell: C312"
        ),
        pytest.param("COMPLETED", True, 409, "The UPS is already COMPLETED.", "COMPLETED", id="COMPLETED: C311"),
        pytest.param(
            "CANCELED",
            True,
            202,
            "The UPS is already in the requested state of CANCELED.",
            "CANCELED",
            id="CANCELED: B304",
        ),
    ],
)
def test_request_cancellation(
    client: httpx.Client, state: str, subscribed: bool, status: int, text: str | None, after: str
) -> None:
    name = bring(client, state)
    client.delete(f"workitems/{GLOBAL}/subscribers/WATCHER")
    if subscribed:
        assert client.post(f"workitems/{name}/subscribers/PERFORMER").status_code == 201
    response = client.post(f"workitems/{name}/cancelrequest")
    assert response.status_code == status, response.text
    assert warning(response) == text
    assert state_of(client, name) == after


@pytest.mark.parametrize("form", ["cancelrequest", "cancelrequest/ASKER", "cancelrequest?requester=ASKER"])
def test_what_a_cancellation_says_is_kept(client: httpx.Client, form: str) -> None:
    name = create(client)
    said = attributes(
        ReasonForCancellation="Wrong patient",
        ProcedureStepDiscontinuationReasonCodeSequence=code("110514", "DCM"),
        ContactURI="tel:123",
        ContactDisplayName="Desk",
    )
    assert client.post(f"workitems/{name}/{form}", json=[said], headers=JSON).status_code == 202
    (progress,) = get(client, name)["00741002"]["Value"]
    assert progress["00741238"] == said["00741238"]
    assert progress["0074100E"] == said["0074100E"]
    assert progress["00741008"]["Value"][0]["0074100A"] == said["0074100A"]


def test_cancellation_of_nothing(client: httpx.Client) -> None:
    assert client.post(f"workitems/{uid()}/cancelrequest").status_code == 404


# Search (§11.9) ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def label(base_url: str) -> str:
    """A Worklist Label with three Workitems of different patients, times and states."""
    label = f"Search {next(_labels)} {uid()[-12:]}"
    with httpx.Client(base_url=base_url, timeout=60, trust_env=False) as client:
        for number, (name, start, station) in enumerate(
            (
                ("Doe^Jane", "20260301100000", "CT1"),
                ("Doe^John", "20260301090000", "CT2"),
                ("Müller^Änne", "20260302", "CT1"),
            )
        ):
            made = create(
                client,
                WorklistLabel=label,
                PatientName=name,
                PatientID=str(number),
                ScheduledProcedureStepStartDateTime=start,
                ScheduledStationNameCodeSequence=code(station),
                ReferencedRequestSequence={"AccessionNumber": f"A{number}", "StudyInstanceUID": "1.2"},
            )
            if number == 2:
                put(client, made, "IN PROGRESS")
    return label


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "patients"),
        [
            pytest.param("", ["1", "0", "2"], id="by start"),
            pytest.param("PatientName=doe*", ["1", "0"], id="wild card in a name"),
            pytest.param("PatientName=muller^anne", ["2"], id="accents do not count"),
            pytest.param("ScheduledStationNameCodeSequence.CodeValue=CT1", ["0", "2"], id="Sequence by keywords"),
            pytest.param("00404025.00080100=CT2", ["1"], id="Sequence by tags"),
            pytest.param("ReferencedRequestSequence.AccessionNumber=A1", ["1"], id="accession number"),
            pytest.param("ScheduledProcedureStepStartDateTime=20260301-20260301", ["1", "0"], id="range"),
            pytest.param("ScheduledProcedureStepStartDateTime=202603010930-", ["0", "2"], id="open range"),
            pytest.param("ProcedureStepState=IN+PROGRESS", ["2"], id="a blank as +"),
            pytest.param("ProcedureStepState=IN%20PROGRESS", ["2"], id="a blank as %20"),
            pytest.param("ProcedureStepState=SCHEDULED&PatientID=1", ["1"], id="two keys"),
            pytest.param("fuzzymatching=true&PatientName=mueler", ["2"], id="fuzzy"),
            pytest.param("PatientID=nobody", [], id="nothing"),
            pytest.param("limit=1&offset=1", ["0"], id="page"),
        ],
    )
    def test_matching(self, client: httpx.Client, label: str, query: str, patients: list[str]) -> None:
        response = client.get(f"workitems?WorklistLabel={label}&{query}")
        assert response.status_code in (200, 204)
        found = response.json() if response.content else []
        assert [one["00100020"]["Value"][0] for one in found] == patients
        for one in found:
            assert "00081195" not in one
            assert one["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]

    def test_the_rest_is_announced(self, client: httpx.Client, label: str) -> None:
        response = client.get("workitems", params={"WorklistLabel": label, "limit": "2"})
        assert warning(response) == "There are 1 additional results that can be requested"

    @pytest.mark.parametrize("field", ["all", "TransactionUID", "00081195"])
    def test_the_lock_is_never_disclosed(self, client: httpx.Client, label: str, field: str) -> None:
        response = client.get("workitems", params={"WorklistLabel": label, "includefield": field})
        assert response.status_code == 200
        assert LOCK not in response.text

    def test_the_lock_is_no_key(self, client: httpx.Client, label: str) -> None:
        response = client.get("workitems", params={"WorklistLabel": label, "TransactionUID": OTHER_LOCK})
        assert len(response.json()) == 3

    def test_include(self, client: httpx.Client, label: str) -> None:
        response = client.get(
            "workitems", params={"WorklistLabel": label, "includefield": "ScheduledProcedureStepModificationDateTime"}
        )
        assert all("00404010" in one for one in response.json())

    def test_xml_has_one_part_for_each(self, client: httpx.Client, label: str) -> None:
        accept = 'multipart/related; type="application/dicom+xml"'
        response = client.get("workitems", params={"WorklistLabel": label}, headers={"accept": accept})
        assert response.status_code == 200
        assert response.content.count(b"<NativeDicomModel") == 3

    @pytest.mark.parametrize(
        ("query", "accept", "status"),
        [
            pytest.param("limit=x", "*/*", 400, id="bad parameter"),
            pytest.param("ScheduledProcedureStepStartDateTime=soon", "*/*", 400, id="bad key"),
            pytest.param("", "image/png", 406, id="no data set"),
        ],
    )
    def test_failures(self, client: httpx.Client, query: str, accept: str, status: int) -> None:
        assert client.get(f"workitems?{query}", headers={"accept": accept}).status_code == status


# Subscriptions (§11.10 to §11.12) ---------------------------------------------------------------------------------


def test_subscribe_and_unsubscribe(client: httpx.Client, base_url: str) -> None:
    name = create(client)
    resource = f"workitems/{name}/subscribers/AE{next(_labels)}"
    ae = resource.rpartition("/")[2]
    for _ in range(2):
        response = client.post(resource + "?deletionlock=true")
        assert response.status_code == 201
        assert response.content == b""
        url = f"ws{base_url.removeprefix('http')}/ws/subscribers/{ae}"
        assert response.headers["content-location"] == response.headers["location"] == url
    assert client.delete(resource).status_code == 200
    assert client.delete(resource).status_code == 404


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        pytest.param("POST", "workitems/{new}/subscribers/WATCHER?deletionlock=maybe", 400, id="deletionlock"),
        pytest.param("POST", "workitems/{new}/subscribers/ABCDEFGHIJKLMNOPQ", 400, id="17 characters"),
        pytest.param("POST", "workitems/{new}/subscribers/A%5CB", 400, id="backslash"),
        pytest.param("POST", "workitems/1.2.3.999/subscribers/WATCHER", 404, id="no such Workitem"),
        pytest.param("POST", f"workitems/{FILTERED}/subscribers/WATCHER", 400, id="no filter"),
        pytest.param("POST", f"workitems/{FILTERED}/subscribers/WATCHER?filter=x", 400, id="no filter at all"),
        pytest.param("POST", f"workitems/{FILTERED}/subscribers/F1?filter=WorklistLabel=X,PatientID=7", 201, id="list"),
        pytest.param("POST", f"workitems/{FILTERED}/subscribers/F2?filter=WorklistLabel%3DX", 201, id="encoded"),
        pytest.param("POST", f"workitems/{FILTERED}/subscribers/F3?WorklistLabel=X", 201, id="plain keys"),
        pytest.param("DELETE", "workitems/{new}/subscribers/NOBODY", 404, id="unsubscribe nobody"),
        pytest.param("DELETE", "workitems/1.2.3.999/subscribers/NOBODY", 404, id="unsubscribe from nothing"),
        pytest.param("POST", f"workitems/{GLOBAL}/subscribers/NOBODY/suspend", 404, id="suspend nothing"),
        pytest.param("POST", "workitems/{new}/subscribers/NOBODY/suspend", 400, id="suspend a Workitem: C314"),
    ],
)
def test_subscription_failures_and_forms(client: httpx.Client, method: str, resource: str, status: int) -> None:
    assert client.request(method, resource.format(new=create(client))).status_code == status
    for name in ("F1", "F2", "F3"):
        client.delete(f"workitems/{FILTERED}/subscribers/{name}")


def test_suspend(client: httpx.Client) -> None:
    resource = f"workitems/{GLOBAL}/subscribers/SUSPENDER"
    assert client.post(resource).status_code == 201
    assert client.post(resource + "/suspend").status_code == 200
    assert client.post(resource + "/suspend").status_code == 404
    assert client.delete(resource).status_code == 200
    assert client.delete(resource).status_code == 404

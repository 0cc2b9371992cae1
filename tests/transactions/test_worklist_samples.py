"""The pull workflow as clients of other servers speak it — IHE AI Workflow for Imaging on UPS-RS (PS3.18 chapter 11).

Their requests are not always to the letter: XML as one part, a VR or a keyword that does not belong to its tag, codes
in Items of their own, Type 2 attributes left out, AE titles in the path, no payload for a cancellation, the keys of a
filter as parameters, a blank as "+". All of it is meant clearly, and works from beginning to end.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from lxml import etree
from websockets.sync.client import connect

from dicom_files import uid

FILTERED = "1.2.840.10008.5.1.4.34.5.1"
LOCK = "1.2.826.0.1.3680043.10.1.7"
XML, JSON = {"content-type": "application/dicom+xml"}, {"content-type": "application/dicom+json"}


def attribute(keyword: str, tag: str, vr: str, *values: str) -> str:
    inside = "".join(f'<Value number="{number}">{value}</Value>' for number, value in enumerate(values, 1))
    return f'<DicomAttribute keyword="{keyword}" tag="{tag}" vr="{vr}">{inside}</DicomAttribute>'


def sequence(keyword: str, tag: str, *items: str) -> str:
    inside = "".join(f'<Item number="{number}">{item}</Item>' for number, item in enumerate(items, 1))
    return f'<DicomAttribute keyword="{keyword}" tag="{tag}" vr="SQ">{inside}</DicomAttribute>'


def model(*parts: str) -> bytes:
    text = "\n".join(("<?xml version='1.0' encoding='UTF-8'?>", "<NativeDicomModel xml:space='preserve'>", *parts))
    return f"{text}\n</NativeDicomModel>".encode()


def scheduled_xml(label: str) -> bytes:
    """A step for a station, its input not there yet."""
    empty = [
        ("AdmittingDiagnosesDescription", "00081080", "LO"),
        ("AdmittingDiagnosesCodeSequence", "00081084", "SQ"),
        ("TransactionUID", "00081195", "UI"),
        ("PatientName", "00100010", "PN"),
        ("PatientID", "00100020", "LO"),
        ("PatientBirthDate", "00100030", "DA"),
        ("PatientSex", "00100040", "CS"),
        ("OtherPatientIDsSequence", "00101002", "SQ"),
        ("AdmissionID", "00380010", "LO"),
        ("IssuerOfAdmissionIDSequence", "00380014", "SQ"),
        ("ScheduledWorkitemCodeSequence", "00404018", "SQ"),
        ("InputInformationSequence", "00404021", "SQ"),
        ("ScheduledStationClassCodeSequence", "00404026", "SQ"),
        ("ScheduledStationGeographicLocationCodeSequence", "00404027", "SQ"),
        ("ScheduledHumanPerformers", "00404034", "SQ"),  # no keyword of PS3.6
        ("ReferencedRequestSequence", "0040A370", "SQ"),
        ("ProcedureStepProgressInformationSequence", "00741002", "SQ"),
        ("ScheduledProcessingParametersSequence", "00741210", "SQ"),
        ("UnifiedProcedureStepPerformedProcedureSequence", "00741216", "SQ"),
    ]
    station = (
        attribute("CodeValue", "00080100", "LO", "GPU-7"),  # VR SH
        attribute("CodingSchemeDesignator", "00080102", "LO", "99SAMPLE"),
        attribute("CodeMeaning", "00080104", "LO", "Seventh machine"),
    )
    return model(
        *(attribute(*one) for one in empty),
        attribute("ScheduledProcedureStepStartDateTime", "00404005", "DT", "20260514081500"),
        sequence("ScheduledStationNameCodeSequence", "00404025", "".join(station)),
        attribute("InputReadinessState", "00404041", "CS", "UNAVAILABLE"),
        attribute("ProcedureStepState", "00741000", "CS", "SCHEDULED"),
        attribute("ScheduledProcedureStepPriority", "00741200", "CS", "LOW"),
        attribute("WorklistLabel", "00741202", "LO", label),
        attribute("ProcedureStepLabel", "00741204", "LO", "Count vessels"),
    )


def scheduled_json(label: str) -> list[Any]:
    """The same with a code that was taken apart into three Items."""
    code = [{"00080100": {"vr": "LO", "Value": [text]}} for text in ("GPU-7", "99SAMPLE", "Seventh machine")]
    empty = {"00081080": "LO", "00081084": "SQ", "00081195": "UI", "00100010": "PN", "00100020": "LO"}
    empty |= {"00100030": "DA", "00100040": "CS", "00101002": "SQ", "00380010": "LO", "00380014": "SQ"}
    empty |= dict.fromkeys(("00404018", "00404021", "00404026", "00404027", "00404034", "0040A370"), "SQ")
    empty |= dict.fromkeys(("00741002", "00741210", "00741216"), "SQ")
    values = {
        "00404005": ("DT", ["20260514081500"]),
        "00404025": ("SQ", code),
        "00404041": ("CS", ["UNAVAILABLE"]),
        "00741000": ("CS", ["SCHEDULED"]),
        "00741200": ("CS", ["LOW"]),
        "00741202": ("LO", [label]),
        "00741204": ("LO", ["Count vessels"]),
    }
    return [
        {tag: {"vr": vr} for tag, vr in empty.items()}
        | {tag: {"vr": vr, "Value": value} for tag, (vr, value) in values.items()}
    ]


STUDY, SERIES, INSTANCE = "1.2.826.0.1.3680043.10.2", "1.2.826.0.1.3680043.10.3", "1.2.826.0.1.3680043.10.4"
READY = model(
    sequence(
        "InputInformationSequence",
        "00404021",
        attribute("TypeOfInstances", "0040E020", "CS", "DICOM")
        + attribute("StudyInstanceUID", "0020000D", "UI", STUDY)
        + attribute("SeriesInstanceUID", "0020000E", "UI", SERIES)
        + sequence(
            "ReferencedSOPSequence",
            "00081199",
            attribute("Referenced SOP Class UID", "00081150", "UI", "1.2.840.10008.5.1.4.1.1.2")  # the name
            + attribute("ReferencedSOPInstanceUID", "00081155", "UI", INSTANCE),
        ),
    ),
    attribute("InputReadinessState", "00404041", "CS", "READY"),
)
LOCKED = attribute("TransactionUID", "00081195", "UI", LOCK)
CLAIM = model(LOCKED, attribute("ProcedureStepState", "00741000", "CS", "IN PROGRESS"))
CANCEL = model(LOCKED, attribute("ProcedureStepState", "00741000", "CS", "CANCELED"))
HALF = model(
    LOCKED,
    sequence(
        "ProcedureStepProgressInformationSequence",
        "00741002",
        attribute("ProcedureStepProgress", "00741004", "DS", "50"),
    ),
)


@pytest.fixture
def label() -> str:
    return f"Samples {uid()[-12:]}"


@pytest.fixture
def ae(label: str) -> str:
    return f"PULL{label[-10:]}"


def values(report: dict[str, Any], tag: str) -> Any:
    return report.get(tag, {}).get("Value")


def send(
    client: httpx.Client, method: str, path: str, payload: bytes | list[Any] | None, status: int
) -> httpx.Response:
    """Send a request and hold its status; XML as bytes, JSON as what it says."""
    if isinstance(payload, bytes):
        response = client.request(method, path, content=payload, headers=XML)
    elif payload is None:
        response = client.request(method, path)
    else:
        response = client.request(method, path, json=payload, headers=JSON)
    assert response.status_code == status, response.text
    return response


def test_the_pull_workflow(client: httpx.Client, base_url: str, label: str, ae: str) -> None:
    name = uid()
    subscription = f"workitems/{FILTERED}/subscribers/{ae}"
    keys = f"deletionlock=true&WorklistLabel={label.replace(' ', '%20')}"
    address = send(client, "POST", f"{subscription}?{keys}", None, 201).headers["location"]
    assert address == f"ws{base_url.removeprefix('http')}/ws/subscribers/{ae}"
    with connect(address, proxy=None) as socket:
        send(client, "POST", f"workitems?workitem={name}", scheduled_json(label), 201)
        send(client, "POST", f"workitems?workitem={name}", scheduled_json(label), 409)
        send(client, "POST", f"workitems/{name}", READY, 200)
        claimed = send(client, "PUT", f"workitems/{name}/state/PULLER", CLAIM, 200)
        assert claimed.content == b""
        send(client, "POST", f"workitems/{name}", HALF, 200)
        send(client, "POST", f"workitems/{name}/cancelrequest/DESK", None, 202)
        running = client.get(
            f"workitems?ProcedureStepState=IN+PROGRESS&WorklistLabel={label.replace(' ', '+')}",
            headers={"accept": 'multipart/related;type="application/dicom+xml"'},
        )
        assert running.status_code == 200
        assert running.content.count(b"<NativeDicomModel") == 1
        assert name.encode() in running.content
        send(client, "PUT", f"workitems/{name}/state/PULLER", CANCEL, 200)
        reports = [json.loads(socket.recv(30)) for _ in range(7)]
    send(client, "POST", f"{subscription}/suspend", None, 200)
    send(client, "DELETE", subscription, None, 200)

    assert {values(report, "00001000")[0] for report in reports} == {name}
    assert {values(report, "00000002")[0] for report in reports} == {"1.2.840.10008.5.1.4.34.6.1"}
    assert [values(report, "00000110") for report in reports] == [[number] for number in range(1, 8)]
    created, assigned, ready, claim, progress, asked, canceled = reports
    assert [values(report, "00001002")[0] for report in reports] == [1, 5, 1, 1, 3, 2, 1]
    assert [values(one, "00741000")[0] for one in (created, ready, claim, canceled)] == [
        "SCHEDULED",
        "SCHEDULED",
        "IN PROGRESS",
        "CANCELED",
    ]
    assert [values(one, "00404041")[0] for one in (created, ready)] == ["UNAVAILABLE", "READY"]
    assert [values(item, "00080100")[0] for item in values(assigned, "00404025")] == [
        "GPU-7",
        "99SAMPLE",
        "Seventh machine",
    ]
    assert values(values(progress, "00741002")[0], "00741004") == [50]
    assert asked["00741236"] == {"vr": "AE", "Value": ["DESK"]}
    assert values(canceled, "0074100E")


def test_created_of_xml_without_a_uid(client: httpx.Client, base_url: str, label: str) -> None:
    for path in ("workitems", "workitems/"):
        made = send(client, "POST", path, scheduled_xml(label), 201)
        location = made.headers["location"]
        assert location.startswith(f"{base_url}/workitems/2.25.")
        assert made.headers["warning"].endswith("The Workitem was created with modifications.")
        (found,) = client.get(location).json()
        assert list(found) == sorted(found)
        assert found["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
        assert found["00080018"]["Value"] == [location.rpartition("/")[2]]
        assert found["00404010"]["Value"], "Modification DateTime"
        assert found["00404025"]["Value"][0]["00080100"] == {"vr": "SH", "Value": ["GPU-7"]}
        assert "00404034" in found, "the tag counts, not the keyword"


@pytest.mark.parametrize("accept", ["application/dicom+json", "application/json", "*/*", None])
def test_retrieved_as_json(client: httpx.Client, label: str, accept: str | None) -> None:
    name = uid()
    send(client, "POST", f"workitems?workitem={name}", scheduled_json(label), 201)
    send(client, "POST", f"workitems/{name}", READY, 200)
    response = client.get(f"workitems/{name}", headers={} if accept is None else {"accept": accept})
    (found,) = response.json()
    (item,) = found["00404021"]["Value"]
    assert item["0020000D"]["Value"] == [STUDY]
    assert item["00081199"]["Value"][0]["00081155"]["Value"] == [INSTANCE]
    assert len(found["00404025"]["Value"]) == 3


@pytest.mark.parametrize("accept", ["application/dicom+xml", 'multipart/related; type="application/dicom+xml"'])
def test_retrieved_as_xml(client: httpx.Client, label: str, accept: str) -> None:
    name = uid()
    send(client, "POST", f"workitems?workitem={name}", scheduled_json(label), 201)
    response = client.get(f"workitems/{name}", headers={"accept": accept})
    assert response.headers["content-type"].startswith(accept.partition(";")[0])
    start = response.content.index(b"<?xml")
    root = etree.fromstring(response.content[start : response.content.index(b"</NativeDicomModel>") + 19])
    tags = [element.get("tag") for element in root]
    assert tags == sorted(tags)
    assert root.findtext("DicomAttribute[@keyword='SOPInstanceUID']/Value") == name
    assert root.findtext("DicomAttribute[@tag='00741204']/Value") == "Count vessels"
    assert root.find("DicomAttribute[@tag='00081195']") is None

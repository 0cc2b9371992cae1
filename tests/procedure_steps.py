"""Worklist entries and performed procedure steps for tests, in DICOM JSON, by keyword."""

from __future__ import annotations

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_files import uid


def data_set(**values: Any) -> dict[str, Any]:
    """Make a data set of keywords and values; lists are several values, None leaves an attribute out."""
    found: dict[str, Any] = {}
    for keyword, given in values.items():
        if given is None:
            continue
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        vr = dictionary_VR(tag)[:2]
        content = given if isinstance(given, list) else [given]
        if vr == "PN":
            content = [{"Alphabetic": one} for one in content]
        found[f"{tag:08X}"] = {"vr": vr, "Value": content} if content not in ([], [""]) else {"vr": vr}
    return dict(sorted(found.items()))


def step(**changes: Any) -> dict[str, Any]:
    """An Item of Scheduled Procedure Step Sequence."""
    given = {
        "ScheduledStationAETitle": "CT1",
        "Modality": "CT",
        "ScheduledProcedureStepStartDate": "20260131",
        "ScheduledProcedureStepStartTime": "0930",
        "ScheduledProcedureStepID": "SPS1",
        "ScheduledPerformingPhysicianName": "House^Gregory",
        "ScheduledProcedureStepDescription": "CT Thorax",
    }
    return data_set(**given | changes)


def entry(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A worklist entry of its own Study, with one step or those given."""
    given = {
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyInstanceUID": uid(),
        "RequestedProcedureID": "RP1",
        "AccessionNumber": "A1",
    }
    return data_set(**given | {"ScheduledProcedureStepSequence": list(steps) or [step()]} | changes)


def begun(study: str = "1.2.3", step_id: str = "SPS1", **changes: Any) -> dict[str, Any]:
    """What a modality creates when it begins."""
    given: dict[str, Any] = {
        "ScheduledStepAttributesSequence": [
            data_set(StudyInstanceUID=study, ScheduledProcedureStepID=step_id, AccessionNumber="A1")
        ],
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20260131",
        "PerformedProcedureStepStartTime": "0935",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
    }
    return data_set(**given | changes)


def ended(status: str = "COMPLETED", **changes: Any) -> dict[str, Any]:
    """What a modality updates when it ends."""
    given: dict[str, Any] = {
        "PerformedProcedureStepStatus": status,
        "PerformedProcedureStepEndDate": "20260131",
        "PerformedProcedureStepEndTime": "0950",
        "PerformedSeriesSequence": [data_set(SeriesInstanceUID="1.2.3.4", ProtocolName="Thorax")],
    }
    return data_set(**given | changes)

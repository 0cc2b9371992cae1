"""Workitems to send, in the DICOM JSON Model."""

from __future__ import annotations

from typing import Any

from skiagraph.standard import dictionary

Attributes = dict[str, Any]


def attributes(**named: Any) -> Attributes:
    """A data set from keywords: a text or number is one value, None no value, a list its values, a dict one Item."""
    found: Attributes = {}
    for keyword, value in named.items():
        tag = dictionary.tag_of(keyword)
        assert tag is not None, keyword
        vr = (dictionary.vr_of(tag) or "UN")[:2]
        element: dict[str, Any] = {"vr": vr}
        values = [] if value is None else value if isinstance(value, list) else [value]
        if vr == "PN":
            values = [{"Alphabetic": name} for name in values]
        elif vr == "SQ":
            values = [attributes(**item) for item in values]
        if values:
            element["Value"] = values
        found[f"{tag:08X}"] = element
    return dict(sorted(found.items()))


def code(value: str, scheme: str = "99TEST", meaning: str | None = None) -> dict[str, str]:
    """An Item of a code sequence."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning or value}


NEEDED: dict[str, Any] = {
    "ProcedureStepState": "SCHEDULED",
    "ScheduledProcedureStepPriority": "MEDIUM",
    "ProcedureStepLabel": "Find nodules",
    "ScheduledProcedureStepStartDateTime": "20260131093000",
    "InputReadinessState": "READY",
}
"""What a Create request has to give a value (type 1 of Table CC.2.5-3)."""

EMPTY = (
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "TransactionUID",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientSex",
    "OtherPatientIDsSequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ScheduledWorkitemCodeSequence",
    "InputInformationSequence",
    "StudyInstanceUID",
    "ScheduledStationNameCodeSequence",
    "ScheduledStationClassCodeSequence",
    "ScheduledStationGeographicLocationCodeSequence",
    "ReferencedRequestSequence",
    "ProcedureStepProgressInformationSequence",
    "ScheduledProcessingParametersSequence",
    "UnifiedProcedureStepPerformedProcedureSequence",
    "CommentsOnTheScheduledProcedureStep",
    "ScheduledHumanPerformersSequence",
)
"""What it has to hold, if without a value (type 2)."""


def workitem(**named: Any) -> Attributes:
    """A Workitem that can be created without modifications, changed by what is named; ``...`` leaves one out."""
    given = dict.fromkeys(EMPTY) | NEEDED | {"WorklistLabel": "Tests"} | named
    return attributes(**{keyword: value for keyword, value in given.items() if value is not ...})


PERFORMED: dict[str, Any] = {
    "PerformedStationNameCodeSequence": code("STATION"),
    "PerformedProcedureStepStartDateTime": "20260131093100",
    "PerformedProcedureStepEndDateTime": "20260131093200",
    "PerformedWorkitemCodeSequence": code("NODULES"),
    "OutputInformationSequence": None,
}
"""An Item of Unified Procedure Step Performed Procedure Sequence with what COMPLETED needs."""


def performed(**named: Any) -> Attributes:
    """The payload of an Update with what COMPLETED needs."""
    item = {keyword: value for keyword, value in (PERFORMED | named).items() if value is not ...}
    return attributes(UnifiedProcedureStepPerformedProcedureSequence=item)


def change(state: str | None, lock: str | None) -> Attributes:
    """The payload of Change Workitem State."""
    given = {"ProcedureStepState": state, "TransactionUID": lock}
    return attributes(**{keyword: value for keyword, value in given.items() if value is not None})

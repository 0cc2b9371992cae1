"""standard.event_report: PS3.4 Table CC.2.4-1, when each report is called for (CC.2.4.3), and its frame (§8.10.5)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from skiagraph.standard import event_report
from skiagraph.standard.event_report import EventType
from workitems import attributes, code

PUSH = "1.2.840.10008.5.1.4.34.6.1"
UID = "1.2.3"
LOCK = "1.9.9"
BASE = attributes(ProcedureStepState="SCHEDULED", InputReadinessState="READY", ProcedureStepLabel="Step")


def parsed(report: bytes, message_id: int = 7) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(event_report.framed(report, message_id))
    return found


def values(report: dict[str, Any], tag: str) -> Any:
    return report.get(tag, {}).get("Value")


@examples(st.integers(1, 65_535), st.dictionaries(st.sampled_from(sorted(BASE)), st.just(BASE["00741204"])))
def test_a_frame_has_its_command_group_and_ascending_keys(message_id: int, more: dict[str, Any]) -> None:
    report = parsed(event_report.state_report(UID, BASE | more), message_id)
    assert list(report) == sorted(report)
    assert report["00000002"] == {"vr": "UI", "Value": [PUSH]}
    assert report["00000110"] == {"vr": "US", "Value": [message_id]}
    assert report["00001000"] == {"vr": "UI", "Value": [UID]}
    assert report["00001002"] == {"vr": "US", "Value": [1]}


class TestContents:
    def test_state(self) -> None:
        progress = {
            "ProcedureStepProgress": "5",
            "ReasonForCancellation": "no",
            "ProcedureStepDiscontinuationReasonCodeSequence": code("110513", "DCM"),
        }
        report = parsed(
            event_report.state_report(UID, BASE | attributes(ProcedureStepProgressInformationSequence=progress))
        )
        assert set(report) == {
            "00000002", "00000110", "00001000", "00001002", "00404041", "0074100E", "00741000", "00741238",
        }  # fmt: skip
        assert values(report, "00741238") == ["no"]

    def test_state_without_reasons(self) -> None:
        assert set(parsed(event_report.state_report(UID, BASE))) == {
            "00000002", "00000110", "00001000", "00001002", "00404041", "00741000",
        }  # fmt: skip

    @pytest.mark.parametrize("tag", ["00741000", "00404041"])
    def test_type_1_attributes_are_always_there(self, tag: str) -> None:
        assert tag in parsed(event_report.state_report(UID, {}))

    def test_cancel_requested_says_what_the_request_says(self) -> None:
        said = attributes(
            ReasonForCancellation="why",
            ProcedureStepDiscontinuationReasonCodeSequence=code("A"),
            ContactURI="tel:1",
            ContactDisplayName="Desk",
            PatientName="Nobody asked",
            TransactionUID=LOCK,
        )
        report = parsed(event_report.cancel_requested(UID, said, "ASKER"))
        assert values(report, "00001002") == [2]
        assert report["00741236"] == {"vr": "AE", "Value": ["ASKER"]}
        for tag in ("00741238", "0074100E", "0074100A", "0074100C"):
            assert report[tag] == said[tag]
        assert "00100010" not in report
        assert "00081195" not in report

    def test_cancel_requested_without_words(self) -> None:
        report = parsed(event_report.cancel_requested(UID, attributes(ReasonForCancellation=None), "ASKER"))
        assert set(report) == {"00000002", "00000110", "00001000", "00001002", "00741236"}

    def test_progress_is_the_whole_sequence(self) -> None:
        step = attributes(
            ProcedureStepProgressInformationSequence={
                "ProcedureStepProgress": "50",
                "ProcedureStepProgressDescription": "half",
                "ProcedureStepCommunicationsURISequence": {"ContactURI": "tel:1"},
            }
        )
        report = parsed(event_report.progress_report(UID, step))
        assert values(report, "00001002") == [3]
        assert report["00741002"] == step["00741002"]

    @pytest.mark.parametrize("subscriptions", [True, False])
    @pytest.mark.parametrize("workitems", [True, False])
    def test_restarted(self, subscriptions: bool, workitems: bool) -> None:
        report = parsed(
            event_report.scp_status("1.5", restarted=True, subscriptions=subscriptions, workitems=workitems)
        )
        assert values(report, "00001000") == ["1.5"]
        assert values(report, "00001002") == [4]
        assert report["00741242"] == {"vr": "CS", "Value": ["RESTARTED"]}
        assert values(report, "00741244") == ["WARM START" if subscriptions else "COLD START"]
        assert values(report, "00741246") == ["WARM START" if workitems else "COLD START"]

    def test_going_down(self) -> None:
        report = parsed(event_report.scp_status("1.5", restarted=False))
        assert set(report) == {"00000002", "00000110", "00001000", "00001002", "00741242"}
        assert values(report, "00741242") == ["GOING DOWN"]


class TestAssigned:
    PERFORMER: dict[str, Any] = {  # noqa: RUF012
        "HumanPerformerCodeSequence": code("P"),
        "HumanPerformerName": "Not^Said",
        "HumanPerformerOrganization": "Org",
    }

    @pytest.mark.parametrize(
        ("named", "expected"),
        [
            pytest.param({}, [set()], id="nobody"),
            pytest.param({"ScheduledStationNameCodeSequence": None}, [set()], id="empty"),
            pytest.param({"ScheduledStationNameCodeSequence": code("S")}, [{"00404025"}], id="station"),
            pytest.param(
                {"ScheduledHumanPerformersSequence": PERFORMER}, [{"00404009", "00404036"}], id="performer, flattened"
            ),
            pytest.param(
                {"ScheduledHumanPerformersSequence": [PERFORMER, {"HumanPerformerOrganization": "B"}]},
                [{"00404009", "00404036"}, {"00404036"}],
                id="a report for each performer",
            ),
            pytest.param(
                {
                    "ScheduledStationNameCodeSequence": code("S"),
                    "ScheduledHumanPerformersSequence": [PERFORMER, PERFORMER],
                },
                [{"00404025", "00404009", "00404036"}] * 2,
                id="station and performers",
            ),
            pytest.param({"ScheduledHumanPerformersSequence": [{}]}, [set()], id="an empty performer"),
            pytest.param(
                {"ScheduledStationNameCodeSequence": code("S"), "ScheduledHumanPerformersSequence": [{}]},
                [{"00404025"}],
                id="station and an empty performer",
            ),
        ],
    )
    def test_each_if_populated(self, named: dict[str, Any], expected: list[set[str]]) -> None:
        found = [parsed(report) for report in event_report.assigned(UID, attributes(**named))]
        assert [set(one) - {"00000002", "00000110", "00001000", "00001002"} for one in found] == expected
        assert all(values(one, "00001002") == [5] for one in found)

    def test_codes_without_a_scheme_go_as_they_are(self) -> None:
        step = attributes(ScheduledStationNameCodeSequence=[{"CodeValue": "A"}, {"CodeValue": "B"}])
        (report,) = event_report.assigned(UID, step)
        assert parsed(report)["00404025"] == step["00404025"]


PROGRESS = {"ProcedureStepProgress": "1", "ProcedureStepProgressDescription": "a"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, {}, [EventType.STATE], id="created"),
        pytest.param(
            None, {"ScheduledStationNameCodeSequence": code("A")}, [EventType.STATE, EventType.ASSIGNED], id="assigned"
        ),
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({}, {"ProcedureStepLabel": "B", "PatientName": "B"}, [], id="nothing that is reported"),
        pytest.param({}, {"ProcedureStepState": "IN PROGRESS"}, [EventType.STATE], id="state"),
        pytest.param({}, {"InputReadinessState": "INCOMPLETE"}, [EventType.STATE], id="readiness"),
        pytest.param(
            {},
            {"InputReadinessState": "INCOMPLETE", "ProcedureStepState": "CANCELED"},
            [EventType.STATE],
            id="both at once: one report",
        ),
        pytest.param({}, {"ScheduledStationNameCodeSequence": code("A")}, [EventType.ASSIGNED], id="station"),
        pytest.param(
            {"ScheduledStationNameCodeSequence": code("A")},
            {"ScheduledStationNameCodeSequence": code("A")},
            [],
            id="the same station",
        ),
        pytest.param(
            {"ScheduledStationNameCodeSequence": None},
            {"ScheduledStationNameCodeSequence": ...},
            [],
            id="empty is gone",
        ),
        pytest.param(None, {"ScheduledStationNameCodeSequence": None}, [EventType.STATE], id="created for nobody"),
        pytest.param(
            {"ScheduledStationNameCodeSequence": code("A")},
            {"ScheduledStationNameCodeSequence": None},
            [EventType.ASSIGNED],
            id="assigned to nobody any more",
        ),
        pytest.param(
            {}, {"ScheduledHumanPerformersSequence": {"HumanPerformerOrganization": "A"}}, [EventType.ASSIGNED],
            id="performer",
        ),
        pytest.param(
            {}, {"ProcedureStepProgressInformationSequence": PROGRESS}, [EventType.PROGRESS], id="progress comes"
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": PROGRESS},
            {"ProcedureStepProgressInformationSequence": PROGRESS | {"ProcedureStepProgress": "2"}},
            [EventType.PROGRESS],
            id="progress",
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": PROGRESS},
            {"ProcedureStepProgressInformationSequence": PROGRESS | {"ProcedureStepProgressDescription": "b"}},
            [EventType.PROGRESS],
            id="description",
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": PROGRESS},
            {
                "ProcedureStepProgressInformationSequence": PROGRESS
                | {"ProcedureStepCommunicationsURISequence": {"ContactURI": "tel:1"}}
            },
            [EventType.PROGRESS],
            id="whom to contact",
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": PROGRESS},
            {"ProcedureStepProgressInformationSequence": PROGRESS | {"ReasonForCancellation": "x"}},
            [],
            id="a reason alone is no progress",
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": PROGRESS},
            {"ProcedureStepProgressInformationSequence": None},
            [EventType.PROGRESS],
            id="progress is emptied",
        ),
        pytest.param(
            {"ProcedureStepProgressInformationSequence": None},
            {"ProcedureStepProgressInformationSequence": [{}]},
            [],
            id="nothing comes",
        ),
    ],
)  # fmt: skip
def test_what_a_change_calls_for(
    before: dict[str, Any] | None, after: dict[str, Any], expected: list[EventType]
) -> None:
    old = None if before is None else BASE | attributes(**before)
    new = BASE | attributes(**(before or {}) | {keyword: one for keyword, one in after.items() if one is not ...})
    for keyword, one in after.items():
        if one is ...:
            (tag,) = attributes(**{keyword: None})
            del new[tag]
    found = [parsed(report) for report in event_report.reports(UID, old, new)]
    assert [values(one, "00001002")[0] for one in found] == expected

"""standard.workitem: PS3.4 Table CC.2.5-3, held literally: what create, update and final states need and forbid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, Conflict
from skiagraph.standard import dictionary, workitem
from skiagraph.standard.procedure_step import State
from skiagraph.values import Attributes
from workitems import EMPTY, NEEDED, PERFORMED, attributes, code, performed
from workitems import workitem as minimal

NOW, EARLIER = "20260201120000.000000+0000", "20250101"
UID = "1.2.3"
NEWEST = {
    row.keyword for row in workitem.requirements() if row.path[0] in ("00100011", "00100014", "00100041", "00100043")
}
"""Attributes that came with later editions: names to use, pronouns, gender identity, sex parameters."""
ROWS = {row.path: row for row in workitem.requirements()}
TOP = {row.keyword: row for row in workitem.requirements() if len(row.path) == 1}


def tag(keyword: str) -> str:
    return TOP[keyword].path[0] if keyword in TOP else f"{dictionary.tag_of(keyword):08X}"


def vr(tag: str) -> str:
    return dictionary.vr_of(int(tag, 16)) or "SQ"  # the newest attributes, which it does not know, are Sequences


def create(payload: Attributes, *, strict: bool = False) -> tuple[Attributes, bool]:
    return workitem.created(payload, UID, now=NOW, label="Worklist", strict=strict)


def update(stored: Attributes, payload: Attributes, *, strict: bool = False) -> tuple[Attributes, bool]:
    return workitem.updated(stored, payload, now=NOW, strict=strict)


def some(keyword: str) -> Attributes:
    """The attribute with a value that may be there."""
    name = tag(keyword)
    kind = vr(name)[:2]
    value: Any = {"DT": "20270101", "CS": "LOW", "UI": "1.2.3.4", "US": 1, "SQ": code("x")}.get(kind, "text")
    if keyword == "InputReadinessState":
        value = "INCOMPLETE"
    values = [{"Alphabetic": value}] if kind == "PN" else [attributes(**value)] if kind == "SQ" else [value]
    return {name: {"vr": kind, "Value": values}}


# The table itself -------------------------------------------------------------------------------------------------


def test_the_table_is_of_known_attributes() -> None:
    for row in workitem.requirements():
        assert dictionary.tag_of(row.keyword) == int(row.path[-1], 16) or row.keyword in NEWEST, row
        assert len(row.path) == 1 or row.path[:-1] in ROWS, "its Sequence has a row"
        assert all(vr(one) == "SQ" for one in row.path[:-1])


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [  # N-CREATE, N-SET, Final State, matching key, return key
        ("TransactionUID", ("2/2", "by-state", "O", "-", "-")),
        ("SpecificCharacterSet", ("1C/1C", "1C/1C", "RC", "-", "1C")),
        ("SOPClassUID", ("-/1", "na", "R", "O", "1")),
        ("SOPInstanceUID", ("na", "na", "R", "U", "1")),
        ("ScheduledProcedureStepPriority", ("1/1", "3/1", "R", "R", "1")),
        ("ScheduledProcedureStepModificationDateTime", ("-/1", "-/1", "R", "O", "3")),
        ("ProcedureStepLabel", ("1/1", "3/1", "O", "R", "1")),
        ("WorklistLabel", ("2/1", "3/1", "O", "R", "1")),
        ("ScheduledProcessingParametersSequence", ("2/2", "3/2", "O", "-", "2")),
        ("ScheduledStationNameCodeSequence", ("2/2", "3/2", "O", "R", "2")),
        ("ScheduledStationClassCodeSequence", ("2/2", "3/2", "O", "R", "2")),
        ("ScheduledStationGeographicLocationCodeSequence", ("2/2", "3/2", "O", "R", "2")),
        ("ScheduledProcedureStepStartDateTime", ("1/1", "3/1", "R", "R", "1")),
        ("ExpectedCompletionDateTime", ("3/1", "3/1", "O", "R", "3")),
        ("ScheduledProcedureStepExpirationDateTime", ("3/3", "3/3", "O", "O", "3")),
        ("ScheduledWorkitemCodeSequence", ("2/2", "3/1", "O", "R", "2")),
        ("CommentsOnTheScheduledProcedureStep", ("2/2", "3/1", "O", "O", "3")),
        ("InputReadinessState", ("1/1", "3/1", "R", "R", "1")),
        ("InputInformationSequence", ("2/2", "3/2", "O", "O", "2")),
        ("StudyInstanceUID", ("1C/2", "3/2", "O", "O", "2")),
        ("PatientName", ("2/2", "na", "O", "R", "2")),
        ("PatientID", ("1C/2", "na", "O", "R", "2")),
        ("PatientBirthDate", ("2/2", "na", "O", "R", "2")),
        ("OtherPatientIDsSequence", ("2/2", "3/3", "O", "O", "2")),
        ("AdmissionID", ("2/2", "na", "O", "R", "2")),
        ("ReferencedRequestSequence", ("2/2", "na", "O", "R", "2")),
        ("ReplacedProcedureStepSequence", ("1C/1C", "na", "O", "R", "3")),
        ("MedicalAlerts", ("3/2", "3/2", "O", "O", "2C")),
        ("ProcedureStepState", ("1/1", "na", "R", "R", "1")),
        ("ProcedureStepProgressInformationSequence", ("2/2", "3/2", "X", "-", "2")),
        ("UnifiedProcedureStepPerformedProcedureSequence", ("2/2", "3/2", "P", "-", "-")),
    ],
)
def test_rows(keyword: str, expected: tuple[str, ...]) -> None:
    row = TOP[keyword]
    assert (row.create, row.set, row.final, row.match, row.returned) == expected


def test_what_final_states_need() -> None:
    """The Final State column: all that is R, P or X."""
    found = {code: [row.keyword for row in workitem.requirements() if row.final == code] for code in "RPX"}
    assert found == {
        "R": [
            "SOPClassUID",
            "SOPInstanceUID",
            "ScheduledProcedureStepPriority",
            "ScheduledProcedureStepModificationDateTime",
            "ScheduledProcedureStepStartDateTime",
            "InputReadinessState",
            "ProcedureStepState",
        ],
        "P": [
            "UnifiedProcedureStepPerformedProcedureSequence",
            "PerformedStationNameCodeSequence",
            "PerformedProcedureStepStartDateTime",
            "PerformedWorkitemCodeSequence",
            "PerformedProcedureStepEndDateTime",
            "OutputInformationSequence",
        ],
        "X": [
            "ProcedureStepProgressInformationSequence",
            "ProcedureStepCancellationDateTime",
            "ProcedureStepDiscontinuationReasonCodeSequence",
        ],
    }


def test_what_is_returned() -> None:
    assert {TOP_BY_TAG[one] for one in workitem.returned()} >= {
        "SOPClassUID",
        "ProcedureStepState",
        "ReferencedRequestSequence",
        "ProcedureStepProgressInformationSequence",
    }
    assert {TOP_BY_TAG[one] for one in workitem.returned_if_present()} == {
        "SpecificCharacterSet",
        "MedicalAlerts",
        "PregnancyStatus",
        "SpecialNeeds",
    }
    assert workitem.TRANSACTION_UID not in workitem.returned() | workitem.returned_if_present()


TOP_BY_TAG = {row.path[0]: row.keyword for row in TOP.values()}


def test_required_match_keys_are_at_hand() -> None:
    """Everything that is R or U can be found without a look at each Workitem; dates order the answers."""
    at_hand = {path for key in workitem.WORKITEM.keys for path in (key.path, key.path[:-1])} | {workitem.WORKITEM.date}
    needed = {row.path for row in workitem.requirements() if row.match in ("R", "U")}
    texts = {path for path in needed if dictionary.vr_of(int(path[-1], 16)) not in ("SQ", "DT")}
    codes = {"00080100", "00080119", "00080120", "00080102"}
    assert {path for path in texts if path[-1] not in codes and path not in at_hand} <= {
        ("0040A370", "00080051", "00400031"),  # issuers: with the numbers that they belong to
        ("0040A370", "00080051", "00400032"),
        ("0040A370", "00080051", "00400033"),
        ("00380014", "00400032"),
        ("00380014", "00400033"),
        ("00741224", "00081150"),
    }


# Create -----------------------------------------------------------------------------------------------------------


def test_the_least_that_can_be_created() -> None:
    created, modified = create(minimal(), strict=True)
    assert not modified
    assert list(created) == sorted(created)
    assert created["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
    assert created["00080018"]["Value"] == [UID]
    assert created["00404010"]["Value"] == [NOW]
    assert "00081195" not in created
    for keyword in ("PatientID", "StudyInstanceUID"):
        assert tag(keyword) in created, "type 1C/2: the server has it, if empty"


@pytest.mark.parametrize("keyword", [*NEEDED])
@pytest.mark.parametrize("value", [..., None, ""], ids=["missing", "empty", "blank"])
def test_type_1_is_needed(keyword: str, value: Any) -> None:
    payload = minimal(**{keyword: value})
    with pytest.raises(BadRequest) as raised:
        create(payload)
    assert any(keyword in detail for detail in raised.value.details)


TYPE_2 = [row.keyword for row in TOP.values() if row.create.startswith("2/")]


def test_the_test_data_names_all_of_type_2() -> None:
    assert set(TYPE_2) <= {*EMPTY, "WorklistLabel"}


@pytest.mark.parametrize("keyword", [one for one in TYPE_2 if one != "WorklistLabel"])
def test_type_2_is_added_empty_and_said(keyword: str) -> None:
    payload = minimal(**{keyword: ...})
    created, modified = create(payload)
    assert modified == (keyword != "TransactionUID"), "which nobody gets to see"
    if modified:
        assert not workitem.has_value(created[tag(keyword)])
        assert created[tag(keyword)]["vr"] == vr(tag(keyword))[:2]
    with pytest.raises(BadRequest) as raised:
        create(payload, strict=True)
    assert any(keyword in detail for detail in raised.value.details)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(BadRequest) as raised:
        create({})
    assert len(raised.value.details) == len(NEEDED)


@pytest.mark.parametrize("value", [..., None], ids=["missing", "empty"])
def test_the_server_fills_the_worklist_label(value: Any) -> None:
    created, modified = create(minimal(WorklistLabel=value))
    assert modified
    assert created["00741202"]["Value"] == ["Worklist"]


@pytest.mark.parametrize(
    "named",
    [
        {"TransactionUID": "1.2.9"},
        {"ProcedureStepProgressInformationSequence": {"ProcedureStepProgress": "1"}},
        {"UnifiedProcedureStepPerformedProcedureSequence": {"PerformedProcedureStepDescription": "x"}},
        {"ProcedureStepState": "IN PROGRESS"},
        {"ProcedureStepState": "scheduled"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        {"ScheduledProcedureStepStartDateTime": "soon"},
        {"ScheduledProcedureStepStartDateTime": "20260101-20260102"},
        {"ScheduledProcedureStepExpirationDateTime": "20261301"},
        {"ExpectedCompletionDateTime": "x"},
    ],
    ids=lambda named: "{}={}".format(*next(iter(named.items()))),
)
def test_what_may_not_be_created(named: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        create(minimal(**named))


@pytest.mark.parametrize(
    ("named", "modified"),
    [
        pytest.param({"SOPClassUID": "1.2.840.10008.5.1.4.34.6.1"}, False, id="Push"),
        pytest.param({"SOPClassUID": "1.2.840.10008.5.1.4.34.6.3"}, True, id="Pull becomes Push"),
        pytest.param({"ScheduledProcedureStepModificationDateTime": EARLIER}, True, id="the server's own time"),
        pytest.param({"ScheduledProcedureStepModificationDateTime": None}, False, id="no time of the client's"),
        pytest.param({"PatientComments": "more"}, False, id="another attribute of the IOD"),
        pytest.param({"ReplacedProcedureStepSequence": {"ReferencedSOPInstanceUID": "1.2"}}, False, id="replaces"),
    ],
)
def test_what_the_server_has_to_change(named: dict[str, Any], modified: bool) -> None:
    created, said = create(minimal(**named))
    assert said == modified
    assert created["00404010"]["Value"] == [NOW]
    assert created["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]


def test_elements_of_the_command_are_no_part_of_it() -> None:
    created, _ = create(minimal() | {"00000002": {"vr": "UI", "Value": [workitem.SOP_CLASS]}, "00001000": {"vr": "UI"}})
    assert all(one >= "00080000" for one in created)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, None),
        (attributes(SOPInstanceUID="1.2"), "1.2"),
        ({"00001000": {"vr": "UI", "Value": ["1.3"]}}, "1.3"),
        ({"00001000": {"vr": "UI", "Value": ["1.2"]}} | attributes(SOPInstanceUID="1.2"), "1.2"),
        ({"00001000": {"vr": "UI", "Value": ["1.3"]}} | attributes(SOPInstanceUID="1.2"), ...),
        (attributes(SOPInstanceUID=None), None),
    ],
)
def test_uid_in(payload: Attributes, expected: Any) -> None:
    if expected is ...:
        with pytest.raises(BadRequest):
            workitem.uid_in(payload)
    else:
        assert workitem.uid_in(payload) == expected


def test_strictness_reaches_into_items() -> None:
    payload = minimal(ReferencedRequestSequence={"AccessionNumber": "1"})
    create(payload)
    with pytest.raises(BadRequest) as raised:
        create(payload, strict=True)
    assert any("ReferencedRequestSequence > StudyInstanceUID" in detail for detail in raised.value.details)


@pytest.mark.parametrize("keyword", sorted(NEWEST & {row.keyword for row in TOP.values()}))
def test_attributes_of_later_editions_are_taken(keyword: str) -> None:
    assert create(minimal() | some(keyword))[0][tag(keyword)] == some(keyword)[tag(keyword)]


# Update -----------------------------------------------------------------------------------------------------------

STORED = create(minimal(PatientName="Doe", ScheduledWorkitemCodeSequence=[code("A"), code("B")]))[0]


@pytest.mark.parametrize("row", TOP.values(), ids=lambda row: f"{row.set} {row.keyword}")
def test_each_row_of_n_set(row: workitem.Requirement) -> None:
    given = some(row.keyword)
    (name,) = given
    none = {name: {"vr": vr(name)[:2]}}
    match row.set:
        case "na" if row.keyword in ("SOPClassUID", "SOPInstanceUID"):
            with pytest.raises(BadRequest):
                update(STORED, given)
            assert update(STORED, {name: STORED[name]})[0][name] == STORED[name], "the same may be said again"
        case "na":
            for payload in (given, none):
                with pytest.raises(BadRequest) as raised:
                    update(STORED, payload)
                assert row.keyword in raised.value.details[0]
        case "by-state" | "1C/1C" | "-/1":
            assert (
                update(STORED, given)[0].get(name) == {"vr": "DT", "Value": [NOW]}
                or name not in (update(STORED, given)[0])
            )
        case _:
            updated, modified = update(STORED, given)
            assert updated[name] == given[name]
            assert not modified
            if row.set.endswith("/1"):
                with pytest.raises(BadRequest):
                    update(STORED, none)
            else:
                assert not workitem.has_value(update(STORED, none)[0][name])


def test_sequences_are_replaced_whole() -> None:
    updated, _ = update(STORED, attributes(ScheduledWorkitemCodeSequence=code("C")))
    assert len(updated["00404018"]["Value"]) == 1


def test_an_update_is_dated_and_repeatable() -> None:
    once, _ = update(STORED, attributes(ProcedureStepLabel="B"))
    assert update(once, attributes(ProcedureStepLabel="B"))[0] == once
    assert once["00404010"]["Value"] == [NOW]
    assert update(STORED, attributes(ScheduledProcedureStepModificationDateTime=EARLIER))[1] is True


def test_nothing_of_the_stored_one_is_changed_in_place() -> None:
    before = create(minimal())[0]
    copy = dict(before)
    update(before, attributes(ProcedureStepLabel="B"))
    workitem.in_state(before, State.CANCELED, now=NOW)
    assert before == copy


# Final states -----------------------------------------------------------------------------------------------------


def completed(**named: Any) -> Attributes:
    return workitem.in_state(STORED | performed(**named), State.COMPLETED, now=NOW)


def test_what_is_performed_suffices_to_complete() -> None:
    workitem.check_final(completed(), State.COMPLETED)


@pytest.mark.parametrize("keyword", [*PERFORMED])
@pytest.mark.parametrize("value", [..., None], ids=["missing", "empty"])
def test_each_p_is_needed(keyword: str, value: Any) -> None:
    attributes = completed(**{keyword: value})
    if keyword == "OutputInformationSequence" and value is None:
        workitem.check_final(attributes, State.COMPLETED)  # nothing was made
        return
    with pytest.raises(Conflict) as raised:
        workitem.check_final(attributes, State.COMPLETED)
    assert [keyword in detail for detail in raised.value.details] == [True]


@pytest.mark.parametrize("keyword", [row.keyword for row in TOP.values() if row.final == "R"])
@pytest.mark.parametrize("state", [State.COMPLETED, State.CANCELED])
def test_each_r_is_needed(keyword: str, state: State) -> None:
    whole = workitem.in_state(completed(), state, now=NOW)
    workitem.check_final(whole, state)
    with pytest.raises(Conflict):
        workitem.check_final({one: value for one, value in whole.items() if one != tag(keyword)}, state)


@pytest.mark.parametrize("keyword", [row.keyword for row in workitem.requirements() if row.final == "X"][1:])
def test_each_x_is_needed(keyword: str) -> None:
    whole = workitem.in_state(STORED, State.CANCELED, now=NOW)
    workitem.check_final(whole, State.CANCELED)
    (item,) = whole["00741002"]["Value"]
    less = {"vr": "SQ", "Value": [{one: value for one, value in item.items() if one != tag(keyword)}]}
    with pytest.raises(Conflict):
        workitem.check_final(whole | {"00741002": less}, State.CANCELED)
    workitem.check_final(completed() | {"00741002": less}, State.COMPLETED)


class TestCanceled:
    def test_the_server_fills_what_is_missing(self) -> None:
        canceled = workitem.in_state(STORED, State.CANCELED, now=NOW)
        (item,) = canceled["00741002"]["Value"]
        assert item["00404052"]["Value"] == [NOW]
        assert item["0074100E"]["Value"] == [workitem.UNSPECIFIED_REASON]

    def test_what_the_performer_said_stays(self) -> None:
        said = attributes(
            ProcedureStepProgressInformationSequence={
                "ProcedureStepProgress": "30",
                "ProcedureStepCancellationDateTime": EARLIER,
                "ReasonForCancellation": "why",
                "ProcedureStepDiscontinuationReasonCodeSequence": code("A"),
            }
        )
        assert workitem.in_state(STORED | said, State.CANCELED, now=NOW)["00741002"] == said["00741002"]

    @pytest.mark.parametrize(
        "items", [[{}], [{}, {}], [{"ProcedureStepProgress": "1"}, {"ReasonForCancellation": "x"}]]
    )
    def test_several_items_are_no_obstacle(self, items: list[dict[str, str]]) -> None:
        """One Item is allowed; more of them must not keep a step from its end."""
        stored = STORED | attributes(ProcedureStepProgressInformationSequence=items)
        workitem.check_final(workitem.in_state(stored, State.CANCELED, now=NOW), State.CANCELED)

    def test_a_change_of_state_is_no_change_of_what_is_scheduled(self) -> None:
        """PS3.3 C.30.2: Modification DateTime is that of the Scheduled Procedure Information."""
        stored = STORED | {"00404010": {"vr": "DT", "Value": [EARLIER]}}
        for state in State:
            assert workitem.in_state(stored, state, now=NOW)["00404010"]["Value"] == [EARLIER]


# Parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (None, False),
        ({"vr": "LO"}, False),
        ({"vr": "LO", "Value": []}, False),
        ({"vr": "LO", "Value": [None]}, False),
        ({"vr": "LO", "Value": ["", None]}, False),
        ({"vr": "LO", "Value": [None, "a"]}, True),
        ({"vr": "US", "Value": [0]}, True),
        ({"vr": "SQ", "Value": [{}]}, True),
        ({"vr": "OB", "InlineBinary": "AA=="}, True),
    ],
)
def test_has_value(element: Any, expected: bool) -> None:
    assert workitem.has_value(element) is expected


@examples(st.text(), st.sampled_from(["", " ", "\0", "  "]))
def test_value_is_without_padding(text: str, padding: str) -> None:
    found = workitem.value({"00741204": {"vr": "LO", "Value": [text + padding]}}, "00741204")
    assert found == (text.strip(" \0") if text + padding else None)

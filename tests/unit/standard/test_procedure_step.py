"""standard.procedure_step: PS3.4 Table CC.1.1-2, cell by cell, and what CC.2.6.2 says of N-SET."""

from __future__ import annotations

import pytest

from skiagraph.standard import procedure_step
from skiagraph.standard.procedure_step import TABLE, Event, Outcome, State

STATES = (None, State.SCHEDULED, State.IN_PROGRESS, State.COMPLETED, State.CANCELED)
OK = 0x0000

# As it is printed: the rows in its order, the columns null, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED. Where it
# prints an action, the status is that of success.
PRINTED: dict[Event, tuple[int, int, int, int, int]] = {
    Event.CREATE: (OK, 0x0111, 0x0111, 0x0111, 0x0111),
    Event.CLAIM: (0xC307, OK, 0xC302, 0xC300, 0xC300),
    Event.CLAIM_WRONG_LOCK: (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
    Event.SCHEDULE: (0xC307, 0xC303, 0xC303, 0xC303, 0xC303),
    Event.COMPLETE: (0xC307, 0xC310, OK, 0xB306, 0xC300),
    Event.COMPLETE_WRONG_LOCK: (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
    Event.REQUEST_CANCEL: (0xC307, OK, OK, 0xC311, 0xB304),
    Event.CANCEL: (0xC307, 0xC310, OK, 0xC300, 0xB304),
    Event.CANCEL_WRONG_LOCK: (0xC307, 0xC301, 0xC301, 0xC301, 0xC301),
}
# N-SET, of the text
SET: dict[Event, tuple[int, int, int, int, int]] = {
    Event.UPDATE: (0xC307, 0xC310, OK, 0xC300, 0xC300),
    Event.UPDATE_WITHOUT_LOCK: (0xC307, OK, 0xC301, 0xC300, 0xC300),
    Event.UPDATE_WRONG_LOCK: (0xC307, 0xC310, 0xC301, 0xC300, 0xC300),
}


@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize("event", Event, ids=lambda event: event.name)
def test_each_cell(event: Event, state: State | None) -> None:
    expected = (PRINTED | SET)[event][STATES.index(state)]
    assert procedure_step.follow(event, state).dimse == expected


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Event) == set(PRINTED) | set(SET)


def test_what_is_more_than_a_status() -> None:
    """The cells of the table that print what the server does."""
    found = {(event, state): TABLE[event].of(state) for event in PRINTED for state in STATES}
    assert {cell for cell, outcome in found.items() if outcome is Outcome.DONE} == {
        (Event.CREATE, None),
        (Event.CLAIM, State.SCHEDULED),
    }
    assert {cell for cell, outcome in found.items() if outcome is Outcome.DONE_IF_FINAL} == {
        (Event.COMPLETE, State.IN_PROGRESS),
        (Event.CANCEL, State.IN_PROGRESS),
    }
    assert found[Event.REQUEST_CANCEL, State.SCHEDULED] is Outcome.CANCELED_BY_SERVER
    assert found[Event.REQUEST_CANCEL, State.IN_PROGRESS] is Outcome.PASSED_ON


def test_final_states() -> None:
    assert {state for state in State if state.final} == {State.COMPLETED, State.CANCELED}
    for event in Event:
        for state in (State.COMPLETED, State.CANCELED):
            assert TABLE[event].of(state).dimse != OK, "nothing leaves a final state"


def test_the_arrows_of_the_figure() -> None:
    assert list(procedure_step.transitions()) == [
        (None, Event.CREATE, State.SCHEDULED),
        (State.SCHEDULED, Event.CLAIM, State.IN_PROGRESS),
        (State.IN_PROGRESS, Event.COMPLETE, State.COMPLETED),
        (State.IN_PROGRESS, Event.CANCEL, State.CANCELED),
        (State.SCHEDULED, Event.REQUEST_CANCEL, State.CANCELED),
    ]


@pytest.mark.parametrize(
    ("lock", "given", "state", "expected"),
    [
        pytest.param(None, "1.2", State.SCHEDULED, True, id="any claims first"),
        pytest.param(None, None, State.SCHEDULED, False, id="but one has to be given"),
        pytest.param("1.2", "1.2", State.IN_PROGRESS, True, id="that of the claim"),
        pytest.param("1.2", "1.3", State.IN_PROGRESS, False, id="CC.2.1.2: that of a second claim"),
        pytest.param("1.2", "1.20", State.IN_PROGRESS, False, id="one that begins alike"),
        pytest.param("1.2", None, State.IN_PROGRESS, False, id="none"),
        pytest.param("1.2", "1.2", State.COMPLETED, True, id="COMPLETED, that of the claim"),
        pytest.param("1.2", "1.3", State.CANCELED, False, id="CANCELED, another"),
        pytest.param(None, "1.2", State.CANCELED, False, id="canceled by the server: nobody has the lock"),
        pytest.param(None, "1.2", None, True, id="no such step"),
    ],
)
def test_correct_lock(lock: str | None, given: str | None, state: State | None, expected: bool) -> None:
    assert procedure_step.correct(lock, given, state) is expected


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize("target", State)
def test_state_event(target: State, correct: bool) -> None:
    name = {"IN PROGRESS": "CLAIM", "COMPLETED": "COMPLETE", "CANCELED": "CANCEL"}.get(target)
    expected = Event.SCHEDULE if name is None else Event[name if correct else f"{name}_WRONG_LOCK"]
    assert procedure_step.state_event(target, correct=correct) is expected


@pytest.mark.parametrize(
    ("lock", "given", "expected"),
    [
        (None, None, Event.UPDATE_WITHOUT_LOCK),
        ("1.2", None, Event.UPDATE_WITHOUT_LOCK),
        ("1.2", "1.2", Event.UPDATE),
        ("1.2", "1.3", Event.UPDATE_WRONG_LOCK),
        (None, "1.2", Event.UPDATE_WRONG_LOCK),
    ],
)
def test_update_event(lock: str | None, given: str | None, expected: Event) -> None:
    assert procedure_step.update_event(lock, given) is expected

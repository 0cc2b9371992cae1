"""The Unified Procedure Step state machine — PS3.4 CC.1.1, Table CC.1.1-2.

Who holds the lock (the Transaction UID) of a procedure step may update and finish it; nobody else may, and the server
looks at nothing but the lock. A step that nobody has claimed has no lock: whoever claims it first brings one, so on a
SCHEDULED step every Transaction UID is the correct one.

The table is asked with an event and a state, and says what follows: the new state, or why not. It has a row for every
cell of the standard's table; the diagram in the documentation is drawn from it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class State(enum.StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        return self in (State.COMPLETED, State.CANCELED)


class Event(enum.StrEnum):
    """What is asked of a procedure step: a row of Table CC.1.1-2."""

    CREATE = "Create"
    CLAIM = "Change State to IN PROGRESS"
    CLAIM_WRONG_LOCK = "Change State to IN PROGRESS, missing or wrong Transaction UID"
    SCHEDULE = "Change State to SCHEDULED"
    COMPLETE = "Change State to COMPLETED"
    COMPLETE_WRONG_LOCK = "Change State to COMPLETED, missing or wrong Transaction UID"
    CANCEL = "Change State to CANCELED"
    CANCEL_WRONG_LOCK = "Change State to CANCELED, missing or wrong Transaction UID"
    REQUEST_CANCEL = "Request Cancellation"
    UPDATE = "Update"
    UPDATE_WITHOUT_LOCK = "Update, no Transaction UID"
    UPDATE_WRONG_LOCK = "Update, wrong Transaction UID"


class Outcome(enum.Enum):
    """A cell of Table CC.1.1-2: what follows, with its DIMSE status."""

    DONE = 0x0000
    DONE_IF_FINAL = 0x0000 | 1 << 16
    """If the requirements of the final state are met, else 0xC304."""
    CANCELED_BY_SERVER = 0x0000 | 2 << 16
    """The server claims and cancels the step itself."""
    PASSED_ON = 0x0000 | 3 << 16
    """Subscribers are told; the state stays."""
    ALREADY_CANCELED = 0xB304
    ALREADY_COMPLETED = 0xB306
    DUPLICATE = 0x0111
    NO_SUCH_INSTANCE = 0xC307
    NO_LONGER_UPDATABLE = 0xC300
    WRONG_LOCK = 0xC301
    ALREADY_IN_PROGRESS = 0xC302
    ONLY_BY_CREATION = 0xC303
    NOT_IN_PROGRESS = 0xC310
    ALREADY_COMPLETED_NO_CANCEL = 0xC311

    @property
    def dimse(self) -> int:
        """Status of a DIMSE response."""
        return self.value & 0xFFFF


@dataclass(frozen=True, slots=True)
class Row:
    """What follows from one event in each state."""

    missing: Outcome
    """There is no such step."""
    scheduled: Outcome
    in_progress: Outcome
    completed: Outcome
    canceled: Outcome

    def of(self, state: State | None) -> Outcome:
        """Return the cell of a state; None: there is no such step."""
        match state:
            case None:
                return self.missing
            case State.SCHEDULED:
                return self.scheduled
            case State.IN_PROGRESS:
                return self.in_progress
            case State.COMPLETED:
                return self.completed
            case State.CANCELED:
                return self.canceled


_O = Outcome
_NONE = _O.NO_SUCH_INSTANCE

TABLE: dict[Event, Row] = {
    Event.CREATE: Row(_O.DONE, _O.DUPLICATE, _O.DUPLICATE, _O.DUPLICATE, _O.DUPLICATE),
    Event.CLAIM: Row(_NONE, _O.DONE, _O.ALREADY_IN_PROGRESS, _O.NO_LONGER_UPDATABLE, _O.NO_LONGER_UPDATABLE),
    Event.CLAIM_WRONG_LOCK: Row(_NONE, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK),
    Event.SCHEDULE: Row(_NONE, _O.ONLY_BY_CREATION, _O.ONLY_BY_CREATION, _O.ONLY_BY_CREATION, _O.ONLY_BY_CREATION),
    Event.COMPLETE: Row(_NONE, _O.NOT_IN_PROGRESS, _O.DONE_IF_FINAL, _O.ALREADY_COMPLETED, _O.NO_LONGER_UPDATABLE),
    Event.COMPLETE_WRONG_LOCK: Row(_NONE, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK),
    Event.CANCEL: Row(_NONE, _O.NOT_IN_PROGRESS, _O.DONE_IF_FINAL, _O.NO_LONGER_UPDATABLE, _O.ALREADY_CANCELED),
    Event.CANCEL_WRONG_LOCK: Row(_NONE, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK, _O.WRONG_LOCK),
    Event.REQUEST_CANCEL: Row(
        _NONE, _O.CANCELED_BY_SERVER, _O.PASSED_ON, _O.ALREADY_COMPLETED_NO_CANCEL, _O.ALREADY_CANCELED
    ),
    Event.UPDATE: Row(_NONE, _O.NOT_IN_PROGRESS, _O.DONE, _O.NO_LONGER_UPDATABLE, _O.NO_LONGER_UPDATABLE),
    Event.UPDATE_WITHOUT_LOCK: Row(_NONE, _O.DONE, _O.WRONG_LOCK, _O.NO_LONGER_UPDATABLE, _O.NO_LONGER_UPDATABLE),
    Event.UPDATE_WRONG_LOCK: Row(
        _NONE, _O.NOT_IN_PROGRESS, _O.WRONG_LOCK, _O.NO_LONGER_UPDATABLE, _O.NO_LONGER_UPDATABLE
    ),
}
"""Table CC.1.1-2, and what CC.2.6.2 says of Update. "Update" with a lock on a SCHEDULED step: the lock shall not be
there (CC.2.6.2)."""


TARGETS: dict[Event, State] = {
    Event.CREATE: State.SCHEDULED,
    Event.CLAIM: State.IN_PROGRESS,
    Event.COMPLETE: State.COMPLETED,
    Event.CANCEL: State.CANCELED,
    Event.REQUEST_CANCEL: State.CANCELED,
}
"""The state that an event leads to where it is done; others leave the state as it is."""


def transitions() -> Iterator[tuple[State | None, Event, State]]:
    """Yield the arrows of Figure CC.1.1-1, from a state (None: there is no step) by an event to a state."""
    done = (Outcome.DONE, Outcome.DONE_IF_FINAL, Outcome.CANCELED_BY_SERVER)
    for event, target in TARGETS.items():
        for state in (None, *State):
            if follow(event, state) in done:
                yield state, event, target


def correct(lock: str | None, given: str | None, state: State | None) -> bool:
    """Whether the Transaction UID given is the correct one: that of the claim; on a SCHEDULED step any is."""
    return given is not None and (state in (None, State.SCHEDULED) or given == lock)


def state_event(target: State, *, correct: bool) -> Event:
    """Return the row of a Change State request."""
    match target:
        case State.SCHEDULED:
            return Event.SCHEDULE
        case State.IN_PROGRESS:
            return Event.CLAIM if correct else Event.CLAIM_WRONG_LOCK
        case State.COMPLETED:
            return Event.COMPLETE if correct else Event.COMPLETE_WRONG_LOCK
        case State.CANCELED:
            return Event.CANCEL if correct else Event.CANCEL_WRONG_LOCK


def update_event(lock: str | None, given: str | None) -> Event:
    """Return the row of an Update request. On a SCHEDULED step, which has no lock, any given one is wrong."""
    if given is None:
        return Event.UPDATE_WITHOUT_LOCK
    return Event.UPDATE if given == lock else Event.UPDATE_WRONG_LOCK


def follow(event: Event, state: State | None) -> Outcome:
    """Return what follows from an event in a state (None: there is no such step)."""
    return TABLE[event].of(state)

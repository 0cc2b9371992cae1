"""Change Workitem State and Request Cancellation — PS3.18 §11.7, §11.8; PS3.4 CC.2.1, CC.2.2.

Request   PUT /workitems/{workitem}/state with Procedure Step State and Transaction UID; POST …/cancelrequest with,
          if anything, a reason and whom to contact. Who asks may stand in the path or in ``?requester=``.
Behavior  Table CC.1.1-2 (`standard.procedure_step`). Only the lock decides who may finish a step. Of many who claim it
          at once one wins: each looks at the state and writes it in one transaction, by compare and set.
Response  200, 202; the literal Warning texts of the standard on every failure and on "already there".
"""

from __future__ import annotations

import time
from dataclasses import replace

from skiagraph.errors import ArchiveError, BadRequest, Conflict
from skiagraph.index.base import Books, Record
from skiagraph.services import payload
from skiagraph.services.archive import Archive
from skiagraph.services.worklist import (
    LOCK,
    MEDIA_TYPES,
    PERFORMER,
    existing,
    now,
    one,
    state_of,
    tell,
    transaction_uid,
    warned,
)
from skiagraph.standard import event_report, procedure_step, workitem
from skiagraph.standard.procedure_step import Event, Outcome, State
from skiagraph.standard.workitem import (
    CANCELLATION_REASON,
    CONTACT_NAME,
    CONTACT_URI,
    DISCONTINUATION_CODE,
    PROGRESS_INFORMATION,
    STATE,
    has_value,
)
from skiagraph.values import Attributes
from skiagraph.wire.message import Request, Response
from skiagraph.wire.query import parse_query
from skiagraph.wire.transaction import Transaction

_SECONDS_PER_HOUR = 3600.0
_AE_TITLE_CHARACTERS = 16

_INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
_ALREADY = "The UPS is already in the requested state of {}."


# Change State -----------------------------------------------------------------------------------------------------


async def change_state(archive: Archive, request: Request) -> Response:
    """PUT /workitems/{workitem}/state."""
    data_set = one(await payload.data_sets(archive, request))
    uid, performer = request.parameters["workitem"], requester(request)
    given = transaction_uid(request, data_set)
    asked = workitem.value(data_set, STATE)
    retention = archive.settings.workitem_retention_hours * _SECONDS_PER_HOUR

    def work(books: Books) -> str | None:
        record = existing(books, uid)
        target = _target(asked)
        state, lock = state_of(record), record.private.get(LOCK)
        event = procedure_step.state_event(target, correct=procedure_step.correct(lock, given, state))
        outcome = procedure_step.follow(event, state)
        match outcome:
            case Outcome.DONE:
                private = record.private | {LOCK: given} | ({PERFORMER: performer} if performer else {})
                move(books, replace(record, private=private, due_at=None), target)
            case Outcome.DONE_IF_FINAL:
                finish(books, record, target, retention)
            case Outcome.ALREADY_COMPLETED | Outcome.ALREADY_CANCELED:
                return _ALREADY.format(target)
            case _:
                raise _refusal(outcome, given, state, target)
        return None

    return warned(request, Response(200), await archive.journal.write(work))


def _target(asked: str | None) -> State:
    try:
        return State(asked or "")
    except ValueError:
        raise BadRequest(
            "The data set needs a Procedure Step State (0074,1000) of IN PROGRESS, COMPLETED or CANCELED.",
            warning=_INCONSISTENT,
        ) from None


def _refusal(outcome: Outcome, given: str | None, state: State, target: State) -> ArchiveError:
    match outcome:
        case Outcome.WRONG_LOCK if given is None:
            return BadRequest(
                "The data set needs the Transaction UID (0008,1195): that of the claim, or a new one to claim with.",
                warning="The Transaction UID is missing.",
            )
        case Outcome.WRONG_LOCK:
            return BadRequest(
                "The Transaction UID is not the one that the Workitem was claimed with.",
                warning="The Transaction UID is incorrect.",
            )
        case Outcome.NOT_IN_PROGRESS:
            hint = " Who wants it canceled uses Request Cancellation." if target is State.CANCELED else ""
            return Conflict(
                f"The Workitem is {state}; it has to be claimed (IN PROGRESS) first.{hint}", warning=_INCONSISTENT
            )
        case Outcome.ALREADY_IN_PROGRESS:
            return Conflict("The Workitem is IN PROGRESS already, claimed by you.", warning=_INCONSISTENT)
        case Outcome.ONLY_BY_CREATION:
            return Conflict("A Workitem is SCHEDULED when it is created, and never again.", warning=_INCONSISTENT)
        case _:
            return Conflict(f"The Workitem is {state}, which is final.", warning=_INCONSISTENT)


def move(books: Books, record: Record, target: State) -> Record:
    """Bring a Workitem into another state and tell its subscribers."""
    attributes = workitem.in_state(record.attributes, target, now=now())
    moved = books.put(replace(record, attributes=attributes))
    tell(books, moved, [event_report.state_report(record.uid, attributes)])
    return moved


def finish(books: Books, record: Record, target: State, retention: float) -> Record:
    """Bring a Workitem into a final state; `retention` seconds later it may be deleted.

    Raises
    ------
    Conflict
        It lacks what the state needs.
    """
    try:
        workitem.check_final(workitem.in_state(record.attributes, target, now=now()), target)
    except Conflict as error:
        raise Conflict(error.message, details=error.details, warning=_INCONSISTENT) from error
    return move(books, replace(record, due_at=time.time() + retention), target)


# Request Cancellation ---------------------------------------------------------------------------------------------


async def request_cancellation(archive: Archive, request: Request) -> Response:
    """POST /workitems/{workitem}/cancelrequest."""
    data_sets = await payload.data_sets(archive, request)
    data_set = one(data_sets) if data_sets else {}
    uid, asking = request.parameters["workitem"], requester(request) or archive.settings.ae_title
    retention = archive.settings.workitem_retention_hours * _SECONDS_PER_HOUR

    def work(books: Books) -> str | None:
        record = existing(books, uid)
        match procedure_step.follow(Event.REQUEST_CANCEL, state_of(record)):
            case Outcome.CANCELED_BY_SERVER:
                cancel(books, record, data_set, retention)
            case Outcome.PASSED_ON:
                audience = books.subscribers(record)
                if not audience:
                    raise Conflict(
                        "Nobody is subscribed to the Workitem, so that its performer can not be told.",
                        warning="The performer cannot be contacted.",
                    )
                books.report(event_report.cancel_requested(uid, data_set, asking), audience)
            case Outcome.ALREADY_CANCELED:
                return _ALREADY.format(State.CANCELED)
            case _:
                raise Conflict("The Workitem is COMPLETED.", warning="The UPS is already COMPLETED.")
        return None

    return warned(request, Response(202), await archive.journal.write(work))


def cancel(books: Books, record: Record, said: Attributes, retention: float) -> None:
    """Claim and cancel a SCHEDULED Workitem for the server itself (CC.2.2.3), with the reasons that were given."""
    progress = dict(workitem.item(record.attributes, PROGRESS_INFORMATION))
    for tag in (CANCELLATION_REASON, DISCONTINUATION_CODE):
        if has_value(said.get(tag)):
            progress[tag] = said[tag]
    contact = {tag: said[tag] for tag in (CONTACT_URI, CONTACT_NAME) if has_value(said.get(tag))}
    if CONTACT_URI in contact:
        progress[workitem.COMMUNICATIONS] = {"vr": "SQ", "Value": [contact]}
    claimed = move(books, replace(record, due_at=None), State.IN_PROGRESS)
    if progress:
        information = {"vr": "SQ", "Value": [dict(sorted(progress.items()))]}
        claimed = replace(claimed, attributes=claimed.attributes | {PROGRESS_INFORMATION: information})
    finish(books, claimed, State.CANCELED, retention)


# Who asks ---------------------------------------------------------------------------------------------------------


def requester(request: Request) -> str | None:
    """Return the AE title that a request gives for its sender, in the path or the query; None without.

    Raises
    ------
    BadRequest
        It is no AE title.
    """
    given = request.parameters.get("ae")
    for name, values in parse_query(request.query):
        if given is None and name.lower() in ("requester", "requestor", "performer"):
            given = ",".join(values)
    return None if given is None else ae_title(given)


def ae_title(text: str) -> str:
    """Check an AE title (VR AE, PS3.5 §6.2); return it without padding. Raises BadRequest."""
    title = text.strip(" ")
    if not 0 < len(title) <= _AE_TITLE_CHARACTERS or "\\" in title or not title.isascii() or not title.isprintable():
        raise BadRequest("The AE title is not valid: 1 to 16 ASCII characters, no backslash.")
    return title


_STATE_STATUSES = frozenset({200, 400, 404, 409, 410, 413, 415})
_CANCEL_STATUSES = frozenset({202, 400, 404, 409, 410, 413, 415})

TRANSACTIONS: tuple[Transaction, ...] = (
    *(
        Transaction(
            "Change Workitem State", "11.7", "PUT", template, "store", _STATE_STATUSES, MEDIA_TYPES, change_state
        )
        for template in ("/workitems/{workitem}/state", "/workitems/{workitem}/state/{ae}")
    ),
    *(
        Transaction(
            "Request Cancellation",
            "11.8",
            "POST",
            template,
            "store",
            _CANCEL_STATUSES,
            MEDIA_TYPES,
            request_cancellation,
        )
        for template in ("/workitems/{workitem}/cancelrequest", "/workitems/{workitem}/cancelrequest/{ae}")
    ),
)
"""Table 11.1.1-1; the forms with the AE title in the path are those of older clients."""

"""The Worklist Service (UPS-RS): Create, Retrieve, Update and Search — PS3.18 §11.4, 11.5, 11.6, 11.9; PS3.4 CC.2.

Request   POST and GET /workitems and /workitems/{workitem}; JSON, XML or a DICOM data set.
Behavior  Table CC.2.5-3 says what a Workitem holds and needs, Table CC.1.1-2 when it may be updated. Every change and
          the event reports that it calls for are one transaction of the index.
Response  201 with Location; 200 with one data set, or with those that match; Warning 299 where the server added to
          what was asked. The Transaction UID is never part of an answer.

The request of a Create names the Workitem in its query, ``?workitem={uid}`` or the bare UID, or in its data set;
where it does not, the server makes a UID. The lock of an Update stands in the query, in whatever spelling an edition
of the standard gave it, or in the data set.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from urllib.parse import unquote

from skiagraph.errors import ArchiveError, BadRequest, Conflict, ResourceGone, ResourceNotFound
from skiagraph.index.base import Books, Record
from skiagraph.services import data_set_answer, payload, record_answers
from skiagraph.services.archive import Archive
from skiagraph.standard import date_time, event_report, procedure_step, workitem
from skiagraph.standard.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, RELATED
from skiagraph.standard.procedure_step import Event, Outcome, State
from skiagraph.standard.return_table import ReturnTable
from skiagraph.standard.workitem import EXPIRATION, STATE, TRANSACTION_UID, WORKITEM
from skiagraph.values import Attributes, is_uid
from skiagraph.wire.conditional import entity_tag, is_not_modified
from skiagraph.wire.message import Request, Response
from skiagraph.wire.query import parse_query
from skiagraph.wire.transaction import Transaction

LOCK, PERFORMER = "lock", "performer"
"""What the server knows of a Workitem and does not tell: members of `Record.private`."""

MEDIA_TYPES = (DICOM_JSON, JSON, DICOM_XML, f'{RELATED}; type="{DICOM_XML}"', DICOM)

_INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."
_LOCK_NAMES = frozenset({"transaction-uid", "transactionuid", "transaction", "00081195"})  # in lower case


async def create(archive: Archive, request: Request) -> Response:
    """POST /workitems."""
    data_set = one(await payload.data_sets(archive, request))
    uid = _new_uid(request, data_set)
    settings = archive.settings
    attributes, modified = workitem.created(
        data_set, uid, now=now(), label=settings.worklist_label, strict=settings.strict_workitems
    )
    record = Record(WORKITEM, uid, attributes, due_at=_expires(attributes))
    await archive.journal.write(lambda books: add(books, record))
    response = Response(201, [("location", f"{request.base_url}/workitems/{uid}")])
    return warned(request, response, "The Workitem was created with modifications." if modified else None)


def add(books: Books, record: Record) -> Record:
    """Add a Workitem, subscribe whoever wants to hear of it, and tell them.

    Raises
    ------
    Conflict
        There is one with this UID.
    """
    if books.get(WORKITEM, record.uid) is not None:
        raise Conflict(f"There is a Workitem {record.uid} already; Update changes it.")
    stored = books.put(record)
    books.join(stored)
    tell(books, stored, event_report.reports(stored.uid, None, stored.attributes))
    return stored


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET /workitems/{workitem}."""
    uid = request.parameters["workitem"]
    record = await archive.index.record(WORKITEM, uid)
    choice = data_set_answer.negotiate(archive, request)
    form = choice.content_type.rpartition("+")[2]
    tag = entity_tag(f"{record.id}-{record.version}-{form}", weak=choice.multipart)
    headers = [("etag", tag), ("cache-control", "private, no-cache"), ("vary", "Accept")]
    if is_not_modified(request.headers, etag=tag):
        return Response(304, headers)
    location = f"{request.base_url}/workitems/{uid}"
    return data_set_answer.respond(record.attributes, choice, location=location, headers=headers)


async def update(archive: Archive, request: Request) -> Response:
    """POST /workitems/{workitem}."""
    data_set = one(await payload.data_sets(archive, request))
    given = transaction_uid(request, data_set)
    uid, strict = request.parameters["workitem"], archive.settings.strict_workitems

    def work(books: Books) -> bool:
        record = existing(books, uid)
        event = procedure_step.update_event(record.private.get(LOCK), given)
        outcome = procedure_step.follow(event, state_of(record))
        if outcome is not Outcome.DONE:
            raise _no_update(outcome, event)
        attributes, modified = workitem.updated(record.attributes, data_set, now=now(), strict=strict)
        due_at = _expires(attributes) if state_of(record) is State.SCHEDULED else record.due_at
        changed = books.put(replace(record, attributes=attributes, due_at=due_at))
        tell(books, changed, event_report.reports(uid, record.attributes, attributes))
        return modified

    modified = await archive.journal.write(work)
    return warned(request, Response(200), "The Workitem was updated with modifications." if modified else None)


def _no_update(outcome: Outcome, event: Event) -> ArchiveError:
    """Return why not, with one of the two Warnings that §11.6.3.2 has for it."""
    match outcome:
        case Outcome.WRONG_LOCK if event is Event.UPDATE_WITHOUT_LOCK:
            return BadRequest(
                "The Workitem is IN PROGRESS: its update needs the Transaction UID of the claim, as the parameter"
                " transaction-uid or in the data set.",
                warning=_INCONSISTENT,
            )
        case Outcome.WRONG_LOCK:
            return BadRequest(
                "The Transaction UID is not the one that the Workitem was claimed with.", warning=_INCONSISTENT
            )
        case Outcome.NOT_IN_PROGRESS:
            return Conflict(
                "Nobody has claimed the Workitem yet: its update takes no Transaction UID.",
                warning="The target URI did not reference a claimed Workitem.",
            )
        case _:
            return BadRequest(
                "The Workitem is COMPLETED or CANCELED and can no longer be updated.", warning=_INCONSISTENT
            )


async def search(archive: Archive, request: Request) -> Response:
    """GET /workitems."""
    return await record_answers.search(archive, request, WORKITEM, _returned())


@cache
def _returned() -> ReturnTable:
    return ReturnTable(
        frozenset((tag,) for tag in workitem.returned()),
        frozenset((tag,) for tag in workitem.returned_if_present()),
        frozenset({TRANSACTION_UID}),
    )


# What the transactions of the service share -----------------------------------------------------------------------


def one(data_sets: list[Attributes]) -> Attributes:
    """Return the only data set of a payload. Raises BadRequest where there is none, or are several."""
    if len(data_sets) != 1:
        raise BadRequest(f"The payload has {len(data_sets)} data sets; this resource takes one.")
    return data_sets[0]


def existing(books: Books, uid: str) -> Record:
    """Return a Workitem; raises ResourceGone where it was deleted, ResourceNotFound where it never was."""
    record = books.get(WORKITEM, uid)
    if record is None:
        if books.gone(WORKITEM, uid):
            raise ResourceGone(f"The Workitem {uid} was deleted.")
        raise ResourceNotFound(f"There is no Workitem {uid}.")
    return record


def state_of(record: Record) -> State:
    """Return the Procedure Step State of a Workitem."""
    return State(workitem.value(record.attributes, STATE) or State.SCHEDULED)


def tell(books: Books, record: Record, reports: list[bytes]) -> None:
    """Queue reports for all who are subscribed to a Workitem."""
    audience = books.subscribers(record) if reports else []
    for report in reports:
        books.report(report, audience)


def transaction_uid(request: Request, data_set: Attributes) -> str | None:
    """Return the Transaction UID of a request, from its query or its data set.

    Raises
    ------
    BadRequest
        It is no UID, or several differ.
    """
    given = {
        value.strip(" \0")
        for name, values in parse_query(request.query)
        if name.lower() in _LOCK_NAMES
        for value in values
    }
    in_data_set = workitem.value(data_set, TRANSACTION_UID)
    if in_data_set is not None:
        given.add(in_data_set)
    given.discard("")
    if not all(map(is_uid, given)):
        raise BadRequest("The Transaction UID is no UID: digits and dots, at most 64.")
    if len(given) > 1:
        raise BadRequest("The request has several Transaction UIDs that differ.")
    return given.pop() if given else None


def warned(request: Request, response: Response, sentence: str | None) -> Response:
    """Return the response with a Warning header."""
    if sentence is not None:
        response.headers.append(("warning", f"299 {request.base_url}: {sentence}"))
    return response


def now() -> str:
    """Return the date and time as a DT value, in UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def _new_uid(request: Request, data_set: Attributes) -> str:
    given = {uid for uid in (workitem.uid_in(data_set), *_uids_in(request.query)) if uid}
    if len(given) > 1:
        raise BadRequest("The query and the data set name the Workitem differently.")
    if not given:
        return f"2.25.{uuid.uuid4().int}"
    uid = given.pop()
    if not is_uid(uid) or uid in (workitem.GLOBAL_SUBSCRIPTION, workitem.FILTERED_SUBSCRIPTION):
        raise BadRequest("The SOP Instance UID of the Workitem is not valid: digits and dots, at most 64.")
    return uid


def _uids_in(query: str) -> list[str]:
    """UIDs that a query gives: of ``workitem``, in whatever case, or standing alone."""
    found = []
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if equals and name.lower() in ("workitem", "affectedsopinstanceuid", "sopinstanceuid"):
            found.append(unquote(value).strip())
        elif not equals and is_uid(unquote(name)):
            found.append(unquote(name))
    return found


def _expires(attributes: Attributes) -> float | None:
    """When a Workitem that nobody has claimed expires, in seconds since the epoch; None: never."""
    text = workitem.value(attributes, EXPIRATION)
    found = None if text is None else date_time.date_time(text)
    if found is None:
        return None
    (_, end), offset = found
    try:
        moment = datetime.datetime.min.replace(tzinfo=datetime.UTC) + datetime.timedelta(
            microseconds=end - date_time.DAY - (offset or 0)
        )
        return moment.timestamp() if offset is not None else moment.replace(tzinfo=None).timestamp()
    except (OverflowError, ValueError, OSError):
        return None  # beyond what clocks know


def _row(
    name: str, section: str, method: str, template: str, statuses: set[int], handler: Callable[..., object]
) -> Transaction:
    return Transaction(
        name=name,
        section=section,
        method=method,
        template=template,
        scope="search" if method == "GET" else "store",
        statuses=frozenset(statuses),
        media_types=MEDIA_TYPES,
        handler=handler,  # type: ignore[arg-type]
    )


TRANSACTIONS: tuple[Transaction, ...] = (
    _row("Create Workitem", "11.4", "POST", "/workitems", {201, 400, 409, 413, 415}, create),
    _row("Search for Workitems", "11.9", "GET", "/workitems", {200, 204, 400, 406, 413}, search),
    _row("Retrieve Workitem", "11.5", "GET", "/workitems/{workitem}", {200, 304, 400, 404, 406, 410}, retrieve),
    _row("Update Workitem", "11.6", "POST", "/workitems/{workitem}", {200, 400, 404, 409, 410, 413, 415}, update),
)
"""Table 11.1.1-1."""

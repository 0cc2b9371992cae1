"""The modality worklist — PS3.18 chapter 14 (2025e), PS3.4 Annex K; and how entries come into it, an extension.

Request   GET /modality-scheduled-procedure-steps with the query parameters of §8.3.4.
          The extension: POST of entries; GET, PUT and DELETE of one below its Study Instance UID and Scheduled
          Procedure Step ID.
Behavior  The matching of PS3.4 C.2.2.2 on whatever attribute, date and time as one interval. Steps that are performed
          already are left out, unless the query has Procedure Step State.
Response  200 with the entries, one step each, with the return keys of Table K.6-1; 201 with Location, 200, 204.

The table of status codes of chapter 14 was not at hand: the codes are those of the other searches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from skiagraph.errors import BadRequest, Conflict, ResourceGone, ResourceNotFound
from skiagraph.index.base import Books, Record
from skiagraph.services import data_set_answer, payload, record_answers
from skiagraph.services.archive import Archive
from skiagraph.standard import modality_worklist as mwl
from skiagraph.standard.modality_worklist import ENTRY, STATE, STEP_ID, STUDY
from skiagraph.standard.workitem import value
from skiagraph.values import Attributes
from skiagraph.wire.conditional import entity_tag, is_not_modified
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

RESOURCE = "/modality-scheduled-procedure-steps"

BEFORE, PERFORMED = "before", "performed"
"""Members of `Record.private`: the Scheduled Procedure Step Status before the step began; the states of the performed
steps that belong to the entry, by UID."""


_MOST_PERFORMED = 100  # performed steps of one entry that are followed


async def search(archive: Archive, request: Request) -> Response:
    """GET /modality-scheduled-procedure-steps."""
    return await record_answers.search(archive, request, ENTRY, mwl.RETURNED, defaults={(STATE,): mwl.TO_DO})


async def schedule(archive: Archive, request: Request) -> Response:
    """POST /modality-scheduled-procedure-steps: all of the entries in the payload, or none."""
    given = await payload.data_sets(archive, request)
    if not given:
        raise BadRequest("The payload is empty; worklist entries are expected.")
    records = [new_record(entry) for data_set in given for entry in mwl.entries(data_set)]
    if len({record.uid for record in records}) < len(records):
        raise BadRequest(
            "Two entries of the payload have the same StudyInstanceUID (0020,000D) and ScheduledProcedureStepID"
            " (0040,0009)."
        )

    def work(books: Books) -> None:
        there = [record for record in records if books.get(ENTRY, record.uid) is not None]
        if there:
            raise Conflict(
                f"{len(there)} of the {len(records)} worklist entries are there already; nothing was added.",
                details=tuple(f"There is an entry {record.uid}; PUT replaces it." for record in there[:100]),
            )
        for record in records:
            books.put(record)

    await archive.journal.write(work)
    return Response(201, [("location", _url(request, record)) for record in records[:1] if len(records) == 1])


async def replace_one(archive: Archive, request: Request) -> Response:
    """PUT /modality-scheduled-procedure-steps/{study}/{step}: add the entry, or replace the one that is there."""
    found = mwl.entries(_named(await payload.data_set_of(archive, request, "a worklist entry"), request))
    if len(found) != 1:
        raise BadRequest("The payload has several Scheduled Procedure Steps; the path names one.")
    (entry,) = found
    uid = _name(request)
    if mwl.name_of(entry) != uid:
        raise BadRequest(
            "StudyInstanceUID (0020,000D) and ScheduledProcedureStepID (0040,0009) of the payload are not those of the"
            " path."
        )

    def work(books: Books) -> bool:
        stored = books.get(ENTRY, uid)
        if stored is None:
            books.put(new_record(entry))
            return True
        # What became of the step is not for its scheduler to say
        state = value(stored.attributes, STATE) or mwl.SCHEDULED
        status = value(mwl.step_of(entry), mwl.STATUS) or ""
        private = stored.private
        if state != mwl.SCHEDULED:
            private, status = private | {BEFORE: status}, value(mwl.step_of(stored.attributes), mwl.STATUS) or ""
        books.put(replace(stored, attributes=mwl.in_state(entry, state, status), private=private))
        return False

    if await archive.journal.write(work):
        return Response(201, [("location", f"{request.base_url}{RESOURCE}/{quote(uid)}")])
    return Response(204)


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET /modality-scheduled-procedure-steps/{study}/{step}."""
    record = await archive.index.record(ENTRY, _name(request))
    choice = data_set_answer.negotiate(archive, request)
    tag = entity_tag(f"{record.id}-{record.version}-{choice.content_type.rpartition('+')[2]}", weak=choice.multipart)
    headers = [("etag", tag), ("cache-control", "private, no-cache"), ("vary", "Accept")]
    if is_not_modified(request.headers, etag=tag):
        return Response(304, headers)
    return data_set_answer.respond(record.attributes, choice, location=_url(request, record), headers=headers)


async def remove(archive: Archive, request: Request) -> Response:
    """DELETE /modality-scheduled-procedure-steps/{study}/{step}."""
    uid = _name(request)

    def work(books: Books) -> None:
        record = books.get(ENTRY, uid)
        if record is None:
            if books.gone(ENTRY, uid):
                raise ResourceGone(f"The {ENTRY.name} {uid} was deleted.")
            raise ResourceNotFound(f"There is no {ENTRY.name} {uid}.")
        books.delete(record)

    await archive.journal.write(work)
    return Response(204)


def new_record(entry: Attributes) -> Record:
    """Return the record of a new entry."""
    status = value(mwl.step_of(entry), mwl.STATUS) or ""
    return Record(ENTRY, mwl.name_of(entry), mwl.in_state(entry, mwl.SCHEDULED, status))


def performed(books: Books, name: str, performed_uid: str, state: str, keep_until: float) -> None:
    """Note in an entry what a performed step that belongs to it says; nothing where there is no such entry.

    The entry is performed once one of its performed steps is COMPLETED, and being performed while one is IN PROGRESS.
    Otherwise it is to be done as before: of a step that was discontinued only the scheduler knows what becomes.
    What is performed is kept until a moment, in seconds since the epoch.
    """
    stored = books.get(ENTRY, name)
    if stored is None:
        return
    states = {**stored.private.get(PERFORMED, {}), performed_uid: state}
    if state not in (mwl.COMPLETED, mwl.IN_PROGRESS):
        del states[performed_uid]  # it has no say any more
    if len(states) > _MOST_PERFORMED:
        return
    before = stored.private.get(BEFORE, value(mwl.step_of(stored.attributes), mwl.STATUS) or "")
    found = next((one for one in (mwl.COMPLETED, mwl.IN_PROGRESS) if one in states.values()), mwl.SCHEDULED)
    private = {PERFORMED: states} if found == mwl.SCHEDULED else {PERFORMED: states, BEFORE: before}
    status = before if found == mwl.SCHEDULED else mwl.STARTED
    due_at = keep_until if found == mwl.COMPLETED else None
    attributes = mwl.in_state(stored.attributes, found, status)
    books.put(replace(stored, attributes=attributes, private=private, due_at=due_at))


def _name(request: Request) -> str:
    return mwl.name(request.parameters["study"], request.parameters["step"])


def _named(data_set: Attributes, request: Request) -> Attributes:
    """Return the payload with the names of the path where it has none of its own."""
    given = {STUDY: {"vr": "UI", "Value": [request.parameters["study"]]}} | {
        tag: element for tag, element in data_set.items() if tag != STUDY or value(data_set, STUDY)
    }
    step = mwl.step_of(data_set)
    if not step or value(step, STEP_ID) or len(data_set[mwl.SEQUENCE]["Value"]) > 1:
        return given
    return mwl.with_step(given, step | {STEP_ID: {"vr": "SH", "Value": [request.parameters["step"]]}})


def _url(request: Request, record: Record) -> str:
    return f"{request.base_url}{RESOURCE}/{quote(record.uid)}"


_ONE = f"{RESOURCE}/{{study}}/{{step*}}"


def _row(
    name: str, section: str, method: str, template: str, scope: Any, statuses: set[int], handler: Callable[..., Any]
) -> Transaction:
    media_types = record_answers.MEDIA_TYPES if method == "GET" else () if method == "DELETE" else payload.MEDIA_TYPES
    return Transaction(name, section, method, template, scope, frozenset(statuses), media_types, handler)


TRANSACTIONS: tuple[Transaction, ...] = (
    _row(
        "Search for Modality Scheduled Procedure Steps",
        "14.4",
        "GET",
        RESOURCE,
        "search",
        {200, 204, 400, 406, 413},
        search,
    ),
    _row("Add Worklist Entries", "-", "POST", RESOURCE, "store", {201, 400, 409, 413, 415}, schedule),
    _row("Replace Worklist Entry", "-", "PUT", _ONE, "store", {201, 204, 400, 413, 415}, replace_one),
    _row("Retrieve Worklist Entry", "-", "GET", _ONE, "read", {200, 304, 400, 404, 406, 410}, retrieve),
    _row("Remove Worklist Entry", "-", "DELETE", _ONE, "delete", {204, 400, 404, 410}, remove),
)
"""The Search of chapter 14, and an extension of ours."""

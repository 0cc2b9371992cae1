"""Modality Performed Procedure Steps — PS3.18 chapter 15 (2025e), PS3.4 Annex F.

Request   POST /modality-performed-procedure-steps/{uid} creates a step; with the parameter ``update`` it updates one.
          GET retrieves it, with ``includefield`` only what that names.
Behavior  Table F.7.2-1 says what a step holds and needs. It begins IN PROGRESS and ends COMPLETED or DISCONTINUED;
          then it no longer changes. The worklist entries that it performs follow it (`services.modality_worklist`).
Response  201 with Location, 200; no body for Create and Update. Warning 299 where the server added to what was asked.
"""

from __future__ import annotations

import time
from dataclasses import replace

from skiagraph.errors import Conflict, ResourceGone, ResourceNotFound
from skiagraph.index.base import Books, Record
from skiagraph.services import data_set_answer, modality_worklist, payload, record_answers, representation
from skiagraph.services.archive import Archive
from skiagraph.settings import DAY, Settings
from skiagraph.standard import modality_worklist as mwl
from skiagraph.standard import performed_step
from skiagraph.standard.performed_step import FINAL, PERFORMED, SOP_CLASS_UID, SOP_INSTANCE_UID, STATUS
from skiagraph.standard.return_table import ReturnTable, Selection
from skiagraph.standard.workitem import value
from skiagraph.wire import record_query
from skiagraph.wire.conditional import entity_tag, is_not_modified
from skiagraph.wire.message import Request, Response
from skiagraph.wire.query import parse_query
from skiagraph.wire.transaction import Transaction

RESOURCE = "/modality-performed-procedure-steps"
_TABLE = ReturnTable(frozenset({(SOP_CLASS_UID,), (SOP_INSTANCE_UID,), (STATUS,)}))
"""What a retrieval that names attributes returns besides."""


async def create_or_update(archive: Archive, request: Request) -> Response:
    """POST /modality-performed-procedure-steps/{performed}: two transactions, told apart by a parameter alone."""
    if any(name == "update" for name, _ in parse_query(request.query)):
        return await update(archive, request)
    return await create(archive, request)


async def create(archive: Archive, request: Request) -> Response:
    """Create a step that has begun."""
    settings, uid = archive.settings, request.parameters["performed"]
    data_set = await payload.data_set_of(archive, request, "a performed procedure step")
    attributes, modified = performed_step.created(data_set, uid, strict=settings.strict_workitems)

    def work(books: Books) -> None:
        if books.get(PERFORMED, uid) is not None:
            raise Conflict(f"There is a {PERFORMED.name} {uid} already; the parameter 'update' updates it.")
        _follow(books, books.put(Record(PERFORMED, uid, attributes)), settings)

    await archive.journal.write(work)
    response = Response(201, [("location", f"{request.base_url}{RESOURCE}/{uid}")])
    if modified:
        sentence = "The Modality Performed Procedure Step was created with modifications."
        response.headers.append(("warning", f"299 {request.base_url}: {sentence}"))
    return response


async def update(archive: Archive, request: Request) -> Response:
    """Update a step that is IN PROGRESS, and end it where the payload says so."""
    settings, uid = archive.settings, request.parameters["performed"]
    data_set = await payload.data_set_of(archive, request, "a performed procedure step")

    def work(books: Books) -> None:
        stored = books.get(PERFORMED, uid)
        if stored is None:
            if books.gone(PERFORMED, uid):
                raise ResourceGone(f"The {PERFORMED.name} {uid} was deleted.")
            raise ResourceNotFound(f"There is no {PERFORMED.name} {uid}.")
        attributes = performed_step.updated(stored.attributes, data_set, uid, strict=settings.strict_workitems)
        final = value(attributes, STATUS) in FINAL
        days = settings.performed_step_days
        due_at = time.time() + days * DAY if final and days is not None else None
        changed = books.put(replace(stored, attributes=attributes, due_at=due_at))
        if final:
            _follow(books, changed, settings)

    await archive.journal.write(work)
    return Response(200)


def _follow(books: Books, record: Record, settings: Settings) -> None:
    """Tell the worklist entries that a step performs what became of it."""
    state = value(record.attributes, STATUS) or ""
    keep_until = time.time() + settings.workitem_retention_hours * DAY / 24
    for study, step in performed_step.scheduled(record.attributes):
        modality_worklist.performed(books, mwl.name(study, step), record.uid, state, keep_until)


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET /modality-performed-procedure-steps/{performed}."""
    uid = request.parameters["performed"]
    record = await archive.index.record(PERFORMED, uid)
    choice = data_set_answer.negotiate(archive, request)
    asked = record_query.parse(request.query, max_conditions=archive.settings.max_query_conditions)
    everything = asked.include_all or not (asked.include or asked.include_private)
    selection = Selection(_TABLE, asked.include, asked.include_private, everything=everything)
    details = representation.variant(str(choice.offer), request.query)
    tag = entity_tag(f"{record.id}-{record.version}-{details}", weak=choice.multipart)
    headers = [("etag", tag), ("cache-control", "private, no-cache"), ("vary", "Accept")]
    if is_not_modified(request.headers, etag=tag):
        return Response(304, headers)
    attributes = dict(sorted(selection.of(record.attributes).items()))
    return data_set_answer.respond(attributes, choice, location=f"{request.base_url}{RESOURCE}/{uid}", headers=headers)


TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Create or Update Modality Performed Procedure Step",
        "15",
        "POST",
        RESOURCE + "/{performed}",
        "store",
        frozenset({200, 201, 400, 404, 409, 410, 413, 415}),
        payload.MEDIA_TYPES,
        create_or_update,
    ),
    Transaction(
        "Retrieve Modality Performed Procedure Step",
        "15",
        "GET",
        RESOURCE + "/{performed}",
        "read",
        frozenset({200, 304, 400, 404, 406, 410}),
        record_answers.MEDIA_TYPES,
        retrieve,
    ),
)
"""Chapter 15; Create and Update have one method and one URI."""

"""The Storage Commitment Service: Request and Result Check — PS3.18 §13.4, §13.5, Annex J; PS3.4 Annex J.

Request   POST /commitment-requests/{transactionUID} names Instances, flat or as a tree, in JSON or XML; GET asks again.
Behavior  Each Instance is looked up, and its bytes are read back and compared with what was received
          (`services.committing`); then it is kept from being deleted for `commitment_days`.
Response  200 with one data set: who is committed, and who is not, and why. 202 while that takes longer than
          `commitment_wait_seconds`. A Transaction UID is used once: 409 for a second request, even when the result is
          deleted (410), which it is after `commitment_result_days`.
"""

from __future__ import annotations

import asyncio
import time

from skiagraph.errors import BadRequest, CannotUnderstand, Conflict, ResourceGone
from skiagraph.index.base import Books, Record
from skiagraph.services import data_set_answer, payload
from skiagraph.services.archive import Archive
from skiagraph.services.committing import ATTEMPTS, DONE, REASONS
from skiagraph.standard import commitment
from skiagraph.standard.commitment import COMMITMENT_REQUEST
from skiagraph.values import Attributes
from skiagraph.wire import charset
from skiagraph.wire.accept import Choice
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

RETRY_SECONDS = 5
"""What Retry-After says while a request is being worked on."""

_AT_ONCE = 500
"""Instances whose result is encoded without handing over to another thread."""


async def ask(archive: Archive, request: Request) -> Response:
    """POST /commitment-requests/{transaction}."""
    choice = data_set_answer.negotiate(archive, request)
    uid = request.parameters["transaction"]
    attributes = await asyncio.to_thread(merged, await payload.data_sets(archive, request))
    archive.committing.check_capacity()
    private = {REASONS: [], DONE: False, ATTEMPTS: 1}
    record = archive.committing.claimed(Record(COMMITMENT_REQUEST, uid, attributes, private), time.time())
    stored = await archive.journal.write(lambda books: _add(books, record))
    task = archive.committing.start(archive, stored)
    await asyncio.wait({task}, timeout=archive.settings.commitment_wait_seconds)
    done = task.result() if task.done() and not task.cancelled() else None
    return _working() if done is None else await _answer(request, done, choice)


async def check(archive: Archive, request: Request) -> Response:
    """GET /commitment-requests/{transaction}."""
    choice = data_set_answer.negotiate(archive, request)
    record = await archive.index.record(COMMITMENT_REQUEST, request.parameters["transaction"])
    if not record.private[DONE]:
        return _working()
    if record.due_at is not None and record.due_at <= time.time():
        raise ResourceGone(f"The result of the {COMMITMENT_REQUEST.name} {record.uid} was deleted.")
    return await _answer(request, record, choice)


def merged(data_sets: list[Attributes]) -> Attributes:
    """Return the one request that a payload is: §B.29 sends one part for each Study.

    Raises
    ------
    BadRequest
        It names no Instances, or one of them not as it should.
    """
    together: Attributes = {}
    for data_set in data_sets:
        try:
            commitment.references(data_set)
        except CannotUnderstand as error:
            raise BadRequest(error.message) from error
        for tag in (commitment.FLAT, commitment.TREE):
            if tag in data_set:
                element = together.setdefault(tag, {"vr": "SQ", "Value": []})
                element["Value"] += data_set[tag]["Value"]
    if not together:
        raise BadRequest("The payload is empty; a commitment request is expected.")
    return together


def _add(books: Books, record: Record) -> Record:
    uid = record.uid
    if books.get(COMMITMENT_REQUEST, uid) is not None or books.gone(COMMITMENT_REQUEST, uid):
        raise Conflict(
            f"The Transaction UID {uid} is in use already (0131). GET tells the result of its request; another request"
            " needs another UID."
        )
    return books.put(record)


def _working() -> Response:
    return Response(202, [("retry-after", str(RETRY_SECONDS)), ("cache-control", "no-store")])


async def _answer(request: Request, record: Record, choice: Choice) -> Response:
    written = charset.select(choice, request.query, request.headers.get("accept-charset"))

    def answer() -> Response:
        module = commitment.response(commitment.references(record.attributes), record.private[REASONS])
        headers = [("cache-control", "private, no-cache")]
        return data_set_answer.respond(module, choice, array=False, charset=written, headers=headers)

    return answer() if len(record.private[REASONS]) <= _AT_ONCE else await asyncio.to_thread(answer)


_TEMPLATE = "/commitment-requests/{transaction}"

TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Storage Commitment Request",
        "13.4",
        "POST",
        _TEMPLATE,
        "store",
        frozenset({200, 202, 400, 406, 409, 413, 415}),
        data_set_answer.MEDIA_TYPES,
        ask,
    ),
    Transaction(
        "Storage Commitment Result Check",
        "13.5",
        "GET",
        _TEMPLATE,
        "read",
        frozenset({200, 202, 400, 404, 406, 410}),
        data_set_answer.MEDIA_TYPES,
        check,
    ),
)

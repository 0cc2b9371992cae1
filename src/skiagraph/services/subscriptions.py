"""Subscribe, Unsubscribe, Suspend Global Subscription — PS3.18 §11.10 to §11.12; PS3.4 CC.2.3.

Request   POST and DELETE /workitems/{workitem}/subscribers/{aetitle}, POST …/suspend; the Workitem is one, or a
          well-known UID that stands for all, or for those that match the filter in the query.
Behavior  Table CC.2.3-2 (`index.subscriptions`). A subscription lasts until it is ended, whether anybody listens or
          not; whoever subscribes hears of the state at once.
Response  201 with the URL of the WebSocket in Content-Location (and in Location, as older clients look there); 200.
"""

from __future__ import annotations

from urllib.parse import quote

from skiagraph.errors import BadRequest, ResourceNotFound
from skiagraph.index.base import Books
from skiagraph.services.archive import Archive
from skiagraph.services.workitem_state import ae_title
from skiagraph.services.worklist import existing
from skiagraph.standard import event_report
from skiagraph.standard.workitem import FILTERED_SUBSCRIPTION, GLOBAL_SUBSCRIPTION, WORKITEM
from skiagraph.wire import record_query
from skiagraph.wire.message import Request, Response
from skiagraph.wire.query import parse_query
from skiagraph.wire.transaction import Transaction

_COUNTED = 10**6  # the conditions were counted when the filter was read
_GLOBAL = (GLOBAL_SUBSCRIPTION, FILTERED_SUBSCRIPTION)


async def subscribe(archive: Archive, request: Request) -> Response:
    """POST /workitems/{workitem}/subscribers/{ae}."""
    uid, ae = request.parameters["workitem"], ae_title(request.parameters["ae"])
    lock = _deletion_lock(request.query)
    if uid in _GLOBAL:
        filter = _filter(request.query, archive.settings.max_query_conditions) if uid == FILTERED_SUBSCRIPTION else ""
        await archive.journal.write(lambda books: subscribe_globally(books, ae, uid, lock=lock, filter=filter))
    else:
        await archive.journal.write(lambda books: subscribe_to(books, uid, ae, lock=lock))
    url = f"ws{request.base_url.removeprefix('http')}/ws/subscribers/{quote(ae, safe='')}"
    return Response(201, [("location", url), ("content-location", url)])


def subscribe_to(books: Books, uid: str, ae: str, *, lock: bool) -> None:
    """Subscribe an AE to one Workitem and tell it the state. Raises ResourceGone or ResourceNotFound."""
    record = existing(books, uid)
    books.subscribe(record, ae, deletion_lock=lock)
    books.report(event_report.state_report(uid, record.attributes), [ae])


def subscribe_globally(books: Books, ae: str, uid: str, *, lock: bool, filter: str) -> None:
    """Subscribe an AE to all Workitems there are and to come; with a deletion lock it hears the state of each."""
    books.subscribe_globally(WORKITEM, ae, uid, deletion_lock=lock, filter=filter)
    if lock:
        conditions = record_query.parse(filter, max_conditions=_COUNTED).conditions
        for record in books.each(WORKITEM, conditions):
            books.report(event_report.state_report(record.uid, record.attributes), [ae])


async def unsubscribe(archive: Archive, request: Request) -> Response:
    """DELETE /workitems/{workitem}/subscribers/{ae}."""
    uid, ae = request.parameters["workitem"], ae_title(request.parameters["ae"])

    def work(books: Books) -> bool:
        return books.unsubscribe_globally(ae) if uid in _GLOBAL else books.unsubscribe(existing(books, uid), ae)

    if not await archive.journal.write(work):
        raise ResourceNotFound(f"{ae} has no such subscription.")
    return Response(200)


async def suspend(archive: Archive, request: Request) -> Response:
    """POST /workitems/{workitem}/subscribers/{ae}/suspend."""
    uid, ae = request.parameters["workitem"], ae_title(request.parameters["ae"])
    if uid not in _GLOBAL:
        raise BadRequest(
            f"Only global subscriptions can be suspended: those of {GLOBAL_SUBSCRIPTION} and {FILTERED_SUBSCRIPTION}."
        )
    if not await archive.journal.write(lambda books: books.suspend(ae, uid)):
        raise ResourceNotFound(f"{ae} has no such global subscription.")
    return Response(200)


def _deletion_lock(query: str) -> bool:
    value = "false"
    for name, values in parse_query(query):
        if name.lower() == "deletionlock":
            value = ",".join(values).strip().lower()
    if value not in ("true", "false"):
        raise BadRequest("The parameter deletionlock takes true or false.")
    return value == "true"


def _filter(query: str, max_conditions: int) -> str:
    """Return the match keys of a filtered subscription, checked. Raises BadRequest where there are none."""
    filter = record_query.subscription_filter(query)
    if not filter or not record_query.parse(filter, max_conditions=max_conditions).conditions:
        raise BadRequest(
            "A filtered subscription needs match keys: filter=attribute=value with commas between, or the attributes"
            " as parameters of their own."
        )
    return filter


_STATUSES = frozenset({200, 400, 404, 410})

TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Subscribe",
        "11.10",
        "POST",
        "/workitems/{workitem}/subscribers/{ae}",
        "store",
        frozenset({201, 400, 403, 404, 410}),
        (),
        subscribe,
    ),
    Transaction(
        "Unsubscribe", "11.11", "DELETE", "/workitems/{workitem}/subscribers/{ae}", "store", _STATUSES, (), unsubscribe
    ),
    Transaction(
        "Suspend Global Subscription",
        "11.12",
        "POST",
        "/workitems/{workitem}/subscribers/{ae}/suspend",
        "store",
        _STATUSES,
        (),
        suspend,
    ),
)
"""Table 11.1.1-1."""

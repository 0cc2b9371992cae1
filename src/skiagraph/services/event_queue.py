"""The queue of a subscriber over plain HTTP, for clients that can not hold a WebSocket. Not of the standard.

Request   GET /subscribers/{ae}/events?after={number}&limit={most}&wait={seconds}; DELETE …/events?upto={number}.
Behavior  GET gives the event reports behind a number, or those not acknowledged yet; `wait` holds an answer back, for
          so long at most, while there is nothing new. DELETE acknowledges: these are never given again.
Response  200 with JSON: the reports, each with its number, and in ``Link: rel="next"`` where to go on; 204.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from urllib.parse import quote

from skiagraph.errors import BadRequest, UpgradeRequired
from skiagraph.index.base import QueuedReport
from skiagraph.services.archive import Archive
from skiagraph.services.feed import LONGEST_WAIT, MOST, held_back, whole_number
from skiagraph.services.workitem_state import ae_title
from skiagraph.standard import event_report
from skiagraph.standard.media_types import JSON
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction


async def events(archive: Archive, request: Request) -> Response:
    """GET /subscribers/{ae}/events."""
    ae = ae_title(request.parameters["ae"])
    given = whole_number(request.query, "after", -1)
    limit = whole_number(request.query, "limit", MOST, at_most=MOST)
    wait = whole_number(request.query, "wait", 0, at_most=LONGEST_WAIT)
    after = given if given >= 0 else await archive.index.acknowledged(ae)
    look = functools.partial(archive.index.queued, ae, after, limit)
    with archive.notifier.listen(ae) as news:
        reports = await held_back(archive, request, news, wait, look)
    body = b"[%b]" % b",".join(_described(reports))
    last = reports[-1].number if reports else after
    return Response(
        200,
        [
            ("content-type", JSON),
            ("cache-control", "private, no-store"),
            ("link", f'<{request.base_url}/subscribers/{quote(ae, safe="")}/events?after={last}>; rel="next"'),
        ],
        body,
        len(body),
    )


async def acknowledge(archive: Archive, request: Request) -> Response:
    """DELETE /subscribers/{ae}/events."""
    ae = ae_title(request.parameters["ae"])
    upto = whole_number(request.query, "upto", 0)
    if not 0 < upto <= await archive.index.newest_report():
        raise BadRequest("The parameter upto takes the number of a report: all up to it are acknowledged.")
    await archive.journal.write(lambda books: books.acknowledge(ae, upto))
    return Response(204)


def _described(reports: Sequence[QueuedReport]) -> list[bytes]:
    return [
        b'{"number":%d,"report":%b}'
        % (one.number, event_report.framed(one.report, (one.number - 1) % event_report.MOST_MESSAGES + 1))
        for one in reports
    ]


async def upgrade(archive: Archive, request: Request) -> Response:
    """GET of a WebSocket resource without the handshake. Raises UpgradeRequired."""
    raise UpgradeRequired("This resource is a WebSocket: ask for it with the handshake of RFC 6455.")


TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction(
        "Read Event Reports", "-", "GET", "/subscribers/{ae}/events", "search", frozenset({200, 400}), (JSON,), events
    ),
    Transaction(
        "Acknowledge Event Reports",
        "-",
        "DELETE",
        "/subscribers/{ae}/events",
        "store",
        frozenset({204, 400}),
        (),
        acknowledge,
    ),
    *(
        Transaction(
            "Open Notification Connection", "8.10.4", "GET", template, "search", frozenset({101, 400, 426}), (), upgrade
        )
        for template in ("/subscribers/{ae}", "/ws/subscribers/{ae}")
    ),
)
"""§8.10.4, and an extension."""

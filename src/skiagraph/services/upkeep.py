"""What the server does for Workitems by itself: expire, delete, and keep the queues of reports within bounds.

Each process does it now and then. Each Workitem is a change of its own, which looks at it anew: processes do not get
into each other's way, and one that can not be dealt with is no obstacle to the others.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial

import structlog

from skiagraph.bus.base import Topic
from skiagraph.index.base import Books
from skiagraph.services.archive import Archive
from skiagraph.services.workitem_state import cancel
from skiagraph.services.worklist import state_of
from skiagraph.settings import Settings
from skiagraph.standard import event_report
from skiagraph.standard.modality_worklist import ENTRY
from skiagraph.standard.performed_step import PERFORMED
from skiagraph.standard.procedure_step import State
from skiagraph.standard.workitem import CANCELLATION_REASON, GLOBAL_SUBSCRIPTION, WORKITEM
from skiagraph.values import Attributes

log = structlog.get_logger("upkeep")

_INTERVAL = 20.0
"""Seconds between two looks."""
_AT_ONCE = 200
"""Workitems in one transaction."""
_TRIMMED = 2000
"""Reports in one transaction."""
_AGAIN = 3600.0
"""Seconds after which a Workitem that a deletion lock holds is looked at again."""
_KEPT = 60.0
"""Seconds for which acknowledged reports are kept: further connections of the subscriber may still have to get them."""
_DAY, _HOUR = 86_400.0, 3600.0

_EXPIRED: Attributes = {CANCELLATION_REASON: {"vr": "LT", "Value": ["The Scheduled Procedure Step has expired."]}}


async def run(archive: Archive) -> None:
    """Look after the Workitems until cancelled."""
    while True:
        try:
            while await look(archive, time.time()) == _AT_ONCE:
                pass
        except Exception as error:
            log.warning("upkeep failed", error=type(error).__name__)
        await asyncio.sleep(_INTERVAL)


async def look(archive: Archive, now: float) -> int:
    """Do what is due at a moment, seconds since the epoch; return how many Workitems were dealt with."""
    journal, settings = archive.journal, archive.settings
    uids = await journal.write(lambda books: [record.uid for record in books.due(WORKITEM, now, _AT_ONCE)])
    results = await asyncio.gather(
        *(journal.write(partial(attend, uid=uid, settings=settings, now=now)) for uid in uids), return_exceptions=True
    )
    for uid, result in zip(uids, results, strict=True):
        if isinstance(result, Exception):
            log.warning("a Workitem is due and can not be dealt with", workitem=uid, error=type(result).__name__)
            await journal.write(partial(_postpone, uid=uid, until=now + _AGAIN))
    await journal.write(lambda books: forget(books, now))
    if lost := await trim(archive, now):
        log.warning("event reports were dropped unread", reports=lost)
    return sum(not isinstance(result, Exception) for result in results)


def attend(books: Books, *, uid: str, settings: Settings, now: float) -> None:
    """Do what is due with one Workitem, if anything still is.

    If it is SCHEDULED and its expiration has passed, it is CANCELED. If it is finished and was kept long enough, it is
    deleted, unless a deletion lock that is not too old holds it (PS3.4 CC.2.1.3).
    """
    record = books.get(WORKITEM, uid)
    if record is None or record.due_at is None or record.due_at > now:
        return
    state = state_of(record)
    if state is State.SCHEDULED:
        cancel(books, record, _EXPIRED, settings.workitem_retention_hours * _HOUR)
    elif state.final and not books.locked(record, now - settings.deletion_lock_days * _DAY):
        books.delete(record)
    else:
        books.put(replace(record, due_at=now + _AGAIN if state.final else None))


def _postpone(books: Books, *, uid: str, until: float) -> None:
    record = books.get(WORKITEM, uid)
    if record is not None:
        books.put(replace(record, due_at=until))


def forget(books: Books, now: float) -> None:
    """Delete what modalities performed when its time is over."""
    for kind in (ENTRY, PERFORMED):
        for record in books.due(kind, now, _AT_ONCE):
            books.delete(record)


async def trim(archive: Archive, now: float) -> int:
    """Trim the queues of reports, some at a time so that others get their turn; return how many were lost unread."""
    settings, lost = archive.settings, 0
    long_queues = await archive.index.long_queues(settings.event_report_queue)
    while True:
        dropped, unread = await archive.journal.write(
            lambda books: books.trim(
                length=settings.event_report_queue,
                not_before=now - settings.event_report_days * _DAY,
                read_before=now - _KEPT,
                ae_titles=long_queues,
                most=_TRIMMED,
            )
        )
        lost += unread
        if dropped < _TRIMMED:
            return lost


def announce_start(books: Books, settings: Settings) -> None:
    """Queue for every subscriber that the server has restarted, with the lists it has (PS3.4 CC.2.4.3).

    Of a list that is empty nobody can tell whether it was lost: then it is a cold start.
    """
    subscribers = books.all_subscribers()
    report = event_report.scp_status(
        GLOBAL_SUBSCRIPTION,
        restarted=True,
        subscriptions=bool(subscribers),
        workitems=next(books.each(WORKITEM), None) is not None,
    )
    books.report(report, sorted({*subscribers, *settings.status_subscribers}))


async def say_goodbye(archive: Archive) -> None:
    """Tell who listens that the server is going down, as soon as it is known."""
    with archive.bus.listen(Topic.STOPPING) as stopping:
        await stopping.wait()
        await archive.notifier.close(event_report.scp_status(GLOBAL_SUBSCRIPTION, restarted=False))

"""What the server does for Workitems by itself: expire, delete, and keep the queues of reports within bounds.

Each process does it now and then; each look is one transaction, so that they do not get into each other's way.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

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
_AGAIN = 3600.0
"""Seconds after which a Workitem that a deletion lock holds is looked at again."""
_DAY, _HOUR = 86_400.0, 3600.0

_EXPIRED: Attributes = {CANCELLATION_REASON: {"vr": "LT", "Value": ["The Scheduled Procedure Step has expired."]}}


async def run(archive: Archive) -> None:
    """Look after the Workitems until cancelled."""
    while True:
        try:
            while await archive.journal.write(lambda books: look(books, archive.settings, time.time())) == _AT_ONCE:
                pass
        except Exception as error:
            log.warning("upkeep failed", error=type(error).__name__)
        await asyncio.sleep(_INTERVAL)


def look(books: Books, settings: Settings, now: float) -> int:
    """Do what is due at a moment, seconds since the epoch; return how many Workitems were looked at.

    A SCHEDULED Workitem whose expiration has passed is CANCELED. A finished one that was kept long enough is deleted,
    unless a deletion lock that is not too old holds it (PS3.4 CC.2.1.3). What modalities performed is deleted when its
    time is over.
    """
    records = books.due(WORKITEM, now, _AT_ONCE)
    for record in records:
        state = state_of(record)
        if state is State.SCHEDULED:
            cancel(books, record, _EXPIRED, settings.workitem_retention_hours * _HOUR)
        elif state.final and not books.locked(record, now - settings.deletion_lock_days * _DAY):
            books.delete(record)
        else:
            books.put(replace(record, due_at=now + _AGAIN if state.final else None))
    for kind in (ENTRY, PERFORMED):
        for record in books.due(kind, now, _AT_ONCE):
            books.delete(record)
    lost = books.trim(length=settings.event_report_queue, not_before=now - settings.event_report_days * _DAY)
    if lost:
        log.warning("event reports were dropped unread", reports=lost)
    return len(records)


def announce_start(books: Books, settings: Settings) -> None:
    """Queue for every subscriber that the server has restarted, with the lists it had (PS3.4 CC.2.4.3)."""
    audience = sorted({*books.all_subscribers(), *settings.status_subscribers})
    books.report(event_report.scp_status(GLOBAL_SUBSCRIPTION, restarted=True), audience)


async def say_goodbye(archive: Archive) -> None:
    """Tell who listens that the server is going down, as soon as it is known."""
    with archive.bus.listen(Topic.STOPPING) as stopping:
        await stopping.wait()
        await archive.notifier.close(event_report.scp_status(GLOBAL_SUBSCRIPTION, restarted=False))

"""The change feed: which Instances were stored, replaced and deleted, in order and without gaps. Not of the standard.

Request   GET /changes?after={number}&limit={most}&wait={seconds}.
Behavior  Entries are numbered from 1 in the order in which they became visible; who has read up to a number asks for
          what is behind it. `wait` holds an answer back, for so long at most, while there is nothing new.
Response  200 with JSON: the entries, and in ``Link: rel="next"`` where to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import orjson

from skiagraph.bus.base import Topic
from skiagraph.errors import BadRequest
from skiagraph.index.base import FeedEntry
from skiagraph.services.archive import Archive
from skiagraph.standard.media_types import JSON
from skiagraph.wire.message import Request, Response
from skiagraph.wire.query import parse_query
from skiagraph.wire.transaction import Transaction

T = TypeVar("T")

MOST = 1000
"""Entries in one answer."""
LONGEST_WAIT = 60
"""Seconds."""


async def changes(archive: Archive, request: Request) -> Response:
    """GET /changes."""
    after = whole_number(request.query, "after", 0)
    limit = whole_number(request.query, "limit", MOST, at_most=MOST)
    wait = whole_number(request.query, "wait", 0, at_most=LONGEST_WAIT)
    with archive.bus.listen(Topic.CHANGES) as news:
        look = functools.partial(archive.index.feed, after, limit)
        entries = await held_back(archive, request, news, wait, look)
    body = orjson.dumps([described(entry, request.base_url) for entry in entries])
    last = entries[-1].number if entries else after
    return Response(
        200,
        [
            ("content-type", JSON),
            ("cache-control", "private, no-cache"),
            ("link", f'<{request.base_url}/changes?after={last}>; rel="next"'),
        ],
        body,
        len(body),
    )


async def held_back(
    archive: Archive, request: Request, news: asyncio.Event, wait: int, look: Callable[[], Awaitable[list[T]]]
) -> list[T]:
    """Return what a look finds; while that is nothing, look again when there is news, for `wait` seconds at most.

    It ends early when the client has gone, or the server is about to stop.
    """
    found = await look()
    if found or not wait:
        return found
    with until_stop(archive, news) as stopping:
        departed = asyncio.ensure_future(request.departed()) if request.departed else None
        if departed is not None:
            departed.add_done_callback(lambda _: news.set())
        try:
            async with asyncio.timeout(wait):
                while not (found or stopping.is_set() or (departed is not None and departed.done())):
                    await news.wait()
                    news.clear()
                    found = await look()
        except TimeoutError:
            pass
        finally:
            if departed is not None:
                departed.cancel()
                await asyncio.gather(departed, return_exceptions=True)
    return found


@contextlib.contextmanager
def until_stop(archive: Archive, news: asyncio.Event) -> Iterator[asyncio.Event]:
    """Lend the event that tells of the server's stop; whoever waits for `news` is woken by it, too."""
    with archive.bus.listen(Topic.STOPPING) as stopping:
        waiting = asyncio.ensure_future(stopping.wait())
        waiting.add_done_callback(lambda _: news.set())
        try:
            yield stopping
        finally:
            waiting.cancel()


def described(entry: FeedEntry, base_url: str) -> dict[str, object]:
    """Return an entry as JSON says it."""
    path = entry.path
    found: dict[str, object] = {
        "number": entry.number,
        "action": entry.action.name.lower(),
        "changed": datetime.datetime.fromtimestamp(entry.changed_at, datetime.UTC).isoformat(timespec="milliseconds"),
        "StudyInstanceUID": path.study_instance_uid,
        "SeriesInstanceUID": path.series_instance_uid,
        "SOPInstanceUID": path.sop_instance_uid,
        "SOPClassUID": entry.sop_class_uid,
    }
    return found | ({} if found["action"] == "deleted" else {"RetrieveURL": f"{base_url}/{path}"})


def whole_number(query: str, name: str, default: int, *, at_most: int = 2**62) -> int:
    """Return the value of a parameter that is a whole number. Raises BadRequest."""
    for given, values in parse_query(query):
        if given == name:
            text = ",".join(values).strip()
            if not (text.isascii() and text.isdigit() and len(text) < 19):
                raise BadRequest(f"The parameter {name} takes a whole number, 0 or more, in digits.")
            return min(int(text), at_most)
    return default


TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction("Read Changes", "-", "GET", "/changes", "search", frozenset({200, 400}), (JSON,), changes),
)
"""An extension."""

"""Delivery of event reports to those who listen — PS3.18 §8.10, §11.13; PS3.4 CC.2.4.3.

Reports are queued in the index, in the transaction that calls for them; here they go out. One task of the process
reads what is new and deals it out to the connections; a connection that is new, or too slow for its share, reads the
queue itself until it has caught up, so that nobody waits for anybody.

What a subscriber has acknowledged is never sent to it again. A connection opened with ``acknowledge=true`` says so
itself, by the Message ID of the last report it is done with. For others, as most clients are, a report counts as
acknowledged when the network has taken it, of all connections that the subscriber has; if the server is killed in
that moment, it may be sent once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator

import structlog

from skiagraph.bus.base import Bus, Topic
from skiagraph.index.base import Books, QueuedReport, RecordIndex
from skiagraph.services.journal import Journal
from skiagraph.standard import event_report

log = structlog.get_logger("notifications")

_SHARE = 256
"""Reports that wait for one connection in memory; beyond, it reads the queue in the index."""

_PAGE = 64 * 1024
"""Bytes of reports that one connection reads of its queue in one go."""

_AT_ONCE = 1000
"""Reports that are read for all connections in one go."""

_NOTED_AFTER = 0.2
"""Seconds that acknowledgements are gathered for one transaction."""

_AGAIN = 1.0
"""Seconds after which the index is asked again when it failed."""


class Connection:
    """One open connection of a subscriber.

    Parameters
    ----------
    explicit
        The subscriber acknowledges reports itself.
    """

    def __init__(self, notifier: Notifier, ae_title: str, *, explicit: bool) -> None:
        self.ae_title = ae_title
        self.explicit = explicit
        self._notifier = notifier
        self._waiting: deque[QueuedReport] = deque()
        self._behind = True
        self._wake = asyncio.Event()
        self._last = 0
        self._sent: dict[int, int] = {}  # Message ID → report number, oldest first
        self._message_id = 0
        self.began: int | None = None
        """The report behind which it began; None before that is known."""
        self.done = 0
        """The last report that the network has taken."""
        self._farewell: bytes | None = None

    def offer(self, report: QueuedReport) -> None:
        """Take a new report; never waits."""
        if not self._behind:  # else it is read from the queue: after a gap nothing may be taken
            if len(self._waiting) < _SHARE:
                self._waiting.append(report)
            else:
                self._behind = True
                self._waiting.clear()  # all of it is in the queue, too
        self._wake.set()

    def offer_again(self) -> None:
        """Have the queue looked at: reports may have come that were not offered."""
        self._behind = True
        self._wake.set()

    def end(self, farewell: bytes) -> None:
        """Have `frames` send a last report and end."""
        self._farewell = farewell
        self._wake.set()

    async def frames(self, heartbeat: float | None = None) -> AsyncIterator[bytes]:
        """Yield the text frames to send, oldest first; ends with the server. One is sent when the next is asked for.

        `heartbeat`: after so many seconds without a report an empty one (``{}``) is sent.
        """
        self._last = self.done = self.began = await self._notifier.index.acknowledged(self.ae_title)
        while self._farewell is None:
            async for report in self._reports():
                self._message_id = self._message_id % event_report.MOST_MESSAGES + 1
                self._last = report.number
                if self.explicit:
                    self._sent.pop(self._message_id, None)  # a number that was used before moves to the end
                    self._sent[self._message_id] = report.number
                yield event_report.framed(report.report, self._message_id)
                self.done = report.number
                if not self.explicit:
                    self._notifier.taken(self.ae_title)
            if self._farewell is None:
                if heartbeat is None:
                    await self._wake.wait()
                    continue
                try:
                    async with asyncio.timeout(heartbeat):
                        await self._wake.wait()
                except TimeoutError:
                    yield b"{}"
        yield event_report.framed(self._farewell, self._message_id % event_report.MOST_MESSAGES + 1)

    async def _reports(self) -> AsyncIterator[QueuedReport]:
        """Yield what there is, in order and once."""
        self._wake.clear()
        while self._behind and self._farewell is None:
            self._behind = False
            self._waiting.clear()
            while queued := await self._notifier.index.queued(self.ae_title, self._last, _SHARE, _PAGE):
                for report in queued:
                    yield report
        while self._waiting and self._farewell is None:
            report = self._waiting.popleft()
            if report.number > self._last:
                yield report

    def acknowledged(self, message_id: int) -> None:
        """Take the subscriber's word that it is done with a report and all before it."""
        number = self._sent.get(message_id)
        if number is None:
            return
        for sent in [*itertools.takewhile(lambda one: self._sent[one] <= number, self._sent)]:
            del self._sent[sent]
        self._notifier.acknowledge(self.ae_title, number)


class Notifier:
    """All who listen in one process, on connections and in requests that wait; and the task that deals out."""

    def __init__(self, index: RecordIndex, bus: Bus, journal: Journal) -> None:
        self.index = index
        self._bus = bus
        self._journal = journal
        self._connections: defaultdict[str, set[Connection]] = defaultdict(set)
        self._listening: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._noted: dict[str, int] = {}
        self._taken: set[str] = set()
        self._noting: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self._farewell: bytes | None = None

    @contextlib.contextmanager
    def connection(self, ae_title: str, *, explicit: bool = False) -> Iterator[Connection]:
        """Lend a connection for one subscriber."""
        self._start()
        connection = Connection(self, ae_title, explicit=explicit)
        self._connections[ae_title].add(connection)
        if self._farewell is not None:
            connection.end(self._farewell)
        try:
            yield connection
        finally:
            self._count(ae_title)
            if self._noted:
                self._soon()
            self._connections[ae_title].discard(connection)
            if self._connections[ae_title]:
                self.taken(ae_title)  # perhaps the others waited for this one
            else:
                del self._connections[ae_title]

    @contextlib.contextmanager
    def listen(self, ae_title: str) -> Iterator[asyncio.Event]:
        """Lend an event that is set when there is a new report for one subscriber; who lends it clears it."""
        self._start()
        event = asyncio.Event()
        self._listening[ae_title].add(event)
        try:
            yield event
        finally:
            self._listening[ae_title].discard(event)
            if not self._listening[ae_title]:
                del self._listening[ae_title]

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._deal())

    async def _deal(self) -> None:
        """Deal new reports out to the connections."""
        with self._bus.listen(Topic.REPORTS) as news:
            after = None
            while True:
                try:
                    if after is None:
                        after = await self.index.newest_report()
                        for connection in self._all():
                            connection.offer_again()
                        for event in itertools.chain.from_iterable(self._listening.values()):
                            event.set()
                    after = await self._deal_news(after)
                except Exception as error:
                    # The index is busy or full for a moment: the next call, at the latest in a second, tries again.
                    log.warning("reports can not be read", error=type(error).__name__)
                await news.wait()
                news.clear()

    async def _deal_news(self, after: int) -> int:
        while reports := await self.index.news(after, _AT_ONCE):
            for report in reports:
                for connection in self._connections.get(report.ae_title, ()):
                    connection.offer(report)
                for event in self._listening.get(report.ae_title, ()):
                    event.set()
                after = report.number
        return after

    def _all(self) -> list[Connection]:
        return [connection for some in self._connections.values() for connection in some]

    def taken(self, ae_title: str) -> None:
        """Count soon what the network has taken for a subscriber."""
        self._taken.add(ae_title)
        self._soon()

    def _count(self, ae_title: str) -> None:
        """Acknowledge what the network has taken of all connections of a subscriber: each has to give every report.

        Where one of them acknowledges by itself, its word alone counts.
        """
        connections = self._connections.get(ae_title, ())
        begun = [one for one in connections if one.began is not None]
        if not begun or any(one.explicit for one in connections):
            return
        done = min(one.done for one in begun)
        if done > max(one.began or 0 for one in begun):
            self._note_down(ae_title, done)

    def acknowledge(self, ae_title: str, number: int) -> None:
        """Write down soon that a subscriber has all reports up to a number."""
        self._note_down(ae_title, number)
        self._soon()

    def _note_down(self, ae_title: str, number: int) -> None:
        self._noted[ae_title] = max(number, self._noted.get(ae_title, 0))

    def _soon(self) -> None:
        if self._noting is None or self._noting.done():
            self._noting = asyncio.ensure_future(self._note())

    async def _note(self) -> None:
        while self._noted or self._taken:
            await asyncio.sleep(_NOTED_AFTER)
            if not await self.flush():
                await asyncio.sleep(_AGAIN)

    async def flush(self) -> bool:
        """Write down what was acknowledged; return whether that worked."""
        async with self._flushing:
            for ae_title in self._taken:
                self._count(ae_title)
            self._taken.clear()
            noted, self._noted = self._noted, {}

            def work(books: Books) -> None:
                for ae_title, number in noted.items():
                    books.acknowledge(ae_title, number)

            try:
                if noted:
                    await self._journal.write(work)
            except Exception as error:
                log.warning("acknowledgements can not be written", error=type(error).__name__)
                for ae_title, number in noted.items():
                    self._note_down(ae_title, number)
                return False
            return True

    async def close(self, farewell: bytes) -> None:
        """Say good-bye to all connections, and to those to come; write down what was acknowledged."""
        self._farewell = farewell
        for connection in self._all():
            connection.end(farewell)
        for _ in range(100):
            if not self._connections:
                break
            await asyncio.sleep(0.02)  # the server is going down: who is too slow now gets the rest later
        if self._task is not None:
            self._task.cancel()
        await self.flush()

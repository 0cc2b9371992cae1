"""What services ask of a bus. It only wakes: what changed is in the index, and a lost call is a late one."""

from __future__ import annotations

import asyncio
import enum
from contextlib import AbstractContextManager
from typing import Protocol


class Topic(enum.Enum):
    """What may have changed."""

    REPORTS = "reports"
    """Event reports wait for subscribers."""
    CHANGES = "changes"
    """Instances were stored or deleted."""
    STOPPING = "stopping"
    """The server is about to stop."""


class Bus(Protocol):
    """Wake-up calls between the tasks of all processes that share an index."""

    def publish(self, topic: Topic) -> None:
        """Wake all who listen, in other processes too. Never blocks, never raises. Event loop only."""
        ...

    def listen(self, topic: Topic) -> AbstractContextManager[asyncio.Event]:
        """Lend an event that is set with each call, and clear it oneself; now and then it is set without need.

        Of STOPPING it is set in earnest only, and for who listens later too.
        """
        ...

    def close(self) -> None: ...

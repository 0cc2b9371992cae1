"""The archive: what the services work on, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from skiagraph.blobs.base import BlobStore, Draft, Opened, Scratch
from skiagraph.bus.base import Bus
from skiagraph.errors import NotSupported
from skiagraph.index.base import Index
from skiagraph.services.commit import GroupCommit
from skiagraph.services.committing import Committing
from skiagraph.services.journal import Journal
from skiagraph.services.notifications import Notifier
from skiagraph.services.open_videos import OpenVideos
from skiagraph.services.recent import Recent
from skiagraph.settings import Settings
from skiagraph.workers import Workers


def _none() -> bytes:
    raise NotSupported("This archive has no secret by which identifiers could be replaced.")


class NoScratch:
    """A `Scratch` that takes nothing."""

    limit = 0

    def open(self, name: str) -> Opened | None:
        return None

    def draft(self, name: str) -> Draft | None:
        raise NotSupported("This archive has no place for files that are made on request.")

    def clear(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Archive:
    """Back-ends by their Protocols, and the settings."""

    settings: Settings
    blobs: BlobStore
    index: Index
    commits: GroupCommit
    recent: Recent
    bus: Bus
    journal: Journal
    notifier: Notifier
    workers: Workers = field(default_factory=Workers)
    """Decodes and encodes pixels; keeps what it made lately."""
    secret: Callable[[], bytes] = field(default=_none, repr=False)
    """Gives the key by which identifiers are replaced, made when it is needed first."""
    scratch: Scratch = field(default_factory=NoScratch)
    """Keeps the videos that were made lately."""
    open_videos: OpenVideos = field(default_factory=OpenVideos)
    """Keeps the videos open that were read lately."""
    committing: Committing = field(default_factory=Committing)
    """Works on commitment requests."""

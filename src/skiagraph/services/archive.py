"""The archive: what the services work on, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from skiagraph.blobs.base import BlobStore
from skiagraph.bus.base import Bus
from skiagraph.errors import NotSupported
from skiagraph.index.base import Index
from skiagraph.services.commit import GroupCommit
from skiagraph.services.journal import Journal
from skiagraph.services.recent import Recent
from skiagraph.settings import Settings
from skiagraph.workers import Workers


def _none() -> bytes:
    raise NotSupported("This archive has no secret by which identifiers could be replaced.")


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
    workers: Workers = field(default_factory=Workers)
    """Decodes and encodes pixels; keeps what it made lately."""
    secret: Callable[[], bytes] = field(default=_none, repr=False)
    """Gives the key by which identifiers are replaced, made when it is needed first."""

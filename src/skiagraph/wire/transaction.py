"""A Transaction row: what router, capabilities, conformance statement, access control and tests read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from skiagraph.wire.message import Request, Response

Handler: TypeAlias = Callable[[Any, Request], Awaitable[Response]]
"""Called with the archive (`services.archive.Archive`) and the request."""

Scope: TypeAlias = Literal["search", "read", "store", "delete"]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction on one resource.

    `template` is a URI template below the Base URI: ``/studies/{study}/series/{series}/metadata``;
    ``{name}`` is one path segment, ``{name*}`` the rest of the path.
    """

    name: str
    section: str
    method: str
    template: str
    scope: Scope
    statuses: frozenset[int]
    """Status table of the section; 401, 403, 500, 503 and 507 are common to all."""
    media_types: tuple[str, ...]
    handler: Handler

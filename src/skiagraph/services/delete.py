"""Delete Studies, Series and Instances: an extension of this server, the way other servers have it.

PS3.18 has no such transaction, but says what follows: 410 for what is known to have been deleted (§8.5).

Request   DELETE /studies/{study}, …/series/{series}, …/instances/{instance}.
Behavior  The index forgets everything below the path, counts included, in one transaction; then the bytes go.
Response  204. 404 for what never was, 410 for what was deleted before; 409 for what Storage Commitment holds
          (`commitment_days`).
"""

from __future__ import annotations

import asyncio

from skiagraph.bus.base import Topic
from skiagraph.errors import PreconditionFailed
from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.settings import DAY
from skiagraph.values import Level, ResourcePath
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction


async def delete(archive: Archive, request: Request) -> Response:
    """DELETE a Study, a Series or an Instance."""
    path = representation.resource(request)
    if "if-match" in request.headers:
        await _check(archive, path, request.headers["if-match"])
    await asyncio.to_thread(forget, archive, path)
    archive.bus.publish(Topic.CHANGES)
    return Response(204)


async def _check(archive: Archive, path: ResourcePath, if_match: str) -> None:
    """Raise PreconditionFailed unless If-Match names the content that is stored, in whatever representation."""
    token = (
        representation.digest(await archive.index.locate(path))
        if path.level is Level.INSTANCE
        else await archive.index.version(path)
    )
    if if_match.strip() != "*" and f'"{token}-' not in if_match:
        raise PreconditionFailed("Not deleted: the resource has none of the entity tags in If-Match.")


def forget(archive: Archive, path: ResourcePath) -> int:
    """Delete everything below the path; return how many blobs went. Blocks.

    Between the two steps a crash leaves blobs that nobody names: `verify` reports them, no answer shows them.

    Raises
    ------
    ResourceGone, ResourceNotFound, Conflict
    """
    keys = archive.index.delete(path, keep_committed=archive.settings.commitment_days * DAY)
    archive.blobs.delete(keys)
    return len(keys)


_STATUSES = frozenset({204, 400, 404, 409, 410, 412})

TRANSACTIONS: tuple[Transaction, ...] = tuple(
    Transaction(f"Delete {name}", "8.5", "DELETE", template, "delete", _STATUSES, (), delete)
    for name, template in (
        ("Study", "/studies/{study}"),
        ("Series", "/studies/{study}/series/{series}"),
        ("Instance", "/studies/{study}/series/{series}/instances/{instance}"),
    )
)

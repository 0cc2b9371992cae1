"""Delete Studies, Series and Instances: an extension of this server, the way other servers have it.

PS3.18 has no such transaction, but says what follows: 410 for what is known to have been deleted (§8.5).

Request   DELETE /studies/{study}, …/series/{series}, …/instances/{instance}.
Behavior  The index forgets everything below the path, counts included, in one transaction; then the bytes go.
Response  204. 404 for what never was, 410 for what was deleted before.
"""

from __future__ import annotations

import asyncio

from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.values import ResourcePath
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction


async def delete(archive: Archive, request: Request) -> Response:
    """DELETE a Study, a Series or an Instance."""
    await asyncio.to_thread(forget, archive, representation.resource(request))
    return Response(204)


def forget(archive: Archive, path: ResourcePath) -> int:
    """Delete everything below the path; return how many blobs went. Blocks.

    Between the two steps a crash leaves blobs that nobody names: `verify` reports them, no answer shows them.

    Raises
    ------
    ResourceGone, ResourceNotFound
    """
    keys = archive.index.delete(path)
    archive.blobs.delete(keys)
    return len(keys)


_STATUSES = frozenset({204, 400, 404, 410})

TRANSACTIONS: tuple[Transaction, ...] = tuple(
    Transaction(f"Delete {name}", "8.5", "DELETE", template, "delete", _STATUSES, (), delete)
    for name, template in (
        ("Study", "/studies/{study}"),
        ("Series", "/studies/{study}/series/{series}"),
        ("Instance", "/studies/{study}/series/{series}/instances/{instance}"),
    )
)

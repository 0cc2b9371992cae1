"""The least a server can do: read a body and throw it away, or send bytes from memory. A floor for store and reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

memory = cache(bytes)


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """ASGI application: answers how many bytes it read; on ``/bytes/N`` with N bytes."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    path: str = scope["path"]
    body = memory(int(path[7:])) if path.startswith("/bytes/") else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

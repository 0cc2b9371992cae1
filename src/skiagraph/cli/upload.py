"""Sending Instances in Store requests and reading what became of each (PS3.18 §10.5)."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import httpx
import orjson

from skiagraph.cli import client as http
from skiagraph.cli.sources import Item

CHUNK = 2**20

_RETRIED = (429, 502, 503, 504)
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item."""

    item: Item
    failure: str | None = None
    """Why it is not stored; None when it is."""
    warning: str | None = None
    sop_instance_uid: str = ""
    """As the server names it."""


class Changed(Exception):
    """A file is not as long as it was when it was found, or can not be read to its end."""

    def __init__(self, item: Item, why: str) -> None:
        super().__init__(why)
        self.item = item


class Stopped(Exception):
    """The user wants to stop."""


class Uploader:
    """Sends batches through one client; several threads may share it. `stop` ends retries and streams."""

    def __init__(self, client: httpx.Client, stop: threading.Event) -> None:
        self._client = client
        self._stop = stop

    def send(self, batch: Sequence[Item]) -> list[Result]:
        """Send the items in one request and return what became of each.

        What can not be told apart is sent again alone: re-sending changes nothing that is stored.

        Raises
        ------
        Stopped
            Stop was set; what became of the items is unknown.
        """
        try:
            response = self._post(batch)
        except Changed as error:
            rest = [item for item in batch if item.name != error.item.name]
            failed = [Result(error.item, f"file can not be read: {error}")]
            return failed + (self.send(rest) if rest else [])
        except httpx.TransportError as error:
            if len(batch) > 1:
                return [result for item in batch for result in self.send([item])]
            return [Result(batch[0], f"connection lost: {error or type(error).__name__}")]
        if response.status_code == 413 and len(batch) > 1:
            return [result for item in batch for result in self.send([item])]
        return self._results(batch, response)

    def _post(self, batch: Sequence[Item]) -> httpx.Response:
        """Post, again after a while where that helps."""
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            delay = 2.0**attempt
            try:
                response = self._post_once(batch)
            except httpx.TransportError:
                if last:
                    raise
            else:
                if response.status_code not in _RETRIED or last or _dataset(response):
                    return response
                asked = response.headers.get("retry-after", "")
                delay = min(float(asked), 30.0) if asked.isdigit() else delay
            if self._stop.wait(delay):
                raise Stopped
        raise AssertionError("the last attempt returns or raises")

    def _post_once(self, batch: Sequence[Item]) -> httpx.Response:
        boundary = secrets.token_hex(16)
        heads = [
            f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {item.size}\r\n\r\n".encode()
            for item in batch
        ]
        tail = f"\r\n--{boundary}--\r\n".encode()
        return self._client.post(
            "/studies",
            content=self._body(batch, heads, tail),
            headers={
                "Accept": http.JSON,
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Content-Length": str(sum(map(len, heads)) + sum(item.size for item in batch) + len(tail)),
            },
        )

    def _body(self, batch: Sequence[Item], heads: Sequence[bytes], tail: bytes) -> Iterator[bytes]:
        for item, head in zip(batch, heads, strict=True):
            yield head
            yield from self._content(item)
        yield tail

    def _content(self, item: Item) -> Iterator[bytes]:
        try:
            with item.open() as file:
                yield from self._chunks(item, file)
        except (Changed, Stopped, GeneratorExit):
            raise
        except Exception as error:
            # Files vanish, disks fail, zip entries do not match their checksum.
            raise Changed(item, str(error) or type(error).__name__) from error

    def _chunks(self, item: Item, file: BinaryIO) -> Iterator[bytes]:
        """Yield exactly as many bytes as were announced."""
        left = item.size
        while left:
            if self._stop.is_set():
                raise Stopped
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise Changed(item, "it is shorter than it was when it was found")
            left -= len(chunk)
            yield chunk
        if file.read(1):
            raise Changed(item, "it is longer than it was when it was found")

    def _results(self, batch: Sequence[Item], response: httpx.Response) -> list[Result]:
        data = _dataset(response)
        if data is None:
            error = str(http.refusal(response))
            return [Result(item, error) for item in batch]
        stored, failed = _by_uid(data)
        if len(batch) == 1:
            return [_alone(batch[0], stored, failed, response)]
        results, unknown = [], []
        for item in batch:
            uid = item.sop_instance_uid
            if uid in stored:
                results.append(Result(item, None, stored[uid], uid))
            elif uid in failed:
                results.append(Result(item, failed[uid]))
            else:
                unknown.append(item)
        # The file says one UID and the data set another, or the server could not read it: alone it is certain.
        return results + [result for item in unknown for result in self.send([item])]


def _alone(item: Item, stored: dict[str, str | None], failed: dict[str, str], response: httpx.Response) -> Result:
    if stored and not failed:
        uid, warning = next(iter(stored.items()))
        return Result(item, None, warning, uid)
    if failed:
        return Result(item, next(iter(failed.values())))
    if response.is_success:
        return Result(item, None, None, item.sop_instance_uid)
    return Result(item, str(http.refusal(response)))


def _dataset(response: httpx.Response) -> dict[str, Any] | None:
    """Return the response data set (PS3.18 Annex I), None when the body is something else."""
    if not response.headers.get("content-type", "").lower().startswith(("application/dicom+json", "application/json")):
        return None
    try:
        data = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]  # some servers wrap it
    known = {"00081190", "00081198", "00081199", "0008119A"}
    return data if isinstance(data, dict) and (known & data.keys() or (not data and response.is_success)) else None


def _by_uid(data: dict[str, Any]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return what is stored (with its warning) and what failed (with the reason), by SOP Instance UID."""
    stored: dict[str, str | None] = {}
    failed: dict[str, str] = {}
    for item in _items(data, "00081199"):
        code = _first(item, "00081196")
        warning = None
        if isinstance(code, int):
            warning = f"0x{code:04X}: {_first(item, '00000902') or 'see the conformance statement of the server'}"
        stored[str(_first(item, "00081155") or "")] = warning
    for number, item in enumerate((*_items(data, "00081198"), *_items(data, "0008119A"))):
        code = _first(item, "00081197")
        code = code if isinstance(code, int) else 0
        words = _first(item, "00000902") or http.reason(code)
        failed[str(_first(item, "00081155") or f"?{number}")] = f"0x{code:04X}: {words}"
    return stored, failed


def _items(data: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    value = data.get(tag)
    items = value.get("Value", []) if isinstance(value, dict) else []
    return [item for item in items if isinstance(item, dict)]


def _first(item: dict[str, Any], tag: str) -> Any:
    value = item.get(tag)
    values = value.get("Value") if isinstance(value, dict) else None
    return values[0] if isinstance(values, list) and values else None

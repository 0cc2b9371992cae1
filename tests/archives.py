"""An archive in a folder, asked without a web server: store bytes, send a request, take the answer apart."""

from __future__ import annotations

import asyncio
import email.policy
import gzip
import io
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pydicom
from blake3 import blake3
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

import dicom_files
from skiagraph import app
from skiagraph.errors import codes
from skiagraph.http.router import Router
from skiagraph.index.base import NewInstance, StoredInstance
from skiagraph.services.archive import Archive
from skiagraph.settings import Settings
from skiagraph.standard import part10
from skiagraph.wire.message import Request, Response

BASE = "http://example.org/dicom-web"


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    length: int | None = None
    error: Exception | None = None

    @property
    def content(self) -> bytes:
        """The body without its content coding."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    @property
    def parts(self) -> list[Part]:
        """The parts of a multipart answer, taken apart by Content-Length, which has to be right."""
        head = BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: " + self.headers["content-type"].encode() + b"\r\n\r\n"
        )
        assert head.get_content_type() == "multipart/related"
        delimiter = b"--" + str(head.get_boundary()).encode()
        rest = self.content
        found = []
        while True:
            assert rest.startswith(delimiter), rest[:80]
            rest = rest[len(delimiter) :]
            if rest == b"--\r\n":
                break
            header, _, rest = rest[2:].partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in header.decode("ascii").split("\r\n"))
            part = Part({name.lower(): value for name, value in fields.items()}, b"")
            length = part.headers.get("content-length")
            end = int(length) if length is not None else rest.index(b"\r\n" + delimiter)
            part.body, rest = rest[:end], rest[end:]
            assert rest.startswith(b"\r\n"), "Content-Length of a part is wrong"
            rest = rest[2:]
            found.append(part)
        assert found
        assert head["content-type"].params["type"] == found[0].type
        return found


@dataclass
class Part:
    """One part of a multipart answer."""

    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def type(self) -> str:
        return self.headers["content-type"].partition(";")[0]

    @property
    def location(self) -> str:
        return self.headers["content-location"].removeprefix(BASE + "/")


class Given:
    """An archive and what is stored in it."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.router = Router(app.TRANSACTIONS)
        self.ended: list[bool] = []

    def store(self, *files: bytes) -> list[StoredInstance]:
        """Store PS3.10 files, each under its own UIDs; return their index entries in this order."""
        blobs, index, settings = self.archive.blobs, self.archive.index, self.archive.settings
        found = []
        for data in files:
            staged = blobs.stage()
            staged.write([data])
            header = part10.read(
                part10.BytesSource(data),
                bulkdata_threshold=settings.bulkdata_threshold,
                max_sequence_depth=settings.max_sequence_depth,
            )
            new = NewInstance(
                staged.key,
                len(data),
                blake3(data[: header.dataset_offset]).digest(),
                blake3(data[header.dataset_offset :]).digest(),
                header,
                time.time(),
            )
            blobs.publish([staged])
            index.add([index.prepare(new)], settings.duplicates)
            blobs.settle([staged])
            uid = header.attributes["00080018"]["Value"][0]
            entry = asyncio.run(index.identify(uid))
            assert entry is not None
            found.append(entry)
        return found

    def get(
        self,
        path: object,
        accept: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        query: str = "",
        body: bytes = b"",
    ) -> Answer:
        """Send a request for a path below the Base URI and read the answer to its end."""
        return asyncio.run(self._get(f"/{path}", accept, headers or {}, method, query, body))

    async def _get(
        self, path: str, accept: str | None, headers: Mapping[str, str], method: str, query: str, body: bytes
    ) -> Answer:
        fields = dict(headers) | ({} if accept is None else {"accept": accept})
        try:
            transaction, variables = self.router.resolve(method, path)
            response = await transaction.handler(
                self.archive, Request(method, path, query, fields, variables, BASE, lambda: _once(body))
            )
        except Exception as error:
            return Answer(codes(error).http, {}, b"", error=error)
        if response.status < 400:
            assert response.status in transaction.statuses, "the row's statuses are all that it answers"
        return await self._read(response, method)

    async def _read(self, response: Response, method: str) -> Answer:
        answer = Answer(response.status, dict(response.headers), b"", response.length)
        assert len(answer.headers) == len(response.headers), "no header twice"
        if response.body is None or method == "HEAD":
            return answer
        if isinstance(response.body, AsyncIterator):
            chunks = []
            async for chunk in response.body:
                assert 0 < len(chunk) <= 2**21
                chunks.append(bytes(chunk))
            answer.body = b"".join(chunks)
        else:
            answer.body = bytes(response.body)
        assert response.length in (None, len(answer.body)), "Content-Length is that of the body"
        return answer


def compressed(frames: Sequence[bytes], syntax: str, *, fragments: int = 1, **changes: Any) -> bytes:
    """A PS3.10 file with frames that are taken for compressed."""
    data: Dataset = dicom_files.ct(**{"NumberOfFrames": len(frames), "PixelData": b"", **changes})
    data.PixelData = encapsulate(list(frames), fragments_per_frame=fragments)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return dicom_files.part10(data, syntax)


def read(body: bytes) -> Dataset:
    """Read a PS3.10 file, which has to have all that belongs to one."""
    return pydicom.dcmread(io.BytesIO(body))


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Given]:
    """An archive in a folder, closed afterwards."""
    archive = app.open_archive(Settings(data=folder, durable=False, **settings))
    try:
        yield Given(archive)
    finally:
        archive.bus.close()
        archive.index.close()
        archive.blobs.close()  # type: ignore[attr-defined]


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body

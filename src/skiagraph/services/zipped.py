"""Instances as files in a ZIP archive: an extension of Retrieve, PS3.18 §10.4, after drafts of Supplement 211.

Paths begin at what was asked for, and hold UIDs and numbers only, nothing of the patient:

    Study     {study}/{number of the series}_{series}/{number of the instance}.dcm
    Series    {series}/{number of the instance}.dcm
    Instance  {instance}.dcm

The numbers count in the order of Series Number and Instance Number, from 1. There is no DICOMDIR.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from skiagraph.index.base import StoredInstance
from skiagraph.services import representation
from skiagraph.services.representation import NothingToSend, Representation, Version
from skiagraph.standard.media_types import ZIP
from skiagraph.values import Level, ResourcePath
from skiagraph.wire import zip_writer
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.zip_writer import ZipWriter


@dataclass(frozen=True, slots=True)
class File:
    """One Instance and what goes out of it."""

    instance: StoredInstance
    content: Representation


class Names:
    """Gives each Instance below a path its name, in their order."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._series: str | None = None
        self._series_number = 0
        self._instance_number = 0

    def next(self, path: ResourcePath) -> str:
        """The name of the next Instance; those of one Series follow each other."""
        if self._level is Level.INSTANCE:
            return f"{path.sop_instance_uid}.dcm"
        if path.series_instance_uid != self._series:
            self._series = path.series_instance_uid
            self._series_number += 1
            self._instance_number = 0
        self._instance_number += 1
        name = f"{self._series}/{self._instance_number:06}.dcm"
        if self._level is Level.SERIES:
            return name
        return f"{path.study_instance_uid}/{self._series_number:03}_{name}"


def measure(path: ResourcePath, files: Iterable[File]) -> int | None:
    """Content-Length of the archive; None where the length of a file is not known."""
    names = Names(path.level)
    entries = []
    for file in files:
        if file.content.length is None:
            return None
        entries.append((names.next(file.instance.path), file.content.length))
    return zip_writer.total_length(entries)


async def respond(
    request: Request,
    path: ResourcePath,
    files: AsyncIterator[File],
    version: Version,
    *,
    status: int = 200,
    length: int | None = None,
    warning: str | None = None,
) -> Response:
    """Answer with an archive of at least one file.

    Parameters
    ----------
    length
        Of the archive, where the caller reckoned it (`measure`).
    warning
        Sentence of a Warning header.

    Raises
    ------
    NothingToSend
        There is no file.
    """
    first = await anext(files, None)
    if first is None:
        raise NothingToSend("There is nothing to send for this resource.")
    uid = path.sop_instance_uid or path.series_instance_uid or path.study_instance_uid
    headers = [
        ("content-type", ZIP),
        ("content-disposition", f'attachment; filename="{uid}.zip"'),
        ("content-location", representation.url(request, path)),
        ("x-content-type-options", "nosniff"),
        *version.headers(),
    ]
    if warning is not None:
        headers.append(("warning", f"299 {request.base_url}: {warning}"))
    stream = _stream(path.level, representation.before(first, files))
    return Response(status, headers, await representation.body_of(request, stream, length), length)


async def _stream(level: Level, files: AsyncIterator[File]) -> AsyncIterator[Chunk]:
    """The bytes of the archive; short pieces, such as headers and small files, are gathered."""
    writer, names = ZipWriter(), Names(level)
    gathered = bytearray()
    try:
        async for file in files:
            content = file.content
            gathered += writer.begin(names.next(file.instance.path), content.length, file.instance.stored_at)
            chunks = representation.counted(content.read(None), content.length)
            try:
                async for chunk in chunks:
                    piece = writer.data(chunk)
                    if len(piece) < representation.SMALL:
                        gathered += piece
                        if len(gathered) < representation.SMALL:
                            continue
                    if gathered:
                        yield bytes(gathered)
                        gathered.clear()
                    if len(piece) >= representation.SMALL:
                        yield piece
            finally:
                await representation.close(chunks)
            gathered += writer.end()
        yield bytes(gathered)
        for piece in writer.close():
            yield piece
    finally:
        await representation.close(files)

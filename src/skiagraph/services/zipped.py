"""Instances as files in a ZIP archive: an extension of Retrieve, PS3.18 §10.4, after drafts of Supplement 211.

Paths begin at what was asked for, and hold UIDs and numbers only, nothing of the patient:

    Study     {study}/{number of the series}_{series}/{number of the instance}.dcm
    Series    {series}/{number of the instance}.dcm
    Instance  {instance}.dcm

The numbers count in the order of Series Number and Instance Number, from 1. With ``dicomdir=yes``, a further extension,
the archive is a File-set (PS3.10 §8): all paths are File IDs, of components of 8 characters, and a DICOMDIR comes last:

    DICOM/S0000001/I0000001
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from skiagraph.index.base import StoredInstance
from skiagraph.services import representation
from skiagraph.services.representation import NothingToSend, Representation, Version
from skiagraph.standard import file_meta, media_directory
from skiagraph.standard.media_directory import MediaDirectory
from skiagraph.standard.media_types import ZIP
from skiagraph.values import Attributes, Level, ResourcePath
from skiagraph.wire import zip_writer
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.zip_writer import ZipWriter

Describe: TypeAlias = Callable[[StoredInstance], Awaitable[Attributes]]
"""Gives the attributes of an Instance."""

_HEAD: Final = 16 * 2**10  # bytes of a file that have its File Meta Information
_UIDS: Final = (0x0002, 0x0003, 0x0010)  # Media Storage SOP Class and Instance, Transfer Syntax


@dataclass(frozen=True, slots=True)
class File:
    """One Instance and what goes out of it."""

    instance: StoredInstance
    content: Representation


class Names:
    """Gives each Instance below a path its name, in their order; `file_ids`: as PS3.10 §8.2 has it."""

    def __init__(self, level: Level, *, file_ids: bool = False) -> None:
        self._level = level
        self._file_ids = file_ids
        self._series: str | None = None
        self._series_number = 0
        self._instance_number = 0

    def next(self, path: ResourcePath) -> str:
        """The name of the next Instance; those of one Series follow each other."""
        if self._level is Level.INSTANCE and not self._file_ids:
            return f"{path.sop_instance_uid}.dcm"
        if path.series_instance_uid != self._series:
            self._series = path.series_instance_uid
            self._series_number += 1
            self._instance_number = 0
        self._instance_number += 1
        if self._file_ids:
            return f"DICOM/S{self._series_number:07}/I{self._instance_number:07}"
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
    describe: Describe | None = None,
) -> Response:
    """Answer with an archive of at least one file.

    Parameters
    ----------
    length
        Of the archive, where the caller reckoned it (`measure`).
    warning
        Sentence of a Warning header.
    describe
        Gives the attributes of an Instance, where the archive is to have a DICOMDIR; its length is not known then.

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
    directory = None
    if describe is not None:
        length = None
        directory = _Directory(MediaDirectory(f"2.25.{uuid.uuid4().int}"), describe)
    stream = _stream(path.level, representation.before(first, files), directory)
    return Response(status, headers, await representation.body_of(request, stream, length), length)


class _Directory:
    """Notes what goes out: the File Meta Information of each file says best what is in it."""

    def __init__(self, collected: MediaDirectory, describe: Describe) -> None:
        self.collected = collected
        self._describe = describe
        self._head = bytearray()

    def see(self, chunk: Chunk) -> None:
        """Take bytes of a file as they pass."""
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]

    async def add(self, instance: StoredInstance, name: str) -> None:
        """Note the file that has passed."""
        meta = file_meta.read(bytes(self._head))
        self._head.clear()
        uids = (meta.get(number, b"").decode("ascii", "replace").strip(" \0") for number in _UIDS)
        sop_class_uid, sop_instance_uid, transfer_syntax_uid = uids
        self.collected.add(
            await self._describe(instance),
            name.split("/"),
            sop_class_uid=sop_class_uid or instance.sop_class_uid,
            sop_instance_uid=sop_instance_uid or instance.path.sop_instance_uid or "",
            transfer_syntax_uid=transfer_syntax_uid or instance.transfer_syntax_uid,
        )


async def _stream(level: Level, files: AsyncIterator[File], directory: _Directory | None) -> AsyncIterator[Chunk]:
    """The bytes of the archive; short pieces, such as headers and small files, are gathered."""
    writer, names = ZipWriter(), Names(level, file_ids=directory is not None)
    gathered = bytearray()
    modified = 0.0
    try:
        async for file in files:
            content, name = file.content, names.next(file.instance.path)
            modified = max(modified, file.instance.stored_at)
            gathered += writer.begin(name, content.length, file.instance.stored_at)
            chunks = representation.counted(content.read(None), content.length)
            try:
                async for chunk in chunks:
                    if directory is not None:
                        directory.see(chunk)
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
            if directory is not None:
                await directory.add(file.instance, name)
        if directory is not None:
            gathered += writer.begin(media_directory.NAME, directory.collected.length, modified)
            for piece in directory.collected.write():
                gathered += writer.data(piece)
                if len(gathered) >= representation.SMALL:
                    yield bytes(gathered)
                    gathered.clear()
            gathered += writer.end()
        yield bytes(gathered)
        for piece in writer.close():
            yield piece
    finally:
        await representation.close(files)

"""Store Transaction (STOW-RS) — PS3.18 §10.5.

Request   POST /studies or /studies/{study} with PS3.10 files, as multipart/related or as a single file; or with
          metadata (JSON or XML) and bulk data, which become such files (`services.store_metadata`).
Behavior  every part for itself: written as it arrives, read once, committed durably; one bad part harms nobody.
Response  200, 202 or 409 by Table 10.5.3-1 with the Store Instances Response Module (Annex I), JSON or XML.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TypeAlias

import orjson
import structlog

from skiagraph.blobs.base import Chunk, Staged
from skiagraph.errors import (
    ArchiveError,
    BadRequest,
    CannotUnderstand,
    DuplicateInstance,
    InstanceError,
    MissingIdentifier,
    NotSupported,
    ResourceNotFound,
    StorageFull,
    StudyMismatch,
    Unavailable,
    UnsupportedMediaType,
    codes,
)
from skiagraph.index.base import Added, NewInstance, Outcome
from skiagraph.services import coercion, representation
from skiagraph.services.archive import Archive
from skiagraph.services.coercion import Coercion
from skiagraph.services.commit import Ready
from skiagraph.services.measures import FAILED, STORED
from skiagraph.services.store_metadata import METADATA, Assembled, Gathering
from skiagraph.services.store_response import COERCED, DOES_NOT_MATCH, Failed, Stored, module, status
from skiagraph.services.upload import Upload
from skiagraph.standard import native_xml, part10
from skiagraph.standard.header import Header
from skiagraph.standard.media_types import DICOM_XML
from skiagraph.values import Attributes, ResourcePath, is_uid
from skiagraph.wire import accept, media_type, multipart_writer, query
from skiagraph.wire.content_coding import Decoder, content_decoder, transfer_decoder
from skiagraph.wire.message import Request, Response
from skiagraph.wire.multipart_reader import MultipartReader, PartBegin, PartData, parse_related
from skiagraph.wire.transaction import Transaction

log = structlog.get_logger("store")

Result: TypeAlias = Stored | Failed

TAKEN = (
    'multipart/related; type="application/dicom"',
    'multipart/related; type="application/dicom+json"',
    'multipart/related; type="application/dicom+xml"',
    "application/dicom",
    "application/dicom+json",
    "application/dicom+xml",
)
"""Media types that Store takes."""

_AHEAD = 8
"""Instances of one request that are read and committed while the next arrive."""

_READ = 2**20
"""Bytes of bulk data that are in memory at a time."""

_LOGGED_FAILURES = 20
"""Lines about one request in the log; a number stands for the rest."""

_DICOM = frozenset({"application/dicom", "application/octet-stream", "application/x-dicom", ""})
"""Part types that are looked into: many senders label DICOM as octet-stream, or not at all."""

_NO_STUDY = {
    "1.2.840.10008.1.3.10": "a DICOMDIR names other files and is no Instance; send the files that it names",
    "1.2.840.10008.5.1.4.38.1": "Hanging Protocols are no part of a Study; they belong to /hanging-protocols",
    "1.2.840.10008.5.1.4.39.1": "Color Palettes are no part of a Study; they belong to /color-palettes",
    "1.2.840.10008.5.1.4.43.1": "Implant Templates are no part of a Study; they belong to /implant-templates",
    "1.2.840.10008.5.1.4.44.1": "Implant Templates are no part of a Study; they belong to /implant-templates",
    "1.2.840.10008.5.1.4.45.1": "Implant Templates are no part of a Study; they belong to /implant-templates",
    "1.2.840.10008.5.1.4.1.1.200.1": "Defined Protocols are no part of a Study; they belong to"
    " /defined-procedure-protocols",
    "1.2.840.10008.5.1.4.1.1.200.7": "Defined Protocols are no part of a Study; they belong to"
    " /defined-procedure-protocols",
    "1.2.840.10008.5.1.4.1.1.201.1": "Inventories are no part of a Study; they belong to /inventories",
}
"""SOP Classes of objects without a Study (PS3.4 Annex GG), and where they belong."""

_IDENTIFIERS = {
    "0020000D": "Study Instance UID (0020,000D)",
    "0020000E": "Series Instance UID (0020,000E)",
    "00080018": "SOP Instance UID (0008,0018)",
    "00080016": "SOP Class UID (0008,0016)",
}


async def store(archive: Archive, request: Request) -> Response:
    """Store Instances; the handler of both resources."""
    choice = accept.choose_store_response(
        request.headers.get("accept"), query.accept(request.query), strict=archive.settings.strict_accept
    )
    intake = Intake(archive, request.parameters.get("study"), request.request_id)
    results = await intake.take(request)
    content_type, body = encode(module(results, request.base_url), choice)
    headers = [("content-type", content_type), ("cache-control", "no-store")]
    created = [result.path for result in results if isinstance(result, Stored)]
    if created and len({path.study_instance_uid for path in created}) == 1:
        study = f"{request.base_url}/studies/{created[0].study_instance_uid}"
        headers += [("location", study), ("content-location", study)]  # Table 10.5.3-2
    return Response(status(results), headers, body)


class Intake:
    """Takes the parts of one request, several in flight, and keeps their results in the order of arrival."""

    def __init__(self, archive: Archive, study_instance_uid: str | None, request_id: str) -> None:
        self._archive = archive
        self._study_instance_uid = study_instance_uid
        self._request_id = request_id
        self._pending: deque[asyncio.Task[Result]] = deque()
        self._results: list[Result] = []
        self._failures = 0

    @property
    def _unlogged(self) -> int:
        return max(0, self._failures - _LOGGED_FAILURES)

    async def take(self, request: Request) -> list[Result]:
        """Read the payload to its end and return what became of each part.

        Raises
        ------
        UnsupportedMediaType
            The payload as a whole is not one that Store takes.
        BadRequest
            The payload is empty, or broken before the first Instance was whole.
        """
        try:
            async with aclosing(self._payload(request)) as chunks:  # type: ignore[type-var]
                await self._read_all(request.headers.get("content-type", ""), chunks)
            await self._settle()
        except ArchiveError as error:
            await self._settle()
            if not any(isinstance(result, Stored) for result in self._results):
                raise
            # What was whole is stored, and the sender has to know it.
            self._results.append(self._failed(error, {}))
        except BaseException:
            await self._settle()
            raise
        finally:
            if self._unlogged:
                log.warning("more instances not stored", request_id=self._request_id, instances=self._unlogged)
        if not self._results:
            raise BadRequest("The payload holds no Instance: it has to have at least one part with a PS3.10 file.")
        return self._results

    def _payload(self, request: Request) -> AsyncIterator[Chunk]:
        """The payload without its content coding."""
        decoder = content_decoder(
            request.headers.get("content-encoding", ""), self._archive.settings.max_inflated_bytes
        )
        return request.body() if decoder is None else _decoded(request.body(), decoder)

    async def _read_all(self, content_type: str, chunks: AsyncIterator[Chunk]) -> None:
        kind = media_type.parse(content_type)
        if kind is not None and kind.name == "multipart/related":
            await self._multipart(content_type, chunks)
        elif kind is not None and kind.name == "application/dicom":
            await self._single(chunks)
        elif kind is not None and kind.name in METADATA:
            await self._metadata(content_type, chunks, None)
        else:
            raise UnsupportedMediaType(f"Store does not take the media type {content_type[:200]!r}.", details=TAKEN)

    async def _single(self, chunks: AsyncIterator[Chunk]) -> None:
        upload: Upload | None = Upload(self._archive.blobs)
        try:
            async for chunk in chunks:
                if upload is not None:
                    upload = await self._write(upload, chunk)
        except BaseException:
            if upload is not None:
                upload.discard()
            raise
        if upload is not None and upload.size:
            await self._finish(upload)

    async def _write(self, upload: Upload, chunk: Chunk) -> Upload | None:
        """Write to an upload; None when that failed: the rest runs into nothing, its neighbours go on."""
        try:
            await upload.write(chunk)
        except ArchiveError as error:
            upload.discard()
            self._result(self._failed(error, {}))
            return None
        return upload

    async def _multipart(self, content_type: str, chunks: AsyncIterator[Chunk]) -> None:
        settings = self._archive.settings
        related = parse_related(content_type)
        if related.type in METADATA:
            await self._metadata(content_type, chunks, related.boundary)
            return
        if related.type not in _DICOM:
            raise UnsupportedMediaType(f"Store does not take parts of the type {related.type[:100]!r}.", details=TAKEN)
        reader = MultipartReader(
            related.boundary, max_header_bytes=settings.max_part_header_bytes, max_parts=settings.max_parts
        )
        upload: Upload | None = None
        try:
            async for chunk in chunks:
                for event in reader.feed(bytes(chunk)):
                    if isinstance(event, PartData):
                        if upload is not None:
                            upload = await self._write(upload, event.data)
                    elif isinstance(event, PartBegin):
                        upload = self._begin(event.headers)
                    elif upload is not None:
                        await self._finish(upload)
                        upload = None
            reader.close()
        finally:
            if upload is not None:
                upload.discard()

    async def _metadata(self, content_type: str, chunks: AsyncIterator[Chunk], boundary: str | None) -> None:
        """Take metadata and bulk data, then make their Instances; without boundary the payload is the metadata."""
        gathering = Gathering(self._archive.blobs, self._archive.settings)
        try:
            if boundary is None:
                gathering.begin({"content-type": content_type})
                async for chunk in chunks:
                    if gathering.write(chunk):
                        await asyncio.to_thread(gathering.spool)
                gathering.end()
            else:
                await self._gather(gathering, chunks, boundary)
            instances = gathering.assemble(self._study_instance_uid)
            while (assembled := await asyncio.to_thread(next, instances, None)) is not None:
                await self._assembled(assembled)
        finally:
            gathering.discard()

    async def _gather(self, gathering: Gathering, chunks: AsyncIterator[Chunk], boundary: str) -> None:
        settings = self._archive.settings
        reader = MultipartReader(
            boundary, max_header_bytes=settings.max_part_header_bytes, max_parts=settings.max_parts
        )
        async for chunk in chunks:
            for event in reader.feed(bytes(chunk)):
                if isinstance(event, PartData):
                    if gathering.coded:  # a little may become very much
                        await asyncio.to_thread(gathering.write, event.data)
                    elif gathering.write(event.data):
                        await asyncio.to_thread(gathering.spool)
                elif isinstance(event, PartBegin):
                    gathering.begin(event.headers)
                else:
                    gathering.end()
        reader.close()

    async def _assembled(self, assembled: Assembled) -> None:
        """Write the file of one data set to an upload, and finish that as if it had come so."""
        if assembled.write is None:
            self._result(self._failed(assembled.error or CannotUnderstand(), assembled.attributes))
            return
        modified = await self._modified(assembled) if assembled.original else ""
        try:
            pieces = await asyncio.to_thread(assembled.write, modified)
        except Exception as error:
            self._result(self._failed(error, assembled.attributes))
            return
        upload: Upload | None = Upload(self._archive.blobs)
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    upload = upload and await self._write(upload, piece)
                    continue
                for done in range(0, piece.length, _READ):
                    length = min(_READ, piece.length - done)
                    data = await asyncio.to_thread(piece.source.read_at, piece.offset + done, length)
                    upload = upload and await self._write(upload, data)
        except BaseException:
            if upload is not None:
                upload.discard()
            raise
        if upload is not None:
            await self._finish(upload, Coercion(assembled.original, modified, assembled.warnings))

    async def _modified(self, assembled: Assembled) -> str:
        """When the attributes were changed: now, or then when this Instance was stored before.

        The same metadata sent again make the same data set.
        """
        uid = text_of(assembled.attributes, "00080018")
        stored = await self._archive.index.identify(uid)
        if stored is not None:
            with contextlib.suppress(ResourceNotFound):
                found = await representation.attributes(self._archive, stored)
                return coercion.when(found) or coercion.now()
        return coercion.now()

    def _begin(self, headers: Mapping[str, str]) -> Upload | None:
        """Open an upload for a part; None for a part that can not be an Instance."""
        kind = media_type.parse(headers.get("content-type", ""))
        try:
            if kind is not None and kind.name not in _DICOM:
                hint = f' unless the payload has type="{kind.name}"' if kind.name in METADATA else ""
                raise UnsupportedMediaType(
                    f"The part has the media type {kind.name}; only application/dicom can be stored{hint}."
                )
            decoders = (
                transfer_decoder(headers.get("content-transfer-encoding", "")),
                content_decoder(headers.get("content-encoding", ""), self._archive.settings.max_inflated_bytes),
            )
        except UnsupportedMediaType as error:
            self._result(self._failed(error, {}))
            return None
        return Upload(self._archive.blobs, [decoder for decoder in decoders if decoder is not None])

    async def _finish(self, upload: Upload, coerced: Coercion | None = None) -> None:
        while len(self._pending) >= _AHEAD:
            self._results.append(await self._pending.popleft())
        self._pending.append(asyncio.ensure_future(self._keep(upload, coerced)))

    def _result(self, result: Result) -> None:
        async def done() -> Result:
            return result

        self._pending.append(asyncio.ensure_future(done()))

    async def _settle(self) -> None:
        """Let what is on its way come to its end, also when the client is gone or its payload broke off."""
        while self._pending:
            self._results.append(await self._pending.popleft())

    async def _keep(self, upload: Upload, coerced: Coercion | None = None) -> Result:
        """Read, check and commit one Instance."""
        header: Header | None = None
        try:
            # A small file is read in less time than it takes to hand it to another thread and wait for its turn there.
            staged, new = self._read(upload) if upload.small else await asyncio.to_thread(self._read, upload)
            header = new.header
            path = identify(header, self._study_instance_uid)
            stored = await self._archive.index.identify(path.sop_instance_uid or "")
            if stored is not None and stored.path == path and stored.dataset_digest == new.dataset_digest:
                staged.discard()
                added = Added(Outcome.SAME)
            else:
                prepared = (
                    self._archive.index.prepare(new)
                    if upload.small
                    else await asyncio.to_thread(self._prepare_large, staged, new)
                )
                added = await self._archive.commits.commit(Ready(staged, prepared))
            return self._stored(path, header, added, coerced)
        except Exception as error:
            upload.discard()
            return self._failed(error, {} if header is None else header.attributes)

    def _read(self, upload: Upload) -> tuple[Staged, NewInstance]:
        settings = self._archive.settings
        staged = upload.finish()
        header = part10.read(
            staged,
            bulkdata_threshold=settings.bulkdata_threshold,
            max_header_bytes=settings.max_header_bytes,
            max_inflated_bytes=settings.max_inflated_bytes,
            max_sequence_depth=settings.max_sequence_depth,
            default_character_set=settings.default_character_set,
        )
        digests = upload.digests(header.dataset_offset)
        return staged, NewInstance(staged.key, staged.size, digests.prefix, digests.dataset, header, time.time())

    def _prepare_large(self, staged: Staged, new: NewInstance) -> object:
        prepared = self._archive.index.prepare(new)
        staged.flush()  # so that nobody waits for it in a group commit
        return prepared

    def _stored(self, path: ResourcePath, header: Header, added: Added, coerced: Coercion | None) -> Result:
        sop_class_uid = text(header, "00080016")
        if added.outcome is Outcome.DUPLICATE:
            return self._failed(duplicate(path, added), header.attributes)
        STORED.labels(added.outcome.value).inc()
        if added.outcome is Outcome.KEPT:
            return Stored(path, sop_class_uid, COERCED, ("Another data set is stored under this UID and was kept.",))
        comments = tuple(header.warnings)
        if header.pixel_data is not None and header.pixel_data.problem:
            comments += (header.pixel_data.problem,)
        if coerced is not None:
            comments += coerced.warnings
            if coerced.original:
                return Stored(path, sop_class_uid, COERCED, (coerced.sentence, *comments), coerced.item)
        return Stored(path, sop_class_uid, DOES_NOT_MATCH if comments else None, comments)

    def _failed(self, error: Exception, attributes: Attributes) -> Failed:
        reason = codes(error).store
        FAILED.labels(f"0x{reason:04X}").inc()
        self._failures += 1
        logged = self._failures <= _LOGGED_FAILURES
        if not isinstance(error, ArchiveError):
            if logged:
                log.error("instance not stored", request_id=self._request_id, exc_info=error)
            comment = "The server failed to store this Instance; its log has more under the request id."
        else:
            comment = error.message
            if logged:
                log.warning("instance not stored", request_id=self._request_id, reason=f"0x{reason:04X}", why=comment)
        sop_instance_uid = text_of(attributes, "00080018")
        return Failed(
            reason,
            comment,
            text_of(attributes, "00080016"),
            sop_instance_uid if is_uid(sop_instance_uid) else "",
            error.details if isinstance(error, InstanceError) else (),
            full=isinstance(error, StorageFull),
            busy=isinstance(error, Unavailable),
        )


async def _decoded(chunks: AsyncIterator[bytes], decoder: Decoder) -> AsyncIterator[Chunk]:
    async with aclosing(chunks) as coded:  # type: ignore[type-var]
        async for chunk in coded:
            for piece in decoder.feed(chunk):
                yield piece
    decoder.finish()


def identify(header: Header, study_instance_uid: str | None) -> ResourcePath:
    """Return the path of the Instance.

    Raises
    ------
    NotSupported
        The object is of a kind that belongs to no Study.
    MissingIdentifier
        A UID is missing or invalid; `details` are the tags.
    StudyMismatch
        The request names another Study.
    """
    sop_class_uid = text(header, "00080016") or text_of(header.meta, "00020002")
    if sop_class_uid in _NO_STUDY:
        raise NotSupported(f"SOP Class {sop_class_uid} can not be stored here: {_NO_STUDY[sop_class_uid]}.")
    faulty = tuple(tag for tag in _IDENTIFIERS if not is_uid(text(header, tag)))
    if faulty:
        names = ", ".join(_IDENTIFIERS[tag] for tag in faulty)
        raise MissingIdentifier(f"Missing or not a valid UID: {names}.", details=faulty)
    path = ResourcePath(text(header, "0020000D"), text(header, "0020000E"), text(header, "00080018"))
    if study_instance_uid is not None and path.study_instance_uid != study_instance_uid:
        raise StudyMismatch(
            f"The Instance belongs to Study {path.study_instance_uid}, the request names Study {study_instance_uid}.",
            details=("0020000D",),
        )
    return path


def duplicate(path: ResourcePath, added: Added) -> DuplicateInstance:
    """Say where the SOP Instance UID is taken."""
    if added.stored_path is not None and added.stored_path != path:
        return DuplicateInstance(
            f"This SOP Instance UID is stored at /{added.stored_path} already.", details=("00080018",)
        )
    return DuplicateInstance("A different data set is stored under this SOP Instance UID.", details=("00080018",))


def text(header: Header, tag: str) -> str:
    """Return the first value of an attribute as text, "" without."""
    return text_of(header.attributes, tag)


def text_of(attributes: Attributes, tag: str) -> str:
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if values and values[0] is not None else ""


def encode(data: Attributes, choice: accept.Choice) -> tuple[str, bytes]:
    """Encode the response data set: one JSON object (not an array) or one Native DICOM Model."""
    if choice.offer.media_type != DICOM_XML:
        return choice.content_type, orjson.dumps(data)
    document = native_xml.to_xml(data)
    if not choice.multipart:
        return DICOM_XML, document
    boundary = multipart_writer.new_boundary()
    head = multipart_writer.part_header(boundary, DICOM_XML, length=len(document), first=True)
    return multipart_writer.content_type(DICOM_XML, boundary), head + document + multipart_writer.closing(boundary)


TRANSACTIONS = tuple(
    Transaction(
        name=name,
        section="10.5",
        method="POST",
        template=template,
        scope="store",
        statuses=frozenset({200, 202, 400, 406, 409, 411, 413, 415}),
        media_types=TAKEN,
        handler=store,
    )
    for name, template in (("Store Instances", "/studies"), ("Store Study Instances", "/studies/{study}"))
)

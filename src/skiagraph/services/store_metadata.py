"""Metadata and bulk data of one Store request, to PS3.10 files — PS3.18 §10.5.1.4, §10.5.2.

The parts are written one behind the other into one file of the staging area as they arrive. When all are there, each
data set of the metadata becomes the pieces of a PS3.10 file, its bulk data spans of that file: they are found by
Content-Location or Content-ID. What is missing and can be supplied is: UIDs, empty attributes of type 2, what
compressed pixels say of themselves, and what the SOP Class asks of all that is made of such media.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import orjson

from skiagraph.blobs.base import BlobStore, Chunk, Staged
from skiagraph.errors import (
    ArchiveError,
    BadRequest,
    CannotUnderstand,
    OutOfResources,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from skiagraph.services import store_documents, store_pixels, store_text
from skiagraph.services.coercion import Changes
from skiagraph.settings import Settings
from skiagraph.standard import made_objects, native_xml, part10_writer
from skiagraph.standard.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON
from skiagraph.standard.part10_writer import Bulk, Piece, Span
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import Attributes
from skiagraph.wire import media_type
from skiagraph.wire.content_coding import Decoder, content_decoder, transfer_decoder
from skiagraph.wire.media_type import MediaType

METADATA: Final = frozenset({DICOM_JSON, DICOM_XML})
"""Media types of metadata."""

MOST_DATA_SETS: Final = 10_000
"""Data sets in one part with metadata: each costs a file."""
_MOST_OBJECTS: Final = 2_000_000
"""JSON objects in one part: a few bytes of text become many times as much memory."""
MOST_METADATA: Final = 64 * 2**20
"""Most bytes of one part with metadata: a parsed document takes about ten times that."""

_GENERIC: Final = frozenset({"", JSON, "application/xml", "text/xml"})
"""Types that metadata also come under; with a Content-Location such a part is bulk data."""

_SPOOL: Final = 2**20

# What the files of one request may take: one part may serve many instances, but a small request must not fill a disk
_REUSE: Final = 64
_MOST_REUSED: Final = 2**30
_LEAST: Final = 4096  # each use counts as so much at least

_STUDY, _SERIES, _INSTANCE, _CLASS = "0020000D", "0020000E", "00080018", "00080016"
_MODALITY, _INSTANCE_NUMBER, _FRAME_OF_REFERENCE = "00080060", "00200013", "00200052"


@dataclass(slots=True)
class Part:
    """The body of one part in the staging area; a `standard.header.Source`."""

    staged: Staged
    offset: int
    media_type: MediaType | None
    metadata: bool
    decoders: Sequence[Decoder] = ()
    size: int = 0
    problem: ArchiveError | None = None
    """Why the body could not be taken; who refers to it fails."""

    def read_at(self, offset: int, length: int) -> bytes:
        return self.staged.read_at(self.offset + offset, max(0, min(length, self.size - offset)))

    @property
    def span(self) -> Span:
        return Span(self.staged, self.offset, self.size)


@dataclass(frozen=True, slots=True)
class Assembled:
    """One data set of the metadata: the pieces of its file, or why there are none."""

    attributes: Attributes
    """Of one that failed no more than its UIDs; empty where the metadata could not be read."""
    write: Callable[[str], Iterator[Piece]] | None = None
    """Makes the pieces of the file, told when the attributes were changed that `original` has."""
    original: Attributes = field(default_factory=dict)
    """Values that were supplied and are not kept."""
    warnings: tuple[str, ...] = ()
    error: Exception | None = None


@dataclass(slots=True)
class _Supplied:
    """UIDs given out in this request: what comes together without them belongs together."""

    study_instance_uid: str | None
    series: dict[tuple[str, str], str] = field(default_factory=dict)
    """By Study and Modality."""
    instances: Counter[str] = field(default_factory=Counter)
    """How many there were of each Series."""


class Gathering:
    """Takes the parts of one request, then gives its Instances. Blocks; not thread-safe.

    1. `begin`, `write`, `end` for every part.
    2. `assemble` once; what it yields reads the staging area.
    3. `discard` at the end, whatever happened.
    """

    def __init__(self, blobs: BlobStore, settings: Settings) -> None:
        self._settings = settings
        self._staged = blobs.stage()
        self._waiting: list[Chunk] = []
        self._waiting_bytes = 0
        self._written = 0
        self._documents: list[Part] = []
        self._given: dict[str, list[Part]] = {}
        self._decoded: dict[str, list[Part]] = {}
        self._part: Part | None = None
        self._files = 0
        self._left = 0

    def discard(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._staged.discard()

    # Parts as they arrive

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin a part."""
        kind = media_type.parse(headers.get("content-type", ""))
        name = "" if kind is None else kind.name
        location = headers.get("content-location", "").strip()
        identifier = headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")
        metadata = name in METADATA or (name in _GENERIC and not self._documents and not (location or identifier))
        part = Part(self._staged, self._written, kind, metadata)
        if name == DICOM and not (location or identifier):
            self._files += 1
        try:
            decoders = (
                transfer_decoder(headers.get("content-transfer-encoding", "")),
                content_decoder(headers.get("content-encoding", ""), self._settings.max_inflated_bytes),
            )
            part.decoders = [decoder for decoder in decoders if decoder is not None]
        except UnsupportedMediaType as error:
            part.problem = error
        self._part = part
        if metadata:
            self._documents.append(part)
        for reference in filter(None, (location, identifier and f"cid:{identifier}")):
            self._given.setdefault(reference, []).append(part)
            self._decoded.setdefault(unquote(reference), []).append(part)

    @property
    def coded(self) -> bool:
        """Whether the body has a coding to undo: `write` then takes its time, and spools by itself."""
        return self._part is not None and bool(self._part.decoders)

    def write(self, data: Chunk) -> bool:
        """Take some of the body, which must not change afterwards. Whether it is time for `spool`."""
        part = self._part
        if part is None or part.problem is not None:
            return False
        if not part.decoders:
            self._take(part, data)
        else:
            try:
                self._decode(part, part.decoders, data)
            except (BadRequest, PayloadTooLarge) as error:
                part.problem = error
        return self._waiting_bytes >= _SPOOL

    def _decode(self, part: Part, decoders: Sequence[Decoder], data: Chunk) -> None:
        if not decoders:
            self._take(part, data)
            if self._waiting_bytes >= _SPOOL:
                self.spool()  # a bomb is written as it unfolds
            return
        for piece in decoders[0].feed(data):
            self._decode(part, decoders[1:], piece)

    def _take(self, part: Part, data: Chunk) -> None:
        size = len(data)
        if part.metadata and part.size + size > MOST_METADATA:
            part.problem = PayloadTooLarge(f"A part with metadata has more than {MOST_METADATA} bytes.")
            return
        self._waiting.append(data)
        self._waiting_bytes += size
        self._written += size
        part.size += size

    def end(self) -> None:
        """End a part."""
        part, self._part = self._part, None
        if part is not None and part.problem is None:
            try:
                for decoder in part.decoders:
                    decoder.finish()
            except BadRequest as error:
                part.problem = error

    def spool(self) -> None:
        """Write what waits. Raises StorageFull."""
        chunks, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if chunks:
            self._staged.write(chunks)

    # Instances when all is there

    def assemble(self, study_instance_uid: str | None) -> Iterator[Assembled]:
        """Yield each data set as a file, in the order of the metadata.

        Parameters
        ----------
        study_instance_uid
            Of the resource; supplied where a data set has none.

        Raises
        ------
        BadRequest
            There is no metadata, or none that can be read.
        """
        self.spool()
        self._left = _MOST_REUSED + _REUSE * self._written
        if not self._documents:
            raise BadRequest(
                "The payload has no metadata: the first part has to be application/dicom+json or application/dicom+xml."
            )
        supplied = _Supplied(study_instance_uid)
        readable = False
        failures: list[ArchiveError] = []
        for document in self._documents:
            try:
                data_sets = self._read(document)
            except ArchiveError as error:
                failures.append(error)
                if readable:
                    yield Assembled({}, error=error)
                continue
            if not readable:
                yield from (Assembled({}, error=error) for error in failures)
            readable = True
            for attributes in data_sets:
                yield self._assemble(attributes, supplied)
        for _ in range(self._files):
            yield Assembled({}, error=UnsupportedMediaType("A PS3.10 file can not come together with metadata."))
        if not readable:
            first = failures[0]
            raise first if isinstance(first, PayloadTooLarge) else BadRequest(first.message, details=first.details)

    def _read(self, document: Part) -> list[Any]:
        if document.problem is not None:
            raise document.problem
        data = document.read_at(0, document.size)
        name = "" if document.media_type is None else document.media_type.name
        if name in (DICOM_XML, "application/xml", "text/xml") or (not name and data.lstrip().startswith(b"<")):
            depth = self._settings.max_sequence_depth
            return [native_xml.from_xml(data, max_bytes=MOST_METADATA, max_depth=depth)]
        if data.count(b"{") > _MOST_OBJECTS:
            raise PayloadTooLarge(f"A part with metadata has more than {_MOST_OBJECTS} JSON objects.")
        try:
            parsed = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            # The text of the parser may quote the document; its position does not
            raise CannotUnderstand(
                f"The metadata are no JSON: see line {error.lineno}, column {error.colno}."
            ) from None
        if not isinstance(parsed, list):
            parsed = [parsed]
        if not parsed or not all(isinstance(each, dict) for each in parsed):
            raise CannotUnderstand("The metadata are no DICOM JSON Model: an array of objects is expected.")
        if len(parsed) > MOST_DATA_SETS:
            raise PayloadTooLarge(f"A part with metadata has more than {MOST_DATA_SETS} data sets.")
        return parsed

    def _assemble(self, given: Attributes, supplied: _Supplied) -> Assembled:
        attributes = given
        try:
            attributes = part10_writer.normalised(given)
            changes = Changes(attributes)
            _supply_uids(attributes, supplied)
            warnings = self._document(changes)
            image = self._image(changes, _hint(given))
            warnings += image.warnings if image else ()
            _supply_modules(changes, image is not None, supplied)
            encoded = self._encode(changes, image)
        except Exception as error:
            named = {tag: {"vr": "UI", "Value": [_text(attributes, tag)]} for tag in (_CLASS, _INSTANCE)}
            return Assembled(named, error=error)
        return Assembled(attributes, encoded, changes.original, warnings)

    def _encode(self, changes: Changes, image: store_pixels.Image | None) -> Callable[[str], Iterator[Piece]]:
        """Encode a data set. With changes the time of which is not known yet, only try it."""

        def write(modified: str) -> Iterator[Piece]:
            return part10_writer.write(
                changes.recorded(modified),
                lambda tag, element, depth: (
                    image.bulk if image and tag == store_pixels.PIXEL_DATA and not depth else self._bulk(tag, element)
                ),
                transfer_syntax_uid=image.transfer_syntax_uid if image else EXPLICIT_VR_LITTLE_ENDIAN,
                max_sequence_depth=self._settings.max_sequence_depth,
            )

        if changes:
            return write
        pieces = write("")
        return lambda _: pieces

    def _find(self, tag: str, uri: Any) -> list[Part]:
        """Return the parts of a BulkDataURI in their order. Raises CannotUnderstand when there is none."""
        parts: list[Part] = []
        if isinstance(uri, str):
            parts = self._given.get(uri) or self._decoded.get(unquote(uri)) or []
            if not parts:
                while frame := self._given.get(f"{uri}/frames/{len(parts) + 1}"):
                    parts.append(frame[0])
        if not parts:
            raise CannotUnderstand(
                f"({tag[:4]},{tag[4:]}) refers to bulk data that the request does not have: a part with its"
                " BulkDataURI as Content-Location is expected.",
                details=(tag,),
            )
        self._use(sum(part.size for part in parts) + len(parts) * _LEAST)
        for part in parts:
            if part.problem is not None:
                raise CannotUnderstand(
                    f"The bulk data of ({tag[:4]},{tag[4:]}) can not be taken: {part.problem.message}", details=(tag,)
                )
        return parts

    def _find_one(self, tag: str, uri: Any) -> Part:
        """Return the part of a value that can not be several: frames alone can."""
        first, *others = self._find(tag, uri)
        if any(not _same(first, other) for other in others):
            raise CannotUnderstand(
                f"({tag[:4]},{tag[4:]}) refers to bulk data that the request has {len(others) + 1} times, and not the"
                " same: parts with one Content-Location are frames of Pixel Data.",
                details=(tag,),
            )
        return first

    def _use(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise OutOfResources("The files that the metadata ask for are far larger than the request.")

    def _bulk(self, tag: str, element: Mapping[str, Any]) -> Bulk:
        return Bulk((self._find_one(tag, element.get("BulkDataURI")).span,))

    def _image(self, changes: Changes, hint: str) -> store_pixels.Image | None:
        element = changes.attributes.get(store_pixels.PIXEL_DATA)
        if not isinstance(element, dict) or element.get("BulkDataURI") is None:
            return None
        parts = self._find(store_pixels.PIXEL_DATA, element["BulkDataURI"])
        return store_pixels.image(changes, parts, hint, keep=self._keep, max_frame_bytes=self._settings.max_frame_bytes)

    def _keep(self, data: bytes) -> Span:
        span = Span(self._staged, self._staged.size, len(data))
        self._use(len(data))
        self._staged.write([data])
        return span

    def _document(self, changes: Changes) -> tuple[str, ...]:
        element = changes.attributes.get(store_documents.DOCUMENT)
        if not isinstance(element, dict) or element.get("BulkDataURI") is None:
            return store_documents.inline(changes)
        part = self._find_one(store_documents.DOCUMENT, element["BulkDataURI"])
        if store_text.is_text(changes, part):
            store_text.describe(changes, part)
            return ()
        return store_documents.describe(changes, part)


def _same(one: Part, other: Part) -> bool:
    return one.size == other.size and all(
        one.read_at(at, _SPOOL) == other.read_at(at, _SPOOL) for at in range(0, one.size, _SPOOL)
    )


def _supply_uids(attributes: Attributes, supplied: _Supplied) -> None:
    study = _text(attributes, _STUDY)
    if not study:
        study = supplied.study_instance_uid = supplied.study_instance_uid or _new_uid()
        attributes[_STUDY] = {"vr": "UI", "Value": [study]}
    if not _text(attributes, _INSTANCE):
        attributes[_INSTANCE] = {"vr": "UI", "Value": [_new_uid()]}


def _supply_modules(changes: Changes, image: bool, supplied: _Supplied) -> None:
    """Supply SOP Class, Series and Instance Number, and what PS3.3 asks of objects of this SOP Class."""
    attributes = changes.attributes
    if image and not _text(attributes, _CLASS):
        attributes[_CLASS] = {"vr": "UI", "Value": [store_pixels.sop_class(attributes)]}
    sop_class_uid = _text(attributes, _CLASS)
    made_objects.supply(attributes, sop_class_uid)
    if not _text(attributes, _SERIES):
        key = _text(attributes, _STUDY), _text(attributes, _MODALITY)  # a Series has one Modality
        attributes[_SERIES] = {"vr": "UI", "Value": [supplied.series.setdefault(key, _new_uid())]}
    series = _text(attributes, _SERIES)
    supplied.instances[series] += 1
    if sop_class_uid in made_objects.MADE:
        changes.supply(_INSTANCE_NUMBER, "IS", supplied.instances[series])
        if image:
            store_pixels.number_pages(changes)
    if sop_class_uid in made_objects.FRAME_OF_REFERENCE:
        # Out of the SOP Instance UID, so that the same metadata sent again make the same data set
        derived = uuid.uuid5(uuid.NAMESPACE_OID, _text(attributes, _INSTANCE))
        changes.supply(_FRAME_OF_REFERENCE, "UI", f"2.25.{derived.int}")


def _hint(given: Attributes) -> str:
    """Return the Transfer Syntax UID that the metadata claims; group 0002 says nothing else."""
    return _text(given, "00020010")


def _new_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def _text(attributes: Attributes, tag: str) -> str:
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""

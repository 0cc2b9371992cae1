"""Multi-frame images and stored videos as video/mp4: a film that a browser plays and seeks in — PS3.18 Table 8.7.4-1.

A stored H.264 video in MP4 goes out as it is, its index in front; in another container its coded pictures are put into
MP4. Everything else is encoded, frame by frame as the request wants it, into a file of the scratch folder, which serves
all who ask for the same: byte ranges of it cost no more than reading them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from skiagraph.blobs.base import Draft, Opened
from skiagraph.errors import BadRequest, CannotUnderstand, PayloadTooLarge
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import picture, rendition, video_encode, viewport
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.pixels.video_color import rgb, tags
from skiagraph.pixels.video_decode import VideoReader
from skiagraph.pixels.video_encode import VideoCopy, VideoWriter
from skiagraph.services import pictures, plain, representation, videos
from skiagraph.services.archive import Archive
from skiagraph.services.pictures import Description, Kind
from skiagraph.services.representation import Representation, Version
from skiagraph.standard import mp4
from skiagraph.standard.header import Source
from skiagraph.values import ByteRange
from skiagraph.wire.message import Chunk, Request, Response

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_CHUNK = 2**20
_AGAIN = 0.1  # seconds until another process is looked for that makes the same
_PLAYED = frozenset({66, 77, 100})  # profile_idc of Baseline, Main, High Profile
_LONGEST, _SHORTEST = 10_000.0, 4.0  # milliseconds of a frame
_QUICKTIME = b"qt  "


def can_be_made(instance: StoredInstance) -> bool:
    """Whether an Instance becomes a film: a stored video, or several frames that are no tiles."""
    kind = pictures.kind(instance)
    if kind is Kind.VIDEO:
        return instance.frames > 0
    return kind is Kind.MULTI_FRAME and not pictures.is_slide(instance)


@dataclass(frozen=True, slots=True)
class Film:
    """An MP4 file that is there."""

    pieces: tuple[bytes | ByteRange, ...]
    """Bytes, and ranges of where it is kept."""
    read: Callable[[ByteRange], AsyncIterator[Chunk]]

    @property
    def length(self) -> int:
        return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in self.pieces)

    async def stream(self, part: ByteRange | None) -> AsyncIterator[Chunk]:
        """All of it, or a range."""
        part = part or ByteRange(0, self.length)
        at = 0
        for piece in self.pieces:
            size = len(piece) if isinstance(piece, bytes) else piece.length
            start, end = max(part.offset - at, 0), min(part.end - at, size)
            at += size
            if start >= end:
                continue
            if isinstance(piece, bytes):
                yield piece[start:end]
                continue
            chunks = self.read(ByteRange(piece.offset + start, end - start))
            try:
                async for chunk in chunks:
                    yield chunk
            finally:
                await representation.close(chunks)


async def retrieve(
    archive: Archive, request: Request, instance: StoredInstance, wanted: Rendition, version: Version
) -> Response:
    """Answer with the film of an Instance.

    Raises
    ------
    BadPixels
        A frame can not be decoded, or there is none.
    BadRequest, PayloadTooLarge
        It would be too large.
    """
    location = representation.url(request, instance.path)
    if request.method == "HEAD":
        found = await _there(archive, instance, wanted)
        length = None if found is None else found.length
        return await representation.single(request, Representation(picture.MP4, location, length, _never), version)
    found = await find(archive, instance, wanted)
    return await representation.single(request, represent(found, location), version)


async def _never(part: ByteRange | None) -> AsyncIterator[Chunk]:
    yield b""


def represent(film: Film, location: str) -> Representation:
    """A film as a part."""
    return Representation(picture.MP4, location, film.length, film.stream)


async def find(archive: Archive, instance: StoredInstance, wanted: Rendition) -> Film:
    """The film of an Instance, made if it is not there. Raises as `retrieve`."""
    found = await _there(archive, instance, wanted)
    if found is not None:
        return found
    name = _name(instance, wanted)
    return await archive.workers.once(name, lambda: _made(archive, instance, wanted, name))


def _name(instance: StoredInstance, wanted: Rendition) -> str:
    text = f"{pictures.VERSION}|{representation.digest(instance)}|{sorted(wanted.annotation, key=str)}|" + str(
        replace(wanted, annotation=frozenset())
    )
    return f"{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}.mp4"


async def _there(archive: Archive, instance: StoredInstance, wanted: Rendition) -> Film | None:
    """The film where it need not be made."""
    if pictures.kind(instance) is Kind.VIDEO:
        description = await pictures.describe(archive, instance)
        if wanted.quality is None and rendition.is_bare(description.attributes, wanted):
            film = await _stored(archive, instance)
            if film is not None:
                return film
    opened = await asyncio.to_thread(archive.scratch.open, _name(instance, wanted))
    return None if opened is None else await asyncio.to_thread(_kept, opened)


def _kept(opened: Opened) -> Film:
    async def read(span: ByteRange) -> AsyncIterator[Chunk]:
        for at in range(span.offset, span.end, _CHUNK):
            yield await asyncio.to_thread(opened.read_at, at, min(_CHUNK, span.end - at))

    return Film(tuple(mp4.in_front(mp4.read(opened), opened.size)), read)


async def _stored(archive: Archive, instance: StoredInstance) -> Film | None:
    """The stored stream, where it is an MP4 file that browsers play."""
    value = await videos.stream(archive, instance)
    key = "film as stored", representation.digest(instance)

    async def look() -> tuple[bytes | ByteRange, ...]:
        return await asyncio.to_thread(_look, archive, instance, value)

    pieces = await archive.workers.once(key, look, _size)
    if not pieces:
        return None
    return Film(pieces, lambda span: plain.read(archive, instance, value, span))


def _size(pieces: tuple[bytes | ByteRange, ...]) -> int:
    return sum(len(piece) if isinstance(piece, bytes) else 64 for piece in pieces)


def _look(archive: Archive, instance: StoredInstance, value: plain.Value) -> tuple[bytes | ByteRange, ...]:
    source = videos.StreamSource(archive.blobs.open(instance.key), value.ranges)
    try:
        return tuple(_as_it_is(source))
    finally:
        source.close()


def _as_it_is(source: Source) -> Sequence[bytes | ByteRange]:
    if not mp4.is_mp4(source.read_at(0, 16)):
        return ()
    try:
        movie = mp4.read(source)
    except CannotUnderstand:
        return ()
    track = movie.track
    played = track is not None and track.codec in (b"avc1", b"avc3") and track.profile in _PLAYED
    if not played or movie.brand in (b"", _QUICKTIME):
        return ()
    return mp4.in_front(movie, source.size)


# Making


async def _made(archive: Archive, instance: StoredInstance, wanted: Rendition, name: str) -> Film:
    async with archive.workers.turn("films"):
        while True:
            opened = await asyncio.to_thread(archive.scratch.open, name)
            if opened is not None:
                return await asyncio.to_thread(_kept, opened)
            draft = await asyncio.to_thread(archive.scratch.draft, name)
            if draft is not None:
                break
            await asyncio.sleep(_AGAIN)
        try:
            await _make(archive, instance, wanted, draft)
            kept = await asyncio.to_thread(draft.keep)
        except BaseException:
            draft.discard()
            raise
        return await asyncio.to_thread(_kept, kept)


async def _make(archive: Archive, instance: StoredInstance, wanted: Rendition, draft: Draft) -> None:
    description = await pictures.describe(archive, instance)
    file = cast("IO[bytes]", draft)
    if pictures.kind(instance) is not Kind.VIDEO:
        _check_work(archive, instance.frames, description.image.columns * description.image.rows)
        await _from_frames(archive, instance, description, wanted, file)
        return
    reader = await videos.open_reader(archive, instance)
    try:
        bare = rendition.is_bare(description.attributes, wanted)
        if bare and wanted.quality is None and VideoCopy.fits(reader.video):
            try:
                await _copied(archive, reader.video, file)
                return
            except BadPixels:  # the stream does not tell what a file needs: it is encoded anew
                reader.close()
                reader = await videos.open_reader(archive, instance)
                draft.truncate(0)
        _check_work(archive, instance.frames, reader.video.columns * reader.video.rows)
        await _from_video(archive, instance, description, wanted, reader.video, file, bare=bare)
    finally:
        reader.close()


def _check_work(archive: Archive, frames: int, pixels: int) -> None:
    most = archive.settings.max_video_pixels
    if frames * pixels > most:
        raise PayloadTooLarge(
            f"The video has {frames} frames of {pixels} pixels, more than the {most} pixels in all that this server"
            " encodes for one request (max_video_pixels)."
        )


def _check_size(columns: int, rows: int, wanted: Rendition) -> None:
    problem = video_encode.check_size(columns, rows)
    if problem is not None:
        if wanted.viewport is not None:
            raise BadRequest(problem)
        raise PayloadTooLarge(f"{problem} A 'viewport' says how large the result shall be.")


def _times(description: Description, frames: int) -> list[float]:
    times = pictures.milliseconds(description.attributes, range(1, frames + 1))
    return [min(max(one, _SHORTEST), _LONGEST) for one in times]


async def _from_frames(
    archive: Archive, instance: StoredInstance, description: Description, wanted: Rendition, file: IO[bytes]
) -> None:
    """Encode the frames of an image; the next ones are drawn meanwhile."""
    image = description.image
    fitted = viewport.fit(image.columns, image.rows, wanted.viewport)
    _check_size(fitted.width, fitted.height, wanted)
    times = _times(description, instance.frames)
    rate = video_encode.speed(sum(times) / len(times))
    writer: VideoWriter | None = None
    drawing: deque[asyncio.Task[Any]] = deque()
    begun = 0
    try:
        for number in range(1, instance.frames + 1):
            while begun < instance.frames and len(drawing) <= archive.settings.pixel_threads:
                begun += 1
                drawing.append(asyncio.ensure_future(pictures.drawn(archive, instance, description, begun, wanted)))
            try:
                shown, _ = await drawing.popleft()
            except BadPixels as error:
                raise BadPixels(f"Frame {number}: {error.message}", details=error.details) from error
            if writer is None:
                rows, columns = shown.shape[:2]
                writer = await archive.workers.to_the_end(
                    lambda: VideoWriter(file, columns, rows, rate=rate, quality=wanted.quality)  # noqa: B023
                )
            await archive.workers.to_the_end(writer.add, shown, times[number - 1])
        assert writer is not None, "there is a frame"
        await archive.workers.to_the_end(writer.finish)
    finally:
        for task in drawing:
            task.cancel()
        await asyncio.gather(*drawing, return_exceptions=True)


async def _copied(archive: Archive, video: VideoReader, file: IO[bytes]) -> None:
    copy = await archive.workers.to_the_end(VideoCopy, video, file)
    try:
        while await archive.workers.to_the_end(copy.step):
            pass
        await archive.workers.to_the_end(copy.finish)
    finally:
        copy.leave()


async def _from_video(
    archive: Archive,
    instance: StoredInstance,
    description: Description,
    wanted: Rendition,
    video: VideoReader,
    file: IO[bytes],
    *,
    bare: bool,
) -> None:
    """Encode the frames of a stored video, step by step; bare ones without a detour through RGB."""
    size = video.rows, video.columns
    fitted = viewport.fit(size[1], size[0], wanted.viewport)
    _check_size(fitted.width, fitted.height, wanted)
    first = await pictures.subject(archive, instance, description, 1, overlays=wanted.overlays)
    making = _Making(video, None if bare else first, wanted, size, file)
    while not await archive.workers.to_the_end(making.step):
        _check_work(archive, making.count, size[0] * size[1])
    await archive.workers.to_the_end(making.finish)


class _Making:
    """A film in the making from a stored video.

    Parameters
    ----------
    first
        What there is to know of its first frame; None: frames are taken as they are.
    size
        Rows and columns of all frames.
    """

    def __init__(
        self, video: VideoReader, first: Subject | None, wanted: Rendition, size: tuple[int, int], file: IO[bytes]
    ) -> None:
        self._video, self._first, self._wanted, self._size, self._file = video, first, wanted, size, file
        self._writer: VideoWriter | None = None
        self._held: tuple[NDArray[np.uint8] | VideoFrame, Fraction | None] | None = None
        self.count = 0

    def step(self) -> bool:
        """Encode one frame, or come nearer to it; return whether that was all."""
        try:
            found = self._video.read()
        except EOFError:
            return True
        if found is None:
            return False
        _, frame = found
        self.count += 1
        time = None if frame.pts is None or frame.time_base is None else frame.pts * Fraction(frame.time_base)
        shown: NDArray[np.uint8] | VideoFrame = frame
        if self._first is not None:
            one = replace(self._first, frame=self.count)
            shown, _ = rendition.drawn_picture(rgb(frame, self._size), one, self._wanted)
        self._write(time)
        self._held = shown, time
        return False

    def _write(self, until: Fraction | None) -> None:
        """Write the frame that is held, which is shown until the next one, or as long as frames are on average."""
        if self._held is None:
            return
        shown, since = self._held
        usual = 1000 / self._video.rate
        duration = usual if until is None or since is None or until <= since else (until - since) * 1000
        if duration > _LONGEST:
            duration = usual
        if self._writer is None:
            rows, columns = self._size if not isinstance(shown, np.ndarray) else shown.shape[:2]
            aspect = self._video.aspect if self._wanted.viewport is None else Fraction(1)
            options: dict[str, Any] = {"rate": self._video.rate, "quality": self._wanted.quality, "aspect": aspect}
            if not isinstance(shown, np.ndarray):
                options["tags"] = tags(shown)
            self._writer = VideoWriter(self._file, columns, rows, **options)
        if isinstance(shown, np.ndarray):
            self._writer.add(shown, duration)
        else:
            self._writer.add_frame(shown, duration)

    def finish(self) -> None:
        """Write what is left. Raises BadPixels where there was no frame at all."""
        self._write(None)
        if self._writer is None:
            raise BadPixels("No frame of the video can be decoded.")
        self._writer.finish()

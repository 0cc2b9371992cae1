"""Stored videos: one stream for all frames (PS3.5 Annex A.4.5 to A.4.10), read as a whole or frame by frame.

Decoding goes step by step in the worker threads, so that a long way to a frame holds nobody up, and ends when nobody
waits for it any more.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from skiagraph.blobs.base import Opened
from skiagraph.errors import PayloadTooLarge
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import rendition
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.pixels.video_color import rgb
from skiagraph.pixels.video_decode import VideoReader
from skiagraph.services import plain, representation
from skiagraph.services.archive import Archive
from skiagraph.values import ByteRange


class VideoEnds(BadPixels):
    """The video has fewer frames than its data set says."""


class StreamSource:
    """A value of several ranges of a blob as one `standard.header.Source`."""

    def __init__(self, opened: Opened, ranges: tuple[ByteRange, ...]) -> None:
        self._opened = opened
        self._ranges = ranges
        self._ends = list(accumulate(span.length for span in ranges))
        self.size = self._ends[-1] if self._ends else 0

    def read_at(self, offset: int, length: int) -> bytes:
        pieces = []
        place = bisect_right(self._ends, offset)
        while length > 0 and place < len(self._ranges):
            span = self._ranges[place]
            within = offset - (self._ends[place] - span.length)
            piece = self._opened.read_at(span.offset + within, min(length, span.length - within))
            if not piece:
                raise representation.Damaged("The stored bytes of a video end too early.")
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
            place = bisect_right(self._ends, offset)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Let go of the blob."""
        self._opened.close()


class StoredReader:
    """A `VideoReader` of a stored stream. Raises as it."""

    def __init__(self, source: StreamSource) -> None:
        self._source = source
        try:
            self.video = VideoReader(source)
        except BaseException:
            source.close()
            raise

    @property
    def next_number(self) -> int:
        return self.video.next_number

    def close(self) -> None:
        """Let go of the decoder and the blob."""
        self.video.close()
        self._source.close()


async def stream(archive: Archive, instance: StoredInstance) -> plain.Value:
    """The whole stream of a stored video. Raises BadPixels where there is none."""
    if not instance.frames:
        raise BadPixels("The Instance has no video stream.")
    (value,) = await plain.without_items(archive, instance, await archive.index.frame_spans(instance, [1]))
    return value


async def source(archive: Archive, instance: StoredInstance) -> StreamSource:
    """The stream, opened for reading in a worker thread."""
    value = await stream(archive, instance)
    return StreamSource(await asyncio.to_thread(archive.blobs.open, instance.key), value.ranges)


async def open_reader(archive: Archive, instance: StoredInstance) -> StoredReader:
    """The stream, opened for decoding; to be closed. Raises BadPixels."""
    found = await source(archive, instance)
    try:
        return await archive.workers.to_the_end(StoredReader, found)
    except asyncio.CancelledError:
        found.close()
        raise


async def picture(
    archive: Archive, instance: StoredInstance, subject: Subject, wanted: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    """One frame, rendered, and the ICC profile to embed.

    Raises
    ------
    VideoEnds
        The stream ends before the frame.
    BadPixels
        It can not be decoded.
    BadRequest
        The viewport does not fit.
    """
    key, number = representation.digest(instance), subject.frame
    if archive.open_videos.ends_before(key, number):
        raise VideoEnds(_ends(number))
    async with archive.workers.turn("frames of videos"):
        reader = archive.open_videos.take(key, number)
        if not isinstance(reader, StoredReader):
            reader = await open_reader(archive, instance)
        whole = False
        try:
            shown, profile = await _read(archive, reader, subject, wanted)
            whole = True
        except VideoEnds:
            archive.open_videos.ended(key, number)
            raise
        finally:
            if whole:
                archive.open_videos.give(key, reader)
            else:
                reader.close()
    return shown, profile


async def _read(
    archive: Archive, reader: StoredReader, subject: Subject, wanted: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    video, number = reader.video, subject.frame
    if video.index is not None and number > video.index.count:
        raise VideoEnds(_ends(number))
    await archive.workers.to_the_end(video.go_to, number)
    most = archive.settings.max_video_pixels

    def step() -> tuple[NDArray[np.uint8], bytes | None] | None:
        found = video.read()
        if found is None:
            if video.decoded_pixels > most:
                raise PayloadTooLarge(
                    f"Frame {number} lies more than {most} pixels (max_video_pixels) behind the last point that"
                    " decoding can begin at."
                )
            return None
        if found[0] != number:
            raise BadPixels(f"Frame {number} of the video can not be decoded.")
        return rendition.drawn_picture(rgb(found[1]), subject, wanted)

    try:
        while (result := await archive.workers.to_the_end(step)) is None:
            pass
    except EOFError:
        raise VideoEnds(_ends(number)) from None
    return result


def _ends(number: int) -> str:
    return f"The video ends before frame {number}."

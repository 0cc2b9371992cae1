"""Pictures to a video that every browser plays: H.264 High Profile, 4:2:0, in MP4, by PyAV.

The same pictures give the same bytes: one thread, nothing that depends on the processor or the time of day. Colours are
sRGB with the matrix of ITU-R BT.709 in limited range, and the stream says so. Every second begins with a picture that
decoding can begin at; no picture refers to a later one. The index of the file is at its end, and `mp4.in_front` gets it
to the front when the file is sent.
"""

from __future__ import annotations

from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.video_color import colours
from skiagraph.pixels.video_decode import VideoReader

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MOST_PIXELS: Final = 8_912_896
"""Pixels of a picture: level 5.1 of H.264 (Table A-1)."""

LONGEST_SIDE: Final = 8_688
"""Pixels of a side, by the same table: the root of eight times 36,864 macroblocks of 16 × 16."""

_CLOCK: Final = 90_000
"""Ticks of a second."""
_DEFAULT_QUALITY: Final = 90
_BT_709, _SRGB, _LIMITED, _FULL = 1, 13, 1, 2
_BICUBIC, _FULL_CHROMA, _ACCURATE, _EXACT = 4, 0x2000, 0x40000, 0x80000
_PACKETS_AT_ONCE: Final = 500
_PLAYED: Final = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})


class _File:
    """A file for the library to write to, which does not survive all errors of one: they are held back for the caller.

    What is written after the first error goes nowhere.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._position = 0
        self._error: Exception | None = None

    def write(self, data: bytes) -> int:
        if self._error is None:
            try:
                self._file.write(data)
            except Exception as error:
                self._error = error
        self._position += len(data)
        self._end = max(self._end, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._end)[whence]
        if self._error is None:
            self._file.seek(self._position)
        return self._position

    def tell(self) -> int:
        return self._position

    def leave(self) -> None:
        """Let nothing more be written: the library does so when it is done with, whatever came before."""
        self._error = self._error or BadPixels()

    def check(self) -> None:
        """Raise what went wrong."""
        if self._error is not None:
            raise self._error


class VideoWriter:
    """A video in the making. Not thread-safe; its methods block.

    Parameters
    ----------
    file
        Open for writing, with ``seek``; it is not closed.
    columns, rows
        Of the pictures; a side of an odd number of pixels gets its last line twice.
    rate
        Pictures a second, about.
    quality
        1 to 100 (PS3.18 §8.3.5.1.2): a constant rate factor from 50 to 12.
    aspect
        Width of a pixel for a height of 1.
    tags
        Matrix, primaries and transfer function by their numbers of ISO/IEC 23091-2, where pictures are of a video.
    """

    def __init__(
        self,
        file: IO[bytes],
        columns: int,
        rows: int,
        *,
        rate: Fraction,
        quality: int | None = None,
        aspect: Fraction = Fraction(1),
        tags: tuple[int, int, int] = (_BT_709, _BT_709, _SRGB),
    ) -> None:
        import av
        from av.video.stream import VideoStream

        factor = 12 + (100 - (quality or _DEFAULT_QUALITY)) * 0.38
        self.columns, self.rows = columns, rows
        self._width, self._height = columns + columns % 2, rows + rows % 2
        self._file = _File(file)
        options = {"fflags": "+bitexact", "video_track_timescale": str(_CLOCK)}
        self._container = av.open(self._file, "w", format="mp4", options=options, buffer_size=2**16)
        stream = self._container.add_stream(
            "libx264",
            rate=min(max(round(rate), 1), 240),
            options={
                "preset": "veryfast",
                "profile": "high",
                "crf": f"{factor:.2f}",
                "threads": "1",
                "g": str(min(max(round(rate), 1), 250)),
                "bf": "0",
                "x264-params": "cpu-independent=1",
            },
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self._width, self._height, "yuv420p"
        context.time_base = Fraction(1, _CLOCK)
        self._tags = tags
        context.color_range = _LIMITED
        context.colorspace, context.color_primaries, context.color_trc = tags
        if aspect != 1:
            context.sample_aspect_ratio = aspect
        self._at = Fraction(0)
        self._durations: dict[int | None, int] = {}

    def add(self, picture: NDArray[np.uint8], milliseconds: Fraction | float) -> None:
        """Append a picture, (rows, columns) or (rows, columns, 3), that is shown for so long."""
        assert picture.shape[:2] == (self.rows, self.columns), "all pictures have one size"
        self._add(self._gray(picture) if picture.ndim == 2 else self._coloured(picture), milliseconds)

    def add_frame(self, frame: VideoFrame, milliseconds: Fraction | float) -> None:
        """Append a picture of another video as it is, but for size and range; the tags of the writer are its own."""
        space, source_range = colours(frame)
        converted = frame.reformat(
            width=self._width,
            height=self._height,
            format="yuv420p",
            src_colorspace=space,
            src_color_range=source_range,
            dst_colorspace=space,
            dst_color_range=_LIMITED,
            interpolation=_BICUBIC | _ACCURATE | _EXACT,
            threads=1,
        )
        self._add(converted, milliseconds)

    def _add(self, frame: VideoFrame, milliseconds: Fraction | float) -> None:
        end = self._at + Fraction(milliseconds) / 1000
        frame.pts = round(self._at * _CLOCK)
        self._durations[frame.pts] = max(round(end * _CLOCK) - frame.pts, 1)
        frame.time_base = Fraction(1, _CLOCK)
        frame.color_range = _LIMITED
        frame.colorspace, frame.color_primaries, frame.color_trc = self._tags
        self._at = end
        self._write(frame)

    def finish(self) -> None:
        """Write what is left, and the index. Raises, as `add`, what writing to the file raises."""
        self._write(None)
        self._container.close()
        self._file.check()

    def _write(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.pop(packet.pts)  # which the encoder forgets
            self._container.mux(packet)
        self._file.check()

    def _gray(self, picture: NDArray[np.uint8]) -> VideoFrame:
        from av.video.frame import VideoFrame

        planes = np.full((self._height * 3 // 2, self._width), 128, np.uint8)
        planes[: self.rows, : self.columns] = _LUMINANCE[picture]
        planes[self.rows : self._height, : self.columns] = planes[self.rows - 1, : self.columns]
        planes[: self._height, self.columns :] = planes[: self._height, self.columns - 1 : self.columns]
        return VideoFrame.from_ndarray(planes, format="yuv420p")

    def _coloured(self, picture: NDArray[np.uint8]) -> VideoFrame:
        from av.video.frame import VideoFrame

        if (self._height, self._width) != (self.rows, self.columns):
            pad = ((0, self._height - self.rows), (0, self._width - self.columns), (0, 0))
            picture = np.pad(picture, pad, "edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        return frame.reformat(
            format="yuv420p",
            src_color_range=_FULL,
            dst_colorspace=_BT_709,
            dst_color_range=_LIMITED,
            interpolation=_BICUBIC | _FULL_CHROMA | _ACCURATE | _EXACT,
            threads=1,
        )


_LUMINANCE: Final[NDArray[np.uint8]] = np.round(16 + np.arange(256) * (219 / 255)).astype(np.uint8)
"""Limited range (ITU-R BT.709 Table 3) of gray values."""


class VideoCopy:
    """The coded pictures of a stored H.264 stream on their way into an MP4 file, as they are.

    Parameters
    ----------
    reader
        Of the stream; it is not read otherwise meanwhile.
    file
        Open for writing, with ``seek``; it is not closed.
    """

    def __init__(self, reader: VideoReader, file: IO[bytes]) -> None:
        import av

        self._reader = reader
        options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
        self._file = _File(file)
        self._container = av.open(self._file, "w", format="mp4", options=options, buffer_size=2**16)
        self._stream = self._container.add_stream_from_template(reader.stream)
        self._begin: int | None = None

    @staticmethod
    def fits(reader: VideoReader) -> bool:
        """Whether browsers play the coded pictures as they are: H.264 up to High Profile, 8 bits, 4:2:0."""
        context = reader.stream.codec_context
        return reader.codec == "h264" and context.profile in _PLAYED and context.pix_fmt in ("yuv420p", "yuvj420p")

    def step(self) -> bool:
        """Copy some pictures; return whether there are more.

        Raises
        ------
        BadPixels
            The stream does not tell times that a file could be made with, or has no picture to begin with.
        """
        import av

        for _ in range(_PACKETS_AT_ONCE):
            packet = self._reader.next_packet()
            if packet is None:
                return False
            if packet.pts is None or packet.dts is None:
                raise BadPixels("The stream does not tell when its pictures are shown.")
            if self._begin is None and packet.is_keyframe:
                self._begin = packet.pts
            if self._begin is None or packet.pts < self._begin:
                continue  # it refers to a picture that is not there
            packet.pts, packet.dts = packet.pts - self._begin, packet.dts - self._begin
            packet.stream = self._stream
            try:
                self._container.mux(packet)
            except (av.error.FFmpegError, ValueError) as error:
                raise BadPixels("The pictures of the stream are out of order.") from error
            self._file.check()
        return True

    def leave(self) -> None:
        """Write nothing more to the file."""
        self._file.leave()

    def finish(self) -> None:
        """Write the index."""
        if self._begin is None:
            raise BadPixels("There is no picture in the stream that decoding can begin at.")
        self._container.close()
        self._file.check()


def check_size(columns: int, rows: int) -> str | None:
    """Why pictures of this size do not become a video, in a sentence; None when they do."""
    if columns * rows <= MOST_PIXELS and max(columns, rows) <= LONGEST_SIDE:
        return None
    return (
        f"A video of {columns} × {rows} pixels is more than H.264 holds at level 5.1: {MOST_PIXELS} pixels, a side of"
        f" {LONGEST_SIDE}."
    )


def speed(milliseconds: Any) -> Fraction:
    """Pictures a second, about, for a time from one to the next."""
    return Fraction(1000) / Fraction(milliseconds).limit_denominator(100_000)

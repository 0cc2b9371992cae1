"""Stored videos to pictures, by PyAV: MPEG-2, H.264 and H.265 in MP4, transport, program or elementary streams.

PS3.5 §8.2.5 to §8.2.11. The library is told what to expect: the container is recognized here, no others than these
codecs are opened, pictures are no larger than the Transfer Syntaxes allow, nothing runs in threads of its own. An MP4
file is read with its picture track alone, whose tables were looked at before.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from skiagraph.errors import CannotUnderstand
from skiagraph.pixels import video_index
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.video_index import FrameIndex
from skiagraph.standard import mp4
from skiagraph.standard.header import Source
from skiagraph.standard.mp4 import Movie

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MOST_PIXELS: Final = 8_912_896
"""Pixels of the largest picture of level 5.1 (H.264 Table A-1, H.265 Table A.8), the highest of all syntaxes."""

STEP_PIXELS: Final = 2**24
"""Pixels that are decoded in one piece of work: eight frames of 1920 × 1080."""

_CODECS: Final = "mpeg1video,mpeg2video,h264,hevc"
_OPTIONS: Final = {
    "codec_whitelist": _CODECS,
    "max_streams": "64",
    "ignore_editlist": "1",
    "enable_drefs": "0",
    "probesize": str(2**22),
    "analyzeduration": "3000000",
}
_STREAMS_TOLD: Final = frozenset({"mp4", "mpegts", "mpegvideo", "h264", "hevc"})
_PACKETS_AT_ONCE: Final = 64
_PACKET: Final = 188
_NEAR: Final = 64  # frames that are decoded rather than sought over
_TIMED: Final = frozenset({"mpegts", "mpeg"})
_MARGINS: Final = (1, 4, 16)  # seconds before the frame that is sought, until one is found from which it is decoded
_MOST_FAULTS: Final = 100
_MOST_READ: Final = 128 * 2**20  # bytes in which there has to be a coded picture


class _File(io.RawIOBase):
    """A source as a file, with some of its bytes replaced."""

    def __init__(self, source: Source, other: bytes = b"", at: int = 0) -> None:
        self._source = source
        self._other, self._at = other, at
        self._position = 0
        self.left = _MOST_READ
        """Bytes that are given before the file is said to end; who gets something out of it sets it anew."""
        self.error: Exception | None = None
        """What reading raised: to be raised by who called the library, which is told that the file ends."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, self._source.size)[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else self._source.size, self._source.size - self._position)
        if size <= 0 or self.left <= 0 or self.error is not None:
            return b""
        try:
            data = self._source.read_at(self._position, size)
        except Exception as error:
            self.error = error
            return b""
        start, end = max(self._at, self._position), min(self._at + len(self._other), self._position + len(data))
        if start < end:
            own = self._other[start - self._at : end - self._at]
            data = data[: start - self._position] + own + data[end - self._position :]
        self._position += len(data)
        self.left -= len(data)
        return data

    def check(self) -> None:
        """Raise what reading raised."""
        if self.error is not None:
            raise self.error


def container_of(head: bytes) -> str:
    """The library's name of the container that begins with these bytes.

    Raises
    ------
    BadPixels
        It is none in which PS3.5 has videos.
    """
    if mp4.is_mp4(head):
        return "mp4"
    if head[:1] == b"\x47" and head[_PACKET : _PACKET + 1] in (b"\x47", b""):
        return "mpegts"
    if head[4:5] == b"\x47" and head[4 + 192 : 5 + 192] == b"\x47":  # with a time stamp before each packet, as BDAV
        return "mpegts"
    if head.startswith(b"\0\0\1\xba"):
        return "mpeg"
    if head.startswith(b"\0\0\1\xb3"):
        return "mpegvideo"
    begin = head[:5].find(b"\0\0\1")
    if begin in (0, 1) and len(head) > begin + 3:
        kind = head[begin + 3]
        # Access unit delimiters, parameter sets and what goes before them: NAL types 32 to 39 or 6 to 9
        if kind & 1 == 0 and kind >> 1 in (32, 33, 35, 39):
            return "hevc"
        if kind == 6 or (kind & 0x80 == 0 and kind & 0x1F in (7, 9)):
            return "h264"
    raise BadPixels("The pixel data is none of the videos that PS3.5 has: MP4, MPEG-2 and H.264 or H.265 streams.")


class VideoReader:
    """A stored video, opened to read its frames. Not thread-safe; its methods block, and do little at a time.

    Parameters
    ----------
    source
        The whole stream.

    Raises
    ------
    BadPixels
        There are no pictures in it, or none that can be decoded; they are too large; its tables are damaged.
    """

    def __init__(self, source: Source) -> None:
        head = source.read_at(0, 400)
        self.container = container_of(head)
        self.index: FrameIndex | None = None
        self._file = _File(source)
        if self.container == "mp4":
            self._look_at(source)
        self._opened: InputContainer | None = None
        self._stream: VideoStream
        self._packets: Iterator[Packet[VideoStream]]
        self._frames: deque[tuple[int, VideoFrame]] = deque()
        self._begin: int | None = None
        self._interval: int | None = None
        self._margins: tuple[int, ...] = ()
        self._faults = 0
        self.decoded_pixels = 0
        """Since the last `go_to`."""
        self.next_number = 1
        """Of the frame that `read` returns next."""
        self._found = 0
        self._open()

    def _look_at(self, source: Source) -> None:
        try:
            movie = mp4.read(source)
            if movie.fragmented and mp4.count_fragmented(source) > mp4.MOST_SAMPLES:
                raise BadPixels(f"The video has more than {mp4.MOST_SAMPLES} frames by its tables.")
        except CannotUnderstand as error:
            raise BadPixels(error.message) from error
        if movie.track is None:
            raise BadPixels("The video file has no track of pictures.")
        self._file = _File(source, mp4.pictures_alone(movie), movie.moov.offset)
        self.movie: Movie = movie
        if not movie.fragmented:
            self.index = video_index.of_track(movie.track)
            if not self.index.count:
                raise BadPixels("The video has no frames by its tables.")

    # Opening

    def _open(self) -> None:
        import av

        self.close()
        self._file.seek(0)
        self._file.left = _MOST_READ
        options = dict(_OPTIONS)
        if self.container == "mpeg":
            options["codec_whitelist"] = "mpeg1video,mpeg2video"
        picture = {"max_pixels": str(MOST_PIXELS), "threads": "1"}
        try:
            self._opened = av.open(
                self._file,
                "r",
                format=self.container,
                container_options=options,
                # Where streams come as they please no limit can be set so early; then no picture is decoded either
                stream_options=cast("Any", [picture] * 64 if self.container in _STREAMS_TOLD else None),
                buffer_size=2**16,
            )
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            self._file.check()
            raise BadPixels(f"The video can not be read: {type(error).__name__}.") from error
        streams = [stream for stream in self._opened.streams.video if stream.codec_context is not None]
        if not streams:
            self.close()
            raise BadPixels("There are no pictures in the video, or none that can be decoded.")
        self._stream = streams[0]
        for stream in self._opened.streams:
            if stream.index != self._stream.index:
                stream.discard = av.stream.Discard.all
        context = self._stream.codec_context
        if context.name not in _CODECS.split(","):
            self.close()
            raise BadPixels(f"Videos in {context.name} are not decoded.")
        context.options = dict(picture)
        context.thread_count = 1
        if not 0 < context.width * context.height <= MOST_PIXELS:
            self.close()
            raise BadPixels(
                f"The pictures of the video have no size, or more than the {MOST_PIXELS} pixels of level 5.1."
            )
        self._packets = self._opened.demux(self._stream)
        self._forget(1)

    def _forget(self, number: int) -> None:
        """Begin anew; the next frame that comes has this number, unless it tells its time."""
        self._frames.clear()
        self.next_number = self._found = number
        self._ended = False
        self._faults = 0
        self._clean = number == 1

    def close(self) -> None:
        """Let go of the decoder; harmless a second time."""
        if getattr(self, "_opened", None) is not None:
            assert self._opened is not None
            self._opened.close()
            self._opened = None

    # What is known before anything is decoded

    @property
    def stream(self) -> VideoStream:
        """The library's own view of the pictures."""
        return self._stream

    @property
    def columns(self) -> int:
        return self._stream.codec_context.width

    @property
    def rows(self) -> int:
        return self._stream.codec_context.height

    @property
    def codec(self) -> str:
        """The library's name: ``mpeg2video``, ``h264``, ``hevc``."""
        return self._stream.codec_context.name

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel for a height of 1."""
        ratio = self._stream.codec_context.sample_aspect_ratio
        return ratio if ratio and Fraction(1, 10) < ratio < 10 else Fraction(1)

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average; 25 where nothing tells."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return Fraction(rate) if rate and Fraction(1, 100) < rate < 1000 else Fraction(25)

    # Frames

    def go_to(self, number: int) -> None:
        """Have `read` return this frame (from 1) next, or the first one after it that can be decoded.

        Forward over a short way, and where there is no other, by decoding what lies between.

        Raises
        ------
        BadPixels
            There are not so many frames, as far as is known already.
        """
        self.decoded_pixels = 0
        if self.index is not None and number > self.index.count:
            raise BadPixels(f"The video has {self.index.count} frames; frame {number} does not exist.")
        if self.next_number <= number <= self.next_number + _NEAR:
            self._skip_to(number)
            return
        if self.index is not None:
            time, begin = self.index.begin(number)
            if number < self.next_number or begin > self.next_number:
                self._seek(time, begin)
        elif self.container in _TIMED and self._is_regular():
            self._margins = _MARGINS
            self._seek_before(number)
        elif number < self.next_number:
            self._open()
        self._skip_to(number)

    def _is_regular(self) -> bool:
        """Whether the frames follow one another at equal times, as PS3.5 wants it, so that time tells their number."""
        if self._begin is None:
            self._open()
            times: list[int | None] = []
            for _ in range(8 * _PACKETS_AT_ONCE):
                if self._ended or len(times) > 3:
                    break
                self._decode_packet()
                times += [frame.pts for _, frame in self._frames]
                self._frames.clear()
            known = [time for time in times if time is not None]
            steps = {later - earlier for earlier, later in pairwise(known)}
            self._begin = known[0] if known else 0
            if len(known) == len(times) and len(steps) == 1:
                self._interval = max(steps) or None
            self._open()
        return self._interval is not None

    def _seek_before(self, number: int) -> None:
        """Seek to some time before a frame; to the start once that has been tried often enough."""
        assert self._begin is not None
        assert self._interval is not None
        margin, self._margins = (self._margins[0], self._margins[1:]) if self._margins else (0, ())
        base = self._stream.time_base or Fraction(1, 90000)
        time = self._begin + (number - 1) * self._interval - int(margin / base)
        if not margin or time <= self._begin:
            self._margins = ()
            self._open()
        else:
            self._seek(time, 1)
        self.next_number = number

    def _skip_to(self, number: int) -> None:
        while self._frames and self._frames[0][0] < number:
            self._frames.popleft()
        self.next_number = number

    def _seek(self, time: int, number: int) -> None:
        import av

        assert self._opened is not None
        try:
            self._opened.seek(time, stream=self._stream)
        except av.error.FFmpegError:
            self._open()
            return
        self._packets = self._opened.demux(self._stream)
        self._forget(number)

    def read(self) -> tuple[int, VideoFrame] | None:
        """The next frame and its number; None after a piece of work without it, so that others get their turn.

        Raises
        ------
        EOFError
            There are no more.
        BadPixels
            The stream is damaged so much that nothing more can be read.
        """
        decoded = 0
        for _ in range(_PACKETS_AT_ONCE):
            self._skip_to(self.next_number)
            if self._frames:
                if self._margins and self._frames[0][0] > self.next_number:
                    self._seek_before(self.next_number)  # nothing to begin with was there before the frame
                    continue
                self._margins = ()
                number, frame = self._frames.popleft()
                self.next_number = number + 1
                return number, frame
            if self._ended and self._margins:
                self._seek_before(self.next_number)
                continue
            if self._ended:
                raise EOFError
            if decoded > STEP_PIXELS:
                return None
            pixels = self._decode_packet() * self.columns * self.rows
            decoded, self.decoded_pixels = decoded + pixels, self.decoded_pixels + pixels
        return None

    def _decode_packet(self) -> int:
        """Decode one packet; return how many frames came of it."""
        import av

        packet = self.next_packet()
        if packet is None:
            self._ended = True
            packet_frames = self._flushed()
        else:
            if not self._clean and not packet.is_keyframe:
                return 0
            self._clean = True
            try:
                packet_frames = self._stream.codec_context.decode(packet)
            except (av.error.FFmpegError, MemoryError):
                return 0  # what follows may be whole again
        for frame in packet_frames:
            if frame.width * frame.height > MOST_PIXELS:
                raise BadPixels(f"A picture of the video is {frame.width} × {frame.height}.")
            number = self._number(frame)
            self._found = number + 1
            self._frames.append((number, frame))
        return len(packet_frames)

    def next_packet(self) -> Packet[VideoStream] | None:
        """The next coded picture, for those who copy them; None at the end."""
        import av

        assert self._opened is not None
        while self._faults < _MOST_FAULTS:
            try:
                for packet in self._packets:
                    if packet.size:
                        self._file.left = _MOST_READ
                        return packet
                self._file.check()
                return None
            except (av.error.FFmpegError, MemoryError):
                self._faults += 1
                self._packets = self._opened.demux(self._stream)
        return None

    def _flushed(self) -> list[VideoFrame]:
        import av

        try:
            return self._stream.codec_context.decode(None)
        except (av.error.FFmpegError, MemoryError):
            return []

    def _number(self, frame: VideoFrame) -> int:
        """Number of a frame: by its time where the tables tell, else by counting."""
        if self.index is not None and frame.pts is not None:
            return max(self._found, self.index.number(frame.pts))
        if self._interval is not None and self._begin is not None and frame.pts is not None:
            return max(self._found, round((frame.pts - self._begin) / self._interval) + 1)
        return self._found

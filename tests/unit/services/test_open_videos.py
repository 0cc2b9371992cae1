"""Videos that are kept open: few, not for long, and the right one for who comes next."""

from __future__ import annotations

import asyncio

from skiagraph.services.open_videos import OpenVideos


class Reader:
    def __init__(self, next_number: int = 1, closing: asyncio.Event | None = None) -> None:
        self.next_number = next_number
        self.closed = False
        self.closing = closing

    def close(self) -> None:
        self.closed = True
        if self.closing is not None:
            self.closing.set()


def test_the_nearest_before_the_frame_is_taken() -> None:
    async def main() -> None:
        videos = OpenVideos(4)
        readers = [Reader(number) for number in (5, 20, 40)]
        for reader in readers:
            videos.give("video", reader)
        assert videos.take("other", 1) is None
        assert videos.take("video", 30) is readers[1]
        assert videos.take("video", 30) is readers[0], "the one behind has to go back"
        assert videos.take("video", 30) is readers[2]
        assert videos.take("video", 30) is None
        videos.close()

    asyncio.run(main())


def test_where_videos_end_is_remembered() -> None:
    videos = OpenVideos(ends=2)
    assert not videos.ends_before("video", 10**9)
    videos.ended("video", 31)
    videos.ended("video", 40)
    assert videos.ends_before("video", 31)
    assert videos.ends_before("video", 1000)
    assert not videos.ends_before("video", 30)
    assert not videos.ends_before("other", 31)
    videos.ended("other", 2)
    videos.ended("third", 2)
    assert not videos.ends_before("video", 31), "of few"
    assert videos.ends_before("other", 2)


def test_few_are_kept() -> None:
    async def main() -> None:
        videos = OpenVideos(2)
        readers = [Reader() for _ in range(3)]
        for reader in readers:
            videos.give("video", reader)
        assert [reader.closed for reader in readers] == [True, False, False]
        videos.close()
        assert all(reader.closed for reader in readers)

    asyncio.run(main())


def test_none_is_kept_for_long() -> None:
    async def main() -> None:
        videos = OpenVideos(2, seconds=0)
        closing = asyncio.Event()
        videos.give("video", Reader(closing=closing))
        await closing.wait()
        assert videos.take("video", 1) is None

    asyncio.run(main())


def test_what_is_taken_is_not_closed() -> None:
    async def main() -> None:
        videos = OpenVideos(2, seconds=0)
        reader = Reader()
        videos.give("video", reader)
        assert videos.take("video", 1) is reader
        for _ in range(10):
            await asyncio.sleep(0)
        assert not reader.closed

    asyncio.run(main())

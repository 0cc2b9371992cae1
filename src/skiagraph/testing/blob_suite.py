"""What every `blobs.base.BlobStore` must do: subclass, provide the fixture `blobs`, inherit the proof."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from skiagraph.blobs.base import BlobStore, Staged
from skiagraph.errors import ResourceNotFound
from skiagraph.values import ByteRange


def put(blobs: BlobStore, *chunks: bytes) -> str:
    """Store one blob as the store service does, and return its key."""
    staged = blobs.stage()
    staged.write(chunks)
    blobs.publish([staged])
    blobs.settle([staged])
    return staged.key


async def _read(blobs: BlobStore, key: str, span: ByteRange | None = None) -> bytes:
    return b"".join([bytes(chunk) async for chunk in blobs.read(key, span)])


def get(blobs: BlobStore, key: str, span: ByteRange | None = None) -> bytes:
    return asyncio.run(_read(blobs, key, span))


class BlobStoreSuite:
    """Immutable bytes under ascending keys, whole or not at all."""

    def test_bytes_in_are_bytes_kept(self, blobs: BlobStore) -> None:
        key = put(blobs, b"one", b"", b"two" * 1000, memoryview(b"three"))  # type: ignore[arg-type]
        assert get(blobs, key) == b"one" + b"two" * 1000 + b"three"
        assert blobs.size(key) == 3008

    def test_many_chunks_in_one_write(self, blobs: BlobStore) -> None:
        key = put(blobs, *[bytes([number % 251]) for number in range(5000)])
        assert get(blobs, key) == bytes(number % 251 for number in range(5000))

    def test_a_blob_larger_than_any_buffer(self, blobs: BlobStore) -> None:
        block = bytes(range(256)) * 4096
        key = put(blobs, block, block, block, b"end")
        assert get(blobs, key) == block * 3 + b"end"
        assert (
            get(blobs, key, ByteRange(len(block) - 2, len(block) + 4))
            == (block * 3)[len(block) - 2 : 2 * len(block) + 2]
        )

    @pytest.mark.parametrize(
        ("span", "expected"),
        [
            pytest.param(ByteRange(0, 0), b"", id="nothing"),
            pytest.param(ByteRange(0, 3), b"012", id="the first"),
            pytest.param(ByteRange(7, 3), b"789", id="the last"),
            pytest.param(ByteRange(0, 10), b"0123456789", id="all"),
        ],
    )
    def test_ranges(self, blobs: BlobStore, span: ByteRange, expected: bytes) -> None:
        key = put(blobs, b"0123456789")
        assert get(blobs, key, span) == expected
        assert bytes(asyncio.run(blobs.read_bytes(key, span))) == expected

    def test_a_range_past_the_end_is_refused_before_any_byte(self, blobs: BlobStore) -> None:
        key = put(blobs, b"0123456789")
        with pytest.raises(ResourceNotFound):
            blobs.read(key, ByteRange(5, 6))
        with pytest.raises(ResourceNotFound):
            asyncio.run(blobs.read_bytes(key, ByteRange(5, 6)))

    def test_opened_for_random_reads(self, blobs: BlobStore) -> None:
        opened = blobs.open(put(blobs, b"0123456789"))
        assert opened.size == 10
        assert opened.read_at(8, 10) == b"89"
        assert opened.read_at(2, 3) == b"234"
        opened.close()

    def test_missing(self, blobs: BlobStore) -> None:
        missing = put(blobs, b"x")
        blobs.delete([missing])
        blobs.delete([missing])
        with pytest.raises(ResourceNotFound):
            blobs.read(missing)
        with pytest.raises(ResourceNotFound):
            blobs.open(missing)
        with pytest.raises(ResourceNotFound):
            blobs.size(missing)

    def test_keys_ascend_and_name_what_is_published(self, blobs: BlobStore) -> None:
        keys = [put(blobs, bytes([number])) for number in range(20)]
        assert keys == sorted(set(keys))
        assert list(blobs.keys()) == keys
        blobs.delete(keys[3:5])
        assert list(blobs.keys()) == keys[:3] + keys[5:]

    def test_staged_bytes_can_be_read_back_and_are_nobody_elses_business(self, blobs: BlobStore) -> None:
        staged = blobs.stage()
        staged.write([b"abc", b"def"])
        assert staged.size == 6
        assert staged.read_at(2, 3) == b"cde"
        assert list(blobs.keys()) == []
        with pytest.raises(ResourceNotFound):
            blobs.open(staged.key)
        staged.discard()
        staged.discard()
        assert list(blobs.keys()) == []

    def test_a_group_is_published_together(self, blobs: BlobStore) -> None:
        group: Sequence[Staged] = [blobs.stage() for _ in range(5)]
        for number, staged in enumerate(group):
            staged.write([bytes([number])])
        blobs.publish(group)
        blobs.settle(group)
        assert [get(blobs, staged.key) for staged in group] == [bytes([number]) for number in range(5)]

    def test_recovery_leaves_the_living_alone(self, blobs: BlobStore) -> None:
        kept = put(blobs, b"kept")
        staged = blobs.stage()
        staged.write([b"on its way"])
        assert blobs.recover(lambda keys: set()) == 0
        blobs.publish([staged])
        assert blobs.recover(lambda keys: set()) == 0
        assert get(blobs, kept) == b"kept"
        assert get(blobs, staged.key) == b"on its way"

"""services.upload: bytes are written as they come and hashed in two pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from dicom_files import ct, part10
from skiagraph.blobs.file import FileBlobStore
from skiagraph.services.upload import Hasher, Upload
from skiagraph.standard import part10 as part10_reader


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[FileBlobStore]:
    store = FileBlobStore(tmp_path)
    yield store
    store.close()


@given(st.binary(max_size=300), st.integers(0, 300), st.lists(st.integers(1, 50), max_size=20))
def test_digests_do_not_depend_on_how_the_bytes_come(data: bytes, offset: int, sizes: list[int]) -> None:
    hasher = Hasher()
    rest = data
    for size in sizes:
        hasher.update([rest[:size]], offset)
        rest = rest[size:]
    digests = hasher.finish([rest], offset)
    assert digests.prefix == blake3(data[:offset]).digest()
    assert digests.dataset == blake3(data[offset:]).digest()


@pytest.mark.parametrize("size", [100, 65_536, 10_000_000])
def test_any_chunks_give_the_same_file(blobs: FileBlobStore, size: int) -> None:
    file = part10(ct(Rows=1000, Columns=1500, PixelData=bytes(3_000_000)))

    async def run() -> Upload:
        upload = Upload(blobs)
        for start in range(0, len(file), size):
            await upload.write(file[start : start + size])
        return upload

    upload = asyncio.run(run())
    staged = upload.finish()
    assert staged.read_at(0, staged.size + 1) == file
    digests = upload.digests(part10_reader.dataset_offset(staged))
    assert digests.prefix + digests.dataset == _expected(file)
    staged.discard()


def _expected(file: bytes) -> bytes:
    group_length = int.from_bytes(file[140:144], "little")
    start = 144 + group_length
    return blake3(file[:start]).digest() + blake3(file[start:]).digest()


def test_discarded_uploads_leave_nothing(blobs: FileBlobStore) -> None:
    async def run() -> None:
        upload = Upload(blobs)
        await upload.write(bytes(3_000_000))
        upload.discard()
        upload.discard()

    asyncio.run(run())
    assert not [path for path in blobs.root.rglob("*") if path.is_file() and ".writers" not in path.parts]

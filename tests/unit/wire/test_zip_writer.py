"""ZIP archives as a stream, judged by Python's zipfile: PKWARE APPNOTE 6.3."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.wire import zip_writer
from skiagraph.wire.zip_writer import BLOCK, ZipWriter, total_length

NOON = datetime(2026, 5, 17, 12, 30, 58, tzinfo=UTC).timestamp()


def archive(entries: dict[str, list[bytes]], *, known: bool = True, modified: float = NOON) -> bytes:
    """The archive of entries that come in chunks."""
    writer = ZipWriter()
    sent = bytearray()
    for name, chunks in entries.items():
        sent += writer.begin(name, sum(map(len, chunks)) if known else None, modified)
        sent += b"".join(writer.data(chunk) for chunk in chunks)
        sent += writer.end()
    return bytes(sent) + b"".join(writer.close())


def opened(data: bytes) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(data))
    assert found.testzip() is None
    return found


def without_seeking(data: bytes) -> list[bytes]:
    """The entries as a reader takes them out that knows nothing of the central directory."""
    found = []
    while data[:4] == b"PK\x03\x04":
        flags, method = struct.unpack_from("<HH", data, 6)
        assert (flags, method) == (8, zipfile.ZIP_DEFLATED)
        name, extra = struct.unpack_from("<HH", data, 26)
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(data[30 + name + extra :])
        assert inflater.eof
        behind = inflater.unused_data
        form = "<LLLL"
        packed = len(data) - len(behind) - 30 - name - extra
        assert struct.unpack_from(form, behind) == (0x08074B50, zlib.crc32(content), packed, len(content))
        data = behind[struct.calcsize(form) :]
        found.append(content)
    assert data[:4] in (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")
    return found


names = st.from_regex(r"\A[0-9]{1,8}(\.[0-9]{1,8}){0,3}/[0-9A-Z_-]{1,12}\.dcm\Z")
chunks = st.lists(st.binary(max_size=200), max_size=4)


@settings(max_examples=150)
@given(st.dictionaries(names, chunks, max_size=6), st.booleans())
def test_what_goes_in_comes_out(entries: dict[str, list[bytes]], known: bool) -> None:
    data = archive(entries, known=known)
    contents = [b"".join(content) for content in entries.values()]
    found = opened(data)
    assert found.namelist() == list(entries)
    assert [found.read(name) for name in entries] == contents
    assert without_seeking(data) == contents
    if known:
        assert total_length((name, len(b"".join(content))) for name, content in entries.items()) == len(data)


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7])
@pytest.mark.parametrize("step", [1000, BLOCK, 100_000, 2**20])
@pytest.mark.parametrize("known", [True, False])
def test_blocks(length: int, step: int, known: bool) -> None:
    content = bytes(number % 251 for number in range(length))
    data = archive({"a": [content[at : at + step] for at in range(0, length, step)]}, known=known)
    assert opened(data).read("a") == content
    assert without_seeking(data) == [content]
    if known:
        assert total_length([("a", length)]) == len(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_chunk(kind: type) -> None:
    assert opened(archive({"a": [kind(b"abc")]})).read("a") == b"abc"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(NOON, (2026, 5, 17, 12, 30, 58), id="UTC"),
        pytest.param(NOON + 1.9, (2026, 5, 17, 12, 30, 58), id="steps of two seconds"),
        pytest.param(0, (1980, 1, 1, 0, 0, 0), id="before there was MS-DOS"),
        pytest.param(1e12, (2107, 12, 31, 23, 59, 58), id="when there is none any more"),
    ],
)
def test_time(seconds: float, shown: tuple[int, ...]) -> None:
    assert opened(archive({"a": [b""]}, modified=seconds)).getinfo("a").date_time == shown


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a.", "a\\b", "C:a", "a b", "é", "a\n", "a" * 70_000]
)
def test_names_that_are_not_safe_everywhere(name: str) -> None:
    with pytest.raises(ValueError, match="name of an entry"):
        ZipWriter().begin(name, 0, NOON)


def test_more_or_less_than_was_said() -> None:
    writer = ZipWriter()
    writer.begin("a", 3, NOON)
    with pytest.raises(ValueError, match="more"):
        writer.data(b"abcd")
    writer.data(b"ab")
    with pytest.raises(ValueError, match="ends after 2"):
        writer.end()


def test_more_entries_than_16_bits_count() -> None:
    entries = {f"{number:06}": [b""] for number in range(0x10000)}
    for count in (0xFFFE, 0xFFFF, 0x10000):
        data = archive(dict(list(entries.items())[:count]))
        assert (b"PK\x06\x06" in data[-98:]) == (count >= 0xFFFF)
        assert total_length((name, 0) for name in list(entries)[:count]) == len(data)
    found = zipfile.ZipFile(io.BytesIO(data))
    assert len(found.namelist()) == 0x10000
    assert found.read("065535") == b""


def test_the_directory_is_held_small() -> None:
    """A few dozen bytes for each entry, whatever their names."""
    writer = ZipWriter()
    for number in range(5000):
        writer.begin(f"{'1.2.840.113619.2' * 4}/001_{'1.2.840.113619.2' * 4}/{number:06}.dcm", 1, NOON)
        writer.data(b"x")
        writer.end()
    assert sum(map(len, writer._held)) < 5000 * 40
    assert max(map(len, writer.close())) <= 64 * 2**10


class Holes(io.RawIOBase):
    """A file of which only some pieces are there; all else is zeros."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.length = 0
        self._at = 0

    def append(self, data: bytes) -> None:
        self.pieces.append((self.length, data))
        self.length += len(data)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self.length - self._at))
        buffer[:wanted] = bytes(wanted)
        for offset, data in self.pieces:
            start, end = max(offset, self._at), min(offset + len(data), self._at + wanted)
            if start < end:
                buffer[start - self._at : end - self._at] = data[start - offset : end - offset]
        self._at += wanted
        return wanted


@pytest.mark.parametrize("size", [2**32 - 400_000, 2**32 - 300_000, 2**32 - 1, 2**32, 2**33])
@pytest.mark.parametrize("known", [True, False])
def test_beyond_4_gib(size: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places and sizes of the archive, without writing all the bytes between."""
    writer, file = ZipWriter(), Holes()
    file.append(writer.begin("large", size if known else None, NOON))
    entry = writer._entry
    assert entry is not None
    # As if the bytes had gone through `data`
    entry.size = size
    entry.packed = zip_writer._packed_length(size)
    file.length += entry.packed
    file.append(writer.end())
    file.append(writer.begin("small", 3, NOON) + writer.data(b"abc") + writer.end())
    for piece in writer.close():
        file.append(piece)
    found = zipfile.ZipFile(file)  # type: ignore[arg-type]
    large, small = found.infolist()
    assert (large.file_size, large.compress_size, large.header_offset) == (size, entry.packed, 0)
    assert found.read(small) == b"abc"
    descriptor = next(data for _, data in file.pieces if b"PK\x07\x08" in data and b"PK\x03\x04" not in data)
    assert len(descriptor) - descriptor.index(b"PK\x07\x08") == (24 if entry.packed >= 0xFFFFFFFF else 16)
    assert entry.announced == (known and entry.packed >= 0xFFFFFFFF)
    if known:
        assert total_length([("large", size), ("small", 3)]) == file.length

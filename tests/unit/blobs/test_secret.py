"""A secret in a file: made once, kept, never made anew by mistake."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skiagraph.blobs import secret


def test_it_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = secret.load(path)
    assert len(first) == 32
    assert secret.load(path) == first
    assert secret.load(tmp_path / "other") != first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "other"]


def test_all_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(secret.load, [tmp_path / "key"] * 40))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"00", b"x" * 64, b"\xff" * 64, b"0" * 66])
def test_a_damaged_one_is_said_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(secret.DamagedSecret, match="backup"):
        secret.load(path)
    assert path.read_bytes() == content

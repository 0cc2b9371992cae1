"""services.recent: bounded by bytes, the least recently used goes first."""

from __future__ import annotations

from skiagraph.services.recent import Recent


def test_gives_back_what_it_was_given() -> None:
    recent = Recent(800)
    recent.put("a", b"x" * 100)
    assert recent.get("a") == b"x" * 100
    assert recent.get("b") is None


def test_the_bytes_are_bounded_and_the_oldest_goes() -> None:
    recent = Recent(800)
    for name in "abcdefgh":
        recent.put(name, name.encode() * 100)
    assert recent.get("a") is not None  # asked for, so no longer the oldest
    recent.put("i", b"i" * 100)
    assert recent.get("b") is None
    assert all(recent.get(name) is not None for name in "acdefghi")


def test_a_large_answer_does_not_drive_out_all_others() -> None:
    recent = Recent(800)
    recent.put("a", b"x" * 101)
    assert recent.get("a") is None


def test_zero_keeps_nothing() -> None:
    recent = Recent(0)
    recent.put("a", b"x")
    assert recent.get("a") is None

"""``skiagraph search``."""

from __future__ import annotations


def search() -> None:
    """Not there yet."""

"""``skiagraph retrieve``."""

from __future__ import annotations


def retrieve() -> None:
    """Not there yet."""

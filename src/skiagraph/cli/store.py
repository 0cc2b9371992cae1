"""``skiagraph store``."""

from __future__ import annotations


def store() -> None:
    """Not there yet."""

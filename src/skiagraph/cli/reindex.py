"""``skiagraph reindex``."""

from __future__ import annotations


def reindex() -> None:
    """Not there yet."""

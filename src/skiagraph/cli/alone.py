"""Who works on an archive: servers share it, repairs need it alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skiagraph.cli.console import CommandError


@contextmanager
def in_use(data: Path, *, alone: bool) -> Iterator[None]:
    """Hold the archive in a folder until the end of the block; the system lets go when the process ends.

    Raises
    ------
    CommandError
        Somebody else holds it in a way that does not go together.
    """
    data.mkdir(parents=True, exist_ok=True)
    fd = os.open(data / ".in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        if alone:
            raise CommandError(f"A server works on {data.absolute()}. Stop it first.") from error
        raise CommandError(f"{data.absolute()} is being repaired or reindexed. Wait until that has ended.") from error
    try:
        yield
    finally:
        os.close(fd)

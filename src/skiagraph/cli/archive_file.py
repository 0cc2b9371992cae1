"""Reading an answer that is a ZIP archive into a file."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from skiagraph.cli.console import CommandError
from skiagraph.cli.download import Saved

ACCEPT = "application/zip; transfer-syntax=*"


def save(content_type: str, chunks: Iterable[bytes], path: Path, on_progress: Callable[[Saved], None]) -> Saved:
    """Write an archive under its name once it is whole; what is cut off leaves no file.

    Returns
    -------
    Saved
        Files in the archive, a DICOMDIR not counted, and its bytes.

    Raises
    ------
    CommandError
        The answer is no archive, or ends too early.
    """
    if content_type.partition(";")[0].strip().lower() != "application/zip":
        raise CommandError("The server gives no ZIP archives: it answered with something else.")
    saved = Saved()
    part = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
                saved.size += len(chunk)
                on_progress(saved)
            file.flush()
            os.fsync(file.fileno())
        try:
            with zipfile.ZipFile(part) as archive:
                saved.files = sum(name.rpartition("/")[2] != "DICOMDIR" for name in archive.namelist())
        except (zipfile.BadZipFile, ValueError) as error:
            raise CommandError("The archive is not whole; it is not kept.") from error
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    on_progress(saved)
    return saved

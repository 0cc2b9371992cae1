"""A secret in a file of its own: made once, by whichever process needs it first, and durable."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from skiagraph.errors import ArchiveError

_BYTES: Final = 32


class DamagedSecret(ArchiveError):
    """A file that holds a secret is not as it was written."""


def load(path: Path) -> bytes:
    """Return the 32 bytes of the secret, making it where there is none.

    The file can be read by its owner alone. Of several processes that make it, the first one wins.

    Raises
    ------
    DamagedSecret
        The file is there and holds no secret. It is left alone, as a new secret would not be the old one.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise DamagedSecret(f"{path.absolute()} is not as it was written: put the file back from a backup.")
    return secret

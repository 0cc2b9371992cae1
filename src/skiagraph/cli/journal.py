"""The note of what a server has acknowledged, so that an interrupted ``skiagraph store`` goes on where it was.

Sending again would do no harm (the same data set again is a success that changes nothing): the note saves time,
and losing it loses nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from skiagraph.cli.sources import Item


def default_path(url: str) -> Path:
    """Return where the journal of a server lies: one file for each Base URI, in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2]).strip("-")[:60]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Path(state) / "skiagraph" / f"store-{readable}-{digest}.journal"


class Journal:
    """Files by name, size and time of modification that a server has acknowledged. May be used by several threads.

    Raises
    ------
    sqlite3.DatabaseError
        The file is something else than a journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        try:
            # A crash may cost the last lines, which only costs sending them again.
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS sent (name TEXT PRIMARY KEY, size INTEGER, stamp TEXT, uid TEXT)"
            )
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    def __contains__(self, item: Item) -> bool:
        with self._lock:
            row = self._db.execute("SELECT size, stamp FROM sent WHERE name = ?", (item.name,)).fetchone()
        return bool(row == (item.size, item.stamp))

    def add(self, items: Iterable[tuple[Item, str]]) -> None:
        """Note items with the SOP Instance UIDs under which they were stored."""
        rows = [(item.name, item.size, item.stamp, uid) for item, uid in items]
        with self._lock, self._db:
            self._db.executemany("INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?)", rows)

    def last(self) -> str | None:
        """Return the SOP Instance UID noted last, None when nothing is noted."""
        with self._lock:
            row = self._db.execute("SELECT uid FROM sent WHERE uid != '' ORDER BY rowid DESC LIMIT 1").fetchone()
        return row[0] if row else None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM sent")

    def remove(self) -> None:
        """Close and delete the file: what it was for is done."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

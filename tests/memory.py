"""How much memory a server takes."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from conftest import Server

MIB = 2**20


def resident(server: Server) -> int:
    """Bytes of memory, files not counted, of the server and its workers."""
    pids = subprocess.run(["pgrep", "-s", str(server.process.pid)], capture_output=True, text=True).stdout.split()
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1]) * 1024
    return total


class Peak:
    """The most memory that the server had while the block ran."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.most = resident(server)

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.most = max(self.most, resident(self._server))

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return max(self.most, resident(self._server)) - self.before

"""What Storage Commitment holds, in the SQL index."""

from __future__ import annotations

from pathlib import Path

from skiagraph.index.sql import SqlIndex
from skiagraph.testing.committed_suite import CommittedSuite


class TestSqlIndex(CommittedSuite):
    def new_index(self, folder: Path) -> SqlIndex:
        return SqlIndex.open(folder / "index.sqlite", durable=False)

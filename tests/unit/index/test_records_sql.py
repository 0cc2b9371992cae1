"""Records in SQLite: the shipped suite, and what is its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from skiagraph.index.sql import SqlIndex
from skiagraph.testing.record_index_suite import RecordIndexSuite


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty index: copying it is quicker than migrating each time."""
    path = tmp_path_factory.mktemp("template") / "index.sqlite"
    SqlIndex.open(path, durable=False).close()
    return path


class TestSqlIndex(RecordIndexSuite):
    template: Path

    @pytest.fixture(autouse=True)
    def _template(self, template: Path) -> None:
        type(self).template = template

    def new_index(self, folder: Path) -> SqlIndex:
        shutil.copyfile(self.template, folder / "index.sqlite")
        return SqlIndex.open(folder / "index.sqlite", durable=False)

"""Migrations make the tables that the code believes in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from skiagraph.index import migrations, schema
from skiagraph.index.connections import revision
from skiagraph.index.sql import SqlIndex


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_newest_revision_is_the_one_the_code_names() -> None:
    assert _script().get_heads() == [schema.REVISION]


def test_migrated_database_has_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    SqlIndex.open(path, durable=False).close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()

    def tables(connection: sqlite3.Connection) -> set[str]:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
        return {" ".join(row[0].split()) for row in rows if "sqlite_stat" not in row[0]}

    in_memory = sa.create_engine("sqlite://")
    schema.metadata.create_all(in_memory)
    raw = in_memory.raw_connection()
    migrated = sqlite3.connect(path)
    assert tables(migrated) == tables(raw.driver_connection)  # type: ignore[arg-type]
    migrated.close()
    raw.close()
    in_memory.dispose()


def test_migrating_runs_once(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    for _ in range(2):
        index = SqlIndex.open(path, durable=False)
        assert revision(index._connections.reader()) == schema.REVISION
        assert index._connections.reader().execute("SELECT count(*) FROM totals").fetchone() == (1,)
        index.close()

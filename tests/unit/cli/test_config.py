"""The effective settings as a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skiagraph.cli.config import toml_value
from skiagraph.settings import Settings, load

Run = Callable[..., Any]


def test_the_output_is_a_file_that_gives_the_same_settings(run: Run, tmp_path: Path) -> None:
    output = run("config", "--data", tmp_path / "x").output
    (tmp_path / "skiagraph.toml").write_text(output, "utf-8")
    assert load(tmp_path / "skiagraph.toml").model_dump() == load(data=tmp_path / "x").model_dump()


def test_every_setting_is_explained(run: Run) -> None:
    output = run("config").output.replace("\n# ", " ")
    for name, field in Settings.model_fields.items():
        assert name in output
        assert field.description
        assert field.description.split(". ")[0] in output


def test_it_says_where_each_value_comes_from(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.toml").write_text("port = 1\nworkers = 3\n")
    monkeypatch.setenv("SKIAGRAPH_PORT", "9000")
    output = run("config", "--config", tmp_path / "c.toml", "--data", "d").output
    assert '# From: option\ndata = "d"' in output
    assert "# From: environment, SKIAGRAPH_PORT\nport = 9000" in output
    assert f"# From: file, {tmp_path / 'c.toml'}\nworkers = 3" in output
    assert "# From: default\nhost = " in output


@pytest.mark.parametrize(
    "value",
    ["plain", 'quo"te', "back\\slash", "tab\tnewline\n", "日本", "", True, False, 7, ("a", "b"), ()],
)
def test_values_are_toml(value: object) -> None:
    read = tomllib.loads(f"x = {toml_value(value)}")["x"]
    assert read == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("SKIAGRAPH_PORT", "x", "port: "), ("SKIAGRAPH_DUPLICATES", "maybe", "duplicates: ")],
)
def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str) -> None:
    monkeypatch.setenv(name, value)
    result = run("config")
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize(("content", "text"), [("port = = 1", "not valid TOML"), ("prot = 1", "prot: ")])
def test_a_wrong_file_is_named(run: Run, tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "c.toml").write_text(content)
    result = run("config", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2
    assert text in result.output

"""``skiagraph config``: the effective settings, what they mean and where each comes from."""

from __future__ import annotations

import os
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from skiagraph.cli import console
from skiagraph.cli.options import Config, Data

if TYPE_CHECKING:
    from skiagraph.settings import Settings


def config(data: Data = None, config: Config = None) -> None:
    """Show the effective settings, what each means and where it comes from.

    The output is a TOML file: keep it, change it, and give it to `--config`.
    Order of precedence: options, environment (`SKIAGRAPH_PORT`), TOML file, defaults.

    Examples:

    - `skiagraph config`
    - `skiagraph config > skiagraph.toml` — then edit and `skiagraph serve --config skiagraph.toml`
    - `SKIAGRAPH_PORT=9000 skiagraph config` — shows that the environment wins
    """
    settings = console.settings(config, data=data)
    given = {name: "option" for name, value in {"data": data}.items() if value is not None}
    console.out().print(as_toml(settings, sources(settings, config, given)), markup=False, soft_wrap=True, end="")


def sources(settings: Settings, config: Path | None, given: dict[str, str]) -> dict[str, str]:
    """Return for each setting where its value comes from."""
    from_file = tomllib.loads(config.read_text("utf-8")) if config else {}
    environment = {name.lower(): name for name in os.environ}
    found = {}
    for name in type(settings).model_fields:
        variable = environment.get(f"skiagraph_{name}")
        if name in given:
            found[name] = given[name]
        elif variable:
            found[name] = f"environment, {variable}"
        elif name in from_file:
            found[name] = f"file, {config}"
        else:
            found[name] = "default"
    return found


def as_toml(settings: Settings, origin: dict[str, str]) -> str:
    """Return the settings as a TOML document with their descriptions as comments."""
    blocks = []
    for name, field in type(settings).model_fields.items():
        comment = textwrap.wrap(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")
        value = getattr(settings, name)
        # TOML has no null: what is unset stands as a comment.
        line = f"# {name} is not set" if value is None else f"{name} = {toml_value(value)}"
        blocks.append("\n".join([*comment, f"# From: {origin[name]}", line, ""]))
    return "\n".join(blocks)


def toml_value(value: object) -> str:
    """Return a value of a setting in TOML syntax."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    escaped = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return f'"{escaped}"'

"""What all commands share, and the help of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from skiagraph.cli import app, console
from skiagraph.errors import StorageFull

Run = Callable[..., Any]
COMMANDS = ["serve", "store", "search", "retrieve", "commit", "verify", "reindex", "config"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_examples(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"skiagraph {command}" in result.output


def test_the_overview_names_every_command_and_the_exit_codes(run: Run) -> None:
    output = run("--help").output
    for word in (*COMMANDS, "Exit codes"):
        assert word in output


def test_version(run: Run) -> None:
    assert run("--version").output.startswith("skiagraph 0.")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        pytest.param(console.CommandError("No.", 3), 3, "No.", id="of the command"),
        pytest.param(StorageFull("Full.", details=("Buy disks.",)), 1, "Full.\nBuy disks.", id="of the archive"),
        pytest.param(PermissionError(13, "Permission denied", "/x"), 1, "Permission denied: /x", id="of the system"),
        pytest.param(KeyboardInterrupt(), 130, "Interrupted.", id="Ctrl-C"),
        pytest.param(BrokenPipeError(), 1, "", id="closed pipe"),
    ],
)
def test_errors_become_a_sentence_and_a_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(console, "settings", fail)
    result = run("config")
    assert result.exit_code == code
    assert text in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (530_000, "530 kB"), (1_234_567, "1.2 MB"), (5e12, "5,000.0 GB")],
)
def test_amounts(size: float, text: str) -> None:
    assert console.amount(size) == text


@pytest.mark.parametrize(("count", "noun", "text"), [(1, "study", "1 study"), (2000, "study", "2,000 studies")])
def test_plural(count: int, noun: str, text: str) -> None:
    assert console.plural(count, noun) == text


def test_commands_are_in_the_order_in_which_one_meets_them() -> None:
    assert [command.callback.__name__ for command in app.registered_commands if command.callback] == COMMANDS

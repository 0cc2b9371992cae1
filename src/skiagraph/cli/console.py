"""What all commands share: how they print, how they end, how they take settings."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from skiagraph.errors import ArchiveError

if TYPE_CHECKING:
    from skiagraph.settings import Settings

FAILED, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130

DEFAULT_URL = "http://127.0.0.1:8080/dicom-web"


class CommandError(Exception):
    """A command can not go on; the message is all that the user needs to see."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Commands(TyperGroup):
    """The commands; turns every expected error into one sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            stop(str(error), error.code)
        except ArchiveError as error:
            stop("\n".join((error.message, *error.details)))
        except KeyboardInterrupt:
            stop("Interrupted.", INTERRUPTED)
        except BrokenPipeError:
            # The reader of a pipe went away, as `head` does: nothing to say, and the last flush goes nowhere.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            stop(f"{error.strerror or error}{':' if where else ''}{where}")


def out() -> Console:
    """Return the console for results. Wide where nobody looks, so that pipes and files get whole lines."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 400)


def err() -> Console:
    """Return the console for messages and progress."""
    return Console(stderr=True, highlight=False)


def stop(message: str, code: int = FAILED) -> NoReturn:
    """Print one sentence and end with the code."""
    err().print(message, style="red" if code != INTERRUPTED else "", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def progress(*columns: Any) -> Progress:
    """Return a progress display on standard error, silent where that is no terminal."""
    console = err()
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def version(asked: bool) -> None:
    """Callback of ``--version``."""
    if asked:
        typer.echo(f"skiagraph {metadata.version('skiagraph')}")
        raise typer.Exit


def settings(config: Path | None, **given: object) -> Settings:
    """Read the settings; options that were not given (None) leave room for environment, file and defaults.

    Raises
    ------
    CommandError
        A value is not one that the setting takes, or the file is not TOML.
    """
    import tomllib

    from pydantic import ValidationError

    from skiagraph.settings import load

    try:
        return load(config, **{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise CommandError("A setting is wrong. " + "\n".join(lines), USAGE) from error
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{config} is not valid TOML: {error}", USAGE) from error


def plural(count: int, noun: str) -> str:
    """Return count and noun: ``1 instance``, ``2,000 instances``."""
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun}"


def amount(size: float) -> str:
    """Return bytes for people: ``530 kB``, ``1.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit in ("bytes", "kB") else f"{size:,.1f} {unit}"

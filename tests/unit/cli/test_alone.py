"""Servers share an archive; repairs need it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiagraph.cli.alone import in_use
from skiagraph.cli.console import CommandError


def test_servers_share(tmp_path: Path) -> None:
    with in_use(tmp_path, alone=False), in_use(tmp_path, alone=False):
        pass


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [(False, True, "Stop it first"), (True, False, "being repaired"), (True, True, "Stop it first")],
    ids=["repair beside a server", "server beside a repair", "two repairs"],
)
def test_others_wait_outside(tmp_path: Path, first: bool, second: bool, text: str) -> None:
    with in_use(tmp_path, alone=first), pytest.raises(CommandError, match=text), in_use(tmp_path, alone=second):
        pass
    with in_use(tmp_path, alone=second):
        pass

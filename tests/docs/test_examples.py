"""Every example of the documentation runs, page by page, against a server of its own with the samples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from .examples import agrees, pages, steps

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for page in pages(ROOT) if list(steps(page.read_text("utf-8")))]
DEFAULT = "http://127.0.0.1:8080"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_the_examples_of_a_page(page: Path, tmp_path: Path, serving: Callable[..., Any]) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    with serving(tmp_path / "data", "--samples", str(ROOT / "samples")) as server:
        wait_for_samples(server.url)
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SKIAGRAPH_URL": server.url,
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONWARNINGS": "default",
        }
        for step in steps(page.read_text("utf-8")):
            source = step.source.replace(DEFAULT, server.root)
            command = [sys.executable, "-c", source] if step.kind == "python" else ["bash", "-c", remember(source)]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
            told = f"{page.name}, line {step.line}: {step.source}\nexit code {done.returncode}\n{done.stdout[:3000]}"
            assert done.returncode == 0, f"{told}\n{done.stderr[-3000:]}"
            if step.expected:
                assert agrees(step.expected, done.stdout.replace(server.root, DEFAULT)), (
                    f"{told}\n--- the page says\n{step.expected}"
                )


def remember(command: str) -> str:
    """Let a command know the variables that commands before it have set."""
    before = "[ -f .variables ] && . ./.variables"
    after = "declare -p url > .variables 2>&-"
    return f"{before}; {command}\nstatus=$?; {after}; exit $status"


def wait_for_samples(url: str) -> None:
    deadline = time.monotonic() + 60
    while len(httpx.get(f"{url}/instances", trust_env=False).json()) < 17:
        assert time.monotonic() < deadline, "the samples were not loaded"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("ready\n", "ready\n", True),
        ("ready\n", "not ready\n", False),
        ("a … z\n", "a b c z\n", True),
        ("[{…}]\n", '[{"x": 1}]', True),
        ("…\nend\n", "one\ntwo\nend\n", True),
        ("…\nend\n", "end\n", True),
        ("one\n…\n", "one\n", True),
        ("one\n", "one\ntwo\n", False),
        ("stored … 17 …\n", "stored  17  3.8 MB\n", True),
    ],
)
def test_how_output_is_compared(expected: str, printed: str, same: bool) -> None:
    assert agrees(expected, printed) is same

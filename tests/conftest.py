"""Fixtures for all tests: where the test data is, and servers to ask."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import hypothesis
import pytest

# The same examples in every run: a change is judged by what it does, not by the dice. `--hypothesis-profile=search`
# throws them anew, to find what nobody thought of.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", derandomize=False, deadline=None)
hypothesis.settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--base-url", help="run the transaction tests against this Base URI instead of a server of our own"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not SHARED_DATA.is_dir():
        skip = pytest.mark.skip(reason=f"the large set of test files is missing: {SHARED_DATA}")
        for item in items:
            if item.get_closest_marker("shared_data"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The large set of test files."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the large set of test files is missing: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def samples() -> Path:
    """The small set that is part of the project."""
    return SAMPLES


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server of our own."""

    url: str
    """Base URI."""
    data: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, timeout: float = 60) -> int:
        """Ask it to stop; return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout)

    def kill(self) -> None:
        """kill -9 the server and all its workers, as a crash would."""
        os.killpg(self.process.pid, 9)
        self.process.wait(30)

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)  # type: ignore[arg-type]


def start_server(data: Path, *options: str, workers: int = 1, env: dict[str, str] | None = None) -> Server:
    """Start `skiagraph serve` in a process group of its own and wait until it answers."""
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}-{port}.log"
    command = [sys.executable, "-m", "skiagraph", "serve", "--data", str(data), "--port", str(port)]
    command += ["--workers", str(workers), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **(env or {})}
        )
    server = Server(f"http://127.0.0.1:{port}/dicom-web", data, port, process, log)
    deadline = time.monotonic() + 60
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')[-4000:]}")
        try:
            if httpx.get(f"{server.root}/readyz", trust_env=False).status_code == 200:
                return server
        except httpx.TransportError:
            time.sleep(0.05)


@contextmanager
def running(data: Path, *options: str, **more: object) -> Iterator[Server]:
    server = start_server(data, *options, **more)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def serving() -> Callable[..., object]:
    """Context manager that runs a server: ``with serving(folder, "--option") as server``."""
    return running


@pytest.fixture(scope="session")
def empty_server() -> Iterator[Server]:
    """A server of two workers that tests fill with Instances of their own (fresh UIDs)."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data", workers=2) as server:
        yield server


@pytest.fixture(scope="session")
def base_url(request: pytest.FixtureRequest) -> str:
    """Base URI of the server under test: our own, or the one of --base-url."""
    given = request.config.getoption("--base-url")
    if given:
        return str(given).rstrip("/")
    server: Server = request.getfixturevalue("empty_server")
    return server.url


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    """An HTTP client whose relative URLs start at the Base URI."""
    with httpx.Client(base_url=base_url, timeout=60, trust_env=False) as opened:
        yield opened

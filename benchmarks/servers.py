"""The servers that are compared: each a process of its own on 127.0.0.1, in a temporary folder, stopped at the end.

Nothing is installed: `missing()` says what is not there, and the run goes on without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .client import Connection, HttpError, request_bytes

START_SECONDS = 30.0
STOP_SECONDS = 15.0
ORTHANC_BINARIES = ("Orthanc", "/usr/sbin/Orthanc", "orthanc", "/usr/local/bin/Orthanc", "/usr/local/sbin/Orthanc")
ORTHANC_PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
NGINX_BINARIES = ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx")


class StartError(Exception):
    """A server did not start; the message ends with the last lines of its log."""


@dataclass
class Server:
    """A server that can be started and stopped; `root` is the path of its DICOMweb services."""

    name: str
    command: list[str]
    folder: Path
    port: int
    ready: str  # a target that answers 200 as soon as the server serves
    version: str
    root: str = ""
    settings: str = ""  # one sentence for the report
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise StartError(f"{self.name} is not running.")
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it serves.

        Raises
        ------
        StartError
            It ended, or did not serve within 30 s.
        """
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        question = request_bytes("GET", self.ready, {"Accept": "*/*"})
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with Connection(self.port, timeout=5) as connection:
                    if connection.exchange(question).status == 200:
                        return
            except (OSError, HttpError):
                pass
            time.sleep(0.05)
        self.stop()
        tail = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip(" ^~")][-4:]
        raise StartError(f"{self.name} did not start.\n  " + "\n  ".join(tail))

    def stop(self) -> None:
        """End it, its whole process group if it does not go by itself."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):  # the group outlives its leader only if something hangs
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binary(candidates: tuple[str, ...]) -> str | None:
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    return None


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout + done.stderr).strip()


def missing() -> list[str]:
    """What is not installed, one sentence each."""
    sentences = []
    if _binary(ORTHANC_BINARIES) is None or _orthanc_plugin() is None:
        sentences.append("Orthanc with its DICOMweb plugin is missing (Debian: apt install orthanc orthanc-dicomweb).")
    if _binary(NGINX_BINARIES) is None:
        sentences.append("nginx is missing (Debian: apt install nginx-light).")
    return sentences


def _orthanc_plugin(name: str = "DicomWeb") -> Path | None:
    for folder in ORTHANC_PLUGIN_FOLDERS:
        for found in sorted(Path(folder).glob(f"libOrthanc{name}.so*")):
            return found
    return None


def skiagraph(folder: Path, workers: int) -> Server:
    """This project, from the environment that runs the measurements."""
    from importlib.metadata import version

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(Path(sys.executable).with_name("skiagraph")), "serve", "--data", str(folder / "data")]
    return Server(
        name="skiagraph",
        command=[*command, "--port", str(port), "--workers", str(workers)],
        folder=folder,
        port=port,
        ready="/readyz",
        version=version("skiagraph"),
        root="/dicom-web",
        settings=f"defaults (durable), {workers} workers, log level warning",
        environment={"SKIAGRAPH_LOG_LEVEL": "warning"},
    )


def orthanc(folder: Path) -> Server | None:
    """Orthanc with SQLite and its DICOMweb plugin; None when one of them is missing."""
    binary, plugin, gdcm = _binary(ORTHANC_BINARIES), _orthanc_plugin(), _orthanc_plugin("Gdcm")
    if binary is None or plugin is None:
        return None
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = {
        "Name": "benchmark",
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "TemporaryDirectory": str(folder),
        "StorageCompression": False,
        "SyncStorageArea": True,
        "Plugins": [str(one) for one in (plugin, gdcm) if one is not None],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpPort": port,
        "KeepAlive": True,
        "TcpNoDelay": True,
        "DicomServerEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration, indent=2))
    first = (_output(binary, "--version").splitlines() or ["?"])[0].rpartition(" ")[2]
    return Server(
        name="Orthanc",
        command=[binary, str(folder / "orthanc.json")],
        folder=folder,
        port=port,
        ready="/system",
        version=f"{first}, DICOMweb plugin {plugin.resolve().name.partition('.so.')[2] or '?'}",
        root="/dicom-web",
        settings="defaults: SQLite, SyncStorageArea, complete metadata (“Full”), storage cache of 128 MB, keep-alive, "
        + ("GDCM plugin" if gdcm else "without its GDCM plugin, which JPEG 2000 needs"),
    )


def nginx(folder: Path, workers: int) -> Server | None:
    """nginx that serves ``folder/files`` as they are; None when it is missing."""
    binary = _binary(NGINX_BINARIES)
    if binary is None:
        return None
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "ready").write_bytes(b"ready\n")
    port = free_port()
    scratch = " ".join(
        f"{kind}_temp_path {folder}/temp_{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root, nginx would serve as another user, who may not enter the temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"""{user} daemon off; worker_processes {workers}; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; {scratch}
  types {{ application/dicom dcm; }}
  server {{ listen 127.0.0.1:{port}; root {files}; }}
}}
"""
    )
    return Server(
        name="nginx",
        command=[binary, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")],
        folder=folder,
        port=port,
        ready="/ready",
        version=_output(binary, "-v").rpartition("/")[2],
        settings=f"static files, sendfile, {workers} workers",
    )


def floor(folder: Path, workers: int) -> Server:
    """A server of the same making as skiagraph that reads and throws away: what HTTP alone costs."""
    from importlib.metadata import version

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(Path(sys.executable).with_name("granian")), "--interface", "asginl", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--no-ws", "--http", "1", "--log-level", "error"]
    return Server(
        name="floor",
        command=[*command, "benchmarks.floor:app"],
        folder=folder,
        port=port,
        ready="/",
        version=f"granian {version('granian')}",
        root="",
        settings=f"a small ASGI program that reads bodies and throws them away, or sends bytes from memory;"
        f" {workers} workers",
        environment={"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )


@contextlib.contextmanager
def running(*servers: Server | None) -> Iterator[list[Server]]:
    """Start those that exist; all are stopped at the end, whatever happens."""
    started: list[Server] = []
    try:
        for server in servers:
            if server is not None:
                started.append(server)
                server.start()
        yield started
    finally:
        for server in reversed(started):
            server.stop()

"""Where the time of a Store or a read goes: one worker in this process under cProfile, load from others.

``python -m benchmarks.profile_store [--batches 3] [--read frame] [--sort cumulative]``. Threads are profiled too
(before Python 3.12, which has one profiler for all). The profiler itself slows Python code two- to threefold:
shares, not times, are to be read.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from . import data, reads
from .data import Key
from .load import Senders
from .servers import free_port

LOAD = "load"  # the thread that sends; it is not what is looked at
PER_THREAD = sys.version_info < (3, 12)
_profiles: list[cProfile.Profile] = []


def _profile_new_threads() -> None:
    """Let every thread that starts from now on count its own calls."""
    plain = threading.Thread.run

    def run(self: threading.Thread) -> None:
        if self.name == LOAD:
            return plain(self)
        profile = cProfile.Profile()
        _profiles.append(profile)
        return profile.runcall(plain, self)

    threading.Thread.run = run  # type: ignore[method-assign]


def _load(port: int, arguments: argparse.Namespace) -> str:
    """Send, from outside the profiled threads; what was measured, as a sentence."""
    size = arguments.batch
    with Senders(data.ct()) as senders:
        rates = []
        for number in range(arguments.batches):
            senders.make([Key(1 + number, 1, instance) for instance in range(1, size + 1)])
            rates.append(senders.send(port, "/dicom-web/studies").rate)
        said = "stored " + ", ".join(f"{rate:.0f}/s" for rate in rates)
    if arguments.read:
        read = next(read for read in reads.READS if read.name == arguments.read)
        with reads.Reader(port) as reader:
            heads = read.heads("/dicom-web")
            times = sorted(reader.ask(heads[place % len(heads)])[0] for place in range(arguments.requests))
        said += f"; {read.title}: median {times[len(times) // 2]:.3f} ms of {len(times)}"
    return said


async def _serve(arguments: argparse.Namespace, folder: Path) -> str:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    from skiagraph import app
    from skiagraph.settings import load

    port = free_port()
    settings = load(data=folder, port=port, workers=1, log_level="warning")
    # Untyped here: the embedded server takes the application itself, not a name.
    server: Any = Server(
        app.asgi(settings), address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False
    )
    serving = asyncio.ensure_future(server.serve())
    await asyncio.sleep(0.3)
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def drive() -> None:
        try:
            said = _load(port, arguments)
        except Exception as error:
            said = f"failed: {error}"
        loop.call_soon_threadsafe(outcome.set_result, said)

    threading.Thread(target=drive, name=LOAD, daemon=True).start()
    try:
        return await outcome
    finally:
        server.stop()
        await asyncio.wait([serving], timeout=5)


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_store", description=__doc__)
    parser.add_argument("--batches", type=int, default=3, help="batches that are stored")
    parser.add_argument("--batch", type=int, default=100, help="instances in each")
    parser.add_argument("--read", choices=[read.name for read in reads.READS], help="also this read, afterwards")
    parser.add_argument("--requests", type=int, default=1000, help="how often")
    parser.add_argument("--sort", default="tottime", choices=["tottime", "cumulative", "ncalls"])
    parser.add_argument("--top", type=int, default=45, help="lines to print")
    parser.add_argument("--plain", action="store_true", help="without the profiler: the rate of one worker")
    arguments = parser.parse_args()
    try:
        from uvloop import run
    except ImportError:
        run = asyncio.run  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(prefix="skiagraph-profile-") as folder:
        if arguments.plain:
            print(run(_serve(arguments, Path(folder))))
            return
        main_profile = cProfile.Profile()
        _profiles.append(main_profile)
        if PER_THREAD:
            _profile_new_threads()
        said = main_profile.runcall(run, _serve(arguments, Path(folder)))
    print(said)
    statistics = pstats.Stats(main_profile)
    for profile in _profiles[1:]:
        try:
            statistics.add(profile)
        except TypeError:
            pass  # a thread that has not ended has nothing to add yet
    statistics.strip_dirs().sort_stats(arguments.sort).print_stats(arguments.top)


if __name__ == "__main__":
    main()

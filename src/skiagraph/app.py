"""The composition root: settings → back-ends → services → ASGI application.

The only module that knows concrete classes.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import values

from skiagraph.blobs import secret
from skiagraph.blobs.file import FileBlobStore
from skiagraph.blobs.scratch import FileScratch
from skiagraph.bus.base import Topic
from skiagraph.bus.local import LocalBus, call
from skiagraph.errors import ArchiveError
from skiagraph.index.sql import SqlIndex
from skiagraph.services import (
    bulkdata,
    committing,
    delete,
    event_queue,
    feed,
    frames,
    metadata,
    modality_worklist,
    performed_steps,
    rendered,
    retrieve,
    search,
    storage_commitment,
    store,
    subscriptions,
    thumbnail,
    upkeep,
    uri,
    workitem_state,
    worklist,
)
from skiagraph.services.archive import Archive
from skiagraph.services.commit import GroupCommit
from skiagraph.services.journal import Journal
from skiagraph.services.notifications import Notifier
from skiagraph.services.open_videos import OpenVideos
from skiagraph.services.recent import Recent
from skiagraph.settings import DAY, MIB, Settings
from skiagraph.wire.transaction import Transaction
from skiagraph.workers import Workers

TRANSACTIONS: tuple[Transaction, ...] = (
    *store.TRANSACTIONS,
    *search.TRANSACTIONS,
    *retrieve.TRANSACTIONS,
    *metadata.TRANSACTIONS,
    *frames.TRANSACTIONS,
    *bulkdata.TRANSACTIONS,
    *rendered.TRANSACTIONS,
    *thumbnail.TRANSACTIONS,
    *uri.TRANSACTIONS,
    *delete.TRANSACTIONS,
    *storage_commitment.TRANSACTIONS,
    *worklist.TRANSACTIONS,
    *workitem_state.TRANSACTIONS,
    *subscriptions.TRANSACTIONS,
    *event_queue.TRANSACTIONS,
    *feed.TRANSACTIONS,
    *modality_worklist.TRANSACTIONS,
    *performed_steps.TRANSACTIONS,
)
"""Everything this server does; router, documents, access control and tests are made from it."""

BACKGROUND: tuple[Callable[[Archive], Coroutine[Any, Any, None]], ...] = (
    upkeep.run,
    upkeep.say_goodbye,
    lambda archive: archive.committing.run(archive),
)
"""What each process does besides answering."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_FAREWELL = 0.2  # seconds for the last reports to go out
_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h


class NotAllowedToListen(ArchiveError):
    """The server would be open to others without asking anybody who they are."""


class PortTaken(ArchiveError):
    """The port to listen on is taken."""


class IndexMissing(ArchiveError):
    """There are blobs but no index of them."""


def check_index(settings: Settings) -> None:
    """Refuse to go on where blobs have lost their index: an empty one would make leftovers of them all.

    Raises
    ------
    IndexMissing
        The message names the command that makes an index from the blobs.
    """
    if not index_path(settings).exists() and any(blob_store(settings).keys()):
        raise IndexMissing(
            f"{settings.data.absolute()} holds instances but no index. Make one from them first:"
            f" skiagraph reindex --data {settings.data}"
        )


def blob_store(settings: Settings) -> FileBlobStore:
    """Open the blobs alone."""
    return FileBlobStore(settings.data / "blobs", durable=settings.durable, keep_free=settings.keep_free_bytes)


def scratch(settings: Settings) -> FileScratch:
    """Open what was made on request alone."""
    return FileScratch(settings.data / "made", settings.video_bytes, keep_free=settings.keep_free_bytes)


def index_path(settings: Settings) -> Path:
    """Where the index file is."""
    return settings.data / "index.sqlite"


def open_archive(settings: Settings) -> Archive:
    """Open blobs and index, creating them where they are not there yet."""
    settings.data.mkdir(parents=True, exist_ok=True)
    blobs = blob_store(settings)
    index = SqlIndex.open(index_path(settings), durable=settings.durable)
    bus = LocalBus(settings.data / "bus")
    journal = Journal(index, bus)
    return Archive(
        settings,
        blobs,
        index,
        GroupCommit(blobs, index, settings.duplicates, bus, keep_committed=settings.commitment_days * DAY),
        Recent(settings.recent_bytes),
        bus,
        journal,
        Notifier(index, bus, journal),
        Workers(settings.pixel_threads, settings.pixel_bytes),
        functools.cache(functools.partial(secret.load, settings.data / "anonymization.key")),
        scratch(settings),
        OpenVideos(settings.pixel_threads),
    )


def _reuse_memory() -> None:
    """Have the C library keep freed buffers of up to 32 MiB for the next request, 64 MiB in all.

    By default it gives each back to the kernel, and getting the next one costs more than reading a file into it:
    100 Instances of 530 KB go out three times as fast so.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc: nothing to do
    mallopt(_M_MMAP_THRESHOLD, 32 * MIB)
    mallopt(_M_TRIM_THRESHOLD, 64 * MIB)


def _tune_python() -> None:
    """Look for reference cycles less often: data sets are made of many small objects, and none is one.

    And change between threads sooner: the one that commits shall not wait for the one that reads.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


def asgi(settings: Settings, *, parent: int | None = None) -> Any:
    """Return the ASGI application with everything open.

    Parameters
    ----------
    parent
        Process that started this one as one of several workers.
    """
    # Imported here: the command line needs no web framework.
    from skiagraph.http import observe
    from skiagraph.http.asgi import Edge
    from skiagraph.http.operations import operations
    from skiagraph.http.router import Router

    if parent is not None:
        _end_with_parent(parent)
    _reuse_memory()
    observe.configure_logging(settings.log_format, settings.log_level)
    archive = open_archive(settings)
    edge = Edge(archive, Router(TRANSACTIONS), operations(archive, several_processes=parent is not None), BACKGROUND)
    _tune_python()
    return edge


def recover(settings: Settings) -> int:
    """Remove what crashed processes left behind; return how many files. Raises IndexMissing."""
    check_index(settings)
    archive = open_archive(settings)
    archive.scratch.clear()
    try:
        archive.index.together([lambda books: upkeep.announce_start(books, settings), committing.release])
        return archive.blobs.recover(archive.index.known)
    finally:
        archive.index.close()


def check_listening(settings: Settings) -> None:
    """Refuse to serve patients' images to a network without asking anybody who they are.

    Raises
    ------
    NotAllowedToListen
        The address is not a loopback address and `insecure` is off.
    """
    if settings.insecure or settings.host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotAllowedToListen(
            f"{settings.host} can be reached by others, and this version of skiagraph asks nobody for credentials."
            " Listen on 127.0.0.1 behind a proxy that does, or say --insecure if the network is closed."
        )


def check_port(settings: Settings) -> None:
    """Refuse a port that is taken.

    The workers share their port so that the kernel deals out connections; without this check they would share it with
    another server just as well, and Instances would go to either archive.

    Raises
    ------
    PortTaken
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do no harm
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise PortTaken(
                f"{settings.host}:{settings.port} can not be listened on: {error.strerror}. Is another server running?"
                " Take another port with --port."
            ) from error


def _end_with_parent(parent: int) -> None:
    """Have the kernel end this worker when the process that started it dies, even by kill -9.

    Nobody could stop or replace it any more. A softer signal could be lost while the worker starts.
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask
        raise SystemExit(1)


@contextmanager
def _shared_measures() -> Iterator[None]:
    """Let the worker processes share one folder for their measures."""
    folder = tempfile.mkdtemp(prefix="skiagraph-measures-")
    # How prometheus_client wants to be told; it looks once, when it is imported, and that was before.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        shutil.rmtree(folder, ignore_errors=True)


def serve(settings: Settings, *, on_ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first.

    Parameters
    ----------
    on_ready
        Called once the server answers, in a thread of its own.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    check_listening(settings)
    check_port(settings)
    recover(settings)
    _preload()
    with _shared_measures():
        server = Granian(
            "skiagraph.app:asgi",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            workers=settings.workers,
            loop=Loops.uvloop,
            http=HTTPModes.auto,
            http1_settings=HTTP1Settings(max_buffer_size=256 * 1024),
            websockets=True,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=60,
            backlog=1024,
        )
        server.on_startup(functools.partial(_announce_stop, settings.data / "bus"))
        if on_ready is not None:
            _when_ready(settings, on_ready)
        server.serve(target_loader=functools.partial(asgi, settings, parent=os.getpid()), wrap_loader=False)


def _announce_stop(bus: Path) -> None:
    """Have the workers tell their subscribers before they are stopped. Called when the server has its handlers set.

    Once a worker gets its own signal, nothing more leaves it by the connections that are open.
    """

    def around(stop: Any) -> Any:
        def handler(*arguments: Any) -> None:
            call(bus, Topic.STOPPING)
            time.sleep(_FAREWELL)
            stop(*arguments)

        return handler

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, around(signal.getsignal(number)))


def _preload() -> None:
    """Import what every worker needs before they are forked, so that they share its memory."""
    import skiagraph.http.asgi
    import skiagraph.http.operations  # noqa: F401

    gc.collect()
    gc.freeze()


def _when_ready(settings: Settings, then: Callable[[], None]) -> None:
    import http.client
    import threading

    def wait() -> None:
        while True:
            try:
                connection = http.client.HTTPConnection(settings.host, settings.port, timeout=5)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                connection.close()
                break
            except OSError:
                time.sleep(0.05)
        then()

    threading.Thread(target=wait, daemon=True).start()

"""What operators see: one access line and the Prometheus measures of every request.

No query strings, no payloads and no values of data sets: nothing that could hold a patient's name.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import orjson
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

REQUESTS = Counter("skiagraph_requests", "Requests by transaction and status", ["transaction", "status"])
FIRST_BYTE = Histogram(
    "skiagraph_first_byte_seconds",
    "Time until the status was sent",
    ["transaction"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECEIVED = Counter("skiagraph_received_bytes", "Payload bytes received", ["transaction"])
SENT = Counter("skiagraph_sent_bytes", "Payload bytes sent", ["transaction"])
ABORTED = Counter("skiagraph_aborted_responses", "Responses that failed after the status was sent", ["transaction"])

CONNECTIONS = Gauge("skiagraph_connections", "Open notification connections", multiprocess_mode="livesum")

access = structlog.get_logger("access")


def configure_logging(form: str, level: str) -> None:
    """Send the log to standard error, as text for people or as JSON for machines."""
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if form == "json":
        processors.append(structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event).decode()))
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


@contextmanager
def connected() -> Iterator[None]:
    """Count an open notification connection."""
    CONNECTIONS.inc()
    try:
        yield
    finally:
        CONNECTIONS.dec()


@cache
def _request_measures(transaction: str, status: int) -> tuple[Any, Any, Any, Any]:
    return (
        REQUESTS.labels(transaction, str(status)),
        FIRST_BYTE.labels(transaction),
        RECEIVED.labels(transaction),
        SENT.labels(transaction),
    )


def count(transaction: str, status: int, *, first_byte: float, received: int, sent: int) -> None:
    """Count one request; `first_byte` in seconds."""
    requests, histogram, incoming, outgoing = _request_measures(transaction, status)
    requests.inc()
    histogram.observe(first_byte)
    if received:
        incoming.inc(received)
    if sent:
        outgoing.inc(sent)


def exposition(*, of_all_processes: bool) -> bytes:
    """The measures in the text format of Prometheus: of this process, or of all that share its folder."""
    if of_all_processes:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)

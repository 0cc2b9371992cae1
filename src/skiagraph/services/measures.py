"""What services count for operators; read at /metrics."""

from __future__ import annotations

from prometheus_client import Counter

STORED = Counter("skiagraph_instances_stored", "Instances by what became of them", ["outcome"])
FAILED = Counter("skiagraph_instances_failed", "Instances that were not stored, by Failure Reason", ["reason"])

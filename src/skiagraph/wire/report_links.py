"""Links of SR documents: from references to the evidence, from items to items — PS3.3 C.17.3.2.5, C.18.3 to C.18.5."""

from __future__ import annotations

from collections.abc import Sequence

from skiagraph.standard import structured_report
from skiagraph.standard.report_table import Table, Target
from skiagraph.standard.structured_report import Item, Reference, Report

_MOST_FRAMES = 10
_LINKED = ("IMAGE", "COMPOSITE", "WAVEFORM")


def anchors(report: Report) -> dict[int, str]:
    """The names of the items that others refer to, by the identity (`id`) of the item."""
    found = {}
    for item, _ in structured_report.preorder(report.content):
        cells = item.value.cells.values() if isinstance(item.value, Table) else ()
        for identifier in (item.target, *(cell.identifier for cell in cells if isinstance(cell, Target))):
            target = structured_report.find(report.content, identifier)
            if target is not None:
                found[id(target)] = anchor(identifier)
    return found


def anchor(identifier: Sequence[int]) -> str:
    """The name of the item that a Referenced Content Item Identifier names: ``item-1.2``."""
    return "item-" + ".".join(map(str, identifier))


def url(item: Item, report: Report, base_url: str) -> str:
    """The rendered form of what an item references; "" where the document does not tell where it belongs.

    Parameters
    ----------
    base_url
        Base URI as the client sees it, without trailing slash.
    """
    reference = item.value
    if item.value_type not in _LINKED or not isinstance(reference, Reference):
        return ""
    place = report.place(reference.sop_instance_uid)
    if place is None:
        return ""
    numbers = sorted({frame for frame in reference.frames if frame > 0})
    if not 0 < len(numbers) <= _MOST_FRAMES:
        return f"{base_url}/{place}/rendered"
    return f"{base_url}/{place}/frames/{','.join(map(str, numbers))}/rendered"

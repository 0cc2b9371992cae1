"""Waveforms as rows over time: one for each channel, with its values, its unit and a time axis below all.

Channels have a scale each. Those of a neurophysiological recording share one, so that they can be compared; sound is
drawn around silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.page import Colour, Curve, Page, Rule, Words
from skiagraph.pixels.waveform import Channel, Family, Mark
from skiagraph.pixels.waveform_plan import LEFT, RIGHT, Panel
from skiagraph.pixels.waveform_samples import Trace
from skiagraph.pixels.waveform_scale import FAINT, INK, SOFT, caption, clock, draw_mark, placed, ticks

_AXIS = 52.0  # where traces begin
_END = RIGHT - 4.0
_WIDTH = 0.25
_ROOMY = 8.0  # millimetres of a row that has room for values
_COLOURS: tuple[Colour, ...] = ((22, 82, 140), (160, 60, 40), (34, 110, 70), (110, 66, 140), (140, 98, 20))


def draw_rows(page: Page, panel: Panel, trace: Trace, marks: Sequence[Mark], family: Family) -> None:
    """Draw a panel of rows."""
    bottom = panel.top + panel.span.shown * panel.pitch
    millimetres = (_END - _AXIS) / panel.seconds  # of a second
    for time in ticks(0.0, panel.seconds, 10, clock=True):
        x = _AXIS + time * millimetres
        page.shapes.append(Rule(x, panel.top, x, bottom + 1.0, FAINT))
        page.shapes.append(Words(x, bottom + 4.0, clock(time, panel.seconds), 2.4, SOFT, "m"))
    limits = _limits(trace.values, family)
    for number, (low, high) in enumerate(limits):
        channel = panel.span.group.channels[number]
        row = _Row(panel.top + number * panel.pitch, panel.pitch, low, high)
        page.shapes.append(Rule(_AXIS, row.top + row.pitch, _END, row.top + row.pitch, FAINT))
        _label(page, channel, row, values=family is not Family.AUDIO or bool(channel.unit))
        free = -math.inf
        for start, end, text in placed(marks, channel, 0.0, panel.seconds):
            left, right = (_AXIS + min(time, panel.seconds) * millimetres for time in (start, end))
            free = draw_mark(page, left, right, row.top + 0.5, row.top + row.pitch - 0.5, text, free)
        xs = _AXIS + (trace.times + channel.skew) * millimetres
        colour = channel.colour or _COLOURS[number % len(_COLOURS) if family is Family.OTHER else 0]
        colour = _pale(colour) if panel.overview else colour
        page.shapes.append(Curve(np.column_stack([xs, row.y(trace.values[:, number])]), colour, _WIDTH))
    page.shapes.append(Rule(_AXIS, panel.top, _AXIS, bottom, SOFT))
    page.shapes.append(Rule(_AXIS, bottom, _END, bottom, SOFT))
    shared = ""
    if family is Family.NEURO and limits:
        unit = panel.span.group.channels[0].unit
        shared = f"each row {limits[0][1] - limits[0][0]:.3g} {unit}".rstrip()
    page.shapes.append(Words(LEFT, bottom + 8.2, caption(panel, shared), 2.6, SOFT, most=RIGHT - LEFT))


def _pale(colour: Colour) -> Colour:
    """Of an overview, which is more of a band than of a line."""
    red, green, blue = ((part + 255) // 2 for part in colour)
    return red, green, blue


class _Row:
    """Where the values of a channel are."""

    def __init__(self, top: float, pitch: float, low: float, high: float) -> None:
        self.top, self.pitch, self.low, self.high = top, pitch, low, high

    def y(self, values: NDArray[np.float32] | float) -> NDArray[np.float64]:
        """Millimetres from the top of the page; never far outside of the row."""
        parts = np.clip((self.high - np.asarray(values, np.float64)) / (self.high - self.low), -0.3, 1.3)
        found: NDArray[np.float64] = self.top + self.pitch * (0.06 + 0.88 * parts)
        return found


def _label(page: Page, channel: Channel, row: _Row, *, values: bool) -> None:
    middle = row.top + row.pitch / 2
    aside = " ".join([channel.unit, *channel.status]).strip()
    if row.pitch < _ROOMY:
        text = f"{channel.label}  {aside}".rstrip()
        size = min(row.pitch * 0.55, 2.8)
        page.shapes.append(Words(LEFT, middle + 1.0, text, size, INK, most=_AXIS - LEFT - 2.0))
        return
    page.shapes.append(Words(LEFT, middle + (0.0 if aside else 1.0), channel.label, 3.0, INK, most=32.0))
    page.shapes.append(Words(LEFT, middle + 3.6, aside, 2.4, SOFT, most=32.0))
    for value in ticks(row.low, row.high, 2 if row.pitch < 16.0 else 4) if values else ():
        y = float(row.y(value))
        page.shapes.append(Rule(_AXIS - 0.8, y, _END, y, FAINT))
        page.shapes.append(Words(_AXIS - 1.4, y + 0.8, f"{value:.6g}", 2.2, SOFT, "r"))


def _limits(values: NDArray[np.float32], family: Family) -> list[tuple[float, float]]:
    """The least and the greatest value of each row; the second is always greater."""
    ranges = []
    for column in values.T:
        finite = column[np.isfinite(column)].astype(np.float64)
        if not finite.size:
            ranges.append((0.0, 0.0, 0.0))
        elif family is Family.NEURO:
            middle = float(np.median(finite))
            ranges.append((middle, middle, float(np.quantile(np.abs(finite - middle), 0.998))))
        elif family is Family.AUDIO:
            ranges.append((0.0, 0.0, float(np.abs(finite).max())))
        else:
            ranges.append((float(finite.min()), float(finite.max()), 0.0))
    if family is Family.NEURO and ranges:
        widest = max(extent for _, _, extent in ranges)
        ranges = [(low, high, widest) for low, high, _ in ranges]
    return [_apart(low - extent, high + extent) for low, high, extent in ranges]


def _apart(low: float, high: float) -> tuple[float, float]:
    least = max(abs(low), abs(high), 1.0) * 1e-6
    return (low, high) if high - low > least else (low - max(least, 1.0), high + max(least, 1.0))

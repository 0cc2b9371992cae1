"""The ECG on its paper: 25 mm/s and 10 mm/mV on millimetre squares, as its readers know it.

Each lead is drawn around its own median, as on paper: an ECG tells nothing of the level. Where leads would run over
each other, the gain is halved, as on paper again; the calibration pulse says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.page import Colour, Curve, Grid, Page, Rule, Words
from skiagraph.pixels.waveform import Channel, Group, Mark
from skiagraph.pixels.waveform_plan import LEFT, PAPER_LEFT, RIGHT, SPEED, STRIP, Panel
from skiagraph.pixels.waveform_samples import Trace
from skiagraph.pixels.waveform_scale import INK, SOFT, caption, clock, draw_mark, placed

_LINES: tuple[tuple[float, Colour], ...] = ((1.0, (251, 231, 229)), (5.0, (240, 190, 186)))
_WIDTH = 0.3  # millimetres of a trace
_GAINS = (10.0, 5.0, 2.5, 1.0, 0.5, 0.25, 0.1)
_ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_RHYTHM = "II"


@dataclass(frozen=True, slots=True)
class _Strip:
    """Some time of one lead, at a place on the paper."""

    channel: Channel
    row: int
    left: float
    start: float
    end: float
    label: str
    divided: bool = False
    """Another lead is before it, without a gap."""


def draw_paper(page: Page, panel: Panel, trace: Trace, marks: Sequence[Mark]) -> None:
    """Draw a panel of an ECG."""
    paper_height = panel.height - 4.0
    first = PAPER_LEFT - math.floor((PAPER_LEFT - LEFT) / 5.0) * 5.0  # a line goes through where the traces begin
    last = PAPER_LEFT + math.floor((RIGHT - PAPER_LEFT) / 5.0) * 5.0
    for step, colour in _LINES:
        page.shapes.append(Grid(first, panel.top, last, panel.top + paper_height, step, colour))
    volts = _millivolts(panel.span.group, trace)
    gain = _gain(volts, panel.pitch)
    strips = _strips(panel)
    for row in sorted({strip.row for strip in strips}):
        _pulse(page, _base(panel, row), gain)
    for strip in strips:
        base = _base(panel, strip.row)
        if panel.style != "3 x 4" or strip.row == len(_ROWS):  # elsewhere there is no room for words
            free = -math.inf
            for start, end, text in placed(marks, strip.channel, strip.start, strip.end):
                left, right = (strip.left + (time - strip.start) * SPEED for time in (start, min(end, strip.end)))
                free = draw_mark(page, left, right, base + panel.pitch * 0.2, base + panel.pitch * 0.42, text, free)
        wanted = (trace.times >= strip.start - 1e-9) & (trace.times <= strip.end + 1e-9)
        xs = strip.left + (trace.times[wanted] - strip.start + strip.channel.skew) * SPEED
        ys = base - volts[wanted, strip.channel.number - 1].astype(np.float64) * gain
        ys = np.clip(ys, panel.top - 8.0, panel.top + paper_height + 2.0)
        page.shapes.append(Curve(np.column_stack([xs, ys]), strip.channel.colour or INK, _WIDTH))
        if strip.divided:
            page.shapes.append(Rule(strip.left, base - 4.0, strip.left, base + 4.0, INK))
        label = " ".join([strip.label, *strip.channel.status])
        page.shapes.append(Words(strip.left + 1.0, base - panel.pitch * 0.33, label, 3.2, INK, most=58.0))
    scales = f"{SPEED:g} mm/s", f"{gain:g} mm/mV"
    bottom = panel.top + panel.height
    page.shapes.append(Words(first, bottom - 0.6, caption(panel, *scales), 2.6, SOFT, most=RIGHT - LEFT))


def _base(panel: Panel, row: int) -> float:
    return panel.top + 2.5 + panel.pitch * (row + 0.55)


def _strips(panel: Panel) -> list[_Strip]:
    channels = panel.span.group.channels
    if panel.style == "3 x 4":
        return _three_by_four(channels, panel.seconds)
    if panel.style == "grid":
        return _grid(channels, panel)
    strips = []
    for line in range(panel.lines):
        start = line * STRIP
        end = panel.seconds if line == panel.lines - 1 else start + STRIP
        for place, channel in enumerate(channels):
            label = (channel.lead or channel.label) + (f"  {clock(start)}" if line else "")
            strips.append(_Strip(channel, line * len(channels) + place, PAPER_LEFT, start, end, label))
    return strips


def _three_by_four(channels: Sequence[Channel], seconds: float) -> list[_Strip]:
    """2.5 s of each of the 12 leads, one behind the other in time, and all of lead II below."""
    by_lead = {channel.lead: channel for channel in reversed(channels)}
    quarter = STRIP / 4
    strips = []
    for row, leads in enumerate(_ROWS):
        for column, lead in enumerate(leads):
            start = column * quarter
            left = PAPER_LEFT + start * SPEED
            strips.append(_Strip(by_lead[lead], row, left, start, min(start + quarter, seconds), lead, column > 0))
    return [*strips, _Strip(by_lead[_RHYTHM], len(_ROWS), PAPER_LEFT, 0.0, seconds, _RHYTHM)]


def _grid(channels: Sequence[Channel], panel: Panel) -> list[_Strip]:
    """Whole leads beside each other: limb leads above or before chest leads, whichever the number of rows allows."""
    across = math.ceil(len(channels) / panel.rows)
    strips = []
    for place, channel in enumerate(channels):
        row, column = divmod(place, across)
        if panel.rows > 2:
            column, row = divmod(place, panel.rows)
        left = PAPER_LEFT + column * panel.step
        strips.append(_Strip(channel, row, left, 0.0, panel.seconds, channel.lead or channel.label))
    return strips


def _millivolts(group: Group, trace: Trace) -> NDArray[np.float32]:
    """The values around the level that each lead has most of the time."""
    shown = trace.values.shape[1]
    volts = trace.values * np.array([channel.millivolts or 1.0 for channel in group.channels[:shown]], np.float32)
    for column in volts.T:
        finite = column[np.isfinite(column)]
        if finite.size:
            column -= np.median(finite)
    return volts


def _gain(volts: NDArray[np.float32], pitch: float) -> float:
    """Millimetres of a millivolt."""
    finite = np.abs(volts[np.isfinite(volts)])
    tallest = float(np.quantile(finite, 0.999)) if finite.size else 0.0
    return next((gain for gain in _GAINS if tallest * gain <= max(pitch, 15.0) * 0.85), 0.01)


def _pulse(page: Page, base: float, gain: float) -> None:
    """The calibration pulse: a millivolt high, 0.2 s long."""
    left = PAPER_LEFT - 10.0
    xs = np.array([0.0, 2.0, 2.0, 7.0, 7.0, 9.0]) + left
    ys = base - np.array([0.0, 0.0, gain, gain, 0.0, 0.0])
    page.shapes.append(Curve(np.column_stack([xs, ys]), INK, _WIDTH))

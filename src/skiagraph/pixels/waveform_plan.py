"""The page that waveforms are drawn on, before their samples are known: which part of which group goes where.

ECGs get millimetre paper, everything else rows over time. Of recordings that are too long to be seen on one page, the
first seconds are drawn, and all of it below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from skiagraph.pixels.waveform import LEADS, Family, Group, Waveform
from skiagraph.pixels.waveform_samples import Span

PIXELS: Final = 5
"""Of a millimetre, where no other size is asked for: 127 dpi."""

SPEED: Final = 25.0
"""Millimetres of paper for a second of an ECG."""

STRIP: Final = 10.0
"""Seconds of an ECG that stand beside each other."""

WIDTH: Final = 297.0
"""Millimetres, of A4 across."""

LEFT: Final = 8.0
RIGHT: Final = 289.0
PAPER_LEFT: Final = 22.0
"""Where traces begin on ECG paper; the calibration pulse is before it."""

BELOW: Final = 14.0
"""Millimetres at the bottom, for the technique where that is asked for."""

_ABOVE = 20.0  # for the patient, where that is asked for, and for what was said of the whole
_BETWEEN = 4.0
_CAPTION = 9.0  # below the rows of a panel, with its axis
_TALLEST = 180.0  # millimetres of the rows of a panel, unless there are very many
_SHORTEST_STRIP = 9.9  # of 12 leads, for the usual look
_MOST_ROWS = 24  # on ECG paper
_GAP = 8.0  # millimetres between leads beside each other
_BEGINNING = 10.0  # seconds that are drawn of what is too long
_LONGEST = {Family.ECG: 3 * STRIP, Family.NEURO: 30.0, Family.OTHER: 180.0, Family.AUDIO: math.inf}
_COLUMNS = 2600  # that a long recording is drawn in: more than the usual picture has pixels

Style: TypeAlias = Literal["3 x 4", "grid", "lines", "rows"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page: some time of one group, from its beginning."""

    style: Style
    """On paper: ``3 x 4`` leads with a rhythm strip, a ``grid`` of whole short leads, ``lines`` that go on below each
    other; ``rows``: one for each channel over a time axis."""
    span: Span
    top: float
    height: float
    pitch: float
    """Millimetres from row to row."""
    overview: bool = False
    """All of a recording whose beginning has a panel of its own."""

    @property
    def seconds(self) -> float:
        return self.span.count / self.span.group.frequency

    @property
    def rows(self) -> int:
        """Of a ``grid``: how many leads are below each other."""
        return _grid_rows(self.span.group)

    @property
    def step(self) -> float:
        """Millimetres from lead to lead beside each other."""
        return self.seconds * SPEED + _GAP

    @property
    def lines(self) -> int:
        """Of ``lines``: how many times all channels stand below each other."""
        return _lines(self.seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """A page, as wide as A4 across and as high as it has to be."""

    waveform: Waveform
    panels: tuple[Panel, ...]
    height: float
    width: float = WIDTH

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the picture where no other size is asked for."""
        return round(self.width * PIXELS), round(self.height * PIXELS)


def plan(waveform: Waveform) -> Plan:
    """Lay out a page for the groups that can be drawn."""
    panels: list[Panel] = []
    top = _ABOVE
    for group in waveform.drawable:
        for panel in _panels(waveform.family, group, top):
            panels.append(panel)
            top = panel.top + panel.height + _BETWEEN
    problems = len(waveform.groups) - len(waveform.drawable)
    return Plan(waveform, tuple(panels), top + 4.5 * problems + BELOW)


def _panels(family: Family, group: Group, top: float) -> list[Panel]:
    panels = []
    if family is Family.ECG and all(channel.millivolts for channel in group.channels):
        panel = _paper(group, top)
        if panel is not None:
            panels.append(panel)
    elif group.duration > _LONGEST[family]:
        panels.append(_rows(group, max(round(_BEGINNING * group.frequency), 1), top))
    if not panels:
        return [_rows(group, group.samples, top)]
    # By a few samples longer than 10 s is not longer
    if group.duration > panels[0].seconds + 0.6:
        panels.append(_rows(group, group.samples, top + panels[0].height + _BETWEEN, overview=True))
    return panels


def _paper(group: Group, top: float) -> Panel | None:
    """Paper for an ECG; None for more leads than it has room for."""
    count = len(group.channels)
    strip = max(min(round(STRIP * group.frequency), group.samples), 1)
    if group.duration >= _SHORTEST_STRIP and {channel.lead for channel in group.channels}.issuperset(LEADS):
        return _sheet("3 x 4", group, strip, top, 4)
    if _across(group) > 1 and _grid_rows(group) <= _MOST_ROWS:
        return _sheet("grid", group, group.samples, top, _grid_rows(group))
    if count * _lines(group.duration) <= _MOST_ROWS:
        return _sheet("lines", group, group.samples, top, count * _lines(group.duration))
    return _sheet("lines", group, strip, top, count) if count <= _MOST_ROWS else None


def _sheet(style: Style, group: Group, samples: int, top: float, rows: int) -> Panel:
    pitch = _pitch(rows, 30.0, 10.0)
    return Panel(style, _span(group, samples), top, math.ceil((rows * pitch + 5.0) / 5.0) * 5.0 + 4.0, pitch)


def _across(group: Group) -> int:
    return max(int((RIGHT - PAPER_LEFT + _GAP) // (group.duration * SPEED + _GAP)), 1)


def _grid_rows(group: Group) -> int:
    return math.ceil(len(group.channels) / _across(group))


def _lines(seconds: float) -> int:
    """Lines of 10 s; what the last one has too much, by a few samples, still fits behind it."""
    return max(math.ceil(seconds / STRIP - 0.06), 1)


def _rows(group: Group, count: int, top: float, *, overview: bool = False) -> Panel:
    span = _span(group, min(count, group.samples))
    pitch = _pitch(span.shown, 32.0, 5.0) if not overview else _pitch(span.shown, 16.0, 4.0)
    return Panel("rows", span, top, span.shown * pitch + _CAPTION, pitch, overview)


def _span(group: Group, count: int) -> Span:
    return Span(group, 0, count, _COLUMNS)


def _pitch(rows: int, most: float, least: float) -> float:
    return min(max(_TALLEST / rows, least), most)

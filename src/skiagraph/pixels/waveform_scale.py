"""What the drawings of waveforms have in common: colours, times and values as text, marks of annotations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from skiagraph.pixels.page import Colour, Page, Rule, Words
from skiagraph.pixels.waveform import Channel, Mark
from skiagraph.pixels.waveform_plan import Panel

INK: Final[Colour] = (20, 24, 32)
SOFT: Final[Colour] = (96, 106, 118)
FAINT: Final[Colour] = (222, 227, 232)

_MARK: Final[Colour] = (150, 178, 214)
_MARK_TEXT: Final[Colour] = (72, 108, 158)
_MARK_SIZE = 2.0
_CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def ticks(low: float, high: float, most: int, *, clock: bool = False) -> list[float]:
    """Round values from low to high, at most about so many.

    Parameters
    ----------
    clock
        They are seconds: from a minute on, steps are those of clocks.
    """
    step = (high - low) / max(most, 1)
    if not (step > 0 and math.isfinite(step)):
        return []
    if clock and step > 10:
        rounded = float(next((wide for wide in _CLOCK_STEPS if wide >= step), 86400 * math.ceil(step / 86400)))
    else:
        power = 10.0 ** math.floor(math.log10(step))
        rounded = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)
    first = math.ceil(low / rounded - 1e-9)
    return [number * rounded for number in range(first, math.floor(high / rounded + 1e-9) + 1)]


def clock(seconds: float, of: float = 0.0) -> str:
    """A time as text: ``2.5 s``, from two minutes on ``3:05``, from an hour on ``1:02:00``.

    Parameters
    ----------
    of
        The longest time of the axis, so that all of its times look alike.
    """
    longest = max(seconds, of)
    if longest <= 120:
        return f"{seconds:.6g} s"
    minutes, rest = divmod(round(seconds), 60)
    if longest < 3600:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def caption(panel: Panel, *scales: str) -> str:
    """What a panel shows: the group, its time, its scales, its filters."""
    group, span = panel.span.group, panel.span
    pieces = [group.label or f"Multiplex group {group.number}"]
    pieces.append(f"all {clock(panel.seconds)}" if panel.overview else clock(panel.seconds))
    if span.count < group.samples:
        pieces[-1] = f"first {clock(panel.seconds)} of {clock(group.duration)}"
    pieces += [scale for scale in scales if scale]
    pieces.append(f"{group.frequency:g} Hz")
    pieces.append(_filters(group.channels))
    if span.shown < len(group.channels):
        pieces.append(f"{span.shown} of {len(group.channels)} channels")
    if span.sparse:
        pieces.append("peaks of a sample of the data")
    return "   ·   ".join(piece for piece in pieces if piece)


def _filters(channels: Sequence[Channel]) -> str:
    """The filters, where all channels have the same."""
    found = {channel.filters for channel in channels}
    if len(found) != 1:
        return ""
    low, high, notch = found.pop()
    band = (
        f"{low:g}–{high:g} Hz" if low and high else f"from {low:g} Hz" if low else f"up to {high:g} Hz" if high else ""
    )
    return ", ".join(
        part for part in (f"filter {band}" if band else "", f"notch {notch:g} Hz" if notch else "") if part
    )


def placed(marks: Sequence[Mark], channel: Channel, start: float, end: float) -> Iterator[tuple[float, float, str]]:
    """The marks of a channel in a time, in their order: from, to (None-width marks: the same), text."""
    found = []
    for mark in marks:
        if mark.channels and channel.number not in mark.channels:
            continue
        pairs = [(mark.times[0], mark.times[1])] if mark.segment else [(time, time) for time in mark.times]
        found += [(first, last, mark.text) for first, last in pairs if start <= first < end]
    yield from sorted(found)


def draw_mark(page: Page, left: float, right: float, top: float, bottom: float, text: str, free: float) -> float:
    """A light line, for a range two and one between them, and its text where there is room.

    Parameters
    ----------
    free
        Where the text of the mark before ends.

    Returns
    -------
    float
        Where this one's does.
    """
    page.shapes.append(Rule(left, top, left, bottom, _MARK))
    if right > left:
        page.shapes.append(Rule(right, top, right, bottom, _MARK))
        page.shapes.append(Rule(left, bottom, right, bottom, _MARK))
    if left < free:
        return free
    page.shapes.append(Words(left + 0.5, bottom, text, _MARK_SIZE, _MARK_TEXT, most=40.0))
    return left + min(0.62 * _MARK_SIZE * len(text) + 1.5, 42.0)

"""Waveforms drawn: that a millivolt is 10 mm and a second 25 mm, that gaps are gaps, and that words can be left out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from skiagraph.pixels import waveform_plot
from skiagraph.pixels.rendition import Rendition
from skiagraph.pixels.waveform import Channel, Encoding, Family, Group, Mark, Waveform
from skiagraph.pixels.waveform_plan import PAPER_LEFT, PIXELS, Plan, plan
from skiagraph.pixels.waveform_samples import Samples, Trace
from skiagraph.pixels.waveform_scale import clock, ticks
from skiagraph.standard.rendering import IccProfile, Viewport

FREQUENCY = 500.0


def square(seconds: float = 10.0, height: float = 1000.0) -> NDArray[np.int64]:
    """1 mV for 0.2 s in each second, in µV, from 0.4 s on."""
    time = np.arange(round(seconds * FREQUENCY)) / FREQUENCY
    return np.where((time % 1 >= 0.4) & (time % 1 < 0.6), round(height), 0)


def group(counts: NDArray[Any], unit: str = "uV", scale: float = 1.0) -> Group:
    channels = tuple(Channel(place + 1, "I", "I", unit, scale) for place in range(counts.shape[1]))
    data = counts.astype("<i2").tobytes()
    return Group(1, "RHYTHM", channels, len(counts), FREQUENCY, Encoding("<i2"), -32768, data)


def traces(page: Plan) -> list[Trace]:
    found = []
    for panel in page.panels:
        samples = Samples(panel.span)
        assert isinstance(panel.span.group.data, bytes)
        samples.add(0, panel.span.group.data)
        found.append(samples.trace())
    return found


def shown(of: Waveform, wanted: Rendition | None = None) -> NDArray[np.uint8]:
    page = plan(of)
    data = waveform_plot.encoded(page, traces(page), {}, wanted or Rendition("image/png"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def ink(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return picture.max(axis=2) < 110  # traces; the paper is light


@pytest.mark.parametrize(("height", "gain"), [(1000.0, 10.0), (2900.0, 5.0), (9000.0, 2.5), (30000.0, 0.5)])
def test_an_ecg_is_to_scale(height: float, gain: float) -> None:
    """10 mm/mV and 25 mm/s, as the calibration pulse shows; less gain where it would run over its neighbours."""
    dark = ink(shown(Waveform(Family.ECG, (group(square(height=height)[:, None]),))))
    left = round(PAPER_LEFT * PIXELS)
    pulse = np.argwhere(dark[:, left - 52 : left - 8])
    rise = np.ptp(pulse[:, 0])
    assert rise == pytest.approx(gain * PIXELS, abs=3), "the pulse is a millivolt high"
    line = dark[:, left + 80 :]
    rows = np.flatnonzero(line.sum(axis=1) > 100)
    assert np.ptp(rows) == pytest.approx(height / 1000 * gain * PIXELS, abs=3)
    flanks = np.flatnonzero(dark[rows.min() + 12 : rows.max() - 12].all(axis=0)) if np.ptp(rows) > 40 else []
    if len(flanks):
        starts = flanks[np.diff(flanks, prepend=-99) > 2]
        rising = starts[starts > left][::2]
        assert np.diff(rising) == pytest.approx(np.full(len(rising) - 1, 25 * PIXELS), abs=1.5)
        assert rising[0] == pytest.approx(left + 0.4 * 25 * PIXELS, abs=2)


def test_millivolts_and_microvolts_look_alike() -> None:
    micro = shown(Waveform(Family.ECG, (group(square()[:, None]),)))
    milli = shown(Waveform(Family.ECG, (group(square()[:, None], "mV", 0.001),)))
    assert (micro == milli).all()


def test_the_level_of_an_ecg_does_not_matter() -> None:
    plain = shown(Waveform(Family.ECG, (group(square()[:, None]),)))
    raised = shown(Waveform(Family.ECG, (group(square()[:, None] + 20000),)))
    assert np.abs(plain.astype(int) - raised).mean() < 0.2, "but for a third of a pixel"


def test_gaps_are_gaps() -> None:
    counts = np.zeros((5000, 1), int)
    counts[1000:1500] = -32768
    dark = ink(shown(Waveform(Family.ECG, (group(counts),))))
    left = round(PAPER_LEFT * PIXELS)
    missing = ~dark[150:, left + 100 : left + 1250].any(axis=0)
    assert missing.sum() == pytest.approx(25 * PIXELS, abs=4), "one second"


def test_nothing_but_gaps() -> None:
    shown(Waveform(Family.ECG, (group(np.full((5000, 1), -32768)),)))
    shown(Waveform(Family.OTHER, (group(np.full((5000, 1), -32768)),)))


@pytest.mark.parametrize("family", Family)
def test_flat_lines_and_single_samples(family: Family) -> None:
    for count in (1, 2, 100):
        assert ink(shown(Waveform(family, (group(np.zeros((count, 1), int)),)))).any()


def test_words_can_be_left_out() -> None:
    plain = Waveform(Family.ECG, (group(square()[:, None]),))
    mark = Mark(1, frozenset(), (1.0, 2.0), segment=True, text="P onset")
    told = Waveform(Family.ECG, plain.groups, (mark,), ("Mr Zachary",))
    assert (shown(plain) != shown(told)).any()
    silent = Rendition("image/png", overlays=False)
    assert (shown(plain, silent) == shown(told, silent)).all()


def test_groups_that_are_not_shown_say_why() -> None:
    good, bad = group(square()[:, None]), Group(2, "", (), 0, 1.0, Encoding("u1"), problem="is truncated")
    both = shown(Waveform(Family.ECG, (good, bad)))
    alone = shown(Waveform(Family.ECG, (good,)))
    assert both.shape[0] > alone.shape[0]
    assert (both[-120:].min(axis=2) < 200).any()
    assert not (alone[-70:].min(axis=2) < 200).any()


def test_colour_spaces() -> None:
    page = plan(Waveform(Family.ECG, (group(square()[:, None]),)))
    data = waveform_plot.encoded(page, traces(page), {}, Rendition("image/png", icc_profile=IccProfile.ADOBE_RGB))
    assert Image.open(io.BytesIO(data)).info["icc_profile"]


def test_a_large_picture_is_bounded() -> None:
    picture = shown(
        Waveform(Family.ECG, (group(square()[:, None]),)), Rendition("image/png", viewport=Viewport(4000, 4000))
    )
    assert picture.shape[1] == 4000


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 10, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (80, 122, 4, [80, 100, 120]),
        (-0.5, 0.5, 2, [-0.5, 0, 0.5]),
        (0, 0, 4, []),
        (0, float("inf"), 4, []),
    ],
)
def test_ticks(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


def test_ticks_of_clocks() -> None:
    assert ticks(0, 3600, 10, clock=True) == [600 * number for number in range(7)]
    assert ticks(0, 10 * 86400, 5, clock=True) == [172800 * number for number in range(6)]


@pytest.mark.parametrize(
    ("seconds", "of", "text"),
    [
        (2.5, 0, "2.5 s"),
        (120, 0, "120 s"),
        (185, 0, "3:05"),
        (0, 600, "0:00"),
        (3720, 0, "1:02:00"),
        (60, 7200, "0:01:00"),
    ],
)
def test_clock(seconds: float, of: float, text: str) -> None:
    assert clock(seconds, of) == text

"""Pages for waveforms: which look each recording gets, and that no page grows without bound."""

from __future__ import annotations

import pytest

from skiagraph.pixels.waveform import LEADS, MOST_CHANNELS, Channel, Encoding, Family, Group, Waveform
from skiagraph.pixels.waveform_plan import plan


def group(labels: tuple[str, ...], seconds: float, frequency: float = 500.0, unit: str = "uV") -> Group:
    channels = tuple(
        Channel(place + 1, label, label if label in LEADS else "", unit) for place, label in enumerate(labels)
    )
    return Group(1, "", channels, round(seconds * frequency), frequency, Encoding("<i2"))


@pytest.mark.parametrize(
    ("family", "labels", "seconds", "looks"),
    [
        pytest.param(Family.ECG, LEADS, 10, ["3 x 4"], id="the usual ECG"),
        pytest.param(Family.ECG, LEADS, 9.998, ["3 x 4"], id="a few samples short of it"),
        pytest.param(Family.ECG, LEADS, 10.2, ["3 x 4"], id="a few samples more"),
        pytest.param(Family.ECG, LEADS, 60, ["3 x 4", "rows"], id="a long one"),
        pytest.param(Family.ECG, LEADS, 8, ["lines"], id="a short one"),
        pytest.param(Family.ECG, LEADS, 1.2, ["grid"], id="median beats"),
        pytest.param(Family.ECG, (*LEADS, "V7", "V8", "V9"), 10, ["3 x 4"], id="more than 12 leads"),
        pytest.param(Family.ECG, ("I",), 30, ["lines"], id="of a watch"),
        pytest.param(Family.ECG, ("V1", "V5"), 86400, ["lines", "rows"], id="Holter"),
        pytest.param(Family.ECG, tuple(f"E{number}" for number in range(64)), 10, ["rows"], id="a vest"),
        pytest.param(Family.NEURO, ("Fp1", "Fp2"), 20, ["rows"], id="a page of EEG"),
        pytest.param(Family.NEURO, ("Fp1", "Fp2"), 1200, ["rows", "rows"], id="EEG"),
        pytest.param(Family.OTHER, ("ABP",), 90, ["rows"], id="pressure"),
        pytest.param(Family.AUDIO, ("Left", "Right"), 3600, ["rows"], id="sound, however long"),
    ],
)
def test_looks(family: Family, labels: tuple[str, ...], seconds: float, looks: list[str]) -> None:
    found = plan(Waveform(family, (group(labels, seconds),)))
    assert [panel.style for panel in found.panels] == looks
    if len(looks) > 1:
        assert [panel.overview for panel in found.panels] == [False, True]
        assert found.panels[0].seconds == 10
        assert found.panels[1].span.count == found.panels[1].span.group.samples


def test_an_ecg_in_no_unit_of_voltage_has_no_paper() -> None:
    found = plan(Waveform(Family.ECG, (group(LEADS, 10, unit=""),)))
    assert [panel.style for panel in found.panels] == ["rows"]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("frequency", [1e-4, 0.3, 250.0, 1e6])
@pytest.mark.parametrize("samples", [1, 7, 10**9])
@pytest.mark.parametrize("channels", [1, 13, 65535])
def test_no_page_grows_without_bound(family: Family, frequency: float, samples: int, channels: int) -> None:
    found = Group(1, "", (Channel(1, "X", unit="mV"),) * channels, samples, frequency, Encoding("<i2"))
    made = plan(Waveform(family, (found,) * 2))
    columns, rows = made.size
    assert columns == 1485
    assert rows < 2.3 * 2 * (MOST_CHANNELS + 8) * 25
    for panel in made.panels:
        assert 1 <= panel.span.count <= samples
        assert panel.span.shown <= MOST_CHANNELS
    tops = [panel.top for panel in made.panels]
    ends = [panel.top + panel.height for panel in made.panels]
    assert all(end <= top for end, top in zip(ends, tops[1:], strict=False)), "panels do not overlap"

"""Samples of waveforms in physical units, and what is kept of long recordings."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.waveforms import multiplex_array

import waveform_files as files
from conftest import SHARED_DATA
from skiagraph.pixels import waveform_samples
from skiagraph.pixels.waveform import Channel, Encoding, Group
from skiagraph.pixels.waveform_samples import Samples, Span, Trace


def traced(group: Group, columns: int = 10**6) -> Trace:
    samples = Samples(Span(group, 0, group.samples, columns))
    assert isinstance(group.data, bytes)
    samples.add(0, group.data)
    return samples.trace()


@pytest.mark.parametrize(
    ("interpretation", "counts"),
    [
        ("SB", [-128, -1, 0, 127]),
        ("UB", [0, 1, 128, 255]),
        ("SS", [-32768, -1, 0, 32767]),
        ("US", [0, 1, 32768, 65535]),
        ("SL", [-(2**31), -1, 0, 2**31 - 1]),
        ("UL", [0, 1, 2**31, 2**32 - 1]),
    ],
)
def test_linear_samples(interpretation: str, counts: list[int]) -> None:
    (group,) = files.read(files.one(counts, interpretation, sensitivity=0.5, ChannelBaseline="3")).groups
    assert traced(group).values[:, 0] == pytest.approx(np.array(counts) * 0.5 + 3)


def test_sensitivity_correction_and_baseline() -> None:
    """Baseline is in the units of the sensitivity (C.10.9.1.4): it is not scaled."""
    (group,) = files.read(
        files.one([10], sensitivity=0.1, ChannelSensitivityCorrectionFactor="1.5", ChannelBaseline="-20")
    ).groups
    assert traced(group).values[0, 0] == pytest.approx(10 * 0.1 * 1.5 - 20)


@pytest.mark.parametrize(("interpretation", "codec"), [("MB", "pcm_mulaw"), ("AB", "pcm_alaw")])
def test_companded_samples_as_ffmpeg_expands_them(interpretation: str, codec: str) -> None:
    (group,) = files.read(files.one(range(256), interpretation, sensitivity=None)).groups
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"  # type: ignore[attr-defined]
    (frame,) = context.decode(av.Packet(bytes(range(256))))  # type: ignore[attr-defined]
    assert traced(group).values[:, 0].tolist() == frame.to_ndarray().reshape(-1).tolist()


@pytest.mark.shared_data
@pytest.mark.parametrize("number", [0, 1])
def test_a_real_ecg_as_pydicom_reads_it(number: int) -> None:
    data = pydicom.dcmread(SHARED_DATA / "modalities" / "ecg" / "waveform_ecg.dcm")
    group = files.read(data).groups[number]
    assert traced(group).values == pytest.approx(multiplex_array(data, number, as_raw=False))


@pytest.mark.parametrize("value", ["1e308", "-1e-320", "-1e308", "0"])
def test_absurd_sensitivities_are_none(value: str) -> None:
    data = files.one([-32768, 0, 32767], ChannelSensitivity=value, ChannelSensitivityCorrectionFactor="1e300")
    (group,) = files.read(data).groups
    assert np.isfinite(traced(group).values).all()


def test_padding_is_a_gap() -> None:
    data = files.one([5, -1, 7])
    data.WaveformSequence[0].WaveformPaddingValue = b"\xff\xff"
    data.WaveformSequence[0]["WaveformPaddingValue"].VR = "OW"
    values = traced(files.read(data).groups[0]).values[:, 0]
    assert values[[0, 2]].tolist() == [5, 7]
    assert np.isnan(values[1])


def made(counts: np.ndarray[Any, np.dtype[Any]], padding: int | None = None) -> Group:
    channels = tuple(Channel(number + 1, "X") for number in range(counts.shape[1]))
    data = counts.astype("<i2").tobytes()
    return Group(1, "", channels, len(counts), 100.0, Encoding("<i2"), padding, data)


@given(st.data())
def test_long_recordings_keep_their_least_and_greatest_values(data: st.DataObject) -> None:
    samples, channels = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 3))
    counts = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-50, 50, (samples, channels))
    group = made(counts)
    first = data.draw(st.integers(0, samples - 1))
    span = Span(group, first, data.draw(st.integers(1, samples - first)), data.draw(st.integers(1, 40)))
    found = Samples(span)
    at, raw = 0, group.data
    assert isinstance(raw, bytes)
    while at < samples:  # in pieces of any size, also of what is not wanted
        length = data.draw(st.integers(1, samples))
        found.add(at, raw[at * group.stride : (at + length) * group.stride])
        at += length
    trace = found.trace()
    wanted = counts[first : first + span.count]
    if span.exact:
        assert trace.values.tolist() == wanted.tolist()
        return
    for column in range(span.columns):
        inside = np.arange(span.count) * span.columns // span.count == column
        assert trace.values[2 * column].tolist() == wanted[inside].min(axis=0).tolist()
        assert trace.values[2 * column + 1].tolist() == wanted[inside].max(axis=0).tolist()
    assert (np.diff(trace.times) >= 0).all()


def test_gaps_of_long_recordings() -> None:
    counts = np.zeros((100, 1), int)
    counts[10:20] = -99
    group = made(counts, padding=-99)
    found = Samples(Span(group, 0, 100, 10))
    assert isinstance(group.data, bytes)
    found.add(0, group.data)
    values = found.trace().values[:, 0]
    assert np.flatnonzero(np.isnan(values)).tolist() == [2, 3]


def test_pieces_are_bounded_and_cover_all() -> None:
    group = Group(1, "", (Channel(1, "X"),) * 12, 10**6, 1000.0, Encoding("<i2"))
    pieces = list(Span(group, 5, 10**6 - 5, 2600).pieces())
    assert all(count * group.stride <= 2**20 for _, count in pieces)
    assert [first for first, _ in pieces[1:]] == [first + count for first, count in pieces[:-1]]
    assert (pieces[0][0], sum(pieces[-1])) == (5, 10**6)


def test_days_of_recording_are_sampled_evenly() -> None:
    """48 hours of 12 leads: 4 GB, of which 64 MiB are read."""
    group = Group(1, "", (Channel(1, "X"),) * 12, 48 * 3600 * 1000, 1000.0, Encoding("<i2"))
    span = Span(group, 0, group.samples, 2600)
    assert span.sparse
    pieces = list(span.pieces())
    assert len(pieces) == 2600
    assert sum(count for _, count in pieces) * group.stride <= waveform_samples.LARGEST_READ
    assert pieces[-1][0] > group.samples * 0.999
    assert sum(count for _, count in span.pieces(sequential=True)) == group.samples

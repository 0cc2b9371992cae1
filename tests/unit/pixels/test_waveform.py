"""Waveforms: what the data set says, samples in physical units, and what is kept of long recordings."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.waveforms import multiplex_array

import waveform_files as files
from conftest import SHARED_DATA
from dicom_files import part10
from skiagraph.pixels import waveform
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.waveform import Channel, Encoding, Family, Group, Samples, Span, Waveform
from skiagraph.standard import part10 as reader


def read(data: Dataset, threshold: int = 2**30) -> Waveform:
    header = reader.read(reader.BytesSource(part10(data)), bulkdata_threshold=threshold, max_sequence_depth=64)
    table = header.bulkdata
    return waveform.from_attributes(
        header.attributes, lambda uri: table[uri.removeprefix("bulkdata/")].length if uri else None
    )


def traced(group: Group, columns: int = 10**6) -> waveform.Trace:
    samples = Samples(Span(group, 0, group.samples, columns))
    assert isinstance(group.data, bytes)
    samples.add(0, group.data)
    return samples.trace()


def one(counts: Any, interpretation: str = "SS", frequency: float = 100.0, **channel: Any) -> Dataset:
    made = files.group(np.array(counts)[:, None], frequency, [files.channel("X", **channel)], interpretation)
    return files.waveform(files.RESPIRATORY, made)


# What the data set says


def test_an_ecg() -> None:
    found = read(files.ecg(seconds=2))
    assert found.family is Family.ECG
    (group,) = found.groups
    assert (group.number, group.label, group.samples, group.frequency, group.duration) == (1, "RHYTHM", 1000, 500, 2)
    assert [channel.lead for channel in group.channels] == list(waveform.LEADS)
    first = group.channels[0]
    assert (first.label, first.unit, first.scale, first.millivolts) == ("Lead I", "uV", 2.5, 1e-3)
    assert first.filters == (0.05, 150.0, 50.0)


@pytest.mark.parametrize(
    ("sop_class", "family"),
    [
        (files.GENERAL_ECG, Family.ECG),
        (files.GENERAL_32_BIT_ECG, Family.ECG),
        (files.VOICE, Family.AUDIO),
        (files.EEG, Family.NEURO),
        (files.HEMODYNAMIC, Family.OTHER),
    ],
)
def test_families(sop_class: str, family: Family) -> None:
    data = one([1, 2, 3])
    data.SOPClassUID = sop_class
    assert read(data).family is family
    assert waveform.is_waveform(sop_class)


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.5.1.4.1.1.9.100.1", "1.2.840.10008.5.1.4.1.1.9", "1.2.840.10008.5.1.4.1.1.2"]
)
def test_what_is_no_waveform(uid: str) -> None:
    assert not waveform.is_waveform(uid)


@pytest.mark.parametrize(
    ("label", "source", "lead"),
    [
        ("Lead I (Einth.)", ("5.6.3-9-1", "SCPECG", ""), "I"),
        ("", ("5.6.3-9-61", "SCPECG", "Lead three"), "III"),
        ("", ("2:62", "MDC", "MDC_ECG_LEAD_AVR"), "aVR"),
        ("avf", ("1", "99X", ""), "aVF"),
        ("", ("2:8", "MDC", "Lead V6"), "V6"),
        ("V7", ("2:9", "MDC", ""), ""),
        ("", ("2:1", "99X", "Somewhere"), ""),
    ],
)
def test_leads(label: str, source: tuple[str, str, str], lead: str) -> None:
    data = one([1, 2])
    channel = data.WaveformSequence[0].ChannelDefinitionSequence[0]
    channel.ChannelLabel = label
    channel.ChannelSourceSequence = [files.code(source[0], source[2], source[1])]
    assert read(data).groups[0].channels[0].lead == lead


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NumberOfWaveformChannels": 0}, "has 0 as Number of Waveform Channels"),
        ({"NumberOfWaveformChannels": None}, "has 0 as Number of Waveform Channels"),
        ({"NumberOfWaveformSamples": None}, "has no samples"),
        ({"SamplingFrequency": None}, "no usable Sampling Frequency"),
        ({"SamplingFrequency": "0"}, "no usable Sampling Frequency"),
        ({"SamplingFrequency": "1e-300"}, "no usable Sampling Frequency"),
        ({"SamplingFrequency": "-5"}, "no usable Sampling Frequency"),
        ({"WaveformBitsAllocated": 24}, "encoded as 'SS' with 24 bits"),
        ({"WaveformSampleInterpretation": "XX"}, "encoded as 'XX' with 16 bits"),
        ({"WaveformData": None}, "has no Waveform Data"),
        ({"NumberOfWaveformSamples": 101}, "is truncated: its samples need 202 bytes, and Waveform Data .* has 200"),
        ({"NumberOfWaveformSamples": 2**32 - 1, "NumberOfWaveformChannels": 65535}, "is truncated"),
    ],
)
@pytest.mark.parametrize("threshold", [2**30, 100], ids=["inline", "bulk"])
def test_groups_that_can_not_be_drawn(changes: dict[str, Any], reason: str, threshold: int) -> None:
    made = files.group(np.zeros((100, 1)), 100, [files.channel("X")], **changes)
    with pytest.raises(BadPixels, match=reason):
        read(files.waveform(files.RESPIRATORY, made), threshold)
    good = files.group(np.zeros((100, 1)), 100, [files.channel("X")])
    found = read(files.waveform(files.RESPIRATORY, made, good), threshold)
    assert [group.number for group in found.drawable] == [2], "one does not take the others with it"


def test_nothing_to_plot() -> None:
    with pytest.raises(BadPixels, match="no Waveform Sequence"):
        read(files.waveform(files.RESPIRATORY))


def test_channels_without_a_definition_have_numbers() -> None:
    made = files.group(np.zeros((10, 3)), 100, [files.channel("Flow", "L/min")])
    (group,) = read(files.waveform(files.RESPIRATORY, made)).groups
    assert [channel.label for channel in group.channels] == ["Flow", "Channel 2", "Channel 3"]


@pytest.mark.parametrize("value", ["1e308", "-1e-320", "-1e308", "0"])
def test_absurd_sensitivities_are_none(value: str) -> None:
    data = one([-32768, 0, 32767], ChannelSensitivity=value, ChannelSensitivityCorrectionFactor="1e300")
    (group,) = read(data).groups
    assert np.isfinite(traced(group).values).all()


def test_colours_that_are_recommended() -> None:
    data = one([1, 2])
    display, presentation = Dataset(), Dataset()
    display.ReferencedWaveformChannels = [1, 1]
    display.ChannelRecommendedDisplayCIELabValue = [0, 32896, 32896]
    presentation.ChannelDisplaySequence = [display]
    data.WaveformPresentationGroupSequence = [presentation]
    assert read(data).groups[0].channels[0].colour == (0, 0, 0)


def annotation(text: str = "", channels: tuple[int, ...] = (1, 0), **more: Any) -> Dataset:
    item = Dataset()
    item.ReferencedWaveformChannels = list(channels)
    if text:
        item.UnformattedTextValue = text
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def test_annotations() -> None:
    concept = files.code("1", "QT Interval", "99X")
    data = one([0] * 200)
    data.WaveformAnnotationSequence = [
        annotation("SINUS  RHYTHM"),
        annotation(
            NumericValue="368", ConceptNameCodeSequence=[concept], MeasurementUnitsCodeSequence=[files.code("ms", "x")]
        ),
        annotation("Here", (1, 1), TemporalRangeType="POINT", ReferencedSamplePositions=[51]),
        annotation("Apnea", TemporalRangeType="SEGMENT", ReferencedTimeOffsets=["0.5", "1.5"]),
        annotation("Elsewhere", (7, 1), TemporalRangeType="POINT", ReferencedSamplePositions=[51]),
        annotation("After the end", TemporalRangeType="POINT", ReferencedSamplePositions=[5100]),
        annotation(),
    ]
    found = read(data)
    assert found.notes == ("SINUS RHYTHM", "QT Interval: 368 ms")
    assert [(mark.text, mark.channels, mark.times, mark.segment) for mark in found.marks] == [
        ("Here", frozenset({1}), (0.5,), False),
        ("Apnea", frozenset(), (0.5, 1.5), True),
    ]


# Samples


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
    (group,) = read(one(counts, interpretation, sensitivity=0.5, ChannelBaseline="3")).groups
    assert traced(group).values[:, 0] == pytest.approx(np.array(counts) * 0.5 + 3)


def test_sensitivity_correction_and_baseline() -> None:
    """Baseline is in the units of the sensitivity (C.10.9.1.4): it is not scaled."""
    (group,) = read(one([10], sensitivity=0.1, ChannelSensitivityCorrectionFactor="1.5", ChannelBaseline="-20")).groups
    assert traced(group).values[0, 0] == pytest.approx(10 * 0.1 * 1.5 - 20)


@pytest.mark.parametrize(("interpretation", "codec"), [("MB", "pcm_mulaw"), ("AB", "pcm_alaw")])
def test_companded_samples_as_ffmpeg_expands_them(interpretation: str, codec: str) -> None:
    (group,) = read(one(range(256), interpretation, sensitivity=None)).groups
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"  # type: ignore[attr-defined]
    (frame,) = context.decode(av.Packet(bytes(range(256))))  # type: ignore[attr-defined]
    assert traced(group).values[:, 0].tolist() == frame.to_ndarray().reshape(-1).tolist()


@pytest.mark.shared_data
@pytest.mark.parametrize("number", [0, 1])
def test_a_real_ecg_as_pydicom_reads_it(number: int) -> None:
    data = pydicom.dcmread(SHARED_DATA / "modalities" / "ecg" / "waveform_ecg.dcm")
    group = read(data).groups[number]
    assert traced(group).values == pytest.approx(multiplex_array(data, number, as_raw=False))


def test_padding_is_a_gap() -> None:
    data = one([5, -1, 7])
    data.WaveformSequence[0].WaveformPaddingValue = b"\xff\xff"
    data.WaveformSequence[0]["WaveformPaddingValue"].VR = "OW"
    values = traced(read(data).groups[0]).values[:, 0]
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
    assert sum(count for _, count in pieces) * group.stride <= waveform.LARGEST_READ
    assert pieces[-1][0] > group.samples * 0.999
    assert sum(count for _, count in span.pieces(sequential=True)) == group.samples

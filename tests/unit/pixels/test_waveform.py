"""Waveforms: what the data set says, samples in physical units, and what is kept of long recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

import waveform_files as files
from skiagraph.pixels import waveform
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.waveform import Family


def test_an_ecg() -> None:
    found = files.read(files.ecg(seconds=2))
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
    data = files.one([1, 2, 3])
    data.SOPClassUID = sop_class
    assert files.read(data).family is family
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
    data = files.one([1, 2])
    channel = data.WaveformSequence[0].ChannelDefinitionSequence[0]
    channel.ChannelLabel = label
    channel.ChannelSourceSequence = [files.code(source[0], source[2], source[1])]
    assert files.read(data).groups[0].channels[0].lead == lead


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
        files.read(files.waveform(files.RESPIRATORY, made), threshold)
    good = files.group(np.zeros((100, 1)), 100, [files.channel("X")])
    found = files.read(files.waveform(files.RESPIRATORY, made, good), threshold)
    assert [group.number for group in found.drawable] == [2], "one does not take the others with it"


def test_nothing_to_plot() -> None:
    with pytest.raises(BadPixels, match="no Waveform Sequence"):
        files.read(files.waveform(files.RESPIRATORY))


def test_channels_without_a_definition_have_numbers() -> None:
    made = files.group(np.zeros((10, 3)), 100, [files.channel("Flow", "L/min")])
    (group,) = files.read(files.waveform(files.RESPIRATORY, made)).groups
    assert [channel.label for channel in group.channels] == ["Flow", "Channel 2", "Channel 3"]


def test_colours_that_are_recommended() -> None:
    data = files.one([1, 2])
    display, presentation = Dataset(), Dataset()
    display.ReferencedWaveformChannels = [1, 1]
    display.ChannelRecommendedDisplayCIELabValue = [0, 32896, 32896]
    presentation.ChannelDisplaySequence = [display]
    data.WaveformPresentationGroupSequence = [presentation]
    assert files.read(data).groups[0].channels[0].colour == (0, 0, 0)


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
    data = files.one([0] * 200)
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
    found = files.read(data)
    assert found.notes == ("SINUS RHYTHM", "QT Interval: 368 ms")
    assert [(mark.text, mark.channels, mark.times, mark.segment) for mark in found.marks] == [
        ("Here", frozenset({1}), (0.5,), False),
        ("Apnea", frozenset(), (0.5, 1.5), True),
    ]


def test_a_page_has_room_for_so_many_channels() -> None:
    counts = np.zeros((4, 300), int)
    many = files.group(counts, 100.0, [files.channel(f"{number}") for number in range(300)])
    few = files.group(counts[:, :1], 100.0, [files.channel("X")])
    found = files.read(files.waveform(files.RESPIRATORY, many, many, many, few))
    assert [bool(group.problem) for group in found.groups] == [False, False, True, True], "256 of each are drawn"
    assert "room" in found.groups[2].problem

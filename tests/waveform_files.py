"""Waveform data sets for tests: every family and encoding, with signals made here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_files import ct, part10
from skiagraph.pixels.waveform import Waveform, from_attributes
from skiagraph.standard import part10 as reader

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"
AMBULATORY_ECG = "1.2.840.10008.5.1.4.1.1.9.1.3"
GENERAL_32_BIT_ECG = "1.2.840.10008.5.1.4.1.1.9.1.4"
HEMODYNAMIC = "1.2.840.10008.5.1.4.1.1.9.2.1"
VOICE = "1.2.840.10008.5.1.4.1.1.9.4.1"
RESPIRATORY = "1.2.840.10008.5.1.4.1.1.9.6.1"
EEG = "1.2.840.10008.5.1.4.1.1.9.7.1"

_TYPES = {"SB": "i1", "UB": "u1", "MB": "u1", "AB": "u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}


def code(value: str, meaning: str, scheme: str = "UCUM") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def channel(label: str, unit: str = "uV", sensitivity: float | None = 1.0, **more: Any) -> Dataset:
    item = Dataset()
    item.ChannelLabel = label[:16]
    item.ChannelSourceSequence = [code("1", label[:64], "99TEST")]
    if sensitivity is not None:
        item.ChannelSensitivity = f"{sensitivity:.10g}"
        item.ChannelSensitivityUnitsSequence = [code(unit, unit)]
        item.ChannelSensitivityCorrectionFactor = "1"
        item.ChannelBaseline = "0"
    item.ChannelSampleSkew = "0"
    item.WaveformBitsStored = 16
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def group(
    counts: NDArray[Any], frequency: float, channels: list[Dataset], interpretation: str = "SS", **more: Any
) -> Dataset:
    """A multiplex group of counts (samples, channels)."""
    dtype = np.dtype(_TYPES[interpretation])
    item = Dataset()
    item.WaveformOriginality = "ORIGINAL"
    item.NumberOfWaveformChannels = counts.shape[1]
    item.NumberOfWaveformSamples = counts.shape[0]
    item.SamplingFrequency = f"{frequency:.10g}"
    item.ChannelDefinitionSequence = channels
    item.WaveformBitsAllocated = dtype.itemsize * 8
    item.WaveformSampleInterpretation = interpretation
    data = np.ascontiguousarray(counts).astype(dtype).tobytes()
    item.WaveformData = data + b"\0" * (len(data) % 2)
    item["WaveformData"].VR = "OB" if dtype.itemsize == 1 else "OW"
    for keyword, value in more.items():
        if value is None:
            delattr(item, keyword)
        else:
            setattr(item, keyword, value)
    return item


def waveform(sop_class: str, *groups: Dataset, **changes: Any) -> Dataset:
    """A waveform Instance; keyword arguments are attributes to set."""
    drop = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit")
    none: dict[str, Any] = dict.fromkeys((*drop, "PixelRepresentation", "RescaleIntercept", "RescaleSlope"))
    none |= {"PixelData": None, "ImageType": None}
    data = ct(SOPClassUID=sop_class, Modality="ECG", **none)
    data.WaveformSequence = list(groups)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    return data


def beats(seconds: float, frequency: float, lead: int = 1) -> NDArray[np.float64]:
    """Something like an ECG lead, in µV."""
    time = np.arange(round(seconds * frequency)) / frequency
    phase = (time % 0.85) / 0.85
    found = np.zeros_like(time)
    for middle, width, height in (
        (0.20, 0.030, 110.0),
        (0.345, 0.008, -90.0),
        (0.36, 0.009, 900.0 - 120 * (lead % 7)),
        (0.378, 0.009, -220.0 - 60 * (lead % 5)),
        (0.60, 0.045, 230.0 - 40 * (lead % 3)),
    ):
        found += height * np.exp(-(((phase - middle) / width) ** 2) / 2)
    return -found if lead == 3 else found


def ecg(
    seconds: float = 10.0,
    frequency: float = 500.0,
    leads: tuple[str, ...] = LEADS,
    sop_class: str = TWELVE_LEAD,
    interpretation: str = "SS",
    sensitivity: float = 2.5,
    **changes: Any,
) -> Dataset:
    """An ECG of so many leads."""
    counts = np.stack([beats(seconds, frequency, place) for place in range(len(leads))], -1) / sensitivity
    filters = {"FilterLowFrequency": "0.05", "FilterHighFrequency": "150", "NotchFilterFrequency": "50"}
    channels = [channel(f"Lead {lead}", "uV", sensitivity, **filters) for lead in leads]
    found = group(np.round(counts), frequency, channels, interpretation, MultiplexGroupLabel="RHYTHM")
    return waveform(sop_class, found, **changes)


def pressures(seconds: float = 12.0, frequency: float = 200.0) -> Dataset:
    """Arterial pressure, pulmonary pressure and an ECG of a catheter laboratory."""
    time = np.arange(round(seconds * frequency)) / frequency
    phase = (time % 0.85) / 0.85
    pulse = np.maximum(np.sin(np.pi * np.clip((phase - 0.42) / 0.4, 0, 1)), 0) ** 1.3
    counts = np.stack([80 + 42 * pulse, 10 + 14 * pulse + 2 * np.sin(time), beats(seconds, frequency) / 20], -1)
    channels = [channel("ABP", "mm[Hg]", 0.1), channel("PAP", "mm[Hg]", 0.1), channel("ECG II", "mV", 0.002)]
    return waveform(HEMODYNAMIC, group(np.round(counts * 10), frequency, channels), Modality="HD")


def eeg(seconds: float = 20.0, channels: int = 19, frequency: float = 256.0) -> Dataset:
    """Noise with an alpha rhythm."""
    names = [
        "Fp1",
        "Fp2",
        "F7",
        "F3",
        "Fz",
        "F4",
        "F8",
        "T3",
        "C3",
        "Cz",
        "C4",
        "T4",
        "T5",
        "P3",
        "Pz",
        "P4",
        "T6",
        "O1",
        "O2",
    ]
    time = np.arange(round(seconds * frequency)) / frequency
    noise = np.random.default_rng(1).normal(0, 12, (len(time), channels))
    alpha = np.sin(2 * np.pi * 10 * time)[:, None] * np.linspace(4, 40, channels)[None]
    found = [channel(names[number % 19] + "-Ref", "uV", 0.1) for number in range(channels)]
    return waveform(EEG, group(np.round((noise + alpha) * 10), frequency, found), Modality="EEG")


def sound(interpretation: str = "MB", seconds: float = 3.0) -> Dataset:
    """Syllables of a voice, companded or linear, 8 kHz."""
    time = np.arange(round(seconds * 8000)) / 8000
    loud = np.maximum(np.sin(2 * np.pi * 1.7 * time), 0) ** 2
    wave = loud * np.sin(2 * np.pi * 180 * time) * (0.7 + 0.3 * np.sin(2 * np.pi * 1270 * time))
    if interpretation == "MB":
        companded = np.sign(wave) * np.log1p(255 * np.abs(wave)) / np.log(256)
        codes = 0xFF - (np.where(companded < 0, 0x80, 0) | (np.abs(companded) * 127).astype(int))
        counts = codes
    elif interpretation == "UB":
        counts = np.round(wave * 100 + 128)
    else:
        counts = np.round(wave * 20000)
    item = group(counts[:, None], 8000, [channel("Voice", sensitivity=None)], interpretation)
    return waveform(VOICE, item, Modality="AU")


def one(counts: Any, interpretation: str = "SS", frequency: float = 100.0, **described: Any) -> Dataset:
    """One channel with these counts."""
    made = group(np.array(counts)[:, None], frequency, [channel("X", **described)], interpretation)
    return waveform(RESPIRATORY, made)


def read(data: Dataset, threshold: int = 2**30) -> Waveform:
    """What a file says, as it is understood."""
    header = reader.read(reader.BytesSource(part10(data)), bulkdata_threshold=threshold, max_sequence_depth=64)
    table = header.bulkdata
    return from_attributes(header.attributes, lambda uri: table[uri.removeprefix("bulkdata/")].length if uri else None)

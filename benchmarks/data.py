"""The data that is stored and read: synthetic, deterministic, without a person behind it.

A CT Instance (512 x 512, 16 bit, about 250 elements with nested and private ones, 530 KB) is built once with
pydicom, with place-holders of fixed width; every other Instance is a copy of its bytes with those replaced. So a
thousand distinct Instances cost a thousand memory copies, and nothing of pydicom's speed enters a measurement.
"""

from __future__ import annotations

import io
import random
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    RLELossless,
)

BOUNDARY = "skiagraph-benchmark-3f1c9a"
PART_HEAD = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
PART_TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@dataclass(frozen=True, order=True)
class Key:
    """Which Instance: numbers from 1; its UIDs follow from them."""

    study: int
    series: int = 0
    instance: int = 0

    @property
    def uid(self) -> str:
        """44 characters below 2.25, whatever the numbers (each below one million)."""
        return f"2.25.{10**38 + self.study * 10**12 + self.series * 10**6 + self.instance}"

    @property
    def study_instance_uid(self) -> str:
        return Key(self.study).uid

    @property
    def series_instance_uid(self) -> str:
        return Key(self.study, self.series).uid


# What differs between Instances: place-holder in the template and, from the key, a text of the same length.
PLACEHOLDER = Key(999_999, 999_999, 999_999)
_FIELDS: dict[str, Callable[[Key], str]] = {
    PLACEHOLDER.uid: lambda key: key.uid,
    PLACEHOLDER.series_instance_uid: lambda key: key.series_instance_uid,
    PLACEHOLDER.study_instance_uid: lambda key: key.study_instance_uid,
    "BENCH99999": lambda key: f"BENCH{key.study:05d}",
    "ACC9999999": lambda key: f"ACC{key.study:07d}",
    "19990909": lambda key: f"2024{key.study % 12 + 1:02d}{key.study % 28 + 1:02d}",
    "987654": lambda key: f"{key.instance:6d}",
    "876543": lambda key: f"{key.series:6d}",
    "-9876.50": lambda key: f"{key.instance * 1.25 - 400:8.2f}",
}


class Template:
    """Bytes of a PS3.10 file from which Instances are made."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._places = []
        for text, value in _FIELDS.items():
            old = text.encode()
            at = data.find(old)
            while at >= 0:
                self._places.append((slice(at, at + len(old)), value))
                at = data.find(old, at + 1)

    def __reduce__(self) -> tuple[type[Template], tuple[bytes]]:
        return Template, (self.data,)

    def instance(self, key: Key) -> bytearray:
        """The file of one Instance."""
        made = bytearray(self.data)
        for place, value in self._places:
            made[place] = value(key).encode()
        return made


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def file_bytes(dataset: Dataset, sop_class: str, syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(PLACEHOLDER.uid)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID("2.25.326171413231545468446546341545468431")
    meta.ImplementationVersionName = "BENCHMARK"
    file = FileDataset("", dataset, file_meta=meta, preamble=b"\0" * 128)
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def common(sop_class: str, modality: str) -> Dataset:
    return _item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=sop_class,
        SOPInstanceUID=PLACEHOLDER.uid,
        StudyInstanceUID=PLACEHOLDER.study_instance_uid,
        SeriesInstanceUID=PLACEHOLDER.series_instance_uid,
        StudyDate="19990909",
        SeriesDate="19990909",
        ContentDate="19990909",
        StudyTime="101112.130000",
        SeriesTime="101530.000000",
        ContentTime="101610.250000",
        AccessionNumber="ACC9999999",
        Modality=modality,
        PatientName="Bench^Märta^^Dr",
        PatientID="BENCH99999",
        PatientBirthDate="19550505",
        PatientSex="F",
        StudyID="4711",
        SeriesNumber="876543",
        InstanceNumber="987654",
        Manufacturer="SYNTHETIC IMAGING",
        InstitutionName="Example Hospital",
        ReferringPhysicianName="Refer^Robin",
        StudyDescription="CT thorax and abdomen with contrast",
        SeriesDescription="Axial 1.25 mm soft tissue",
    )


def ct_dataset(rows: int = 512, columns: int = 512) -> Dataset:
    """A CT image of about 250 elements, nested and private ones counted."""
    dataset = common(CTImageStorage, "CT")
    referenced = "1.2.840.10008.3.1.2.3.1"
    values: dict[str, object] = dict(  # noqa: C408 - keywords without quotes read like the table they are
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], InstanceCreationDate="19990909", InstanceCreationTime="101609.1",
        AcquisitionDate="19990909", AcquisitionTime="101601.500000", AcquisitionDateTime="20240501101601.500000+0100",
        TimezoneOffsetFromUTC="+0100", InstitutionAddress="1 Example Street, Exampletown", StationName="CT-ROOM-3",
        InstitutionalDepartmentName="Radiology", PhysiciansOfRecord=["Record^Rae", "Record^Ray"],
        PerformingPhysicianName="Perform^Pat", NameOfPhysiciansReadingStudy="Read^Riley", OperatorsName="Operate^Ola",
        ManufacturerModelName="Synthoscan 64", AdmittingDiagnosesDescription="Cough",
        PatientBirthTime="080000", OtherPatientIDs="MRN-1", PatientAge="068Y", PatientSize="1.7", PatientWeight="71.5",
        EthnicGroup="UNKNOWN", Occupation="Gardener", AdditionalPatientHistory="No previous examination known.",
        PregnancyStatus=4, MedicalAlerts="NONE", Allergies="NONE", PatientComments="Synthetic.",
        ContrastBolusAgent="Iohexol 300", BodyPartExamined="CHEST", ScanOptions="HELICAL MODE", SliceThickness="1.25",
        KVP="120", DataCollectionDiameter="500", DeviceSerialNumber="000123", SoftwareVersions=["7.1", "b42"],
        ProtocolName="Thorax abdomen portal venous", ContrastBolusRoute="IV", ContrastBolusVolume="90",
        ContrastFlowRate="3.0", ReconstructionDiameter="380", DistanceSourceToDetector="949.075",
        DistanceSourceToPatient="541", GantryDetectorTilt="0", TableHeight="151.5", RotationDirection="CW",
        ExposureTime="500", XRayTubeCurrent="350", Exposure="175", FilterType="BODY FILTER", GeneratorPower="42000",
        FocalSpots="1.2", ConvolutionKernel="STANDARD", PatientPosition="FFS", RevolutionTime=0.5,
        SingleCollimationWidth=0.625, TotalCollimationWidth=40.0, TableSpeed=110.0, TableFeedPerRotation=55.0,
        SpiralPitchFactor=1.375, ExposureModulationType="XYZ_EC", CTDIvol=9.87, EstimatedDoseSaving=12.5,
        AcquisitionNumber="1", ImagePositionPatient=["-190.0", "-190.0", "-9876.50"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        FrameOfReferenceUID=Key(7, 7, 7).uid, PositionReferenceIndicator="SN", SliceLocation="-9876.50",
        ImagesInAcquisition="100", TemporalPositionIdentifier="1", ImageComments="Synthetic image for measurements.",
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=rows, Columns=columns,
        PixelSpacing=["0.742188", "0.742188"], BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=1,
        SmallestImagePixelValue=-1024, LargestImagePixelValue=3071, PixelPaddingValue=-2000,
        BurnedInAnnotation="NO", LossyImageCompression="00", WindowCenter=["40", "-600"], WindowWidth=["400", "1500"],
        WindowCenterWidthExplanation=["MEDIASTINUM", "LUNG"], RescaleIntercept="-1024", RescaleSlope="1",
        RescaleType="HU", RequestingPhysician="Request^Rene", RequestingService="Pneumology",
        RequestedProcedureDescription="CT thorax", RequestedContrastAgent="Iohexol", StudyComments="None.",
        ScheduledStudyStartDate="19990909", CurrentPatientLocation="Ward 4",
        PerformedStationAETitle="CT3", PerformedStationName="CT-ROOM-3", PerformedLocation="Ground floor",
        PerformedProcedureStepStartDate="19990909", PerformedProcedureStepStartTime="101000",
        PerformedProcedureStepEndDate="19990909", PerformedProcedureStepEndTime="102000",
        PerformedProcedureStepStatus="COMPLETED", PerformedProcedureStepID="PPS4711",
        PerformedProcedureStepDescription="CT thorax and abdomen", CommentsOnThePerformedProcedureStep="None.",
        RequestedProcedureID="RP4711", RequestedProcedurePriority="ROUTINE", RequestedProcedureComments="None.",
        ReasonForTheRequestedProcedure="Cough for three weeks", PatientTransportArrangements="None",
        PlacerOrderNumberImagingServiceRequest="PL4711", FillerOrderNumberImagingServiceRequest="FI4711",
        PresentationLUTShape="IDENTITY", SynchronizationTrigger="NO TRIGGER", AcquisitionTimeSynchronized="N",
        ReferencedStudySequence=[_item(ReferencedSOPClassUID=referenced, ReferencedSOPInstanceUID=Key(8, 1, 1).uid)],
        ReferencedPerformedProcedureStepSequence=[
            _item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.3", ReferencedSOPInstanceUID=Key(8, 1, 2).uid)
        ],
        ReferencedImageSequence=[
            _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=Key(8, 2, n).uid) for n in (1, 2, 3)
        ],
        ProcedureCodeSequence=[_code("RPID16", "RADLEX", "CT thorax abdomen with contrast")],
        AnatomicRegionSequence=[_code("51185008", "SCT", "Thorax"), _code("818983003", "SCT", "Abdomen")],
        ContrastBolusAgentSequence=[_code("109223007", "SCT", "Iohexol")],
        PhysiciansOfRecordIdentificationSequence=[
            _item(
                InstitutionName="Example Hospital",
                PersonIdentificationCodeSequence=[_code("4711", "99LOCAL", "Record^Rae")],
            )
        ],
        RequestAttributesSequence=[
            _item(
                AccessionNumber="ACC9999999",
                RequestedProcedureID="RP4711",
                RequestedProcedureDescription="CT thorax",
                ScheduledProcedureStepID="SPS4711",
                ScheduledProcedureStepDescription="CT thorax",
                ScheduledProtocolCodeSequence=[
                    _item(
                        CodeValue="P1",
                        CodingSchemeDesignator="99LOCAL",
                        CodeMeaning="Thorax abdomen portal venous",
                        ProtocolContextSequence=[
                            _item(ValueType="TEXT", ConceptNameCodeSequence=[_code("P2", "99LOCAL", "Delay")],
                                  TextValue="70 s")
                        ],
                    )
                ],
            )
        ],
        PerformedProtocolCodeSequence=[_code("P1", "99LOCAL", "Thorax abdomen portal venous")],
        CTExposureSequence=[_item(ExposureTimeInms=500.0, XRayTubeCurrentInmA=350.0, ExposureInmAs=175.0)],
    )  # fmt: skip
    for keyword, value in values.items():
        setattr(
            dataset, keyword, Sequence(value) if isinstance(value, list) and keyword.endswith("Sequence") else value
        )
    _private(dataset)
    dataset.add_new(Tag(0x7FE0, 0x0010), "OW", _ct_pixels(rows, columns))
    return dataset


def _private(dataset: Dataset) -> None:
    """Blocks of private elements as scanners write them, of many VRs."""
    acquisition = dataset.private_block(0x0019, "SYNTHETIC_ACQU_01", create=True)
    for number in range(16):
        acquisition.add_new(0x02 + number, "DS", f"{number * 1.5:.3f}")
    for number in range(12):
        acquisition.add_new(0x20 + number, "SL", number * 1000 - 5000)
        acquisition.add_new(0x40 + number, "LO", f"PARAMETER {number}")
    relation = dataset.private_block(0x0021, "SYNTHETIC_RELA_01", create=True)
    for number in range(8):
        relation.add_new(0x10 + number, "SS", number)
        relation.add_new(0x30 + number, "FD", number / 3)
    image = dataset.private_block(0x0043, "SYNTHETIC_PARM_01", create=True)
    image.add_new(0x01, "OB", bytes(range(256)))
    image.add_new(0x02, "UN", bytes(64))
    image.add_new(0x03, "UI", Key(9, 9, 9).uid)
    image.add_new(0x04, "SH", ["A", "B", "C"])
    image.add_new(0x05, "LT", "Calibrated this morning.\r\nNo remarks.")
    image.add_new(0x06, "SQ", Sequence([_code("C1", "99LOCAL", "One"), _code("C2", "99LOCAL", "Two")]))
    image.add_new(0x07, "OW", bytes(512))


def _ct_pixels(rows: int, columns: int) -> bytes:
    """Something like a body: noise in an ellipse, air around it."""
    noise = random.Random(4711)
    pixels = array("h")
    for row in range(rows):
        y = (2 * row / rows - 1) ** 2 * 1.8
        for column in range(columns):
            inside = (2 * column / columns - 1) ** 2 + y < 0.8
            pixels.append(1064 + noise.getrandbits(7) if inside else 24 + noise.getrandbits(3))
    return pixels.tobytes()


def ct() -> Template:
    """The CT Instance of most measurements."""
    return Template(file_bytes(ct_dataset(), CTImageStorage, ExplicitVRLittleEndian))


def count_elements(dataset: Dataset) -> int:
    """Elements of a data set, those in Sequences counted."""
    return sum(1 for _ in dataset.iterall())


def _multiframe(frames: int, rows: int, columns: int) -> Dataset:
    dataset = common(MultiFrameGrayscaleByteSecondaryCaptureImageStorage, "OT")
    for keyword, value in dict(  # noqa: C408
        ConversionType="SYN", NumberOfFrames=str(frames), SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        Rows=rows, Columns=columns, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        BurnedInAnnotation="NO", RecognizableVisualFeatures="NO", FrameIncrementPointer=[0x00181063], FrameTime="40",
        RescaleIntercept="0", RescaleSlope="1", RescaleType="US", PresentationLUTShape="IDENTITY",
    ).items():  # fmt: skip
        setattr(dataset, keyword, value)
    return dataset


@dataclass(frozen=True)
class LargeInstance:
    """An Instance that is sent in pieces and never held as a whole."""

    key: Key
    frames: int
    frame_bytes: int  # of each decoded frame
    syntax: str
    head: bytes
    piece: bytes  # sent `times` times
    times: int
    tail: bytes

    @property
    def size(self) -> int:
        return len(self.head) + len(self.piece) * self.times + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(self.times):
            yield self.piece
        yield self.tail


def native_multiframe(key: Key, frames: int, side: int = 64) -> LargeInstance:
    """Native 8-bit frames of ``side`` squared bytes; small ones are rounded down to a multiple of 50."""
    together = 50 if side <= 64 else 1
    frames -= frames % together
    dataset = _multiframe(frames, side, side)
    dataset.add_new(Tag(0x7FE0, 0x0010), "OB", b"\x5a\xa5")
    data = bytes(Template(file_bytes(dataset, dataset.SOPClassUID, ExplicitVRLittleEndian)).instance(key))
    size = frames * side * side
    head = data[:-6] + size.to_bytes(4, "little")  # the length of Pixel Data, then its value
    piece = random.Random(1).randbytes(together * side * side)
    return LargeInstance(key, frames, side * side, str(ExplicitVRLittleEndian), head, piece, frames // together, b"")


def encapsulated_multiframe(key: Key, frames: int, side: int = 64) -> LargeInstance:
    """RLE Lossless frames, a multiple of 50, one fragment each, with an empty Basic Offset Table: the hardest case."""
    together = 50
    frames -= frames % together
    dataset = _multiframe(frames, side, side)
    dataset.add_new(Tag(0x7FE0, 0x0010), "OB", b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
    dataset["PixelData"].is_undefined_length = True
    data = bytes(Template(file_bytes(dataset, dataset.SOPClassUID, RLELossless)).instance(key))
    tail = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    noise = random.Random(2)
    fragments = b""
    for _ in range(together):
        # One segment: every row is a literal run of a quarter and a replicate run of the rest (PS3.5 G.3.1).
        run = side // 4
        rows = b"".join(bytes([run - 1]) + noise.randbytes(run) + bytes([257 - (side - run), 7]) for _ in range(side))
        frame = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + rows
        frame += b"\0" * (len(frame) % 2)
        fragments += b"\xfe\xff\x00\xe0" + len(frame).to_bytes(4, "little") + frame
    head = data[: data.rindex(tail)]
    return LargeInstance(key, frames, side * side, str(RLELossless), head, fragments, frames // together, tail)


def large_native(key: Key, size: int) -> LargeInstance:
    """About ``size`` bytes, native frames of 1 MiB each."""
    return native_multiframe(key, max(2, size >> 20), side=1024)

"""How fast the reader turns a header into DICOM JSON, against pydicom doing the same: ``python -m benchmarks.reader``.

The file is a CT image of about 250 elements, with nested Sequences and private elements, made here. Each run reads
it from memory; the figures are the best of several rounds, as noise only adds.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from skiagraph.standard import part10


def ct_file() -> bytes:
    """A CT image (512 × 512, 16 bit) with about 250 elements, as a PS3.10 file."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, "2.25.1001"
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.1002", "2.25.1003"
    data.SpecificCharacterSet = "ISO_IR 100"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    for keyword in ("InstanceCreationDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(data, keyword, "20220928")
    for keyword in ("InstanceCreationTime", "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(data, keyword, "214137.000000")
    data.AccessionNumber, data.Modality, data.Manufacturer = "A-12345", "CT", "A manufacturer"
    data.InstitutionName, data.StationName, data.StudyDescription = "An institution", "CT01", "Thorax^Routine"
    data.SeriesDescription, data.ManufacturerModelName = "Thorax 5.0 B31f", "A model 64"
    data.ReferringPhysicianName, data.PatientName, data.PatientID = "Ref^Erring", "Zeta^Zachary", "ID-1"
    data.PatientBirthDate, data.PatientSex, data.PatientAge = "19830606", "M", "039Y"
    data.BodyPartExamined, data.SliceThickness, data.KVP = "CHEST", "5", "120"
    data.DataCollectionDiameter, data.SoftwareVersions, data.ProtocolName = "500", "syngo CT 2012B", "ThoraxRoutine"
    data.ReconstructionDiameter, data.DistanceSourceToDetector = "345", "1085.6"
    data.GantryDetectorTilt, data.TableHeight, data.ExposureTime, data.XRayTubeCurrent = "0", "152", "500", "182"
    data.Exposure, data.FilterType, data.GeneratorPower, data.FocalSpots = "91", "0", "28", ["1.2"]
    data.ConvolutionKernel, data.PatientPosition = "B31f", "HFS"
    data.InstanceNumber, data.SeriesNumber, data.AcquisitionNumber, data.StudyID = 42, 3, 1, "S-1"
    data.ImagePositionPatient = ["-172.162109375", "-348.162109375", "-78.5"]
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.FrameOfReferenceUID, data.SliceLocation = "2.25.1004", "-78.5"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns, data.PixelSpacing = 512, 512, ["0.673828125", "0.673828125"]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.SmallestImagePixelValue, data.LargestImagePixelValue = 0, 2543
    data.WindowCenter, data.WindowWidth = ["40", "-600"], ["400", "1200"]
    data.RescaleIntercept, data.RescaleSlope = "-1024", "1"
    for keyword, count in (("ReferencedImageSequence", 8), ("ReferencedStudySequence", 2), ("SourceImageSequence", 4)):
        items = []
        for number in range(count):
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, f"2.25.2{number:04}"
            items.append(item)
        setattr(data, keyword, items)
    request = Dataset()
    request.RequestedProcedureDescription, request.RequestedProcedureID = "Thorax", "RP-1"
    request.ScheduledProcedureStepDescription, request.ScheduledProcedureStepID = "Thorax", "SPS-1"
    data.RequestAttributesSequence = [request]
    block = data.private_block(0x0019, "A VENDOR CT PRIVATE", create=True)
    kinds = (("DS", "1.25"), ("IS", "12"), ("LO", "text"), ("FD", 0.5), ("US", 7), ("CS", "CODE"), ("SL", -3))
    for number in range(140):
        vr, value = kinds[number % len(kinds)]
        block.add_new(number, vr, value)
    block.add_new(0xF0, "OB", bytes(600))
    block = data.private_block(0x0029, "A VENDOR CSA HEADER", create=True)
    for number, size in ((0x10, 12000), (0x20, 60000)):
        block.add_new(number, "OB", bytes(size))
    data.PixelData = bytes(512 * 512 * 2)
    data["PixelData"].VR = "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, "2.25.1001"
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def best(run: Callable[[], object], repeats: int, rounds: int = 7) -> float:
    """Seconds that one call takes, in the best of the rounds."""
    figures = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        figures.append((time.perf_counter() - start) / repeats)
    return min(figures)


def count(attributes: dict[str, dict[str, object]]) -> int:
    """Number of elements, those in Items included."""
    total = 0
    for attribute in attributes.values():
        total += 1
        if attribute["vr"] == "SQ":
            total += sum(count(item) for item in attribute.get("Value", ()))  # type: ignore[attr-defined]
    return total


def main() -> None:
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else ct_file()
    ours = best(lambda: part10.read(part10.BytesSource(data)), 200)
    theirs = best(lambda: pydicom.dcmread(io.BytesIO(data)).to_json_dict(suppress_invalid_tags=True), 10)
    whole = count(part10.read(part10.BytesSource(data)).attributes)
    print(f"elements                      {whole:8}")
    print(f"skiagraph part10.read         {ours * 1e3:8.3f} ms")
    print(f"pydicom dcmread to_json_dict  {theirs * 1e3:8.3f} ms")
    print(f"ratio                         {theirs / ours:8.1f}")


if __name__ == "__main__":
    main()
